"""The simulated wearer: the instant of need, what could be heard, and braking by the formula."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.evaluate.human import GRID_S, LISTENED_S, PING_S, Need, Person
from device.profiles import HEEL_LEAD_M, THRESHOLDS, needed_m
from device.settings import Profile
from device.sim import scenario as scenarios
from device.sim.scenario import Air, Leg, Obstacle, Scenario, Walker
from device.sim.world import World

PINGS = round(LISTENED_S / PING_S)
BRAKING_MPS2 = 2.5


def person(
    *obstacles: Obstacle,
    speed_mps: float = 1.0,
    legs: tuple[Leg, ...] | None = None,
    profile: Profile = "default",
    air_loss: float = 0.0,
    reaction_s: float | None = None,
) -> Person:
    walker = Walker(
        legs=legs or (Leg(for_s=600.0, speed_mps=speed_mps),),
        braking_mps2=BRAKING_MPS2,
        reaction_s=reaction_s,
    )
    scenario = Scenario(
        title="test",
        duration_s=60.0,
        expect="any",
        walker=walker,
        obstacles=obstacles,
        air=Air(loss=air_loss),
    )
    return Person(World(scenario, random.Random(1), lambda _t_s, _call: None), profile)


def shipped(name: str, profile: Profile = "default") -> Need:
    """The need of a shipped walk, nothing in it drawn."""
    scenario = scenarios.load(name)
    walked = Person(World(scenario, random.Random(1), lambda _t_s, _call: None), profile)
    need = walked.need(scenario.duration_s)
    assert need is not None
    return need


def wall(along_m: float = 4.0, **more: float) -> Obstacle:
    return Obstacle(shape="wall", along_m=along_m, **more)


def needs(one: Person, until_s: float = 60.0) -> Need:
    need = one.need(until_s)
    assert need is not None
    return need


# ---------------------------------------------------------------- when a warning is needed


@pytest.mark.parametrize("profile", THRESHOLDS)
@pytest.mark.parametrize("speed_mps", [0.2, 0.37, 1.0, 1.4])
def test_the_need_is_the_last_instant_at_which_the_way_is_longer_than_a_stop(
    profile: Profile, speed_mps: float
) -> None:
    need = needs(person(wall(), speed_mps=speed_mps, profile=profile))
    stop_m = needed_m(profile, speed_mps)
    assert stop_m - 0.001 < need.gap_m <= stop_m + speed_mps * GRID_S + 0.001
    assert need.gap_m == pytest.approx(4.0 - speed_mps * need.t_s, abs=0.001)
    assert need.closing_mps == pytest.approx(speed_mps, abs=0.001)
    assert need.avoidable


@pytest.mark.parametrize("speed_mps", [0.2, 0.37, 1.0, 1.4])
def test_someone_unwarned_touches_when_the_heel_arrives_at_full_pace(speed_mps: float) -> None:
    need = needs(person(wall(), speed_mps=speed_mps))
    assert 0.0 <= need.touch_s - (4.0 - HEEL_LEAD_M) / speed_mps + 0.0006 <= GRID_S + 0.0012
    assert need.touch_mps == pytest.approx(speed_mps, abs=0.001)


@pytest.mark.parametrize("angle_deg", [30.0, -30.0])
def test_the_hip_meets_a_slanted_wall_first(angle_deg: float) -> None:
    hip_m = 0.25 * math.tan(math.radians(30.0))
    need = needs(person(wall(angle_deg=angle_deg)))
    assert need.touch_s == pytest.approx(4.0 - hip_m - HEEL_LEAD_M, abs=GRID_S)


def test_a_walk_that_ends_short_of_everything_needs_nothing() -> None:
    assert person(wall(), legs=(Leg(for_s=3.7, speed_mps=1.0),)).need(60.0) is None
    assert person(wall(), legs=(Leg(for_s=3.8, speed_mps=1.0),)).need(60.0) is not None
    assert person(wall()).need(3.0) is None
    assert person(wall(), speed_mps=-1.0).need(60.0) is None
    assert person(Obstacle(shape="pole", along_m=4.0, across_m=1.0)).need(60.0) is None
    assert person().need(60.0) is None


def test_what_keeps_its_distance_is_never_touched_however_near() -> None:
    assert person(wall(0.2, follows=True)).need(60.0) is None


def test_someone_who_begins_too_near_needed_it_from_the_start() -> None:
    need = needs(person(wall(0.9)))
    assert need.t_s == 0.0
    assert not need.detectable


def test_someone_who_sets_off_from_a_stand_needs_it_from_then_on() -> None:
    legs = (Leg(for_s=5.0, speed_mps=0.0), Leg(for_s=60.0, speed_mps=1.0))
    need = needs(person(wall(1.0), legs=legs))
    assert 5.0 <= need.t_s <= 5.1
    assert need.gap_m == pytest.approx(1.0 - (need.t_s - 5.0), abs=0.002)


def test_of_two_things_the_one_that_is_touched_is_the_need() -> None:
    need = needs(person(wall(6.0), Obstacle(shape="pole", along_m=3.0, radius_m=0.05)))
    assert need.touch_s == pytest.approx(2.95 - HEEL_LEAD_M, abs=GRID_S)


# ---------------------------------------------------------------- what could be heard


@pytest.mark.parametrize(("loss", "air_loss"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.1), (0.4, 0.3)])
def test_a_perfect_listener_hears_what_neither_air_nor_thing_swallows(
    loss: float, air_loss: float
) -> None:
    need = needs(person(wall(loss=loss), air_loss=air_loss))
    assert need.heard == pytest.approx(PINGS * (1 - loss) * (1 - air_loss), abs=0.06)


@pytest.mark.parametrize("seen_to_m", [1.5, 1.8, 2.2])
def test_and_only_from_where_it_answers(seen_to_m: float) -> None:
    need = needs(person(wall(seen_to_m=seen_to_m)))
    assert need.heard == pytest.approx((seen_to_m - need.gap_m) / PING_S, abs=1.0)


@pytest.mark.parametrize(("loss", "detectable"), [(0.67, True), (0.69, False)])
def test_eight_echoes_of_twenty_five_are_the_least(loss: float, detectable: bool) -> None:
    assert needs(person(wall(loss=loss))).detectable is detectable


@pytest.mark.parametrize(
    ("name", "detectable"),
    [
        ("wall@0.37", True),
        ("wall@1.4", True),
        ("curb", False),
        ("drop-off", False),
        ("bollard", True),
        ("pole", True),
        ("oblique-wall@10deg", True),
        ("oblique-wall@20deg", True),
        ("oblique-wall@45deg", False),
        ("chain-link@0.5", True),
        ("chain-link@1.0", False),
        ("dog", False),
        ("cyclist", False),
    ],
)
def test_which_shipped_things_any_device_could_know(name: str, detectable: bool) -> None:
    assert shipped(name).detectable is detectable


def test_the_echo_of_what_stands_behind_a_fence_does_not_count() -> None:
    fence = wall(4.0, seen_to_m=0.5)
    assert needs(person(fence, wall(4.5))).heard == 0.0
    assert needs(person(wall(4.0), wall(4.5))).heard == PINGS


# ---------------------------------------------------------------- what could be avoided


def test_a_cyclist_does_not_stop_because_the_walker_does() -> None:
    need = shipped("cyclist")
    assert not need.avoidable
    assert need.closing_mps == pytest.approx(4.8, abs=0.01)


def test_who_braked_before_a_cyclist_is_hit_all_the_same_and_as_fast_as_they_ride() -> None:
    rider = Obstacle(shape="person", along_m=16.0, along_mps=-4.0, radius_m=0.3)
    touched = person(rider, speed_mps=0.8).touch(1.0, 10.0)
    assert touched is not None
    assert touched[1] == pytest.approx(4.0, abs=0.01)


def kinematics(speed_mps: float, brake_s: float, along_m: float) -> float | None:
    """Speed at which the heel arrives, braking evenly from `brake_s`; None when it does not."""
    left_m = along_m - HEEL_LEAD_M - speed_mps * brake_s
    square = speed_mps**2 - 2 * BRAKING_MPS2 * left_m
    return math.sqrt(square) if square > 0 else None


@given(speed_mps=st.floats(0.2, 3.0), share=st.floats(0.0, 0.99))
def test_braking_follows_the_formula(speed_mps: float, share: float) -> None:
    brake_s = share * (4.0 - HEEL_LEAD_M) / speed_mps
    stops_m = 4.0 - speed_mps * brake_s - speed_mps**2 / (2 * BRAKING_MPS2)
    assume(abs(stops_m - HEEL_LEAD_M) > 0.001)
    touched = person(wall(), speed_mps=speed_mps).touch(brake_s, 60.0)
    arrival_mps = kinematics(speed_mps, brake_s, 4.0)
    if arrival_mps is None:
        assert touched is None
    else:
        assert touched is not None
        wanted_s = brake_s + (speed_mps - arrival_mps) / BRAKING_MPS2
        assert touched[0] == pytest.approx(wanted_s, abs=GRID_S + 0.001)
        assert touched[1] == pytest.approx(arrival_mps, abs=2 * BRAKING_MPS2 * GRID_S)


@given(
    speed_mps=st.floats(0.2, 3.0),
    shares=st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted),
)
def test_braking_earlier_never_makes_touching_likelier_or_harder(
    speed_mps: float, shares: list[float]
) -> None:
    one = person(wall(), speed_mps=speed_mps)
    touch_s = (4.0 - HEEL_LEAD_M) / speed_mps
    early_s, late_s = (share * touch_s for share in shares)
    for brake_s in (early_s, late_s):
        stops_m = 4.0 - speed_mps * brake_s - speed_mps**2 / (2 * BRAKING_MPS2)
        assume(abs(stops_m - HEEL_LEAD_M) > 0.001)
    early, late = one.touch(early_s, 60.0), one.touch(late_s, 60.0)
    if early is not None:
        assert late is not None
        assert early[1] <= late[1] + 2 * BRAKING_MPS2 * GRID_S


@pytest.mark.parametrize("speed_mps", [0.37, 1.0, 1.4])
@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.3, 1.0, 3.0])
def test_who_brakes_after_the_touch_has_touched_when_they_did(
    speed_mps: float, after_s: float
) -> None:
    one = person(wall(), speed_mps=speed_mps)
    unwarned = one.touch(None, 60.0)
    assert unwarned is not None
    braked = one.touch(unwarned[0] + after_s, 60.0)
    assert braked == pytest.approx(unwarned, abs=0.021)


def test_who_stands_when_told_to_stop_stays() -> None:
    legs = (Leg(for_s=5.0, speed_mps=0.0), Leg(for_s=60.0, speed_mps=1.0))
    assert person(wall(1.0), legs=legs).touch(4.0, 60.0) is None


def test_who_walks_away_brakes_too() -> None:
    """A wall that comes after them at half their pace reaches them where they stand."""
    chasing = wall(3.0, along_mps=-0.5)
    one = person(chasing, speed_mps=-1.0)
    assert one.touch(None, 20.0) is None
    touched = one.touch(1.0, 20.0)
    assert touched is not None
    stands_m = -1.0 - 1.0 / (2 * BRAKING_MPS2)
    assert touched[0] == pytest.approx((3.0 - stands_m - HEEL_LEAD_M) / 0.5, abs=2 * GRID_S)
    assert touched[1] == pytest.approx(0.5, abs=0.01)


# ---------------------------------------------------------------- looking round


def test_the_reaction_is_the_walkers_own() -> None:
    assert person(wall(), reaction_s=0.7).reaction_s == 0.7
