"""Ports: one that vanishes and comes back, the real one, and what a cable does to bytes."""

import errno
import fcntl
import os
import random
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import config, procs, sensors
from device.clock import Clock, PacedClock, VirtualClock
from device.core.reading import Echo
from device.errors import HardwareError
from device.pins.mock import MockBoard
from device.ports import Port, PortMissingError
from device.ports import tty as real
from device.ports.line import Line
from device.ports.mock import Cable, Damage, PtyCable, as_heard
from device.ports.tty import open_tty
from device.sensors import Parts, tf_luna
from device.sensors.a02yyuw import frame, framer

SOON_S = 20.0

# ------------------------------------------------------------------ a port that vanishes


class Socket:
    """Where a port is plugged in: it may be empty, refuse, or break in mid-read."""

    def __init__(self) -> None:
        self.there, self.refuses = True, False
        self.tried: list[float] = []
        self.opened: list[Plug] = []
        self.clock = VirtualClock()

    def open(self, path: str, baud: int) -> Port:
        self.tried.append(self.clock.now())
        if not self.there:
            raise PortMissingError(f"{path}: none")
        if self.refuses:
            raise HardwareError(f"{path}: held")
        self.opened.append(Plug(self, path, baud))
        return self.opened[-1]

    def line(self, *, wakes: bool = True) -> Line:
        return Line(self.open, "/dev/x", 9600, self.clock, wakes=wakes)

    def reads(self, line: Line, end_s: float) -> bytes:
        """What a line reads when it is asked as it wishes to be, and each 50 ms."""
        found = b""
        while self.clock.now() < end_s:
            found += line.read(self.clock.now())
            due_s = max(line.due_s, self.clock.now() + 1e-6)
            self.clock.wait_until(min(due_s, self.clock.now() + 0.05, end_s))
        return found


class Plug:
    """An open port as it is seen through a `Socket`."""

    def __init__(self, socket: Socket, path: str, baud: int) -> None:
        self.socket, self.path, self.baud = socket, path, baud
        self.waiting = b""
        self.sent = b""
        self.broken = self.closed = False
        self.clock: Clock | None = None

    def _touch(self) -> None:
        assert not self.closed, "used after it was closed"
        if self.broken or not self.socket.there:
            raise OSError(errno.EIO, "gone")

    def read(self) -> bytes:
        self._touch()
        data, self.waiting = self.waiting, b""
        return data

    def write(self, data: bytes) -> None:
        self._touch()
        self.sent += data

    def wake(self, clock: Clock) -> None:
        self.clock = clock

    def close(self) -> None:
        self.closed = True
        if self.broken:
            raise OSError(errno.EIO, "gone")


def test_a_line_reads_and_writes_and_wakes_only_when_it_shall() -> None:
    socket = Socket()
    line = socket.line()
    port = socket.opened[0]
    assert (port.path, port.baud, port.clock) == ("/dev/x", 9600, socket.clock)
    port.waiting = b"ab"
    assert line.read(0.0) == b"ab"
    assert line.read(0.0) == b""
    line.write(0.0, b"?")
    assert port.sent == b"?"
    assert not line.gone
    assert line.due_s == float("inf")
    line.close()
    assert port.closed
    socket.line(wakes=False)
    assert socket.opened[1].clock is None


def test_a_port_that_is_missing_at_first_is_asked_for_ever_more_seldom() -> None:
    socket = Socket()
    socket.there = False
    line = socket.line()
    assert line.gone
    socket.reads(line, 3.0)
    line.write(socket.clock.now(), b"?")
    waits = [b - a for a, b in zip(socket.tried[1:], socket.tried[2:], strict=False)]
    assert waits[:5] == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])
    assert socket.tried[:2] == [0.0, 0.0]
    assert line.lost == 0
    socket.there = True
    socket.reads(line, 3.6)
    assert not line.gone
    assert len(socket.opened) == 1
    assert socket.opened[0].sent == b""


def test_a_port_that_vanishes_in_mid_read_is_closed_and_opened_anew() -> None:
    socket = Socket()
    line = socket.line()
    for lost in (1, 2):
        port = socket.opened[-1]
        port.broken = True
        now_s = socket.clock.now()
        assert line.read(now_s) == b""
        assert line.gone
        assert port.closed
        assert line.lost == lost
        assert line.due_s == pytest.approx(now_s + 0.1)  # each time from the shortest on
        socket.reads(line, now_s + 0.15)
        assert not line.gone
    socket.opened[-1].waiting = b"new"
    assert line.read(socket.clock.now()) == b"new"


