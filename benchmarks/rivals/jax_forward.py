"""The networks in JAX, in either layout, with weights by the names of PyTorch's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax
from torch import nn

from benchmarks.rivals.unet import TorchUNet

Weights = Mapping[str, tuple[jax.Array, jax.Array]]
"""The weight and bias of every convolution."""

Forward = Callable[[Weights, jax.Array, str], jax.Array]
"""(weights, images, layout) -> images."""

KERNELS = {"NHWC": "HWIO", "NCHW": "OIHW"}
"""For each layout of images, that of weights."""


def forward_of(network: nn.Module) -> Forward:
    """The function that computes what a network does: the U-Net or the report's network."""
    if isinstance(network, TorchUNet):
        depth = network.depth
        return lambda weights, x, layout: _unet(weights, x, layout, depth)
    return _report


def _report(weights: Weights, x: jax.Array, layout: str) -> jax.Array:
    down1, down2, up1, up2 = weights.values()
    x = jax.nn.relu(_convolved(down1, x, layout, stride=2))
    x = jax.nn.relu(_convolved(down2, x, layout, stride=2))
    x = jax.nn.relu(_convolved(up1, _upsampled(x, layout), layout))
    return jax.nn.sigmoid(_convolved(up2, _upsampled(x, layout), layout))


def _unet(weights: Weights, x: jax.Array, layout: str, depth: int) -> jax.Array:
    def layer(name: str, x: jax.Array) -> jax.Array:
        return jax.nn.leaky_relu(_convolved(weights[name], x, layout), 0.1)

    skipped = [x]
    x = layer("enc_conv0", x)
    for level in range(1, depth + 1):
        x = _pooled(layer(f"enc_conv{level}", x), layout)
        skipped.append(x)
    x = layer(f"enc_conv{depth + 1}", skipped.pop())
    for level in range(depth, 0, -1):
        x = jnp.concatenate([_upsampled(x, layout), skipped.pop()], axis=layout.index("C"))
        x = layer(f"dec_conv{level}b", layer(f"dec_conv{level}a", x))
    return _convolved(weights["dec_conv1c"], x, layout)


def _convolved(
    layer: tuple[jax.Array, jax.Array], x: jax.Array, layout: str, stride: int = 1
) -> jax.Array:
    weight, bias = layer
    numbers = (layout, KERNELS[layout], layout)
    padding = ((1, 1), (1, 1))
    x = lax.conv_general_dilated(x, weight, (stride, stride), padding, dimension_numbers=numbers)
    return x + (bias if layout == "NHWC" else bias[:, None, None])


def _upsampled(x: jax.Array, layout: str) -> jax.Array:
    rows = layout.index("H")
    return jnp.repeat(jnp.repeat(x, 2, axis=rows), 2, axis=rows + 1)


def _pooled(x: jax.Array, layout: str) -> jax.Array:
    window = tuple(2 if axis in "HW" else 1 for axis in layout)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
