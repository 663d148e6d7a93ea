"""Functions of images, and losses, with all their arguments against PyTorch's."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

import ops
from engine.testing import broadcasting, shapes
from tests.ops.comparison import assert_same_function, draw_tensors
from tests.ops.subjects.windows import Geometry, geometries
from tests.support import values

pair_or_int = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))


def _either(draw: Any, pair: tuple[int, int]) -> Any:
    """A pair, or a single number if both are equal."""
    return pair[0] if pair[0] == pair[1] and draw(st.booleans()) else pair


def _window(draw: Any, g: Geometry) -> dict[str, Any]:
    return {name: _either(draw, pair) for name, pair in g.attributes().items()}


@given(data=st.data())
def test_conv2d(data: st.DataObject) -> None:
    g, groups = data.draw(geometries()), data.draw(st.integers(1, 3))
    channels = data.draw(st.integers(1, 2))
    weight, bias = (channels * groups, channels, *g.kernel_size), (channels * groups,)
    inputs = draw_tensors(data.draw, (2, channels * groups, *g.size), weight, bias)
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
    inputs = draw_tensors(draw, (2, channels * groups, *g.count()), weight, bias)
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
        draw_tensors(draw, (2, 2, *g.size)),
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
        draw_tensors(draw, (2, 2, *g.size)),
    )


@given(scale=pair_or_int, data=st.data())
def test_upsample_nearest(scale: Any, data: st.DataObject) -> None:
    assert_same_function(
        lambda x: ops.upsample_nearest(x, scale),
        lambda x: F.interpolate(x, scale_factor=scale),
        draw_tensors(data.draw, (2, 2, 3, 4)),
    )


@given(data=st.data())
def test_unfold_and_fold(data: st.DataObject) -> None:
    g = data.draw(geometries())
    window = {**_window(data.draw, g), "kernel_size": _either(data.draw, g.kernel_size)}
    images = draw_tensors(data.draw, (2, 2, *g.size))
    assert_same_function(lambda x: ops.unfold(x, **window), lambda x: F.unfold(x, **window), images)
    columns = F.unfold(images[0], **window)
    assert_same_function(
        lambda x: ops.fold(x, g.size, **window), lambda x: F.fold(x, g.size, **window), [columns]
    )


@given(data=st.data())
def test_losses(data: st.DataObject) -> None:
    shape = data.draw(shapes(min_size=1))
    x, t = draw_tensors(data.draw, shape, shape)
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
    x, t = draw_tensors(data.draw, shape, shape)
    mask = (values(*data.draw(broadcasting(shape)), seed=5) > data.draw(st.floats(-1, 2))).to(x)

    def reference(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        kept = mask.expand(x.shape)
        return (kept * (x - t) ** 2).sum() / kept.sum().clamp(min=1)

    assert_same_function(
        lambda x, t: ops.masked_mse(x, t, ops.constant(value=mask)), reference, [x, t]
    )
