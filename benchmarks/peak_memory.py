"""The peak memory of a training step: ours, known before it runs, next to the rivals'.

    python -m benchmarks.peak_memory [--case U-Net]

What a step holds beyond weights and images: activations, gradients and scratch memory. Ours is the
size of the one block that is allocated, which also holds copies of the images. PyTorch's is counted
by its own allocator during a step, JAX's is what its compiler reports; neither includes scratch
memory of the libraries below them.
"""

from __future__ import annotations

from functools import partial

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import LAYOUTS, REPORT, Network, installed
from benchmarks.harness import options, write
from benchmarks.ours import BACKENDS, LR, training_program
from benchmarks.plots import plot_bars
from benchmarks.rivals import pytorch
from benchmarks.rivals.memory import peak_bytes
from benchmarks.rivals.textbook import Textbook
from benchmarks.training_step import CASES


def peaks(network: Network, batch: int, side: int, warmup: int) -> dict[str, int]:
    """Bytes by contestant."""
    noisy, target = torch.rand(2, batch, 3, side, side)
    found = {
        f"Blockwright, {backend}": training_program(network.ours(), batch, side, backend).peak_bytes
        for backend in BACKENDS
    }
    wraps: dict[str, pytorch.Wrap] = {"PyTorch eager": lambda net: net}
    wraps["torch.compile"] = torch.compile
    for name, wrap in wraps.items():
        for layout, last in LAYOUTS:
            make = partial(pytorch.training, network.torch, noisy, target, LR)
            found[f"{name}, {layout}"] = peak_bytes(make(channels_last=last, wrap=wrap), warmup)
    if network is REPORT:
        found["textbook unfold and fold"] = peak_bytes(Textbook(noisy, target, LR), warmup)
    if installed("jax"):
        from benchmarks.rivals import jax_network

        for layout in jax_network.LAYOUTS:
            peak = jax_network.peak_bytes(network.torch, noisy, target, layout)
            found[f"JAX, {layout}"] = peak
    return found


def least_of_eager(found: dict[str, int]) -> int:
    """PyTorch eager's peak in the layout that takes less, the baseline of ratios."""
    return min(nbytes for name, nbytes in found.items() if name.startswith("PyTorch eager"))


def main() -> None:
    """Measure, print, write ``peak_memory.json`` and the plot."""
    parser = options(__doc__, rounds=2)
    parser.add_argument("--case", default="", help="only cases with this in their names")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    results = {
        case: peaks(*what, warmup=chosen.rounds)
        for case, what in CASES.items()
        if chosen.case in case
    }
    for case, found in results.items():
        table = Table("contestant", "peak MB", "x PyTorch eager's least", title=case)
        for name, nbytes in sorted(found.items(), key=lambda item: item[1]):
            table.add_row(name, f"{nbytes / 1e6:.1f}", f"{nbytes / least_of_eager(found):.2f}")
        Console().print(table)
    write(chosen.results, "peak_memory", {"bytes": results})
    megabytes = {c: {n: b / 1e6 for n, b in found.items()} for c, found in results.items()}
    plot_bars(chosen.results / "peak_memory.png", megabytes, "peak MB")


if __name__ == "__main__":
    main()
