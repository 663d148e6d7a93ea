"""Charts as SVG elements. The page styles them by their ``class``: see ``styles.css``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate

from engine.report import BufferReport
from graphs.noise2noise.report.axes import Axis, bytes_text, linear_axis, number_text, value_axis

WIDTH, HEIGHT = 520.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 72.0, 14.0, 14.0, 44.0
MOST_MARKS = 80


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: for the legend.
        points: (x, y), in the order of x.
    """

    name: str
    points: Sequence[tuple[float, float]]


def line_chart(curves: Sequence[Curve], x_label: str, y_label: str) -> str:
    """Curves on common axes; an empty string if there is nothing to draw."""
    curves = [curve for curve in curves if curve.points]
    if not curves:
        return ""
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    x_axis, y_axis = linear_axis(min(xs), max(xs)), value_axis(min(ys), max(ys))
    parts = [_frame(x_axis, y_axis, x_label, y_label)]
    for number, curve in enumerate(curves):
        places = [(_x(x_axis, x), _y(y_axis, y)) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line c{number}" points="{line}"/>')
        if len(places) <= MOST_MARKS:
            parts += [
                f'<circle class="mark c{number}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>'
                f"{escape(curve.name)}: {number_text(value)} at {number_text(at)}</title></circle>"
                for (x, y), (at, value) in zip(places, curve.points, strict=True)
            ]
    return _svg(parts, f"{y_label} over {x_label}")


def memory_chart(buffers: Sequence[BufferReport], seconds: Sequence[float], peak_bytes: int) -> str:
    """The memory of a program over a run: each buffer at its offset, while it is in use.

    Args:
        buffers: the buffers.
        seconds: of each step, in order; if none was timed, all are drawn equally long.
        peak_bytes: the program's peak memory.
    """
    timed = any(seconds)
    lengths = [1e3 * s for s in seconds] if timed else [1.0] * len(seconds)
    times = [0.0, *accumulate(lengths)]
    x_axis, y_axis = linear_axis(0, times[-1] or 1.0), linear_axis(0, max(peak_bytes, 1))
    label = "milliseconds" if timed else "step of the program"
    parts = [_frame(x_axis, y_axis, label, "place in memory", bytes_text)]
    parts += [
        _buffer(buffer, times, x_axis, y_axis)
        for buffer in sorted(buffers, key=lambda buffer: -buffer.nbytes)
    ]
    peak = _y(y_axis, peak_bytes)
    parts.append(
        f'<line class="peak" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{peak:.1f}" y2="{peak:.1f}"/>'
    )
    return _svg(parts, "memory over a run of the program")


def _buffer(buffer: BufferReport, times: Sequence[float], x_axis: Axis, y_axis: Axis) -> str:
    first, end = max(buffer.first, 0), min(buffer.last + 1, len(times) - 1)
    left, right = _x(x_axis, times[min(first, end)]), _x(x_axis, times[end])
    top, bottom = _y(y_axis, buffer.offset + buffer.nbytes), _y(y_axis, buffer.offset)
    hint = (
        f"{buffer.holds} ({buffer.phase}): {bytes_text(buffer.nbytes)}, "
        f"steps {first} to {buffer.last}"
    )
    return (
        f'<rect class="buffer {buffer.phase.split()[0]}" x="{left:.1f}" y="{top:.1f}" '
        f'width="{max(right - left, 0.5):.1f}" height="{max(bottom - top, 0.3):.1f}">'
        f"<title>{escape(hint)}</title></rect>"
    )


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _frame(
    x_axis: Axis,
    y_axis: Axis,
    x_label: str,
    y_label: str,
    y_text: Callable[[float], str] = number_text,
) -> str:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick in y_axis.ticks:
        y = _y(y_axis, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">'
            f"{y_text(tick)}</text>"
        )
    for tick in x_axis.ticks:
        x = _x(x_axis, tick)
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">'
            f"{number_text(tick)}</text>"
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text class="label" x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text class="label" transform="translate(12 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>'
    )
    return "".join(parts)


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM)
