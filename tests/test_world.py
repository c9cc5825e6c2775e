"""The simulated world: a walker who moves by formula, obstacles that answer by geometry."""

import itertools
import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.clock import VirtualClock
from device.core.signals import Cue, Rhythm
from device.failures import Failure
from device.profiles import HEEL_LEAD_M
from device.settings import AlertSettings, Settings
from device.sim import obstacles
from device.sim.obstacles import WALL_LOSS, Ear, echo, gap_m
from device.sim.rig import STRIDE_CHECK_S, Rig
from device.sim.scenario import (
    Air,
    Breakage,
    Ground,
    Leg,
    Obstacle,
    Phantom,
    Scenario,
    Stall,
)
from device.sim.scenario import Walker as Manner
from device.sim.walker import Stretch, Walker
from device.sim.world import CROSSTALK_FAR_M, CROSSTALK_NEAR_M, HALF_WIDTH_M, World, active

STEADY = {"bob_m": 0.0, "sway_deg": 0.0}
"""A walker without gait, so that geometry can be exact."""
STILL_AIR = Air(noise_m=0.0, loss=0.0)
BEAM_DEG = 15.0
EAR = Ear(BEAM_DEG)


def manner(*legs: tuple[float, float], turn_dps: float = 0.0, **more: object) -> Manner:
    walked = tuple(Leg(for_s=s, speed_mps=v, turn_dps=turn_dps) for s, v in legs)
    return Manner(legs=walked, **(STEADY | more))


def walker(*legs: tuple[float, float], clock: VirtualClock | None = None, **more: object) -> Walker:
    return Walker(manner(*legs, **more), (clock or VirtualClock()).at)


def world(
    *obstacle: Obstacle,
    legs: tuple[tuple[float, float], ...] = (),
    air: Air = STILL_AIR,
    seed: int = 1,
    **more: object,
) -> World:
    scenario = Scenario(
        title="test",
        duration_s=60.0,
        expect="any",
        walker=manner(*legs, **more),
        obstacles=obstacle,
        air=air,
    )
    return World(scenario, random.Random(seed), VirtualClock().at, EAR)


def wall(along_m: float = 2.0, angle_deg: float = 0.0, **more: float) -> Obstacle:
    return Obstacle(shape="wall", along_m=along_m, angle_deg=angle_deg, **more)


def pole(along_m: float = 2.0, across_m: float = 0.0, **more: float) -> Obstacle:
    return Obstacle(shape="pole", along_m=along_m, across_m=across_m, **more)


# ---------------------------------------------------------------- how the walker moves


def test_each_leg_is_walked_at_its_speed_for_its_time_and_then_the_walker_stands() -> None:
    one = walker((2.0, 1.0), (1.0, 0.0), (4.0, -0.5))
    assert one.place(0.0) == (0.0, 1.0)
    assert one.place(1.0) == pytest.approx((1.0, 1.0))
    assert one.place(2.5) == pytest.approx((2.0, 0.0))
    assert one.place(5.0) == pytest.approx((1.0, -0.5))
    assert one.place(7.0) == pytest.approx((0.0, 0.0))
    assert one.place(1000.0) == pytest.approx((0.0, 0.0))


def test_a_walker_without_legs_stands() -> None:
    assert walker().place(0.0) == walker().place(50.0) == (0.0, 0.0)


def test_a_leg_of_no_time_changes_nothing() -> None:
    assert walker((1.0, 1.0), (0.0, 3.0), (1.0, 1.0)).place(2.0) == pytest.approx((2.0, 0.0))


def test_a_stretch_is_the_integral_of_its_speed() -> None:
    stretch = Stretch(t_s=2.0, x_m=1.0, speed_mps=1.0, accel_mps2=-2.5)
    assert stretch.at(2.0) == (1.0, 1.0)
    assert stretch.at(2.4) == pytest.approx((1.0 + 0.4 - 2.5 * 0.4**2 / 2, 0.0))


def test_turning_adds_up_over_the_legs() -> None:
    one = walker((1.0, 1.0), (1.0, 0.0), turn_dps=30.0)
    assert one.sensor(0.5)[1] == pytest.approx(15.0)
    assert one.sensor(1.5)[1] == pytest.approx(45.0)
    assert one.sensor(9.0)[1] == pytest.approx(60.0)


def test_gait_bobs_and_sways_the_sensor_while_walking_and_not_while_standing() -> None:
    one = walker((10.0, 1.0), bob_m=0.02, bob_hz=1.8, sway_deg=4.0, sway_hz=0.9)
    times = [i / 100 for i in range(1000)]
    bobs = [one.sensor(t)[0] - one.place(t)[0] for t in times]
    sways = [one.sensor(t)[1] for t in times]
    assert max(bobs) == pytest.approx(0.02, rel=0.01)
    assert min(bobs) == pytest.approx(-0.02, rel=0.01)
    assert max(sways) == pytest.approx(4.0, rel=0.01)
    assert min(sways) == pytest.approx(-4.0, rel=0.01)
    assert sum(later >= 0 > sooner for sooner, later in itertools.pairwise(bobs)) in (17, 18)
    assert one.sensor(11.0) == (one.place(11.0)[0], 0.0)


def test_a_quarter_of_a_stride_into_a_walk_the_gait_is_half_a_step_on() -> None:
    gait = {"bob_m": 0.02, "bob_hz": 2.0, "sway_deg": 4.0, "sway_hz": 1.0, "nod_deg": 2.0}
    plain, later = walker((60.0, 0.5), **gait), walker((60.0, 0.5), phase=0.25, **gait)
    for t in (0.1, 0.3, 1.7):
        assert later.sensor(t)[0] - later.place(t)[0] == pytest.approx(
            plain.sensor(t + 0.25)[0] - plain.place(t + 0.25)[0]
        )
        assert later.nod_deg(t) == pytest.approx(plain.nod_deg(t + 0.25))
        assert later.sensor(t)[1] == pytest.approx(plain.sensor(t + 0.25)[1])


def test_the_trunk_nods_while_walking_and_not_while_standing() -> None:
    one = walker((10.0, 1.0), nod_deg=2.0, bob_hz=1.8)
    nods = [one.nod_deg(i / 100) for i in range(1000)]
    assert max(nods) == pytest.approx(2.0, rel=0.01)
    assert min(nods) == pytest.approx(-2.0, rel=0.01)
    assert one.nod_deg(11.0) == 0.0


def test_a_heading_is_the_walkers_own_without_the_sway() -> None:
    one = walker((1.0, 1.0), turn_dps=30.0, sway_deg=8.0)
    assert one.heading_deg(0.5) == pytest.approx(15.0)
    assert one.heading_deg(5.0) == pytest.approx(30.0)


def test_a_walker_whose_reaction_is_not_said_has_none() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock, braking_mps2=2.5)
    brakes(clock, one, at_s=0.0)
    clock.wait_until(3.0)
    assert one.place(3.0) == pytest.approx((0.4 + 0.2, 0.0))


def brakes(clock: VirtualClock, one: Walker, at_s: float) -> None:
    """A pulse that does not end begins at `at_s`."""
    clock.at(at_s, lambda: one.feel("motor", clock.now(), 1.0))


