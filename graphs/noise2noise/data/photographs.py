"""The photographs that come with scikit-image, and square pieces of photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import skimage.data
import torch

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import from_bytes

# All of these are in scikit-image's wheel: none is downloaded.
PHOTOGRAPHS: Mapping[str, Callable[[], np.ndarray]] = {
    "astronaut": skimage.data.astronaut,
    "brick": skimage.data.brick,
    "camera": skimage.data.camera,
    "cat": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "coins": skimage.data.coins,
    "deep field": skimage.data.hubble_deep_field,
    "grass": skimage.data.grass,
    "gravel": skimage.data.gravel,
    "moon": skimage.data.moon,
    "motorcycle": lambda: skimage.data.stereo_motorcycle()[0],
    "retina": skimage.data.retina,
    "rocket": skimage.data.rocket,
    "tissue": skimage.data.immunohistochemistry,
}
HELD_OUT = ("cat", "coffee", "astronaut")
TRAINING = tuple(name for name in PHOTOGRAPHS if name not in HELD_OUT)
_LONGEST_SIDE = 750


def load(name: str) -> torch.Tensor:
    """A photograph from :data:`PHOTOGRAPHS` in [0, 1], (3, H, W), no side above 750 pixels."""
    photograph = from_bytes(PHOTOGRAPHS[name]())
    return scale_down(photograph, -(-max(photograph.shape) // _LONGEST_SIDE))


def scale_down(photograph: torch.Tensor, factor: int) -> torch.Tensor:
    """A photograph (C, H, W) with each ``factor`` x ``factor`` block averaged into one pixel.

    Rows and columns that do not fill a block are left out.
    """
    channels, height, width = photograph.shape
    rows, columns = height // factor, width // factor
    whole = photograph[:, : rows * factor, : columns * factor]
    return whole.reshape(channels, rows, factor, columns, factor).mean(dim=(2, 4))


def pieces(
    photographs: Sequence[torch.Tensor], count: int, generator: torch.Generator, size: int = 32
) -> torch.Tensor:
    """Random pieces of photographs, taken from each photograph in turn.

    Returns:
        (count, C, size, size).

    Raises:
        InputError: a photograph is smaller than a piece.
    """
    require_sides(photographs, size)
    return torch.stack(
        [_piece(photographs[i % len(photographs)], generator, size) for i in range(count)]
    )


def require_sides(photographs: Iterable[torch.Tensor], size: int) -> None:
    """Raise InputError if a photograph (C, H, W) has a side of fewer than ``size`` pixels."""
    for photograph in photographs:
        height, width = photograph.shape[1:]
        if min(height, width) < size:
            raise InputError(
                f"a picture is {height} by {width} pixels; expected at least {size} a side"
            )


def _piece(photograph: torch.Tensor, generator: torch.Generator, size: int) -> torch.Tensor:
    height, width = photograph.shape[1:]
    top = int(torch.randint(height - size + 1, (), generator=generator))
    left = int(torch.randint(width - size + 1, (), generator=generator))
    return photograph[:, top : top + size, left : left + size]
