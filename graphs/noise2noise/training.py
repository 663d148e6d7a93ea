"""Noise2Noise training: from one noisy shot predict the other, until the time is up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from engine import Graph, Program, compile
from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.pairs import NoisyPairs
from graphs.noise2noise.threads import use_fastest_thread_count
from graphs.optimizers import Adam
from ops import mse

REPORT_SECONDS = 0.25
SCORE_SECONDS = 2.0
WARM_UP = 0.02
LAST_RATE = 0.01


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to train, and for how long.

    Attributes:
        seconds: when to end. Ignored if ``steps`` is given.
        steps: when to end, so that the result depends on the seed and not on the machine's speed.
        batch: pairs in a step.
        lr: the highest learning rate. It is reached after 2 % of the training and falls along half
            a cosine to 1 % of itself.
    """

    seconds: float = 100.0
    steps: int | None = None
    batch: int = 32
    lr: float = 1e-2

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise InputError(f"expected a training time above 0, got {self.seconds} seconds")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"expected at least 1 training step, got {self.steps}")

    def share(self, steps: int, seconds: float) -> float:
        """How much of the training is done, from 0 to 1."""
        done = seconds / self.seconds if self.steps is None else steps / self.steps
        return min(done, 1.0)

    def rate(self, share: float) -> float:
        """The learning rate at that point."""
        if share < WARM_UP:
            return self.lr * max(share / WARM_UP, LAST_RATE)
        fall = (1 + math.cos(math.pi * (share - WARM_UP) / (1 - WARM_UP))) / 2
        return self.lr * (LAST_RATE + (1 - LAST_RATE) * fall)


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        share: done, from 0 to 1.
        steps, pairs: so far.
        seconds: so far.
        loss: the mean over the latest steps; None before the first.
        score: the latest score, if scores are taken.
    """

    share: float
    steps: int
    pairs: int
    seconds: float
    loss: float | None
    score: float | None

    @property
    def pairs_per_second(self) -> float:
        """Pairs a second since the start."""
        return self.pairs / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """How much longer it takes at this pace; infinite before the first step."""
        return self.seconds * (1 - self.share) / self.share if self.share else math.inf


class Training:
    """A training that can be watched, and left at any time: iterate over :meth:`run`.

    Args:
        net: what learns.
        pairs: what it sees, and all that it sees.
        plan: how, and for how long.
        score: measured every two seconds for information; it has no influence.

    Attributes:
        losses: of every step so far.
        scores: (step, score) so far.
    """

    def __init__(
        self,
        net: Module,
        pairs: NoisyPairs,
        plan: Plan,
        score: Callable[[], float] | None = None,
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[tuple[int, float]] = []
        self._pairs = pairs
        self._plan = plan
        self._score = score
        self._optimizer = Adam(lr=plan.lr)
        self._step = self._compile(net)
        self._pending: list[torch.Tensor] = []

    def run(self) -> Iterator[Progress]:
        """Train, telling four times a second how far it is. Leaving the loop ends the training.

        Without a number of steps, which promises the same result everywhere, the first few settle
        how many threads torch computes with.
        """
        start = time.perf_counter()
        if self._plan.steps is None:
            use_fastest_thread_count(lambda: self._train_once(self._plan.rate(0)))
        next_report = next_score = 0.0
        while True:
            seconds = time.perf_counter() - start
            share = self._plan.share(len(self.losses) + len(self._pending), seconds)
            if seconds >= next_score or share == 1:
                self._take_score()
                next_score = seconds + SCORE_SECONDS
            if seconds >= next_report or share == 1:
                yield self._progress(share, seconds)
                next_report = seconds + REPORT_SECONDS
            if share == 1:
                return
            self._train_once(self._plan.rate(share))

    def _train_once(self, rate: float) -> None:
        self._optimizer.lr = rate
        noisy, target = self._pairs.batch(self._plan.batch)
        self._pending.append(self._step(noisy=noisy, target=target)["loss"])

    def _progress(self, share: float, seconds: float) -> Progress:
        # Losses are read here and not step by step: reading one waits for the device.
        latest = torch.stack(self._pending).tolist() if self._pending else []
        self._pending.clear()
        self.losses += latest
        recent = self.losses[-100:]
        return Progress(
            share=share,
            steps=len(self.losses),
            pairs=len(self.losses) * self._plan.batch,
            seconds=seconds,
            loss=sum(recent) / len(recent) if recent else None,
            score=self.scores[-1][1] if self.scores else None,
        )

    def _take_score(self) -> None:
        if self._score is not None:
            self.scores.append((len(self.losses) + len(self._pending), self._score()))

    def _compile(self, net: Module) -> Program:
        size = self._pairs.size
        return compile(
            training_graph(net),
            minimize="loss",
            optimizer=self._optimizer,
            N=self._plan.batch,
            H=size,
            W=size,
        )


def training_graph(net: Module) -> Graph:
    """The network with the mean squared error of its output by another noisy shot."""
    g = GraphBuilder("noise2noise")
    noisy = g.input("noisy", ("N", 3, "H", "W"))
    target = g.input("target", ("N", 3, "H", "W"))
    return g.build(loss=mse(net(noisy), target))
