"""A training saved in a folder: it can be resumed, and its best weights are always at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture, save_network
from graphs.noise2noise.training.checkpoints import Checkpoint, read_newest, write_checkpoint
from graphs.noise2noise.training.position import Progress
from graphs.noise2noise.training.run_folder import RunFolder
from graphs.noise2noise.training.training import Training
from ops import FeedError, GraphError


def resume(training: Training, folder: RunFolder, tell: Callable[[str], None]) -> None:
    """Restore a training from the newest intact checkpoint in a folder, if there is one.

    Args:
        training: with the network and the plan of the checkpoint.
        folder: metrics in it from after the checkpoint are dropped, to be computed again.
        tell: called with a message about each damaged checkpoint.

    Raises:
        InputError: the checkpoint has another network or optimizer than the configuration.
    """
    folder.remove_leftovers()
    checkpoint = read_newest(folder.checkpoints, tell)
    if checkpoint is not None:
        try:
            training.restore(checkpoint.state, checkpoint.position)
        except (GraphError, FeedError):
            raise InputError(
                f"{folder.config} does not fit the run's checkpoints: network, width, depth and "
                "optimizer must be those that the run began with; put them back, or begin another"
            ) from None
    folder.drop_metrics_after(training.position.step if checkpoint is not None else -1)


def keep(training: Training, architecture: Architecture, folder: RunFolder) -> Generator[Progress]:
    """Run a training, and save metrics, best weights and a checkpoint at each milestone.

    At any moment the folder holds enough to resume and end with bit-identical weights, provided
    that the numbers of steps and threads are fixed. If the loop is left early, the latest step is
    saved too, and its weights become the best if they score best.
    """
    kept = training.position.step
    if kept:
        _restore_best(training, architecture, folder)
    try:
        for progress in training.run():
            if progress.is_milestone:
                _keep_metrics(progress, folder)
                if progress.is_best:
                    save_network(folder.best, training.net, architecture)
                _keep_checkpoint(training, folder)
                kept = progress.steps
            yield progress
    except GeneratorExit:
        if training.position.step != kept:
            training.settle()
            _keep_checkpoint(training, folder)
            if training.conclude():
                save_network(folder.best, training.net, architecture)
        raise


def _restore_best(training: Training, architecture: Architecture, folder: RunFolder) -> None:
    """Write the best weights from the checkpoint: their file may be missing or damaged."""
    best = architecture.build()
    best.load_state(training.best)
    save_network(folder.best, best, architecture)


def _keep_metrics(progress: Progress, folder: RunFolder) -> None:
    score = progress.score
    row = {
        "step": progress.steps,
        "seconds": round(progress.seconds, 2),
        "lr": progress.rate,
        "loss": progress.loss,
        "validation_loss": score.loss if score else None,
        "estimated_psnr": score.psnr if score else None,
    }
    folder.add_metrics({n: v if v is None or math.isfinite(v) else None for n, v in row.items()})


def _keep_checkpoint(training: Training, folder: RunFolder) -> None:
    write_checkpoint(folder.checkpoints, Checkpoint(training.state(), training.position))
