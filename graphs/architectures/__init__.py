"""Networks, one per file."""

from graphs.architectures.report import report_network

__all__ = ["report_network"]
