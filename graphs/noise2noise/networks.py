"""Networks in files: weights, with the architecture and the value range that they are for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from graphs.architectures import UNet, report_network
from graphs.model import PRETRAINED
from graphs.module import Module
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import replacing
from ops import FeedError, GraphError, Node, SpecError

NetworkName = Literal["report", "unet"]
NETWORKS: tuple[NetworkName, ...] = ("report", "unet")
KEY = "architecture"
"""The key in the safetensors metadata."""

SHIPPED = PRETRAINED.with_name("denoiser.safetensors")
"""Weights that come with the package, of a better network than the report's, if it exists."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything needed to rebuild a network.

    Attributes:
        network: ``report``, the report's, or ``unet``, the Noise2Noise paper's U-Net.
        width: channels of the first convolution.
        depth: how many times the pictures are halved; always two for the report's network.
        channels: of the pictures.
        offset, scale: for pictures' values v, the network sees (v - offset) / scale, which should
            lie roughly within 0 and 1.

    Raises:
        InputError: there is no such network, or a number is out of its range.
    """

    network: NetworkName = "report"
    width: int = 32
    depth: int = 2
    channels: int = 3
    offset: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(
                f"there is no network {self.network!r}; expected one of {', '.join(NETWORKS)}"
            )
        for name in ("width", "depth", "channels"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"network: expected {name} of at least 1, got {value!r}")
        if self.network == "report" and self.depth != 2:
            raise InputError(f"the report's network has depth 2; got {self.depth}")
        if not math.isfinite(self.offset):
            raise InputError(f"expected a finite offset, got {self.offset}")
        if not 0 < self.scale < math.inf:
            raise InputError(f"expected a scale above 0 and finite, got {self.scale}")

    @property
    def multiple(self) -> int:
        """The sides of the pictures must be divisible by this."""
        return int(2**self.depth)

    def build(self, seed: int = 0) -> Module:
        """The network for values from 0 to 1; its initial weights depend only on the seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.network == "report":
                return report_network(self.width, self.channels)
            return Rescaled(UNet(self.width, self.depth, self.channels, self.channels), 0.5, 1.0)


def start_from_mean(network: Module, architecture: Architecture, mean: torch.Tensor) -> None:
    """Start the report's network, which ends in a bias and a sigmoid, at the mean colour.

    With dark pictures the sigmoid might otherwise saturate so fast that the output stays black. The
    U-Net does not end in a sigmoid and is left as it is.

    Args:
        network: as built by the architecture.
        architecture: which network it is.
        mean: of each channel of the pictures, from 0 to 1.
    """
    if architecture.network == "report":
        state = network.state()
        last = list(state)[-1]
        network.load_state(state | {last: mean.clamp(0.001, 0.999).logit()})


class Rescaled(Module):
    """Wraps a network that works on (v - offset) / scale into one that works on v itself."""

    def __init__(self, network: Module, offset: float, scale: float) -> None:
        super().__init__()
        self.network = network
        self.offset, self.scale = offset, scale

    def build(self, *inputs: Node) -> Node:
        """See :meth:`Module.build`."""
        (x,) = inputs
        return self.network((x - self.offset) / self.scale) * self.scale + self.offset


@dataclass(frozen=True)
class Loaded:
    """A network read from a file.

    Attributes:
        network: maps pictures [N, C, H, W], with values as read from files, to pictures of the
            same shape.
        architecture: with the channels it takes and the multiple that the sides must be of.
    """

    network: Module
    architecture: Architecture


def save_network(
    path: Path,
    network: Module,
    architecture: Architecture,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a network's weights with its architecture, replacing an existing file.

    Args:
        path: a safetensors file.
        network: as built by the architecture.
        architecture: stored in the file's metadata.
        notes: more metadata, for human readers.

    Raises:
        InputError: the file cannot be written.
    """
    metadata = dict(notes or {}) | {KEY: json.dumps(asdict(architecture))}
    with replacing(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(network.state(), metadata))


def load_network(path: Path | None = None) -> Loaded:
    """Read a network; a run's folder means its best weights, None those shipped with the package.

    A file without a recorded architecture is taken for the report's network of 32 channels.

    Raises:
        InputError: there is no such file, or it does not hold weights of a known network.
    """
    path = path or (SHIPPED if SHIPPED.exists() else PRETRAINED)
    file = path / "best.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"there is no file of weights {file}")
    state, metadata = _read(file)
    architecture = _architecture(file, metadata)
    network = architecture.build()
    try:
        network.load_state(state)
    except (GraphError, FeedError):
        what = (
            f"its own architecture, {architecture.network} of width {architecture.width}"
            if KEY in metadata
            else "the report's network of 32 channels, and it names no other"
        )
        raise InputError(f"the weights in {file} do not fit {what}") from None
    if not all(bool(values.isfinite().all()) for values in state.values()):
        raise InputError(f"the weights in {file} are not all finite numbers: nothing can use them")
    if (architecture.offset, architecture.scale) != (0.0, 1.0):
        network = Rescaled(network, architecture.offset, architecture.scale)
    return Loaded(network, architecture)


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return state, file.metadata() or {}
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file of weights: {error}") from None


def _architecture(path: Path, metadata: Mapping[str, str]) -> Architecture:
    if KEY not in metadata:
        return Architecture()
    try:
        fields: dict[str, Any] = json.loads(metadata[KEY])
        return Architecture(**fields)
    except (TypeError, ValueError, SpecError) as error:
        raise InputError(f"{path} has an architecture unknown to this version: {error}") from None
