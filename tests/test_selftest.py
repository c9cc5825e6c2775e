"""The self-test: each part alone, what somebody says of it, and silence however it ends."""

import io
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from device import config, selftest
from device.clock import VirtualClock
from device.errors import HardwareError
from device.failures import Failure
from device.pins.mock import MockBoard
from device.settings import BuzzerSettings, LedSettings, MotorSettings, Settings
from device.sim import scenario
from device.sim.rig import Rig
from device.sim.scenario import Obstacle, Scenario, Walker

CONFIGS = Path(__file__).parents[1] / "config"
HEARD, FELT, SEEN, HAND = "hear", "feel", "see", "Hold a hand"


def standing(*obstacles: Obstacle) -> Scenario:
    """Somebody stands at the bench."""
    return Scenario(
        title="A bench",
        duration_s=600.0,
        expect="any",
        walker=Walker(legs=(), heeds=False),
        obstacles=obstacles,
    )


WALL = standing(Obstacle(shape="wall", along_m=1.2))
FIELD = standing()


class Bench(NamedTuple):
    clock: VirtualClock
    rig: Rig
    said: list[str]
    questions: list[str]
    changes: dict[str, list[tuple[float, float]]]

    @property
    def board(self) -> MockBoard:
        return self.rig.board


def bench(settings: Settings, world: Scenario = WALL, seed: int = 1) -> Bench:
    clock = VirtualClock()
    rig = Rig(world, settings, seed, clock)
    changes: dict[str, list[tuple[float, float]]] = {"buzzer": [], "motor": [], "led": []}
    for name, found in changes.items():
        line = rig.board.line(getattr(settings, name).pin)
        line.watch(lambda t_s, level, found=found: found.append((t_s, level)))
    return Bench(clock, rig, [], [], changes)


def outcome(
    place: Bench,
    settings: Settings,
    noes: tuple[str, ...] = (),
    asks: bool = True,
    hold: Callable[[], None] = lambda: None,
) -> selftest.Report:
    """The report, when every question is answered yes but for those with one of `noes` in it.

    `hold` is done when a hand is asked for.
    """

    def ask(question: str) -> bool:
        place.questions.append(question)
        assert silent(place.board, settings)  # also while somebody thinks
        place.clock.sleep(4.0)  # as long as they think
        if HAND in question:
            hold()
        return not any(no in question for no in noes)

    rig = place.rig
    return selftest.run(
        settings,
        place.clock,
        rig.board,
        rig.device_rng,
        rig.open_port,
        ask if asks else None,
        place.said.append,
    )


def silent(board: MockBoard, settings: Settings) -> bool:
    pins = (settings.buzzer.pin, settings.motor.pin, settings.led.pin)
    return not any(board.line(pin).level for pin in pins)


def verdicts(found: selftest.Report) -> dict[str, bool]:
    return {part.name: part.good for part in found.outputs} | {"sensor": found.sensor_good}


def pulses(changes: list[tuple[float, float]]) -> list[float]:
    """How long each pulse was, seconds, whatever its strength."""
    lengths, since_s = [], None
    for t_s, level in changes:
        if level and since_s is None:
            since_s = t_s
        elif not level and since_s is not None:
            lengths.append(t_s - since_s)
            since_s = None
    assert since_s is None
    return lengths


# ------------------------------------------------------------------ the outputs


def test_a_device_that_is_well_is_good() -> None:
    settings = Settings()
    place = bench(settings)
    found = outcome(place, settings)
    assert found.good
    assert verdicts(found) == {"buzzer": True, "motor": True, "sensor": True}
    assert [HEARD in q or FELT in q for q in place.questions] == [True, True]
    assert list(selftest.lines(found))[-1] == "good"
    assert silent(place.board, settings)


def test_each_output_gives_three_pulses_and_never_together() -> None:
    settings = Settings(led=LedSettings(enabled=True))
    place = bench(settings)
    found = outcome(place, settings)
    assert [part.name for part in found.outputs] == ["buzzer", "motor", "lamp"]
    assert pulses(place.changes["buzzer"]) == pytest.approx([selftest.BEEP_S] * 3, abs=1e-6)
    assert pulses(place.changes["motor"]) == pytest.approx([selftest.SPIN_S] * 3, abs=1e-6)
    assert pulses(place.changes["led"]) == pytest.approx([selftest.SPIN_S] * 3, abs=1e-6)
    spans = [(changes[0][0], changes[-1][0]) for changes in place.changes.values()]
    for (_, end_s), (begin_s, _) in itertools.pairwise(spans):
        assert end_s < begin_s


def test_the_motor_is_driven_as_an_alert_drives_it() -> None:
    settings = Settings(motor=MotorSettings(strength=0.4, overdrive_s=0.1))
    place = bench(settings)
    outcome(place, settings)
    levels = [level for _, level in place.changes["motor"] if level]
    assert levels == [1.0, 0.4] * 3


