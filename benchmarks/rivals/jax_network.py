"""Training and inference of a network in JAX, in either layout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from benchmarks.rivals.jax_forward import Forward, Weights, forward_of

LAYOUTS = ("NHWC", "NCHW")


def training(
    make: Callable[[], nn.Module],
    noisy: torch.Tensor,
    target: torch.Tensor,
    lr: float,
    layout: str,
) -> Callable[[], float]:
    """A training step with SGD, compiled as a whole; it updates the weights in place (donated).

    Args:
        make: makes the network in PyTorch, whose weights are taken.
        noisy, target: images of one batch.
        lr: learning rate.
        layout: one of :data:`LAYOUTS`.
    """
    network = make()
    x, t = _images(noisy, layout), _images(target, layout)
    weights, update = _weights(network, layout), _update(forward_of(network), lr, layout)

    def step() -> float:
        nonlocal weights
        weights, value = update(weights, x, t)
        jax.block_until_ready(weights)
        return float(value)

    return step


def peak_bytes(
    make: Callable[[], nn.Module], noisy: torch.Tensor, target: torch.Tensor, layout: str
) -> int:
    """What a training step holds beyond images and weights, according to the compiler."""
    network = make()
    x, t = _images(noisy, layout), _images(target, layout)
    update = _update(forward_of(network), 0.1, layout)
    compiled = update.lower(_weights(network, layout), x, t).compile()
    return int(compiled.memory_analysis().temp_size_in_bytes)


def _update(forward: Forward, lr: float, layout: str) -> Any:
    """(weights, images, targets) -> (new weights, loss), compiled."""

    def loss(weights: Weights, x: jax.Array, t: jax.Array) -> jax.Array:
        return jnp.mean((forward(weights, x, layout) - t) ** 2)

    @partial(jax.jit, donate_argnums=0)
    def update(weights: Weights, x: jax.Array, t: jax.Array) -> tuple[Weights, jax.Array]:
        value, slopes = jax.value_and_grad(loss)(weights, x, t)
        return jax.tree.map(lambda w, slope: w - lr * slope, weights, slopes), value

    return update


def inference(
    make: Callable[[], nn.Module], noisy: torch.Tensor, layout: str
) -> Callable[[], torch.Tensor]:
    """The network's result for some images, as a tensor [N, 3, H, W] over JAX's memory."""
    network = make()
    x, weights = _images(noisy, layout), _weights(network, layout)
    run = jax.jit(partial(forward_of(network), layout=layout))

    def infer() -> torch.Tensor:
        result = torch.from_dlpack(jax.block_until_ready(run(weights, x)))
        return result.permute(0, 3, 1, 2) if layout == "NHWC" else result

    return infer


def _weights(network: nn.Module, layout: str) -> Weights:
    order = (2, 3, 1, 0) if layout == "NHWC" else (0, 1, 2, 3)
    return {
        name: (_array(part.weight.permute(order)), _array(part.bias))
        for name, part in network.named_modules()
        if isinstance(part, nn.Conv2d) and part.bias is not None
    }


def _images(images: torch.Tensor, layout: str) -> jax.Array:
    return _array(images.permute(0, 2, 3, 1) if layout == "NHWC" else images)


def _array(tensor: torch.Tensor) -> jax.Array:
    return jnp.asarray(np.array(tensor.detach().contiguous()))
