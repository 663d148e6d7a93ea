"""Finding which files show the same scene, to group folders, bursts and stacks into scenes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from graphs.noise2noise.data.course import is_course
from graphs.noise2noise.data.folders import bursts_in, files_in, holds_folders
from graphs.noise2noise.data.same_scene import kind_of, show_one_scene
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, list_pictures, read_raster

SCENE, SHOT = "{scene}", "{shot}"
"""The placeholders in patterns for the names of scenes and shots."""

Kind = Literal["shots", "single", "clean", "course"]


@dataclass(frozen=True)
class Scenes:
    """Files, grouped by the scene they show.

    Attributes:
        kind: ``shots``: two or more noisy shots of each scene. ``single``: one noisy picture of
            each. ``clean``: pictures to add noise to. ``course``: the course's pickles.
        groups: the files of each scene.
        why: what was found, in words.
    """

    kind: Kind
    groups: Sequence[Sequence[Path]]
    why: str

    @property
    def files(self) -> list[Path]:
        """All files, each once."""
        return [path for group in self.groups for path in group]


def find_scenes(paths: Sequence[Path], pattern: str | None = None, clean: bool = False) -> Scenes:
    """Group files into scenes.

    Args:
        paths: two or more folders, where files of the same name are shots of one scene; or one
            folder of files whose names follow the pattern, of folders that each hold a burst, of
            stacks, or of single pictures; or files that are stacks, shots of one scene, or single
            pictures; or the course's pickles.
        pattern: of file names, such as ``{scene}_raw{shot}.png``; without ``{shot}``, for single
            pictures.
        clean: whether the pictures are clean, each of them a scene.

    Raises:
        InputError: nothing is found, or the files do not fit together.
    """
    if not paths:
        raise InputError("expected pictures to train on: folders or files")
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
    folders = [path for path in paths if path.is_dir()]
    if folders and len(folders) < len(paths):
        raise InputError("expected folders or files, not both")
    if clean:
        return _clean(paths, pattern)
    if twice := next((p for i, p in enumerate(paths) if any(map(p.samefile, paths[:i]))), None):
        raise InputError(f"{twice} is named twice")
    if pattern is not None:
        return _by_pattern(paths, pattern)
    if len(folders) > 1:
        return _by_name(folders)
    if folders:
        return _in_folder(folders[0])
    if is_course(paths):
        return Scenes("course", [list(paths)], "the course's pickle of pairs")
    return _of_files(paths)


def name_expression(pattern: str) -> re.Pattern[str]:
    """A regular expression for file names that follow a pattern, with groups ``scene``, ``shot``.

    Raises:
        InputError: the pattern does not have exactly one ``{scene}`` and at most one ``{shot}``.
    """
    if pattern.count(SCENE) != 1 or pattern.count(SHOT) > 1:
        raise InputError(
            "expected a pattern with one {scene} and one {shot}, as '{scene}_raw{shot}.png', or of "
            f"single pictures with {{scene}} alone; got {pattern!r}"
        )
    expression = re.escape(pattern)
    for name in ("scene", "shot"):
        expression = expression.replace(re.escape(f"{{{name}}}"), f"(?P<{name}>.+)")
    return re.compile(expression)


def name_of_scene(files: Sequence[Path], pattern: str | None = None) -> str:
    """The name of a scene: from the pattern, its file's name, or the folder of its burst."""
    first = files[0]
    if pattern is not None:
        match = name_expression(pattern).fullmatch(first.name)
        assert match is not None, "files were found by this pattern"
        return match["scene"]
    is_burst = len(files) > 1 and len({file.parent for file in files}) == 1
    return first.parent.resolve().name if is_burst else first.stem


def reference_of(scene: str, reference: Path) -> Path:
    """The reference picture of a scene.

    Args:
        scene: its name.
        reference: a file, a folder of files named after the scenes, or a path with ``{scene}`` in
            it.

    Raises:
        InputError: there is none.
    """
    path = reference
    if SCENE in str(reference):
        path = Path(str(reference).replace(SCENE, scene))
    elif reference.is_dir():
        alike = [file for file in sorted(reference.iterdir()) if file.stem == scene]
        if not alike:
            raise InputError(f"the scene {scene} has no reference of that name in {reference}")
        path = alike[0]
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    return path


def _clean(paths: Sequence[Path], pattern: str | None) -> Scenes:
    if pattern is not None:
        files = [file for _, file in named_as(paths, pattern)]
    else:
        files = [file for path in paths for file in files_in(path)]
    return Scenes("clean", [[file] for file in files], "clean pictures to put noise on")


