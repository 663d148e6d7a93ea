"""The training loop: step by step until the plan is done, exactly reproducible."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace

import torch

from engine import compile
from engine.threads import leaving_cores_free
from graphs.module import Module
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Source
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training import divergence, patience
from graphs.noise2noise.training.divergence import divergence_text, has_diverged
from graphs.noise2noise.training.memory import require_memory
from graphs.noise2noise.training.objectives import Objective, shots_objective
from graphs.noise2noise.training.optimizers import make_optimizer
from graphs.noise2noise.training.patience import end_text, is_over, is_stuck, lowering_text
from graphs.noise2noise.training.plan import Plan
from graphs.noise2noise.training.position import Position, Progress
from graphs.noise2noise.training.validation import Score
from graphs.noise2noise.training.weights import Weights
from graphs.optimizers import Optimizer

REPORT_SECONDS = 0.25


class Training:
    """A training that can be watched, left at any time and resumed: iterate over :meth:`run`.

    Args:
        net: the network to train.
        source: the only data that it sees.
        plan: how to train, and for how long.
        objective: of ``net``; by default the mean squared error against another shot.
        optimizer: by default Adam.
        validate: called at every milestone; see :class:`Progress`.
        seed: of the batches.

    Attributes:
        losses: of every step that this object has made.
        scores: (step, score) of every validation that this object has made, except those that
            found that it had diverged.
        position: where it stands.
        net: the network being trained.

    Raises:
        OutOfMemory: a step takes more memory than the machine has.
    """

    def __init__(
        self,
        net: Module,
        source: Source,
        plan: Plan,
        *,
        objective: Objective | None = None,
        optimizer: Optimizer | None = None,
        validate: Callable[[], Score] | None = None,
        seed: int = 0,
    ) -> None:
        self.losses: list[float] = []
        self.scores: list[tuple[int, Score]] = []
        self.position = Position()
        self.net = net
        self._source = source
        self._plan = plan
        self._validate = validate
        self._seed = seed
        self._optimizer = optimizer or make_optimizer("adam", plan.lr)
        self._program = compile(
            (objective or shots_objective(net, source.channels)).graph,
            outputs=["loss"],
            minimize="loss",
            optimizer=self._optimizer,
            N=plan.batch,
            H=source.size,
            W=source.size,
        )
        require_memory(self._program.peak_bytes)
        self._pending: list[torch.Tensor] = []
        self._weights = Weights(net, self._optimizer)

    def rehearse(self) -> None:
        """Run one step and one validation and undo them, so that a lack of memory shows here."""
        state, position = self.state(), self.position
        self._train_once(0.0)
        self._pending.clear()
        self.restore(state, position)
        if self._validate is not None:
            self._validate()

    def run(self) -> Generator[Progress]:
        """Train, yielding progress at every milestone and about four times a second.

        Leaving the loop ends the training.

        Raises:
            InputError: it diverged and at no milestone was better than at its start.
        """
        start = time.perf_counter() - self.position.seconds
        next_report = 0.0
        while True:
            seconds = time.perf_counter() - start
            self.position = replace(self.position, seconds=seconds)
            share = self._share()
            if self._is_due(share):
                progress = self._milestone()
                share = progress.share
                yield progress
            elif seconds >= next_report or share == 1:
                yield self._progress(share)
                next_report = seconds + REPORT_SECONDS
            if share == 1:
                self._require_learned()
                return
            self._train_once(share)

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of all tensors that later steps depend on.

        Weights and optimizer state: the current ones and, prefixed ``best/``, those at the best
        point so far.
        """
        return self._weights.state()

    @property
    def best(self) -> dict[str, torch.Tensor]:
        """The best weights so far, named as by :meth:`Module.state`."""
        return self._weights.best

    def restore(self, state: Mapping[str, torch.Tensor], position: Position) -> None:
        """Continue from where another training with the same network and plan stood.

        Raises:
            GraphError, FeedError: the tensors are not of this network and optimizer.
        """
        self._weights.restore(state)
        self.position = position

    def settle(self) -> None:
        """Bring :attr:`position` and :attr:`losses` up to date; this waits for pending losses."""
        latest = torch.stack(self._pending).tolist() if self._pending else []
        self._pending.clear()
        self.losses += latest
        total = self.position.loss_sum
        for loss in latest:  # one by one, so that the sum does not depend on when this is called
            total += loss
        count = self.position.loss_count + len(latest)
        self.position = replace(self.position, loss_sum=total, loss_count=count)

    def conclude(self) -> bool:
        """Score the weights where a training is left, and return whether they are the best so far.

        Call this only after saving what a resumed training needs: an uninterrupted training would
        not have validated here.
        """
        score = self._validate() if self._validate is not None else None
        loss = self._interval_loss() if score is None else score.loss
        is_best = loss is not None and not has_diverged(loss, self.position.best_loss)
        is_best &= score is None or score.loss < self.position.best_loss
        if is_best:
            self._keep_as_best(loss, score)
        return is_best

    def _rate(self, share: float) -> float:
        return self._plan.rate(share) * self.position.slowdown

    def _train_once(self, share: float) -> None:
        self._optimizer.lr = self._rate(share)
        step = self.position.step
        with leaving_cores_free():
            feeds = dict(self._source.batch(self._plan.batch, generator_for(self._seed, step)))
        if "gamma" in self._program.inputs:
            feeds["gamma"] = torch.tensor(2 * (1 - share))
        self._pending.append(self._program(**feeds)["loss"])
        self.position = replace(self.position, step=step + 1)

    def _is_due(self, share: float) -> bool:
        step = self.position.step
        is_point = share == 1 or step % self._plan.validate_every == 0
        return is_point and self.position.milestone != step

    def _milestone(self) -> Progress:
        self.settle()
        loss, step, before = self._interval_loss(), self.position.step, self.position
        score = self._validate() if self._validate is not None else None
        judged = self._comparable(loss) if score is None else score.loss
        self.position = replace(before, loss_sum=0.0, loss_count=0, milestone=step)
        warning, is_best = None, score is None or score.loss < before.best_loss
        if judged is not None and has_diverged(judged, before.best_loss):
            warning = divergence_text(judged, before.best_loss, step, before.best_step)
            score, is_best = score and Score(score.loss), False
            self.position = replace(self.position, diverged=before.diverged + 1)
            self._go_back(divergence.SLOWER)
        elif score is not None:
            self.scores.append((step, score))
        if is_best:
            self._keep_as_best(judged, score)
        warning = warning or self._heed_patience()
        return replace(
            self._progress(self._share()),
            loss=loss,
            is_milestone=True,
            score=score,
            is_best=is_best,
            warning=warning,
        )

    def _comparable(self, loss: float | None) -> float | None:
        """The mean loss of an interval, or None if it cannot be compared with other intervals."""
        if loss is None or not math.isfinite(loss):
            return loss
        is_whole = self.position.loss_count == self._plan.validate_every
        return loss if is_whole and "gamma" not in self._program.inputs else None

    def _keep_as_best(self, loss: float | None, score: Score | None) -> None:
        best_loss = self.position.best_loss if loss is None else min(self.position.best_loss, loss)
        best_psnr, step = score.psnr if score else None, self.position.step
        self.position = replace(
            self.position, best_loss=best_loss, best_psnr=best_psnr, best_step=step
        )
        self._weights.keep_as_best()

    def _go_back(self, slower: float) -> None:
        self._weights.go_back()
        position = self.position
        self.position = replace(
            position, slowdown=position.slowdown * slower, returned=position.step
        )

    def _share(self) -> float:
        if is_over(self.position, self._plan):
            return 1.0
        return self._plan.share(self.position.step, self.position.seconds)

    def _heed_patience(self) -> str | None:
        """If patience has run out, go back or end; returns a sentence that says so, or None."""
        position = self.position
        if self._plan.share(position.step, position.seconds) == 1:
            return None
        if is_over(position, self._plan):
            return end_text(position)
        if not is_stuck(position, self._plan):
            return None
        self._go_back(patience.SLOWER)
        self.position = replace(self.position, lowered=position.step)
        return lowering_text(position)

    def _require_learned(self) -> None:
        if self.position.diverged and self.position.best_step == 0:
            raise InputError(
                "the training went astray: it was never better than at its start; "
                "a lower learning rate helps"
            )

    def _interval_loss(self) -> float | None:
        count = self.position.loss_count
        return self.position.loss_sum / count if count else None

    def _progress(self, share: float) -> Progress:
        self.settle()
        recent = self.losses[-100:]
        return Progress(
            share=share,
            steps=self.position.step,
            examples=self.position.step * self._plan.batch,
            seconds=self.position.seconds,
            rate=self._rate(share),
            loss=sum(recent) / len(recent) if recent else None,
            latest=self.scores[-1][1] if self.scores else None,
        )