def test_a_warned_walker_brakes_after_the_reaction_time_and_not_before() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.2), clock=clock, reaction_s=0.6, braking_mps2=2.0)
    brakes(clock, one, at_s=1.0)
    clock.wait_until(5.0)
    assert one.warned_s == pytest.approx(1.4)  # felt as one that does not end after 0.4 s
    assert one.place(2.0) == pytest.approx((2.4, 1.2))
    assert one.place(2.3) == pytest.approx((2.4 + 1.2 * 0.3 - 0.3**2, 0.6))
    assert one.place(2.6) == pytest.approx((2.4 + 1.2**2 / 4.0, 0.0))
    assert one.place(100.0) == one.place(2.6)


def test_a_walker_who_does_not_heed_walks_on() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock, heeds=False)
    brakes(clock, one, at_s=1.0)
    clock.wait_until(10.0)
    assert one.warned_s is not None
    assert one.place(10.0) == pytest.approx((10.0, 1.0))


def test_a_warned_walker_who_walks_forward_stops_too_and_does_not_come_back() -> None:
    clock = VirtualClock()
    one = walker((60.0, -1.0), clock=clock, reaction_s=0.5, braking_mps2=2.5)
    brakes(clock, one, at_s=0.0)
    clock.wait_until(3.0)
    assert one.place(3.0) == pytest.approx((-0.9 - 0.2, 0.0))


def test_a_walker_who_is_standing_when_the_warning_is_heeded_stays_standing() -> None:
    clock = VirtualClock()
    one = walker((1.0, 0.0), (60.0, 1.0), clock=clock, reaction_s=0.1)
    brakes(clock, one, at_s=0.0)
    clock.wait_until(5.0)
    assert one.place(5.0) == (0.0, 0.0)


def test_a_walker_brakes_once() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock, reaction_s=0.2, braking_mps2=2.5)
    brakes(clock, one, at_s=0.0)
    for i in range(1, 20):
        clock.at(i * 0.5, lambda: one.feel("motor", clock.now(), 0.0))
        clock.at(i * 0.5 + 0.1, lambda: one.feel("motor", clock.now(), 1.0))
    clock.wait_until(12.0)
    assert one.warned_s == pytest.approx(0.4)
    assert one.place(12.0) == pytest.approx((0.6 + 0.2, 0.0))


def test_running_into_something_stops_the_walker_even_while_braking() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock, reaction_s=0.0)
    brakes(clock, one, at_s=0.0)
    clock.wait_until(0.5)
    one.stop(0.5)
    clock.wait_until(5.0)
    assert one.place(5.0)[1] == 0.0
    assert one.place(5.0)[0] == one.place(0.5)[0]


speeds = st.floats(-3.0, 3.0, allow_subnormal=False)
legs_drawn = st.lists(st.tuples(st.floats(0.0, 5.0), speeds), max_size=6)


@given(
    legs=legs_drawn,
    warned_s=st.one_of(st.none(), st.floats(0.0, 20.0)),
    reaction_s=st.floats(0.0, 2.0),
    braking_mps2=st.floats(0.5, 20.0),
)
def test_the_walkers_place_is_continuous_and_no_faster_than_the_legs(
    legs: list[tuple[float, float]],
    warned_s: float | None,
    reaction_s: float,
    braking_mps2: float,
) -> None:
    clock = VirtualClock()
    one = walker(*legs, clock=clock, reaction_s=reaction_s, braking_mps2=braking_mps2)
    if warned_s is not None:
        brakes(clock, one, warned_s)
    clock.wait_until(40.0)
    fastest = max((abs(v) for _, v in legs), default=0.0)
    joints = {0.0, *itertools.accumulate(s for s, _ in legs)} | {s.t_s for s in one._stretches}
    for t in joints:
        before, after = one.place(max(0.0, t - 1e-7)), one.place(t + 1e-7)
        assert abs(after[0] - before[0]) <= fastest * 2e-7 + 1e-9
        assert abs(after[1]) <= fastest + 1e-9
    assert one.place(60.0)[1] == 0.0


# ---------------------------------------------------------------- what the walker feels


def play(one: Walker, clock: VirtualClock, organs: dict[str, Rhythm], for_s: float) -> None:
    """Rhythms as the outputs give them to the walker: the buzzer's pin is written first."""
    level = dict.fromkeys(organs, 0.0)
    t = 0.0
    while t < for_s:
        clock.wait_until(t)
        next_s = for_s
        for organ, rhythm in organs.items():
            on_for_s, until_s = rhythm.at(t)
            now_on = 0.0 if on_for_s is None else 1.0
            if now_on != level[organ]:
                level[organ] = now_on
                one.feel(organ, t, now_on)
            next_s = min(next_s, t + until_s)
        t = max(next_s, t + 1e-6)
    clock.wait_until(for_s)


FITTED = {"both": ("buzzer", "motor"), "buzzer": ("buzzer",), "motor": ("motor",)}


def felt(cue: Cue, fitted: str, for_s: float = 12.0) -> Walker:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    rhythms = {"buzzer": cue.value.buzzer, "motor": cue.value.motor}
    play(one, clock, {organ: rhythms[organ] for organ in FITTED[fitted]}, for_s)
    return one


WALKS_OWN = [
    Cue.MARK,
    Cue.DONE,
    Cue.ENOUGH,
    Cue.FORWARD,
    Cue.BACKWARD,
    Cue.SLOWER,
    Cue.REST,
]
CALM = [Cue.SILENCE, Cue.CHIRP, Cue.CAUTION, Cue.CAUTION_CLOSING, Cue.DANGER_HUSHED, *WALKS_OWN]


@pytest.mark.parametrize("fitted", FITTED)
@pytest.mark.parametrize("cue", CALM)
def test_a_calm_rhythm_is_not_urgent(cue: Cue, fitted: str) -> None:
    assert felt(cue, fitted).warned_s is None


@pytest.mark.parametrize("fitted", FITTED)
@pytest.mark.parametrize(
    ("cue", "within_s"),
    [(Cue.WARNING, 0.81), (Cue.DANGER, 0.45), (Cue.STOP, 0.41), (Cue.FAULT, 0.41)],
)
def test_an_urgent_rhythm_is_felt_and_soon(cue: Cue, within_s: float, fitted: str) -> None:
    warned_s = felt(cue, fitted).warned_s
    assert warned_s is not None
    assert 0.25 <= warned_s <= within_s


def test_the_later_part_of_the_fault_signal_is_urgent_too() -> None:
    """A walker who starts to listen when only the reminder is left."""
    signal = Cue.FAULT.value
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    reminder = {
        "buzzer": Rhythm(again=signal.buzzer.again),
        "motor": Rhythm(again=signal.motor.again),
    }
    play(one, clock, reminder, 6.0)
    assert one.warned_s is not None


def pulses(one: Walker, clock: VirtualClock, *starts_s: float, on_s: float = 0.1) -> None:
    for start_s in starts_s:
        clock.at(start_s, lambda: one.feel("motor", clock.now(), 0.8))
        clock.at(start_s + on_s, lambda: one.feel("motor", clock.now(), 0.0))
    clock.wait_until(starts_s[-1] + 5.0)


