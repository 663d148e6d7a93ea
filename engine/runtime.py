"""Executing a plan: one arena, tensors in it, and a flat list of calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby

import torch

from engine.cuda.capture import Captured, can_record
from engine.cuda.streams import InTurn
from engine.kernels.kernel import Run, in_sequence
from engine.layout import strides, view_of
from engine.native.program import NativeCopy, NativeSteps
from engine.plan import Plan, Stage, Step
from engine.transfers import Copied, Transfers
from ops import GraphError, Node, OutOfMemory, Parameter
from ops.leaves import full

Around = Callable[[Node, Run], object]


class Runtime:
    """The memory of a plan on a device, and its steps bound to that memory.

    The first run allocates the arena, ``peak_bytes`` long; nothing is allocated before. Steps are
    rebound when a parameter lies elsewhere than before: it was moved, or torch replaced its
    storage, as it does to share it with another process. On a CUDA device each stage becomes one
    CUDA graph if possible, see :class:`engine.cuda.capture.Captured`.
    """

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self.plan = plan
        self.device = device
        self.lock = threading.Lock()
        self.tensors: dict[Node, torch.Tensor] = {}
        self.native = NativeSteps(plan)
        self._arena: torch.Tensor | None = None
        self._addresses: list[int] = []
        self._next_stage = 0
        self._in_turn = InTurn(device) if device.type == "cuda" else None
        self._steps: list[list[tuple[Node, Run]]] = []
        self._whole: list[Run] = []
        self._transfers: list[Transfers] = []
        self._copies: list[Run] = []
        self._native_run: Callable[[int, int], Run]

    def run(
        self,
        stage: int,
        feeds: Mapping[str, torch.Tensor],
        around: Around | None = None,
        ready: Run | None = None,
        *,
        owned: bool,
    ) -> dict[str, torch.Tensor]:
        """Run a stage; the results are views of the arena or, if ``owned``, new tensors.

        The caller must hold the lock. ``around``, if given, is called for each step with its node
        and a function that runs it; ``ready`` is called once the inputs are in place.

        Raises:
            GraphError: the stage that ran last is not the one before it.
        """
        if stage and stage != self._next_stage:
            raise GraphError("this stage continues the one before it: run that one first")
        self._next_stage = 0  # unless all goes well
        is_last = stage + 1 == len(self.plan.stages)
        if self._in_turn is not None:
            self._in_turn.begin(self._arena)
        if not self._whole or self._addresses != self._current_addresses():
            self._bind()
        transfers, whole = self._transfers[stage], around is None
        transfers.fetch(feeds, natively=whole)
        results = transfers.new() if whole and owned else transfers.lent()
        if ready is not None:
            ready()
        if is_last:
            for target, _ in self.plan.graph.updates:
                target.updates += 1
        if around is None:
            self._whole[stage]()
        else:
            for node, run in self._steps[stage]:
                around(node, run)
            if is_last:
                for copy in self._copies:
                    copy()
        if owned:
            results = transfers.own(results, natively=whole)
        self._next_stage = 0 if is_last else stage + 1
        return results

    @property
    def pool_bytes(self) -> int:
        """Bytes that CUDA graphs keep beyond the arena."""
        return sum(run.pool_bytes for run in self._whole if isinstance(run, Captured))

    def _current_addresses(self) -> list[int]:
        return [p.tensor.data_ptr() for p in self.plan.parameters]

    @torch.inference_mode(mode=False)  # whose tensors could not be written to outside of it
    def _bind(self) -> None:
        self._whole = []  # so that after a failure the next run binds everything again
        for p in self.plan.parameters:
            p.to(self.device)
        if self._arena is None:
            size = self.plan.placement.peak_bytes
            self._arena = _allocated(size, self.device)
        self._bind_tensors()
        if self.native.source:
            self._native_run = self.native.bind(self._arena)
        stages = self.plan.stages
        self._steps = [
            [(step.node, self._prepared(step)) for step in stage.steps if step.kernel is not None]
            for stage in stages
        ]
        self._transfers = [self._transfers_of(i, stage) for i, stage in enumerate(stages)]
        self._copies = [
            partial(target.tensor.detach().copy_, self.tensors[value])
            for target, value in self.plan.copies
        ]
        runs = [self._runs(i, stage) for i, stage in enumerate(stages)]
        runs[-1] += self._copies
        record = can_record(self.plan, self.device)
        self._addresses = self._current_addresses()
        self._whole = [Captured(r, self.device) if record else in_sequence(r) for r in runs]

    def _transfers_of(self, index: int, stage: Stage) -> Transfers:
        native = self.native

        def copied(nodes: Mapping[str, Node], natively: Mapping[str, NativeCopy]) -> list[Copied]:
            slots = {name: copy.slot for name, copy in natively.items()}
            return [Copied(name, self.tensors[n], slots.get(name)) for name, n in nodes.items()]

        feeds = copied(stage.inputs, native.feeds[index])
        results = copied(stage.outputs, native.results[index])
        assert self._arena is not None
        first = self._arena.data_ptr()
        arena = range(first, first + self._arena.nbytes)
        return Transfers(feeds, results, arena, native.outside, bool(native.source))

    def _runs(self, index: int, stage: Stage) -> list[Run]:
        """Everything in a stage that takes time; consecutive native steps form one run."""
        native = self.native
        parts: list[int | Step] = [
            *(copy.number for copy in native.feeds[index].values()),
            *(native.number.get(s.node, s) for s in stage.steps if s.kernel is not None),
            *(copy.number for copy in native.results[index].values()),
        ]
        runs: list[Run] = []
        for _, found in groupby(parts, lambda part: isinstance(part, int)):
            together = list(found)
            first, last = together[0], together[-1]
            if isinstance(first, int) and isinstance(last, int):
                runs.append(self._native_run(first, last))
            else:
                runs += [self._prepared(step) for step in together if isinstance(step, Step)]
        return runs

    def _bind_tensors(self) -> None:
        views = {step.node for stage in self.plan.stages for step in stage.steps if not step.kernel}
        for node, owner in self.plan.owners.items():
            if node in views:
                view = view_of(node, self.tensors[node.inputs[0]])
                assert view is not None, "the plan saw this view on tensors that lie alike"
                self.tensors[node] = view
            elif isinstance(owner, Parameter):
                self.tensors[node] = owner.tensor.detach()
            elif node.operator is full:
                self.tensors[node] = self._at(owner, (), node.dtype).expand(node.sizes)
            else:
                self.tensors[node] = self._at(owner, node.sizes, node.dtype)
        for node in self.plan.constants:
            if node.operator is full:
                self.tensors[node].as_strided((), ()).fill_(node.attributes["value"])
            else:
                self.tensors[node].copy_(node.attributes["value"])

    def _prepared(self, step: Step) -> Run:
        """A function that runs one step."""
        assert step.kernel is not None
        if step.node in self.native.number:
            number = self.native.number[step.node]
            return self._native_run(number, number)
        scratch = [self._at(i, s.sizes, s.dtype, row_major=True) for i, s in step.workspaces]
        inputs = [self.tensors[source] for source in step.node.inputs]
        return step.kernel.prepare(step.node, self.tensors[step.node], inputs, scratch)

    def _at(
        self, buffer: int, shape: Sequence[int], dtype: torch.dtype, row_major: bool = False
    ) -> torch.Tensor:
        assert self._arena is not None
        offset, nbytes = self.plan.placement.offsets[buffer], self.plan.buffers[buffer].nbytes
        flat = self._arena[offset : offset + nbytes].view(dtype)
        return flat.view(shape) if row_major else flat.as_strided(shape, strides(shape))


def _allocated(size: int, device: torch.device) -> torch.Tensor:
    try:
        return torch.empty(size, dtype=torch.uint8, device=device)
    except (RuntimeError, MemoryError) as error:
        raise OutOfMemory(
            f"the program needs {size:,} bytes of memory on {device}, which there are not; with "
            f"memory_budget=... it may do with less ({str(error).splitlines()[0]})"
        ) from None
