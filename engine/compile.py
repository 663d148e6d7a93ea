"""Compiling a graph into a program: bind, rewrite, differentiate, rewrite, plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Protocol

import torch

from engine.backends import Backend, Request, fall_back, find_backend
from engine.budget import fit, require_budget
from engine.device import find_device
from engine.gradient import gradient
from engine.graph import Graph, Update
from engine.native.toolchain.target import NativeError
from engine.planner import plan
from engine.program import Program
from engine.rewrites import REWRITES, Rewrite, rewrite
from engine.rewrites.frozen import freeze_parameters
from engine.runtime import Runtime
from ops import GraphError, Node
from ops.provenance import updating


class Optimizer(Protocol):
    """What ``compile`` needs from an optimizer: parameter updates as nodes. See ``graphs.SGD``."""

    def updates(self, parameter: Node, gradient: Node) -> Iterable[Update]:
        """The updates of a parameter and of the optimizer's state, given the gradient."""
        ...


def compile(
    graph: Graph,
    /,
    *,
    outputs: Sequence[str] | None = None,
    minimize: str | None = None,
    optimizer: Optimizer | None = None,
    device: str | torch.device = "cpu",
    compute: str = "float32",
    backend: str = "auto",
    tune: bool = False,
    check_numerics: bool = False,
    rewrites: Iterable[Rewrite] = REWRITES,
    memory_budget: int | None = None,
    freeze: bool = False,
    **sizes: int,
) -> Program:
    """Compile a graph for fixed sizes on a device.

    Args:
        graph: what to compute.
        outputs: the outputs that a call returns; by default all.
        minimize: a scalar output, the loss. Each call also applies one step of ``optimizer`` to
            every parameter that the loss depends on.
        optimizer: required with ``minimize``.
        device: where to run. Running a program moves its parameters to its device.
        compute: "float32", or on CUDA "tf32" or "bfloat16": what the factors of float32 matrix
            products and convolutions are rounded to. Sums and stored values stay in float32.
        backend: "torch", one torch call after another (if ``compute`` is not "float32", with
            Triton's kernels for the operators whose factors are rounded); "native", C code
            generated for this program, compiled on first use and cached on disk (see
            :mod:`engine.native`); or "auto": the environment variable ``BLOCKWRIGHT_BACKEND`` if
            set, else native on a CPU if the program is large enough to be worth compiling, and on
            CUDA fused Triton kernels (see :mod:`engine.cuda`).
        tune: choose kernels by measuring them instead of by the cost rule; CPU only. The choices
            are cached on disk.
        check_numerics: stop at the first NaN or infinity and report where it came from. Slow, since
            torch's kernels run operator by operator.
        rewrites: the rewrites to apply; by default :data:`engine.REWRITES`.
        memory_budget: the most bytes that the program may allocate (its ``peak_bytes``). If it
            needs more, values are recomputed instead of kept, at the lowest extra cost found; the
            results are bit-identical. See :mod:`engine.budget`.
        freeze: treat parameters as constants with their current values, so that values that depend
            only on them are computed once. For inference.
        **sizes: a size for each named dimension, such as ``N=100``.

    Raises:
        GraphError: an output does not exist, only one of ``minimize`` and ``optimizer`` is given,
            there is no such device, ``compute`` or backend, the memory budget is not a positive
            number of bytes, or parameters would be both frozen and updated.
        BudgetError: the memory budget is too small; the message states the smallest feasible one.
        FeedError: a dimension has no size.
        SpecError: with these sizes, an operator's inputs do not fit.
        GradientError: an operator between a parameter and the loss has no derivative rule.

    >>> from graphs import SGD, GraphBuilder
    >>> from ops import mse
    >>> g = GraphBuilder("line")
    >>> x, y = g.input("x", ("N",)), g.input("y", ("N",))
    >>> w = g.parameter("w", (), init=torch.tensor(1.0))
    >>> graph = g.build(loss=mse(w * x, y))
    >>> step = compile(graph, minimize="loss", optimizer=SGD(lr=0.1), N=2)
    >>> step.peak_bytes  # before anything has run
    384
    >>> points = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([3.0, 6.0])}
    >>> [round(step(**points)["loss"].item(), 4) for _ in range(3)]
    [10.0, 2.5, 0.625]
    """
    _require_graph(graph)
    if isinstance(outputs, str):
        raise GraphError(f"expected a list of outputs, as outputs=[{outputs!r}]")
    _require_optimizer(minimize, optimizer)
    if memory_budget is not None:
        require_budget(memory_budget)
    shown = list(graph.outputs) if outputs is None else list(outputs)
    wanted = shown if minimize is None else [*shown, minimize]
    bound = _bound(Graph(graph.select(wanted).outputs, graph.updates), graph, sizes)
    # Before differentiation, so that gradients are taken of the cheaper graph; again afterwards.
    rewrites = tuple(rewrites)
    if freeze:
        if minimize is not None or bound.updates:
            raise GraphError("freeze=True is for programs that update no parameter")
        bound = rewrite(bound, (freeze_parameters,))
    bound = rewrite(bound, rewrites)
    updates = bound.updates
    if minimize is not None and optimizer is not None:
        updates += _updates(bound, minimize, optimizer)
    chosen = Graph(bound.select(shown).outputs, updates)
    request = Request(backend, find_device(device), compute, tune)
    return _compile(chosen, [shown], request, check_numerics, rewrites, memory_budget)[0]


