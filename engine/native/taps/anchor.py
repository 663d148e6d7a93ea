"""Which nodes are sums of taps: a convolution or its input gradient, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.kernels.movement import VIEWS
from engine.native.code.elements import float_type
from engine.native.code.expression import is_elementwise
from engine.native.code.operand import Operand
from engine.native.taps import forms
from engine.native.taps.geometry import WHOLE, Taps
from ops import Node
from ops.fused import Body, Computation, body_of
from ops.leaves import full, is_constant
from ops.phases import are_tap_sums
from ops.spec import FLOATS

LARGEST_WEIGHT = 3 << 19
"""Bytes: 209 channels to as many by 3x3 taps in float32. The code reads the whole weight again for
each tile of pixels; one that does not stay in the cache is left to the library that torch calls,
which was measured to be up to twice as fast with 256 and 512 channels."""


@dataclass(frozen=True)
class Anchor:
    """The convolution within a node's body.

    Attributes:
        step: the convolution.
        phases: whether it is a convolution of phases, or the gradient of one.
        upsampled: whether the weight is the one before its taps are summed for the phases: then
            the node is a 3x3 convolution of the image upsampled twofold.
        image, weight: its inputs, by their numbers among the node's inputs.
        number: the number of its result (its interleaved phases, if any) among the body's values.
        after: the elementwise instructions that follow.
    """

    step: Computation
    phases: bool
    image: int
    weight: int
    number: int
    after: Body
    upsampled: bool = False

    @property
    def sides(self) -> list[int]:
        """The node's inputs that are read alongside the result, by number."""
        return sorted({i for step in self.after for i in step.sources if i < self.number})


def find_anchor(node: Node) -> Anchor | None:
    """The convolution that a node's body begins with, or None."""
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
    if names[:3] == ["phase_weight", "conv2d", "interleave_phases"]:
        (weight, sums), (image, between) = body[0].sources, body[1].sources
        if between == inputs and _upsamples(body[1]) and are_tap_sums(node.inputs[sums]):
            return Anchor(body[1], True, image, weight, inputs + 2, body[3:], upsampled=True)
    if names[:2] == ["separate_phases", "conv2d_input_gradient"]:
        (image,), (between, weight) = body[0].sources, body[1].sources
        if between == inputs:
            return Anchor(body[1], True, image, weight, inputs + 1, body[2:])
    return None


def supports(node: Node) -> bool:
    """Whether a node is a sum of taps whose weight is used as given, not summed for phases."""
    anchor = find_anchor(node)
    return anchor is not None and not anchor.upsampled and is_sum_of_taps(node)


def stays_in_cache(node: Node) -> bool:
    """Whether the weight of a sum of taps does."""
    anchor = find_anchor(node)
    return anchor is not None and node.inputs[anchor.weight].spec.nbytes <= LARGEST_WEIGHT


def keeps(node: Node) -> bool:
    """Whether the weight is a constant, so that it is packed only once."""
    anchor = find_anchor(node)
    return anchor is not None and is_constant(node.inputs[anchor.weight])


def is_sum_of_taps(node: Node) -> bool:
    """Whether a node is a convolution, perhaps with elementwise operators after it."""
    anchor = find_anchor(node)
    if anchor is None or not _is_computed(node, anchor):
        return False
    return can_group(anchor.step, node.sizes[1], anchor.phases)


def can_group(step: Computation, results: int, phases: bool) -> bool:
    """Whether there is one group or, without phases, groups whose results are whole vectors."""
    groups = step.attributes["groups"]
    return groups == 1 or (not phases and results // groups % WHOLE == 0)


def is_depthwise(node: Node) -> bool:
    """The same for a convolution with as many groups as channels in and out, without phases."""
    anchor = find_anchor(node)
    if anchor is None or anchor.phases or not _is_computed(node, anchor):
        return False
    groups, weight = anchor.step.attributes["groups"], node.inputs[anchor.weight].sizes
    return groups > 1 and weight[:2] == (groups, 1)


def _is_computed(node: Node, anchor: Anchor) -> bool:
    """Whether a node is one float type's convolution, whatever its groups, and what may follow."""
    if float_type(node) is None:
        return False
    if anchor.phases and anchor.step.attributes["stride"] != (1, 1):
        return False
    if max(anchor.image, anchor.weight) >= len(node.inputs):
        return False
    return (
        all(map(is_elementwise, anchor.after))
        and all(i < len(node.inputs) and _is_side(node.inputs[i], node) for i in anchor.sides)
        and 0 not in node.sizes
    )


def overwritten(node: Node) -> list[int]:
    """The inputs that the result may overwrite: each vector is last read just before its store."""
    anchor = find_anchor(node)
    assert anchor is not None
    return [i for i in anchor.sides if i not in (anchor.image, anchor.weight)]


def _is_side(value: Node, node: Node) -> bool:
    """Whether a value can be read alongside the result: one like it, a channel row, a number."""
    if value.dtype not in FLOATS:
        return False
    if value.sizes == node.sizes and value.operator.name not in VIEWS:
        return value.operator is not full
    repeated = value.inputs[0] if value.operator.name == "expand" else value
    shape = (1,) * (4 - repeated.ndim) + repeated.sizes
    return shape in ((1, node.sizes[1], 1, 1), (1, 1, 1, 1))


def _upsamples(phases: Computation) -> bool:
    """Whether phases convolved this way form an image twice as large as the one that is read."""
    a = phases.attributes
    return (a["stride"], a["padding"], a["dilation"]) == ((1, 1), (1, 1), (1, 1))


def taps_of(node: Node, anchor: Anchor, weight: Operand) -> Taps:
    """The sum of taps that an anchor computes."""
    image = node.inputs[anchor.image].sizes
    if anchor.upsampled:
        return forms.upsampled_convolution(image, weight)
    if anchor.step.operator.name == "conv2d":
        form = forms.phase_convolution if anchor.phases else forms.convolution
        return form(anchor.step, image, weight)
    back = forms.phase_input_gradient if anchor.phases else forms.input_gradient
    return back(anchor.step, image, weight)
