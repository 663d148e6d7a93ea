"""What is learned from the very pictures that are to be denoised, one network for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.module import Module
from graphs.noise2noise.images import Raster, Scale
from graphs.noise2noise.restoring.examples import examples_of
from graphs.noise2noise.restoring.job import Kind, Task
from graphs.noise2noise.restoring.learning import training_on
from graphs.noise2noise.restoring.methods import Choice, Learned, choose
from graphs.noise2noise.restoring.noise_level import NoiseLevel
from graphs.noise2noise.restoring.scales import common_scale
from graphs.noise2noise.restoring.scenes import Scene
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

    @property
    def unlike(self) -> list[Scene]:
        """Scenes whose files do not look like shots of one."""
        scenes = [task.scene for task in self.tasks]
        return [scene for scene in scenes if len(scene.captures) > 1 and not scene.is_one]

    def scale_of(self, raster: Raster, noise: NoiseLevel | None) -> Scale:
        """The same for all of them."""
        return self.scale


def lessons_on(
    tasks: Sequence[Task], method: Learned | None, seconds: float, seed: int
) -> list[Lesson]:
    """Split pictures into those that one network can learn from, and prepare that.

    Args:
        tasks: the pictures.
        method: None for the one that fits.
        seconds: for all trainings together.
        seed: of each.

    Raises:
        InputError: see :func:`examples_of`.
    """
    kinds: dict[Kind, list[Task]] = {}
    for task in tasks:
        for kind, part in task.by_kind().items():
            kinds.setdefault(kind, []).append(part)
    return [_lesson(kind, method, seconds / len(kinds), seed) for kind in kinds.values()]


def _lesson(tasks: Sequence[Task], asked: Learned | None, seconds: float, seed: int) -> Lesson:
    scenes = [task.scene for task in tasks]
    fitting, reason = choose(scenes)
    method = asked or fitting
    scale = common_scale([raster for scene in scenes for raster in scene.rasters])
    examples = examples_of(scenes, scale, method)
    network, training = training_on(method, examples, seconds, seed=seed)
    is_doubtful = method == "repeats" != fitting
    choice = Choice(method, reason if asked is None else "as asked for")
    return Lesson(tasks, choice, is_doubtful, scale, network, training)
