"""The devices that programs run on."""

from __future__ import annotations

import torch

from ops import GraphError

DEVICES = ("cpu", "cuda")
"""The kinds of devices."""


def find_device(device: str | torch.device) -> torch.device:
    """The device of this name.

    Raises:
        GraphError: it is of another kind, or torch cannot use it.
    """
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        chosen = None
    if chosen is None or chosen.type not in DEVICES:
        raise GraphError(f"unknown device {device!r}; expected {' or '.join(DEVICES)}")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise GraphError(f"device {device!r} was asked for, and torch finds no CUDA device")
    try:
        # Resolves "cuda" to a device with an index, like that of tensors on it.
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise GraphError(f"torch cannot use the device {device!r}: {reason}") from None
