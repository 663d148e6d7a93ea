"""Large PNG files are processed some rows at a time, with the same result as all at once."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import creating, png_rows, read_raster, spool
from graphs.noise2noise.networks import Architecture, save_network
from tests.noise2noise.images.kinds import encode, numbers
from tests.noise2noise.scenes import bytes_of, cat

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _everything_is_large() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "IN_MEMORY", 0)
        patch.setattr(png_rows, "ROWS_BYTES", 200)
        patch.setattr(png_rows, "_PIECE", 100)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


FILTERS = st.sampled_from([8, 16, 32, 64, 128, 248])


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    samples=st.integers(1, 4),
    dtype=st.sampled_from(["uint8", "uint16"]),
    filters=FILTERS,
    smooth=st.booleans(),
)
def test_read_and_written_in_rows(
    folder: Path,
    size: tuple[int, int],
    samples: int,
    dtype: str,
    filters: int,
    smooth: bool,
) -> None:
    pixels = numbers((*size, samples) if samples > 1 else size, dtype)
    if smooth:
        pixels = np.sort(pixels, axis=0)
    path = folder / "a.png"
    path.write_bytes(imagecodecs.png_encode(pixels, filter=filters))
    raster = read_raster(path)
    assert isinstance(raster.pixels, np.memmap)
    assert np.array_equal(raster.pixels, pixels)
    with creating(folder / "b.png", raster) as new:
        new.planes()[...] = raster.planes()
    assert np.array_equal(imagecodecs.png_decode((folder / "b.png").read_bytes()), pixels)
    if dtype == "uint8":
        with Image.open(folder / "b.png") as image:
            assert np.array_equal(np.asarray(image), pixels)


def test_interlaced_ones_are_read_whole(tmp_path: Path) -> None:
    # Of 1x1 pixels: its first pass is all there is to it.
    whole = imagecodecs.png_encode(np.full((1, 1), 200, np.uint8))
    header = png_rows.Header.of(io.BytesIO(whole))
    assert not header.interlaced
    fields = bytearray(whole[12:29])
    fields[-1] = 1
    chunk = png_rows._chunk(bytes(fields[:4]), bytes(fields[4:]))
    (tmp_path / "a.png").write_bytes(whole[:8] + chunk + whole[33:])
    assert read_raster(tmp_path / "a.png").pixels.tolist() == [[200]]


def test_a_black_picture_is_unpacked_bit_by_bit(tmp_path: Path) -> None:
    encode(tmp_path / "a.png", np.zeros((300, 500, 3), np.uint8))
    assert not read_raster(tmp_path / "a.png").pixels.any()


@given(share=st.floats(0.1, 0.99), flip=st.booleans())
def test_damage_is_found(folder: Path, share: float, flip: bool) -> None:
    path = encode(folder / "damaged.png", bytes_of(40, 40, 3))
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    if flip:
        content[place] ^= 4
    path.write_bytes(content if flip else content[:place])
    with pytest.raises(InputError, match=r"damaged.png cannot be read: "):
        read_raster(path)


def test_no_room_to_unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    encode(tmp_path / "a.png", bytes_of(40, 40, 3))
    monkeypatch.setattr(spool, "reserve", full)
    with pytest.raises(InputError, match=r"a.png cannot be unpacked in .+: No space left"):
        read_raster(tmp_path / "a.png")


def peak_bytes(*arguments: object) -> int:
    """The most memory that ``blockwright denoise`` had at once, in a process of its own."""
    script = (
        "import resource, sys; from graphs.noise2noise.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, "denoise", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others kilobytes
    return unit * int(told.stdout.splitlines()[-1])


@pytest.mark.slow
def test_the_memory_for_a_png_does_not_grow_with_it(tmp_path: Path) -> None:
    architecture = Architecture(width=4)
    save_network(tmp_path / "m.safetensors", architecture.build(0), architecture)
    square = (255 * cat(250, 250).permute(1, 2, 0)).byte().numpy()
    peaks = {}
    for side in (1500, 6000):
        pixels = np.tile(square, (side // 250, side // 250, 1))
        path = tmp_path / f"{side}.png"
        path.write_bytes(imagecodecs.png_encode(pixels, level=1))
        options = ("-m", tmp_path / "m.safetensors", "--max-memory", "100M")
        peaks[side] = peak_bytes(path, "-o", tmp_path / f"clean-{side}.png", *options)
    assert peaks[6000] - peaks[1500] < 6000**2 * 3 / 2
