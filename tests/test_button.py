"""The button: contacts that bounce, one that is stuck, one that dies, and the two presses."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.button import BOUNCE_S, TWICE_S, Button, Press, Presses
from device.clock import VirtualClock
from device.core.pipeline import Step
from device.core.reading import Nothing, Reading
from device.core.signals import FAREWELL_S, Cue
from device.errors import HardwareError
from device.loop import Device, assemble
from device.outputs import Outputs
from device.pins.mock import MockBoard, MockPin
from device.sensors import Parts
from device.settings import ButtonSettings, Settings
from device.sim import scenario
from device.sim.rig import Rig

HOLD_S = 3.0
FITTED = Settings(button=ButtonSettings(enabled=True))
PIN = FITTED.button.pin
Edge = tuple[float, bool]
"""When, and whether the contact is closed from then on."""
Told = tuple[float, Press]


def told(edges: Sequence[Edge], until_s: float, looks: Sequence[float] = ()) -> list[Told]:
    """What comes of a contact that is up from 0 s on, looked at as the loop would.

    `looks`: instants at which something else wakes the loop.
    """
    presses, found, down = Presses(HOLD_S), list[Told](), False
    coming = sorted([(0.0, False), *edges])
    others = sorted(round(t, 6) for t in looks)
    while True:
        now_s = min([presses.due_s, until_s, *(t for t, _ in coming[:1]), *others[:1]])
        now_s = round(now_s, 6)
        if now_s >= round(until_s, 6):
            return found
        while coming and coming[0][0] <= now_s:
            down = coming.pop(0)[1]
        others = [t for t in others if t > now_s]
        if (press := presses.see(now_s, down)) is not None:
            found.append((now_s, press))
        assert presses.due_s > now_s, "a loop would look again at once"


# ------------------------------------------------------------------ bouncing

flicker = st.integers(1, round(BOUNCE_S * 1e6) - 10)
"""Microseconds for which a bouncing contact keeps a level."""
bounces = st.lists(st.tuples(flicker, flicker), max_size=12)


@st.composite
def pressed(
    draw: st.DrawFn, held: st.SearchStrategy[float]
) -> tuple[list[Edge], list[float], list[float]]:
    """(edges, when the contact last closed and opened) of up to four presses, `held` seconds each.

    Each begins and ends with bounces; `held` counts from where it has come to rest until the
    first of those with which it ends.
    """
    edges: list[Edge] = []
    closed: list[float] = []
    opened: list[float] = []
    t_us = 1_000_000

    def bounce(to: bool) -> None:
        nonlocal t_us
        edges.append((t_us / 1e6, to))
        for there, back in draw(bounces):
            edges.append(((t_us + there) / 1e6, not to))
            t_us += there + back
            edges.append((t_us / 1e6, to))

    for _ in range(draw(st.integers(1, 4))):
        bounce(to=True)
        closed.append(t_us / 1e6)
        t_us += round(draw(held) * 1e6)
        bounce(to=False)
        opened.append(t_us / 1e6)
        t_us += draw(st.integers(25_000, 2_000_000))
    return edges, closed, opened


def presses(closed: Sequence[float], opened: Sequence[float]) -> list[Press]:
    """What short presses come to: the second of two close ones is told as both."""
    found: list[Press] = []
    for i in range(len(closed)):
        pair = i > 0 and closed[i] - opened[i - 1] <= TWICE_S and found[-1] is Press.SHORT
        found.append(Press.TWICE if pair else Press.SHORT)
    return found


looks = st.lists(st.floats(0.0, 20.0), max_size=20)


@settings(deadline=None)
@given(pressed(st.floats(0.021, 2.4)), looks)
def test_however_it_bounces_a_press_is_one_press(
    press: tuple[list[Edge], list[float], list[float]], others: list[float]
) -> None:
    edges, closed, opened = press
    end_s = edges[-1][0] + 1.0
    assert [what for _, what in told(edges, end_s, others)] == presses(closed, opened)


def test_a_long_press_after_a_short_one_is_long_and_the_next_is_short_again() -> None:
    edges = [(1.0, True), (1.2, False), (1.4, True), (5.0, False), (5.2, True), (5.4, False)]
    assert [what for _, what in told(edges, 7.0)] == [Press.SHORT, Press.LONG, Press.SHORT]


@settings(deadline=None)
@given(pressed(st.floats(HOLD_S + 0.001, 8.0)), looks)
def test_a_long_press_is_told_once_and_while_it_is_held(
    press: tuple[list[Edge], list[float], list[float]], others: list[float]
) -> None:
    edges, closed, _ = press
    found = told(edges, edges[-1][0] + 1.0, others)
    assert [what for _, what in found] == [Press.LONG] * len(closed)
    assert [t_s for t_s, _ in found] == pytest.approx([t_s + HOLD_S for t_s in closed], abs=5e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(flicker, st.integers(1, 2_000_000)), max_size=40), looks)
def test_what_does_not_last_is_no_press(gaps: list[tuple[int, int]], others: list[float]) -> None:
    """A spark, a cable that is plucked: closed for less than 20 ms each time."""
    edges: list[Edge] = []
    t_us = 1_000_000
    for closed_us, open_us in gaps:
        edges += [(t_us / 1e6, True), ((t_us + closed_us) / 1e6, False)]
        t_us += closed_us + open_us
    assert told(edges, t_us / 1e6 + 1.0, others) == []


@settings(deadline=None)
@given(st.lists(st.floats(1.0, 12.0), max_size=30), looks, looks)
def test_looking_more_often_changes_nothing(
    times: list[float], few: list[float], many: list[float]
) -> None:
    edges = [(round(t, 6), i % 2 == 0) for i, t in enumerate(sorted(set(times)))]
    alone, watched = told(edges, 20.0, few), told(edges, 20.0, few + many)
    assert [what for _, what in alone] == [what for _, what in watched]
    assert [t for t, _ in alone] == pytest.approx([t for t, _ in watched], abs=3e-6)


@pytest.mark.parametrize(
    ("held_s", "found"),
    [
        (0.019, []),
        (0.021, [(1.041, Press.SHORT)]),
        (0.3, [(1.32, Press.SHORT)]),
        (2.97, [(3.99, Press.SHORT)]),
        (3.001, [(4.0, Press.LONG)]),
        (60.0, [(4.0, Press.LONG)]),
    ],
)
def test_a_press_is_short_until_it_is_long(held_s: float, found: list[Told]) -> None:
    assert told([(1.0, True), (1.0 + held_s, False)], 100.0) == [
        (pytest.approx(t_s, abs=2e-6), what) for t_s, what in found
    ]


def test_after_a_long_press_the_next_ones_count_again() -> None:
    edges = [(1.0, True), (5.0, False), (6.0, True), (6.2, False), (7.0, True), (11.0, False)]
    assert [what for _, what in told(edges, 20.0)] == [Press.LONG, Press.SHORT, Press.LONG]


def test_a_press_is_not_long_once_the_finger_has_gone() -> None:
    """A loop that comes late sees the button up: whoever let go did not mean to shut down."""
    presses = Presses(HOLD_S)
    for t_s, down in ((0.0, False), (0.02, False), (1.0, True), (1.02, True)):
        assert presses.see(t_s, down) is None
    assert presses.see(4.1, False) is not Press.LONG
    assert presses.see(4.12, False) is not Press.LONG


# ------------------------------------------------------------------ stuck at the start


@settings(deadline=None)
@given(st.floats(0.1, 1e6))
def test_a_button_that_is_down_at_the_start_says_nothing(for_s: float) -> None:
    presses = Presses(HOLD_S)
    for share in (0.0, 0.001, 0.5, 0.9, 1.0):
        assert presses.see(for_s * share, True) is None
        assert presses.due_s == math.inf


def test_a_button_that_was_stuck_counts_once_it_has_been_up() -> None:
    presses, found = Presses(HOLD_S), list[Told]()
    seen = ((0.0, True), (4.0, True), (9.0, False), (9.02, False), (9.5, True), (9.52, True))
    for t_s, down in (*seen, (9.8, False), (9.82, False)):
        if (press := presses.see(t_s, down)) is not None:
            found.append((t_s, press))
    assert found == [(9.82, Press.SHORT)]


# ------------------------------------------------------------------ the pin


class Bench:
    """A button on a mock board, and the loop's look at it at each edge and whenever it is due."""

    def __init__(self, settings: ButtonSettings = FITTED.button, *, down: bool = False) -> None:
        self.clock = VirtualClock()
        self.board = MockBoard(self.clock)
        self.line: MockPin = self.board.line(settings.pin)
        if down:
            self.line.drive(False)
        self.button = Button(self.board, settings, self.clock)
        self.found: list[Told] = []

    def until(self, end_s: float) -> None:
        """Poll as the loop does, four times a second at least."""
        while self.clock.now() < end_s:
            now_s = round(self.clock.now(), 6)
            if (press := self.button.poll(now_s)) is not None:
                self.found.append((now_s, press))
            assert self.button.due_s > now_s, "the loop would not sleep"
            self.clock.wait_until(min(self.button.due_s, now_s + 0.25, end_s))

    def press(self, at_s: float, for_s: float) -> None:
        self.clock.at(at_s, lambda: self.line.drive(False))
        self.clock.at(at_s + for_s, lambda: self.line.drive(True))


