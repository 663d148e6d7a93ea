"""Chains of modules, against the same chains in torch.nn."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from graphs import (
    SGD,
    Conv2d,
    MaxPool2d,
    Model,
    Module,
    NearestUpsampling,
    ReLU,
    Sequential,
    Sigmoid,
    Upsampling,
)
from graphs.architectures import report_network
from ops import FeedError, GraphError, Node
from tests.graphs.twins import Twins, equal_weights, random_twins
from tests.support import DOUBLE, assert_near, values

SHAPE = (2, 4, 7, 6)
PARTS = ("weight", "bias")


def small() -> Twins:
    ours = Sequential(Conv2d(4, 3, 3, padding=1, dtype=DOUBLE), ReLU(), MaxPool2d(2), Sigmoid())
    theirs = nn.Sequential(
        nn.Conv2d(4, 3, 3, padding=1, dtype=DOUBLE), nn.ReLU(), nn.MaxPool2d(2), nn.Sigmoid()
    )
    return equal_weights(ours, theirs)


def compare(ours: Module, theirs: nn.Module, x: torch.Tensor, passes: int = 1) -> None:
    """Outputs, input gradients, and parameter gradients accumulated over some passes."""
    theirs.zero_grad()
    ours.zero_grad()
    for i in range(passes):
        t = (x + i / 10).requires_grad_()
        expected = theirs(t)
        assert_near(ours.forward(x + i / 10), expected, scale=10)
        upstream = values(*expected.shape, seed=i)
        expected.backward(upstream)
        slope = ours.backward(upstream)
        assert isinstance(slope, torch.Tensor)
        if t.grad is not None:
            assert_near(slope, t.grad, scale=10)
    parameters = list(theirs.parameters())
    assert len(ours.param()) == len(parameters)
    for (value, slope), parameter in zip(ours.param(), parameters, strict=True):
        assert parameter.grad is not None
        assert_near(value, parameter)
        assert_near(slope, parameter.grad, scale=10)


@given(random_twins(SHAPE), st.integers(1, 3))
def test_random_modules(twins: Twins, passes: int) -> None:
    compare(*twins, values(*SHAPE), passes)


@given(random_twins(SHAPE))
def test_names_are_those_of_pytorchs_state_dict(twins: Twins) -> None:
    ours, theirs = twins
    assert list(ours.state()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state()[name], value)


def test_an_empty_one_changes_nothing() -> None:
    net = Sequential()
    x = values(2, 3)
    assert torch.equal(net.forward(x), x)
    assert torch.equal(net.backward(x * 2), x * 2)
    assert net.param() == []
    SGD(0.1, net).step()


def test_param_is_weight_before_bias_in_module_order_and_live() -> None:
    first, second = Conv2d(4, 2, 3), Conv2d(2, 3, 1, bias=False)
    net = Sequential(first, ReLU(), second)
    assert ReLU().param() == []
    tensors = [value for value, _ in net.param()]
    assert [tuple(value.shape) for value in tensors] == [(2, 4, 3, 3), (2,), (3, 2, 1, 1)]
    x = values(1, 4, 5, 5).float()
    before = net.forward(x)
    tensors[2].zero_()
    assert torch.equal(net.forward(x), torch.zeros_like(before))
    assert not second.weight.any()
    slopes = [slope for _, slope in net.param()]
    net.backward(torch.ones(1, 3, 3, 3))
    assert slopes[2].any()
    net.zero_grad()
    assert not any(slope.any() for slope in slopes)


def test_gradients_accumulate_until_zero_grad() -> None:
    ours, theirs = small()
    x = values(*SHAPE)
    compare(ours, theirs, x, passes=3)
    compare(ours, theirs, x, passes=2)  # zero_grad came first


def test_backward_needs_a_forward_each_time() -> None:
    net, _ = small()
    with pytest.raises(GraphError, match=r"Sequential.backward: call forward before each backward"):
        net.backward(torch.ones(1))
    y = net.forward(values(*SHAPE))
    net.backward(y)
    with pytest.raises(GraphError, match="call forward before each backward"):
        net.backward(y)


def test_after_a_wrong_gradient_the_right_one_is_taken() -> None:
    net, _ = small()
    y = net.forward(values(*SHAPE))
    with pytest.raises(FeedError, match="gradient0"):
        net.backward(y[:, :, 1:])
    net.backward(y)


@pytest.mark.parametrize("channels", [8, 256])
def test_a_step_between_forward_and_backward_is_noticed(channels: int) -> None:
    """Also where the optimizer's program is native code, whose writes torch does not count."""
    net = Sequential(Conv2d(64, channels, 3, padding=1), Conv2d(channels, 64, 3, padding=1))
    optimizer = SGD(lr=0.1, model=net)
    y = net.forward(values(1, 64, 8, 8).float())
    optimizer.step()
    with pytest.raises(GraphError, match="a parameter has changed since forward"):
        net.backward(y)


