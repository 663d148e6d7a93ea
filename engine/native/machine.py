"""The machine that native code is generated for."""

from __future__ import annotations

from dataclasses import dataclass

from engine.native.target import Target


@dataclass(frozen=True)
class Machine:
    """A target, and the number of threads that run the code."""

    target: Target
    threads: int