def test_pulled_up_and_left_alone_it_says_nothing() -> None:
    bench = Bench()
    bench.until(10.0)
    assert (bench.line.pull, bench.line.level) == ("up", 1.0)
    assert bench.found == []


@pytest.mark.parametrize("pin", [2, 3, 17, 27])
@pytest.mark.parametrize("for_s", [0.03, 0.1, 0.24])
def test_a_press_shorter_than_the_loops_sleep_is_heard(pin: int, for_s: float) -> None:
    bench = Bench(ButtonSettings(enabled=True, pin=pin))
    bench.press(1.001, for_s)
    bench.until(5.0)
    assert bench.found == [(pytest.approx(1.001 + for_s + BOUNCE_S, abs=2e-6), Press.SHORT)]


def test_a_long_press_is_told_while_the_finger_is_down() -> None:
    bench = Bench(ButtonSettings(enabled=True, hold_s=2.0))
    bench.press(1.0, 30.0)
    bench.until(2.99)
    assert bench.found == []
    bench.until(40.0)
    assert bench.found == [(3.0, Press.LONG)]


def test_stuck_at_the_start_it_says_nothing_and_lets_the_loop_sleep() -> None:
    bench = Bench(down=True)
    bench.until(30.0)
    assert bench.found == []


def test_without_an_edge_or_anything_due_the_pin_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop polls some fifty times a second, and reading a pin is a call to the kernel."""
    bench = Bench()
    bench.until(1.0)
    monkeypatch.setattr(bench.line, "_get_state", dies)
    for i in range(100):
        assert bench.button.poll(2.0 + i * 0.02) is None


def test_closed_it_gives_the_pin_back_and_hears_no_more() -> None:
    bench = Bench()
    bench.until(1.0)
    bench.button.close()
    assert bench.line.when_changed is None
    bench.button.close()


def dies(*_: Any) -> Any:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("what", ["pin", "input_with_pull", "when_changed"])
def test_a_pin_that_cannot_be_had_is_an_error_that_names_it(what: str) -> None:
    class Refuses:
        state = True
        bounce = edges = None
        closed = False

        def input_with_pull(self, _: str) -> None:
            if what == "input_with_pull":
                dies()

        @property
        def when_changed(self) -> None:
            return None

        @when_changed.setter
        def when_changed(self, _: Any) -> None:
            if what == "when_changed":
                dies()

        def close(self) -> None:
            self.closed = True

    class Board:
        def pin(self, _: str) -> Any:
            return dies() if what == "pin" else Refuses()

    with pytest.raises(HardwareError, match=r"^button\.pin = 22: .*choose another pin$"):
        Button(Board(), ButtonSettings(enabled=True, pin=22), VirtualClock())  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", ["when_changed", "close", "both"])
def test_closing_is_quiet_whatever_became_of_the_pin(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    if broken != "close":
        monkeypatch.setattr(bench.line, "_set_when_changed", dies)
    if broken != "when_changed":
        monkeypatch.setattr(bench.line, "close", dies)
    bench.button.close()


@pytest.mark.parametrize("held_s", [None, 0.01, 0.5])
def test_a_pin_that_dies_presses_nothing_and_lets_the_loop_sleep(
    held_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Untouched, in mid-bounce, or with the finger on it."""
    bench = Bench()
    if held_s is not None:
        bench.press(2.0 - held_s, 60.0)
    bench.until(2.0)
    monkeypatch.setattr(bench.line, "_get_state", dies)
    bench.clock.at(2.1, lambda: bench.button._on_edge(0, False))
    bench.until(20.0)
    assert bench.found == []


