"""What is to be denoised, and where each result goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from graphs.noise2noise.data.scenes import holds_folders
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, require_fit
from graphs.noise2noise.restoring.noise_level import NoiseLevel, noise_level
from graphs.noise2noise.restoring.options import Options
from graphs.noise2noise.restoring.outputs import is_one_file, targets_for
from graphs.noise2noise.restoring.scenes import Capture, Group, Scene, groups_of, merged


@dataclass(frozen=True)
class Measured:
    """A file's pixels, and their noise, which takes a while to estimate."""

    raster: Raster
    noise: NoiseLevel | None

    @classmethod
    def of(cls, raster: Raster) -> Measured:
        """Estimate it."""
        return cls(raster, noise_level(raster))


@dataclass(frozen=True)
class Task:
    """A scene and the files for its results: one for their mean, or one for each of its files."""

    scene: Scene
    targets: Sequence[Path]
    average: bool

    def results(self) -> Iterator[tuple[Path, Sequence[Raster]]]:
        """Each file to write, and what it is made from."""
        rasters = self.scene.rasters
        made_from = [rasters] if self.average else [[raster] for raster in rasters]
        return zip(self.targets, made_from, strict=True)

    def require_possible(self) -> None:
        """Check that its results make sense and that their files can hold them.

        Raises:
            InputError: if not.
        """
        if self.average and not self.scene.is_one:
            raise InputError(
                f"the {len(self.scene.captures)} files do not show one scene, so "
                f"{self.targets[0]} cannot be their mean; name a folder for the results, and no "
                "--average"
            )
        for target, (raster, *_) in self.results():
            require_fit(target, raster.first_frame() if self.average else raster)


@dataclass(frozen=True)
class Job:
    """All that is to be done; the first file has been read.

    Attributes:
        groups: the files.
        first: of them.
        targets: for the results of each group.
        options: as they were given, but that ``average`` follows from the output, too.
        console: for what there is to say.
    """

    groups: Sequence[Group]
    first: Measured
    targets: Sequence[Sequence[Path]]
    options: Options
    console: Console

    @classmethod
    def of(cls, paths: Sequence[Path], output: Path, options: Options, console: Console) -> Job:
        """Find the files, and read the first.

        Raises:
            InputError: they do not go together, or their results cannot be written there.
        """
        _require_outside(paths, output)
        groups = groups_of(paths, options.pattern)
        count = sum(len(group.files) for group in groups)
        average = options.average or (is_one_file(output) and count > 1)
        first = Capture.of(groups[0].files[0]).raster
        if average and count == len(groups) > 1 and first.frames == 1:
            groups = [merged(groups)]
        targets = targets_for(groups, output, average=average, overwrite=options.overwrite)
        options = replace(options, average=average)
        return cls(groups, Measured.of(first), targets, options, console)

    @property
    def first_file(self) -> Path:
        """The file that has been read."""
        return self.groups[0].files[0]

    def tasks(self) -> Iterator[Task]:
        """Every group, read as it is asked for."""
        first: Capture | None = Capture(self.first_file, self.first.raster)
        for group, targets in zip(self.groups, self.targets, strict=True):
            yield Task(Scene.of(group, first), targets, self.options.average)
            first = None

    def measured(self, raster: Raster) -> Measured:
        """With its noise, that of the first being known."""
        return self.first if raster is self.first.raster else Measured.of(raster)

    def say(self, line: str) -> None:
        """Tell a sentence."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _require_outside(paths: Sequence[Path], output: Path) -> None:
    """Results among bursts would be taken for one of them the next time."""
    for path in paths:
        if holds_folders(path) and output.resolve().is_relative_to(path.resolve()):
            raise InputError(
                f"the output {output} lies in {path}, each of whose folders is a burst; name a "
                "folder elsewhere"
            )
