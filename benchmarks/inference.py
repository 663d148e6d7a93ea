"""Inference with the report's network: ours next to PyTorch, JAX and ONNX Runtime.

    python -m benchmarks.inference [--rounds 20] [--backend native]

PyTorch runs under ``torch.inference_mode``. Ours is both called, which returns a result that the
caller owns, and borrowed from, which lends a result until the next call.
"""

from __future__ import annotations

import torch

from benchmarks.contestants import REPORT, inferences, require_same
from benchmarks.harness import interleaved, options, print_table, write_timings
from benchmarks.ours import BACKENDS

CASES = {
    "batch 100 of 3x32x32": (100, 32),
    "batch 4 of 3x256x256": (4, 256),
    "one of 3x512x512": (1, 512),
}


def main() -> None:
    """Time every case, print the tables, write the JSON file and the plot."""
    parser = options(__doc__, rounds=20)
    parser.add_argument("--backend", nargs="+", default=BACKENDS, choices=BACKENDS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    results = {}
    for case, (batch, side) in CASES.items():
        torch.manual_seed(1)
        runs = inferences(REPORT, torch.rand(batch, 3, side, side), chosen.backend)
        require_same(runs)
        results[case] = interleaved(runs, chosen.rounds)
        print_table(case, results[case])
    write_timings(chosen.results, "inference", results)


if __name__ == "__main__":
    main()
