"""Sums of taps with few results, as dot products: vectors run over the terms.

Where a pixel has fewer results than a vector has lanes, products of whole vectors of terms waste no
lanes; the cost is adding up the lanes at the end.
"""

from __future__ import annotations

from engine.native.code.loops import shares
from engine.native.code.operand import SUFFIX, TYPES, Operand
from engine.native.code.text import Text, table
from engine.native.taps.tapsum import TapSum


def pack(text: Text, tapsum: TapSum, weight: Operand) -> None:
    """Write code that copies the weight to ``packed``, by place, then vector of terms, then sum."""
    taps, lanes = tapsum.taps, tapsum.lanes
    source, to, steps, at = list[int](), list[int](), list[int](), 0
    for number in range(len(tapsum.positions)):
        for uses in _uses(tapsum, number).values():
            source += [place for _, place in uses]
            to += [at + i * lanes for i in range(len(uses))]
            steps += [len(uses) * lanes] * len(uses)
            at += len(uses) * taps.terms
    text(weight.pointer("w"), table("source", source), table("to", to), table("step", steps))
    first, last = shares(len(source))
    s, stride = SUFFIX[tapsum.dtype], taps.term_stride
    with (
        text.block(f"for (long r = {first}; r < {last}; r++)"),
        text.block(f"for (long k = 0; k < {taps.terms}; k += {lanes})"),
    ):
        place = f"w + source[r] + k * {stride}"
        load = (
            f"load_{s}({place})" if stride == 1 else f"load_strided_{s}({place}, {stride}, {lanes})"
        )
        text(f"store_{s}(packed + to[r] + k / {lanes} * step[r], {load});")


def write_tile(text: Text, tapsum: TapSum, number: int, pixels: int) -> None:
    """Write the function that sums for some neighbouring pixels of a class."""
    kind, s, lanes, taps = TYPES[tapsum.dtype], SUFFIX[tapsum.dtype], tapsum.lanes, tapsum.taps
    with text.block(
        f"NOINLINE void dots@_{number}x{pixels}(const Sides@ *sides, const {kind} *in, "
        f"const {kind} *w, long to, long channel)"
    ):
        text(*(f"v{s} sums{p}[{tapsum.dots}] = {{}};" for p in range(pixels)))
        for at, uses in _uses(tapsum, number).items():
            step = f"k += {lanes}, w += {len(uses) * lanes}"
            with text.block(f"for (long k = 0; k < {taps.terms}; {step})"):
                for p in range(pixels):
                    text(f"v{s} x{p} = load_{s}(in + k + {at + p * taps.in_pixel});")
                    text(f"HOLD(x{p});")
                for u, (sum_number, _) in enumerate(uses):
                    text(f"v{s} w{u} = load_{s}(w + {u * lanes});", f"HOLD(w{u});")
                    text(*(f"sums{p}[{sum_number}] += x{p} * w{u};" for p in range(pixels)))
        for p in range(pixels):
            totals = f"totals_{s}(sums{p}, {tapsum.dots})"
            text(f"store@(sides, {totals}, to + {p * taps.out_pixel}, channel);")
    text("")


def _uses(tapsum: TapSum, number: int) -> dict[int, list[tuple[int, int]]]:
    """For each place read in a window: the sums it goes into, and the offsets of their weights."""
    taps = tapsum.taps
    uses: dict[int, list[tuple[int, int]]] = {}
    for i, one in enumerate(tapsum.classes_at_once(number)):
        for tap in one.taps:
            sums = uses.setdefault(tapsum.canvas.at(tap), [])
            for m in range(taps.results):
                sums.append((i * taps.results + m, tap.weight + m * taps.result_stride))
    return dict(sorted(uses.items()))
