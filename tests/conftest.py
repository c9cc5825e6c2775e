"""What several test files share: the command, in this process."""

import signal
from collections.abc import Callable
from typing import NamedTuple

import pytest

from device import cli, config


def pytest_configure() -> None:
    """As from a terminal: a background job and its children ignore Ctrl-C."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


class Ran(NamedTuple):
    """What a run of the command came to."""

    status: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def rearguard(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`rearguard ARGUMENTS...`, blind to whatever configuration this machine has."""
    monkeypatch.delenv(config.VARIABLE, raising=False)
    monkeypatch.setattr(config, "PLACES", ())

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return Ran(status, *capsys.readouterr())

    return call
