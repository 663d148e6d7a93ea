"""The GPU benchmark, as far as it runs without a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu, gpu_steps
from benchmarks.gpu_steps import TOLERANCES, Contestant
from benchmarks.harness import Timing


@pytest.fixture(autouse=True)
def _without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(SystemExit, match="measures on a CUDA device, and torch finds none"):
        gpu.main()


def test_what_it_checks_holds_on_the_cpu() -> None:
    assert gpu.check_training("cpu", "float32", batch=4) <= TOLERANCES["float32"]
    gpu.check_graphs("cpu", "float32", batch=2, steps=2)


@pytest.mark.parametrize("wrong", [-1.0, 0.0, 1.1])
@pytest.mark.parametrize("number", range(8))
def test_it_sees_every_wrong_gradient(
    number: int, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gpu_steps.ours

    def ours(*given: Any) -> Contestant:
        contestant = right(*given)
        weight = contestant.weights[number]

        def step() -> torch.Tensor:
            before = weight.clone()
            loss = contestant.step()
            weight.copy_(before + wrong * (weight - before))
            return loss

        return Contestant(step, contestant.weights)

    monkeypatch.setattr(gpu_steps, "ours", ours)
    difference = gpu.check_training("cpu", "float32", batch=2)
    for compute in TOLERANCES:
        with pytest.raises(gpu.Wrong, match="weights change otherwise, by"):
            gpu.require_near("ours", compute, difference)


def test_what_fails_is_recorded_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gpu_steps.program_for
    monkeypatch.setattr(gpu_steps, "program_for", lambda *given: right(*given).nothing)
    results = gpu.Results(tmp_path)
    gpu.check(results, "cpu", "float32")
    assert len(results.failures) == 2
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert all("no attribute 'nothing'" in failure for failure in written["failures"])


def test_contestants_agree_and_the_schedule_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, mode, dynamic: function)
    # As torch's own tests leave it behind, which run in the same process.
    flags = torch.backends.disable_global_flags.__globals__
    monkeypatch.setitem(flags, "__allow_nonbracketed_mutation_flag", False)
    timed = gpu.interleaved
    monkeypatch.setattr(
        gpu, "interleaved", lambda steps, rounds, **_: timed(steps, rounds, calls=2, warmup=1)
    )
    timings = gpu.time_steps(4, "cpu", "float32", rounds=2)
    assert len(timings) == 4
    assert gpu.time_schedule("cpu", "float32", epochs=1, pairs=200) > 0


def test_figures_stand_beside_their_bars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def timings(*medians: float) -> dict[str, Timing]:
        names = ("Blockwright", "PyTorch eager, channels-last", "PyTorch eager, NCHW",
                 "torch.compile, max-autotune")  # fmt: skip
        return {name: Timing(m, m, m) for name, m in zip(names, medians, strict=True)}

    results = gpu.Results(tmp_path, {"float32": 1e-7})
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
    results.write()
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["steps"]["step of batch 100, float32"]["Blockwright"]["median"] == 1
    assert len(content["figures"]) == 4
    assert (tmp_path / "gpu.png").exists()
