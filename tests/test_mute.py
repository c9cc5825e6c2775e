"""The mute, the asides, the device's own faults, the lamp: what may be silent, and what not."""

import io
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import journal
from device.clock import VirtualClock
from device.core.alert import Alert, DeviceFault, State
from device.core.health import SensorFault
from device.core.pipeline import FIRST, REJUDGE_S, Pipeline, Start, Step
from device.core.reading import Nothing
from device.core.signals import (
    ASIDES_S,
    ENDS_MUTE,
    FRESH_S,
    Cue,
    Lamp,
    Player,
    choose,
)
from device.failures import Failure
from device.loop import assemble
from device.pins.mock import MockBoard
from device.settings import (
    AlertSettings,
    ButtonSettings,
    BuzzerSettings,
    LedSettings,
    MotorSettings,
    Settings,
)
from device.sim import replay, scenario
from device.sim.rig import Rig
from device.sim.scenario import Breakage, Leg, Obstacle, Scenario, Walker

ALERT = AlertSettings(hush_s=60.0)
"""Nobody stands long enough in these walks to be left alone."""
SETTINGS = Settings(button=ButtonSettings(enabled=True), alert=ALERT)
SHORT_MUTE = Settings(button=ButtonSettings(enabled=True, mute_s=10.0), alert=ALERT)
BLINKING = Settings(led=LedSettings(enabled=True))
PRESS_S = 0.2
HEARD_S = PRESS_S + 0.02
"""From the finger's going down to the press's being taken."""
STOPPED = SensorFault.STOPPED_ANSWERING
PERIOD_S = 0.05


def at_a_wall(along_m: float, speed_mps: float = 0.0, **more: Any) -> Scenario:
    """A walk at an even pace, without a bob, from `along_m` before a wall."""
    legs = (Leg(for_s=3600.0, speed_mps=speed_mps),)
    return Scenario(
        title="A wall",
        duration_s=3600.0,
        expect="any",
        walker=Walker(legs=legs, heeds=False, bob_m=0.0, sway_deg=0.0, nod_deg=0.0),
        obstacles=(Obstacle(shape="wall", along_m=along_m),),
        **more,
    )


OPEN = Scenario(title="An open field", duration_s=3600.0, expect="quiet")
CAUTION = at_a_wall(2.7, 0.2)
"""For some five seconds; it is closing, so the buzzer sounds each second."""
WARNING = at_a_wall(1.35)
TO_THE_WALL = at_a_wall(4.0, 0.5)
"""DANGER by and by, STOP, and the wall."""


class Walk:
    """A walk with presses of the button, whole: every step, and every change of the pins."""

    def __init__(
        self,
        world: Scenario,
        until_s: float,
        presses: Sequence[float] = (),
        settings: Settings = SETTINGS,
        start: Start = FIRST,
    ) -> None:
        clock = VirtualClock()
        rig = Rig(world, settings, 1, clock)
        self.settings = settings
        self.steps: list[Step] = []
        self.heard = changes(rig.board, settings.buzzer.pin)
        self.felt = changes(rig.board, settings.motor.pin)
        self.seen = changes(rig.board, settings.led.pin)
        line = rig.board.line(settings.button.pin)
        for at_s in presses:
            clock.at(at_s, lambda: line.drive(False))
            clock.at(at_s + PRESS_S, lambda: line.drive(True))
        stream = io.BytesIO()
        write = journal.Writer(stream, settings)

        def observe(step: Step) -> None:
            self.steps.append(step)
            write(step)

        with assemble(settings, clock, rig.board, rig.device_rng, rig.open_port, start) as device:
            device.run(device.ticker(until_s), observe)
        self.journal = stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.splitlines()[1:]]

    @property
    def judged(self) -> list[Step]:
        """The steps with a reading: they are at the same instants whatever is pressed."""
        return [step for step in self.steps if step.reading is not None]

    def between(self, start_s: float, end_s: float) -> list[Step]:
        return [step for step in self.steps if start_s <= step.t_s < end_s]

    def muted(self) -> list[tuple[float, float]]:
        """(from, to) of each mute, by its first step and the first after it."""
        return spans(self.steps, lambda step: step.muted_s > 0)

    def cues(self, start_s: float = 0.0, end_s: float = 1e9) -> list[Cue]:
        """Without repetitions."""
        return [cue for cue, _ in itertools.groupby(s.cue for s in self.between(start_s, end_s))]