def _by_name(folders: Sequence[Path]) -> Scenes:
    found = [list_pictures(folder) for folder in folders]
    everywhere = set.intersection(*(set(names) for names in found))
    alone = sorted(set().union(*found) - everywhere)
    if alone:
        name = alone[0]
        here = next(folder for folder, names in zip(folders, found, strict=True) if name in names)
        there = next(
            folder for folder, names in zip(folders, found, strict=True) if name not in names
        )
        more = f" ({len(alone)} names are unpaired)" if len(alone) > 1 else ""
        raise InputError(f"{here / name} has no partner of that name in {there}{more}")
    groups = [[names[name] for names in found] for name in found[0]]
    return Scenes("shots", groups, f"{len(folders)} folders of shots, paired by file name")


def _by_pattern(paths: Sequence[Path], pattern: str) -> Scenes:
    """Group by the text at ``{scene}``; the text at ``{shot}`` distinguishes the shots."""
    groups: dict[str, list[Path]] = {}
    for scene, file in named_as(paths, pattern):
        groups.setdefault(scene, []).append(file)
    if SHOT not in pattern:
        return _single_by_pattern(list(groups.values()), pattern)
    if alone := next((group[0] for group in groups.values() if len(group) < 2), None):
        raise InputError(f"{alone} is the only shot of its scene by the pattern {pattern!r}")
    return Scenes("shots", list(groups.values()), f"shots grouped by the pattern {pattern!r}")


def named_as(paths: Sequence[Path], pattern: str) -> list[tuple[str, Path]]:
    """The files that follow a pattern, each with the text at ``{scene}`` in its name.

    Raises:
        InputError: no file does, or one of ``paths`` is a file that does not.
    """
    expression = name_expression(pattern)
    found = []
    for path in paths:
        matches = [(expression.fullmatch(file.name), file) for file in files_in(path)]
        if not path.is_dir() and matches[0][0] is None:
            raise InputError(f"{path} is not named as {pattern!r}")
        found += [(match["scene"], file) for match, file in matches if match]
    if not found:
        raise InputError(f"no picture in {paths[0]} is named as {pattern!r}")
    return found


def _single_by_pattern(groups: Sequence[Sequence[Path]], pattern: str) -> Scenes:
    if twice := next((group for group in groups if len(group) > 1), None):
        raise InputError(
            f"{twice[0]} and {twice[1]} are one scene by the pattern {pattern!r}, which has no "
            "{shot} to tell them apart"
        )
    return Scenes("single", groups, f"single pictures named as {pattern!r}")


def _in_folder(folder: Path) -> Scenes:
    if holds_folders(folder):
        groups = list(bursts_in(folder).values())
        for first, *others in groups:
            if not others and read_raster(first).frames < 2:
                raise InputError(f"{first} is the only shot in its folder; expected two or more")
        return Scenes("shots", groups, "a folder of bursts, one in each folder inside")
    files = files_in(folder)
    stacked = [file for file in files if read_shots(file).frames > 1]
    if not stacked:
        why = "a folder of single noisy pictures"
        if _show_one_scene(files):
            why += f", which look alike: if they are shots of one scene, name them: {folder}/*"
        return Scenes("single", [[file] for file in files], why)
    if len(stacked) < len(files):
        single = next(file for file in files if file not in stacked)
        raise InputError(f"{stacked[0]} is a stack of shots and {single} is not: train on one kind")
    return Scenes("shots", [[file] for file in files], "a folder of stacks of repeated shots")


def read_shots(file: Path) -> Raster:
    """Read a file that may be a whole scene: an array of three axes is a stack in any case.

    Raises:
        InputError: it cannot be read.
    """
    raster = read_raster(file)
    if raster.frames == 1 and raster.axes == "CYX" and file.suffix.lower() == ".npy":
        # An array of a few pictures looks like one picture with a few channels.
        return Raster(raster.pixels, "IYX")
    return raster


def _of_files(files: Sequence[Path]) -> Scenes:
    """Shots of one scene, different pictures, or stacks, as which arrays count in any case."""
    each = [[file] for file in files]
    pictures = [file for file in files if file.suffix.lower() != ".npy"]
    if len(files) == 1 or len(pictures) < len(files):
        return Scenes("shots", each, "stacks of repeated shots")
    kinds = {kind_of(read_raster(file)) for file in files}
    if any(kind.frames > 1 for kind in kinds):
        return Scenes("shots", each, "stacks of repeated shots")
    if len(kinds) > 1 or _show_one_scene(files):  # or what reads them tells how they differ
        return Scenes("shots", [files], f"{len(files)} shots that show one scene")
    return Scenes("single", each, f"{len(files)} single noisy pictures, of different scenes")


def _show_one_scene(files: Sequence[Path]) -> bool:
    return len(files) > 1 and show_one_scene(map(read_raster, files))