def test_a_write_may_be_what_finds_out() -> None:
    socket = Socket()
    line = socket.line()
    socket.there = False
    line.write(1.0, b"?")
    assert line.gone
    assert line.lost == 1


def test_a_port_that_refuses_is_an_error_at_the_start_and_waited_for_later() -> None:
    socket = Socket()
    socket.refuses = True
    with pytest.raises(HardwareError, match="held"):
        socket.line()
    socket.refuses = False
    line = socket.line()
    socket.opened[0].broken = True
    socket.refuses = True
    socket.reads(line, 2.0)
    assert line.gone
    socket.refuses = False
    socket.reads(line, 2.6)
    assert not line.gone


def test_closing_a_broken_line_says_nothing() -> None:
    socket = Socket()
    line = socket.line()
    socket.opened[0].broken = True
    line.close()
    line.close()
    assert line.gone


# ------------------------------------------------------------------ the real one


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: its master, and the slave's path; nobody holds the slave."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    try:
        yield master, path
    finally:
        os.close(master)


def ready(fd: int) -> None:
    assert select.select([fd], [], [], SOON_S)[0]


def test_it_reads_what_is_written_and_writes_what_is_asked() -> None:
    with terminal() as (master, path):
        port = open_tty(path, 9600)
        try:
            assert port.read() == b""
            every = bytes(range(256))  # raw: no control byte means anything
            os.write(master, every)
            heard = b""
            while len(heard) < 256:
                ready(port._fd)
                heard += port.read()
            assert heard == every
            port.write(b"\x55")
            ready(master)
            assert os.read(master, 10) == b"\x55"
        finally:
            port.close()
        again = open_tty(path, 115200)
        again.close()


def test_what_arrives_ends_the_clocks_wait_until_it_is_closed() -> None:
    with terminal() as (master, path):
        clock = PacedClock()
        port = open_tty(path, 9600)
        port.wake(clock)
        os.write(master, b"x")
        clock.wait_until(clock.now() + SOON_S)
        assert clock.now() < SOON_S / 2
        assert port.read() == b"x"
        port.close()
        clock.wait_until(clock.now() + 0.01)  # and the closed one is not looked at


def test_a_port_whose_far_end_is_gone_is_an_oserror() -> None:
    with terminal() as (_, path):
        port = open_tty(path, 9600)
    with pytest.raises(OSError):  # noqa: PT011 - any of them
        port.read()
    port.close()


def test_there_is_none() -> None:
    with pytest.raises(PortMissingError) as refused:
        open_tty("/dev/nonsuch", 9600)
    assert str(refused.value) == (
        'sensor.port = "/dev/nonsuch": no such port; plug it in, or switch it on'
    )


def test_a_byte_without_its_stop_bit_and_a_break_are_dropped_by_the_kernel() -> None:
    with terminal() as (_, path):
        port = open_tty(path, 9600)
        flags = termios.tcgetattr(port._fd)[0]
        port.close()
    wanted = termios.INPCK | termios.IGNPAR | termios.IGNBRK
    assert flags & wanted == wanted
    assert not flags & (termios.BRKINT | termios.PARMRK | termios.ISTRIP)


def test_a_far_end_that_does_not_read_does_not_stop_whoever_asks() -> None:
    with terminal() as (master, path):
        port = open_tty(path, 9600)
        began_s = time.monotonic()
        for _ in range(200_000):
            port.write(b"\x55")
        assert time.monotonic() - began_s < SOON_S / 2
        os.set_blocking(master, False)
        waiting = 0
        with suppress(BlockingIOError):
            while data := os.read(master, 65536):
                assert set(data) == {0x55}
                waiting += len(data)
        assert 0 < waiting < 200_000  # the rest was not sent, and will not be
        port.write(b"\x01")
        ready(master)
        assert os.read(master, 10)[-1:] == b"\x01"
        port.close()


def test_a_backlog_of_ten_seconds_is_read_whole_at_once_and_the_newest_wins() -> None:
    """More than the kernel hands out at a time: half of it would be five seconds old."""
    with terminal() as (master, path):
        settings = config.parse({"sensor": {"driver": "tf_luna", "port": path}}, "test").sensor
        clock = VirtualClock()
        parts = Parts(settings, clock, MockBoard(clock), random.Random(1), open_tty)
        driver = sensors.open_sensor("tf_luna", parts)
        frames = [tf_luna.frame(100 + number % 500, 1000, 40.0) for number in range(1000)]
        os.set_blocking(master, False)
        for said in frames:
            assert os.write(master, said) == len(said)
        os.write(master, tf_luna.frame(777, 1000, 40.0))
        assert sum(map(len, frames)) > 2 * real.MOST_BYTES
        reading = driver.poll(0.0)
        assert isinstance(reading, Echo)
        assert reading.distance_m == 7.77
        assert (driver.counts["frames"], driver.counts["overtaken"]) == (1001, 1000)
        clock.wait_until(0.04)
        assert driver.poll(0.04) is None
        driver.close()


