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
    """A compiled graph for one device and one set of sizes, returned by :func:`engine.compile`.

    Calling it runs it: ``program(noisy=a, target=b)["loss"]``. The results belong to the caller.
    Several threads may call it, but calls are serialized because they share memory; to run in
    parallel, give each thread a :meth:`replica`. Native code for several threads
    (``torch.set_num_threads``) uses one pool of them, so that its runs take turns nevertheless. A
    program that updates parameters has no replicas, and while it runs, other programs may see its
    parameters half updated.

    In steady state a run allocates nothing but the results it returns, and :meth:`borrow` not even
    those. An operator without a kernel, such as a user's own, allocates what its forward does.
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
        """Bytes that the program allocates at its first run and keeps; known before that run.

        Includes inputs, intermediate values, gradients, scratch memory and constants. Excludes
        parameters, which live outside programs, and the results returned to the caller.
        """
        return self._runtime.plan.placement.peak_bytes

    @property
    def least_bytes(self) -> int:
        """The most bytes in use at one step, a lower bound for any placement of this order."""
        return lower_bound(self._runtime.plan.buffers)

    @property
    def estimated_seconds(self) -> float:
        """The estimated time of a run, by the cost rule.

        The rule's rates are not this machine's (see :mod:`engine.cost`), so only compare estimates
        with each other.
        """
        return sum(
            seconds(step.node, step.kernel) for step in self._stage.steps if step.kernel is not None
        )

    @property
    def pool_bytes(self) -> int:
        """Bytes beyond ``peak_bytes`` that torch's kernels allocated while CUDA recorded the run.

        Known after the second call; 0 on other devices.
        """
        return self._runtime.pool_bytes

    @property
    def inputs(self) -> Mapping[str, Spec]:
        """The specs of the inputs that a call takes, by name."""
        return self._inputs

    @property
    def outputs(self) -> dict[str, Spec]:
        """The specs of the outputs that a call returns, by name."""
        return {name: node.spec for name, node in self._stage.outputs.items()}

    @property
    def device(self) -> torch.device:
        """The device it runs on."""
        return self._runtime.device

    def __call__(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run, and return each output as a new tensor.

        Raises:
            FeedError: a feed is missing, unknown, or of the wrong shape or dtype.
            NumericsError: with ``check_numerics``, at the first NaN or infinity.
        """
        with self._runtime.lock:
            return self._run(feeds, owned=True)

    def borrow(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run, and return each output as a view of memory that the next run overwrites.

        Allocates nothing. Use it from one thread only and do not write to the results, which may be
        the memory of constants and updated parameters.
        """
        with self._runtime.lock:
            return self._run(feeds, owned=False)

    def profile(self, /, **feeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run like a call, but time every step for :meth:`report` and :meth:`write_trace`.

        Numerics are not checked.
        """
        with self._runtime.lock:
            require_feeds(self._inputs, feeds)
            return self._runtime.run(self._stage_index, feeds, self._clocked, owned=True)

    def steps(self) -> list[StepReport]:
        """A report on each step: kernel, shape, bytes, offset, work, origin, time if profiled."""
        return step_reports(self._runtime.plan, self._stage, self._spans)

    def buffers(self) -> list[BufferReport]:
        """A report on each buffer of the program: contents, offset, and the steps it is in use."""
        return buffer_reports(self._runtime.plan, self._stage)

    def report(self) -> str:
        """The steps as a table, with each step's time from the last :meth:`profile`.

        The last line compares the peak with two lower bounds: one for the given order of steps and
        one for any order.
        """
        least = least_bytes_in_any_order(self._runtime.plan)
        return format_report(self.steps(), Memory(self.peak_bytes, self.least_bytes, least))

    def source(self) -> str:
        """The C code of all stages' native steps; empty if there are none."""
        return self._runtime.native.source

    def write_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the last :meth:`profile` as a timeline for https://ui.perfetto.dev.

        It shows every step with its details from :meth:`steps`, and the bytes in use over time. The
        file is JSON in the Trace Event Format and is written atomically.

        Raises:
            GraphError: nothing has been profiled, or the file cannot be written.
        """
        if not self._spans:
            raise GraphError("there is no profile to write: call program.profile(...) first")
        live = live_bytes(self._runtime.plan.buffers)[self._stage.start :]
        write_json(path, trace(self.steps(), live, self._stage_index, str(self.device)))

    def replica(self) -> Program:
        """The same program with the same parameters but its own memory, for another thread.

        Raises:
            GraphError: it updates parameters, which two threads cannot do at once, or it is one of
                several stages.
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