def test_a_pin_that_comes_back_to_life_counts_once_it_has_been_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    bench.press(1.0, 4.0)
    bench.press(6.0, 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(bench.line, "_get_state", dies)
        bench.until(2.0)
    bench.until(10.0)
    assert [what for _, what in bench.found] == [Press.SHORT]


# ------------------------------------------------------------------ in the loop


class Walked:
    """What became of a walk with a button."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.dismissed = False
        self.ended_s = 0.0
        self.outputs_at_end: tuple[float, ...] = ()


MOST_STEPS = 20_000


def walk(
    name: str,
    until_s: float,
    prepare: Callable[[Rig, VirtualClock], None],
    settings: Settings = FITTED,
) -> Walked:
    """A shipped scenario, unheeded, with `prepare` having booked what is done to the button."""
    clock, walked = VirtualClock(), Walked()
    rig = Rig(scenario.unheeded(scenario.load(name)), settings, 1, clock)
    prepare(rig, clock)

    def observe(step: Step) -> None:
        walked.steps.append(step)
        assert len(walked.steps) < MOST_STEPS, "the loop spins"

    with assemble(settings, clock, rig.board, rig.device_rng, rig.open_port) as device:
        device.run(device.ticker(until_s), observe)
        walked.dismissed = device.dismissed
    walked.ended_s = clock.now()
    pins = (settings.buzzer.pin, settings.motor.pin, settings.led.pin)
    walked.outputs_at_end = tuple(rig.board.line(pin).level for pin in pins)
    return walked


def press(at_s: float, for_s: float) -> Callable[[Rig, VirtualClock], None]:
    def book(rig: Rig, clock: VirtualClock) -> None:
        line = rig.board.line(PIN)
        clock.at(at_s, lambda: line.drive(False))
        clock.at(at_s + for_s, lambda: line.drive(True))

    return book


@pytest.mark.parametrize("name", ["wall@0.37", "open-field", "unplugged", "standing"])
def test_a_long_press_ends_the_walk_with_goodbye_and_low_outputs(name: str) -> None:
    """Whatever else is to be said by then: the wearer asked for the end."""
    walked = walk(name, 60.0, press(3.0, 20.0))
    before = [step for step in walked.steps if step.t_s < 6.0]
    after = [step for step in walked.steps if step.t_s >= 6.0]
    assert walked.dismissed
    assert walked.ended_s == pytest.approx(6.0 + FAREWELL_S, abs=1e-5)
    assert Cue.GOODBYE not in {step.cue for step in before}
    assert {step.cue for step in after} == {Cue.GOODBYE}
    assert (after[0].command.buzzer, after[0].command.motor) == (1, 1.0)
    assert (after[-1].command.buzzer, after[-1].command.motor) == (0, 0.0)
    assert walked.outputs_at_end == (0.0, 0.0, 0.0)


def test_goodbye_is_said_whole_before_the_end() -> None:
    for rhythm in (Cue.GOODBYE.value.buzzer, Cue.GOODBYE.value.motor):
        assert sum(on + off for on, off in rhythm.once) / 1000 < FAREWELL_S


def test_goodbye_is_heard_though_the_buzzer_was_mute() -> None:
    def book(rig: Rig, clock: VirtualClock) -> None:
        press(1.0, 0.2)(rig, clock)
        press(3.0, 20.0)(rig, clock)

    walked = walk("open-field", 60.0, book)
    assert any(step.muted_s for step in walked.steps)
    heard = [step for step in walked.steps if step.cue is Cue.GOODBYE and step.command.buzzer]
    assert heard[0].t_s == pytest.approx(6.0, abs=1e-5)
    assert heard[0].muted_s == 0.0


def test_a_press_during_goodbye_does_not_cut_it_short() -> None:
    def book(rig: Rig, clock: VirtualClock) -> None:
        press(3.0, 3.05)(rig, clock)
        press(6.1, 0.1)(rig, clock)

    walked = walk("open-field", 60.0, book)
    sounding = [step.t_s for step in walked.steps if step.t_s >= 6.0 and step.command.buzzer]
    silent = [step.t_s for step in walked.steps if step.t_s > 6.0 and not step.command.buzzer]
    assert sounding[0] == pytest.approx(6.0, abs=1e-5)
    assert silent[0] == pytest.approx(6.6, abs=1e-5)
    assert walked.ended_s == pytest.approx(6.0 + FAREWELL_S, abs=1e-5)


def test_a_second_long_press_does_not_put_off_the_end() -> None:
    settings = Settings(button=ButtonSettings(enabled=True, hold_s=1.0))

    class Twice:
        """A button of which two long presses come within the farewell."""

        due_s = math.inf
        told = iter([Press.LONG, None, Press.LONG])

        def poll(self, now_s: float) -> Press | None:
            return next(self.told, None) if now_s >= 1.0 else None

    clock = VirtualClock()
    rig = Rig(scenario.load("open-field"), settings, 1, clock)
    with assemble(settings, clock, rig.board, rig.device_rng, rig.open_port) as whole:
        whole._button = Twice()  # type: ignore[assignment]
        first: list[float] = []
        whole.run(
            whole.ticker(10.0),
            lambda step: first.append(step.t_s) if step.cue is Cue.GOODBYE else None,
        )
    assert clock.now() == pytest.approx(first[0] + FAREWELL_S, abs=1e-5)


@pytest.mark.parametrize("for_s", [0.05, 0.3, 2.9])
def test_a_shorter_press_does_not_end_the_walk(for_s: float) -> None:
    walked = walk("open-field", 10.0, press(3.0, for_s))
    assert not walked.dismissed
    assert walked.ended_s == 10.0
    assert any(step.muted_s for step in walked.steps)


def test_a_button_that_is_down_from_the_start_neither_mutes_nor_ends_the_walk() -> None:
    walked = walk("open-field", 20.0, press(0.0, 20.0))
    assert not walked.dismissed
    assert not any(step.muted_s for step in walked.steps)
    assert walked.ended_s == 20.0


def test_a_button_that_is_not_fitted_is_not_looked_at() -> None:
    settings = Settings()
    assert not settings.button.enabled
    walked = walk("open-field", 10.0, press(3.0, 5.0), settings)
    assert (walked.dismissed, walked.ended_s) == (False, 10.0)
    assert not any(step.muted_s for step in walked.steps)


@pytest.mark.parametrize("dies_s", [1.0, 2.01, 2.5])
def test_a_button_that_dies_does_not_end_the_walk_nor_spin_the_loop(dies_s: float) -> None:
    """Untouched, in mid-bounce, or with the finger on it: the wall is told of all the same."""

    def book(rig: Rig, clock: VirtualClock) -> None:
        press(2.0, 20.0)(rig, clock)
        line = rig.board.line(PIN)
        clock.at(dies_s, lambda: setattr(line, "_get_state", dies))

    def well(rig: Rig, clock: VirtualClock) -> None:
        del rig, clock

    walked, plain = walk("wall", 7.0, book), walk("wall", 7.0, well)
    assert not walked.dismissed
    assert walked.ended_s == 7.0
    judged = [(s.t_s, s.alert.state) for s in walked.steps if s.reading is not None]
    assert judged == [(s.t_s, s.alert.state) for s in plain.steps if s.reading is not None]
    assert len(walked.steps) < 1.2 * len(plain.steps)


def test_a_press_between_two_readings_of_a_slow_sensor_is_heard() -> None:
    """Down and up again while the loop would be asleep: the edges end its sleep."""

    class Slow:
        due_s = 0.0

        def poll(self, now_s: float) -> Reading | None:
            if now_s < self.due_s - 1e-6:
                return None
            self.due_s = round(now_s + 0.4, 6)
            return Nothing(now_s)

        def close(self) -> None:
            pass

    def open_sensor(_driver: str, _parts: Parts) -> Any:
        return Slow()

    clock = VirtualClock()
    board = MockBoard(clock)
    line = board.line(PIN)
    clock.at(1.05, lambda: line.drive(False))
    clock.at(1.09, lambda: line.drive(True))
    steps: list[Step] = []
    with assemble(FITTED, clock, board, random.Random(1), dies, open_sensor=open_sensor) as device:
        device.run(device.ticker(3.0), steps.append)
    muted = [step.t_s for step in steps if step.muted_s]
    assert muted[0] == pytest.approx(1.11, abs=1e-5)


def test_without_a_button_the_loop_is_due_as_sensor_and_pipeline_are() -> None:
    clock = VirtualClock()
    rig = Rig(scenario.load("open-field"), FITTED, 1, clock)
    with assemble(FITTED, clock, rig.board, rig.device_rng, rig.open_port) as device:
        bare = Device(clock, device.sensor, device._pipeline, device.outputs)
        assert isinstance(device.outputs, Outputs)
        assert bare._due_s() == min(device.sensor.due_s, device._pipeline.due_s)
        assert not bare.dismissed


def test_a_fitted_button_that_nobody_touches_changes_nothing() -> None:
    def nothing(rig: Rig, clock: VirtualClock) -> None:
        del rig, clock

    fitted = walk("wall", 7.0, nothing).steps
    bare = walk("wall", 7.0, nothing, Settings()).steps
    news = [
        [(s.t_s, s.alert, s.cue, s.command) for s in steps if s.reading is not None]
        for steps in (fitted, bare)
    ]
    assert news[0] == news[1]
    assert all(a.t_s < b.t_s for a, b in itertools.pairwise(fitted))
