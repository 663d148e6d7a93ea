"""The report's network."""

from __future__ import annotations

from graphs.convolutions import Conv2d
from graphs.layers import ReLU, Sigmoid
from graphs.sequential import Sequential, Upsampling


def report_network(channels: int = 32, image_channels: int = 3) -> Sequential:
    """Two strided convolutions down, two upsamplings back: figure 1 of the report.

    Args:
        channels: of the first convolution; the second has twice as many.
        image_channels: of the images.

    Returns:
        A network that maps images [N, image_channels, H, W] with values in [0, 1], H and W
        divisible by 4, to images of the same shape and range.
    """
    return Sequential(
        Conv2d(image_channels, channels, 3, stride=2, padding=1),
        ReLU(),
        Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        ReLU(),
        Upsampling(2 * channels, channels, 3, padding=1, scale_factor=2),
        ReLU(),
        Upsampling(channels, image_channels, 3, padding=1, scale_factor=2),
        Sigmoid(),
    )
