"""Which backend computes a graph: torch's kernels, native code, or CUDA with Triton's kernels."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from engine.cuda import triton_for
from engine.cuda.backend import cuda_backend
from engine.graph import Graph
from engine.kernels import VIEWS
from engine.kernels.backend import torch_backend
from engine.lowering import Backend
from engine.native.backend import native_backend
from engine.native.toolchain.target import NativeError
from engine.once import warn_once
from engine.work import flops, traffic
from ops import GraphError, Node

BACKENDS = ("auto", "torch", "native")

WORTH_COMPILING = 500_000
"""Minimum work per run for which "auto" spends a second or so on compiling native code, then cached
on disk. It is low because a small program on torch's kernels, such as a loss, slows down a native
network run beside it: torch's threads keep spinning on cores that the native ones need."""

WORTH_A_THREAD = 4_000_000
"""Minimum work per run for each thread; with less, waiting for each other after every step costs
more than parallelism gains."""


@dataclass(frozen=True)
class Request:
    """The options that determine a backend.

    Attributes:
        name: one of :data:`BACKENDS`; ``BLOCKWRIGHT_BACKEND``, if set, replaces "auto".
        device: where to compute.
        compute: what factors are rounded to, see :func:`engine.compile`.
        tune: whether to choose kernels by measuring them.

    Raises:
        GraphError: there is no such backend, or the device does not support it or tuning.
    """

    name: str
    device: torch.device
    compute: str
    tune: bool

    def __post_init__(self) -> None:
        name = os.environ.get("BLOCKWRIGHT_BACKEND", "auto") if self.name == "auto" else self.name
        object.__setattr__(self, "name", name)
        if name not in BACKENDS:
            raise GraphError(f"unknown backend {name!r} (there are: {', '.join(BACKENDS)})")
        if name == "native" and self.device.type != "cpu":
            raise GraphError(f"the native backend computes on the CPU, not on {self.device}")
        if self.tune and self.device.type != "cpu":
            raise GraphError(f"kernels are tuned on the CPU, not on {self.device}")


def find_backend(request: Request, graph: Graph) -> Backend:
    """The backend for a bound graph; if native code is unavailable, torch's, with one warning.

    Raises:
        GraphError: ``compute`` is unknown or not available on the device.
    """
    triton = triton_for(request.device, request.compute)
    if request.device.type != "cpu":
        by_torch = request.name == "torch"
        # torch's kernels do not round factors, so products use Triton's even then.
        kernels = {} if by_torch and request.compute == "float32" else triton
        return cuda_backend(kernels, fused=bool(triton) and not by_torch)
    work = sum(map(_work, graph.nodes))
    if request.name == "native" or (request.name == "auto" and work >= WORTH_COMPILING):
        threads = max(1, min(torch.get_num_threads(), work // WORTH_A_THREAD))
        try:
            return native_backend(threads, request.tune)
        except NativeError as error:
            fall_back(str(error))
    return torch_backend(request.tune)


def _work(node: Node) -> int:
    """Floating-point operations plus bytes moved: updating a weight is work too."""
    return flops(node) + (0 if node.operator.name in VIEWS else traffic(node))


def fall_back(reason: str) -> None:
    """Say, once for each reason, that torch's kernels take the place of native code."""
    warn_once(f"no native code: {reason}; computing with torch's kernels")
