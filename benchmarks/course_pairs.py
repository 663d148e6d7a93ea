"""Quality on pairs like the course's: ours next to an identically trained PyTorch twin.

    python -m benchmarks.course_pairs                    # ours, the twin, a wider one: minutes each
    python -m benchmarks.course_pairs --train-shipped 60 # first train the weights that ship

The pairs are 32x32 pieces of photographs scaled down to a third, each shot with its own Gaussian
noise, sigma 25 of 255, not clipped. Training pieces are cut from BSDS500's training photographs,
test pieces from CBSD68, which shares no picture with them. Needs the image sets next to the
checkout or at BLOCKWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.harness import command_line
from benchmarks.rivals.pytorch import torch_network
from graphs import Model, save_weights
from graphs.architectures import report_network
from graphs.model import PRETRAINED

DATA = Path(os.environ.get("BLOCKWRIGHT_DATA", Path(__file__).parents[2] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results" / "course_pairs.json"
SIGMA, SIDE, SHRINK = 25.0, 32, 3
TRAIN_PIECES, TEST_PIECES = 50_000, 1_000

Images = torch.Tensor


def photographs(folder: str) -> list[Images]:
    """Every photograph of a set, scaled down, as [3, H, W] from 0 to 255."""
    paths = sorted((DATA / folder).glob("*.*g"))
    if not paths:
        raise SystemExit(f"no images in {DATA / folder}: set BLOCKWRIGHT_DATA")
    return [_shrunk(Image.open(path).convert("RGB")) for path in paths]


def _shrunk(image: Image.Image) -> Images:
    size = (image.width // SHRINK, image.height // SHRINK)
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def pieces(photos: list[Images], count: int, generator: torch.Generator) -> Images:
    """Random 32x32 pieces, half of them mirrored."""

    def below(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    cut = torch.empty(count, 3, SIDE, SIDE)
    for i in range(count):
        photo = photos[below(len(photos))]
        top, left = below(photo.shape[1] - SIDE + 1), below(photo.shape[2] - SIDE + 1)
        piece = photo[:, top : top + SIDE, left : left + SIDE]
        cut[i] = piece.flip(2) if below(2) else piece
    return cut


def shot(clean: Images, generator: torch.Generator) -> Images:
    """One noisy shot of each image."""
    return clean + SIGMA * torch.randn(clean.shape, generator=generator)


def psnr(estimate: Images, clean: Images) -> float:
    """The course's metric: the mean over images of 10 log10(255**2 / mse), in dB."""
    errors = ((estimate - clean) ** 2).mean((1, 2, 3))
    return float((10 * torch.log10(255**2 / errors)).mean())


def train_ours(model: Model, a: Images, b: Images, epochs: int) -> None:
    """Train epoch by epoch; the epoch's number seeds the order of the pairs."""
    for epoch in range(epochs):
        torch.manual_seed(epoch)
        model.train(a, b, 1)


def train_twin(net: nn.Sequential, a: Images, b: Images, epochs: int) -> None:
    """Train on the same pairs in the same order with the same optimizer, in PyTorch."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(epochs):
        torch.manual_seed(epoch)
        for chosen in torch.randperm(len(a)).split(100):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(a[chosen] / 255), b[chosen] / 255).backward()
            optimizer.step()


def train_shipped(photos: list[Images], epochs: int) -> Model:
    """Train the report's network with new pieces and noise in each epoch and an annealed rate."""
    model, generator = seeded_model(), torch.Generator().manual_seed(1)
    for epoch in range(epochs):
        model.optimizer.lr = 1e-5 + 1e-3 * (1 + math.cos(math.pi * epoch / epochs))
        clean = pieces(photos, TRAIN_PIECES, generator)
        loss = model.train(shot(clean, generator), shot(clean, generator), 1)[0]
        print(f"epoch {epoch + 1} of {epochs}: loss {loss:.5f}", flush=True)
    return model


def seeded_model(channels: int = 32) -> Model:
    """A model with the initial weights of seed 0."""
    torch.manual_seed(0)
    return Model(report_network(channels))


def compare(epochs: int) -> dict[str, dict[str, float]]:
    """PSNR and training time of ours, the twin, a wider one of ours, and the shipped weights."""
    generator = torch.Generator().manual_seed(0)
    train_clean = pieces(photographs("bsds500-train"), TRAIN_PIECES, generator)
    a, b = shot(train_clean, generator), shot(train_clean, generator)
    clean = pieces(photographs("cbsd68"), TEST_PIECES, generator)
    noisy = shot(clean, generator)
    rows = {"noisy": {"psnr": psnr(noisy, clean), "seconds": 0.0}}

    def row(name: str, train: Callable[[], None], predict: Callable[[Images], Images]) -> None:
        start = time.perf_counter()
        train()
        seconds = time.perf_counter() - start
        rows[name] = {"psnr": psnr(predict(noisy), clean), "seconds": seconds}
        print(f"{name:40} {rows[name]['psnr']:6.2f} dB  {seconds:7.1f} s", flush=True)

    for name, channels in (("ours", 32), ("ours, 64 channels", 64)):
        model = seeded_model(channels)
        row(name, partial(train_ours, model, a, b, epochs), model.predict)
    torch.manual_seed(0)
    net = torch_network()
    row("PyTorch twin", partial(train_twin, net, a, b, epochs), partial(twin_predict, net))
    shipped = Model()
    row("ours, the weights that ship", shipped.load_pretrained_model, shipped.predict)
    return rows


@torch.no_grad()
def twin_predict(net: nn.Sequential, noisy: Images) -> Images:
    """What ``Model.predict`` does, in PyTorch."""
    return (net(noisy / 255) * 255).clamp(0, 255)


def main() -> None:
    """Train, measure, write ``results/course_pairs.json``."""
    parser = argparse.ArgumentParser(description="Quality on pairs like the course's.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--train-shipped", type=int, metavar="EPOCHS", help="train the weights that ship, first"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.train_shipped:
        model = train_shipped(photographs("bsds500-train"), options.train_shipped)
        PRETRAINED.parent.mkdir(exist_ok=True)
        save_weights(model.network, PRETRAINED)
    rows = compare(options.epochs)
    result = {"command": command_line(), "torch": torch.__version__, "rows": rows}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
