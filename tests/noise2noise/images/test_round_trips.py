"""Files that are read and written again keep their numbers, kind and layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graphs.noise2noise.images import (
    Raster,
    Scale,
    creating,
    read_picture,
    read_raster,
    spool,
    tiff,
    to_bytes,
)
from tests.noise2noise.images.kinds import encode, numbers
from tests.noise2noise.scenes import bytes_of, cat, save

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
DTYPES = {
    ".png": ("uint8", "uint16"),
    ".tif": ("uint8", "uint16", "int16", "float16", "float32", "float64", ">u2", ">f4"),
    ".npy": ("uint8", "uint16", "int16", "int32", "float32", "float64", ">u2"),
}
CHANNELS = {".png": (1, 2, 3, 4), ".tif": (1, 2, 3, 4, 5), ".npy": (1, 2, 3, 4)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


def copy(source: Path, target: Path) -> None:
    """Every frame read as a picture, and written back frame by frame."""
    raster = read_raster(source)
    scale = Scale.of_dtype(raster.dtype)
    with creating(target, raster) as result:
        for frame in range(raster.frames):
            pixels = scale.to_unit(raster.planes(frame))
            result.planes(frame)[...] = scale.from_unit(pixels, result.dtype)


@settings(max_examples=80)
@given(st.data())
def test_numbers_dtype_channels_and_size_stay(folder: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(DTYPES)))
    dtype = data.draw(st.sampled_from(DTYPES[suffix]))
    channels = data.draw(st.sampled_from(CHANNELS[suffix]))
    shape = data.draw(SIDES) + ((channels,) if channels > 1 else ())
    pixels = numbers(shape, dtype)
    source = encode(folder / f"in{suffix}", pixels)
    copy(source, folder / f"out{suffix}")
    again = read_raster(folder / f"out{suffix}")
    before = read_raster(source)
    assert again.dtype == before.dtype
    assert again.axes == before.axes
    assert again.alpha == before.alpha
    expected = pixels.astype(np.float32) if dtype == "float64" else pixels
    if dtype == "int32":
        np.testing.assert_allclose(again.pixels, pixels, rtol=1e-6, atol=2)
    else:
        np.testing.assert_allclose(again.pixels, expected.reshape(again.pixels.shape), rtol=1e-6)


@settings(max_examples=40)
@given(
    axes=st.sampled_from(["TYX", "IYX", "ZYX", "CYX", "TCYX", "TZCYX", "TYXS", "YXS"]),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    byteorder=st.sampled_from("<>"),
    compression=st.sampled_from([None, "zlib", "lzw"]),
    sides=SIDES,
)
def test_stacks_of_every_arrangement(
    folder: Path,
    axes: str,
    dtype: str,
    byteorder: str,
    compression: str | None,
    sides: tuple[int, int],
) -> None:
    lengths = {"T": 2, "I": 3, "Z": 2, "C": 2, "S": 3, "Y": sides[0] + 1, "X": sides[1] + 1}
    shape = tuple(lengths[axis] for axis in axes)
    path = folder / "in.tif"
    tifffile.imwrite(
        path,
        numbers(shape, dtype),
        byteorder=byteorder,
        compression=compression,
        photometric="rgb" if "S" in axes else "minisblack",
        metadata={"axes": axes},
    )
    raster = read_raster(path)
    assert raster.frames == np.prod([lengths[axis] for axis in axes if axis in "TIZ"], dtype=int)
    assert raster.channels == lengths["C"] if "C" in axes else raster.channels in (1, 3)
    copy(path, folder / "out.tif")
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(folder / "out.tif") as after:
        assert after.series[0].axes == before.series[0].axes
        assert after.byteorder == before.byteorder
        assert after.pages[0].compression == before.pages[0].compression
        np.testing.assert_array_equal(after.asarray(), before.asarray())
        assert after.pages[0].dtype == before.pages[0].dtype


def test_a_frame_of_a_stack_is_where_it_belongs(tmp_path: Path) -> None:
    pixels = numbers((2, 3, 2, 5, 4), "uint16")
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="minisblack", metadata={"axes": "TZCYX"}
    )
    raster = read_raster(tmp_path / "a.tif")
    assert (raster.frames, raster.channels, raster.size) == (6, 2, (5, 4))
    assert not raster.is_repeated  # slices in depth are no repeats
    np.testing.assert_array_equal(raster.planes(4), pixels[1, 1])


def test_pages_without_a_name_are_repeats(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for i in range(3):
            file.write(bytes_of(8, 9, seed=i), metadata=None)
    raster = read_raster(tmp_path / "a.tif")
    assert raster.frames == 3
    assert raster.is_repeated


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_opacity_is_untouched(mode: str, suffix: str, tmp_path: Path) -> None:
    pixels = bytes_of(9, 7, len(mode))
    Image.fromarray(pixels, mode).save(tmp_path / f"a.{suffix}")
    raster = read_raster(tmp_path / f"a.{suffix}")
    assert raster.channels == len(mode) - 1
    with creating(tmp_path / f"b.{suffix}", raster) as darker:
        darker.planes()[...] = raster.planes() // 2
    with Image.open(tmp_path / f"b.{suffix}") as image:
        assert image.mode == mode
        result = np.asarray(image)
    np.testing.assert_array_equal(result[..., -1], pixels[..., -1])
    np.testing.assert_allclose(result[..., :-1], pixels[..., :-1] / 2, atol=0.51)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("suffix", ["jpg", "jpeg"])
def test_jpeg(suffix: str, grey: bool, tmp_path: Path) -> None:
    raster = Raster(to_bytes(cat().mean(0)), "YX") if grey else Raster(to_bytes(cat()), "YXS")
    with creating(tmp_path / f"out.{suffix}", raster) as new:
        new.planes()[...] = raster.planes()
    again = read_picture(tmp_path / f"out.{suffix}").pixels
    pixels = cat().mean(0, keepdim=True) if grey else cat()
    assert again.shape == pixels.shape
    assert float((again - pixels).abs().mean()) < 2.5 / 255


def test_the_content_tells_the_kind_and_not_the_name(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", bytes_of(8, 9, 3)).rename(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").pixels.shape == (3, 8, 9)


@pytest.mark.parametrize(
    ("shape", "frames", "channels"),
    [
        ((9, 8), 1, 1),
        ((9, 8, 3), 1, 3),
        ((2, 9, 8), 1, 2),
        ((7, 9, 8), 7, 1),
        ((5, 9, 8, 3), 5, 3),
        ((5, 6, 9, 8), 5, 6),
    ],
)
def test_axes_of_numpy_files(
    shape: tuple[int, ...], frames: int, channels: int, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", numbers(shape, "float32"))
    raster = read_raster(tmp_path / "a.npy")
    assert (raster.frames, raster.channels, raster.size) == (frames, channels, (9, 8))


@pytest.mark.parametrize("suffix", ["png", "tif", "npy", "jpg"])
@pytest.mark.parametrize("compressed", [True, False])
def test_large_ones_by_way_of_the_disk(
    suffix: str, compressed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (spool, tiff):
        monkeypatch.setattr(module, "IN_MEMORY", 0)
    pixels = cat(60, 70)
    source = Raster(np.zeros((60, 70, 3), np.uint8), "YXS")
    if compressed and suffix == "tif":
        tifffile.imwrite(tmp_path / "in.tif", source.pixels, compression="zlib")
        source = read_raster(tmp_path / "in.tif")
        assert isinstance(source.pixels, np.memmap)
    path = tmp_path / f"out.{suffix}"
    with creating(path, source) as new:
        new.planes()[...] = Scale(0, 255).from_unit(pixels, source.dtype)
    error = (read_picture(path).pixels - pixels).abs()
    assert float(error.max() if suffix != "jpg" else error.mean()) < 0.02


def test_rounding_and_limits() -> None:
    levels = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.5])
    eight = Scale(0, 255).from_unit(levels, np.dtype("uint8"))
    assert eight.tolist() == [0, 0, 0, 1, 254, 255, 255]
    assert Scale(100, 200).from_unit(levels, np.dtype("float32")).max() == 250
    half = Scale(0, 1e6).from_unit(levels, np.dtype("float16"))
    assert np.isfinite(half).all()


@given(st.floats(-1e4, 1e4), st.floats(1, 1e5), st.integers(0, 1000))
def test_the_range_of_values(low: float, width: float, seed: int) -> None:
    values = low + width * np.random.default_rng(seed).random((2, 30, 30)).astype(np.float32)
    scale = Scale.of_values(values)
    unit = scale.to_unit(values)
    assert -0.1 < float(unit.min()) < 0.01
    assert 0.99 < float(unit.max()) < 1.1
    np.testing.assert_allclose(
        scale.from_unit(unit, np.dtype("float32")), values, atol=1e-6 * (abs(low) + width)
    )


def test_the_range_of_values_that_are_all_the_same() -> None:
    assert Scale.of_values(np.full((1, 4, 4), 7, np.uint16)) == Scale(7, 8)


def test_axes_without_names_are_frames(tmp_path: Path) -> None:
    stacks = np.arange(2 * 3 * 20 * 24, dtype=np.uint16).reshape(2, 3, 20, 24)
    tifffile.imwrite(tmp_path / "stacks.tif", stacks, photometric="minisblack")
    raster = read_raster(tmp_path / "stacks.tif")
    assert (raster.frames, raster.channels, raster.size) == (6, 1, (20, 24))
    assert np.array_equal(raster.planes(4)[0], stacks[1, 1])
    with creating(tmp_path / "again.tif", raster) as again:
        again.pixels[...] = raster.pixels
    assert np.array_equal(tifffile.imread(tmp_path / "again.tif"), stacks)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((20, 30, 4), (1, 4, (20, 30))),
        ((4, 20, 30), (1, 4, (20, 30))),
        ((20, 30, 5), (20, 1, (30, 5))),
        ((5, 20, 30), (5, 1, (20, 30))),
        ((2, 20, 30, 4), (2, 4, (20, 30))),
        ((2, 5, 20, 30), (2, 5, (20, 30))),
    ],
)
def test_which_axes_of_an_array_are_frames_and_channels(
    shape: tuple[int, ...], kind: tuple[int, int, tuple[int, int]], tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", bytes_of(*shape))
    raster = read_raster(tmp_path / "a.npy")
    assert (raster.frames, raster.channels, raster.size) == kind
