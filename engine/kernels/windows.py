"""The windows of an image, seen pixel by pixel: one strided view for each tap of the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch

from engine.kernels.kernel import Run
from ops import Node, Spec
from ops.assembly import overlap
from ops.pooling import margins


def taps(
    image: torch.Tensor, windows: Sequence[int], attributes: Mapping[str, Any]
) -> Iterator[torch.Tensor]:
    """For each pixel of the window, that pixel of all (rows, columns) of windows of NCHW images."""
    (sh, sw), (dh, dw) = attributes["stride"], attributes["dilation"]
    rows, columns = windows
    for i, j in product(*map(range, attributes["kernel_size"])):
        height = slice(i * dh, i * dh + sh * (rows - 1) + 1, sh)
        width = slice(j * dw, j * dw + sw * (columns - 1) + 1, sw)
        yield image[:, :, height, width]


def as_images(scratch: torch.Tensor) -> torch.Tensor:
    """Scratch of NCHW shape with channels-last strides, as images are stored."""
    n, c, height, width = scratch.shape
    return scratch.view(n, height, width, c).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Pooled:
    """The windows of a pooling.

    They are read and written where the image lies, unless they reach over its border: then the
    image passes through a canvas that holds exactly its windows.
    """

    image: Spec
    windows: Sequence[int]
    attributes: Mapping[str, Any]

    @staticmethod
    def of(node: Node, image: Node, pooled: Node) -> Pooled:
        """The windows by which ``node`` pools (or puts back what was pooled)."""
        return Pooled(image.spec, pooled.sizes[2:], node.attributes)

    @property
    def tile(self) -> bool:
        """Whether every pixel is in exactly one window, as in 2x2 windows with stride 2."""
        a = self.attributes
        axes = zip(a["kernel_size"], a["stride"], a["dilation"], strict=True)
        side_by_side = all(k == s and (d == 1 or k == 1) for k, s, d in axes)
        return side_by_side and not any(self._margins)

    @property
    def canvas(self) -> list[Spec]:
        """The scratch tensor that the image passes through; none where it needs none."""
        if max(self._margins) <= 0:
            return []
        left, right, top, bottom = self._margins
        n, c, height, width = self.image.sizes
        return [self.image.with_shape((n, c, height + top + bottom, width + left + right))]

    def read(
        self, x: torch.Tensor, border: float, scratch: list[torch.Tensor]
    ) -> tuple[list[Run], list[torch.Tensor]]:
        """How to make an image's taps readable, with ``border`` around it, and the taps."""
        if not self.canvas:
            return [], self._taps(x)
        canvas = as_images(scratch.pop(0))
        inner, source = overlap(tuple(x.shape), self._margins)
        runs: list[Run] = [partial(canvas.fill_, border), partial(canvas[inner].copy_, x[source])]
        return runs, self._taps(canvas)

    def write(
        self, out: torch.Tensor, scratch: list[torch.Tensor]
    ) -> tuple[list[Run], list[torch.Tensor], list[Run]]:
        """What to do before, the taps to add to, what to do after.

        Where windows tile the image nothing is done before, and the taps are to be written.
        """
        if self.tile:
            return [], self._taps(out), []
        if not self.canvas:
            return [out.zero_], self._taps(out), []
        canvas = as_images(scratch.pop(0))
        inner, source = overlap(tuple(out.shape), self._margins)
        after: list[Run] = [out.zero_, partial(out[source].copy_, canvas[inner])]
        return [canvas.zero_], self._taps(canvas), after

    @property
    def _margins(self) -> list[int]:
        return margins(self.image.sizes[2:], self.windows, **self.attributes)

    def _taps(self, image: torch.Tensor) -> list[torch.Tensor]:
        return list(taps(image, self.windows, self.attributes))