@pytest.mark.parametrize(
    ("starts_s", "warned_s"),
    [
        ((0.0, 0.5, 1.0), 1.0),
        ((0.0, 0.5, 1.001), None),
        ((0.0, 0.2), None),
        ((0.0, 2.0, 2.4, 2.8), 2.8),
        ((0.0, 0.9, 1.8, 2.7), None),
    ],
)
def test_three_pulses_within_a_second_are_urgent(
    starts_s: tuple[float, ...], warned_s: float | None
) -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    pulses(one, clock, *starts_s)
    assert one.warned_s == warned_s


@pytest.mark.parametrize(("on_s", "urgent"), [(0.399, False), (0.401, True)])
def test_a_pulse_that_does_not_end_is_urgent(on_s: float, urgent: bool) -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    pulses(one, clock, 1.0, on_s=on_s)
    assert (one.warned_s is not None) is urgent
    assert one.warned_s in (None, 1.4)


def test_two_short_pulses_are_not_one_long_one() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    pulses(one, clock, 0.0, 0.35, on_s=0.3)
    assert one.warned_s is None


def test_a_change_of_strength_is_not_a_new_pulse() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    for t, level in ((0.0, 1.0), (0.06, 0.8), (0.1, 0.9), (0.15, 0.8), (0.2, 0.0)):
        clock.wait_until(t)
        one.feel("motor", t, level)
    clock.wait_until(2.0)
    assert one.warned_s is None


def test_buzzer_and_motor_together_are_one_pulse() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock)
    for t in (0.0, 0.5):
        clock.wait_until(t)
        one.feel("buzzer", t, 1.0)
        one.feel("motor", t, 1.0)
        clock.wait_until(t + 0.1)
        one.feel("buzzer", t + 0.1, 0.0)
        one.feel("motor", t + 0.1, 0.0)
    clock.wait_until(3.0)
    assert one.warned_s is None


def test_the_first_warning_is_the_one_that_counts() -> None:
    clock = VirtualClock()
    one = walker((60.0, 1.0), clock=clock, heeds=False)
    pulses(one, clock, 1.0, 1.2, 1.4, 5.0, 5.2, 5.4)
    assert one.warned_s == 1.4


# ---------------------------------------------------------------- who follows the walk's cues


PRACTISED = {"follows_cues": True, "forward_mps": 1.2, "reaction_s": 0.5}
UNDERSTOOD_S = 2.0
"""A cue, the silence after it and the reaction take no longer."""


def told(
    *cues: tuple[float, Cue], fitted: str = "both", until_s: float = 60.0, **more: object
) -> Walker:
    """A practised walker, going backward at 0.8 m/s, who feels each cue at its time."""
    clock = VirtualClock()
    one = walker((2.0, 0.5), (600.0, 0.8), clock=clock, **(PRACTISED | more))
    for begin_s, cue in cues:
        organs = {"buzzer": cue.value.buzzer, "motor": cue.value.motor}
        for organ in FITTED[fitted]:
            feels(clock, one, organ, begin_s, organs[organ])
    clock.wait_until(until_s)
    return one


def feels(clock: VirtualClock, one: Walker, organ: str, begin_s: float, rhythm: Rhythm) -> None:
    t = begin_s
    for on_ms, off_ms in rhythm.once:
        for at_s, level in ((t, 0.8), (t + on_ms / 1000, 0.0)):
            clock.at(at_s, lambda level=level: one.feel(organ, clock.now(), level))  # type: ignore[misc]
        t += (on_ms + off_ms) / 1000


@pytest.mark.parametrize("fitted", FITTED)
def test_who_follows_cues_turns_when_told_to_and_back(fitted: str) -> None:
    one = told((10.0, Cue.FORWARD), (30.0, Cue.BACKWARD), fitted=fitted)
    assert one.place(10.5)[1] == 0.8
    assert one.place(10.0 + UNDERSTOOD_S + 2.0)[1] == pytest.approx(-1.2)
    assert one.place(30.5)[1] == pytest.approx(-1.2)
    assert one.place(30.0 + UNDERSTOOD_S + 2.0)[1] == pytest.approx(0.8)
    assert one.warned_s is None


def test_turning_takes_a_moment_and_no_jump() -> None:
    one = told((10.0, Cue.FORWARD))
    places = [one.place(10.0 + i / 100) for i in range(600)]
    for (x0, v0), (x1, v1) in itertools.pairwise(places):
        assert abs(v1 - v0) <= 0.01 + 1e-9
        assert x1 - x0 == pytest.approx((v0 + v1) / 200, abs=1e-4)
    slowing_s = [10.0 + i / 100 for i, (_, v) in enumerate(places) if -1.2 < v < 0.8]
    assert slowing_s[-1] - slowing_s[0] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("fitted", FITTED)
def test_slower_is_a_fifth_slower_each_time_also_after_a_turn(fitted: str) -> None:
    assert told((10.0, Cue.SLOWER), fitted=fitted).place(20.0)[1] == pytest.approx(0.64)
    twice = told((10.0, Cue.SLOWER), (20.0, Cue.SLOWER), fitted=fitted)
    assert twice.place(30.0)[1] == pytest.approx(0.512)
    forward = told((10.0, Cue.FORWARD), (20.0, Cue.SLOWER), (30.0, Cue.BACKWARD), fitted=fitted)
    assert forward.place(28.0)[1] == pytest.approx(-1.2)
    assert forward.place(40.0)[1] == pytest.approx(0.64)


@pytest.mark.parametrize("fitted", FITTED)
@pytest.mark.parametrize("cue", [Cue.REST, Cue.DONE, Cue.ENOUGH])
def test_told_to_rest_or_that_it_is_done_they_stand(cue: Cue, fitted: str) -> None:
    one = told((10.0, cue), fitted=fitted)
    assert one.place(20.0)[1] == 0.0
    assert one.place(60.0) == one.place(20.0)


@pytest.mark.parametrize("fitted", FITTED)
@pytest.mark.parametrize(
    "cue", [Cue.CHIRP, Cue.RESTARTED, Cue.MUTED, Cue.UNMUTED, Cue.MARK, Cue.CAUTION, Cue.GOODBYE]
)
def test_what_asks_for_nothing_changes_nothing(cue: Cue, fitted: str) -> None:
    one = told((1.0, cue), (30.0, cue), fitted=fitted, heeds=False)
    assert [one.place(t)[1] for t in (1.9, 10.0, 59.0)] == [0.5, 0.8, 0.8]


def test_two_marks_far_apart_are_not_the_end() -> None:
    assert told((10.0, Cue.MARK), (20.0, Cue.MARK)).place(40.0)[1] == 0.8


def test_when_it_is_done_it_is_done() -> None:
    one = told((10.0, Cue.DONE), (20.0, Cue.FORWARD), resumes_s=2.0)
    assert one.place(50.0)[1] == 0.0


def test_who_does_not_follow_cues_goes_on_whatever_they_say() -> None:
    for cue in WALKS_OWN:
        assert told((10.0, cue), follows_cues=False).place(50.0)[1] == 0.8


GOES_ON = PRACTISED | {"resumes_s": 3.0, "braking_mps2": 2.5}


