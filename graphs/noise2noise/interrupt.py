"""Ctrl-C as a wish to stop, rather than a crash."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heeding_interrupts() -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C only makes the lent function true; the next interrupts.

    Signals reach the main thread alone: on another thread the function stays false.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    previous = signal.getsignal(signal.SIGINT)

    def heed(_signal: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, heed)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