@pytest.mark.parametrize("no", [HEARD, FELT, SEEN])
def test_what_was_not_noticed_is_not_good_and_where_to_look_is_said(no: str) -> None:
    settings = Settings(led=LedSettings(enabled=True))
    name, pin = {
        HEARD: ("buzzer", settings.buzzer.pin),
        FELT: ("motor", settings.motor.pin),
        SEEN: ("lamp", settings.led.pin),
    }[no]
    found = outcome(bench(settings), settings, noes=(no,))
    assert not found.good
    assert [key for key, good in verdicts(found).items() if not good] == [name]
    line = next(x for x in selftest.lines(found) if x.startswith(name))
    assert "NOT GOOD" in line
    assert f"GPIO{pin}" in line
    assert list(selftest.lines(found))[-1] == f"NOT GOOD: {name}; do not walk with it"


def test_what_is_not_fitted_is_neither_driven_nor_asked_about() -> None:
    settings = Settings(buzzer=BuzzerSettings(enabled=False))
    place = bench(settings)
    found = outcome(place, settings)
    assert found.good
    assert not any(HEARD in question for question in place.questions)
    assert place.changes["buzzer"] == []
    assert not found.outputs[0].fitted


def test_with_nobody_to_ask_it_says_that_nobody_was_asked() -> None:
    settings = Settings()
    found = outcome(bench(settings), settings, asks=False)
    assert found.good
    assert [part.felt for part in found.outputs] == [None, None]
    assert "nobody was asked" in list(selftest.lines(found))[-1]


def test_a_pin_that_cannot_be_driven_is_found_and_the_rest_is_tested_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()
    place = bench(settings)
    line = place.board.line(settings.buzzer.pin)
    set_state = type(line)._set_state

    def refuses(pin: object, value: float) -> None:
        if pin is line and value:
            raise OSError("no such line\nany more")
        set_state(pin, value)

    monkeypatch.setattr(type(line), "_set_state", refuses)
    monkeypatch.setattr(type(line), "state", property(type(line)._get_state, refuses))
    found = outcome(place, settings)
    assert verdicts(found) == {"buzzer": False, "motor": True, "sensor": True}
    assert found.outputs[0].said == "its pin cannot be driven (no such line any more);" + (
        " try another pin"
    )


# ------------------------------------------------------------------ the sensor


def test_the_sensor_is_counted_and_its_distance_told() -> None:
    settings = Settings()
    heard = outcome(bench(settings), settings).sensor
    assert heard.fault is None
    assert heard.pings == heard.answers
    assert 60 <= heard.pings <= 90
    assert heard.faults == {}
    assert heard.median_m is not None
    assert heard.nearest_m is not None
    # Its air is 20 degrees warm and it takes it for cold: 6 % nearer than it is.
    assert heard.median_m == pytest.approx(1.2 * 0.946, abs=0.03)
    assert heard.nearest_m <= heard.median_m


@pytest.mark.parametrize(
    ("failure", "fault", "ping_fault"),
    [
        (Failure.OFF, "never-answered", "never-rose"),
        (Failure.STUCK, "stuck-high", "stuck-high"),
        (Failure.WRONG, "noise", "noise"),
        (Failure.INTERMITTENT, "stopped-answering", "never-rose"),
        (Failure.FROZEN, "frozen", None),
        (Failure.GARBAGE, "garbage", None),
    ],
)
def test_a_sensor_that_fails_is_not_good_and_the_failure_has_its_name(
    failure: Failure, fault: str, ping_fault: str | None
) -> None:
    settings = Settings()
    place = bench(settings)
    place.rig.twin.failure = failure
    found = outcome(place, settings)
    assert not found.good
    assert not found.sensor_good
    assert found.sensor.fault == fault
    assert ping_fault is None or found.sensor.faults[ping_fault] > 0
    told = list(selftest.lines(found))
    assert any(line.startswith(f"sensor   NOT GOOD  fault: {fault}; ") for line in told)
    if not found.sensor.answers:
        assert "GPIO23" in found.sensor_said
        assert "GPIO24" in found.sensor_said


def test_a_sensor_that_was_unplugged_before_is_found() -> None:
    """The shipped scenario: its wire is off from 2.8 s on, and the outputs take longer."""
    settings = Settings()
    place = bench(settings, scenario.load("unplugged"))
    found = outcome(place, settings)
    assert verdicts(found) == {"buzzer": True, "motor": True, "sensor": False}
    assert found.sensor.fault == "never-answered"
    assert found.sensor.answers == 0


def test_nothing_there_asks_for_a_hand_and_sees_it() -> None:
    settings = Settings()
    place = bench(settings, standing(Obstacle(shape="person", along_m=0.6, radius_m=0.1)))
    hidden = place.rig.world._obstacles
    place.rig.world._obstacles = ()
    answer = outcome(place, settings, hold=lambda: setattr(place.rig.world, "_obstacles", hidden))
    assert answer.good
    assert answer.sensor.echoes == 0
    assert answer.hand is not None
    assert answer.hand.median_m == pytest.approx(0.5 * 0.946, abs=0.03)
    assert "hears the hand at 0.4" in answer.sensor_said


