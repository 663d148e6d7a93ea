"""The course's pickles: two tensors in a file, read without running other code it may hold."""

from __future__ import annotations

import collections
import io
import pickle
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch

from graphs.noise2noise.errors import InputError

SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth"})


def is_course(paths: Iterable[Path | str]) -> bool:
    """Whether there are any paths and all have suffixes of the course's pickles."""
    suffixes = {Path(path).suffix.lower() for path in paths}
    return bool(suffixes) and suffixes <= SUFFIXES


def read_course_pickle(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The two tensors of ``train_data.pkl`` (two noisy shots) or ``val_data.pkl`` (noisy, clean).

    Files from ``torch.save`` and from ``pickle.dump`` can be read. Of the functions that a file may
    name, only those that build tensors are ever called.

    Returns:
        Two uint8 tensors (n, 3, H, W) of the same shape.

    Raises:
        InputError: the file is missing, or not of this kind.
    """
    value = _load(path)
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"{path} holds {_kind(value)}; expected a tuple of two tensors")
    for tensor in value:
        fits = isinstance(tensor, torch.Tensor) and tensor.dtype == torch.uint8
        if not fits or tensor.ndim != 4 or tensor.shape[1] != 3:
            raise InputError(f"{path} holds {_kind(tensor)}; expected uint8 tensors (n, 3, H, W)")
    first, second = value
    if first.shape != second.shape:
        raise InputError(
            f"{path}: its two tensors differ in shape, {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    if not first.numel():
        raise InputError(f"{path} has no pixels: its tensors are {tuple(first.shape)}")
    return first, second


def _load(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    readers: tuple[Callable[[io.BytesIO], Any], ...] = (_load_saved, _load_dumped)
    reasons = []
    for read in readers:
        try:
            return read(io.BytesIO(content))
        except Exception as error:  # a hostile or damaged file can make an unpickler raise anything
            reasons.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
    raise InputError(
        f"{path} is no pickle of tensors alone, and nothing in it was run: {reasons[-1]}"
    )


def _load_saved(file: io.BytesIO) -> Any:
    with warnings.catch_warnings(action="ignore"):
        return torch.load(file, map_location="cpu", weights_only=True)


def _load_dumped(file: io.BytesIO) -> Any:
    value = _TensorUnpickler(file).load()
    if file.read(1):
        raise pickle.UnpicklingError("there is more in it than one value")
    return value


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that allows only the functions that build a tensor."""

    _KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        # torch's own would unpickle the nested bytes without any restriction.
        ("torch.storage", "_load_from_bytes"): lambda content: _load_saved(io.BytesIO(content)),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a tensor")
        return self._KNOWN[module, name]


def _kind(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of {value.dtype} {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
