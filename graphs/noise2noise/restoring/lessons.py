"""What to learn from the very pictures that are to be denoised, with one network for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.module import Module
from graphs.noise2noise.images import Scale
from graphs.noise2noise.restoring.examples import examples_of, require_enough, series_in
from graphs.noise2noise.restoring.job import Task
from graphs.noise2noise.restoring.learning import training_on
from graphs.noise2noise.restoring.methods import Choice, Learned, choose
from graphs.noise2noise.restoring.scales import common_scale
from graphs.noise2noise.restoring.scenes import Capture
from graphs.noise2noise.restoring.shipped import Shown
from graphs.noise2noise.training.training import Training


@dataclass(frozen=True)
class Lesson:
    """What to learn from pictures of one kind.

    Attributes:
        tasks: with the pictures.
        choice: the method, and why it was chosen.
        is_doubtful: whether the method takes the pictures for repeats, but they do not look it.
        drift: how far repeats are shifted, as a predicate; None if hardly at all.
        scale: to the values that the network takes.
        network, training: the network, and its training, which has not begun.
    """

    tasks: Sequence[Task]
    choice: Choice
    is_doubtful: bool
    drift: str | None
    scale: Scale
    network: Module
    training: Training

    @property
    def channels(self) -> int:
        """The pictures' number of channels."""
        return self.tasks[0].scene.rasters[0].channels

    @property
    def kind(self) -> str:
        """The pictures' channels and dtype, in words."""
        raster = self.tasks[0].scene.rasters[0]
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{channels} of {raster.dtype.name}"

    def shown(self, capture: Capture) -> Shown:
        """How the network sees a capture: all of them on the same scale."""
        return Shown(self.scale)


def lesson_on(tasks: Sequence[Task], asked: Learned | None, seconds: float, seed: int) -> Lesson:
    """Prepare to learn from pictures of one kind.

    Args:
        tasks: with the pictures.
        asked: the method; None for the one that fits.
        seconds: to train for.
        seed: of the training.

    Raises:
        InputError: a picture is too small; or see :func:`examples_of`.
    """
    scenes = [task.scene for task in tasks]
    fitting, reason = choose(scenes)
    method = asked or fitting
    scale = common_scale([raster for scene in scenes for raster in scene.rasters])
    for capture in (capture for scene in scenes for capture in scene.captures):
        require_enough(capture)
    taught = series_in(scenes) if method == "repeats" else scenes
    examples = examples_of(taught, scale, method)
    network, training = training_on(method, examples, seconds, seed=seed)
    is_doubtful = method == "repeats" != fitting
    drifts = (scene.drift for scene in taught) if method == "repeats" else ()
    drift = next(filter(None, drifts), None)
    choice = Choice(method, reason if asked is None else "as asked for")
    return Lesson(tasks, choice, is_doubtful, drift, scale, network, training)
