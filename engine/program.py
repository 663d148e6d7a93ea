"""A compiled program: call it with feeds, get results."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from types import MappingProxyType

import torch

from engine.cost import seconds
from engine.feeds import require_feeds
from engine.kernels.kernel import Run
from engine.memory import live_bytes, lower_bound
from engine.numerics import require_finite_leaves, run_checked
from engine.planner import least_bytes_in_any_order
from engine.report import (
    BufferReport,
    Memory,
    Span,
    StepReport,
    buffer_reports,
    format_report,
    step_reports,
)
from engine.runtime import Runtime
from engine.trace import trace, write_json
from ops import GraphError, Node, Spec


class Program:
    """A graph, ready to run on one device for one set of sizes. Made by :func:`engine.compile`.

    Calling it runs it: ``program(noisy=a, target=b)["loss"]``. The results belong to the caller. It
    may be called from several threads; calls wait for each other, since they share one memory. To
    run at the same time, give each thread a :meth:`replica`. A program that updates parameters has
    none, and while it runs, other programs may find its parameters half updated.

    In steady state a run allocates nothing but the results it returns, and :meth:`borrow` not even
    those. An operator without a kernel of its own, as a user's, allocates what its forward does.
    """

    def __init__(self, runtime: Runtime, stage: int = 0, check_numerics: bool = False) -> None:
        self._runtime = runtime
        self._stage_index = stage
        self._stage = runtime.plan.stages[stage]
        specs = {name: node.spec for name, node in self._stage.inputs.items()}
        self._inputs = MappingProxyType(specs)
        self._check_numerics = check_numerics
        self._spans: dict[Node, Span] = {}

    @property
    def peak_bytes(self) -> int:
        """Bytes the program allocates at its first run and keeps; known before.

        Inputs, values, gradients, scratch and constants are in it; parameters, which live outside
        of programs, and the results handed to the caller are not.
        """
        return self._runtime.plan.placement.peak_bytes

    @property
    def least_bytes(self) -> int:
        """The most bytes in use at one step: no placement in memory could do with less."""
        return lower_bound(self._runtime.plan.buffers)

    @property
    def estimated_seconds(self) -> float:
        """What a run is estimated to take, by the rule by which a memory budget is kept.

        Its rates are not this machine's (see :mod:`engine.cost`): compare it with its like only.
        """
        return sum(
            seconds(step.node, step.kernel) for step in self._stage.steps if step.kernel is not None
        )

    @property
    def pool_bytes(self) -> int:
        """Bytes beyond ``peak_bytes`` that torch's kernels took when CUDA recorded the run.

        Known after the second call; 0 on other devices.
        """
        return self._runtime.pool_bytes

    @property
    def inputs(self) -> Mapping[str, Spec]:
        """What a call takes."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, Spec]:
        """What a call returns."""
        return {name: node.spec for name, node in self._stage.outputs.items()}

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self._runtime.device

    def __call__(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run, and return each output in memory of its own.

        Raises:
            FeedError: a feed is missing, unknown, or of another shape or dtype.
            NumericsError: with ``check_numerics``, at the first NaN or infinity.
        """
        with self._runtime.lock:
            return self._run(feeds, owned=True)

    def borrow(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run, and lend each output: a view of memory that the next run overwrites.

        Allocates nothing. For one thread only, and to be read, not written: constants and
        updated parameters are lent too.
        """
        with self._runtime.lock:
            return self._run(feeds, owned=False)

    def profile(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run as by a call, but timing every step for :meth:`report` and :meth:`write_trace`.

        Numerics are not checked.
        """
        with self._runtime.lock:
            require_feeds(self._inputs, feeds)
            return self._runtime.run(self._stage_index, feeds, self._clocked, owned=True)

    def steps(self) -> list[StepReport]:
        """What each step is: kernel, shape, bytes, place, work, origin, and time if profiled."""
        return step_reports(self._runtime.plan, self._stage, self._spans)

    def buffers(self) -> list[BufferReport]:
        """The memory of the program, piece by piece: what, where, and during which steps."""
        return buffer_reports(self._runtime.plan, self._stage)

    def report(self) -> str:
        """The steps as a table, with the time of each as of the last :meth:`profile`.

        The last line compares the peak with lower bounds: the most bytes in use at one step, of
        this order and of any.
        """
        least = least_bytes_in_any_order(self._runtime.plan)
        return format_report(self.steps(), Memory(self.peak_bytes, self.least_bytes, least))

    def source(self) -> str:
        """The C code of the native steps, of all stages; empty without any."""
        return self._runtime.native.source

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the last :meth:`profile` as a timeline for https://ui.perfetto.dev.

        It shows every step with what :meth:`steps` tells of it, and the bytes in use over time. The
        file is JSON in the Trace Event Format, and is written as a whole or not at all.

        Raises:
            GraphError: nothing has been profiled, or the file cannot be written.
        """
        if not self._spans:
            raise GraphError("there is no profile to write: call program.profile(...) first")
        live = live_bytes(self._runtime.plan.buffers)[self._stage.start :]
        write_json(path, trace(self.steps(), live, self._stage_index, str(self.device)))

    def replica(self) -> Program:
        """The same program over the same parameters with memory of its own, for another thread.

        Raises:
            GraphError: it updates parameters, which two threads cannot do at once, or continues
                another program's stage.
        """
        if self._runtime.plan.graph.updates:
            raise GraphError("a program that updates parameters has no replicas: they would race")
        if len(self._runtime.plan.stages) > 1:
            raise GraphError("a stage has no replica: it shares the memory of the others")
        return Program(
            Runtime(self._runtime.plan, self.device), self._stage_index, self._check_numerics
        )

    def _run(self, feeds: dict[str, torch.Tensor], owned: bool) -> dict[str, torch.Tensor]:
        require_feeds(self._inputs, feeds)
        if not self._check_numerics:
            return self._runtime.run(self._stage_index, feeds, owned=owned)
        tensors, fed = self._runtime.tensors, self._stage.inputs.values()
        return self._runtime.run(
            self._stage_index,
            feeds,
            around=lambda node, run: run_checked(node, run, tensors),
            ready=lambda: require_finite_leaves(tensors, fed),
            owned=owned,
        )

    def _clocked(self, node: Node, run: Run) -> None:
        self._synchronize()
        start = time.perf_counter()
        run()
        self._synchronize()
        self._spans[node] = Span(start, time.perf_counter() - start)

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
