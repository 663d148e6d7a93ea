"""Denoises files of pictures into new files, by the method that fits them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from pathlib import Path

from rich.console import Console

from graphs.module import Module
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.restoring.cleaner import Shape
from graphs.noise2noise.restoring.job import Job, Task
from graphs.noise2noise.restoring.lessons import Lesson, lesson_on
from graphs.noise2noise.restoring.methods import Choice
from graphs.noise2noise.restoring.noise_level import NoiseLevel
from graphs.noise2noise.restoring.options import Options
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.restoring.scales import as_read, as_seen, lies_far
from graphs.noise2noise.restoring.scenes import Capture
from graphs.noise2noise.restoring.sharing_out import by_kind, known_and_others
from graphs.noise2noise.restoring.shipped import Shown, cleaner_for
from graphs.noise2noise.restoring.telling import (
    count_files,
    part_of,
    tell,
    tell_of_drift,
    tell_of_unlike,
)
from graphs.noise2noise.restoring.write import write_frames, write_mean
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.threads import settle_threads

WEIGHTS = "the shipped weights"

TRAINING_SHARE = 0.9
"""The fraction of the time to train for; the rest is for cleaning and writing."""


@dataclass(frozen=True)
class Denoised:
    """A file that has been written.

    Attributes:
        output: the file.
        choice: the method, and why it was chosen.
        noise: of the first picture that it was made from; None if that is too small to measure.
        seconds: since the start.
    """

    output: Path
    choice: Choice
    noise: NoiseLevel | None
    seconds: float


def denoise_files(
    paths: Sequence[Path], output: Path, options: Options, console: Console
) -> Iterator[Denoised]:
    """Clean pictures; each file is written once it is done, but none before all have been read.

    Args:
        paths: files of one picture or several, or folders; see :func:`groups_of`.
        output: a file, if it has the name of a picture; several files then become one picture,
            their mean. Otherwise a folder, where each file keeps its name.
        options: how to denoise.
        console: shows what is done and why and, on a terminal, progress.

    Raises:
        InputError: a picture cannot be read or processed, or its result cannot be written.
    """
    start = time.perf_counter()
    settle_threads(None)
    job = Job.of(paths, output, options, console)
    by_weights = options.model is not None or options.method == "model"
    for work in _by_weights_asked_for(job) if by_weights else _by_what_fits(job):
        for target, noise in _write(job, work):
            yield Denoised(target, work.choice, noise, time.perf_counter() - start)


@dataclass(frozen=True)
class _Work:
    """Tasks that one network does; ``tasks`` may read their pictures lazily."""

    choice: Choice
    tasks: Iterable[Task]
    restore: Restorer
    shown: Callable[[Capture], Shown]


def _by_weights_asked_for(job: Job) -> Iterator[_Work]:
    options = job.options
    loaded = load_network(options.model)
    restore = _restorer(job, loaded.network, loaded.architecture.channels)
    _require_memory(restore, _require_possible(job, job.tasks()))
    # The user's own weights were trained on values as read from files and on single shots.
    tasks = job.tasks() if options.model else (task.of_mean() for task in job.tasks())
    shown = as_read if options.model else as_seen
    choice = Choice("model", f"with {options.model}" if options.model else WEIGHTS)
    first = next(tasks)
    tell(job, choice, first.scene.captures[0])
    if options.model and lies_far(job.first.raster, loaded.architecture):
        job.say(
            f"the numbers of {job.first.name} lie far beyond those that the network was "
            "trained on: what it makes of them may be worth nothing"
        )
    yield _Work(choice, chain([first], tasks), restore, shown)


def _by_what_fits(job: Job) -> Iterator[_Work]:
    """The shipped weights where they know the noise; networks learned from the other pictures."""
    tasks = list(job.tasks())
    _require_possible(job, tasks)
    method = job.options.method
    assert method != "model", "which learns nothing"
    kinds = by_kind(tasks, apart=method != "repeats")
    known, others = known_and_others(kinds) if method is None else ([], kinds)
    # Before writing anything: if a picture cannot be learned from, no file is written.
    seconds = TRAINING_SHARE * job.options.seconds / max(len(others), 1)
    lessons = [lesson_on(kind, method, seconds, job.options.seed) for kind in others]
    restorers = [_restorer(job, lesson.network, lesson.channels) for lesson in lessons]
    for kind, restore in zip(others, restorers, strict=True):
        _require_memory(restore, _shapes(kind))
    if method is None:
        tell_of_unlike(job, tasks)
    if known:
        loaded = load_network()
        restore = _restorer(job, loaded.network, loaded.architecture.channels)
        _require_memory(restore, _shapes(known))
        choice = Choice("model", f"{WEIGHTS}: they know such noise")
        files = job.files - sum(map(count_files, others))
        tell(job, choice, known[0].scene.captures[0], part_of(job, files))
        yield _Work(choice, known, restore, as_seen)
    for lesson, restore in zip(lessons, restorers, strict=True):
        yield _learned(job, lesson, restore)


def _require_possible(job: Job, tasks: Iterable[Task]) -> list[Shape]:
    """Check every task before anything is done, and say which means will be blurred.

    Returns the pictures' shapes.
    """
    shapes = []
    for task in tasks:
        task.require_possible()
        shapes += _shapes([task])
        if job.options.average:
            tell_of_drift(job, task.scene)
    return shapes


def _shapes(tasks: Sequence[Task]) -> list[Shape]:
    rasters = (raster for task in tasks for raster in task.scene.rasters)
    return [(1, raster.channels, *raster.size) for raster in rasters]


def _require_memory(restore: Restorer, shapes: Iterable[Shape]) -> None:
    """Check that the largest picture of each number of channels can be cleaned."""
    largest = {shape[1]: shape for shape in sorted(shapes, key=prod)}
    for shape in largest.values():
        restore.require_memory(shape)


def _learned(job: Job, lesson: Lesson, restore: Restorer) -> _Work:
    part = part_of(job, count_files(lesson.tasks))
    first = lesson.tasks[0].scene.captures[0]
    tell(job, lesson.choice, first, part and f"{part}, {lesson.kind}")
    if lesson.drift:
        job.say(f"the shots {lesson.drift}: what is learned from them is aligned first")
    if lesson.is_doubtful:
        job.say(
            "the pictures do not look like shots of one scene: if they are not, what is made "
            "of them is worth nothing"
        )
    watch(lesson.training.run(), job.console)
    return _Work(lesson.choice, lesson.tasks, restore, lesson.shown)


def _restorer(job: Job, network: Module, channels: int) -> Restorer:
    return Restorer(network, channels, max_bytes=job.options.max_bytes)


def _write(job: Job, work: _Work) -> Iterator[tuple[Path, NoiseLevel | None]]:
    for task in work.tasks:
        for target, captures in task.results():
            first = captures[0]
            shown = work.shown(first)
            cleaner = cleaner_for(shown, work.restore)
            if task.average:
                rasters = [capture.raster for capture in captures]
                write_mean(target, rasters, cleaner, shown.scale, job.console)
            else:
                write_frames(target, first.raster, cleaner, shown.scale, job.console)
            yield target, first.noise
