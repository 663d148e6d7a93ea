"""Networks that predict the noise instead of the picture."""

from __future__ import annotations

from graphs.module import Module
from ops import Node


class Residual(Module):
    """Subtracts a network's output from its input.

    Noise is easier to predict than the picture under it: an output of 0 changes nothing.
    Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image
    Denoising", IEEE TIP 2017.

    Args:
        network: maps images to images of the same shape.
    """

    def __init__(self, network: Module) -> None:
        super().__init__()
        self.network = network

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return x - self.network(x)
