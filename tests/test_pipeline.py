"""The pipeline: readings to commands at one instant, and the promises it makes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from device.core.alert import DeviceFault, State
from device.core.health import SensorFault
from device.core.pipeline import FIRST, Pipeline, Start, Step
from device.core.reading import Echo, Fault, Nothing, Pace, PingFault, Reading
from device.core.signals import Cue
from device.settings import Settings

PERIOD_S = 0.05

readings = st.lists(
    st.one_of(
        st.floats(0.02, 4.0).map(lambda d: ("echo", d)),
        st.floats(0.3, 0.6).map(lambda d: ("echo", d)),
        st.just(("echo", 0.45)),  # often enough in a row it is frozen
        st.just(("nothing", 0.0)),
        st.just(("fault", 0.0)),
        st.just(("none", 0.0)),
    ),
    max_size=150,
)


def build(kind: str, t_s: float, d: float) -> Reading | None:
    match kind:
        case "echo":
            return Echo(t_s, round(d, 4), round(d / 165.0, 6))
        case "nothing":
            return Nothing(t_s)
        case "fault":
            return Fault(t_s, PingFault.NEVER_ROSE)
        case _:
            return None


def key(step: Step) -> tuple[object, ...]:
    return (step.alert, step.command, step.cue, step.track)


@given(readings)
@settings(max_examples=200)
def test_extra_steps_change_nothing(kinds: list[tuple[str, float]]) -> None:
    """A run wakes more often than its journal has lines; the replay must not differ."""
    plain, busy = Pipeline(Settings()), Pipeline(Settings())
    for i, (kind, d) in enumerate(kinds, start=1):
        t_s = round(i * PERIOD_S, 6)
        for extra in (0.01, 0.023, 0.04):
            between_s = round(t_s - PERIOD_S + extra, 6)
            if between_s < busy.due_s:
                busy.step(between_s, None)
        reading = build(kind, t_s, d)
        assert key(plain.step(t_s, reading)) == key(busy.step(t_s, reading))


@given(readings)
@settings(max_examples=200)
def test_silence_is_never_clear(kinds: list[tuple[str, float]]) -> None:
    """Half a second after the last believable answer, CLEAR without a fault is not said."""
    pipeline = Pipeline(Settings())
    answered_s = 0.0
    for i, (kind, d) in enumerate(kinds, start=1):
        t_s = round(i * PERIOD_S, 6)
        step = pipeline.step(t_s, build(kind, t_s, d))
        if kind in ("echo", "nothing"):
            answered_s = t_s
        if t_s - answered_s >= 0.5:
            assert step.alert.fault is not None
            assert step.alert.state is not State.CLEAR
            assert step.cue in (Cue.FAULT, Cue.STOP)


def test_silence_is_judged_without_a_reading_and_again_while_it_lasts() -> None:
    pipeline = Pipeline(Settings())
    assert pipeline.step(0.0, None).alert.fault is None
    assert pipeline.due_s == 0.5
    for i in range(200):
        step = pipeline.step(pipeline.due_s, None)
        assert step.alert.fault is not None
        assert step.t_s < pipeline.due_s <= 0.5 + (i + 1) * 0.25


def test_a_slow_sensor_is_given_two_and_a_half_periods() -> None:
    pipeline = Pipeline(Settings(), Pace(period_s=0.4))
    step = pipeline.step(0.0, Nothing(0.0))
    while step.alert.fault is None:
        assert step.cue is Cue.SILENCE
        step = pipeline.step(pipeline.due_s, None)
    assert step.t_s == 1.0


def test_an_approach_goes_through_every_level_once() -> None:
    pipeline = Pipeline(Settings())
    states = []
    for i in range(1, 80):
        t_s = round(i * PERIOD_S, 6)
        states.append(pipeline.step(t_s, Echo(t_s, round(4.0 - t_s, 4))).alert.state)
    assert states == sorted(states)
    assert set(states) == {State.CLEAR, State.CAUTION, State.WARNING, State.DANGER, State.STOP}


def test_against_the_wall_then_unplugged_is_never_calm() -> None:
    pipeline = Pipeline(Settings())
    t_s = 0.0
    feed: list[tuple[str, float]] = [("echo", 0.3 + i % 2 * 0.001) for i in range(20)]
    feed += [("nothing", 0.0)] * 20
    feed += [("fault", 0.0)] * 40 + [("nothing", 0.0)] * 40
    for i, (kind, d) in enumerate(feed, start=1):
        t_s = round(i * PERIOD_S, 6)
        step = pipeline.step(t_s, build(kind, t_s, d))
        if i >= 10:  # at arm's length it must stay before it is believed
            assert step.alert.level == "stop"
            # A touch that is only remembered gives way to the fault: nobody sees it now.
            assert step.cue is (Cue.STOP if step.alert.fault is None else Cue.FAULT)
    assert step.alert.fault is None


def test_a_frozen_sensor_is_announced_and_what_it_said_last_is_not_forgotten() -> None:
    pipeline = Pipeline(Settings())
    for i in range(1, 40):
        t_s = round(i * PERIOD_S, 6)
        step = pipeline.step(t_s, Echo(t_s, 0.9, 0.0055))
    assert step.alert.fault is SensorFault.FROZEN
    assert step.cue is Cue.FAULT
    assert step.alert.state is State.DANGER


def test_silence_of_a_year_is_a_fault_and_is_judged_at_once() -> None:
    pipeline = Pipeline(Settings())
    for i in range(20):
        pipeline.step(i * PERIOD_S, build("echo", i * PERIOD_S, 2.0))
    for t_s in (3.2e7, 1e300):
        step = pipeline.step(t_s, None)
        assert step.alert.fault is not None
        assert step.alert.level != "clear"


def test_a_touch_that_nonsense_told_of_is_forgotten_with_it() -> None:
    """Else a part that spoke nonsense would leave the wearer at STOP in an open field."""
    rng = random.Random(1)
    touch = [0.05 + rng.gauss(0.0, 0.001) for _ in range(60)]
    nonsense = [rng.uniform(0.02, 4.0) for _ in range(60)]
    left = {}
    for name, then in (("touched", touch), ("nonsense", nonsense)):
        pipeline = Pipeline(Settings())
        faults: set[SensorFault | DeviceFault | None] = set()
        t_s = 0.0
        for distance_m in (*touch, *then):
            t_s = round(t_s + PERIOD_S, 6)
            faults.add(pipeline.step(t_s, build("echo", t_s, distance_m)).alert.fault)
        for _ in range(200):
            t_s = round(t_s + PERIOD_S, 6)
            last = pipeline.step(t_s, Nothing(t_s))
        left[name] = (SensorFault.GARBAGE in faults, last.alert.state)
    assert left == {"touched": (False, State.AGAINST), "nonsense": (True, State.CLEAR)}


def test_of_two_doubts_about_the_device_the_first_is_told_and_any_for_ten_seconds() -> None:
    doubt = FIRST.doubting(DeviceFault.OUTPUT)
    assert (doubt.fault, doubt.until_s, doubt.restarted) == (DeviceFault.OUTPUT, 10.0, False)
    crashed = Start(restarted=True, fault=DeviceFault.CRASH_LOOP)
    assert crashed.doubting(DeviceFault.SETTINGS) == crashed
