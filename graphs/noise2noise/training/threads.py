"""The number of threads to compute with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

ROUNDS = 5
SIDE, PRODUCTS = 384, 20


def settle_threads(count: int | None) -> None:
    """Set torch's number of threads; for None, keep the current number or use one thread.

    The faster of the two, by measurement, is chosen. A step is hundreds of short operations, and
    after each the threads wait for the slowest: on a machine busy with other work that can cost a
    hundred times what they gain.

    Call this before anything is compiled, since native code is generated for a fixed number of
    threads.
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
