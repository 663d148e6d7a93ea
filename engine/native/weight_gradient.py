"""Weight gradients of sums of taps in C.

Of y = sum of taps (see ``engine.native.geometry``) with gradient g by y, each matrix's gradient is
the sum over all positions of ``x[i*s + dy, j*s + dx]' g[i*S + a, j*S + b]``. Each thread adds up
its share of bands in a matrix of its own, block by block in registers; then the threads' sums are
added.

One of the two factors is read as vectors, the other as scalars: vectors of g's channels against all
terms that are read without a gap, or vectors of x's channels against those of g, whichever leaves
fewer lanes empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import torch

from engine.kernels.patches import lies_channels_last
from engine.native.blocking import Block, best_block, ranges
from engine.native.canvas import Canvas
from engine.native.elementwise import float_type
from engine.native.geometry import Pair, Taps, convolution
from engine.native.kernel import Machine
from engine.native.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.text import Text, table
from ops import Node, Spec
from ops.fused import body_of


@dataclass(frozen=True)
class Group:
    """Products of one range of x with one or more ranges of g.

    Attributes:
        x_at, x_length: which elements of a position's window in the canvas.
        g_at: where in g, from the position's first class, each of the channels stands.
        weights: for each of those channels, where each element of x belongs in the weight.
    """

    x_at: int
    x_length: int
    g_at: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]


def _names(node: Node) -> list[str]:
    return [step.operator.name for step in body_of(node)]


def supports(node: Node) -> bool:
    """The weight gradient of one group, perhaps of phases."""
    names, body = _names(node), body_of(node)
    if names == ["separate_phases", "conv2d_weight_gradient"]:
        in_order = body[1].sources[0] == len(node.inputs) and body[1].attributes["stride"] == (1, 1)
    else:
        in_order = names == ["conv2d_weight_gradient"]
    return (
        in_order
        and float_type(node) is not None
        and body[-1].attributes["groups"] == 1
        and body[-1].sources[1] < len(node.inputs)
        and lies_channels_last(node.inputs[_inputs(node)[0]])
        and 0 not in node.inputs[0].sizes
    )


def _inputs(node: Node) -> Pair:
    """The numbers of g and x among the node's inputs."""
    body = body_of(node)
    return body[0].sources[0], body[-1].sources[1]


