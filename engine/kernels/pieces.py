"""Multi-pass elementwise kernels, piece by piece, so that intermediates stay in the cache."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from engine.kernels.kernel import Prepare, Run, channels_last, in_sequence
from ops import Node

PIECE = 1 << 18
"""Maximum elements of a piece. Several float32 pieces fit a core's cache, and one is still large
enough for several threads."""

Index = tuple[slice, ...]


def piecewise(prepare: Prepare) -> Prepare:
    """Apply an elementwise kernel to each piece of the result; they share scratch for one piece."""

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
    """The shape of a scratch tensor, a vector, for one piece of a node's value."""
    return (min(PIECE, math.prod(node.sizes)),)


def _as_stored(x: torch.Tensor) -> torch.Tensor:
    """The value with its axes in memory order."""
    return channels_last(x) if x.ndim == 4 else x


def _pieces(shape: Sequence[int], most: int) -> Iterator[Index]:
    """Consecutive pieces of a value of this shape, each of at most ``most`` elements."""
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
