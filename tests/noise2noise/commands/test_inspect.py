"""``blockwright inspect``, run from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from graphs.noise2noise.images import to_bytes
from tests.noise2noise.scenes import (
    blockwright,
    bytes_of,
    cat,
    complaint,
    names,
    noisy,
    on_terminal,
    save,
    shots,
)


def inspected(*arguments: object) -> dict[str, list[dict[str, object]]]:
    result = blockwright("inspect", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, list[dict[str, object]]] = json.loads(result.stdout)
    return found


def test_two_folders_of_shots(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    result = blockwright("inspect", first, second)
    assert result.exit_code == 0, result.output
    table, _, advice = result.stdout.partition("\n\n")
    rows = [line.split() for line in table.splitlines()]
    assert rows[1][:2] == ["scene", "shots"]
    assert [row[:3] for row in rows[2:]] == [["0", "2", "48x40x3"], ["1", "2", "48x40x3"]]
    assert advice.startswith("-> Noise2Noise: ")
    assert result.stderr == ""
    assert names(tmp_path) == ["a", "b"]


def test_for_machines(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    found = inspected(first, second)
    assert [scene["name"] for scene in found["scenes"]] == ["0", "1"]
    assert {"straying", "misalignment", "pairs", "clipped"} <= found["scenes"][0].keys()
    assert found["advice"][0]["topic"] == "Noise2Noise"


def test_the_files_of_one_scene(tmp_path: Path) -> None:
    files = [save(tmp_path / "cat" / f"{i}.png", noisy(cat(), i)) for i in range(3)]
    save(tmp_path / "clean.png", cat())
    found = inspected(*files, "-r", tmp_path / "clean.png")
    (scene,) = found["scenes"]
    assert (scene["name"], scene["shots"]) == ("cat", 3)
    assert scene["reference"] is not None
    assert scene["lowest"] == 0


def test_single_pictures_each_with_a_reference(tmp_path: Path) -> None:
    for i, name in enumerate(("x", "y")):
        save(tmp_path / f"in_{name}.png", noisy(cat(40, 48), i))
        save(tmp_path / f"clean_{name}.png", cat(40, 48))
    options = ("--pattern", "in_{scene}.png", "-r", tmp_path / "clean_{scene}.png")
    found = inspected(tmp_path, *options)
    assert [(scene["name"], scene["shots"]) for scene in found["scenes"]] == [("x", 1), ("y", 1)]
    assert all(scene["reference"] for scene in found["scenes"])


def test_a_pattern_and_references_by_it(tmp_path: Path) -> None:
    for sample in ("x", "y_z"):
        for i in range(2):
            save(tmp_path / f"{sample}_raw{i}.png", noisy(cat(40, 48), i))
        save(tmp_path / f"{sample}_gt.png", cat(40, 48))
    options = ("--pattern", "{scene}_raw{shot}.png", "-r", tmp_path / "{scene}_gt.png")
    found = inspected(tmp_path, *options)
    assert [scene["name"] for scene in found["scenes"]] == ["x", "y_z"]
    assert all(scene["reference"] for scene in found["scenes"])
    (tmp_path / "y_z_gt.png").unlink()
    said = complaint("inspect", tmp_path, *options)
    assert said == f"there is no file {tmp_path / 'y_z_gt.png'}"
    said = complaint("inspect", tmp_path, *options[:2], "-r", tmp_path / "x_gt.png")
    assert said.startswith(f"{tmp_path / 'x_gt.png'} is one reference for 2 scenes")
    said = complaint("inspect", tmp_path, *options[:2], "-r", tmp_path)
    assert said == f"the scene x has no reference of that name in {tmp_path}"


def test_a_name_in_brackets_is_shown_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "scan[b]_01.png", noisy(cat(32, 40)))
    result = on_terminal(monkeypatch, "inspect", path)
    assert "scan[b]_01" in result.stdout
    assert "1 of 1: scan[b]_01" in result.stderr


@pytest.mark.parametrize("kind", ["single", "stack", "long stack", "sixteen bits"])
def test_other_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f.tif"
    frames = {"single": 1, "stack": 4, "long stack": 40, "sixteen bits": 3}[kind]
    stack = np.stack([to_bytes(noisy(cat(32, 40), i)[0]) for i in range(frames)])
    if kind == "sixteen bits":
        stack = stack.astype(np.uint16) * 257
    tifffile.imwrite(path, stack[0] if frames == 1 else stack, photometric="minisblack")
    (scene,) = inspected(path)["scenes"]
    # Of a long stack every second is taken.
    assert scene["shots"] == min(frames, 20)
    assert (scene["height"], scene["width"], scene["channels"]) == (32, 40, 1)
    if kind == "sixteen bits":
        assert isinstance(scene["highest"], float)
        assert scene["highest"] > 10_000


def test_refusals(tmp_path: Path) -> None:
    none = tmp_path / "none"
    assert complaint("inspect", none) == f"there is no file or folder {none}"
    small = save(tmp_path / "small.png", bytes_of(12, 40))
    assert complaint("inspect", small) == f"{small}: 40x12 pixels; expected at least 16 a side"
    first, second = (save(tmp_path / f"{i}.png", bytes_of(20 + i, 24)) for i in (0, 1))
    said = complaint("inspect", first, second)
    assert said == f"{first} and {second} differ in size, 24x20x1 and 24x21x1"
    deep = tmp_path / "deep.tif"
    tifffile.imwrite(deep, bytes_of(20, 24).astype(np.uint16), photometric="minisblack")
    said = complaint("inspect", first, deep)
    assert said == f"{first} and {deep} differ in the kind of their numbers"
    text = tmp_path / "text.png"
    text.write_text("a diary")
    assert complaint("inspect", text) == f"{text} is not a PNG, JPEG, TIFF or .npy picture"
    (tmp_path / "empty").mkdir()
    said = complaint("inspect", tmp_path / "empty")
    assert said == f"the folder {tmp_path / 'empty'} has no PNG, JPEG, TIFF or .npy pictures"
