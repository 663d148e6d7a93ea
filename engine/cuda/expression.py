"""Elementwise operators as Triton expressions on blocks, in float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch

from ops import Node
from ops.fused import Computation, Instruction, body_of
from ops.leaves import full

# exp, log and division are accurate to a few roundings; NaN behaves as in torch.
EXPRESSIONS: dict[str, str] = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "copy": "{0}",
    "exp": "tl.exp({0})",
    "log": "tl.log({0})",
    "sqrt": "tl.sqrt_rn({0})",
    "square": "{0} * {0}",
    "sign": "tl.where({0} > 0, 1.0, tl.where({0} < 0, -1.0, 0.0))",
    "abs": "tl.abs({0})",
    "maximum": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "minimum": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "where": "tl.where({0}, {1}, {2})",
    "relu": "tl.where({0} < 0, 0.0, {0})",
    "leaky_relu": "tl.where({0} > 0, {0}, {0} * {negative_slope})",
    "sigmoid": "1.0 / (1.0 + tl.exp(-{0}))",
    "tanh": "tanh({0})",
    "softplus": "softplus({0}, {beta}, {threshold})",
}
"""What each operator computes from its inputs {0}, {1}, ... and its attributes."""

KERNEL = """\
import triton
import triton.language as tl

from engine.cuda.triton_convolution import correlated
from engine.cuda.triton_functions import softplus, tanh


@triton.jit
def kernel({parameters}):
    {lines}
"""

Place = Callable[[torch.Tensor], tuple[torch.Tensor, str]]

DTYPES = (torch.float32, torch.bool)


def is_elementwise(instruction: Computation) -> bool:
    """Whether an instruction can be part of an expression."""
    return instruction.operator.name in EXPRESSIONS and instruction.spec.dtype in DTYPES


def has_dtypes(node: Node) -> bool:
    """Whether everything that a node reads or returns can be loaded and stored."""
    return all(value.dtype in DTYPES for value in (node, *node.inputs))


class Statements:
    """The lines of a kernel that compute a node's elementwise instructions.

    Args:
        node: the node that has the instructions.
        inputs: its inputs; those that are read are loaded from x0, x1, ...
        place: maps an input to the part of it that is loaded, and to an expression for the offsets
            of the elements computed at once.
        known: the names of values that are already computed, by number.

    Attributes:
        lines: the lines, in order.
        loaded: the tensors to pass as x0, x1, ...
        names: the names of all values, inputs first, then results, by number.
        result: the name of the node's value.
    """

    def __init__(
        self,
        node: Node,
        inputs: Sequence[torch.Tensor],
        place: Place,
        known: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self.lines: list[str] = []
        self.loaded: list[torch.Tensor] = []
        self.names = dict(known)
        steps = [(i, step) for i, step in enumerate(body_of(node), len(inputs)) if i not in known]
        read = {source for _, step in steps for source in step.sources}
        for i, (value, tensor) in enumerate(zip(node.inputs, inputs, strict=True)):
            if i in read:
                self.names[i] = _literal(value) or self._load(tensor, place)
        for i, step in steps:
            if is_elementwise(step):
                self.lines.append(f"t{i} = {_expression(step, self.names)}")
                self.names[i] = f"t{i}"
        self.result = self.names[max(self.names)]

    def _load(self, tensor: torch.Tensor, place: Place) -> str:
        number, (part, offset) = len(self.loaded), place(tensor)
        self.lines.append(f"v{number} = tl.load(x{number} + {offset}, mask=inside)")
        self.loaded.append(part)
        return f"v{number}"


def place_by_count(sizes: Sequence[int], order: Sequence[int]) -> Place:
    """Places the elements numbered ``i`` in a tensor broadcast to ``sizes``.

    They are counted through the axes in ``order``, from the outermost to the innermost.
    """

    def place(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
        strides = tensor.expand(tuple(sizes)).stride()
        offset = _offset([sizes[axis] for axis in order], [strides[axis] for axis in order])
        return tensor, offset

    return place


def kernel_source(
    loaded: Sequence[torch.Tensor], lines: Sequence[str], operands: Sequence[str] = ()
) -> str:
    """The source of a kernel of ``operands``, tensors x0, x1, ... and the result ``out``."""
    parameters = ", ".join([*operands, *(f"x{i}" for i in range(len(loaded))), "out"])
    return KERNEL.format(parameters=parameters, lines="\n    ".join(lines))


def index_type(tensors: Sequence[torch.Tensor]) -> str:
    """A conversion to 64 bits if 32 bits cannot index every tensor's last element, else empty."""
    furthest = max(
        sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True)) for x in tensors
    )
    return ".to(tl.int64)" if furthest >= 1 << 31 else ""


def _expression(instruction: Instruction, names: Mapping[int, str]) -> str:
    numbers = {name: _number(value) for name, value in instruction.attributes.items()}
    arguments = (names[i] for i in instruction.sources)
    return EXPRESSIONS[instruction.operator.name].format(*arguments, **numbers)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else f'float("{value}")'


def _offset(sizes: Sequence[int], strides: Sequence[int]) -> str:
    """The offset of element ``i``, counted through axes from the outermost to the innermost."""
    axes: list[list[int]] = []  # [size, stride], merged where they are contiguous
    for size, stride in zip(sizes, strides, strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1] == stride * size:
            axes[-1] = [axes[-1][0] * size, stride]
        else:
            axes.append([size, stride])
    terms, inner = [], 1
    for position, (size, stride) in reversed(list(enumerate(axes))):
        index = "i" if inner == 1 else f"i // {inner}"
        index += f" % {size}" if position else ""
        if stride:
            terms.append(index if stride == 1 else f"{index} * {stride}")
        inner *= size
    return f"({' + '.join(terms) or 'i * 0'})"


def _literal(node: Node) -> str | None:
    """The literal of a constant fill, if Triton keeps it as float32 and unchanged; else None."""
    if node.operator is not full or node.dtype != torch.float32:
        return None
    value = float(node.attributes["value"])
    # Triton turns -0 into 0, and numbers out of float32's range into float64.
    positive_zero = value == 0 and math.copysign(1, value) > 0
    return repr(value) if positive_zero or 1e-37 < abs(value) < 1e38 else None
