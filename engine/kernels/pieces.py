"""Elementwise kernels of several passes, piece by piece: what is in between stays in the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from engine.kernels.kernel import Prepare, Run, channels_last, in_sequence
from ops import Node

PIECE = 1 << 18
"""Elements of a piece, at most: several such in float32 fit a core's cache, and one is still enough
to be shared by threads."""

Index = tuple[slice, ...]


def piecewise(prepare: Prepare) -> Prepare:
    """Prepare an elementwise kernel for each piece of the result, with scratch memory for one."""

    def prepare_all(
        node: Node,
        out: torch.Tensor,
        inputs: Sequence[torch.Tensor],
        workspaces: Sequence[torch.Tensor],
    ) -> Run:
        ours, *whole = (_as_stored(x.expand(out.shape)) for x in (out, *inputs))
        return in_sequence(
            prepare(node, ours[index], [x[index] for x in whole], workspaces)
            for index in _pieces(ours.shape, PIECE)
        )

    return prepare_all


def piece_shape(node: Node) -> tuple[int]:
    """What a scratch tensor for one piece of a node's value must hold, as a vector."""
    return (min(PIECE, math.prod(node.sizes)),)


def _as_stored(x: torch.Tensor) -> torch.Tensor:
    """With the axes in the order in which the memory of a value is laid out."""
    return channels_last(x) if x.ndim == 4 else x


def _pieces(shape: Sequence[int], most: int) -> Iterator[Index]:
    """Consecutive pieces of a value of this shape, of at most so many elements."""
    if math.prod(shape) <= most:
        yield ()
        return
    size, rest = shape[0], math.prod(shape[1:])
    if rest > most:
        for i in range(size):
            yield from ((slice(i, i + 1), *index) for index in _pieces(shape[1:], most))
        return
    step = most // rest
    yield from ((slice(i, i + step),) for i in range(0, size, step))
