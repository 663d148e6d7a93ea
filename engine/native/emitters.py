"""Which nodes become C code, and which emitter writes it."""

from __future__ import annotations

import torch

from engine.native import elementwise, movement, phase_weight, pooling
from engine.native.depthwise import convolution as depthwise_convolution
from engine.native.depthwise import weight_gradient as depthwise_weight_gradient
from engine.native.kernel import NativeKernel
from engine.native.sums import of_rows, over_axes, shared_terms
from engine.native.taps import convolution, few_pixels, weight_gradient
from engine.native.toolchain.target import Machine, find_target
from engine.native.winograd import convolution as winograd_convolution
from engine.native.winograd import weight_gradient as winograd_weight_gradient
from ops import Node

EMITTERS = (
    elementwise.EMITTER,
    winograd_convolution.EMITTER,
    winograd_weight_gradient.EMITTER,
    few_pixels.EMITTER,
    convolution.EMITTER,
    depthwise_convolution.EMITTER,
    depthwise_weight_gradient.EMITTER,
    weight_gradient.EMITTER,
    shared_terms.EMITTER,
    over_axes.EMITTER,
    of_rows.EMITTER,
    phase_weight.EMITTER,
    pooling.EMITTER,
    movement.EMITTER,
)
"""Tried in this order."""


def native_kernels(architecture: str = "native", threads: int | None = None) -> list[NativeKernel]:
    """The native kernels for this machine.

    Raises:
        NativeError: there is no compiler, or it does not know the architecture.
    """
    machine = Machine(find_target(architecture), threads or torch.get_num_threads())
    return [NativeKernel.of(emitter, machine) for emitter in EMITTERS]


def is_native(node: Node) -> bool:
    """Whether some emitter supports a node, and pays off."""
    return any(emitter.supports(node) and emitter.pays_off(node) for emitter in EMITTERS)
