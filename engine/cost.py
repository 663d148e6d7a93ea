"""The cost rule: seconds that a node is estimated to take with a kernel.

    seconds = CALL + flops / FLOPS + bytes / BANDWIDTH

Flops are those that the kernel carries out, see :attr:`engine.kernels.Kernel.products`. Bytes are
those of inputs and result, each moved once, and those that pass through scratch memory.
It is the sum, not the maximum of the roofline (Williams, Waterman and Patterson, 2009), since
gathering and multiplying take turns. The rates are those of two cores of a server as measured; only
their ratios matter, for choosing between kernels and for choosing what to compute again.
"""

from __future__ import annotations

from engine.kernels import Kernel
from engine.work import flops, traffic
from ops import Node

FLOPS = 80e9
"""Floating-point operations per second, of matrix products."""

BANDWIDTH = 25e9
"""Bytes per second."""

CALL = 5e-6
"""Seconds that a call of a kernel takes when there is nothing to compute."""


def seconds(node: Node, kernel: Kernel) -> float:
    """The time that a node of a bound graph is estimated to take with a kernel."""
    moved = traffic(node) + kernel.scratch_traffic(node)
    return CALL + kernel.products(node) * flops(node) / FLOPS + moved / BANDWIDTH
