"""The threads that run native code: one pool per number of threads, for the whole process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial

from engine.native.library import HERE, load
from engine.native.target import NativeError, Target


class _Steps(ctypes.Structure):
    """Steps of a program to be run, as ``thread_pool.c`` has them."""

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
    """How to run the steps of a library: ``runner(...)(first, last)()``, ``last`` excluded.

    Args:
        library: with a function ``run``.
        threads: how many to run on.
        arena: address of the program's memory.
        outside: addresses of what lies elsewhere; must stay alive.
    """
    call, pool = _pool(target, threads)
    run = ctypes.cast(library.run, ctypes.c_void_p)

    def steps(first: int, last: int) -> Callable[[], None]:
        told = _Steps(run, first, last, arena, ctypes.addressof(outside))
        return partial(_checked, partial(call, pool, ctypes.byref(told)), threads, outside)

    return steps


def _checked(run: Callable[[], int], threads: int, outside: object) -> None:
    """Run; what the steps were told the address of is kept alive by being an argument."""
    if run():
        raise RuntimeError(f"{threads} threads could not be started")


@lru_cache
def _pool(target: Target, threads: int) -> tuple[Callable[..., int], ctypes.c_void_p]:
    library = load((HERE / "thread_pool.c").read_text(), target)
    library.new_pool.restype = ctypes.c_void_p
    pool = library.new_pool(threads)
    if not pool:
        raise NativeError("there is no memory for a pool of threads")
    return library.run_steps, ctypes.c_void_p(pool)
