"""Gradients against PyTorch's autograd: at kinks and ties too, in both precisions.

Only at NaN they differ: PyTorch's ``relu`` and ``maximum`` pass the gradient on there and its
``max_pool2d`` takes a window's last NaN, where ours pass nothing on and take the first.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.testing import Case, Subject, require_close
from engine.testing.laws.derivatives import without_gradient
from engine.testing.pullback import Pullback
from tests.ops.subjects import SUBJECTS
from tests.support import torch_gradients

NOT_OURS_TO_MATCH = {
    "sigmoid": "its oracle is the formula, whose own gradient overflows",
    "pool_select": "its oracle chooses by indices, and another one of two equal pixels",
    "pool_route": "its oracle chooses by indices, and another one of two equal pixels",
}
WITH_ORACLE = [
    name
    for name, subject in SUBJECTS.items()
    if subject.oracle and without_gradient(subject) is None and name not in NOT_OURS_TO_MATCH
]


@pytest.mark.parametrize("name", WITH_ORACLE)
@given(data=st.data())
def test_gradient_is_autograds(name: str, data: st.DataObject) -> None:
    subject = SUBJECTS[name]
    case = data.draw(subject.cases)
    finite = (sample.replace(nonfinite=False) for sample in case.inputs)
    assert_gradients_agree(subject, Case(*finite, **case.attributes))


def assert_gradients_agree(subject: Subject, case: Case) -> None:
    """Compare the gradients by all float inputs, for one upstream gradient."""
    assert subject.oracle is not None
    pull, tensors = Pullback(subject.operator, case), case.tensors()
    seed = case.noise(pull.output.shape, "seed").to(pull.output.dtype)
    leaves = [t.detach().requires_grad_(t.dtype.is_floating_point) for t in case.tensors()]
    loss = (subject.oracle(*leaves, **case.attributes) * seed).sum()
    expected = torch_gradients(loss, [leaves[i] for i in pull.wrt])
    for i, ours, theirs in zip(pull.wrt, pull(tensors, seed), expected, strict=True):
        require_close(ours, theirs, f"gradient by input {i} of {case!r}")
