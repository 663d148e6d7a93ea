"""Phases of an upsampled image by Triton kernels in float32.

Their weights, sums of taps, are correlations of :mod:`engine.cuda.correlation`, with the constant
``sums`` [16, 9] as images and each filter of a weight as a group of its own: the sum is over a
window and its channels.
"""

from __future__ import annotations

import math

import torch

from engine.cuda.correlation import Axis, correlation
from engine.cuda.elementwise import BLOCK
from engine.cuda.launch import launch
from engine.kernels.kernel import Kernel, Run, Tensors
from ops import Node

AXES = (Axis(), Axis())


def _phase_weight(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    weight, sums = inputs
    # Each phase is an image whose result is a row of 4 pixels, its taps. Windows cover all 9 taps.
    images = sums.unflatten(0, (4, 4)).unflatten(2, (3, 3)).permute(0, 3, 2, 1)[:, None]
    taps = weight.transpose(2, 3)[..., None]
    result = out.unflatten(0, (4, -1)).flatten(3)[:, :, :, None]
    return correlation(images.expand(-1, len(weight), -1, -1, -1), taps, result, AXES, "float32")


def _phase_weight_adjoint(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    weight, sums = inputs
    # Each tap is an image whose result is one pixel. Its window covers all phases and their taps.
    images = sums.unflatten(0, (4, 2, 2)).permute(3, 0, 1, 2)[:, None]
    taps = weight.unflatten(0, (4, -1)).permute(1, 2, 0, 3, 4)
    result = out.flatten(2).permute(2, 0, 1)[..., None, None]
    return correlation(images.expand(-1, len(out), -1, -1, -1), taps, result, AXES, "float32")


def _supports(node: Node) -> bool:
    return node.dtype == torch.float32 and max(node.sizes) < 1 << 16


def _separate(node: Node, out: torch.Tensor, inputs: Tensors, _: Tensors) -> Run:
    if not out.numel():
        return lambda: None
    from engine.cuda.triton_functions import separate as kernel

    (image,), (rows, columns) = inputs, out.shape[2:]
    sizes = {"COUNT": out.numel(), "CHANNELS": image.shape[1], "ROWS": rows, "COLUMNS": columns}
    steps = dict(zip(("X_N", "X_C", "X_H", "X_W"), image.stride(), strict=True))
    return launch(kernel, [-(-out.numel() // BLOCK)], [image, out], **sizes, **steps, BLOCK=BLOCK)


def _separates(node: Node) -> bool:
    # A result is stored with its channels innermost; an index has 32 bits, beyond its end too.
    return node.dtype == torch.float32 and math.prod(node.sizes) + BLOCK < 1 << 31


KERNELS: dict[str, Kernel] = {
    "separate_phases": Kernel("Triton, separate", _separate, supports=_separates),
} | {
    name: Kernel("Triton, taps summed", prepare, supports=_supports)
    for name, prepare in (
        ("phase_weight", _phase_weight),
        ("phase_weight_adjoint", _phase_weight_adjoint),
    )
}
