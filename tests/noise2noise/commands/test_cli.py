"""The command line: help, and one clear sentence for bad input."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graphs import Conv2d, Sequential, save_weights
from graphs.noise2noise.cli import main
from tests.noise2noise.scenes import blockwright, bytes_of, complaint, names, save


@pytest.mark.parametrize(
    "command", ["", "demo", "train", "denoise", "evaluate", "inspect", "report"]
)
def test_help_has_examples(command: str) -> None:
    result = blockwright(*command.split(), "--help")
    assert result.exit_code == 0
    _, examples = result.stdout.split("Examples:\n")
    lines = examples.split("\n\n")[0].splitlines()
    assert lines
    for line in lines:
        program, used, *_ = shlex.split(line)
        assert program == "blockwright"
        assert used == command or not command


def test_an_empty_argument_is_not_the_folder_one_is_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["blockwright", "denoise", "", "-o", "out"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "blockwright: an argument is empty; is a shell variable not set?\n"
    )


def test_the_module_is_the_program(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "graphs.noise2noise.cli", "denoise", "none.png", "-o", "out.png"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert process.returncode == 2
    assert process.stderr == "blockwright: there is no file none.png\n"
    assert process.stdout == ""


def test_without_a_command_it_shows_its_help() -> None:
    result = blockwright()
    assert "Usage: " in result.output
    assert all(
        command in result.output for command in ("demo", "inspect", "train", "denoise", "evaluate")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["denoise", "a.png"],
            "missing option '--output' / '-o'; see 'blockwright den",
        ),
        (["train", "a", "b", "-o", "w", "--steps", "some"], "invalid value for '--steps': "),
        (["demo", "--minutes", "long"], "invalid value for '--minutes': "),
        (["denoise", "a.png", "--undo"], "no such option: --undo"),
        (["undo"], "no such command 'undo'; see 'blockwright --help'"),
    ],
)
def test_options_that_are_missing_or_wrong(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert complaint(*arguments).startswith(said)
    assert names(tmp_path) == []


def test_a_reader_that_has_gone_away_is_no_error_of_the_input(tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png", bytes_of(64, 64, 3))
    read, write = os.pipe()
    os.close(read)
    process = subprocess.run(
        [sys.executable, "-m", "graphs.noise2noise.cli", "inspect", picture, "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    os.close(write)
    assert process.returncode == 1
    assert process.stderr == ""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save(tmp_path / "in" / "photo.png", bytes_of(20, 20, 3))


def test_denoise_refuses_pictures(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    none, text = tmp_path / "none.png", tmp_path / "text.png"
    text.write_text("a diary")
    assert complaint("denoise", none, "-o", out) == f"there is no file {none}"
    # The good one is not written either: all are looked at first.
    said = complaint("denoise", photo, text, "-o", out)
    assert said == f"{text} is not a PNG, JPEG, TIFF or .npy picture"
    other = photo.rename(photo.with_suffix(".dat"))
    kinds = ".png, .jpg, .jpeg, .tif, .tiff, .npy"
    said = complaint("denoise", other, "-o", out)
    assert said == f"{other} does not end in one of {kinds}, as its result would have to"
    half = save(tmp_path / "half.png", bytes_of(40, 40, 3))
    half.write_bytes(half.read_bytes()[:2000])
    assert complaint("denoise", half, "-o", out / "a.png").startswith(f"{half} cannot be read: ")
    assert not out.exists()


def test_denoise_refuses_outputs(photo: Path, tmp_path: Path) -> None:
    kinds = ".png, .jpg, .jpeg, .tif, .tiff, .npy"
    out = tmp_path / "out.bmp"
    said = complaint("denoise", photo, "-o", out)
    assert said == f"the output {out} is no kind of picture to write: {kinds}"
    out = tmp_path / "out.png"
    said = complaint("denoise", photo, photo, "-o", out)
    copies = "are equal in every pixel: copies, not shots of their own"
    assert said == f"{photo} and {photo} {copies}"
    said = complaint("denoise", photo, photo, "-o", tmp_path / "out")
    assert said == "two of the pictures are named photo.png: their results would be one file"
    said = complaint("denoise", photo, "-o", photo / "in.png")
    assert said == f"the output folder {photo} cannot be made: {photo} is a file"
    assert names(tmp_path) == ["in"]


def test_denoise_refuses_weights(photo: Path, tmp_path: Path) -> None:
    out, weights = tmp_path / "out.png", tmp_path / "w.safetensors"
    arguments = ("denoise", photo, "-o", out, "-m", weights)
    assert complaint(*arguments) == f"there is no file of weights {weights}"
    weights.write_bytes(b"broken")
    assert complaint(*arguments).startswith(f"{weights} is no safetensors file of weights: ")
    save_weights(Sequential(Conv2d(3, 3, 3)), weights)
    assert complaint(*arguments).startswith(f"the weights in {weights} do not fit the report's")
    assert not out.exists()


def test_demo_refuses_a_file_as_its_folder(photo: Path) -> None:
    said = complaint("demo", "-o", photo, "--steps", 1)
    assert said == f"the output folder {photo} cannot be made: {photo} is a file"


def test_a_full_disk_is_one_sentence_too(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> torch.Tensor:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphs.noise2noise.images.png.imagecodecs.png_encode", fail)
    options = ("-o", tmp_path / "out.png", "--method", "model")
    result = blockwright("denoise", photo, *options)
    assert result.exit_code == 2
    said = result.stderr.splitlines()[-1].removeprefix("blockwright: ")
    assert said == f"{tmp_path / 'out.png'} cannot be written: No space left on device"


def test_results_for_machines(photo: Path, tmp_path: Path) -> None:
    clean = tmp_path / "clean.png"
    result = blockwright("denoise", photo, "-o", clean, "--json", "--method", "model")
    assert json.loads(result.stdout)["output"] == str(clean)
