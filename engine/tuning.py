"""Choosing kernels by measurement, once for each kind of node, and caching the choices."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import torch

from engine.atomic import replacing
from engine.cache import cache_folder
from engine.kernels import Kernel
from engine.kernels.kernel import Run
from engine.layout import strides
from engine.lowering import Choose
from ops import Node, Spec
from ops.fused import body_of

Candidates = Callable[[Node], Sequence[Kernel]]

ROUNDS = 5
VERSION = 2
"""Version of the file format; files with another version are ignored."""


def tuned(candidates: Candidates, machine: str) -> Choose:
    """A function that chooses the kernel measured to be the fastest.

    Choices are cached on disk, keyed by the node's operator, attributes, shapes and dtypes, by the
    names of the candidates and by the machine.

    Args:
        candidates: returns the kernels that support a node.
        machine: everything else that the times depend on: device, threads, versions.
    """
    memory = Remembered(cache_folder() / "tuning.json")

    def choose(node: Node) -> Kernel:
        kernels = candidates(node)
        if len(kernels) == 1:
            return kernels[0]
        by_name = {kernel.name: kernel for kernel in kernels}
        key = _key(node, sorted(by_name), machine)
        if memory.get(key) not in by_name:
            memory.put(key, min(by_name, key=lambda name: _seconds(by_name[name], node)))
        return by_name[str(memory.get(key))]

    return choose


class Remembered:
    """A small table of strings in a JSON file, whose loss or corruption does no harm."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._read()

    def get(self, key: str) -> str | None:
        """The value stored under a key, if any."""
        return self._known.get(key)

    def put(self, key: str, value: str) -> None:
        """Store a value, keeping what other processes have written meanwhile."""
        self._known = {**self._read(), **self._known, key: value}
        # If it cannot be written, the next process measures again.
        with suppress(OSError), replacing(self._path) as temporary:
            temporary.write_text(json.dumps({"version": VERSION, "choices": self._known}, indent=1))

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self._path.read_text())
            choices = content["choices"] if content["version"] == VERSION else {}
            return {str(key): str(value) for key, value in choices.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _key(node: Node, kernels: Sequence[str], machine: str) -> str:
    steps = [
        (step.operator.name, step.sources, sorted(step.attributes.items()), str(step.spec))
        for step in body_of(node)
    ]
    inputs = [(x.operator.name if x.inputs else "", str(x.spec)) for x in node.inputs]
    described = f"{steps} {inputs} {kernels} {machine}"
    return f"{node.operator.name} {hashlib.sha256(described.encode()).hexdigest()[:24]}"


def _seconds(kernel: Kernel, node: Node) -> float:
    """The median time, in seconds, of a kernel on random inputs."""
    run = _prepared(kernel, node)
    run()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _prepared(kernel: Kernel, node: Node) -> Run:
    generator = torch.Generator().manual_seed(0)
    inputs = [_values(x.spec, generator) for x in node.inputs]
    scratch = [torch.empty(spec.sizes, dtype=spec.dtype) for spec in kernel.workspace(node)]
    return kernel.prepare(node, _stored(node.spec), inputs, scratch)


def _values(spec: Spec, generator: torch.Generator) -> torch.Tensor:
    tensor = _stored(spec)
    return tensor.copy_(torch.rand(spec.sizes, generator=generator) - 0.5)


def _stored(spec: Spec) -> torch.Tensor:
    flat = torch.empty(math.prod(spec.sizes), dtype=spec.dtype)
    return flat.as_strided(spec.sizes, strides(spec.sizes))