def test_who_goes_on_stands_steps_away_and_goes_on_as_asked() -> None:
    rounds: list[float] = []
    clock = VirtualClock()
    one = Walker(manner((60.0, 0.8), **GOES_ON), clock.at, rounds.append)
    pulses(one, clock, 10.0, on_s=1.0)
    clock.wait_until(30.0)
    assert one.warned_s == pytest.approx(10.4)
    assert one.place(11.3)[1] == 0.0
    assert one.place(14.0)[1] == 0.0
    assert one.place(16.0)[1] == pytest.approx(-1.2)
    assert rounds == pytest.approx([10.4 + 0.5 + 0.8 / 2.5 + 3.0 + 2.0])
    assert one.place(25.0)[1] == pytest.approx(0.8)


def test_who_goes_on_can_be_stopped_again_and_the_first_warning_counts() -> None:
    clock = VirtualClock()
    one = walker((600.0, 0.8), clock=clock, **GOES_ON)
    pulses(one, clock, 10.0, 30.0, on_s=1.0)
    clock.wait_until(60.0)
    assert one.warned_s == pytest.approx(10.4)
    assert one.place(33.0)[1] == 0.0
    assert one.place(59.0)[1] == pytest.approx(0.8)


def test_what_is_asked_while_they_stand_is_done_when_they_go_on() -> None:
    clock = VirtualClock()
    one = walker((600.0, 0.8), clock=clock, **(GOES_ON | {"resumes_s": 10.0}))
    feels(clock, one, "motor", 12.5, Cue.FORWARD.value.motor)
    pulses(one, clock, 10.0, on_s=1.0)
    clock.wait_until(60.0)
    assert one.place(20.0)[1] == 0.0
    assert one.place(50.0)[1] == pytest.approx(-1.2)


def test_whoever_ran_into_something_goes_on_too() -> None:
    clock = VirtualClock()
    built = rig(pole(3.0), clock=clock, legs=((60.0, 1.0),), how={"resumes_s": 3.0})
    clock.wait_until(4.0)
    assert built.contact_mps == 1.0
    assert built.world.walker.place(4.0)[1] == 0.0
    clock.wait_until(12.0)
    assert built.world.walker.place(12.0)[1] == 1.0


def test_who_goes_on_goes_round_what_stands_in_the_way_and_nothing_else() -> None:
    clock = VirtualClock()
    built = rig(
        pole(3.0),
        pole(5.0, across_m=0.8),
        pole(4.5, follows=True),
        pole(9.5),
        clock=clock,
        legs=((600.0, 1.0),),
        how={"resumes_s": 3.0},
    )
    clock.wait_until(12.0)
    place, (near, beside, friend, far) = built.world, built.world.scenario.obstacles
    assert place._obstacles == (beside, friend, far)
    assert near not in place._obstacles
    clock.wait_until(30.0)
    assert built.world.walker.place(30.0)[0] > 9.5, "round the second one likewise"


# ---------------------------------------------------------------- echo geometry


def test_a_wall_answers_from_the_foot_of_the_perpendicular() -> None:
    assert echo(wall(3.0), 0.0, 1.0, 0.0, EAR) == (2.0, 0.0)
    found = echo(wall(3.0, angle_deg=10.0), 0.0, 0.0, 0.0, EAR)
    assert found is not None
    assert found.distance_m == pytest.approx(3.0 * math.cos(math.radians(10.0)))


def test_a_wall_whose_perpendicular_is_out_of_the_beam_answers_from_the_beams_edge() -> None:
    found = echo(wall(2.0, angle_deg=40.0), 0.0, 0.0, 0.0, EAR)
    assert found is not None
    square_m = 2.0 * math.cos(math.radians(40.0))
    assert found.distance_m == pytest.approx(square_m / math.cos(math.radians(40.0 - BEAM_DEG)))


angles = st.floats(-59.0, 59.0)


@given(angle_deg=angles, heading_deg=st.floats(-30.0, 30.0), along_m=st.floats(0.5, 3.0))
def test_a_walls_echo_is_the_nearest_point_of_it_that_lies_in_the_beam(
    angle_deg: float, heading_deg: float, along_m: float
) -> None:
    assume(abs(angle_deg - heading_deg) < 59.0)
    found = echo(wall(along_m, angle_deg, seen_to_m=1000.0), 0.0, 0.0, heading_deg, EAR)
    assert found is not None
    # A ray at `bearing` meets the line through (along, 0) whose normal is turned by the angle.
    square_m = along_m * math.cos(math.radians(angle_deg))
    rays = (heading_deg - BEAM_DEG + i * BEAM_DEG / 500 for i in range(1001))
    nearest_m = min(square_m / math.cos(math.radians(ray - angle_deg)) for ray in rays)
    assert found.distance_m == pytest.approx(nearest_m, rel=1e-3)


@given(angle_deg=st.floats(0.0, 60.0), heading_deg=st.floats(-20.0, 20.0))
def test_geometry_is_the_same_to_the_left_and_to_the_right(
    angle_deg: float, heading_deg: float
) -> None:
    left = echo(wall(2.0, angle_deg), 0.0, 0.0, heading_deg, EAR)
    right = echo(wall(2.0, -angle_deg), 0.0, 0.0, -heading_deg, EAR)
    assert (left is None) is (right is None)
    if left is not None:
        assert tuple(left) == pytest.approx(tuple(right or ()))
    across_m = angle_deg / 60.0
    left = echo(pole(2.0, across_m), 0.0, 0.0, heading_deg, EAR)
    right = echo(pole(2.0, -across_m), 0.0, 0.0, -heading_deg, EAR)
    assert left == right


@pytest.mark.parametrize(("angle_deg", "loss"), WALL_LOSS[:-1])
def test_a_wall_loses_the_measured_share_at_each_angle(angle_deg: float, loss: float) -> None:
    found = echo(wall(2.0, angle_deg), 0.0, 0.0, 0.0, EAR)
    assert found is not None
    assert found.loss == pytest.approx(loss)


def test_a_whole_turn_changes_nothing() -> None:
    facing = echo(wall(2.0, 10.0), 0.0, 0.0, 0.0, EAR)
    turned = echo(wall(2.0, 10.0), 0.0, 0.0, 360.0, EAR)
    assert facing is not None
    assert turned == pytest.approx(facing)


def test_a_wall_turned_away_by_sixty_degrees_or_more_answers_nothing() -> None:
    assert echo(wall(1.0, 60.0), 0.0, 0.0, 0.0, EAR) is None
    assert echo(wall(1.0, 30.0), 0.0, 0.0, -30.0, EAR) is None
    assert echo(wall(1.0, 80.0), 0.0, 0.0, 30.0, EAR) is not None


def test_turning_toward_an_oblique_wall_makes_it_answer_better() -> None:
    losses = []
    for heading_deg in (0.0, 10.0, 20.0, 30.0):
        found = echo(wall(2.0, 30.0), 0.0, 0.0, heading_deg, EAR)
        assert found is not None
        losses.append(found.loss)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 0.0


@given(st.floats(0.0, 59.9), st.floats(0.0, 1.0))
def test_an_absorbing_wall_loses_more_at_every_angle(angle_deg: float, own_loss: float) -> None:
    bare = echo(wall(1.0, angle_deg), 0.0, 0.0, 0.0, EAR)
    found = echo(wall(1.0, angle_deg, loss=own_loss), 0.0, 0.0, 0.0, EAR)
    assert bare is not None
    assert found is not None
    assert found.loss == pytest.approx(bare.loss + (1 - bare.loss) * own_loss)


