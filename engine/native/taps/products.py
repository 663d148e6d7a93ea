"""One weight gradient to be written in C: which elements of x and g are multiplied for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from engine.native.code.blocking import Block, best_block
from engine.native.code.operand import Operand
from engine.native.taps.canvas import Canvas
from engine.native.taps.geometry import Taps
from engine.native.toolchain.target import Machine
from ops.windows import Pair


@dataclass(frozen=True)
class Group:
    """Products of a contiguous range of x with one or more channels of g.

    Attributes:
        x_at, x_length: the range, within a position's window in the canvas.
        g_at: offsets of the channels of g, from the position's first class.
        places: offsets of the sums in the weight: for each scalar, with the vectors' first element.
    """

    x_at: int
    x_length: int
    g_at: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class Products:
    """The products that a weight gradient adds up.

    Attributes:
        dtype: of all values.
        taps: the sum of taps that the gradient belongs to; weights are offsets in the result.
        image: the images x.
        machine: what the code is for.
    """

    dtype: torch.dtype
    taps: Taps
    image: Operand
    machine: Machine

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return self.machine.target.lanes(self.dtype)

    @cached_property
    def canvas(self) -> Canvas:
        """How the images are read."""
        return Canvas.of(
            self.taps,
            self.image,
            self.lanes,
            self.machine.threads,
            vectors_of=0 if self.vectors_of_g else self.taps.terms,
        )

    @cached_property
    def vectors_of_g(self) -> bool:
        """Whether g is read as vectors and x as scalars, not the reverse."""
        return self._waste(self.taps.results) <= self._waste(self.taps.terms)

    def _waste(self, channels: int) -> float:
        return -(-channels // self.lanes) * self.lanes / channels

    @cached_property
    def groups(self) -> list[Group]:
        """What is multiplied by what."""
        taps = self.taps
        each = sorted(
            (
                a * taps.out_row + b * taps.out_channels + q * taps.results,
                self.canvas.at(tap) + q * taps.terms,
                tap.weight + q * taps.group_stride,
            )
            for q in range(taps.groups)
            for (a, b), tap in ((c.offset, tap) for c in taps.classes for tap in c.taps)
        )
        return self._runs_of_x(each) if self.vectors_of_g else self._channels_of_g(each)

    def _runs_of_x(self, each: Sequence[tuple[int, int, int]]) -> list[Group]:
        """Vectors of g with all terms that are contiguous."""
        terms, stride, runs = self.taps.terms, self.taps.term_stride, list[Group]()
        for g_at, x_at, weight in each:
            places = tuple(weight + k * stride for k in range(terms))
            last = runs[-1] if runs else None
            if last and last.g_at == (g_at,) and last.x_at + last.x_length == x_at:
                places = last.places + places
                runs[-1] = Group(last.x_at, last.x_length + terms, (g_at,), places)
            else:
                runs.append(Group(x_at, terms, (g_at,), places))
        return runs

    def _channels_of_g(self, each: Sequence[tuple[int, int, int]]) -> list[Group]:
        """Vectors of the terms of one tap with the channels of all classes that read it."""
        by_place: dict[int, list[tuple[int, int]]] = {}
        for g_at, x_at, weight in each:
            by_place.setdefault(x_at, []).extend(
                (g_at + m, weight + m * self.taps.result_stride) for m in range(self.taps.results)
            )
        return [
            Group(x_at, self.taps.terms, *zip(*channels, strict=True))
            for x_at, channels in by_place.items()
        ]

    @property
    def inner(self) -> Pair:
        """How many elements of a row of vectors are used, and their stride in the weight."""
        if self.vectors_of_g:
            return self.taps.results, self.taps.result_stride
        return self.taps.terms, self.taps.term_stride

    def shape(self, group: Group) -> Pair:
        """How many scalars and vectors a group's sums have."""
        if self.vectors_of_g:
            return group.x_length, -(-self.taps.results // self.lanes)
        return len(group.g_at), -(-group.x_length // self.lanes)

    def pieces(self, group: Group) -> list[int]:
        """The first scalar of each piece of the sums: what is copied to the weight at once.

        With vectors of g, a piece is a block of a few contiguous terms; otherwise it is a row.
        """
        pieces = [0]
        for scalar, place in enumerate(group.places):
            length = scalar - pieces[-1]
            beside = self.vectors_of_g and place - group.places[pieces[-1]] == length
            if length and (not beside or length == self.lanes):
                pieces.append(scalar)
        return pieces

    @property
    def size(self) -> int:
        """Elements of one thread's sums."""
        shapes = map(self.shape, self.groups)
        return sum(scalars * vectors * self.lanes for scalars, vectors in shapes)

    def block(self, group: Group) -> Block:
        """How a group's sums are cut so that they stay in registers."""
        return best_block(*self.shape(group), self.machine.target.accumulators)

    @property
    def g_strides(self) -> Pair:
        """Elements of g from one image to the next, and from one row of positions to the next."""
        return self.taps.out_image, self.taps.out_step[0] * self.taps.out_row
