"""Chains of modules."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from graphs.convolutions import Conv2d
from graphs.layers import NearestUpsampling
from graphs.module import Module
from ops import GraphError, Node
from ops.windows import Pair


class Sequential(Module):
    """A chain of modules: each takes the output of the one before it.

    The whole chain is one graph, compiled once per shape. Parameters are named by position, as in
    ``torch.nn.Sequential``: ``0.weight``.

    Args:
        modules: in order.

    Raises:
        GraphError: an argument is not a module.
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        self.add_modules(*modules)

    def add_modules(self, *modules: Module) -> None:
        """Add modules at the end."""
        for module in modules:
            if not isinstance(module, Module):
                raise GraphError(
                    f"Sequential: expected modules, as Sequential(Conv2d(3, 8, 3), ReLU()), "
                    f"got {module!r}"
                )
        for module in modules:
            self.adopt(str(len(self)), module)

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (value,) = inputs
        for name, module in self._parts.items():
            value = module(value, name=name)
        return value

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._parts.values())

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


class Upsampling(Sequential):
    """The report's upsampling: nearest-neighbour, then a convolution.

    Equivalent to
    ``torch.nn.Sequential(UpsamplingNearest2d(scale_factor=scale_factor), Conv2d(...))``.

    Args:
        scale_factor: of the nearest-neighbour upsampling.
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, device,
            dtype: of the convolution, see :class:`Conv2d`.
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
        *,
        scale_factor: int | Pair = 2,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        window = (kernel_size, stride, padding, dilation, groups)
        super().__init__(
            NearestUpsampling(scale_factor),
            Conv2d(in_channels, out_channels, *window, bias, device=device, dtype=dtype),
        )

    @property
    def convolution(self) -> Conv2d:
        """The convolution."""
        convolution = self[1]
        assert isinstance(convolution, Conv2d)
        return convolution

    @property
    def weight(self) -> torch.Tensor:
        """The convolution's weight."""
        return self.convolution.weight

    @weight.setter
    def weight(self, value: torch.Tensor) -> None:
        self.convolution.weight = value

    @property
    def bias(self) -> torch.Tensor | None:
        """The convolution's bias, or None."""
        return self.convolution.bias

    @bias.setter
    def bias(self, value: torch.Tensor) -> None:
        self.convolution.bias = value
