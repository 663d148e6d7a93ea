"""What a program does, step by step, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.plan import Plan, Stage
from ops import Node, Parameter


@dataclass(frozen=True)
class StepReport:
    """One step of a program.

    Attributes:
        operator, kernel: what is computed and how; the kernel of a view is "view".
        spec: dtype and shape of the result.
        nbytes, offset: size of the result and its place in the arena; no offset for a result that
            lies in a parameter's memory.
        scratch: bytes of scratch memory.
        seconds: as last measured, if ever.
        phase: forward, gradient of an operator, or update.
        source: the user's line.
    """

    operator: str
    kernel: str
    spec: str
    nbytes: int
    offset: int | None
    scratch: int
    seconds: float | None
    phase: str
    source: str


def step_reports(plan: Plan, stage: Stage, seconds: Mapping[Node, float]) -> list[StepReport]:
    """A report on each step of a stage."""
    reports = []
    for step in stage.steps:
        node, owner = step.node, plan.owners[step.node]
        forward = node.provenance.forward
        if forward is not None:
            phase = f"gradient of {forward.operator.name}"
        else:
            phase = "update" if node.provenance.update else "forward"
        reports.append(
            StepReport(
                operator=node.operator.name,
                kernel=step.kernel.name if step.kernel is not None else "view",
                spec=str(node.spec),
                nbytes=node.spec.nbytes,
                offset=None if isinstance(owner, Parameter) else plan.placement.offsets[owner],
                scratch=sum(spec.nbytes for _, spec in step.workspaces),
                seconds=seconds.get(node),
                phase=phase,
                source=str(node.provenance),
            )
        )
    return reports


def format_report(reports: Iterable[StepReport], peak_bytes: int, least_bytes: int) -> str:
    """The reports as a table, with the totals below."""
    rows = [("#", "operator", "kernel", "result", "bytes", "offset", "scratch", "ms", "for", "at")]
    reports = list(reports)
    for i, r in enumerate(reports):
        rows.append(
            (
                str(i),
                r.operator,
                r.kernel,
                r.spec,
                f"{r.nbytes:,}",
                "parameter" if r.offset is None else f"{r.offset:,}",
                f"{r.scratch:,}" if r.scratch else "",
                "" if r.seconds is None else f"{1e3 * r.seconds:.3f}",
                r.phase,
                "/".join(r.source.split("/")[-2:]),
            )
        )
    timed = [r.seconds for r in reports if r.seconds is not None]
    total = f", {1e3 * sum(timed):.3f} ms" if timed else ""
    summary = f"peak {peak_bytes:,} bytes, at least {least_bytes:,}"
    return f"{_table(rows)}\n{len(reports)} steps{total}; {summary}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numeric = {0, 4, 5, 6, 7}
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in numeric else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
