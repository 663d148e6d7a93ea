"""What a running training shows, on a terminal and elsewhere."""

from __future__ import annotations

import re
from collections.abc import Generator
from io import StringIO

import pytest
from rich.console import Console

from graphs.noise2noise.training.position import Progress
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.validation import Score

WARNING = "the training has diverged"
FIRST = "   0 s    0%  held-out 20.50 dB"
LAST = "  25 s  100%  loss 0.01250  held-out 28.25 dB  16 pairs/s  0 s left"


def training(steps: int) -> Generator[Progress]:
    """A training of four steps of five seconds, of which so many are made."""
    for step in range(steps + 1):
        yield Progress(
            share=step / 5,
            steps=step,
            examples=80 * step,
            seconds=5.0 * step,
            rate=1e-3,
            loss=0.0125 if step else None,
            latest=Score(0.01, 28.25 if step else 20.5),
            warning=WARNING if step == 2 else None,
        )


def shown(steps: int = 5, *, log: bool = False, **terminal: bool) -> list[str]:
    console = Console(file=StringIO(), width=100, **terminal)
    assert watch(training(steps), console, log=log) is (steps == 5)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_away_from_a_terminal_only_warnings_are_shown() -> None:
    assert shown() == [WARNING]
    assert shown(3) == [WARNING, "Stopped early; going on with what has been learned."]


def test_a_log_has_a_line_every_ten_seconds() -> None:
    first, *more, last = shown(log=True)
    assert (first, last) == (FIRST, LAST)
    assert [line.split("  loss")[0] for line in more] == ["  10 s   40%", WARNING, "  20 s   80%"]


def test_a_terminal_has_a_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    live = shown(force_terminal=True)
    assert any(WARNING in line for line in live)
    assert any(re.search(r"Training .*100%.* 16 pairs/s  0 s left", line) for line in live)


def test_a_terminal_that_cannot_move_its_cursor_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert shown(force_terminal=True) == shown(log=True)
