"""`rearguard run` as systemd runs it: what it says, when, and what it survives.

A datagram socket stands for the manager, two folders for /run/rearguard and
/var/lib/rearguard, and the mock board's levels, in a file, for what the wearer has.
"""

import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from device import config, daemon, low, notify, sensors, service, starts, status, watch
from device.clock import VirtualClock
from device.core.alert import DeviceFault
from device.core.pipeline import FIRST, Pipeline, Start, Step
from device.core.reading import Echo, Fault, PingFault, Reading
from device.errors import HardwareError
from device.patient import Patient
from device.sensors import Parts
from device.service import Service
from device.settings import BuzzerSettings, SensorSettings, Settings
from device.sim import scenario
from device.sim.run import Walk
from device.status import Snapshot
from device.watch import Attendance
from tests.test_daemon import NEAR_WALL, SOON_S, environment, steps

FAR_WALL = NEAR_WALL.replace("0.5", "3.0")
"""Nothing to warn of, and a sensor that answers."""
DEAD = FAR_WALL + '[[breakages]]\nat_s = 0.0\nfailure = "off"\n'
WATCHDOG_S = 0.5
BUZZER, MOTOR = 18, 13


class Heard(NamedTuple):
    """When it arrived, on time.monotonic."""

    at_s: float
    text: str


class Record:
    """What comes in, in order; one may wait for more."""

    def __init__(self, ended: Callable[[], str | None] = lambda: None) -> None:
        """`ended` tells why nothing more will come."""
        self._all: list[Heard] = []
        self._news = threading.Condition()
        self._ended = ended

    def add(self, text: str) -> None:
        with self._news:
            self._all.append(Heard(time.monotonic(), text))
            self._news.notify_all()

    def so_far(self, words: str = "") -> list[Heard]:
        with self._news:
            return [heard for heard in self._all if words in heard.text]

    def wait_for(self, words: str, times: int = 1) -> Heard:
        """The `times`-th with `words` in it."""
        deadline_s = time.monotonic() + SOON_S
        ended = None
        with self._news:
            while len(found := [one for one in self._all if words in one.text]) < times:
                heard = [one.text for one in self._all]
                assert ended is None, f"ended without {words!r} ({times}.): {ended}"
                assert time.monotonic() < deadline_s, f"no {words!r} ({times}.): {heard}"
                if not self._news.wait(0.5):
                    ended = self._ended()
        return found[times - 1]


INJECTED = """
import os, resource, signal, sys, threading, time
from device import cli, daemon, loop, notify, outputs, sensors, service, watch
from device.core import pipeline
from device import patient
from device.pins.mock import MockBoard
from device.sensors.hcsr04 import HCSR04

def say(text):
    os.write(2, (text + "\\n").encode())

def pins():
    return open(os.environ["RUNTIME_DIRECTORY"] + "/pins").read()

def around(owner, name):
    "Decorate `owner.name` with a function that is given the real one first."
    def use(then):
        really = getattr(owner, name)
        setattr(owner, name, lambda *a, **k: then(really, *a, **k))
    return use

{patch}
sys.exit(cli.main(sys.argv[1:]))
"""


class Run:
    """One run of the service."""

    def __init__(self, manager: "Manager", command: list[str], **options: Any) -> None:
        self.manager = manager
        self.messages = manager.next_record(self._last_words)
        self.log = Record(self._last_words)
        options = {"stderr": subprocess.PIPE} | options
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)
        self._reader: threading.Thread | None = None
        if self.process.stderr is not None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.add(line.rstrip("\n"))

    def _last_words(self) -> str | None:
        status = self.process.poll()
        return None if status is None else f"status {status}: {self.said()}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def ready(self, times: int = 1) -> Heard:
        return self.messages.wait_for("READY=1", times)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def reload(self) -> None:
        """SIGHUP, and READY after it."""
        times = len(self.messages.so_far("READY=1"))
        self.send(signal.SIGHUP)
        self.messages.wait_for("RELOADING=1", times)
        self.ready(times + 1)

    def status(self, wanted: Callable[[Snapshot], bool] = lambda _: True) -> Snapshot:
        """The first status that is as `wanted`."""
        deadline_s = time.monotonic() + SOON_S
        for snapshot in status.read(self.manager.runtime / status.PATH.name):
            if wanted(snapshot):
                return snapshot
            assert time.monotonic() < deadline_s, snapshot
        raise AssertionError

    def end(self, number: int | None = None) -> int:
        """Its exit status, negative for a signal's; told by `number` to end, if at all."""
        if number is not None:
            self.send(number)
        ended = self.process.wait(SOON_S)
        if self._reader is not None:
            self._reader.join(SOON_S)
        return ended

    def said(self) -> str:
        return "\n".join(heard.text for heard in self.log.so_far())

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._reader is not None:
            self._reader.join(SOON_S)
        if self.process.stderr is not None:
            self.process.stderr.close()


