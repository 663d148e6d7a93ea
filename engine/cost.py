"""The cost rule: the estimated time of a node with a given kernel.

    seconds = CALL + flops / FLOPS + bytes / BANDWIDTH

Flops are those that the kernel actually executes, see :attr:`engine.kernels.Kernel.products`. Bytes
are those of the inputs and the result, each moved once, plus the traffic of scratch memory. The
terms are added, whereas the roofline model (Williams, Waterman and Patterson, 2009) takes their
maximum, because gathering and multiplying take turns. The rates were measured on two server cores;
for choosing kernels and values to recompute, only their ratios matter.
"""

from __future__ import annotations

from engine.kernels import Kernel
from engine.work import flops, traffic
from ops import Node

FLOPS = 80e9
"""Floating-point operations per second in matrix products."""

BANDWIDTH = 25e9
"""Bytes per second."""

CALL = 5e-6
"""Overhead of a kernel call, in seconds."""


def seconds(node: Node, kernel: Kernel) -> float:
    """The estimated time, in seconds, of a node of a bound graph with a kernel."""
    moved = traffic(node) + kernel.scratch_traffic(node)
    return CALL + kernel.products(node) * flops(node) / FLOPS + moved / BANDWIDTH
