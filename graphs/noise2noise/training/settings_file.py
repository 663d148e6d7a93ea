"""Settings in a TOML file, where file names are UTF-8 whatever the locale."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.training.names import from_utf8, to_utf8


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file, with file names as this locale decodes them.

    Keys may be spelled like the options: ``validate-every``.

    Raises:
        InputError: there is no such file, it cannot be read, it is not valid TOML, or it sets a
            key twice, in both spellings.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    if twice := next((name for name in values if "-" in name and _key(name) in values), None):
        raise InputError(f"{path} sets {twice} twice, as {_key(twice)} too")
    return {_key(name): _from_toml(value) for name, value in values.items()}


def format_settings(values: Mapping[str, Any]) -> str:
    """The text of a file that :func:`read_settings` reads; values of None are omitted.

    Raises:
        InputError: a name is not valid UTF-8.
    """
    lines = [f"{name} = {_to_toml(value)}" for name, value in values.items() if value is not None]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name.replace("-", "_")


def _from_toml(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_toml(item) for item in value]
    return from_utf8(value) if isinstance(value, str) else value


def _to_toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_to_toml, value))}]"
    if isinstance(value, str):
        return _quoted(to_utf8(value))
    return repr(value)


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = (c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped)
    return f'"{"".join(plain)}"'
