"""Checking the feeds of a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from engine.graph import Graph
from ops import Dim, FeedError, Spec


def require_feeds(inputs: Mapping[str, Spec], feeds: Mapping[str, Any]) -> None:
    """Refuse feeds that are missing, unknown, not tensors, or of the wrong shape or dtype.

    Raises:
        FeedError: names the input, what was expected and what was given.
    """
    if inputs.keys() != feeds.keys():
        _refuse_names(inputs, feeds)
    for name, spec in inputs.items():
        feed = feeds[name]
        _require_tensor(name, feed)
        if feed.shape != spec.shape or feed.dtype != spec.dtype:
            raise _misfit(name, spec, feed)


def infer_sizes(graph: Graph, feeds: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Infer the sizes of the named dimensions from the feeds.

    Raises:
        FeedError: a feed is missing, unknown, no tensor, or has another number of axes, or two
            feeds disagree about a dimension.
    """
    inputs = {name: node.spec for name, node in graph.inputs.items()}
    if inputs.keys() != feeds.keys():
        _refuse_names(inputs, feeds)
    sizes: dict[str, int] = {}
    dimensions = graph.dimensions
    for name, spec in inputs.items():
        _require_tensor(name, feeds[name])
        if feeds[name].ndim != len(spec.shape):
            raise _misfit(name, spec, feeds[name])
        for declared, actual in zip(spec.shape, feeds[name].shape, strict=True):
            dimension = str(declared)
            if not isinstance(declared, Dim) or dimension not in dimensions:
                continue
            if sizes.setdefault(dimension, actual) != actual:
                raise FeedError(
                    f"input {name!r}: dimension {dimension} is {actual} here, "
                    f"{sizes[dimension]} elsewhere"
                )
    return sizes


def _require_tensor(name: str, feed: object) -> None:
    if not isinstance(feed, torch.Tensor):
        raise FeedError(f"input {name!r}: expected a tensor, got {type(feed).__name__}")


def _misfit(name: str, spec: Spec, feed: torch.Tensor) -> FeedError:
    given = Spec(tuple(feed.shape), feed.dtype)
    return FeedError(f"input {name!r}: expected {spec}, got {given}")


def _refuse_names(inputs: Mapping[str, Spec], feeds: Mapping[str, Any]) -> None:
    if missing := [f"{name} ({spec})" for name, spec in inputs.items() if name not in feeds]:
        raise FeedError(f"no value for input {', '.join(missing)}")
    unknown = ", ".join(repr(name) for name in feeds if name not in inputs)
    raise FeedError(f"there is no input {unknown} (there are: {', '.join(inputs) or 'none'})")
