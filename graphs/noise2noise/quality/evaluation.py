"""Scores methods on pictures: against clean ones, or against other noisy shots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from graphs.noise2noise.images import middle
from graphs.noise2noise.inspection.clipping import clipped_shares
from graphs.noise2noise.quality.baselines import BASELINES, best_strength, noise_level
from graphs.noise2noise.quality.estimated import HeldOutPair, estimate_quality
from graphs.noise2noise.quality.fitting import fit_affine
from graphs.noise2noise.quality.metrics import quality

NOISY = "noisy"
TRIED, TRIED_SIDE = 4, 192
"""The number of pictures on which strengths are tried, and the side of the squares in their middle
that are used."""

Method = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture to score methods on.

    Attributes:
        name: for tables and messages.
        noisy: (C, H, W), with 1 as white.
        reference: the clean picture; None if there is none.
        second: another noisy shot; None if there is none. One of the two is required.
        peak: the value that PSNR is relative to.
        limits: the range that its file can hold, to which results are clipped; None for floats.
        others: results of other programs, by name; only with a reference.
    """

    name: str
    noisy: torch.Tensor
    reference: torch.Tensor | None = None
    second: torch.Tensor | None = None
    peak: float = 1.0
    limits: tuple[float, float] | None = (0.0, 1.0)
    others: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One method on one picture, or on all.

    Attributes:
        method: its name.
        picture: its name; None for all of them.
        psnr: the picture's 10 log10(peak^2 / mse) in dB, or the mean over pictures.
        ssim: likewise; None without a clean picture.
        low, high: the 95 % interval of an estimated PSNR; None if it is not estimated.
    """

    method: str
    picture: str | None
    psnr: float
    ssim: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes:
        scores: of every method on every picture.
        means: of every method, over the pictures.
        strengths: the best found for the classical methods.
        results: of the first pictures, by picture and method, including ``noisy``.
        clipped: the share of the noisy pictures' values that are clipped at black or white, the
            mean over the pictures. Where it is large, an estimated PSNR is too high: clipped noise
            does not have mean zero.
    """

    scores: Sequence[Score]
    means: Sequence[Score]
    strengths: Mapping[str, float]
    results: Mapping[str, Mapping[str, torch.Tensor]] = field(default_factory=dict)
    clipped: float = 0.0

    @property
    def is_estimated(self) -> bool:
        """Whether PSNR is estimated because there was no clean picture."""
        return any(score.low is not None for score in self.scores)


def evaluate(
    samples: Sequence[Sample],
    methods: Mapping[str, Method],
    *,
    fit: bool = False,
    baselines: bool = True,
    kept: int = 4,
    advance: Callable[[str], object] = lambda picture: None,
) -> Evaluation:
    """Score the noisy pictures, some methods, and the classical ones at their best strengths.

    PSNR is defined as in the course: 10 log10(peak^2 / mse) of each picture over all its pixels and
    channels, averaged over the pictures. Results are clipped as their files would be.

    Args:
        samples: all with a reference, or all with a second shot.
        methods: by name, functions from a picture (C, H, W) to one of the same shape.
        fit: whether to map each result by the straight line that brings it closest to its
            reference, for references with a scale of their own.
        baselines: whether to include wavelets, total variation and non-local means. Their strengths
            are chosen in their favour: for the least error on parts of these very pictures.
        kept: for how many pictures to keep the results.
        advance: called with the name of each picture before it is processed.
    """
    strengths = _strengths(samples, fit) if baselines else {}
    contestants = {NOISY: _same} | dict(methods) | _classical(strengths)
    scores: list[Score] = []
    pairs: dict[str, list[HeldOutPair]] = {name: [] for name in contestants}
    results: dict[str, dict[str, torch.Tensor]] = {}
    for number, sample in enumerate(samples):
        advance(sample.name)
        for name, method in contestants.items():
            result = _clipped(method(sample.noisy), sample, name)
            if number < kept:
                results.setdefault(sample.name, {})[name] = result
            if sample.reference is not None:
                scores.append(_against_reference(name, sample, result, fit))
            else:
                pair = _pair(sample, result, method, name)
                pairs[name].append(_scaled(pair, sample.peak))
                scores.append(_estimated(name, sample.name, [pairs[name][-1]]))
        for name, result in sample.others.items():
            if number < kept:
                results[sample.name][name] = result
            scores.append(_against_reference(name, sample, result, fit))
    means = [
        _estimated(name, None, pairs[name]) if pairs.get(name) else _mean(name, scores)
        for name in dict.fromkeys(score.method for score in scores)
    ]
    clipped = sum(sum(clipped_shares(sample.noisy.numpy())) for sample in samples) / len(samples)
    return Evaluation(scores, means, strengths, results, clipped)


