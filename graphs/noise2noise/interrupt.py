"""Ctrl-C as a request to stop, rather than a crash."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heeding_interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns True after the first Ctrl-C in the block; the next interrupts.

    Only the main thread receives signals: on another thread the function keeps returning False.
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