def changes(board: MockBoard, pin: int) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    board.line(pin).watch(lambda t_s, level: found.append((round(t_s, 6), level)))
    return found


def spans(steps: Sequence[Step], true: Callable[[Step], bool]) -> list[tuple[float, float]]:
    found, since = [], None
    for step in steps:
        if true(step) and since is None:
            since = step.t_s
        elif not true(step) and since is not None:
            found.append((since, step.t_s))
            since = None
    return found if since is None else [*found, (since, steps[-1].t_s)]


def sounds(steps: Sequence[Step]) -> bool:
    return any(step.command.buzzer for step in steps)


def turns(steps: Sequence[Step]) -> bool:
    return any(step.command.motor for step in steps)


# ------------------------------------------------------------------ in a whole walk


@pytest.mark.parametrize(("world", "state"), [(CAUTION, State.CAUTION), (WARNING, State.WARNING)])
def test_a_mute_silences_the_buzzer_and_never_the_motor(world: Scenario, state: State) -> None:
    at_s = next(s.t_s for s in Walk(world, 30.0).steps if s.alert.state is state) + 0.5
    plain, muted = Walk(world, at_s + 3.5), Walk(world, at_s + 3.5, [at_s])
    since_s = at_s + HEARD_S
    assert {s.alert.state for s in muted.between(since_s, 1e9)} == {state}
    assert sounds(plain.between(since_s + 1e-4, 1e9))
    assert not sounds(muted.between(since_s, 1e9))
    assert not any(t_s > since_s and level for t_s, level in muted.heard)
    assert turns(muted.between(since_s, 1e9))
    assert muted.felt == [(pytest.approx(t_s, abs=2e-6), level) for t_s, level in plain.felt]


@pytest.mark.parametrize(
    "world", [CAUTION, WARNING, TO_THE_WALL], ids=["caution", "warning", "all"]
)
@pytest.mark.parametrize("presses", [[2.3], [2.3, 3.1], [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]], ids=len)
def test_levels_and_motor_are_the_same_with_and_without_a_mute(
    world: Scenario, presses: list[float]
) -> None:
    """From where the walk's first alert begins: before it what a press does is felt."""
    plain = Walk(world, 12.0)
    first_s = next(s.t_s for s in plain.steps if s.alert.state > State.CLEAR) + 0.5
    muted = Walk(world, 12.0, [first_s + at_s for at_s in presses])
    assert any(s.muted_s for s in muted.steps)
    key = [(s.t_s, s.reading, s.track, s.alert, s.cue, s.command.motor) for s in plain.judged]
    assert key == [
        (s.t_s, s.reading, s.track, s.alert, s.cue, s.command.motor) for s in muted.judged
    ]


def test_a_mute_ends_by_itself_and_the_alert_is_heard_again() -> None:
    walk = Walk(WARNING, 20.0, [3.0], SHORT_MUTE)
    assert walk.muted() == [
        (pytest.approx(3.0 + HEARD_S, abs=1e-5), pytest.approx(13.0 + HEARD_S, abs=1e-5))
    ]
    assert not sounds(walk.between(3.0 + HEARD_S, 13.0 + HEARD_S - 1e-5))
    assert sounds(walk.between(13.0 + HEARD_S, 13.0 + HEARD_S + 0.5))


def test_no_mute_lasts_longer_than_ten_minutes() -> None:
    assert SETTINGS.button.mute_s == 600.0
    walk = Walk(WARNING, 640.0, [5.0])
    ((since_s, to_s),) = walk.muted()
    assert since_s == pytest.approx(5.0 + HEARD_S, abs=1e-5)
    assert to_s - since_s == pytest.approx(600.0, abs=1e-5)
    assert max(step.muted_s for step in walk.steps) <= 600.0


