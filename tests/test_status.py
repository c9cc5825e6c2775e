"""The status socket: who asks is told, and nothing that a client does reaches the loop."""

import contextlib
import io
import json
import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import keeper, status
from device.core.alert import Alert, State
from device.core.health import SensorFault
from device.core.pipeline import Step
from device.core.reading import Fault, Nothing, PingFault, Reading
from device.core.signals import Command, Cue
from device.core.track import Track
from device.errors import InputError
from device.history import scribe
from device.status import Meter, NotRunningError, Server, Snapshot

WELL = Snapshot(
    pid=812,
    up_s=3725.0,
    level="warning",
    cue="warning",
    distance_m=1.32,
    closing_mps=0.8,
    ttc_s=1.3,
    proven=True,
    pings_per_s=24.8,
    cycles=1000,
    config="/boot/firmware/rearguard.toml",
    factory="gpiod",
    sensor="HC-SR04",
    journal=keeper.State("/var/lib/rearguard/journals/000003.jsonl", 1_234_567, 0, None),
)
FULL = keeper.State("/j/000003.jsonl", 5, 17, "disk full")
SOON_S = 5.0


def like(**change: Any) -> Snapshot:
    return msgspec.structs.replace(WELL, **change)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.sock"


@pytest.fixture
def served(path: Path) -> Iterator[Server]:
    with Server(path, lambda: WELL, period_s=0.01) as server:
        assert server.failed is None
        yield server


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(SOON_S)
    client.connect(str(path))
    return client


def line_of(client: socket.socket) -> Any:
    """One line, and not a byte of the next."""
    said = b""
    while not said.endswith(b"\n"):
        more = client.recv(1)
        if not more:
            return None
        said += more
    return json.loads(said)


def first(path: Path) -> Snapshot:
    with contextlib.closing(status.read(path)) as snapshots:
        return next(snapshots)


def until(true: Callable[[], object]) -> None:
    end_s = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.002)


