"""The files to denoise, and which of them are shots of one scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch

from graphs.noise2noise.data.course import is_course, read_course_pickle
from graphs.noise2noise.data.folders import bursts_in, files_in, holds_folders, share_names
from graphs.noise2noise.data.same_scene import show_one_scene
from graphs.noise2noise.data.scenes import find_scenes, name_of_scene
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, Scale, are_equal, mean_of, read_raster
from graphs.noise2noise.inspection.aligning import shift_of
from graphs.noise2noise.restoring.noise_level import NoiseLevel, noise_level
from graphs.noise2noise.restoring.shipped import Shown, shown

DO_NOT_SHOW = "do not show one scene"

REGISTERED = 4
"""How many shots, spread over a series, are registered to tell whether they are shifted."""

DIFFERENT = "M"
"""The axis of pictures that are not shots of one scene: tifffile's letter for a mosaic."""


@dataclass(frozen=True)
class Group:
    """Files that are shots of one scene, going by their names and folders; or a single file.

    Attributes:
        name: of a picture that is made from all of them.
        files: at least one.
        places: the path of each file's result, relative to the folder of results.
        is_told: whether a pattern or the folders say that the files form a scene.
    """

    name: str
    files: Sequence[Path]
    places: Sequence[Path]
    is_told: bool = True


@dataclass(frozen=True, eq=False)
class Capture:
    """What has been read from a file, one picture or several; or the mean of several shots.

    Attributes:
        path: the file, or that of the first shot.
        raster: its content.
        name: for messages.
    """

    path: Path
    raster: Raster
    name: str

    @classmethod
    def of(cls, path: Path) -> Capture:
        """Read a picture file, or the first shots in a course's pickle.

        Raises:
            InputError: it is neither, or it is damaged.
        """
        if is_course([path]):
            shots, _ = read_course_pickle(path)
            return cls(path, Raster(shots.numpy(), DIFFERENT + "CYX"), path.name)
        return cls(path, read_raster(path), path.name)

    @cached_property
    def noise(self) -> NoiseLevel | None:
        """The noise of the first picture, which takes a while to estimate; None if too small."""
        return noise_level(self.raster)

    @cached_property
    def shown(self) -> Shown | None:
        """How the shipped weights see it, if they know its noise; see :func:`shown`."""
        return shown(self.raster, self.noise)

    def pictures(self, scale: Scale) -> torch.Tensor:
        """All its pictures on a scale, (k, C, H, W)."""
        frames = range(self.raster.frames)
        return torch.stack([scale.to_unit(self.raster.planes(frame)) for frame in frames])


@dataclass(frozen=True, eq=False)
class Scene:
    """A group's files once read; ``is_told`` as in :class:`Group`."""

    captures: Sequence[Capture]
    is_told: bool

    @classmethod
    def of(cls, group: Group, first: Capture | None = None) -> Scene:
        """Read a group's files, except the first if it is given."""
        captures = [first] if first else []
        captures += map(Capture.of, group.files[len(captures) :])
        return cls(captures, group.is_told)

    @property
    def rasters(self) -> list[Raster]:
        """The rasters of all files."""
        return [capture.raster for capture in self.captures]

    @property
    def shots(self) -> int:
        """The number of pictures in all files together."""
        return sum(raster.frames for raster in self.rasters)

    @cached_property
    def difference(self) -> str | None:
        """Why its pictures cannot be shots of one scene, as a predicate; None if they can be."""
        if any(DIFFERENT in raster.axes for raster in self.rasters):
            return DO_NOT_SHOW
        alike = show_one_scene(raster.first_frame() for raster in self.rasters)
        return None if alike else "do not look alike"

    @property
    def is_one(self) -> bool:
        """Whether its pictures can be shots of one scene, perhaps shifted."""
        return self.difference is None

    @cached_property
    def shift(self) -> float:
        """Pixels between its pictures, by a few of them; 0 if they are hardly shifted."""
        frames = [(raster, i) for raster in self.rasters for i in range(raster.frames)]
        every = -(-len(frames) // REGISTERED)
        return shift_of([raster.planes(i) for raster, i in frames[::every]])

    @property
    def drift(self) -> str | None:
        """How far its pictures are shifted, as a predicate; None if hardly at all."""
        shifted = f"are shifted against one another by up to {self.shift:.1f} pixels"
        return shifted if self.shift else None

    def mean(self) -> Capture:
        """The mean of all its pictures, which must show one scene; it has less noise than each."""
        name = f"the mean of {self.shots} shots"
        return Capture(self.captures[0].path, mean_of(self.rasters), name)

    @property
    def is_repeated(self) -> bool:
        """Whether its pictures are, as far as is known, several shots of one scene."""
        said = len(self.captures) > 1 or self.rasters[0].is_repeated
        return self.shots > 1 and said and self.is_one

    def require_no_copies(self) -> None:
        """Check that its pictures are not copies of each other.

        Raises:
            InputError: a picture equals the one before it.
        """
        shots = [
            (f"frame {frame + 1} of {path}" if raster.frames > 1 else str(path), raster, frame)
            for path, raster in ((capture.path, capture.raster) for capture in self.captures)
            for frame in range(raster.frames)
        ]
        for (first, a, i), (second, b, j) in pairwise(shots):
            if are_equal(a.planes(i), b.planes(j)):
                raise InputError(
                    f"{first} and {second} are equal in every pixel: copies, not shots of their own"
                )


def joined(scenes: Sequence[Scene]) -> Scene:
    """The pictures of several scenes as shots of one."""
    return Scene([capture for scene in scenes for capture in scene.captures], is_told=False)


def groups_of(paths: Sequence[Path], pattern: str | None = None) -> list[Group]:
    """Group files into scenes as for training; without any grouping, each file is its own group.

    Args:
        paths: files; folders of files, where those of the same name are shots of one scene; or a
            folder of folders, each of which is a burst.
        pattern: of file names, such as ``{scene}_raw{shot}.png``.

    Raises:
        InputError: a path does not exist, a folder has no pictures, or shots have no partners.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no file {path}")
    folders = [path for path in paths if path.is_dir()]
    if pattern is not None:
        found = find_scenes(paths, pattern).groups
        return [_group(name_of_scene(files, pattern), files) for files in found]
    if share_names(folders):
        found, labels = find_scenes(paths).groups, _labels(folders)
        return [_group(files[0].stem, files, labels) for files in found]
    if len(paths) == 1 and holds_folders(paths[0]):
        bursts = bursts_in(paths[0])
        return [_group(name, files, [Path(name)] * len(files)) for name, files in bursts.items()]
    files = [file for path in paths for file in files_in(path)]
    return [Group(file.name, [file], [Path(file.name)], is_told=False) for file in files]


def merged(groups: Sequence[Group]) -> Group:
    """All files as shots of one scene."""
    files = [file for group in groups for file in group.files]
    return _group(name_of_scene(files), files)


def _group(name: str, files: Sequence[Path], folders: Sequence[Path] | None = None) -> Group:
    folders = folders or [Path()] * len(files)
    places = [folder / file.name for folder, file in zip(folders, files, strict=True)]
    return Group(name + files[0].suffix, files, places)


def _labels(folders: Sequence[Path]) -> list[Path]:
    """What tells folders apart: their names or, if some are equal, paths from a common folder."""
    whole = [Path(os.path.abspath(folder)) for folder in folders]
    if len({folder.name for folder in whole}) == len(whole):
        return [Path(folder.name) for folder in whole]
    return [folder.relative_to(os.path.commonpath(whole)) for folder in whole]
