"""What a call costs when there is next to nothing to compute: one image of 3x8x8.

    python -m benchmarks.dispatch [--rounds 200] [--backend native]

Times a training step and an inference of the report's network, ten calls in each turn.
"""

from __future__ import annotations

import torch

from benchmarks.contestants import REPORT, inferences, require_same, training_steps
from benchmarks.harness import interleaved, options, print_table, write_timings
from benchmarks.ours import BACKENDS

CALLS = 10


def main() -> None:
    """Time both, print the tables, write the JSON file and the plot."""
    parser = options(__doc__, rounds=200)
    parser.add_argument("--backend", nargs="+", default=BACKENDS, choices=BACKENDS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(1)
    noisy, target = torch.rand(2, 1, 3, 8, 8)
    cases = {
        "training step of one 3x8x8": training_steps(REPORT, noisy, target, chosen.backend),
        "inference of one 3x8x8": inferences(REPORT, noisy, chosen.backend),
    }
    results = {}
    for case, contestants in cases.items():
        require_same(contestants)
        results[case] = interleaved(contestants, chosen.rounds, CALLS)
        print_table(case, results[case])
    write_timings(chosen.results, "dispatch", results)


if __name__ == "__main__":
    main()
