"""Convolution, its two gradients and matrix products as correlations, with what follows them.

An input gradient of stride s is s*s correlations, each for every s-th row and column, which is
where the same taps of the weight meet the image. The phases of an upsampled image are four, each
written to its own pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch

from engine.cuda.correlation import (
    Axes,
    Axis,
    correlation,
    parts_of_sum,
    place_in_block,
    weight_gradient,
)
from engine.cuda.expression import Statements, has_dtypes, is_elementwise
from engine.kernels.kernel import Kernel, Run, in_sequence
from ops import Node, Spec
from ops.fused import Computation, Instruction, body_of
from ops.phases import PHASES

IMAGES = ("conv2d", "conv2d_input_gradient")

Tensors = Sequence[torch.Tensor]
View = Callable[[torch.Tensor], torch.Tensor]


class Part(NamedTuple):
    """A correlation that gives a part of the pixels of a result.

    Attributes:
        x, w, axes: of the correlation.
        view: the part of a tensor of the result's shape, as [N, G, F, H', W'].
    """

    x: torch.Tensor
    w: torch.Tensor
    axes: Axes
    view: View


def _axes(step: Instruction) -> Axes:
    a = step.attributes
    rows, columns = (
        Axis(s, -p, d) for s, p, d in zip(a["stride"], a["padding"], a["dilation"], strict=True)
    )
    return rows, columns


def _grouped(images: torch.Tensor, groups: int) -> torch.Tensor:
    """[N, C, H, W] as [N, groups, C/groups, H, W]."""
    return images.unflatten(1, (groups, -1))


def _conv2d(step: Instruction, x: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    groups = step.attributes["groups"]
    weights = w.unflatten(0, (groups, -1))
    yield Part(_grouped(x, groups), weights, _axes(step), partial(_grouped, groups=groups))


def _interleaved(step: Instruction, x: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    """Pixel r of phase (a, b) is ``conv2d``'s pixel r + (a, b), see ``interleave_phases``."""
    channels = len(w) // 4
    for k, offsets in enumerate(PHASES):
        rows, columns = (
            Axis(axis.stride, axis.start + offset * axis.stride, axis.step)
            for axis, offset in zip(_axes(step), offsets, strict=True)
        )
        weights = w[None, k * channels : (k + 1) * channels]
        yield Part(x[:, None], weights, (rows, columns), partial(_phase, offsets=offsets))


def _phase(image: torch.Tensor, offsets: tuple[int, int]) -> torch.Tensor:
    return image[:, None, :, offsets[0] :: 2, offsets[1] :: 2]


def _input_gradient(step: Instruction, dy: torch.Tensor, w: torch.Tensor) -> Iterator[Part]:
    groups, size = step.attributes["groups"], step.attributes["size"]
    weights = w.unflatten(0, (groups, -1)).transpose(1, 2)
    lines = (
        meetings(axis, n, taps)
        for axis, n, taps in zip(_axes(step), size, w.shape[2:], strict=True)
    )
    for rows, columns in product(*lines):
        taps = weights[..., rows.taps, columns.taps]
        view = partial(_every, rows=rows.pixels, columns=columns.pixels, groups=groups)
        yield Part(_grouped(dy, groups), taps, (rows.axis, columns.axis), view)


def _every(images: torch.Tensor, rows: slice, columns: slice, groups: int) -> torch.Tensor:
    return _grouped(images[:, :, rows, columns], groups)


@dataclass(frozen=True)
class Meeting:
    """Every s-th pixel along an axis, the taps that meet them, and where in the gradient."""

    pixels: slice
    taps: slice
    axis: Axis


