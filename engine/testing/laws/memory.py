"""Laws of memory: only the result is written, and it is the same every time."""

from __future__ import annotations

import torch

from engine.testing.case import Case
from engine.testing.closeness import require_same_bits
from engine.testing.laws.derivatives import without_gradient
from engine.testing.pullback import Pullback
from engine.testing.subject import Law, Subject, require


def _has_no_side_effects(subject: Subject, case: Case) -> None:
    """Neither inputs nor the upstream gradient change, and no result lies in an input's memory."""
    operator, tensors = subject.operator, case.tensors()
    before = [_memory(tensor).clone() for tensor in tensors]
    result = operator.forward(*tensors, **case.attributes)
    for i, tensor in enumerate(tensors):
        require_same_bits(_memory(tensor), before[i], f"input {i} after forward")
        require(not _share_memory(result, tensor), f"the result lies in the memory of input {i}")
    if without_gradient(subject) is None:
        _require_pure_gradient(subject, case)


def _require_pure_gradient(subject: Subject, case: Case) -> None:
    pull, tensors = Pullback(subject.operator, case), case.tensors()
    seed = case.noise(pull.output.shape, "seed").to(pull.output.dtype)
    before = [_memory(tensor).clone() for tensor in (*tensors, seed)]
    pull(tensors, seed)
    for i, tensor in enumerate((*tensors, seed)):
        name = f"input {i}" if i < len(tensors) else "the upstream gradient"
        require_same_bits(_memory(tensor), before[i], f"{name} after the gradient")


def _gives_the_same_bits(subject: Subject, case: Case) -> None:
    """Twice in a row, forward and gradient give the same bits."""
    operator = subject.operator
    first, second = (operator.forward(*case.tensors(), **case.attributes) for _ in range(2))
    require_same_bits(second, first, "forward, the second time")
    if without_gradient(subject) is None:
        pull, tensors = Pullback(operator, case), case.tensors()
        seed = case.noise(pull.output.shape, "seed").to(pull.output.dtype)
        for a, b in zip(pull(tensors, seed), pull(tensors, seed), strict=True):
            require_same_bits(b, a, "the gradient, the second time")


def _memory(tensor: torch.Tensor) -> torch.Tensor:
    """All of a tensor's storage, including gaps between its elements."""
    return torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())


def _share_memory(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.numel() > 0 and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


NO_SIDE_EFFECTS = Law("no side effects", _has_no_side_effects)
SAME_BITS = Law("same bits", _gives_the_same_bits)