class Heard:
    """What `show` printed and said."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.said: list[str] = []
        self.status = -1

    def show(self, path: Path, follow: bool = False, as_json: bool = False) -> "Heard":
        self.status = status.show(path, follow, as_json, self.out, self.said.append)
        return self


# ------------------------------------------------------------------ the meter


def step(t_s: float, reading: Reading | None = None, **alert: Any) -> Step:
    return Step(t_s, reading, Track(1.2, 0.5, 2.4), Alert(**alert), Cue.CAUTION_CLOSING, Command())


@given(
    gaps=st.lists(st.integers(1, 700), min_size=1, max_size=120),
    heard=st.lists(st.booleans(), min_size=120, max_size=120),
)
def test_pings_a_second_are_those_of_the_last_two_seconds(
    gaps: list[int], heard: list[bool]
) -> None:
    meter = Meter()
    now_ms, seen = 0, []
    for gap, reading in zip(gaps, heard, strict=False):
        now_ms += gap
        seen.append((now_ms, reading))
        meter(step(now_ms / 1000, Nothing(now_ms / 1000) if reading else None))
    began_ms = seen[0][0]
    count = sum(reading and at > now_ms - 2000 for at, reading in seen)
    span_s = max(0.5, min(2.0, (now_ms - began_ms) / 1000))
    assert meter.pings_per_s == pytest.approx(count / span_s, abs=0.51)


def test_a_sensor_that_falls_silent_has_no_pings_two_seconds_later() -> None:
    meter = Meter()
    for i in range(50):
        meter(step(i / 25, Nothing(i / 25)))
    assert meter.pings_per_s == pytest.approx(25, abs=0.6)
    meter(step(4.1))
    assert meter.pings_per_s == 0.0


def test_a_ping_that_failed_was_a_ping() -> None:
    meter = Meter()
    for i in range(101):
        meter(step(i / 20, Fault(i / 20, PingFault.NEVER_ROSE)))
    assert meter.pings_per_s == 20.0


def test_the_latest_step_is_what_is_told() -> None:
    meter = Meter()
    assert meter.snapshot(Snapshot(pid=7)) == Snapshot(pid=7)
    meter(step(0.0))
    meter(step(1.0, None, state=State.AGAINST, fault=SensorFault.NOISE, proven=True))
    found = meter.snapshot(Snapshot(pid=7))
    assert (found.pid, found.level, found.fault, found.cue) == (
        7,
        "stop",
        "noise",
        "caution-closing",
    )
    assert (found.distance_m, found.closing_mps, found.ttc_s) == (1.2, 0.5, 2.4)
    assert found.proven
    assert msgspec.json.decode(msgspec.json.encode(found), type=Snapshot) == found


# ------------------------------------------------------------------ the server


def test_who_connects_is_told_at_once_and_again_and_again(path: Path) -> None:
    count = iter(range(1000))
    with Server(path, lambda: Snapshot(cycles=next(count)), period_s=0.01) as server:
        snapshots = status.read(path)
        assert [next(snapshots).cycles for _ in range(5)] == [0, 1, 2, 3, 4]
        snapshots.close()
        until(lambda: not server._clients)


def test_the_lines_come_four_times_a_second(path: Path) -> None:
    with Server(path, lambda: WELL), connected(path) as client:
        before_s = time.monotonic()
        for _ in range(3):
            assert line_of(client)["level"] == "warning"
        assert 0.45 <= time.monotonic() - before_s < 2.0


def test_what_is_sent_is_the_whole_snapshot_and_comes_back_alike(
    served: Server, path: Path
) -> None:
    with connected(path) as client:
        assert line_of(client) == msgspec.to_builtins(WELL)
    assert first(path) == WELL


def test_only_owner_and_group_may_connect(served: Server, path: Path) -> None:
    found = path.lstat().st_mode
    assert stat.S_ISSOCK(found)
    assert stat.S_IMODE(found) == 0o660


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_the_mode_does_not_hang_on_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Server(path, lambda: WELL, mode=0o600):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_an_old_socket_is_replaced_and_ones_own_is_taken_away(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(NotRunningError):
        first(path)
    with Server(path, lambda: WELL):
        assert first(path) == WELL
    assert list(path.parent.iterdir()) == []


def test_the_next_ones_socket_is_not_taken_away(path: Path) -> None:
    with Server(path, lambda: WELL) as old, Server(path, lambda: like(level="stop")):
        old.__exit__()
        assert first(path).level == "stop"
        old._thread = None


def test_what_is_no_socket_is_not_overwritten(path: Path) -> None:
    path.write_text("mine")
    with Server(path, lambda: WELL) as server:
        assert server.failed == f"{path}: no status: something that is no socket is there"
    assert path.read_text() == "mine"


@pytest.mark.parametrize("place", ["absent/status.sock", f"{'x' * 120}.sock"])
def test_a_place_where_it_cannot_listen_costs_the_status_only(tmp_path: Path, place: str) -> None:
    with Server(tmp_path / place, lambda: WELL) as server:
        assert server.failed is not None
        assert server.failed.startswith(f"{tmp_path / place}: no status: ")
        assert "\n" not in server.failed


def test_a_client_that_does_not_read_is_dropped_and_the_others_are_told(
    served: Server, path: Path
) -> None:
    with connected(path) as slow, connected(path) as quick:
        until(lambda: len(served._clients) == 2)
        until(lambda: line_of(quick) and len(served._clients) == 1)
        assert line_of(quick)["pid"] == 812
        count = 0
        while line_of_whole(slow):
            count += 1
        assert 1 <= count < 100  # what was in its buffer, and then the end
        assert line_of(quick)["pid"] == 812


def line_of_whole(client: socket.socket) -> bool:
    try:
        return line_of(client) is not None
    except (ConnectionError, ValueError):
        return False


def test_a_client_that_has_left_is_forgotten(served: Server, path: Path) -> None:
    for _ in range(20):
        assert first(path) == WELL
    until(lambda: not served._clients)


def test_a_client_that_only_listens_with_its_half_is_told(served: Server, path: Path) -> None:
    with connected(path) as client:
        client.shutdown(socket.SHUT_WR)  # as `socat - UNIX:... </dev/null` does
        for _ in range(5):
            assert line_of(client)["pid"] == 812


def test_what_a_client_says_is_not_even_read(served: Server, path: Path) -> None:
    with connected(path) as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                client.send(b"x" * 4096)
        assert first(path) == WELL


def test_the_ninth_client_is_refused_kindly_and_may_come_when_one_has_left(path: Path) -> None:
    with Server(path, lambda: WELL, period_s=0.5) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(status.MOST_CLIENTS):
                line_of(stack.enter_context(connected(path)))
            with pytest.raises(InputError, match="refused: 8 others are watching; end one of them"):
                first(path)
            assert len(server._clients) == status.MOST_CLIENTS
        until(lambda: not server._clients)
        assert first(path) == WELL


def test_many_who_ask_at_once_are_all_told(path: Path) -> None:
    with Server(path, lambda: WELL):
        found: list[Snapshot] = []
        threads = [
            threading.Thread(target=lambda: found.append(first(path)))
            for _ in range(status.MOST_CLIENTS - 1)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert found == [WELL] * len(threads)


def test_a_flood_of_clients_is_let_in_one_by_one(path: Path) -> None:
    calls: list[float] = []

    def snapshot() -> Snapshot:
        calls.append(time.monotonic())
        return WELL

    with Server(path, snapshot, period_s=10.0):
        end_s = time.monotonic() + 0.5
        while time.monotonic() < end_s:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(str(path))
            client.close()
    assert 1 <= len(calls) <= 0.5 / status.PAUSE_S + 3


def test_a_snapshot_that_fails_costs_the_status_for_a_moment_only(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TROUBLE_S", 0.02)
    wrong = [True]

    def snapshot() -> Snapshot:
        if wrong:
            raise RuntimeError(f"number {len(wrong)}")
        return WELL

    with Server(path, snapshot, period_s=0.01) as server:
        with pytest.raises(NotRunningError, match="it has ended"):
            first(path)
        assert server.failed == f"{path}: no status: number 1"
        wrong.clear()
        assert first(path) == WELL
        assert server.failed is None


def test_one_that_cannot_be_let_in_does_not_make_it_spin(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "TROUBLE_S", 0.05)
    tries: list[float] = []

    class Full(socket.socket):
        def accept(self) -> Any:
            tries.append(time.monotonic())
            raise OSError(24, "Too many open files")

    server = Server(path, lambda: WELL)
    with contextlib.ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", Full)
            stack.enter_context(server)
        stack.enter_context(connected(path))
        time.sleep(0.3)
    assert 2 <= len(tries) <= 8
    assert server.failed == f"{path}: no status: Too many open files"


def test_while_nobody_is_there_nothing_is_asked_and_nothing_wakes(path: Path) -> None:
    calls: list[int] = []

    def snapshot() -> Snapshot:
        calls.append(1)
        return WELL

    with Server(path, snapshot, period_s=0.01) as server:
        first(path)
        until(lambda: not server._clients)
        assert server._thread is not None
        account = Path(f"/proc/self/task/{server._thread.native_id}/status")
        until(lambda: "S (sleeping)" in account.read_text())
        asked, before = len(calls), switches(account)
        time.sleep(0.5)
        assert (
            switches(account) - before <= 2
        )  # the pause after a client, where its period would make fifty
        assert len(calls) == asked


def switches(account: Path) -> int:
    text = account.read_text()
    return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


@pytest.mark.parametrize("clients", [0, 1])
def test_it_ends_at_once_and_its_clients_see_the_end(path: Path, clients: int) -> None:
    with contextlib.ExitStack() as stack:
        with Server(path, lambda: WELL, period_s=10.0) as server:
            asked = [stack.enter_context(connected(path)) for _ in range(clients)]
            for client in asked:
                line_of(client)
            before_s = time.monotonic()
        assert time.monotonic() - before_s < 0.4
        assert server._thread is not None
        assert not server._thread.is_alive()
        assert [line_of(client) for client in asked] == [None] * clients


def test_a_snapshot_that_hangs_does_not_hold_up_the_end(path: Path) -> None:
    hung, go = threading.Event(), threading.Event()

    def snapshot() -> Snapshot:
        hung.set()
        go.wait()
        return WELL

    with contextlib.ExitStack() as stack:
        with Server(path, snapshot) as server:
            stack.enter_context(connected(path))
            assert hung.wait(SOON_S)
            before_s = time.monotonic()
        assert time.monotonic() - before_s < status.CLOSE_S + 0.3
        go.set()
        assert server._thread is not None
        server._thread.join(SOON_S)
        server._close()


# ------------------------------------------------------------------ who may not, or finds nobody


def test_without_a_daemon_it_says_how_to_start_one(path: Path) -> None:
    heard = Heard().show(path)
    assert heard.status == 1
    assert heard.said == [
        f"rearguard: {path}: the service is not running; sudo systemctl start rearguard"
    ]
    assert heard.out.getvalue() == ""


def test_without_a_daemon_a_machine_is_told_in_json(path: Path) -> None:
    heard = Heard().show(path, as_json=True)
    assert (heard.status, heard.said) == (1, [])
    assert json.loads(heard.out.getvalue())["error"].startswith(
        f"{path}: the service is not running; "
    )


@pytest.fixture
def nobody() -> Iterator[None]:
    """As root, this process without root's powers."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_who_may_not_ask_is_told_which_group_may(
    served: Server, path: Path, request: pytest.FixtureRequest
) -> None:
    folder = Path("/tmp") if os.geteuid() == 0 else path.parent  # where others may enter
    place = folder / f"rearguard-status-{os.getpid()}.sock"
    with Server(place, lambda: WELL, mode=0o000 if os.geteuid() else 0o660):
        request.getfixturevalue("nobody")
        with pytest.raises(InputError) as caught:
            first(place)
    said = str(caught.value)
    assert said.startswith(f"{place}: only group rearguard may read it: sudo usermod -aG ")
    assert said.endswith(", then log in again")


