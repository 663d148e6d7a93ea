"""The order of a program's runs on different CUDA streams."""

from __future__ import annotations

import torch


class InTurn:
    """Makes each run wait for the one before, which has the same memory, if on another stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last: torch.cuda.Stream | None = None

    def begin(self, memory: torch.Tensor | None) -> None:
        """To be called before a run queues anything on the caller's stream.

        ``memory``, if there is some already, is not given to others before this stream is done.
        """
        here = torch.cuda.current_stream(self._device)
        if self._last is not None and here != self._last:
            here.wait_stream(self._last)
            if memory is not None:
                memory.record_stream(here)
        self._last = here