class Manager:
    """As much of systemd as a service notices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime, self.state = folder / "r", folder / "s"
        self.runtime.mkdir()
        self.state.mkdir()
        self.config = folder / "c.toml"
        self.address = folder / "n"
        self._record = Record()
        self._runs: list[Run] = []
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ear.bind(str(self.address))
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        while message := self._ear.recv(4096):
            self._record.add(message.decode())

    def next_record(self, ended: Callable[[], str | None]) -> Record:
        """What is heard from now on."""
        self._record = Record(ended)
        return self._record

    def settings(self, world: str = FAR_WALL, more: str = "") -> None:
        """Write a configuration with this world; each in a file of its own."""
        number = len(list(self.folder.glob("w*.toml")))
        place = self.folder / f"w{number}.toml"
        place.write_text(world, encoding="utf-8")
        self.config.write_text(
            f'[gpio]\nfactory = "mock"\n[simulation]\nscenario = "{place}"\n{more}',
            encoding="utf-8",
        )

    def start(self, patch: str = "", *, by_hand: bool = False, **more: Any) -> Run:
        """Run it, with `patch` before its start; `environ` may be overruled by `more`."""
        given = {
            "NOTIFY_SOCKET": str(self.address),
            "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)),
            "RUNTIME_DIRECTORY": str(self.runtime),
            "STATE_DIRECTORY": str(self.state),
        }
        environ = environment(**({} if by_hand else given) | more.pop("environ", {}))
        program = ["-c", INJECTED.replace("{patch}", patch)] if patch else ["-m", "device"]
        command = [*more.pop("before", ()), sys.executable, *program]
        arguments = ("run", "--config", str(self.config), *more.pop("arguments", ()))
        run = Run(self, [*command, *arguments], env=environ, **more)
        self._runs.append(run)
        return run

    @property
    def pins(self) -> str:
        return (self.runtime / service.PINS).read_text("ascii")

    def wait_for_pins(self, *numbers: int) -> None:
        """Until all of them are high."""
        deadline_s = time.monotonic() + SOON_S
        while not all(self.pins[number] == "1" for number in numbers):
            assert time.monotonic() < deadline_s, self.pins
            time.sleep(0.005)

    @property
    def low(self) -> bool:
        return self.pins == "0" * service.HEADER_LINES

    @property
    def journals(self) -> list[Path]:
        return sorted((self.state / "journals").glob("*.jsonl"))

    @property
    def last_good(self) -> Path:
        return self.state / service.LAST_GOOD

    def wait_for_file(self, path: Path) -> None:
        deadline_s = time.monotonic() + SOON_S
        while not path.exists():
            assert time.monotonic() < deadline_s, path
            time.sleep(0.01)

    def close(self) -> None:
        for run in self._runs:
            run.kill()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._ear.getsockname())
        self._listener.join(SOON_S)
        self._ear.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    started = Manager(tmp_path)
    started.settings()
    yield started
    started.close()


def well(now: Snapshot) -> bool:
    """The sensor answers; a busy machine may have doubted it for a moment."""
    return now.proven and now.fault is None


def assert_well(run: Run) -> None:
    said = run.said()
    assert "Traceback" not in said
    assert "internal error" not in said


# ---------------------------------------------------------------- READY, STATUS, WATCHDOG


class Told:
    """A walk's place for `Attendance`, and what it said, without a process."""

    def __init__(self, watchdog_s: float | None = WATCHDOG_S, kept: str | None = None) -> None:
        self.said: list[tuple[float, str]] = []
        self.fault_s: float | None = None
        self.now_s = 0.0
        self.kept_good: list[Settings] = []
        self.deaf = False
        self._notifier = notify.Notifier(None, watchdog_s)
        self._notifier._send = self._take  # type: ignore[method-assign]
        given = Service(None, None, self._notifier)
        given.keep_good = self.kept_good.append  # type: ignore[method-assign]
        plan = watch.Plan(Settings(), "here", kept)
        self.plan: Any = SimpleNamespace(plan=plan, snapshot=Snapshot, missing=[])
        self._attendance = Attendance(self.plan, given)
        self.confirm = self._attendance.confirm

    def __call__(self, step: Step) -> None:
        self.now_s = step.t_s
        if self.fault_s is None and step.alert.fault is not None:
            self.fault_s = step.t_s
        self._attendance(step)

    def _take(self, message: str) -> bool:
        if not self.deaf:
            self.said.append((self.now_s, message))
        return not self.deaf

    def times(self, word: str) -> list[float]:
        return [t_s for t_s, message in self.said if message == word]


def attended(*kinds: str) -> Told:
    """What it says to twenty readings a second, by kind: "echo 10", "silence 5" ..."""
    told = Told()
    for step in steps(*kinds):
        told(step)
    return told


@pytest.mark.parametrize("kind", ["echo", "nothing", "unsure"])
def test_ready_is_said_at_the_first_answer_and_once(kind: str) -> None:
    assert attended("silence 4", f"{kind} 60", "fault 60", f"{kind} 60").times("READY=1") == [0.25]


@pytest.mark.parametrize("kind", ["fault", "silence"])
def test_ready_is_said_when_the_fault_is_announced_and_not_before(kind: str) -> None:
    told = attended(f"{kind} 60")
    assert told.fault_s is not None
    assert told.fault_s > 0.1
    assert told.times("READY=1") == [told.fault_s]


def test_a_doubt_about_the_device_alone_is_no_reason_to_be_ready() -> None:
    told = Told()
    pipeline = Pipeline(Settings(), start=FIRST.doubting(DeviceFault.SETTINGS))
    fault = None
    for number in range(1, 60):
        step = pipeline.step(number * 0.05, None)
        told(step)
        if fault is not step.alert.fault:
            fault, since_s = step.alert.fault, step.t_s
    assert fault == "never-answered"
    assert told.times("READY=1") == [since_s]


def test_ready_after_a_reload_is_said_until_it_is_taken() -> None:
    told, pipeline = Told(), Pipeline(Settings())
    for number in range(1, 60):
        if number == 20:
            told.deaf = True
            told.confirm()
        if number == 40:
            told.deaf = False
        told(pipeline.step(number * 0.05, Echo(number * 0.05, 1.5 + 0.01 * (number % 3))))
    assert told.times("READY=1") == [0.05, 2.0]


def test_only_settings_with_which_the_sensor_answered_are_kept_as_good() -> None:
    assert attended("fault 60", "silence 60", "unsure 60").kept_good == []
    assert attended("fault 60", "echo 60").kept_good == [Settings()]


def test_settings_that_serve_in_place_of_others_are_not_kept_as_good() -> None:
    told, pipeline = Told(kept="line 3: no such key"), Pipeline(Settings())
    for number in range(1, 60):
        told(pipeline.step(number * 0.05, Echo(number * 0.05, 1.5)))
    assert told.kept_good == []


def test_safe_settings_are_not_kept_as_good() -> None:
    """Three crashes, and the wearer's own settings would be gone for good."""
    told, pipeline = Told(), Pipeline(Settings())
    start = Start(fault=DeviceFault.CRASH_LOOP)
    told.plan.plan = watch.Plan(Settings(), "here", None, start)
    for number in range(1, 60):
        told(pipeline.step(number * 0.05, Echo(number * 0.05, 1.5)))
    assert told.kept_good == []


@pytest.mark.parametrize("driver", sensors.names())
@pytest.mark.parametrize("world", [FAR_WALL, DEAD], ids=["answering", "dead"])
def test_a_sign_of_life_comes_well_within_the_watchdogs_period(driver: str, world: str) -> None:
    """Every quarter of it, and a cycle may then take its time: a quarter of a second at most."""
    told = Told()
    settings = config.fitted(Settings(sensor=SensorSettings(driver=driver)))
    short = scenario.shortened(scenario.parse(world, "world"), 6.0)
    Walk(short, settings, 1, VirtualClock()).go([told])
    alive = told.times("WATCHDOG=1")
    gaps = [after - before for before, after in itertools.pairwise(alive)]
    assert alive[0] < 0.1
    assert alive[-1] > 5.5
    assert min(gaps) >= WATCHDOG_S / 4 - 1e-6, "more often than asked for"
    assert max(gaps) < 0.8 * WATCHDOG_S


def test_without_a_watchdog_there_are_no_signs_of_life() -> None:
    told, pipeline = Told(watchdog_s=None), Pipeline(Settings())
    for number in range(1, 60):
        told(pipeline.step(number * 0.05, Echo(number * 0.05, 1.5)))
    assert told.times("WATCHDOG=1") == []
    assert told.times("READY=1") == [0.05]


