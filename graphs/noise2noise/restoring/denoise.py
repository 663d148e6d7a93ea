"""Files of noisy pictures to files of clean ones, by the method that fits them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.images import Raster, Scale, read_raster, require_fit
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.restoring import shipped
from graphs.noise2noise.restoring.examples import examples_of
from graphs.noise2noise.restoring.learning import training_on
from graphs.noise2noise.restoring.methods import BY_PIXEL, Choice, Method, choose
from graphs.noise2noise.restoring.noise_level import NoiseLevel, noise_level
from graphs.noise2noise.restoring.outputs import is_one_file, targets_for
from graphs.noise2noise.restoring.restorer import MAX_BYTES, Restorer
from graphs.noise2noise.restoring.scales import as_read, as_seen, common_scale, lies_far
from graphs.noise2noise.restoring.scenes import Scene, files_of, show_one_scene
from graphs.noise2noise.restoring.write import write_frames, write_mean
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.threads import settle_threads

TRAINING_SHARE = 0.9
"""Of the time; the rest is for cleaning and writing."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to denoise.

    Attributes:
        method: None for the one that fits.
        model: a file of weights or the folder of a training's run; None for those that come along.
        seconds: what there is of time.
        average: make one picture of all shots.
        max_bytes: the most memory for the network to compute in.
        seed: of everything random.
        overwrite: whether files to write may exist already.

    Raises:
        InputError: two of them contradict each other, or there is no time.
    """

    method: Method | None = None
    model: Path | None = None
    seconds: float = 120.0
    average: bool = False
    max_bytes: int = MAX_BYTES
    seed: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"expected a time above 0, got {self.seconds} seconds")
        if self.model is not None and self.method not in (None, "model"):
            raise InputError(f"a model is given, for which method {self.method} has no use")


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
        paths: files of one picture or several, or folders of them.
        output: a file, if it is named as a picture; several files then make one picture, their
            mean. Else a folder, where each keeps its name.
        options: how.
        console: says what is done and why; on a terminal, also how far it is.

    Raises:
        InputError: a picture cannot be read or worked with, or its result cannot be written.
    """
    start = time.perf_counter()
    settle_threads(None)
    files = files_of(paths)
    average = options.average or (is_one_file(output) and len(files) > 1)
    options = replace(options, average=average)
    targets = targets_for(files[:1] if average else files, output, overwrite=options.overwrite)
    first = _Measured.of(read_raster(files[0]))
    reason = _reason_for_model(files, first, options)
    if reason is not None:
        work = _with_model(files, first, targets, options, console, reason)
    else:
        work = _learned(files, first, targets, options, console)
    for target, noise in _write(work, first, targets, average, console):
        yield Denoised(target, work.choice, noise, time.perf_counter() - start)


@dataclass(frozen=True)
class _Measured:
    """A file's pixels, and their noise, which takes a while to estimate."""

    raster: Raster
    noise: NoiseLevel | None

    @classmethod
    def of(cls, raster: Raster) -> _Measured:
        return cls(raster, noise_level(raster))


@dataclass(frozen=True)
class _Work:
    """What is to be written, and how; rasters may be read only as they are asked for."""

    choice: Choice
    rasters: Iterable[Raster]
    restore: Restorer
    scale_of: Callable[[Raster, NoiseLevel | None], Scale]


def _reason_for_model(files: Sequence[Path], first: _Measured, options: Options) -> str | None:
    """Why to take weights that have been trained before; None if not."""
    if options.model is not None:
        return f"with {options.model}"
    if options.method == "model":
        return "the weights that come along"
    is_open = options.method is None and len(files) == 1
    if is_open and shipped.scale_for(first.raster, first.noise):
        return "the weights that come along: they know such noise"
    return None


