"""All tensors that a training changes, as they are and as they were at their best."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from graphs.module import Module
from graphs.optimizers import Optimizer


class Weights:
    """Those of a network and of its optimizer.

    Args:
        net: as it is now, it is the best.
        optimizer: of the network.
    """

    def __init__(self, net: Module, optimizer: Optimizer) -> None:
        self._net, self._optimizer = net, optimizer
        self._best: Mapping[str, torch.Tensor] = self._current()

    def state(self) -> dict[str, torch.Tensor]:
        """A copy: as they are and, after ``best/``, as they were at their best."""
        return self._current() | {f"best/{name}": value for name, value in self._best.items()}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Assign both.

        Raises:
            GraphError, FeedError: the tensors are not of this network and optimizer.
        """
        self._assign(state)
        self._best = _part(state, "best/") or self._current()

    @property
    def best(self) -> dict[str, torch.Tensor]:
        """The network's best, as :meth:`Module.state` names them."""
        return _part(self._best, "network/")

    def keep_as_best(self) -> None:
        """Copy them as they are."""
        self._best = self._current()

    def go_back(self) -> None:
        """Make them what they were at their best."""
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
