"""The report's network in JAX, trained and run in either layout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import lax
from torch import nn

from benchmarks.rivals.pytorch import torch_network

LAYOUTS = ("NHWC", "NCHW")
Weights = list[tuple[jax.Array, jax.Array]]

_KERNELS = {"NHWC": "HWIO", "NCHW": "OIHW"}
_STRIDES = (2, 2, 1, 1)
_UPSAMPLED = (False, False, True, True)


def training(
    noisy: torch.Tensor, target: torch.Tensor, lr: float, layout: str
) -> Callable[[], float]:
    """A training step with SGD, compiled as a whole; it updates the weights in place (donated)."""
    x, t = _images(noisy, layout), _images(target, layout)
    weights, update = _weights(layout), _update(lr, layout)

    def step() -> float:
        nonlocal weights
        weights, value = update(weights, x, t)
        jax.block_until_ready(weights)
        return float(value)

    return step


def peak_bytes(noisy: torch.Tensor, target: torch.Tensor, layout: str) -> int:
    """What a training step holds beyond images and weights, according to the compiler."""
    x, t = _images(noisy, layout), _images(target, layout)
    compiled = _update(0.1, layout).lower(_weights(layout), x, t).compile()
    return int(compiled.memory_analysis().temp_size_in_bytes)


def _update(lr: float, layout: str) -> Any:
    """(weights, images, targets) -> (new weights, loss), compiled."""

    def loss(weights: Weights, x: jax.Array, t: jax.Array) -> jax.Array:
        return jnp.mean((_forward(weights, x, layout) - t) ** 2)

    @partial(jax.jit, donate_argnums=0)
    def update(weights: Weights, x: jax.Array, t: jax.Array) -> tuple[Weights, jax.Array]:
        value, slopes = jax.value_and_grad(loss)(weights, x, t)
        return jax.tree.map(lambda w, slope: w - lr * slope, weights, slopes), value

    return update


def inference(noisy: torch.Tensor, layout: str) -> Callable[[], torch.Tensor]:
    """The network's result for some images, as a tensor [N, 3, H, W] over JAX's memory."""
    x, weights = _images(noisy, layout), _weights(layout)
    run = jax.jit(partial(_forward, layout=layout))

    def infer() -> torch.Tensor:
        result = torch.from_dlpack(jax.block_until_ready(run(weights, x)))
        return result.permute(0, 3, 1, 2) if layout == "NHWC" else result

    return infer


def _forward(weights: Weights, x: jax.Array, layout: str) -> jax.Array:
    rows = layout.index("H")
    for i, (weight, bias) in enumerate(weights):
        if _UPSAMPLED[i]:
            x = jnp.repeat(jnp.repeat(x, 2, axis=rows), 2, axis=rows + 1)
        x = lax.conv_general_dilated(
            x,
            weight,
            window_strides=(_STRIDES[i], _STRIDES[i]),
            padding=((1, 1), (1, 1)),
            dimension_numbers=(layout, _KERNELS[layout], layout),
        )
        x = x + (bias if layout == "NHWC" else bias[:, None, None])
        x = jax.nn.sigmoid(x) if i == len(weights) - 1 else jax.nn.relu(x)
    return x


def _weights(layout: str) -> Weights:
    """The weights of a PyTorch network."""
    order = (2, 3, 1, 0) if layout == "NHWC" else (0, 1, 2, 3)
    return [
        (_array(m.weight.permute(order)), _array(m.bias))
        for m in torch_network().modules()
        if isinstance(m, nn.Conv2d) and m.bias is not None
    ]


def _images(images: torch.Tensor, layout: str) -> jax.Array:
    return _array(images.permute(0, 2, 3, 1) if layout == "NHWC" else images)


def _array(tensor: torch.Tensor) -> jax.Array:
    return jnp.asarray(np.array(tensor.detach().contiguous()))