def test_a_wall_behind_the_sensor_answers_nothing() -> None:
    assert echo(wall(1.0), 0.0, 1.5, 0.0, EAR) is None


def test_a_disc_answers_from_its_near_side() -> None:
    assert echo(pole(2.0, radius_m=0.1, loss=0.3), 0.0, 0.5, 0.0, EAR) == (
        pytest.approx(1.4),
        0.3,
    )


@pytest.mark.parametrize(
    ("across_m", "seen"), [(0.0, True), (0.5, True), (-0.5, True), (0.8, False), (-0.8, False)]
)
def test_a_disc_is_heard_inside_the_beam_and_not_outside(across_m: float, seen: bool) -> None:
    """At 2 m the beam's edge is 0.54 m off the middle; the disc is 0.1 m wide."""
    assert (echo(pole(2.0, across_m, radius_m=0.1), 0.0, 0.0, 0.0, EAR) is not None) is seen


@pytest.mark.parametrize(("bearing_deg", "seen"), [(15.0, True), (18.5, True), (20.5, False)])
def test_a_disc_half_out_of_the_beam_still_answers(bearing_deg: float, seen: bool) -> None:
    """0.3 m at 2 m are some 8 degrees to each side of its middle."""
    across_m = 2.0 * math.tan(math.radians(bearing_deg))
    disc = pole(2.0, across_m, radius_m=0.3)
    assert (echo(disc, 0.0, 0.0, 0.0, EAR) is not None) is seen


def test_turning_away_takes_a_disc_out_of_the_beam() -> None:
    assert echo(pole(2.0), 0.0, 0.0, 10.0, EAR) is not None
    for heading_deg in (40.0, -40.0, 180.0, -180.0):
        assert echo(pole(2.0), 0.0, 0.0, heading_deg, EAR) is None


def test_a_disc_behind_the_sensor_answers_nothing() -> None:
    assert echo(pole(1.0), 0.0, 3.0, 0.0, EAR) is None
    assert echo(pole(1.0), 0.0, 3.0, 180.0, EAR) is not None


def test_a_disc_that_is_touched_answers_from_no_distance_rather_than_a_negative_one() -> None:
    found = echo(pole(1.0, radius_m=0.3), 0.0, 0.9, 0.0, EAR)
    assert found is not None
    assert 0.0 < found.distance_m <= 0.02


@pytest.mark.parametrize(("seen_to_m", "seen"), [(1.76, True), (1.74, False)])
def test_nothing_answers_from_beyond_where_it_is_seen(seen_to_m: float, seen: bool) -> None:
    for thing in (wall(1.75, seen_to_m=seen_to_m), pole(2.0, radius_m=0.25, seen_to_m=seen_to_m)):
        assert (echo(thing, 0.0, 0.0, 0.0, EAR) is not None) is seen


def test_a_moving_disc_is_where_its_speed_has_brought_it() -> None:
    moving = pole(4.0, 1.0, along_mps=-0.5, across_mps=-1.0, from_s=2.0)
    assert obstacles.place_m(moving, 1.0, 0.0) == (4.0, 1.0)
    assert obstacles.place_m(moving, 2.0, 0.0) == (4.0, 1.0)
    assert obstacles.place_m(moving, 3.0, 0.0) == (3.5, 0.0)


def test_passers_by_come_one_after_another() -> None:
    passing = pole(2.0, -3.0, across_mps=1.0, from_s=1.0, every_s=10.0)
    for t in (0.0, 1.0, 4.0, 10.9):
        assert obstacles.place_m(passing, t, 0.0) == pytest.approx((2.0, -3.0 + max(0.0, t - 1.0)))
    assert obstacles.place_m(passing, 11.5, 0.0) == pytest.approx((2.0, -2.5))
    assert obstacles.place_m(passing, 34.0, 0.0) == obstacles.place_m(passing, 4.0, 0.0)


@pytest.mark.parametrize(("half_angle_deg", "seen"), [(5.0, False), (12.0, True), (80.0, True)])
def test_a_thin_thing_answers_only_near_the_beams_middle(half_angle_deg: float, seen: bool) -> None:
    """This one is 10 degrees off."""
    across_m = 2.0 * math.tan(math.radians(10.0))
    thin = pole(2.0, across_m, radius_m=0.01, half_angle_deg=half_angle_deg)
    assert (echo(thin, 0.0, 0.0, 0.0, EAR) is not None) is seen


def test_no_thing_answers_from_farther_off_than_the_part_hears() -> None:
    across_m = 2.0 * math.tan(math.radians(BEAM_DEG + 5.0))
    wide = pole(2.0, across_m, radius_m=0.01, half_angle_deg=90.0)
    assert echo(wide, 0.0, 0.0, 0.0, EAR) is None


def test_the_ground_is_heard_where_the_beams_lower_edge_meets_it() -> None:
    level = Ground(mount_m=1.0)
    found = obstacles.ground_m(level, 0.0, BEAM_DEG)
    assert found == pytest.approx(1.0 / math.sin(math.radians(15.0)))
    uphill = obstacles.ground_m(Ground(mount_m=1.0, slope_deg=5.0), 0.0, BEAM_DEG)
    nodding = obstacles.ground_m(level, 5.0, BEAM_DEG)
    assert uphill == nodding == pytest.approx(1.0 / math.sin(math.radians(20.0)))
    lower = obstacles.ground_m(Ground(mount_m=0.5), 0.0, BEAM_DEG)
    assert lower == pytest.approx(found / 2)


@pytest.mark.parametrize(("slope_deg", "nod_deg"), [(-15.0, 0.0), (-10.0, -5.0), (-20.0, 2.0)])
def test_ground_that_falls_away_from_the_beam_is_not_heard(
    slope_deg: float, nod_deg: float
) -> None:
    assert obstacles.ground_m(Ground(slope_deg=slope_deg), nod_deg, BEAM_DEG) is None


@given(
    slope_deg=st.floats(-20.0, 20.0),
    nod_deg=st.floats(-20.0, 20.0),
    half_angle_deg=st.floats(1.0, 90.0),
)
def test_the_ground_is_never_nearer_than_straight_down(
    slope_deg: float, nod_deg: float, half_angle_deg: float
) -> None:
    found = obstacles.ground_m(Ground(mount_m=1.0, slope_deg=slope_deg), nod_deg, half_angle_deg)
    assert found is None or found >= 1.0


def test_a_follower_keeps_its_distance_and_wanders() -> None:
    follower = pole(1.5, follows=True, wander_m=0.2, wander_s=8.0)
    assert obstacles.place_m(follower, 0.0, 7.0) == (8.5, 0.0)
    assert obstacles.place_m(follower, 2.0, 7.0)[0] == pytest.approx(8.7)
    assert obstacles.place_m(follower, 6.0, 9.0)[0] == pytest.approx(10.3)


