"""Pictures on disk: PNG, JPEG and TIFF, grey or RGB, 8 bits per channel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFile, UnidentifiedImageError

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_MODES = {
    "1": "black and white without greys",
    "P": "of palette colours",
    "LA": "grey with transparency",
    "RGBA": "RGB with transparency",
    "I;16": "grey of 16 bits",
    "I;16B": "grey of 16 bits",
    "I": "grey of 32 bits",
    "F": "grey of 32 bits",
}
_DAMAGED = (OSError, SyntaxError, TypeError, ValueError, Image.DecompressionBombError)
"""What Pillow raises on files that are not what they began as."""

_KEPT = ("exif", "icc_profile", "dpi")


@dataclass(frozen=True)
class Picture:
    """A picture as the network takes it.

    Attributes:
        pixels: float32 in [0, 1], of shape (3, H, W); a grey picture has three equal channels.
        grey: whether the file has one channel.
        metadata: what is carried over to a file made from it: orientation, colour profile,
            resolution.
    """

    pixels: torch.Tensor
    grey: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_picture(path: Path) -> Picture:
    """Read a picture.

    Raises:
        InputError: it is no PNG, JPEG or TIFF file, is damaged, or is neither 8-bit grey nor RGB.
    """
    with _opened(path) as image:
        pixels = np.asarray(image)
        metadata = {key: image.info[key] for key in _KEPT if key in image.info}
    return Picture(from_bytes(pixels), pixels.ndim == 2, metadata)


def require_picture(path: Path) -> None:
    """Raise the InputError of :func:`read_picture` that can be known without decoding the file."""
    with _opened(path):
        pass


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture in the format that the suffix names, in place of what was there."""
    pixels = picture.pixels.mean(0) if picture.grey else picture.pixels
    options: dict[str, Any] = dict(picture.metadata)
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        options |= {"quality": 95, "subsampling": 0}
    with replacing(path) as temporary:
        Image.fromarray(to_bytes(pixels)).save(temporary, **options)


def list_pictures(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by file name, in order.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    found = {p.name: p for p in sorted(folder.iterdir()) if is_picture_name(p)}
    if not found:
        raise InputError(f"the folder {folder} has no PNG, JPEG or TIFF pictures")
    return found


def is_picture_name(path: Path) -> bool:
    """Whether a path is named as a picture that can be read and written; hidden files are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def from_bytes(pixels: np.ndarray) -> torch.Tensor:
    """8-bit pixels (H, W) or (H, W, 3) as float32 in [0, 1] of shape (3, H, W)."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)


def to_bytes(pixels: torch.Tensor) -> np.ndarray:
    """The nearest 8-bit pixels, (H, W) or (H, W, 3), of values meant to lie in [0, 1]."""
    last = pixels.movedim(0, -1) if pixels.ndim == 3 else pixels
    return (last * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    try:
        with _quietly(), Image.open(path, formats=("PNG", "JPEG", "TIFF")) as image:
            _require_plain(image, path)
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a PNG, JPEG or TIFF picture") from None
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from None


def _quietly() -> warnings.catch_warnings[None]:
    """Without Pillow's warnings of damage: what cannot be read is an error, the rest is read."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _require_plain(image: ImageFile.ImageFile, path: Path) -> None:
    if kind := _other_kind(image):
        raise InputError(f"{path} is {kind}; expected 8-bit grey or RGB")
    # A camera's JPEG may hold a preview or a depth map beside the photograph, which comes first.
    if image.format in ("PNG", "TIFF") and getattr(image, "n_frames", 1) > 1:
        raise InputError(f"{path} holds several pictures; expected one")


def _other_kind(image: ImageFile.ImageFile) -> str | None:
    if image.mode not in ("L", "RGB"):
        return _MODES.get(image.mode, image.mode)
    # Pillow opens these as "L" and "RGB" too, and drops the lower bits and the transparency.
    if ";16" in str(image.tile):
        return f"{image.mode} of 16 bits"
    if "transparency" in image.info:
        return f"{image.mode} with a transparent colour"
    return None
