"""What is learned from the very pictures that are to be denoised, one network for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.module import Module
from graphs.noise2noise.images import Scale
from graphs.noise2noise.restoring.examples import examples_of
from graphs.noise2noise.restoring.job import Task
from graphs.noise2noise.restoring.learning import training_on
from graphs.noise2noise.restoring.methods import Choice, Learned, choose
from graphs.noise2noise.restoring.scales import common_scale
from graphs.noise2noise.restoring.scenes import Capture
from graphs.noise2noise.restoring.shipped import Shown
from graphs.noise2noise.training.training import Training


@dataclass(frozen=True)
class Lesson:
    """What is to be learned from pictures of one kind.

    Attributes:
        tasks: of the pictures.
        choice: the method.
        is_doubtful: whether they do not look like what it takes them for.
        scale: to the values that the network takes.
        network, training: what learns; the training has not begun.
    """

    tasks: Sequence[Task]
    choice: Choice
    is_doubtful: bool
    scale: Scale
    network: Module
    training: Training

    @property
    def channels(self) -> int:
        """Of the pictures."""
        return self.tasks[0].scene.rasters[0].channels

    @property
    def kind(self) -> str:
        """Of the pictures, in words."""
        raster = self.tasks[0].scene.rasters[0]
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{channels} of {raster.dtype.name}"

    def shown(self, capture: Capture) -> Shown:
        """All of them on the same scale."""
        return Shown(self.scale)


def lesson_on(tasks: Sequence[Task], asked: Learned | None, seconds: float, seed: int) -> Lesson:
    """Prepare what is to be learned from pictures of one kind.

    Args:
        tasks: the pictures.
        asked: the method; None for the one that fits.
        seconds: for the training.
        seed: of it.

    Raises:
        InputError: see :func:`examples_of`.
    """
    scenes = [task.scene for task in tasks]
    fitting, reason = choose(scenes)
    method = asked or fitting
    scale = common_scale([raster for scene in scenes for raster in scene.rasters])
    examples = examples_of(scenes, scale, method)
    network, training = training_on(method, examples, seconds, seed=seed)
    is_doubtful = method == "repeats" != fitting
    choice = Choice(method, reason if asked is None else "as asked for")
    return Lesson(tasks, choice, is_doubtful, scale, network, training)
