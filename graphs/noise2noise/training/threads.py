"""How many threads to compute with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

ROUNDS = 5


def use_fastest_thread_count(step: Callable[[], object]) -> None:
    """Let torch compute with one thread, or with as many as now, whichever runs ``step`` faster.

    A step is hundreds of short operations, and after each the threads wait for the last of them. On
    a machine that is busy with something else that can cost a hundred times what they gain.
    """
    counts = sorted({1, torch.get_num_threads()})
    torch.set_num_threads(min(counts, key=lambda count: _median_seconds(step, count)))


def _median_seconds(step: Callable[[], object], count: int) -> float:
    torch.set_num_threads(count)
    step()
    return statistics.median(_seconds(step) for _ in range(ROUNDS))


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
