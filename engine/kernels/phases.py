"""Kernels that interleave and separate phases, and sum a weight's taps for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from engine.kernels.kernel import Kernel, Run, Tensors, channels_last, in_sequence
from ops import Node, Spec
from ops.phases import phase_views


def _interleave(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    views = phase_views(inputs[0], out)
    return in_sequence([partial(pixels.copy_, phase) for phase, pixels in views])


def _separate(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    views = phase_views(out, inputs[0])
    return in_sequence([out.zero_, *(partial(phase.copy_, pixels) for phase, pixels in views)])


def _phase_weight(node: Node, out: torch.Tensor, inputs: Tensors, scratch: Tensors) -> Run:
    (weight, sums), (taps, summed) = inputs, scratch
    stored = channels_last(weight)
    phases = channels_last(out).unflatten(0, (4, -1)).transpose(0, 1)
    return in_sequence(
        [
            partial(taps.view(stored.shape).copy_, stored),
            partial(torch.bmm, sums.expand(len(taps), -1, -1), taps, out=summed),
            partial(phases.copy_, summed.view(phases.shape)),
        ]
    )


def _phase_weight_adjoint(node: Node, out: torch.Tensor, inputs: Tensors, scratch: Tensors) -> Run:
    (weight, sums), (taps, summed) = inputs, scratch
    stored = channels_last(out)
    phases = channels_last(weight).unflatten(0, (4, -1)).transpose(0, 1)
    return in_sequence(
        [
            partial(summed.view(phases.shape).copy_, phases),
            partial(torch.bmm, sums.mT.expand(len(taps), -1, -1), summed, out=taps),
            partial(stored.copy_, taps.view(stored.shape)),
        ]
    )


def _taps_workspace(node: Node) -> Sequence[Spec]:
    """Scratch for the taps of the 3x3 weight and those of its phases, one row per tap."""
    large, small = node.inputs[0].spec, node.spec
    c_out, c_in = min(large.sizes[0], small.sizes[0]), small.sizes[1]
    return [small.with_shape((c_out, taps, c_in)) for taps in (9, 16)]


KERNELS: dict[str, list[Kernel]] = {
    "interleave_phases": [Kernel("copy", _interleave)],
    "separate_phases": [Kernel("copy", _separate)],
    "phase_weight": [Kernel("torch.bmm", _phase_weight, _taps_workspace)],
    "phase_weight_adjoint": [Kernel("torch.bmm", _phase_weight_adjoint, _taps_workspace)],
}
