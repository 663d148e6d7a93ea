"""Memory sizes as people write them."""

from __future__ import annotations

import pytest

from graphs.noise2noise.commands.memory import parse_bytes
from graphs.noise2noise.errors import InputError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("500M", 500_000_000),
        ("1.5 gb", 1_500_000_000),
        ("1k", 1000),
        ("12", 12),
        ("1" + 400 * "0", 10**400),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1M", "1T", "1e9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match="expected a size of memory, such as 500M or 2G, got "):
        parse_bytes(text)
