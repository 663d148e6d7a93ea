"""``--laws-page FILE`` writes a page about what was tested."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--laws-page", metavar="FILE", help="write what the laws have tried to FILE")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    file = session.config.getoption("--laws-page")
    if file and exitstatus == pytest.ExitCode.OK:
        from tests.ops.page import page

        Path(file).write_text(page())
