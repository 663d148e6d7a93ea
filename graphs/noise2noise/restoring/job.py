"""What to denoise, and where each result goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from graphs.noise2noise.data.folders import holds_folders
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import require_fit
from graphs.noise2noise.restoring.options import Options
from graphs.noise2noise.restoring.outputs import is_one_file, targets_for
from graphs.noise2noise.restoring.scenes import Capture, Group, Scene, groups_of, merged

Kind = tuple[int, np.dtype]
"""The number of channels and the dtype of pictures."""


@dataclass(frozen=True)
class Task:
    """A scene and its output files: one for the mean of its shots, or one for each input file."""

    scene: Scene
    targets: Sequence[Path]
    average: bool

    def parts(self, *, apart: bool) -> Iterator[tuple[Kind, Task]]:
        """Split it into tasks whose files share channels and dtype; if ``apart``, file by file."""
        members: dict[tuple[Kind, int], list[int]] = {}
        for i, raster in enumerate(self.scene.rasters):
            kind = raster.channels, raster.dtype
            members.setdefault((kind, i if apart else 0), []).append(i)
        for (kind, _), chosen in members.items():
            scene = Scene([self.scene.captures[i] for i in chosen], self.scene.is_told)
            targets = self.targets if self.average else [self.targets[i] for i in chosen]
            yield kind, Task(scene, targets, self.average)

    def of_mean(self) -> Task:
        """The task with its shots replaced by their mean, if it averages more than one."""
        if not self.average or self.scene.shots == 1:
            return self
        return Task(Scene([self.scene.mean()], self.scene.is_told), self.targets, self.average)

    def results(self) -> Iterator[tuple[Path, Sequence[Capture]]]:
        """Each output file, and the captures it is made from."""
        captures = self.scene.captures
        made_from = [captures] if self.average else [[capture] for capture in captures]
        return zip(self.targets, made_from, strict=True)

    def require_possible(self) -> None:
        """Check that the results make sense and that the output files can hold them.

        Raises:
            InputError: they do not, or they cannot.
        """
        if self.average and (difference := self._difference()):
            raise InputError(
                f"{self._what} {difference}, so {self.targets[0]} cannot be their mean; "
                "name a folder for the results, and no --average"
            )
        if self.average and self.scene.is_repeated:
            self.scene.require_no_copies()
        for target, (capture, *_) in self.results():
            raster = capture.raster
            require_fit(target, raster.first_frame() if self.average else raster)

    def _difference(self) -> str | None:
        """Why its pictures have no mean, as a predicate; a stack may drift."""
        is_stack = len(self.scene.captures) == 1
        return self.scene.difference or (None if is_stack else self.scene.drift)

    @property
    def _what(self) -> str:
        files = [capture.path for capture in self.scene.captures]
        return f"the {len(files)} files" if len(files) > 1 else f"the pictures in {files[0]}"


@dataclass(frozen=True)
class Job:
    """Everything there is to do.

    Attributes:
        groups: the input files.
        first: the first of them, already read.
        targets: the output files of each group.
        options: as given, except that ``average`` may also follow from the output.
        console: for messages.
    """

    groups: Sequence[Group]
    first: Capture
    targets: Sequence[Sequence[Path]]
    options: Options
    console: Console

    @classmethod
    def of(cls, paths: Sequence[Path], output: Path, options: Options, console: Console) -> Job:
        """Find the files, and read the first.

        Raises:
            InputError: they do not belong together, or their results cannot be written there.
        """
        groups = groups_of(paths, options.pattern)
        count = sum(len(group.files) for group in groups)
        average = options.average or (is_one_file(output) and count > 1)
        _require_outside(paths, output, average)
        first = Capture.of(groups[0].files[0])
        is_told = any(group.is_told for group in groups)
        if average and len(groups) > 1 and not is_told and not _has_stacks(groups):
            groups = [merged(groups)]
        targets = targets_for(groups, output, average=average, overwrite=options.overwrite)
        options = replace(options, average=average)
        return cls(groups, first, targets, options, console)

    @property
    def files(self) -> int:
        """The number of input files."""
        return sum(len(group.files) for group in self.groups)

    def tasks(self) -> Iterator[Task]:
        """A task for each group, read when it is asked for."""
        first: Capture | None = self.first
        for group, targets in zip(self.groups, self.targets, strict=True):
            yield Task(Scene.of(group, first), targets, self.options.average)
            first = None

    def say(self, line: str) -> None:
        """Print a message."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _has_stacks(groups: Sequence[Group]) -> bool:
    """Whether any file is a stack: then each file is a scene of its own."""
    return any(Capture.of(file).raster.frames > 1 for group in groups for file in group.files)


def _require_outside(paths: Sequence[Path], output: Path, average: bool) -> None:
    """Refuse an output that the next run would take for one of the bursts or shots."""
    folder = (output.parent if is_one_file(output) else output).resolve()
    for path in filter(Path.is_dir, paths):
        is_among_bursts = holds_folders(path) and folder.is_relative_to(path.resolve())
        if is_among_bursts or (average and folder == path.resolve()):
            raise InputError(
                f"the output {output} lies in {path}, whose pictures it is made from; name a "
                "folder elsewhere"
            )
