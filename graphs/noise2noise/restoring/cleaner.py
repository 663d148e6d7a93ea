"""What cleans pictures that need not be in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch

Shape = tuple[int, ...]
Read = Callable[[slice, slice], torch.Tensor]
Write = Callable[[slice, slice, torch.Tensor], None]
Advance = Callable[[float], object]


def advance_part(advance: Advance, index: int, count: int) -> Advance:
    """What is told of one of several things, told of all of them."""
    return lambda share: advance((index + share) / count)


class Cleaner(ABC):
    """Cleans pictures, in values as networks see them."""

    @abstractmethod
    def restore(self, shape: Shape, read: Read, write: Write, advance: Advance) -> None:
        """Clean pictures that need not be in memory.

        Args:
            shape: of the pictures, (N, C, H, W).
            read: gives some rows and columns of them, or every so many, (N, C, h, w).
            write: takes the result for some rows and columns, which together are all, row by row.
            advance: told now and then what share of the result is done.

        Raises:
            InputError: there is not enough memory for it.
        """

    def __call__(self, noisy: torch.Tensor) -> torch.Tensor:
        """The pictures cleaned: (C, H, W) or (N, C, H, W) in, the same shape out."""
        batch = noisy if noisy.ndim == 4 else noisy[None]
        clean = torch.empty_like(batch)

        def write(rows: slice, columns: slice, part: torch.Tensor) -> None:
            clean[:, :, rows, columns] = part

        self.restore(tuple(batch.shape), lambda r, c: batch[:, :, r, c], write, lambda share: None)
        return clean if noisy.ndim == 4 else clean[0]
