"""Reports on a program's steps and memory, and the steps as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.plan import Plan, Stage, Step
from engine.work import flops, traffic
from ops import Node, Parameter
from ops.fused import body_of


class Span(NamedTuple):
    """When a step ran and for how long, in seconds of ``time.perf_counter``."""

    start: float
    seconds: float


@dataclass(frozen=True)
class StepReport:
    """One step of a program.

    Attributes:
        operator, kernel: what is computed and how. Fused operators are joined by " + "; the kernel
            of a view is "view".
        spec: dtype and shape of the result.
        nbytes, offset: size of the result and its offset in the arena, in bytes; the offset is None
            for a result in a parameter's memory.
        scratch: bytes of scratch memory.
        moved: bytes that it must read and write, not counting scratch memory.
        flops: floating-point operations, by the definition of the operators.
        executed: approximately how many operations the kernel executes, which is fewer if its
            algorithm saves products.
        span: when it ran in the last profile; None if it was never profiled.
        phase: forward, gradient of an operator, or update.
        rewrites: the rewrites that made it, or the node whose gradient it is.
        source: the user's line.
    """

    operator: str
    kernel: str
    spec: str
    nbytes: int
    offset: int | None
    scratch: int
    moved: int
    flops: int
    executed: int
    span: Span | None
    phase: str
    rewrites: tuple[str, ...]
    source: str

    @property
    def seconds(self) -> float | None:
        """How long it took in the last profile; None if it was never profiled."""
        return None if self.span is None else self.span.seconds

    @property
    def gflops_per_second(self) -> float | None:
        """Its rate in billions of floating-point operations per second, counting ``flops``."""
        return self.flops / self.seconds / 1e9 if self.seconds else None


def step_reports(plan: Plan, stage: Stage, spans: Mapping[Node, Span]) -> list[StepReport]:
    """A report on each step of a stage."""
    return [_report(plan, step, spans.get(step.node)) for step in stage.steps]


def _report(plan: Plan, step: Step, span: Span | None) -> StepReport:
    node, owner, is_view = step.node, plan.owners[step.node], step.kernel is None
    return StepReport(
        operator=" + ".join(step.operator.name for step in body_of(node)),
        kernel="view" if step.kernel is None else step.kernel.name,
        spec=str(node.spec),
        nbytes=node.spec.nbytes,
        offset=None if isinstance(owner, Parameter) else plan.placement.offsets[owner],
        scratch=sum(spec.nbytes for _, spec in step.workspaces),
        moved=0 if is_view else traffic(node),
        flops=flops(node),
        executed=0 if step.kernel is None else round(step.kernel.products(node) * flops(node)),
        span=span,
        phase=_phase(node),
        rewrites=node.provenance.rewrites,
        source=str(node.provenance),
    )


@dataclass(frozen=True)
class BufferReport:
    """One buffer: what it holds, where it is, and when it is in use.

    Attributes:
        holds: the operator or the name of the first value in it, or "scratch".
        phase: the phase of that value, as for a step; "input" for inputs and constants.
        nbytes, offset: its size and its offset in the arena, in bytes.
        first, last: the first and last step at which it is in use, numbered as in the report: -1 if
            it is in use before the first step, the number of steps if after the last.
    """

    holds: str
    phase: str
    nbytes: int
    offset: int
    first: int
    last: int


def buffer_reports(plan: Plan, stage: Stage) -> list[BufferReport]:
    """A report on each buffer in use during a stage, with steps counted from the stage's first."""
    holders: dict[int, tuple[str, str]] = {}
    for each in plan.stages:
        for step in each.steps:
            holders |= {index: ("scratch", _phase(step.node)) for index, _ in step.workspaces}
    for node, owner in reversed(list(plan.owners.items())):
        if not isinstance(owner, Parameter):
            name = node.name or node.operator.name
            holders[owner] = name, "input" if not node.inputs else _phase(node)
    return [
        BufferReport(
            *holders[index],
            nbytes=buffer.nbytes,
            offset=offset,
            first=max(buffer.first - stage.start, -1),
            last=min(buffer.last - stage.start, len(stage.steps)),
        )
        for index, (buffer, offset) in enumerate(
            zip(plan.buffers, plan.placement.offsets, strict=True)
        )
        if index in holders
        and buffer.last >= stage.start - 1
        and buffer.first <= stage.start + len(stage.steps)
    ]


def _phase(node: Node) -> str:
    forward = node.provenance.forward
    if forward is not None:
        return f"gradient of {forward.operator.name}"
    return "update" if node.provenance.update else "forward"


_COLUMNS = ("#", "operator", "kernel", "result", "bytes", "offset", "scratch", "moved", "GFLOP",
            "ms", "GFLOP/s", "for", "by", "at")  # fmt: skip
_NUMERIC = ("#", "bytes", "offset", "scratch", "moved", "GFLOP", "ms", "GFLOP/s")


class Memory(NamedTuple):
    """A program's peak memory, in bytes, and lower bounds to compare it with.

    Attributes:
        peak: what the placement allocates.
        least_in_order: the most in use at one step, a lower bound for any placement of this order.
        least: a lower bound for any order.
    """

    peak: int
    least_in_order: int
    least: int

    def __str__(self) -> str:
        text = f"peak {self.peak:,} bytes, at least {self.least_in_order:,} in this order"
        if self.least_in_order:
            text += f" (placement {self.peak / self.least_in_order:.3f}x)"
        text += f", {self.least:,} in any"
        return text + (f" (order {self.least_in_order / self.least:.3f}x)" if self.least else "")


def format_report(reports: Iterable[StepReport], memory: Memory) -> str:
    """The reports as a table, with totals below."""
    reports = list(reports)
    rows = [_COLUMNS, *(_row(i, report) for i, report in enumerate(reports))]
    total = f"{len(reports)} steps, {sum(r.flops for r in reports) / 1e9:.3f} GFLOP"
    timed = [r.seconds for r in reports if r.seconds is not None]
    if timed:
        total += f", {1e3 * sum(timed):.3f} ms"
    return f"{_table(rows)}\n{total}; {memory}"


def _row(i: int, r: StepReport) -> tuple[str, ...]:
    return (
        str(i),
        r.operator,
        r.kernel,
        r.spec,
        f"{r.nbytes:,}",
        "parameter" if r.offset is None else f"{r.offset:,}",
        f"{r.scratch:,}" if r.scratch else "",
        f"{r.moved:,}" if r.moved else "",
        f"{r.flops / 1e9:.4f}" if r.flops else "",
        "" if r.seconds is None else f"{1e3 * r.seconds:.3f}",
        "" if not r.gflops_per_second else f"{r.gflops_per_second:.2f}",
        r.phase,
        ", ".join(r.rewrites),
        "/".join(r.source.split("/")[-2:]),
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if name in _NUMERIC else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
