"""The CUDA backend: Triton's kernels where they are available, torch's elsewhere."""

from __future__ import annotations

from engine.cuda import Kernels, find
from engine.graph import Graph
from engine.kernels import Kernel
from engine.lowering import Backend, choose_kernel
from engine.rewrites.constants import fold_weights
from engine.rewrites.duplicates import merge_duplicates
from engine.rewrites.fusion import fuse_neighbours
from ops import Node


def cuda_backend(kernels: Kernels, fused: bool) -> Backend:
    """Triton's kernels, if any, before torch's.

    Args:
        kernels: those of Triton, see :func:`engine.cuda.triton_for`.
        fused: whether to fuse operators for them.
    """

    def choose(node: Node) -> Kernel:
        return find(kernels, node) or choose_kernel(node)

    def fuse(graph: Graph) -> Graph:
        return fuse_neighbours(graph, lambda node: find(kernels, node) is not None)

    fuse.__name__ = fuse_neighbours.__name__  # the name in reports
    # Merges the copies that were made for fusion and then not fused. Weights are not copied: a step
    # more costs more than keeping one.
    return Backend(choose, (fuse, merge_duplicates, fold_weights) if fused else (fold_weights,))
