"""Building a training that is ready to run from a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from graphs.module import Module
from graphs.noise2noise.data.holding_out import hold_out
from graphs.noise2noise.data.noise import Loss, parse_noise
from graphs.noise2noise.data.reading import read_scenes
from graphs.noise2noise.data.scenes import Kind, Scenes, find_scenes
from graphs.noise2noise.data.sources import (
    Brightened,
    NeighbourShots,
    RepeatedShots,
    Source,
    SyntheticShots,
)
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.inspection.aligning import shift_of
from graphs.noise2noise.networks import Architecture, start_from_mean
from graphs.noise2noise.training.configuration import Configuration, Settled
from graphs.noise2noise.training.memory import require_memory
from graphs.noise2noise.training.objectives import (
    Objective,
    neighbours_objective,
    shots_objective,
)
from graphs.noise2noise.training.optimizers import make_optimizer
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.threads import settle_threads
from graphs.noise2noise.training.training import Training
from graphs.noise2noise.training.validation import Validation

SCENES_FOR_MEAN = 64
SCENES_FOR_SHIFT, SHOTS_FOR_SHIFT = 3, 3
NARROW = 512
"""Up to this width the weights fit in any memory; counting them would take a second or two."""


@dataclass(frozen=True)
class Session:
    """A training and what it was built from.

    Attributes:
        configuration: with nothing left open.
        scenes: the files, and how they were interpreted.
        count: how many scenes there are, including held-out ones.
        shift: pixels between the shots of a scene, judged by a few; 0 if they are hardly shifted.
        is_validated: whether pictures are held out for validation.
        architecture, net: what is trained.
        training: not yet started.
    """

    configuration: Settled
    scenes: Scenes
    count: int
    shift: float
    is_validated: bool
    architecture: Architecture
    net: Module
    training: Training


def prepare(configuration: Configuration) -> Session:
    """Find and read the pictures, and build the network and its training.

    Args:
        configuration: if its crop is left open, it is limited to what the pictures have room for.

    Raises:
        InputError: the pictures cannot be trained on, or settings are incompatible.
        OutOfMemory: the training takes more memory than the machine has.
    """
    c = configuration.settled()
    _require_halving(c)
    settle_threads(c.threads)
    found = find_scenes([Path(path) for path in c.data], c.pattern, clean=c.noise is not None)
    _require_loss(c.loss, found.kind, c)
    crop = 2**c.depth if configuration.crop is None else c.crop
    readings = read_scenes(found, least_side(found.kind, crop))
    if configuration.crop is None:
        c = replace(c, crop=_largest_crop(readings.scenes, found.kind, c))
    architecture = Architecture(
        network=c.network,
        width=c.width,
        depth=c.depth,
        channels=readings.scenes[0].shape[1],
        offset=readings.offset,
        scale=readings.scale,
    )
    kept, held_out = list(readings.scenes), list[torch.Tensor]()
    if c.validation:
        kept, held_out = hold_out(kept, c.validation, least_side(found.kind, c.crop), c.seed)
    _require_room(architecture)
    net = architecture.build(c.seed)
    start_from_mean(net, architecture, _mean(kept))
    objective = _objective(net, architecture.channels, found.kind, c.loss)
    validate = None
    if held_out:
        # Validate on noisy targets even where training uses clean ones, so as to be comparable.
        by_noisy = objective if c.targets == "noisy" else _noisy_objective(net, architecture, c)
        if not c.has_centred_noise:
            by_noisy = replace(by_noisy, swapped=None)
        source = _source(held_out, found.kind, c, noisy_targets=True)
        validate = Validation(
            by_noisy, source, batch=c.batch, seed=c.seed, scale=architecture.scale
        )
    training = Training(
        net,
        Brightened(_source(kept, found.kind, c), c.gain, -readings.offset / readings.scale),
        _plan(c),
        objective=objective,
        optimizer=make_optimizer(c.optimizer, c.lr),
        validate=validate,
        seed=c.seed,
    )
    return Session(
        c,
        found,
        len(readings.scenes),
        _shift(readings.scenes) if found.kind == "shots" else 0.0,
        validate is not None,
        architecture,
        net,
        training,
    )


def least_side(kind: Kind, crop: int) -> int:
    """The smallest side that pictures may have: single ones are subsampled to half their size."""
    return 2 * crop if kind == "single" else crop


def _largest_crop(scenes: Sequence[torch.Tensor], kind: Kind, c: Settled) -> int:
    """The largest crop, at most the network's, that fits every picture and can be halved."""
    side = min(min(scene.shape[2:]) for scene in scenes) // least_side(kind, 1)
    return min(c.crop, side - side % 2**c.depth)