def _with_model(
    files: Sequence[Path],
    first: _Measured,
    targets: Sequence[Path],
    options: Options,
    console: Console,
    reason: str,
) -> _Work:
    loaded = load_network(options.model)
    choice = Choice("model", reason)
    if options.average:
        _require_average(_scenes(files, first.raster), targets[0])
    else:
        for raster, target in zip(_rasters(files, first.raster), targets, strict=True):
            require_fit(target, raster)
    _tell(files[0], first.noise, choice, console)
    if options.model and lies_far(first.raster, loaded.architecture):
        _say(
            console,
            f"the numbers of {files[0].name} lie far beyond those that the network was trained on: "
            "what it makes of them may be worth nothing",
        )
    restore = Restorer(loaded.network, loaded.architecture.channels, max_bytes=options.max_bytes)
    # Weights know the values that files have when read; those that come along, of 8 bits alone.
    scale_of = as_read if options.model else as_seen
    return _Work(choice, _rasters(files, first.raster), restore, scale_of)


def _learned(
    files: Sequence[Path],
    first: _Measured,
    targets: Sequence[Path],
    options: Options,
    console: Console,
) -> _Work:
    scenes = _scenes(files, first.raster)
    if options.average:
        _require_average(scenes, targets[0])
    else:
        for scene, target in zip(scenes, targets, strict=True):
            require_fit(target, scene.raster)
    if options.method is None or options.method == "model":
        method, reason = choose(scenes)
    else:
        method, reason = options.method, "as asked for"
    choice = Choice(method, reason)
    rasters = [scene.raster for scene in scenes]
    scale = common_scale(rasters)
    examples = examples_of(scenes, scale, method)
    seconds = TRAINING_SHARE * options.seconds
    net, training = training_on(method, examples, seconds, seed=options.seed)
    _tell(files[0], first.noise, choice, console)
    if options.method == "repeats" and choose(scenes)[0] != "repeats":
        _say(
            console,
            "the pictures do not look like shots of one scene: if they are not, what is made of "
            "them is worth nothing",
        )
    watch(training.run(), console if console.is_terminal else Console(quiet=True))
    restore = Restorer(net, rasters[0].channels, max_bytes=options.max_bytes)
    return _Work(choice, rasters, restore, lambda raster, noise: scale)


def _rasters(files: Sequence[Path], first: Raster) -> Iterator[Raster]:
    """Of all files, one after the other; the first is at hand."""
    yield first
    yield from map(read_raster, files[1:])


def _scenes(files: Sequence[Path], first: Raster) -> list[Scene]:
    return list(map(Scene, files, _rasters(files, first)))


def _write(
    work: _Work, first: _Measured, targets: Sequence[Path], average: bool, console: Console
) -> Iterator[tuple[Path, NoiseLevel | None]]:
    if average:
        scale = work.scale_of(first.raster, first.noise)
        write_mean(targets[0], list(work.rasters), work.restore, scale, console)
        yield targets[0], first.noise
        return
    for raster, target in zip(work.rasters, targets, strict=True):
        measured = first if raster is first.raster else _Measured.of(raster)
        scale = work.scale_of(raster, measured.noise)
        write_frames(target, raster, work.restore, scale, console)
        yield target, measured.noise


def _require_average(scenes: Sequence[Scene], target: Path) -> None:
    if len(scenes) > 1 and not show_one_scene(scenes):
        raise InputError(
            f"the {len(scenes)} files do not show one scene, so {target} cannot be their mean; "
            "name a folder for the results, and no --average"
        )
    require_fit(target, scenes[0].raster.first_frame())


def _tell(file: Path, noise: NoiseLevel | None, choice: Choice, console: Console) -> None:
    lines = [f"method: {choice.method}, {choice.reason}"]
    if noise is not None:
        lines.insert(0, f"{file.name}: noise of {noise}")
    if noise is not None and noise.correlated and choice.method in BY_PIXEL:
        lines.append(
            "what neighbouring pixels share will stay; several shots of a scene would help"
        )
    for line in lines:
        _say(console, line)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
