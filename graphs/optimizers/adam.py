"""Adam."""

from __future__ import annotations

from engine import Update
from graphs.module import Module
from graphs.optimizers.optimizer import Optimizer, update
from graphs.optimizers.ranges import not_negative, positive, within
from ops import GraphError, Node, sqrt, square


class Adam(Optimizer):
    """Adam: steps are the running mean of gradients over the root of that of their squares.

    Equivalent to ``torch.optim.Adam``. Source: Kingma and Ba, "Adam: A Method for Stochastic
    Optimization", ICLR 2015.

    Args:
        lr: learning rate, positive.
        model: the module that :meth:`step` updates, if any.
        betas: decay of the two running means, each in [0, 1).
        eps: added to the root; positive.
        weight_decay: this times the parameter is added to the gradient; not negative.
    """

    def __init__(
        self,
        lr: float = 1e-3,
        model: Module | None = None,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(lr, model)
        if len(betas) != 2:
            raise GraphError(f"expected two betas, got {betas!r}")
        self.betas = (within("betas[0]", betas[0]), within("betas[1]", betas[1]))
        self.eps = positive("eps", eps)
        self.weight_decay = not_negative("weight_decay", weight_decay)

    def updates(self, parameter: Node, gradient: Node) -> list[Update]:
        """See :meth:`Optimizer.updates`."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        mean, mean_updates = self._running_mean(parameter, gradient, "mean", self.betas[0])
        power, power_updates = self._running_mean(
            parameter, square(gradient), "mean square", self.betas[1]
        )
        step = self._rate(parameter) * mean / (sqrt(power) + self.eps)
        return [*mean_updates, *power_updates, update(parameter, parameter - step)]

    def _running_mean(
        self, parameter: Node, value: Node, name: str, beta: float
    ) -> tuple[Node, list[Update]]:
        """A bias-corrected running mean; the divisor, 1 - beta**t, is kept as the mean of ones."""
        total, weight = self._slot(parameter, name), self._slot(parameter, f"{name} weight", True)
        new_total = beta * total + (1 - beta) * value
        new_weight = beta * weight + (1 - beta)
        return new_total / new_weight, [update(total, new_total), update(weight, new_weight)]
