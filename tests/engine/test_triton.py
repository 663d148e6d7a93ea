"""Triton kernels without a GPU: run by Triton's interpreter, and compiled for one."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from engine import Graph, compile, cuda, gradient, interpret
from engine.backends import Request, find_backend
from engine.cuda import correlation, reduction
from engine.cuda.backend import cuda_backend
from engine.once import warn_once
from engine.rewrites.constants import fold_weights
from engine.testing import Case, Sample
from engine.testing.closeness import require_close
from engine.testing.laws.kernels import require_kernel
from engine.testing.pullback import Pullback
from graphs import SGD, GraphBuilder
from graphs.architectures import report_network
from ops import GraphError
from ops.leaves import input
from tests.engine.test_allocation import network
from tests.ops.records import LAW_EXAMPLES
from tests.ops.subjects import SUBJECTS
from tests.support import assert_near, assert_runs_as_interpreted, parameter_of

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")
interpreted = pytest.mark.skipif(
    find_spec("triton") is None or os.environ.get("TRITON_INTERPRET") != "1",
    reason="Triton is not installed, or TRITON_INTERPRET=1 does not choose its interpreter",
)

KERNELS = cuda.triton_kernels("float32")


def prefer_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run CPU programs with the kernels made for CUDA."""
    backend = cuda_backend(KERNELS, fused=True)
    monkeypatch.setattr(sys.modules["engine.compile"], "find_backend", lambda *options: backend)


