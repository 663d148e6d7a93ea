"""The timeline of a profiled run: complete, in order, and written completely or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given

from engine import Graph, Program, Update, compile
from graphs import GraphBuilder
from graphs.forward_backward import compile_forward_backward
from ops import GraphError, tanh
from tests.engine.random_graphs import RandomGraph, random_graphs
from tests.engine.test_report import training_step
from tests.support import values


def profiled() -> Program:
    program = training_step()
    program.profile(x=values(2, 3, 8, 8).float())
    return program


def events(path: Path, kind: str) -> list[dict[str, Any]]:
    content = json.loads(path.read_text())
    return [event for event in content["traceEvents"] if event["ph"] == kind]


def require_complete(path: Path, program: Program) -> None:
    """Check that every step occurs once, in order, and starts only after the previous one ended."""
    shown, steps = events(path, "X"), program.steps()
    assert [event["args"]["step"] for event in shown] == list(range(len(steps)))
    now = 0.0
    for event, step in zip(shown, steps, strict=True):
        assert (event["name"], event["cat"]) == (step.operator, step.phase)
        assert event["ts"] >= now - 0.002  # rounded to nanoseconds
        assert event["dur"] >= 0
        now = event["ts"] + event["dur"]
        arguments = event["args"]
        assert arguments["kernel"] == step.kernel
        assert arguments["result"] == step.spec
        assert arguments["bytes"] == step.nbytes
        assert arguments["offset"] == ("parameter" if step.offset is None else step.offset)
        assert arguments["source"] == step.source
        assert arguments["rewrites"] == list(step.rewrites)
        if step.seconds is not None:
            assert event["dur"] == pytest.approx(1e6 * step.seconds, abs=0.01)
    memory = [event["args"]["bytes in use"] for event in events(path, "C")]
    assert len(memory) == len(steps) + 1
    assert max(memory) <= program.least_bytes <= program.peak_bytes
    assert len({(event["pid"], event["tid"]) for event in shown}) <= 1


def test_a_trace_shows_every_step_and_the_memory(tmp_path: Path) -> None:
    program = profiled()
    program.write_trace(tmp_path / "trace.json")
    require_complete(tmp_path / "trace.json", program)
    assert max(e["args"]["bytes in use"] for e in events(tmp_path / "trace.json", "C")) > 0
    names = {e["name"]: e["args"]["name"] for e in events(tmp_path / "trace.json", "M")}
    assert names == {"process_name": "program on cpu", "thread_name": "stage 0"}
    assert list(tmp_path.iterdir()) == [tmp_path / "trace.json"]


@given(random_graphs())
def test_any_graph_is_traced_completely(
    tmp_path_factory: pytest.TempPathFactory, case: RandomGraph
) -> None:
    program = compile(case.graph, **case.sizes)
    program.profile(**case.feeds)
    if all(step.kernel == "view" for step in program.steps()):
        return
    path = tmp_path_factory.getbasetemp() / "random.json"
    program.write_trace(path)
    require_complete(path, program)
    peak = max(event["args"]["bytes in use"] for event in events(path, "C"))
    assert peak <= program.least_bytes


def test_each_stage_is_a_thread_of_its_own(tmp_path: Path) -> None:
    spec = (torch.Size((4, 4)), torch.float32)
    forward, backward = compile_forward_backward(tanh, [spec], [], torch.device("cpu"), False)
    for program, feed in ((forward, "input0"), (backward, "gradient0")):
        program.profile(**{feed: values(4, 4).float()})
        program.write_trace(tmp_path / f"{feed}.json")
        require_complete(tmp_path / f"{feed}.json", program)
    threads = [events(tmp_path / f"{f}.json", "X")[0]["tid"] for f in ("input0", "gradient0")]
    assert threads == [0, 1]


def test_without_a_profile_there_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="no profile to write"):
        training_step().write_trace(tmp_path / "trace.json")
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    program = profiled()
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path, tmp_path / "file" / "t.json", tmp_path / "no" / "t.json", "", "a\0b"):
        with pytest.raises(GraphError, match="trace cannot be written to"):
            program.write_trace(path)
    assert (tmp_path / "file").read_text() == "kept"
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_need_be_in_use_at_the_end(tmp_path: Path) -> None:
    g = GraphBuilder("updates only")
    weight = g.parameter("w", (2,), init=torch.zeros(2))
    parameter = weight.attributes["parameter"]
    program = compile(Graph({}, (Update(parameter, weight + 1),)))
    program.profile()
    program.write_trace(tmp_path / "trace.json")
    require_complete(tmp_path / "trace.json", program)
