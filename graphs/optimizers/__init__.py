"""Optimizers: update rules for parameters, as nodes of the graph.

An update is part of the compiled program. State (momentum, running means, the learning rate) is
kept in parameters that belong to the optimizer, so it carries over from one program to another and
the learning rate can change between steps.
"""

from graphs.optimizers.adam import Adam
from graphs.optimizers.optimizer import Optimizer
from graphs.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
