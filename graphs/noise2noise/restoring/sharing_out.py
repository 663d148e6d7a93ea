"""Which pictures the shipped weights clean, and which are learned from together."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.noise2noise.restoring.examples import series_in
from graphs.noise2noise.restoring.job import Kind, Task
from graphs.noise2noise.restoring.methods import choose


def by_kind(tasks: Sequence[Task], *, apart: bool) -> list[list[Task]]:
    """Groups of tasks from which one network can learn.

    If ``apart``, a scene whose shots do not look alike is split into its files.
    """
    kinds: dict[Kind, list[Task]] = {}
    for task in tasks:
        for kind, part in task.parts(apart=apart and not task.scene.is_one):
            kinds.setdefault(kind, []).append(part)
    return list(kinds.values())


def known_and_others(kinds: Sequence[Sequence[Task]]) -> tuple[list[Task], list[list[Task]]]:
    """The tasks for the shipped weights and, grouped by kind, those to learn from.

    If the noise is white, the shipped weights clean the mean of shots better than a network learned
    from the shots cleans each of them. If each shot is to be cleaned, though, the other shots may
    tell more than the weights.
    """
    known: list[Task] = []
    others: list[list[Task]] = []
    for kind in kinds:
        seen = [(task, task.of_mean()) for task in kind]
        # Checked only where some are known, because it looks at all pixels.
        may = any(_is_known(*both) for both in seen)
        may = may and (kind[0].average or not _tell_more(kind))
        known += [mean for task, mean in seen if may and _is_known(task, mean)]
        others.append([task for task, mean in seen if not (may and _is_known(task, mean))])
    return known, [kind for kind in others if kind]


def _tell_more(tasks: Sequence[Task]) -> bool:
    """Whether they are repeats from which more can be learned than the weights know.

    Shifted ones are aligned to whole pixels only, so they tell more where the weights do less well.
    """
    scenes = [task.scene for task in tasks]
    if choose(scenes)[0] != "repeats":
        return False
    shown = [capture.shown for scene in scenes for capture in scene.captures]
    share_noise = any(seen and seen.shared for seen in shown)
    return share_noise or not any(series.shift for series in series_in(scenes))


def _is_known(task: Task, mean: Task) -> bool:
    """Whether the shipped weights are sure to know the noise of a task, or that of its mean."""
    seen = [capture.shown for capture in mean.scene.captures]
    if mean is not task and any(shown and shown.shared for shown in seen):
        return False
    return all(shown and shown.is_sure for shown in seen)