SAY_FIRST_ANSWER = """
@around(HCSR04, "poll")
def _(really, self, now_s):
    reading = really(self, now_s)
    if reading is not None:
        say("reading")
    return reading

@around(notify.Notifier, "ready")
def _(really, self):
    say(f"limit {resource.getrlimit(resource.RLIMIT_RTTIME)[0]}")
    say("pins " + pins())
    say("ready")
    really(self)
"""


def test_a_run_from_its_start_to_its_end(manager: Manager) -> None:
    """READY after the first answer and under the limit; STATUS, WATCHDOG and what is kept."""
    run = manager.start(SAY_FIRST_ANSWER)
    run.ready()
    run.log.wait_for("ready")
    started = [heard.text for heard in run.log.so_far()]
    assert started.index("reading") < started.index("ready")
    assert "limit 150000" in started
    limits = Path(f"/proc/{run.pid}/limits").read_text("ascii")
    assert re.search(r"^Max realtime timeout +150000 ", limits, re.MULTILINE), limits
    first = run.messages.wait_for("STATUS=").text
    assert re.fullmatch(
        r"STATUS=WAITING for the sensor; 0\.0 pings/s; \d+ late; simulated, .*", first
    )
    run.messages.wait_for("STATUS=", 3)
    later = run.messages.wait_for("STATUS=CLEAR").text
    assert re.fullmatch(r"STATUS=CLEAR \d\.\d\d m; \d+\.\d pings/s; \d+ late; simulated, .*", later)
    alive = [heard.at_s for heard in run.messages.so_far("WATCHDOG=1")]
    assert len(alive) >= (alive[-1] - alive[0]) / WATCHDOG_S * 1.5
    snapshot = run.status(well)
    assert (snapshot.pid, snapshot.config) == (run.pid, str(manager.config))
    assert (snapshot.kept, snapshot.safe, snapshot.restarts, snapshot.fault) == (
        None,
        False,
        0,
        None,
    )
    assert snapshot.journal is not None
    assert snapshot.journal.failed is None
    manager.wait_for_file(manager.last_good)
    assert (manager.runtime / starts.NOTE).exists()
    assert (manager.runtime / low.NOTE).read_text("ascii") == (
        f"{manager.runtime / service.PINS} {BUZZER} {MOTOR}\n"
    )
    assert run.end(signal.SIGTERM) == 0
    run.messages.wait_for("STOPPING=1")
    assert run.messages.so_far()[-1].text == "STOPPING=1"
    assert_well(run)
    assert manager.low
    assert not (manager.runtime / starts.NOTE).exists()
    assert not (manager.runtime / status.PATH.name).exists()
    assert msgspec.json.decode(manager.last_good.read_bytes(), type=Settings) == config.load(
        manager.config
    )
    assert len(manager.journals) == 1


def test_a_sensor_that_is_off_from_the_start_is_ready_once_it_is_announced(
    manager: Manager,
) -> None:
    manager.settings(DEAD)
    run = manager.start(SAY_FIRST_ANSWER)
    run.ready()
    run.log.wait_for("ready")
    started = [heard.text for heard in run.log.so_far()]
    (levels,) = [line.removeprefix("pins ") for line in started if line.startswith("pins ")]
    assert (levels[BUZZER], levels[MOTOR]) == ("1", "1"), "the fault's signal is not commanded"
    run.messages.wait_for("STATUS=FAULT never-answered")
    snapshot = run.status(lambda now: now.fault is not None)
    assert (snapshot.fault, snapshot.cue, snapshot.proven) == ("never-answered", "fault", False)
    assert run.end(signal.SIGTERM) == 0
    assert manager.low
    assert not manager.last_good.exists()


OPENS_SLOWLY = """
@around(loop, "assemble")
def _(really, *arguments):
    time.sleep(0.8)
    return really(*arguments)
"""


def test_an_opening_that_takes_long_is_no_silence_of_the_sensor(manager: Manager) -> None:
    """A Pi Zero imports and opens for longer than a sensor may be silent."""
    run = manager.start(OPENS_SLOWLY)
    run.ready()
    run.log.wait_for("the sensor answers")
    run.messages.wait_for("STATUS=", 2)
    assert run.end(signal.SIGTERM) == 0
    assert not run.log.so_far("fault")
    assert not run.messages.so_far("FAULT")


HANGS = """
sent = []
@around(notify.Notifier, "_send")
def _(really, self, message):
    sent.append(message)
    really(self, message)

hung = []
class Hanging:
    def __init__(self, say):
        pass
    def __call__(self, step):
        if step.t_s > 0.5 and not hung:
            hung.append(step.t_s)
            before = len(sent)
            time.sleep(1.2)
            say(f"hung {sent[before:]}")
watch.Reporter = Hanging
"""


def test_a_cycle_that_hangs_gives_no_sign_of_life(manager: Manager) -> None:
    run = manager.start(HANGS)
    assert run.log.wait_for("hung ").text == "hung []"
    before = len(run.messages.so_far("WATCHDOG=1"))
    run.messages.wait_for("WATCHDOG=1", before + 2)  # and is alive again after it
    assert run.end(signal.SIGTERM) == 0


SPINS = """
@around(notify.Notifier, "ready")
def _(really, self):
    really(self)
    assert os.sched_getscheduler(0) == os.SCHED_FIFO
    while True:
        pass
"""


def may_be_real_time() -> bool:
    chrt = shutil.which("chrt")
    return (
        chrt is not None and subprocess.run([chrt, "-f", "10", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not may_be_real_time(), reason="needs the right to real-time priority")
def test_a_loop_that_spins_at_real_time_priority_is_ended_soon(manager: Manager) -> None:
    run = manager.start(SPINS, before=["chrt", "-f", "10"])
    began_s = run.ready().at_s
    assert run.end() in (-signal.SIGXCPU, -signal.SIGKILL)
    assert time.monotonic() - began_s < 3.0


OPENS_BY_COMPUTING = """
@around(loop, "assemble")
def _(really, *arguments):
    until_s = time.thread_time() + 0.6
    while time.thread_time() < until_s:
        pass
    return really(*arguments)
"""


@pytest.mark.skipif(not may_be_real_time(), reason="needs the right to real-time priority")
def test_what_was_computed_before_the_first_cycle_is_not_taken_for_spinning(
    manager: Manager,
) -> None:
    """A start from memory waits for no card: a slow processor is busy for seconds on end."""
    run = manager.start(OPENS_BY_COMPUTING, before=["chrt", "-f", "10"])
    run.ready()
    manager.settings(NEAR_WALL)
    run.reload()
    run.status(well)
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_a_manager_that_does_not_listen_or_goes_away_holds_nothing_up(manager: Manager) -> None:
    deaf = manager.folder / "deaf"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(deaf))
        run = manager.start(environ={"NOTIFY_SOCKET": str(deaf)})
        run.log.wait_for("the sensor answers")
        snapshot = run.status(lambda now: now.up_s > 2.5)  # a dozen signs of life are too many
        assert snapshot.cycles > 40
    deaf.unlink()
    run.status(lambda now: now.cycles > snapshot.cycles + 20)
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_a_log_that_does_not_listen_holds_nothing_up(manager: Manager) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b"x" * 4096)
    os.set_blocking(write_end, True)
    try:
        run = manager.start(stderr=write_end)
        run.ready()
        run.reload()
        assert run.end(signal.SIGTERM) == 0
    finally:
        os.close(read_end)
        os.close(write_end)


