"""Laws of values: forward is correct, and infer predicts its result."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from engine.testing.case import Case
from engine.testing.closeness import require_close, spec_of
from engine.testing.subject import Law, Subject, require
from ops import Dim, Node, Operator, SpecError
from ops.dimension import Size
from ops.spec import Spec


def _matches_oracle(subject: Subject, case: Case) -> None:
    """Forward gives what an independent oracle gives."""
    assert subject.oracle is not None
    forward = subject.operator.forward(*case.tensors(), **case.attributes)
    require_close(forward, subject.oracle(*case.tensors(), **case.attributes), "forward")


def _infers_what_comes(subject: Subject, case: Case) -> None:
    """Infer predicts shape and dtype, refuses what forward cannot take, and agrees for names."""
    operator, tensors = subject.operator, case.tensors()
    node = operator(*tensors, **case.attributes)
    _require_predicted(operator, tensors, case, node)
    _require_same_with_names(operator, tensors, node)
    for wrong in _spoilt(tensors):
        try:
            accepted = operator(*wrong, **case.attributes)
        except SpecError as error:
            _require_located(operator, error)
        else:
            _require_predicted(operator, wrong, case, accepted)


def _require_predicted(
    operator: Operator, tensors: list[torch.Tensor], case: Case, node: Node
) -> None:
    given = [f"{spec_of(tensor)}" for tensor in tensors]
    try:
        result = operator.forward(*tensors, **case.attributes)
    except Exception as error:
        raise AssertionError(
            f"infer takes inputs {given} and gives {node.spec}, forward fails: {error}"
        ) from error
    require(
        spec_of(result) == node.spec,
        f"infer gives {node.spec} for inputs {given}, forward {spec_of(result)}",
    )


def _require_same_with_names(operator: Operator, tensors: list[torch.Tensor], node: Node) -> None:
    # A size of 1 stays a number, since names do not broadcast.
    sizes = {f"D{size}": size for tensor in tensors for size in tensor.shape}
    named = [
        spec_of(tensor).with_shape(
            size if size == 1 else Dim.named(f"D{size}") for size in tensor.shape
        )
        for tensor in tensors
    ]
    try:
        inferred = operator.infer(*named, **node.attributes)
    except SpecError:
        return  # some operators need known sizes
    bound = inferred.bind(sizes)
    require(bound == node.spec, f"infer gives {inferred}, with {sizes} {bound}, not {node.spec}")


def _spoilt(tensors: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """The inputs, one of them changed in rank, size or dtype."""
    for i, tensor in enumerate(tensors):
        specs = [spec_of(tensor).with_shape(s) for s in _other_shapes(tuple(tensor.shape))]
        specs += [Spec(tuple(tensor.shape), dtype) for dtype in _other_dtypes(tensor)]
        for other in specs:
            wrong = torch.ones(other.sizes, dtype=other.dtype)
            yield [*tensors[:i], wrong, *tensors[i + 1 :]]


def _other_dtypes(tensor: torch.Tensor) -> list[torch.dtype]:
    dtypes = (torch.float32, torch.float64, torch.bool, torch.int64)
    return [dtype for dtype in dtypes if dtype != tensor.dtype]


def _other_shapes(shape: tuple[int, ...]) -> Iterator[tuple[Size, ...]]:
    yield (1, *shape)
    yield shape[1:]
    for axis, size in enumerate(shape):
        for other in {0, size - 1, size + 1} - {-1, size}:
            yield (*shape[:axis], other, *shape[axis + 1 :])


def _require_located(operator: Operator, error: SpecError) -> None:
    message = str(error)
    complete = message.startswith(f"{operator.name}: ") and "given: " in message
    require(complete, f"a refusal that does not name the operator and what was given: {message}")


ORACLE = Law(
    "oracle", _matches_oracle, lambda subject: None if subject.oracle else "no oracle is given"
)
INFER = Law("infer", _infers_what_comes)
