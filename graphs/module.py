"""Modules: the report's interface, explicit ``forward`` and ``backward``, on compiled programs.

A module defines once, in :meth:`Module.build`, what it computes on nodes. From that definition come
a compiled program for each input shape, its gradient, and its use as a part of larger graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from engine import Program
from graphs.caching import cached
from graphs.forward_backward import (
    InputSpec,
    Programs,
    compile_forward_backward,
)
from graphs.parts import Parts, Structure
from graphs.scope import name_of, scope, scoped
from ops import GraphError, Node
from ops.leaves import parameter as parameter_leaf

PROGRAMS_KEPT = 16
"""Number of shapes whose compiled programs a module keeps; the least recently used goes first."""


class Module(Parts):
    """Base class of modules.

    A subclass registers its parameters with :meth:`own`, keeps its submodules as attributes (or
    with :meth:`adopt`), and defines :meth:`build`. Changing an attribute changes what is computed
    from then on. A module is not thread-safe, since ``backward`` refers to the latest ``forward``;
    programs compiled from its graph are.
    """

    takes: ClassVar[int] = 1
    """Number of inputs."""

    loss_input_only: ClassVar[bool] = False
    """Whether ``backward`` returns only the gradient with respect to the first input."""

    # Programs belong to the parameters of the original.
    not_copied: ClassVar[frozenset[str]] = Parts.not_copied | {"_latest", "_programs"}

    def _forget(self) -> None:
        super()._forget()
        self._latest: Programs | None = None
        self._versions: list[tuple[int, int]] = []
        self._programs = cached(PROGRAMS_KEPT, self._compile)

    def adopt(self, name: str, module: Parts) -> None:
        """See :meth:`Parts.adopt`."""
        super().adopt(name, module)
        self._latest = None

    def build(self, *inputs: Node) -> Node:
        """Add this module's nodes to the graph of its inputs, and return its output."""
        raise NotImplementedError(f"{type(self).__name__} does not define build")

    def __call__(self, *inputs: Node, name: str = "") -> Node:
        """Call :meth:`build`, with the parameters' names prefixed.

        Args:
            inputs: nodes.
            name: the prefix; by default the name under which the module being built has adopted
                this one, or else the last that did.

        Raises:
            GraphError: an input is not a node (for tensors, call :meth:`forward`), or there are too
                few or too many inputs.
        """
        self._require_count(inputs)
        for value in inputs:
            if not isinstance(value, Node):
                raise GraphError(
                    f"{type(self).__name__}: expected nodes of a graph, got "
                    f"{type(value).__name__}; for tensors call forward"
                )
        parts = {module: name for name, module in self._parts.items()}
        with scope(name or name_of(self) or self._name, parts):
            return self.build(*inputs)

    def forward(self, *input: torch.Tensor) -> torch.Tensor:
        """Compute the output for float tensors, on their device. Keeps what ``backward`` needs.

        Raises:
            GraphError: an input is not a tensor, or there are too few or too many.
            SpecError: a shape or dtype does not fit.
        """
        self._require_count(input)
        specs = []
        for value in input:
            if not isinstance(value, torch.Tensor):
                raise GraphError(
                    f"{type(self).__name__}.forward: expected tensors, got {type(value).__name__}"
                )
            specs.append((value.shape, value.dtype))
        self._latest = self._programs(tuple(specs), input[0].device, self._structure())
        self._versions = self._parameter_versions()
        return self._latest.forward(**_feeds(self._latest.forward, "input", input))["output"]

    def backward(self, *gradwrtoutput: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Accumulate the parameters' gradients and return the gradient with respect to the input.

        With several inputs, returns a tuple.

        Args:
            gradwrtoutput: the gradient of the loss with respect to the output of the latest
                ``forward``.

        Raises:
            GraphError: there was no ``forward`` since the last ``backward``, a parameter has
                changed since, or there is not one gradient.
            FeedError: the gradient does not have the output's shape or dtype.
        """
        if self._latest is None:
            raise GraphError(f"{type(self).__name__}.backward: call forward before each backward")
        if self._versions != self._parameter_versions():
            raise GraphError(
                f"{type(self).__name__}.backward: a parameter has changed since forward, so its "
                "gradient cannot be computed; call forward again"
            )
        if len(gradwrtoutput) != 1:
            raise GraphError(
                f"{type(self).__name__}.backward: expected one gradient, got {len(gradwrtoutput)}"
            )
        program = self._latest.backward
        results = tuple(program(**_feeds(program, "gradient", gradwrtoutput)).values())
        self._latest = None
        return results[0] if len(results) == 1 else results

    def node(self, name: str) -> Node:
        """One of this module's own parameters, as a node of the graph being built."""
        return parameter_leaf(name=scoped(name), parameter=self._own[name].value)

    def _require_count(self, inputs: Sequence[object]) -> None:
        if len(inputs) != self.takes:
            raise GraphError(
                f"{type(self).__name__}: expected {self.takes} inputs, got {len(inputs)}"
            )

    def _compile(
        self, inputs: tuple[InputSpec, ...], device: torch.device, structure: Structure
    ) -> Programs:
        return compile_forward_backward(
            self, inputs, self.trainable(), device, self.loss_input_only
        )


def _feeds(program: Program, name: str, tensors: Sequence[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors by the names of inputs, without those that the program does not depend on."""
    named = {f"{name}{i}": tensor for i, tensor in enumerate(tensors)}
    if named.keys() == program.inputs.keys():
        return named
    return {name: tensor for name, tensor in named.items() if name in program.inputs}
