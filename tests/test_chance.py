"""Chance: what a seed draws once for a whole walk, how far it may go, and how people differ."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.settings import Profile
from device.sim.chance import REACTIONS, drawn
from device.sim.scenario import Leg, Obstacle, Scenario, Walker

PROFILES: tuple[Profile, ...] = ("fit", "default", "rehab")
LEGS = (Leg(for_s=3.0, speed_mps=1.0), Leg(for_s=2.0, speed_mps=-0.5), Leg(for_s=1.0, speed_mps=0))
seeds = st.integers(0, 2**31)


def walk(*obstacles: Obstacle, **manner: object) -> Scenario:
    return Scenario(
        title="test",
        duration_s=6.0,
        expect="any",
        walker=Walker(legs=LEGS, **manner),  # type: ignore[arg-type]
        obstacles=obstacles,
    )


def draw(scenario: Scenario, seed: int, profile: Profile = "default") -> Scenario:
    return drawn(scenario, profile, random.Random(seed))


WALL = Obstacle(shape="wall", along_m=4.0)


@given(seeds)
def test_the_same_seed_draws_the_same_walk(seed: int) -> None:
    scenario = walk(WALL, speed_spread=0.2, start_spread_m=0.4)
    assert draw(scenario, seed) == draw(scenario, seed)


def test_another_seed_draws_another_walk() -> None:
    scenario = walk(WALL, speed_spread=0.2, start_spread_m=0.4)
    walks = [draw(scenario, seed) for seed in range(50)]
    assert len({w.walker.phase for w in walks}) == 50
    assert len({w.walker.reaction_s for w in walks}) == 50
    assert len({w.walker.legs[0].speed_mps for w in walks}) == 50
    assert len({w.obstacles[0].along_m for w in walks}) == 50


@given(seeds)
def test_without_spread_only_the_step_and_the_reaction_are_drawn(seed: int) -> None:
    scenario = walk(WALL, Obstacle(shape="pole", along_m=2.0, follows=True))
    found = draw(scenario, seed)
    assert found.walker.legs == LEGS
    assert found.obstacles == scenario.obstacles
    assert (found.title, found.duration_s, found.air) == (
        scenario.title,
        scenario.duration_s,
        scenario.air,
    )


@given(seed=seeds, spread=st.floats(0.0, 1.0))
def test_all_legs_are_faster_or_slower_by_the_same_share_and_last_as_long(
    seed: int, spread: float
) -> None:
    legs = draw(walk(speed_spread=spread), seed).walker.legs
    pace = legs[0].speed_mps / LEGS[0].speed_mps
    assert 1.0 - spread - 1e-9 <= pace <= 1.0 + spread + 1e-9
    for leg, planned in zip(legs, LEGS, strict=True):
        assert leg.speed_mps == pytest.approx(planned.speed_mps * pace)
        assert (leg.for_s, leg.turn_dps) == (planned.for_s, planned.turn_dps)


def test_the_whole_spread_is_used() -> None:
    walks = [draw(walk(WALL, speed_spread=0.2, start_spread_m=0.4), seed) for seed in range(400)]
    paces = [w.walker.legs[0].speed_mps for w in walks]
    starts_m = [w.obstacles[0].along_m - 4.0 for w in walks]
    assert min(paces) < 0.82
    assert max(paces) > 1.18
    assert min(starts_m) < 0.02
    assert max(starts_m) > 0.38
    assert statistics.mean(paces) == pytest.approx(1.0, abs=0.03)
    assert statistics.mean(starts_m) == pytest.approx(0.2, abs=0.03)


@given(seed=seeds, spread_m=st.floats(0.0, 2.0))
def test_a_walk_begins_farther_from_everything_but_a_follower(seed: int, spread_m: float) -> None:
    things = (WALL, Obstacle(shape="pole", along_m=-1.0), Obstacle(shape="person", follows=True))
    wall, pole, follower = draw(walk(*things, start_spread_m=spread_m), seed).obstacles
    farther_m = wall.along_m - 4.0
    assert -1e-9 <= farther_m <= spread_m + 1e-9
    assert pole.along_m == pytest.approx(-1.0 + farther_m)
    assert follower == things[2]


@given(seeds)
def test_the_step_in_progress_is_a_share_of_a_step(seed: int) -> None:
    begun, later = draw(walk(), seed), draw(walk(phase=0.75), seed)
    assert 0.0 <= begun.walker.phase < 1.0
    assert later.walker.phase == pytest.approx((begun.walker.phase + 0.75) % 1.0)


@given(seed=seeds, least_m=st.floats(0.0, 1.4))
def test_how_far_a_soft_thing_is_heard_is_drawn_within_its_bounds(
    seed: int, least_m: float
) -> None:
    soft = Obstacle(shape="person", seen_to_least_m=least_m, seen_to_m=1.44)
    (found,) = draw(walk(soft), seed).obstacles
    assert least_m <= found.seen_to_m <= 1.44


def test_each_soft_thing_is_drawn_for_itself() -> None:
    soft = Obstacle(shape="person", seen_to_least_m=0.5, seen_to_m=1.5)
    one, other = draw(walk(soft, soft), 1).obstacles
    assert one.seen_to_m != other.seen_to_m


@given(seeds)
def test_what_stands_in_the_way_does_not_change_the_person(seed: int) -> None:
    soft = Obstacle(shape="person", seen_to_least_m=0.5, seen_to_m=1.5)
    assert draw(walk(), seed).walker == draw(walk(soft, WALL), seed).walker


# ------------------------------------------------------------------ reactions


@given(seed=seeds, reaction_s=st.floats(0.0, 2.0))
def test_a_reaction_that_is_given_is_kept(seed: int, reaction_s: float) -> None:
    assert draw(walk(reaction_s=reaction_s), seed).walker.reaction_s == reaction_s


def reactions_s(profile: Profile, count: int = 4000) -> list[float]:
    rng = random.Random(11)
    return sorted(REACTIONS[profile].draw(rng) for _ in range(count))


@pytest.mark.parametrize("profile", PROFILES)
def test_reactions_have_their_median_and_their_slow_twentieth(profile: Profile) -> None:
    found = reactions_s(profile)
    law = REACTIONS[profile]
    assert found[len(found) // 2] == pytest.approx(law.median_s, rel=0.03)
    assert found[len(found) * 95 // 100] == pytest.approx(law.p95_s, rel=0.05)


@pytest.mark.parametrize("profile", PROFILES)
def test_nobody_reacts_before_the_signal_and_the_slow_are_slower_than_the_quick_are_quick(
    profile: Profile,
) -> None:
    found = reactions_s(profile)
    median_s = found[len(found) // 2]
    assert found[0] > 0.1
    assert found[-1] - median_s > 1.5 * (median_s - found[0])


@given(seeds)
def test_the_frailer_the_wearer_the_later_the_same_reaction(seed: int) -> None:
    fit, default, rehab = (draw(walk(), seed, profile).walker.reaction_s for profile in PROFILES)
    assert fit is not None
    assert default is not None
    assert rehab is not None
    assert fit < default < rehab


@given(seeds)
def test_a_profile_changes_nothing_but_the_reaction(seed: int) -> None:
    scenario = walk(WALL, speed_spread=0.2, start_spread_m=0.4, reaction_s=0.5)
    assert len({repr(draw(scenario, seed, profile)) for profile in PROFILES}) == 1
