"""The program of a training step: what it does, how long each part takes, what memory it uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine import compile
from engine.report import StepReport
from graphs.noise2noise.data.scenes import Kind
from graphs.noise2noise.networks import Architecture
from graphs.noise2noise.report.contents import Work
from graphs.noise2noise.training.configuration import Settled
from graphs.noise2noise.training.objectives import neighbours_objective, shots_objective
from graphs.noise2noise.training.optimizers import make_optimizer

PROFILES = 3
"""Number of training steps that are timed, after a warm-up; the fastest is shown."""


def training_work(c: Settled, architecture: Architecture, kind: Kind) -> Work:
    """A training step with a run's sizes, timed on a fresh network and random pictures."""
    net, channels = architecture.build(c.seed), architecture.channels
    if kind == "single":
        objective = neighbours_objective(net, channels)
    else:
        objective = shots_objective(net, channels, c.loss)
    program = compile(
        objective.graph,
        outputs=["loss"],
        minimize="loss",
        optimizer=make_optimizer(c.optimizer, c.lr),
        N=c.batch,
        H=c.crop,
        W=c.crop,
    )
    feeds = {name: torch.rand(spec.sizes) for name, spec in program.inputs.items()}
    program(**feeds)
    timed = []
    for _ in range(PROFILES):
        program.profile(**feeds)
        timed.append(program.steps())
    title = f"A batch of {c.batch} squares of {channels}x{c.crop}x{c.crop}"
    return Work(title, min(timed, key=_seconds), program.buffers(), program.peak_bytes)


def _seconds(steps: Sequence[StepReport]) -> float:
    return sum(step.seconds or 0.0 for step in steps)
