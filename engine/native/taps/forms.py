"""Convolutions, their gradients and their phases in the form of sums of taps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from engine.native.code.operand import Operand
from engine.native.taps.geometry import PositionClass, Tap, Taps
from ops.fused import Computation
from ops.phases import PHASES
from ops.windows import Pair


def convolution(step: Computation, x: Sequence[int], w: Operand) -> Taps:
    """A ``conv2d`` of images x."""
    (sh, sw), (ph, pw), (dh, dw) = _window(step)
    groups, (_, results, rows, columns) = step.attributes["groups"], step.spec.sizes
    taps = tuple(Tap(r * dh - ph, c * dw - pw, _at(w, r, c)) for r, c in _taps(w))
    return Taps(
        out_step=(1, 1),
        in_step=(sh, sw),
        classes=(PositionClass((0, 0), rows, columns, taps),),
        image=(x[2], x[3]),
        out=(rows, columns),
        terms=x[1] // groups,
        results=results // groups,
        term_stride=w.strides[1],
        result_stride=w.strides[0],
        groups=groups,
        group_stride=results // groups * w.strides[0],
    )


def phase_convolution(step: Computation, x: Sequence[int], w: Operand) -> Taps:
    """A ``conv2d`` of stride 1, and ``interleave_phases``: a class for each phase."""
    _, (ph, pw), (dh, dw) = _window(step)
    _, channels, rows, columns = step.spec.sizes
    results, rows, columns = channels // 4, rows - 1, columns - 1
    classes = []
    for q, (i, j) in enumerate(PHASES):
        phase = q * results * w.strides[0]
        taps = (Tap(i + r * dh - ph, j + c * dw - pw, phase + _at(w, r, c)) for r, c in _taps(w))
        classes.append(PositionClass((i, j), rows, columns, tuple(taps)))
    return _doubled(classes, x, results, w)


def upsampled_convolution(x: Sequence[int], w: Operand) -> Taps:
    """A 3x3 ``conv2d``, with padding 1, of images x upsampled twofold.

    Several taps of a class read the same pixel of x.
    """
    classes = []
    for i, j in PHASES:
        taps = (Tap((i + r - 1) // 2, (j + c - 1) // 2, _at(w, r, c)) for r, c in _taps(w))
        classes.append(PositionClass((i, j), x[2], x[3], tuple(taps)))
    return _doubled(classes, x, w.shape[0], w)


def input_gradient(step: Computation, g: Sequence[int], w: Operand) -> Taps:
    """A ``conv2d_input_gradient`` of g: a class for each position within a stride."""
    (sh, sw), (ph, pw), (dh, dw) = _window(step)
    groups, (_, results, height, width) = step.attributes["groups"], step.spec.sizes
    classes = []
    for i, j in product(range(min(sh, height)), range(min(sw, width))):
        reads = ((i + ph - r * dh, j + pw - c * dw, _at(w, r, c)) for r, c in _taps(w))
        taps = tuple(Tap(dy // sh, dx // sw, at) for dy, dx, at in reads if dy % sh == 0 == dx % sw)
        classes.append(PositionClass((i, j), -(-(height - i) // sh), -(-(width - j) // sw), taps))
    return Taps(
        out_step=(sh, sw),
        in_step=(1, 1),
        classes=tuple(classes),
        image=(g[2], g[3]),
        out=(height, width),
        terms=g[1] // groups,
        results=results // groups,
        term_stride=w.strides[0],
        result_stride=w.strides[1],
        groups=groups,
        group_stride=g[1] // groups * w.strides[0],
    )


def phase_input_gradient(step: Computation, g: Sequence[int], w: Operand) -> Taps:
    """``separate_phases`` of g, and a ``conv2d_input_gradient`` of stride 1.

    g is the gradient of the interleaved image: twice as large, with a quarter of the channels.
    """
    _, (ph, pw), (dh, dw) = _window(step)
    _, results, height, width = step.spec.sizes
    taps = tuple(
        Tap(
            2 * (ph - r * dh) - i,
            2 * (pw - c * dw) - j,
            q * g[1] * w.strides[0] + _at(w, r, c),
        )
        for q, (i, j) in enumerate(PHASES)
        for r, c in _taps(w)
    )
    return Taps(
        out_step=(1, 1),
        in_step=(2, 2),
        classes=(PositionClass((0, 0), height, width, taps),),
        image=(g[2], g[3]),
        out=(height, width),
        terms=g[1],
        results=results,
        term_stride=w.strides[0],
        result_stride=w.strides[1],
    )


def _doubled(classes: Sequence[PositionClass], x: Sequence[int], results: int, w: Operand) -> Taps:
    """Phases that form an image twice as large as they are."""
    rows, columns = classes[0].rows, classes[0].columns
    return Taps(
        out_step=(2, 2),
        in_step=(1, 1),
        classes=tuple(classes),
        image=(x[2], x[3]),
        out=(2 * rows, 2 * columns),
        terms=x[1],
        results=results,
        term_stride=w.strides[1],
        result_stride=w.strides[0],
    )


def _window(step: Computation) -> tuple[Pair, Pair, Pair]:
    """Stride, padding and dilation."""
    return step.attributes["stride"], step.attributes["padding"], step.attributes["dilation"]


def _taps(w: Operand) -> list[Pair]:
    """Row and column of each tap in the weight."""
    return list(product(range(w.shape[2]), range(w.shape[3])))


def _at(w: Operand, row: int, column: int) -> int:
    """The offset of a tap in the weight."""
    return row * w.strides[2] + column * w.strides[3]
