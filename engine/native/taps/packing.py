"""Pack a sum of taps' weight as it is read: a row of whole vectors for each tap and term."""

from __future__ import annotations

from collections.abc import Callable

from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand
from engine.native.code.text import Text, table
from engine.native.taps.anchor import keeps
from engine.native.taps.tapsum import TapSum
from ops import Node


def before(text: Text, node: Node, packed: Operand, pack: Callable[[Text], None]) -> Text | None:
    """Write code that packs the weight before it is read, by ``pack``.

    If the weight is a constant, its code is to run only once, and is returned.
    """
    once = Text() if keeps(node) else None
    into = text if once is None else once
    into(packed.pointer("packed", writable=True))
    pack(into)
    text("barrier(team);" if once is None else packed.pointer("packed"))
    return once


def pack(text: Text, tapsum: TapSum, weight: Operand) -> None:
    """Write code that copies the weight to ``packed``; the threads share the terms."""
    taps = tapsum.taps
    text(weight.pointer("w"))
    share_terms(text, taps.terms, tapsum.lanes)
    every = [tap.weight for c in tapsum.positions for tap in c.taps]
    places = [q * taps.group_stride + at for q in range(taps.groups) for at in every]
    with text.block(f"for (int t = 0; t < {len(places)} && begin < end; t++)"):
        row = tapsum.vectors * tapsum.lanes
        text(
            f"{TYPES[tapsum.dtype]} *rows = packed + (t * {taps.terms} + begin) * {row};",
            "const long terms = end - begin;",
        )
        if tapsum.interleaved:
            _pack_interleaved(text, tapsum)
        else:
            text(table("taps", places))
            pack_matrix(text, tapsum, "taps[t]", "rows", taps.results != row)


def share_terms(text: Text, terms: int, lanes: int) -> None:
    """Declare this thread's share of the terms, from ``begin`` to ``end`` (excluded)."""
    # Shares are whole vectors of terms, since the transposition goes vector by vector.
    first, last = (f"{share} * {lanes}" for share in shares(-(-terms // lanes)))
    text(f"const long begin = {first}, end = least({last}, {terms});")


def _pack_interleaved(text: Text, tapsum: TapSum) -> None:
    """Write each class's weights into its own lanes; zero where it does not read a place."""
    (interleaved,), classes = tapsum.positions, tapsum.taps.classes
    own = [{(t.dy, t.dx): t.weight for t in c.taps} for c in classes]
    text(table("taps", [o.get((tap.dy, tap.dx), -1) for tap in interleaved.taps for o in own]))
    text(f"memset(rows, 0, terms * {tapsum.lanes} * sizeof *rows);")
    with text.block(f"for (int c = 0; c < {len(classes)}; c++)"):
        at = f"taps[t * {len(classes)} + c]"
        with text.block(f"if ({at} >= 0)"):
            pack_matrix(text, tapsum, at, f"rows + c * {tapsum.taps.results}", False)


def pack_matrix(text: Text, tapsum: TapSum, at: str, rows: str, padded: bool) -> None:
    """Copy a thread's terms of one tap, at an offset in the weight. ``padded``: zero-fill rows."""
    taps, row, s = tapsum.taps, tapsum.vectors * tapsum.lanes, SUFFIX[tapsum.dtype]
    text(f"const {TYPES[tapsum.dtype]} *from = w + {at} + begin * {taps.term_stride};")
    if taps.term_stride == 1:
        text(f"transpose_{s}(from, {taps.result_stride}, {rows}, {row}, {taps.results}, terms);")
    elif taps.result_stride == 1:
        with text.block("for (long k = 0; k < terms; k++)"):
            places = f"{rows} + k * {row}, from + k * {taps.term_stride}"
            text(f"memcpy({places}, {taps.results} * sizeof *rows);")
    else:
        with (
            text.block("for (long k = 0; k < terms; k++)"),
            text.block(f"for (long m = 0; m < {taps.results}; m++)"),
        ):
            read = f"from[k * {taps.term_stride} + m * {taps.result_stride}]"
            text(f"({rows})[k * {row} + m] = {read};")
    if padded:
        with text.block("for (long k = 0; k < terms; k++)"):
            rest = f"{rows} + k * {row} + {taps.results}"
            text(f"memset({rest}, 0, {row - taps.results} * sizeof *rows);")
