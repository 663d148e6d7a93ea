"""Name scopes: the prefix for the parameters of the module being built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_scope: ContextVar[str] = ContextVar("scope", default="")


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Prefix the parameter names of modules built inside with ``<name>.``."""
    token = _scope.set(f"{_scope.get()}{name}." if name else _scope.get())
    try:
        yield
    finally:
        _scope.reset(token)


def scoped(name: str) -> str:
    """A parameter's name with the prefix of the module being built."""
    return _scope.get() + name
