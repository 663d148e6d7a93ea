"""Named parameters in a tree of parts, which may be edited at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from graphs.caching import cached
from graphs.forward_backward import Trainable
from ops import GraphError, Parameter

LISTED = 10
"""The most names listed in a message."""

Structure = tuple[tuple[object, int], ...]


class Parts:
    """Parameters of its own and parts that have parameters, recursively: what a module is made of.

    An attribute that is set to parts is one of them, see :meth:`adopt`.
    """

    edits: ClassVar[int] = 0
    """Count of edits to any parts; cached structures and names are valid while it is unchanged."""

    not_copied: ClassVar[frozenset[str]] = frozenset(
        {"_identity", "_named", "_unique", "_remembered", "_remembered_at"}
    )
    """Attributes that a copy makes anew."""

    def __init__(self) -> None:
        self._own: dict[str, Trainable] = {}
        self._parts: dict[str, Any] = {}
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
        if isinstance(value, Parts):
            self.adopt(name, value)
        else:
            self._parts.pop(name, None)
        self._edited()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._parts.pop(name, None)
        self._edited()

    def _forget(self) -> None:
        self._identity = object()
        self._remembered: Structure = ()
        self._remembered_at = -1
        self._named = cached(1, self._name_trainable)
        self._unique = cached(1, self._list_trainable)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in self.not_copied}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

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

    def adopt(self, name: str, module: Parts) -> None:
        """Register a submodule, whose parameters are named ``<name>.<...>``.

        Raises:
            GraphError: this module is the submodule or a part of it.
        """
        if any(self._identity is part for part, _ in module._structure()):
            raise GraphError(f"{type(self).__name__}: a module cannot be a part of itself")
        self._parts[name] = module
        self._edited()
        module._name = name

    def _structure(self) -> Structure:
        """This module and all its submodules, recursively, each with its count of edits.

        Identities stand for the modules, which nothing that remembers a structure keeps alive.
        """
        if self._remembered_at != Parts.edits:
            parts = (entry for part in self._parts.values() for entry in part._structure())
            self._remembered = ((self._identity, self._edits), *parts)
            self._remembered_at = Parts.edits
        return self._remembered

    def _edited(self) -> None:
        self._edits += 1
        Parts.edits += 1

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


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:LISTED]) or "none"
    return shown if len(names) <= LISTED else f"{shown} and {len(names) - LISTED} more"
