"""Kernels: the implementations of each operator, which write into planned memory.

:data:`KERNELS` maps an operator's name to its kernels. An operator without kernels, such as a
user's own, is computed by its ``forward``, and the result is copied.
"""

from __future__ import annotations

from engine.kernels import (
    block_convolution,
    convolution,
    depthwise,
    elementwise,
    matmul,
    movement,
    phases,
    pooling,
    reductions,
    scattering,
    select,
    unfolding,
)
from engine.kernels.kernel import Kernel
from engine.kernels.movement import VIEWS

_FAMILIES = (
    select,
    elementwise,
    movement,
    phases,
    reductions,
    matmul,
    unfolding,
    pooling,
    convolution,
    scattering,
    depthwise,
    block_convolution,
)

KERNELS: dict[str, list[Kernel]] = {}
for _family in _FAMILIES:
    for _name, _kernels in _family.KERNELS.items():
        KERNELS.setdefault(_name, []).extend(_kernels)

__all__ = ["KERNELS", "VIEWS", "Kernel"]
