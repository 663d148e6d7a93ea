"""Loop nests over the elements of a value, in memory order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from engine.native.code.operand import Operand
from engine.native.code.text import Text


@dataclass(frozen=True)
class Nest:
    """Nested loops, from the outermost to the innermost.

    Attributes:
        sizes: of each loop; at least one.
        strides: for each operand, its step in elements along each loop.
    """

    sizes: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    @staticmethod
    def over(shape: Sequence[int], strides: Sequence[Sequence[int]]) -> Nest:
        """The fewest loops over a shape: axes that every operand traverses as one are merged.

        Args:
            shape: sizes of the axes.
            strides: of each operand along the axes; the first operand's decide the loop order.
        """
        order = sorted(range(len(shape)), key=lambda axis: (-strides[0][axis], axis))
        axes = [(shape[a], [s[a] for s in strides]) for a in order if shape[a] != 1]
        merged: list[tuple[int, list[int]]] = []
        for size, steps in axes:
            if merged and all(
                outer == size * inner for outer, inner in zip(merged[-1][1], steps, strict=True)
            ):
                merged[-1] = (merged[-1][0] * size, steps)
            else:
                merged.append((size, steps))
        merged = merged or [(1, [1] + [0] * (len(strides) - 1))]
        sizes = tuple(size for size, _ in merged)
        return Nest(sizes, tuple(zip(*(steps for _, steps in merged), strict=True)))

    @staticmethod
    def of(shape: Sequence[int], operands: Sequence[Operand]) -> Nest:
        """Loops over a shape to which all operands broadcast."""
        return Nest.over(shape, [operand.broadcast_strides(shape) for operand in operands])

    @property
    def inner(self) -> int:
        """Size of the innermost loop."""
        return self.sizes[-1]

    def offset(self, operand: int) -> str:
        """An operand's offset without that of the innermost loop, as a C expression."""
        return offset(self.strides[operand][:-1])

    @contextmanager
    def outer(self, text: Text) -> Iterator[None]:
        """Write all loops but the innermost around what is written inside.

        The threads share the largest of these loops.
        """
        sizes = self.sizes[:-1]
        shared = max(range(len(sizes)), key=sizes.__getitem__, default=None)
        with ExitStack() as stack:
            for axis, size in enumerate(sizes):
                first, last = shares(size) if axis == shared else ("0", str(size))
                head = f"for (long i{axis} = {first}; i{axis} < {last}; i{axis}++)"
                stack.enter_context(text.block(head))
            yield

    def vectors(self, text: Text, lanes: int) -> Iterator[int | None]:
        """Write the innermost loop; yield, for the code to be written inside, its element count.

        The count is None for a whole vector. The threads share the loop if there is no other.
        """
        alone, (whole, rest) = len(self.sizes) == 1, divmod(self.inner, lanes)
        first, last = shares(whole) if alone else ("0", str(whole))
        if whole:
            with text.block(f"for (long k = {first}; k < {last}; k++)"):
                text(f"const long j = k * {lanes};")
                yield None
        if rest:
            with text.block("if (me == team->threads - 1)" if alone else ""):
                text(f"const long j = {whole * lanes};")
                yield rest


ADDITIONS = 256
"""Additions to a sum before it is added to another, so that rounding errors grow only slowly."""


@contextmanager
def added_up(text: Text, kind: str, into: str, index: str, size: int) -> Iterator[str]:
    """Write a loop over terms; yield the sum to add them to, of type ``kind``.

    After some terms this sum is added to ``into``, and another is begun.
    """
    with text.block(f"for (long {index} = 0; {index} < {size};)"):
        end = f"least({index} + {ADDITIONS}, {size})"
        text(f"const long end_{index} = {end};", f"{kind} sum_{index} = {{}};")
        with text.block(f"for (; {index} < end_{index}; {index}++)"):
            yield f"sum_{index}"
        text(f"{into} += sum_{index};")


def shares(size: int) -> tuple[str, str]:
    """This thread's share of ``size`` things: first and last (excluded), as C expressions."""
    return f"share(team, {size}, me)", f"share(team, {size}, me + 1)"


def offset(steps: Sequence[int]) -> str:
    """The sum of the loop indices, each times its step, as a C expression."""
    return " + ".join(f"i{axis} * {step}" for axis, step in enumerate(steps) if step) or "0"
