"""Layers without weights, with the arguments and defaults of their PyTorch counterparts."""

from __future__ import annotations

from functools import cache

import torch

from graphs.module import Module
from ops import (
    Node,
    SpecError,
    leaky_relu,
    max_pool2d,
    mse,
    relu,
    sigmoid,
    tanh,
    upsample_nearest,
)
from ops.windows import Pair, to_pair


class NearestUpsampling(Module):
    """Repeat every pixel, like ``torch.nn.UpsamplingNearest2d(scale_factor=...)``.

    Args:
        scale_factor: how many times, an int or (vertical, horizontal).
    """

    def __init__(self, scale_factor: int | Pair) -> None:
        super().__init__()
        self.scale_factor = to_pair(scale_factor, "scale_factor", 1)

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return upsample_nearest(x, self.scale_factor)


class MaxPool2d(Module):
    """The maximum of each window, like ``torch.nn.MaxPool2d``.

    Args:
        kernel_size, stride, padding, dilation: an int or (vertical, horizontal); stride None means
            kernel_size.
        return_indices: only False.
        ceil_mode: whether to include a last, partial window.
    """

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        if return_indices:
            raise SpecError("MaxPool2d: expected return_indices False: indices are not returned")
        self.kernel_size = to_pair(kernel_size, "kernel_size", 1)
        self.stride = None if stride is None else to_pair(stride, "stride", 1)
        self.padding = to_pair(padding, "padding", 0)
        self.dilation = to_pair(dilation, "dilation", 1)
        self.ceil_mode = ceil_mode

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class ReLU(Module):
    """Rectified linear unit, like ``torch.nn.ReLU``.

    Args:
        inplace: ignored, since the engine plans memory either way.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        return relu(*inputs)


class LeakyReLU(Module):
    """Leaky ReLU, like ``torch.nn.LeakyReLU``.

    Args:
        negative_slope: the slope below 0.
        inplace: ignored, since the engine plans memory either way.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        return leaky_relu(*inputs, negative_slope=self.negative_slope)


class Sigmoid(Module):
    """Logistic sigmoid, like ``torch.nn.Sigmoid``."""

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        return sigmoid(*inputs)


class Tanh(Module):
    """Hyperbolic tangent, like ``torch.nn.Tanh``."""

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        return tanh(*inputs)


@cache
def _one(dtype: torch.dtype) -> torch.Tensor:
    return torch.ones((), dtype=dtype)


class MSE(Module):
    """Mean squared error, like ``torch.nn.MSELoss``: ``forward(input, target)`` is a scalar.

    ``backward()`` returns the gradient with respect to the input only.

    Args:
        reduction: only ``"mean"``.
    """

    takes = 2
    loss_input_only = True

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction != "mean":
            raise SpecError(f"MSE: expected reduction 'mean', got {reduction!r}")

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        return mse(*inputs)

    def backward(self, *gradwrtoutput: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The gradient with respect to the input, times ``gradwrtoutput`` if given."""
        if not gradwrtoutput and self._latest is not None:
            gradwrtoutput = (_one(self._latest.backward.inputs["gradient0"].dtype),)
        return super().backward(*gradwrtoutput)