def test_what_is_no_socket_and_what_is_no_status_are_errors(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path too long; give its socket"):
        first(tmp_path / ("x" * 200))
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with other:
        other.bind(str(path))
        with pytest.raises(InputError, match=r"give its socket$"):
            first(path)


@pytest.mark.parametrize("line", [b"SSH-2.0\n", b"[]\n", b'{"level":3}\n', b'{"refused":1}\n'])
def test_another_servers_words_are_one_clear_error(path: Path, line: bytes) -> None:
    with speaking(path, line), pytest.raises(InputError, match="not rearguard's status: "):
        first(path)


@pytest.mark.parametrize("line", [b"", b'{"level":"cl', b"x" * 200_000])
def test_half_a_line_is_no_status(path: Path, line: bytes) -> None:
    with speaking(path, line), pytest.raises(NotRunningError, match="it has ended; see journalctl"):
        first(path)


@contextlib.contextmanager
def speaking(path: Path, line: bytes) -> Iterator[None]:
    """Someone who sends `line` to the first who comes."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def speak() -> None:
        client, _ = listener.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(line)

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listener.close()


def test_a_daemon_that_accepts_nobody_is_not_waited_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "PATIENCE_S", 0.05)
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        listener.bind(str(path))
        listener.listen(0)
        with pytest.raises(NotRunningError, match=r"no answer for 0.05 s; sudo systemctl restart"):
            first(path)
        with pytest.raises(NotRunningError, match="too many ask at once"):
            first(path)  # the one before still stands at the door


def test_a_newer_daemons_fields_do_not_hinder(path: Path) -> None:
    line = msgspec.json.encode(WELL).replace(b'{"version"', b'{"weather":"fine","version"') + b"\n"
    with speaking(path, line):
        assert first(path) == WELL


DAEMON = """
import sys, time
from pathlib import Path
from device.status import Server, Snapshot
with Server(Path(sys.argv[1]), lambda: Snapshot(proven=True), period_s=0.01):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def daemon(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that serves until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_daemon_that_is_killed_while_it_is_followed_ends_the_following(
    daemon: "subprocess.Popen[str]", path: Path, as_json: bool
) -> None:
    heard = Heard()
    thread = threading.Thread(target=heard.show, args=(path, True, as_json))
    thread.start()
    until(heard.out.getvalue)
    daemon.kill()
    thread.join(SOON_S)
    assert heard.status == 1
    ended = f"{path}: it has ended; see journalctl -u rearguard"
    if as_json:
        assert json.loads(heard.out.getvalue().splitlines()[-1]) == {"error": ended}
    else:
        assert heard.said == [f"rearguard: {ended}"]
    assert path.is_socket()  # left behind
    assert Heard().show(path).status == 1


# ------------------------------------------------------------------ showing it


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "WARNING 1.32 m; 24.8 pings/s; 0 late"),
        ({"level": "clear", "distance_m": None}, "CLEAR; 24.8 pings/s; 0 late"),
        ({"overruns": 3}, "WARNING 1.32 m; 24.8 pings/s; 3 late"),
        ({"fault": "no-answer", "pings_per_s": 0.0}, "FAULT no-answer; 0.0 pings/s; 0 late"),
        ({"proven": False, "level": "clear"}, "WAITING for the sensor; 24.8 pings/s; 0 late"),
        ({"proven": False, "fault": "silent"}, "FAULT silent; 24.8 pings/s; 0 late"),
        ({"muted_s": 551.2}, "WARNING 1.32 m; 24.8 pings/s; 0 late; muted 9:12"),
        ({"muted_s": 600.0}, "WARNING 1.32 m; 24.8 pings/s; 0 late; muted 10:00"),
        ({"muted_s": 0.3}, "WARNING 1.32 m; 24.8 pings/s; 0 late; muted 0:01"),
        ({"kept": "x"}, "WARNING 1.32 m; 24.8 pings/s; 0 late; new settings refused"),
        (
            {"fault": "crash-loop", "safe": True, "restarts": 3},
            "FAULT crash-loop; 24.8 pings/s; 0 late; safe settings after 3 crashes",
        ),
        ({"journal": FULL}, "WARNING 1.32 m; 24.8 pings/s; 0 late; journal off: disk full"),
        ({"journal": None}, "WARNING 1.32 m; 24.8 pings/s; 0 late"),
        (
            {"walk_s": 62.0, "target_s": 900.0},
            "WARNING 1.32 m; 24.8 pings/s; 0 late; walking 1:02 of 15:00",
        ),
        (
            {"walk_s": 5.0, "target_s": 600.0, "forward": True},
            "WARNING 1.32 m; 24.8 pings/s; 0 late; walking 0:05 of 10:00, forward",
        ),
        (
            {"history": scribe.State("/h/walks.db", failed="disk full", lost=3)},
            "WARNING 1.32 m; 24.8 pings/s; 0 late; history off: disk full",
        ),
    ],
)
def test_one_line_says_what_matters(change: dict[str, Any], said: str) -> None:
    assert status.text(like(**change)) == said


