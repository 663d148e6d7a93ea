"""The small network that learns from a single picture."""

from __future__ import annotations

from graphs.architectures.residual import Residual
from graphs.convolutions import Conv2d
from graphs.layers import LeakyReLU
from graphs.module import Module
from graphs.sequential import Sequential

SLOPE = 0.2
"""Slope of the leaky ReLU below 0."""


def zero_shot_network(channels: int = 3, width: int = 48, depth: int = 2) -> Residual:
    """3x3 convolutions and one 1x1 convolution that predict the noise, which is subtracted.

    Source: Mansour and Heckel, "Zero-Shot Noise2Noise: Efficient Image Denoising without any Data",
    CVPR 2023; theirs has two 3x3 convolutions.

    Args:
        channels: of the images.
        width: channels of the hidden layers.
        depth: number of 3x3 convolutions, at least one.

    Returns:
        A network that maps images [N, channels, H, W] of any values and size to cleaned images of
        the same shape. It has about 22 000 parameters for three channels and the default width and
        depth.
    """
    layers: list[Module] = []
    for given in (channels, *[width] * (depth - 1)):
        layers += [Conv2d(given, width, 3, padding=1), LeakyReLU(SLOPE)]
    return Residual(Sequential(*layers, Conv2d(width, channels, 1)))
