"""The course's wrapper around the report's network: train, predict, load pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from engine import Graph, Program, compile
from graphs.architectures import report_network
from graphs.builder import GraphBuilder
from graphs.caching import cached
from graphs.layers import Sigmoid
from graphs.module import PROGRAMS_KEPT
from graphs.optimizers import Adam
from graphs.sequential import Sequential
from graphs.weights import load_weights
from ops import FeedError, GraphError, mse
from ops.spec import format_shape

PRETRAINED = Path(__file__).parent / "pretrained" / "report.safetensors"
MULTIPLE = 4
"""The network halves its images twice, so their sides must be divisible by this."""

FAR = 1.5
"""In logits, the sigmoid's input: pictures whose mean is between 0.18 and 0.82 are not far off."""

PIXELS_AT_ONCE = 1 << 20
"""``predict`` works on batches of at most about this many pixels, but at least one image."""


class Model:
    """The report's network for images in the usual form: [N, 3, H, W], values from 0 to 255.

    Images are uint8 or float tensors on any device; results have the same dtype and device.

    Args:
        network: another network for images from 0 to 1 whose sides are divisible by 4, for
            instance ``report_network(64)``; by default the report's.

    Attributes:
        network: the network that is trained, on values from 0 to 1.
        optimizer: Adam; its ``lr`` may be changed between calls of :meth:`train`.
        batch_size: pairs per training step.
    """

    def __init__(self, network: Sequential | None = None) -> None:
        self.network = report_network() if network is None else network
        self.optimizer = Adam(lr=1e-3)
        self.batch_size = 100

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in ("network", "optimizer"):
            self._forget()  # programs belong to the ones they were compiled for

    def _forget(self) -> None:
        self._graph, self._built = _training_graph(self.network), self.network._structure()
        self._step = cached(PROGRAMS_KEPT, self._compile_step)
        self._denoise = cached(PROGRAMS_KEPT, self._compile_denoise)

    def __getstate__(self) -> dict[str, Any]:
        # Programs are not copied: they belong to the parameters of the original.
        kept = ("network", "optimizer", "batch_size")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def load_pretrained_model(self) -> None:
        """Load the weights that come with the package.

        Raises:
            GraphError: the ``safetensors`` package is not installed, or the network's parameters
                have other names.
            FeedError: a parameter has another shape.
        """
        load_weights(self.network, PRETRAINED)

    def train(
        self, train_input: torch.Tensor, train_target: torch.Tensor, num_epochs: int
    ) -> list[float]:
        """Train the network to predict one noisy shot of a scene from another: Noise2Noise.

        Args:
            train_input, train_target: noisy images [N, 3, H, W] of the same scenes, values from
                0 to 255, H and W divisible by 4.
            num_epochs: how many times every pair is seen, in a new order each time.

        Returns:
            The mean loss of each epoch, on values from 0 to 1.

        Raises:
            FeedError: the images are not such tensors, there are none, or their shapes differ.
            GraphError: ``num_epochs`` is below 0, or ``batch_size`` below 1.
        """
        _require_count("num_epochs", num_epochs, 0)
        _require_count("batch_size", self.batch_size, 1)
        self._follow()
        _require_images("train_input", train_input)
        _require_images("train_target", train_target)
        if train_input.shape != train_target.shape:
            raise FeedError(
                f"expected as many targets as inputs and of one shape, got "
                f"{format_shape(train_input.shape)} and {format_shape(train_target.shape)}"
            )
        if not len(train_input):
            raise FeedError("train_input: expected at least one pair, got none")
        if train_input.shape[2] % MULTIPLE or train_input.shape[3] % MULTIPLE:
            raise FeedError(
                f"train_input: expected sides divisible by {MULTIPLE}, "
                f"got {format_shape(train_input.shape)}"
            )
        self._leave_extremes(train_input, train_target)
        return [self._epoch(train_input, train_target) for _ in range(num_epochs)]

    def predict(self, test_input: torch.Tensor) -> torch.Tensor:
        """Denoise images of any size.

        Args:
            test_input: noisy images [N, 3, H, W], values from 0 to 255.

        Returns:
            Clean images of the same shape, dtype and device, within 0 to 255.

        Raises:
            FeedError: the images are not such a tensor.
        """
        self._follow()
        _require_images("test_input", test_input)
        height, width = test_input.shape[2:]
        images = extend_to_multiple(test_input, MULTIPLE)
        at_once = max(1, PIXELS_AT_ONCE // max(1, images.shape[2] * images.shape[3]))
        parts = [self._predict(part) for part in images.split(at_once)]
        clean = torch.cat(parts)[:, :, :height, :width].clamp_(0, 255)
        return (clean if test_input.is_floating_point() else clean.round_()).to(test_input.dtype)

    def _follow(self) -> None:
        """Forget what was compiled before the network was edited."""
        if self._built != self.network._structure():
            self._forget()

    def _leave_extremes(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """For very dark or bright pictures, set the last bias so that training starts at the mean.

        Otherwise the sigmoid may saturate on the way there, and the output stay black (or white).
        """
        wanted = _mean_logit(_to_unit(targets[: self.batch_size]))
        if float(wanted.abs().max()) < FAR or not isinstance(self.network[-1], Sigmoid):
            return
        off = wanted - _mean_logit(self._predict(inputs[: self.batch_size]) / 255)
        state = self.network.state()
        last = list(state)[-1]
        if float(off.abs().max()) >= FAR and state[last].shape == off.shape:
            self.network.load_state(state | {last: state[last] + off})

    def _epoch(self, inputs: torch.Tensor, targets: torch.Tensor) -> float:
        total = 0.0
        for chosen in torch.randperm(len(inputs), device=inputs.device).split(self.batch_size):
            a, b = _to_unit(inputs[chosen]), _to_unit(targets[chosen])
            step = self._step(len(chosen), a.shape[2], a.shape[3], a.device)
            total += float(step(noisy=a, target=b)["loss"]) * len(chosen)
        return total / len(inputs)

    def _predict(self, images: torch.Tensor) -> torch.Tensor:
        n, _, height, width = images.shape
        if not images.numel():
            return images.to(torch.float32)
        program = self._denoise(n, height, width, images.device)
        return program(noisy=_to_unit(images))["clean"] * 255

    def _compile_step(self, n: int, height: int, width: int, device: torch.device) -> Program:
        return compile(
            self._graph,
            outputs=["loss"],
            minimize="loss",
            optimizer=self.optimizer,
            device=device,
            N=n,
            H=height,
            W=width,
        )

    def _compile_denoise(self, n: int, height: int, width: int, device: torch.device) -> Program:
        return compile(self._graph, outputs=["clean"], device=device, N=n, H=height, W=width)


def extend_to_multiple(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad [N, C, H, W] to sides divisible by ``multiple``, repeating the last row and column."""
    rows, columns = (
        torch.arange(-(-size // multiple) * multiple, device=images.device).clamp_(max=size - 1)
        for size in images.shape[2:]
    )
    return images[:, :, rows][:, :, :, columns]


def _training_graph(network: Sequential) -> Graph:
    g = GraphBuilder("report")
    noisy = g.input("noisy", ("N", 3, "H", "W"))
    target = g.input("target", ("N", 3, "H", "W"))
    clean = network.build(noisy)
    return g.build(clean=clean, loss=mse(clean, target))


def _to_unit(images: torch.Tensor) -> torch.Tensor:
    return images.to(torch.float32) / 255


def _mean_logit(images: torch.Tensor) -> torch.Tensor:
    """The logit of the mean colour: [N, C, H, W] from 0 to 1 in, [C] out."""
    return images.mean((0, 2, 3)).clamp(1e-4, 1 - 1e-4).logit()


def _require_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise GraphError(f"{name}: expected a number of at least {least}, got {value!r}")


def _require_images(name: str, images: torch.Tensor) -> None:
    if not isinstance(images, torch.Tensor):
        raise FeedError(f"{name}: expected a tensor, got {type(images).__name__}")
    fits = images.ndim == 4 and images.shape[1] == 3 and min(images.shape[2:]) > 0
    if not fits or not (images.is_floating_point() or images.dtype == torch.uint8):
        raise FeedError(
            f"{name}: expected images [N, 3, H, W], uint8 or float, "
            f"got {images.dtype} {format_shape(images.shape)}"
        )
