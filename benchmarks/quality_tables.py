"""Tables of quality: what the denoisers reach, next to their rivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import markdown_table

Results = Mapping[str, Any]


def denoising(results: Results) -> str:
    """A row for each noise and kind of target: PSNR on the test sets, and what training took."""
    noises = list(dict.fromkeys(name.split(",")[0] for name in results["rows"]))
    rows = [
        [
            name,
            *(f"{row[test]:.2f} dB" for test in ("set14", "cbsd68")),
            f"{row['steps']:,}" if "steps" in row else "",
            f"`{row['command']}`" if "command" in row else "",
        ]
        for name, row in sorted(
            results["rows"].items(), key=lambda entry: noises.index(entry[0].split(",")[0])
        )
    ]
    return markdown_table(["", "Set14", "CBSD68", "steps", "command"], rows)


def shipped(results: Results) -> str:
    """A row for each case: the mean PSNR of every method."""
    cases = results["cases"]
    methods = list(next(iter(cases.values()))["psnr"])
    rows = [
        [name, str(case["pictures"]), *(f"{case['psnr'][method]:.2f}" for method in methods)]
        for name, case in cases.items()
    ]
    table = markdown_table(["", "pictures", *methods], rows)
    return f"{table}\n\nMean PSNR in dB; `{results['command']}`."


def zero_shot(results: Results) -> str:
    """A row for each contestant: PSNR, and seconds per picture."""
    means = results["means"]
    rivals = [row["seconds"] for name, row in means.items() if name.startswith("PyTorch")]

    def ratio(seconds: float) -> str:
        return f", {seconds / min(rivals):.2f}x" if rivals else ""

    rows = [
        [
            f"**{name}**" if name.startswith("Blockwright") else name,
            f"{row['psnr']:.2f} dB",
            f"{row['seconds']:.1f} s{ratio(row['seconds'])}" if row["seconds"] else "",
        ]
        for name, row in means.items()
    ]
    count, processor = len(results["pictures"]), results["machine"]["processor"]
    counted = f"Means over {count} pictures" if count > 1 else "One picture"
    below = f"{counted}; {processor}; `{results['command']}`."
    return f"{markdown_table(['', 'PSNR', 'a picture'], rows)}\n\n{below}"


def fluorescence(results: Results) -> str:
    """A row for each field: PSNR of each method, and how far the network is ahead."""
    fields = results["fields"]
    methods = list(next(iter(fields.values()))["psnr"])
    rows = [
        [
            name,
            f"{row['correlation of neighbours']:.2f}",
            *(f"{row['psnr'][method]:.2f}" for method in methods),
            f"{row['over the best classical']:+.2f} dB",
        ]
        for name, row in fields.items()
    ]
    mean = f"{results['mean']['over the best classical']:+.2f} dB"
    rows.append(["mean", "", *[""] * len(methods), mean])
    header = ["field", "neighbours", *methods, "ahead of the best classical"]
    return f"{markdown_table(header, rows)}\n\nPSNR in dB; `{results['command']}`."


def correlation(results: Results) -> str:
    """What correlated noise costs each method, in dB."""
    if "whitened" not in results:
        return "Not measured yet."
    costs = results["dB lost to correlation"]
    methods = list(next(iter(costs.values())))
    rows = [[name, *(f"{row[method]:.2f} dB" for method in methods)] for name, row in costs.items()]
    return markdown_table(["lost to correlation", *methods], rows)


def channels(results: Results) -> str:
    """PSNR by the channels of the first convolution."""
    scores = results["psnr by channels"]
    header = ["channels", "noisy", *scores]
    row = ["PSNR", *(f"{value:.2f} dB" for value in (results["noisy"], *scores.values()))]
    return f"{markdown_table(header, [row])}\n\n`{results['command']}`"