def test_a_sensor_that_never_answered_is_never_called_clear() -> None:
    assert "CLEAR" not in status.text(Snapshot())
    assert "CLEAR" not in "\n".join(status.lines(Snapshot()))


def test_a_person_is_shown_the_whole_of_it(served: Server, path: Path) -> None:
    heard = Heard().show(path)
    assert (heard.status, heard.said) == (0, [])
    assert heard.out.getvalue().splitlines() == [
        "WARNING 1.32 m",
        "",
        "running         1 h 02 min, process 812",
        f"version         {WELL.version}",
        "level           warning",
        "signal          warning",
        "distance        1.32 m, closing +0.80 m/s, 1.3 s until touching",
        "sensor          HC-SR04, 24.8 pings/s",
        "fault           none",
        "sound           on",
        "walk            none",
        "loop            1000 steps, 0 late (worst 0 ms)",
        "board           gpiod",
        "configuration   /boot/firmware/rearguard.toml",
        "journal         /var/lib/rearguard/journals/000003.jsonl, 1.2 MB since the start",
        "history         none",
    ]


def test_a_person_is_shown_all_that_is_wrong() -> None:
    told = "\n".join(
        status.lines(
            like(
                fault="crash-loop",
                safe=True,
                restarts=3,
                kept="/etc/r.toml: buzzer.pin = 99: at most 27",
                journal=FULL,
                muted_s=61.0,
                proven=False,
                up_s=59.9,
            )
        )
    )
    for words in (
        "FAULT crash-loop\n",
        "running         0 min 59 s, process 812, after 3 crashes",
        "SAFE SETTINGS of it, after 3 crashes",
        "refused: /etc/r.toml: buzzer.pin = 99: at most 27",
        "journal         OFF: disk full; /j/000003.jsonl, 0.0 MB since the start, 17 lines lost",
        "sound           muted for 1:01",
        "HC-SR04, 24.8 pings/s, has not answered yet",
        "fault           crash-loop",
    ):
        assert words in told
    assert "journal         none" in "\n".join(status.lines(like(journal=None)))


