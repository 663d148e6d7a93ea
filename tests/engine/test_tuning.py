"""Choosing kernels by measurement, and the file that stores the choices."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ops
from engine import cache, compile, interpret, tuning
from engine.backends import Request
from engine.kernels import Kernel
from engine.lowering import Choose, candidates, choose_kernel
from engine.native.backend import native_backend
from engine.native.emitters import native_kernels
from graphs import GraphBuilder
from graphs.architectures import report_network
from ops import GraphError, Node
from ops.fused import fuse
from ops.leaves import input
from tests.support import assert_near, values


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_CACHE", str(tmp_path))
    cache.cache_folder.cache_clear()


def gradient_node(channels: int = 4) -> Node:
    """A node with several kernels."""
    from ops import conv2d_input_gradient

    g = input(name="g", shape=(2, channels, 8, 8), dtype=torch.float32)
    w = input(name="w", shape=(channels, 3, 3, 3), dtype=torch.float32)
    window = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
    return conv2d_input_gradient(g, w, size=(8, 8), **window, groups=1)


def test_the_fastest_is_chosen_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def seconds(kernel: Kernel, node: Node) -> float:
        measured.append(kernel.name)
        return {"multiply, scatter windows": 1.0}.get(kernel.name, 2.0)

    monkeypatch.setattr(tuning, "_seconds", seconds)
    for _ in range(2):  # the second time from the file
        choose = tuning.tuned(candidates, "machine")
        assert choose(gradient_node()).name == "multiply, scatter windows"
    assert sorted(measured) == sorted(kernel.name for kernel in candidates(gradient_node()))
    tuning.tuned(candidates, "another machine")(gradient_node())
    tuning.tuned(candidates, "machine")(gradient_node(5))
    assert len(measured) == 2 * len(candidates(gradient_node())) + len(candidates(gradient_node(5)))


def test_fused_nodes_are_told_apart() -> None:
    """By what each operator inside is given, too."""
    keys = set()
    for stride, padding, slope in ((1, 1, 0.1), (1, 1, 0.3), (2, 1, 0.1), (2, 2, 0.1)):
        x = input(name="x", shape=(1, 4, 8, 8), dtype=torch.float32)
        w = input(name="w", shape=(4, 4, 3, 3), dtype=torch.float32)
        convolution = ops.conv2d(x, w, stride=stride, padding=padding)
        node = fuse([convolution, ops.leaky_relu(convolution, slope)])
        keys.add(tuning._key(node, ["a kernel"], "machine"))
    assert len(keys) == 4


def test_one_candidate_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_first(node: Node) -> Sequence[Kernel]:
        return candidates(node)[:1]

    monkeypatch.setattr(tuning, "_seconds", lambda kernel, node: pytest.fail("measured"))
    kernel = tuning.tuned(only_first, "machine")(gradient_node())
    assert kernel is candidates(gradient_node())[0]


def test_a_new_candidate_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    new = replace(candidates(gradient_node())[0], name="new")
    seconds = {"new": 1.0}
    monkeypatch.setattr(tuning, "_seconds", lambda kernel, node: seconds.get(kernel.name, 2.0))
    assert tuning.tuned(candidates, "machine")(gradient_node()) is not new
    choose = tuning.tuned(lambda node: [*candidates(node), new], "machine")
    assert choose(gradient_node()) is new


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "choices": 3}', '"x"']
)
def test_a_damaged_file_is_replaced(content: str, tmp_path: Path) -> None:
    path = tmp_path / "tuning.json"
    path.write_text(content)
    chosen = tuning.tuned(candidates, "machine")(gradient_node())
    assert chosen in candidates(gradient_node())
    assert list(json.loads(path.read_text())["choices"].values()) == [chosen.name]


def test_a_choice_that_is_no_kernel_any_more_is_made_again(tmp_path: Path) -> None:
    tuning.tuned(candidates, "machine")(gradient_node())
    path = tmp_path / "tuning.json"
    content = json.loads(path.read_text())
    content["choices"] = dict.fromkeys(content["choices"], "a kernel of the past")
    path.write_text(json.dumps(content))
    assert tuning.tuned(candidates, "machine")(gradient_node()) in candidates(gradient_node())


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_tuned_programs(backend: str) -> None:
    g = GraphBuilder("tuned")
    graph = g.build(clean=report_network(4)(g.input("noisy", (2, 3, 8, 8))))
    feeds = {"noisy": values(2, 3, 8, 8, dtype=torch.float32)}
    program = compile(graph, backend=backend, tune=True)
    assert_near(program(**feeds)["clean"], interpret(graph, feeds)["clean"])


def test_only_the_cpu_is_tuned_for() -> None:
    with pytest.raises(GraphError, match="kernels are tuned on the CPU, not on cuda"):
        Request("auto", torch.device("cuda"), "float32", tune=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuning.Candidates, str]]:
    """What the native backend asks to be chosen from, and for which machine."""
    found = []

    def tuned(candidates: tuning.Candidates, machine: str) -> Choose:
        found.append((candidates, machine))
        return choose_kernel

    monkeypatch.setattr(sys.modules["engine.native.backend"], "tuned", tuned)
    return found


def test_a_choice_is_for_a_number_of_threads(
    asked: list[tuple[tuning.Candidates, str]],
) -> None:
    for threads in (2, 1):
        torch.set_num_threads(threads)
        native_backend(1, tune=True)
    assert ["2 threads" in machine for _, machine in asked] == [True, False]


def test_native_kernels_that_rarely_pay_off_are_measured_too(
    asked: list[tuple[tuning.Candidates, str]],
) -> None:
    x = input(name="x", shape=(1, 256, 4, 4), dtype=torch.float32)
    w = input(name="w", shape=(256, 256, 3, 3), dtype=torch.float32)
    node = ops.conv2d(x, w, padding=1)
    native_backend(1, tune=True)
    ((candidates, _),) = asked
    native = [kernel.name for kernel in candidates(node) if kernel.name.startswith("C: ")]
    assert native == ["C: Winograd's blocks", "C: taps of few pixels", "C: taps"]
    assert native_backend(1, tune=False).choose(node).name == "C: taps of few pixels"


def test_code_that_would_take_minutes_to_compile_is_not_measured() -> None:
    def natively(node: Node) -> set[str]:
        return {k.name for k in native_kernels(threads=2) if k.supports(node)}

    x = input(name="x", shape=(1, 16, 128, 128), dtype=torch.float32)
    w = input(name="w", shape=(16, 16, 3, 3), dtype=torch.float32)
    assert "C: taps of few pixels" not in natively(ops.conv2d(x, w, padding=1))
    large = input(name="large", shape=(1, 512, 2, 2), dtype=torch.float32)
    window = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    gradient = ops.conv2d_weight_gradient(large, large, kernel_size=(3, 3), **window)
    assert "C: taps, weight" not in natively(gradient)