def compile_stages(
    graph: Graph,
    stages: Sequence[Sequence[str]],
    /,
    *,
    device: str | torch.device = "cpu",
    compute: str = "float32",
    backend: str = "auto",
    tune: bool = False,
    check_numerics: bool = False,
    rewrites: Iterable[Rewrite] = REWRITES,
    **sizes: int,
) -> tuple[Program, ...]:
    """Compile a graph into programs that run one after the other and share memory.

    Each stage computes its outputs from its own inputs and from values that earlier stages left in
    memory, so nothing is computed twice. The graph's updates belong to the last stage. Stages must
    be called in order.

    Args:
        graph: what to compute.
        stages: the names of each stage's outputs.
        device, compute, backend, tune, check_numerics, rewrites, **sizes: as for :func:`compile`.

    Raises:
        GraphError: there are no stages, or one is no list of outputs.
        Other errors as those of :func:`compile`.

    >>> from graphs import GraphBuilder
    >>> from ops import exp, sum
    >>> g = GraphBuilder("two stages")
    >>> x = g.input("x", (2,))
    >>> y = exp(x)
    >>> graph = g.build(y=y, total=sum(y) * g.input("factor", ()))
    >>> first, second = compile_stages(graph, [["y"], ["total"]])
    >>> first(x=torch.zeros(2))
    {'y': tensor([1., 1.])}
    >>> second(factor=torch.tensor(3.0))
    {'total': tensor(6.)}
    """
    _require_graph(graph)
    if not stages or isinstance(stages, str) or any(isinstance(stage, str) for stage in stages):
        raise GraphError(f"expected a list of outputs for each stage, got {stages!r}")
    names = [name for stage in stages for name in stage]
    bound = _bound(Graph(graph.select(names).outputs, graph.updates), graph, sizes)
    return _compile(
        bound,
        stages,
        Request(backend, find_device(device), compute, tune),
        check_numerics,
        rewrites,
    )


def _require_graph(graph: object) -> None:
    if not isinstance(graph, Graph):
        raise GraphError(f"expected a graph, as from GraphBuilder.build, got {graph!r}")


def _require_optimizer(minimize: str | None, optimizer: object) -> None:
    if isinstance(optimizer, type):
        raise GraphError(f"expected an optimizer, as {optimizer.__name__}(lr=0.1), got the class")
    if optimizer is not None and not hasattr(optimizer, "updates"):
        raise GraphError(f"expected an optimizer, such as SGD(lr=0.1), got {optimizer!r}")
    if (minimize is None) != (optimizer is None):
        raise GraphError("minimize='...' and optimizer=... come together: one is missing")


def _compile(
    graph: Graph,
    stages: Sequence[Sequence[str]],
    request: Request,
    check_numerics: bool,
    rewrites: Iterable[Rewrite],
    memory_budget: int | None = None,
) -> tuple[Program, ...]:
    graph, device = rewrite(graph, rewrites), request.device
    by_torch = replace(request, name="torch")
    try:
        chosen = find_backend(by_torch if check_numerics else request, graph)
        runtime = _runtime(graph, stages, device, chosen, memory_budget)
    except NativeError as error:
        fall_back(str(error))
        chosen = find_backend(by_torch, graph)
        runtime = _runtime(graph, stages, device, chosen, memory_budget)
    return tuple(Program(runtime, i, check_numerics) for i in range(len(stages)))


def _runtime(
    graph: Graph,
    stages: Sequence[Sequence[str]],
    device: torch.device,
    backend: Backend,
    memory_budget: int | None,
) -> Runtime:
    whole = plan(rewrite(graph, backend.rewrites), stages, backend.choose)
    return Runtime(whole if memory_budget is None else fit(whole, memory_budget), device)


def _bound(selected: Graph, whole: Graph, sizes: Mapping[str, int]) -> Graph:
    """Bind the selected part, ignoring sizes that only the rest of the graph uses."""
    if taken := sorted(whole.dimensions & OPTIONS):
        raise GraphError(
            f"a dimension is called {taken[0]!r}, like an option of compile: rename it"
        )
    elsewhere = whole.dimensions - selected.dimensions
    return selected.bind({name: size for name, size in sizes.items() if name not in elsewhere})


def _updates(graph: Graph, loss: str, optimizer: Optimizer) -> tuple[Update, ...]:
    parameters = list(graph.select([loss]).parameters.values())
    if not parameters:
        raise GraphError(f"the output {loss!r} depends on no parameter: nothing to minimize it by")
    gradients = gradient(graph.outputs[loss], parameters)
    with updating():
        return tuple(
            update
            for node, slope in zip(parameters, gradients, strict=True)
            for update in optimizer.updates(node, slope)
        )


OPTIONS = frozenset(signature(compile).parameters)
"""Names that keyword arguments of sizes cannot have."""
