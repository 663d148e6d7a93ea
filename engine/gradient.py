"""Reverse-mode differentiation as a graph transformation.

Source: Griewank and Walther, "Evaluating Derivatives", 2nd ed., 2008, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.order import topological
from ops import GradientError, Node, SpecError, full, sum_to
from ops.dimension import surely_differ
from ops.provenance import gradient_of
from ops.spec import FLOATS, Spec


def gradient(output: Node, wrt: Sequence[Node], seed: Node | None = None) -> tuple[Node, ...]:
    """Nodes that compute the derivative of ``output`` with respect to each node of ``wrt``.

    They are ordinary nodes and can be differentiated again.

    Args:
        output: a scalar, or a value of any shape with ``seed``.
        wrt: inputs, parameters or computed values. The derivative is zero for one that ``output``
            does not depend on, or depends on only through inputs that carry no gradient.
        seed: the vector of the vector-Jacobian product, in the output's shape; by default 1.

    Raises:
        GradientError: the output is not a scalar and there is no seed, a value is not floating
            point, or an operator on the way has no derivative rule.

    >>> import torch
    >>> from engine import interpret
    >>> from graphs import GraphBuilder
    >>> g = GraphBuilder("cube")
    >>> x = g.input("x", ())
    >>> (slope,) = gradient(x * x * x, [x])
    >>> (curvature,) = gradient(slope, [x])
    >>> interpret(g.build(slope=slope, curvature=curvature), {"x": torch.tensor(2.0)})
    {'slope': tensor(12.), 'curvature': tensor(12.)}
    """
    _require_nodes(output, wrt, seed)
    _require_differentiable(output, wrt, seed)
    nodes = topological([output])
    carriers = _carriers(nodes, wrt)
    if seed is None:
        with gradient_of(output):
            seed = full(value=1.0, shape=output.shape, dtype=output.dtype)
    gradients: dict[Node, Node] = {output: seed}
    for node in reversed(nodes):
        if node not in carriers or node not in gradients or not node.inputs:
            continue
        with gradient_of(node):
            for source, part in _input_gradients(node, gradients[node], carriers):
                gradients[source] = gradients[source] + part if source in gradients else part
    return tuple(
        gradients[node] if node in gradients and node in carriers else _zeros(node) for node in wrt
    )


def _require_nodes(output: object, wrt: object, seed: object) -> None:
    if isinstance(wrt, Node) or not isinstance(wrt, Sequence):
        raise GradientError(f"expected a list of nodes to differentiate by, got {wrt!r}")
    for value in (output, *wrt, *([] if seed is None else [seed])):
        if not isinstance(value, Node):
            raise GradientError(f"expected nodes of a graph, got {type(value).__name__} {value!r}")


def _require_differentiable(output: Node, wrt: Iterable[Node], seed: Node | None) -> None:
    for node in (output, *wrt):
        if node.dtype not in FLOATS:
            raise GradientError(f"{node!r} ({node.provenance}) is not floating point")
    if seed is None and output.ndim:
        raise GradientError(
            f"expected a scalar to differentiate, or a seed of its shape; got {output!r} "
            f"({output.provenance})"
        )
    if seed is not None and (
        seed.dtype != output.dtype
        or seed.ndim != output.ndim
        or any(map(surely_differ, seed.shape, output.shape))
    ):
        raise GradientError(f"expected a seed like the output {output.spec}, got {seed.spec}")


def _carriers(nodes: Iterable[Node], wrt: Iterable[Node]) -> set[Node]:
    """The nodes through which a derivative flows back to ``wrt``, and ``wrt`` itself."""
    carriers = set(wrt)
    for node in nodes:
        if any(
            source in carriers and node.operator.carries_gradient(position)
            for position, source in enumerate(node.inputs)
        ):
            carriers.add(node)
    return carriers


def _input_gradients(
    node: Node, upstream: Node, carriers: set[Node]
) -> Iterable[tuple[Node, Node]]:
    operator = node.operator
    wanted = [
        (position, source)
        for position, source in enumerate(node.inputs)
        if source in carriers and operator.carries_gradient(position)
    ]
    if not wanted:  # a node of wrt itself, from which no derivative flows further
        return
    if operator.vjp is None:
        raise GradientError(
            f"operator {operator.name!r} has no derivative rule: declare it with vjp=..., or its "
            f"inputs with no_gradient=...\n  used at {node.provenance}"
        )
    parts = _call_rule(node, upstream)
    if len(parts) != len(node.inputs):
        raise GradientError(
            f"the derivative rule of {operator.name!r} gave {len(parts)} gradients for "
            f"{len(node.inputs)} inputs"
        )
    for position, source in wanted:
        yield source, _like_input(parts[position], source.spec, operator.name, position)


def _call_rule(node: Node, upstream: Node) -> tuple[Node | None, ...]:
    operator = node.operator
    assert operator.vjp is not None
    try:
        parts = operator.vjp(upstream, node, *node.inputs, **node.attributes)
    except Exception as error:
        error.add_note(f"in the derivative rule of {operator.name!r}, used at {node.provenance}")
        raise
    parts = parts if isinstance(parts, tuple | list) else (parts,)
    for part in parts:
        if not isinstance(part, Node | None):
            raise GradientError(
                f"the derivative rule of {operator.name!r} gave {part!r}, which is no node"
            )
    return tuple(parts)


def _like_input(part: Node | None, spec: Spec, name: str, position: int) -> Node:
    """Sum a gradient to its input's shape, which undoes broadcasting for every rule."""
    if part is None:
        raise GradientError(
            f"the derivative rule of {name!r} gave None for input {position}: declare that input "
            "with no_gradient=... if it carries none"
        )
    if part.dtype != spec.dtype:
        raise GradientError(
            f"the derivative rule of {name!r} gave {part.spec} for input {position}, a {spec}"
        )
    if part.shape == spec.shape:
        return part
    try:
        return sum_to(part, shape=spec.shape)
    except SpecError as error:
        raise GradientError(
            f"the derivative rule of {name!r} gave {part.spec} for input {position}, a {spec}: "
            f"{error.reason}"
        ) from None


def _zeros(node: Node) -> Node:
    with gradient_of(node):
        return full(value=0.0, shape=node.shape, dtype=node.dtype)
