"""``blockwright denoise`` on pictures of every kind, with the shipped weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import Result

from graphs import Model
from graphs.model import PRETRAINED
from graphs.noise2noise.quality.metrics import psnr
from tests.noise2noise.scenes import (
    blockwright,
    cat,
    complaint,
    load,
    names,
    noisy,
    on_terminal,
    save,
)

SHIPPED = ("--method", "model")


def with_shipped_weights(*arguments: object) -> Result:
    return blockwright("denoise", *arguments, *SHIPPED)


def test_a_noisy_photograph_becomes_cleaner(tmp_path: Path) -> None:
    source = save(tmp_path / "noisy.png", noisy(cat(130, 171)))
    result = with_shipped_weights(source, "-o", tmp_path / "clean.png")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "clean.png")
    assert result.stderr.endswith("\nmethod: model, the shipped weights\n")
    clean = load(tmp_path / "clean.png")
    assert clean.shape == (3, 130, 171)
    assert psnr(clean, cat(130, 171)) > psnr(load(source), cat(130, 171)) + 3
    assert names(tmp_path) == ["clean.png", "noisy.png"]


def test_it_is_what_the_model_says(tmp_path: Path) -> None:
    source = save(tmp_path / "noisy.png", noisy(cat(30, 45)))
    with_shipped_weights(source, "-o", tmp_path / "clean.png", "-m", PRETRAINED)
    model = Model()
    model.load_pretrained_model()
    expected = model.predict((load(source)[None] * 255).round().to(torch.uint8))[0]
    difference = load(tmp_path / "clean.png") * 255 - expected
    assert float(difference.abs().max()) < 1.01
    assert float((difference.abs() > 0.5).float().mean()) < 0.01


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
@pytest.mark.parametrize("grey", [True, False], ids=["grey", "RGB"])
def test_size_and_channels_stay(kind: str, grey: bool, tmp_path: Path) -> None:
    picture = noisy(cat(25, 38))
    source = save(tmp_path / f"noisy.{kind}", picture[0] if grey else picture)
    assert with_shipped_weights(source, "-o", tmp_path / f"clean.{kind}").exit_code == 0
    with Image.open(tmp_path / f"clean.{kind}") as image:
        assert image.mode == ("L" if grey else "RGB")
        assert image.size == (38, 25)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2)])
def test_tiny_pictures(size: tuple[int, int], tmp_path: Path) -> None:
    source = save(tmp_path / "noisy.png", cat(*size))
    assert with_shipped_weights(source, "-o", tmp_path / "clean.png").exit_code == 0
    assert load(tmp_path / "clean.png").shape == (3, *size)


def test_several_into_a_folder(tmp_path: Path) -> None:
    sources = [
        save(tmp_path / "in" / name, noisy(cat(20 + i, 30), seed=i))
        for i, name in enumerate(("a.png", "b.jpg", "c.tif"))
    ]
    result = with_shipped_weights(*sources, "-o", tmp_path / "new" / "out")
    assert result.exit_code == 0, result.output
    out = tmp_path / "new" / "out"
    assert result.stdout.split() == [str(out / source.name) for source in sources]
    assert names(out) == ["a.png", "b.jpg", "c.tif"]
    for i, name in enumerate(names(out)):
        assert load(out / name).shape == (3, 20 + i, 30)
    with_shipped_weights(sources[0], "-o", tmp_path / "alone.png")
    assert torch.equal(load(tmp_path / "alone.png"), load(out / "a.png"))


def test_one_into_an_existing_folder_even_if_that_is_named_as_a_picture(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat(20, 20)))
    (tmp_path / "out.png").mkdir()
    assert with_shipped_weights(source, "-o", tmp_path / "out.png").exit_code == 0
    assert names(tmp_path / "out.png") == ["a.png"]


def test_another_kind_of_file(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg", noisy(cat(20, 20)))
    assert with_shipped_weights(source, "-o", tmp_path / "a.png").exit_code == 0
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"


def test_a_name_in_brackets_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save(tmp_path / "a.png", noisy(cat(40, 48)))
    options = ("-o", tmp_path / "scan[b]_01.png", "--method", "model")
    result = on_terminal(monkeypatch, "denoise", source, *options)
    assert "Cleaning scan[b]_01.png" in result.stderr


def test_what_exists_is_kept_unless_told(tmp_path: Path) -> None:
    sources = [
        save(tmp_path / "in" / name, noisy(cat(20, 20), seed=i))
        for i, name in enumerate(("a.png", "b.png"))
    ]
    out = tmp_path / "out"
    old = save(out / "b.png", cat(8, 8))
    before = old.read_bytes()
    said = complaint("denoise", *sources, "-o", out, *SHIPPED)
    assert said == f"the output {old} exists already; --overwrite replaces it"
    assert old.read_bytes() == before
    assert names(out) == ["b.png"]
    assert with_shipped_weights(*sources, "-o", out, "--overwrite").exit_code == 0
    assert names(out) == ["a.png", "b.png"]
    assert load(old).shape == (3, 20, 20)


def test_in_place(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png", noisy(cat(40, 40)))
    before = psnr(load(source), cat(40, 40))
    assert complaint("denoise", source, "-o", tmp_path, *SHIPPED).endswith(
        "--overwrite replaces it"
    )
    assert with_shipped_weights(source, "-o", source, "--overwrite").exit_code == 0
    assert psnr(load(source), cat(40, 40)) > before + 3
    assert names(tmp_path) == ["a.png"]
