"""Warnings that are said once."""

from __future__ import annotations

import warnings
from functools import cache


@cache
def warn_once(message: str) -> None:
    """Warn, but not again with the same words."""
    warnings.warn(message, stacklevel=3)
