"""Backends: with which kernels a program is computed, and the rewrites that prepare for them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import torch

from engine.cuda import choose_for
from engine.graph import Graph
from engine.kernels import Kernel
from engine.lowering import Choose, choose_kernel
from engine.native.backend import is_native, native_kernels
from engine.native.target import NativeError
from engine.rewrites import Rewrite
from engine.rewrites.fusion import fuse_neighbours
from engine.work import flops
from ops import GraphError, Node

BACKENDS = ("auto", "torch", "native")

WORTH_COMPILING = 50_000_000
"""Floating-point operations in a run from which on "auto" takes the time to compile native code:
about the work that a core does in a millisecond, beside some seconds of compiling."""


@dataclass(frozen=True)
class Backend:
    """A way to compute graphs.

    Attributes:
        choose: the kernel for each node.
        rewrites: what prepares a graph for these kernels, after all other rewrites.
    """

    choose: Choose
    rewrites: tuple[Rewrite, ...] = ()


def find_backend(name: str, device: torch.device, compute: str, graph: Graph) -> Backend:
    """The backend of a name, for a bound graph on a device.

    Where native code cannot be had it is torch's, said once.

    Raises:
        GraphError: there is no such backend or ``compute``, or not for this device.
    """
    if name not in BACKENDS:
        raise GraphError(f"unknown backend {name!r} (there are: {', '.join(BACKENDS)})")
    if name == "native" and device.type != "cpu":
        raise GraphError(f"the native backend computes on the CPU, not on {device}")
    torch_calls = Backend(choose_for(device, compute))
    if name == "torch" or device.type != "cpu":
        return torch_calls
    if name == "auto" and sum(map(flops, graph.nodes)) < WORTH_COMPILING:
        return torch_calls
    try:
        return _native(torch.get_num_threads())
    except NativeError as error:
        fall_back(str(error))
        return torch_calls


@lru_cache
def fall_back(reason: str) -> None:
    """Say, once for each reason, that torch's kernels take the place of native code."""
    warnings.warn(f"no native code: {reason}; computing with torch's kernels", stacklevel=2)


@lru_cache
def _native(threads: int) -> Backend:
    kernels = native_kernels(threads=threads)

    def choose(node: Node) -> Kernel:
        return next((k for k in kernels if k.supports(node)), None) or choose_kernel(node)

    return Backend(choose, (_fuse,))


def _fuse(graph: Graph) -> Graph:
    return fuse_neighbours(graph, is_native)


_fuse.__name__ = fuse_neighbours.__name__  # what reports call it
