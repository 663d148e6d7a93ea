"""Modules: the report's interface, explicit ``forward`` and ``backward``, on compiled programs.

A module defines once, in :meth:`Module.build`, what it computes on nodes. From that definition come
a compiled program for each input shape, its gradient, and its use as a part of larger graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from engine import Program
from graphs.caching import cached
from graphs.forward_backward import (
    InputSpec,
    Programs,
    Trainable,
    compile_forward_backward,
)
from graphs.scope import name_of, scope, scoped
from ops import GraphError, Node, Parameter
from ops.leaves import parameter as parameter_leaf

PROGRAMS_KEPT = 16
"""Number of shapes whose compiled programs a module keeps; the least recently used goes first."""

LISTED = 10
"""The most names listed in a message."""

Structure = tuple[tuple[object, int], ...]

_NOT_COPIED = {
    "_identity", "_latest", "_programs", "_named", "_unique", "_remembered", "_remembered_at"
}  # fmt: skip


class Module:
    """Base class of modules.

    A subclass registers its parameters with :meth:`own`, keeps its submodules as attributes (or
    with :meth:`adopt`), and defines :meth:`build`. Changing an attribute changes what is computed
    from then on. A module is not thread-safe, since ``backward`` refers to the latest ``forward``;
    programs compiled from its graph are.
    """

    edits: ClassVar[int] = 0
    """Count of edits to any module; cached structures and names are valid while it is unchanged."""

    takes: ClassVar[int] = 1
    """Number of inputs."""

    loss_input_only: ClassVar[bool] = False
    """Whether ``backward`` returns only the gradient with respect to the first input."""

    def __init__(self) -> None:
        self._own: dict[str, Trainable] = {}
        self._parts: dict[str, Module] = {}
        self._name = ""
        self._edits = 0
        self._forget()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name.startswith("_") or isinstance(getattr(type(self), name, None), property):
            return
        if "_edits" not in vars(self):
            raise GraphError(
                f"{type(self).__name__}: call super().__init__() before setting {name}"
            )
        if isinstance(value, Module):
            self.adopt(name, value)
        else:
            self._parts.pop(name, None)
        self._edited()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._parts.pop(name, None)
        self._edited()

    def _forget(self) -> None:
        self._latest: Programs | None = None
        self._versions: list[tuple[int, int]] = []
        self._identity = object()
        self._remembered: Structure = ()
        self._remembered_at = -1
        self._programs = cached(PROGRAMS_KEPT, self._compile)
        self._named = cached(1, self._name_trainable)
        self._unique = cached(1, self._list_trainable)

    def __getstate__(self) -> dict[str, Any]:
        # Programs are not copied: they belong to the parameters of the original.
        return {k: v for k, v in vars(self).items() if k not in _NOT_COPIED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

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
            GraphError: there was no ``forward`` since the last ``backward``, or a parameter has
                changed since.
            FeedError: the gradient does not have the output's shape or dtype.
        """
        if self._latest is None:
            raise GraphError(f"{type(self).__name__}.backward: call forward before each backward")
        if self._versions != self._parameter_versions():
            raise GraphError(
                f"{type(self).__name__}.backward: a parameter has changed since forward, so its "
                "gradient cannot be computed; call forward again"
            )
        program = self._latest.backward
        results = tuple(program(**_feeds(program, "gradient", gradwrtoutput)).values())
        self._latest = None
        return results[0] if len(results) == 1 else results

    def param(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """List every (parameter, gradient), weight before bias, in the order of the modules.

        These are the tensors themselves, not copies.
        """
        return [(value.tensor, slope.tensor) for value, slope in self.trainable()]

    def zero_grad(self) -> None:
        """Set the accumulated gradients to zero."""
        for _, slope in self.trainable():
            slope.tensor.zero_()

    def trainable(self) -> list[Trainable]:
        """Every parameter with its gradient; a shared parameter is listed once."""
        return list(self._unique(self._structure()))

    def named_trainable(self) -> dict[str, Trainable]:
        """Every parameter with its gradient, by its PyTorch ``state_dict`` name: ``0.weight``."""
        return self._named(self._structure())

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of every parameter, by its ``state_dict`` name in the same model in PyTorch."""
        return {
            name: t.value.tensor.clone(memory_format=torch.contiguous_format)
            for name, t in self.named_trainable().items()
        }

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Assign every parameter; if one does not fit, nothing is changed.

        Raises:
            GraphError: a name is missing or unknown.
            FeedError: a shape differs, or a value is not a tensor.
        """
        named = self.named_trainable()
        missing = [name for name in named if name not in state]
        unknown = [name for name in state if name not in named]
        if missing or unknown:
            raise GraphError(
                f"the weights do not fit {type(self).__name__}: "
                f"missing {_some(missing)}; unknown {_some(unknown)}"
            )
        for name, t in named.items():
            t.value.require_shape(state[name], name)
        # Copies first, since what is assigned may be other parameters of this module.
        copies = {name: state[name].detach().clone() for name in named}
        for name, t in named.items():
            t.value.assign(copies[name])

    @property
    def device(self) -> torch.device:
        """The parameters' device; the CPU if there are none."""
        return next((t.value.tensor.device for t in self.trainable()), torch.device("cpu"))

    def own(self, name: str, tensor: torch.Tensor) -> None:
        """Register a tensor as a parameter of this name, with a gradient of its own."""
        value = Parameter(name, tensor)
        slope = Parameter(f"{name} gradient", torch.zeros_like(value.tensor))
        self._own[name] = Trainable(value, slope)
        self._edited()

    def adopt(self, name: str, module: Module) -> None:
        """Register a submodule, whose parameters are named ``<name>.<...>``.

        Raises:
            GraphError: this module is the submodule or a part of it.
        """
        if any(self._identity is part for part, _ in module._structure()):
            raise GraphError(f"{type(self).__name__}: a module cannot be a part of itself")
        self._parts[name] = module
        self._edited()
        self._latest = None
        module._name = name

    def node(self, name: str) -> Node:
        """One of this module's own parameters, as a node of the graph being built."""
        return parameter_leaf(name=scoped(name), parameter=self._own[name].value)

    def _structure(self) -> Structure:
        """This module and all its submodules, recursively, each with its count of edits.

        Identities stand for the modules, which nothing that remembers a structure keeps alive.
        """
        if self._remembered_at != Module.edits:
            parts = (entry for part in self._parts.values() for entry in part._structure())
            self._remembered = ((self._identity, self._edits), *parts)
            self._remembered_at = Module.edits
        return self._remembered

    def _edited(self) -> None:
        self._edits += 1
        Module.edits += 1

    def _name_trainable(self, structure: Structure) -> dict[str, Trainable]:
        named = dict(self._own)
        for part, module in self._parts.items():
            named |= {f"{part}.{name}": t for name, t in module.named_trainable().items()}
        return named

    def _list_trainable(self, structure: Structure) -> tuple[Trainable, ...]:
        return tuple(dict.fromkeys(self._named(structure).values()))

    def _parameter_versions(self) -> list[tuple[int, int]]:
        """How often each parameter was written to by torch, and by programs."""
        values = [value for value, _ in self._unique(self._structure())]
        return [(value.tensor._version, value.updates) for value in values]

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


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED]) or "none"
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
