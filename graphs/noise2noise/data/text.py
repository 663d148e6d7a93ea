"""Text written over pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SIZES = range(8, 25)
LENGTHS = range(3, 13)


def write_over(picture: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """The picture with words of random size, place and colour over a share of its pixels.

    Args:
        picture: (C, H, W) in [0, 1].
        share: of the pixels to cover; words are added until it is reached.
        generator: the source of randomness.
    """
    result = picture.clone()
    covered = torch.zeros(picture.shape[1:], dtype=torch.bool)
    while float(covered.float().mean()) < share:
        word = _word(picture.shape[1], picture.shape[2], generator)
        colour = torch.rand((len(picture), 1), generator=generator)
        result[:, word] = colour.expand(-1, int(word.sum()))
        covered |= word
    return result


def _word(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """The mask of a random word, (height, width); the word may extend over the border."""

    def below(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    size = SIZES[below(len(SIZES))]
    letters = "".join(LETTERS[below(len(LETTERS))] for _ in range(LENGTHS[below(len(LENGTHS))]))
    canvas = Image.new("1", (width, height))
    place = (below(width + 2 * size) - 2 * size, below(height + size) - size)
    ImageDraw.Draw(canvas).text(place, letters, fill=1, font=_font(size))
    return torch.from_numpy(np.array(canvas))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
