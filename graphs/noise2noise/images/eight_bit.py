"""Conversion between 8-bit pixels, as libraries use them, and pictures in [0, 1]."""

from __future__ import annotations

import numpy as np
import torch


def from_bytes(pixels: np.ndarray) -> torch.Tensor:
    """8-bit pixels (H, W) or (H, W, 3) as float32 in [0, 1] of shape (3, H, W)."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)


def to_bytes(pixels: torch.Tensor) -> np.ndarray:
    """The nearest 8-bit pixels, (H, W) or (H, W, 3), for values nominally in [0, 1]."""
    last = pixels.movedim(0, -1) if pixels.ndim == 3 else pixels
    return (last * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
