"""The registry of operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.operator import Operator

REGISTRY: dict[str, Operator] = {}
"""Every operator declared in this process, by name."""
