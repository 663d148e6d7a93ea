"""Writes the results into the pages that show them, so that no figure is typed by hand.

    python -m benchmarks.tables

A page contains ``<!-- table: NAME -->`` and ``<!-- end -->``, each on a line of its own; the text
between them is replaced by the table of that name, made from ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import quality_tables
from benchmarks.markdown import markdown_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "README.md")

Results = Mapping[str, Any]
_PLACE = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, results: Path) -> str:
    """A page's text with every table regenerated. One whose results are missing is kept."""

    def table(place: re.Match[str]) -> str:
        name = place[2]
        if name not in TABLES:
            raise SystemExit(f"there is no table {name!r} (there are: {', '.join(TABLES)})")
        source, render = TABLES[name]
        path = results / f"{source}.json"
        if not path.exists():
            return place[0]
        return f"{place[1]}\n{render(json.loads(path.read_text()))}\n\n{place[3]}"

    return _PLACE.sub(table, page)


def timings(results: Results) -> str:
    """A column per case, a row per contestant: milliseconds, and the ratio to PyTorch's best."""
    cases: Mapping[str, Mapping[str, Mapping[str, float]]] = results["seconds"]
    first_seen: dict[str, float] = {}
    for case in cases.values():
        for name, row in case.items():
            first_seen.setdefault(name, row["median"])
    rows = []
    for name in sorted(first_seen, key=first_seen.__getitem__):
        cells = [_cell(case.get(name)) for case in cases.values()]
        rows.append([f"**{name}**" if name.startswith("Blockwright") else name, *cells])
    return f"{markdown_table(['', *cases], rows)}\n\n{measured_on(results)}"


def losses(results: Results) -> str:
    """The cases in which a rival was the fastest."""
    rows = []
    for case, row in results["seconds"].items():
        winner = min(row, key=lambda name: row[name]["median"])
        if not winner.startswith("Blockwright"):
            ours = min(row[name]["median"] for name in row if name.startswith("Blockwright"))
            rows.append([case, winner, f"{ours / row[winner]['median']:.2f}x"])
    if not rows:
        return "None of the cases above."
    return markdown_table(["", "fastest", "the best of ours takes"], rows)


def compiling(results: Results) -> str:
    """Compile times: of the network by backend and cache, then of graphs by size."""
    network = [[name, f"{1e3 * row['median']:.0f} ms"] for name, row in results["network"].items()]
    graphs = [
        [name, f"{nodes:,}", f"{seconds:.2f} s", f"{1e6 * seconds / nodes:.0f} us"]
        for name, points in results["graphs"].items()
        for nodes, seconds in points
    ]
    header = ["graph", "nodes", "to compile", "per node"]
    return "\n\n".join(
        [
            markdown_table(["report's network", "to the first result"], network),
            markdown_table(header, graphs),
            measured_on(results),
        ]
    )


def roofline(results: Results) -> str:
    """The machine's rates, and the bounds on the time of every training step."""
    rates = [
        [
            threads,
            *(f"{rate[kind] / 1e9:.0f} GFLOP/s" for kind in ("flops", "product")),
            f"{rate['bytes'] / 1e9:.0f} GB/s",
        ]
        for threads, rate in results["rates"].items()
    ]
    bounds = [
        [
            case,
            f"{row['flops'] / 1e9:.2f}",
            f"{row['bytes, step by step'] / 1e6:.0f}",
            *(f"{1e3 * row[kind]:.2f} ms" for kind in ("arithmetic", "fused", "step by step")),
        ]
        for case, row in results["bounds"].items()
    ]
    header = ["step", "GFLOP", "MB, step by step", "arithmetic", "fused", "step by step"]
    return "\n\n".join(
        [
            markdown_table(
                ["threads", "multiply-adds in registers", "matrix product", "copy"], rates
            ),
            markdown_table(header, bounds),
            measured_on(results),
        ]
    )


def peaks(results: Results) -> str:
    """A column per case, a row per contestant: megabytes, and the ratio to PyTorch eager."""
    cases: Mapping[str, Mapping[str, int]] = results["bytes"]
    names = sorted(dict.fromkeys(n for found in cases.values() for n in found))
    rows = []
    for name in names:
        cells = []
        for found in cases.values():
            least = min(b for n, b in found.items() if n.startswith("PyTorch eager"))
            nbytes = found.get(name)
            cells.append("" if nbytes is None else f"{nbytes / 1e6:.1f} MB, {nbytes / least:.2f}x")
        rows.append([f"**{name}**" if name.startswith("Blockwright") else name, *cells])
    return f"{markdown_table(['', *cases], rows)}\n\n{measured_on(results)}"


