"""Launch Triton kernels; those whose source is generated for a graph become modules here."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from functools import cache, partial
from importlib.abc import ExecutionLoader
from typing import Any

import torch

from engine.kernels.kernel import Run


def launch(
    kernel: Any, grid: Sequence[int], tensors: Sequence[torch.Tensor], **constants: Any
) -> Run:
    """The call that launches a Triton kernel on tensors, on the device that holds them."""
    run = partial(kernel[tuple(grid)], *tensors, **constants)
    device = tensors[0].device
    if device.type != "cuda":  # in Triton's interpreter
        return run

    def on_its_device() -> None:
        with torch.cuda.device(device):  # Triton launches on torch's current device
            run()

    return on_its_device


@cache
def kernel_from(source: str) -> Any:
    """The Triton kernel named ``kernel`` in a module's source text.

    Triton reads a kernel's source with Python's ``inspect``, so it has to be in a module.
    """
    name = f"engine.cuda.generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_loader(name, _Loader(source))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.kernel


class _Loader(ExecutionLoader):
    def __init__(self, source: str) -> None:
        self._source = source

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_filename(self, fullname: str) -> str:
        return f"{fullname}.py"
