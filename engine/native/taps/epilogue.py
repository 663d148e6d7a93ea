"""What follows a sum of taps: elementwise operators, and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.native.code.elements import Elements
from engine.native.code.expression import statements
from engine.native.code.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.code.text import Text
from engine.native.taps.tapsum import TapSum


def declare(text: Text, tapsum: TapSum) -> None:
    """Write the struct of pointers to the result and to what is read alongside it."""
    kind, s = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype]
    with text.block("typedef struct", " Sides@;"):
        text(f"{kind} *y;", *(f"const {kind} *x{i};" for i in tapsum.anchor.sides))
        if tapsum.interleaved:
            text(
                *(
                    f"v{s} row{i}; /* of channels, in the order of the lanes */"
                    for i in tapsum.anchor.sides
                )
            )
    text("")


def fill(text: Text, tapsum: TapSum, operands: Operands) -> None:
    """Declare such a struct, ``sides``, and fill it."""
    kind = TYPES[tapsum.dtype]
    values = [f"({kind} *)({operands.out.address})"]
    values += [f"(const {kind} *)({operands.inputs[i].address})" for i in tapsum.anchor.sides]
    text(f"Sides@ sides = {{{', '.join(values)}}};")
    if tapsum.interleaved:
        m = tapsum.taps.results
        for i in tapsum.anchor.sides:
            if stride := _channel_stride(tapsum, operands.inputs[i]):
                count = m * len(tapsum.taps.classes)
                write = f"sides.row{i}[l] = sides.x{i}[l % {m} * {stride}];"
                text(f"for (int l = 0; l < {count}; l++) {write}")


def write_store(text: Text, tapsum: TapSum, inputs: Sequence[Operand]) -> None:
    """Write the function that applies what follows to a vector of sums, and stores the result.

    In it, ``at`` is the offset of the first element in the result, ``channel`` its channel.
    """
    s, count, lanes = SUFFIX[tapsum.dtype], tapsum.taps.out_channels, tapsum.lanes
    with text.block(
        f"static inline void store@(const Sides@ *sides, v{s} sum, long at, long channel)"
    ):
        if tapsum.interleaved:
            _store_interleaved(text, tapsum, inputs)
        elif count % lanes == 0:
            _store(text, tapsum, inputs, None)
        else:
            with text.block(f"if (channel + {lanes} <= {count})"):
                _store(text, tapsum, inputs, None)
            with text.block("else"):
                _store(text, tapsum, inputs, count % lanes)
    text("")


def _store(text: Text, tapsum: TapSum, inputs: Sequence[Operand], lanes: int | None) -> None:
    """Write the store of a vector of channels of one pixel, or of its first ``lanes``."""
    dtype, names = tapsum.dtype, {tapsum.anchor.number: "sum"}
    for i in tapsum.anchor.sides:
        stride = _channel_stride(tapsum, inputs[i])
        side = Elements(f"sides->x{i} + channel * {stride}", stride, dtype)
        if _lies_like_result(tapsum, inputs[i]):
            side = Elements(f"sides->x{i} + at", 1, dtype)
        names[i] = f"x{i}"
        text(f"const v{SUFFIX[dtype]} x{i} = {side.load(dtype, lanes)};")
    result = _after(text, tapsum, names)
    text(Elements("sides->y + at", 1, dtype).store(result, dtype, lanes))


def _store_interleaved(text: Text, tapsum: TapSum, inputs: Sequence[Operand]) -> None:
    """Write the store of all classes of one position, row by row: a row's pixels are contiguous."""
    s, m = SUFFIX[tapsum.dtype], tapsum.taps.results
    rows, columns = tapsum.taps.out_step
    line, length = tapsum.taps.out[1] * m, columns * m
    names = {tapsum.anchor.number: "sum"}
    for i in tapsum.anchor.sides:
        names[i] = f"x{i}"
        if _lies_like_result(tapsum, inputs[i]):
            text(f"v{s} x{i} = {{}};")
            for a in range(rows):
                read = f"x{i}[{a * length} + l] = sides->x{i}[at + {a * line} + l];"
                text(f"for (int l = 0; l < {length}; l++) {read}")
        elif _channel_stride(tapsum, inputs[i]):
            text(f"const v{s} x{i} = sides->row{i};")
        else:
            text(f"const v{s} x{i} = splat_{s}(*sides->x{i});")
    text(f"const v{s} result = {_after(text, tapsum, names)};")
    for a in range(rows):
        kind = TYPES[tapsum.dtype]
        to, row = f"sides->y + at + {a * line}", f"(const {kind} *)&result + {a * length}"
        text(f"memcpy({to}, {row}, {length} * sizeof({kind}));")


def _lies_like_result(tapsum: TapSum, side: Operand) -> bool:
    return side.dense and side.shape == tapsum.node.sizes


def _channel_stride(tapsum: TapSum, side: Operand) -> int:
    """Elements from one channel to the next; 0 for a number."""
    return side.broadcast_strides(tapsum.node.sizes)[1]


def _after(text: Text, tapsum: TapSum, names: Mapping[int, str]) -> str:
    """Write the elementwise operators after the sums; return the name of the result."""
    values = [names.get(i, "") for i in range(tapsum.anchor.number + 1)]
    lines, result = statements(tapsum.anchor.after, values, tapsum.dtype)
    text(*lines)
    return result if tapsum.anchor.after else "sum"
