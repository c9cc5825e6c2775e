"""The daemon as a process: started, signalled, broken and hung, and silent at the end of each."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from device import daemon, watch
from device.clock import Clock, VirtualClock
from device.core.pipeline import Pipeline, Step
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.errors import HardwareError
from device.pins import Board
from device.pins.mock import MockBoard
from device.settings import BuzzerSettings, MotorSettings, SensorSettings, Settings
from device.sim import scenario
from device.sim.run import Walk

SOON_S = 20.0
"""A process gets this long before a test gives up on it."""

NEAR_WALL = """
title = "Standing before a wall"
duration_s = 60.0
expect = "any"

[walker]
legs = []

[[obstacles]]
shape = "wall"
along_m = 0.5
"""
"""STOP from the first readings on: both outputs are on for seconds."""

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Site(NamedTuple):
    """A folder with a scenario and a configuration that asks for it on the mock board."""

    folder: Path
    config: Path
    scenario: Path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    near_wall = tmp_path / "near-wall.toml"
    near_wall.write_text(NEAR_WALL, encoding="utf-8")
    config = tmp_path / "mock.toml"
    config.write_text(
        f'[gpio]\nfactory = "mock"\n[simulation]\nscenario = "{near_wall}"\n', encoding="utf-8"
    )
    return Site(tmp_path, config, near_wall)


def environment(**more: str) -> dict[str, str]:
    """This process's own, without what would change the device, buffered as by default."""
    unwanted = ("REARGUARD", "GPIOZERO", "PYTHONUNBUFFERED")
    return {k: v for k, v in os.environ.items() if not k.startswith(unwanted)} | more


