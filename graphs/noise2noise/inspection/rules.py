"""What speaks for or against training on a scene: one rule for each possible finding."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.noise2noise.inspection.differences import NoiseOfPair
from graphs.noise2noise.inspection.findings import Findings, PairFindings
from graphs.noise2noise.inspection.fitting_method import fitting_method
from graphs.noise2noise.inspection.remark import Remark, Rule
from graphs.noise2noise.inspection.single import NoiseOfOne

SHIFT = 0.3
"""Pixels of misalignment from which targets visibly blur a result."""
UNCERTAIN_SHIFT = 1.0
STRAYING = 0.03
"""Relative to the brightness: if the mean is half of white, an error smaller than that at 30 dB."""
CORRELATED = 0.15
"""Correlation of neighbours below which methods for independent pixels lose little."""
SHARED = 0.15
CLIPPED = 0.001
RESCALED = 0.3
"""Decibels of PSNR lost without an affine fit."""
DEPENDENT = 0.25
"""The fraction of the brightest pixels' variance that comes from their brightness."""


def _identical(scene: Findings) -> Remark | None:
    if not scene.identical:
        return None
    first, second = scene.identical[0]
    return Remark(
        "warning",
        "identical shots",
        f"shots {first + 1} and {second + 1} are the same to the last bit: a network trained on "
        "them learns to keep the noise; take one away",
    )


