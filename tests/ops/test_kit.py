"""The test kit itself: what it draws, how it fails, and that a user's operator needs one line."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine.testing
from engine.testing import LAYOUTS, Case, LawBroken, Sample, check_operator, floats, samples, shapes
from engine.testing.sample import MARGIN
from ops import Operator, absolute, operator, same_as_input, square

bend = operator(
    "bend",
    infer=same_as_input,
    forward=lambda x: x / (1 + x.abs()),
    vjp=lambda gradient, y, x: gradient * square(1 - absolute(y)),
)
crooked = operator(
    "crooked",
    infer=same_as_input,
    forward=lambda x: x / (1 + x.abs()),
    vjp=lambda gradient, y, x: gradient * square(1 - absolute(y)) * 1.0005,
)


def test_a_users_operator() -> None:
    check_operator(bend, floats(min_size=1), oracle=torch.nn.functional.softsign)


def test_a_failure_prints_what_reproduces_it() -> None:
    with pytest.raises(LawBroken) as caught:
        check_operator(crooked, floats(min_size=1))
    message = str(caught.value)
    assert message.startswith("crooked breaks the law 'vjp': the gradient by x along a direction")
    lines = [line.strip() for line in message.splitlines()[2:]]
    assert "case = Case(Sample(()))" in lines, "it shrinks"
    with pytest.raises(LawBroken):
        exec("\n".join(lines), {})


@pytest.mark.parametrize(
    ("claims", "law"),
    [
        ({"linear": ("x",)}, "linearity"),
        ({"oracle": torch.tanh}, "oracle"),
        ({"analytic": True}, "vjp"),
    ],
)
def test_a_wrong_claim_is_caught(claims: dict[str, Any], law: str) -> None:
    with pytest.raises(LawBroken, match=f"bend breaks the law '{law}'"):
        check_operator(bend, Case(Sample((4,))), **claims)


def test_laws_that_do_not_apply_are_left_out() -> None:
    opaque = operator("opaque", infer=same_as_input, forward=lambda x: x.round())
    check_operator(opaque, floats())
    exempt = {law.name for law in engine.testing.LAWS if law.exempt(_subject(opaque))}
    assert exempt == {"oracle", "vjp", "linearity", "second order"}


def _subject(tried: Operator) -> engine.testing.Subject:
    return engine.testing.Subject(tried, floats())


@given(st.data())
def test_a_sample_is_what_it_prints(data: st.DataObject) -> None:
    sample = data.draw(samples(shapes(), kinks=(0.0,), nonfinite=data.draw(st.booleans())))
    again = eval(repr(sample), {"Sample": Sample, "torch": torch})
    assert again == sample
    assert torch.equal(again.tensor().nan_to_num(), sample.tensor().nan_to_num())


@given(samples(shapes(max_size=6)))
def test_a_layout_does_not_change_the_values(sample: Sample) -> None:
    tensor = sample.tensor()
    assert torch.equal(tensor, sample.values())
    assert tensor.shape == sample.shape


def test_layouts() -> None:
    strides = {layout: Sample((2, 3, 4, 5), layout=layout).tensor().stride() for layout in LAYOUTS}
    assert strides == {
        "contiguous": (60, 20, 5, 1),
        "channels_last": (60, 1, 15, 3),
        "transposed": (1, 2, 6, 24),
        "sliced": (132, 44, 11, 2),
        "expanded": (0, 20, 5, 1),
        "full": (0, 0, 0, 0),
    }


@given(st.integers(0, 255), st.sampled_from(LAYOUTS))
def test_smooth_samples_stay_away_from_kinks(seed: int, layout: str) -> None:
    rough = Sample((5, 5), seed=seed, layout=layout, kinks=(0.0, 1.0), nonfinite=True)
    smooth = rough.replace(smooth=True).tensor()
    assert smooth.isfinite().all()
    for kink in (0.0, 1.0):
        assert ((smooth - kink).abs() >= 0.99 * MARGIN).all()


@given(st.integers(0, 255), st.integers(0, 255))
def test_smooth_samples_do_not_tie(seed: int, other: int) -> None:
    a = Sample((4, 5), seed=seed, ties=0, smooth=True).tensor()
    b = Sample((4, 5), seed=other, ties=1, smooth=True).tensor()
    distances = torch.cat([a.flatten(), b.flatten()]).sort().values.diff()
    assert (distances > MARGIN / 3).all()


def test_rough_samples_visit_kinks_and_ties_and_what_is_not_finite() -> None:
    sample = Sample((20, 20), kinks=(0.0,), nonfinite=True)
    assert (sample.tensor() == 0).sum() > 40
    assert sample.tensor().isnan().any()
    assert sample.tensor().isinf().any()
    tied = Sample((20, 20), ties=0).tensor()
    assert len(tied.unique()) == 5


@settings(max_examples=200)
@given(shapes(min_ndim=1, min_size=0, max_size=3))
def test_shapes_hold_what_was_asked(shape: tuple[int, ...]) -> None:
    assert 1 <= len(shape) <= 4
    assert math.prod(shape) <= 81
