"""Tables made from results, and the contestant that ratios are relative to."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.harness import (
    Timing,
    best_of_pytorch,
    command_line,
    interleaved,
    write,
    write_timings,
)
from benchmarks.rivals.memory import peak_bytes
from benchmarks.tables import PAGES, TABLES, filled

PAGE = "# Speed\n\n<!-- table: dispatch -->\nold\n<!-- end -->\n\nbelow\n"


def timings(ours: float) -> dict[str, Timing]:
    seconds = {
        "JAX, NCHW": 0.5e-3,
        "Blockwright, torch": ours,
        "torch.compile, NCHW": 2e-3,
        "PyTorch eager, channels-last": 4e-3,
    }
    return {name: Timing(median, median, median) for name, median in seconds.items()}


def test_a_table_is_made_of_the_results_and_replaces_the_old_one(tmp_path: Path) -> None:
    write_timings(tmp_path, "dispatch", {"large": timings(1e-3), "small": timings(20e-3)})
    page = filled(PAGE, tmp_path)
    assert "old" not in page
    assert page.startswith("# Speed\n\n<!-- table: dispatch -->\n\n|  | large | small |\n")
    assert page.endswith("<!-- end -->\n\nbelow\n")
    rows = [line for line in page.splitlines() if "ms, " in line]
    assert rows == [
        "| JAX, NCHW | 0.500 ms, 0.25x | 0.500 ms, 0.25x |",
        "| **Blockwright, torch** | 1.000 ms, 0.50x | 20.0 ms, 10.00x |",
        "| torch.compile, NCHW | 2.000 ms, 1.00x | 2.000 ms, 1.00x |",
        "| PyTorch eager, channels-last | 4.000 ms, 2.00x | 4.000 ms, 2.00x |",
    ]
    assert filled(page, tmp_path) == page
    assert (tmp_path / "dispatch.png").stat().st_size


def test_where_others_win_is_told(tmp_path: Path) -> None:
    page = PAGE.replace("dispatch", "dispatch, lost")
    write_timings(tmp_path, "dispatch", {"won": timings(0.1e-3), "lost": timings(1e-3)})
    assert "| lost | JAX, NCHW | 2.00x |" in filled(page, tmp_path)
    assert "won" not in filled(page, tmp_path)
    write_timings(tmp_path, "dispatch", {"won": timings(0.1e-3)})
    assert "None of the cases above." in filled(page, tmp_path)


def test_peaks_are_compared_with_pytorchs_better_layout(tmp_path: Path) -> None:
    found = {"PyTorch eager, NCHW": 40e6, "PyTorch eager, NHWC": 20e6, "Blockwright, torch": 5e6}
    write(tmp_path, "peak_memory", {"bytes": {"small": found}})
    page = filled(PAGE.replace("dispatch", "peak memory"), tmp_path)
    assert "| **Blockwright, torch** | 5.0 MB, 0.25x |" in page
    assert "| PyTorch eager, NCHW | 40.0 MB, 2.00x |" in page


def test_a_table_without_results_stays_and_one_that_does_not_exist_is_refused(
    tmp_path: Path,
) -> None:
    assert filled(PAGE, tmp_path) == PAGE
    with pytest.raises(SystemExit, match="no table 'speed'"):
        filled(PAGE.replace("dispatch", "speed"), tmp_path)


def test_the_pages_ask_for_tables_that_exist() -> None:
    for page in PAGES:
        for line in page.read_text().splitlines():
            if line.startswith("<!-- table: "):
                assert line.removeprefix("<!-- table: ").removesuffix(" -->") in TABLES


def test_contestants_take_turns_and_ratios_are_to_the_best_of_pytorch(tmp_path: Path) -> None:
    called: list[str] = []
    contestants: dict[str, Any] = {
        name: lambda name=name: called.append(name) for name in timings(1e-3)
    }
    taken = interleaved(contestants, rounds=5, calls=2, warmup=1)
    turns = [called[i : i + 3] for i in range(0, len(called), 3)]  # one call does not count
    assert all(len(set(turn)) == 1 for turn in turns)
    order = [turn[0] for turn in turns]
    rounds = [order[i : i + len(contestants)] for i in range(0, len(order), len(contestants))]
    assert [sorted(names) for names in rounds] == [sorted(contestants)] * 6
    assert any(names != rounds[0] for names in rounds)
    assert all(t.low <= t.median <= t.high for t in taken.values())
    assert best_of_pytorch(timings(1e-3)) == "torch.compile, NCHW"
    write_timings(tmp_path, "some", {"case": timings(1e-3)})
    row = json.loads((tmp_path / "some.json").read_text())["seconds"]["case"]
    assert row["Blockwright, torch"]["ratio"] == 0.5


def test_the_peak_of_a_step_counts_what_is_held_at_once() -> None:
    def step() -> torch.Tensor:
        first = torch.ones(1000)
        second = first + 1
        del first
        return second + torch.ones(())

    # The third takes the place of the first; a number among tensors takes a few bytes.
    assert 2 * 4000 <= peak_bytes(step) < 2 * 4000 + 100
    held = torch.ones(1000)
    assert peak_bytes(lambda: held.add_(1)) < 100


def test_a_curve_of_budgets_is_a_row_per_budget(tmp_path: Path) -> None:
    sizes = {"budget": 90e6, "peak": 88e6, "least in this order": 80e6, "least in any order": 40e6}
    ours = [
        sizes | {"estimated seconds": estimated, "seconds": {"median": measured}}
        for estimated, measured in ((1.0, 2.0), (1.1, 2.5))
    ]
    theirs = [
        {"share": share, "peak": 99e6, "seconds": {"median": 1 - share / 2}} for share in (1.0, 0.4)
    ]
    curves = {"native": ours, "torch": ours[1:], "torch.compile": theirs}
    write(tmp_path, "memory_budget", {"curves": curves})
    rows = {
        "native": "| 90.0 MB | 88.0 MB | 1.100x | 2.000x | 1.100x | 1.250x |",
        "torch": "| 90.0 MB | 88.0 MB | 1.100x | 2.000x | 1.000x | 1.000x |",
        "torch.compile": "| 0.4 | 99.0 MB | 1.600x |",
    }
    for name, row in rows.items():
        assert row in filled(PAGE.replace("dispatch", f"memory budget, {name}"), tmp_path)


def test_quality_is_shown_beside_the_rivals(tmp_path: Path) -> None:
    means = {
        "noisy": {"psnr": 20.17, "seconds": 0.0},
        "Blockwright": {"psnr": 28.5, "seconds": 20.0},
        "PyTorch eager": {"psnr": 28.4, "seconds": 40.0},
    }
    machine = {"processor": "Fast"}
    write(tmp_path, "zero_shot", {"means": means, "pictures": [means] * 2, "machine": machine})
    page = filled(PAGE.replace("dispatch", "zero-shot"), tmp_path)
    assert "Means over 2 pictures; Fast; " in page
    assert "| **Blockwright** | 28.50 dB | 20.0 s, 0.50x |" in page
    assert "| noisy | 20.17 dB |  |" in page
    field = {"psnr": {"noisy": 20.0, "Blockwright": 30.0}, "over the best classical": 1.5}
    found = {"fields": {"cell": field | {"correlation of neighbours": 0.5}}, "mean": field}
    write(tmp_path, "fluorescence", found)
    page = filled(PAGE.replace("dispatch", "fluorescence"), tmp_path)
    assert "| cell | 0.50 | 20.00 | 30.00 | +1.50 dB |" in page
    assert "Not measured yet." in filled(
        PAGE.replace("dispatch", "fluorescence, correlation"), tmp_path
    )


def test_commands_leave_out_where_things_are_put(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["folder/denoising.py", "--runs", "/x", "--steps", "5", "--results=/y", "--alone"]
    monkeypatch.setattr(sys, "argv", given)
    assert command_line() == "python -m benchmarks.denoising --steps 5 --alone"
