"""Holding out part of the pictures for validation."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from graphs.noise2noise.data.randomness import generator_for

ENOUGH_SCENES = 8
"""With at least this many scenes, whole ones are held out; with fewer, a strip of each."""

Split = tuple[list[torch.Tensor], list[torch.Tensor]]


def hold_out(scenes: Sequence[torch.Tensor], share: float, size: int, seed: int) -> Split:
    """Split scenes into those to train on and those to validate on.

    Of many scenes, random ones are held out whole; of few, the last rows of each, so that both
    parts hold all kinds of scene. If a scene is too small to split, the last scene is held out
    whole.

    Args:
        scenes: (k, C, H, W) each.
        share: the fraction to hold out, in (0, 1).
        size: the least number of rows that each part needs.
        seed: of the choice.

    Returns:
        The scenes to train on and those held out; none are held out of a single scene that is too
        small to split.
    """
    if len(scenes) >= ENOUGH_SCENES:
        order = torch.randperm(len(scenes), generator=generator_for(seed, 2)).tolist()
        count = min(max(1, round(share * len(scenes))), len(scenes) - 1)
        kept, held_out = sorted(order[count:]), sorted(order[:count])
        return [scenes[i] for i in kept], [scenes[i] for i in held_out]
    rows = [max(size, round(share * scene.shape[2])) for scene in scenes]
    if all(scene.shape[2] - held >= size for scene, held in zip(scenes, rows, strict=True)):
        strips = list(zip(scenes, rows, strict=True))
        return [s[:, :, :-held] for s, held in strips], [s[:, :, -held:] for s, held in strips]
    if len(scenes) > 1:
        return list(scenes[:-1]), [scenes[-1]]
    return list(scenes), []
