"""The steps by which random graphs grow: each takes values from the pool and makes one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

import ops
from engine import Graph
from tests.engine.vocabulary import BINARY, UNARY, Growing, Value
from tests.graphs.twins import random_twins


def _is_image(value: Value) -> bool:
    """Four axes, with sides known while building, as ``ceil_mode`` needs them."""
    return value.tensor.ndim == 4 and all(isinstance(s, int) for s in value.node.shape[2:])


def _fits_together(a: Value, b: Value) -> bool:
    try:
        torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError:
        return False
    return True


def unary(growing: Growing) -> Value | None:
    on_nodes, on_tensors = UNARY[growing.draw(st.sampled_from(sorted(UNARY)))]
    x = growing.pick()
    return x and Value(on_nodes(x.node), on_tensors(x.tensor))


def binary(growing: Growing) -> Value | None:
    on_nodes, on_tensors = BINARY[growing.draw(st.sampled_from(sorted(BINARY)))]
    a = growing.pick()
    b = a and growing.pick(lambda value: _fits_together(a, value))
    return a and b and Value(on_nodes(a.node, b.node), on_tensors(a.tensor, b.tensor))


def reuse(growing: Growing) -> Value | None:
    """Fan-out: one value used three times by one expression."""
    x = growing.pick()
    return x and Value(x.node * x.node - x.node, x.tensor * x.tensor - x.tensor)


def convolution(growing: Growing) -> Value | None:
    x = growing.pick(_is_image)
    if x is None:
        return None
    channels = x.shape[1]
    groups = growing.draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    kernel, dilation = growing.pair(1, 3), growing.pair(1, 2)
    padding, stride = growing.pair(0, 2), growing.pair(1, 3)
    if any(x.shape[2 + i] + 2 * padding[i] <= dilation[i] * (kernel[i] - 1) for i in range(2)):
        return None
    out = groups * growing.integer(1, 2)
    w = growing.parameter(out, channels // groups, *kernel)
    b = growing.parameter(out)
    window = (stride, padding, dilation, groups)
    return Value(
        ops.conv2d(x.node, w.node, b.node, *window), F.conv2d(x.tensor, w.tensor, b.tensor, *window)
    )


def transposed_convolution(growing: Growing) -> Value | None:
    x = growing.pick(_is_image)
    if x is None:
        return None
    channels = x.shape[1]
    groups = growing.draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    kernel, stride = growing.pair(2, 3), growing.pair(1, 2)
    extra = (growing.integer(0, stride[0] - 1), growing.integer(0, stride[1] - 1))
    w = growing.parameter(channels, 2, *kernel)
    window = (stride, 0, extra, groups, growing.pair(1, 2))
    return Value(
        ops.conv_transpose2d(x.node, w.node, None, *window),
        F.conv_transpose2d(x.tensor, w.tensor, None, *window),
    )


def pooling(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: _is_image(value) and min(value.shape[2:]) >= 3)
    if x is None:
        return None
    kernel, stride = growing.pair(2, 3), growing.pair(1, 3)
    padding, ceil_mode = growing.pair(0, 1), growing.draw(st.booleans())
    if growing.draw(st.booleans()):
        window = (kernel, stride, padding, 1, ceil_mode)
        return Value(ops.max_pool2d(x.node, *window), F.max_pool2d(x.tensor, *window))
    means = (kernel, stride, padding, ceil_mode, growing.draw(st.booleans()))
    return Value(ops.avg_pool2d(x.node, *means), F.avg_pool2d(x.tensor, *means))


def upsampling(growing: Growing) -> Value | None:
    x = growing.pick(_is_image)
    if x is None:
        return None
    rows, columns = growing.pair(1, 2)
    repeated = x.tensor.repeat_interleave(rows, 2).repeat_interleave(columns, 3)
    return Value(ops.upsample_nearest(x.node, (rows, columns)), repeated)


def unfolding(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: _is_image(value) and min(value.shape[2:]) >= 3)
    if x is None:
        return None
    kernel, stride = growing.pair(1, 3), growing.pair(1, 2)
    size = x.shape[2:]
    node = ops.unfold(x.node, kernel, stride=stride)
    tensor = F.unfold(x.tensor, kernel, stride=stride)
    if growing.draw(st.booleans()):
        return Value(node, tensor)
    return Value(
        ops.fold(node, size, kernel, stride=stride), F.fold(tensor, size, kernel, stride=stride)
    )


def padding(growing: Growing) -> Value | None:
    x = growing.pick(_is_image)
    amounts = [growing.integer(-1, 2) for _ in range(4)]
    if x is None or min(x.shape[2:]) < 3:
        return None
    return Value(ops.pad(x.node, amounts, 0.5), F.pad(x.tensor, amounts, value=0.5))


def slicing(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: value.tensor.ndim > 1 and value.shape[-1] > 1)
    if x is None:
        return None
    start, step = growing.integer(0, x.shape[-1] - 1), growing.integer(1, 2)
    return Value(ops.slice(x.node, -1, start, None, step), x.tensor[..., start::step])


def concatenation(growing: Growing) -> Value | None:
    a = growing.pick(lambda value: value.tensor.ndim > 1)
    if a is None:
        return None
    b = growing.pick(
        lambda v: (
            v.tensor.ndim == a.tensor.ndim
            and v.shape[0] == a.shape[0]
            and v.shape[2:] == a.shape[2:]
        )
    )
    assert b is not None  # a itself fits
    return Value(
        ops.concat([a.node, b.node, a.node], 1), torch.cat([a.tensor, b.tensor, a.tensor], 1)
    )


def permuting(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: value.tensor.ndim > 1)
    if x is None:
        return None
    dims = growing.draw(st.permutations(range(x.tensor.ndim)))
    return Value(ops.permute(x.node, dims), x.tensor.permute(*dims))


def reshaping(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: value.tensor.ndim > 1)
    if x is None:
        return None
    if growing.draw(st.booleans()) and isinstance(x.node.shape[-1], int):
        shape = (1, -1, 1, x.shape[-1])
    else:
        shape = (-1,)
    return Value(ops.reshape(x.node, shape), x.tensor.reshape(shape))


def expanding(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: value.tensor.ndim < 4)
    if x is None:
        return None
    shape = (2,) + (-1,) * x.tensor.ndim
    return Value(ops.expand(x.node, shape), x.tensor.expand(shape))


def reducing(growing: Growing) -> Value | None:
    x = growing.pick()
    if x is None:
        return None
    axes = st.lists(st.integers(0, max(0, x.tensor.ndim - 1)), unique=True, max_size=x.tensor.ndim)
    dim, keepdim = growing.draw(axes) if x.tensor.ndim else [], growing.draw(st.booleans())
    if growing.draw(st.booleans()):
        return Value(ops.mean(x.node, dim, keepdim), x.tensor.mean(dim, keepdim))
    return Value(ops.sum(x.node, dim, keepdim), x.tensor.sum(dim, keepdim))


def product(growing: Growing) -> Value | None:
    x = growing.pick(lambda value: value.tensor.ndim > 1)
    if x is None:
        return None
    w = growing.parameter(x.shape[-1], growing.integer(1, 4))
    return Value(x.node @ w.node, x.tensor @ w.tensor)


def loss(growing: Growing) -> Value | None:
    x = growing.pick()
    if x is None:
        return None
    node, tensor = ops.tanh(x.node), x.tensor.tanh()
    mask = (x.tensor > 0.05).to(x.tensor.dtype)
    kept = ops.where(ops.greater(x.node, 0.05), 1.0 + 0 * x.node, 0.0)
    match growing.integer(0, 3):
        case 0:
            return Value(ops.mse(x.node, node), F.mse_loss(x.tensor, tensor))
        case 1:
            return Value(ops.l1(x.node + 0.1, node), F.l1_loss(x.tensor + 0.1, tensor))
        case 2:
            powers = ((x.tensor - tensor).abs() + 0.01) ** 1.5
            return Value(ops.l0_annealed(x.node, node, 1.5, eps=0.01), powers.mean())
        case _:
            total = (mask * (x.tensor - tensor) ** 2).sum() / mask.sum().clamp(min=1)
            return Value(ops.masked_mse(x.node, node, kept), total)


def modules(growing: Growing) -> Value | None:
    """A Sequential of random modules as a part of the graph, its weights among the parameters."""
    x = growing.pick(_is_image)
    if x is None:
        return None
    ours, theirs = growing.draw(random_twins(x.shape, most=2))
    scope = f"net{len(growing.parameters)}"
    node = ours(x.node, name=scope)
    leaves = Graph({"y": node}).parameters
    for name, tensor in theirs.named_parameters():
        growing.parameters[f"{scope}.{name}"] = Value(leaves[f"{scope}.{name}"], tensor)
    return Value(node, theirs(x.tensor))


GROWTH: list[Callable[[Growing], Value | None]] = [
    unary,
    binary,
    reuse,
    convolution,
    transposed_convolution,
    pooling,
    upsampling,
    unfolding,
    padding,
    slicing,
    concatenation,
    permuting,
    reshaping,
    expanding,
    reducing,
    product,
    loss,
    modules,
]
