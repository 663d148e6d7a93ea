"""All tensors that a training changes: the current ones and those at the best point so far."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from graphs.module import Module
from graphs.optimizers import Optimizer


class Weights:
    """The weights of a network and the state of its optimizer, current and best.

    Args:
        net: its present weights count as the best so far.
        optimizer: of the network.
    """

    def __init__(self, net: Module, optimizer: Optimizer) -> None:
        self._net, self._optimizer = net, optimizer
        self._best: Mapping[str, torch.Tensor] = self._current()

    def state(self) -> dict[str, torch.Tensor]:
        """A copy of the current tensors and, prefixed ``best/``, of the best ones."""
        return self._current() | {f"best/{name}": value for name, value in self._best.items()}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Assign both the current and the best tensors; without best ones, the current count.

        Raises:
            GraphError, FeedError: the tensors are not of this network and optimizer.
        """
        self._assign(state)
        self._best = _part(state, "best/") or self._current()

    @property
    def best(self) -> dict[str, torch.Tensor]:
        """The network's best weights, named as by :meth:`Module.state`."""
        return _part(self._best, "network/")

    def keep_as_best(self) -> None:
        """Keep a copy of the current tensors as the best."""
        self._best = self._current()

    def go_back(self) -> None:
        """Restore the best tensors as the current ones."""
        self._assign(self._best)

    def _current(self) -> dict[str, torch.Tensor]:
        weights = {f"network/{name}": value for name, value in self._net.state().items()}
        kept = self._optimizer.state(self._net)
        return weights | {f"optimizer/{name}": value for name, value in kept.items()}

    def _assign(self, state: Mapping[str, torch.Tensor]) -> None:
        self._net.load_state(_part(state, "network/"))
        self._optimizer.load_state(self._net, _part(state, "optimizer/"))


def _part(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
