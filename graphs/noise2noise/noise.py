"""Noise, made to order: what a camera's shots of one scene differ by."""

from __future__ import annotations

import torch


def add_gaussian(clean: torch.Tensor, sigma: float, generator: torch.Generator) -> torch.Tensor:
    """A picture with independent normal noise on every value, not clipped.

    Clipping would bend the noise's mean away from zero in shadows and highlights, and
    training on noisy targets finds that mean.

    Args:
        clean: values in [0, 1].
        sigma: standard deviation on the scale of 0 to 255.
        generator: where the randomness comes from.
    """
    return clean + torch.randn(clean.shape, generator=generator) * (sigma / 255)


def shoot_twice(
    clean: torch.Tensor, sigma: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Two shots of one scene, each with noise of its own; see :func:`add_gaussian`."""
    return add_gaussian(clean, sigma, generator), add_gaussian(clean, sigma, generator)
