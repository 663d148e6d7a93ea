"""How long compiling takes: the report's network, and graphs of up to 10 000 nodes.

    python -m benchmarks.compile_time [--rounds 10]

The network's training step is timed from building the graph to the end of its first run; with the
native backend, in a new process with an empty cache of compiled code, in a second process with that
cache, and repeatedly in one process. The larger graphs are chains, and random graphs with gradients
and updates; their native code is new to the cache.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness import options, timing, write
from benchmarks.ours import BACKENDS, training_program
from benchmarks.plots import plot_lines
from engine import Graph, compile
from graphs import SGD, GraphBuilder
from graphs.architectures import report_network
from ops import Node, mean, square, tanh

SIZES = (1_000, 2_000, 5_000, 10_000)
RECENT = 50
"""How many of the latest values a random graph grows from by preference."""

FORWARD_SHARE = 0.24
"""The fraction of forward nodes in a random graph with its gradient."""

BATCH, SIDE = 100, 32
CACHE = "BLOCKWRIGHT_CACHE"
"""The environment variable that names the folder where compiled code is kept."""


def seconds_to_first_result(backend: str) -> float:
    """Build and compile the training step of the report's network, and run it once."""
    noisy, target = torch.rand(2, BATCH, 3, SIDE, SIDE)
    network = report_network()
    start = time.perf_counter()
    training_program(network, BATCH, SIDE, backend)(noisy=noisy, target=target)
    return time.perf_counter() - start


def seconds_in_a_new_process(backend: str) -> float:
    """The same in a new process."""
    command = [sys.executable, "-m", "benchmarks.compile_time", "--only", backend]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def chain(nodes: int) -> Graph:
    """A chain, forward only."""
    g = GraphBuilder("chain")
    value = g.input("x", (3,))
    for _ in range(nodes // 2):
        value = tanh(value * 0.999)
    return g.build(loss=mean(value))


def random_graph(nodes: int) -> Graph:
    """Differences, products and tanh of recent and other values; ``nodes`` with the gradient."""
    choose = random.Random(0)
    g = GraphBuilder("random")
    pool = [g.input("x", (4, 4)), g.parameter("w", (4, 4))]
    used: set[Node] = set()
    for _ in range(round(nodes * FORWARD_SHARE)):
        recent, far = choose.choice(pool[-RECENT:]), choose.choice(pool)
        node = choose.choice([tanh(recent), recent - far, recent @ far])
        used.update(node.inputs)
        pool.append(node)
    return g.build(loss=mean(square(sum(node for node in pool if node not in used))))


def seconds_per_size(
    make: Callable[[int], Graph], backend: str, rounds: int, train: bool
) -> list[tuple[float, float]]:
    """(nodes, median seconds) for every size."""
    points: list[tuple[float, float]] = []
    training: dict[str, Any] = {"minimize": "loss", "optimizer": SGD(0.1)} if train else {}
    for size in SIZES:
        graph, taken = make(size), []
        for _ in range(rounds):
            start = time.perf_counter()
            compile(graph, backend=backend, **training)
            taken.append(time.perf_counter() - start)
        points.append((size, statistics.median(taken)))
    return points


def time_network(rounds: int) -> dict[str, dict[str, float]]:
    """Compiling and running the network once, by backend and state of the cache, empty at first."""
    rows = {"torch": asdict(timing([seconds_to_first_result("torch") for _ in range(rounds)]))}
    cold, warm = (seconds_in_a_new_process("native") for _ in range(2))
    here = [seconds_to_first_result("native") for _ in range(rounds + 1)]
    rows["native, nothing in the cache"] = {"median": cold}
    rows["native, second process"] = {"median": warm}
    rows["native, again in one process"] = asdict(timing(here[1:]))
    return rows


def main() -> None:
    """Measure, print, write ``compile_time.json`` and the plot."""
    parser = options(__doc__, rounds=10)
    parser.add_argument("--only", choices=BACKENDS, help="print the seconds of one compilation")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.only:
        print(seconds_to_first_result(chosen.only))
        return
    with tempfile.TemporaryDirectory() as cache:
        os.environ[CACHE] = cache
        network = time_network(chosen.rounds)
        lines = {
            f"{name}, {backend}": seconds_per_size(make, backend, rounds, train)
            for name, make, train in (
                ("chain", chain, False),
                ("random training", random_graph, True),
            )
            # Native code is in the cache after the first round.
            for backend, rounds in (("torch", chosen.rounds), ("native", 1))
        }
    _print(network, lines)
    write(chosen.results, "compile_time", {"network": network, "graphs": lines})
    path: Path = chosen.results / "compile_time.png"
    plot_lines(path, lines, "nodes", "seconds to compile")


def _print(
    network: dict[str, dict[str, float]], lines: dict[str, list[tuple[float, float]]]
) -> None:
    table = Table("report's network, to its first result", "seconds")
    for name, row in network.items():
        table.add_row(name, f"{row['median']:.3f}")
    Console().print(table)
    table = Table("graph", "nodes", "seconds", "microseconds a node")
    for name, points in lines.items():
        for nodes, seconds in points:
            table.add_row(name, f"{nodes:,}", f"{seconds:.3f}", f"{1e6 * seconds / nodes:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