def _require_halving(c: Settled) -> None:
    most = c.crop.bit_length() - 1
    if c.depth > most:
        raise InputError(
            f"expected a depth of at most {most} with a crop of {c.crop}, as the network halves "
            f"its pictures so often; got {c.depth}"
        )
    if c.crop % 2**c.depth:
        raise InputError(
            f"expected a crop divisible by {2**c.depth}, as the network halves its pictures "
            f"{c.depth} times; got {c.crop}"
        )


def _require_room(architecture: Architecture) -> None:
    """Check that the weights fit in memory, with a network that has shapes but no values."""
    if architecture.width <= NARROW:
        return
    with torch.device("meta"):
        net = architecture.build()
    require_memory(sum(t.value.tensor.nbytes for t in net.trainable()))


def _shift(scenes: Sequence[torch.Tensor]) -> float:
    """Pixels between the shots of the worst of a few scenes."""
    some = scenes[:: -(-len(scenes) // SCENES_FOR_SHIFT)]
    return max(shift_of(list(s[:: -(-len(s) // SHOTS_FOR_SHIFT)].numpy())) for s in some)


def _plan(c: Settled) -> Plan:
    return Plan(
        seconds=60 * c.minutes if c.minutes is not None else 1.0,
        steps=c.steps,
        batch=c.batch,
        lr=c.lr,
        schedule=c.schedule,
        validate_every=c.validate_every,
        patience=c.patience or None,
    )


def _source(
    scenes: Sequence[torch.Tensor], kind: Kind, c: Settled, noisy_targets: bool = False
) -> Source:
    if kind in ("shots", "course"):
        return RepeatedShots(scenes, c.crop)
    pictures = [picture for scene in scenes for picture in scene]
    if kind == "single":
        return NeighbourShots(pictures, c.crop)
    assert c.noise, "clean pictures come with noise"
    targets = "noisy" if noisy_targets else c.targets
    return SyntheticShots(pictures, parse_noise(c.noise), c.crop, targets)


def _objective(net: Module, channels: int, kind: Kind, loss: Loss) -> Objective:
    if kind == "single":
        return neighbours_objective(net, channels)
    return shots_objective(net, channels, loss)


def _noisy_objective(net: Module, architecture: Architecture, c: Settled) -> Objective:
    assert c.noise, "clean pictures come with noise"
    return shots_objective(net, architecture.channels, parse_noise(c.noise).loss)


def _require_loss(loss: Loss, kind: Kind, c: Settled) -> None:
    if kind == "single" and loss != "l2":
        raise InputError(f"single noisy pictures are trained on with the loss l2; got {loss}")
    masked = c.noise is not None and parse_noise(c.noise).loss == "masked"
    if loss == "masked" and not (masked and c.targets == "noisy"):
        raise InputError("the masked loss needs noise that deletes pixels, as bernoulli:0.5")


def _mean(scenes: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean of each channel over a sample of the scenes, from 0 to 1."""
    some = scenes[:: max(1, len(scenes) // SCENES_FOR_MEAN)]
    means = [
        scene.double().mean((0, 2, 3)) / (1 if scene.is_floating_point() else 255) for scene in some
    ]
    return torch.stack(means).mean(0).float()
