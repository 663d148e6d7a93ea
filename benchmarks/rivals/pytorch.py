"""The report's network and its training step in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

Step = Callable[[], torch.Tensor]


def torch_network(channels: int = 32) -> nn.Sequential:
    """The report's network in PyTorch."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        nn.ReLU(),
        _upsampling(2 * channels, channels),
        nn.ReLU(),
        _upsampling(channels, 3),
        nn.Sigmoid(),
    )


def _upsampling(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(channels_in, channels_out, 3, padding=1)
    )


def eager(noisy: torch.Tensor, target: torch.Tensor, *, channels_last: bool) -> Step:
    """PyTorch's training step, in either layout."""
    return _torch_step(noisy, target, channels_last, lambda net: net)


def compiled(noisy: torch.Tensor, target: torch.Tensor, *, channels_last: bool) -> Step:
    """The same with the network and its loss under ``torch.compile``."""
    return _torch_step(noisy, target, channels_last, torch.compile)


def _torch_step(
    noisy: torch.Tensor,
    target: torch.Tensor,
    channels_last: bool,
    wrap: Callable[[nn.Module], Callable[..., torch.Tensor]],
) -> Step:
    network = torch_network().to(noisy.device)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        target = target.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    run = wrap(network)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(run(noisy), target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
