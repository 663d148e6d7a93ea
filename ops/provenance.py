"""Where a node comes from: the user's source line and, for a gradient, its forward node."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.node import Node

# Not resolved: code objects keep file names as imported, symbolic links included.
_ROOT = Path(__file__).parent.parent
_OURS = tuple(str(_ROOT / package) + "/" for package in ("ops", "engine", "graphs"))
_serials = itertools.count()
_current: ContextVar[Callable[[], Provenance] | None] = ContextVar("provenance", default=None)
_rewrite: ContextVar[str | None] = ContextVar("rewrite", default=None)

RECOMPUTATION = "recomputation"
"""The entry in :attr:`Provenance.rewrites` that marks a recomputed node."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a node.

    Attributes:
        filename, line: the user's source line that requested the node.
        forward: for a node of a gradient, the forward node whose gradient it computes.
        update: whether the node belongs to the update of a parameter.
        rewrites: the rewrites that made the node, or the node whose gradient it computes, in order.
        serial: orders nodes as they were requested. A node that replaces another in a rewrite takes
            over its serial, so rewriting never shuffles a graph.
    """

    filename: str
    line: int
    forward: Node | None = None
    update: bool = False
    rewrites: tuple[str, ...] = ()
    serial: int = field(default_factory=lambda: next(_serials))

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}"

    def rewritten(self, others: Iterable[Node] = ()) -> Provenance:
        """The same origin, for a replacement made by the current rewrite, if one is being applied.

        ``others`` are further nodes that it replaces."""
        names = [name for node in others for name in node.provenance.rewrites]
        names += [*self.rewrites, *filter(None, [_rewrite.get()])]
        return replace(self, rewrites=tuple(dict.fromkeys(names)))

    def again(self) -> Provenance:
        """The same origin, for a node that later recomputes the value of another."""
        names = dict.fromkeys([*self.rewrites, RECOMPUTATION])
        return replace(self, rewrites=tuple(names), serial=next(_serials))


def here() -> Provenance:
    """The provenance for a node made now: that of the enclosing context, or the user's line."""
    attributed = _current.get()
    return attributed() if attributed is not None else Provenance(*user_line())


def user_line() -> tuple[str, int]:
    """File and line of the innermost caller outside ``ops``, ``engine`` and ``graphs``."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


@contextmanager
def gradient_of(node: Node) -> Iterator[None]:
    """Nodes made inside compute the gradient of ``node`` and carry its source line."""
    origin = node.provenance
    forward = node if origin.forward is None else origin.forward
    with _attributed(
        lambda: Provenance(origin.filename, origin.line, forward, rewrites=origin.rewrites)
    ):
        yield


@contextmanager
def updating() -> Iterator[None]:
    """Nodes made inside belong to the update of a parameter."""
    with _attributed(lambda: Provenance(*user_line(), update=True)):
        yield


@contextmanager
def in_place_of(node: Node, *others: Node) -> Iterator[None]:
    """Nodes made inside replace ``node``: same source line, same place in the order.

    They also replace ``others``.
    """
    with _attributed(lambda: node.provenance.rewritten(others)):
        yield


@contextmanager
def rewriting(name: str) -> Iterator[None]:
    """Nodes that replace others inside this context carry the rewrite's name."""
    token = _rewrite.set(name)
    try:
        yield
    finally:
        _rewrite.reset(token)


@contextmanager
def _attributed(make: Callable[[], Provenance]) -> Iterator[None]:
    token = _current.set(make)
    try:
        yield
    finally:
        _current.reset(token)
