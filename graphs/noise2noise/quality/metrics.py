"""How close a picture is to the clean one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from skimage.metrics import structural_similarity


class Quality(NamedTuple):
    """PSNR in decibels, and SSIM."""

    psnr: float
    ssim: float


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in dB: 10 log10(1 / mse) on [0, 1].

    Args:
        image, clean: (C, H, W), or (N, C, H, W) for the mean over the pictures.
    """
    error = (image - clean).double().square().mean(dim=(-3, -2, -1))
    return float((-10 * error.log10()).mean())


def ssim(image: torch.Tensor, clean: torch.Tensor) -> float:
    """Structural similarity with its authors' window: Gaussian, sigma 1.5.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
    Similarity", 2004.

    Args:
        image, clean: (C, H, W), at least 11 pixels a side.
    """
    return float(
        structural_similarity(
            image.numpy(),
            clean.numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def quality(image: torch.Tensor, clean: torch.Tensor) -> Quality:
    """Both measures of one picture (C, H, W)."""
    return Quality(psnr(image, clean), ssim(image, clean))
