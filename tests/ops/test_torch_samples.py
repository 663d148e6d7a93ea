"""PyTorch's own test cases, for the operators of which we have a counterpart.

Every sample input that our operators cover is run, values and gradients; every error input must be
refused, with our kind of error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.utils import _pytree as pytree

from ops import BlockwrightError, Node
from ops.leaves import input
from ops.spec import DTYPES, FLOATS
from tests.ops.comparison import assert_same_function
from tests.ops.records import SAMPLES
from tests.ops.torch_calls import CALLS, NotCovered


@pytest.fixture(scope="session")
def op_db() -> dict[str, Any]:
    """PyTorch's operators, by name and variant."""
    pytest.importorskip("expecttest", reason="PyTorch's test cases need it")
    from torch.testing._internal.common_methods_invocations import op_db

    return {".".join(filter(None, (op.name, op.variant_test_name))): op for op in op_db}


@pytest.mark.parametrize("name", CALLS)
def test_samples(name: str, op_db: dict[str, Any]) -> None:
    counts = SAMPLES.setdefault(name, Counter())
    for dtype in FLOATS[::-1]:
        if dtype not in op_db[name].dtypes:
            continue
        for sample in op_db[name].sample_inputs("cpu", dtype, requires_grad=False):
            with torch.random.fork_rng():
                counts[_outcome(name, op_db[name], sample)] += 1
    assert counts


@pytest.mark.parametrize("name", CALLS)
def test_errors(name: str, op_db: dict[str, Any]) -> None:
    if op_db[name].error_inputs_func is None:
        return
    counts = SAMPLES.setdefault(name, Counter())
    for error in op_db[name].error_inputs("cpu"):
        counts[_refusal(name, error)] += 1


def _outcome(name: str, op: Any, sample: Any) -> str:
    leaves, ours, theirs = _calls(name, op, sample)
    try:
        if any(tensor.dtype not in DTYPES for tensor in leaves):
            raise NotCovered("integer tensors")
        _build(ours, leaves)
        assert_same_function(ours, theirs, leaves)
    except NotCovered as reason:
        return str(reason)
    except Exception as error:
        raise AssertionError(f"{name} on {sample}: {error}") from error
    return "passed"


def _refusal(name: str, error: Any) -> str:
    sample = error.sample_input
    try:
        if "out" in sample.kwargs:
            raise NotCovered("out=")
        sample.kwargs.pop("return_indices", None)  # it is not what is wrong
        leaves, ours, _ = _calls(name, None, sample)
        result = _build(ours, leaves)
    except NotCovered as reason:
        return str(reason)
    except BlockwrightError:
        return "refused"
    raise AssertionError(
        f"{name} takes {sample}, giving {result}; PyTorch says: {error.error_regex}"
    )


def _build(function: Callable[..., Node], tensors: list[torch.Tensor]) -> Node:
    specs = enumerate(tensors)
    return function(*(input(name=f"x{i}", shape=tuple(t.shape), dtype=t.dtype) for i, t in specs))


def _calls(
    name: str, op: Any, sample: Any
) -> tuple[list[torch.Tensor], Callable[..., Node], Callable[..., torch.Tensor]]:
    """The tensors of a sample, and both calls as functions of them."""
    everything, structure = pytree.tree_flatten((sample.input, sample.args, sample.kwargs))
    tensors = [value for value in everything if isinstance(value, torch.Tensor)]

    def with_values(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            given: Iterator[Any] = iter(values)
            filled = [next(given) if isinstance(v, torch.Tensor) else v for v in everything]
            first, args, kwargs = pytree.tree_unflatten(filled, structure)
            return function(first, *args, **kwargs)

        return call

    return tensors, with_values(CALLS[name]), with_values(op)
