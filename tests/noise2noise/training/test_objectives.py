"""The losses, against PyTorch's own arithmetic."""

from __future__ import annotations

import math

import pytest
import torch

from engine import Graph, compile
from engine.gradient import gradient
from graphs import Conv2d
from graphs.noise2noise.data.noise import Gaussian, Loss, parse_noise
from graphs.noise2noise.data.randomness import generator_for
from graphs.noise2noise.data.sources import Batch, NeighbourShots, RepeatedShots, SyntheticShots
from graphs.noise2noise.training.objectives import (
    NEIGHBOUR_WEIGHT,
    Objective,
    neighbours_objective,
    shots_objective,
)
from graphs.noise2noise.training.validation import Validation
from tests.noise2noise.scenes import cat

SIZE = 8


def network() -> Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Conv2d(3, 3, 3, padding=1)


def evaluated(objective: Objective, batch: Batch) -> dict[str, float]:
    results = compile(objective.graph, N=4, H=SIZE, W=SIZE)(**batch)
    return {name: float(value) for name, value in results.items()}


@pytest.mark.parametrize("loss", ["l2", "l1", "l0", "masked"])
def test_the_losses_of_two_shots(loss: Loss) -> None:
    source = SyntheticShots([cat(20, 20)], parse_noise("bernoulli:0.5"), SIZE)
    batch = dict(source.batch(4, generator_for(0)))
    mask = batch.pop("mask")
    net = network()
    difference = net.forward(batch["noisy"]) - batch["target"]
    expected = {
        "l2": difference.square().mean(),
        "l1": difference.abs().mean(),
        "l0": (difference.abs() + 1e-8).pow(0.7).mean(),
        "masked": (difference.square() * mask).sum() / (3 * mask.sum()),
    }
    extra = {"l0": {"gamma": torch.tensor(0.7)}, "masked": {"mask": mask}}.get(loss, {})
    results = evaluated(shots_objective(net, 3, loss), batch | extra)
    assert results["loss"] == pytest.approx(float(expected[loss]), rel=1e-4)
    assert results["error"] == pytest.approx(float(expected["l2"]), rel=1e-4)
    gap = (batch["noisy"] - batch["target"]).square().mean()
    assert results["gap"] == pytest.approx(float(gap), rel=1e-4)


def test_neighbours_with_their_regulariser() -> None:
    batch = NeighbourShots([cat(40, 40)], SIZE).batch(4, generator_for(0))
    net = network()

    def thinned(whole: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        chosen = places.reshape(4, 1, 2 * SIZE, 2 * SIZE) > 0
        order = places.permute(0, 1, 2, 4, 3, 5).reshape(4, 1, SIZE, SIZE, 4).argmax(-1)
        blocks = whole.unfold(2, 2, 2).unfold(3, 2, 2).reshape(4, 3, SIZE, SIZE, 4)
        picked = blocks.gather(-1, order[..., None].expand(-1, 3, -1, -1, -1))[..., 0]
        assert torch.equal(whole[chosen.expand_as(whole)].sort()[0], picked.flatten().sort()[0])
        return picked

    first, second = (thinned(batch["whole"], batch[name]) for name in ("first", "second"))
    clean = net.forward(batch["whole"])
    drift = thinned(clean, batch["first"]) - thinned(clean, batch["second"])
    difference = net.forward(first) - second
    error, regulariser = difference.square().mean(), (difference - drift).square().mean()
    results = evaluated(neighbours_objective(net, 3), batch)
    assert results["loss"] == pytest.approx(float(error + NEIGHBOUR_WEIGHT * regulariser), rel=1e-4)
    assert results["error"] == pytest.approx(float(error), rel=1e-4)
    assert results["gap"] == pytest.approx(float((first - second).square().mean()), rel=1e-4)


def test_the_regulariser_lets_no_gradient_through_the_whole_picture() -> None:
    net, batch = network(), NeighbourShots([cat(40, 40)], SIZE).batch(4, generator_for(0))
    graph = neighbours_objective(net, 3).graph.bind({"N": 4, "H": SIZE, "W": SIZE})
    slopes = gradient(graph.outputs["loss"], list(graph.parameters.values()))
    found = compile(Graph({f"by {i}": slope for i, slope in enumerate(slopes)}))(**batch)

    weight, bias = (value.clone().requires_grad_() for value, _ in net.param())

    def convolved(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x, weight, bias, padding=1)

    def thinned(whole: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return (whole.reshape(4, 3, SIZE, 2, SIZE, 2) * places).sum((3, 5))

    first, second = batch["first"], batch["second"]
    clean = convolved(batch["whole"]).detach()
    difference = convolved(thinned(batch["whole"], first)) - thinned(batch["whole"], second)
    drift = thinned(clean, first) - thinned(clean, second)
    loss = difference.square().mean() + NEIGHBOUR_WEIGHT * (difference - drift).square().mean()
    for slope, expected in zip(
        found.values(), torch.autograd.grad(loss, [weight, bias]), strict=True
    ):
        torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-6)


def test_the_estimated_psnr_is_the_true_one() -> None:
    clean = cat(160, 200)
    levels = torch.tensor([15.0, 40.0])  # the shots may differ in noise
    shots = torch.cat(
        [
            Gaussian(s, s)(clean[None], generator_for(i)).pixels
            for i, s in enumerate(levels.tolist())
        ]
    )
    net = network()
    kernel = torch.zeros(3, 3, 3, 3)
    for channel in range(3):
        kernel[channel, channel] = 1 / 9
    net.weight, net.bias = kernel, torch.zeros(3)
    objective = shots_objective(net, 3)
    score = Validation(objective, RepeatedShots([shots], 32), batch=32, seed=0)()
    truths = []
    for shot in shots:
        pieces = SyntheticShots([torch.cat([shot, clean])], Gaussian(0, 0), 32)
        both = pieces.batch(256, generator_for(5))["noisy"]
        truths.append((net.forward(both[:, :3].contiguous()) - both[:, 3:]).square().mean())
    truth = -10 * math.log10(float(torch.stack(truths).mean()))
    assert score.psnr == pytest.approx(truth, abs=0.15)


@pytest.mark.parametrize("noise", ["bernoulli:0.5", "impulse:0.2", "text:0.2"])
def test_noise_of_another_mean_has_no_estimate(noise: str) -> None:
    model = parse_noise(noise)
    source = SyntheticShots([cat(64, 64)], model, 32)
    score = Validation(shots_objective(network(), 3, model.loss), source, batch=8, seed=0)()
    assert score.psnr is None
    assert score.loss > 0
