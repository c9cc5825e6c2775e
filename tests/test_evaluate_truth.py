"""The truth: which level a world deserves, against thresholds worked out by hand."""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.evaluate.truth import (
    FINE_S,
    GRID_S,
    Fact,
    Truth,
    blind_spans,
)
from device.profiles import HEEL_LEAD_M, THRESHOLDS
from device.settings import Profile
from device.sim.obstacles import Ear
from device.sim.scenario import Leg, Obstacle, Phantom, Scenario, Walker
from device.sim.world import World

PACES_MPS = (0.15, 0.37, 0.8, 1.4)
SLOWEST_MPS = 0.2
"""Whoever stands is taken to close at this speed, by the device and by the truth."""
FROM_M = 8.0
FAR_HEARING = Ear(15.0, reach_m=20.0)
"""All that is due is heard, however far off the profile wants it."""


def world(
    *obstacles: Obstacle,
    speed_mps: float = 0.0,
    legs: tuple[Leg, ...] | None = None,
    phantoms: tuple[Phantom, ...] = (),
) -> World:
    scenario = Scenario(
        title="test",
        duration_s=60.0,
        expect="any",
        walker=Walker(legs=legs or (Leg(for_s=600.0, speed_mps=speed_mps),)),
        obstacles=obstacles,
        phantoms=phantoms,
    )
    return World(scenario, random.Random(1), lambda _t_s, _call: None, FAR_HEARING)


def wall(along_m: float, **more: float) -> Obstacle:
    return Obstacle(shape="wall", along_m=along_m, **({"seen_to_m": 20.0} | more))


def pole(along_m: float, across_m: float = 0.0, radius_m: float = 0.05, **more: float) -> Obstacle:
    return Obstacle(shape="pole", along_m=along_m, across_m=across_m, radius_m=radius_m, **more)


def now(*obstacles: Obstacle, profile: Profile = "default", **walker: float) -> Fact:
    """What is true a second after the start."""
    return Truth(world(*obstacles, **walker), profile).at(1.0)  # type: ignore[arg-type]


def since(facts: list[Fact], field: str, level: int) -> float:
    return next(fact.t_s for fact in facts if getattr(fact, field) >= level)


# ---------------------------------------------------------------- a plain wall


@pytest.mark.parametrize("profile", THRESHOLDS)
@pytest.mark.parametrize("speed_mps", PACES_MPS)
def test_each_level_is_due_from_its_distance_or_its_time_whichever_comes_first(
    profile: Profile, speed_mps: float
) -> None:
    facts = Truth(world(wall(FROM_M), speed_mps=speed_mps), profile).timeline(FROM_M / speed_mps)
    for level, limit in enumerate(THRESHOLDS[profile], start=1):
        by_time_m = HEEL_LEAD_M + limit.ttc_s * max(speed_mps, SLOWEST_MPS)
        exact_s = (FROM_M - max(limit.distance_m, by_time_m)) / speed_mps
        assert -1e-6 <= since(facts, "due", level) - exact_s <= FINE_S + 1e-6


@pytest.mark.parametrize("profile", THRESHOLDS)
@pytest.mark.parametrize("speed_mps", PACES_MPS)
def test_each_level_is_excusable_a_tenth_and_ten_centimetres_or_a_third_of_the_time_earlier(
    profile: Profile, speed_mps: float
) -> None:
    facts = Truth(world(wall(FROM_M), speed_mps=speed_mps), profile).timeline(FROM_M / speed_mps)
    for level, limit in enumerate(THRESHOLDS[profile], start=1):
        by_distance_m = limit.distance_m * 1.10 + 0.10
        by_time_m = HEEL_LEAD_M + limit.ttc_s * 1.30 * max(speed_mps, SLOWEST_MPS)
        exact_s = (FROM_M - max(by_distance_m, by_time_m)) / speed_mps
        assert -1e-6 <= since(facts, "excusable", level) - exact_s <= FINE_S + 1e-6


def test_before_a_wall_that_is_approached_levels_only_rise() -> None:
    facts = Truth(world(wall(FROM_M), speed_mps=1.0), "default").timeline(7.9)
    assert [fact.due for fact in facts] == sorted(fact.due for fact in facts)
    assert (facts[0].due, facts[-1].due) == (0, 4)
    assert not any(fact.receding for fact in facts)


