"""Rewrites: graph in, equivalent and cheaper graph out.

One rewrite per file, a function of a bound graph, with the identity it relies on in its docstring.
A new one takes its place in :data:`REWRITES`; nodes that nothing uses any more fall away by
themselves, because a graph holds only what its outputs and updates depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.graph import Graph
from engine.rewrites.concatenated_convolution import convolve_parts
from engine.rewrites.constants import fold_constants
from engine.rewrites.duplicates import merge_duplicates
from engine.rewrites.identities import simplify_identities
from engine.rewrites.joined_slices import join_slices
from engine.rewrites.upsampled_convolution import convolve_before_upsampling
from ops.provenance import rewriting

Rewrite = Callable[[Graph], Graph]

REWRITES: tuple[Rewrite, ...] = (
    convolve_parts,
    convolve_before_upsampling,
    join_slices,
    fold_constants,
    simplify_identities,
    merge_duplicates,
)
"""The rewrites of a compilation, in order."""


def rewrite(graph: Graph, rewrites: Iterable[Rewrite] = REWRITES) -> Graph:
    """Apply rewrites to a bound graph, in order, checking it after each that changes it."""
    for apply in rewrites:
        with rewriting(getattr(apply, "__name__", str(apply))):
            rewritten = apply(graph)
        if rewritten is not graph:
            rewritten.check()
        graph = rewritten
    return graph
