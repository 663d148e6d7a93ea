"""Convolutions, with the arguments, defaults and initial weights of their PyTorch counterparts."""

from __future__ import annotations

import torch

from graphs.initializers import fan_in, uniform_by_fan_in, uniform_within
from graphs.module import Module
from ops import Node, SpecError, conv2d, conv_transpose2d
from ops.windows import Pair, to_pair


class Weighted(Module):
    """A layer with a weight and an optional bias."""

    @property
    def weight(self) -> torch.Tensor:
        """The weight itself, not a copy; assigning copies the value in."""
        return self._own["weight"].value.tensor

    @weight.setter
    def weight(self, value: torch.Tensor) -> None:
        self._own["weight"].value.assign(value)

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias itself, not a copy, or None; assigning copies the value in."""
        return self._own["bias"].value.tensor if "bias" in self._own else None

    @bias.setter
    def bias(self, value: torch.Tensor) -> None:
        if "bias" not in self._own:
            raise SpecError(f"this {type(self).__name__} was made without a bias")
        self._own["bias"].value.assign(value)

    def _start(
        self,
        shape: tuple[int, ...],
        channels: int,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        """Draw the initial weights as PyTorch does: He et al., 2015, with a = sqrt(5)."""
        dtype = dtype or torch.float32
        self.own("weight", uniform_by_fan_in(shape, dtype).to(device))
        if bias:
            bound = 1 / max(1, fan_in(shape)) ** 0.5
            self.own("bias", uniform_within(bound, (channels,), dtype).to(device))

    def _bias_node(self) -> Node | None:
        return self.node("bias") if "bias" in self._own else None


class Conv2d(Weighted):
    """Two-dimensional convolution, like ``torch.nn.Conv2d`` with zero padding.

    Args:
        in_channels, out_channels: divisible by ``groups``.
        kernel_size, stride, padding, dilation: an int or (vertical, horizontal); padding may be
            ``"same"`` or ``"valid"``.
        groups, bias: as in PyTorch.
        padding_mode: only ``"zeros"``.

    Raises:
        SpecError: an argument is out of its range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _require_channels("Conv2d", in_channels, out_channels, groups)
        if padding_mode != "zeros":
            raise SpecError(f"Conv2d: expected padding_mode 'zeros', got {padding_mode!r}")
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.padding = padding
        kernel = to_pair(kernel_size, "kernel_size", 1)
        shape = (out_channels, in_channels // groups, *kernel)
        self._start(shape, out_channels, bias, device, dtype)

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return conv2d(
            x,
            self.node("weight"),
            self._bias_node(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )


class TransposeConv2d(Weighted):
    """Transposed convolution, like ``torch.nn.ConvTranspose2d`` with zero padding.

    Args:
        in_channels, out_channels: divisible by ``groups``.
        kernel_size, stride, padding, output_padding, dilation: an int or (vertical, horizontal).
        groups, bias: as in PyTorch.
        padding_mode: only ``"zeros"``.

    Raises:
        SpecError: an argument is out of its range.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        output_padding: int | Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Pair = 1,
        padding_mode: str = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _require_channels("TransposeConv2d", in_channels, out_channels, groups)
        if padding_mode != "zeros":
            raise SpecError(f"TransposeConv2d: expected padding_mode 'zeros', got {padding_mode!r}")
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.output_padding, self.groups = output_padding, groups
        kernel = to_pair(kernel_size, "kernel_size", 1)
        shape = (in_channels, out_channels // groups, *kernel)
        self._start(shape, out_channels, bias, device, dtype)

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return conv_transpose2d(
            x,
            self.node("weight"),
            self._bias_node(),
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


def _require_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    for what, value in (
        ("in_channels", in_channels),
        ("out_channels", out_channels),
        ("groups", groups),
    ):
        if not isinstance(value, int) or value < 1:
            raise SpecError(f"{name}: expected {what} of at least 1, got {value!r}")
    if in_channels % groups or out_channels % groups:
        raise SpecError(
            f"{name}: expected channels divisible into {groups} groups, "
            f"got {in_channels} in and {out_channels} out"
        )
