"""The U-Net of the Noise2Noise paper in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import nn


class TorchUNet(nn.Module):
    """The paper's U-Net in PyTorch, with the same parameter names and initial weights as ours."""

    def __init__(
        self, channels: int = 48, depth: int = 5, in_channels: int = 3, out_channels: int = 3
    ) -> None:
        super().__init__()
        self.depth = depth
        wide, first, second = 2 * channels, math.ceil(4 * channels / 3), math.ceil(2 * channels / 3)
        self._add("enc_conv0", in_channels, channels)
        for level in range(1, depth + 2):
            self._add(f"enc_conv{level}", channels, channels)
        for level in range(depth, 1, -1):
            below = channels if level == depth else wide
            self._add(f"dec_conv{level}a", below + channels, wide)
            self._add(f"dec_conv{level}b", wide, wide)
        self._add("dec_conv1a", (channels if depth == 1 else wide) + in_channels, first)
        self._add("dec_conv1b", first, second)
        self._add("dec_conv1c", second, out_channels, "linear")

    def _add(self, name: str, c_in: int, c_out: int, activation: str = "relu") -> None:
        convolution = nn.Conv2d(c_in, c_out, 3, padding=1)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity=activation)
        nn.init.zeros_(convolution.bias)
        self.add_module(name, convolution)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skipped = [x]
        x = self._convolved("enc_conv0", x)
        for level in range(1, self.depth + 1):
            x = nn.functional.max_pool2d(self._convolved(f"enc_conv{level}", x), 2)
            skipped.append(x)
        x = self._convolved(f"enc_conv{self.depth + 1}", skipped.pop())
        for level in range(self.depth, 0, -1):
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.cat([x, skipped.pop()], dim=1)
            x = self._convolved(f"dec_conv{level}a", x)
            x = self._convolved(f"dec_conv{level}b", x)
        return self.get_submodule("dec_conv1c")(x)

    def _convolved(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(self.get_submodule(name)(x), 0.1)
