"""The interface for cleaning pictures that need not fit in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

Shape = tuple[int, ...]
Read = Callable[[slice, slice], torch.Tensor]
Write = Callable[[slice, slice, torch.Tensor], None]
Advance = Callable[[float], object]


def advance_part(advance: Advance, index: int, count: int) -> Advance:
    """The progress callback for one of ``count`` equal parts, given the one for the whole."""
    return lambda share: advance((index + share) / count)


class Cleaner(ABC):
    """Cleans pictures whose values are already scaled for networks."""

    @abstractmethod
    def restore(self, shape: Shape, read: Read, write: Write, advance: Advance) -> None:
        """Clean pictures that need not fit in memory.

        Args:
            shape: of the pictures, (N, C, H, W).
            read: returns the given rows and columns, (N, C, h, w); the slices may have steps.
            write: takes the result for some rows and columns. The calls together cover the
                pictures once, row by row.
            advance: called now and then with the fraction that is done.

        Raises:
            InputError: there is not enough memory.
        """

    def __call__(self, noisy: torch.Tensor) -> torch.Tensor:
        """Clean pictures, (C, H, W) or (N, C, H, W); the result has the same shape."""
        batch = noisy if noisy.ndim == 4 else noisy[None]
        clean = torch.empty_like(batch)

        def write(rows: slice, columns: slice, part: torch.Tensor) -> None:
            clean[:, :, rows, columns] = part

        self.restore(tuple(batch.shape), lambda r, c: batch[:, :, r, c], write, lambda share: None)
        return clean if noisy.ndim == 4 else clean[0]