def test_a_second_press_ends_the_mute_and_a_third_begins_a_new_one() -> None:
    walk = Walk(WARNING, 12.0, [3.0, 5.0, 7.0])
    begins, ends, again = (at_s + HEARD_S for at_s in (3.0, 5.0, 7.0))
    assert walk.muted() == [
        (pytest.approx(begins, abs=1e-5), pytest.approx(ends, abs=1e-5)),
        (pytest.approx(again, abs=1e-5), pytest.approx(12.0, abs=0.1)),
    ]
    assert sounds(walk.between(ends, again))
    assert max(step.muted_s for step in walk.between(again, 12.0)) == pytest.approx(600.0)


def test_danger_ends_the_mute_and_nothing_brings_it_back() -> None:
    plain = Walk(TO_THE_WALL, 20.0)
    danger_s = next(s.t_s for s in plain.steps if s.alert.state is State.DANGER)
    walk = Walk(TO_THE_WALL, 20.0, [danger_s - 1.5])
    assert walk.muted() == [(pytest.approx(danger_s - 1.5 + HEARD_S, abs=1e-5), danger_s)]
    at_danger = next(s for s in walk.steps if s.t_s == danger_s)
    assert at_danger.command.buzzer == 1
    later = [change for change in plain.heard if change[0] > danger_s + 1e-6]
    assert [change for change in walk.heard if change[0] > danger_s + 1e-6] == later


def test_a_sensors_fault_ends_the_mute() -> None:
    world = at_a_wall(1.35, breakages=(Breakage(at_s=5.0, failure=Failure.OFF),))
    walk = Walk(world, 12.0, [2.0])
    fault_s = next(s.t_s for s in walk.steps if s.alert.fault is not None)
    assert 5.0 < fault_s < 5.6
    assert [to_s for _, to_s in walk.muted()] == [fault_s]
    at_fault = next(s for s in walk.steps if s.t_s == fault_s)
    assert (at_fault.cue, at_fault.command.buzzer) == (Cue.FAULT, 1)


@pytest.mark.parametrize(
    ("world", "start"),
    [
        (at_a_wall(0.85), FIRST),
        (at_a_wall(0.5), FIRST),
        (at_a_wall(1.35, breakages=(Breakage(at_s=1.0, failure=Failure.OFF),)), FIRST),
        (OPEN, Start(fault=DeviceFault.CRASH_LOOP)),
        (OPEN, Start(fault=DeviceFault.SETTINGS, until_s=10.0)),
    ],
    ids=["danger", "stop", "fault", "crash-loop", "settings"],
)
def test_a_mute_is_refused_while_what_must_be_heard_sounds(world: Scenario, start: Start) -> None:
    plain, pressed = Walk(world, 8.0, start=start), Walk(world, 8.0, [3.0, 5.0], start=start)
    assert pressed.muted() == []
    assert sounds(pressed.between(3.0, 8.0))
    assert (pressed.heard, pressed.felt) == (plain.heard, plain.felt)


def test_a_new_walk_begins_without_a_mute() -> None:
    """As after a reload: another device on the same board."""
    clock = VirtualClock()
    rig = Rig(WARNING, SETTINGS, 1, clock)
    line = rig.board.line(SETTINGS.button.pin)
    clock.at(3.0, lambda: line.drive(False))
    clock.at(3.2, lambda: line.drive(True))
    steps: list[Step] = []
    for until_s in (6.0, 12.0):
        with assemble(SETTINGS, clock, rig.board, rig.device_rng, rig.open_port) as device:
            device.run(device.ticker(until_s), steps.append)
    assert {step.muted_s > 0 for step in steps if 3.3 < step.t_s < 6.0} == {True}
    assert {step.muted_s for step in steps if step.t_s >= 6.0} == {0.0}
    assert sounds([step for step in steps if step.t_s > 7.0])


