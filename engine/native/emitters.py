"""Which nodes become C code, and which emitter writes it."""

from __future__ import annotations

import torch

from engine.kernels.kernel import every_input
from engine.native import (
    axis_sums,
    elementwise,
    movement,
    phase_weight,
    pooling,
    reduction,
    row_sums,
)
from engine.native.depthwise import convolution as depthwise_convolution
from engine.native.depthwise import weight_gradient as depthwise_weight_gradient
from engine.native.kernel import Emitter, NativeKernel
from engine.native.machine import Machine
from engine.native.taps import anchor, convolution, few_pixels, weight_gradient
from engine.native.target import find_target
from engine.native.winograd import convolution as winograd_convolution
from engine.native.winograd import weight_gradient as winograd_weight_gradient
from ops import Node

EMITTERS: tuple[Emitter, ...] = (
    Emitter("C: elementwise", elementwise.supports, elementwise.emit, overwrites=every_input),
    Emitter(
        "C: Winograd's blocks",
        winograd_convolution.supports,
        winograd_convolution.emit,
        winograd_convolution.scratch,
        anchor.overwritten,
        convolution.keeps,
        winograd_convolution.share,
    ),
    Emitter(
        "C: Winograd's blocks, weight",
        winograd_weight_gradient.supports,
        winograd_weight_gradient.emit,
        winograd_weight_gradient.scratch,
        products=winograd_weight_gradient.share,
    ),
    Emitter(
        "C: taps of few pixels",
        few_pixels.supports,
        few_pixels.emit,
        few_pixels.scratch,
        anchor.overwritten,
    ),
    Emitter(
        "C: taps",
        anchor.supports,
        convolution.emit,
        convolution.scratch,
        anchor.overwritten,
        convolution.keeps,
    ),
    Emitter(
        "C: depthwise",
        anchor.is_depthwise,
        depthwise_convolution.emit,
        depthwise_convolution.scratch,
        anchor.overwritten,
        convolution.keeps,
    ),
    Emitter(
        "C: depthwise, weight",
        depthwise_weight_gradient.supports,
        depthwise_weight_gradient.emit,
        depthwise_weight_gradient.scratch,
    ),
    Emitter(
        "C: taps, weight", weight_gradient.supports, weight_gradient.emit, weight_gradient.scratch
    ),
    Emitter("C: sum", reduction.supports, reduction.emit, reduction.scratch),
    Emitter("C: sums over axes", axis_sums.supports, axis_sums.emit),
    Emitter("C: sums of rows", row_sums.supports, row_sums.emit),
    Emitter("C: sums of taps", phase_weight.supports, phase_weight.emit),
    Emitter("C: windows", pooling.supports, pooling.emit),
    Emitter("C: copy", movement.supports, movement.emit),
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
    """Whether some emitter supports a node."""
    return any(emitter.supports(node) for emitter in EMITTERS)
