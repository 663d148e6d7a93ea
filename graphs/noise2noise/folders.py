"""A user's own pictures: trained on from two folders, cleaned one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from graphs.module import Module
from graphs.noise2noise.demo import seeded_network
from graphs.noise2noise.files import require_free
from graphs.noise2noise.pairs import NoisyPairs, Pair, read_pairs
from graphs.noise2noise.progress import watch
from graphs.noise2noise.training import Plan, Training
from graphs.weights import save_weights


@dataclass(frozen=True)
class Trained:
    """What a training on folders came to: how much it did, and whether to its end."""

    pictures: int
    training: Training
    finished: bool


def train_on_folders(
    first: Path,
    second: Path,
    weights: Path,
    plan: Plan,
    *,
    seed: int = 0,
    overwrite: bool = False,
    console: Console,
) -> Trained:
    """Train the report's network on pairs of noisy pictures and write its weights.

    Args:
        first, second: folders whose pictures of one name are two noisy shots of one scene.
        weights: the safetensors file to write.
        plan: how and how long to train.
        seed: of the first weights and the batches.
        overwrite: whether ``weights`` may exist already.
        console: where the progress is shown.

    Raises:
        InputError: the folders do not pair up, or the weights cannot be written there.
    """
    require_free(weights, overwrite)
    pairs = read_pairs(first, second)
    net = seeded_network(seed)
    _start_from_mean(net, pairs)
    training = Training(net, NoisyPairs(pairs, seed), plan)
    finished = watch(training, console)
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_weights(net, weights)
    return Trained(len(pairs), training, finished)


def _start_from_mean(net: Module, pairs: Sequence[Pair]) -> None:
    """Let a network that ends in a bias and a sigmoid begin with the pictures' mean colour.

    Dark pictures would otherwise drive the sigmoid down so fast that it stays black for ever.
    """
    mean = torch.stack([shot.mean((1, 2)) for pair in pairs for shot in pair]).mean(0)
    state = net.state()
    last = list(state)[-1]
    net.load_state(state | {last: mean.clamp(0.001, 0.999).logit()})
