"""What optimizers have in common: state, a learning rate, and perhaps a model to step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from engine import Graph, Program, Update, compile
from graphs.caching import cached
from graphs.forward_backward import Trainable
from graphs.module import PROGRAMS_KEPT, Module
from graphs.optimizers.ranges import positive
from ops import GraphError, Node, Parameter
from ops.leaves import parameter as parameter_leaf
from ops.spec import dtype_name


class Optimizer:
    """Base class of optimizers: keeps state, and steps the parameters of a model if it has one.

    Args:
        lr: learning rate, positive; may be changed at any time. Other settings may be changed for
            :meth:`step`; programs that were compiled with this optimizer keep theirs.
        model: the module that :meth:`step` updates. None for use with
            ``engine.compile(optimizer=...)``.

    Raises:
        GraphError: an argument is out of its range.
    """

    def __init__(self, lr: float, model: Module | None = None) -> None:
        self._lr = positive("lr", lr)
        if not isinstance(model, Module | None):
            raise GraphError(f"expected a module as model, got {model!r}")
        self._model = model
        self._rates: dict[torch.dtype, Parameter] = {}
        self._state: dict[tuple[Parameter, str], Parameter] = {}
        self._forget()

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        is_setting = not name.startswith("_") and name not in vars(Optimizer)
        if is_setting:
            self._forget()

    def _forget(self) -> None:
        self._program = cached(PROGRAMS_KEPT, self._compile)

    def __getstate__(self) -> dict[str, Any]:
        # Programs are not copied: they belong to the parameters of the original.
        return {k: v for k, v in vars(self).items() if k != "_program"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = positive("lr", value)
        for rate in self._rates.values():
            rate.tensor.fill_(self._lr)

    def state(self, model: Module) -> dict[str, torch.Tensor]:
        """A copy of the state of each parameter of a model, named ``<parameter>/<what>``.

        A parameter has no state before a program that updates it has been compiled. The learning
        rate is not included.
        """
        return {
            name: kept.tensor.clone(memory_format=torch.contiguous_format)
            for name, kept in self._named_state(model).items()
        }

    def load_state(self, model: Module, state: Mapping[str, torch.Tensor]) -> None:
        """Assign what :meth:`state` returned; if it does not fit, nothing is changed.

        Raises:
            GraphError: a name is missing or unknown.
            FeedError: a shape differs.
        """
        named = self._named_state(model)
        if differing := sorted(named.keys() ^ state.keys()):
            raise GraphError(f"the optimizer's state does not fit the model: {differing[0]}")
        for name, kept in named.items():
            kept.require_shape(state[name], name)
        copies = {name: state[name].detach().clone() for name in named}  # they may be live
        for name, kept in named.items():
            kept.assign(copies[name])

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """The updates of a parameter and of its state."""
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter of the model by the gradient it has accumulated.

        Raises:
            GraphError: the optimizer was made without a model.
        """
        if self._model is None:
            raise GraphError(f"{type(self).__name__}.step() needs a model: pass one, as model=net")
        self._program(tuple(self._model.named_trainable().items()), self._model.device)()

    def _named_state(self, model: Module) -> dict[str, Parameter]:
        names = {t.value: name for name, t in model.named_trainable().items()}
        return {
            f"{names[owner]}/{what}": kept
            for (owner, what), kept in self._state.items()
            if owner in names
        }

    def _compile(self, trainable: Iterable[tuple[str, Trainable]], device: torch.device) -> Program:
        first_names = {t: name for name, t in reversed(tuple(trainable))}
        updates = [
            update
            for (value, slope), name in reversed(first_names.items())
            for update in self.updates(_leaf(name, value), _leaf(f"{name} gradient", slope))
        ]
        return compile(Graph({}, tuple(updates)), device=device)

    def _rate(self, like: Node) -> Node:
        """The learning rate as a scalar node."""
        name = f"learning rate in {dtype_name(like.dtype)}"
        if like.dtype not in self._rates:
            self._rates[like.dtype] = Parameter(name, torch.tensor(self._lr, dtype=like.dtype))
        return _leaf(name, self._rates[like.dtype])

    def _slot(self, parameter: Node, name: str, scalar: bool = False) -> Node:
        """State of a parameter: initially zero, with the parameter's shape or a scalar."""
        owner: Parameter = parameter.attributes["parameter"]
        if (owner, name) not in self._state:
            zeros = owner.tensor.new_zeros(()) if scalar else torch.zeros_like(owner.tensor)
            self._state[owner, name] = Parameter(f"{owner.name} {name}", zeros)
        return _leaf(f"{parameter.name} {name}", self._state[owner, name])


def _leaf(name: str, value: Parameter) -> Node:
    return parameter_leaf(name=name, parameter=value)


def update(target: Node, value: Node) -> Update:
    """The update that assigns a value to a parameter, given as its node."""
    return Update(target.attributes["parameter"], value)
