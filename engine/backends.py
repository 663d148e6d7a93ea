"""Backends: which kernels compute a program, and which rewrites prepare it for them."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import lru_cache

import torch

from engine.cuda import Kernels, find, triton_for
from engine.graph import Graph
from engine.kernels import VIEWS, Kernel
from engine.lowering import REFERENCE, Choose, candidates, choose_kernel
from engine.native.emitters import is_native, native_kernels
from engine.native.target import NativeError
from engine.once import warn_once
from engine.rewrites import Rewrite
from engine.rewrites.constants import fold_weights
from engine.rewrites.copies import copy_weights
from engine.rewrites.duplicates import merge_duplicates
from engine.rewrites.fusion import fuse_neighbours
from engine.rewrites.strided_phases import stride_over_phases
from engine.tuning import tuned
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
class Backend:
    """A way to compute graphs.

    Attributes:
        choose: chooses the kernel for a node.
        rewrites: prepare a graph for these kernels; they run after all others.
    """

    choose: Choose
    rewrites: tuple[Rewrite, ...] = ()


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
        return _cuda(kernels, fused=bool(triton) and not by_torch)
    work = sum(map(_work, graph.nodes))
    if request.name == "native" or (request.name == "auto" and work >= WORTH_COMPILING):
        threads = max(1, min(torch.get_num_threads(), work // WORTH_A_THREAD))
        try:
            return _native(threads, request.tune)
        except NativeError as error:
            fall_back(str(error))
    choose = tuned(candidates, _machine()) if request.tune else choose_kernel
    return Backend(choose, (stride_over_phases, merge_duplicates, fold_weights, copy_weights))


def _work(node: Node) -> int:
    """Floating-point operations plus bytes moved: updating a weight is work too."""
    return flops(node) + (0 if node.operator.name in VIEWS else traffic(node))


def fall_back(reason: str) -> None:
    """Say, once for each reason, that torch's kernels take the place of native code."""
    warn_once(f"no native code: {reason}; computing with torch's kernels")


@lru_cache
def _native(threads: int, tune: bool) -> Backend:
    kernels = native_kernels(threads=threads)

    def native_first(node: Node) -> list[Kernel]:
        native: list[Kernel] = [kernel for kernel in kernels if kernel.supports(node)]
        others = candidates(node)
        return native + [kernel for kernel in others if not native or kernel is not REFERENCE]

    if tune:
        machine = f"{_machine()} {kernels[0].machine.target.identity} {threads} of them native"
        return Backend(tuned(native_first, machine), (_fuse, fold_weights, copy_weights))
    return Backend(lambda node: native_first(node)[0], (_fuse, fold_weights, copy_weights))


def _machine() -> str:
    processor = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"cpu {processor} {torch.get_num_threads()} threads torch {torch.__version__}"


def _cuda(kernels: Kernels, fused: bool) -> Backend:
    """Triton's kernels where available, else torch's."""

    def choose(node: Node) -> Kernel:
        return find(kernels, node) or choose_kernel(node)

    def fuse(graph: Graph) -> Graph:
        return fuse_neighbours(graph, lambda node: find(kernels, node) is not None)

    fuse.__name__ = fuse_neighbours.__name__
    # Merges the copies that were made for fusion and then not fused. Weights are not copied: a step
    # more costs more than keeping one.
    return Backend(choose, (fuse, merge_duplicates, fold_weights) if fused else (fold_weights,))


def _fuse(graph: Graph) -> Graph:
    return fuse_neighbours(graph, is_native)


_fuse.__name__ = fuse_neighbours.__name__  # the name in reports
