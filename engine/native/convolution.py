"""Sums of taps in C: convolutions, their input gradients and their phases.

Each thread takes its share of bands. For a few neighbouring pixels and a few vectors of channels
the sums stay in registers while all taps and terms are added; then what follows elementwise is
computed and the result stored. Source: Georganas et al., "Anatomy of High-Performance Deep Learning
Convolutions on SIMD Architectures", 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from engine.kernels.movement import VIEWS
from engine.native.blocking import Block, best_block, ranges
from engine.native.canvas import Canvas
from engine.native.elementwise import float_type
from engine.native.expression import is_elementwise, statements
from engine.native.geometry import PositionClass, Tap, Taps, convolution, input_gradient
from engine.native.kernel import Machine
from engine.native.operand import SUFFIX, TYPES, Operand, Operands
from engine.native.text import Text, table
from ops import Node, Spec
from ops.fused import Body, Computation, body_of
from ops.leaves import full
from ops.spec import FLOATS


@dataclass(frozen=True)
class Anchor:
    """The convolution within a body.

    Attributes:
        step: the convolution.
        phases: whether it is of phases.
        image, weight: its inputs, as numbers of the node's inputs.
        number: of its result among the body's values.
        after: the elementwise instructions that follow.
    """

    step: Computation
    phases: bool
    image: int
    weight: int
    number: int
    after: Body


def find_anchor(node: Node) -> Anchor | None:
    """The convolution that a node begins with, if it does."""
    body, inputs = body_of(node), len(node.inputs)
    names = [step.operator.name for step in body]
    if names[0] == "conv2d":
        phases = names[1:2] == ["interleave_phases"]
        image, weight = body[0].sources
        used = 2 if phases else 1
        return Anchor(body[0], phases, image, weight, inputs + used - 1, body[used:])
    if names[0] == "conv2d_input_gradient":
        image, weight = body[0].sources
        return Anchor(body[0], False, image, weight, inputs, body[1:])
    if names[:2] == ["separate_phases", "conv2d_input_gradient"]:
        (image,), (between, weight) = body[0].sources, body[1].sources
        if between == inputs:
            return Anchor(body[1], True, image, weight, inputs + 1, body[2:])
    return None


def supports(node: Node) -> bool:
    """A convolution of one group, followed by elementwise operators on values like its result."""
    if float_type(node) is None:
        return False
    anchor = find_anchor(node)
    if anchor is None or anchor.step.attributes["groups"] != 1:
        return False
    if anchor.phases and anchor.step.attributes["stride"] != (1, 1):
        return False
    if max(anchor.image, anchor.weight) >= len(node.inputs):
        return False
    between = set(range(len(node.inputs), anchor.number))
    used = [i for step in anchor.after for i in step.sources]
    sides = {i for i in used if i < len(node.inputs)}
    return (
        all(map(is_elementwise, anchor.after))
        and not between & set(used)
        and all(_is_side(node.inputs[i], node) for i in sides)
        and 0 not in node.sizes
    )


def _is_side(value: Node, node: Node) -> bool:
    """Whether a value can be read beside the result: one like it, a row of channels, a number."""
    if value.dtype not in FLOATS:
        return False
    if value.sizes == node.sizes and value.operator.name not in VIEWS:
        return value.operator is not full
    repeated = value.inputs[0] if value.operator.name == "expand" else value
    shape = (1,) * (4 - repeated.ndim) + repeated.sizes
    return shape in ((1, node.sizes[1], 1, 1), (1, 1, 1, 1))


def taps_of(node: Node, anchor: Anchor, weight: Operand) -> Taps:
    """The sum of taps that an anchor is."""
    image = node.inputs[anchor.image].sizes
    if anchor.step.operator.name == "conv2d":
        return convolution(anchor.step, image, weight, anchor.phases)
    return input_gradient(anchor.step, image, weight, anchor.phases)


def scratch(node: Node, machine: Machine) -> list[Spec]:
    """The weight as it is read, and the canvases."""
    anchor = find_anchor(node)
    assert anchor is not None
    stored = [Operand.stored(node.inputs[i].spec) for i in (anchor.image, anchor.weight)]
    writer = Writer(node, anchor, taps_of(node, anchor, stored[1]), stored[0], machine)
    packed = Spec((writer.packed_size,), node.dtype)
    # Whether an image is read in place is known only with its layout: here it may be a view.
    canvas = Canvas.of(writer.taps, stored[0], writer.lanes, machine.threads)
    return [packed, *canvas.loose().scratch(node.dtype, machine.threads)]


def emit(node: Node, operands: Operands, machine: Machine) -> str:
    """The step's C code."""
    anchor = find_anchor(node)
    assert anchor is not None
    taps = taps_of(node, anchor, operands.inputs[anchor.weight])
    return Writer(node, anchor, taps, operands.inputs[anchor.image], machine).emit(operands)


