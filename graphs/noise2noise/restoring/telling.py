"""What ``denoise`` says of what it does, and why."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.noise2noise.restoring.job import Job, Task
from graphs.noise2noise.restoring.methods import BY_PIXEL, Choice
from graphs.noise2noise.restoring.scenes import Capture, Scene

STAYS = "what neighbouring pixels share will stay; several shots of a scene would help"
OR_BY_WEIGHTS = ", or '--method model', which takes fine texture for noise, too"

MAY_BE_TEXTURE = (
    "what may be fine texture is kept; if noise is left, '--method model' takes it away, and "
    "texture like it"
)


def tell_of_unlike(job: Job, tasks: Sequence[Task]) -> None:
    """Say which scene's shots are taken for different pictures, and why."""
    scenes = [task.scene for task in tasks]
    unlike = [scene for scene in scenes if len(scene.captures) > 1 and not scene.is_one]
    if unlike:
        more = f", and so in {len(unlike) - 1} more scenes" if unlike[1:] else ""
        job.say(
            f"{unlike[0].captures[0].path} and the other shots of its scene {unlike[0].difference}"
            f"{more}: they are taken for different pictures"
        )


def tell_of_drift(job: Job, scene: Scene) -> None:
    """Say that a stack drifts, so that the mean of its frames is blurred."""
    if scene.is_repeated and scene.drift:
        job.say(
            f"the frames of {scene.captures[0].name} {scene.drift}, which blurs their mean: align "
            "them first"
        )


def count_files(tasks: Sequence[Task]) -> int:
    """How many files there are in some tasks."""
    return sum(len(task.scene.captures) for task in tasks)


def part_of(job: Job, files: int) -> str:
    """How many of the files these are, in words; empty if they are all."""
    return f"{files} of {job.files} files" if files < job.files else ""


def tell(job: Job, choice: Choice, first: Capture, part: str = "") -> None:
    """Say what is done and why and, if ``part`` is given, for which files."""
    if part:
        job.say(f"{part}:")
    if first.noise is not None:
        job.say(f"{first.name}: noise of {first.noise}")
    job.say(f"method: {choice.method}, {choice.reason}")
    if choice.method not in BY_PIXEL:
        return
    shown = None if job.options.model else first.shown
    by_weights = shown is not None and choice.method == "model"
    if first.noise is not None and first.noise.correlated and not by_weights:
        job.say(STAYS + (OR_BY_WEIGHTS if shown else ""))
    elif shown and not shown.is_sure and not by_weights:
        job.say(MAY_BE_TEXTURE)
