"""The windows of an image, pixel by pixel: one strided view per tap of the kernel."""

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
    """For each tap, a view of its pixel in all (rows, columns) windows of NCHW images."""
    (sh, sw), (dh, dw) = attributes["stride"], attributes["dilation"]
    rows, columns = windows
    for i, j in product(*map(range, attributes["kernel_size"])):
        height = slice(i * dh, i * dh + sh * (rows - 1) + 1, sh)
        width = slice(j * dw, j * dw + sw * (columns - 1) + 1, sw)
        yield image[:, :, height, width]


def as_images(scratch: torch.Tensor) -> torch.Tensor:
    """View NCHW scratch with channels-last strides, like stored images."""
    n, c, height, width = scratch.shape
    return scratch.view(n, height, width, c).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Pooled:
    """The windows of a pooling operator.

    They are read and written in place unless they extend beyond the image; then the image is copied
    through a canvas that its windows fit exactly.
    """

    image: Spec
    windows: Sequence[int]
    attributes: Mapping[str, Any]

    @staticmethod
    def of(node: Node, image: Node, pooled: Node) -> Pooled:
        """The windows by which ``node`` pools (or scatters pooled values back)."""
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
        """The spec of the canvas; none if it is not needed."""
        if max(self._margins) <= 0:
            return []
        left, right, top, bottom = self._margins
        n, c, height, width = self.image.sizes
        return [self.image.with_shape((n, c, height + top + bottom, width + left + right))]

    def read(
        self, x: torch.Tensor, border: float, scratch: list[torch.Tensor]
    ) -> tuple[list[Run], list[torch.Tensor]]:
        """The runs that pad an image with ``border``, if needed, and the taps to read."""
        if not self.canvas:
            return [], self._taps(x)
        canvas = as_images(scratch.pop(0))
        inner, source = overlap(tuple(x.shape), self._margins)
        runs: list[Run] = [partial(canvas.fill_, border), partial(canvas[inner].copy_, x[source])]
        return runs, self._taps(canvas)

    def write(
        self, out: torch.Tensor, scratch: list[torch.Tensor]
    ) -> tuple[list[Run], list[torch.Tensor], list[Run]]:
        """The runs to call before, the taps to add to, and the runs to call after.

        If the windows tile the image, nothing runs before, and the taps are written, not added to.
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
