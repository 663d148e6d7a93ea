"""Helpers for tests of whole graphs."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import currentframe
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from engine import Graph, compile, interpret
from ops import Parameter
from ops.spec import FLOATS

DOUBLE = torch.float64


def values(*shape: int, seed: int = 0, dtype: torch.dtype = DOUBLE) -> torch.Tensor:
    """Normal numbers, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=DOUBLE).to(dtype)


def parameter_of(graph: Graph, name: str) -> Parameter:
    """A graph's parameter by name."""
    return graph.parameters[name].attributes["parameter"]


def same_bits(actual: torch.Tensor, expected: torch.Tensor) -> bool:
    """Equality to the last bit: 0 is not -0, but every NaN is every other."""
    if actual.dtype != expected.dtype or actual.shape != expected.shape:
        return False
    if actual.dtype not in FLOATS:
        return torch.equal(actual, expected)
    alike = (actual == expected) & (actual.signbit() == expected.signbit())
    return bool((alike | (actual.isnan() & expected.isnan())).all())


def assert_near(
    actual: torch.Tensor, expected: torch.Tensor, scale: float = 1.0, case: object = ""
) -> None:
    """Equality to rounding, relative to the largest element."""
    assert actual.shape == expected.shape, case
    assert actual.dtype == expected.dtype, case
    accuracy = 1e-10 if actual.dtype == DOUBLE else 2e-5
    size = float(expected.detach().abs().nan_to_num().max()) if expected.numel() else 0.0
    torch.testing.assert_close(
        actual.detach(),
        expected.detach(),
        rtol=accuracy * scale,
        atol=accuracy * scale * max(size, 1e-3),
        equal_nan=True,
        msg=lambda text: f"{text}\n{case}",
    )


def assert_runs_as_interpreted(
    graph: Graph, feeds: Mapping[str, torch.Tensor], **options: Any
) -> dict[str, torch.Tensor]:
    """Compile and run a graph, compare with the naive interpreter, return the results."""
    expected = interpret(graph, feeds)
    results = compile(graph, **options)(**feeds)
    assert list(results) == list(expected)
    for name, value in expected.items():
        if value.dtype in FLOATS:
            assert_near(results[name], value, case=f"{name} of\n{graph}")
        else:
            assert torch.equal(results[name], value)
    return results


def allocated(run: Callable[[], object]) -> list[int]:
    """The sizes of all storages that torch allocates while ``run`` runs, freed since or not."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        result = run()
    assert result is not None  # and so the results were alive until now
    events = profiler.profiler.kineto_results.events()
    sizes = [event.nbytes() for event in events if event.name() == "[memory]"]
    return [size for size in sizes if size > 0]


def line_number() -> int:
    """The caller's line number."""
    frame = currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def in_threads(count: int, work: Callable[[int], None], timeout: float = 60) -> None:
    """Run ``work(0)``, ``work(1)``, ... at the same time; their first error is raised here."""
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        if thread.is_alive():
            pytest.fail("a thread hangs")
    if errors:
        raise errors[0]


def torch_gradients(
    loss: torch.Tensor, leaves: Sequence[torch.Tensor], create_graph: bool = False
) -> list[torch.Tensor]:
    """PyTorch's gradients, zero where the loss does not depend on a leaf."""
    found: Iterable[torch.Tensor | None] = (
        torch.autograd.grad(loss, leaves, allow_unused=True, create_graph=create_graph)
        if loss.requires_grad
        else [None] * len(leaves)
    )
    return [
        torch.zeros_like(leaf) if slope is None else slope
        for leaf, slope in zip(leaves, found, strict=True)
    ]
