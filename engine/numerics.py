"""``check_numerics``: find the first NaN or infinity and the step that produced it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from engine.kernels.kernel import Run
from ops import Node, NumericsError
from ops.leaves import parameter
from ops.spec import FLOATS


def require_finite_leaves(tensors: Mapping[Node, torch.Tensor], fed: Iterable[Node]) -> None:
    """Refuse inputs and parameters that are not finite.

    Raises:
        NumericsError: names the leaf and the line that declared it.
    """
    parameters = [node for node in tensors if node.operator is parameter]
    for node in (*fed, *parameters):
        if found := _not_finite(tensors[node]):
            raise NumericsError(
                f"{node.operator.name} {node.name!r} {node.spec} holds {found}\n"
                f"  declared at {node.provenance}"
            )


def run_checked(node: Node, run: Run, tensors: Mapping[Node, torch.Tensor]) -> None:
    """Run one step and refuse a result that is not finite.

    Raises:
        NumericsError: names the operator, its inputs and result, and the user's line.
    """
    # Before the step, which may overwrite its inputs. Only constants can be non-finite here.
    specs = ", ".join(str(source.spec) for source in node.inputs)
    found_before = [(source, _not_finite(tensors[source])) for source in node.inputs]
    bad = [f"{source.spec} held {found}" for source, found in found_before if found]
    run()
    if found := _not_finite(tensors[node]):
        origin = node.provenance
        forward = origin.forward
        what = "the graph" if forward is None else f"the gradient of {forward.operator.name}"
        raise NumericsError(
            f"{node.operator.name} made {found} in {what}, first of all steps\n"
            f"  its inputs ({specs}) {'; '.join(bad) or 'were all finite'}\n  at {origin}"
        )


def _not_finite(tensor: torch.Tensor) -> str | None:
    if tensor.dtype not in FLOATS or bool(tensor.isfinite().all()):
        return None
    nans, infinities = int(tensor.isnan().sum()), int(tensor.isinf().sum())
    return f"{nans} NaN and {infinities} infinite of {tensor.numel()} elements"
