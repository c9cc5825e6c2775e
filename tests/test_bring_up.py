"""What the guide shows of the commands is what they say: a maker compares it line by line.

Each block is taken from the guide, its command is run as the maker would run it, on a Pi of
files or on a simulated board, and what that says is held against the block. Nothing that a
command says is copied into this file.
"""

import contextlib
import errno
import io
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from device import boot, cli, config, doctor, keeper, sensors, status, watch
from device.clock import VirtualClock
from device.core.signals import Cue
from device.failures import Failure
from device.history import records, scribe
from device.loop import assemble
from device.pins import chip
from device.settings import SensorSettings, Settings
from device.sim.rig import Rig
from device.sim.scenario import Obstacle, Scenario
from device.status import Server, Snapshot
from tests import test_doctor
from tests.test_doctor import ZERO, Pi, hold
from tests.test_hardware_doc import PARTS, ROOT, blocks, chapter, part_settings
from tests.test_selftest import standing

pi = test_doctor.pi

BRING_UP = chapter("## Bringing it up")
SHOWN = blocks("console", BRING_UP)
(COMPLAINTS,) = blocks("text", BRING_UP)
"""Lines of the doctor's, each of another Pi."""
PROMPT = "$ "
LEFT_OUT = "..."
WALL = standing(Obstacle(shape="wall", along_m=1.5))
FAR_WALL = standing(Obstacle(shape="wall", along_m=3.5))
STATE = doctor.Places().state
WELL = Snapshot(
    pid=412,
    up_s=95.0,
    level="clear",
    distance_m=3.31,
    closing_mps=0.0,
    proven=True,
    pings_per_s=24.3,
    cycles=5186,
    worst_late_ms=1.2,
    config=str(config.PLACES[-1]),
    factory=Settings().gpio.factory,
    sensor=sensors.model(Settings().sensor).title,
    journal=keeper.State(str(STATE / keeper.JOURNALS / "000001.jsonl"), 300_000),
    history=scribe.State(str(STATE / records.FILE)),
)
"""The service a minute after its start, with the helper far away behind it."""


class Terminal(io.StringIO):
    """What a person reads: stdout, stderr, and what they type."""

    def isatty(self) -> bool:
        return True


class Keyboard:
    """Somebody who gives these answers; the terminal shows them."""

    def __init__(self, answers: str, terminal: Terminal) -> None:
        self._answers, self._terminal = list(answers), terminal

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        typed = f"{self._answers.pop(0)}\n"
        self._terminal.write(typed)
        return typed


class Bench:
    """The default build on a Saturday: a Pi of files, and a simulated board with its sensor."""

    def __init__(self, pi: Pi, patch: pytest.MonkeyPatch) -> None:
        """A Zero 2 W with Raspberry Pi OS Trixie, the package, and its service running."""
        self.pi, self.patch, self.terminal = pi, patch, Terminal()
        pi.is_a(ZERO)
        taken = dict.fromkeys(boot.pins(Settings()).values(), "rearguard")
        pi.kernel.add("gpiochip0", "pinctrl-bcm2835", taken)
        pi.modules = {"gpiod", "lgpio"}
        pi.user = replace(pi.user, name="pi")
        pi.unit["StatusText"] = status.text(WELL)
        pi.commands["systemctl show -p RuntimeWatchdogUSec"] = "RuntimeWatchdogUSec=1min\n"
        places = [pi.folder / str(place).lstrip("/") for place in PLACES]
        pi.put(str(PLACES[-1]).lstrip("/"), (ROOT / "config/rearguard.toml").read_text("utf-8"))
        patch.setattr(config, "PLACES", tuple(places))
        patch.delenv(config.VARIABLE, raising=False)
        patch.setattr(doctor, "Places", pi.places)
        patch.chdir(ROOT)

    def says(self, command: str) -> str:
        """All that the terminal shows after `command`; files are where they are on a Pi."""
        with (
            contextlib.redirect_stdout(self.terminal),
            contextlib.redirect_stderr(self.terminal),
        ):
            cli.main(shlex.split(command)[1:])
        said = self.terminal.getvalue().replace(str(self.pi.folder / "state"), str(STATE))
        return said.replace(str(self.pi.folder), "")

    def answers(self, answers: str) -> None:
        """What somebody types, a letter for each question."""
        self.patch.setattr(sys, "stdin", Keyboard(answers, self.terminal))

    def fit(self, world: Scenario, changes: dict[float, Failure], until_s: float = 60.0) -> None:
        """Put the board into a world, in simulated time, and press Ctrl-C at the end of that."""
        clock = VirtualClock()

        def surroundings(settings: Settings, *_: object) -> tuple[object, ...]:
            rig = Rig(world, settings, 1, clock)
            for at_s, failure in changes.items():
                clock.at(at_s, lambda failure=failure: setattr(rig.twin, "failure", failure))
            return clock, rig.board, rig.device_rng, rig.open_port

        def interrupt() -> None:
            self.terminal.write("^C")  # as a terminal shows it
            signal.raise_signal(signal.SIGINT)

        self.patch.setattr(watch, "surroundings", surroundings)
        clock.at(until_s, interrupt)


