"""Findings and advice, formatted for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from graphs.noise2noise.inspection.advice import Advice
from graphs.noise2noise.inspection.differences import NoiseOfPair
from graphs.noise2noise.inspection.findings import Findings
from graphs.noise2noise.inspection.registration import largest_uncertain
from graphs.noise2noise.inspection.single import NoiseOfOne

NAMED = 3
"""How many scenes a piece of advice names before it counts the rest."""

COLUMNS = (
    ("scene", "left"),
    ("shots", "right"),
    ("size", "right"),
    ("noise", "right"),
    ("variance\nper level", "right"),
    ("neighbours\n1, 2, 3 apart", "right"),
    ("shared\nby shots", "right"),
    ("shift\npixels", "right"),
    ("brightness\nstrays", "right"),
    ("clipped", "right"),
)


FAR = 10.0
"""Pixels beyond which a bound on a shift says nothing."""


def findings_table(findings: Sequence[Findings]) -> Table:
    """A table with one row for each scene; noise in the numbers of the files."""
    table = Table(title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading, side in COLUMNS:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    for scene in findings:
        table.add_row(*map(Text, _cells(scene)))
    return table


def advice_text(advice: Sequence[Advice], scenes: int, width: int = 88) -> str:
    """The advice as paragraphs, each naming its scenes unless it is about all of them."""
    paragraphs = []
    for item in advice:
        where = "" if len(item.scenes) == scenes else f" [{_names(item)}]"
        mark = {"method": "->", "warning": " !", "note": "  "}[item.weight]
        text = f"{mark} {item.topic}{where}: {item.text}."
        paragraphs.append(textwrap.fill(text, width, subsequent_indent="   "))
    return "\n".join(paragraphs)


def _shift(scene: Findings) -> str:
    """Pixels between the shots furthest apart or, if that is not certain, the most it may be."""
    if scene.misalignment:
        return f"{scene.misalignment:.1f}"
    most = largest_uncertain(scene.positions)
    return f"<{most:.1f}" if most < FAR else "?"


def _cells(scene: Findings) -> tuple[str, ...]:
    noise = scene.noise
    sigma = "" if noise is None else _listed(noise.sigma)
    if isinstance(noise, NoiseOfOne) and noise.is_correlated:
        sigma += f" to {_listed(noise.shared_sigma)}"
    slope = "" if noise is None else f"{noise.slope:.3g}"
    lags = shared = shift = straying = "-"
    if isinstance(noise, NoiseOfPair):
        pairs = zip(noise.along_rows, noise.along_columns, strict=True)
        lags = " ".join(f"{max(pair, key=abs):.2f}" for pair in pairs)
        shared = f"<{max(min(pair.noise.shared_at_most for pair in scene.pairs), 0.01):.2f}"
    if scene.shots > 1:
        shift = _shift(scene)
        straying = f"{scene.straying:.1%}"
    size = f"{scene.width}x{scene.height}" + (f"x{scene.channels}" if scene.channels > 1 else "")
    clipped = f"{sum(scene.clipped):.2%}"
    return (
        scene.name,
        str(scene.shots),
        size,
        sigma,
        slope,
        lags,
        shared,
        shift,
        straying,
        clipped,
    )


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in values)


def _names(item: Advice) -> str:
    """The scenes' names, the worst first because the figures are its own."""
    scenes = [item.worst, *(name for name in item.scenes if name != item.worst)]
    shown = ", ".join(scenes[:NAMED])
    return shown if len(scenes) <= NAMED else f"{shown} and {len(scenes) - NAMED} more"
