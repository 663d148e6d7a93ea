"""The part of a picture that a pixel of the result depends on, derived from the graph.

Along each axis, element ``i`` of a node depends on input pixels ``i * step + first`` to
``i * step + last``. The rules compose: a window of k taps, stride t, padding p and dilation d
reads ``i * t - p + m * d`` for m from 0 to k - 1; nearest upsampling by f reads ``floor(i / f)``.
Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from engine import Graph
from ops import GraphError, Node

_OF_ONE = "relu leaky_relu sigmoid tanh softplus neg pow exp log sqrt square sign abs copy"
_OF_TWO = "add sub mul div maximum minimum"
_OF_CHOICE = "where equal not_equal less less_equal greater greater_equal"
POINTWISE = frozenset(f"{_OF_ONE} {_OF_TWO} {_OF_CHOICE}".split())
"""Elementwise operators: each element depends only on those at the same position."""


@dataclass(frozen=True)
class Reach:
    """How far a pixel of the result sees along one axis, and on what grid.

    Attributes:
        before, after: how many pixels before and after its own can change it.
        multiple: shifting the input by this many pixels just shifts the result; sides must be
            divisible by it.
    """

    before: int
    after: int
    multiple: int


@dataclass(frozen=True)
class ReceptiveField:
    """The reach from row to row, and from column to column."""

    rows: Reach
    columns: Reach


@dataclass(frozen=True)
class _Span:
    """Element i depends on input pixels ``i * step + first`` to ``i * step + last``."""

    step: Fraction
    first: Fraction
    last: Fraction

    def window(self, size: int, stride: int, padding: int, dilation: int) -> _Span:
        start = self.first - padding * self.step
        end = self.last + ((size - 1) * dilation - padding) * self.step
        return _Span(self.step * stride, start, end).with_itself()

    def upsampled(self, factor: int) -> _Span:
        step = self.step / factor
        return _Span(step, self.first - (factor - 1) * step, self.last).with_itself()

    def shifted(self, places: int) -> _Span:
        shift = places * self.step
        return _Span(self.step, self.first + shift, self.last + shift)

    def joined(self, other: _Span) -> _Span:
        return _Span(self.step, min(self.first, other.first), max(self.last, other.last))

    def with_itself(self) -> _Span:
        """Extended to the pixels it covers itself: at an edge, only zero padding lies beyond."""
        return _Span(
            self.step, min(self.first, Fraction(0)), max(self.last, self.step - 1, Fraction(0))
        )


_SELF = _Span(Fraction(1), Fraction(0), Fraction(0))


def receptive_field(graph: Graph, output: str) -> ReceptiveField:
    """The receptive field of an output on the graph's image inputs.

    Args:
        graph: of convolutions, poolings, nearest upsampling, padding, concatenation and slices of
            channels, and elementwise operators.
        output: the name of images [N, C, H, W] with the input's height and width.

    Raises:
        GraphError: an operator mixes pixels in some other way, or the output has another size or
            does not exist.
    """
    if output not in graph.outputs:
        raise GraphError(f"the graph has no output {output!r}")
    rows, columns = (_reach(graph, output, axis) for axis in (0, 1))
    return ReceptiveField(rows, columns)


def _reach(graph: Graph, output: str, axis: int) -> Reach:
    spans: dict[Node, _Span] = {}
    for node in graph.nodes:
        if span := _span(node, [spans[x] for x in node.inputs if x in spans], axis):
            spans[node] = span
    last = spans.get(graph.outputs[output])
    if last is None or last.step != 1:
        raise GraphError(f"the output {output!r} is not of its input's height and width")
    multiple = math.lcm(*(span.step.numerator for span in spans.values()))
    return Reach(math.ceil(-last.first), math.ceil(last.last), multiple)


def _span(node: Node, inputs: list[_Span], axis: int) -> _Span | None:
    """A node's span; None if the node depends on no image."""
    name, attributes = node.operator.name, node.attributes
    if name == "input":
        return _SELF if node.ndim == 4 else None
    if not inputs:
        return None
    if name == "conv2d":
        return _windowed(node, inputs[0], axis, node.inputs[1].sizes[2 + axis])
    if name in ("max_pool2d", "sum_pool2d"):
        return _windowed(node, inputs[0], axis, attributes["kernel_size"][axis])
    if name == "upsample_nearest":
        return inputs[0].upsampled(attributes["scale_factor"][axis])
    if name == "downsample_sum":
        factor = attributes["scale_factor"][axis]
        return inputs[0].window(factor, factor, 0, 1)
    if name == "pad":
        return inputs[0].shifted(-(*attributes["padding"], 0, 0, 0, 0)[2 - 2 * axis])
    by_channel = name in ("concat", "slice") and attributes["dim"] == 1
    if (by_channel or name in POINTWISE) and len({span.step for span in inputs}) == 1:
        return reduce(_Span.joined, inputs)
    raise GraphError(f"what part of a picture {name} at {node.provenance} depends on is not known")


def _windowed(node: Node, span: _Span, axis: int, size: int) -> _Span:
    stride, padding, dilation = (
        node.attributes[name][axis] for name in ("stride", "padding", "dilation")
    )
    return span.window(size, stride, padding, dilation)
