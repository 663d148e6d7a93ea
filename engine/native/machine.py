"""The machine that native code is written for."""

from __future__ import annotations

from dataclasses import dataclass

from engine.native.target import Target


@dataclass(frozen=True)
class Machine:
    """A target, and how many threads run the code."""

    target: Target
    threads: int
