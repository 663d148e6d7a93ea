"""The configuration of a training: one schema for the file and for the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch

from graphs.noise2noise.data.course import is_course
from graphs.noise2noise.data.noise import Loss, parse_noise
from graphs.noise2noise.data.sources import Targets
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import NetworkName
from graphs.noise2noise.training.optimizers import OptimizerName
from graphs.noise2noise.training.schedules import ScheduleName
from graphs.noise2noise.training.settings_file import format_settings, read_settings

BY_NETWORK: Mapping[str, Mapping[str, Any]] = {
    "report": {"width": 32, "depth": 2, "crop": 32, "batch": 32, "lr": 1e-2},
    "unet": {"width": 32, "depth": 4, "crop": 64, "batch": 8, "lr": 1e-3},
}
"""Default settings that depend on the network.

The U-Net is two thirds as wide as the paper's and one level shallower: with minutes rather than
hours to train, twice as many steps are worth more.
"""

DEFAULT_MINUTES = 10.0
SGD_LR = 0.1


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All settings of a training. Each is a key of the file and an option of the command line.

    Attributes:
        data: folders or files; see :func:`find_scenes`.
        pattern: of file names, such as ``{scene}_raw{shot}.png``.
        noise: a model of noise to add to clean pictures, such as ``gaussian:25`` or
            ``gaussian:0-50``.
        targets: for clean pictures with added noise: ``noisy``, or ``clean`` for comparison.
        loss: ``l2``, ``l1``, ``l0`` (annealed) or ``masked``; by default the one that fits the
            noise.
        network: ``unet`` or ``report``; by default the U-Net, or for the course's pickles the
            report's.
        width, depth: of the network; by default those of :data:`BY_NETWORK`.
        optimizer: ``adam`` or ``sgd``.
        lr: the peak learning rate; by default the network's, and 0.1 with ``sgd``.
        schedule: ``cosine``, ``constant``, ``step`` or ``ramp-down``.
        batch: examples per step; by default the network's.
        crop: side of the square crops that are trained on; by default the network's, or as large
            as fits in the smallest picture.
        gain: the largest factor, at least 1, by which half of the crops are made brighter or
            darker.
        steps: how long to train, exactly reproducibly.
        minutes: how long to train, if no steps are given.
        validation: the fraction of the pictures held out for validation; 0 for none.
        validate_every: steps between validations; each writes a checkpoint.
        patience: validations without a new best after which the rate is lowered, and as many more
            after which the training ends; 0 to never end early.
        threads: number of threads to compute with.
        seed: of everything random.

    Raises:
        InputError: a value does not make sense.
    """

    data: tuple[str, ...] = ()
    pattern: str | None = None
    noise: str | None = None
    targets: Targets = "noisy"
    loss: Loss | None = None
    network: NetworkName | None = None
    width: int | None = None
    depth: int | None = None
    optimizer: OptimizerName = "adam"
    lr: float | None = None
    schedule: ScheduleName = "cosine"
    batch: int | None = None
    crop: int | None = None
    gain: float = 1.0
    steps: int | None = None
    minutes: float | None = None
    validation: float = 0.1
    validate_every: int = 250
    patience: int = 20
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            _require_type(field.name, getattr(self, field.name), hints[field.name])
        if not 0 <= self.validation < 1:
            raise InputError(
                f"expected a validation share from 0 to below 1, got {self.validation}"
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"expected a seed from 0 to below 2**63, got {self.seed}")
        for name in ("width", "depth", "batch", "crop", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"expected {name} of at least 1, got {value}")
        for name in ("width", "batch", "crop", "threads"):
            value = getattr(self, name)
            if value is not None and value >= 2**31:
                raise InputError(f"expected {name} below 2**31, got {value}")
        if not 1 <= self.gain < math.inf:
            raise InputError(f"expected a gain of at least 1, got {self.gain}")
        if self.noise is None and self.targets == "clean":
            raise InputError("clean targets need clean pictures: give the noise to put on them")
        if self.noise is not None:
            parse_noise(self.noise)
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise InputError(f"expected a finite number of minutes above 0, got {self.minutes:g}")
        if self.steps is not None and self.minutes is not None:
            raise InputError("a training ends after steps or minutes, not both")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], origin: str = "") -> Configuration:
        """A configuration from some settings, with defaults for the others.

        Raises:
            InputError: a name is unknown or a value does not make sense; ``origin`` begins the
                message.
        """
        try:
            return cls(**_known(values))
        except InputError as error:
            raise InputError(f"{origin}{error}") from None

    @classmethod
    def settings_in(cls, path: Path) -> dict[str, Any]:
        """Read the settings in a file, and check their names and types. See :func:`read_settings`.

        Other settings may complete them, so :meth:`from_mapping` checks whether they make sense.

        Raises:
            InputError: the file cannot be read, or a setting is unknown or of another type.
        """
        values, hints = read_settings(path), get_type_hints(cls)
        try:
            for name, value in _known(values).items():
                _require_type(name, value, hints[name])
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return values

    def settled(self) -> Settled:
        """This configuration with every open setting decided and all paths absolute.

        A training of a given number of steps is exactly reproducible, which needs a fixed number of
        threads: if left open, it is set to torch's current one. For a training of some minutes it
        stays open.
        """
        network = self.network or ("report" if is_course(self.data) else "unet")
        decided = {"network": network, **BY_NETWORK[network]}
        if self.optimizer == "sgd":
            decided["lr"] = SGD_LR
        decided["loss"] = "l2"
        if self.noise is not None and self.targets == "noisy":
            decided["loss"] = parse_noise(self.noise).loss
        if self.steps is None:
            decided["minutes"] = DEFAULT_MINUTES
        else:
            decided["threads"] = torch.get_num_threads()
        given = {name: getattr(self, name) for name in SETTINGS}
        decided |= {name: value for name, value in given.items() if value is not None}
        decided["data"] = tuple(str(Path(path).resolve()) for path in self.data)
        return Settled(**decided)

    def to_toml(self) -> str:
        """The text of a file that :meth:`settings_in` reads; settings left open are omitted.

        Raises:
            InputError: a name is not valid UTF-8.
        """
        return format_settings({name: getattr(self, name) for name in SETTINGS})


@dataclass(frozen=True, kw_only=True)
class Settled(Configuration):
    """A configuration in which every setting that a training needs is decided."""

    network: NetworkName
    loss: Loss
    width: int
    depth: int
    lr: float
    batch: int
    crop: int

    @property
    def has_centred_noise(self) -> bool:
        """Whether the noise has mean zero; of noise in the files themselves, the loss tells."""
        fitting = self.loss if self.noise is None else parse_noise(self.noise).loss
        return fitting == "l2"


SETTINGS = tuple(field.name for field in fields(Configuration))
"""The names of all settings."""


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, with lists as tuples."""
    if unknown := next((name for name in values if name not in SETTINGS), None):
        known = ", ".join(SETTINGS)
        raise InputError(f"there is no setting {unknown!r}; known are {known}")
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }


def _require_type(name: str, value: Any, hint: Any) -> None:
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if any(_fits(value, choice) for choice in choices):
        return
    raise InputError(f"expected {name} to be {' or '.join(map(_named, choices))}, got {value!r}")


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint


def _named(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return "a list of names"
    return {str: "a text", int: "a whole number", float: "a number"}.get(hint, "left out")
