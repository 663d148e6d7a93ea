"""The CUDA backend: a program's run as one CUDA graph, and kernels written in Triton."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from shutil import which

import torch

from engine.cuda import convolution, elementwise, matmul, phases, reduction
from engine.kernels import Kernel
from engine.once import warn_once
from engine.summation import REDUCTIONS
from ops import GraphError, Node

COMPUTE = ("float32", "tf32", "bfloat16")
"""How the factors of matrix products and convolutions are rounded; sums are always float32."""


Kernels = Mapping[str, Sequence[Kernel]]


def triton_kernels(compute: str) -> Kernels:
    """The kernels that multiply in ``compute``, by operator name. Does not import Triton."""
    products = convolution.kernels(compute) | matmul.kernels(compute)
    single = phases.KERNELS | products
    single |= dict.fromkeys(elementwise.NAMES, elementwise.KERNEL)
    single |= dict.fromkeys(REDUCTIONS, reduction.KERNEL)
    fused = {"fused": (elementwise.KERNEL, reduction.KERNEL, products["conv2d"])}
    return {name: (kernel,) for name, kernel in single.items()} | fused


def triton_for(device: torch.device, compute: str) -> Kernels:
    """The Triton kernels for a device; empty where they cannot run.

    Raises:
        GraphError: ``compute`` is unknown, or not available here.
    """
    if compute not in COMPUTE:
        raise GraphError(f"unknown compute {compute!r}: expected {', '.join(map(repr, COMPUTE))}")
    lacking = _lacking(device, compute)
    if lacking is None:
        return triton_kernels(compute)
    if compute != "float32":
        raise GraphError(f"compute={compute!r} needs {lacking}")
    if device.type == "cuda":
        warn_once(f"programs on {device} run by torch's kernels alone: faster ones need {lacking}")
    return {}


def find(kernels: Kernels, node: Node) -> Kernel | None:
    """The first of these kernels that supports a node."""
    return next((k for k in kernels.get(node.operator.name, ()) if k.supports(node)), None)


def _lacking(device: torch.device, compute: str) -> str | None:
    """What the kernels need and is missing here; None if nothing is."""
    if device.type != "cuda":
        return f"a CUDA device, and the device is {str(device)!r}"
    if find_spec("triton") is None:
        return "Triton, which is not installed"
    if not (os.environ.get("CC") or which("gcc") or which("clang")):
        return "a C compiler, gcc or clang, for Triton"
    least = (7, 0) if compute == "float32" else (8, 0)
    if torch.cuda.get_device_capability(device) < least:
        return f"a GPU of compute capability {least[0]}.{least[1]}"
    return None
