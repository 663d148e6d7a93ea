"""Files of many kinds, written by the libraries that people use."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from graphs.noise2noise.images import creating, read_raster
from tests.noise2noise.scenes import bytes_of

Writer = Callable[[Path], object]


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Random numbers: floats roughly in [0, 1], or integers over their whole range."""
    generator = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return generator.normal(0.5, 0.3, shape).astype(kind)
    limits = np.iinfo(kind)
    values = generator.integers(limits.min, limits.max, shape, kind.newbyteorder("="), True)
    return values.astype(kind)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def of_mode(mode: str, **options: object) -> Writer:
    """A picture of one of Pillow's modes."""
    pixels = Image.fromarray(bytes_of(16, 16, 3))
    return lambda path: pixels.convert(mode).save(path, **options)


def animated(path: Path) -> None:
    """Two frames in one PNG file."""
    frames = [Image.fromarray(bytes_of(16, 16, 3, seed=i)) for i in range(2)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def of_two_kinds(path: Path) -> None:
    """A TIFF file with pages of different sizes."""
    with tifffile.TiffWriter(path) as file:
        file.write(bytes_of(16, 16))
        file.write(bytes_of(17, 16))


def rewrite(source: Path, name: str) -> Path:
    """Write a file anew beside itself, perhaps in another format."""
    target, raster = source.with_name(name), read_raster(source)
    with creating(target, raster) as new:
        for frame in range(raster.frames):
            new.planes(frame)[...] = raster.planes(frame)
    return target


def as_bytes(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    """What Pillow writes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def encode(path: Path, pixels: np.ndarray) -> Path:
    """Write pixels (H, W) or (H, W, C), with other libraries where Pillow cannot."""
    if path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(pixels))
    elif path.suffix == ".npy":
        np.save(path, pixels)
    else:
        photometric = "rgb" if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) else "minisblack"
        tifffile.imwrite(path, pixels, photometric=photometric)
    return path
