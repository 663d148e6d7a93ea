"""A common form of convolutions, their gradients and their phases: sums of taps.

All of them are, for the output positions ``(i*S + a, j*S + b)`` of each class ``(a, b)``,

    y[i*S + a, j*S + b] = sum over the taps t of the class:  x[i*s + dy_t, j*s + dx_t] W_t

with x zero outside of its image. A convolution has one class, S = 1, and its stride as s. Its input
gradient has its stride as S, s = 1, and a class for each position within a stride. The convolution
of an upsampled image has S = 2 and a class for each phase; the input gradient of that has one class
and s = 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from engine.native.code.operand import Operand
from ops.fused import Computation
from ops.phases import PHASES

Pair = tuple[int, int]

WHOLE = 16
"""Lanes of the widest vector."""


@dataclass(frozen=True, order=True)
class Tap:
    """One matrix W_t: where it reads x, and the offset of its first element in the weight."""

    dy: int
    dx: int
    weight: int


@dataclass(frozen=True)
class PositionClass:
    """Output positions that share their taps: offset (a, b), and number of rows and columns."""

    offset: Pair
    rows: int
    columns: int
    taps: tuple[Tap, ...]


@dataclass(frozen=True)
class Taps:
    """A sum of taps.

    Attributes:
        out_step: S, vertical and horizontal.
        in_step: s, vertical and horizontal.
        classes: the classes of output positions.
        image, out: rows and columns of x and of y.
        terms, results: channels of x and of y, the rows and columns of W_t.
        term_stride, result_stride: strides of the weight, in elements.
    """

    out_step: Pair
    in_step: Pair
    classes: tuple[PositionClass, ...]
    image: Pair
    out: Pair
    terms: int
    results: int
    term_stride: int
    result_stride: int

    @property
    def low(self) -> Pair:
        """The smallest dy and dx of all taps."""
        taps = [tap for c in self.classes for tap in c.taps]
        return min((t.dy for t in taps), default=0), min((t.dx for t in taps), default=0)

    @property
    def high(self) -> Pair:
        """The largest dy and dx of all taps."""
        taps = [tap for c in self.classes for tap in c.taps]
        return max((t.dy for t in taps), default=0), max((t.dx for t in taps), default=0)

    @property
    def in_pixel(self) -> int:
        """Elements of x from one position of a row to the next."""
        return self.in_step[1] * self.terms

    @property
    def out_pixel(self) -> int:
        """The same for y."""
        return self.out_step[1] * self.results

    @property
    def out_row(self) -> int:
        """Elements of a row of y."""
        return self.out[1] * self.results

    @property
    def out_image(self) -> int:
        """Elements of an image of y."""
        return self.out[0] * self.out_row

    @property
    def in_whole_vectors(self) -> bool:
        """Whether channels come in multiples of the lanes of the widest vector."""
        return self.terms % WHOLE == 0 == self.results % WHOLE

    @property
    def grid(self) -> Pair:
        """Rows and columns of positions of the largest class."""
        return max(c.rows for c in self.classes), max(c.columns for c in self.classes)


def convolution(step: Computation, x: Sequence[int], w: Operand, phases: bool) -> Taps:
    """The taps of a ``conv2d`` of images x, perhaps followed by ``interleave_phases``."""
    a = step.attributes
    (sh, sw), (ph, pw), (dh, dw) = a["stride"], a["padding"], a["dilation"]
    _, m, rows, columns = step.spec.sizes
    if phases:
        assert (sh, sw) == (1, 1)
        m, rows, columns = m // 4, rows - 1, columns - 1
    classes = []
    for q, (i, j) in enumerate(PHASES if phases else ((0, 0),)):
        taps = tuple(
            Tap(
                i + r * dh - ph,
                j + c * dw - pw,
                q * m * w.strides[0] + r * w.strides[2] + c * w.strides[3],
            )
            for r, c in product(range(w.shape[2]), range(w.shape[3]))
        )
        classes.append(PositionClass((i, j), rows, columns, taps))
    step_out = (2, 2) if phases else (1, 1)
    return Taps(
        out_step=step_out,
        in_step=(sh, sw),
        classes=tuple(classes),
        image=(x[2], x[3]),
        out=(rows * step_out[0], columns * step_out[1]),
        terms=x[1],
        results=m,
        term_stride=w.strides[1],
        result_stride=w.strides[0],
    )


def upsampled_convolution(x: Sequence[int], w: Operand) -> Taps:
    """The taps of a 3x3 ``conv2d``, with padding 1, of images x upsampled twofold.

    Several taps of a class read the same pixel of x.
    """
    _, terms, rows, columns = x
    window = list(product(range(3), range(3)))
    classes = (
        PositionClass(
            (i, j),
            rows,
            columns,
            tuple(
                Tap((i + r - 1) // 2, (j + c - 1) // 2, r * w.strides[2] + c * w.strides[3])
                for r, c in window
            ),
        )
        for i, j in PHASES
    )
    return Taps(
        out_step=(2, 2),
        in_step=(1, 1),
        classes=tuple(classes),
        image=(rows, columns),
        out=(2 * rows, 2 * columns),
        terms=terms,
        results=w.shape[0],
        term_stride=w.strides[1],
        result_stride=w.strides[0],
    )


def input_gradient(step: Computation, g: Sequence[int], w: Operand, phases: bool) -> Taps:
    """The taps of a ``conv2d_input_gradient`` of g, perhaps after ``separate_phases``.

    With phases, g is the gradient of the interleaved image: twice as large, with a quarter of the
    channels.
    """
    a = step.attributes
    (sh, sw), (ph, pw), (dh, dw) = a["stride"], a["padding"], a["dilation"]
    _, m, height, width = step.spec.sizes
    window = list(product(range(w.shape[2]), range(w.shape[3])))
    if phases:
        assert (sh, sw) == (1, 1)
        taps = tuple(
            Tap(
                2 * (ph - r * dh) - i,
                2 * (pw - c * dw) - j,
                q * g[1] * w.strides[0] + r * w.strides[2] + c * w.strides[3],
            )
            for q, (i, j) in enumerate(PHASES)
            for r, c in window
        )
        classes = [PositionClass((0, 0), height, width, taps)]
    else:
        classes = [
            PositionClass(
                (i, j),
                -(-(height - i) // sh),
                -(-(width - j) // sw),
                tuple(
                    Tap(
                        (i + ph - r * dh) // sh,
                        (j + pw - c * dw) // sw,
                        r * w.strides[2] + c * w.strides[3],
                    )
                    for r, c in window
                    if (i + ph - r * dh) % sh == 0 and (j + pw - c * dw) % sw == 0
                ),
            )
            for i, j in product(range(min(sh, height)), range(min(sw, width)))
        ]
    return Taps(
        out_step=(sh, sw),
        in_step=(2, 2) if phases else (1, 1),
        classes=tuple(classes),
        image=(g[2], g[3]),
        out=(height, width),
        terms=g[1],
        results=m,
        term_stride=w.strides[0],
        result_stride=w.strides[1],
    )
