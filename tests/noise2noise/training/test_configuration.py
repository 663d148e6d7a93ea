"""One schema for the file and for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from graphs.noise2noise.cli import app
from graphs.noise2noise.commands.train import _configuration, _settings
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.configuration import SETTINGS, Configuration

COMMAND = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
EXAMPLES: dict[str, Any] = {
    "data": ("a", "b"),
    "pattern": "{scene}_{shot}.png",
    "noise": "gaussian:0-50",
    "targets": "clean",
    "loss": "l1",
    "network": "unet",
    "width": 12,
    "depth": 3,
    "optimizer": "sgd",
    "lr": 0.5,
    "schedule": "ramp-down",
    "batch": 5,
    "crop": 64,
    "gain": 1.8,
    "steps": 70,
    "validation": 0.25,
    "validate_every": 10,
    "patience": 4,
    "threads": 2,
    "seed": 9,
}


def from_flags(values: dict[str, Any]) -> Configuration:
    """The configuration of a command line that gives these settings."""
    flags = list(values.get("data", ()))
    for name, value in values.items():
        if name != "data":
            flags += [f"--{name.replace('_', '-')}", str(value)]
    with COMMAND.make_context("train", [*flags, "-o", "run"]) as context:
        return Configuration.from_mapping(_settings(context.params))


def from_file(path: Path, values: dict[str, Any]) -> Configuration:
    path.write_text(Configuration.from_mapping(values).to_toml())
    return Configuration.from_mapping(Configuration.settings_in(path))


def test_every_setting_is_an_option_and_a_key(tmp_path: Path) -> None:
    examples = EXAMPLES | {"minutes": 3.5}
    assert set(examples) == set(SETTINGS)
    options = {parameter.name for parameter in COMMAND.params}
    assert set(SETTINGS) <= options
    for name, value in examples.items():
        values = {name: value} | ({"noise": "speckle:1"} if name == "targets" else {})
        expected = Configuration(**values)
        assert getattr(expected, name) == value != getattr(Configuration(), name)
        assert from_flags(values) == expected
        assert from_file(tmp_path / "c.toml", values) == expected
    assert from_flags(EXAMPLES) == from_file(tmp_path / "c.toml", EXAMPLES)


@given(data=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3))
def test_any_text_comes_back_from_a_file(tmp_path_factory: Any, data: list[str]) -> None:
    path = tmp_path_factory.mktemp("toml") / "c.toml"
    path.write_text(Configuration(data=tuple(data)).to_toml(), encoding="utf-8")
    assert tuple(Configuration.settings_in(path)["data"]) == tuple(data)


def test_what_was_left_open_is_decided_by_network_and_noise() -> None:
    report = Configuration(network="report").settled()
    unet = Configuration(steps=5).settled()
    assert (report.width, report.crop, report.batch, report.lr) == (32, 32, 32, 1e-2)
    assert (report.minutes, report.threads, report.loss) == (10, None, "l2")
    assert (unet.network, unet.width, unet.depth) == ("unet", 32, 4)
    assert (unet.crop, unet.batch, unet.lr) == (64, 8, 1e-3)
    assert Configuration(data=("train_data.pkl",)).settled().network == "report"
    assert Configuration(data=("train_data.pkl", "a.png")).settled().network == "unet"
    assert (unet.minutes, unet.threads) == (None, 1)
    assert Configuration(optimizer="sgd").settled().lr == 0.1
    assert Configuration(noise="text:0.2").settled().loss == "l1"
    assert Configuration(noise="text:0.2", targets="clean").settled().loss == "l2"
    assert Configuration(width=7, lr=0.3).settled().width == 7
    again = Configuration.from_mapping({"data": ["x"], "steps": 3}).settled()
    assert again.settled() == again


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "there is no setting 'colour'; known are data, pattern, noise, "),
        ({"width": 3.5}, "expected width to be a whole number or left out, got 3.5"),
        ({"steps": True}, "expected steps to be a whole number or left out, got True"),
        ({"lr": "fast"}, "expected lr to be a number or left out, got 'fast'"),
        ({"network": "vgg"}, "expected network to be report or unet or left out, got 'vgg'"),
        ({"data": "folder"}, "expected data to be a list of names, got 'folder'"),
        ({"validation": 1}, "expected a validation share from 0 to below 1, got 1"),
        ({"seed": -1}, "expected a seed from 0 to below 2**63, got -1"),
        ({"seed": 2**63}, f"expected a seed from 0 to below 2**63, got {2**63}"),
        ({"batch": 0}, "expected batch of at least 1, got 0"),
        ({"batch": 2**31}, f"expected batch below 2**31, got {2**31}"),
        ({"width": 10**20}, f"expected width below 2**31, got {10**20}"),
        ({"threads": 2**31}, f"expected threads below 2**31, got {2**31}"),
        ({"crop": 0}, "expected crop of at least 1, got 0"),
        ({"width": 0}, "expected width of at least 1, got 0"),
        ({"depth": -5000}, "expected depth of at least 1, got -5000"),
        ({"minutes": float("inf")}, "expected a finite number of minutes above 0, got inf"),
        ({"gain": 0.5}, "expected a gain of at least 1, got 0.5"),
        ({"gain": float("nan")}, "expected a gain of at least 1, got nan"),
        ({"noise": "white"}, "there is no noise 'white'; expected one of gaussian, "),
        ({"targets": "clean"}, "clean targets need clean pictures: give the noise to put on them"),
        ({"steps": 1, "minutes": 2}, "a training ends after steps or minutes, not both"),
    ],
)
def test_impossible_settings(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        Configuration.from_mapping(values)
    assert str(error.value).startswith(message)


def test_keys_may_be_written_as_the_options(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("validate-every = 7")
    assert Configuration.settings_in(path) == {"validate_every": 7}
    path.write_text("validate-every = 7\nvalidate_every = 8")
    with pytest.raises(InputError, match="sets validate-every twice, as validate_every too"):
        Configuration.settings_in(path)


@pytest.mark.parametrize(
    ("written", "given", "steps", "minutes"),
    [
        ("steps = 5", {"minutes": 2.0}, None, 2),
        ("minutes = 5", {"steps": 2}, 2, None),
        ("steps = 5", {"steps": 2}, 2, None),
        ("steps = 5", {}, 5, None),
    ],
)
def test_how_long_is_said_on_the_command_line_first(
    tmp_path: Path, written: str, given: dict[str, Any], steps: int | None, minutes: float | None
) -> None:
    path = tmp_path / "c.toml"
    path.write_text(written)
    settled = _configuration(given, path)
    assert (settled.steps, settled.minutes) == (steps, minutes)


def test_the_command_line_completes_and_corrects_a_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("targets = 'clean'\nbatch = 0")
    made = _configuration({"noise": "gaussian:25", "batch": 2}, path)
    assert (made.targets, made.noise, made.batch) == ("clean", "gaussian:25", 2)
    with pytest.raises(InputError, match="clean targets need clean pictures"):
        _configuration({"batch": 2}, path)


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    with pytest.raises(InputError) as error:
        Configuration.settings_in(tmp_path)
    assert str(error.value) == f"{tmp_path} cannot be read: Is a directory"
    with pytest.raises(InputError, match="there is no file "):
        Configuration.settings_in(path)
    path.write_text("width = ")
    with pytest.raises(InputError, match="is no TOML: "):
        Configuration.settings_in(path)
    path.write_text("colour = 1")
    with pytest.raises(InputError) as error:
        Configuration.settings_in(path)
    assert str(error.value).startswith(f"{path}: there is no setting 'colour'; known are ")
    path.write_text("width = 'wide'")
    with pytest.raises(InputError) as error:
        Configuration.settings_in(path)
    assert (
        str(error.value) == f"{path}: expected width to be a whole number or left out, got 'wide'"
    )
