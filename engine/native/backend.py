"""The native backend: C where some emitter writes it, torch's kernels elsewhere."""

from __future__ import annotations

import torch

from engine.graph import Graph
from engine.kernels import Kernel
from engine.kernels.backend import machine
from engine.lowering import REFERENCE, Backend, candidates, choose_kernel
from engine.native.emitters import is_native, native_kernels
from engine.rewrites.constants import fold_weights
from engine.rewrites.copies import copy_weights
from engine.rewrites.fusion import fuse_neighbours
from engine.tuning import tuned
from ops import Node


def native_backend(threads: int, tune: bool) -> Backend:
    """Native kernels for so many threads: the first that pays off or, if ``tune``, the fastest.

    Raises:
        NativeError: there is no compiler.
    """
    kernels = native_kernels(threads=threads)

    def first(node: Node) -> Kernel:
        for kernel in kernels:
            if kernel.supports(node) and kernel.emitter.pays_off(node):
                return kernel
        return choose_kernel(node)

    def every(node: Node) -> list[Kernel]:
        native: list[Kernel] = [kernel for kernel in kernels if kernel.supports(node)]
        others = candidates(node)
        return native + [kernel for kernel in others if not native or kernel is not REFERENCE]

    rewrites = (_fuse, fold_weights, copy_weights)
    if tune:
        around = machine(torch.get_num_threads())
        measured_on = f"{around} {kernels[0].machine.target.identity} {threads} of them native"
        return Backend(tuned(every, measured_on), rewrites)
    return Backend(first, rewrites)


def _fuse(graph: Graph) -> Graph:
    return fuse_neighbours(graph, is_native)


_fuse.__name__ = fuse_neighbours.__name__  # the name in reports
