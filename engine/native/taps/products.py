"""One weight gradient to be written in C: which elements of x and g meet, and for which weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from engine.native.blocking import Block, best_block
from engine.native.machine import Machine
from engine.native.operand import Operand
from engine.native.taps.canvas import Canvas
from engine.native.taps.geometry import Pair, Taps


@dataclass(frozen=True)
class Group:
    """Products of one range of x with one or more channels of g.

    Attributes:
        x_at, x_length: which elements of a position's window in the canvas.
        g_at: where the channels of g stand, from the position's first class.
        places: where the sums belong in the weight: of each scalar with the vectors' first element.
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
        taps: the sum of taps whose weight it is of; weights are places in the result.
        image: x.
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
            self.taps, self.image, self.lanes, self.machine.threads, beyond=not self.vectors_of_g
        )

    @cached_property
    def vectors_of_g(self) -> bool:
        """Whether vectors are read of g, and scalars of x."""
        return self._waste(self.taps.results) <= self._waste(self.taps.terms)

    def _waste(self, channels: int) -> float:
        return -(-channels // self.lanes) * self.lanes / channels

    @cached_property
    def groups(self) -> list[Group]:
        """What is multiplied with what."""
        each = sorted(
            (a * self.taps.out_row + b * self.taps.results, self.canvas.at(tap), tap.weight)
            for (a, b), tap in ((c.offset, tap) for c in self.taps.classes for tap in c.taps)
        )
        return self._runs_of_x(each) if self.vectors_of_g else self._channels_of_g(each)

    def _runs_of_x(self, each: Sequence[tuple[int, int, int]]) -> list[Group]:
        """Vectors of g with all terms that are read without a gap."""
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
        """Elements of the vectors that count, and from one to the next in the weight."""
        if self.vectors_of_g:
            return self.taps.results, self.taps.result_stride
        return self.taps.terms, self.taps.term_stride

    def shape(self, group: Group) -> Pair:
        """Scalars and vectors of a group's sums."""
        if self.vectors_of_g:
            return group.x_length, -(-self.taps.results // self.lanes)
        return len(group.g_at), -(-group.x_length // self.lanes)

    def pieces(self, group: Group) -> list[int]:
        """The first of the scalars of each piece of sums that belongs together in the weight.

        With vectors of g it is a block, that of a few terms beside each other; else a row.
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
        """How they are cut so that sums stay in registers."""
        return best_block(*self.shape(group), self.machine.target.accumulators)

    @property
    def g_strides(self) -> Pair:
        """In g, from one image to the next, and from one row of positions to the next."""
        return self.taps.out_image, self.taps.out_step[0] * self.taps.out_row
