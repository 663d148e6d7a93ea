"""A profiled run as a timeline, in the Trace Event Format that Perfetto and chrome://tracing read.

Source: "Trace Event Format", Google, 2016: complete events (``ph: X``), counters (``ph: C``) and
metadata (``ph: M``), with times in microseconds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.atomic import replacing
from engine.report import Span, StepReport
from ops import GraphError

Event = dict[str, Any]


def trace(reports: Sequence[StepReport], live: Sequence[int], thread: int, device: str) -> Event:
    """The timeline of a profiled stage: an event per step, and the bytes in use at each.

    Args:
        reports: the profiled steps, in order. A view has no span; it is shown with zero duration
            where the previous step ends.
        live: the bytes in use at each step, and after the last; the rest are 0.
        thread: the stage's index.
        device: the device it ran on.
    """
    origin = next((r.span.start for r in reports if r.span is not None), 0.0)
    events = [_named("process_name", f"program on {device}", thread)]
    events.append(_named("thread_name", f"stage {thread}", thread))
    now, live = Span(origin, 0.0), [*live, *[0] * (len(reports) + 1 - len(live))]
    for i, report in enumerate(reports):
        now = report.span or Span(now.start + now.seconds, 0.0)
        start = _microseconds(now.start - origin)
        events.append(_memory(start, live[i]))
        events.append(_step(i, report, start, _microseconds(now.seconds), thread))
    events.append(_memory(_microseconds(now.start + now.seconds - origin), live[len(reports)]))
    return {"displayTimeUnit": "ms", "traceEvents": events}


def write_json(path: str | os.PathLike[str], content: Event) -> None:
    """Write a JSON file atomically.

    Raises:
        GraphError: the file cannot be written.
    """
    try:
        with replacing(Path(path)) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
    except (OSError, ValueError) as error:
        raise GraphError(f"the trace cannot be written to {str(path)!r}: {error}") from None


def _step(index: int, report: StepReport, start: float, duration: float, thread: int) -> Event:
    arguments = {
        "step": index,
        "kernel": report.kernel,
        "result": report.spec,
        "bytes": report.nbytes,
        "offset": "parameter" if report.offset is None else report.offset,
        "scratch bytes": report.scratch,
        "moved bytes": report.moved,
        "flop": report.flops,
        "GFLOP/s": report.gflops_per_second,
        "rewrites": report.rewrites,
        "source": report.source,
    }
    return {
        "name": report.operator,
        "cat": report.phase,
        "ph": "X",
        "ts": start,
        "dur": duration,
        "pid": 0,
        "tid": thread,
        "args": arguments,
    }


def _memory(start: float, live: int) -> Event:
    return {"name": "memory", "ph": "C", "ts": start, "pid": 0, "args": {"bytes in use": live}}


def _named(kind: str, name: str, thread: int) -> Event:
    return {"name": kind, "ph": "M", "ts": 0, "pid": 0, "tid": thread, "args": {"name": name}}


def _microseconds(seconds: float) -> float:
    return round(1e6 * seconds, 3)