def budgets(results: Results, backend: str) -> str:
    """A row per budget: the peak, how close it comes to its lower bounds, and the times."""
    rows, (first, *_) = [], results["curves"][backend]
    for point in results["curves"][backend]:
        in_order, least = point["least in this order"], point["least in any order"]
        estimated = point["estimated seconds"] / first["estimated seconds"]
        measured = point["seconds"]["median"] / first["seconds"]["median"]
        ratios = (point["peak"] / in_order, in_order / least, estimated, measured)
        megabytes = [f"{point[key] / 1e6:.1f} MB" for key in ("budget", "peak")]
        rows.append([*megabytes, *(f"{ratio:.3f}x" for ratio in ratios)])
    header = ["budget", "peak", "placement", "order", "estimated time", "measured time"]
    return f"{markdown_table(header, rows)}\n\n{measured_on(results)}"


def shares(results: Results) -> str:
    """torch.compile's own option: a row per share of the activations that it may keep."""
    rows, (first, *_) = [], results["curves"]["torch.compile"]
    for point in results["curves"]["torch.compile"]:
        measured = point["seconds"]["median"] / first["seconds"]["median"]
        rows.append([f"{point['share']}", f"{point['peak'] / 1e6:.1f} MB", f"{measured:.3f}x"])
    return markdown_table(["share", "peak", "measured time"], rows)


def measured_on(results: Results) -> str:
    """The machine and the command, as a line below a table."""
    machine = results["machine"]
    place = machine["processor"] if machine["device"] == "cpu" else machine["device"]
    versions = [f"torch {machine['torch']}"]
    versions += [f"{name} {machine[name]}" for name in ("jax", "onnxruntime") if machine.get(name)]
    threads = f"{machine['threads']} thread" + "s" * (machine["threads"] != 1)
    return f"{place}, {threads}, {', '.join(versions)}, float32; `{results['command']}`."


def _cell(row: Mapping[str, float] | None) -> str:
    return "" if row is None else f"{_milliseconds(row['median'])} ms, {row['ratio']:.2f}x"


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds >= 0.01 else f"{1e3 * seconds:.3f}"


TABLES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "training step": ("training_step", timings),
    "training step, lost": ("training_step", losses),
    "peak memory": ("peak_memory", peaks),
    "memory budget, native": ("memory_budget", partial(budgets, backend="native")),
    "memory budget, torch": ("memory_budget", partial(budgets, backend="torch")),
    "memory budget, torch.compile": ("memory_budget", shares),
    "inference": ("inference", timings),
    "inference, lost": ("inference", losses),
    "dispatch": ("dispatch", timings),
    "layers": ("layers", timings),
    "dispatch, lost": ("dispatch", losses),
    "training step, Xeon": ("xeon/training_step", timings),
    "inference, Xeon": ("xeon/inference", timings),
    "dispatch, Xeon": ("xeon/dispatch", timings),
    "compile time": ("compile_time", compiling),
    "roofline": ("roofline", roofline),
    "denoising": ("denoising", quality_tables.denoising),
    "denoising, shipped": ("denoising_shipped", quality_tables.denoising),
    "shipped": ("shipped", quality_tables.shipped),
    "zero-shot": ("zero_shot", quality_tables.zero_shot),
    "zero-shot, beside PyTorch": ("xeon/zero_shot", quality_tables.zero_shot),
    "zero-shot, published": ("zero_shot_published", quality_tables.zero_shot),
    "zero-shot, published, beside PyTorch": (
        "beside_pytorch/zero_shot_published",
        quality_tables.zero_shot,
    ),
    "fluorescence": ("fluorescence", quality_tables.fluorescence),
    "fluorescence, without gain": ("fluorescence_without_gain", quality_tables.fluorescence),
    "fluorescence, correlation": ("fluorescence", quality_tables.correlation),
    "report study": ("report_study", quality_tables.channels),
}
"""For each table: the results that it is made from, and the function that makes it."""


def main() -> None:
    """Fill every page."""
    argparse.ArgumentParser("python -m benchmarks.tables", description=__doc__).parse_args()
    for page in PAGES:
        page.write_text(filled(page.read_text(), RESULTS))


if __name__ == "__main__":
    main()
