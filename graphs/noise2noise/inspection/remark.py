"""What can be said about a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from graphs.noise2noise.inspection.findings import Findings

Weight = Literal["method", "warning", "note"]


class Remark(NamedTuple):
    """What a rule says about one scene; of several scenes, the worst has the highest ``degree``."""

    weight: Weight
    topic: str
    text: str
    degree: float = 0.0


Rule = Callable[[Findings], Remark | None]
