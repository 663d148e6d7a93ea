"""The page as text: complete, escaped, and with nothing that would have to be fetched."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from graphs.noise2noise.images import to_bytes
from graphs.noise2noise.report.axes import (
    bytes_text,
    linear_axis,
    number_text,
    seconds_text,
    value_axis,
)
from graphs.noise2noise.report.charts import Curve, line_chart
from graphs.noise2noise.report.contents import Comparison
from graphs.noise2noise.report.page import render, residual, times_of_operators, write_report
from tests.noise2noise.report.made import SECRET, bare, report
from tests.noise2noise.scenes import cat, names, noisy


@pytest.fixture(scope="module")
def page() -> str:
    return render(report())


def test_everything_is_within(page: str) -> None:
    links = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert links
    assert all(link.startswith("data:") for link in links)
    uses = [use.strip("\"'") for use in re.findall(r"url\(([^)]*)\)", page)]
    assert all(use.startswith(("data:", "#")) for use in uses)
    assert "default-src 'none'" in page


def test_what_the_user_named_is_text(page: str) -> None:
    assert SECRET not in page
    assert "&lt;script&gt;alert(&#39;a &amp; b&#39;)&lt;/script&gt;" in page


def test_it_holds_what_it_was_given(page: str) -> None:
    for text in (
        "28.71 dB",
        "cat.png",
        "batch 1 of 3x32x32",
        "blockwright train shots-a shots-b -o run",
        "2.13.0",
        "width = 4",
        "0" * 64,
        "conv2d_weight_gradient",
    ):
        assert text in page, text
    assert "numpy" not in page


def test_pictures_are_those_given(page: str) -> None:
    images = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    assert len(images) == 6
    after, before, *_ = (np.asarray(Image.open(io.BytesIO(base64.b64decode(i)))) for i in images)
    assert np.array_equal(after, to_bytes(cat()))
    assert np.array_equal(before, to_bytes(noisy(cat())))


def test_a_report_of_next_to_nothing() -> None:
    page = render(bare())
    for absent in ('id="pictures"', 'id="curves"', 'id="work"', "Environment", "Configuration"):
        assert absent not in page
    assert 'id="graph"' in page


def test_it_is_written_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("an earlier one")
    write_report(path, bare())
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert names(tmp_path) == ["report.html"]


def test_the_residual_is_what_was_taken_away() -> None:
    before, after = torch.full((1, 2, 2), 0.6), torch.full((1, 2, 2), 0.5)
    assert residual(Comparison("x", before, before)).unique().tolist() == [0.5]
    assert residual(Comparison("x", before, after)).unique().tolist() == pytest.approx([0.8])


def test_times_add_up() -> None:
    work = report().work
    assert work is not None
    times = list(times_of_operators(work.steps))
    total = sum(step.seconds or 0 for step in work.steps)
    assert sum(time.milliseconds for time in times) == pytest.approx(1e3 * total)
    assert [time.milliseconds for time in times] == sorted(
        (time.milliseconds for time in times), reverse=True
    )
    assert times[0].share == 1
    assert {time.phase for time in times} == {"forward", "gradient", "update"}


def test_charts_hold_their_points() -> None:
    svg = ElementTree.fromstring(line_chart([Curve("a & b", [(0, 1.0), (10, 2.0)])], "x", "y"))
    (line,) = svg.iter("polyline")
    (x0, y0), (x1, y1) = (map(float, p.split(",")) for p in line.attrib["points"].split())
    assert x0 < x1
    assert y0 > y1
    assert "a & b: 2 at 10" in {title.text for title in svg.iter("title")}
    assert line_chart([], "x", "y") == line_chart([Curve("empty", [])], "x", "y") == ""
    assert "NaN" not in line_chart([Curve("one", [(3, 3.0)])], "x", "y").replace("nan", "NaN")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 2000), (18.2, 29.9), (5, 5), (-3, 7e6)])
def test_axes_hold_their_values(low: float, high: float) -> None:
    axis = linear_axis(low, high)
    assert axis.low <= low <= high <= axis.high
    assert 3 <= len(axis.ticks) <= 9
    assert 0 <= axis.share(low) <= axis.share(high) <= 1


def test_large_factors_get_a_logarithmic_axis() -> None:
    axis = value_axis(0.01, 10)
    assert axis.share(0.1) - axis.share(0.01) == pytest.approx(axis.share(10) - axis.share(1))
    assert {0.01, 0.1, 1, 10} <= set(axis.ticks)
    assert value_axis(1, 2).ticks == linear_axis(1, 2).ticks
    assert value_axis(0, 2).ticks == linear_axis(0, 2).ticks


def test_numbers_are_short() -> None:
    assert [number_text(v) for v in (0, 0.05, 1200, 20_000, 2e-5, 0.30000000000000004)] == [
        "0",
        "0.05",
        "1200",
        "20,000",
        "2e-05",
        "0.3",
    ]
    assert [bytes_text(v) for v in (12, 3400, 16_100_000)] == ["12 bytes", "3.4 kB", "16.1 MB"]
    assert [seconds_text(v) for v in (0.0123, 2.5)] == ["12.3 ms", "2.5 s"]
