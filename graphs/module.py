"""Modules: the report's interface, ``forward`` and ``backward`` by hand, over compiled programs.

A module says once, in :meth:`Module.build`, what it computes on nodes. From that come a program for
every shape it meets, its gradient, and its use as a part of larger graphs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import torch

from graphs.forward_backward import (
    InputSpec,
    Programs,
    Trainable,
    compile_forward_backward,
)
from graphs.scope import scope, scoped
from ops import GraphError, Node, Parameter
from ops.leaves import parameter as parameter_leaf

PROGRAMS_KEPT = 16
"""Shapes for which a module keeps its compiled programs; the least recently used goes first."""

LISTED = 10
"""Names in a message."""

Structure = tuple[tuple["Module", int], ...]

_NOT_COPIED = {"_latest", "_programs", "_named", "_unique", "_remembered", "_remembered_at"}


class Module:
    """Base of modules.

    A subclass keeps its parameters with :meth:`own` and its parts as attributes (or by
    :meth:`adopt`), and defines :meth:`build`. Changing an attribute changes what is computed from
    then on. A module is not safe to call from several threads, since ``backward`` refers to
    the latest ``forward``; programs compiled from its graph are.
    """

    edits: ClassVar[int] = 0
    """How often any module has been edited: until then structures and names are remembered."""

    takes: ClassVar[int] = 1
    """How many inputs."""

    loss_input_only: ClassVar[bool] = False
    """Whether ``backward`` gives the gradient by the first input alone."""

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
        self._edited()

    def _forget(self) -> None:
        self._latest: Programs | None = None
        self._versions: list[int] = []
        self._remembered: Structure = ()
        self._remembered_at = -1
        self._programs = lru_cache(PROGRAMS_KEPT)(self._compile)
        self._named = lru_cache(1)(self._name_trainable)
        self._unique = lru_cache(1)(self._list_trainable)

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
        """:meth:`build`, with the names of its parameters prefixed.

        Args:
            inputs: nodes.
            name: the prefix; by default the name under which another module has adopted this one.

        Raises:
            GraphError: an input is no node, tensors being for :meth:`forward`; or there are too few
                or too many.
        """
        self._require_count(inputs)
        for value in inputs:
            if not isinstance(value, Node):
                raise GraphError(
                    f"{type(self).__name__}: expected nodes of a graph, got "
                    f"{type(value).__name__}; for tensors call forward"
                )
        with scope(name or self._name):
            return self.build(*inputs)

    def forward(self, *input: torch.Tensor) -> torch.Tensor:
        """The output for float tensors, on their device. Remembers what ``backward`` needs.

        Raises:
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
        return self._latest.forward(**_named("input", input))["output"]

    def backward(self, *gradwrtoutput: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Add the parameters' gradients to those accumulated, return the gradient by the input.

        Args:
            gradwrtoutput: the gradient of the loss by the output of the latest ``forward``.

        Raises:
            GraphError: there was no ``forward`` since the last ``backward``, or a parameter has
                changed since.
            FeedError: the gradient has not the output's shape or dtype.
        """
        if self._latest is None:
            raise GraphError(f"{type(self).__name__}.backward: call forward before each backward")
        if self._versions != self._parameter_versions():
            raise GraphError(
                f"{type(self).__name__}.backward: a parameter has changed since forward, so its "
                "gradient cannot be computed; call forward again"
            )
        latest, self._latest = self._latest, None
        results = tuple(latest.backward(**_named("gradient", gradwrtoutput)).values())
        return results[0] if len(results) == 1 else results

    def param(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Every (parameter, gradient), weight before bias, in the order of the modules.

        The tensors are the live ones.
        """
        return [(value.tensor, slope.tensor) for value, slope in self.trainable()]

    def zero_grad(self) -> None:
        """Forget the accumulated gradients."""
        for _, slope in self.trainable():
            slope.tensor.zero_()

    def trainable(self) -> list[Trainable]:
        """Every parameter with its gradient; one that is shared stands once."""
        return list(self._unique(self._structure()))

    def named_trainable(self) -> dict[str, Trainable]:
        """The same by name, as in a PyTorch ``state_dict``: ``0.weight``."""
        return self._named(self._structure())

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of every parameter by its name in an equal PyTorch model's ``state_dict``."""
        return {
            name: t.value.tensor.clone(memory_format=torch.contiguous_format)
            for name, t in self.named_trainable().items()
        }

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Assign every parameter; nothing is changed if one does not fit.

        Raises:
            GraphError: a name is missing or unknown.
            FeedError: a shape differs, or something is no tensor.
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
        for name, t in named.items():
            t.value.assign(state[name])

    @property
    def device(self) -> torch.device:
        """Where the parameters are; the CPU if there are none."""
        return next((t.value.tensor.device for t in self.trainable()), torch.device("cpu"))

    def own(self, name: str, tensor: torch.Tensor) -> None:
        """Keep a parameter of this name, with a gradient beside it."""
        value = Parameter(name, tensor)
        slope = Parameter(f"{name} gradient", torch.zeros_like(value.tensor))
        self._own[name] = Trainable(value, slope)
        self._edited()

    def adopt(self, name: str, module: Module) -> None:
        """Keep a part, whose parameters are named ``<name>.<...>``."""
        if any(self is part for part, _ in module._structure()):
            raise GraphError(f"{type(self).__name__}: a module cannot be a part of itself")
        self._parts[name] = module
        self._edited()
        self._latest = None
        module._name = name

    def node(self, name: str) -> Node:
        """An own parameter as a node of the graph that is being built."""
        return parameter_leaf(name=scoped(name), parameter=self._own[name].value)

    def _structure(self) -> Structure:
        """This module and every part of its parts, with how often each has been edited."""
        if self._remembered_at != Module.edits:
            parts = (entry for part in self._parts.values() for entry in part._structure())
            self._remembered = ((self, self._edits), *parts)
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

    def _parameter_versions(self) -> list[int]:
        """torch's count of the writes to each parameter."""
        return [value.tensor._version for value, _ in self._unique(self._structure())]

    def _require_count(self, inputs: Sequence[object]) -> None:
        if len(inputs) != self.takes:
            raise GraphError(
                f"{type(self).__name__}: expected {self.takes} inputs, got {len(inputs)}"
            )

    def _compile(
        self, inputs: tuple[InputSpec, ...], device: torch.device, structure: Structure
    ) -> Programs:
        return compile_forward_backward(
            self.build, inputs, self.trainable(), device, self.loss_input_only
        )


def _named(name: str, tensors: tuple[torch.Tensor, ...]) -> dict[str, torch.Tensor]:
    return {f"{name}{i}": tensor for i, tensor in enumerate(tensors)}


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED]) or "none"
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