def test_a_part_of_two_modules_has_a_name_in_each() -> None:
    class Chain(Module):
        def __init__(self, **parts: Module) -> None:
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def build(self, *inputs: Node) -> Node:
            (value,) = inputs
            for part in self._parts.values():
                value = part(value)
            return value

    shared = Conv2d(3, 3, 1)
    first = Chain(encode=shared, decode=Conv2d(3, 3, 1))
    x = values(1, 3, 4, 4).float()
    expected = first.forward(x)
    second = Chain(decode=shared)
    assert torch.equal(second.forward(x), shared.forward(x))
    assert torch.equal(first.forward(x[:, :, :3]), expected[:, :, :3])
    assert list(first.state()) == [f"{n}.{p}" for n in ("encode", "decode") for p in PARTS]


def test_parts_that_are_replaced_or_removed_are_gone() -> None:
    class Pair(Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = Conv2d(3, 3, 1), Conv2d(3, 3, 1)

    assert list(Pair().state()) == [f"{n}.{p}" for n in "ab" for p in PARTS]
    pair = Pair()
    pair.a = None
    assert list(pair.state()) == [f"b.{p}" for p in PARTS]
    pair = Pair()
    del pair.b
    assert len(pair.param()) == 2
    pair = Pair()
    pair.a = Conv2d(1, 1, 1)
    assert list(pair.state()) == [f"{n}.{p}" for n in "ab" for p in PARTS]


def test_forward_takes_tensors() -> None:
    with pytest.raises(GraphError, match=r"Sequential.forward: expected tensors, got list"):
        small()[0].forward([1.0])


def test_the_output_is_the_callers() -> None:
    net, _ = small()
    first = net.forward(values(*SHAPE))
    kept = first.clone()
    slope = net.backward(torch.ones_like(first))
    assert isinstance(slope, torch.Tensor)
    kept_slope = slope.clone()
    net.backward(torch.zeros_like(net.forward(values(*SHAPE, seed=1))))
    assert torch.equal(first, kept)
    assert torch.equal(slope, kept_slope)


def test_two_forwards_then_backward_refers_to_the_latest() -> None:
    ours, theirs = small()
    ours.forward(values(*SHAPE))
    x = values(3, 4, 9, 9, seed=2)
    compare(ours, theirs, x)


def test_parts_work_alone_and_inside() -> None:
    ours, theirs = small()
    x = values(*SHAPE)
    y = x
    for part in ours:
        y = part.forward(y)
    assert_near(y, theirs(x))
    upstream = values(*y.shape, seed=3)
    alone = upstream
    for part in reversed(list(ours)):
        alone = part.backward(alone)
    by_parts = [slope.clone() for _, slope in ours.param()]
    ours.zero_grad()
    ours.forward(x)
    assert_near(ours.backward(upstream), alone)
    for slope, (_, whole) in zip(by_parts, ours.param(), strict=True):
        assert_near(whole, slope)


def test_a_module_used_twice_shares_its_weights() -> None:
    shared = Conv2d(4, 4, 3, padding=1, dtype=DOUBLE)
    ours = Sequential(shared, ReLU(), shared)
    twin = nn.Conv2d(4, 4, 3, padding=1, dtype=DOUBLE)
    theirs = nn.Sequential(twin, nn.ReLU(), twin)
    equal_weights(ours, theirs)
    assert list(ours.state()) == list(theirs.state_dict())
    compare(ours, theirs, values(*SHAPE), passes=2)
    SGD(0.1, ours).step()
    torch.optim.SGD(theirs.parameters(), 0.1).step()
    assert_near(shared.weight, twin.weight)


def test_modules_added_later() -> None:
    ours, theirs = small()
    ours.forward(values(*SHAPE))
    ours.add_modules(NearestUpsampling(2), Upsampling(3, 2, 3, padding=1, dtype=DOUBLE))
    extended = nn.Sequential(
        *theirs.children(),
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.Sequential(
            nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(3, 2, 3, padding=1, dtype=DOUBLE)
        ),
    )
    with pytest.raises(GraphError, match="call forward before"):
        ours.backward(torch.ones(1))
    compare(*equal_weights(ours, extended), values(*SHAPE))


def test_modules_added_to_a_part_that_is_used_already() -> None:
    inner = Sequential(Conv2d(4, 3, 1, dtype=DOUBLE))
    net = Sequential(inner, Sigmoid())
    x = values(*SHAPE)
    assert net.forward(x).shape == (2, 3, 7, 6)
    inner.add_modules(NearestUpsampling(2), Conv2d(3, 1, 1, dtype=DOUBLE))
    theirs = nn.Sequential(
        nn.Sequential(
            nn.Conv2d(4, 3, 1, dtype=DOUBLE),
            nn.UpsamplingNearest2d(scale_factor=2),
            nn.Conv2d(3, 1, 1, dtype=DOUBLE),
        ),
        nn.Sigmoid(),
    )
    compare(*equal_weights(net, theirs), x)


def test_only_modules_can_be_added() -> None:
    net = Sequential(ReLU())
    with pytest.raises(GraphError, match="expected modules, as Sequential"):
        net.add_modules(Sigmoid(), 3)
    assert len(net) == 1
    with pytest.raises(GraphError, match="expected modules"):
        Sequential(nn.ReLU())


def test_programs_are_kept_for_a_bounded_number_of_shapes() -> None:
    from graphs.module import PROGRAMS_KEPT

    ours, theirs = small()
    for size in range(4, 4 + PROGRAMS_KEPT + 4):
        x = values(1, 4, size, 5)
        assert_near(ours.forward(x), theirs(x))
    assert ours._programs.cache_info().currsize == PROGRAMS_KEPT
    compare(ours, theirs, values(1, 4, 4, 5))


def test_a_copy_is_a_network_of_its_own() -> None:
    net, theirs = small()
    x = values(*SHAPE)
    expected = net.forward(x)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_near(twin.forward(x), expected)
        for value, _ in twin.param():
            value.zero_()
        assert not torch.equal(twin.forward(x), expected)
        compare(net, theirs, x)


def test_a_copy_of_an_optimizer_steps_the_copy_of_its_model() -> None:
    net, _ = small()
    x = values(*SHAPE)
    net.backward(net.forward(x))
    optimizer = SGD(0.1, net, momentum=0.9)
    optimizer.step()
    before = net.state()
    twin = copy.deepcopy(optimizer)
    twin.step()
    assert all(torch.equal(before[name], value) for name, value in net.state().items())
    optimizer.step()
    assert twin._model is not None
    for name, value in net.state().items():
        assert torch.equal(twin._model.state()[name], value)


@pytest.fixture
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_without_collector")
def test_memory_is_free_as_soon_as_nothing_refers_to_a_network() -> None:
    x = torch.rand(1, 2, 4, 4)
    net = Sequential(Conv2d(2, 3, 3), ReLU())
    optimizer, model = SGD(0.1, net), Model(report_network(4))
    net.backward(torch.ones_like(net.forward(x)))
    optimizer.step()
    model.predict(torch.rand(1, 3, 8, 8))
    gone = [weakref.ref(each) for each in (net, optimizer, model)]
    del net, optimizer, model
    assert [each() for each in gone] == [None, None, None]
