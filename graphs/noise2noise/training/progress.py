"""Display of a running training: a live line on a terminal, elsewhere nothing or plain lines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager

from rich import progress as bars
from rich.console import Console

from graphs.noise2noise.interrupt import heeding_interrupts
from graphs.noise2noise.training.position import Progress

PLAIN_SECONDS = 10.0

Show = Callable[[Progress], None]


def watch(steps: Generator[Progress], console: Console, *, log: bool = False) -> bool:
    """Run a training and show its progress; returns False if Ctrl-C ended it early.

    Args:
        steps: the training, as from :meth:`Training.run`; closed at the end.
        console: where progress is shown: a live line on a terminal, nothing elsewhere.
        log: print a line every ten seconds where no live line can be shown.
    """
    finished = False
    with heeding_interrupts() as interrupted, _display(console, log) as show, closing(steps):
        for state in steps:
            show(state)
            if state.warning is not None:
                console.print(state.warning, markup=False, highlight=False, soft_wrap=True)
            finished = state.share == 1
            if interrupted():
                break
    if not finished:
        console.print("Stopped early; going on with what has been learned.")
    return finished


def describe(state: Progress) -> str:
    """Loss, score, pace and time left in one line."""
    figures = []
    if state.loss is not None:
        figures.append(f"loss {state.loss:.5f}")
    if state.latest is not None:
        held_out = state.latest
        if held_out.psnr is not None:
            figures.append(f"held-out {held_out.psnr:.2f} dB")
        else:
            figures.append(f"held-out loss {held_out.loss:.5f}")
    if state.steps:
        figures.append(f"{state.examples_per_second:.0f} pairs/s")
        figures.append(f"{state.seconds_left:.0f} s left")
    return "  ".join(figures)


@contextmanager
def _display(console: Console, log: bool) -> Iterator[Show]:
    if not console.is_terminal or console.is_dumb_terminal:
        yield _plain_lines(console) if log or console.is_terminal else lambda state: None
        return
    columns = (
        bars.TextColumn("Training"),
        bars.BarColumn(bar_width=16),
        bars.TaskProgressColumn(),
        bars.TextColumn("{task.description}"),
    )
    with bars.Progress(*columns, console=console) as display:
        task = display.add_task("", total=1.0)
        yield lambda state: display.update(task, completed=state.share, description=describe(state))


def _plain_lines(console: Console) -> Show:
    next_line = 0.0

    def show(state: Progress) -> None:
        nonlocal next_line
        if state.seconds >= next_line or state.share == 1:
            line = f"{state.seconds:4.0f} s  {state.share:4.0%}  {describe(state)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
            next_line = state.seconds + PLAIN_SECONDS

    return show
