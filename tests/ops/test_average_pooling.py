"""Averages over windows that extend beyond the image."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from engine import interpret
from graphs import GraphBuilder
from ops import avg_pool2d


def test_padded_partial_windows() -> None:
    # With ceil_mode, a window that starts in the padding after the image does not count.
    g = GraphBuilder("average")
    x = torch.arange(30.0).reshape(1, 1, 6, 5)
    y = avg_pool2d(g.input("x", (1, 1, 6, 5)), (2, 2), (3, 2), (1, 1), ceil_mode=True)
    result = interpret(g.build(y=y), {"x": x})["y"]
    torch.testing.assert_close(result, F.avg_pool2d(x, (2, 2), (3, 2), (1, 1), ceil_mode=True))
