"""Networks, one per file."""

from graphs.architectures.report import report_network
from graphs.architectures.residual import Residual
from graphs.architectures.unet import UNet
from graphs.architectures.zero_shot import zero_shot_network

__all__ = ["Residual", "UNet", "report_network", "zero_shot_network"]
