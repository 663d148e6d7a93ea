"""The report's network without training: ours beside PyTorch's, JAX's and ONNX Runtime's.

    python -m benchmarks.inference [--rounds 20] [--backend native]

PyTorch runs under ``torch.inference_mode``. Ours is called, which gives the caller a result of its
own, and borrowed from, which lends one until the next call.
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
    """Time every case, print the tables, write JSON and plot."""
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