def test_in_silence_a_press_is_felt_and_the_second_is_heard() -> None:
    walk = Walk(OPEN, 12.0, [3.0, 6.0])
    begun = [Cue.SILENCE, Cue.CHIRP, Cue.SILENCE]
    assert walk.cues() == [*begun, Cue.MUTED, Cue.SILENCE, Cue.UNMUTED, Cue.SILENCE]
    assert not sounds(walk.between(3.0, 6.0))
    assert turns(walk.between(3.2, 4.0))
    assert sounds(walk.between(6.2, 7.0))
    assert turns(walk.between(6.2, 7.0))


# ------------------------------------------------------------------ in the player


def player(led: bool = False, greeting: Cue = Cue.CHIRP) -> Player:
    return Player(BuzzerSettings(), MotorSettings(), led, greeting)


def silent(**more: Any) -> Player:
    """One whose greeting has been said."""
    p = player(**more)
    for i in range(40):
        p.step(i * PERIOD_S, Alert(proven=True))
    assert (p.cue, p.step(2.0, Alert(proven=True)).motor) == (Cue.SILENCE, 0.0)
    return p


ALERTS = [
    Alert(state, fault, closing, hushed, proven)
    for state in State
    for fault in (None, STOPPED, DeviceFault.CRASH_LOOP)
    for closing in (False, True)
    for hushed in (False, True)
    for proven in (False, True)
]


@pytest.mark.parametrize("alert", ALERTS, ids=str)
def test_each_alert_ends_a_mute_or_lets_it_be(alert: Alert) -> None:
    must_be_heard = alert.state >= State.DANGER or choose(alert) is Cue.FAULT
    p = silent()
    p.mute(2.01, 600.0)
    p.step(2.05, alert)
    assert (p.muted_s(2.05) == 0.0) == must_be_heard
    assert (choose(alert) in ENDS_MUTE) == must_be_heard


@pytest.mark.parametrize("alert", ALERTS, ids=str)
def test_each_alert_refuses_a_mute_or_takes_it(alert: Alert) -> None:
    must_be_heard = alert.state >= State.DANGER or choose(alert) is Cue.FAULT
    p, untouched = silent(), silent()
    for i in range(1, 200):
        now_s = round(2.0 + i * PERIOD_S, 6)
        if i == 10:
            p.mute(now_s, 600.0)
            assert (p.muted_s(now_s) == 0.0) == must_be_heard
        command, expected = p.step(now_s, alert), untouched.step(now_s, alert)
        if must_be_heard:
            assert command == expected
        elif i >= 10:
            assert (command.buzzer, command.tone_hz) == (0, 0)


def test_the_players_own_fault_ends_a_mute() -> None:
    p = silent()
    p.mute(2.01, 600.0)
    p.step(2.05, Alert(State.WARNING, proven=True))
    assert p.step(2.05 + FRESH_S, None).buzzer == 1
    assert (p.cue, p.muted_s(2.6)) == (Cue.FAULT, 0.0)