@dataclass(frozen=True)
class Writer:
    """Writes the code of one sum of taps."""

    node: Node
    anchor: Anchor
    taps: Taps
    image: Operand
    machine: Machine

    @property
    def dtype(self) -> torch.dtype:
        return self.node.dtype

    @property
    def lanes(self) -> int:
        return self.machine.target.lanes(self.dtype)

    @property
    def vectors(self) -> int:
        """Vectors of a pixel of the result, the last perhaps in part."""
        return 1 if self.woven else -(-self.taps.results // self.lanes)

    @cached_property
    def woven(self) -> bool:
        """Whether all classes are computed at once, each in some lanes of one vector.

        So it is where they have so few channels that each alone would leave most lanes empty.
        """
        classes = self.taps.classes
        whole = len(classes) == self.taps.out_step[0] * self.taps.out_step[1] > 1
        alike = len({(c.rows, c.columns) for c in classes}) == 1
        return whole and alike and len(classes) * self.taps.results <= self.lanes

    @cached_property
    def positions(self) -> tuple[PositionClass, ...]:
        """The classes, or the one they are woven into: its taps are all places that are read."""
        if not self.woven:
            return self.taps.classes
        first = self.taps.classes[0]
        places = {(tap.dy, tap.dx): tap for c in self.taps.classes for tap in c.taps}
        return (PositionClass((0, 0), first.rows, first.columns, tuple(places.values())),)

    @property
    def packed_size(self) -> int:
        """Elements of the weight as it is read: term by term, a row of whole vectors each."""
        count = sum(len(c.taps) for c in self.positions)
        return count * self.taps.terms * self.vectors * self.lanes

    @cached_property
    def block(self) -> Block:
        """Pixels x vectors."""
        columns = self.taps.grid[1]
        return best_block(columns, self.vectors, self.machine.target.accumulators)

    @cached_property
    def canvas(self) -> Canvas:
        return Canvas.of(self.taps, self.image, self.lanes, self.machine.threads)

    def emit(self, operands: Operands) -> str:
        text, kind = Text(), TYPES[self.dtype]
        sides = self._sides(operands)
        with text.block("typedef struct", " Sides@;"):
            text(f"{kind} *y;", *(f"const {kind} *x{i};" for i in sides))
        text("")
        self._store(text, operands, sides)
        for pixels in sorted(
            set(ranges(self.taps.grid[1], self.block.scalars).values()) | self._tails()
        ):
            for vectors in sorted(set(ranges(self.vectors, self.block.vectors).values())):
                self._tile(text, pixels, vectors)
        text("%%")
        packed, *canvases = operands.scratch
        text(packed.pointer("packed", writable=True))
        self._pack(text, operands.inputs[self.anchor.weight])
        text("barrier(team);", operands.inputs[self.anchor.image].pointer("x"))
        values = [f"({kind} *)({operands.out.address})"]
        values += [f"(const {kind} *)({operands.inputs[i].address})" for i in sides]
        text(f"const Sides@ sides = {{{', '.join(values)}}};")
        with text.block(self.canvas.units_loop()):
            self.canvas.unit(text)
            self.canvas.emit(text, self.image, canvases[0] if canvases else None)
            packed_at = 0
            for number, position in enumerate(self.positions):
                self._class(text, number, position, packed_at)
                packed_at += len(position.taps) * self.taps.terms * self.vectors * self.lanes
        return str(text)

    def _tails(self) -> set[int]:
        return {
            pixels
            for c in self.positions
            for pixels in ranges(c.columns, self.block.scalars).values()
        }

    def _sides(self, operands: Operands) -> list[int]:
        used = {i for step in self.anchor.after for i in step.sources}
        return sorted(i for i in used if i < len(self.node.inputs))

    # The weight, one row of vectors per tap and term.

    def _pack(self, text: Text, weight: Operand) -> None:
        taps = [tap for c in self.positions for tap in self._ordered(c)]
        rows, padded = self.taps.terms, self.vectors * self.lanes
        text(weight.pointer("w"))
        if self.woven:
            self._pack_woven(text, taps)
            return
        text(table("taps", [tap.weight for tap in taps]))
        count = len(taps) * rows
        with text.block(
            f"for (long r = share(team, {count}, me); r < share(team, {count}, me + 1); r++)"
        ):
            text(f"const long at = taps[r / {rows}] + r % {rows} * {self.taps.term_stride};")
            with text.block(f"for (long m = 0; m < {padded}; m++)"):
                inside = f"w[at + m * {self.taps.result_stride}]"
                if padded != self.taps.results:
                    inside = f"m < {self.taps.results} ? {inside} : 0"
                text(f"packed[r * {padded} + m] = {inside};")

    def _pack_woven(self, text: Text, taps: list[Tap]) -> None:
        """Each class's weights in its own lanes; zero where it does not read a place."""
        rows, results = self.taps.terms, self.taps.results
        found = [{(t.dy, t.dx): t.weight for t in c.taps} for c in self.taps.classes]
        places = [own.get((tap.dy, tap.dx), -1) for tap in taps for own in found]
        text(table("taps", places))
        count = len(taps) * rows
        with (
            text.block(
                f"for (long r = share(team, {count}, me); r < share(team, {count}, me + 1); r++)"
            ),
            text.block(f"for (long m = 0; m < {self.lanes}; m++)"),
        ):
            text(f"const long class = m / {results};")
            place = f"taps[r / {rows} * {len(found)} + class]"
            text(f"const long at = class < {len(found)} ? {place} : -1;")
            term, result = self.taps.term_stride, self.taps.result_stride
            inside = f"w[at + r % {rows} * {term} + m % {results} * {result}]"
            text(f"packed[r * {self.lanes} + m] = at < 0 ? 0 : {inside};")

    @staticmethod
    def _ordered(position: PositionClass) -> list[Tap]:
        return sorted(position.taps)

    def _runs(self, position: PositionClass) -> list[tuple[int, int]]:
        """Where taps read without a gap: (first element, elements)."""
        runs: list[tuple[int, int]] = []
        for tap in self._ordered(position):
            at = self.canvas.at(tap)
            if runs and runs[-1][0] + runs[-1][1] == at:
                runs[-1] = (runs[-1][0], runs[-1][1] + self.taps.terms)
            else:
                runs.append((at, self.taps.terms))
        return runs

    def _class(self, text: Text, number: int, position: PositionClass, packed_at: int) -> None:
        taps, padded = self.taps, self.vectors * self.lanes
        runs = self._runs(position)
        text(table(f"at{number}", [at for at, _ in runs] or [0]))
        text(table(f"length{number}", [length for _, length in runs] or [0]))
        (sy, sx), (a, b), k = taps.in_step, position.offset, taps.terms
        row, m = taps.out[1] * taps.results, taps.results
        last = f"first + {self.canvas.rows}"
        text(f"const long last{number} = {last} < {position.rows} ? {last} : {position.rows};")
        # All rows for some channels, then the next ones: their weights stay in the cache.
        for v0, vectors in ranges(self.vectors, self.block.vectors).items():
            with text.block(f"for (long i = first; i < last{number}; i++)"):
                in_row = sy * self.canvas.width * k
                text(
                    f"const {TYPES[self.dtype]} *from = in + (i - first) * {in_row};",
                    f"const long to = n * {taps.out[0] * row}"
                    f" + (i * {taps.out_step[0]} + {a}) * {row} + {b * m + v0 * self.lanes};",
                )
                self._row(text, number, position, vectors, v0, len(runs), packed_at, sx * k, padded)

    def _row(
        self, text: Text, number: int, position: PositionClass, vectors: int, v0: int, runs: int,
        packed_at: int, in_pixel: int, padded: int,
    ) -> None:  # fmt: skip
        out_pixel = self.taps.out_step[1] * self.taps.results
        weight = f"packed + {packed_at + v0 * self.lanes}"
        common = f"at{number}, length{number}, {runs}, {weight}"
        size = self.block.scalars
        whole, rest = divmod(position.columns, size)
        if whole:
            with text.block(f"for (long j = 0; j < {whole * size}; j += {size})"):
                text(
                    f"tile@_{size}x{vectors}(&sides, from + j * {in_pixel}, {common}, "
                    f"to + j * {out_pixel}, {v0 * self.lanes});"
                )
        if rest:
            text(
                f"tile@_{rest}x{vectors}(&sides, from + {whole * size * in_pixel}, {common}, "
                f"to + {whole * size * out_pixel}, {v0 * self.lanes});"
            )

    # Sums in registers.

    def _tile(self, text: Text, pixels: int, vectors: int) -> None:
        kind, s = TYPES[self.dtype], SUFFIX[self.dtype]
        in_pixel = self.taps.in_step[1] * self.taps.terms
        out_pixel = self.taps.out_step[1] * self.taps.results
        padded = self.vectors * self.lanes
        sums = [[f"s{p}_{v}" for v in range(vectors)] for p in range(pixels)]
        head = (
            f"NOINLINE void tile@_{pixels}x{vectors}(const Sides@ *sides, const {kind} *in, "
            f"const long *at, const long *length, int runs, const {kind} *w, long to, long channel)"
        )
        with text.block(head):
            for row in sums:
                text(f"v{s} " + ", ".join(f"{name} = {{}}" for name in row) + ";")
            with text.block("for (int r = 0; r < runs; r++)"):
                text(f"const {kind} *x = in + at[r];")
                with text.block(f"for (long k = 0; k < length[r]; k++, w += {padded})"):
                    for v in range(vectors):
                        text(f"const v{s} w{v} = load_{s}(w + {v * self.lanes});")
                    for p, row in enumerate(sums):
                        adds = " ".join(f"{name} += x{p} * w{v};" for v, name in enumerate(row))
                        text(f"const {kind} x{p} = x[k + {p * in_pixel}]; {adds}")
            for p, row in enumerate(sums):
                for v, name in enumerate(row):
                    text(
                        f"store@(sides, {name}, to + {p * out_pixel + v * self.lanes}, "
                        f"channel + {v * self.lanes});"
                    )
        text("")

    def _store(self, text: Text, operands: Operands, sides: list[int]) -> None:
        """What follows the sums elementwise, and the store."""
        s, count = SUFFIX[self.dtype], self.taps.results
        with text.block(
            f"static inline void store@(const Sides@ *sides, v{s} sum, long at, long channel)"
        ):
            if self.woven:
                self._store_woven(text, operands, sides)
            elif count % self.lanes == 0:
                self._store_part(text, operands, sides, None)
            else:
                with text.block(f"if (channel + {self.lanes} <= {count})"):
                    self._store_part(text, operands, sides, None)
                with text.block("else"):
                    self._store_part(text, operands, sides, count % self.lanes)
        text("")

    def _store_part(
        self, text: Text, operands: Operands, sides: list[int], lanes: int | None
    ) -> None:
        s = SUFFIX[self.dtype]
        names = {self.anchor.number: "sum"}
        part, comma = ("", "") if lanes is None else ("_part", f", {lanes}")
        for i in sides:
            strides = operands.inputs[i].broadcast_strides(self.node.sizes)
            if operands.inputs[i].dense and operands.inputs[i].shape == self.node.sizes:
                load = f"load{part}_{s}(sides->x{i} + at{comma})"
            elif strides[1] == 1:
                load = f"load{part}_{s}(sides->x{i} + channel{comma})"
            elif strides[1]:
                place = f"sides->x{i} + channel * {strides[1]}, {strides[1]}"
                load = f"load_strided_{s}({place}, {lanes or self.lanes})"
            else:
                load = f"splat_{s}(*sides->x{i})"
            names[i] = f"x{i}"
            text(f"const v{s} x{i} = {load};")
        result = self._after(text, names)
        text(f"store{part}_{s}(sides->y + at, {result}{comma});")

    def _store_woven(self, text: Text, operands: Operands, sides: list[int]) -> None:
        """Each row of classes has neighbouring pixels, in the order of its lanes."""
        s, m = SUFFIX[self.dtype], self.taps.results
        rows, columns = self.taps.out_step
        line = self.taps.out[1] * m
        names = {self.anchor.number: "sum"}
        for i in sides:
            strides = operands.inputs[i].broadcast_strides(self.node.sizes)
            names[i] = f"x{i}"
            if operands.inputs[i].shape == self.node.sizes and operands.inputs[i].dense:
                text(f"v{s} x{i} = {{}};")
                for a in range(rows):
                    read = f"sides->x{i}[at + {a * line} + l]"
                    write = f"x{i}[{a * columns * m} + l] = {read};"
                    text(f"for (int l = 0; l < {columns * m}; l++) {write}")
            elif strides[1]:
                text(f"v{s} x{i} = {{}};")
                read = f"sides->x{i}[l % {m} * {strides[1]}]"
                text(f"for (int l = 0; l < {rows * columns * m}; l++) x{i}[l] = {read};")
            else:
                text(f"const v{s} x{i} = splat_{s}(*sides->x{i});")
        text(f"const v{s} result = {self._after(text, names)};")
        for a in range(rows):
            write = f"sides->y[at + {a * line} + l] = result[{a * columns * m} + l];"
            text(f"for (int l = 0; l < {columns * m}; l++) {write}")

    def _after(self, text: Text, names: Mapping[int, str]) -> str:
        """What follows the sums elementwise; the name of the result."""
        values = [names.get(i, "") for i in range(self.anchor.number + 1)]
        lines, result = statements(self.anchor.after, values, self.dtype)
        text(*lines)
        return result if self.anchor.after else "sum"
