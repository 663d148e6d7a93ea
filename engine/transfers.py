"""A stage's feeds and results: copied by native code where there is some, else by torch."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch

from engine.threads import leaving_cores_free
from ops import OutOfMemory


class Copied(NamedTuple):
    """A value that is copied in or out: its name, itself, and its slot if native code can do it."""

    name: str
    value: torch.Tensor
    slot: int | None


Results = dict[str, torch.Tensor]


class Transfers:
    """The copies of a stage.

    Args:
        feeds, results: what is copied in and out.
        addresses: where native code finds the caller's tensors, set here before each run; it leaves
            what is null.
        native: whether native code runs in this program.
    """

    def __init__(
        self,
        feeds: Sequence[Copied],
        results: Sequence[Copied],
        addresses: ctypes.Array[ctypes.c_void_p],
        native: bool,
    ) -> None:
        self._feeds = feeds
        self._results = [(result, *_row_major(result.value)) for result in results]
        self._values = {result.name: result.value for result in results}
        self._slots = [result.slot for result in results if result.slot is not None]
        self._beside = [result for result in results if result.slot is None]
        self._addresses = addresses
        self._native = native

    def fetch(self, feeds: Mapping[str, torch.Tensor], natively: bool) -> None:
        """Copy the feeds, or leave it to native code where it may and can read them."""
        by_torch = []
        for name, value, slot in self._feeds:
            feed = feeds[name]
            address = feed.data_ptr() if natively and slot is not None and _is_plain(feed) else 0
            if slot is not None:
                self._addresses[slot] = address
            if not address:
                by_torch.append((value, feed.detach() if feed.requires_grad else feed))
        if by_torch:
            with self._leaving_cores_free():
                for value, feed in by_torch:
                    value.copy_(feed)

    def lent(self) -> Results:
        """The values themselves, of which native code is to make no copies."""
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
                    new = torch.empty_strided(sizes, strides, dtype=value.dtype)
                except (RuntimeError, MemoryError) as error:
                    raise _no_memory_for(name, value, error) from None
                results[name] = new
                self._addresses[slot] = new.data_ptr()
            else:
                results[name] = value
        return results

    def own(self, results: Results, natively: bool) -> Results:
        """Copies in place of the program's values, row-major as torch's users expect.

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
    """Sizes and strides, ready for the call that makes a tensor soonest."""
    return tuple(value.shape), torch.empty(value.shape, device="meta").stride()


def _no_memory_for(name: str, value: torch.Tensor, error: Exception) -> OutOfMemory:
    return OutOfMemory(
        f"the result {name!r} needs {value.numel() * value.dtype.itemsize:,} bytes of memory on "
        f"{value.device}, which there are not; Program.borrow lends it without a copy "
        f"({str(error).splitlines()[0]})"
    )


def _is_plain(feed: torch.Tensor) -> bool:
    """Whether it lies row-major in the CPU's memory, and is what lies there."""
    plain = feed.layout is torch.strided and feed.is_cpu and feed.is_contiguous()
    return plain and not feed.is_neg()
