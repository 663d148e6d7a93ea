"""Zero-shot denoising of Set14, sigma 25: quality and time, next to the same recipe in PyTorch.

    python -m benchmarks.zero_shot                    # our recipe: 64x64 squares, 6000 steps
    python -m benchmarks.zero_shot --published        # the paper's too: whole pictures, 3000 steps
    python -m benchmarks.zero_shot --published --side 256 --alone
    python -m benchmarks.zero_shot --pictures 2 --steps 20

Each contestant denoises each picture in turn, from the same initial weights and, if it trains on
squares, on the same squares; the time is that of all steps and of the result, without compiling.
Taking only the middles of the pictures (--side), as the paper does with Kodak's, and leaving out
PyTorch (--alone), whose steps are the same, saves hours. Needs the image sets next to the checkout
or at BLOCKWRIGHT_DATA.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.denoising import photographs
from benchmarks.harness import RESULTS, command_line, machine
from benchmarks.rivals.zero_shot import TorchZeroShot
from engine import compile
from graphs.architectures import Residual, zero_shot_network
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.quality.metrics import psnr
from graphs.noise2noise.restoring import Restorer
from graphs.noise2noise.restoring.learning import DEPTH, WIDTH
from graphs.noise2noise.restoring.zero_shot import CROP, Squares, zero_shot_objective
from graphs.noise2noise.training.schedules import cosine
from graphs.optimizers import Adam

SIGMA = 25


@dataclass(frozen=True)
class Recipe:
    """How to learn from one picture.

    Attributes:
        crop: side of the squares that a step trains on; None for the whole picture.
        steps: how many.
        lr: the peak learning rate.
        halved: whether the rate is halved after each third of the steps; otherwise it falls along
            half a cosine.
        width, depth: of the network, see :func:`graphs.architectures.zero_shot_network`.
    """

    crop: int | None
    steps: int
    lr: float
    halved: bool
    width: int
    depth: int

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        share = step / self.steps
        factor = 0.5 ** int(3 * share) if self.halved else cosine(share)
        return self.lr * factor


OURS = Recipe(crop=CROP, steps=6000, lr=2e-3, halved=False, width=WIDTH, depth=DEPTH)
PUBLISHED = Recipe(crop=None, steps=3000, lr=1e-3, halved=True, width=48, depth=2)


class Contestant(Protocol):
    """Learns from a picture step by step, and cleans it."""

    def step(self, noisy: torch.Tensor, rate: float) -> None:
        """One step on pictures (N, 3, H, W)."""
        ...

    def clean(self, noisy: torch.Tensor) -> torch.Tensor:
        """A picture (3, H, W), cleaned."""
        ...


class Blockwright:
    """The recipe, with each step as one program.

    Args:
        net: the network that learns.
        height, width: of the pictures of a step.
    """

    def __init__(self, net: Residual, height: int, width: int) -> None:
        self._optimizer = Adam(lr=1.0)
        self._program = compile(
            zero_shot_objective(net, 3).graph,
            outputs=["loss"],
            minimize="loss",
            optimizer=self._optimizer,
            N=1,
            H=height,
            W=width,
        )
        self.clean = Restorer(net)

    def step(self, noisy: torch.Tensor, rate: float) -> None:
        """See :class:`Contestant`."""
        self._optimizer.lr = rate
        self._program.borrow(noisy=noisy)


class Entry(NamedTuple):
    """A contestant, and its recipe."""

    make: Callable[[], Contestant]
    recipe: Recipe


def contestants(picture: torch.Tensor, recipe: Recipe, alone: bool) -> dict[str, Entry]:
    """The contestants to denoise a picture [3, H, W]; if ``alone``, only ours."""

    def ours(recipe: Recipe) -> Entry:
        height, width = (recipe.crop or side for side in _even(picture).shape[1:])
        return Entry(lambda: Blockwright(_network(recipe), height, width), recipe)

    entries = {"Blockwright": ours(recipe)}
    if recipe.crop is None:
        entries["Blockwright, by our recipe"] = ours(OURS)
    for layout in () if alone else ("channels-last", "NCHW"):
        make = partial(_twin, recipe, channels_last=layout == "channels-last")
        entries[f"PyTorch eager, {layout}"] = Entry(make, recipe)
    return entries


def _network(recipe: Recipe) -> Residual:
    """The network with its initial weights, the same each time."""
    torch.manual_seed(0)
    return zero_shot_network(3, recipe.width, recipe.depth)


def _twin(recipe: Recipe, *, channels_last: bool) -> TorchZeroShot:
    weights = _network(recipe).network.state()
    return TorchZeroShot(weights, recipe.width, recipe.depth, channels_last=channels_last)


def denoise(entry: Entry, noisy: torch.Tensor, clean: torch.Tensor) -> dict[str, float]:
    """Denoise a picture; return the PSNR and the seconds it took."""
    make, recipe = entry
    squares = None if recipe.crop is None else Squares([noisy], recipe.crop)
    whole = _even(noisy)[None]
    first = whole if squares is None else squares.batch(1, generator_for(0, 0))["noisy"]
    make().step(first, recipe.rate(0))  # compiled code is cached
    contestant = make()
    start = time.perf_counter()
    for step in range(recipe.steps):
        batch = whole if squares is None else squares.batch(1, generator_for(0, step))["noisy"]
        contestant.step(batch, recipe.rate(step))
    result = contestant.clean(noisy).clamp(0, 1)
    seconds = time.perf_counter() - start
    return {"psnr": round(psnr(result, clean), 3), "seconds": round(seconds, 3)}


def main() -> None:
    """Denoise every picture with every contestant; write the results after each."""
    options = _options()
    torch.set_num_threads(options.threads)
    recipe = PUBLISHED if options.published else OURS
    if options.steps is not None:
        recipe = replace(recipe, steps=options.steps)
    rows: list[dict[str, dict[str, float]]] = []
    for number, picture in enumerate(photographs("set14")[: options.pictures]):
        clean = _middle(picture.float() / 255, options.side)
        noise = torch.randn(clean.shape, generator=generator_for(1, number))
        noisy = clean + noise * (SIGMA / 255)
        row = {"noisy": {"psnr": round(psnr(noisy, clean), 3), "seconds": 0.0}}
        for name, entry in contestants(noisy, recipe, options.alone).items():
            row[name] = denoise(entry, noisy, clean)
        rows.append(row)
        print(json.dumps(row), flush=True)
        _write(options.results / f"{_name(options.published)}.json", rows, recipe)
    _print_table(rows)


def _means(rows: list[dict[str, dict[str, float]]]) -> Mapping[str, Mapping[str, float]]:
    return {
        name: {key: sum(row[name][key] for row in rows) / len(rows) for key in ("psnr", "seconds")}
        for name in rows[0]
    }


def _write(path: Path, rows: list[dict[str, dict[str, float]]], recipe: Recipe) -> None:
    results = {
        "command": command_line(),
        "machine": machine(),
        "recipe": asdict(recipe),
        "pictures": rows,
        "means": _means(rows),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def _print_table(rows: list[dict[str, dict[str, float]]]) -> None:
    means = _means(rows)
    table = Table("", "PSNR, dB", "seconds a picture", title="Means over Set14, sigma 25")
    for name, row in means.items():
        table.add_row(name, f"{row['psnr']:.2f}", f"{row['seconds']:.1f}")
    Console().print(table)


def _name(published: bool) -> str:
    return "zero_shot_published" if published else "zero_shot"


def _middle(picture: torch.Tensor, side: int | None) -> torch.Tensor:
    """A square of that side in the middle; the whole picture if ``side`` is None."""
    if side is None:
        return picture
    top, left = ((size - side) // 2 for size in picture.shape[1:])
    return picture[:, max(0, top) :, max(0, left) :][:, :side, :side]


def _even(picture: torch.Tensor) -> torch.Tensor:
    """The picture without a last row or column that does not fill 2x2 pixels."""
    height, width = (size // 2 * 2 for size in picture.shape[1:])
    return picture[:, :height, :width].contiguous()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Zero-shot denoising of Set14, sigma 25.")
    parser.add_argument("--published", action="store_true", help="the recipe of the paper too")
    parser.add_argument("--pictures", type=int, default=14, help="how many of Set14")
    parser.add_argument("--steps", type=int, help="another number of steps")
    parser.add_argument("--side", type=int, help="of squares in the middle of the pictures")
    parser.add_argument("--alone", action="store_true", help="without PyTorch")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder to write to")
    return parser.parse_args()


if __name__ == "__main__":
    main()
