"""Checkpoints: all that a training needs to resume, written atomically and verified when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing
from graphs.noise2noise.training.position import Position

KEPT = 3
"""How many of the newest checkpoints are kept."""


@dataclass(frozen=True)
class Checkpoint:
    """The saved state of a training: see :meth:`Training.restore`."""

    state: Mapping[str, torch.Tensor]
    position: Position


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``step-<eight digits>.safetensors`` and delete all but the newest three checkpoints.

    Those of later steps are deleted too: a run resumes from the newest intact checkpoint, so any
    later one is damaged.

    The metadata holds the position, and one SHA-256 over the position and all tensors.
    """
    path = folder / f"step-{checkpoint.position.step:08}.safetensors"
    position = json.dumps(asdict(checkpoint.position))
    metadata = {"position": position, "sha256": _digest(checkpoint.state, position)}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(dict(checkpoint.state), metadata))
    written = list_checkpoints(folder)
    whole = written[: written.index(path) + 1]
    for old in (*written[len(whole) :], *whole[:-KEPT]):
        old.unlink()
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint.

    Raises:
        InputError: the file is damaged or was written by another version of this program.
    """
    try:
        content = path.read_bytes()
        state = safetensors.torch.load(content)
        metadata = _metadata(content)
        position = metadata["position"]
        expected = metadata["sha256"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise InputError(f"the checkpoint {path} is damaged: {error}") from None
    if _digest(state, position) != expected:
        raise InputError(f"the checkpoint {path} is damaged: its SHA-256 is another")
    try:
        return Checkpoint(state, Position(**json.loads(position)))
    except TypeError:
        raise InputError(f"the checkpoint {path} is of another version of this program") from None


def read_newest(folder: Path, tell: Callable[[str], None]) -> Checkpoint | None:
    """The newest intact checkpoint, or None; damaged ones are reported through ``tell``.

    Damaged ones after it are deleted, so that they do not count among those kept. If none is
    intact, they stay until another is written.
    """
    damaged: list[Path] = []
    for path in reversed(list_checkpoints(folder)):
        try:
            checkpoint = read_checkpoint(path)
        except InputError as error:
            tell(str(error))
            damaged.append(path)
            continue
        if damaged:
            tell(f"going on from the newest whole checkpoint, {path}")
        for other in damaged:
            other.unlink()
        return checkpoint
    if damaged:
        tell(f"no checkpoint in {folder} is whole: the run starts again")
    return None


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files in a folder, oldest first."""
    return sorted(folder.glob("step-*.safetensors"))


def _digest(state: Mapping[str, torch.Tensor], position: str) -> str:
    digest = hashlib.sha256(position.encode())
    for name in sorted(state):
        value = state[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file, whose header is a length in 8 bytes, then JSON."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(content[8 : 8 + length])
    return header.get("__metadata__", {})
