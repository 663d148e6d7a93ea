"""Read squares of pixels, with zeros around the image, and transform them into places."""

from __future__ import annotations

from dataclasses import dataclass

from engine.native.code.operand import SUFFIX, TYPES, Operand
from engine.native.code.text import Text
from ops.windows import Pair


@dataclass(frozen=True)
class Squares:
    """How squares of an image's pixels are read.

    Attributes:
        image: [N, C, H, W], stored as NHWC; C is a multiple of a vector's lanes.
        side: pixels of a square along an axis.
        step: pixels of the image from one pixel of a square to the next.
        transform: which transform in ``winograd.h``.
        name: the generated function's name.
        place: elements from one place to the next.
    """

    image: Operand
    side: int
    step: Pair
    transform: str
    name: str
    place: int

    def write(self, text: Text) -> None:
        """Write the function that transforms a square and stores its places at ``to``.

        In it, ``x`` is the image and (y0, x0) the square's first pixel; ``patch`` is room for a
        square that reaches beyond the image.
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
