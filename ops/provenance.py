"""Where a node comes from: the user's line, and the forward node that a gradient belongs to."""

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

# Not resolved: code objects name their files as they were imported, through links or not.
_ROOT = Path(__file__).parent.parent
_OURS = tuple(str(_ROOT / package) + "/" for package in ("ops", "engine", "graphs"))
_serials = itertools.count()
_current: ContextVar[Callable[[], Provenance] | None] = ContextVar("provenance", default=None)
_rewrite: ContextVar[str | None] = ContextVar("rewrite", default=None)

RECOMPUTATION = "recomputation"
"""What stands among the rewrites of a node that computes again what another has computed."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a node.

    Attributes:
        filename, line: the user's source line that asked for it.
        forward: for a node of a gradient, the forward node whose gradient it computes.
        update: whether the node belongs to the update of a parameter.
        rewrites: the rewrites that made the node, in order, or that made the node whose gradient it
            computes.
        serial: orders nodes as they were asked for. A node that replaces another in a rewrite takes
            the place of the replaced one, so rewriting never shuffles a graph.
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
        """The same origin, for a node that the rewrite being applied, if one is, makes anew.

        ``others`` are further nodes that it takes the place of."""
        names = [name for node in others for name in node.provenance.rewrites]
        names += [*self.rewrites, *filter(None, [_rewrite.get()])]
        return replace(self, rewrites=tuple(dict.fromkeys(names)))

    def again(self) -> Provenance:
        """The same origin, for a node that computes again, later, what another has computed."""
        names = dict.fromkeys([*self.rewrites, RECOMPUTATION])
        return replace(self, rewrites=tuple(names), serial=next(_serials))


def here() -> Provenance:
    """The provenance of a node made now: an enclosing attribution, or the calling user's line."""
    attributed = _current.get()
    return attributed() if attributed is not None else Provenance(*user_line())


def user_line() -> tuple[str, int]:
    """File and line of the innermost caller outside of this package."""
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

    ``others`` they replace as well.
    """
    with _attributed(lambda: node.provenance.rewritten(others)):
        yield


@contextmanager
def rewriting(name: str) -> Iterator[None]:
    """Nodes that take another's place inside carry the name of this rewrite."""
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
