"""The middle of a picture: enough to measure or show."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

Pixels = TypeVar("Pixels", np.ndarray, torch.Tensor)


def middle(picture: Pixels, side: int) -> Pixels:
    """The middle of (..., H, W), at most ``side`` pixels high and wide: a view."""
    height, width = picture.shape[-2:]
    top, left = max(height - side, 0) // 2, max(width - side, 0) // 2
    return picture[..., top : top + side, left : left + side]
