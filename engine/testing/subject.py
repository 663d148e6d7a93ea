"""The subject of a test, and the laws it is tested against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis.strategies import SearchStrategy

from engine.testing.case import Case
from ops import REGISTRY, Operator


@dataclass(frozen=True)
class Subject:
    """An operator, the cases to test it on and the claims made about it.

    Attributes:
        operator: the operator under test.
        cases: a strategy that draws its inputs and attributes.
        oracle: the same function, computed independently: ``(*tensors, **attributes) -> tensor``.
        linear: the inputs in which it is linear (or affine) when the others are fixed.
        analytic: whether its forward also works on complex tensors and is complex differentiable.
    """

    operator: Operator
    cases: SearchStrategy[Case]
    oracle: Callable[..., torch.Tensor] | None = None
    linear: tuple[str, ...] = ()
    analytic: bool = False


@dataclass(frozen=True)
class Law:
    """Something that must hold for every operator on every case.

    Attributes:
        name: a short name.
        check: raises if the law is broken.
        exempt: why the law does not apply to a subject; None if it does.
    """

    name: str
    check: Callable[[Subject, Case], None]
    exempt: Callable[[Subject], str | None] = lambda subject: None

    def __call__(self, subject: Subject, case: Case) -> None:
        """Test one case; raises LawBroken with code that reproduces the failure."""
        try:
            self.check(subject, case)
        except Exception as error:
            raise LawBroken(_explain(self, subject, case, error)) from error

    def __repr__(self) -> str:
        return f"<law {self.name}>"

    @property
    def statement(self) -> str:
        """What the law says, in one line."""
        return (self.check.__doc__ or "").strip().splitlines()[0]


class LawBroken(AssertionError):
    """An operator breaks a law; the message says which, how, and with which case."""


def require(holds: object, message: str) -> None:
    """Raise AssertionError with a message unless a condition holds."""
    if not holds:
        raise AssertionError(message)


def _explain(law: Law, subject: Subject, case: Case, error: Exception) -> str:
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    name = subject.operator.name
    registered = REGISTRY.get(name) is subject.operator
    operator = f"REGISTRY[{name!r}]" if registered else name
    claims = f", linear={subject.linear!r}" if subject.linear else ""
    claims += ", analytic=True" if subject.analytic else ""
    return (
        f"{name} breaks the law {law.name!r}: {kind}{error}\n"
        f"  reproduce it with\n"
        f"    import torch\n"
        f"    from engine.testing import Case, Sample, check_operator\n"
        f"    from ops import REGISTRY\n"
        f"    case = {case!r}\n"
        f"    check_operator({operator}, case{claims})"
    )
