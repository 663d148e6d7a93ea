"""What becomes a box, and the drawing as an SVG that parses."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from graphs import GraphBuilder
from graphs.architectures import UNet, report_network
from graphs.noise2noise.report.boxes import Box, boxes_of
from graphs.noise2noise.report.graph_drawing import draw_graph
from ops import conv2d, exp, mean, relu
from tests.noise2noise.report.made import network_graph

SVG = "{http://www.w3.org/2000/svg}"


def boxes() -> dict[str, Box]:
    g = GraphBuilder("drawn")
    x = g.input("x", ("N", 3, 8, 8))
    w, b = g.parameter("w", (4, 3, 3, 3)), g.parameter("b", (4,))
    y = relu(conv2d(x, w, b, stride=2, padding=1))
    graph = g.build(y=y, z=mean(exp(y) + y))
    return {box.title: box for box in boxes_of(graph)}


def test_a_convolution_its_bias_and_its_activation_are_one_box() -> None:
    found = boxes()
    convolution = found["conv2d 3x3 /2"]
    assert convolution.lines == ("relu",)
    assert convolution.shape == "N x 4 x 4 x 4"
    assert convolution.kind == "weights"
    assert "w: [4, 3, 3, 3]" in convolution.hint
    assert "b: [4]" in convolution.hint
    assert "relu: float32[N, 4, 4, 4]" in convolution.hint


def test_what_is_read_twice_or_changes_shape_begins_a_box() -> None:
    found = boxes()
    assert list(found) == ["x", "conv2d 3x3 /2", "exp", "add", "mean", "y", "z"]
    assert [found[name].kind for name in ("x", "exp", "z")] == ["input", "plain", "output"]
    assert found["z"].shape == "scalar"


@pytest.mark.parametrize("net", [report_network(4), UNet(4, 4, 3, 3)], ids=["report", "unet"])
def test_drawings(net: object) -> None:
    graph = network_graph(net)  # type: ignore[arg-type]
    svg = draw_graph(graph)
    root = ElementTree.fromstring(svg)
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    rectangles = list(root.iter(SVG + "rect"))
    expected = boxes_of(graph)
    assert len(rectangles) == len(expected)
    for rectangle in rectangles:
        x, y, w, h = (float(rectangle.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
    edges = [path for path in root.iter(SVG + "path") if path.attrib["class"] == "edge"]
    assert len(edges) == expected.number_of_edges()
    words = [text.text for text in root.iter(SVG + "text")]
    assert "noisy" in words
    assert "clean" in words
    convolutions = sum(node.operator.name == "conv2d" for node in graph.nodes)
    assert sum(str(word).startswith("conv2d 3x3") for word in words) == convolutions
