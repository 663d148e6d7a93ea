"""Native kernels must obey the same law as torch's kernels."""

from __future__ import annotations

import weakref

import pytest
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st

from engine.native.code.expression import EXPRESSIONS
from engine.native.emitters import native_kernels
from engine.native.toolchain.target import NativeError
from engine.testing import Case, Sample
from engine.testing.laws.kernels import require_kernel
from ops import REGISTRY
from ops.fused import Instruction
from tests.ops.subjects import SUBJECTS

THOROUGH = settings.default.max_examples > 50
ARCHITECTURES = ("native", "x86-64", "x86-64-v3", "x86-64-v4")
ELEMENTWISE = sorted(set(EXPRESSIONS) & set(SUBJECTS))
CONVOLUTIONS = ("conv2d", "conv2d_input_gradient", "conv2d_weight_gradient")
POOLINGS = ("max_pool2d", "pool_route")
OTHERS = (
    "concat", "fused", "mean", "phase_weight", "phase_weight_adjoint", "sum", "sum_to", "unslice",
    "upsample_nearest",
)  # fmt: skip


def examples(count: int) -> settings:
    return settings(max_examples=50 * count if THOROUGH else count)


def hold(name: str, data: st.DataObject, architecture: str = "native", threads: int = 2) -> None:
    subject = SUBJECTS[name]
    case = data.draw(subject.cases)
    held = [require_kernel(subject, case, k) for k in native_kernels(architecture, threads)]
    event(f"{name} supported" if any(held) else f"{name} not supported")


def test_nothing_elementwise_is_left_out() -> None:
    unknown = set(EXPRESSIONS) - set(REGISTRY)
    assert not unknown
    assert set(EXPRESSIONS) <= set(SUBJECTS)


@examples(40)
@given(data=st.data())
def test_elementwise(data: st.DataObject) -> None:
    hold(data.draw(st.sampled_from(ELEMENTWISE)), data)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@examples(40)
@given(data=st.data())
def test_convolutions(name: str, data: st.DataObject) -> None:
    hold(name, data)


@pytest.mark.parametrize("name", [*OTHERS, *POOLINGS])
@examples(8)
@given(data=st.data())
def test_sums(name: str, data: st.DataObject) -> None:
    hold(name, data)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("channels", [1, 5, 16, 19])
def test_poolings_side_by_side(name: str, channels: int) -> None:
    window = {"kernel_size": (2, 3), "stride": (2, 3), "padding": (0, 0), "dilation": (1, 1)}
    image, pooled = (
        Sample(shape, layout="channels_last", **kind)
        for shape, kind in (((2, channels, 5, 7), {"ties": 2}), ((2, channels, 2, 2), {}))
    )
    inputs = (image,) if name == "max_pool2d" else (pooled, image)
    case = Case(*inputs, **window, ceil_mode=False)
    kernels = [k for k in native_kernels(threads=2) if k.name == "C: windows"]
    assert [require_kernel(SUBJECTS[name], case, k) for k in kernels] == [True]


