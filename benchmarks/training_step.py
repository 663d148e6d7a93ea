"""One training step: ours next to PyTorch's, JAX's and the textbook's.

    python -m benchmarks.training_step [--rounds 20] [--backend native] [--case U-Net]

The report's network and the U-Net of the Noise2Noise paper, with SGD, in float32.
"""

from __future__ import annotations

import torch

from benchmarks.contestants import REPORT, UNET, require_same, training_steps
from benchmarks.harness import interleaved, options, print_table, write_timings
from benchmarks.ours import BACKENDS

CASES = {
    "report, batch 100 of 3x32x32": (REPORT, 100, 32),
    "report, batch 4 of 3x256x256": (REPORT, 4, 256),
    "U-Net, batch 4 of 3x128x128": (UNET, 4, 128),
}


def main() -> None:
    """Time every case, print the tables, write the JSON file and the plot."""
    parser = options(__doc__, rounds=20)
    parser.add_argument("--backend", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--case", default="", help="only cases with this in their names")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    results = {}
    for case, (network, batch, side) in CASES.items():
        if chosen.case not in case:
            continue
        torch.manual_seed(1)
        noisy, target = torch.rand(2, batch, 3, side, side)
        steps = training_steps(network, noisy, target, chosen.backend)
        require_same(steps)
        results[case] = interleaved(steps, chosen.rounds)
        print_table(case, results[case])
    write_timings(chosen.results, "training_step", results)


if __name__ == "__main__":
    main()
