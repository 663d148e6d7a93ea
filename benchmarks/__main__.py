"""Runs the speed benchmarks one after the other, each in a process of its own.

    python -m benchmarks                       # all of them
    python -m benchmarks --list                # list them
    python -m benchmarks --rounds 3            # just check that they work
    python -m benchmarks inference dispatch    # some of them

Afterwards ``python -m benchmarks.tables`` writes the results into the pages.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import RESULTS

BENCHMARKS = {
    "roofline": "what the machine can do, and the least time of a training step",
    "training_step": "a training step beside PyTorch, torch.compile, JAX and the textbook",
    "peak_memory": "the peak memory of a training step, beside the same",
    "memory_budget": "what a smaller memory costs in time",
    "inference": "a network alone, beside ONNX Runtime too",
    "layers": "a training step of single layers, also of kinds that denoisers do not have",
    "dispatch": "what a call costs when there is next to nothing to compute",
    "compile_time": "compiling, by backend, cache and size of the graph",
}


def main() -> None:
    """Run the chosen benchmarks; the exit status tells whether all of them succeeded."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; by default all")
    parser.add_argument("--list", action="store_true", help="show their names and end")
    parser.add_argument("--rounds", type=int, help="how often each contestant is timed")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)} (there are: {', '.join(BENCHMARKS)})")
    if chosen.list:
        for name, description in BENCHMARKS.items():
            print(f"{name:16} {description}")
        return
    rounds = [] if chosen.rounds is None else ["--rounds", str(chosen.rounds)]
    failed = []
    for name in chosen.names or BENCHMARKS:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *rounds, "--results", chosen.results]
        if subprocess.run(command).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
