"""Making the plan: one walk over the schedule, keeping count of who still reads which memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from engine.graph import Graph, Update
from engine.kernels import VIEWS
from engine.layout import stored, view_of
from engine.lowering import Choose, choose_kernel
from engine.memory import Buffer, place
from engine.order import reachable
from engine.plan import Owner, Plan, Stage, Step
from engine.rewrites.constants import is_constant
from ops import Node, Parameter, Spec, copy
from ops.leaves import input, parameter
from ops.provenance import in_place_of


def plan(graph: Graph, stages: Sequence[Sequence[str]], choose: Choose = choose_kernel) -> Plan:
    """Plan a bound graph: forward, then gradients, then updates, in the order of its nodes.

    Args:
        graph: without unbound dimensions.
        stages: the outputs of each stage; updates belong to the last.
        choose: the kernel for each node.
    """
    return _Planner(_with_memory_of_its_own(graph), stages, choose).plan()


@dataclass
class _Planner:
    """Walks the schedule once, keeping count of how often each memory will still be read."""

    graph: Graph
    stages: Sequence[Sequence[str]]
    choose: Choose
    buffers: list[Buffer] = field(default_factory=list)
    owners: dict[Node, Owner] = field(default_factory=dict)
    pinned: set[int] = field(default_factory=set)
    remaining: Counter[Owner] = field(default_factory=Counter)
    lying: dict[Node, torch.Tensor] = field(default_factory=dict)
    time: int = 0

    def plan(self) -> Plan:
        self.schedules = self._schedules()
        order = [node for schedule in self.schedules for node in schedule]
        self.position = {node: i for i, node in enumerate(order)}
        self.uses = self._count_uses()
        self.direct = self._direct_updates()
        self.copies = [u for u in self.graph.updates if self.direct.get(u.value) is not u.parameter]
        constants = tuple(node for node in self.graph.nodes if is_constant(node))
        for node in constants:
            self.pinned.add(self._allocate(node, _kept(node)))
        stages = tuple(self._stage(i) for i in range(len(self.stages)))
        for index in self.pinned:
            self.buffers[index].last = self.time
        read = [node.attributes["parameter"] for node in self.graph.parameters.values()]
        updated = [update.parameter for update in self.graph.updates]
        return Plan(
            graph=self.graph,
            stages=stages,
            owners=self.owners,
            constants=constants,
            copies=tuple(self.copies),
            parameters=tuple(dict.fromkeys(read + updated)),
            buffers=tuple(self.buffers),
            placement=place(self.buffers),
        )

    def _schedules(self) -> list[list[Node]]:
        """For each stage, the nodes to compute that no earlier stage has computed."""
        done: set[Node] = set()
        result = []
        for i, names in enumerate(self.stages):
            roots = [self.graph.outputs[name] for name in names]
            if i == len(self.stages) - 1:
                roots += [update.value for update in self.graph.updates]
            needed = reachable(roots) - done
            result.append([n for n in self.graph.nodes if n in needed and not is_constant(n)])
            done |= needed
        return result

    def _count_uses(self) -> Counter[Node]:
        uses: Counter[Node] = Counter()
        for node in self.position:
            uses.update(set(node.inputs))
        for names in self.stages:
            uses.update(self.graph.outputs[name] for name in set(names))
        uses.update(update.value for update in self.graph.updates)
        return uses

    def _direct_updates(self) -> dict[Node, Parameter]:
        """Values that may be written to their parameter's memory at once.

        All who read the old value must come before, or be the writer itself, element by element;
        and it must be the last stage that writes.
        """
        early = len(self.position) - len(self.schedules[-1])
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
            readers = [source for source in value.inputs if roots.get(source) is target]
            whole = all(source.operator is parameter for source in readers)
            if last_read.get(target, -1) < position or (
                last_read[target] == position and whole and self.choose(value).elementwise
            ):
                direct[value] = target
        return direct

    def _stage(self, index: int) -> Stage:
        inputs = {str(n.name): n for n in self.schedules[index] if n.operator is input}
        for node in inputs.values():
            self._allocate(node, node.spec)
        self.time += 1
        start = self.time
        steps = []
        for node in self.schedules[index]:
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
        sources = list(dict.fromkeys(node.inputs))
        for source in sources:
            self._release(source)
        if self._as_view(node):
            return Step(node, None)
        kernel = self.choose(node)
        workspaces = []
        for spec in kernel.workspace(node):
            self.buffers.append(Buffer(spec.nbytes, self.time, self.time))
            workspaces.append((len(self.buffers) - 1, spec))
        donor = self._donor(node) if kernel.elementwise else None
        if node in self.direct:
            self._settle(node, self.direct[node])
        elif donor is not None:
            self._settle(node, donor)
        else:
            self._allocate(node, node.spec)
        return Step(node, kernel, tuple(workspaces))

    def _as_view(self, node: Node) -> bool:
        if node.operator.name not in VIEWS:
            return False
        (source,) = node.inputs
        view = view_of(node, self.lying[source])
        if view is None:
            return False
        self._settle(node, self.owners[source])
        self.lying[node] = view
        return True

    def _donor(self, node: Node) -> int | None:
        """A buffer that nobody reads after this step and that the result can overwrite."""
        result = stored(node)
        for source in node.inputs:
            owner = self.owners[source]
            if isinstance(owner, Parameter) or owner in self.pinned or self.remaining[owner]:
                continue
            readers = [s for s in node.inputs if self.owners[s] == owner]
            if all(_lie_alike(self.lying[reader], result) for reader in readers):
                return owner
        return None

    def _allocate(self, node: Node, spec: Spec) -> int:
        self.buffers.append(Buffer(spec.nbytes, self.time, self.time))
        self._settle(node, len(self.buffers) - 1)
        return len(self.buffers) - 1

    def _settle(self, node: Node, owner: Owner) -> None:
        self.owners[node] = owner
        self.lying[node] = stored(node)
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
    """What a constant takes: one element if it is one number repeated."""
    return node.spec if "shape" not in node.attributes else node.spec.with_shape(())


def _lie_alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    return (a.shape, a.stride(), a.dtype, a.storage_offset()) == (
        b.shape,
        b.stride(),
        b.dtype,
        b.storage_offset(),
    )


def _parameter_roots(graph: Graph) -> dict[Node, Parameter]:
    """The parameter whose memory each value may lie in: the parameter itself and its views."""
    roots: dict[Node, Parameter] = {}
    for node in graph.nodes:
        if node.operator is parameter:
            roots[node] = node.attributes["parameter"]
        elif node.operator.name in VIEWS and node.inputs[0] in roots:
            roots[node] = roots[node.inputs[0]]
    return roots


def _with_memory_of_its_own(graph: Graph) -> Graph:
    """Copy what would be returned from, or written to a parameter from, a parameter's memory."""
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
