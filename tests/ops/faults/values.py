"""Wrong forwards and wrong inference."""

from __future__ import annotations

from typing import Any

import torch

from engine.testing.laws import INFER, NO_SIDE_EFFECTS, ORACLE, SAME_BITS
from ops import REGISTRY, same_as_input
from tests.ops.faults.fault import planted


def _without_last_tap(input: torch.Tensor, *, kernel_size: Any, **window: Any) -> torch.Tensor:
    smaller = (kernel_size[0], max(1, kernel_size[1] - 1))
    whole = REGISTRY["sum_pool2d"].forward(input, kernel_size=kernel_size, **window)
    window["padding"] = tuple(
        min(p, k // 2) for p, k in zip(window["padding"], smaller, strict=True)
    )
    part = REGISTRY["sum_pool2d"].forward(input, kernel_size=smaller, **window)
    return part[..., : whole.shape[3]] if part.shape[2] == whole.shape[2] else whole


def _last_batch_dropped(gradient: torch.Tensor, input: torch.Tensor, **window: Any) -> torch.Tensor:
    keep = max(1, len(input) - 1)
    return REGISTRY["conv2d_weight_gradient"].forward(gradient[:keep], input[:keep], **window)


def _without_accumulation(input: torch.Tensor, *, output_size: Any, **window: Any) -> torch.Tensor:
    counts = REGISTRY["fold"].forward(torch.ones_like(input), output_size=output_size, **window)
    total = REGISTRY["fold"].forward(input, output_size=output_size, **window)
    return total / counts.clamp(min=1)


def _in_place(input: torch.Tensor) -> torch.Tensor:
    return input.clamp_(min=0).clone()


def _noisy(input: torch.Tensor) -> torch.Tensor:
    return input.exp() * (1 + torch.finfo(input.dtype).eps * torch.rand(input.shape).round())


def _flattened(input: torch.Tensor, *, dims: Any) -> torch.Tensor:
    """The right number of elements in the wrong order: it forgets to move the memory."""
    return input.reshape([input.shape[d] for d in dims]).clone()


FORWARD_FAULTS = [
    planted("sum_pool2d", "windows one column short", ORACLE, forward=_without_last_tap),
    planted("conv2d_weight_gradient", "last image dropped", ORACLE, forward=_last_batch_dropped),
    planted("fold", "overlaps averaged, not added", ORACLE, forward=_without_accumulation),
    planted("relu", "overwrites its input", NO_SIDE_EFFECTS, forward=_in_place),
    planted("copy", "gives its input itself", NO_SIDE_EFFECTS, forward=lambda input: input),
    planted("exp", "last bit at random", SAME_BITS, forward=_noisy),
    planted("permute", "memory not moved", ORACLE, forward=_flattened),
    planted("greater", "greater or equal", ORACLE, forward=lambda input, other: input >= other),
]


def _accepts_anything(spec: Any, *, shape: Any) -> Any:
    return spec.with_shape(shape)


def _one_row_more(spec: Any, **window: Any) -> Any:
    n, channels, height, width = REGISTRY["max_pool2d"].infer(spec, **window).shape
    odd = isinstance(spec.shape[2], int) and spec.shape[2] % 2
    return spec.with_shape((n, channels, height + bool(odd), width))


def _refuses_late(a: Any, b: Any) -> Any:
    return a.with_shape((*a.shape[:-1], b.shape[-1]))


def _plain_refusal(spec: Any) -> Any:
    if not spec.ndim:
        raise ValueError("no axes")
    return same_as_input(spec)


INFER_FAULTS = [
    planted("reshape", "infer takes any shape", INFER, infer=_accepts_anything),
    planted("max_pool2d", "infer gives a row too many for odd sizes", INFER, infer=_one_row_more),
    planted("matmul", "infer leaves the check to torch", INFER, infer=_refuses_late),
    planted("exp", "infer raises an error of another kind", INFER, infer=_plain_refusal),
    planted(
        "less",
        "infer gives the dtype of the input",
        INFER,
        infer=lambda a, b: REGISTRY["add"].infer(a, b),
    ),
]