def test_a_hand_that_is_held_and_not_heard_is_a_deaf_sensor() -> None:
    settings = Settings()
    place = bench(settings, FIELD)
    found = outcome(place, settings)
    assert any(HAND in question for question in place.questions)
    assert not found.good
    assert found.hand is not None
    assert "does not hear a hand" in found.sensor_said


@pytest.mark.parametrize("asks", [True, False])
def test_a_sensor_that_heard_nothing_and_was_shown_nothing_is_not_called_good(asks: bool) -> None:
    settings = Settings()
    found = outcome(bench(settings, FIELD), settings, noes=(HAND,), asks=asks)
    assert not found.sensor_good
    assert found.hand is None
    assert 'only "nothing there"' in found.sensor_said


@pytest.mark.parametrize("name", ["a02yyuw", "jsn-sr04t-serial", "maxbotix", "tf-luna", "us100"])
def test_serial_sensors_are_heard_out_and_missed_when_their_cable_is_out(name: str) -> None:
    settings = config.load(CONFIGS / f"{name}.toml")
    found = outcome(bench(settings), settings)
    assert found.good, found
    assert found.sensor.pings >= 3.0 / 0.3
    place = bench(settings)
    place.rig.twin.failure = Failure.OFF
    found = outcome(place, settings)
    assert not found.good
    assert found.sensor.fault == "never-answered"
    assert settings.sensor.port in found.sensor_said


# ------------------------------------------------------------------ the ways out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("organ", ["buzzer", "motor"])
def test_a_signal_in_mid_pulse_leaves_nothing_on_and_the_handlers_as_they_were(
    number: signal.Signals, organ: str
) -> None:
    settings = Settings()
    place = bench(settings)
    before = signal.getsignal(number)

    def interrupt(_: float, level: float) -> None:
        if level:
            os.kill(os.getpid(), number)

    place.board.line(getattr(settings, organ).pin).watch(interrupt)
    with pytest.raises(KeyboardInterrupt):
        outcome(place, settings)
    assert len([1 for _, level in place.changes[organ] if level]) == 1
    assert silent(place.board, settings)
    assert signal.getsignal(number) is before


def test_a_signal_while_the_pins_are_given_back_waits_until_they_are() -> None:
    settings = Settings()
    place = bench(settings)
    closed: list[str] = []
    close = type(place.board.line(settings.buzzer.pin)).close

    class Slow(type(place.board.line(settings.buzzer.pin))):  # type: ignore[misc]
        def close(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            close(self)
            closed.append(str(self))

    for pin in (settings.buzzer.pin, settings.motor.pin):
        place.board.line(pin).__class__ = Slow
    with pytest.raises(KeyboardInterrupt):
        outcome(place, settings)
    assert len(closed) == 2
    assert silent(place.board, settings)


def test_an_error_in_the_question_leaves_nothing_on() -> None:
    settings = Settings()
    place = bench(settings)

    def ask(question: str) -> bool:
        raise RuntimeError("the terminal is gone")

    rig = place.rig
    with pytest.raises(RuntimeError, match="the terminal is gone"):
        selftest.run(
            settings, place.clock, rig.board, rig.device_rng, rig.open_port, ask, place.said.append
        )
    assert silent(place.board, settings)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("buzzer.pin = 18: GPIO18 is held by rearguard (process 7); end that program", True),
        ('a program that calls itself "rearguard"; end that program', True),
        ('sensor.port = "/dev/serial0": held by rearguard (process 7); end it', True),
        ("buzzer.pin = 18: GPIO18 is held by pigpiod (process 7); end that program", False),
        ("no GPIO chip; elsewhere try rearguard simulate", False),
    ],
)
def test_a_line_that_the_service_holds_comes_with_how_to_stop_it(said: str, named: bool) -> None:
    with pytest.raises(HardwareError) as caught, selftest.naming_the_service():
        raise HardwareError(said)
    assert str(caught.value).startswith(said)
    assert (selftest.SERVICE in str(caught.value)) is named


# ------------------------------------------------------------------ the questions


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("no\n", False), ("", False)],
)
def test_an_answer_is_yes_or_no_and_no_at_the_end_of_input(
    typed: str, answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert selftest.asked("Did you hear the buzzer?") is answer
    captured = capsys.readouterr()
    nobody = "" if typed else "nobody answered\n"
    assert captured.err == f"Did you hear the buzzer? [y/n] {nobody}"
    assert captured.out == ""


def test_what_is_neither_yes_nor_no_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("perhaps\n\nn\n"))
    assert selftest.asked("Well?") is False
    assert sys.stdin.read() == ""


def test_nobody_is_asked_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert selftest.can_ask() is False
