"""Which method of denoising fits a scene."""

from __future__ import annotations

from graphs.noise2noise.inspection.findings import Findings
from graphs.noise2noise.inspection.remark import Remark
from graphs.noise2noise.inspection.single import NoiseOfOne


def fitting_method(scene: Findings) -> Remark:
    """The method that fits the number of a scene's shots and their noise."""
    different = scene.shots - len({j for _, j in scene.identical})
    if different >= 2:
        return Remark(
            "method",
            "Noise2Noise",
            "two or more shots of a scene: train on them with 'blockwright train', each shot the "
            "target of the others, then clean all of them with 'blockwright denoise -m'",
        )
    noise = scene.noise
    if isinstance(noise, NoiseOfOne) and noise.is_correlated:
        return _for_correlated(noise)
    return Remark(
        "method",
        "zero-shot",
        "one shot of a scene: 'blockwright denoise' takes the shipped weights if they know "
        "such noise, or learns from that picture alone; from a folder of such, 'blockwright train' "
        "makes one network for all; a second shot of each would be better than either",
    )


def _for_correlated(noise: NoiseOfOne) -> Remark:
    sigma = f"its standard deviation up to {max(noise.shared_sigma):.3g}"
    if noise.even is not None and noise.even.is_sure:
        return Remark(
            "method",
            "weights for pixels apart",
            f"one shot of a scene, whose noise is correlated between neighbouring pixels, {sigma}: "
            "'blockwright denoise' lets the shipped weights clean pixels that lie apart; a "
            "second shot would be better still",
        )
    return Remark(
        "method",
        "zero-shot, with care",
        f"one shot of a scene, whose noise may be correlated between neighbouring pixels, {sigma} "
        "(or it is fine texture): 'blockwright denoise' on one picture, or 'blockwright train' on "
        "a folder of such, learns from neighbouring pixels and keeps what they share; with "
        "'--method model' it takes that away, and texture like it; make the picture half as large "
        "first, or take a second shot",
    )
