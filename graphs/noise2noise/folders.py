"""A user's own pictures, trained on from two folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from graphs.module import Module
from graphs.noise2noise.data.sources import RepeatedShots
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_free
from graphs.noise2noise.images import list_pictures, read_picture
from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.training import Training


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
    architecture = Architecture()
    net = architecture.build(seed)
    _start_from_mean(net, pairs)
    training = Training(net, RepeatedShots(pairs), plan, seed=seed)
    finished = watch(training.run(), console)
    save_network(weights, net, architecture)
    return Trained(len(pairs), training, finished)


def read_pairs(first: Path, second: Path, size: int = 32) -> list[torch.Tensor]:
    """The pictures of two folders, paired by file name, (2, 3, H, W) each.

    Raises:
        InputError: a folder or a picture cannot be read, a name is in one folder only, the two of a
            name differ in size, or one is smaller than ``size`` a side.
    """
    left, right = list_pictures(first), list_pictures(second)
    if alone := sorted(set(left) ^ set(right)):
        here, there = (first, second) if alone[0] in left else (second, first)
        more = f" ({len(alone)} names are unpaired)" if len(alone) > 1 else ""
        raise InputError(f"{here / alone[0]} has no partner of that name in {there}{more}")
    pairs = []
    for name in left:
        pair = _read_colours(left[name]), _read_colours(right[name])
        _require_fit(f"{name} in {first} and {second}", *pair, size)
        pairs.append(torch.stack(pair))
    return pairs


def _read_colours(path: Path) -> torch.Tensor:
    pixels = read_picture(path).pixels
    if len(pixels) not in (1, 3):
        raise InputError(f"{path} has {len(pixels)} channels; expected grey or RGB")
    return pixels.expand(3, -1, -1)


def _require_fit(name: str, first: torch.Tensor, second: torch.Tensor, size: int) -> None:
    sizes = [f"{picture.shape[2]}x{picture.shape[1]}" for picture in (first, second)]
    if first.shape != second.shape:
        raise InputError(f"{name}: the two pictures differ in size, {sizes[0]} and {sizes[1]}")
    if min(first.shape[1:]) < size:
        raise InputError(f"{name}: {sizes[0]} pixels; expected at least {size} a side")


def _start_from_mean(net: Module, pairs: Sequence[torch.Tensor]) -> None:
    """Let a network that ends in a bias and a sigmoid begin with the pictures' mean colour.

    Dark pictures would otherwise drive the sigmoid down so fast that it stays black for ever.
    """
    mean = torch.stack([shot.mean((1, 2)) for pair in pairs for shot in pair]).mean(0)
    state = net.state()
    last = list(state)[-1]
    net.load_state(state | {last: mean.clamp(0.001, 0.999).logit()})