# ---------------------------------------------------------------- SIGHUP

REFUSED = """
far_end, began_s = MockBoard.pin, time.monotonic()
MockBoard.line = lambda self, number: far_end(self, f"GPIO{number}")

@around(MockBoard, "pin")
def _(really, self, name, *more, **options):
    if name == "GPIO{pin}" and time.monotonic() - began_s < {for_s}:
        raise PermissionError(13, "Permission denied")
    return really(self, name, *more, **options)
"""


def refused(pin: int, for_s: float = 60.0) -> str:
    """The device cannot have GPIO`pin` in the first `for_s` after its imports."""
    return REFUSED.replace("{pin}", str(pin)).replace("{for_s}", str(for_s))


SAY_OPENING = """
@around(watch, "surroundings")
def _(really, *arguments):
    try:
        say("opening with " + pins())
    except FileNotFoundError:
        say("opening")
    return really(*arguments)
"""


def test_a_reload_brings_the_new_settings_into_use(manager: Manager) -> None:
    manager.settings(NEAR_WALL)
    run = manager.start(SAY_OPENING)
    run.ready()
    manager.wait_for_pins(BUZZER, MOTOR)
    manager.settings(FAR_WALL, '[sensor]\ndriver = "a02yyuw"\nport = "/dev/ttyUSB9"\n')
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    run.reload()
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    reloading = run.messages.wait_for("RELOADING=1").text
    began_us = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", reloading)
    assert began_us is not None
    assert before_us <= int(began_us[1]) <= after_us
    assert run.log.wait_for("opening", 2).text == "opening with " + "0" * 28
    snapshot = run.status(well)
    assert snapshot.pid == run.pid
    assert (snapshot.sensor, snapshot.kept, snapshot.fault) == ("A02YYUW", None, None)
    assert snapshot.level == "clear"
    manager.wait_for_file(manager.state / "journals" / "000002.jsonl")
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    drivers = [
        json.loads(path.read_text("utf-8").splitlines()[0])["settings"]["sensor"]["driver"]
        for path in manager.journals
    ]
    assert drivers == ["hcsr04", "a02yyuw"]
    assert b"a02yyuw" in manager.last_good.read_bytes()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [("[alert\n", "c.toml"), ('[alert]\nwarning_m = "near"\n', 'alert.warning_m = "near"')],
    ids=["no TOML", "a bad value"],
)
def test_bad_settings_are_refused_and_the_walk_goes_on(
    manager: Manager, wrong: str, why: str
) -> None:
    run = manager.start(SAY_OPENING)
    run.ready()
    run.reload()  # with nothing new
    right = manager.config.read_text("utf-8")
    manager.config.write_text(right + wrong, encoding="utf-8")
    run.reload()
    assert why in run.log.wait_for("the settings are kept").text
    kept = run.status().kept
    assert kept is not None
    assert why in kept
    assert "\n" not in kept
    run.messages.wait_for("new settings refused")
    manager.config.write_text(right, encoding="utf-8")
    run.reload()
    assert run.status(well).kept is None
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert len(run.log.so_far("the settings are kept")) == 1
    assert len(run.log.so_far("opening")) == 1, "the walk was interrupted for nothing"
    assert len(manager.journals) == 1


def test_the_steps_are_counted_on_through_a_reload_without_news(manager: Manager) -> None:
    run = manager.start()
    run.ready()
    before = run.status(lambda now: now.cycles > 20)
    run.reload()
    after = run.status()
    assert after.cycles >= before.cycles
    assert after.up_s >= before.up_s


def test_settings_that_cannot_be_opened_give_way_to_those_from_before(manager: Manager) -> None:
    """GPIO22 is somebody else's; then a world that does not exist."""
    manager.settings(NEAR_WALL)
    right = manager.config.read_text("utf-8")
    run = manager.start(SAY_OPENING + refused(22))
    run.ready()
    for times, (wrong, why) in enumerate(
        (
            (right + "[buzzer]\npin = 22\n", "buzzer.pin = 22"),
            ('[gpio]\nfactory = "mock"\n[simulation]\nscenario = "nowhere"\n', "nowhere"),
        ),
        start=1,
    ):
        manager.config.write_text(wrong, encoding="utf-8")
        run.reload()
        snapshot = run.status(lambda now: well(now) and now.level == "stop")
        assert snapshot.kept is not None
        assert why in snapshot.kept
        assert snapshot.pid == run.pid
        assert why in run.log.wait_for("in use: the settings from before", times).text
    manager.wait_for_pins(BUZZER, MOTOR)
    manager.config.write_text(right, encoding="utf-8")
    run.reload()
    assert run.status(well).kept is None
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    opened = [one.text for one in run.log.so_far("opening with")]
    assert opened == ["opening with " + "0" * 28] * 4  # each time the new ones, then the old
    assert manager.low
    assert b'"pin":22' not in manager.last_good.read_bytes()


def test_many_reloads_quickly_end_with_what_was_written_last(manager: Manager) -> None:
    run = manager.start()
    run.ready()
    for number in range(30):
        manager.settings(FAR_WALL, f"[buzzer]\npin = {(20, 21, 22)[number % 3]}\n")
        run.send(signal.SIGHUP)
    manager.settings(FAR_WALL, '[sensor]\ndriver = "tf_luna"\n')
    run.send(signal.SIGHUP)
    snapshot = run.status(lambda now: now.sensor == "TF-Luna" and well(now))
    assert (snapshot.kept, snapshot.fault, snapshot.pid) == (None, None, run.pid)
    said = [one.text.split("\n")[0] for one in run.messages.so_far()]
    phases = [text for text in said if text in ("READY=1", "RELOADING=1")]
    assert phases[0] == phases[-1] == "READY=1"
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert manager.low


