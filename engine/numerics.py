"""``check_numerics``: find the first NaN or infinity, and who made it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.kernels.kernel import Run
from ops import Node, NumericsError
from ops.spec import FLOATS


def require_finite_leaves(tensors: Mapping[Node, torch.Tensor], stage_inputs: set[Node]) -> None:
    """Refuse inputs, parameters and constants that are not finite.

    Raises:
        NumericsError: naming the leaf.
    """
    for node, tensor in tensors.items():
        is_leaf = not node.inputs and (node.operator.name != "input" or node in stage_inputs)
        if is_leaf and (found := _not_finite(tensor)):
            raise NumericsError(f"{node.operator.name} {node.name or ''} {node.spec} holds {found}")


def run_checked(node: Node, run: Run, tensors: Mapping[Node, torch.Tensor]) -> None:
    """Run one step, all its inputs being finite, and refuse a result that is not.

    Raises:
        NumericsError: naming the operator, what it made of what, and the user's line.
    """
    run()
    if found := _not_finite(tensors[node]):
        origin = node.provenance
        forward = origin.forward
        what = "the graph" if forward is None else f"the gradient of {forward.operator.name}"
        inputs = ", ".join(str(source.spec) for source in node.inputs)
        raise NumericsError(
            f"{node.operator.name} made {found} in {what}, first of all steps\n"
            f"  its inputs ({inputs}) were all finite\n  at {origin}"
        )


def _not_finite(tensor: torch.Tensor) -> str | None:
    if tensor.dtype not in FLOATS or bool(tensor.isfinite().all()):
        return None
    nans, infinities = int(tensor.isnan().sum()), int(tensor.isinf().sum())
    return f"{nans} NaN and {infinities} infinite of {tensor.numel()} elements"
