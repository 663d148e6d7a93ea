"""The weight of a sum of taps as it is read: a row of whole vectors for each tap and term."""

from __future__ import annotations

from engine.native.loops import shares
from engine.native.operand import Operand
from engine.native.taps.tapsum import TapSum
from engine.native.text import Text, table


def pack(text: Text, tapsum: TapSum, weight: Operand) -> None:
    """Write what copies the weight to ``packed``, each thread its share of the rows."""
    text(weight.pointer("w"))
    if tapsum.woven:
        _pack_woven(text, tapsum)
    else:
        _pack_rows(text, tapsum)


def _pack_rows(text: Text, tapsum: TapSum) -> None:
    taps, terms, padded = tapsum.taps, tapsum.taps.terms, tapsum.vectors * tapsum.lanes
    text(table("taps", [tap.weight for c in tapsum.positions for tap in c.taps]))
    with text.block(_rows_loop(tapsum)):
        text(f"const long at = taps[r / {terms}] + r % {terms} * {taps.term_stride};")
        with text.block(f"for (long m = 0; m < {padded}; m++)"):
            inside = f"w[at + m * {taps.result_stride}]"
            if padded != taps.results:
                inside = f"m < {taps.results} ? {inside} : 0"
            text(f"packed[r * {padded} + m] = {inside};")


def _pack_woven(text: Text, tapsum: TapSum) -> None:
    """Each class's weights in its own lanes; zero where it does not read a place."""
    taps, terms, results = tapsum.taps, tapsum.taps.terms, tapsum.taps.results
    (woven,), lanes = tapsum.positions, tapsum.lanes
    own = [{(t.dy, t.dx): t.weight for t in c.taps} for c in taps.classes]
    text(table("taps", [o.get((tap.dy, tap.dx), -1) for tap in woven.taps for o in own]))
    with text.block(_rows_loop(tapsum)), text.block(f"for (long m = 0; m < {lanes}; m++)"):
        text(
            f"const long class = m / {results};",
            f"const long tap = r / {terms} * {len(own)} + class;",
            f"const long at = class < {len(own)} ? taps[tap] : -1;",
        )
        inside = f"w[at + r % {terms} * {taps.term_stride} + m % {results} * {taps.result_stride}]"
        text(f"packed[r * {lanes} + m] = at < 0 ? 0 : {inside};")


def _rows_loop(tapsum: TapSum) -> str:
    first, last = shares(sum(len(c.taps) for c in tapsum.positions) * tapsum.taps.terms)
    return f"for (long r = {first}; r < {last}; r++)"