moments = st.lists(
    st.tuples(
        st.floats(0.01, 3.0),
        st.sampled_from(["press", "look"]),
        st.sampled_from([State.CLEAR, State.CAUTION, State.WARNING, State.DANGER, State.STOP]),
        st.sampled_from([None, None, None, STOPPED, DeviceFault.SETTINGS]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(deadline=None)
@given(moments)
def test_a_mute_touches_neither_the_motor_nor_what_must_be_heard(moments: list[Any]) -> None:
    """Whatever happens, and whenever one presses: two players, one of which is left alone."""
    pressed, alone = silent(led=True), silent(led=True)
    now_s, alert = 2.0, Alert(proven=True)
    for gap_s, what, state, fault, hushed in moments:
        for i in range(1, 21):
            now_s = round(now_s + gap_s / 20, 6)
            if i == 20 and what == "press":
                pressed.mute(now_s, 600.0)
            if i == 20 and what == "look":
                alert = Alert(state, fault, closing=True, hushed=hushed, proven=True)
            command, expected = pressed.step(now_s, alert), alone.step(now_s, alert)
            own = choose(alert) is not Cue.SILENCE
            if own:
                assert (command.motor, pressed.cue) == (expected.motor, alone.cue)
            if own and not pressed.muted_s(now_s):
                assert (command.buzzer, command.tone_hz) == (expected.buzzer, expected.tone_hz)
            if choose(alert) in ENDS_MUTE:
                assert command == expected
            if pressed.muted_s(now_s):
                assert command.buzzer == command.tone_hz == 0


# ------------------------------------------------------------------ asides


def test_an_aside_never_covers_an_alert_and_is_not_taken_up_again() -> None:
    for aside in (Cue.CHIRP, Cue.RESTARTED):
        p = player(greeting=aside)
        p.step(0.0, Alert(proven=True))
        assert p.cue is aside
        p.step(0.1, Alert(State.CAUTION, proven=True))
        assert p.cue is Cue.CAUTION
        p.step(0.2, Alert(proven=True))
        assert p.cue is Cue.SILENCE


@pytest.mark.parametrize("state", [State.CAUTION, State.WARNING, State.DANGER, State.STOP])
def test_what_a_press_did_is_told_at_once_or_not_at_all(state: State) -> None:
    """Something comes near between the press and the next reading; a minute later it is gone."""
    p = silent()
    p.mute(2.01, 600.0)
    p.step(2.01, None)
    for i in range(1, 1200):
        p.step(2.01 + i * PERIOD_S, Alert(state, closing=True, proven=True))
    p.step(62.05, Alert(proven=True))
    assert p.cue is Cue.SILENCE


def test_a_press_before_the_sensor_is_proven_does_not_take_the_greeting_away() -> None:
    """Some serial sensors prove themselves only by an echo, minutes after the start."""
    p = player(greeting=Cue.RESTARTED)
    said = []
    for i in range(100):
        if i == 10:
            p.mute(0.5, 600.0)
        p.step(i * PERIOD_S, Alert(proven=i >= 50))
        said.append(p.cue)
    assert Cue.RESTARTED in said
    assert Cue.MUTED not in said[50:]


@pytest.mark.parametrize("aside", ASIDES_S)
def test_an_aside_is_said_whole_and_then_silence(aside: Cue) -> None:
    for rhythm in (aside.value.buzzer, aside.value.motor):
        assert sum(on + off for on, off in rhythm.once) / 1000 <= ASIDES_S[aside]
        assert not rhythm.again


@pytest.mark.parametrize(
    ("cue", "buzzer", "motor"),
    [
        (Cue.RESTARTED, [120, 120, 120, 120, 120], [150, 110, 150, 110, 150]),
        (Cue.MUTED, [], [100, 100, 100]),
        (Cue.UNMUTED, [80], [100]),
        (Cue.GOODBYE, [600], [600]),
    ],
)
def test_the_cadence_of_what_the_device_says_of_itself(
    cue: Cue, buzzer: list[int], motor: list[int]
) -> None:
    for rhythm, expected in ((cue.value.buzzer, buzzer), (cue.value.motor, motor)):
        lengths = [ms for pulse in rhythm.once for ms in pulse]
        assert [ms for ms in lengths if ms] == expected


@pytest.mark.parametrize(
    ("start", "said"), [(FIRST, Cue.CHIRP), (Start(restarted=True), Cue.RESTARTED)]
)
def test_a_restart_is_told_in_place_of_the_chirp(start: Start, said: Cue) -> None:
    walk = Walk(OPEN, 10.0, start=start)
    assert walk.cues() == [Cue.SILENCE, said, Cue.SILENCE]
    pulses = [level for _, level in walk.heard if level]
    assert len(pulses) == len([on for on, _ in said.value.buzzer.once])
    (since_s, to_s), *_ = spans(walk.steps, lambda step: step.cue is said)
    assert to_s - since_s == pytest.approx(ASIDES_S[said], abs=0.05)


# ------------------------------------------------------------------ the device's own faults


def faults(walk: Walk) -> list[tuple[str | None, float]]:
    """(fault, since) at each change."""
    found: list[tuple[str | None, float]] = []
    for step in walk.steps:
        if not found or found[-1][0] != step.alert.fault:
            found.append((step.alert.fault, step.t_s))
    return found


def test_bad_settings_are_announced_for_ten_seconds_and_then_the_greeting() -> None:
    walk = Walk(OPEN, 20.0, start=Start(True, DeviceFault.SETTINGS, 10.0))
    (nothing, _), (fault, since_s), (after, until_s) = faults(walk)
    assert (nothing, fault, after) == (None, "settings", None)
    assert since_s < 0.2
    assert 10.0 <= until_s < 10.1
    assert walk.cues() == [Cue.SILENCE, Cue.FAULT, Cue.RESTARTED, Cue.SILENCE]
    assert len([level for t_s, level in walk.heard if level and t_s < 2.5]) == 3


def test_a_crash_loop_is_announced_for_ever() -> None:
    walk = Walk(OPEN, 600.0, start=Start(True, DeviceFault.CRASH_LOOP))
    assert [fault for fault, _ in faults(walk)] == [None, "crash-loop"]
    assert walk.cues() == [Cue.SILENCE, Cue.FAULT]
    pulses = [t_s for t_s, level in walk.felt if level == 1.0]
    assert max(b - a for a, b in itertools.pairwise(pulses)) < 6.1
    assert pulses[-1] > 590.0


def test_the_sensors_fault_has_its_own_name_while_it_stands() -> None:
    broken = (Breakage(at_s=4.0, failure=Failure.OFF), Breakage(at_s=7.0, failure=Failure.OK))
    world = at_a_wall(3.0, breakages=broken)
    walk = Walk(world, 20.0, start=Start(fault=DeviceFault.SETTINGS, until_s=15.0))
    names = [fault for fault, _ in faults(walk)]
    sensors_own = names[2]
    assert names == [None, "settings", sensors_own, "settings", None]
    assert isinstance(walk.between(5.0, 6.0)[0].alert.fault, SensorFault)
    assert set(walk.cues(0.5, 14.9)) == {Cue.FAULT}


def test_a_device_fault_changes_no_level() -> None:
    plain = Walk(TO_THE_WALL, 14.0)
    walk = Walk(TO_THE_WALL, 14.0, start=Start(fault=DeviceFault.CRASH_LOOP))
    assert [(s.t_s, s.alert.state, s.track) for s in walk.judged] == [
        (s.t_s, s.alert.state, s.track) for s in plain.judged
    ]


@pytest.mark.parametrize("fault", list(DeviceFault))
def test_what_urges_outshouts_a_device_fault_and_nothing_less_does(fault: DeviceFault) -> None:
    """The sensor is believed: who walks at a wall needs DANGER, and not a doubt of the device."""
    for state in State:
        for closing, hushed in ((True, False), (False, True)):
            plain = choose(Alert(state, closing=closing, hushed=hushed, proven=True))
            calm = plain in (Cue.SILENCE, Cue.CAUTION, Cue.CAUTION_CLOSING)
            doubted = choose(Alert(state, fault, closing, hushed, proven=True))
            assert doubted is (Cue.FAULT if calm else plain), state


def test_a_crash_loop_warns_of_a_wall_as_early_as_ever() -> None:
    plain = Walk(TO_THE_WALL, 14.0)
    walk = Walk(TO_THE_WALL, 14.0, start=Start(fault=DeviceFault.CRASH_LOOP))
    for cue in (Cue.WARNING, Cue.DANGER, Cue.STOP):
        first_s = [next(s.t_s for s in one.steps if s.cue is cue) for one in (plain, walk)]
        assert first_s[0] == first_s[1], cue


def test_touching_the_wall_is_stop_though_the_device_crashed_before() -> None:
    walk = Walk(TO_THE_WALL, 14.0, start=Start(fault=DeviceFault.CRASH_LOOP))
    stopped = [s for s in walk.steps if s.alert.level == "stop"]
    assert State.AGAINST in {s.alert.state for s in stopped}
    assert {s.cue for s in stopped} == {Cue.STOP}


def test_what_is_left_of_a_device_fault_is_not_put_off_by_silence() -> None:
    """It ends soon after its instant, although no reading comes then."""
    pipeline = Pipeline(Settings(), start=Start(fault=DeviceFault.SETTINGS, until_s=1.0))
    for i in range(1, 20):
        t_s = round(i * PERIOD_S, 6)
        assert pipeline.step(t_s, Nothing(t_s)).alert.fault is DeviceFault.SETTINGS
    while (step := pipeline.step(pipeline.due_s, None)).alert.fault is not None:
        assert step.t_s < 1.0 + REJUDGE_S
    assert step.t_s >= 1.0


# ------------------------------------------------------------------ the lamp


@pytest.mark.parametrize(
    ("alert", "lamp"),
    [
        (Alert(), Lamp.STARTING),
        (Alert(proven=True), Lamp.WATCHING),
        (Alert(State.CAUTION, proven=True), Lamp.NEAR),
        (Alert(State.WARNING, hushed=True, proven=True), Lamp.NEAR),
        (Alert(State.DANGER, proven=True), Lamp.NEAR),
        (Alert(State.STOP, proven=True), Lamp.NEAR),
        (Alert(State.AGAINST, proven=True), Lamp.NEAR),
        (Alert(State.CAUTION, STOPPED, proven=True), Lamp.FAULT),
        (Alert(State.CLEAR, SensorFault.NEVER_ANSWERED), Lamp.FAULT),
        (Alert(State.STOP, STOPPED, proven=True), Lamp.FAULT),
        (Alert(State.CLEAR, DeviceFault.CRASH_LOOP, proven=True), Lamp.FAULT),
    ],
    ids=str,
)
def test_each_condition_has_its_code(alert: Alert, lamp: Lamp) -> None:
    assert_blinks(player(led=True), alert, 0.0, lamp)


def test_a_mute_has_its_code_while_it_lasts() -> None:
    p = silent(led=True)
    p.mute(2.0, 600.0)
    p.step(2.0, Alert(proven=True))
    assert_blinks(p, Alert(proven=True), 2.0, Lamp.MUTED)
    p.mute(10.0, 600.0)
    p.step(10.0, Alert(proven=True))
    assert_blinks(p, Alert(proven=True), 10.0, Lamp.WATCHING)


def test_the_codes_are_told_apart_by_their_first_two_seconds() -> None:
    assert expected(Lamp.STARTING) == [100, 100] * 10
    assert expected(Lamp.WATCHING) == [50, 1950] * 2
    assert expected(Lamp.MUTED) == [50, 200, 50, 1700] * 2
    assert expected(Lamp.NEAR) == []
    assert expected(Lamp.FAULT) == [500, 500] * 4


def expected(lamp: Lamp) -> list[int]:
    """Milliseconds on, off, on and so on, for at least two seconds; nothing: it stays on."""
    if not all(off for _, off in lamp.value.again):
        return []
    once = [ms for pulse in lamp.value.again for ms in pulse]
    return once * {Lamp.STARTING: 10, Lamp.FAULT: 4}.get(lamp, 2)


def assert_blinks(p: Player, alert: Alert, start_s: float, lamp: Lamp) -> None:
    """Fed like this, and asked whenever it is due, as the loop does, it shows `lamp`."""
    seen: list[tuple[float, int]] = []
    t_s, fresh_s = start_s, start_s
    while t_s < start_s + 6.0:
        fresh = t_s >= fresh_s
        led = p.step(t_s, alert if fresh else None).led
        if fresh:
            fresh_s = round(t_s + 0.05, 6)
        if not seen or seen[-1][1] != led:
            seen.append((t_s, led))
        t_s = max(min(p.due_s, fresh_s), round(t_s + 1e-6, 6))
    assert seen[0][1] == 1
    lengths = [round((b - a) * 1000) for (a, _), (b, _) in itertools.pairwise(seen)]
    code = expected(lamp)
    assert (lengths[: len(code)] if code else lengths) == code


def test_without_a_lamp_nothing_is_lit() -> None:
    walk = Walk(TO_THE_WALL, 14.0)
    assert not any(step.command.led for step in walk.steps)
    assert walk.seen == []


def test_on_the_board_the_lamp_says_how_the_walk_goes() -> None:
    broken = (Breakage(at_s=6.0, failure=Failure.OFF),)
    settings = Settings(led=LedSettings(enabled=True, pin=25))
    walk = Walk(at_a_wall(4.9, 0.5, breakages=broken), 10.0, settings=settings)
    near_s = next(s.t_s for s in walk.steps if s.alert.state > State.CLEAR)
    fault_s = next(s.t_s for s in walk.steps if s.alert.fault is not None)
    proven_s = next(s.t_s for s in walk.steps if s.alert.proven)
    ons = [t_s for t_s, level in walk.seen if level]
    watching = [t_s for t_s in ons if proven_s <= t_s < near_s]
    assert watching == pytest.approx(
        [proven_s + 2.0 * i for i in range(1, len(watching) + 1)], abs=1e-4
    )
    assert len(watching) >= 2
    assert [c for c in walk.seen if near_s + 1e-6 < c[0] < fault_s] == []
    failing = [t_s for t_s, _ in walk.seen if fault_s < t_s < fault_s + 3.2]
    assert failing == pytest.approx([fault_s + 0.5 * i for i in range(1, 7)], abs=1e-4)


@pytest.mark.parametrize("name", ["wall", "unplugged", "open-field", "rain", "standing"])
def test_a_lamp_adds_no_line_to_a_journal_and_changes_none(name: str) -> None:
    world = scenario.unheeded(scenario.load(name))
    dark, lit = Walk(world, 20.0, settings=Settings()), Walk(world, 20.0, settings=BLINKING)
    assert lit.seen
    assert lit.journal.splitlines()[1:] == dark.journal.splitlines()[1:]


def test_the_lamp_is_out_at_the_end_of_a_walk() -> None:
    assert Walk(WARNING, 5.0, settings=BLINKING).seen[-1][1] == 0.0


# ------------------------------------------------------------------ the journal


def test_a_line_has_muted_only_while_it_is_true() -> None:
    walk = Walk(WARNING, 12.0, [3.0, 7.0])
    begins_s, ends_s = 3.0 + HEARD_S, 7.0 + HEARD_S
    for line in walk.lines:
        if begins_s <= line["t_s"] < ends_s - 1e-6:
            assert line["muted"] is True
            assert line["buzzer"] == 0
        elif not ends_s - 1e-6 <= line["t_s"] <= ends_s + 1e-6:
            assert "muted" not in line
    assert sum("muted" in line for line in walk.lines) > 50


@pytest.mark.parametrize("name", ["wall", "unplugged", "follower", "rain"])
def test_the_journal_of_a_muted_walk_replays_to_the_same_levels(name: str, tmp_path: Path) -> None:
    walk = Walk(scenario.unheeded(scenario.load(name)), 20.0, [0.6, 1.6, 2.2, 8.0])
    path = tmp_path / "muted.jsonl"
    path.write_bytes(walk.journal)
    assert any("muted" in line for line in walk.lines)
    recording = journal.read(path, Settings())
    again = list(replay.steps(recording, recording.settings or Settings()))
    assert [s.alert.level for s in again] == [line["level"] for line in walk.lines]
    assert [s.alert.fault for s in again] == [line["fault"] for line in walk.lines]


def test_the_journal_of_a_walk_with_a_device_fault_replays_to_the_same_levels(
    tmp_path: Path,
) -> None:
    walk = Walk(TO_THE_WALL, 14.0, start=Start(fault=DeviceFault.SETTINGS, until_s=5.0))
    path = tmp_path / "faulty.jsonl"
    path.write_bytes(walk.journal)
    assert "settings" in {line["fault"] for line in walk.lines}
    recording = journal.read(path, Settings())
    again = list(replay.steps(recording, recording.settings or Settings()))
    assert recording.levels == [s.alert.level for s in again]