def test_gait_is_heard_in_the_distance_of_a_follower() -> None:
    """They keep their distance from the walker, not from the bobbing sensor."""
    place = world(
        pole(1.5, follows=True, radius_m=0.25), legs=((60.0, 1.0),), bob_m=0.02, bob_hz=1.8
    )
    heard = [d for d in listens(place, 200) if d is not None]
    assert max(heard) == pytest.approx(1.27, abs=0.002)
    assert min(heard) == pytest.approx(1.23, abs=0.002)


def test_a_walls_echo_and_its_gap_speak_of_the_same_place_at_every_time() -> None:
    """Whether or not walls may move: sound and shins must agree."""
    moving = wall(4.0, along_mps=-1.0)
    found = echo(moving, 1.0, 0.0, 0.0, EAR)
    assert found is not None
    assert gap_m(moving, 1.0, 0.0, HALF_WIDTH_M) == pytest.approx(found.distance_m)


# ---------------------------------------------------------------- true gaps


def test_the_gap_to_a_wall_is_the_way_to_it() -> None:
    assert gap_m(wall(3.0), 0.0, 1.0, HALF_WIDTH_M) == 2.0


def test_an_oblique_wall_meets_the_hip_first() -> None:
    for angle_deg in (45.0, -45.0):
        assert gap_m(wall(3.0, angle_deg), 0.0, 0.0, HALF_WIDTH_M) == pytest.approx(2.75)


def test_a_disc_straight_behind_has_its_radius_nearer() -> None:
    assert gap_m(pole(3.0, radius_m=0.3), 0.0, 1.0, HALF_WIDTH_M) == pytest.approx(1.7)


def test_a_disc_that_the_walker_passes_by_is_no_obstacle() -> None:
    assert gap_m(pole(3.0, 0.56, radius_m=0.3), 0.0, 0.0, HALF_WIDTH_M) is None
    assert gap_m(pole(3.0, 0.54, radius_m=0.3), 0.0, 0.0, HALF_WIDTH_M) is not None
    assert gap_m(pole(3.0), 0.0, 4.0, HALF_WIDTH_M) is None


@given(across_m=st.floats(-0.9, 0.9), radius_m=st.floats(0.05, 0.8), along_m=st.floats(1.5, 4.0))
def test_the_gap_to_a_disc_is_how_far_a_trunk_of_that_width_can_go(
    across_m: float, radius_m: float, along_m: float
) -> None:
    """The trunk is a straight line across the way, as it is for an oblique wall."""
    assume(abs(abs(across_m) - radius_m - HALF_WIDTH_M) > 1e-3)
    found = gap_m(pole(along_m, across_m, radius_m=radius_m), 0.0, 0.0, HALF_WIDTH_M)
    lanes = (-HALF_WIDTH_M + i * HALF_WIDTH_M / 500 for i in range(1001))
    fronts = [
        along_m - math.sqrt(radius_m**2 - (lane - across_m) ** 2)
        for lane in lanes
        if abs(lane - across_m) < radius_m
    ]
    assert (found is None) is (not fronts)
    if found is not None:
        assert found == pytest.approx(min(fronts), abs=0.05)


def test_the_nearest_of_several_obstacles_counts() -> None:
    assert world(wall(3.0), pole(2.0, radius_m=0.25)).gap_m(0.0) == pytest.approx(1.75)
    assert world(pole(2.0, 3.0)).gap_m(0.0) is None
    assert world().gap_m(0.0) is None


def test_of_a_row_the_next_one_is_there() -> None:
    row = pole(3.0, every_m=10.0, radius_m=0.25)
    place = world(row, legs=((60.0, 1.0),))
    assert [place.gap_m(t) for t in (0.0, 2.0, 4.0, 12.0, 14.0)] == pytest.approx(
        [2.75, 0.75, 8.75, 0.75, 8.75]
    )
    assert place.gap_at(0.0, -19.0) == pytest.approx(1.75), "and so far back as well"


def test_the_gap_closes_as_the_walker_walks() -> None:
    place = world(wall(4.0), legs=((10.0, 1.0),))
    assert [place.gap_m(t) for t in (0.0, 1.0, 2.5)] == pytest.approx([4.0, 3.0, 1.5])


def test_the_gap_can_be_asked_for_another_place_and_for_one_obstacle() -> None:
    near, far = pole(3.0, radius_m=0.25), wall(5.0)
    place = world(far, near, legs=((10.0, 1.0),))
    assert place.gap_at(0.0, 1.5) == pytest.approx(1.25)
    assert place.gap_at(2.0, 4.0) == pytest.approx(1.0)  # past the pole
    assert place.gap_to(far, 1.0) == pytest.approx(4.0)
    assert place.gap_to(near, 1.0) == pytest.approx(1.75)
    assert place.gap_to(near, 5.0) is None


def test_what_can_be_heard_of_a_thing_is_without_chance_and_without_sway() -> None:
    thing = wall(3.0, loss=0.25)
    place = world(thing, legs=((10.0, 1.0),), air=Air(loss=0.9, noise_m=0.5), sway_deg=20.0)
    assert place.hearing(thing, 1.0) == pytest.approx((2.0, 0.25))
    assert place.hearing(wall(3.0, seen_to_m=1.0), 1.0) is None


# ---------------------------------------------------------------- listening


def listens(place: World, pings: int) -> list[float | None]:
    return [place.listen(i * 0.04) for i in range(pings)]


def test_without_noise_a_ping_hears_the_nearest_thing_exactly() -> None:
    assert listens(world(wall(3.0), pole(2.0, radius_m=0.25)), 3) == pytest.approx([1.75] * 3)


def test_an_open_field_is_silent() -> None:
    assert listens(world(), 50) == [None] * 50


@pytest.mark.parametrize(
    ("angle_deg", "loss"), [(0.0, 0.0), (10.0, 0.05), (20.0, 0.4), (30.0, 0.8)]
)
def test_pings_are_lost_as_often_as_the_angle_says(angle_deg: float, loss: float) -> None:
    heard = listens(world(wall(1.0, angle_deg)), 4000)
    lost = sum(d is None for d in heard) / len(heard)
    assert lost == pytest.approx(loss, abs=4 * math.sqrt(loss * (1 - loss) / len(heard)) + 1e-9)


def test_air_and_obstacle_lose_pings_independently() -> None:
    air = Air(noise_m=0.0, loss=0.2)
    heard = listens(world(wall(1.0, loss=0.25), air=air), 4000)
    assert sum(d is None for d in heard) / len(heard) == pytest.approx(1 - 0.8 * 0.75, abs=0.03)


def test_a_lost_echo_lets_the_thing_behind_be_heard() -> None:
    heard = listens(world(pole(1.0, radius_m=0.25, loss=0.5), wall(3.0)), 2000)
    assert set(heard) == {0.75, 3.0}
    assert heard.count(0.75) / len(heard) == pytest.approx(0.5, abs=0.05)


def test_ghosts_have_their_share_and_their_place() -> None:
    air = Air(noise_m=0.0, loss=0.0, ghosts=0.1, ghost_near_m=0.2, ghost_far_m=1.0)
    heard = listens(world(wall(3.0), air=air), 5000)
    ghosts = [d for d in heard if d is not None and d != 3.0]
    assert len(ghosts) / len(heard) == pytest.approx(0.1, abs=0.017)
    assert min(ghosts) >= 0.2
    assert max(ghosts) <= 1.0
    assert sum(ghosts) / len(ghosts) == pytest.approx(0.6, abs=0.05)


