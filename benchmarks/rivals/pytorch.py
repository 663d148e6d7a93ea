"""The report's network in PyTorch, and training and inference of any network there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import fx, nn
from torch._functorch import config as functorch
from torch._inductor.compile_fx import compile_fx

Step = Callable[[], torch.Tensor]
Wrap = Callable[[nn.Module], Callable[..., torch.Tensor]]


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


def keeping(share: float) -> Wrap:
    """``torch.compile`` with an ``activation_memory_budget``: 1 keeps all activations, 0 none."""

    # A backend of its own, since code compiled with another share would be used again otherwise.
    def backend(graph: fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        with functorch.patch(activation_memory_budget=share):
            return compile_fx(graph, inputs)

    return partial(torch.compile, backend=backend)


def training(
    make: Callable[[], nn.Module],
    noisy: torch.Tensor,
    target: torch.Tensor,
    lr: float,
    *,
    channels_last: bool,
    wrap: Wrap,
) -> Step:
    """A training step of a network with SGD.

    Args:
        make: makes the network.
        noisy, target: images of one batch.
        lr: learning rate.
        channels_last: whether images and weights are stored channels-last.
        wrap: turns the network into what is called: the network itself, or ``torch.compile``'s.
    """
    network, (noisy, target) = _laid(make(), [noisy, target], channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr)
    run = wrap(network)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(run(noisy), target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def inference(
    make: Callable[[], nn.Module], noisy: torch.Tensor, *, channels_last: bool, wrap: Wrap
) -> Step:
    """A network's result for some images, under ``torch.inference_mode``; see :func:`training`."""
    network, (noisy,) = _laid(make(), [noisy], channels_last)
    run = wrap(network.eval())

    @torch.inference_mode()
    def infer() -> torch.Tensor:
        return run(noisy)

    return infer


def _laid(
    network: nn.Module, images: list[torch.Tensor], channels_last: bool
) -> tuple[nn.Module, list[torch.Tensor]]:
    """The network, moved to the images' device, and the images, both in the chosen layout."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(images[0].device).to(memory_format=layout)
    return network, [image.contiguous(memory_format=layout) for image in images]
