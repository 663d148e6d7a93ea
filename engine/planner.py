"""Planning: one walk over a schedule, counting the remaining reads of each piece of memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from engine.footprint import Footprint, Footprints, footprints
from engine.graph import Graph, Update
from engine.kernels import VIEWS
from engine.lowering import Choose
from engine.memory import Buffer, lower_bound, place
from engine.plan import Owner, Plan, Stage, Step
from engine.schedule import Schedule, by_creation, of_low_peak, tasks_by_stage
from engine.schedule.bound import least_bytes
from ops import Node, Parameter, Spec, copy
from ops.leaves import input, is_constant, parameter
from ops.provenance import in_place_of


def plan(graph: Graph, stages: Sequence[Sequence[str]], choose: Choose) -> Plan:
    """Plan a bound graph in the order with the lowest peak found.

    Args:
        graph: bound.
        stages: the names of each stage's outputs; updates belong to the last stage.
        choose: chooses the kernel for a node.
    """
    graph = _with_memory_of_its_own(graph)
    shapes = footprints(graph, choose)
    low = _Planner(graph, stages, shapes, of_low_peak(graph, stages, shapes))
    classic = _Planner(graph, stages, shapes, by_creation(graph, stages))
    best = low.plan()
    if lower_bound(classic.buffers) < best.placement.peak_bytes:
        best = min(classic.plan(), best, key=lambda plan: plan.placement.peak_bytes)
    return best


def plan_in_order(
    graph: Graph, stages: Sequence[Sequence[str]], shapes: Footprints, schedule: Schedule
) -> Plan:
    """Plan a bound graph in a given order; no root may share memory with a parameter."""
    return _Planner(graph, stages, shapes, schedule).plan()


def least_bytes_in_any_order(plan: Plan) -> int:
    """Bytes that no order of the plan's nodes can do without."""
    stages = [list(stage.outputs) for stage in plan.stages]
    tasks = tasks_by_stage(plan.graph, stages, footprints(plan.graph, plan.kernels.__getitem__))
    return plan.constant_bytes + max(least_bytes(stage) for _, stage in tasks)


