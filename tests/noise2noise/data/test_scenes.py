"""How folders, bursts and stacks become scenes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from graphs.noise2noise.data.holding_out import hold_out
from graphs.noise2noise.data.reading import Readings, read_scenes
from graphs.noise2noise.data.scenes import find_scenes
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.inspection.loading import find_scene_files, read_scene
from tests.noise2noise.scenes import bytes_of, cat, noisy, save, shots


def read(*paths: Path, pattern: str | None = None, clean: bool = False) -> Readings:
    return read_scenes(find_scenes(paths, pattern, clean), 32)


def message(*paths: Path, pattern: str | None = None) -> str:
    with pytest.raises(InputError) as error:
        read(*paths, pattern=pattern)
    return str(error.value)


def grey(seed: int, height: int = 40, width: int = 48) -> np.ndarray:
    return bytes_of(height, width, seed=seed)


def as_tensor(*pictures: np.ndarray) -> torch.Tensor:
    """Grey shots as (k, 1, H, W)."""
    return torch.from_numpy(np.stack(pictures))[:, None]


def test_two_or_more_folders_by_name(tmp_path: Path) -> None:
    for shot, folder in enumerate("abc"):
        for scene in range(2):
            save(tmp_path / folder / f"{scene}.png", grey(10 * scene + shot))
    for folders in ("ab", "abc"):
        found = find_scenes([tmp_path / folder for folder in folders])
        assert found.kind == "shots"
        assert [path.name for path in found.files] == ["0.png"] * len(folders) + ["1.png"] * len(
            folders
        )
        scenes = read_scenes(found, 32).scenes
        for scene, shots_ in enumerate(scenes):
            expected = as_tensor(*(grey(10 * scene + k) for k in range(len(folders))))
            assert torch.equal(shots_, expected)


def test_a_folder_named_twice(tmp_path: Path) -> None:
    save(tmp_path / "a" / "0.png", grey(0))
    said = f"{tmp_path / 'b' / '..' / 'a'} is named twice"
    (tmp_path / "b").mkdir()
    assert message(tmp_path / "a", tmp_path / "b" / ".." / "a") == said


def test_a_pattern_is_followed_by_every_file_that_is_named(tmp_path: Path) -> None:
    files = [save(tmp_path / name, cat(40, 48)) for name in ("x_0.png", "x_1.png", "other.png")]
    assert message(*files, pattern="{scene}_{shot}.png") == (
        f"{files[2]} is not named as '{{scene}}_{{shot}}.png'"
    )
    found = find_scenes([tmp_path], "x_{scene}.png", clean=True)
    assert found.files == files[:2]
    with pytest.raises(InputError, match=r"no picture in .* is named as 'y"):
        find_scenes([tmp_path], "y_{scene}.png", clean=True)


def test_a_stack_in_each_folder(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "stack.npy", np.stack([grey(k) for k in range(5)]))
    found = find_scenes([tmp_path])
    assert found.kind == "shots"
    assert [len(read(tmp_path).scenes), *map(len, read(tmp_path).scenes)] == [2, 5, 5]


def test_a_pattern_of_single_pictures(tmp_path: Path) -> None:
    for name in ("in_a.png", "in_b.png", "clean_a.png", "clean_b.png"):
        save(tmp_path / name, cat(40, 48))
    found = find_scenes([tmp_path], "in_{scene}.png")
    assert found.kind == "single"
    assert found.groups == [[tmp_path / "in_a.png"], [tmp_path / "in_b.png"]]
    save(tmp_path / "more" / "in_a.png", cat(40, 48))
    assert message(tmp_path, tmp_path / "more", pattern="in_{scene}.png") == (
        f"{tmp_path}/in_a.png and {tmp_path}/more/in_a.png are one scene by the pattern "
        "'in_{scene}.png', which has no {shot} to tell them apart"
    )


def test_a_pattern_groups_shots(tmp_path: Path) -> None:
    for name, seed in {"cell_raw1": 1, "cell_raw2": 2, "cell_raw3": 3, "a_b_raw1": 4}.items():
        save(tmp_path / f"{name}.png", grey(seed))
    save(tmp_path / "a_b_raw9.png", grey(5))
    save(tmp_path / "cell_gt.png", grey(6))
    found = find_scenes([tmp_path], "{scene}_raw{shot}.png")
    scenes = {group[0].name: len(group) for group in found.groups}
    assert scenes == {"a_b_raw1.png": 2, "cell_raw1.png": 3}


def test_stacks_are_bursts(tmp_path: Path) -> None:
    pages = np.stack([grey(k) for k in range(4)])
    tifffile.imwrite(tmp_path / "t.tif", pages, photometric="minisblack")
    np.save(tmp_path / "n.npy", pages)
    np.save(tmp_path / "two.npy", pages[:2])  # which alone would pass for two channels
    for name, count in {"t.tif": 4, "n.npy": 4, "two.npy": 2}.items():
        (scene,) = read(tmp_path / name).scenes
        assert torch.equal(scene, as_tensor(*pages[:count])), name
    assert len(read(tmp_path / "t.tif", tmp_path / "n.npy").scenes) == 2


def test_a_folder_of_stacks_of_bursts_or_of_single_pictures(tmp_path: Path) -> None:
    pages = np.stack([grey(k) for k in range(5)])
    (tmp_path / "stacks").mkdir()
    for name in "xy":
        tifffile.imwrite(tmp_path / "stacks" / f"{name}.tif", pages, photometric="minisblack")
    (tmp_path / "arrays").mkdir()
    for name in "xy":  # of three frames, which would pass for three channels
        np.save(tmp_path / "arrays" / f"{name}.npy", pages[:3])
    for burst in "pq":
        for k in range(3):
            save(tmp_path / "bursts" / burst / f"{k}.png", grey(k))
    for k in range(3):
        save(tmp_path / "single" / f"{k}.png", grey(k))
    names = ("stacks", "arrays", "bursts", "single")
    kinds = {name: find_scenes([tmp_path / name]) for name in names}
    assert [found.kind for found in kinds.values()] == ["shots", "shots", "shots", "single"]
    shapes = {name: [len(s) for s in read_scenes(f, 32).scenes] for name, f in kinds.items()}
    assert shapes == {"stacks": [5, 5], "arrays": [3, 3], "bursts": [3, 3], "single": [1, 1, 1]}
    for name, count in (("stacks", 5), ("arrays", 3)):
        inspected = [read_scene(files) for files in find_scene_files([tmp_path / name])]
        assert [scene.shots.shape for scene in inspected] == [(count, 1, *pages.shape[1:])] * 2


def test_files_of_one_scene_and_of_several(tmp_path: Path) -> None:
    cats = [save(tmp_path / f"{k}.png", noisy(cat(64, 64), seed=k)) for k in range(3)]
    upside_down = save(tmp_path / "down.png", noisy(cat(64, 64).flip(1)))
    large = save(tmp_path / "large.png", noisy(cat(64, 80)))
    burst = find_scenes(cats)
    assert (burst.kind, burst.groups) == ("shots", [cats])
    different = find_scenes([*cats, upside_down])
    assert (different.kind, len(different.groups)) == ("single", 4)
    assert "differ in size" in message(*cats, large)


@pytest.mark.filterwarnings("error")
def test_dark_frames_show_one_scene(tmp_path: Path) -> None:
    dark = [save(tmp_path / f"{k}.png", np.zeros((40, 48), np.uint8)) for k in range(2)]
    assert find_scenes(dark).groups == [dark]
    bright = save(tmp_path / "bright.png", cat(40, 48)[0])
    assert find_scenes([dark[0], bright]).kind == "single"


def test_a_folder_that_may_be_a_burst_is_told_of(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / "alike" / f"{k}.png", noisy(cat(64, 64), seed=k))
        save(tmp_path / "unlike" / f"{k}.png", noisy(cat(64, 64).roll(20 * k, 2)))
    assert "shots of one scene, name them" in find_scenes([tmp_path / "alike"]).why
    assert find_scenes([tmp_path / "unlike"]).why == "a folder of single noisy pictures"


def test_a_course_pickle(tmp_path: Path) -> None:
    both = torch.from_numpy(bytes_of(2 * 7 * 3 * 32, 32)).view(2, 7, 3, 32, 32)
    torch.save(tuple(both), tmp_path / "train_data.pkl")
    scenes = read(tmp_path / "train_data.pkl").scenes
    assert len(scenes) == 7
    assert all(torch.equal(scene, both[:, i]) for i, scene in enumerate(scenes))


def test_narrow_values_are_spread(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pages = rng.integers(100, 4000, (3, 40, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "t.tif", pages, photometric="minisblack")
    readings = read(tmp_path / "t.tif")
    (scene,) = readings.scenes
    assert scene.dtype == torch.float32
    assert 0.1 < float(scene.min()) < 0.2
    assert 0.8 < float(scene.max()) < 0.9
    back = (scene * readings.scale + readings.offset) * 65535
    assert torch.allclose(back[:, 0], torch.from_numpy(pages.astype(np.float32)), atol=0.1)


def test_wide_values_and_clean_ones_stay(tmp_path: Path) -> None:
    dark = (grey(0) // 16).astype(np.uint8)
    save(tmp_path / "clean" / "dark.png", dark)
    (scene,) = read(tmp_path / "clean", clean=True).scenes
    assert torch.equal(scene, as_tensor(dark))
    save(tmp_path / "wide" / "wide.png", grey(0))
    assert read(tmp_path / "wide").scenes[0].dtype == torch.uint8


def test_greys_among_colours_are_seen_as_colours(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=1)
    for folder in (first, second):
        save(folder / "grey.png", grey(1))
    assert [scene.shape[1] for scene in read(first, second).scenes] == [3, 3]


def test_folders_that_do_not_pair_up(tmp_path: Path) -> None:
    first, second = shots(tmp_path)
    save(second / "alone.png", grey(0))
    assert message(first, second) == f"{second}/alone.png has no partner of that name in {first}"
    save(first / "also alone.png", grey(0))
    assert message(first, second).endswith("(2 names are unpaired)")
    (second / "alone.png").unlink()
    save(second / "also alone.png", grey(0, 40, 41))
    assert message(first, second) == (
        f"{second}/also alone.png and {first}/also alone.png differ in size, 41x40 and 48x40"
    )
    save(second / "also alone.png", bytes_of(40, 48, 3))
    assert message(first, second).endswith("also alone.png differ in channels, 3 and 1")
    save(first / "also alone.png", grey(0, 31, 50))
    assert message(first, second).endswith(
        "expected at least 32 a side, or a smaller crop or depth"
    )
    (second / "also alone.png").write_text("no picture")
    save(first / "also alone.png", grey(0))
    assert message(first, second).startswith(f"{second}/also alone.png is not a ")


def test_what_is_not_there_or_does_not_fit(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=1)
    assert message() == "expected pictures to train on: folders or files"
    none = tmp_path / "none"
    assert message(first, none) == f"there is no file or folder {none}"
    assert message(first, second / "0.png") == "expected folders or files, not both"
    one = second / "0.png"
    assert message(one) == f"{one} holds one picture; expected a stack of two or more shots"
    for pattern in ("{shot}.png", "{scene}{scene}.png", "{scene}{shot}{shot}.png"):
        assert message(first, pattern=pattern).startswith("expected a pattern with one {scene}")
    assert message(first, pattern="{scene}-{shot}.png").endswith("named as '{scene}-{shot}.png'")
    save(first / "x-1.png", grey(0))
    assert message(first, pattern="{scene}-{shot}.png").startswith(f"{first}/x-1.png is the only")
    np.save(first / "stack.npy", np.stack([grey(k) for k in range(5)]))
    assert "is a stack of shots and" in message(first)
    save(tmp_path / "deep" / "burst" / "0.png", grey(0))
    assert message(tmp_path / "deep").endswith(
        "is the only shot in its folder; expected two or more"
    )


def test_kinds_of_numbers_do_not_mix(tmp_path: Path) -> None:
    first, second = shots(tmp_path, count=1)
    for folder in (first, second):
        np.save(folder / "x.npy", np.zeros((40, 48), np.float32))
    assert message(first, second).endswith("differ in the kind of their numbers")


def test_of_many_scenes_some_are_held_out_whole() -> None:
    scenes = [torch.full((2, 1, 32, 32), float(i)) for i in range(20)]
    kept, held_out = hold_out(scenes, 0.1, 32, seed=0)
    numbers = sorted(int(scene[0, 0, 0, 0]) for scene in kept + held_out)
    assert (len(kept), len(held_out)) == (18, 2)
    assert numbers == list(range(20))
    other = hold_out(scenes, 0.1, 32, seed=1)[1]
    assert [float(s.max()) for s in other] != [float(s.max()) for s in held_out]


def test_of_few_scenes_rows_are_held_out() -> None:
    scene = torch.arange(100.0).view(1, 1, 100, 1).expand(2, 1, 100, 40)
    (kept,), (held_out,) = hold_out([scene], 0.2, 16, seed=0)
    assert torch.equal(torch.cat([kept, held_out], 2), scene)
    assert held_out.shape[2] == 20
    assert hold_out([scene], 0.01, 16, seed=0)[1][0].shape[2] == 16


def test_small_scenes_are_held_out_whole_or_not_at_all() -> None:
    scene = torch.zeros(2, 1, 40, 48)
    kept, held_out = hold_out([scene, scene], 0.1, 32, seed=0)
    assert (len(kept), len(held_out)) == (1, 1)
    kept, held_out = hold_out([scene], 0.1, 32, seed=0)
    assert (len(kept), len(held_out)) == (1, 0)
