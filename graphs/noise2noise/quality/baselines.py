"""Classical denoisers to compare with: scikit-image's, which learn nothing.

Each is given the noise level and has one more setting, its strength. The best strength depends on
the pictures and the noise, so :func:`best_strength` tries several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skimage.restoration import (
    denoise_nl_means,
    denoise_tv_chambolle,
    denoise_wavelet,
)

from graphs.noise2noise.inspection.single import sigma_of

NO_NOISE = 1e-6
"""Standard deviation, on the scale of 0 to 255, that rounding gives a picture without noise."""


@dataclass(frozen=True)
class Baseline:
    """A classical denoiser.

    Attributes:
        denoise: takes a picture, (H, W) or (C, H, W), the standard deviation of its noise in the
            picture's own units, and a strength.
        strengths: to choose from; 1 is what its authors, or scikit-image's examples, suggest.
    """

    denoise: Callable[[np.ndarray, float, float], np.ndarray]
    strengths: tuple[float, ...]

    def __call__(self, noisy: torch.Tensor, sigma: float, strength: float = 1.0) -> torch.Tensor:
        """Denoise a picture (C, H, W).

        Args:
            noisy: with values roughly from 0 to 1.
            sigma: standard deviation of the noise, on the scale of 0 to 255.
            strength: the higher, the smoother the result.
        """
        if not sigma > NO_NOISE:  # the denoisers divide by it
            return noisy
        # Not all of scikit-image accepts a channel axis of length 1.
        pixels = noisy[0].numpy() if len(noisy) == 1 else noisy.numpy()
        result = np.ascontiguousarray(self.denoise(pixels, sigma / 255, strength))
        return torch.from_numpy(result).to(noisy.dtype).reshape(noisy.shape)


def total_variation(noisy: np.ndarray, deviation: float, strength: float) -> np.ndarray:
    """Total variation (Chambolle 2004), with scikit-image's default weight for noise of 25/255."""
    weight = 0.1 * strength * deviation * 255 / 25
    result: np.ndarray = denoise_tv_chambolle(noisy, weight=weight, channel_axis=_channels(noisy))
    return result


def wavelet(noisy: np.ndarray, deviation: float, strength: float) -> np.ndarray:
    """Soft thresholding by BayesShrink (Chang, Yu and Vetterli 2000), colours as YCbCr."""
    result: np.ndarray = denoise_wavelet(
        noisy,
        sigma=strength * deviation,
        method="BayesShrink",
        mode="soft",
        convert2ycbcr=noisy.ndim == 3 and len(noisy) == 3,
        channel_axis=_channels(noisy),
        rescale_sigma=True,
    )
    return result


def non_local_means(noisy: np.ndarray, deviation: float, strength: float) -> np.ndarray:
    """Non-local means (Buades, Coll and Morel 2005), as in scikit-image's example."""
    result: np.ndarray = denoise_nl_means(
        noisy,
        h=0.6 * strength * deviation,
        sigma=deviation,
        patch_size=5,
        patch_distance=6,
        fast_mode=True,
        channel_axis=_channels(noisy),
    )
    return result


def _channels(picture: np.ndarray) -> int | None:
    return 0 if picture.ndim == 3 else None


BASELINES: Mapping[str, Baseline] = {
    "wavelet": Baseline(wavelet, (0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)),
    "total variation": Baseline(total_variation, (0.5, 0.75, 1.0, 1.25, 1.75, 2.5, 4.0, 6.0)),
    "non-local means": Baseline(non_local_means, (0.8, 1.0, 1.3, 1.8, 2.5, 4.0, 6.0)),
}


def noise_level(picture: torch.Tensor) -> float:
    """The standard deviation of a picture's noise on the scale of 0 to 255; see :func:`sigma_of`.

    It is the mean over the channels that have any: empty ones say nothing of the others. Fine
    texture counts as noise, and of correlated noise only the finest part is measured: the strengths
    compensate for both.
    """
    sigmas = [sigma_of(channel) for channel in picture.double().numpy()]
    seen = [sigma for sigma in sigmas if sigma > 0]
    return 255 * float(np.mean(seen)) if seen else 0.0


def best_strength(
    baseline: Baseline,
    pictures: Sequence[torch.Tensor],
    sigmas: Sequence[float],
    error: Callable[[int, torch.Tensor], float],
) -> float:
    """The strength with the least mean error on some pictures.

    Args:
        baseline: the denoiser.
        pictures: noisy ones.
        sigmas: the noise level of each.
        error: takes a picture's index and the result for it.
    """

    def mean_error(strength: float) -> float:
        results = (baseline(p, sigma, strength) for p, sigma in zip(pictures, sigmas, strict=True))
        return float(np.mean([error(i, result) for i, result in enumerate(results)]))

    return min(baseline.strengths, key=mean_error)