HUNG_UP_WHILE_OPENING = """
opened = []
@around(loop, "assemble")
def _(really, *arguments):
    opened.append(1)
    if len(opened) == 2:
        os.kill(os.getpid(), signal.SIGHUP)
    return really(*arguments)

@around(HCSR04, "poll")
def _(really, self, now_s):
    reading = really(self, now_s)
    if reading is not None:
        say(f"reading {len(opened)}")
    return reading

@around(notify.Notifier, "ready")
def _(really, self):
    say(f"ready {len(opened)}")
    really(self)
"""


def test_a_reload_that_is_overtaken_by_another_is_not_ready_before_an_answer(
    manager: Manager,
) -> None:
    run = manager.start(HUNG_UP_WHILE_OPENING)
    run.ready()
    manager.settings(FAR_WALL, "[buzzer]\npin = 22\n")
    run.send(signal.SIGHUP)
    run.log.wait_for("reading 2")
    run.ready(2)
    assert run.end(signal.SIGTERM) == 0
    said = [one.text for one in run.log.so_far()]
    assert said.index("reading 2") < said.index("ready 2")


@pytest.mark.parametrize("order", [(1, 15), (15, 1), (1, 2)], ids=str)
def test_a_reload_and_an_end_together_are_an_end(manager: Manager, order: tuple[int, int]) -> None:
    manager.settings(NEAR_WALL)
    run = manager.start()
    run.ready()
    manager.settings(FAR_WALL)
    for number in order:
        run.send(number)
    assert run.end() == 0
    assert_well(run)
    assert len(run.log.so_far("stopped, outputs low")) == 1
    assert manager.low
    assert not (manager.runtime / starts.NOTE).exists()


def test_by_hand_a_reload_is_ignored_and_nothing_is_kept(manager: Manager) -> None:
    run = manager.start(by_hand=True)
    run.log.wait_for("the sensor answers")
    manager.settings(NEAR_WALL, '[sensor]\ndriver = "a02yyuw"\n')
    run.send(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.4)
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert "reload" not in run.said()
    assert run.messages.so_far() == []
    assert list(manager.runtime.iterdir()) == list(manager.state.iterdir()) == []


# ---------------------------------------------------------------- settings that cannot be used


def test_bad_settings_at_the_start_end_a_run_by_hand_with_one_line(manager: Manager) -> None:
    manager.config.write_text("[alert]\nwarning_m = 77\n", encoding="utf-8")
    run = manager.start(by_hand=True)
    assert run.end() == 2
    assert len(run.log.so_far()) == 1
    assert "alert.warning_m = 77" in run.said()


def test_with_bad_settings_at_the_start_the_last_good_ones_serve(manager: Manager) -> None:
    good = Settings(
        gpio=config.load(manager.config).gpio,
        buzzer=BuzzerSettings(pin=22),
        simulation=config.load(manager.config).simulation,
    )
    manager.last_good.write_bytes(msgspec.json.encode(good))
    before = manager.last_good.stat()
    manager.config.write_text("[alert]\nwarning_m = 77\n", encoding="utf-8")
    run = manager.start("pipeline.NOTICED_S = 1.5")
    run.ready()
    snapshot = run.status(lambda now: now.proven and now.fault == "settings")
    assert snapshot.cue == "fault"
    assert snapshot.kept is not None
    assert "alert.warning_m = 77" in snapshot.kept
    assert snapshot.config == "the last good settings"
    assert f" 22 {MOTOR}\n" in (manager.runtime / low.NOTE).read_text("ascii")
    run.messages.wait_for("STATUS=FAULT settings")
    assert "alert.warning_m = 77" in run.log.wait_for("in use: the last good settings").text
    later = run.status(lambda now: now.fault is None)
    assert later.kept == snapshot.kept
    assert later.up_s > 1.3
    manager.config.write_text("[alert\n", encoding="utf-8")
    run.reload()  # from bad to bad
    assert "c.toml" in (run.status().kept or "")
    manager.settings()
    run.reload()  # and mended
    mended = run.status(well)
    assert (mended.kept, mended.fault, mended.config) == (None, None, str(manager.config))
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert before.st_ino != manager.last_good.stat().st_ino, "the mended ones were not kept"
    assert b'"pin":22' not in manager.last_good.read_bytes()


def test_settings_that_serve_are_announced_for_ten_seconds() -> None:
    pipeline = Pipeline(Settings(), start=FIRST.doubting(DeviceFault.SETTINGS))
    said: dict[str | None, float] = {}
    for number in range(1, 300):
        step = pipeline.step(number * 0.05, Echo(number * 0.05, 3.0 + 0.01 * (number % 3)))
        said.setdefault(step.alert.fault, step.t_s)
    assert said == {"settings": 0.05, None: 10.0}


def test_with_one_bad_setting_and_no_good_ones_the_rest_of_the_file_serves(
    manager: Manager,
) -> None:
    """The wiring that is written is likelier to be right than the defaults'."""
    manager.settings(NEAR_WALL, '[buzzer]\npin = 22\n[alert]\nwarning_m = "near"\n')
    run = manager.start()
    run.ready()
    snapshot = run.status(lambda now: now.proven and now.fault == "settings")
    assert snapshot.config == "the rest of it"
    assert snapshot.kept is not None
    assert 'alert.warning_m = "near"' in snapshot.kept
    assert f" 22 {MOTOR}\n" in (manager.runtime / low.NOTE).read_text("ascii")
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert not manager.last_good.exists()


def test_with_nothing_usable_and_no_good_ones_the_defaults_serve(manager: Manager) -> None:
    """The defaults' pins are gpiozero's own mock, on which no sensor answers."""
    manager.config.write_text('[gpio\nfactory = "mock"\n', encoding="utf-8")
    run = manager.start(environ={"GPIOZERO_PIN_FACTORY": "mock"})
    run.ready()
    snapshot = run.status(lambda now: now.fault is not None)
    assert (snapshot.config, snapshot.factory) == ("defaults", "auto")
    assert snapshot.kept is not None
    assert "not valid TOML" in snapshot.kept
    run.log.wait_for("in use: defaults")
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert not manager.last_good.exists()