def meetings(forward: Axis, size: int, taps: int) -> list[Meeting]:
    """Tap i of window r has read pixel ``r * stride + start + i * step``: solved for r."""
    stride, apart = forward.stride, forward.stride // math.gcd(forward.stride, forward.step)
    result = []
    for first in range(min(stride, size)):
        reached = [first - forward.start - i * forward.step for i in range(taps)]
        tap = next((i for i, place in enumerate(reached) if place % stride == 0), taps)
        start = (first - forward.start - tap * forward.step) // stride
        axis = Axis(1, start, -(apart * forward.step) // stride)
        result.append(Meeting(slice(first, None, stride), slice(tap, None, apart), axis))
    return result


class _Images(NamedTuple):
    """What makes a node's images: a convolution, and perhaps the weaving of its phases.

    Attributes:
        step: the convolution.
        done: the numbers of these values.
        after: the other instructions, before the convolution's or after it.
    """

    step: Computation
    done: tuple[int, ...]
    after: tuple[Computation, ...]

    @staticmethod
    def of(node: Node) -> _Images | None:
        """None where there is no convolution or more than one."""
        numbered = dict(enumerate(body_of(node), len(node.inputs)))
        found = [i for i, step in numbered.items() if step.operator.name in IMAGES]
        if len(found) != 1:
            return None
        woven = [
            i for i, step in numbered.items()
            if step.operator.name == "interleave_phases" and step.sources == (found[0],)
        ]  # fmt: skip
        done = (*found, *woven)
        after = tuple(step for i, step in numbered.items() if i not in done)
        return _Images(numbered[found[0]], done, after)

    @property
    def woven(self) -> bool:
        return len(self.done) > 1


def _parts(images: _Images, inputs: Tensors) -> Iterator[Part]:
    x, w = (inputs[i] for i in images.step.sources)
    if images.step.operator.name == "conv2d_input_gradient":
        return _input_gradient(images.step, x, w)
    return (_interleaved if images.woven else _conv2d)(images.step, x, w)


def _images(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    images = _Images.of(node)
    assert images is not None
    runs: list[Run] = []
    for x, w, axes, view in _parts(images, inputs):
        y = view(out)
        if not w.numel():  # no tap meets these pixels
            runs.append(y.zero_)
            continue
        place = partial(_place, view=view, shape=out.shape)
        after = Statements(node, inputs, place, dict.fromkeys(images.done, "total"))
        runs.append(correlation(x, w, y, axes, compute, after))
    return in_sequence(runs)


def _place(tensor: torch.Tensor, view: View, shape: torch.Size) -> tuple[torch.Tensor, str]:
    part = view(tensor.expand(shape))
    return part, place_in_block(part)


def _weight_gradient(
    node: Node, out: torch.Tensor, inputs: Tensors, parts: Tensors, *, compute: str
) -> Run:
    (step,), (dy, x) = body_of(node), inputs
    groups = step.attributes["groups"]
    dw = out.permute(0, 2, 3, 1).unflatten(0, (groups, -1))
    dy, x = _grouped(dy, groups), _grouped(x, groups)
    return weight_gradient(dy, x, dw, _axes(step), compute, parts)


def _weight_workspace(node: Node) -> Sequence[Spec]:
    n, filters, rows, columns = node.inputs[0].sizes
    groups, count = node.attributes["groups"], math.prod(node.sizes)
    parts = parts_of_sum(n * rows * columns, groups, filters // groups, count // filters)
    return [node.spec.with_shape((parts, count))] if parts > 1 else []


def _matmul(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    a, b = (x.expand(*out.shape[:-2], *x.shape[-2:]) for x in inputs)
    if out.ndim == 2:
        return _matrix_product(a[None], b[None], out[None], compute)
    if out.ndim == 3:
        return _matrix_product(a, b, out, compute)
    return in_sequence([_matrix_product(*m, compute) for m in zip(a, b, out, strict=True)])


def _matrix_product(a: torch.Tensor, b: torch.Tensor, y: torch.Tensor, compute: str) -> Run:
    """[G, M, K] @ [G, K, N]: images of one row of M pixels and K channels, N filters."""
    if not b.numel():
        return y.zero_
    x, image = (matrix.mT[None, :, :, None, :] for matrix in (a, y))
    return correlation(x, b.mT[..., None, None], image, (Axis(), Axis()), compute)


def _fits(node: Node, groups: int) -> bool:
    # The number of a block has to fit the axes of a grid, and an index within an image 32 bits.
    small = all(math.prod(value.sizes[1:]) < 1 << 31 for value in (node, *node.inputs))
    return node.dtype == torch.float32 and has_dtypes(node) and small and groups < 1 << 16


def _supports_images(node: Node) -> bool:
    images = _Images.of(node)
    if images is None or not _fits(node, images.step.attributes["groups"]):
        return False
    if max(images.step.sources) >= len(node.inputs):
        return False
    if images.woven and images.step.operator.name != "conv2d":
        return False
    if images.woven and images.step.attributes["groups"] != 1:
        return False
    if not images.after:
        return True
    after = all(is_elementwise(s) and s.spec.shape == node.shape for s in images.after)
    return after and _is_reached(node, images.step)


def _is_reached(node: Node, step: Instruction) -> bool:
    """Whether every pixel gets something, so that what follows is computed there too."""
    if step.operator.name != "conv2d_input_gradient":
        return True
    sizes, taps = step.attributes["size"], node.inputs[step.sources[1]].sizes[2:]
    lines = (meetings(axis, n, k) for axis, n, k in zip(_axes(step), sizes, taps, strict=True))
    limits = zip(lines, taps, strict=True)
    return all(meeting.taps.start < k for line, k in limits for meeting in line)


def _supports_weight(node: Node) -> bool:
    return _fits(node, node.attributes["groups"])


def _supports_matmul(node: Node) -> bool:
    return node.ndim <= 4 and _fits(node, math.prod(node.sizes[-3:-2]))


def kernels(compute: str) -> dict[str, Kernel]:
    """The kernels that multiply in ``compute``; that of ``conv2d`` is for fused nodes too."""

    def kernel(prepare: Callable[..., Run], supports: Any, **workspace: Any) -> Kernel:
        name = f"Triton, implicit unfold, {compute}"
        return Kernel(name, partial(prepare, compute=compute), supports=supports, **workspace)

    images = kernel(_images, _supports_images)
    weight = kernel(_weight_gradient, _supports_weight, workspace=_weight_workspace)
    result = dict.fromkeys(IMAGES, images) | {"conv2d_weight_gradient": weight}
    # torch's own matrix product is better in float32, but knows nothing else for float32 values.
    matmul = {"matmul": kernel(_matmul, _supports_matmul)}
    return result if compute == "float32" else result | matmul
