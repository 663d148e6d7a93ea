"""Zero-Shot Noise2Noise in PyTorch, as its authors wrote it, and with networks of other sizes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn


def torch_zero_shot_network(width: int, depth: int) -> nn.Sequential:
    """The network that predicts the noise of pictures with three channels."""
    layers: list[nn.Module] = []
    for given in (3, *[width] * (depth - 1)):
        layers += [nn.Conv2d(given, width, 3, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(width, 3, 1))


def thinned(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The means of both diagonals of every 2x2 pixels."""
    channels = picture.shape[1]
    kernels = torch.tensor([[[0, 0.5], [0.5, 0]], [[0.5, 0], [0, 0.5]]])
    first, second = (
        F.conv2d(picture, kernel.expand(channels, 1, 2, 2), stride=2, groups=channels)
        for kernel in kernels
    )
    return first, second


def loss(noise: nn.Module, noisy: torch.Tensor) -> torch.Tensor:
    """Half the residual loss and half the consistency loss."""
    first, second = thinned(noisy)
    clean_first, clean_second = first - noise(first), second - noise(second)
    residual = F.mse_loss(first, clean_second) + F.mse_loss(second, clean_first)
    whole_first, whole_second = thinned(noisy - noise(noisy))
    consistency = F.mse_loss(clean_first, whole_first) + F.mse_loss(clean_second, whole_second)
    return (residual + consistency) / 2


class TorchZeroShot:
    """The recipe, step by step.

    Args:
        weights: to start from, by PyTorch's names.
        width, depth: of the network.
        channels_last: whether images and weights are stored channels-last.
    """

    def __init__(
        self, weights: Mapping[str, torch.Tensor], width: int, depth: int, *, channels_last: bool
    ) -> None:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self._layout = layout
        network = torch_zero_shot_network(width, depth)
        self._noise = network.to(memory_format=layout)
        self._noise.load_state_dict(dict(weights))
        self._optimizer = torch.optim.Adam(self._noise.parameters())

    def step(self, noisy: torch.Tensor, rate: float) -> None:
        """One step on pictures (N, 3, H, W)."""
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        loss(self._noise, noisy.contiguous(memory_format=self._layout)).backward()
        self._optimizer.step()

    @torch.no_grad()
    def clean(self, noisy: torch.Tensor) -> torch.Tensor:
        """A picture (3, H, W) minus the noise that the network predicts."""
        whole = noisy[None].contiguous(memory_format=self._layout)
        return (whole - self._noise(whole))[0]
