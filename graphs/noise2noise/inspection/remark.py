"""What can be said of a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from graphs.noise2noise.inspection.findings import Findings

Weight = Literal["method", "warning", "note"]


class Remark(NamedTuple):
    """What a rule says of one scene; ``degree`` tells the worst scene of several."""

    weight: Weight
    topic: str
    text: str
    degree: float = 0.0


Rule = Callable[[Findings], Remark | None]
