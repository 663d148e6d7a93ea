"""Computing again instead of keeping: a plan's graph for a target of memory."""

from engine.recompute.dry_run import DryRun, Steps
from engine.recompute.repeated import Repeated

__all__ = ["DryRun", "Repeated", "Steps"]
