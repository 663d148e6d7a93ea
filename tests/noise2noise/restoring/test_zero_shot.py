"""Zero-Shot Noise2Noise is what its authors wrote, in PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from engine import interpret
from graphs import GraphBuilder
from graphs.architectures import zero_shot_network
from graphs.noise2noise.restoring.zero_shot import thinned, zero_shot_objective
from tests.noise2noise.scenes import cat, noisy
from tests.support import values


def published_pair(picture: torch.Tensor) -> list[torch.Tensor]:
    """The two convolutions of the authors' code."""
    channels = picture.shape[1]
    kernels = torch.tensor([[[0, 0.5], [0.5, 0]], [[0.5, 0], [0, 0.5]]])
    return [
        F.conv2d(picture, k.expand(channels, 1, 2, 2), stride=2, groups=channels) for k in kernels
    ]


def published_loss(picture: torch.Tensor, noise: torch.nn.Module) -> torch.Tensor:
    """The authors' code."""
    first, second = published_pair(picture)
    clean_first, clean_second = first - noise(first), second - noise(second)
    residual = (F.mse_loss(first, clean_second) + F.mse_loss(second, clean_first)) / 2
    whole_first, whole_second = published_pair(picture - noise(picture))
    consistency = (
        F.mse_loss(clean_first, whole_first) + F.mse_loss(clean_second, whole_second)
    ) / 2
    return residual + consistency


def test_the_pair() -> None:
    picture = values(2, 3, 8, 10, dtype=torch.float32)
    g = GraphBuilder("pair")
    first, second = thinned(g.input("x", (2, 3, 8, 10)))
    found = interpret(g.build(first=first, second=second), {"x": picture})
    for ours, theirs in zip(found.values(), published_pair(picture), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_loss_and_the_network() -> None:
    net = zero_shot_network()
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(3, 48, 3, padding=1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(48, 48, 3, padding=1),
        torch.nn.LeakyReLU(0.2),
        torch.nn.Conv2d(48, 3, 1),
    )
    weights = {name.removeprefix("network."): value for name, value in net.state().items()}
    twin.load_state_dict(weights)
    picture = noisy(cat(32, 48))[None]
    loss = interpret(zero_shot_objective(net, 3).graph, {"noisy": picture})["loss"]
    torch.testing.assert_close(loss, published_loss(picture, twin).detach())