def test_a_reader_that_fails_in_an_unknown_way_is_bad_settings(manager: Manager) -> None:
    """Announced, and no crash loop."""
    run = manager.start(
        "def load(path):\n    raise OSError(5, 'Input/output error')\nfrom device import config\n"
        "config.load = load",
        environ={"GPIOZERO_PIN_FACTORY": "mock"},
    )
    run.ready()
    snapshot = run.status(lambda now: now.fault is not None)
    assert snapshot.kept is not None
    assert "Input/output error" in snapshot.kept
    run.reload()
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_a_board_that_cannot_be_opened_gives_way_to_the_last_good_settings(
    manager: Manager,
) -> None:
    manager.last_good.write_bytes(msgspec.json.encode(config.load(manager.config)))
    manager.config.write_text('[gpio]\nfactory = "pigpio"\n', encoding="utf-8")
    run = manager.start("daemon.OPEN_FOR_S = 0.3")
    run.ready()
    snapshot = run.status(lambda now: now.proven and now.fault == "settings")
    assert snapshot.config == "the last good settings"
    assert snapshot.kept is not None
    assert 'gpio.factory = "pigpio"' in snapshot.kept
    assert 'gpio.factory = "pigpio"' in run.log.wait_for("in use: the last good settings").text
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_a_board_that_cannot_be_opened_gives_way_to_any_there_is(manager: Manager) -> None:
    manager.config.write_text('[gpio]\nfactory = "pigpio"\n[buzzer]\npin = 22\n', encoding="utf-8")
    run = manager.start("daemon.OPEN_FOR_S = 0.3", environ={"GPIOZERO_PIN_FACTORY": "mock"})
    run.ready()
    snapshot = run.status(lambda now: now.fault is not None)
    assert (snapshot.config, snapshot.factory) == ("safe settings", "auto")
    assert snapshot.kept is not None
    assert 'gpio.factory = "pigpio"' in snapshot.kept
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000,
        b"\0" * 500,
        b'{"sensor":{"driver":"sonar"}}',
        b'{"sensor":{"driver":"a02yyuw","model":"b1"}}',
        b'{"buzzer":{"pin":13}}',
        b'{"buzzer":{"pin":99}}',
        b'{"buzzer":{"enabled":false},"motor":{"enabled":false}}',
        b'{"some":{"thing":"of a later version"}}',
    ],
    ids=lambda content: repr(content[:40]),
)
def test_last_good_settings_that_cannot_be_used_are_none(tmp_path: Path, content: bytes) -> None:
    """Torn by a power cut, or of another version: the defaults are better than no run at all."""
    (tmp_path / service.LAST_GOOD).write_bytes(content)
    assert Service(None, tmp_path, notify.Notifier()).last_good() is None


def test_last_good_settings_come_back_as_they_were_kept(tmp_path: Path) -> None:
    given = Service(None, tmp_path, notify.Notifier())
    assert given.last_good() is None
    settings = config.parse({"sensor": {"driver": "tf_luna"}, "alert": {"warning_m": 1.7}}, "here")
    given.keep_good(settings)
    deadline_s = time.monotonic() + SOON_S
    while given.last_good() is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    assert given.last_good() == settings


# ---------------------------------------------------------------- ends that nobody asked for


def test_after_three_kills_it_runs_on_safe_settings_until_reloaded(manager: Manager) -> None:
    more = '[alert]\nprofile = "rehab"\nwarning_m = 1.9\n[buzzer]\npin = 22\n'
    manager.settings(NEAR_WALL, more)
    for number in range(3):
        run = manager.start()
        run.ready()
        if number:
            run.log.wait_for(f"({number} in a row)")
        if number == 2:
            manager.wait_for_file(manager.last_good)
        run.end(signal.SIGKILL)
    kept = manager.last_good.read_bytes()
    count = len(manager.journals)
    manager.last_good.unlink()
    patch = """
@around(loop, "assemble")
def _(really, settings, *more):
    import msgspec
    say("using " + msgspec.json.encode(settings).decode())
    return really(settings, *more)
"""
    run = manager.start(patch)
    run.ready()
    snapshot = run.status(lambda now: now.proven and now.fault == "crash-loop")
    assert (snapshot.safe, snapshot.restarts) == (True, 3)
    assert snapshot.journal is None
    run.log.wait_for("crash loop: 3 runs in a row ended; on safe settings")
    run.messages.wait_for("safe settings after 3 crashes")
    using = run.log.wait_for("using ").text.removeprefix("using ")
    safe = msgspec.json.decode(using, type=Settings)
    assert safe == config.safe(config.load(manager.config))
    assert (safe.alert.profile, safe.alert.warning_m, safe.buzzer.pin) == ("rehab", None, 22)
    assert len(manager.journals) == count
    assert not manager.last_good.exists(), "the safe settings were kept as the good ones"
    right = manager.config.read_text("utf-8")
    nowhere = '[gpio]\nfactory = "mock"\n[simulation]\nscenario = "nowhere"\n'
    manager.config.write_text(nowhere, encoding="utf-8")
    run.reload()  # which cannot be opened, and so changes nothing
    snapshot = run.status(lambda now: now.proven and now.fault == "crash-loop")
    assert (snapshot.safe, snapshot.journal) == (True, None)
    manager.config.write_text(right, encoding="utf-8")
    run.reload()
    after = run.status(well)
    assert (after.safe, after.fault) == (False, None)
    manager.wait_for_file(manager.last_good)
    assert manager.last_good.read_bytes() == kept
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert not (manager.runtime / starts.NOTE).exists()
    assert starts.begin(manager.runtime) == starts.Beginning()


