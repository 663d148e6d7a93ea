"""Memory sizes as people write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

import typer

from graphs.noise2noise.errors import InputError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}

MaxMemory = Annotated[
    str, typer.Option(metavar="SIZE", help="Memory for the network to work in, such as 500M or 2G.")
]


def parse_bytes(text: str) -> int:
    """``500M`` as 500 000 000.

    Raises:
        InputError: the text is not such a size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"expected a size of memory, such as 500M or 2G, got {text!r}")
    return int(Decimal(match[1]) * _UNITS[match[2].upper()])