PLACES = config.PLACES
"""Where the configuration is on a Pi."""


@pytest.fixture
def bench(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    # A `run` that has ended ignores what comes later: its process is about to end, this one not.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield Bench(pi, monkeypatch)
    for number, handler in before.items():
        signal.signal(number, handler)


def pattern(block: str) -> str:
    """`...` on a line of its own stands for any lines, and in a line for anything in it."""
    lines = (
        r"(?:.*\n)*?"
        if line == LEFT_OUT
        else re.escape(line).replace(re.escape(LEFT_OUT), ".+") + "\n"
        for line in block.splitlines()
    )
    return "".join(lines)


def assert_shown(block: str, said: str) -> None:
    if re.fullmatch(pattern(block), said) is None:
        assert said == block  # for the difference


# ---------------------------------------------------------------- what each block is of


def well(bench: Bench) -> None:
    """Nothing is to be prepared."""


def good_test(bench: Bench) -> None:
    bench.fit(WALL, {})
    bench.answers("yy")


def motor_off(bench: Bench) -> None:
    bench.fit(WALL, {})
    bench.answers("yn")


def echo_off(bench: Bench) -> None:
    bench.fit(WALL, {0.0: Failure.OFF})
    bench.answers("yy")


def good_start(bench: Bench) -> None:
    bench.fit(FAR_WALL, {}, 10.0)


def dead_sensor(bench: Bench) -> None:
    bench.fit(FAR_WALL, {0.0: Failure.OFF}, 10.0)


def pulled_and_plugged(bench: Bench) -> None:
    bench.fit(FAR_WALL, {12.0: Failure.OFF, 20.0: Failure.OK}, 30.0)


STORIES: tuple[Callable[[Bench], None], ...] = (
    well,  # doctor
    well,  # check
    well,  # check of a preset
    good_test,
    motor_off,
    echo_off,
    good_start,
    dead_sensor,
    pulled_and_plugged,
)
"""One for each block, in their order; the last one, of the service, has a test of its own."""


def title(value: object) -> str:
    """How a case is called in the list of tests."""
    return str(getattr(value, "__name__", None) or str(value).splitlines()[0][:40])


def split(block: str) -> tuple[list[str], str]:
    """(the commands, what is said to the last of them)."""
    lines = block.splitlines(keepends=True)
    commands = [line.removeprefix(PROMPT).strip() for line in lines if line.startswith(PROMPT)]
    assert all(line.startswith(PROMPT) for line in lines[: len(commands)])
    return commands, "".join(lines[len(commands) :])


def test_each_block_has_its_story() -> None:
    assert len(SHOWN) == len(STORIES) + 1
    assert len(COMPLAINTS.splitlines()) == len(TROUBLES)
    assert all(split(block)[0] for block in SHOWN)


def test_every_command_that_tells_of_the_device_is_shown() -> None:
    shown = {command for block in SHOWN for command in split(block)[0]}
    verbs = {command.split()[1] for command in shown if command.startswith("rearguard ")}
    assert verbs == {"doctor", "check", "selftest", "run", "status"}


@pytest.mark.parametrize("block", [*SHOWN, COMPLAINTS], ids=title)
def test_no_block_leaves_out_everything(block: str) -> None:
    said = [line for line in split(block)[1].splitlines() if LEFT_OUT not in line]
    assert len(said) >= 1


@pytest.mark.parametrize(
    ("block", "prepare"),
    list(zip(SHOWN, STORIES, strict=False)),
    ids=title,
)
def test_what_is_shown_is_what_is_said(
    block: str, prepare: Callable[[Bench], None], bench: Bench
) -> None:
    (command,), shown = split(block)
    prepare(bench)
    assert_shown(shown, bench.says(command))


def test_the_status_shown_is_what_the_service_says(bench: Bench, tmp_path: Path) -> None:
    (start, ask), shown = split(SHOWN[-1])
    assert start == f"sudo systemctl enable --now {doctor.UNIT.removesuffix('.service')}"
    path = tmp_path / "status.sock"
    with Server(path, lambda: WELL):
        assert_shown(shown, bench.says(f"{ask} --socket {path}"))


# ---------------------------------------------------------------- what the doctor complains of


def nobody_may_open_the_chip(bench: Bench) -> None:
    """By hand, without the service, which has a permission of its own."""

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    bench.patch.setattr(chip, "_ask", refuse)
    bench.pi.put("etc/group", "gpio:x:997:\n")
    bench.pi.unit = {"LoadState": "not-found"}


def somebody_has_a_pin(bench: Bench) -> None:
    hold(bench.pi, Settings().motor.pin, "lg", 812, "python3")


def the_kernel_keeps_outputs(bench: Bench) -> None:
    bench.pi.put("sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs", "Y\n")


TROUBLES = (nobody_may_open_the_chip, somebody_has_a_pin, the_kernel_keeps_outputs)


@pytest.mark.parametrize(
    ("line", "breaks"),
    list(zip(COMPLAINTS.splitlines(), TROUBLES, strict=False)),
    ids=title,
)
def test_a_complaint_shown_is_the_only_one_about_that(
    line: str, breaks: Callable[[Bench], None], bench: Bench
) -> None:
    breaks(bench)
    said = bench.says("rearguard doctor").splitlines()
    assert [one for one in said if not one.startswith(("ok ", "note "))] == [line]


def test_on_the_pi_that_is_shown_nothing_is_to_be_mended(bench: Bench) -> None:
    assert {one.state for one in doctor.examine(Settings(), None)} == {"ok", "note"}


# ---------------------------------------------------------------- what is quoted beside the blocks


def test_what_stands_in_backticks_about_the_status_is_said() -> None:
    told = chapter("### 9. The service")
    for snapshot in (replace(WELL, proven=False), replace(WELL, fault="noise")):
        first = next(status.lines(snapshot)).removesuffix(" noise")
        assert f"`{first}`" in told


def test_what_stands_in_backticks_about_the_check_is_said(bench: Bench) -> None:
    told = chapter("### 5. Check, then simulate")
    late = bench.says("rearguard check --config config/maxbotix.toml")
    for words in ("TOO LATE", "NOT GOOD", "in time up to"):
        assert f"`{words}`" in told
        assert words in late


# ---------------------------------------------------------------- what is promised


def told_after_s(sensor: SensorSettings, broken_s: float) -> float:
    """How long after its wire came off, with nothing near, the fault signal begins."""
    settings, clock = Settings(sensor=sensor), VirtualClock()
    rig = Rig(standing(), settings, 1, clock)
    clock.at(broken_s, lambda: setattr(rig.twin, "failure", Failure.OFF))
    cues: list[tuple[float, Cue]] = []
    with assemble(settings, clock, rig.board, rig.device_rng, rig.open_port) as device:
        device.run(device.ticker(broken_s + 2.0), lambda step: cues.append((step.t_s, step.cue)))
    return next(t_s for t_s, cue in cues if cue is Cue.FAULT and t_s >= broken_s) - broken_s


@pytest.mark.parametrize("row", PARTS, ids=lambda row: str(row["Part"]))
def test_a_wire_that_is_pulled_is_announced_as_soon_as_promised(row: dict[str, str]) -> None:
    usual, filtered = re.search(  # type: ignore[union-attr]
        r"Within ([\d.]+) s the fault signal must begin \(([\d.]+) s with an A02YYUW or A01NYUB",
        chapter("### 8. Break it on purpose"),
    ).groups()
    sensor = part_settings(row)
    for broken_s in (4.0, 4.033, 4.087):
        assert told_after_s(sensor, broken_s) <= float(usual)
        if sensor.driver == "a02yyuw":
            slow_s = told_after_s(replace(sensor, realtime=False), broken_s)
            assert float(usual) < slow_s <= float(filtered)
