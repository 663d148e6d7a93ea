"""What to do about what was found, in plain words, and which method fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.noise2noise.inspection.findings import Findings
from graphs.noise2noise.inspection.remark import Remark, Weight
from graphs.noise2noise.inspection.rules import RULES

ORDER: tuple[Weight, ...] = ("method", "warning", "note")


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes:
        weight: whether it says which method to use, warns, or is good to know.
        topic: a word or two.
        text: a sentence or two.
        scenes: the scenes that it is about.
        worst: the scene whose figures the text gives.
    """

    weight: Weight
    topic: str
    text: str
    scenes: tuple[str, ...]
    worst: str


def advise(findings: Sequence[Findings]) -> list[Advice]:
    """Advice on scenes, methods first; what applies to several is said once, for the worst."""
    said: dict[tuple[Weight, str], list[tuple[Findings, Remark]]] = {}
    for scene in findings:
        for rule in RULES:
            if (remark := rule(scene)) is not None:
                said.setdefault((remark.weight, remark.topic), []).append((scene, remark))
    return sorted(map(_merged, said.values()), key=lambda advice: ORDER.index(advice.weight))


def _merged(said: Sequence[tuple[Findings, Remark]]) -> Advice:
    worst, remark = max(said, key=lambda spoken: spoken[1].degree)
    scenes = tuple(scene.name for scene, _ in said)
    return Advice(remark.weight, remark.topic, remark.text, scenes, worst.name)
