"""systemd's notify protocol: what is sent, to a real socket, and that nobody is waited for."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device import notify
from device.notify import Notifier

SOON_S = 10.0


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end, at `tmp_path`/n."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "n"))
        bound.settimeout(SOON_S)
        yield bound


@pytest.fixture
def notifier(ear: socket.socket) -> Iterator[Notifier]:
    with contextlib.closing(Notifier(ear.getsockname())) as opened:
        yield opened


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def heard(bound: socket.socket) -> str:
    return bound.recv(4096).decode()


def unread(bound: socket.socket) -> list[str]:
    """Everything that has arrived by now."""
    bound.setblocking(False)
    found = []
    try:
        while True:
            found.append(heard(bound))
    except BlockingIOError:
        bound.settimeout(SOON_S)
        return found


def test_each_call_is_one_message_in_systemds_words(ear: socket.socket, notifier: Notifier) -> None:
    notifier.ready()
    notifier.alive()
    notifier.status("CLEAR 3.12 m; 21.7 pings/s; 0 late")
    notifier.stopping()
    assert unread(ear) == [
        "READY=1",
        "WATCHDOG=1",
        "STATUS=CLEAR 3.12 m; 21.7 pings/s; 0 late",
        "STOPPING=1",
    ]


def test_reloading_comes_with_the_moment_at_which_it_began(
    ear: socket.socket, notifier: Notifier
) -> None:
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    first, second = heard(ear).splitlines()
    assert first == "RELOADING=1"
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(value) <= after_us


def test_a_status_cannot_smuggle_in_another_word(ear: socket.socket, notifier: Notifier) -> None:
    notifier.status("bad file\nREADY=1\r\nMAINPID=1")
    assert heard(ear) == "STATUS=bad file READY=1 MAINPID=1"


def test_an_abstract_socket_is_meant_by_an_at_sign() -> None:
    name = f"rearguard-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{name}")
        bound.settimeout(SOON_S)
        with contextlib.closing(Notifier(f"@{name}")) as notifier:
            notifier.ready()
        assert heard(bound) == "READY=1"


@pytest.mark.parametrize("address", [None, ""])
def test_without_an_address_nothing_is_opened_or_sent(address: str | None) -> None:
    before = open_files()
    notifier = Notifier(address)
    notifier.ready()
    assert open_files() == before


def test_a_manager_that_does_not_read_is_not_waited_for(
    ear: socket.socket, notifier: Notifier
) -> None:
    """The kernel keeps some ten datagrams; the next one would wait until one is read."""

    def chatter() -> None:
        for _ in range(5000):
            notifier.alive()

    sender = threading.Thread(target=chatter, daemon=True)
    sender.start()
    sender.join(SOON_S)
    assert not sender.is_alive(), "it waits for the manager"
    assert 0 < len(unread(ear)) < 5000
    notifier.alive()
    assert heard(ear) == "WATCHDOG=1"


def test_a_manager_that_goes_away_costs_only_the_messages(
    ear: socket.socket, notifier: Notifier, tmp_path: Path
) -> None:
    notifier.alive()
    ear.close()
    notifier.alive()
    (tmp_path / "n").unlink()
    notifier.alive()
    notifier.ready()


@pytest.mark.parametrize("name", ["nobody", "x" * 200, "@" + "x" * 200])
def test_an_address_where_nobody_is_or_can_be_is_as_good_as_none(tmp_path: Path, name: str) -> None:
    address = name if name.startswith("@") else str(tmp_path / name)
    with contextlib.closing(Notifier(address)) as notifier:
        notifier.ready()
        notifier.status("on we go")


def test_after_closing_nothing_is_sent(ear: socket.socket, notifier: Notifier) -> None:
    notifier.close()
    notifier.ready()
    notifier.close()
    assert unread(ear) == []


def test_it_is_found_by_environment(ear: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "500000"}
    with contextlib.closing(notify.from_environ(environ)) as notifier:
        notifier.ready()
        assert heard(ear) == "READY=1"
        assert notifier.alive_each_s == 0.125


def test_by_hand_there_is_neither_socket_nor_watchdog() -> None:
    notifier = notify.from_environ({})
    assert notifier.alive_each_s is None
    notifier.ready()


def test_a_watchdog_is_for_the_process_that_it_names() -> None:
    mine, another = str(os.getpid()), str(os.getpid() + 1)
    for pid, each_s in ((mine, 0.125), (another, None), ("", None), ("garbage", None)):
        environ = {"WATCHDOG_USEC": "500000", "WATCHDOG_PID": pid}
        assert notify.from_environ(environ).alive_each_s == each_s, pid


@pytest.mark.parametrize("period", ["", "soon", "-1", "0.5", "1e6", " 5", "²"])
def test_a_watchdog_period_that_is_no_number_is_none(period: str) -> None:
    assert notify.from_environ({"WATCHDOG_USEC": period}).alive_each_s is None