def test_a_port_that_never_stops_talking_is_not_read_for_ever() -> None:
    class Endless:
        """As much as is asked for, always."""

        def fileno(self) -> int:
            return -1

        def read(self, size: int) -> bytes:
            return bytes(size)

    assert len(real.Tty(Endless()).read()) == real.MOST_BACKLOG  # type: ignore[arg-type]


REFUSING = ["tcflush", "tcgetattr", "tcsetattr"]


@pytest.mark.parametrize("number", [errno.EIO, errno.ENXIO, errno.EINVAL])
@pytest.mark.parametrize("call", REFUSING)
def test_a_terminal_that_goes_while_it_is_opened_is_refused_in_one_line(
    call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise termios.error(number, os.strerror(number))

    with terminal() as (_, path):
        monkeypatch.setattr(termios, call, refuse)
        with pytest.raises(HardwareError, match=rf'^sensor\.port = "{path}": .*; \w.*$') as refused:
            open_tty(path, 9600)
        # Of what fails in its `_reconfigure_port`, pyserial keeps the words and not the number.
        missing = number != errno.EINVAL and call != "tcgetattr"
        assert isinstance(refused.value, PortMissingError) is missing
        monkeypatch.undo()
        open_tty(path, 9600).close()  # and nothing of it is left locked


@pytest.mark.parametrize("call", REFUSING)
def test_a_terminal_that_goes_while_it_is_opened_anew_is_waited_for(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    works = getattr(termios, call)

    with pty_cable() as (_, cable):
        clock = VirtualClock()
        line = Line(cable.open, "/dev/serial0", 9600, clock, wakes=False)
        cable.pull()
        assert line.read(0.0) == b""
        assert line.gone
        cable.plug()

        def refuse(*arguments: object) -> object:
            if not tried:
                tried.append(clock.now())
                raise termios.error(errno.EIO, "gone again")
            return works(*arguments)

        monkeypatch.setattr(termios, call, refuse)
        while line.gone:
            clock.wait_until(line.due_s)
            assert clock.now() < 2.0
            line.read(clock.now())
        assert tried == [pytest.approx(0.1)]
        assert line.lost == 1
        cable.send(FRAME)
        deadline = time.monotonic() + SOON_S
        heard = b""
        while FRAME not in heard and time.monotonic() < deadline:
            heard += line.read(clock.now())
        assert FRAME in heard
        line.close()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_serial_port_is_said_to_be_none(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "port"
    path.mkdir() if kind == "folder" else path.write_bytes(b"")
    with pytest.raises(HardwareError, match="not a serial port") as refused:
        open_tty(str(path), 9600)
    assert not isinstance(refused.value, PortMissingError)


def test_a_character_device_that_is_no_terminal_is_refused_in_one_line() -> None:
    with pytest.raises(HardwareError, match=r'sensor\.port = "/dev/full": not a serial port'):
        open_tty("/dev/full", 9600)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HardwareError, match="not a serial port"):
        open_tty(str(tmp_path / "file" / "port"), 9600)


@contextmanager
def another_process(path: str) -> Iterator[int]:
    """Has the port open, and nothing else; its process id."""
    source = (
        "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY);"
        " print(1, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"1\n"
        yield process.pid
        process.stdin.close()
        process.wait(SOON_S)


def test_who_holds_it_is_named() -> None:
    with terminal() as (_, path):
        with (
            another_process(path) as pid,
            pytest.raises(HardwareError, match=rf"held by python\S* \(process {pid}\); end it"),
        ):
            open_tty(path, 9600)
        open_tty(path, 9600).close()


def test_who_holds_it_under_another_name_is_named_too(tmp_path: Path) -> None:
    with terminal() as (_, path):
        link = tmp_path / "serial0"
        link.symlink_to(path)
        with another_process(path) as pid, pytest.raises(HardwareError, match=f"process {pid}"):
            open_tty(str(link), 9600)


def test_a_port_that_is_locked_is_held() -> None:
    with terminal() as (_, path):
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            with pytest.raises(HardwareError, match="held by another program"):
                open_tty(path, 9600)
        finally:
            os.close(fd)
        ours = open_tty(path, 9600)
        with pytest.raises(HardwareError, match="held by another program"):
            open_tty(path, 9600)
        ours.close()


@pytest.mark.parametrize("ours", [True, False])
def test_the_kernels_console_is_no_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    with terminal() as (_, path):
        device = os.stat(path).st_rdev  # noqa: PTH116 - as it is looked up
        major, minor = os.major(device), os.minor(device) + (0 if ours else 1)
        rows = f"tty0                 -WU (EC   )    4:1\nttyAMA0  -W- (EC p a) {major}:{minor}\n"
        (tmp_path / "consoles").write_text(rows, encoding="ascii")
        monkeypatch.setattr(procs, "PROC", tmp_path)
        if ours:
            with pytest.raises(HardwareError, match="console is on it; sudo raspi-config"):
                open_tty(path, 9600)
        else:
            open_tty(path, 9600).close()


def test_without_a_proc_nobody_is_seen_and_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procs, "PROC", tmp_path / "none")
    with terminal() as (_, path):
        open_tty(path, 9600).close()


NOBODY = """
import os, sys
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
from device.errors import HardwareError
from device.ports import PortMissingError
from device.ports.tty import open_tty
try:
    open_tty(sys.argv[1], 9600)
except PortMissingError:
    print("missing")
except HardwareError as error:
    print(error)
"""


def test_no_permission_names_the_group() -> None:
    with terminal() as (_, path):
        Path(path).chmod(0)
        # All that is needed is imported first: nobody need be able to read this folder.
        source = "from device.ports import tty\ntty._holder(0)\n" + NOBODY
        found = subprocess.run(
            [sys.executable, "-c", source, path],
            capture_output=True,
            text=True,
            timeout=SOON_S,
            check=False,
            # Nobody cannot write what coverage measures of it, either.
            env={k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")},
        )
    assert found.stderr == ""
    assert found.stdout.strip() == (
        f'sensor.port = "{path}": no permission; add the user to group dialout and log in again'
    )


# ------------------------------------------------------------------ damage on the way


class Far:
    """The near end of a damaged cable, which hears everything."""

    def __init__(self, **damage: float) -> None:
        self.clock = VirtualClock()
        self.cable = Cable(self.clock, Damage(**damage), random.Random(1))
        self.port = self.cable.open("/dev/x", 9600)

    def hears(self, said: bytes) -> list[bytes]:
        """The pieces in which it arrives."""
        self.cable.send(said)
        pieces = [self.port.read()]
        self.clock.wait_until(self.clock.now() + 0.05)
        pieces.append(self.port.read())
        return [piece for piece in pieces if piece]


FRAME = bytes(range(100, 110))
MANY = 4000


def test_a_sound_cable_tears_an_eighth_of_the_frames_and_loses_nothing() -> None:
    far = Far()
    heard = [far.hears(FRAME) for _ in range(MANY)]
    assert all(b"".join(pieces) == FRAME for pieces in heard)
    torn = [len(pieces[0]) for pieces in heard if len(pieces) == 2]
    assert len(torn) == pytest.approx(MANY / 8, rel=0.15)
    assert set(torn) == set(range(1, len(FRAME)))


def test_bytes_are_lost_garbled_cut_and_repeated_as_often_as_is_said() -> None:
    lost = b"".join(b"".join(pieces) for pieces in each(Far(lost=0.1)))
    assert len(lost) == pytest.approx(0.9 * MANY * len(FRAME), rel=0.02)
    assert set(lost) == set(FRAME)
    garbled = [b"".join(pieces) for pieces in each(Far(garbled=0.1))]
    off = [a ^ b for heard in garbled for a, b in zip(heard, FRAME, strict=True) if a != b]
    assert len(off) == pytest.approx(0.1 * MANY * len(FRAME), rel=0.1)
    assert set(off) == {1 << bit for bit in range(8)}
    cut = [b"".join(pieces) for pieces in each(Far(cut=0.2))]
    short = [heard for heard in cut if heard != FRAME]
    assert all(FRAME.startswith(heard) for heard in cut)
    assert len(short) == pytest.approx(0.2 * MANY, rel=0.15)
    assert {len(heard) for heard in short} == set(range(len(FRAME)))
    twice = [b"".join(pieces) for pieces in each(Far(repeated=0.2))]
    assert set(twice) == {FRAME, FRAME + FRAME}
    assert twice.count(FRAME + FRAME) == pytest.approx(0.2 * MANY, rel=0.15)


def each(far: Far) -> list[list[bytes]]:
    return [far.hears(FRAME) for _ in range(MANY)]


def test_all_damage_at_once_is_survived() -> None:
    far = Far(lost=1.0, garbled=1.0, cut=1.0, repeated=1.0, speed=0.7)
    assert not any(far.hears(FRAME) for _ in range(100))


def test_a_pulled_cable_is_an_error_and_a_plugged_one_a_new_port() -> None:
    far = Far()
    far.cable.pull()
    for use in (far.port.read, lambda: far.port.write(b"?")):
        with pytest.raises(OSError, match="pulled"):
            use()
    with pytest.raises(PortMissingError):
        far.cable.open("/dev/x", 9600)
    far.cable.send(FRAME)
    far.cable.plug()
    with pytest.raises(OSError, match="pulled"):
        far.port.read()
    far.port = far.cable.open("/dev/x", 9600)
    asked: list[bytes] = []
    far.cable.asked = asked.append
    far.port.write(b"?")
    assert asked == [b"?"]
    assert b"".join(far.hears(FRAME)) == FRAME


@given(st.binary(max_size=40))
def test_at_the_right_speed_everything_is_heard(data: bytes) -> None:
    assert as_heard(data, 1.0) == data


@given(st.binary(min_size=1, max_size=12), st.sampled_from([0.98, 0.99, 1.01, 1.02]))
def test_two_percent_off_is_still_right_as_with_a_real_uart(data: bytes, speed: float) -> None:
    assert as_heard(data, speed) == data


@given(st.floats(0.03, 4.5), st.sampled_from([0.5, 2.0]))
def test_at_half_or_double_the_speed_it_is_never_the_same_frame(
    distance_m: float, speed: float
) -> None:
    said = frame(distance_m)
    heard = as_heard(said, speed)
    assert heard != said
    assert framer(5625).feed(heard) is None


def test_a_byte_without_its_stop_bit_is_lost() -> None:
    assert as_heard(b"\x00", 0.5) == b"\x80"  # the first half of it ends low


# ------------------------------------------------------------------ through a real terminal


@contextmanager
def pty_cable() -> Iterator[tuple[PacedClock, PtyCable]]:
    clock = PacedClock()
    cable = PtyCable(clock, Damage(), random.Random(4))
    try:
        yield clock, cable
    finally:
        cable.close()


def until(clock: PacedClock, heard: list[bytes], what: bytes, port: Port | None = None) -> None:
    deadline = time.monotonic() + SOON_S
    while what not in b"".join(heard):
        assert time.monotonic() < deadline, heard
        clock.wait_until(clock.now() + 0.01)
        if port is not None:
            heard.append(port.read())


def test_real_bytes_go_both_ways() -> None:
    with pty_cable() as (clock, cable):
        asked: list[bytes] = []
        cable.asked = asked.append
        port = cable.open("/dev/serial0", 9600)
        port.wake(clock)
        heard: list[bytes] = []
        every = bytes(range(256))
        cable.send(every)
        until(clock, heard, every, port)
        assert b"".join(heard) == every
        port.write(b"\x55")
        until(clock, asked, b"\x55")
        port.close()


def test_pulled_its_path_is_gone_and_plugged_it_is_another_under_the_same_name() -> None:
    with pty_cable() as (clock, cable):
        port = cable.open("/dev/serial0", 9600)
        port.wake(clock)
        before = os.open(cable.path, os.O_RDWR | os.O_NOCTTY)  # its number is not given away again
        old = cable.path.readlink()
        cable.pull()
        cable.pull()
        assert not cable.path.is_symlink()
        with pytest.raises(OSError):  # noqa: PT011 - any of them
            port.read()
        with pytest.raises(PortMissingError):
            cable.open("/dev/serial0", 9600)
        port.close()
        cable.send(FRAME)
        cable.plug()
        cable.plug()
        assert cable.path.readlink() != old
        os.close(before)
        again = cable.open("/dev/serial0", 9600)
        heard: list[bytes] = []
        cable.send(FRAME)
        until(clock, heard, FRAME, again)
        assert b"".join(heard) == FRAME
        again.close()


def test_a_reader_that_is_not_there_does_not_stop_the_part() -> None:
    with pty_cable() as (_, cable):
        began_s = time.monotonic()
        for _ in range(300):
            cable.send(bytes(100))
        assert time.monotonic() - began_s < SOON_S
        folder = cable.path.parent
        assert folder.is_dir()
    assert not folder.exists()
