"""Networks that learn from the very pictures they are to denoise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from graphs.architectures import Residual, UNet, zero_shot_network
from graphs.module import Module
from graphs.noise2noise.data.sources import NeighbourShots, RepeatedShots, Source
from graphs.noise2noise.restoring.methods import Learned
from graphs.noise2noise.restoring.zero_shot import CROP, Squares, zero_shot_objective
from graphs.noise2noise.training.objectives import neighbours_objective, shots_objective
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.training import Training
from ops import Node, maximum, minimum

LEAST, MOST = -1.0, 2.0
"""Pixels outside this range are defective ones or stars; a few would dominate the loss."""

ENOUGH_STEPS = 6000
"""Training steps for each scene, beyond which more help little."""

WIDTH, DEPTH = 32, 3
"""Of the network that learns from a single picture. With one more convolution than its authors' and
fewer channels, it sees further and gets better results in no more time. Even deeper ones are better
on most pictures, but worse on fine textures."""


def training_on(
    method: Learned, scenes: Sequence[torch.Tensor], seconds: float, *, seed: int = 0
) -> tuple[Module, Training]:
    """A network that denoises some pictures, and its training on them.

    Args:
        method: from shot to shot, from pixel to neighbouring pixel, or for a single picture.
        scenes: (k, C, H, W) each, as :func:`examples_of` returns them, with values roughly in
            [0, 1]; for ``repeats`` the k are shots of one scene. Values far outside are clamped for
            training, and the network leaves the excess as it is.
        seconds: the longest time to train.
        seed: for the initial weights and the batches.
    """
    scenes = [scene.clamp(LEAST, MOST) for scene in scenes]
    side = min(CROP, *(min(scene.shape[2:]) for scene in scenes))
    pictures = [picture for scene in scenes for picture in scene]
    net = _network(method, scenes[0].shape[1], seed)
    most_steps = ENOUGH_STEPS * len(scenes)
    plan = Plan(seconds=seconds, most_steps=most_steps, batch=4, lr=2e-3)
    source: Source
    if method == "zero-shot":
        source, plan = Squares(pictures, side // 2 * 2), replace(plan, batch=1)
        objective = zero_shot_objective(net, source.channels)
    elif method == "repeats":
        source = RepeatedShots(scenes, side // 4 * 4)
        objective = shots_objective(net, source.channels)
    else:
        source = NeighbourShots(pictures, side // 8 * 4)
        objective = neighbours_objective(net, source.channels)
    return Within(net), Training(net, source, plan, objective=objective, seed=seed)


class Within(Module):
    """A network whose input is clamped to the range it was trained on; the excess bypasses it."""

    def __init__(self, network: Module) -> None:
        super().__init__()
        self.network = network

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        known = minimum(maximum(x, LEAST), MOST)
        return self.network(known) + (x - known)


def _network(method: Learned, channels: int, seed: int) -> Module:
    """A network that initially predicts no noise, so that even a short training does no harm."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if method == "zero-shot":
            net = zero_shot_network(channels, WIDTH, DEPTH)
        else:
            net = Residual(UNet(16, 2, channels, channels))
    state = net.state()
    weight, bias = list(state)[-2:]
    silent = {name: torch.zeros_like(state[name]) for name in (weight, bias)}
    net.load_state(state | silent)
    return net
