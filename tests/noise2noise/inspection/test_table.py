"""The table of what was found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from graphs.noise2noise.inspection.findings import inspect_scene
from graphs.noise2noise.inspection.scene import Scene
from graphs.noise2noise.inspection.table import COLUMNS, findings_table
from tests.noise2noise.inspection.made import photograph

SHIFT = [heading for heading, _ in COLUMNS].index("shift\npixels")


@pytest.mark.parametrize(("rows", "sigma", "shown"), [(4, 5, "3.9"), (0, 5, "<0"), (0, 1e4, "?")])
def test_a_shift_is_told_or_how_large_it_may_be(rows: int, sigma: float, shown: str) -> None:
    clean = photograph(160, 160)
    rng = np.random.default_rng(0)
    shots = [
        rng.normal(ndimage.shift(clean, (0, by, 0), mode="reflect"), sigma) for by in (0, rows)
    ]
    table = findings_table([inspect_scene(Scene("a", np.stack(shots)))])
    (cell,) = table.columns[SHIFT].cells
    assert str(cell).startswith(shown)
