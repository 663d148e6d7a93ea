"""The GPU benchmark, as far as it runs without a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.harness import Timing


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit, match="measures on a CUDA device, and torch finds none"):
        gpu.main()


def test_what_it_checks_holds_on_the_cpu() -> None:
    assert gpu.check_training("cpu", "float32", batch=2, steps=3) <= gpu.TOLERANCES["float32"]
    assert gpu.check_graphs("cpu", "float32", batch=2, steps=2)


def test_it_refuses_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gpu.ours

    def wrong(graph: object, device: str, compute: str) -> object:
        monkeypatch.setattr(gpu, "LR", 0.11)
        return right(graph, device, compute)

    monkeypatch.setattr(gpu, "ours", wrong)
    with pytest.raises(SystemExit, match="wrong in float32: losses are"):
        gpu.check("cpu", ["float32"])


def test_contestants_agree_and_the_schedule_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, mode: function)
    # As torch's own tests leave it behind, which run in the same process.
    flags = torch.backends.disable_global_flags.__globals__
    monkeypatch.setitem(flags, "__allow_nonbracketed_mutation_flag", False)
    timings = gpu.time_steps(4, "cpu", "float32", rounds=3)
    assert len(timings) == 4
    assert gpu.time_schedule("cpu", "float32", epochs=1, pairs=200) > 0


def test_figures_stand_beside_their_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def timings(*medians: float) -> dict[str, Timing]:
        names = ("Blockwright", "PyTorch eager, channels-last", "PyTorch eager, NCHW",
                 "torch.compile, max-autotune")  # fmt: skip
        return {name: Timing(m, m, m) for name, m in zip(names, medians, strict=True)}

    results = gpu.Results({"float32": 1e-7})
    results.add_steps(100, "float32", timings(1, 4, 5, 1))
    results.add_steps(4096, "tf32", timings(3, 2, 4, 4))
    assert [(f.value, f.bar) for f in results.figures] == [
        (0.25, 0.3),
        (1, 0.8),
        (1.5, 1),
        (0.75, 1),
    ]
    results.print()
    printed = capsys.readouterr().out
    assert printed.count("met") == printed.count("missed") == 2
    results.write(tmp_path)
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["steps"]["step of batch 100, float32"]["Blockwright"]["median"] == 1
    assert len(content["figures"]) == 4
    assert (tmp_path / "gpu.png").exists()
