"""Synthetic reports of a small network that has learned nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch

from engine import Graph, compile
from graphs.architectures import UNet
from graphs.builder import GraphBuilder
from graphs.module import Module
from graphs.noise2noise.report.charts import Curve
from graphs.noise2noise.report.contents import Comparison, RunReport, Work
from graphs.noise2noise.training.objectives import shots_objective
from graphs.optimizers import SGD
from tests.noise2noise.scenes import cat, noisy

SECRET = "<script>alert('a & b')</script>"


def network_graph(net: Module, size: int = 32) -> Graph:
    """A network's graph for one picture."""
    g = GraphBuilder("network")
    graph = g.build(clean=net(g.input("noisy", ("N", 3, "H", "W"))))
    return graph.bind({"N": 1, "H": size, "W": size})


@cache
def report() -> RunReport:
    """A report with everything that one can have; its title tries to be a script."""
    net = UNet(4, 2, 3, 3)
    step = compile(
        shots_objective(net, 3).graph,
        outputs=["loss"],
        minimize="loss",
        optimizer=SGD(lr=0.1),
        backend="torch",
        N=1,
        H=32,
        W=32,
    )
    shots = torch.rand(2, 1, 3, 32, 32)
    step.profile(noisy=shots[0], target=shots[1])
    shot = noisy(cat())
    return RunReport(
        title=SECRET,
        summary=[("estimated PSNR", "28.71 dB"), ("network", "U-Net")],
        comparisons=[
            Comparison("cat.png", shot, cat(), "Estimated PSNR 28.71 dB."),
            Comparison("grey.tif", shot[:1], cat()[:1]),
        ],
        losses=[
            Curve("training", [(0, 0.5), (50, 0.02), (100, 0.015)]),
            Curve("held out", [(0, 0.6), (100, 0.016)]),
        ],
        qualities=[Curve("estimated PSNR", [(0, 10.0), (50, 25.0), (100, 28.71)])],
        graph=network_graph(net),
        work=Work("batch 1 of 3x32x32", step.steps(), step.buffers(), step.peak_bytes),
        command="blockwright train shots-a shots-b -o run",
        environment={"python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": None}},
        configuration="[network]\nwidth = 4\n",
        data={"/pictures/a.png": "0" * 64},
    )


def bare() -> RunReport:
    """A report with nothing but a title and a graph."""
    full = report()
    return replace(
        full,
        title="bare",
        summary=[],
        comparisons=[],
        losses=[],
        qualities=[],
        work=None,
        command="",
        environment={},
        configuration="",
        data={},
    )