def test_a_simulated_device_says_so_first_and_one_that_starts_claims_nothing() -> None:
    simulated = like(factory="mock")
    assert "simulated, no pin is driven" in next(status.lines(simulated))
    assert "simulated, no pin is driven" in status.text(simulated)
    assert "simulated" not in status.text(like(factory="gpiod"))
    (starting,) = (line for line in status.lines(Snapshot()) if line)
    assert starting.startswith("STARTING, and not watching yet")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 0),
        ({"fault": "noise"}, 1),
        ({"safe": True}, 1),
        ({"proven": False}, 1),
        ({"kept": "line 3: no such key"}, 1),
        ({"missing": ["buzzer"]}, 1),
        ({"journal": FULL}, 0),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_exit_status_is_that_of_the_wearers_protection(
    path: Path, change: dict[str, Any], expected: int, as_json: bool
) -> None:
    with Server(path, lambda: like(**change)):
        heard = Heard().show(path, as_json=as_json)
    assert (heard.status, heard.said) == (expected, [])
    if as_json:
        assert json.loads(heard.out.getvalue()) == msgspec.to_builtins(like(**change))
        assert heard.out.getvalue().count("\n") == 1


def test_following_prints_a_line_when_something_changed_and_only_then(path: Path) -> None:
    script = [
        WELL,
        like(distance_m=1.1, pings_per_s=20.0, cycles=1100),
        like(level="danger", distance_m=0.9),
        like(level="danger", fault="noise"),
        like(muted_s=600.0),
        like(muted_s=599.0),
        like(journal=FULL),
        like(kept="x"),
        like(kept="x"),
    ]
    left = iter(script)
    ended = threading.Event()

    def snapshot() -> Snapshot:
        found = next(left, None)
        if found is None:
            ended.set()
            return script[-1]
        return found

    heard = Heard()
    thread = threading.Thread(target=heard.show, args=(path, True))
    with Server(path, snapshot, period_s=0.01):
        thread.start()
        assert ended.wait(SOON_S)
    thread.join(SOON_S)
    assert heard.out.getvalue().splitlines() == [
        "   3725.0 s  WARNING 1.32 m; 24.8 pings/s; 0 late",
        "   3725.0 s  DANGER 0.90 m; 24.8 pings/s; 0 late",
        "   3725.0 s  FAULT noise; 24.8 pings/s; 0 late",
        "   3725.0 s  WARNING 1.32 m; 24.8 pings/s; 0 late; muted 10:00",
        "   3725.0 s  WARNING 1.32 m; 24.8 pings/s; 0 late; journal off: disk full",
        "   3725.0 s  WARNING 1.32 m; 24.8 pings/s; 0 late; new settings refused",
    ]
    assert heard.status == 1  # it ended


