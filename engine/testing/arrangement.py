"""A case as a kernel sees it: nodes, and tensors in the layouts that the engine uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.kernels import Kernel
from engine.layout import strides, view_of
from engine.testing.case import Case
from engine.testing.closeness import require_same_bits
from engine.testing.sample import Sample, poisoned, repeated_axis
from ops import Node, Operator, expand, permute, reshape, slice
from ops.leaves import full, input

GUARD = 16
"""Number of elements before and after a kernel's memory that it must not write to."""


class Memory:
    """A tensor for a kernel to write, in the middle of poisoned memory.

    Attributes:
        tensor: the tensor to write.
    """

    def __init__(self, shape: Sequence[int], stride: Sequence[int], dtype: torch.dtype) -> None:
        self._count = torch.Size(shape).numel()
        self._whole = poisoned((self._count + 2 * GUARD,), dtype)
        self.tensor = self._whole.as_strided(tuple(shape), tuple(stride), GUARD)

    def poison(self, flip: bool) -> None:
        """Poison the tensor; bools have no poison and become True, or False with ``flip``."""
        self.tensor.copy_(poisoned(self.tensor.shape, self.tensor.dtype))
        if flip and self.tensor.dtype == torch.bool:
            self.tensor.zero_()

    def require_guarded(self, what: str) -> None:
        """Require that nothing was written around the tensor."""
        clean = poisoned((GUARD,), self.tensor.dtype)
        require_same_bits(self._whole[:GUARD], clean, f"memory before {what}")
        require_same_bits(self._whole[GUARD + self._count :], clean, f"memory after {what}")


class Arrangement:
    """An operator's node, and its inputs in memory.

    Each sample becomes a node that the engine stores in the sample's layout: a leaf (channels-last
    or row-major), a transposed, sliced, expanded or (for row-major images) reshaped view of a leaf,
    or a repeated number.

    Attributes:
        node: the node of the operator.
        tensors: the inputs, with their values.
    """

    def __init__(self, operator: Operator, case: Case) -> None:
        placed = [_placed(sample, f"x{i}") for i, sample in enumerate(case.inputs)]
        self._samples = case.inputs
        self.tensors = [tensor for _, tensor in placed]
        self.node = operator(*(node for node, _ in placed), **case.attributes)

    def refill(self) -> None:
        """Write other values into the memory of every input that is not a constant."""
        for i, (sample, tensor) in enumerate(zip(self._samples, self.tensors, strict=True)):
            if self.node.inputs[i].operator is not full:
                _, other = _placed(sample.replace(seed=sample.seed + 1), "other")
                tensor.untyped_storage().copy_(other.untyped_storage())

    def result(self) -> Memory:
        """Memory for the result, in its stored layout."""
        return Memory(self.node.sizes, strides(self.node.sizes), self.node.dtype)

    def workspaces(self, kernel: Kernel) -> list[Memory]:
        """Memory for a kernel's scratch tensors, row-major."""
        return [
            Memory(spec.sizes, torch.empty(spec.sizes, device="meta").stride(), spec.dtype)
            for spec in kernel.workspace(self.node)
        ]


def _placed(sample: Sample, name: str) -> tuple[Node, torch.Tensor]:
    """A node whose value is a sample, and its tensor."""
    values, shape = sample.values(), tuple(sample.shape)
    if sample.actual_layout == "full" and sample.dtype != torch.bool and values.numel():
        number = values.flatten()[0].item()
        memory = Memory((values.numel(),), (1,), sample.dtype).tensor
        memory[0] = number
        return full(value=number, shape=shape, dtype=sample.dtype), memory[0].expand(shape)
    source, node = _viewed(sample, name)
    # As far into its storage as a result, so that code made for one fits the other.
    tensor = Memory(source.sizes, strides(source.sizes), source.dtype).tensor
    if node is not source:
        view = view_of(node, tensor)
        assert view is not None, "a view of a leaf is possible here"
        tensor = view
    target = tensor
    if sample.actual_layout == "expanded":
        axis = repeated_axis(shape)
        target, values = tensor.narrow(axis, 0, 1), values.narrow(axis, 0, 1)
    target.copy_(values)
    return node, tensor


def _viewed(sample: Sample, name: str) -> tuple[Node, Node]:
    """A leaf, and the view of it that has a sample's layout."""
    shape, ndim = tuple(sample.shape), len(sample.shape)

    def leaf(shape: Sequence[int]) -> Node:
        return input(name=name, shape=tuple(shape), dtype=sample.dtype)

    if sample.actual_layout == "transposed":
        source = leaf(shape[::-1])
        return source, permute(source, dims=tuple(reversed(range(ndim))))
    if sample.actual_layout == "sliced":
        source = leaf((*shape[:-1], 2 * shape[-1] + 1))
        return source, slice(source, ndim - 1, 1, None, 2)
    if sample.actual_layout == "expanded":
        axis = repeated_axis(shape)
        source = leaf((*shape[:axis], 1, *shape[axis + 1 :]))
        return source, expand(source, shape)
    if sample.actual_layout == "contiguous" and ndim == 4:
        source = leaf((torch.Size(shape).numel(),))
        return source, reshape(source, shape)
    source = leaf(shape)
    return source, source
