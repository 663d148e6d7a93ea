"""Copying a stage's feeds and results, by native code if possible, else by torch."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from engine.threads import leaving_cores_free
from ops import OutOfMemory


class Copied(NamedTuple):
    """A value to copy in or out: its name, its tensor, and its slot if native code can copy it."""

    name: str
    value: torch.Tensor
    slot: int | None


Results = dict[str, torch.Tensor]


class Transfers:
    """The copies of a stage.

    Args:
        feeds, results: the values to copy in and out.
        arena: addresses of the program's own memory.
        addresses: where native code finds the addresses of the caller's tensors, set before each
            run; it skips null entries.
        native: whether this program has native code.
    """

    def __init__(
        self,
        feeds: Sequence[Copied],
        results: Sequence[Copied],
        arena: range,
        addresses: ctypes.Array[ctypes.c_void_p],
        native: bool,
    ) -> None:
        self._feeds = feeds
        self._results = [(result, *_row_major(result.value)) for result in results]
        self._values = {result.name: result.value for result in results}
        self._slots = [result.slot for result in results if result.slot is not None]
        self._beside = [result for result in results if result.slot is None]
        self._arena = arena
        self._addresses = addresses
        self._native = native

    def fetch(self, feeds: Mapping[str, torch.Tensor], natively: bool) -> None:
        """Copy the feeds, leaving those to native code that it can read, if ``natively``."""
        by_torch = []
        for name, value, slot in self._feeds:
            feed, address = feeds[name], feeds[name].data_ptr()
            if address in self._arena:  # a lent result, which other feeds may overwrite
                feed, address = feed.clone(), 0
            elif not natively or slot is None or not _is_plain(feed):
                address = 0
            if slot is not None:
                self._addresses[slot] = address
            if not address:
                by_torch.append((value, feed.detach() if feed.requires_grad else feed))
        if by_torch:
            with self._leaving_cores_free():
                for value, feed in by_torch:
                    value.copy_(feed)

    def lent(self) -> Results:
        """The values themselves; native code makes no copies."""
        for slot in self._slots:
            self._addresses[slot] = 0
        return self._values.copy()

    def new(self) -> Results:
        """New tensors that native code will fill, where it can; else the values themselves.

        Raises:
            OutOfMemory: there is none for them.
        """
        results = {}
        for (name, value, slot), sizes, strides in self._results:
            if slot is not None:
                try:
                    new = torch.empty_strided(
                        sizes, strides, dtype=value.dtype, device=value.device
                    )
                except (RuntimeError, MemoryError) as error:
                    raise _no_memory_for(name, value, error) from None
                results[name] = new
                self._addresses[slot] = new.data_ptr()
            else:
                results[name] = value
        return results

    def own(self, results: Results, natively: bool) -> Results:
        """Replace the program's own values by copies, row-major as torch users expect.

        ``natively``: the results are those of :meth:`new`.

        Raises:
            OutOfMemory: there is none for them.
        """
        copied = self._beside if natively else [result for result, *_ in self._results]
        if copied:
            with self._leaving_cores_free():
                for name, value, _ in copied:
                    try:
                        results[name] = value.clone(memory_format=torch.contiguous_format)
                    except (RuntimeError, MemoryError) as error:
                        raise _no_memory_for(name, value, error) from None
        return results

    def _leaving_cores_free(self) -> AbstractContextManager[None]:
        return leaving_cores_free() if self._native else nullcontext()


def _row_major(value: torch.Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sizes and row-major strides, precomputed for the fastest call that makes a tensor."""
    return tuple(value.shape), torch.empty(value.shape, device="meta").stride()


def _no_memory_for(name: str, value: torch.Tensor, error: Exception) -> OutOfMemory:
    return OutOfMemory(
        f"the result {name!r} needs {value.numel() * value.dtype.itemsize:,} bytes of memory on "
        f"{value.device}, which there are not; Program.borrow lends it without a copy "
        f"({str(error).splitlines()[0]})"
    )


def _is_plain(feed: torch.Tensor) -> bool:
    """Whether the tensor is row-major in CPU memory, without a pending (lazy) negation."""
    plain = feed.layout is torch.strided and feed.is_cpu and feed.is_contiguous()
    return plain and not feed.is_neg()