def require_equal(name: str, case: Case, kernels: cuda.Kernels = KERNELS) -> None:
    case = case.as_dtype(torch.float32)
    supported = [require_kernel(SUBJECTS[name], case, kernel) for kernel in kernels[name]]
    assert any(supported) or reduction.KERNEL in kernels[name]


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of NaN and infinity
@pytest.mark.parametrize("name", sorted(KERNELS.keys() & SUBJECTS.keys()))
@settings(max_examples=LAW_EXAMPLES // 2)
@given(data=st.data())
def test_kernels_equal_forward(name: str, data: st.DataObject) -> None:
    require_equal(name, data.draw(SUBJECTS[name].cases))


IMAGES, WEIGHT, RESULT = Sample((2, 12, 12, 13)), Sample((66, 12, 3, 2)), Sample((2, 66, 6, 7))
WINDOW: dict[str, Any] = {"stride": (2, 2), "padding": (1, 1), "dilation": (1, 2), "groups": 1}
LARGE = {
    "conv2d": Case(IMAGES, WEIGHT, **WINDOW),
    "conv2d_input_gradient": Case(RESULT, WEIGHT, size=(12, 13), **WINDOW),
    "conv2d_weight_gradient": Case(RESULT, IMAGES, kernel_size=(3, 2), **WINDOW),
    "matmul": Case(Sample((2, 66, 34)), Sample((34, 65))),
}
"""More than a block along every axis."""


def mend_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's own multiplies the bits of bfloat16 numbers as if they were integers."""
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    def floats(handle: Any) -> Any:
        return (handle.data.astype(np.uint32) << 16).view(np.float32)

    def create_dot(self: Any, a: Any, b: Any, total: Any, *options: Any) -> Any:
        product = np.matmul(floats(a), floats(b))
        return TensorHandle(product + total.data, total.dtype.scalar)

    monkeypatch.setattr(InterpreterBuilder, "create_dot", create_dot)


@interpreted
@pytest.mark.parametrize(
    ("compute", "name"),
    [(c, name) for c in cuda.COMPUTE for name in LARGE if name in cuda.triton_kernels(c)],
)
def test_several_blocks(compute: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if compute == "bfloat16":
        mend_interpreter(monkeypatch)
    values = Sample.values
    # Small whole numbers are exact in every format, and so are their sums in float32.
    monkeypatch.setattr(Sample, "values", lambda sample: values(sample).mul(4).round())
    require_equal(name, LARGE[name], cuda.triton_kernels(compute))


@pytest.mark.parametrize(
    ("a", "b", "supported"),
    [
        ((40_000, 60_000), (60_000, 64), False),  # indices of 32 bits do not reach everything
        ((50_000, 40_000), (40_000, 64), True),
        ((3, 50_000, 20_000), (3, 20_000, 8), False),
        ((3, 2, 50_000, 20_000), (3, 2, 20_000, 8), True),  # matrices go one by one
    ],
)
def test_products_of_large_matrices(
    a: tuple[int, ...], b: tuple[int, ...], supported: bool
) -> None:
    x, y = (input(name="x", shape=shape, dtype=torch.float32) for shape in (a, b))
    assert (cuda.find(cuda.triton_kernels("tf32"), x @ y) is not None) == supported


@interpreted
@pytest.mark.parametrize("programs", [1, 8, 256])
def test_sums_cut_into_parts(programs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "PROGRAMS", programs)
    monkeypatch.setattr(reduction, "PROGRAMS", programs)
    attributes = {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)}
    case = Case(Sample((2, 4, 15, 18)), Sample((2, 6, 15, 18)), groups=2, **attributes)
    require_equal("conv2d_weight_gradient", case)
    for shape, dim in (((2, 70, 15, 16), (0, 2, 3)), ((3, 5, 20, 21), (0, 1, 2, 3))):
        require_equal("mean", Case(Sample(shape), dim=dim, keepdim=False))
        require_equal("sum", Case(Sample(shape, layout="sliced"), dim=dim, keepdim=True))


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("value", [0.0, -0.0, -2.5, 1e-42, 1e38, float("inf"), float("nan")])
def test_numbers_in_the_source(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    prefer_triton(monkeypatch)
    g = GraphBuilder("numbers")
    x = g.input("x", (2, 3, 4, 5))
    graph = g.build(
        y=1 / (x * value),
        z=ops.where(x > 0, value, 1.5),
        m=ops.maximum(x, value),
        leaky=ops.leaky_relu(x, negative_slope=value),
        soft=ops.softplus(x, threshold=0.5 if math.isnan(value) else value),
    )
    assert_runs_as_interpreted(graph, {"x": torch.randn(2, 3, 4, 5)}, rewrites=())


def report() -> Graph:
    """The loss of the report's network, on small images."""
    g = GraphBuilder("report")
    x, target = g.input("x", (2, 3, 8, 8)), g.input("target", (2, 3, 8, 8))
    return g.build(loss=ops.mse(report_network(4).build(x), target))


@interpreted
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("build", [network, report])
def test_a_training_step(build: Callable[[], Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    trained = build()
    expected = compile(trained, minimize="loss", optimizer=SGD(0.01), backend="torch")
    prefer_triton(monkeypatch)
    torch.manual_seed(0)
    graph = build()
    step = compile(graph, minimize="loss", optimizer=SGD(0.01))
    given = {name: torch.rand(node.sizes) for name, node in graph.inputs.items()}
    results = step(**given)
    for name, value in expected(**given).items():
        assert_near(results[name], value, scale=50)
    for name, node in trained.parameters.items():
        assert_near(parameter_of(graph, name).tensor, node.attributes["parameter"].tensor, scale=50)


@interpreted
def test_what_is_one_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    prefer_triton(monkeypatch)
    kinds = {step.operator for step in compile(report()).steps() if step.kernel != "view"}
    assert kinds == {
        "conv2d + add + relu",
        "conv2d + interleave_phases + add + relu",
        "conv2d + interleave_phases",
        "add + sigmoid + sub + square + mean",
        "phase_weight",
    }
    step = compile(report(), minimize="loss", optimizer=SGD(0.1))
    steps = [s for s in step.steps() if s.kernel != "view"]
    assert all("Triton" in s.kernel for s in steps)
    operators = [s.operator for s in steps]
    # The mask of an activation's gradient is applied as the gradient of its image is stored.
    assert operators.count("conv2d_input_gradient + greater + where") == 3
    assert operators.count("separate_phases") == operators.count("phase_weight") == 2


@interpreted
def test_an_operator_without_a_kernel_only_divides_what_is_fused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefer_triton(monkeypatch)
    g = GraphBuilder("annealed")
    x, target, power = g.input("x", (50,)), g.input("target", (50,)), g.input("power", ())
    base = ops.absolute(ops.sigmoid(x) * 2 - target) + 1e-8
    graph = g.build(y=ops.mean(ops.tanh(base**power) * 3 + 1))
    given = {"x": torch.randn(50), "target": torch.randn(50), "power": torch.tensor(1.5)}
    assert_runs_as_interpreted(graph, given)
    steps = [step.operator for step in compile(graph).steps() if step.kernel != "view"]
    assert steps == ["sigmoid + mul + sub + abs + add", "pow", "tanh + mul + add + mean"]


@interpreted
def test_what_follows_the_phases_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    prefer_triton(monkeypatch)
    g = GraphBuilder("followed")
    x, other = g.input("x", (2, 3, 5, 6)), g.input("other", (2, 4, 10, 12))
    w = g.parameter("w", (4, 3, 3, 3))
    graph = g.build(y=ops.conv2d(ops.upsample_nearest(x, 2), w, padding=1) * other)
    given = {"x": torch.randn(2, 3, 5, 6), "other": torch.randn(2, 4, 10, 12)}
    assert_runs_as_interpreted(graph, given)
    assert [s.operator for s in compile(graph).steps()] == [
        "phase_weight",
        "conv2d + interleave_phases + mul",
    ]


@interpreted
@pytest.mark.parametrize("stride", [1, 2, 3])  # with 3, some pixels are in no window
def test_what_follows_an_input_gradient(stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prefer_triton(monkeypatch)
    g = GraphBuilder("followed")
    x, other = g.input("x", (2, 4, 7, 6)), g.input("other", (4, 1, 6))
    w = g.parameter("w", (6, 2, 2, 3))
    slope = gradient(ops.sum(ops.conv2d(x, w, stride=stride, groups=2) * 2), [x])[0]
    graph = g.build(y=ops.where(x > 0, slope, 0.0) + other)
    given = {"x": torch.randn(2, 4, 7, 6), "other": torch.randn(4, 1, 6)}
    assert_runs_as_interpreted(graph, given)


@needs_triton
@pytest.mark.parametrize("architecture", [pytest.param(80, marks=pytest.mark.slow), 90])
def test_every_kernel_compiles(architecture: int, tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.engine.triton_compile", str(architecture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert {"kernel", "correlate_weight", "add_parts", "separate"} == set(done.stdout.split())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("name", sorted(SUBJECTS))
@settings(max_examples=LAW_EXAMPLES // 2)
@given(data=st.data())
def test_operators_and_their_gradients_on_cuda(name: str, data: st.DataObject) -> None:
    case = data.draw(SUBJECTS[name].cases).as_dtype(torch.float32)
    if SUBJECTS[name].operator.vjp is None:
        return
    pull = Pullback(SUBJECTS[name].operator, case)
    graph = pull.graph()
    seed = case.noise(pull.output.shape, "seed").to(pull.output.dtype)
    feeds = pull.feeds(case.tensors(), seed, graph)
    program, expected = compile(graph, device="cuda"), interpret(graph, feeds)
    for _ in range(3):  # step by step, recorded, launched
        for output, value in program(**feeds).items():
            require_close(value.cpu(), expected[output], output)


CUDA = torch.device("cuda", 0)


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(cuda, "find_spec", lambda name: object())
    monkeypatch.setattr(cuda, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    warn_once.cache_clear()
    return monkeypatch


def test_a_gpu_gets_triton_kernels(a_gpu: pytest.MonkeyPatch) -> None:
    x, w = (input(name=name, shape=(4, 4, 4, 4), dtype=torch.float32) for name in "xw")
    for compute in cuda.COMPUTE:
        choose = find_backend(Request("auto", CUDA, compute, tune=False), Graph({})).choose
        assert choose(x + w).name == "Triton, elementwise"
        assert choose(ops.conv2d(x, w)).name == f"Triton, implicit unfold, {compute}"
        assert choose(ops.sum(x)).name == "Triton, sum"
        assert choose(ops.sum(x, 3)).name == "torch.sum"
    double = input(name="x", shape=(4, 4), dtype=torch.float64)
    assert choose(double @ double).name == "torch.bmm"


def test_torch_computes_alone_where_it_is_asked_for(a_gpu: pytest.MonkeyPatch) -> None:
    x, w = (input(name=name, shape=(4, 4, 4, 4), dtype=torch.float32) for name in "xw")
    for compute in cuda.COMPUTE:
        backend = find_backend(Request("torch", CUDA, compute, tune=False), Graph({}))
        by_triton = backend.choose(ops.conv2d(x, w)).name.startswith("Triton")
        assert by_triton == (compute != "float32")
        assert backend.rewrites == (fold_weights,)


@pytest.mark.parametrize(
    ("name", "replacement", "lacking"),
    [
        ("engine.cuda.find_spec", lambda name: None, "Triton, which is not installed"),
        ("engine.cuda.which", lambda name: None, "a C compiler, gcc or clang, for Triton"),
        ("torch.cuda.get_device_capability", lambda device: (3, 7), "a GPU of compute capability"),
    ],
)
def test_without_triton_torch_does_it_and_that_is_said_once(
    name: str, replacement: Any, lacking: str, a_gpu: pytest.MonkeyPatch
) -> None:
    a_gpu.setattr(name, replacement)
    a_gpu.delenv("CC", raising=False)
    with pytest.warns(UserWarning, match=f"faster ones need {lacking}") as caught:
        assert [cuda.triton_for(CUDA, "float32") for _ in range(2)] == [{}, {}]
    assert len(caught) == 1
    with pytest.raises(GraphError, match=f"compute='bfloat16' needs {lacking}"):
        cuda.triton_for(CUDA, "bfloat16")


def test_compute_is_refused_where_it_is_unknown_or_not_to_be_had() -> None:
    with pytest.raises(GraphError, match="unknown compute 'float16': expected 'float32', 'tf32'"):
        compile(network(), compute="float16")
    with pytest.raises(GraphError, match="compute='tf32' needs a CUDA device, and the device is"):
        compile(network(), compute="tf32")
