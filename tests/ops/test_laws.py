"""Every operator in the registry must obey every law."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from engine.kernels import convolution, patches, pieces
from engine.testing import LAWS, Law
from engine.testing.laws import KERNEL_EQUALITY
from ops import REGISTRY
from tests.ops.records import CASES, LAW_EXAMPLES
from tests.ops.subjects import NO_FORWARD, SUBJECTS

PACKAGE = str(Path(ops.__file__).parent)
OURS = sorted(name for name, o in REGISTRY.items() if o.declared_in.startswith(PACKAGE))
"""The operators that the package declares; tests and doctests declare others."""


@pytest.mark.parametrize("name", OURS)
def test_every_operator_is_on_trial(name: str) -> None:
    assert name in SUBJECTS or name in NO_FORWARD, f"{name} has no strategy in tests/ops/subjects"


@pytest.mark.parametrize(
    ("name", "law"),
    [
        pytest.param(name, law, id=f"{name}-{law.name.replace(' ', '-')}")
        for name in sorted(SUBJECTS)
        for law in LAWS
        if law.exempt(SUBJECTS[name]) is None
    ],
)
@settings(max_examples=LAW_EXAMPLES)
@given(data=st.data())
def test_law(name: str, law: Law, data: st.DataObject) -> None:
    subject = SUBJECTS[name]
    law(subject, data.draw(subject.cases))
    CASES[name, law.name] += 1


@pytest.mark.parametrize("tile_bytes", [1, 200, 1000])
@pytest.mark.parametrize("name", ["conv2d", "conv2d_input_gradient", "conv2d_weight_gradient"])
@settings(max_examples=LAW_EXAMPLES)
@given(data=st.data())
def test_kernels_cut_into_tiles(name: str, tile_bytes: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "TILE_BYTES", tile_bytes)
        KERNEL_EQUALITY(SUBJECTS[name], data.draw(SUBJECTS[name].cases))


@pytest.mark.parametrize("elements", [1, 5])
@pytest.mark.parametrize("name", ["greater", "leaky_relu", "softplus", "where"])
@settings(max_examples=LAW_EXAMPLES)
@given(data=st.data())
def test_kernels_piece_by_piece(name: str, elements: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", elements)
        KERNEL_EQUALITY(SUBJECTS[name], data.draw(SUBJECTS[name].cases))


@settings(max_examples=LAW_EXAMPLES)
@given(data=st.data())
def test_weight_gradients_added_up_across(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "VECTOR", 2)
        subject = SUBJECTS["conv2d_weight_gradient"]
        KERNEL_EQUALITY(subject, data.draw(subject.cases))