SHOW = """
import os, sys
from pathlib import Path
from device import status
follow, as_json = "follow" in sys.argv, "json" in sys.argv
try:
    status.show(Path(sys.argv[1]), follow, as_json, sys.stdout, sys.stderr.write)
except KeyboardInterrupt:
    sys.exit(7)
except BrokenPipeError:
    os._exit(0)
"""


def test_following_in_json_is_an_object_a_line_until_the_pipe_is_closed(
    served: Server, path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, path, "follow", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            assert json.loads(process.stdout.readline()) == msgspec.to_builtins(WELL)
        process.stdout.close()
        process.wait(SOON_S)
        assert (
            process.stderr.read() in {b"", b"Traceback"} or b"BrokenPipe" in process.stderr.read()
        )


def test_a_pipe_that_is_closed_is_noticed_with_nothing_to_say(served: Server, path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, path, "follow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"WARNING" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(SOON_S) == 0
        assert process.stderr.read() == b""


def test_on_a_terminal_one_line_is_rewritten_in_place_until_ctrl_c(
    served: Server, path: Path
) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "40"}
    with subprocess.Popen(
        [sys.executable, "-c", SHOW, path, "follow"],
        stdout=slave,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        os.close(slave)
        shown = b""
        while shown.count(b"\x1b[K") < 5:
            shown += os.read(master, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON_S) == 7
        with contextlib.suppress(OSError):  # the terminal's end
            while more := os.read(master, 4096):
                shown += more
    os.close(master)
    assert shown.endswith(b"\r\n")
    assert shown.count(b"\n") == 1
    for each in shown.removesuffix(b"\r\n").split(b"\r")[1:]:
        assert each.startswith(b"   3725.0 s  WARNING 1.32 m")
        assert len(each.removesuffix(b"\x1b[K")) <= 39


def test_a_dumb_terminal_gets_lines(
    served: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    heard = Heard()
    heard.out = Terminal()
    thread = threading.Thread(target=heard.show, args=(path, True))
    thread.start()
    until(heard.out.getvalue)
    served.__exit__()
    thread.join(SOON_S)
    assert "\x1b" not in heard.out.getvalue()
    assert heard.out.getvalue().count("\n") == 1
