"""One training step of the report's network: ours beside PyTorch's and the textbook's.

    python -m benchmarks.training_step [--device cuda] [--rounds 20]

Contestants take turns in one process; the figures are medians. Before the timing every contestant's
first loss is checked to be the same up to rounding, from the same first weights.
"""

from __future__ import annotations

import argparse
import sys

import torch

from benchmarks.harness import interleaved, print_table, write
from benchmarks.rivals.pytorch import Step, compiled, eager
from benchmarks.rivals.textbook import Textbook
from engine import compile
from graphs import MSE, SGD, GraphBuilder
from graphs.architectures import report_network
from ops import mse

CASES = {"batch 100 of 3x32x32": (100, 32), "batch 4 of 3x256x256": (4, 256)}
BASELINE = "PyTorch eager, channels-last"
LR = 0.1


def ours(noisy: torch.Tensor, target: torch.Tensor) -> Step:
    """The step as one program."""
    n, _, height, width = noisy.shape
    g = GraphBuilder("report")
    x, t = g.input("noisy", ("N", 3, "H", "W")), g.input("target", ("N", 3, "H", "W"))
    graph = g.build(loss=mse(report_network().build(x), t))
    step = compile(
        graph, minimize="loss", optimizer=SGD(LR), device=noisy.device, N=n, H=height, W=width
    )
    return lambda: step(noisy=noisy, target=target)["loss"]


def ours_by_modules(noisy: torch.Tensor, target: torch.Tensor) -> Step:
    """The step in the report's interface: forward, backward, step."""
    network, loss = report_network(), MSE()
    optimizer = SGD(LR, network)

    def step() -> torch.Tensor:
        network.zero_grad()
        value = loss.forward(network.forward(noisy), target)
        network.backward(loss.backward())
        optimizer.step()
        return value

    return step


def contestants(noisy: torch.Tensor, target: torch.Tensor) -> dict[str, Step]:
    """Every contestant, each from the weights of seed 0."""
    makers = {
        "Blockwright, one program": lambda: ours(noisy, target),
        "Blockwright, Sequential": lambda: ours_by_modules(noisy, target),
        BASELINE: lambda: eager(noisy, target, channels_last=True),
        "PyTorch eager, NCHW": lambda: eager(noisy, target, channels_last=False),
        "torch.compile, channels-last": lambda: compiled(noisy, target, channels_last=True),
        "torch.compile, NCHW": lambda: compiled(noisy, target, channels_last=False),
        "textbook unfold and fold": lambda: Textbook(noisy, target, LR),
    }
    made = {}
    for name, make in makers.items():
        torch.manual_seed(0)
        made[name] = make()
    return made


def require_same_loss(steps: dict[str, Step]) -> None:
    """Check that all compute the same before any is timed."""
    losses = {name: float(step()) for name, step in steps.items()}
    expected = losses[BASELINE]
    for name, loss in losses.items():
        if abs(loss - expected) > 1e-5 * abs(expected):
            raise SystemExit(f"{name} has loss {loss}, {BASELINE} has {expected}")


def main() -> None:
    """Time every case, print the tables, write ``results/training_step*.json`` and the plot."""
    parser = argparse.ArgumentParser(description="One training step of the report's network.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    results = {}
    for case, (n, side) in CASES.items():
        torch.manual_seed(1)
        noisy, target = (torch.rand(n, 3, side, side, device=options.device) for _ in range(2))
        steps = contestants(noisy, target)
        require_same_loss(steps)
        results[case] = interleaved(steps, options.rounds)
        print_table(case, results[case], BASELINE)
    suffix = "" if options.device == "cpu" else f"_{options.device}"
    command = "python -m benchmarks.training_step " + " ".join(sys.argv[1:])
    write(f"training_step{suffix}", command.strip(), results)


if __name__ == "__main__":
    main()
