"""The U-Net of the Noise2Noise paper."""

from __future__ import annotations

import torch

from graphs.convolutions import Conv2d
from graphs.initializers import normal_by_fan_in
from graphs.module import Module
from ops import Node, SpecError, concat, leaky_relu, max_pool2d, upsample_nearest

SLOPE = 0.1
"""Slope of the leaky ReLU below 0."""


class UNet(Module):
    """Convolve and halve ``depth`` times, then upsample, join with the skip connection, convolve.

    Table 2 in the appendix of Lehtinen et al., "Noise2Noise: Learning Image Restoration without
    Clean Data", ICML 2018; the weights are named after the layers there. All convolutions are 3x3
    and followed by a leaky ReLU, except for the last, which is linear. The weights are initialized
    as in the paper's published code: normal with variance 2 / fan-in (He et al., 2015), 1 / fan-in
    in the last layer; biases 0.

    The network maps images [N, in_channels, H, W] of any values, in the paper from -0.5 to 0.5, to
    [N, out_channels, H, W]. H and W must be divisible by ``2**depth``.

    Args:
        channels: of the encoder; the decoder has twice as many, but in its last two hidden layers
            4/3 and 2/3 as many.
        depth: how many times the image is halved.
        in_channels, out_channels: of the images.
        dtype: of the weights; float32 by default.

    Raises:
        SpecError: a number is less than 1.
    """

    def __init__(
        self,
        channels: int = 48,
        depth: int = 5,
        in_channels: int = 3,
        out_channels: int = 3,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        sizes = {
            "channels": channels,
            "depth": depth,
            "in_channels": in_channels,
            "out_channels": out_channels,
        }
        for name, size in sizes.items():
            if type(size) is not int or size < 1:
                raise SpecError(f"UNet: expected {name} of at least 1, got {size!r}")
        self.depth = depth
        self.in_channels = in_channels
        for name, (c_in, c_out) in _layers(channels, depth, in_channels, out_channels).items():
            convolution = Conv2d(c_in, c_out, 3, padding=1, dtype=dtype)
            gain = 1.0 if name == "dec_conv1c" else 2.0**0.5
            shape = convolution.weight.shape
            convolution.weight = normal_by_fan_in(gain, shape, convolution.weight.dtype)
            convolution.bias = torch.zeros(c_out, dtype=dtype)
            self.adopt(name, convolution)

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        self._require_divisible(x)
        skipped = [x]
        x = self._convolved("enc_conv0", x)
        for level in range(1, self.depth + 1):
            x = max_pool2d(self._convolved(f"enc_conv{level}", x), 2)
            skipped.append(x)
        x = self._convolved(f"enc_conv{self.depth + 1}", skipped.pop())
        for level in range(self.depth, 0, -1):
            x = concat([upsample_nearest(x, 2), skipped.pop()], dim=1)
            x = self._convolved(f"dec_conv{level}a", x)
            x = self._convolved(f"dec_conv{level}b", x)
        return self._parts["dec_conv1c"](x)

    def _convolved(self, name: str, x: Node) -> Node:
        return leaky_relu(self._parts[name](x), negative_slope=SLOPE)

    def _require_divisible(self, x: Node) -> None:
        sides = x.shape[2:]
        if x.ndim != 4 or any(isinstance(s, int) and s % 2**self.depth for s in sides):
            raise SpecError(
                f"UNet of depth {self.depth}: expected images [N, {self.in_channels}, H, W] with "
                f"H and W divisible by {2**self.depth}, got {x.spec}"
            )


def _layers(
    channels: int, depth: int, in_channels: int, out_channels: int
) -> dict[str, tuple[int, int]]:
    """Each convolution's input and output channels, by name, in the order of the network."""
    wide = 2 * channels
    layers = {"enc_conv0": (in_channels, channels)}
    layers |= {f"enc_conv{i}": (channels, channels) for i in range(1, depth + 2)}
    below = channels
    for level in range(depth, 1, -1):
        layers[f"dec_conv{level}a"] = (below + channels, wide)
        layers[f"dec_conv{level}b"] = (wide, wide)
        below = wide
    first, second = -(-4 * channels // 3), -(-2 * channels // 3)
    layers["dec_conv1a"] = (below + in_channels, first)
    layers["dec_conv1b"] = (first, second)
    layers["dec_conv1c"] = (second, out_channels)
    return layers
