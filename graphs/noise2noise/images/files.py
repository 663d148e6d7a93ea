"""Pictures in files: PNG, JPEG, TIFF and NumPy's ``.npy``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing
from graphs.noise2noise.images import jpeg, npy, png, tiff
from graphs.noise2noise.images.picture import Picture
from graphs.noise2noise.images.raster import Raster, require_numbers
from graphs.noise2noise.images.scale import Scale


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: as shown to users.
        suffixes: of its files' names.
        starts: the byte sequences that its files may begin with.
        read: reads a file's pixels, or raises InputError.
        refusal: why a raster cannot be stored in this format, or None.
        creating: yields a raster to fill, with the layout of another, and completes the file.
    """

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...]
    read: Callable[[Path], Raster]
    refusal: Callable[[Raster], str | None]
    creating: Callable[[Path, Raster], AbstractContextManager[Raster]]


FORMATS = (
    Format("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",), png.read, png.refusal, png.creating),
    Format("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), jpeg.read, jpeg.refusal, jpeg.creating),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        tiff.read,
        tiff.refusal,
        tiff.creating,
    ),
    Format("NumPy", (".npy",), (b"\x93NUMPY",), npy.read, npy.refusal, npy.creating),
)
SUFFIXES = {suffix: kind for kind in FORMATS for suffix in kind.suffixes}


def read_raster(path: Path) -> Raster:
    """Read a file; its format is recognised by its content, not by its name.

    Raises:
        InputError: it is not a usable picture: missing, damaged, of another kind, or with values
            that are not finite numbers.
    """
    raster = _format_of(path).read(path)
    require_numbers(raster, str(path))
    return raster


@contextmanager
def creating(path: Path, like: Raster) -> Iterator[Raster]:
    """Yield a raster to fill, of ``like``'s size, channels and dtype, its opacity already copied.

    If the block succeeds, it is written to ``path`` with ``like``'s metadata, in the format of the
    suffix; otherwise nothing is left of it and an earlier file stays. Large rasters are kept on
    disk.

    Raises:
        InputError: such a file cannot hold it, or it cannot be written there, for instance because
            the disk is full.
    """
    require_fit(path, like)
    with (
        replacing(path) as temporary,
        SUFFIXES[path.suffix.lower()].creating(temporary, like) as raster,
    ):
        if like.alpha:
            for frame in range(like.frames):
                raster.opacity(frame)[...] = like.opacity(frame)
        yield raster


def require_fit(path: Path, raster: Raster) -> None:
    """Check that a file of that name can hold a raster.

    Raises:
        InputError: its format cannot, or the format is unknown.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"the output {path} is no kind of picture to write: {', '.join(SUFFIXES)}")
    if reason := kind.refusal(raster):
        holders = [other for other in FORMATS if not other.refusal(raster)]
        known = ", ".join(suffix for other in holders for suffix in other.suffixes)
        raise InputError(f"{path} cannot hold {reason}, being {kind.name}; these can: {known}")


def read_picture(path: Path) -> Picture:
    """Read a file of one picture, on the scale of its dtype: 255 of uint8 becomes 1.

    Raises:
        InputError: see :func:`read_raster`; or it holds several pictures.
    """
    raster = read_raster(path)
    if raster.frames > 1:
        raise InputError(f"{path} holds {raster.frames} pictures; expected one")
    scale = Scale.of_dtype(raster.dtype)
    return Picture(scale.to_unit(raster.planes()), scale, raster)


def list_pictures(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by file name, sorted.

    Raises:
        InputError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    found = {p.name: p for p in sorted(folder.iterdir()) if is_picture_name(p)}
    if not found:
        inner = next((p for p in sorted(folder.iterdir()) if p.is_dir()), None)
        hint = f" itself; name one of its folders, as {inner}" if inner else ""
        raise InputError(f"the folder {folder} has no PNG, JPEG, TIFF or .npy pictures{hint}")
    return found


def is_picture_name(path: Path) -> bool:
    """Whether a path has the suffix of a supported format and is not a hidden file."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _format_of(path: Path) -> Format:
    try:
        with path.open("rb") as file:
            start = file.read(max(len(start) for kind in FORMATS for start in kind.starts))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    for kind in FORMATS:
        if start.startswith(kind.starts):
            return kind
    raise InputError(f"{path} is not a PNG, JPEG, TIFF or .npy picture")