@dataclass
class _Planner:
    """Walks a schedule once, counting how often each piece of memory will still be read."""

    graph: Graph
    stages: Sequence[Sequence[str]]
    footprints: Footprints
    schedule: Schedule

    def __post_init__(self) -> None:
        self.buffers: list[Buffer] = []
        self.owners: dict[Node, Owner] = {}
        self.pinned: set[int] = set()
        self.remaining: Counter[Owner] = Counter()
        self.time = 0
        order = [node for nodes in self.schedule for node in nodes]
        self.position = {node: i for i, node in enumerate(order)}
        self.uses = self._count_uses()
        self.direct = self._direct_updates()
        self.copies = [u for u in self.graph.updates if self.direct.get(u.value) is not u.parameter]
        self.constants = tuple(node for node in self.graph.nodes if is_constant(node))
        for node in self.constants:
            self.pinned.add(self._allocate(node, _kept(node)))
        self.planned = tuple(self._stage(i) for i in range(len(self.stages)))
        for index in self.pinned:
            self.buffers[index].last = self.time

    def plan(self) -> Plan:
        read = [node.attributes["parameter"] for node in self.graph.parameters.values()]
        updated = [update.parameter for update in self.graph.updates]
        return Plan(
            graph=self.graph,
            stages=self.planned,
            owners=self.owners,
            layouts={node: shape.layout for node, shape in self.footprints.items()},
            constants=self.constants,
            copies=tuple(self.copies),
            parameters=tuple(dict.fromkeys(read + updated)),
            buffers=tuple(self.buffers),
            placement=place(self.buffers),
        )

    def _count_uses(self) -> Counter[Node]:
        uses: Counter[Node] = Counter()
        for node in self.position:
            uses.update(set(node.inputs))
        for names in self.stages:
            uses.update(self.graph.outputs[name] for name in set(names))
        uses.update(update.value for update in self.graph.updates)
        return uses

    def _direct_updates(self) -> dict[Node, Parameter]:
        """Values that may be computed directly into the memory of the parameter they update.

        The value must be computed in the last stage, and all other readers of the old value must
        run before. If its own kernel reads the old value, it must read each element before writing
        it.
        """
        early = len(self.position) - len(self.schedule[-1])
        roots = _parameter_roots(self.graph)
        last_read: dict[Parameter, int] = {}
        for node, position in self.position.items():
            for source in node.inputs:
                if source in roots:
                    last_read[roots[source]] = position
        direct: dict[Node, Parameter] = {}
        for target, value in self.graph.updates:
            position = self.position.get(value, -1)
            if position < early or not value.inputs:
                continue
            if value.operator.name in VIEWS or value in direct:
                continue
            readers = {i for i, source in enumerate(value.inputs) if roots.get(source) is target}
            whole = all(value.inputs[i].operator is parameter for i in readers)
            if last_read.get(target, -1) < position or (
                last_read[target] == position and whole and readers <= self._overwrites(value)
            ):
                direct[value] = target
        return direct

    def _stage(self, index: int) -> Stage:
        inputs = {str(n.name): n for n in self.schedule[index] if n.operator is input}
        for node in inputs.values():
            self._allocate(node, node.spec)
        self.time += 1
        start = self.time
        steps = []
        for node in self.schedule[index]:
            if node.operator is parameter:
                self._settle(node, node.attributes["parameter"])
            elif node.operator is not input:
                steps.append(self._step(node))
                self.time += 1
        outputs = {name: self.graph.outputs[name] for name in self.stages[index]}
        for node in outputs.values():
            self._release(node)
        if index == len(self.stages) - 1:
            for update in self.copies:
                self._release(update.value)
        self.time += 1
        return Stage(inputs, outputs, tuple(steps), start)

    def _step(self, node: Node) -> Step:
        for source in dict.fromkeys(node.inputs):
            self._release(source)
        footprint = self.footprints[node]
        if footprint.kernel is None:
            self._settle(node, self.owners[footprint.root])
            return Step(node, None)
        workspaces = []
        for number, spec in enumerate(footprint.workspace):
            kept = number == 0 and footprint.kernel.keeps(node)
            self.buffers.append(Buffer(spec.nbytes, 0 if kept else self.time, self.time))
            workspaces.append((len(self.buffers) - 1, spec))
            if kept:
                self.pinned.add(len(self.buffers) - 1)
        donor = self._donor(footprint)
        if node in self.direct:
            self._settle(node, self.direct[node])
        elif donor is not None:
            self._settle(node, donor)
        else:
            self._allocate(node, node.spec)
        return Step(node, footprint.kernel, tuple(workspaces))

    def _donor(self, footprint: Footprint) -> int | None:
        """A buffer that is not read after this step and that the result can overwrite."""
        for root in footprint.donors:
            owner = self.owners[root]
            if not isinstance(owner, Parameter) and not self.remaining[owner]:
                return owner
        return None

    def _overwrites(self, node: Node) -> set[int]:
        kernel = self.footprints[node].kernel
        return set() if kernel is None else set(kernel.overwrites(node))

    def _allocate(self, node: Node, spec: Spec) -> int:
        self.buffers.append(Buffer(spec.nbytes, self.time, self.time))
        self._settle(node, len(self.buffers) - 1)
        return len(self.buffers) - 1

    def _settle(self, node: Node, owner: Owner) -> None:
        self.owners[node] = owner
        self.remaining[owner] += self.uses[node]
        self._touch(owner)

    def _release(self, node: Node) -> None:
        owner = self.owners[node]
        self.remaining[owner] -= 1
        self._touch(owner)

    def _touch(self, owner: Owner) -> None:
        if isinstance(owner, int):
            self.buffers[owner].last = max(self.buffers[owner].last, self.time)


def _kept(node: Node) -> Spec:
    """The spec that a constant is stored with: one element if it is one repeated number."""
    return node.spec if "shape" not in node.attributes else node.spec.with_shape(())


def _parameter_roots(graph: Graph) -> dict[Node, Parameter]:
    """Maps parameters and their possible views to the parameter whose memory they share."""
    roots: dict[Node, Parameter] = {}
    for node in graph.nodes:
        if node.operator is parameter:
            roots[node] = node.attributes["parameter"]
        elif node.operator.name in VIEWS and node.inputs[0] in roots:
            roots[node] = roots[node.inputs[0]]
    return roots


def _with_memory_of_its_own(graph: Graph) -> Graph:
    """Copy outputs and update values that would otherwise share memory with a parameter."""
    roots = _parameter_roots(graph)

    def own(node: Node) -> Node:
        if node not in roots:
            return node
        with in_place_of(node):
            return copy(node)

    return Graph(
        {name: own(node) for name, node in graph.outputs.items()},
        tuple(Update(target, own(value)) for target, value in graph.updates),
    )
