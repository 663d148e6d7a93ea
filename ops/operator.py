"""Operators: the meaning of a node, as three functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch

from ops.arguments import as_nodes, located, require_one_dtype
from ops.errors import GraphError, SpecError
from ops.node import Node, Scalar
from ops.provenance import here
from ops.registry import REGISTRY
from ops.spec import Spec


@dataclass(frozen=True, eq=False, repr=False)
class Operator:
    """A frozen record of three functions. Calling it on nodes adds a node. See :func:`operator`."""

    name: str
    infer: Callable[..., Spec]
    forward: Callable[..., torch.Tensor]
    vjp: Callable[..., Any] | None
    named: tuple[str, ...]
    no_gradient: frozenset[str]
    declared_in: str
    module: str | None
    inputs: tuple[str, ...] = field(init=False)
    variadic: bool = field(init=False)
    attributes: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        parameters = _parameters(self.name, self.forward, self.named)
        tensors = [p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)]
        inputs = tuple(p.name for p in tensors)
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "variadic", any(p.kind is p.VAR_POSITIONAL for p in tensors))
        defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        required = dict.fromkeys(self.named, inspect.Parameter.empty)
        object.__setattr__(self, "attributes", required | defaults)
        if unknown := self.no_gradient - set(inputs):
            raise GraphError(
                f"operator {self.name!r} has inputs {', '.join(inputs)}; "
                f"no_gradient names {', '.join(sorted(unknown))}"
            )

    def __repr__(self) -> str:
        return f"<operator {self.name}>"

    def __call__(self, *arguments: Node | Scalar | torch.Tensor, **attributes: Any) -> Node:
        """Add a node. Numbers and tensors among the inputs become constants.

        Attributes may follow the inputs positionally, in the order of their declaration, and inputs
        may be given by name.
        """
        try:
            values, bound = self._bind(arguments, attributes)
            inputs = as_nodes(values)
            require_one_dtype(inputs)
            spec = self._inferred(inputs, bound)
        except SpecError as error:
            raise located(error, self.name, arguments, attributes) from error.__cause__
        return Node(self, inputs, bound, spec, here())

    def _inferred(self, inputs: Iterable[Node], attributes: Mapping[str, Any]) -> Spec:
        try:
            spec = self.infer(*(node.spec for node in inputs), **attributes)
        except SpecError:
            raise
        except Exception as error:
            raise SpecError(f"its infer failed: {type(error).__name__}: {error}") from error
        if not isinstance(spec, Spec):
            raise SpecError(f"its infer gave no Spec but {spec!r}")
        return spec

    def carries_gradient(self, position: int) -> bool:
        """Whether the input at ``position`` may have a nonzero derivative."""
        name = self.inputs[0 if self.variadic else position]
        return name not in self.no_gradient

    def _bind(
        self, arguments: tuple[Any, ...], attributes: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(attributes)
        if not self.variadic:
            following = takewhile(named.__contains__, self.inputs[len(arguments) :])
            arguments += tuple(map(named.pop, following))
        count = len(arguments) if self.variadic else len(self.inputs)
        if len(arguments) < count or (self.variadic and not arguments):
            missing = ", ".join(self.inputs[len(arguments) :])
            raise SpecError(f"expected {len(self.inputs)} inputs, missing {missing}")
        extra = arguments[count:]
        if len(extra) > len(self.attributes):
            raise SpecError(
                f"expected at most {count} inputs and {len(self.attributes)} attributes, "
                f"got {len(arguments)} arguments"
            )
        given = dict(zip(self.attributes, extra, strict=False))
        if twice := {*self.inputs, *given} & set(named):
            raise SpecError(f"{', '.join(sorted(twice))} given twice")
        given |= named
        if unknown := set(given) - set(self.attributes):
            known = ", ".join(self.attributes) or "none"
            raise SpecError(f"unknown attribute {', '.join(sorted(unknown))} (it has: {known})")
        bound = dict(self.attributes) | given
        if absent := [name for name, value in bound.items() if value is inspect.Parameter.empty]:
            raise SpecError(f"missing attribute {', '.join(absent)}")
        return arguments[:count], {name: _frozen(value) for name, value in bound.items()}


def operator(
    name: str,
    *,
    infer: Callable[..., Spec],
    forward: Callable[..., torch.Tensor],
    vjp: Callable[..., Any] | None = None,
    attributes: Iterable[str] = (),
    no_gradient: Iterable[str] = (),
    doc: str | None = None,
) -> Operator:
    """Declare an operator.

    Args:
        name: unique among operators.
        infer: ``(*specs, **attributes) -> Spec``; raises :class:`ops.SpecError` on input that
            ``forward`` cannot take.
        forward: ``(*tensors, *, **attributes) -> tensor``, its meaning in plain tensor calls. Its
            positional parameters are the inputs, its keyword-only parameters the attributes. For
            the same arguments it must return the same values: the engine computes equal nodes once,
            those of constants ahead of time, and may compute a node twice.
        vjp: ``(gradient, output, *inputs, **attributes) -> gradients``, the derivative rule,
            written in operators: one gradient per input (a bare node if there is one input). It may
            return a gradient of the output's broadcast shape; the engine sums it to the input's
            shape. If None, differentiating through the operator is an error.
        attributes: the names of all attributes, if ``forward`` takes some as ``**attributes``.
        no_gradient: names of the inputs whose derivative is zero or undefined everywhere; ``vjp``
            returns None for them.
        doc: the docstring; by default that of ``forward``.

    Raises:
        GraphError: another operator has this name, ``forward`` does not name its parameters and
            neither does ``attributes``, or ``no_gradient`` names no input.

    >>> from ops import absolute, same_as_input, square
    >>> softsign = operator(
    ...     "softsign",
    ...     infer=same_as_input,
    ...     forward=lambda x: x / (1 + x.abs()),
    ...     vjp=lambda grad, y, x: grad * square(1 - absolute(y)),
    ... )
    """
    caller = sys._getframe(1)
    declared_in = caller.f_code.co_filename
    existing = REGISTRY.get(name)
    # Rerunning a script or a notebook cell declares its operators again, which replaces them.
    # Every run of a cell has its own file name, but the module stays the same.
    module = caller.f_globals.get("__name__")
    again = existing is not None and (
        existing.declared_in == declared_in or existing.module == module == "__main__"
    )
    if existing is not None and not again:
        raise GraphError(
            f"an operator named {name!r} exists already (declared in {existing.declared_in}); "
            f"choose another name at {declared_in}:{caller.f_lineno}"
        )
    record = Operator(
        name, infer, forward, vjp, tuple(attributes), frozenset(no_gradient), declared_in, module
    )
    object.__setattr__(record, "__doc__", doc or forward.__doc__)
    REGISTRY[name] = record
    return record


def _parameters(
    name: str, forward: Callable[..., torch.Tensor], named: Collection[str]
) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except ValueError:
        raise GraphError(
            f"operator {name!r}: forward={forward!r} does not tell its parameters; "
            "wrap it, as forward=lambda x: ..."
        ) from None
    if not named and any(p.kind is p.VAR_KEYWORD for p in parameters):
        raise GraphError(f"operator {name!r}: forward must name its attributes, not take **kwargs")
    return parameters


def _frozen(value: Any) -> Any:
    """An immutable copy of an attribute, so that the user may change what they passed."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return tuple(map(_frozen, value)) if isinstance(value, list | range) else value
