"""Every operator of the registry is held to every law."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.testing import LAWS, Law
from ops import REGISTRY
from tests.ops.subjects import NO_FORWARD, SUBJECTS

OURS = sorted(name for name, operator in REGISTRY.items() if "/ops/" in operator.declared_in)
"""The operators that the package declares; tests and doctests declare others."""


@pytest.mark.parametrize("name", OURS)
def test_every_operator_is_on_trial(name: str) -> None:
    assert name in SUBJECTS or name in NO_FORWARD, f"{name} has no strategy in tests/ops/subjects"


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name.replace(" ", "-"))
@pytest.mark.parametrize("name", sorted(SUBJECTS))
@given(data=st.data())
def test_law(name: str, law: Law, data: st.DataObject) -> None:
    subject = SUBJECTS[name]
    if law.exempt(subject) is None:
        law(subject, data.draw(subject.cases))
