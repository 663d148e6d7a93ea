"""Comparing tensors, up to rounding or bit for bit."""

from __future__ import annotations

import torch

from engine.testing.subject import require
from ops.spec import Spec

ROUNDINGS = 128
"""Tolerated difference of two computations, in rounding errors of the largest element."""

_INTEGERS = {1: torch.uint8, 4: torch.int32, 8: torch.int64}


def require_close(actual: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """Require the same shape, dtype and, up to rounding, values; NaN equals NaN."""
    require(
        spec_of(actual) == spec_of(expected), f"{what}: {spec_of(actual)}, not {spec_of(expected)}"
    )
    if not actual.dtype.is_floating_point:
        require(
            torch.equal(actual, expected), f"{what}: {actual.tolist()}, not {expected.tolist()}"
        )
        return
    finite = expected[expected.isfinite()].abs()
    scale = max(1.0, float(finite.max())) if finite.numel() else 1.0
    allowed = ROUNDINGS * torch.finfo(actual.dtype).eps * scale
    close = torch.isclose(actual, expected, rtol=0, atol=allowed, equal_nan=True)
    _require_all(close, actual, expected, what)


def require_same_bits(actual: torch.Tensor, expected: torch.Tensor, what: str) -> None:
    """Require the same shape, dtype and bits."""
    require(
        spec_of(actual) == spec_of(expected), f"{what}: {spec_of(actual)}, not {spec_of(expected)}"
    )
    _require_all(bits(actual) == bits(expected), actual, expected, what)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's elements as integers."""
    return tensor.contiguous().view(_INTEGERS[tensor.itemsize])


def _require_all(
    good: torch.Tensor, actual: torch.Tensor, expected: torch.Tensor, what: str
) -> None:
    if good.all():
        return
    index = tuple((~good).nonzero()[0].tolist())
    raise AssertionError(
        f"{what}: {actual[index].item()!r} at {list(index)}, not {expected[index].item()!r} "
        f"({int((~good).sum())} of {good.numel()} elements are off)"
    )


def spec_of(tensor: torch.Tensor) -> Spec:
    """A tensor's shape and dtype."""
    return Spec(tuple(tensor.shape), tensor.dtype)
