"""The threads that run native code: one pool per number of threads, shared by the process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from engine.native.code.source import Source
from engine.native.toolchain.library import load
from engine.native.toolchain.target import NativeError, Target


class _Steps(ctypes.Structure):
    """A range of a program's steps to run: ``Steps`` in ``thread_pool.c``."""

    _fields_ = (
        ("run", ctypes.c_void_p),
        ("first", ctypes.c_int),
        ("last", ctypes.c_int),
        ("arena", ctypes.c_void_p),
        ("outside", ctypes.c_void_p),
    )


def runner(
    library: ctypes.CDLL,
    target: Target,
    threads: int,
    arena: int,
    outside: ctypes.Array[ctypes.c_void_p],
) -> Callable[[int, int], Callable[[], None]]:
    """Make runs of a library's steps: ``runner(...)(first, last)()`` excludes ``last``.

    Args:
        library: exports a function ``run``.
        threads: number of threads to run on.
        arena: address of the program's memory.
        outside: addresses of tensors elsewhere. Runs keep this array alive, but not the tensors.
    """
    call, pool = thread_pool(target, threads)
    run = ctypes.cast(library.run, ctypes.c_void_p)

    def steps(first: int, last: int) -> Callable[[], None]:
        told = _Steps(run, first, last, arena, ctypes.addressof(outside))
        return partial(_checked, partial(call, pool, ctypes.byref(told)), threads, outside)

    return steps


def _checked(run: Callable[[], int], threads: int, outside: object) -> None:
    """Run; ``outside`` is an argument only to keep alive the array whose address the steps have."""
    if run():
        raise NativeError(f"{threads} threads could not be started")


@lru_cache
def thread_pool(target: Target, threads: int) -> tuple[Callable[..., int], ctypes.c_void_p]:
    """The function that runs steps on a pool, and the pool, which has started no thread yet.

    Raises:
        NativeError: it cannot be compiled, or there is no memory for it.
    """
    library = load(Source(Path(__file__).with_suffix(".c").read_text()), target)
    library.new_pool.restype = ctypes.c_void_p
    pool = library.new_pool(threads)
    if not pool:
        raise NativeError("there is no memory for a pool of threads")
    return library.run_steps, ctypes.c_void_p(pool)
