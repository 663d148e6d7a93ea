"""Convolution and its two gradients as correlations, fused with elementwise operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from engine.cuda.correlation import (
    correlation,
    parts_of_sum,
    place_in_block,
    weight_gradient,
)
from engine.cuda.expression import Statements, has_dtypes, is_elementwise
from engine.cuda.parts import (
    Part,
    View,
    axes_of,
    convolved,
    grouped,
    input_gradient,
    interleaved,
    meetings,
)
from engine.kernels.kernel import Kernel, Run, Tensors, in_sequence
from ops import Node, Spec
from ops.fused import Computation, Instruction, body_of

IMAGES = ("conv2d", "conv2d_input_gradient")


class _Images(NamedTuple):
    """How a node's images are made: by a convolution, perhaps with its phases interleaved.

    Attributes:
        step: the convolution.
        done: the numbers of the values of these instructions.
        after: all other instructions, whether they precede or follow the convolution.
    """

    step: Computation
    done: tuple[int, ...]
    after: tuple[Computation, ...]

    @staticmethod
    def of(node: Node) -> _Images | None:
        """For a node; None if it has no convolution or more than one."""
        numbered = dict(enumerate(body_of(node), len(node.inputs)))
        found = [i for i, step in numbered.items() if step.operator.name in IMAGES]
        if len(found) != 1:
            return None
        interleaving = [
            i for i, step in numbered.items()
            if step.operator.name == "interleave_phases" and step.sources == (found[0],)
        ]  # fmt: skip
        done = (*found, *interleaving)
        after = tuple(step for i, step in numbered.items() if i not in done)
        return _Images(numbered[found[0]], done, after)

    @property
    def interleaved(self) -> bool:
        return len(self.done) > 1


def _parts(images: _Images, inputs: Tensors) -> Iterator[Part]:
    x, w = (inputs[i] for i in images.step.sources)
    if images.step.operator.name == "conv2d_input_gradient":
        return input_gradient(images.step, x, w)
    return (interleaved if images.interleaved else convolved)(images.step, x, w)


def _images(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors, *, compute: str) -> Run:
    images = _Images.of(node)
    assert images is not None
    runs: list[Run] = []
    for x, w, axes, view in _parts(images, inputs):
        y = view(out)
        if not w.numel():  # no tap reaches these pixels
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
    dy, x = grouped(dy, groups), grouped(x, groups)
    return weight_gradient(dy, x, dw, axes_of(step), compute, parts)


def _weight_workspace(node: Node) -> Sequence[Spec]:
    n, filters, rows, columns = node.inputs[0].sizes
    groups, count = node.attributes["groups"], math.prod(node.sizes)
    parts = parts_of_sum(n * rows * columns, groups, filters // groups, count // filters)
    return [node.spec.with_shape((parts, count))] if parts > 1 else []


def fits(node: Node, groups: int) -> bool:
    # The groups have to fit into an axis of the grid, and an index within an image into 32 bits.
    small = all(math.prod(value.sizes[1:]) < 1 << 31 for value in (node, *node.inputs))
    return node.dtype == torch.float32 and has_dtypes(node) and small and groups < 1 << 16


def _supports_images(node: Node) -> bool:
    images = _Images.of(node)
    if images is None or not fits(node, images.step.attributes["groups"]):
        return False
    if max(images.step.sources) >= len(node.inputs):
        return False
    if images.interleaved and images.step.operator.name != "conv2d":
        return False
    if images.interleaved and images.step.attributes["groups"] != 1:
        return False
    if not images.after:
        return True
    after = all(is_elementwise(s) and s.spec.shape == node.shape for s in images.after)
    return after and _is_reached(node, images.step)


def _is_reached(node: Node, step: Instruction) -> bool:
    """Whether some tap reaches every pixel, so that what follows is computed there too."""
    if step.operator.name != "conv2d_input_gradient":
        return True
    sizes, taps = step.attributes["size"], node.inputs[step.sources[1]].sizes[2:]
    lines = (meetings(axis, n, k) for axis, n, k in zip(axes_of(step), sizes, taps, strict=True))
    limits = zip(lines, taps, strict=True)
    return all(meeting.taps.start < k for line, k in limits for meeting in line)


def _supports_weight(node: Node) -> bool:
    return fits(node, node.attributes["groups"])


def kernels(compute: str) -> dict[str, Kernel]:
    """The kernels that multiply in ``compute``; the one for ``conv2d`` is for fused nodes too."""

    def kernel(prepare: Callable[..., Run], supports: Any, **workspace: Any) -> Kernel:
        name = f"Triton, implicit unfold, {compute}"
        return Kernel(name, partial(prepare, compute=compute), supports=supports, **workspace)

    images = kernel(_images, _supports_images)
    weight = kernel(_weight_gradient, _supports_weight, workspace=_weight_workspace)
    return dict.fromkeys(IMAGES, images) | {"conv2d_weight_gradient": weight}
