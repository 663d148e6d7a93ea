"""The leaves of a graph: inputs, parameters and constants."""

from __future__ import annotations

import torch

from ops.dimension import Shape
from ops.errors import FeedError, SpecError
from ops.node import Node
from ops.operator import operator
from ops.spec import DTYPES, FLOATS, Spec, dtype_name, format_shape


class Parameter:
    """A named tensor that lives outside any program; programs read it and update it in place.

    All programs compiled from graphs with this parameter share its storage, so when one program
    trains it, all others see the new values. Four-axis parameters are stored channels-last (see
    ``engine.layout``); shape and indexing are unaffected.

    Attributes:
        name: for messages.
        updates: how many runs of programs have updated it; torch's own count of writes to a tensor
            misses those of native code.
    """

    def __init__(self, name: str, tensor: torch.Tensor) -> None:
        self.name = name
        self.updates = 0
        with torch.inference_mode(mode=False):  # whose tensors do not count their versions
            self._tensor = _as_stored(tensor.detach().clone())

    @property
    def tensor(self) -> torch.Tensor:
        """The storage itself, not a copy: programs see what you write into it."""
        return self._tensor

    @property
    def spec(self) -> Spec:
        """Shape and dtype."""
        return Spec(tuple(self.tensor.shape), self.tensor.dtype)

    def assign(self, value: torch.Tensor) -> None:
        """Copy ``value`` in, converting dtype and device; raises FeedError if its shape differs."""
        self.require_shape(value)
        self.tensor.copy_(value.detach())

    def require_shape(self, value: torch.Tensor, name: str | None = None) -> None:
        """Refuse anything but a tensor of the parameter's shape; raises FeedError.

        ``name`` is the name that the error shows, by default the parameter's own.
        """
        name = name or self.name
        if not isinstance(value, torch.Tensor):
            raise FeedError(f"parameter {name!r}: expected a tensor, got {type(value).__name__}")
        if value.shape != self.tensor.shape:
            raise FeedError(
                f"parameter {name!r} has shape {format_shape(self.tensor.shape)}, "
                f"got {format_shape(value.shape)}"
            )

    def to(self, device: torch.device) -> None:
        """Move the storage to a device, in the layout that programs expect, if need be."""
        stored = _as_stored(self.tensor.detach().to(device))
        if stored.device != self.tensor.device or stored.data_ptr() != self.tensor.data_ptr():
            self._tensor = stored

    def __repr__(self) -> str:
        return f"<parameter {self.name} {self.spec}>"


def _as_stored(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.ndim != 4:
        return tensor.contiguous()
    # Through NHWC: with a size of 1, torch accepts other strides as channels-last already.
    return tensor.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def _no_value(*, name: str, shape: Shape, dtype: torch.dtype) -> torch.Tensor:
    """A value given when the program is called."""
    raise FeedError(f"input {name!r} was given no value")


def _infer_input(*, name: str, shape: Shape, dtype: torch.dtype) -> Spec:
    return _spec(shape, dtype)


def _infer_full(*, value: float, shape: Shape, dtype: torch.dtype) -> Spec:
    return _spec(shape, dtype)


def _spec(shape: Shape, dtype: torch.dtype) -> Spec:
    if dtype not in DTYPES:
        raise SpecError(f"expected float32, float64 or bool, got {dtype_name(dtype)}")
    for size in shape:
        if isinstance(size, int) and size < 0:
            raise SpecError(f"expected sizes of at least 0, got {format_shape(shape)}")
    return Spec(tuple(shape), dtype)


def _infer_parameter(*, name: str, parameter: Parameter) -> Spec:
    if parameter.tensor.dtype not in FLOATS:
        raise SpecError(f"expected float32 or float64, got {dtype_name(parameter.tensor.dtype)}")
    return parameter.spec


def _parameter_value(*, name: str, parameter: Parameter) -> torch.Tensor:
    """The current value of a trainable tensor."""
    return parameter.tensor


def _constant_value(*, value: torch.Tensor) -> torch.Tensor:
    """A fixed tensor, part of the graph."""
    return value


def _full(*, value: float, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """One number, repeated over a shape: ``torch.full``."""
    return torch.full(shape, value, dtype=dtype)


input = operator("input", infer=_infer_input, forward=_no_value)
parameter = operator("parameter", infer=_infer_parameter, forward=_parameter_value)
constant = operator(
    "constant",
    infer=lambda *, value: Spec(tuple(value.shape), value.dtype),
    forward=_constant_value,
)
full = operator("full", infer=_infer_full, forward=_full)


def is_constant(node: Node) -> bool:
    """Whether the node is a constant leaf."""
    return node.operator is full or node.operator is constant
