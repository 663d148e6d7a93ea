"""Kernels: the ways in which each operator can be computed into planned memory.

:data:`KERNELS` maps an operator's name to its kernels. An operator without one, such as a user's
own, is computed by its ``forward`` and the result copied.
"""

from __future__ import annotations

from engine.kernels import convolution, elementwise, matmul, movement, reductions, windows
from engine.kernels.kernel import Kernel
from engine.kernels.movement import VIEWS

KERNELS: dict[str, list[Kernel]] = {
    **elementwise.KERNELS,
    **movement.KERNELS,
    **reductions.KERNELS,
    **matmul.KERNELS,
    **windows.KERNELS,
    **convolution.KERNELS,
}

__all__ = ["KERNELS", "VIEWS", "Kernel"]
