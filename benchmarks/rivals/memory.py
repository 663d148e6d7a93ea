"""The peak memory of a rival's step, as counted by torch's allocator."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import accumulate

from torch.profiler import ProfilerActivity, profile


def peak_bytes(step: Callable[[], object], warmup: int = 2) -> int:
    """The most bytes that torch holds at once during a step, beyond those it held before it.

    Inputs, parameters and optimizer state, allocated before the step, do not count; activations,
    gradients and scratch memory from torch's allocator do. Scratch memory that libraries below
    torch allocate for themselves is not counted, so the true peak of a rival may be higher.

    Args:
        step: one training or inference step on the CPU.
        warmup: steps to run first, so that what is allocated only once is not counted.
    """
    for _ in range(warmup):
        step()
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = step()
    del result
    recorded = profiler.profiler
    assert recorded is not None
    events = [e for e in recorded.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in events), default=0)
