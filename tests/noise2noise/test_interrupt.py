"""Ctrl-C ends a training run with what it has learned, and works as usual everywhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import safetensors.torch
from PIL import Image

from graphs.noise2noise.demo import ARCHITECTURE
from graphs.noise2noise.interrupt import heeding_interrupts
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.training.begin import counted
from graphs.noise2noise.training.checkpoints import list_checkpoints
from tests.noise2noise.scenes import names, shots

ROOT = Path(__file__).parents[2]
STOPPED = "Stopped early; going on with what has been learned."


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """Restore Ctrl-C as at a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted_while_training(*arguments: object) -> tuple[int, str, str]:
    """Run the program, send it Ctrl-C once it trains; returns its status, stdout and stderr."""
    command = [sys.executable, "-m", *map(str, arguments)]
    with _running(command) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if " 0%" in line:
                process.send_signal(signal.SIGINT)
                break
        stdout, rest = process.communicate(timeout=180)
        return process.returncode, stdout, "".join(said) + rest


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_demo(tmp_path: Path) -> None:
    status, stdout, stderr = interrupted_while_training(
        "tests.noise2noise.small_demo", "demo", "--minutes", 60, "-o", tmp_path
    )
    assert status == 0, stderr
    assert STOPPED in stderr
    assert "Traceback" not in stderr
    assert "Blockwright" in stdout
    assert names(tmp_path) == ["demo.png", "model.safetensors"]
    with Image.open(tmp_path / "demo.png") as figure:
        figure.load()
    assert load_network(tmp_path / "model.safetensors").architecture == ARCHITECTURE


def test_train(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    options = ("--network", "report", "--minutes", 60)
    status, stdout, stderr = interrupted_while_training(
        "graphs.noise2noise.cli", "train", first, second, "-o", run, *options
    )
    assert status == 0, stderr
    assert STOPPED in stderr
    assert "Traceback" not in stderr
    assert ", stopped early\n" in stdout
    assert len(safetensors.torch.load_file(run / "best.safetensors")) == 8
    # The latest step is kept, too.
    latest = list_checkpoints(run / "checkpoints")[-1].stem.removeprefix("step-")
    assert stdout.startswith(f"trained on 2 scenes, {counted(int(latest), 'step')}, stopped early")
    assert names(tmp_path) == ["a", "b", "run"]


def test_the_first_is_a_wish_and_the_second_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    with heeding_interrupts() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_afterwards_and_after_an_error_it_interrupts_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), heeding_interrupts():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_on_another_thread_nothing_is_asked() -> None:
    before = signal.getsignal(signal.SIGINT)
    answers = []

    def work() -> None:
        with heeding_interrupts() as asked:
            answers.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
    assert signal.getsignal(signal.SIGINT) is before