@pytest.mark.parametrize(
    ("gap_m", "due"), [(0.55, 4), (0.65, 3), (0.95, 3), (1.05, 2), (1.45, 2), (1.55, 1), (2.55, 0)]
)
def test_someone_who_stands_is_owed_the_level_of_the_distance(gap_m: float, due: int) -> None:
    assert now(wall(gap_m)).due == due


def test_a_nearer_thing_that_asks_for_less_does_not_hide_one_that_asks_for_more() -> None:
    quick = pole(12.0, along_mps=-4.0, seen_to_m=3.9)
    assert now(quick, speed_mps=1.0).due == 0
    assert now(wall(3.0), pole(9.0, along_mps=-4.0, seen_to_m=9.0), speed_mps=1.0).due == 3
    assert now(pole(9.0, along_mps=-4.0, seen_to_m=9.0), wall(3.0), speed_mps=1.0).due == 3
    assert now(wall(3.0), speed_mps=1.0).due == 2


def test_an_open_field_owes_nothing_for_ever() -> None:
    assert Truth(world(), "default").timeline(60.0) == [Fact(0.0, 0, 0, False)]


# ---------------------------------------------------------------- moving away


@pytest.mark.parametrize(("speed_mps", "receding"), [(-0.5, True), (-0.1, False), (0.5, False)])
def test_what_is_left_behind_recedes(speed_mps: float, receding: bool) -> None:
    fact = now(wall(0.9 + speed_mps), speed_mps=speed_mps)
    assert fact == (1.0, 3, fact.excusable, receding)


def test_the_moment_of_turning_back_is_found() -> None:
    there_and_back = (Leg(for_s=2.0, speed_mps=0.5), Leg(for_s=2.0, speed_mps=-0.5))
    facts = Truth(world(wall(1.8), legs=there_and_back), "default").timeline(4.0)
    turned_s = next(fact.t_s for fact in facts if fact.receding)
    # Speed is taken over 0.1 s: 0.15 m/s away is reached 65 ms after the turn.
    assert turned_s == pytest.approx(2.065, abs=2 * FINE_S)


# ---------------------------------------------------------------- heard or not


def test_what_stands_beside_the_beam_and_the_way_is_nothing() -> None:
    assert now(pole(2.0, 1.5)) == (1.0, 0, 0, False)


def test_what_is_in_the_way_but_beside_the_beam_is_excusable_and_not_due() -> None:
    fact = now(pole(0.85, 0.28))
    assert (fact.due, fact.excusable) == (0, 3)


def test_what_is_in_the_beam_but_beside_the_way_is_due_by_its_slant_distance() -> None:
    beside = pole(2.0, 0.5, radius_m=0.2)
    slant_m = math.hypot(2.0, 0.5) - 0.2
    fact = now(beside)
    assert 1.5 < slant_m < 2.5
    assert (fact.due, fact.excusable) == (1, 1)


def test_what_never_answers_is_excusable_in_the_way_and_never_due() -> None:
    mute = Truth(world(wall(FROM_M, seen_to_m=0.0), speed_mps=1.0), "default").timeline(7.9)
    heard = Truth(world(wall(FROM_M), speed_mps=1.0), "default").timeline(7.9)
    assert {fact.due for fact in mute} == {0}
    for level in (1, 2, 3, 4):
        assert since(mute, "excusable", level) == since(heard, "excusable", level)


def test_what_answers_from_two_metres_is_due_from_there() -> None:
    facts = Truth(world(wall(FROM_M, seen_to_m=2.0), speed_mps=1.0), "default").timeline(7.9)
    assert since(facts, "due", 1) == pytest.approx(6.0, abs=2 * FINE_S)
    assert since(facts, "excusable", 1) < 5.0


@pytest.mark.parametrize(("loss", "due"), [(0.0, 3), (0.65, 3), (0.67, 0), (1.0, 0)])
def test_what_loses_two_pings_of_three_is_excusable_and_not_due(loss: float, due: int) -> None:
    fact = now(wall(0.9, loss=loss))
    assert (fact.due, fact.excusable) == (due, 3)


