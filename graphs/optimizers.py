"""Optimizers: how a parameter follows its gradient, as nodes of the graph.

An update is part of the compiled program. State (momentum, running means, the learning rate) lies
in parameters of the optimizer's own, so it survives from one program to another and the learning
rate can change between steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import torch

from engine import Graph, Program, Update, compile
from graphs.forward_backward import Trainable
from graphs.module import PROGRAMS_KEPT, Module
from ops import GraphError, Node, Parameter, sqrt, square
from ops.leaves import parameter as parameter_leaf


class Optimizer:
    """Base of optimizers: keeps state, and steps the parameters of a model if it has one.

    Args:
        lr: learning rate, positive; may be set anew at any time.
        model: what :meth:`step` updates. None for use with ``engine.compile(optimizer=...)``.

    Raises:
        GraphError: an argument is out of its range.
    """

    def __init__(self, lr: float, model: Module | None = None) -> None:
        self._lr = _positive("lr", lr)
        if not isinstance(model, Module | None):
            raise GraphError(f"expected a module as model, got {model!r}")
        self._model = model
        self._rates: dict[torch.dtype, Parameter] = {}
        self._state: dict[tuple[Parameter, str], Parameter] = {}
        self._forget()

    def _forget(self) -> None:
        self._program = lru_cache(PROGRAMS_KEPT)(self._compile)

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
        self._lr = _positive("lr", value)
        for rate in self._rates.values():
            rate.tensor.fill_(self._lr)

    def state(self, model: Module) -> dict[str, torch.Tensor]:
        """A copy of what is kept beside each parameter of a model: ``<parameter>/<what>``.

        Nothing is kept before a program that updates the parameter has been compiled. The learning
        rate is no part of it.
        """
        return {
            name: kept.tensor.clone(memory_format=torch.contiguous_format)
            for name, kept in self._named_state(model).items()
        }

    def load_state(self, model: Module, state: Mapping[str, torch.Tensor]) -> None:
        """Assign what :meth:`state` gave; nothing is changed if it does not fit.

        Raises:
            GraphError: a name is missing or unknown.
            FeedError: a shape differs.
        """
        named = self._named_state(model)
        if differing := sorted(named.keys() ^ state.keys()):
            raise GraphError(f"the optimizer's state does not fit the model: {differing[0]}")
        for name, kept in named.items():
            kept.require_shape(state[name], name)
        for name, kept in named.items():
            kept.assign(state[name])

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """The updates of a parameter and of the state that belongs to it."""
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
        if like.dtype not in self._rates:
            value = torch.tensor(self._lr, dtype=like.dtype)
            self._rates[like.dtype] = Parameter("learning rate", value)
        return _leaf("learning rate", self._rates[like.dtype])

    def _slot(self, parameter: Node, name: str, scalar: bool = False) -> Node:
        """State that belongs to a parameter: zero at first, of its shape or a scalar."""
        owner: Parameter = parameter.attributes["parameter"]
        if (owner, name) not in self._state:
            zeros = torch.zeros_like(owner.tensor[(0,) * scalar * owner.tensor.ndim])
            self._state[owner, name] = Parameter(f"{owner.name} {name}", zeros)
        return _leaf(f"{parameter.name} {name}", self._state[owner, name])


class SGD(Optimizer):
    """Stochastic gradient descent: ``w <- w - lr * g``, as in the report.

    With momentum m: ``b <- m * b + g``, ``w <- w - lr * b`` (Nesterov: ``w - lr * (g + m * b)``),
    as ``torch.optim.SGD`` without dampening.

    Args:
        lr: learning rate, positive.
        model: what :meth:`step` updates, if anything.
        momentum: in [0, 1).
        weight_decay: added to the gradient times the parameter; not negative.
        nesterov: look ahead; needs momentum.
    """

    def __init__(
        self,
        lr: float,
        model: Module | None = None,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(lr, model)
        self.momentum = _within("momentum", momentum)
        self.weight_decay = _not_negative("weight_decay", weight_decay)
        self.nesterov = nesterov
        if nesterov and not momentum:
            raise GraphError("nesterov=True needs a momentum above 0")

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """See :meth:`Optimizer.updates`."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        updates = []
        if self.momentum:
            velocity = self._slot(parameter, "momentum")
            moved = self.momentum * velocity + gradient
            updates.append(_update(velocity, moved))
            gradient = gradient + self.momentum * moved if self.nesterov else moved
        return [*updates, _update(parameter, parameter - self._rate(parameter) * gradient)]


class Adam(Optimizer):
    """Adam: steps of the running mean of gradients over the root of that of their squares.

    As ``torch.optim.Adam``. Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization",
    ICLR 2015.

    Args:
        lr: learning rate, positive.
        model: what :meth:`step` updates, if anything.
        betas: decay of the two running means, each in [0, 1).
        eps: added to the root; positive.
        weight_decay: added to the gradient times the parameter; not negative.
    """

    def __init__(
        self,
        lr: float = 1e-3,
        model: Module | None = None,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, model)
        self.betas = (_within("betas[0]", betas[0]), _within("betas[1]", betas[1]))
        self.eps = _positive("eps", eps)
        self.weight_decay = _not_negative("weight_decay", weight_decay)

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """See :meth:`Optimizer.updates`."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        mean, mean_updates = self._running_mean(parameter, gradient, "mean", self.betas[0])
        power, power_updates = self._running_mean(
            parameter, square(gradient), "mean square", self.betas[1]
        )
        step = self._rate(parameter) * mean / (sqrt(power) + self.eps)
        return [*mean_updates, *power_updates, _update(parameter, parameter - step)]

    def _running_mean(
        self, parameter: Node, value: Node, name: str, beta: float
    ) -> tuple[Node, list[Update]]:
        """A running mean without bias: its weights, 1 - beta**t, are a running mean of ones."""
        total, weight = self._slot(parameter, name), self._slot(parameter, f"{name} weight", True)
        new_total = beta * total + (1 - beta) * value
        new_weight = beta * weight + (1 - beta)
        return new_total / new_weight, [_update(total, new_total), _update(weight, new_weight)]


def _leaf(name: str, value: Parameter) -> Node:
    return parameter_leaf(name=name, parameter=value)


def _update(target: Node, value: Node) -> Update:
    return Update(target.attributes["parameter"], value)


def _positive(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise GraphError(f"expected {name} above 0 and finite, got {value!r}")
    return float(value)


def _not_negative(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not value >= 0:
        raise GraphError(f"expected {name} of at least 0, got {value!r}")
    return float(value)


def _within(name: str, value: float) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise GraphError(f"expected {name} in [0, 1), got {value!r}")
    return float(value)
