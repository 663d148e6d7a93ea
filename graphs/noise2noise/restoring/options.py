"""How pictures are to be denoised."""

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
        pattern: of file names, as ``{scene}_raw{shot}.png``, that tells which show one scene.
        method: None for the one that fits.
        model: a file of weights or the folder of a training's run; None for those that come along.
        seconds: what there is of time.
        average: make one picture of all shots of a scene.
        max_bytes: the most memory for the network to compute in.
        seed: of everything random.
        overwrite: whether files to write may exist already.

    Raises:
        InputError: two of them contradict each other, or there is no time.
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
