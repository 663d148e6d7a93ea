"""Building a graph by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from engine import Graph
from graphs.initializers import uniform_by_fan_in
from ops import Dim, GraphError, Node, Parameter, SpecError
from ops.dimension import Shape, to_shape
from ops.leaves import input, parameter
from ops.provenance import user_line
from ops.spec import FLOATS, dtype_name, format_shape

Initializer = Callable[[tuple[int, ...], torch.dtype], torch.Tensor]


class GraphBuilder:
    """Declares a graph's inputs, parameters and outputs; operators on its nodes do the rest.

    >>> from ops import relu
    >>> g = GraphBuilder("example")
    >>> x = g.input("x", ("N", 2))
    >>> graph = g.build(y=relu(x @ g.parameter("w", (2, 3))))
    >>> graph.outputs["y"].shape
    (N, 3)
    """

    def __init__(self, name: str, dtype: torch.dtype = torch.float32) -> None:
        if dtype not in FLOATS:
            raise SpecError(f"expected float32 or float64, got {dtype_name(dtype)}")
        self.name = name
        self.dtype = dtype
        self._leaves: dict[str, Node] = {}

    def input(
        self, name: str, shape: Iterable[int | str | Dim], dtype: torch.dtype | None = None
    ) -> Node:
        """Declare a value that is passed in at each call.

        Args:
            name: the keyword argument it is passed as.
            shape: sizes; a string names a dimension, which has one size wherever the name occurs.
            dtype: by default the builder's.

        Raises:
            GraphError: the name is taken or empty.
            SpecError: the shape or the dtype is invalid.
        """
        self._claim(name)
        sizes = _sizes(f"input {name!r}", shape)
        return self._keep(name, input(name=name, shape=sizes, dtype=dtype or self.dtype))

    def parameter(
        self, name: str, shape: Iterable[int], init: torch.Tensor | Initializer | None = None
    ) -> Node:
        """Declare a trainable tensor, which is stored outside the graph.

        Args:
            name: unique in the graph, such as ``down.weight``.
            shape: sizes, all known.
            init: its initial value, or a function of shape and dtype that makes it. By default,
                PyTorch's initialization of convolution and linear weights: uniform within
                ±1/sqrt(fan-in), and zero for a single axis (a bias).

        Raises:
            GraphError: the name is taken or empty.
            SpecError: the shape is invalid or differs from that of ``init``, or ``init`` does not
                give a tensor.
        """
        self._claim(name)
        given = _sizes(f"parameter {name!r}", shape)
        sizes = tuple(size for size in given if isinstance(size, int))
        if len(sizes) != len(given):
            raise SpecError(f"parameter {name!r}: expected known sizes, got {format_shape(given)}")
        if not isinstance(init, torch.Tensor):
            init = _initialized(
                name, uniform_by_fan_in if init is None else init, sizes, self.dtype
            )
        if tuple(init.shape) != sizes:
            raise SpecError(
                f"parameter {name!r}: expected a value of shape {format_shape(sizes)}, "
                f"got {format_shape(init.shape)}"
            )
        value = Parameter(name, init.to(self.dtype))
        return self._keep(name, parameter(name=name, parameter=value))

    def build(self, /, **outputs: Node) -> Graph:
        """Check and return the finished graph with these outputs.

        Raises:
            GraphError: there is no output, an output is not a node, or a name is used twice.
        """
        if not outputs:
            raise GraphError(f"graph {self.name!r}: expected at least one output, as build(y=y)")
        for name, node in outputs.items():
            if not isinstance(node, Node):
                raise GraphError(
                    f"graph {self.name!r}: output {name!r} is no node but a {type(node).__name__}"
                )
        return Graph(outputs)

    def _claim(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise GraphError(f"graph {self.name!r}: expected a name, got {name!r}")
        if name in self._leaves:
            taken = self._leaves[name]
            raise GraphError(
                f"graph {self.name!r}: the name {name!r} is taken by the {taken.operator.name} "
                f"at {taken.provenance}"
            )

    def _keep(self, name: str, node: Node) -> Node:
        self._leaves[name] = node
        return node


def _sizes(what: str, shape: Iterable[int | str | Dim]) -> Shape:
    try:
        return to_shape(shape)
    except SpecError as error:
        filename, line = user_line()
        raise SpecError(f"{what}: {error}\n  at {filename}:{line}", error.reason) from None


def _initialized(
    name: str, init: Initializer, sizes: tuple[int, ...], dtype: torch.dtype
) -> torch.Tensor:
    value = init(sizes, dtype) if callable(init) else init
    if not isinstance(value, torch.Tensor):
        raise SpecError(
            f"parameter {name!r}: expected init to be or to make a tensor, "
            f"got {type(value).__name__}"
        )
    return value
