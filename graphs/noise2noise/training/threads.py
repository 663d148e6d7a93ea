"""How many threads to compute with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

ROUNDS = 5
SIDE, PRODUCTS = 384, 20


def settle_threads(count: int | None) -> None:
    """Let torch compute with so many threads; if that is open, with one or with as many as now.

    Of these it takes the faster. A step is hundreds of short operations, and after each the threads
    wait for the last of them: on a machine that is busy with something else that can cost a hundred
    times what they gain.

    To be called before anything is compiled, since native code is written for a number of threads.
    """
    if count is not None:
        torch.set_num_threads(count)
        return
    matrix = torch.rand(SIDE, SIDE)
    product = torch.empty_like(matrix)

    def step() -> None:
        for _ in range(PRODUCTS):
            torch.mm(matrix, matrix, out=product).relu_()

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
