"""Depthwise convolutions in C: every channel is convolved by itself, so vectors run over channels.

A vector of an image's channels meets the same channels of the weight and of the result, so nothing
is broadcast: a product takes one load from the image.
"""
