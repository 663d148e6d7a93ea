"""Operators under test that move data, sum it or multiply matrices; and the leaves."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from engine.testing import Case, Subject, broadcasting, cases, samples, shapes
from ops import REGISTRY, Parameter
from ops.spec import FLOATS

AMOUNTS = st.integers(-1, 2)


@st.composite
def _reshapes(draw: st.DrawFn) -> Case:
    shape = draw(shapes(max_size=6))
    rest, target = math.prod(shape), []
    for _ in range(draw(st.integers(0, 4))):
        divisors = [d for d in range(1, rest + 1) if rest % d == 0] or [0]
        target.append(draw(st.sampled_from(divisors)))
        rest = rest // target[-1] if target[-1] else 1
    return draw(cases(samples(shape), shape=(*target, rest)))


@st.composite
def _expansions(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    return draw(cases(samples(broadcasting(shape)), shape=shape))


@st.composite
def _contractions(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    return draw(cases(samples(shape), shape=broadcasting(shape)))


@st.composite
def _permutations(draw: st.DrawFn) -> Case:
    shape = draw(shapes())
    dims = draw(st.permutations(range(len(shape))))
    negative = draw(st.booleans())
    return draw(cases(samples(shape), dims=tuple(d - len(shape) * negative for d in dims)))


@st.composite
def _concatenations(draw: st.DrawFn) -> Case:
    shape = draw(shapes(min_ndim=1))
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    axis, count = dim % len(shape), draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    inputs = [samples((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]
    return draw(cases(*inputs, dim=dim))


@st.composite
def _slices(draw: st.DrawFn) -> Case:
    shape, dim, start, end, step = draw(_spans())
    return draw(cases(samples(shape), dim=dim, start=start, end=end, step=step))


@st.composite
def _unslices(draw: st.DrawFn) -> Case:
    shape, dim, start, end, step = draw(_spans())
    taken = (*shape[:dim], len(range(start, end, step)), *shape[dim + 1 :])
    window = {"size": shape[dim], "dim": dim, "start": start, "end": end, "step": step}
    return draw(cases(samples(taken), **window))


@st.composite
def _spans(draw: st.DrawFn) -> tuple[tuple[int, ...], int, int, int, int]:
    shape = draw(shapes(min_ndim=1, max_size=6))
    dim = draw(st.integers(0, len(shape) - 1))
    start = draw(st.integers(0, shape[dim]))
    return shape, dim, start, draw(st.integers(start, shape[dim])), draw(st.integers(1, 3))


@st.composite
def _paddings(draw: st.DrawFn) -> Case:
    shape = draw(shapes(min_size=2, max_size=5))
    padding = []
    for _ in range(draw(st.integers(0, len(shape)))):
        padding += [draw(AMOUNTS), draw(AMOUNTS)]
    return draw(cases(samples(shape), padding=tuple(padding), value=st.sampled_from((0.0, 1.5))))


@st.composite
def _reductions(draw: st.DrawFn, min_size: int) -> Case:
    shape = draw(shapes(min_size=min_size))
    dim = tuple(i for i in range(len(shape)) if draw(st.booleans()))
    return draw(cases(samples(shape), dim=dim, keepdim=st.booleans()))


def _reduced(input: torch.Tensor, *, dim: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    for axis in sorted(dim, reverse=True):
        input = torch.stack(input.unbind(axis)).sum(0) if input.shape[axis] else input.sum(axis)
        input = input.unsqueeze(axis) if keepdim else input
    return input


def _averaged(input: torch.Tensor, *, dim: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    return _reduced(input, dim=dim, keepdim=keepdim) / math.prod(input.shape[a] for a in dim)


@st.composite
def _matrices(draw: st.DrawFn) -> Case:
    rows, inner, columns = (draw(st.integers(0, 4)) for _ in range(3))
    batch = draw(shapes(max_ndim=3, max_size=3))
    first, second = draw(st.permutations([batch, draw(broadcasting(batch))]))
    return draw(cases(samples((*first, rows, inner)), samples((*second, inner, columns))))


def _placed(
    input: torch.Tensor, *, size: int, dim: int, start: int, end: int, step: int
) -> torch.Tensor:
    whole = torch.zeros((*input.shape[:dim], size, *input.shape[dim + 1 :]), dtype=input.dtype)
    for i, position in enumerate(range(start, end, step)):
        whole.select(dim, position).copy_(input.select(dim, i))
    return whole


def _padded(input: torch.Tensor, *, padding: tuple[int, ...], value: float) -> torch.Tensor:
    return F.pad(input, padding, value=value) if padding else input.clone()


@st.composite
def _parameters(draw: st.DrawFn) -> Case:
    sample = draw(samples(shapes(), dtype=draw(st.sampled_from(FLOATS))))
    return Case(name="w", parameter=Parameter("w", sample.tensor()))


@st.composite
def _constants(draw: st.DrawFn) -> Case:
    sample = draw(samples(shapes(), dtype=draw(st.sampled_from((*FLOATS, torch.bool)))))
    return Case(value=sample.tensor())


@st.composite
def _numbers(draw: st.DrawFn) -> Case:
    value = draw(st.sampled_from((0.0, -1.5, 3, math.nan, math.inf)))
    return Case(value=value, shape=draw(shapes()), dtype=draw(st.sampled_from(FLOATS)))


def _linear(name: str, cases: st.SearchStrategy[Case], oracle: object) -> Subject:
    operator = REGISTRY[name]
    return Subject(operator, cases, oracle, operator.inputs, analytic=True)  # type: ignore[arg-type]


SUBJECTS = [
    _linear("reshape", _reshapes(), lambda input, *, shape: input.reshape(shape)),
    _linear("expand", _expansions(), lambda input, *, shape: input.broadcast_to(shape)),
    _linear("sum_to", _contractions(), lambda input, *, shape: input.sum_to_size(shape)),
    _linear("permute", _permutations(), lambda input, *, dims: input.permute(dims)),
    _linear("concat", _concatenations(), lambda *tensors, dim: torch.cat(tensors, dim)),
    _linear(
        "slice",
        _slices(),
        lambda input, *, dim, start, end, step: input.index_select(
            dim, torch.arange(start, end, step) if end > start else torch.arange(0)
        ),
    ),
    _linear("unslice", _unslices(), _placed),
    Subject(REGISTRY["pad"], _paddings(), _padded, ("input",)),
    _linear("sum", _reductions(min_size=0), _reduced),
    _linear("mean", _reductions(min_size=1), _averaged),
    _linear("matmul", _matrices(), torch.matmul),
    Subject(REGISTRY["parameter"], _parameters(), lambda *, name, parameter: parameter.tensor),
    Subject(REGISTRY["constant"], _constants(), lambda *, value: value.clone()),
    Subject(
        REGISTRY["full"],
        _numbers(),
        lambda *, value, shape, dtype: torch.tensor(value, dtype=dtype).expand(shape),
    ),
]

NO_FORWARD = {"input": "its value is fed"}
"""Operators that there is nothing to try of, and why."""
