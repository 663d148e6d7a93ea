"""The small network that learns from a single picture."""

from __future__ import annotations

from graphs.architectures.residual import Residual
from graphs.convolutions import Conv2d
from graphs.layers import LeakyReLU
from graphs.module import Module
from graphs.sequential import Sequential

SLOPE = 0.2
"""Of the leaky ReLU below 0."""


def zero_shot_network(channels: int = 3, width: int = 48, depth: int = 2) -> Residual:
    """Two 3x3 convolutions, or more, and one of 1x1 that tell the noise, which is taken off.

    Source: Mansour and Heckel, "Zero-Shot Noise2Noise: Efficient Image Denoising without any Data",
    CVPR 2023; theirs has two.

    Args:
        channels: of the images.
        width: channels in between.
        depth: 3x3 convolutions, at least one.

    Returns:
        A network of images [N, channels, H, W] of any values and any size to the same, cleaned. It
        has about 22 000 parameters for three channels and two convolutions.
    """
    layers: list[Module] = []
    for given in (channels, *[width] * (depth - 1)):
        layers += [Conv2d(given, width, 3, padding=1), LeakyReLU(SLOPE)]
    return Residual(Sequential(*layers, Conv2d(width, channels, 1)))
