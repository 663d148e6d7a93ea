"""Networks, one per file."""

from graphs.architectures.report import report_network
from graphs.architectures.unet import UNet

__all__ = ["UNet", "report_network"]
