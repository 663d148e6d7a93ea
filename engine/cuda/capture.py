"""A run as one CUDA graph: recorded once, then launched as a whole.

Launching a kernel takes the CPU several microseconds, longer than most steps of a small network
take the GPU. A graph launches all of them at once. Source: the CUDA programming guide, "CUDA
Graphs"; Nguyen et al., "Accelerating PyTorch with CUDA Graphs", 2021.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch

from engine.kernels.kernel import Run, in_sequence
from engine.lowering import REFERENCE
from engine.once import warn_once
from engine.plan import Plan

DEVICE_TYPE = "cuda"
"""The type of device that records graphs."""

_RECORDING = threading.Lock()
"""CUDA records one graph at a time."""


class Captured:
    """Calls that work on fixed memory, recorded as one graph.

    The first call runs them directly, so that kernels are compiled and libraries initialised: this
    must not happen while recording. The second call records them, which runs nothing, and launches
    the graph; every later call launches it on the caller's stream. If recording fails, they are run
    directly from then on.

    Attributes:
        pool_bytes: memory that torch's kernels allocated during recording and that the graph keeps;
            0 until then.
    """

    def __init__(self, runs: Sequence[Run], device: torch.device) -> None:
        self.pool_bytes = 0
        self._device = device
        self._run = in_sequence(runs)
        self._warm = False
        # Not a method of this object, which would then refer to itself and outlive its program.
        self._launch: Run | None = None

    def __call__(self) -> None:
        if self._launch is None and self._warm:
            self._launch = self._recorded()
        (self._launch or self._run)()
        self._warm = True

    def _recorded(self) -> Run:
        """What launches the graph; the calls themselves if they cannot be recorded."""
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        # Libraries keep workspaces per stream: with a stream of its own, the graph has its own.
        stream = torch.cuda.Stream(self._device)
        try:
            # Wraps torch's own context, which does not restore the stream if recording fails.
            with _RECORDING, torch.cuda.stream(stream):
                stream.wait_stream(here)
                # Other threads may allocate or synchronise meanwhile.
                with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                    self._run()
        except RuntimeError as error:
            warn_once(f"a program runs without a CUDA graph, which could not be recorded: {error}")
            return self._run
        self.pool_bytes = _bytes_of(graph)
        return graph.replay


def can_record(plan: Plan, device: torch.device) -> bool:
    """Whether a plan's runs on a device can become graphs; warns if only a step prevents it.

    A step without a kernel does: its operator's ``forward`` allocates, and may wait for the device.
    """
    if device.type != DEVICE_TYPE:
        return False
    for step in (step for stage in plan.stages for step in stage.steps):
        if step.kernel is REFERENCE:
            name = step.node.operator.name
            warn_once(f"a program runs without a CUDA graph: its operator {name!r} has no kernel")
            return False
    return True


def _bytes_of(graph: torch.cuda.CUDAGraph) -> int:
    return sum(segment["total_size"] for segment in torch.cuda.memory_snapshot(graph.pool()))
