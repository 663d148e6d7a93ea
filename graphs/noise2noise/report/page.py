"""The report as one self-contained HTML file: pictures, styles and script are embedded."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from engine.report import StepReport
from graphs.noise2noise.files import replacing
from graphs.noise2noise.images import to_bytes
from graphs.noise2noise.report.axes import bytes_text, seconds_text
from graphs.noise2noise.report.charts import Curve, line_chart, memory_chart
from graphs.noise2noise.report.contents import Comparison, RunReport, Work
from graphs.noise2noise.report.graph_drawing import draw_graph

RESIDUAL_GAIN = 3.0
OPERATORS_SHOWN = 14


@dataclass(frozen=True)
class TimeOfOperator:
    """The total time of all steps of one kind.

    Attributes:
        name: of the operator.
        phase: ``forward``, ``gradient`` or ``update``.
        calls: how many steps.
        milliseconds: in total.
        share: relative to the slowest kind, from 0 to 1.
    """

    name: str
    phase: str
    calls: int
    milliseconds: float
    share: float


def write_report(path: Path, report: RunReport) -> None:
    """Write the page, replacing an existing file."""
    with replacing(path) as temporary:
        temporary.write_text(render(report), encoding="utf-8")


def render(report: RunReport) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=PackageLoader("graphs.noise2noise.report", "template"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    work = report.work
    return environment.get_template("report.html").render(
        report=report,
        pictures=[_shown(comparison) for comparison in report.comparisons],
        gain=f"{RESIDUAL_GAIN:g}",
        losses=_chart(report.losses, "loss"),
        qualities=_chart(report.qualities, "estimated PSNR of all held-out crops as one, dB"),
        drawing=draw_graph(report.graph),
        memory=_memory(work) if work else "",
        peak=bytes_text(work.peak_bytes) if work else "",
        operators=list(times_of_operators(work.steps))[:OPERATORS_SHOWN] if work else [],
        total=seconds_text(sum(step.seconds or 0 for step in work.steps)) if work else "",
        environment=list(_flat(report.environment)),
    )


def times_of_operators(steps: Sequence[StepReport]) -> Iterator[TimeOfOperator]:
    """The time of each operator in each phase, the slowest first."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for step in steps:
        if step.seconds is not None:
            seconds[step.operator, step.phase.split()[0]].append(step.seconds)
    ordered = sorted(seconds.items(), key=lambda item: -sum(item[1]))
    longest = sum(ordered[0][1]) if ordered else 0.0
    for (name, phase), times in ordered:
        total = sum(times)
        yield TimeOfOperator(
            name, phase, len(times), 1e3 * total, total / longest if longest else 0.0
        )


def residual(comparison: Comparison) -> torch.Tensor:
    """What was removed, amplified and centred on middle grey."""
    return 0.5 + RESIDUAL_GAIN * (comparison.before - comparison.after)


def _shown(comparison: Comparison) -> Mapping[str, object]:
    height, width = comparison.before.shape[1:]
    return {
        "name": comparison.name,
        "caption": comparison.caption,
        "before": _data_uri(comparison.before),
        "after": _data_uri(comparison.after),
        "residual": _data_uri(residual(comparison)),
        "width": width,
        "height": height,
    }


def _data_uri(picture: torch.Tensor) -> str:
    pixels = to_bytes(picture[0] if len(picture) == 1 else picture)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _chart(curves: Sequence[Curve], label: str) -> str:
    return line_chart(curves, "training step", label)


def _memory(work: Work) -> str:
    seconds = [step.seconds or 0.0 for step in work.steps]
    return memory_chart(work.buffers, seconds, work.peak_bytes)


def _flat(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """All values that are not None, with nested mappings flattened."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        elif value is not None:
            yield key, str(value)
