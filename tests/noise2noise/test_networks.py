"""Networks in files that describe their architecture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from graphs import Conv2d, Sequential, save_weights
from graphs.architectures import report_network
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.networks import Architecture, Loaded, load_network, save_network
from tests.noise2noise.scenes import cat

ARCHITECTURES = [
    Architecture(),
    Architecture(width=6, channels=1),
    Architecture(network="unet", width=6, depth=3, channels=2),
    Architecture(network="unet", width=4, depth=1, offset=0.01, scale=0.05),
]


def given_back(path: Path, architecture: Architecture) -> Loaded:
    save_network(path, architecture.build(7), architecture)
    return load_network(path)


@pytest.fixture(autouse=True)
def _without_native_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "torch")  # native code would take longer to compile


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_a_network_comes_back_whole(tmp_path: Path, architecture: Architecture) -> None:
    loaded = given_back(tmp_path / "w.safetensors", architecture)
    assert loaded.architecture == architecture
    generator = torch.Generator().manual_seed(0)
    noisy = torch.rand((2, architecture.channels, 16, 24), generator=generator)
    within = architecture.build(7).forward(noisy)
    values = noisy * architecture.scale + architecture.offset
    expected = within * architecture.scale + architecture.offset
    torch.testing.assert_close(loaded.network.forward(values), expected, rtol=1e-4, atol=1e-5)


def test_a_folder_of_a_run_stands_for_its_best_weights(tmp_path: Path) -> None:
    save_network(
        tmp_path / "best.safetensors", Architecture(width=4).build(1), Architecture(width=4)
    )
    assert load_network(tmp_path).architecture.width == 4


def test_old_files_are_the_reports_network(tmp_path: Path) -> None:
    net = report_network()
    save_weights(net, tmp_path / "old.safetensors")
    loaded = load_network(tmp_path / "old.safetensors")
    assert loaded.architecture == Architecture()
    noisy = cat(16, 16)[None]
    assert torch.equal(loaded.network.forward(noisy), net.forward(noisy))


def test_something_comes_along() -> None:
    assert load_network().architecture.channels == 3


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    for architecture in ARCHITECTURES:
        torch.manual_seed(1)
        first = architecture.build(3).state()
        torch.manual_seed(2)
        second, other = architecture.build(3).state(), architecture.build(4).state()
        assert all(map(torch.equal, first.values(), second.values()))
        assert not all(map(torch.equal, first.values(), other.values()))


def test_weights_of_a_training_that_diverged(tmp_path: Path) -> None:
    architecture = Architecture(width=4)
    net = architecture.build()
    net.param()[-1][0][0] = float("nan")
    save_network(tmp_path / "w.safetensors", net, architecture)
    with pytest.raises(InputError, match=r"weights in .*w\.safetensors are not all finite"):
        load_network(tmp_path / "w.safetensors")


def test_files_that_hold_no_network(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"

    def message() -> str:
        with pytest.raises(InputError) as error:
            load_network(path)
        (line,) = str(error.value).splitlines()
        return line

    assert message() == f"there is no file of weights {path}"
    path.write_bytes(b"broken")
    assert message().startswith(f"{path} is no safetensors file of weights: ")
    save_weights(Sequential(Conv2d(3, 3, 3)), path)
    assert message() == (
        f"the weights in {path} do not fit the report's network of 32 channels, and it names no "
        "other"
    )
    state = Architecture(width=4).build().state()
    safetensors.torch.save_file(state, path, {"architecture": '{"network": "vgg"}'})
    assert message().startswith(f"{path} has an architecture unknown to this version: ")
    safetensors.torch.save_file(state, path, {"architecture": '{"width": 8}'})
    assert message() == (
        f"the weights in {path} do not fit its own architecture, report of width 8"
    )
    path.unlink()
    path.mkdir()
    assert message() == f"there is no file of weights {path / 'best.safetensors'}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"network": "vgg"}, "there is no network 'vgg'; expected one of report, unet"),
        ({"width": 0}, "network: expected width of at least 1, got 0"),
        ({"channels": 1.5}, "network: expected channels of at least 1, got 1.5"),
        ({"depth": 3}, "the report's network has depth 2; got 3"),
        ({"scale": 0}, "expected a scale above 0 and finite, got 0"),
        ({"scale": math.inf}, "expected a scale above 0 and finite, got inf"),
        ({"offset": math.nan}, "expected a finite offset, got nan"),
    ],
)
def test_impossible_architectures(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        Architecture(**fields)
