"""Reading squares of pixels, with zeros around the image, and turning them into places."""

from __future__ import annotations

from dataclasses import dataclass

from engine.native.operand import SUFFIX, TYPES, Operand
from engine.native.taps.geometry import Pair
from engine.native.text import Text


@dataclass(frozen=True)
class Squares:
    """Squares of an image's pixels.

    Attributes:
        image: [N, C, H, W], stored as NHWC; C are whole vectors.
        side: pixels of a square along an axis.
        step: from one of its pixels to the next.
        transform: in ``winograd.h``.
        name: of the function.
        place: elements from one place to the next.
    """

    image: Operand
    side: int
    step: Pair
    transform: str
    name: str
    place: int

    def write(self, text: Text) -> None:
        """The function that puts the places of a square at ``to``.

        ``x`` is its image, (y0, x0) its first pixel; ``patch`` is for one that reaches beyond.
        """
        kind, s = TYPES[self.image.dtype], SUFFIX[self.image.dtype]
        _, channels, height, width = self.image.shape
        _, _, row, column = self.image.strides
        (down, right), reach = self.step, self.side - 1
        with text.block(
            f"NOINLINE void {self.name}(const {kind} *x, long y0, long x0, {kind} *patch, "
            f"{kind} *to)"
        ):
            inside = (
                f"y0 >= 0 && x0 >= 0 && y0 + {reach * down} < {height} "
                f"&& x0 + {reach * right} < {width}"
            )
            transform = f"{self.transform}_squares_{s}"
            with text.block(f"if ({inside})"):
                first = f"x + y0 * {row} + x0 * {column}, {down * row}, {right * column}"
                text(f"{transform}({first}, to, {self.place}, {channels});", "return;")
            with text.block(f"for (int i = 0; i < {self.side**2}; i++)"):
                text(
                    f"const long a = y0 + i / {self.side} * {down};",
                    f"const long b = x0 + i % {self.side} * {right};",
                    f"const int within = a >= 0 && b >= 0 && a < {height} && b < {width};",
                    f"{kind} *pixel = patch + i * {channels};",
                )
                size = f"{channels} * sizeof *pixel"
                text("if (within)", f"    memcpy(pixel, x + a * {row} + b * {column}, {size});")
                text("else", f"    memset(pixel, 0, {size});")
            first = f"patch, {self.side * channels}, {channels}"
            text(f"{transform}({first}, to, {self.place}, {channels});")
        text("")
