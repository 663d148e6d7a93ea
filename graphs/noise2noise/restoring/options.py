"""The options for denoising."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.restoring.methods import Method
from graphs.noise2noise.restoring.restorer import MAX_BYTES


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to denoise.

    Attributes:
        pattern: of file names, such as ``{scene}_raw{shot}.png``, which tells which of them show
            the same scene.
        method: None for the one that fits.
        model: a file of weights or the folder of a training run; None for the shipped weights.
        seconds: roughly how long it may take.
        average: whether to make one picture from all shots of a scene.
        max_bytes: the most memory for the network's computation.
        seed: for everything random.
        overwrite: whether output files may already exist.

    Raises:
        InputError: two options contradict each other, or the time is not above 0.
    """

    pattern: str | None = None
    method: Method | None = None
    model: Path | None = None
    seconds: float = 120.0
    average: bool = False
    max_bytes: int = MAX_BYTES
    seed: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"expected a time above 0, got {self.seconds / 60:g} minutes")
        if self.model is not None and self.method not in (None, "model"):
            raise InputError(f"a model is given, for which method {self.method} has no use")
