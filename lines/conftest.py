"""Figures that the tests measured, printed under their results."""

from collections.abc import Callable

import pytest

_NOTES: list[str] = []


@pytest.fixture
def note() -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return _NOTES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them."""
    if _NOTES:
        terminalreporter.section("measured")
        for line in _NOTES:
            terminalreporter.line(line)
