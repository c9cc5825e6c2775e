"""The far end of a free line; and figures that the tests measured, printed under their results."""

from collections.abc import Callable, Iterator

import pytest

from lines.rig import LINE
from lines.sim_chip import SimChip

_NOTES: list[str] = []


@pytest.fixture
def note() -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return _NOTES.append


@pytest.fixture
def chip() -> Iterator[SimChip]:
    """The far end, with LINE low before and after."""
    made = SimChip()
    made.drive(LINE, False)
    yield made
    made.drive(LINE, False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them."""
    if _NOTES:
        terminalreporter.section("measured")
        for line in _NOTES:
            terminalreporter.line(line)
