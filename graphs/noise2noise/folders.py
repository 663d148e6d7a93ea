"""A user's own pictures: trained on from two folders, cleaned one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from graphs.architectures import report_network
from graphs.model import PRETRAINED
from graphs.module import Module
from graphs.noise2noise.demo import seeded_network
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_folder, require_free
from graphs.noise2noise.images import (
    SUFFIXES,
    is_picture_name,
    read_picture,
    require_picture,
    write_picture,
)
from graphs.noise2noise.pairs import NoisyPairs, Pair, read_pairs
from graphs.noise2noise.progress import watch
from graphs.noise2noise.restore import Restorer
from graphs.noise2noise.training import Plan, Training
from graphs.weights import load_weights, save_weights


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


def denoise_files(
    pictures: Sequence[Path], weights: Path | None, output: Path, *, overwrite: bool = False
) -> Iterator[Path]:
    """Clean pictures one after the other, each written as it is done.

    Names and kinds are checked before the first is written.

    Args:
        pictures: files to clean.
        weights: of the report's network; None for those that come along.
        output: a file, if it is named as a picture and there is one to clean; else a folder, where
            each keeps its name.
        overwrite: whether files to write may exist already.

    Yields:
        The files written.

    Raises:
        InputError: a picture cannot be read, or its result cannot be written.
    """
    targets = _targets(pictures, output)
    for target in targets:
        require_free(target, overwrite)
    for picture in pictures:
        require_picture(picture)
    restore = Restorer(load_network(weights))
    for picture, target in zip(pictures, targets, strict=True):
        source = read_picture(picture)
        write_picture(target, replace(source, pixels=restore(source.pixels)))
        yield target


def load_network(weights: Path | None) -> Module:
    """The report's network with weights from a file, or with those that come along.

    Raises:
        InputError: there is no such file.
        GraphError, FeedError: it is no file of this network's weights.
    """
    path = weights or PRETRAINED
    if not path.is_file():
        raise InputError(f"there is no file of weights {path}")
    net = report_network()
    load_weights(net, path)
    return net


def _start_from_mean(net: Module, pairs: Sequence[Pair]) -> None:
    """Let a network that ends in a bias and a sigmoid begin with the pictures' mean colour.

    Dark pictures would otherwise drive the sigmoid down so fast that it stays black for ever.
    """
    mean = torch.stack([shot.mean((1, 2)) for pair in pairs for shot in pair]).mean(0)
    state = net.state()
    last = list(state)[-1]
    net.load_state(state | {last: mean.clamp(0.001, 0.999).logit()})


def _targets(pictures: Sequence[Path], output: Path) -> list[Path]:
    if is_picture_name(output) and not output.is_dir():
        if len(pictures) > 1:
            raise InputError(
                f"the output {output} is one file for {len(pictures)} pictures; name a folder"
            )
        return [output]
    known = ", ".join(sorted(SUFFIXES))
    if output.suffix and not output.is_dir():
        raise InputError(f"the output {output} is no kind of picture to write: {known}")
    if other := next((path for path in pictures if path.suffix.lower() not in SUFFIXES), None):
        raise InputError(f"{other} does not end in one of {known}, as its result would have to")
    require_folder(output)
    targets = [output / picture.name for picture in pictures]
    names = [picture.name for picture in pictures]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two of the pictures are named {twice}: their results would be one file")
    return targets