@pytest.mark.parametrize(("angle_deg", "due"), [(20.0, 3), (30.0, 0), (-30.0, 0)])
def test_a_slanted_wall_is_due_until_its_mirror_sends_too_much_away(
    angle_deg: float, due: int
) -> None:
    assert now(wall(1.0, angle_deg=angle_deg)).due == due


def test_someone_who_crosses_excuses_no_more_than_the_way_to_them_deserves() -> None:
    """Their flank enters the way fast, but sideways: 1.2 m behind, nobody is about to touch."""
    crossing = Obstacle(shape="person", along_m=1.5, across_m=-4.0, across_mps=1.3)
    facts = Truth(world(crossing), "default").timeline(8.0)
    assert max(fact.excusable for fact in facts) == 2


# ---------------------------------------------------------------- the timeline


obstacle = st.builds(
    Obstacle,
    shape=st.sampled_from(["wall", "pole", "person"]),
    along_m=st.floats(-1.0, 6.0),
    across_m=st.floats(-2.0, 2.0),
    angle_deg=st.floats(-50.0, 50.0),
    radius_m=st.floats(0.02, 0.5),
    seen_to_m=st.floats(0.0, 5.0),
    loss=st.floats(0.0, 1.0),
    along_mps=st.floats(-2.0, 2.0),
    across_mps=st.floats(-2.0, 2.0),
    from_s=st.floats(0.0, 3.0),
)


@given(obstacles=st.lists(obstacle, min_size=1, max_size=3), speed_mps=st.floats(-1.5, 1.5))
def test_the_timeline_says_what_each_instant_says(
    obstacles: list[Obstacle], speed_mps: float
) -> None:
    truth = Truth(world(*obstacles, speed_mps=speed_mps), "default")
    facts = truth.timeline(3.0)
    assert facts[0].t_s == 0.0
    for earlier, later in itertools.pairwise(facts):
        assert earlier.t_s < later.t_s
        assert earlier[1:] != later[1:]
    for i in range(31):
        t_s = min(i * GRID_S, 3.0)
        standing = [fact for fact in facts if fact.t_s <= t_s][-1]
        assert standing[1:] == truth.at(t_s)[1:]


@given(
    obstacles=st.lists(obstacle, max_size=3),
    speed_mps=st.floats(-1.5, 1.5),
    t_s=st.floats(0.0, 5.0),
    profile=st.sampled_from(sorted(THRESHOLDS)),
)
def test_whatever_is_due_is_excusable_too(
    obstacles: list[Obstacle], speed_mps: float, t_s: float, profile: Profile
) -> None:
    fact = Truth(world(*obstacles, speed_mps=speed_mps), profile).at(t_s)
    assert 0 <= fact.due <= fact.excusable <= 4


# ---------------------------------------------------------------- blinded


def covered(*phantoms: Phantom, duration_s: float = 6.0) -> list[tuple[float, float]]:
    return blind_spans(world(phantoms=phantoms), duration_s)


def phantom(
    from_s: float, for_s: float, every_s: float | None = None, blinds: bool = True
) -> Phantom:
    return Phantom(
        from_s=from_s, for_s=for_s, near_m=0.2, far_m=0.2, every_s=every_s, blinds=blinds
    )


def test_a_repeating_drop_blinds_each_time() -> None:
    spans = covered(phantom(1.0, 0.5, every_s=2.0))
    assert len(spans) == 3
    for (from_s, to_s), wanted_s in zip(spans, (1.0, 3.0, 5.0), strict=True):
        assert from_s == pytest.approx(wanted_s, abs=GRID_S)
        assert to_s == pytest.approx(wanted_s + 0.5, abs=GRID_S)


def test_a_drop_that_stays_blinds_until_the_walk_is_over() -> None:
    ((from_s, to_s),) = covered(phantom(4.0, 100.0))
    assert from_s == pytest.approx(4.0, abs=GRID_S)
    assert to_s == 6.0


def test_two_drops_at_once_blind_once() -> None:
    ((from_s, to_s),) = covered(phantom(1.0, 1.0), phantom(1.5, 2.0))
    assert from_s == pytest.approx(1.0, abs=GRID_S)
    assert to_s == pytest.approx(3.5, abs=GRID_S)


def test_what_hides_nothing_does_not_blind() -> None:
    assert covered(phantom(1.0, 1.0, blinds=False)) == []
    assert covered() == []
