"""C source text, built line by line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Text:
    """Lines of C, indented by the blocks they are in."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def __call__(self, *lines: str) -> None:
        """Add lines."""
        self._lines += ["    " * self._depth + line if line else "" for line in lines]

    @contextmanager
    def block(self, head: str, tail: str = "") -> Iterator[None]:
        """Put the lines added inside between braces, after ``head``."""
        self(f"{head} {{")
        self._depth += 1
        yield
        self._depth -= 1
        self(f"}}{tail}")

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"


def table(name: str, values: list[int]) -> str:
    """A constant array of integers."""
    return f"static const long {name}[] = {{{', '.join(map(str, values))}}};"
