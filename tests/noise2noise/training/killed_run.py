"""Training runs in processes of their own, killed at random moments."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[3]


def run_with_kills(arguments: Sequence[object], run: Path, kills: int, random: Random) -> int:
    """Run ``blockwright train`` to its end, killing and resuming it; return how often.

    Each process is killed within two seconds of having read its pictures.
    """
    for killed in range(kills + 1):
        go_on = ["--resume", run] if (run / "config.toml").exists() else [*arguments, "-o", run]
        process = subprocess.Popen(
            [sys.executable, "-m", "graphs.noise2noise.cli", "train", *map(str, go_on)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        first_line = process.stderr.readline()
        assert "9 scenes: " in first_line, first_line + process.stderr.read()
        if killed < kills:
            time.sleep(2 * random.random() ** 2)
            process.kill()
        process.stderr.read()
        if process.wait() == 0:
            return killed
        assert process.returncode == -9
    raise AssertionError("it was not to be killed the last time")