def test_ghosts_are_heard_in_an_open_field_and_not_from_behind_something_near() -> None:
    air = Air(noise_m=0.0, loss=0.0, ghosts=1.0, ghost_near_m=0.5, ghost_far_m=1.0)
    assert None not in listens(world(air=air), 100)
    assert listens(world(wall(0.4), air=air), 100) == [0.4] * 100


def test_a_fuzzy_edge_is_heard_from_its_front_to_its_depth() -> None:
    heard = [d for d in listens(world(wall(2.0, depth_m=0.3)), 2000) if d is not None]
    assert 2.0 <= min(heard) < 2.01
    assert 2.29 < max(heard) <= 2.3
    assert sum(heard) / len(heard) == pytest.approx(2.15, abs=0.01)


def test_second_reflections_come_from_twice_as_far() -> None:
    air = Air(noise_m=0.0, loss=0.0, multipath=0.2)
    heard = listens(world(wall(1.0), air=air), 3000)
    assert set(heard) == {1.0, 2.0}
    assert heard.count(2.0) / len(heard) == pytest.approx(0.2, abs=0.03)


def test_another_device_is_heard_as_often_as_said_and_as_long_in_a_row() -> None:
    air = Air(noise_m=0.0, loss=0.0, crosstalk=0.06, crosstalk_run=3)
    heard = listens(world(air=air), 6000)
    runs = [
        len(list(run)) for none, run in itertools.groupby(heard, lambda d: d is None) if not none
    ]
    assert sum(runs) / len(heard) == pytest.approx(0.06, abs=0.02)
    assert all(run % 3 == 0 for run in runs)
    found = [d for d in heard if d is not None]
    assert CROSSTALK_NEAR_M <= min(found) < CROSSTALK_NEAR_M + 0.5
    assert CROSSTALK_FAR_M - 0.5 < max(found) <= CROSSTALK_FAR_M


def test_another_device_does_not_hide_what_is_nearer() -> None:
    air = Air(noise_m=0.0, loss=0.0, crosstalk=1.0)
    assert set(listens(world(wall(0.2), air=air), 100)) == {0.2}


@pytest.mark.parametrize(
    ("every_s", "heard_s"), [(None, (1.0, 1.4)), (2.0, (1.0, 1.4, 3.0, 3.4, 101.2))]
)
def test_a_phantom_is_heard_while_it_lasts_and_each_time_it_comes_back(
    every_s: float | None, heard_s: tuple[float, ...]
) -> None:
    phantom = Phantom(from_s=1.0, for_s=0.5, near_m=0.2, far_m=0.3, every_s=every_s)
    times = (0.0, 0.9, 1.0, 1.4, 1.5, 2.9, 3.0, 3.4, 3.5, 101.2, 101.6)
    assert tuple(t for t in times if active(phantom, t)) == heard_s


def phantom_world(blinds: bool, *obstacle: Obstacle) -> World:
    phantom = Phantom(from_s=0.0, for_s=9.0, near_m=0.5, far_m=0.6, blinds=blinds)
    scenario = Scenario(
        title="test",
        duration_s=9.0,
        expect="any",
        walker=manner(),
        obstacles=obstacle,
        air=STILL_AIR,
        phantoms=(phantom,),
    )
    return World(scenario, random.Random(1), VirtualClock().at)


@pytest.mark.parametrize("blinds", [False, True])
def test_a_phantom_is_heard_in_its_place_and_before_what_is_behind_it(blinds: bool) -> None:
    for place in (phantom_world(blinds), phantom_world(blinds, wall(2.0))):
        heard = [d for d in listens(place, 100) if d is not None]
        assert len(heard) == 100
        assert 0.5 <= min(heard) < max(heard) <= 0.6


def test_only_a_phantom_that_blinds_hides_what_is_nearer_than_it() -> None:
    assert set(listens(phantom_world(False, wall(0.3)), 50)) == {0.3}
    heard = [d for d in listens(phantom_world(True, wall(0.3)), 50) if d is not None]
    assert min(heard) >= 0.5


def test_a_phantom_stops_nobody() -> None:
    assert phantom_world(True).gap_m(1.0) is None


def on_ground(ground: Ground, *obstacle: Obstacle, air: Air = STILL_AIR, ear: Ear = EAR) -> World:
    scenario = Scenario(
        title="test",
        duration_s=9.0,
        expect="any",
        walker=manner((60.0, 0.1), nod_deg=0.0),
        obstacles=obstacle,
        air=air,
        ground=ground,
    )
    return World(scenario, random.Random(1), VirtualClock().at, ear)


def test_the_grounds_echo_has_its_share_and_its_place() -> None:
    rough = Ground(mount_m=1.0, loss=0.7, depth_m=0.3)
    heard = listens(on_ground(rough), 3000)
    found = [d for d in heard if d is not None]
    at_m = 1.0 / math.sin(math.radians(BEAM_DEG))
    assert len(found) / len(heard) == pytest.approx(0.3, abs=0.04)
    assert at_m <= min(found) < at_m + 0.01
    assert at_m + 0.29 < max(found) <= at_m + 0.3


def test_what_is_nearer_than_the_ground_is_heard_first() -> None:
    hearing = Ear(BEAM_DEG, reach_m=10.0)
    far = on_ground(Ground(loss=0.0), pole(9.25, follows=True), ear=hearing)
    assert listens(on_ground(Ground(loss=1.0), pole(9.25, follows=True), ear=hearing), 1) == [9.0]
    near = on_ground(Ground(loss=0.0), pole(1.25, follows=True))
    assert max(d for d in listens(far, 50) if d is not None) < 4.2
    assert listens(near, 50) == pytest.approx([1.0] * 50)


def test_ground_that_falls_away_is_silent_and_the_air_loses_the_grounds_echo_too() -> None:
    assert listens(on_ground(Ground(loss=0.0, slope_deg=-20.0)), 50) == [None] * 50
    half = Air(noise_m=0.0, loss=0.5)
    heard = listens(on_ground(Ground(loss=0.0), air=half), 2000)
    assert sum(d is None for d in heard) / len(heard) == pytest.approx(0.5, abs=0.05)


def test_noise_has_the_air_and_the_obstacles_own_share() -> None:
    heard = listens(world(wall(2.0, noise_m=0.03), air=Air(noise_m=0.02, loss=0.0)), 3000)
    found = [d for d in heard if d is not None]
    mean = sum(found) / len(found)
    spread = math.sqrt(sum((d - mean) ** 2 for d in found) / len(found))
    assert mean == pytest.approx(2.0, abs=0.005)
    assert spread == pytest.approx(0.05, rel=0.1)


