"""Ctrl-C ends a training run with what it has learned, and works as usual everywhere else."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from engine.atomic import LEFTOVERS
from graphs.noise2noise.demo import ARCHITECTURE
from graphs.noise2noise.interrupt import heeding_interrupts
from graphs.noise2noise.networks import load_network
from graphs.noise2noise.training.begin import counted
from graphs.noise2noise.training.checkpoints import list_checkpoints
from tests.noise2noise.scenes import names, shots

ROOT = Path(__file__).parents[2]
BRIEF = {"BLOCKWRIGHT_BACKEND": "torch"}
"""Native code would take longer to compile."""

STOPPED = "Stopped early; going on with what has been learned."


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """Restore Ctrl-C as at a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted_while_training(*arguments: object) -> tuple[int, str, str]:
    """Run the program at a terminal, send it Ctrl-C once it trains.

    Returns its status, its stdout, and what the terminal has shown.
    """
    command = [sys.executable, "-m", *map(str, arguments)]
    with _at_a_terminal(command) as (process, shown):
        said = b""
        while received := _received(shown):
            if b" 0%" not in said and b" 0%" in said + received:
                process.send_signal(signal.SIGINT)
            said += received
        stdout, _ = process.communicate(timeout=180)
        return process.returncode, stdout, said.decode()


@contextmanager
def _at_a_terminal(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=its,
        text=True,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120", "TERM": "xterm"} | BRIEF,
    )
    os.close(its)
    deadline = threading.Timer(180, process.kill)
    deadline.start()
    try:
        yield process, ours
    finally:
        deadline.cancel()
        process.kill()
        process.communicate()
        os.close(ours)


def _received(terminal: int) -> bytes:
    """What a terminal shows next; nothing once its program has ended."""
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way to say that the other end is closed
        return b""


def test_demo(tmp_path: Path) -> None:
    status, stdout, shown = interrupted_while_training(
        "tests.noise2noise.small_demo", "demo", "--minutes", 60, "-o", tmp_path
    )
    assert status == 0, shown
    assert STOPPED in shown
    assert "Traceback" not in shown
    assert "Blockwright" in stdout
    assert names(tmp_path) == ["demo.png", "model.safetensors"]
    with Image.open(tmp_path / "demo.png") as figure:
        figure.load()
    assert load_network(tmp_path / "model.safetensors").architecture == ARCHITECTURE


def test_train(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    run = tmp_path / "run"
    options = ("--network", "report", "--minutes", 60)
    status, stdout, shown = interrupted_while_training(
        "graphs.noise2noise.cli", "train", first, second, "-o", run, *options
    )
    assert status == 0, shown
    assert STOPPED in shown
    assert "Traceback" not in shown
    assert ", stopped early\n" in stdout
    assert len(safetensors.torch.load_file(run / "best.safetensors")) == 8
    # The latest step is kept, too.
    latest = list_checkpoints(run / "checkpoints")[-1].stem.removeprefix("step-")
    assert stdout.startswith(f"trained on 2 scenes, {counted(int(latest), 'step')}, stopped early")
    assert names(tmp_path) == ["a", "b", "run"]


def test_a_program_told_to_end_leaves_no_temporary_file(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    paths = tmp_path / "noisy.png", "-o", tmp_path / "clean.tif"
    command = [sys.executable, "-m", "graphs.noise2noise.cli", "denoise", *map(str, paths)]
    process = subprocess.Popen([*command, "--method", "model"], cwd=ROOT, env=os.environ | BRIEF)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(LEFTOVERS)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.glob(LEFTOVERS))
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert names(tmp_path) == ["noisy.png"]


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