class Ended(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return self.err.splitlines()


class Process:
    """`python -m device ...`, killed at the end of the test whatever happened."""

    def __init__(self, command: list[str], **options: Any) -> None:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        options.setdefault("env", environment())
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()

    def wait_for(self, words: str) -> None:
        """Until it says `words` on stderr."""
        assert self.popen.stderr is not None
        deadline = time.monotonic() + SOON_S
        while words not in self._said:
            assert time.monotonic() < deadline, f"never said {words!r}: {self._said}"
            line = self.popen.stderr.readline()
            assert line, f"ended without {words!r}: {self._said}"
            self._said += line

    def send(self, number: int) -> None:
        self.popen.send_signal(number)

    def end(self) -> Ended:
        out, err = self.popen.communicate(timeout=SOON_S)
        return Ended(self.popen.returncode, out or "", self._said + (err or ""))


def rearguard(*arguments: object, **options: Any) -> Process:
    return Process([sys.executable, "-m", "device", *map(str, arguments)], **options)


CHILD = '''
import json, os, signal, sys, threading, time
import device.loop, device.sensors.hcsr04
from device import cli, daemon, journal, outputs, sensors, watch
from device.core import pipeline
from device.sim import run as sim_run
from device.sim.rig import Rig

lines = []
highest = [0.0, 0.0]
report = {"before_closing": None}

def levels():
    return [line.level for line in lines]

def both_on():
    """Both were switched on, not only found so."""
    return len(lines) == 2 and all(highest) and all(levels())

def stop_myself(number):
    os.kill(os.getpid(), number)

def watcher_of(i):
    def watcher(t_s, level):
        highest[i] = max(highest[i], level)
    return watcher

class KeptRig(Rig):
    def __init__(self, scenario, settings, seed, clock, **more):
        super().__init__(scenario, settings, seed, clock, **more)
        for i, number in enumerate((settings.buzzer.pin, settings.motor.pin)):
            line = self.board.line(number)
            line.function = "output"
            line.state = 1  # as a process that was killed leaves it
            line.watch(watcher_of(i))
            lines.append(line)
        close = self.board.close
        def closing():
            report["before_closing"] = levels()
            close()
        self.board.close = closing

sim_run.Rig = KeptRig
really_surround = watch.surroundings
def surroundings(settings, stack, *more):
    import device.sim.rig
    device.sim.rig.Rig = KeptRig
    return really_surround(settings, stack, *more)
watch.surroundings = surroundings

def when(true, then):
    def look():
        while not true():
            time.sleep(0.002)
        then()
    threading.Thread(target=look, daemon=True).start()

def failing_once_on(owner, name, error):
    really = getattr(owner, name)
    def stage(*arguments, **more):
        if both_on():
            raise error
        return really(*arguments, **more)
    setattr(owner, name, stage)

# ---- this test's own part:
{patch}
# ----
status = cli.main(sys.argv[1:])
print(json.dumps(report | {"levels": levels(), "highest": highest}))
sys.exit(status)
'''


def child(patch: str, *arguments: object, **options: Any) -> tuple[Ended, dict[str, Any]]:
    """A process whose device was patched and whose output pins are reported as it ends."""
    source = CHILD.replace("{patch}", patch)
    with Process([sys.executable, "-c", source, *map(str, arguments)], **options) as process:
        ended = process.end()
    report: dict[str, Any] = json.loads(ended.out.splitlines()[-1]) if ended.out else {}
    return ended, report


def assert_silent(report: dict[str, Any], *, was_on: bool = True) -> None:
    """The pins are low, and were before the board itself let go of them."""
    assert report["levels"] == [0.0, 0.0]
    assert report["before_closing"] in (None, [0.0, 0.0])
    assert (min(report["highest"]) > 0.0) is was_on


def assert_no_traceback(ended: Ended) -> None:
    assert "Traceback" not in ended.err
    assert "Exception" not in ended.err


# ---------------------------------------------------------------- what the log remembers

UNSURE = "nothing there, or the sensor is covered: hold a hand behind it"


def steps(*kinds: str) -> Iterator[Step]:
    """What comes of twenty readings a second, by kind: "echo 10", "silence 5" ..."""
    pipeline, t_s = Pipeline(Settings()), 0.0
    for kind in kinds:
        word, count = kind.split()
        for number in range(int(count)):
            t_s = round(t_s + 0.05, 6)
            readings: dict[str, Reading | None] = {
                "echo": Echo(t_s, 1.5 + 0.01 * (number % 3)),
                "nothing": Nothing(t_s),
                "unsure": Nothing(t_s, sure=False),
                "fault": Fault(t_s, PingFault.NO_ANSWER),
                "silence": None,
            }
            yield pipeline.step(t_s, readings[word])


def told(*kinds: str) -> list[str]:
    """What the log says of twenty readings a second, by kind: "echo 10", "nothing 5" ..."""
    said: list[str] = []
    report = watch.Reporter(said.append)
    for step in steps(*kinds):
        report(step)
    return [line.partition(" s: ")[2] for line in said]


@pytest.mark.parametrize("kind", ["echo", "nothing"])
def test_a_sensor_that_answers_is_said_to_once(kind: str) -> None:
    assert told(f"{kind} 60", "silence 2", f"{kind} 60") == ["the sensor answers"]


def test_what_may_be_a_hand_over_it_is_said_once_until_it_is_proven() -> None:
    assert told("unsure 60") == [UNSURE]
    assert told("unsure 60", "echo 20") == [UNSURE, "the sensor answers"]
    assert told("unsure 5", "nothing 5", "unsure 5") == [UNSURE, "the sensor answers"]
    assert told("echo 20", "unsure 60", "echo 5", "unsure 5") == ["the sensor answers"]


def test_a_sensor_is_not_said_to_answer_while_a_fault_stands() -> None:
    never, again = "sensor fault: never-answered", "the sensor answers again"
    assert told("fault 20") == [never]
    assert told("fault 20", "echo 4") == [never]  # proven by two, and not yet believed
    assert told("fault 20", "echo 40", "silence 2", "echo 40") == [never, again]
    assert told("echo 20", "fault 20", "echo 40", "fault 20", "echo 40") == [
        "the sensor answers",
        *["sensor fault: stopped-answering", again] * 2,
    ]


def test_a_fault_of_a_part_that_was_only_heard_unsurely_is_that_it_stopped() -> None:
    stopped, again = "sensor fault: stopped-answering", "the sensor answers again"
    assert told("unsure 20", "fault 20", "unsure 40") == [UNSURE, stopped, again]
    assert told("unsure 20", "fault 20", "unsure 40", "echo 9") == [
        UNSURE,
        stopped,
        again,
        "the sensor answers",
    ]
    assert told("fault 20", "unsure 1") == ["sensor fault: never-answered", UNSURE]


def test_the_end_of_a_sensor_on_pins_has_no_counts(site: Site) -> None:
    with rearguard("run", "--config", site.config) as process:
        process.wait_for("the sensor answers")
        process.send(signal.SIGTERM)
        ended = process.end()
    assert "the sensor: " not in ended.err


# ---------------------------------------------------------------- being told to stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(site: Site, number: int) -> None:
    with rearguard("run", "--config", site.config) as process:
        process.wait_for("the sensor answers")
        process.send(number)
        ended = process.end()
    assert ended.status == 0
    assert ended.out == ""
    assert_no_traceback(ended)
    assert re.fullmatch(r"rearguard \S+: watching, gpio\.factory = mock", ended.complaints[0]), (
        ended.complaints
    )
    assert re.fullmatch(
        r"rearguard: stopped, outputs low; \d+ steps, \d+ late \(worst \d+ ms\)",
        ended.complaints[-1],
    ), ended.complaints


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_an_alert_leaves_both_outputs_low(
    site: Site, number: int
) -> None:
    patch = f"when(both_on, lambda: stop_myself({int(number)}))"
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 0
    assert_no_traceback(ended)
    assert report["before_closing"] == [0.0, 0.0]
    assert_silent(report)


def test_two_signals_quickly_are_as_good_as_one(site: Site) -> None:
    with rearguard("run", "--config", site.config) as process:
        process.wait_for("the sensor answers")
        process.send(signal.SIGTERM)
        process.send(signal.SIGINT)
        ended = process.end()
    assert ended.status == 0
    assert_no_traceback(ended)
    assert ended.err.count("stopped, outputs low") == 1


@pytest.mark.parametrize("verb", ["run", "simulate"])
def test_a_second_signal_while_python_itself_ends_does_not_change_the_status(
    site: Site, verb: str
) -> None:
    patch = f"""
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, {int(signal.SIGINT)})
late = Late()
when(both_on, lambda: stop_myself(signal.SIGTERM))
"""
    ended, report = child(patch, verb, "--config", site.config)
    assert_silent(report)
    assert ended.status == 0
    assert_no_traceback(ended)


def test_signals_while_it_is_ending_do_not_keep_it_from_being_silent(site: Site) -> None:
    patch = """
when(both_on, lambda: stop_myself(signal.SIGTERM))
really_quiet = outputs.Outputs.quiet
def quiet(self):
    stop_myself(signal.SIGINT)
    stop_myself(signal.SIGTERM)
    really_quiet(self)
outputs.Outputs.quiet = quiet
"""
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 0
    assert_no_traceback(ended)
    assert_silent(report)


START_UP = {
    "before the board is opened": "first(watch, 'surroundings')",
    "before the sensor is opened": "first(sensors, 'open_sensor')",
    "while the outputs go low": "first(outputs.Outputs, '__enter__')",
    "while the dead-man is started": "first(watch.DeadMan, '__enter__')",
    "before the ticker is made": "first(device.loop.Device, 'ticker')",
    "before the first step": "first(device.loop.Device, 'run')",
}


@pytest.mark.parametrize("moment", START_UP)
def test_a_signal_during_start_up_is_not_lost(site: Site, moment: str) -> None:
    patch = f"""
def first(owner, name):
    really = getattr(owner, name)
    def interrupted(*arguments, **more):
        stop_myself(signal.SIGTERM)
        return really(*arguments, **more)
    setattr(owner, name, interrupted)
{START_UP[moment]}
"""
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 0
    assert_no_traceback(ended)
    assert_silent(report, was_on=False)
    assert "stopped, outputs low; 0 steps" in ended.err


IMPORTING = """
import os, runpy, sys

module, number = sys.argv[1], int(sys.argv[2])
sys.argv[:] = ["rearguard", *sys.argv[3:]]

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Interrupter())
runpy.run_module("device", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", ["msgspec", "device.daemon", "gpiozero"])
def test_a_signal_while_it_is_being_imported_ends_it_without_a_traceback(
    site: Site, module: str, number: int
) -> None:
    """It has touched no pin yet; on a Pi Zero it is in this state for a second or two."""
    command = [sys.executable, "-c", IMPORTING, module, str(int(number))]
    with Process([*command, "run", "--config", str(site.config)]) as process:
        ended = process.end()
    assert ended.status in (0, -number), ended.err
    assert_no_traceback(ended)
    assert "KeyboardInterrupt" not in ended.err


# ---------------------------------------------------------------- breaking


STAGES = {
    "poll": "failing_once_on(device.sensors.hcsr04.HCSR04, 'poll', error)",
    "pipeline": "failing_once_on(pipeline.Pipeline, 'step', error)",
    "apply": "failing_once_on(outputs.Outputs, 'apply', error)",
    "observer": "failing_once_on(watch.Reporter, '__call__', error)",
    "clock": "import device.clock; failing_once_on(device.clock.PacedClock, 'wait_until', error)",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_failure_in_any_stage_is_one_line_status_1_and_silence(site: Site, stage: str) -> None:
    patch = f"error = RuntimeError('{stage} broke')\n{STAGES[stage]}"
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 1
    assert_no_traceback(ended)
    assert_silent(report)
    assert report["before_closing"] == [0.0, 0.0]
    assert [line for line in ended.complaints if "internal error" in line] == [ended.complaints[-1]]
    assert f"RuntimeError: {stage} broke" in ended.complaints[-1]


def test_a_failure_while_the_sensor_is_opened_is_one_line_status_1_and_silence(site: Site) -> None:
    patch = """
def open_sensor(driver, parts):
    raise RuntimeError("no sensor")
sensors.open_sensor = open_sensor
"""
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 1
    assert len(ended.complaints) == 1
    assert "RuntimeError: no sensor" in ended.err
    assert_silent(report, was_on=False)


def test_an_error_of_several_lines_is_still_said_in_one(site: Site) -> None:
    patch = "error = RuntimeError('first\\nsecond')\n" + STAGES["poll"]
    ended, _ = child(patch, "run", "--config", site.config)
    assert ended.status == 1
    assert "first" in ended.complaints[-1]
    assert "second" in ended.complaints[-1]
    assert ended.complaints[-1].startswith("rearguard: ")


def test_with_debugging_asked_for_a_failure_is_shown_whole_and_still_silent(site: Site) -> None:
    patch = (
        "import atexit; atexit.register(lambda: print(json.dumps(report | "
        "{'levels': levels(), 'highest': highest})))\n"
        "error = RuntimeError('poll broke')\n" + STAGES["poll"]
    )
    environ = environment(REARGUARD_DEBUG="1")
    ended, report = child(patch, "run", "--config", site.config, env=environ)
    assert ended.status == 1
    assert "Traceback" in ended.err
    assert_silent(report)


def test_a_pin_that_cannot_be_driven_is_not_said_to_be_low(site: Site) -> None:
    """The wearer's motor may still run: then nobody may say "outputs are low"."""
    patch = """
def hang_on():
    def cannot(value):
        raise OSError("GPIO is gone")
    lines[1]._set_state = cannot
when(both_on, hang_on)
"""
    ended, _ = child(patch, "run", "--config", site.config)
    assert ended.status == 1
    assert "GPIO is gone" in ended.err
    assert "outputs are low" not in ended.err


def test_a_loop_that_hangs_with_the_motor_on_is_quietened_by_the_dead_man(site: Site) -> None:
    patch = """
class Hanging:
    def __init__(self, say):
        pass
    def __call__(self, step):
        if not both_on():
            return
        began = time.monotonic()
        while any(levels()) and time.monotonic() - began < 10.0:
            time.sleep(0.005)
        report["hung_s"] = time.monotonic() - began
        report["while_hung"] = levels()
        stop_myself(signal.SIGTERM)
watch.Reporter = Hanging
patient = outputs.DeadMan
watch.DeadMan = lambda outputs: patient(outputs, 0.5)
"""
    ended, report = child(patch, "run", "--config", site.config)
    assert ended.status == 0
    assert report["while_hung"] == [0.0, 0.0]
    assert 0.0 < report["hung_s"] < 5.0
    assert_silent(report)


def test_the_dead_man_is_given_less_time_than_a_stops_tone_lasts() -> None:
    from device.loop import LONGEST_SLEEP_S  # noqa: PLC0415
    from device.outputs import CONFIRM_WITHIN_S, LONGEST_ON_S  # noqa: PLC0415

    assert 2 * LONGEST_SLEEP_S < CONFIRM_WITHIN_S < LONGEST_ON_S


def test_it_goes_on_warning_when_nobody_reads_what_it_says(site: Site) -> None:
    """A log that went away costs the log, not the warnings."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with rearguard("run", "--config", site.config, stderr=write_end) as process:
        os.close(write_end)
        with pytest.raises(subprocess.TimeoutExpired):
            process.popen.wait(timeout=2.5)
        process.send(signal.SIGTERM)
        assert process.end().status == 0


# ---------------------------------------------------------------- asked for what cannot be


def test_a_journal_that_cannot_be_written_is_one_line_and_status_2(site: Site) -> None:
    for path in (site.folder / "missing" / "walk.jsonl", site.folder):
        with rearguard("run", "--config", site.config, "--journal", path) as process:
            ended = process.end()
        assert ended.status == 2
        assert len(ended.complaints) == 1
        assert str(path) in ended.err
        assert "name a file that can be written" in ended.err


@pytest.mark.parametrize("for_s", [0.0, 1.3], ids=["at once", "after a second"])
def test_a_full_disk_costs_the_journal_and_not_the_walk(site: Site, for_s: float) -> None:
    """The journal is handed to the disk once a second and at the end."""
    with rearguard("run", "--config", site.config, "--journal", "/dev/full") as process:
        process.wait_for("the sensor answers")
        time.sleep(for_s)
        assert process.popen.poll() is None
        process.send(signal.SIGTERM)
        ended = process.end()
    assert ended.status == 0
    assert_no_traceback(ended)
    assert "stopped, outputs low" in ended.err
    assert ended.complaints[-1].startswith("/dev/full: journal ended early: No space left")


def test_a_journal_is_whole_when_it_was_told_to_stop(site: Site) -> None:
    path = site.folder / "walk.jsonl"
    with rearguard("run", "--config", site.config, "--journal", path) as process:
        process.wait_for("the sensor answers")
        time.sleep(0.3)
        process.send(signal.SIGTERM)
        assert process.end().status == 0
    lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0])["schema"] == 1
    assert [json.loads(line) for line in lines][-1]["level"] == "stop"


@pytest.mark.parametrize("verb", ["run", "simulate"])
def test_an_unknown_driver_is_one_line_and_status_2(site: Site, verb: str) -> None:
    with site.config.open("a", encoding="utf-8") as config:
        config.write('[sensor]\ndriver = "sonar"\n')
    with rearguard(verb, "--config", site.config) as process:
        ended = process.end()
    assert ended.status == 2
    assert ended.out == ""
    assert len(ended.complaints) == 1
    assert 'sensor.driver = "sonar"' in ended.err
    assert "hcsr04" in ended.err


class LeftOn(MockBoard):
    """Both outputs are driven, by a process that is no more; closing it lets go of no pin."""

    def __init__(self) -> None:
        super().__init__(VirtualClock())
        self.closed, self.taken = False, ""
        self.seen: dict[int, list[float]] = {18: [], 13: []}
        for number, seen in self.seen.items():
            line = self.line(number)
            line.output_with_state(1)
            line.watch(lambda _t_s, level, seen=seen: seen.append(level))

    def pin(self, name: str, pin_class: object = None, **kwargs: object) -> Any:
        if name == self.taken:
            raise OSError("GPIO busy")
        return super().pin(name)

    def close(self) -> None:
        self.closed = True

    def opened(self, name: str, clock: Clock) -> Board:
        assert name == "auto"
        return self


def test_quiet_drives_low_what_a_dead_run_left_on(monkeypatch: pytest.MonkeyPatch) -> None:
    board = LeftOn()
    monkeypatch.setattr(daemon, "open_board", board.opened)
    assert daemon.quiet(Settings()) == "low: GPIO18, GPIO13"
    assert board.seen == {18: [0.0], 13: [0.0]}
    assert board.closed


def test_quiet_drives_low_also_what_is_switched_off_in_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who cannot stop a buzzer writes enabled = false, and then calls for quiet."""
    board = LeftOn()
    monkeypatch.setattr(daemon, "open_board", board.opened)
    neither = Settings(buzzer=BuzzerSettings(enabled=False), motor=MotorSettings(enabled=False))
    assert daemon.quiet(neither) == "low: GPIO18, GPIO13"
    assert board.seen == {18: [0.0], 13: [0.0]}


def test_quiet_leaves_a_pin_alone_that_is_the_sensors_now(monkeypatch: pytest.MonkeyPatch) -> None:
    board = LeftOn()
    monkeypatch.setattr(daemon, "open_board", board.opened)
    moved = Settings(sensor=SensorSettings(echo_pin=13), motor=MotorSettings(enabled=False, pin=13))
    assert daemon.quiet(moved) == "low: GPIO18"
    assert board.seen == {18: [0.0], 13: []}


def test_quiet_is_refused_a_line_that_somebody_has_and_lowers_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = LeftOn()
    board.taken = "GPIO18"
    monkeypatch.setattr(daemon, "open_board", board.opened)
    with pytest.raises(HardwareError, match=r"buzzer\.pin = 18: .*GPIO busy"):
        daemon.quiet(Settings())
    assert board.seen == {18: [], 13: [0.0]}
    assert board.closed


def test_quiet_with_a_broken_configuration_says_that_nothing_is_quiet(site: Site) -> None:
    site.config.write_text("[gpio\n", encoding="utf-8")
    with rearguard("quiet", "--config", site.config) as process:
        ended = process.end()
    assert ended.status == 2
    assert len(ended.complaints) == 1
    assert "nothing was quietened: mend it, or pull the power" in ended.err


def test_quiet_on_the_mock_board_has_nothing_to_do_and_says_so(site: Site) -> None:
    with rearguard("quiet", "--config", site.config) as process:
        assert process.end() == (0, 'gpio.factory = "mock": nothing to quiet\n', "")


def test_quiet_without_gpio_is_one_line_and_status_2(site: Site) -> None:
    site.config.write_text('[gpio]\nfactory = "auto"\n', encoding="utf-8")
    with rearguard(
        "quiet", "--config", site.config, env=environment(GPIOZERO_PIN_FACTORY="abacus")
    ) as process:
        ended = process.end()
    assert ended.status == 2
    assert len(ended.complaints) == 1
    assert 'gpio.factory = "auto"' in ended.err


def test_a_pin_factory_that_does_not_exist_is_one_line_and_status_2(site: Site) -> None:
    site.config.write_text('[gpio]\nfactory = "auto"\n', encoding="utf-8")
    environ = environment(GPIOZERO_PIN_FACTORY="abacus")
    with rearguard("run", "--config", site.config, env=environ) as process:
        ended = process.end()
    assert ended.status == 2
    assert len(ended.complaints) == 1
    assert 'gpio.factory = "auto"' in ended.err


def test_gpiozeros_own_mock_factory_runs_and_its_silent_sensor_is_announced(site: Site) -> None:
    """No PWM and no twin there: the real clock, an on-off motor, a sensor that never answers."""
    site.config.write_text('[gpio]\nfactory = "auto"\n', encoding="utf-8")
    environ = environment(GPIOZERO_PIN_FACTORY="mock")
    with rearguard("run", "--config", site.config, env=environ) as process:
        process.wait_for("sensor fault: never-answered")
        process.send(signal.SIGTERM)
        ended = process.end()
    assert ended.status == 0
    assert_no_traceback(ended)


# ---------------------------------------------------------------- simulate


def test_a_simulation_interrupted_in_the_middle_of_an_alert_ends_well_and_silent(
    site: Site,
) -> None:
    patch = "when(both_on, lambda: stop_myself(signal.SIGINT))"
    ended, report = child(patch, "simulate", site.scenario, "--config", site.config)
    assert ended.status == 0
    assert_no_traceback(ended)
    assert_silent(report)
    assert "stopped by you" in ended.out


def test_a_fast_simulation_can_be_interrupted_too(site: Site) -> None:
    patch = "when(both_on, lambda: stop_myself(signal.SIGINT))"
    arguments = ("simulate", site.scenario, "--fast", "--duration", 86_400, "--json")
    ended, report = child(patch, *arguments, "--config", site.config)
    assert ended.status == 0
    assert_silent(report)
    assert json.loads(ended.out.splitlines()[0])["interrupted"] is True


def test_a_stop_before_the_walk_has_begun_is_not_lost() -> None:
    """Ctrl-C while the world is being built."""
    walk = Walk(scenario.parse(NEAR_WALL, "near wall"), Settings(), 1, VirtualClock())
    walk.stop()
    assert walk.go().duration_s < 0.5


@pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("form", [[], ["--json"], ["--list"]], ids=["lines", "json", "list"])
def test_a_reader_that_has_seen_enough_is_no_error(
    site: Site, form: list[str], buffering: str
) -> None:
    environ = environment(PYTHONUNBUFFERED=buffering)
    arguments = ("simulate", site.scenario, "--fast", "--config", site.config, *form)
    with rearguard(*arguments, env=environ) as process:
        assert process.popen.stdout is not None
        process.popen.stdout.close()
        process.popen.stdout = None
        ended = process.end()
    assert ended.status == 0
    assert ended.err == ""


def test_head_shows_the_first_line_of_a_simulation(site: Site) -> None:
    command = f"{sys.executable} -m device simulate {site.scenario} --fast | head -n 1"
    with Process(["sh", "-c", command]) as process:
        ended = process.end()
    assert ended.status == 0
    assert ended.err == ""
    assert ended.out.count("\n") == 1
    assert "CLEAR" in ended.out


def read_until(stream: int, words: str, for_s: float) -> str:
    """What `stream` gives until it has said `words`, has ended, or the time is up."""
    said = b""
    deadline = time.monotonic() + for_s
    while words.encode() not in said and time.monotonic() < deadline:
        if select.select([stream], [], [], 0.1)[0]:
            try:
                part = os.read(stream, 65_536)
            except OSError:  # a terminal whose far end was closed
                break
            if not part:
                break
            said += part
    return said.decode("utf-8", "replace")


def test_off_a_terminal_the_walk_is_plain_lines_as_they_happen(site: Site) -> None:
    with rearguard("simulate", site.scenario, "--config", site.config) as process:
        assert process.popen.stdout is not None
        said = read_until(process.popen.stdout.fileno(), "STOP", for_s=3.0)
        process.send(signal.SIGINT)
        ended = process.end()
    assert ended.status == 0
    assert "STOP" in said, "it was not written while it happened"
    assert re.fullmatch(r" *\d+\.\d\d s  .*CLEAR +signal: quiet", said.splitlines()[0])
    assert "\x1b" not in said + ended.out


ON_THIS_TERMINAL = """
import fcntl, runpy, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # Ctrl-C typed there is for this process
runpy.run_module("device", run_name="__main__")
"""


class Terminal:
    """A real pseudo-terminal, `columns` wide, with a process on it."""

    def __init__(self, columns: int, *arguments: object) -> None:
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        self.popen = subprocess.Popen(
            [sys.executable, "-c", ON_THIS_TERMINAL, *map(str, arguments)],
            stdin=far,
            stdout=far,
            stderr=far,
            start_new_session=True,
            env=environment(TERM="xterm", COLUMNS="", LINES=""),
        )
        os.close(far)

    def read(self, words: str = "\0") -> str:
        """What is shown until it has these words, or the process has ended."""
        return read_until(self._near, words, SOON_S)

    def type(self, keys: bytes) -> None:
        os.write(self._near, keys)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self._near)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(columns: int, *arguments: object) -> Terminal:
        opened.append(Terminal(columns, *arguments))
        return opened[-1]

    yield open_terminal
    for one in opened:
        one.close()


def test_on_a_terminal_the_walk_is_a_live_picture(
    site: Site, terminal: Callable[..., Terminal]
) -> None:
    arguments = ("simulate", site.scenario, "--config", site.config, "--duration", 1.4)
    on = terminal(100, *arguments)
    shown = on.read()
    assert on.popen.wait(SOON_S) == 0
    assert "\x1b[" in shown
    text = ANSI.sub("", shown)
    assert "Standing before a wall" in text
    for word in ("CLEAR", "STOP", "distance", "0.50 m", "buzzer", "sounding", "motor"):
        assert word in text
    assert text.rstrip().splitlines()[-1] == "good: 1 s walked"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


def test_ctrl_c_on_a_terminal_ends_the_live_picture_well(
    site: Site, terminal: Callable[..., Terminal]
) -> None:
    on = terminal(100, "simulate", site.scenario, "--config", site.config)
    before = on.read("STOP")
    on.type(b"\x03")
    after = on.read()
    assert on.popen.wait(SOON_S) == 0
    assert "stopped by you after" in after
    assert "Traceback" not in before + after
    assert "\x1b[?25h" in after
