"""The law of kernels: every way to compute a node agrees with its operator's forward."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.compile import compile
from engine.interpret import interpret
from engine.kernels import KERNELS, Kernel
from engine.kernels.kernel import Run
from engine.lowering import REFERENCE
from engine.testing.arrangement import Arrangement, Memory
from engine.testing.case import Case
from engine.testing.closeness import require_close, require_same_bits
from engine.testing.laws.derivatives import without_gradient
from engine.testing.pullback import Pullback
from engine.testing.subject import Law, Subject


def _kernels_equal_forward(subject: Subject, case: Case) -> None:
    """torch's kernels and the compiled program give what forward gives, and write all of it."""
    for kernel in KERNELS.get(subject.operator.name) or [REFERENCE]:
        require_kernel(subject, case, kernel)
    if without_gradient(subject) is None:
        _require_compiled(subject, case)


def require_kernel(subject: Subject, case: Case, kernel: Kernel) -> bool:
    """Require a kernel to agree with forward; returns whether it supports the case.

    Raises:
        AssertionError: its result differs or is incomplete, or it writes where it must not.
    """
    arranged = Arrangement(subject.operator, case)
    if not kernel.supports(arranged.node):
        return False
    _require_equal(subject, case, arranged, kernel)
    for number in kernel.overwrites(arranged.node):
        _require_in_place(subject, case, kernel, number)
    return True


def _require_equal(subject: Subject, case: Case, arranged: Arrangement, kernel: Kernel) -> None:
    what = f"kernel {kernel.name!r}"
    out, scratch = arranged.result(), arranged.workspaces(kernel)
    run = _prepared(kernel, arranged, out.tensor, scratch)
    expected = _forward(subject, arranged.tensors, case)
    before = [tensor.clone() for tensor in arranged.tensors]
    for flip in (False, True):
        for memory in (out, *scratch):
            memory.poison(flip)
        run()
        require_close(out.tensor, expected, what)
    for i, (tensor, untouched) in enumerate(zip(arranged.tensors, before, strict=True)):
        require_same_bits(tensor, untouched, f"input {i} after {what}")
    arranged.refill()
    run()  # again, in the memory that the last run left behind
    require_close(out.tensor, _forward(subject, arranged.tensors, case), f"{what}, run again")
    for memory in (out, *scratch):
        memory.require_guarded(f"what {what} writes")


def _require_in_place(subject: Subject, case: Case, kernel: Kernel, number: int) -> None:
    """Test a kernel's claim that the result may overwrite an input, if their layouts match."""
    arranged, what = Arrangement(subject.operator, case), f"kernel {kernel.name!r}"
    apart, within, scratch = arranged.result(), arranged.result(), arranged.workspaces(kernel)
    donor = arranged.tensors[number]
    if _lying(donor) != _lying(within.tensor):
        return
    _prepared(kernel, arranged, apart.tensor, scratch)()
    within.tensor.copy_(donor)
    arranged.tensors[number] = within.tensor
    _prepared(kernel, arranged, within.tensor, scratch)()
    require_same_bits(within.tensor, apart.tensor, f"{what} into the memory of input {number}")
    within.require_guarded(f"what {what} writes in place")


def _require_compiled(subject: Subject, case: Case) -> None:
    pull, tensors = Pullback(subject.operator, case), case.tensors()
    seed = case.noise(pull.output.shape, "seed").to(pull.output.dtype)
    graph = pull.graph()
    feeds = pull.feeds(tensors, seed, graph)
    program, expected = compile(graph), interpret(graph, feeds)
    for run in ("first", "second"):
        for name, value in program(**feeds).items():
            require_close(value, expected[name], f"{name} of the compiled program's {run} run")


def _prepared(
    kernel: Kernel, arranged: Arrangement, out: torch.Tensor, scratch: Sequence[Memory]
) -> Run:
    workspaces = [memory.tensor for memory in scratch]
    return kernel.prepare(arranged.node, out, arranged.tensors, workspaces)


def _forward(subject: Subject, tensors: Sequence[torch.Tensor], case: Case) -> torch.Tensor:
    copies = [tensor.clone() for tensor in tensors]
    return subject.operator.forward(*copies, **case.attributes)


def _lying(tensor: torch.Tensor) -> tuple[object, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype


KERNEL_EQUALITY = Law("kernels", _kernels_equal_forward)
