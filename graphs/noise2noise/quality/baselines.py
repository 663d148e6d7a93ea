"""Classical denoisers to compare with: scikit-image's, told the noise level, learning nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

Baseline = Callable[[torch.Tensor, float], torch.Tensor]


def total_variation(noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Total variation, in proportion to the noise: scikit-image's default weight at sigma 25.

    Args:
        noisy: (3, H, W) in [0, 1].
        sigma: standard deviation of the noise on the scale of 0 to 255.
    """
    return torch.from_numpy(
        denoise_tv_chambolle(noisy.numpy(), weight=0.1 * sigma / 25, channel_axis=0)
    )


def non_local_means(noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Non-local means with the settings that scikit-image's own example gives for known noise.

    Args:
        noisy: (3, H, W) in [0, 1].
        sigma: standard deviation of the noise on the scale of 0 to 255.
    """
    deviation = sigma / 255
    return torch.from_numpy(
        denoise_nl_means(
            noisy.numpy(),
            h=0.6 * deviation,
            sigma=deviation,
            patch_size=5,
            patch_distance=6,
            fast_mode=True,
            channel_axis=0,
        )
    )


BASELINES: Mapping[str, Baseline] = {
    "total variation": total_variation,
    "non-local means": non_local_means,
}
