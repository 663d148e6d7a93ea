"""Rewrites: transformations of a graph into an equivalent, cheaper one.

A rewrite is a function of a bound graph, whose docstring states the identity that it relies on.
Those in :data:`REWRITES` are applied by default. The others belong to ``freeze=True``
(``frozen``) or to backends (``fusion``, ``strided_phases``, ``copies``, the folding of weights).
Dead nodes need no removal: a graph only contains what its outputs and updates depend on.
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
from ops import GraphError
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
"""The rewrites that ``compile`` applies by default, in order."""


def rewrite(graph: Graph, rewrites: Iterable[Rewrite] = REWRITES) -> Graph:
    """Apply rewrites to a bound graph in order, checking the graph after each change.

    Raises:
        GraphError: the graph is not bound.
    """
    if graph.dimensions:
        raise GraphError(f"bind the graph first: {', '.join(sorted(graph.dimensions))} is unknown")
    for apply in rewrites:
        with rewriting(getattr(apply, "__name__", str(apply))):
            rewritten = apply(graph)
        if rewritten is not graph:
            rewritten.check()
        graph = rewritten
    return graph