@pytest.mark.parametrize(
    ("channels", "stride", "layout"),
    [
        ((16, 16), 1, "channels_last"),
        ((37, 20), 1, "channels_last"),
        ((3, 32), 2, "transposed"),
        ((3, 16), 1, "channels_last"),
        ((32, 3), 1, "transposed"),
    ],
)
@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
def test_whole_vectors_of_channels(
    architecture: str, name: str, channels: tuple[int, int], stride: int, layout: str
) -> None:
    require_runs(architecture)
    few, many = channels
    kind = {"dtype": torch.float32}
    window = {"stride": (stride, stride), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x = Sample((2, few, 6, 4), layout="channels_last", **kind)
    y = Sample((2, many, 6 // stride, 4 // stride), layout="channels_last", **kind)
    weight = Sample((many, few, 3, 3), layout=layout, **kind)
    cases = {
        "conv2d": Case(x, weight, **window),
        "conv2d_input_gradient": Case(y, weight, size=(6, 4), **window),
        "conv2d_weight_gradient": Case(y, x, kernel_size=(3, 3), **window),
    }
    kernels = native_kernels(architecture, threads=3)
    held = [k.name for k in kernels if require_kernel(SUBJECTS[name], cases[name], k)]
    assert ("C: taps, weight" if name == "conv2d_weight_gradient" else "C: taps") in held


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
@examples(8)
@given(data=st.data())
def test_instruction_sets(architecture: str, data: st.DataObject) -> None:
    require_runs(architecture)
    hold(data.draw(st.sampled_from((*CONVOLUTIONS, "mean", "exp"))), data, architecture)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize(
    ("shape", "dim", "layout"),
    [
        ((2, 3, 4, 2, 5, 2), (3, 5), "contiguous"),  # few terms, not side by side
        ((7, 5), (1,), "contiguous"),
        ((7, 5), (1,), "transposed"),
        ((37, 19), (0,), "contiguous"),
        ((3, 20, 6, 5), (2, 3), "channels_last"),  # each image's mean colour
        ((2, 1, 3, 4), (3,), "channels_last"),
    ],
)
def test_sums_over_some_axes(
    shape: tuple[int, ...], dim: tuple[int, ...], layout: str, name: str, keepdim: bool,
    threads: int,
) -> None:  # fmt: skip
    (kernel,) = [k for k in native_kernels(threads=threads) if k.name == "C: sums over axes"]
    case = Case(Sample(shape, layout=layout), dim=dim, keepdim=keepdim)
    assert require_kernel(SUBJECTS[name], case, kernel)


@pytest.mark.parametrize(
    ("shape", "dim", "layout"),
    [
        ((3, 100), (1,), "contiguous"),
        ((37, 40), (1,), "transposed"),
        ((2, 20, 5, 7), (1,), "channels_last"),  # each pixel
        ((3, 20, 6, 5), (1, 2, 3), "channels_last"),  # each image
        ((3, 20, 6, 5), (1, 2, 3), "sliced"),
        ((5, 9000), (1,), "contiguous"),
    ],
)
def test_sums_of_rows(shape: tuple[int, ...], dim: tuple[int, ...], layout: str) -> None:
    (kernel,) = [k for k in native_kernels(threads=3) if k.name == "C: sums of rows"]
    case = Case(Sample(shape, layout=layout), dim=dim, keepdim=False)
    assert require_kernel(SUBJECTS["mean"], case, kernel)


@pytest.mark.parametrize("size", [3, 16, 21])
def test_a_choice_between_bools(size: int) -> None:
    body = [("greater", (0, 1)), ("less", (0, 2)), ("equal", (1, 2)), ("where", (3, 4, 5)),
            ("where", (6, 0, 1))]  # fmt: skip
    instructions = tuple(Instruction(REGISTRY[name], sources, {}) for name, sources in body)
    case = Case(*(Sample((size,), seed=seed, ties=3) for seed in range(3)), body=instructions)
    held = [require_kernel(SUBJECTS["fused"], case, k) for k in native_kernels(threads=2)]
    assert held.count(True) == 1


@st.composite
def in_groups(draw: st.DrawFn) -> tuple[str, Case]:
    """A convolution or a gradient of one, in groups whose results are whole vectors."""
    name, groups, n = draw(st.sampled_from(CONVOLUTIONS)), draw(st.integers(2, 3)), 2
    terms, results = draw(st.sampled_from((1, 5, 16, 20))), draw(st.sampled_from((16, 32)))
    few, many = (results, terms) if name == "conv2d_input_gradient" else (terms, results)
    taps, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = draw(st.integers(0, taps - 1))
    size = draw(st.integers(taps, 9))
    count = (size + 2 * padding - taps) // stride + 1
    dtype, layout = draw(st.sampled_from((torch.float32, torch.float64))), "channels_last"
    x = Sample((n, groups * few, size, size), dtype, layout=layout)
    y = Sample((n, groups * many, count, count), dtype, layout=layout)
    weight = Sample((groups * many, few, taps, taps), dtype, layout=layout)
    pairs = {"stride": stride, "padding": padding, "dilation": 1}
    window = {key: (value, value) for key, value in pairs.items()} | {"groups": groups}
    return name, {
        "conv2d": Case(x, weight, **window),
        "conv2d_input_gradient": Case(y, weight, size=(size, size), **window),
        "conv2d_weight_gradient": Case(y, x, kernel_size=(taps, taps), **window),
    }[name]


@examples(30)
@given(drawn=in_groups(), threads=st.integers(1, 3))
def test_groups_of_whole_vectors(drawn: tuple[str, Case], threads: int) -> None:
    name, case = drawn
    held = [
        require_kernel(SUBJECTS[name], case, kernel) for kernel in native_kernels("native", threads)
    ]
    assert held.count(True) == 1


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("groups", [1, 5])
def test_windows_that_miss_the_image(groups: int, name: str) -> None:
    # Of these windows, the canvas is narrower than the padding.
    window = {"stride": (1, 7), "padding": (1, 3), "dilation": (1, 1), "groups": groups}
    x, y = (Sample((4, 5, *size), layout="channels_last") for size in ((4, 1), (4, 1)))
    weight = Sample((5, 5 // groups, 3, 2), layout="channels_last")
    cases = {
        "conv2d": Case(x, weight, **window),
        "conv2d_input_gradient": Case(y, weight, size=(4, 1), **window),
        "conv2d_weight_gradient": Case(y, x, kernel_size=(3, 2), **window),
    }
    kernels = native_kernels(threads=2)
    assert sum(require_kernel(SUBJECTS[name], cases[name], kernel) for kernel in kernels) == 1


@examples(10)
@given(data=st.data(), threads=st.integers(1, 5))
def test_any_number_of_threads(data: st.DataObject, threads: int) -> None:
    hold(data.draw(st.sampled_from((*CONVOLUTIONS, "sum_to", "add"))), data, threads=threads)


def require_runs(architecture: str) -> None:
    """Skip a test if this machine or its compiler lacks an instruction set."""
    capability = {"DEFAULT": 0, "AVX2": 1, "AVX512": 2}[torch.backends.cpu.get_cpu_capability()]
    needed = {"native": 0, "x86-64": 0, "x86-64-v3": 1, "x86-64-v4": 2}[architecture]
    try:
        native_kernels(architecture)
    except NativeError as error:
        pytest.skip(str(error))
    if capability < needed:
        pytest.skip(f"this machine does not run {architecture}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("name", "attributes"),
    [("exp", {}), ("sigmoid", {}), ("tanh", {}), ("log", {}),
     ("softplus", {"beta": 1.0, "threshold": 20.0})],
)  # fmt: skip
@pytest.mark.parametrize("architecture", ["native", "x86-64"])
def test_elementary_functions_everywhere(
    architecture: str, name: str, attributes: dict[str, float], dtype: torch.dtype
) -> None:
    require_runs(architecture)
    ranges = ((-120, 100), (-1, 1), (-1e-3, 1e-3), (-750, 715))
    values = [torch.linspace(low, high, 4001, dtype=dtype) for low, high in ranges]
    values.append(torch.linspace(-700, 700, 4001, dtype=torch.float64).exp().to(dtype))
    special = torch.tensor(
        [0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e-38, -1e-45, 5e-324, 1.0], dtype=dtype
    )
    x = torch.cat([*values, special])
    node = REGISTRY[name](x, **attributes)
    (kernel,) = [k for k in native_kernels(architecture) if k.supports(node)]
    result = torch.empty_like(x)
    kernel.prepare(node, result, [x], [])()
    exact = node.operator.forward(x.double(), **attributes).to(dtype)
    finfo = torch.finfo(dtype)
    # A result below the smallest normal number may be zero.
    torch.testing.assert_close(result, exact, rtol=2 * finfo.eps, atol=finfo.tiny, equal_nan=True)
    zero = exact == 0
    assert torch.equal(result[zero].signbit(), exact[zero].signbit())


def test_a_prepared_kernel_keeps_its_tensors_alive() -> None:
    node = REGISTRY["exp"](torch.zeros(100))
    (kernel,) = [k for k in native_kernels() if k.supports(node)]
    x, y = torch.zeros(100), torch.empty(100)
    alive = [weakref.ref(x), weakref.ref(y)]
    run = kernel.prepare(node, y, [x], [])
    del x, y
    assert all(tensor() is not None for tensor in alive)
    run()
