"""The public functions with all their arguments against PyTorch's, values and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

import ops
from engine.testing import broadcasting, shapes
from tests.ops.comparison import assert_same_function
from tests.ops.subjects.windows import Geometry, geometries
from tests.support import values

DTYPES = st.sampled_from((torch.float64, torch.float32))
pair_or_int = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))


def _tensors(draw: st.DrawFn | Any, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    dtype = draw(DTYPES)
    return [values(*shape, seed=i, dtype=dtype) for i, shape in enumerate(shapes)]


def _either(draw: Any, pair: tuple[int, int]) -> Any:
    """A pair, or one number where it is twice the same."""
    return pair[0] if pair[0] == pair[1] and draw(st.booleans()) else pair


def _window(draw: Any, g: Geometry) -> dict[str, Any]:
    return {name: _either(draw, pair) for name, pair in g.attributes().items()}


@given(data=st.data())
def test_conv2d(data: st.DataObject) -> None:
    g, groups = data.draw(geometries()), data.draw(st.integers(1, 3))
    channels = data.draw(st.integers(1, 2))
    weight, bias = (channels * groups, channels, *g.kernel_size), (channels * groups,)
    inputs = _tensors(data.draw, (2, channels * groups, *g.size), weight, bias)
    arguments = {**_window(data.draw, g), "groups": groups}
    assert_same_function(
        lambda *nodes: ops.conv2d(*nodes, **arguments),
        lambda *tensors: F.conv2d(*tensors, **arguments),
        inputs[: 2 + data.draw(st.booleans())],
    )


@given(
    padding=st.sampled_from(("same", "valid")),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    dilation=pair_or_int,
)
def test_conv2d_padding_by_name(padding: str, kernel: tuple[int, int], dilation: Any) -> None:
    arguments = {"padding": padding, "dilation": dilation}
    assert_same_function(
        lambda x, w: ops.conv2d(x, w, **arguments),
        lambda x, w: F.conv2d(x, w, **arguments),
        [values(2, 2, 10, 11), values(3, 2, *kernel, seed=1)],
    )


def _transposed_size(g: Geometry, axis: int) -> int:
    reach = g.dilation[axis] * (g.kernel_size[axis] - 1)
    return (g.count()[axis] - 1) * g.stride[axis] - 2 * g.padding[axis] + reach + 1


@given(data=st.data())
def test_conv_transpose2d(data: st.DataObject) -> None:
    draw = data.draw
    g, groups, channels = draw(geometries()), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    assume(all(_transposed_size(g, axis) >= 1 for axis in range(2)))
    most = [max(s, d) - 1 for s, d in zip(g.stride, g.dilation, strict=True)]
    extra = tuple(draw(st.integers(0, m)) for m in most)
    weight, bias = (channels * groups, 2, *g.kernel_size), (2 * groups,)
    inputs = _tensors(draw, (2, channels * groups, *g.count()), weight, bias)
    arguments = {**_window(draw, g), "groups": groups, "output_padding": _either(draw, extra)}
    assert_same_function(
        lambda *nodes: ops.conv_transpose2d(*nodes, **arguments),
        lambda *tensors: F.conv_transpose2d(*tensors, **arguments),
        inputs[: 2 + draw(st.booleans())],
    )


@given(data=st.data())
def test_avg_pool2d(data: st.DataObject) -> None:
    draw = data.draw
    g = draw(geometries(pooling=True).filter(lambda g: g.dilation == (1, 1)))
    arguments = {
        "kernel_size": _either(draw, g.kernel_size),
        "stride": draw(st.sampled_from((None, _either(draw, g.stride)))),
        "padding": _either(draw, g.padding),
        "ceil_mode": draw(st.booleans()),
        "count_include_pad": draw(st.booleans()),
        "divisor_override": draw(st.sampled_from((None, 1, 3, -2))),
    }
    assert_same_function(
        lambda x: ops.avg_pool2d(x, **arguments),
        lambda x: F.avg_pool2d(x, **arguments),
        _tensors(draw, (2, 2, *g.size)),
    )


@given(data=st.data())
def test_max_pool2d(data: st.DataObject) -> None:
    draw = data.draw
    g = draw(geometries(pooling=True))
    arguments = {
        **_window(draw, g),
        "kernel_size": _either(draw, g.kernel_size),
        "ceil_mode": draw(st.booleans()),
    }
    if draw(st.booleans()):
        arguments["stride"] = None
    assert_same_function(
        lambda x: ops.max_pool2d(x, **arguments),
        lambda x: F.max_pool2d(x, **arguments),
        _tensors(draw, (2, 2, *g.size)),
    )


@given(scale=pair_or_int, data=st.data())
def test_upsample_nearest(scale: Any, data: st.DataObject) -> None:
    assert_same_function(
        lambda x: ops.upsample_nearest(x, scale),
        lambda x: F.interpolate(x, scale_factor=scale),
        _tensors(data.draw, (2, 2, 3, 4)),
    )


@given(data=st.data())
def test_unfold_and_fold(data: st.DataObject) -> None:
    g = data.draw(geometries())
    window = {**_window(data.draw, g), "kernel_size": _either(data.draw, g.kernel_size)}
    images = _tensors(data.draw, (2, 2, *g.size))
    assert_same_function(lambda x: ops.unfold(x, **window), lambda x: F.unfold(x, **window), images)
    columns = F.unfold(images[0], **window)
    assert_same_function(
        lambda x: ops.fold(x, g.size, **window), lambda x: F.fold(x, g.size, **window), [columns]
    )


@given(data=st.data())
def test_losses(data: st.DataObject) -> None:
    shape = data.draw(shapes(min_size=1))
    x, t = _tensors(data.draw, shape, shape)
    assert_same_function(ops.mse, F.mse_loss, [x, t])
    assert_same_function(ops.l1, F.l1_loss, [x, t])
    gamma = data.draw(st.sampled_from((2.0, 1.3, 0.5)))
    assert_same_function(
        lambda x, t: ops.l0_annealed(x, t, gamma),
        lambda x, t: ((x - t).abs() + 1e-8).pow(gamma).mean(),
        [x, t],
    )
    assert_same_function(
        ops.l0_annealed,
        lambda x, t, gamma: ((x - t).abs() + 1e-8).pow(gamma).mean(),
        [x, t, torch.tensor(gamma, dtype=x.dtype)],
    )


@given(data=st.data())
def test_masked_mse(data: st.DataObject) -> None:
    shape = data.draw(shapes(min_size=1))
    x, t = _tensors(data.draw, shape, shape)
    mask = (values(*data.draw(broadcasting(shape)), seed=5) > data.draw(st.floats(-1, 2))).to(x)

    def reference(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        kept = mask.expand(x.shape)
        return (kept * (x - t) ** 2).sum() / kept.sum().clamp(min=1)

    assert_same_function(
        lambda x, t: ops.masked_mse(x, t, ops.constant(value=mask)), reference, [x, t]
    )


@given(data=st.data())
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_reductions(name: str, data: st.DataObject) -> None:
    shape = data.draw(shapes(min_size=1))
    axes = st.integers(-len(shape), len(shape) - 1) if shape else st.nothing()
    several = st.lists(axes, unique_by=lambda axis: axis % len(shape), min_size=1).map(tuple)
    dim = data.draw(st.one_of(st.none(), axes, several))
    keepdim = data.draw(st.booleans())
    assert_same_function(
        lambda x: getattr(ops, name)(x, dim, keepdim),
        lambda x: getattr(torch, name)(x, dim, keepdim),
        _tensors(data.draw, shape),
    )


BOUNDS = st.one_of(st.none(), st.integers(-8, 8))


@given(shape=shapes(min_ndim=1), start=BOUNDS, end=BOUNDS, step=st.integers(1, 3), data=st.data())
def test_slice(
    shape: tuple[int, ...], start: int | None, end: int | None, step: int, data: st.DataObject
) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    index = [slice(None)] * len(shape)
    index[dim] = slice(start, end, step)
    assert_same_function(
        lambda x: ops.slice(x, dim, start, end, step),
        lambda x: x[tuple(index)],
        _tensors(data.draw, shape),
    )


@given(shape=shapes(min_size=1), data=st.data())
def test_shapes(shape: tuple[int, ...], data: st.DataObject) -> None:
    dims = data.draw(st.permutations(range(len(shape))))
    flat = data.draw(st.sampled_from(((-1,), (1, -1), (-1, 1, *shape[1:]) if shape else (1,))))
    larger = (2, *(-1 if data.draw(st.booleans()) else size for size in shape))
    tensors = _tensors(data.draw, shape)
    assert_same_function(
        lambda x: ops.permute(x, dims=tuple(dims)), lambda x: x.permute(dims), tensors
    )
    assert_same_function(lambda x: ops.reshape(x, flat), lambda x: x.reshape(flat), tensors)
    assert_same_function(lambda x: ops.expand(x, larger), lambda x: x.expand(larger), tensors)


@given(count=st.integers(1, 3), dim=st.integers(-3, 2))
def test_concat(count: int, dim: int) -> None:
    tensors = [values(2, 3, 2, seed=i) for i in range(count)]
    assert_same_function(lambda *xs: ops.concat(xs, dim), lambda *xs: torch.cat(xs, dim), tensors)


def test_concat_of_one_value_with_itself() -> None:
    assert_same_function(lambda x: ops.concat([x, x]), lambda x: torch.cat([x, x]), [values(2, 3)])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 1, 2, 3), (5, 3, 4)),
        ((0,), (0,)),
        ((2, 0), (0, 3)),
    ],
)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    assert_same_function(ops.matmul, torch.matmul, [values(*a), values(*b, seed=1)])
    assert_same_function(lambda a, b: a @ b, torch.matmul, [values(*a), values(*b, seed=1)])


ARITHMETIC: list[Any] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / (abs(b) + 1),
    lambda a, b: (abs(a) + 1) ** b,
    lambda a, b: 2 + a - 3 * b / 4,
    lambda a, b: 1 - 2 / (abs(a) + 1) + -b,
    lambda a, b: 2**a + a**2,
    lambda a, b: a > b,
    lambda a, b: a >= 0,
    lambda a, b: a < b,
    lambda a, b: b <= 0,
]


@pytest.mark.parametrize("function", ARITHMETIC)
def test_pythons_arithmetic(function: Any) -> None:
    assert_same_function(function, function, [values(2, 3), values(3, seed=1)])
