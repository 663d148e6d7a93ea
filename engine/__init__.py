"""The engine: compiles a graph into a program.

``compile`` chains small functions, each of which takes and returns a printable value:
bind -> rewrite -> gradient -> rewrite -> plan (schedule, kernels, memory) -> Program.
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
