"""Hypothesis strategies: shapes, samples and cases."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from engine.testing.case import Case
from engine.testing.sample import LAYOUTS, Sample
from ops.spec import FLOATS

Shape = tuple[int, ...]


def shapes(
    min_ndim: int = 0, max_ndim: int = 4, min_size: int = 0, max_size: int = 4
) -> SearchStrategy[Shape]:
    """Shapes with the given ranges of the number of axes and their sizes."""
    # Rarely zero, since each axis of a shape is another chance.
    sizes = st.sampled_from([*range(max(1, min_size), max_size + 1)] * 3 + [0] * (min_size == 0))
    return st.lists(sizes, min_size=min_ndim, max_size=max_ndim).map(tuple)


@st.composite
def samples(draw: DrawFn, /, shape: Shape | SearchStrategy[Shape], **values: Any) -> Sample:
    """A sample with a given shape in any layout; ``values`` are attributes of :class:`Sample`."""
    drawn = draw(shape) if isinstance(shape, SearchStrategy) else shape
    layout = draw(st.sampled_from(LAYOUTS)) if drawn else "contiguous"
    return Sample(drawn, seed=draw(st.integers(0, 255)), layout=layout, **values)


@st.composite
def cases(draw: DrawFn, /, *inputs: Sample | SearchStrategy[Sample], **attributes: Any) -> Case:
    """A case with the given inputs and attributes; all float inputs share a dtype.

    Args:
        *inputs: samples or strategies of samples.
        **attributes: values or strategies of values.
    """
    drawn = [draw(i) if isinstance(i, SearchStrategy) else i for i in inputs]
    values = {k: draw(v) if isinstance(v, SearchStrategy) else v for k, v in attributes.items()}
    return Case(*drawn, **values).as_dtype(draw(st.sampled_from(FLOATS[::-1])))


@st.composite
def floats(
    draw: DrawFn,
    /,
    count: int = 1,
    *,
    min_size: int = 0,
    max_size: int = 4,
    attributes: dict[str, Any] | None = None,
    **values: Any,
) -> Case:
    """A case of float inputs for an elementwise operator, with shapes that broadcast together.

    Args:
        count: the number of inputs.
        min_size, max_size: the range of each axis's size; 0 includes tensors without elements.
        attributes: attributes of the operator, as values or strategies of values.
        **values: attributes of every :class:`Sample`, such as ``low``, ``high`` and ``kinks``.
    """
    shape = draw(shapes(min_size=min_size, max_size=max_size))
    inputs = [samples(_broadcasting(shape, i), **values) for i in range(count)]
    return draw(cases(*inputs, **attributes or {}))


def bools(shape: Shape | SearchStrategy[Shape]) -> SearchStrategy[Sample]:
    """Samples of bool values."""
    return samples(shape, dtype=torch.bool)


def broadcasting(shape: Shape) -> SearchStrategy[Shape]:
    """Shapes that broadcast to a shape: leading axes dropped, others reduced to size 1."""
    keep = st.tuples(*(st.sampled_from((size, 1)) for size in shape))
    cut = st.integers(0, len(shape))
    return st.tuples(keep, cut).map(lambda drawn: drawn[0][drawn[1] :])


def _broadcasting(shape: Shape, position: int) -> Shape | SearchStrategy[Shape]:
    return broadcasting(shape) if position else shape
