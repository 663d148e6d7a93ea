"""Pictures of a run for its report: before and after, and quality on the held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice
from pathlib import Path

import torch

from graphs.noise2noise.data.holding_out import hold_out
from graphs.noise2noise.data.noise import parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.reading import Readings, read_scenes
from graphs.noise2noise.data.scenes import Kind, Scenes, find_scenes
from graphs.noise2noise.quality.estimated import EstimatedQuality, HeldOutPair, estimate_quality
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.report.contents import Comparison
from graphs.noise2noise.training.configuration import Settled
from graphs.noise2noise.training.session import least_side

SHOWN = 3
SIDE = 448
ESTIMATED = 32
SMALL = 96
"""Pictures with a side below this are shown several at a time."""
NARROW = 0.5
"""RGB pictures that span at least this share of black to white are shown as they are; other
pictures are stretched to be seen."""

Restore = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class RunPictures:
    """A run's pictures, before and after, and their quality.

    Attributes:
        kind: how the run's pictures were interpreted.
        comparisons: pictures before and after.
        quality: estimated on held-out pairs; None where that is not possible.
        noisy: the same for the noisy pictures themselves.
    """

    kind: Kind
    comparisons: Sequence[Comparison]
    quality: EstimatedQuality | None = None
    noisy: EstimatedQuality | None = None


def run_pictures(c: Settled, restore: Restore) -> RunPictures:
    """Read a run's pictures again and denoise some of them, preferably held-out ones.

    Args:
        c: the run's configuration.
        restore: its network, for pictures (C, H, W) in the values of their files.

    Raises:
        InputError: the pictures can no longer be read.
    """
    found = find_scenes([Path(path) for path in c.data], c.pattern, clean=c.noise is not None)
    needed = least_side(found.kind, c.crop)
    readings = read_scenes(found, needed)
    scenes = [_values(scene, readings) for scene in readings.scenes]
    held_out = hold_out(scenes, c.validation, needed, c.seed)[1] if c.validation else []
    if found.kind != "single" and c.has_centred_noise and held_out:
        shots = held_out if c.noise is None else _noisy_shots(held_out, c.noise, c.seed)
        pairs = _pairs(shots, restore)
        noisy = [HeldOutPair(p.first, p.second, p.first, p.second) for p in pairs]
        shown = _shown(found, scenes, held_out, c, restore)
        return RunPictures(found.kind, shown, estimate_quality(pairs), estimate_quality(noisy))
    return RunPictures(found.kind, _shown(found, scenes, held_out, c, restore))


def _values(scene: torch.Tensor, readings: Readings) -> torch.Tensor:
    """A scene in the values of its files, with white as 1, as the network takes them."""
    if not scene.is_floating_point():
        return scene.float() / 255
    return scene * readings.scale + readings.offset


def _noisy_shots(clean: Sequence[torch.Tensor], noise: str, seed: int) -> list[torch.Tensor]:
    """Two shots of each clean picture; a file may hold several, (k, C, H, W)."""
    add = parse_noise(noise)
    return [
        add(picture.expand(2, -1, -1, -1), generator_for(seed, number, 4)).pixels
        for number, picture in enumerate(chain.from_iterable(clean))
    ]


def _pairs(scenes: Sequence[torch.Tensor], restore: Restore) -> list[HeldOutPair]:
    """At most :data:`ESTIMATED` pairs of shots, from every scene in turn."""
    in_turn = sorted(
        (turn, number, *pair)
        for number, scene in enumerate(scenes)
        for turn, pair in enumerate(_nearest(len(scene)))
    )

    @cache
    def restored(number: int, shot: int) -> torch.Tensor:
        return restore(scenes[number][shot])

    return [
        HeldOutPair(scenes[n][i], scenes[n][j], restored(n, i), restored(n, j))
        for _, n, i, j in in_turn[:ESTIMATED]
    ]


def _nearest(shots: int) -> Iterator[tuple[int, int]]:
    """At most :data:`ESTIMATED` pairs of so many shots, neighbours in time first."""
    pairs = ((i, i + apart) for apart in range(1, shots) for i in range(shots - apart))
    return islice(pairs, ESTIMATED)


def _shown(
    found: Scenes,
    scenes: Sequence[torch.Tensor],
    held_out: Sequence[torch.Tensor],
    c: Settled,
    restore: Restore,
) -> list[Comparison]:
    """Some scenes: first those held out whole, then others, whose last rows may be held out."""
    if min(scenes[0].shape[2:]) < SMALL:
        mosaic = _mosaic(held_out or scenes)
        return [_compare("several pictures", mosaic[0], c, restore)]
    unseen = [scene for scene in scenes if any(scene is other for other in held_out)]
    seen = [scene for scene in scenes if not any(scene is other for other in unseen)]
    chosen = [*_spaced(unseen, SHOWN), *_spaced(seen, SHOWN)][:SHOWN]
    comparisons = []
    for scene in chosen:
        comparison = _compare(_name(scene, scenes, found), scene[0], c, restore)
        if unseen and any(scene is other for other in seen):
            caption = f"The network was trained on this picture. {comparison.caption}".strip()
            comparison = replace(comparison, caption=caption)
        comparisons.append(comparison)
    return comparisons


def _spaced(scenes: Sequence[torch.Tensor], count: int) -> Sequence[torch.Tensor]:
    """At most ``count`` scenes, evenly spaced."""
    return scenes[:: -(-len(scenes) // count) or 1][:count]


def _name(scene: torch.Tensor, scenes: Sequence[torch.Tensor], found: Scenes) -> str:
    number = next(i for i, other in enumerate(scenes) if other is scene)
    files = found.groups[number] if number < len(found.groups) else [Path(f"picture {number + 1}")]
    return files[0].name


def _compare(name: str, picture: torch.Tensor, c: Settled, restore: Restore) -> Comparison:
    clean = None
    if c.noise is not None:
        clean = picture
        generator = generator_for(c.seed, 0, 3)
        picture = parse_noise(c.noise)(picture[None], generator).pixels[0]
    after = restore(picture)
    caption = ""
    if clean is not None:
        before_psnr, after_psnr = psnr(picture, clean), psnr(after, clean)
        caption = f"PSNR by the clean picture: noisy {before_psnr:.2f} dB, now {after_psnr:.2f} dB."
    low, high = _contrast(picture)
    before, after = ((_lower_middle(p) - low) / (high - low) for p in (picture, after))
    return Comparison(name, before, after, caption)


def _contrast(picture: torch.Tensor) -> tuple[float, float]:
    """The values that are shown as black and as white."""
    values = picture.flatten()
    some = values[:: max(1, len(values) // (1 << 20))]
    low, high = (float(some.quantile(q)) for q in (0.002, 0.998))
    is_plain = len(picture) == 3 and low >= 0 and high <= 1.2
    if (is_plain and high - low >= NARROW) or high <= low:
        return 0.0, 1.0
    return low, high


def _lower_middle(picture: torch.Tensor) -> torch.Tensor:
    """The part to show, in one or three channels: the bottom, where rows may be held out."""
    height, width = picture.shape[1:]
    top, left = max(height - SIDE, 0), max(width - SIDE, 0) // 2
    part = picture[:, top : top + SIDE, left : left + SIDE]
    return part if len(part) == 3 else part[:1]


def _mosaic(scenes: Sequence[torch.Tensor]) -> torch.Tensor:
    """A grid of up to 8x8 small pictures of the same size, (k, C, H, W)."""
    alike = [scene for scene in scenes if scene.shape == scenes[0].shape][:64]
    rows = [alike[i : i + 8] for i in range(0, len(alike) - len(alike) % 8 or 1, 8)]
    if len(alike) < 8:
        rows = [alike]
    return torch.cat([torch.cat(row, dim=3) for row in rows], dim=2)
