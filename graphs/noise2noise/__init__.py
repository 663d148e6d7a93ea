"""The application: pictures cleaned by a network that has only ever seen noisy ones.

Noise2Noise: where the noise of a target is independent of its input's and zero on average, the best
prediction of the noisy target is the clean picture. Source: Lehtinen et al., "Noise2Noise: Learning
Image Restoration without Clean Data", ICML 2018.

It needs more than the engine does: install it with the extra ``app``.
"""
