"""The machines; and figures that the tests measured, printed under their results."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.rig import Machine, install

_NOTES: list[str] = []


@pytest.fixture
def note() -> Callable[[str], None]:
    """Keep a line for the end of the run."""
    return _NOTES.append


@pytest.fixture(scope="session")
def suite() -> str:
    """The Debian that this run is about."""
    return os.environ["SERVICE_SUITE"]


@pytest.fixture(scope="module")
def bare(suite: str) -> Iterator[Machine]:
    """A machine without the package."""
    with Machine(suite) as machine:
        yield machine


@pytest.fixture(scope="session")
def debs() -> Path:
    """Our package, and what it needs and the suite has not."""
    return Path(os.environ["SERVICE_DEBS"])


@pytest.fixture(scope="module")
def machine(suite: str, debs: Path) -> Iterator[Machine]:
    """A machine on which the package is installed, and walks up to a wall and back."""
    with Machine(suite) as made:
        install(made, debs)
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them."""
    if _NOTES:
        terminalreporter.section("measured")
        for line in _NOTES:
            terminalreporter.line(line)