def _misalignment(scene: Findings) -> Remark | None:
    if scene.misalignment > SHIFT:
        kept = ""
        if len(scene.agreeing) < scene.shots and len(scene.agreeing) > 1:
            kept = f", or keep shots {_ranges(scene.agreeing)}, which agree to a pixel"
        return Remark(
            "warning",
            "misalignment",
            f"shots lie up to {scene.misalignment:.1f} pixels apart: a network trained on them "
            f"blurs edges by that much; align them first{kept}",
            scene.misalignment,
        )
    uncertainties = sorted(position.uncertainty for position in scene.positions)
    if uncertainties and uncertainties[len(uncertainties) // 2] > UNCERTAIN_SHIFT:
        return Remark(
            "note",
            "alignment unknown",
            "the noise is too strong, or the scene too plain, to tell whether shots are aligned",
        )
    return None


def _brightness(scene: Findings) -> Remark | None:
    if scene.straying <= STRAYING:
        return None
    return Remark(
        "warning",
        "brightness",
        f"the brightness of shots strays by up to {scene.straying:.0%} from their mean: a network "
        "learns the mean and each shot is judged wrong by the rest; multiply every shot so that "
        "the means agree",
        scene.straying,
    )


def _colour(scene: Findings) -> Remark | None:
    mean = sum(scene.brightness) / scene.shots
    if scene.colour_drift <= max(2 * scene.drift, STRAYING * mean):
        return None
    return Remark(
        "note",
        "colour balance",
        f"the mean of one channel differs by up to {scene.colour_drift:.1f} levels between shots, "
        f"brightness by {scene.drift:.1f} only: set the white balance by hand, or match each "
        "channel",
        scene.colour_drift,
    )


def _explained_correlation(scene: Findings) -> Remark | None:
    """Differences that are correlated although the noise is not: something else changed."""
    if scene.quietest is None:
        return None
    worst = max(scene.pairs, key=lambda pair: pair.noise.as_shot)
    calm = min(scene.pairs, key=lambda pair: pair.noise.as_shot)
    if worst.noise.as_shot < max(CORRELATED, 2 * scene.quietest.noise.correlation):
        return None
    if calm.noise.as_shot < worst.noise.as_shot / 2:
        other = f"those of {_named(calm)} only {calm.noise.as_shot:.2f}"
    else:
        other = f"{scene.quietest.noise.correlation:.2f} once brightness is matched"
    return Remark(
        "note",
        "differences beyond noise",
        f"neighbouring pixels of the difference of shots {_named(worst)} correlate "
        f"{worst.noise.as_shot:.2f}, {other}: the brightness or the position changed",
        worst.noise.as_shot,
    )


def _neighbours(scene: Findings) -> Remark | None:
    noise = scene.noise
    if not isinstance(noise, NoiseOfPair) or noise.correlation <= CORRELATED:
        return None
    return Remark(
        "warning",
        "noise correlated between neighbours",
        f"the noise of neighbouring pixels correlates {noise.correlation:.2f}. Noise2Noise does "
        "not mind, for shots are independent still; what takes pixels for independent does: "
        "zero-shot, Neighbor2Neighbor and the classical filters keep much of the noise",
        noise.correlation,
    )


def _shared(scene: Findings) -> Remark | None:
    shared = min((pair.noise.shared_at_most for pair in scene.pairs), default=0.0)
    if shared <= SHARED:
        return None
    return Remark(
        "warning",
        "the same in all shots",
        f"in smooth places up to {shared:.2f} of the shots' fine detail is shared: either the "
        "scene has texture there, or the noise is a fixed pattern, which no training on such pairs "
        "removes; subtract a dark frame, or move the camera by some pixels and align",
        shared,
    )


def _clipping(scene: Findings) -> Remark | None:
    low, high = scene.clipped
    if max(low, high) <= CLIPPED:
        return None
    ends = [f"{share:.1%} at {end}" for share, end in ((low, "black"), (high, "white")) if share]
    return Remark(
        "warning",
        "clipping",
        f"some pixels are cut off ({', '.join(ends)}): noise has no mean of zero there, so shadows "
        "come out too bright and highlights too dark; expose so that both ends stay free",
        low + high,
    )


def _dependence(scene: Findings) -> Remark | None:
    noise = scene.noise
    if noise is None or noise.slope <= 0 or (isinstance(noise, NoiseOfOne) and not noise.rises):
        return None
    from_brightness = noise.slope * (scene.highest - scene.lowest)
    if from_brightness < DEPENDENT * (max(noise.dark_variance, 0) + from_brightness):
        return None
    return Remark(
        "note",
        "noise grows with brightness",
        f"its variance rises by {noise.slope:.3g} per level, as photons make it: no hindrance to "
        "training on shots; filters told a single noise level smooth the dark too much",
        from_brightness,
    )


def _reference(scene: Findings) -> Remark | None:
    found = scene.reference
    if found is None or found.decibels <= RESCALED or scene.straying > STRAYING:
        return None
    return Remark(
        "warning",
        "rescaled reference",
        f"the shots are {found.fit.gain:.2f} times the reference {found.fit.offset:+.1f}: PSNR "
        f"would lose {found.decibels:.1f} dB to that alone; fit a line first, "
        "as 'blockwright evaluate --fit' does",
        found.decibels,
    )


def _reference_of_shots(scene: Findings) -> Remark | None:
    found = scene.reference
    if found is None or found.between_shots is None or not -0.2 < found.between_shots < -0.01:
        return None
    if scene.straying > STRAYING or scene.misalignment > SHIFT:
        return None  # then the shots' errors have more in common
    return Remark(
        "note",
        "reference made of the shots",
        f"what the shots miss of the reference correlates {found.between_shots:.3f} between them, "
        f"as if the reference was the mean of about {1 - 1 / found.between_shots:.0f} shots, these "
        "among them: scores against it are a little too good",
        -found.between_shots,
    )


RULES: tuple[Rule, ...] = (
    fitting_method,
    _identical,
    _misalignment,
    _brightness,
    _colour,
    _neighbours,
    _shared,
    _clipping,
    _reference,
    _explained_correlation,
    _dependence,
    _reference_of_shots,
)


def _named(pair: PairFindings) -> str:
    return f"{pair.first + 1} and {pair.second + 1}"


def _ranges(numbers: Sequence[int]) -> str:
    """Consecutive numbers as ranges, counted from 1: ``2-5, 8``."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(
        str(part[0] + 1) if len(part) == 1 else f"{part[0] + 1}-{part[-1] + 1}" for part in parts
    )