@given(
    along_m=st.floats(-1.0, 4.0),
    noise_m=st.floats(0.0, 2.0),
    shape=st.sampled_from(["wall", "pole", "person"]),
    ghosts=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
def test_listening_never_gives_a_negative_distance(
    along_m: float, noise_m: float, shape: str, ghosts: float, seed: int
) -> None:
    air = Air(noise_m=noise_m, loss=0.0, ghosts=ghosts, ghost_near_m=0.0)
    thing = Obstacle(shape=shape, along_m=along_m, noise_m=noise_m)  # type: ignore[arg-type]
    place = world(thing, legs=((10.0, 1.0),), air=air, seed=seed)
    assert all(d is None or d >= 0.0 for d in listens(place, 60))


def test_the_same_seed_hears_the_same_and_another_seed_does_not() -> None:
    air = Air(noise_m=0.02, loss=0.1, ghosts=0.1)

    def heard(seed: int) -> list[float | None]:
        return listens(world(wall(3.0), legs=((2.0, 1.0),), air=air, seed=seed), 100)

    assert heard(1) == heard(1)
    assert heard(1) != heard(2)


@pytest.mark.parametrize(
    ("temperature_c", "sound_mps"), [(-20.0, 319.1), (0.0, 331.3), (20.0, 343.4), (40.0, 355.0)]
)
def test_sound_is_as_fast_as_the_air_is_warm(temperature_c: float, sound_mps: float) -> None:
    place = world(air=Air(temperature_c=temperature_c))
    assert place.sound_mps == pytest.approx(sound_mps, abs=0.6)


# ---------------------------------------------------------------- the rig


def rig(
    *obstacle: Obstacle,
    clock: VirtualClock,
    legs: tuple[tuple[float, float], ...],
    how: Mapping[str, object] = MappingProxyType({}),
    **more: object,
) -> Rig:
    scenario = Scenario(
        title="test",
        duration_s=60.0,
        expect="any",
        walker=manner(*legs, heeds=False, **how),
        obstacles=obstacle,
        air=STILL_AIR,
        **more,  # type: ignore[arg-type]
    )
    return Rig(scenario, Settings(), 1, clock)


@pytest.mark.parametrize("thing", [wall(2.0), pole(2.0, radius_m=0.2), wall(2.0, 30.0)])
def test_contact_stops_a_walker_who_does_not_heed(thing: Obstacle) -> None:
    clock = VirtualClock()
    built = rig(thing, clock=clock, legs=((60.0, 1.4),))
    clock.wait_until(10.0)
    gap = built.world.gap_m(10.0)
    assert built.contact_mps == 1.4
    assert built.world.walker.place(10.0)[1] == 0.0
    assert gap is not None
    assert HEEL_LEAD_M - 1.4 * STRIDE_CHECK_S - 1e-6 <= gap <= HEEL_LEAD_M


def test_stopping_short_of_a_wall_is_no_contact() -> None:
    clock = VirtualClock()
    built = rig(wall(2.0), clock=clock, legs=((1.7, 1.0),))
    clock.wait_until(10.0)
    assert built.contact_mps is None
    assert built.world.gap_m(10.0) == pytest.approx(0.3)


def test_a_wall_on_the_side_that_the_walker_faces_stops_nobody() -> None:
    """It is behind the sensor and behind the beam: nothing could warn of it."""
    clock = VirtualClock()
    built = rig(wall(-1.0), clock=clock, legs=((5.0, 1.0),))
    clock.wait_until(5.0)
    assert built.contact_mps is None
    assert built.world.walker.place(5.0)[0] == pytest.approx(5.0)


def test_the_first_contact_is_the_one_that_is_kept() -> None:
    clock = VirtualClock()
    built = rig(pole(9.0, along_mps=-3.0), wall(2.0), clock=clock, legs=((1.8, 1.0), (1.0, -0.5)))
    clock.wait_until(10.0)
    assert built.contact_mps == 1.0


def test_what_the_outputs_do_is_felt() -> None:
    clock = VirtualClock()
    built = rig(clock=clock, legs=((60.0, 1.0),))
    line = built.board.line(Settings().motor.pin)
    line.output_with_state(0)
    clock.at(1.0, lambda: setattr(line, "state", 1))
    clock.wait_until(3.0)
    assert built.world.walker.warned_s == pytest.approx(1.4)


def test_breakages_happen_at_their_time_and_can_be_mended() -> None:
    clock = VirtualClock()
    broken = (Breakage(at_s=1.0, failure=Failure.OFF), Breakage(at_s=2.5, failure=Failure.OK))
    built = rig(clock=clock, legs=(), breakages=broken)
    dead = []
    for t in (0.5, 1.0, 2.0, 2.5, 3.0):
        clock.wait_until(t)
        dead.append((built.dead, built.broken_s))
    assert dead == [(False, 0.0), (True, 1.0), (True, 1.0), (False, 2.5), (False, 2.5)]


def test_a_stall_holds_up_the_device_and_not_the_world() -> None:
    clock = VirtualClock()
    built = rig(
        wall(5.0),
        clock=clock,
        legs=((60.0, 1.0),),
        stalls=(Stall(at_s=1.0, for_s=0.7),),
        breakages=(Breakage(at_s=1.2, failure=Failure.OFF),),
    )
    woken_s: list[float] = []
    clock.at(1.1, clock.wake)  # an edge in the middle of it wakes nobody before its end
    for _ in range(3):
        clock.wait_until(clock.now() + 0.6)
        woken_s.append(clock.now())
    assert woken_s == pytest.approx([0.6, 1.7, 2.3])
    assert built.broken_s == 1.2
    assert built.world.walker.place(1.7)[0] == pytest.approx(1.7)


def test_a_rigs_scenario_leaves_nothing_open() -> None:
    scenario = Scenario(
        title="test",
        duration_s=9.0,
        expect="any",
        obstacles=(wall(3.0, seen_to_least_m=1.0),),
        walker=manner((9.0, 1.0), start_spread_m=0.4, speed_spread=0.2),
    )
    for seed in range(10):
        built = Rig(scenario, Settings(), seed, VirtualClock())
        found = built.scenario
        assert found.walker.reaction_s is not None
        assert found.walker.reaction_s > 0.0
        assert 3.0 <= found.obstacles[0].along_m <= 3.4
        assert 1.0 <= found.obstacles[0].seen_to_m <= 4.0
        assert built.world.scenario is found
        assert built.world.walker.place(1.0)[0] == pytest.approx(found.walker.legs[0].speed_mps)


def test_a_frailer_wearer_reacts_later_on_the_same_walk() -> None:
    scenario = Scenario(title="test", duration_s=9.0, expect="any")
    reactions = [
        Rig(
            scenario, Settings(alert=AlertSettings(profile=profile)), 1, VirtualClock()
        ).scenario.walker.reaction_s
        for profile in ("fit", "default", "rehab")
    ]
    assert reactions == sorted(reactions)  # type: ignore[type-var]
    assert len(set(reactions)) == 3


def test_two_rigs_of_the_same_seed_are_the_same_and_do_not_share_their_chance() -> None:
    def heard(seed: int, shuffle: Callable[[Rig], object]) -> list[float | None]:
        scenario = Scenario(
            title="test", duration_s=9.0, expect="any", obstacles=(wall(3.0),), walker=manner()
        )
        built = Rig(scenario, Settings(), seed, VirtualClock())
        shuffle(built)
        return listens(built.world, 50)

    plain = heard(3, lambda _: None)
    assert plain == heard(3, lambda _: None)
    assert plain == heard(3, lambda built: [built.device_rng.random() for _ in range(9)])
    assert plain != heard(4, lambda _: None)
