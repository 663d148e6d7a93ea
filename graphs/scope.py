"""Name scopes: the prefix for the parameters of the module being built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

_prefix: ContextVar[str] = ContextVar("prefix", default="")
_parts: ContextVar[Mapping[Any, str]] = ContextVar("parts", default=MappingProxyType({}))


@contextmanager
def scope(name: str, parts: Mapping[Any, str]) -> Iterator[None]:
    """Prefix the parameter names of modules built inside with ``<name>.``.

    Args:
        name: of the module being built; empty for no prefix.
        parts: the names that it has for its submodules.
    """
    prefix = _prefix.set(f"{_prefix.get()}{name}." if name else _prefix.get())
    names = _parts.set(parts)
    try:
        yield
    finally:
        _parts.reset(names)
        _prefix.reset(prefix)


def name_of(module: object) -> str:
    """The name that the module being built has for a submodule; empty if it is none."""
    return _parts.get().get(module, "")


def scoped(name: str) -> str:
    """A parameter's name with the prefix of the module being built."""
    return _prefix.get() + name
