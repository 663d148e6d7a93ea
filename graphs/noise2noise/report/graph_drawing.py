"""A graph drawn as SVG: boxes in layers from top to bottom, inputs above, outputs below.

The drawing works as a standalone file; in a page, CSS can style it by the ``class`` attributes.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise

from engine import Graph
from graphs.noise2noise.report.boxes import Box, boxes_of
from graphs.noise2noise.report.layers import lay_out

CHARACTER, PADDING, LINE, SPACE, MARGIN = 7.2, 14, 16, 30, 8
"""Widths and heights in pixels, for a 12-pixel font with all characters 0.6 em wide."""

FILLS = {"input": "#ffffff", "output": "#ffffff", "weights": "#e1edf8", "plain": "#f2f4f6"}
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="arrow" fill="#74808a" d="M0 0.5L7.5 4L0 7.5z"/></marker></defs>'
)


def draw_graph(graph: Graph) -> str:
    """Draw a graph as an SVG element.

    Args:
        graph: as built or bound; nodes that depend on no input, such as parameters, are not drawn
            on their own.
    """
    boxes = boxes_of(graph)
    layout = lay_out(boxes, {box: _width(box) for box in boxes})
    heights = [max(map(_height, layer), default=LINE) for layer in layout.layers]
    tops = [float(MARGIN)]
    for height in heights:
        tops.append(tops[-1] + height + SPACE)
    layer_of = {box: i for i, layer in enumerate(layout.layers) for box in layer}
    parts = []
    for (source, target), route in layout.routes.items():
        first, last = layer_of[source], layer_of[target]
        points = [(MARGIN + route[0], tops[first] + _height(source))]
        if last - first > 1:
            # Straight through the layers between, where the route hardly deviates from a line.
            points += [
                (MARGIN + route[1], tops[first + 1]),
                (MARGIN + route[-2], tops[last - 1] + heights[last - 1]),
            ]
        points.append((MARGIN + route[-1], tops[last]))
        parts.append(_edge(points))
    parts += [_box(box, MARGIN + layout.centres[box], tops[layer_of[box]]) for box in boxes]
    width, height = layout.width + 2 * MARGIN, tops[-1] - SPACE + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" font-family="monospace" '
        f'font-size="12" text-anchor="middle" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="the graph">{ARROW}{"".join(parts)}</svg>'
    )


def _width(box: Box) -> float:
    longest = max(map(len, (box.title, *box.lines, box.shape)))
    return longest * CHARACTER + 2 * PADDING


def _height(box: Box) -> float:
    return (2 + len(box.lines)) * LINE + PADDING


def _box(box: Box, centre: float, top: float) -> str:
    width, height = _width(box), _height(box)
    texts = [("title", box.title), *(("", line) for line in box.lines), ("shape", box.shape)]
    lines = "".join(
        f'<text class="{name}" x="{centre:.1f}" y="{top + PADDING / 2 + LINE * (i + 0.75):.1f}">'
        f"{escape(text)}</text>"
        for i, (name, text) in enumerate(texts)
    )
    return (
        f'<g class="box {box.kind}"><title>{escape(box.hint)}</title>'
        f'<rect x="{centre - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="6" fill="{FILLS[box.kind]}" stroke="#9aa5ae"/>{lines}</g>'
    )


def _edge(points: list[tuple[float, float]]) -> str:
    """A curve that is vertical at both ends."""
    path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i, ((x, y), (to_x, to_y)) in enumerate(pairwise(points)):
        if abs(to_x - x) < 1 or i % 2:
            path.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            middle = (y + to_y) / 2
            path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
    looks = 'fill="none" stroke="#74808a" stroke-width="1.4" marker-end="url(#arrow)"'
    return f'<path class="edge" d="{" ".join(path)}" {looks}/>'