def _strengths(samples: Sequence[Sample], fit: bool) -> dict[str, float]:
    """The best strength of each classical method, tried on parts of some pictures."""
    tried = [_part(sample) for sample in samples[:: max(1, len(samples) // TRIED)][:TRIED]]
    sigmas = [noise_level(sample.noisy) for sample in tried]

    def error(number: int, result: torch.Tensor) -> float:
        sample = tried[number]
        if sample.reference is not None:
            line = fit_affine(result, sample.reference) if fit else _same
            return float((line(result) - sample.reference).square().mean()) / sample.peak**2
        assert sample.second is not None
        # Against another shot, every error is larger by the same amount: that shot's noise.
        return float((result - sample.second).square().mean()) / sample.peak**2

    pictures = [sample.noisy for sample in tried]
    return {
        name: best_strength(baseline, pictures, sigmas, error)
        for name, baseline in BASELINES.items()
    }


def _classical(strengths: Mapping[str, float]) -> dict[str, Method]:
    def method(name: str, strength: float) -> Method:
        return lambda noisy: BASELINES[name](noisy, noise_level(noisy), strength)

    return {name: method(name, strength) for name, strength in strengths.items()}


def _same(picture: torch.Tensor) -> torch.Tensor:
    return picture


def _clipped(result: torch.Tensor, sample: Sample, method: str) -> torch.Tensor:
    """The result as its file would hold it; noisy pictures keep their noise unclipped."""
    if method == NOISY or sample.limits is None:
        return result
    return result.clamp(*sample.limits)


def _against_reference(method: str, sample: Sample, result: torch.Tensor, fit: bool) -> Score:
    assert sample.reference is not None
    if fit:
        result = fit_affine(result, sample.reference)(result)
    measured = quality((result / sample.peak).float(), (sample.reference / sample.peak).float())
    return Score(method, sample.name, measured.psnr, measured.ssim)


def _pair(sample: Sample, result: torch.Tensor, method: Method, name: str) -> HeldOutPair:
    assert sample.second is not None
    other = _clipped(method(sample.second), sample, name)
    return HeldOutPair(sample.noisy, sample.second, result, other)


def _scaled(pair: HeldOutPair, peak: float) -> HeldOutPair:
    return HeldOutPair(*(picture / peak for picture in pair))


def _estimated(method: str, picture: str | None, pairs: Sequence[HeldOutPair]) -> Score:
    found = estimate_quality(pairs)
    return Score(method, picture, found.psnr, None, found.low, found.high)


def _mean(method: str, scores: Sequence[Score]) -> Score:
    own = [score for score in scores if score.method == method]
    ssims = [score.ssim for score in own if score.ssim is not None]
    return Score(
        method,
        None,
        sum(score.psnr for score in own) / len(own),
        sum(ssims) / len(ssims) if ssims else None,
    )


def _part(sample: Sample) -> Sample:
    """The middle of a sample."""
    reference, second = (
        None if picture is None else middle(picture, TRIED_SIDE)
        for picture in (sample.reference, sample.second)
    )
    return replace(
        sample, noisy=middle(sample.noisy, TRIED_SIDE), reference=reference, second=second
    )