def _writer(node: Node, operands: Operands, machine: Machine) -> Writer:
    body, (g, x) = body_of(node), _inputs(node)
    phases = len(body) == 2
    step = body[-1]
    # What the gradient is of: a convolution of x with a weight like this node's result.
    n, _, height, width = node.inputs[g].sizes
    shape = (n, node.sizes[0], *((height // 2 + 1, width // 2 + 1) if phases else (height, width)))
    forward = replace(step, spec=node.spec.with_shape(shape))
    taps = convolution(forward, node.inputs[x].sizes, operands.out, phases)
    return Writer(node.dtype, taps, operands.inputs[x], operands.inputs[g], machine)


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """Every thread's sums, and the canvases."""
    stored = tuple(Operand.stored(value.spec) for value in node.inputs)
    operands = Operands(Operand.stored(node.spec), stored, ())
    writer = _writer(node, operands, machine)
    loose = writer.canvas.loose()
    sums = Spec((machine.threads, writer.size), node.dtype)
    return [sums, *loose.scratch(node.dtype, machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> str:
    """The step's C code."""
    return _writer(node, operands, machine).emit(operands, *_inputs(node))


@dataclass(frozen=True)
class Writer:
    """Writes the code of one weight gradient."""

    dtype: torch.dtype
    taps: Taps
    image: Operand
    gradient: Operand
    machine: Machine

    @property
    def lanes(self) -> int:
        return self.machine.target.lanes(self.dtype)

    @cached_property
    def canvas(self) -> Canvas:
        return Canvas.of(
            self.taps, self.image, self.lanes, self.machine.threads, beyond=not self.vectors_of_g
        )

    @cached_property
    def vectors_of_g(self) -> bool:
        """Whether vectors are read of g, and scalars of x."""
        return self._waste(self.taps.results) <= self._waste(self.taps.terms)

    def _waste(self, channels: int) -> float:
        return -(-channels // self.lanes) * self.lanes / channels

    @cached_property
    def groups(self) -> list[Group]:
        """What is multiplied with what."""
        taps, m = self.taps, self.taps.results
        each = sorted(
            (self.canvas.at(tap), a * taps.out[1] * m + b * m, tap.weight)
            for (a, b), tap in ((c.offset, tap) for c in taps.classes for tap in c.taps)
        )
        if not self.vectors_of_g:
            return [self._of_x(x_at, list(found)) for x_at, found in groupby(each, lambda e: e[0])]
        runs: list[Group] = []
        for g_at in sorted({e[1] for e in each}):
            for x_at, _, weight in (e for e in each if e[1] == g_at):
                own = tuple(weight + k * taps.term_stride for k in range(taps.terms))
                last = runs[-1] if runs else None
                if last and last.g_at[0] == g_at and last.x_at + last.x_length == x_at:
                    joined = (last.weights[0] + own,)
                    runs[-1] = Group(last.x_at, last.x_length + taps.terms, last.g_at, joined)
                else:
                    runs.append(Group(x_at, taps.terms, (g_at,), (own,)))
        return runs

    def _of_x(self, x_at: int, found: list[tuple[int, int, int]]) -> Group:
        taps = self.taps
        channels = [
            (g_at + c, weight + c * taps.result_stride)
            for _, g_at, weight in found
            for c in range(taps.results)
        ]
        weights = tuple(
            tuple(first + k * taps.term_stride for k in range(taps.terms)) for _, first in channels
        )
        return Group(x_at, taps.terms, tuple(at for at, _ in channels), weights)

    def _shape(self, group: Group) -> Pair:
        """Scalars and vectors of a group's sums."""
        if self.vectors_of_g:
            return group.x_length, -(-self.taps.results // self.lanes)
        return len(group.g_at), -(-group.x_length // self.lanes)

    @property
    def size(self) -> int:
        """Elements of one thread's sums."""
        shapes = map(self._shape, self.groups)
        return sum(scalars * vectors * self.lanes for scalars, vectors in shapes)

    def _block(self, group: Group) -> Block:
        return best_block(*self._shape(group), self.machine.target.accumulators)

    def emit(self, operands: Operands, g: int, x: int) -> str:
        text, kind = Text(), TYPES[self.dtype]
        sums, *canvases = operands.scratch
        shapes = dict.fromkeys(
            (rows, vectors)
            for group in self.groups
            for rows in ranges(self._shape(group)[0], self._block(group).scalars).values()
            for vectors in ranges(self._shape(group)[1], self._block(group).vectors).values()
        )
        for rows, vectors in shapes:
            self._tile(text, rows, vectors)
        text("%%")
        text(sums.pointer("all", writable=True), f"{kind} *sums = all + me * {self.size};")
        text(operands.inputs[x].pointer("x"), operands.inputs[g].pointer("g"))
        text(f"memset(sums, 0, {self.size} * sizeof *sums);")
        with text.block(self.canvas.units_loop()):
            self.canvas.unit(text)
            self.canvas.emit(text, self.image, canvases[0] if canvases else None)
            rows, last = self.taps.grid[0], f"first + {self.canvas.rows}"
            text(f"const long count = ({last} < {rows} ? {last} : {rows}) - first;")
            image, row = self._g_strides()
            text(f"const {kind} *from = g + n * {image} + first * {row};")
            self._blocks(text)
        text("barrier(team);")
        self._gather(text, operands.out)
        return str(text)

    def _g_strides(self) -> Pair:
        row = self.taps.out[1] * self.taps.results
        return self.taps.out[0] * row, self.taps.out_step[0] * row

    def _blocks(self, text: Text) -> None:
        sums_at = 0
        for number, group in enumerate(self.groups):
            scalars, vectors = self._shape(group)
            block = self._block(group)
            if not self.vectors_of_g:
                text(table(f"g{number}", list(group.g_at)))
            for r, rows in ranges(scalars, block.scalars).items():
                for v, width in ranges(vectors, block.vectors).items():
                    if self.vectors_of_g:
                        places = f"in + {group.x_at + r}, from + {group.g_at[0] + v * self.lanes}"
                    else:
                        places = f"in + {group.x_at + v * self.lanes}, from, g{number} + {r}"
                    at = sums_at + (r * vectors + v) * self.lanes
                    partial = self._partial(v, width, group)
                    text(
                        f"tile@_{rows}x{width}({places}, count, sums + {at}, "
                        f"{vectors * self.lanes}, {partial});"
                    )
            sums_at += scalars * vectors * self.lanes

    def _partial(self, v: int, width: int, group: Group) -> int:
        """Lanes of the last vector, where reading a whole one would go beyond g; else 0."""
        whole = self.taps.results // self.lanes
        return self.taps.results % self.lanes if self.vectors_of_g and v + width > whole else 0

    def _tile(self, text: Text, rows: int, vectors: int) -> None:
        """Sums of rows x vectors over the positions of a band."""
        kind, s, taps = TYPES[self.dtype], SUFFIX[self.dtype], self.taps
        names = [[f"s{r}_{v}" for v in range(vectors)] for r in range(rows)]
        table_of_g = "" if self.vectors_of_g else "const long *g_at, "
        head = (
            f"NOINLINE void tile@_{rows}x{vectors}(const {kind} *x, const {kind} *g, {table_of_g}"
            f"long count, {kind} *sums, long stride, int part)"
        )
        x_row = taps.in_step[0] * self.canvas.width * taps.terms
        x_pixel, g_pixel = taps.in_step[1] * taps.terms, taps.out_step[1] * taps.results
        with text.block(head):
            for row in names:
                text(f"v{s} " + ", ".join(f"{name} = {{}}" for name in row) + ";")
            with text.block("for (long i = 0; i < count; i++)"):
                text(f"const {kind} *a = x + i * {x_row}, *b = g + i * {self._g_strides()[1]};")
                steps = f"a += {x_pixel}, b += {g_pixel}"
                with text.block(f"for (long j = 0; j < {taps.grid[1]}; j++, {steps})"):
                    vector, scalar = ("b", "a") if self.vectors_of_g else ("a", "b")
                    for v in range(vectors):
                        load = f"load_{s}({vector} + {v * self.lanes})"
                        if v == vectors - 1 and self._may_be_partial():
                            rest = taps.results % self.lanes
                            part = f"load_part_{s}({vector} + {v * self.lanes}, {rest})"
                            load = f"part ? {part} : {load}"
                        text(f"const v{s} v{v} = {load};")
                    for r, row in enumerate(names):
                        place = f"{r}" if self.vectors_of_g else f"g_at[{r}]"
                        adds = " ".join(f"{name} += c{r} * v{v};" for v, name in enumerate(row))
                        text(f"const {kind} c{r} = {scalar}[{place}]; {adds}")
            for r, row in enumerate(names):
                for v, name in enumerate(row):
                    at = f"sums + {r} * stride + {v * self.lanes}"
                    text(f"store_{s}({at}, load_{s}({at}) + {name});")
        text("")

    def _may_be_partial(self) -> bool:
        return self.vectors_of_g and self.taps.results % self.lanes != 0

    def _gather(self, text: Text, out: Operand) -> None:
        """Add the threads' sums, and put each where it belongs in the weight."""
        kind = TYPES[self.dtype]
        text(out.pointer("y", writable=True))
        sums_at = 0
        for number, group in enumerate(self.groups):
            scalars, vectors = self._shape(group)
            width = vectors * self.lanes
            if self.vectors_of_g:
                rows, inner = list(group.weights[0]), (self.taps.results, self.taps.result_stride)
            else:
                rows = [places[0] for places in group.weights]
                inner = (group.x_length, self.taps.term_stride)
            text(table(f"to{number}", rows))
            bounds = f"long r = share(team, {scalars}, me); r < share(team, {scalars}, me + 1); r++"
            with (
                text.block(f"for ({bounds})"),
                text.block(f"for (long m = 0; m < {inner[0]}; m++)"),
            ):
                text(f"const {kind} *from = all + {sums_at} + r * {width} + m;", f"{kind} sum = 0;")
                text(f"for (int t = 0; t < team->threads; t++) sum += from[t * {self.size}];")
                text(f"y[to{number}[r] + m * {inner[1]}] = sum;")
            sums_at += scalars * width
