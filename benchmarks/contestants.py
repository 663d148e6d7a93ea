"""The contestants, by name: ours with every backend, PyTorch, torch.compile, JAX and others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from benchmarks.ours import LR, inference_program, training_by_modules, training_program
from benchmarks.rivals import pytorch
from benchmarks.rivals.textbook import Textbook
from benchmarks.rivals.unet import TorchUNet
from graphs import Module
from graphs.architectures import UNet, report_network

Contestant = Callable[[], Any]
Layout = tuple[str, bool]
LAYOUTS: tuple[Layout, ...] = (("channels-last", True), ("NCHW", False))


@dataclass(frozen=True)
class Network:
    """A network in our library and in PyTorch, with equal weights if made from the same seed."""

    ours: Callable[[], Module]
    torch: Callable[[], nn.Module]


REPORT = Network(report_network, pytorch.torch_network)
UNET = Network(UNet, TorchUNet)


def training_steps(
    network: Network, noisy: torch.Tensor, target: torch.Tensor, backends: Iterable[str]
) -> dict[str, Contestant]:
    """Training steps that return their loss, all starting from the weights of seed 0."""
    batch, side = len(noisy), noisy.shape[-1]
    makers: dict[str, Callable[[], Contestant]] = {}

    def program(backend: str) -> Contestant:
        step = training_program(network.ours(), batch, side, backend)
        return lambda: step(noisy=noisy, target=target)["loss"]

    for backend in backends:
        makers[f"Blockwright, {backend}"] = partial(program, backend)
    makers["Blockwright, Sequential"] = lambda: training_by_modules(network.ours(), noisy, target)
    for layout, last in LAYOUTS:
        make = partial(pytorch.training, network.torch, noisy, target, LR, channels_last=last)
        makers[f"PyTorch eager, {layout}"] = partial(make, wrap=lambda net: net)
        makers[f"torch.compile, {layout}"] = partial(make, wrap=torch.compile)
    makers |= _jax_training(network, noisy, target)
    if network is REPORT:
        makers["textbook unfold and fold"] = lambda: Textbook(noisy, target, LR)
    return _made(makers)


def inferences(
    network: Network, noisy: torch.Tensor, backends: Iterable[str]
) -> dict[str, Contestant]:
    """Calls that return the network's result for some images, all with the weights of seed 0."""
    batch, side = len(noisy), noisy.shape[-1]
    makers: dict[str, Callable[[], Contestant]] = {}

    def program(backend: str, borrow: bool = False, freeze: bool = False) -> Contestant:
        run = inference_program(network.ours(), batch, side, backend, freeze)
        call = run.borrow if borrow else run
        return lambda: call(noisy=noisy)["clean"]

    def by_modules() -> Contestant:
        return partial(network.ours().forward, noisy)

    for backend in backends:
        makers[f"Blockwright, {backend}"] = partial(program, backend)
        makers[f"Blockwright, {backend}, frozen"] = partial(program, backend, freeze=True)
        makers[f"Blockwright, {backend}, borrowed result"] = partial(program, backend, borrow=True)
    makers["Blockwright, Sequential"] = by_modules
    for layout, last in LAYOUTS:
        make = partial(pytorch.inference, network.torch, noisy, channels_last=last)
        makers[f"PyTorch eager, {layout}"] = partial(make, wrap=lambda net: net)
        makers[f"torch.compile, {layout}"] = partial(make, wrap=torch.compile)
    makers |= _jax_inference(network, noisy)
    if network is REPORT:
        makers |= _onnx_runtime(noisy)
    return _made(makers)


def _jax_training(
    network: Network, noisy: torch.Tensor, target: torch.Tensor
) -> dict[str, Callable[[], Contestant]]:
    if not installed("jax"):
        return {}
    from benchmarks.rivals import jax_network

    return {
        f"JAX, {layout}": partial(jax_network.training, network.torch, noisy, target, LR, layout)
        for layout in jax_network.LAYOUTS
    }


def _jax_inference(network: Network, noisy: torch.Tensor) -> dict[str, Callable[[], Contestant]]:
    if not installed("jax"):
        return {}
    from benchmarks.rivals import jax_network

    return {
        f"JAX, {layout}": partial(jax_network.inference, network.torch, noisy, layout)
        for layout in jax_network.LAYOUTS
    }


def _onnx_runtime(noisy: torch.Tensor) -> dict[str, Callable[[], Contestant]]:
    if not (installed("onnx") and installed("onnxruntime")):
        return {}
    from benchmarks.rivals import onnx_network

    return {"ONNX Runtime": partial(onnx_network.inference, noisy)}


def installed(package: str) -> bool:
    """Whether a package is installed; prints a note if it is not."""
    found = find_spec(package) is not None
    if not found:
        print(f"{package} is not installed: it takes no part")
    return found


def _made(makers: dict[str, Callable[[], Contestant]]) -> dict[str, Contestant]:
    made = {}
    for name, make in makers.items():
        torch.manual_seed(0)
        made[name] = make()
    return made


def require_same(contestants: dict[str, Contestant]) -> None:
    """Check that all contestants compute the same, up to rounding, before any is timed.

    Raises:
        SystemExit: one of them does not.
    """
    results = {name: torch.as_tensor(run()).clone() for name, run in contestants.items()}
    expected = results[f"PyTorch eager, {LAYOUTS[0][0]}"]
    for name, result in results.items():
        error = float((result - expected).abs().max() / expected.abs().max())
        if not error < 2e-5:
            raise SystemExit(f"{name} computes something else: it is off by {error:.1e}")
