"""Files of noisy pictures to files of clean ones, by the method that fits them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from graphs.noise2noise.images import Raster, Scale
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.restoring import shipped
from graphs.noise2noise.restoring.job import Job, Task
from graphs.noise2noise.restoring.lessons import lessons_on
from graphs.noise2noise.restoring.methods import BY_PIXEL, Choice
from graphs.noise2noise.restoring.noise_level import NoiseLevel
from graphs.noise2noise.restoring.options import Options
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.restoring.scales import as_read, as_seen, lies_far
from graphs.noise2noise.restoring.write import write_frames, write_mean
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.threads import settle_threads

TRAINING_SHARE = 0.9
"""Of the time; the rest is for cleaning and writing."""


@dataclass(frozen=True)
class Denoised:
    """A file that has been written.

    Attributes:
        output: the file.
        choice: how it was made, and why so.
        noise: of the first picture that it was made from; None if that is too small to tell.
        seconds: since the start.
    """

    output: Path
    choice: Choice
    noise: NoiseLevel | None
    seconds: float


def denoise_files(
    paths: Sequence[Path], output: Path, options: Options, console: Console
) -> Iterator[Denoised]:
    """Clean pictures; each file is written as it is done, and none before all could be read.

    Args:
        paths: files of one picture or several, or folders; see :func:`groups_of`.
        output: a file, if it is named as a picture; several files then make one picture, their
            mean. Else a folder, where each keeps its name.
        options: how.
        console: says what is done and why; on a terminal, also how far it is.

    Raises:
        InputError: a picture cannot be read or worked with, or its result cannot be written.
    """
    start = time.perf_counter()
    settle_threads(None)
    job = Job.of(paths, output, options, console)
    reason = _reason_for_model(job)
    for work in _learned(job) if reason is None else [_with_model(job, reason)]:
        for target, noise in _write(job, work):
            yield Denoised(target, work.choice, noise, time.perf_counter() - start)


@dataclass(frozen=True)
class _Work:
    """How some of it is done; the pictures may be read only as they are asked for."""

    choice: Choice
    tasks: Iterable[Task]
    restore: Restorer
    scale_of: Callable[[Raster, NoiseLevel | None], Scale]


def _reason_for_model(job: Job) -> str | None:
    """Why to take weights that have been trained before; None if not."""
    options, first = job.options, job.first
    if options.model is not None:
        return f"with {options.model}"
    if options.method == "model":
        return "the weights that come along"
    is_open = options.method is None and [len(group.files) for group in job.groups] == [1]
    if is_open and shipped.scale_for(first.raster, first.noise):
        return "the weights that come along: they know such noise"
    return None


def _with_model(job: Job, reason: str) -> _Work:
    options, first = job.options, job.first
    loaded = load_network(options.model)
    for task in job.tasks():
        task.require_possible()
    choice = Choice("model", reason)
    _tell(job, choice)
    if options.model and lies_far(first.raster, loaded.architecture):
        job.say(
            f"the numbers of {job.first_file.name} lie far beyond those that the network was "
            "trained on: what it makes of them may be worth nothing"
        )
    restore = Restorer(loaded.network, loaded.architecture.channels, max_bytes=options.max_bytes)
    # Weights know the values that files have when read; those that come along, of 8 bits alone.
    return _Work(choice, job.tasks(), restore, as_read if options.model else as_seen)


def _learned(job: Job) -> Iterator[_Work]:
    """By a network of its own for each kind of pictures; nothing is wrong with any of them."""
    tasks = list(job.tasks())
    for task in tasks:
        task.require_possible()
    seconds = TRAINING_SHARE * job.options.seconds
    lessons = lessons_on(tasks, job.options.method, seconds, job.options.seed)
    for number, lesson in enumerate(lessons, start=1):
        if len(lessons) > 1:
            job.say(f"{number} of {len(lessons)} kinds of pictures, {lesson.kind}:")
        _tell(job, lesson.choice, with_noise=number == 1)
        if lesson.is_doubtful:
            job.say(
                "the pictures do not look like shots of one scene: if they are not, what is made "
                "of them is worth nothing"
            )
        for scene in lesson.unlike[:1]:
            others = f", nor those of {len(lesson.unlike) - 1} more" if lesson.unlike[1:] else ""
            job.say(
                f"the shots of {scene.captures[0].path}'s scene do not look alike{others}: no "
                "shot is a target for another there"
            )
        terminal = job.console if job.console.is_terminal else Console(quiet=True)
        watch(lesson.training.run(), terminal)
        restore = Restorer(lesson.network, lesson.channels, max_bytes=job.options.max_bytes)
        yield _Work(lesson.choice, lesson.tasks, restore, lesson.scale_of)


def _write(job: Job, work: _Work) -> Iterator[tuple[Path, NoiseLevel | None]]:
    for task in work.tasks:
        for target, rasters in task.results():
            measured = job.measured(rasters[0])
            scale = work.scale_of(measured.raster, measured.noise)
            if task.average:
                write_mean(target, rasters, work.restore, scale, job.console)
            else:
                write_frames(target, rasters[0], work.restore, scale, job.console)
            yield target, measured.noise


def _tell(job: Job, choice: Choice, *, with_noise: bool = True) -> None:
    noise = job.first.noise if with_noise else None
    if noise is not None:
        job.say(f"{job.first_file.name}: noise of {noise}")
    job.say(f"method: {choice.method}, {choice.reason}")
    if noise is not None and noise.correlated and choice.method in BY_PIXEL:
        job.say("what neighbouring pixels share will stay; several shots of a scene would help")
