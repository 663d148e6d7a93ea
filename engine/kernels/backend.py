"""The torch backend: torch's kernels, and the rewrites that suit them."""

from __future__ import annotations

import platform

import torch

from engine.lowering import Backend, candidates, choose_kernel
from engine.rewrites.constants import fold_weights
from engine.rewrites.copies import copy_weights
from engine.rewrites.duplicates import merge_duplicates
from engine.rewrites.strided_phases import stride_over_phases
from engine.tuning import tuned


def torch_backend(tune: bool) -> Backend:
    """Torch's kernels on the CPU, chosen by the cost rule or, if ``tune``, by measuring them."""
    choose = tuned(candidates, machine(torch.get_num_threads())) if tune else choose_kernel
    return Backend(choose, (stride_over_phases, merge_duplicates, fold_weights, copy_weights))


def machine(threads: int) -> str:
    """What the time that torch's kernels take depends on."""
    processor = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return f"cpu {processor} {threads} threads torch {torch.__version__}"
