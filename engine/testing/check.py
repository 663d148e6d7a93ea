"""Test an operator against all laws in one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.testing.case import Case
from engine.testing.laws import LAWS
from engine.testing.subject import Law, Subject
from ops import Operator


def check_operator(
    operator: Operator,
    cases: Case | SearchStrategy[Case],
    *,
    oracle: Callable[..., torch.Tensor] | None = None,
    linear: Iterable[str] = (),
    analytic: bool = False,
    laws: Sequence[Law] = LAWS,
) -> None:
    """Test an operator against the laws, on cases drawn by Hypothesis with its current settings.

    Args:
        operator: the operator under test.
        cases: a strategy that draws its inputs and attributes, or one case to reproduce.
        oracle: the same function, computed independently: ``(*tensors, **attributes) -> tensor``.
        linear: the inputs in which it is linear (or affine) when the others are fixed.
        analytic: whether its forward also works on complex tensors and is complex differentiable;
            its derivative is then measured to rounding error.
        laws: the laws to test; by default all.

    Raises:
        LawBroken: with the smallest failing case found and code that reproduces it.

    >>> from engine.testing import floats
    >>> from ops import operator, same_as_input
    >>> bell = operator(
    ...     "bell",
    ...     infer=same_as_input,
    ...     forward=lambda x: (-x * x).exp(),
    ...     vjp=lambda gradient, y, x: gradient * y * (-2 * x),
    ... )
    >>> check_operator(bell, floats(min_size=1), analytic=True)
    """
    drawn = st.just(cases) if isinstance(cases, Case) else cases
    subject = Subject(operator, drawn, oracle, tuple(linear), analytic)
    for law in laws:
        if law.exempt(subject) is None:
            _hold(subject, law)


def _hold(subject: Subject, law: Law) -> None:
    def holds(case: Case) -> None:
        law(subject, case)

    # Hypothesis remembers failures by name.
    holds.__name__ = re.sub(r"\W", "_", f"{law.name}_{subject.operator.name}")
    given(subject.cases)(holds)()
