"""The engine: compiles a graph into a program.

``compile`` chains small functions, each of which takes and returns a printable value:
bind -> rewrite -> gradient -> rewrite -> plan (schedule, kernels, memory) -> Program. Its parts, in
the order in which a graph meets them:

- graphs: ``graph`` (what is compiled), ``order`` (its nodes, sorted), ``interpret`` (what it means)
- from graph to graph: ``compile`` (the chain), ``binding``, ``rewrites/``, ``gradient``
- which code computes a node: ``backends`` chooses among ``kernels/`` (torch), ``native/`` (C) and
  ``cuda/`` (Triton), which have a ``backend`` each: its rewrites, and a kernel for every node, by
  ``lowering`` (the cost rule: ``work``, ``cost``) or ``tuning`` (measured)
- the plan: ``planner`` makes a ``plan``: ``schedule/`` (the order of steps), ``footprint`` (what
  each takes), ``layout`` (how values lie), ``memory`` and ``packing`` (where), ``budget`` and
  ``recompute/`` (with less)
- the run: ``program`` (what users call), ``runtime`` (arena and steps), ``feeds`` and ``transfers``
  (in and out), ``device``, ``threads``, ``numerics``; ``report`` and ``trace`` tell about it
- what several of these use: ``summation`` (what sums sum), ``cache`` (the folder), ``atomic`` (its
  files), ``once``
- ``testing/``: the laws of operators
"""

from engine.budget import BudgetError
from engine.compile import Optimizer, compile, compile_stages
from engine.gradient import gradient
from engine.graph import Graph, Update
from engine.interpret import interpret
from engine.program import Program
from engine.rewrites import REWRITES, rewrite

__all__ = [
    "REWRITES",
    "BudgetError",
    "Graph",
    "Optimizer",
    "Program",
    "Update",
    "compile",
    "compile_stages",
    "gradient",
    "interpret",
    "rewrite",
]