def test_a_killed_run_leaves_its_outputs_on_until_low_drives_them(manager: Manager) -> None:
    manager.settings(NEAR_WALL, "[led]\nenabled = true\n")
    run = manager.start()
    run.ready()
    manager.wait_for_pins(BUZZER, MOTOR, 25)
    run.end(signal.SIGKILL)
    assert [number for number in (BUZZER, MOTOR, 25) if manager.pins[number] == "1"] == [18, 13, 25]
    ran = subprocess.run(
        [sys.executable, "-IS", low.__file__],
        env={"RUNTIME_DIRECTORY": str(manager.runtime)},
        capture_output=True,
        text=True,
        timeout=SOON_S,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert manager.low


@pytest.mark.parametrize("gone", ["vanished", "in the place of a file"])
def test_directories_that_are_not_there_cost_what_would_be_in_them(
    manager: Manager, gone: str
) -> None:
    runtime, state = manager.folder / "no" / "r", manager.folder / "no" / "s"
    if gone != "vanished":
        (manager.folder / "no").write_bytes(b"")
    run = manager.start(environ={"RUNTIME_DIRECTORY": str(runtime), "STATE_DIRECTORY": str(state)})
    run.ready()
    run.messages.wait_for("STATUS=", 2)
    run.reload()
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_directories_that_vanish_on_the_way_cost_what_was_in_them(manager: Manager) -> None:
    run = manager.start()
    run.ready()
    manager.wait_for_file(manager.last_good)
    shutil.rmtree(manager.runtime)
    shutil.rmtree(manager.state)
    before = len(run.messages.so_far("STATUS="))
    run.messages.wait_for("STATUS=", before + 1)
    manager.settings(FAR_WALL, "[buzzer]\npin = 22\n")
    run.reload()
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


# ---------------------------------------------------------------- the wearer's long press

PRESSES = """
from device.sim.rig import Rig

@around(loop, "assemble")
def _(really, settings, clock, board, *more):
    def press():
        time.sleep(0.4)
        board.line(settings.button.pin).drive(False)
    board.line(settings.button.pin).drive(True)
    threading.Thread(target=press, daemon=True).start()
    return really(settings, clock, board, *more)
"""


def test_a_long_press_ends_the_walk_and_asks_a_service_manager_to_shut_down(
    manager: Manager,
) -> None:
    manager.settings(FAR_WALL, "[button]\nenabled = true\npin = 3\nhold_s = 1.0\n")
    as_service, by_hand = manager.start(PRESSES), manager.start(PRESSES, by_hand=True)
    assert as_service.end() == daemon.SHUT_DOWN == 64
    assert by_hand.end() == 0
    for run in (as_service, by_hand):
        assert_well(run)
        assert run.log.so_far("stopped, outputs low")
    assert manager.low
    assert not (manager.runtime / starts.NOTE).exists()


# ---------------------------------------------------------------- what cannot be opened yet


def test_a_pin_that_cannot_be_had_yet_is_tried_again_for_five_seconds(manager: Manager) -> None:
    assert daemon.OPEN_FOR_S == 5.0
    run = manager.start(refused(BUZZER, 0.7))
    run.ready()
    run.status(well)
    assert len(manager.journals) <= 1
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


NO_OUTPUT = """
@around(MockBoard, "pin")
def _(really, self, name, *more, **options):
    if name in ("GPIO18", "GPIO13") and far_end is not None:
        raise PermissionError(13, "Permission denied")
    return really(self, name, *more, **options)
"""
NOWHERE = {"GPIOZERO_PIN_FACTORY": "none"}
"""Should the tests run on a Pi, its pins are not theirs."""


def test_pins_that_can_never_be_had_end_a_service_after_its_patience(manager: Manager) -> None:
    began_s = time.monotonic()
    run = manager.start(refused(BUZZER) + NO_OUTPUT + "daemon.OPEN_FOR_S = 1.2", environ=NOWHERE)
    assert run.end() == 2
    assert time.monotonic() - began_s > 1.2
    (said,) = [one.text for one in run.log.so_far()]
    assert said.startswith(f"rearguard: buzzer.pin = {BUZZER}: "), "of all that failed, the first"
    assert "READY=1" not in [one.text for one in run.messages.so_far()]
    assert not (manager.runtime / starts.NOTE).exists(), "it said why: that is no crash"


@pytest.mark.parametrize(
    ("pin", "name", "other"), [(BUZZER, "buzzer", MOTOR), (MOTOR, "motor", BUZZER)]
)
def test_one_output_that_cannot_be_had_is_announced_by_the_other(
    manager: Manager, pin: int, name: str, other: int
) -> None:
    manager.settings(NEAR_WALL)
    run = manager.start(refused(pin) + "pipeline.NOTICED_S = 2.5")
    run.ready()
    snapshot = run.status(lambda now: now.proven and now.fault == "output")
    assert (snapshot.missing, snapshot.good) == ([name], False)
    manager.wait_for_pins(other)
    run.messages.wait_for(f"without {name}")
    later = run.status(lambda now: now.fault is None)
    assert (later.level, later.missing, later.good) == ("stop", [name], False)
    assert f"{name}.pin = {pin}" in run.log.wait_for(f"until then without the {name}").text
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert not manager.last_good.exists(), "a wrong pin was kept as good"


def test_what_was_missing_is_asked_for_again_at_a_reload(manager: Manager) -> None:
    manager.settings(NEAR_WALL)
    run = manager.start(refused(BUZZER, 3.5) + "pipeline.NOTICED_S = 0.5")
    run.ready()
    run.status(lambda now: now.missing == ["buzzer"])
    run.reload()  # too early: it goes on without
    still = run.status(lambda now: now.proven and now.missing == ["buzzer"])
    assert still.kept is None, "the settings themselves are in use"
    deadline_s = time.monotonic() + SOON_S
    while run.status().missing:
        assert time.monotonic() < deadline_s
        time.sleep(0.3)  # eight may watch, and who leaves is noticed later
        run.reload()
    manager.wait_for_pins(BUZZER, MOTOR)
    assert run.status(well).good
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


@pytest.mark.parametrize(("table", "pin"), [("button", 3), ("led", 25)], ids=["button", "led"])
def test_a_lamp_or_a_button_that_cannot_be_had_is_done_without(
    manager: Manager, table: str, pin: int
) -> None:
    manager.settings(NEAR_WALL, f"[{table}]\nenabled = true\npin = {pin}\n")
    run = manager.start(refused(pin))
    run.ready()
    manager.wait_for_pins(BUZZER, MOTOR)
    snapshot = run.status(well)
    assert (snapshot.missing, snapshot.good) == ([table], False)
    assert f"{table}.pin = {pin}" in run.log.wait_for(f"without the {table}").text
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_a_stop_while_it_waits_for_a_pin_is_an_end_like_any_other(manager: Manager) -> None:
    run = manager.start(refused(BUZZER) + 'say("waiting")')
    run.log.wait_for("waiting")
    manager.wait_for_file(manager.runtime / starts.NOTE)
    began_s = time.monotonic()
    assert run.end(signal.SIGTERM) == 0
    assert time.monotonic() - began_s < 2.0
    assert_well(run)
    assert not (manager.runtime / starts.NOTE).exists()


@pytest.mark.parametrize("pin", [BUZZER, 24], ids=["buzzer", "sensor"])
def test_by_hand_nothing_is_tried_twice(manager: Manager, pin: int) -> None:
    run = manager.start(refused(pin), by_hand=True)
    assert run.end() == 2
    assert len(run.log.so_far()) == 1
    assert f" = {pin}: " in run.said()


def test_a_sensor_that_cannot_be_opened_is_a_fault_until_it_can(manager: Manager) -> None:
    run = manager.start(refused(24, 2.0) + "patient.AGAIN_S = 0.3")
    run.ready()
    run.messages.wait_for("STATUS=FAULT never-answered")
    assert not manager.last_good.exists()
    manager.wait_for_pins(BUZZER, MOTOR)
    snapshot = run.status(well)
    assert (snapshot.pid, snapshot.restarts) == (run.pid, 0)
    manager.wait_for_file(manager.last_good)
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert len(run.messages.so_far("READY=1")) == 1
    assert len(run.log.so_far("sensor.echo_pin = 24")) == 1, "said at each attempt"


class Late:
    """A sensor that can be opened at the n-th attempt."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.tried_s: list[float] = []
        self.closed = False
        self.clock = VirtualClock()
        self.due_s, self.counts = 77.0, {"frames": 3}

    def open(self, driver: str, parts: Parts) -> "Late":
        assert driver == "hcsr04"
        self.tried_s.append(round(parts.clock.now(), 3))
        if len(self.tried_s) < self.attempts:
            raise HardwareError(f"busy, attempt {len(self.tried_s) // 3}")
        return self

    def poll(self, now_s: float) -> Reading | None:
        return Echo(now_s, 1.0)

    def close(self) -> None:
        self.closed = True


def patient(late: Late, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> Patient:
    monkeypatch.setattr("device.patient.open_sensor", late.open)
    parts: Any = SimpleNamespace(clock=late.clock)
    return Patient("hcsr04", parts, said.append)


def test_patience_answers_for_the_sensor_ten_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, said = Late(4), list[str]()
    waiting = patient(late, monkeypatch, said)
    assert waiting.counts == {}
    readings: list[Reading] = []
    while not late.clock.now() > 20.0:
        reading = waiting.poll(late.clock.now())
        if isinstance(reading, Echo):
            break  # and from now on its own
        if reading is not None:
            readings.append(reading)
        assert waiting.due_s > late.clock.now(), "the loop would spin"
        late.clock.wait_until(waiting.due_s)
    assert late.tried_s == [0.0, 5.0, 10.0, 15.0]
    assert len(readings) == 150  # from 0.0 to 14.9
    assert {one.fault for one in readings if isinstance(one, Fault)} == {PingFault.NO_ANSWER}
    assert said == [f"busy, attempt {number}; a fault until then" for number in (0, 1)]
    assert (waiting.due_s, waiting.counts) == (77.0, {"frames": 3})
    waiting.close()
    assert late.closed


def test_patience_has_nothing_to_close_while_there_is_no_sensor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = Late(2)
    patient(late, monkeypatch, []).close()
    assert not late.closed


def test_patience_is_not_in_the_way_of_a_sensor_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, said = Late(1), list[str]()
    at_once = patient(late, monkeypatch, said)
    assert at_once.poll(0.0) == Echo(0.0, 1.0)
    assert at_once.due_s == 77.0
    assert said == []


class Breaking(Late):
    """A sensor whose driver has a mistake."""

    def __init__(self) -> None:
        super().__init__(1)
        self.due_s = 0.0
        self.good_until_s = 1.0

    def poll(self, now_s: float) -> Reading | None:
        if now_s >= self.good_until_s:
            raise ZeroDivisionError("division by zero")
        return super().poll(now_s)


def test_patience_answers_for_a_driver_that_breaks_and_opens_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, said = Breaking(), list[str]()
    waiting = patient(late, monkeypatch, said)
    assert waiting.poll(0.5) == Echo(0.5, 1.0)
    assert waiting.poll(1.0) == Fault(1.0, PingFault.NO_ANSWER)
    assert late.closed
    assert waiting.counts == {"frames": 3}
    assert waiting.poll(1.05) is None
    assert waiting.poll(1.1) == Fault(1.1, PingFault.NO_ANSWER)
    late.clock.wait_until(6.0)
    assert waiting.poll(6.0) == Fault(6.0, PingFault.NO_ANSWER)  # opened, and broken again
    assert len(late.tried_s) == 2
    late.good_until_s = 99.0
    assert waiting.poll(11.0) == Echo(11.0, 1.0)
    (line,) = said
    assert "ZeroDivisionError" in line
    assert "test_service_run.py" in line
    assert "\n" not in line


READS_SLOWLY = """
from device import config
read, times = config.load, []
def load(path):
    times.append(1)
    if len(times) > 1:
        time.sleep(1.5)
    return read(path)
config.load = load
"""


def test_settings_that_take_long_to_read_hold_nothing_up(manager: Manager) -> None:
    """The old ones warn meanwhile."""
    manager.settings(NEAR_WALL)
    run = manager.start(READS_SLOWLY)
    run.ready()
    before = len(run.messages.so_far("WATCHDOG=1"))
    run.send(signal.SIGHUP)
    run.messages.wait_for("RELOADING=1")
    run.send(signal.SIGHUP)
    run.messages.wait_for("RELOADING=1", 2)
    assert len(run.messages.so_far("READY=1")) == 1, "what was overtaken is no news"
    run.ready(2)
    assert len(run.messages.so_far("WATCHDOG=1")) - before > 12
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


# ---------------------------------------------------------------- the places


def test_pin_levels_outlive_whoever_drove_them(tmp_path: Path) -> None:
    watcher = service.mirror(tmp_path)
    levels = tmp_path / service.PINS
    assert levels.read_bytes() == b"0" * 28
    buzzer, motor = watcher(18), watcher(13)
    buzzer(0.1, 1.0)
    motor(0.1, 0.4)  # a PWM's duty is on, too
    assert levels.read_bytes() == b"0" * 13 + b"1" + b"0" * 4 + b"1" + b"0" * 9
    again = service.mirror(tmp_path)
    assert levels.read_bytes()[18:19] == b"1"
    again(18)  # a pin is low as it is opened
    assert levels.read_bytes()[13:19] == b"100000"
    motor(0.2, 0.0)
    assert levels.read_bytes() == b"0" * 28


def test_outputs_are_noted_where_there_is_a_place_and_nowhere_else(tmp_path: Path) -> None:
    given = Service(tmp_path, None, notify.Notifier())
    given.note_outputs(Path("/dev/gpiochip0"), [18, 13])
    assert (tmp_path / low.NOTE).read_bytes() == b"/dev/gpiochip0 18 13\n"
    Service(None, None, notify.Notifier()).note_outputs(Path("/dev/gpiochip0"), [18])
    Service(tmp_path / "gone", None, notify.Notifier()).note_outputs(Path("/dev/x"), [18])


def test_the_places_are_found_by_environment() -> None:
    found = service.from_environ({"RUNTIME_DIRECTORY": "/run/r", "STATE_DIRECTORY": "/var/lib/r"})
    assert (found.runtime, found.state) == (Path("/run/r"), Path("/var/lib/r"))
    assert found.managed
    by_hand = service.from_environ({"RUNTIME_DIRECTORY": ""})
    assert (by_hand.runtime, by_hand.state) == (None, None)
    assert not by_hand.managed


def test_the_limit_leaves_the_hard_one_alone() -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    try:
        service.limit_spinning()
        assert resource.getrlimit(resource.RLIMIT_RTTIME) == (150_000, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, before)
