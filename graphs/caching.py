"""Caches of methods' results that keep neither the object alive nor its programs' memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar
from weakref import WeakMethod

Result = TypeVar("Result")


def cached(size: int, method: Callable[..., Result]) -> Callable[..., Result]:
    """An ``lru_cache`` for an attribute of the method's own object, to which it refers weakly."""
    weak = WeakMethod(method)

    @lru_cache(size)
    def call(*arguments: object) -> Result:
        alive = weak()
        assert alive is not None, "the cache is the object's own"
        return alive(*arguments)

    return call
