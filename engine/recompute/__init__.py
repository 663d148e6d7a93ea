"""Rematerialisation: recomputing values instead of keeping them, to meet a memory target."""

from engine.recompute.dry_run import DryRun, Steps
from engine.recompute.repeated import Repeated

__all__ = ["DryRun", "Repeated", "Steps"]
