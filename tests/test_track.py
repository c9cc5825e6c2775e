"""The tracker: nearer believed fast, farther slowly, nothing bridged that should not be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.reading import Echo, Fault, Nothing, Pace, PingFault, Reading
from device.core.track import (
    APPROACHED_M,
    ARM_M,
    ARM_S,
    AWAY_M,
    CHANGE_MPS,
    COAST_S,
    FAR_M,
    FEW_HITS,
    FEW_SPAN_S,
    GATE_M,
    GATE_MAX_S,
    GATE_MPS,
    ROUGH_M,
    SPEED_HITS,
    SPEED_SPAN_S,
    UNHEARD_PINGS,
    WINDOW_S,
    Track,
    Tracker,
    time_to_collision_s,
)

PERIOD_S = 0.04
NEAR_M = (ARM_M + FAR_M) / 2
"""Surely nearer than what is called far, and farther than an arm."""


def feed(tracker: Tracker, readings: list[Reading]) -> Track:
    """Every reading, each taken in at its own time."""
    track = Track()
    for reading in readings:
        track = tracker.step(reading.t_s, reading)
    return track


def wall(
    distance_m: float, closing_mps: float, pings: int, start_s: float = 0.0, noise_m: float = 0.0
) -> list[Reading]:
    """Echoes of something approached at a steady pace."""
    rng = random.Random(7)
    return [
        Echo(
            start_s + i * PERIOD_S,
            distance_m - closing_mps * i * PERIOD_S + rng.gauss(0, noise_m),
        )
        for i in range(pings)
    ]


def believed_after(readings: list[Reading], tracker: Tracker | None = None) -> int | None:
    """How many of the readings it takes until something is believed."""
    tracker = tracker or Tracker(3)
    for i, reading in enumerate(readings, start=1):
        if tracker.step(reading.t_s, reading).distance_m is not None:
            return i
    return None


def hedge(
    distance_m: float,
    closing_mps: float,
    pings: int,
    seed: int,
    depth_m: float = 0.3,
    start_s: float = 0.0,
) -> list[Reading]:
    """Echoes from anywhere in `depth_m` of leaves, approached at a steady pace."""
    rng = random.Random(seed)
    times = [start_s + i * PERIOD_S for i in range(pings)]
    return [
        Echo(t_s, distance_m - closing_mps * (t_s - start_s) + rng.uniform(0.0, depth_m))
        for t_s in times
    ]


# ------------------------------------------------------------------ what is believed, and when


def test_one_echo_proves_nothing() -> None:
    assert feed(Tracker(3), [Echo(0.0, 0.5)]).distance_m is None


@pytest.mark.parametrize("pings", [1, 2, 3, 4])
def test_as_many_pings_as_are_asked_for_prove_something_near(pings: int) -> None:
    assert believed_after(wall(NEAR_M, 0.5, 20), Tracker(pings)) == pings


def test_something_far_away_takes_one_ping_more() -> None:
    assert believed_after(wall(FAR_M - 0.1, 0.0, 20)) == 3
    assert believed_after(wall(FAR_M + 0.1, 0.0, 20)) == 4


@pytest.mark.parametrize("period_s", [0.036, 0.05, 0.1])
def test_what_is_first_heard_at_arms_length_must_stay(period_s: float) -> None:
    near: list[Reading] = [Echo(i * period_s, ARM_M - 0.05) for i in range(40)]
    after = believed_after(near)
    assert after is not None
    lasted_s = (after - 1) * period_s
    assert ARM_S - 1e-9 <= lasted_s <= ARM_S + period_s
    assert ARM_S > 0.2  # a sleeve


def test_what_was_followed_from_farther_away_is_believed_at_arms_length_too() -> None:
    tracker = Tracker(3)
    walked = wall(1.0, 1.0, 24)
    tracks = [tracker.step(reading.t_s, reading) for reading in walked]
    assert all(track.distance_m is not None for track in tracks[2:])
    assert {track.object_id for track in tracks[2:]} == {1}
    assert tracks[-1].distance_m == pytest.approx(1.0 - 23 * PERIOD_S, abs=0.03)


def test_an_arm_before_the_sensor_does_not_hide_what_is_behind_it() -> None:
    tracker = Tracker(3)
    readings = wall(2.0, 0.5, 40)
    for i in range(20, 25):
        readings[i] = Echo(readings[i].t_s, 0.25)
    track = feed(tracker, readings)
    assert track.object_id == 1
    assert track.distance_m == pytest.approx(2.0 - 39 * PERIOD_S * 0.5, abs=0.03)


def test_leaves_at_many_depths_are_a_thing_if_there_are_enough_of_them() -> None:
    for seed in range(20):
        for distance_m in (NEAR_M, FAR_M + 0.5):
            after = believed_after(hedge(distance_m, 0.8, 30, seed))
            assert after is not None
            assert after <= 14


@pytest.mark.parametrize("distance_m", [NEAR_M, FAR_M + 0.5])
def test_the_less_even_the_echoes_the_more_of_them_are_asked_for(distance_m: float) -> None:
    def after(either_way_m: float) -> int:
        wavy: list[Reading] = [
            Echo(i * PERIOD_S, distance_m + either_way_m * (-1) ** i) for i in range(20)
        ]
        found = believed_after(wavy)
        assert found is not None
        return found

    assert after(0.0) < after(0.03) < after(0.06) <= 10


@pytest.mark.parametrize(
    ("distance_m", "heard", "within"),
    [(NEAR_M, (0, 2, 4), 5), (NEAR_M, (0, 4, 7, 11), 12), (FAR_M + 0.5, (0, 2, 4, 6, 8), 10)],
)
def test_an_even_thing_that_swallows_pings_is_believed_all_the_same(
    distance_m: float, heard: tuple[int, ...], within: int
) -> None:
    readings: list[Reading] = [
        Echo(i * PERIOD_S, distance_m) if i in heard else Nothing(i * PERIOD_S)
        for i in range(within)
    ]
    assert believed_after(readings) is not None


def test_stones_far_away_are_no_thing() -> None:
    """An echo in seven pings from anywhere between 1.6 and 2.5 m, for a minute."""
    for seed in range(5):
        rng = random.Random(seed)
        gravel: list[Reading] = [
            Echo(t_s, rng.uniform(1.6, 2.5)) if rng.random() < 0.15 else Nothing(t_s)
            for t_s in (i * PERIOD_S for i in range(1500))
        ]
        assert believed_after(gravel) is None


def test_three_of_five_agreeing_echoes_are_an_object() -> None:
    readings: list[Reading] = [
        Echo(0.0, 1.0),
        Nothing(0.04),
        Echo(0.08, 0.97),
        Nothing(0.12),
        Echo(0.16, 0.95),
    ]
    assert feed(Tracker(3), readings[:4]).distance_m is None
    track = feed(Tracker(3), readings)
    assert track.distance_m == pytest.approx(0.95, abs=0.03)
    assert track.object_id == 1


def test_three_of_six_are_not() -> None:
    readings: list[Reading] = [Echo(0.0, 1.0), Nothing(0.04), Echo(0.08, 1.0), Nothing(0.12)]
    readings += [Nothing(0.16), Echo(0.20, 1.0)]
    assert feed(Tracker(3), readings).distance_m is None


def test_echoes_too_far_apart_for_a_person_do_not_agree() -> None:
    readings: list[Reading] = [Echo(0.0, 2.0), Echo(0.04, 1.0), Echo(0.08, 0.3)]
    assert feed(Tracker(3), readings).distance_m is None


# ------------------------------------------------------------------ how fast, and how sure


def test_the_slope_is_the_closing_speed_and_gait_averages_out() -> None:
    track = feed(Tracker(3), wall(3.0, 1.0, 30, noise_m=0.01))
    assert track.closing_mps == pytest.approx(1.0, abs=0.1)
    assert track.distance_m == pytest.approx(3.0 - 29 * PERIOD_S, abs=0.02)
    assert track.ttc_s == pytest.approx((track.distance_m - 0.25) / track.closing_mps, rel=0.1)


def test_speed_is_unknown_until_there_is_enough_to_tell() -> None:
    tracker = Tracker(3)
    for reading in wall(NEAR_M, 1.0, 12):
        track = tracker.step(reading.t_s, reading)
        enough = reading.t_s / PERIOD_S >= SPEED_HITS - 1 and reading.t_s >= SPEED_SPAN_S - 1e-9
        assert (track.closing_mps is not None) is enough
        assert (track.ttc_s is not None) is enough


def hits_until_speed(distance_m: float, every: int) -> int:
    """How many echoes name a speed, when one ping of `every` answers."""
    tracker = Tracker(3)
    for i in range(60):
        t_s = i * PERIOD_S / every
        reading: Reading = Nothing(t_s) if i % every else Echo(t_s, distance_m)
        if tracker.step(t_s, reading).closing_mps is not None:
            return i // every + 1
    raise AssertionError("never")


def test_of_something_far_away_more_is_asked_before_a_speed_is_named() -> None:
    assert hits_until_speed(NEAR_M, 1) <= hits_until_speed(FAR_M + 0.5, 1)
    assert hits_until_speed(FAR_M + 0.5, 1) * PERIOD_S < 0.4


def test_what_answers_now_and_then_far_away_is_no_solid_thing_and_its_speed_takes_longer() -> None:
    assert hits_until_speed(FAR_M + 0.5, 2) > hits_until_speed(FAR_M + 0.5, 1)
    assert hits_until_speed(NEAR_M, 2) == hits_until_speed(NEAR_M, 1)


def test_a_slow_sensors_few_echoes_tell_a_speed_after_a_longer_time() -> None:
    period_s = 1.01 * FEW_SPAN_S / (FEW_HITS - 1)
    for distance_m in (FAR_M + 1.5, NEAR_M + 0.3):
        tracker = Tracker(3, gap_s=2.0)
        readings: list[Reading] = [
            Echo(i * period_s, distance_m - 0.5 * i * period_s) for i in range(FEW_HITS)
        ]
        assert feed(tracker, readings[:-1]).closing_mps is None
        assert feed(tracker, readings[-1:]).closing_mps == pytest.approx(0.5)


def test_of_a_speed_only_what_is_sure_counts_and_more_echoes_make_it_surer() -> None:
    tracker = Tracker(3)
    doubts = []
    for reading in wall(NEAR_M + 0.4, 1.0, 15):
        track = tracker.step(reading.t_s, reading)
        if track.closing_mps is not None:
            assert track.closing_mps == pytest.approx(1.0, abs=1e-3)
            assert track.distance_m is not None
            assert track.ttc_s is not None
            doubts.append(track.ttc_s / time_to_collision_s(track.distance_m, 1.0))
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 1.03
    assert 1.0 < doubts[-1] < 1.1


def test_the_more_the_echoes_scatter_the_less_of_the_speed_is_sure() -> None:
    def doubt(scatter_m: float) -> float:
        readings: list[Reading] = [
            Echo(r.t_s, r.distance_m + scatter_m * (-1) ** i)
            for i, r in enumerate(wall(NEAR_M + 0.7, 1.0, 26))
            if isinstance(r, Echo)
        ]
        track = feed(Tracker(3), readings)
        assert track.distance_m is not None
        assert track.ttc_s is not None
        assert track.closing_mps == pytest.approx(1.0, abs=0.1)
        return track.ttc_s / time_to_collision_s(track.distance_m, track.closing_mps)

    assert doubt(0.04) > doubt(0.0)


def test_what_stands_still_is_not_thought_to_close_by_what_is_not_sure() -> None:
    """The unsure share is taken off; it never adds to a speed."""
    track = feed(Tracker(3), wall(NEAR_M, 0.0, 30))
    assert track.ttc_s == pytest.approx(time_to_collision_s(NEAR_M, 0.0), abs=1e-3)


# ------------------------------------------------------------------ rough things


def test_of_a_rough_thing_the_front_is_what_counts() -> None:
    """30 cm of leaves: heard at their middle on average, met at their front."""
    for seed in range(20):
        track = feed(Tracker(3), hedge(2.0, 0.8, 40, seed))
        front_m = 2.0 - 39 * PERIOD_S * 0.8
        assert front_m < FAR_M
        assert track.distance_m is not None
        assert front_m - 0.1 < track.distance_m < front_m + 0.15


def test_the_speed_of_a_rough_thing_comes_from_two_steps() -> None:
    rough, smooth = [], []
    for seed in range(40):
        track = feed(Tracker(3), hedge(2.6, 0.8, 45, seed))
        assert track.closing_mps is not None
        rough.append(track.closing_mps - 0.8)
        echoes = [r for r in hedge(2.6, 0.8, 45, seed) if isinstance(r, Echo)]
        step = [r for r in echoes if r.t_s >= echoes[-1].t_s - WINDOW_S]
        smooth.append(slope_mps(step) - 0.8)
    assert sum(e * e for e in rough) < 0.5 * sum(e * e for e in smooth)


def slope_mps(echoes: list[Echo]) -> float:
    """Closing speed of a least-squares line through the echoes."""
    t = sum(e.t_s for e in echoes) / len(echoes)
    d = sum(e.distance_m for e in echoes) / len(echoes)
    along = sum((e.t_s - t) * (e.distance_m - d) for e in echoes)
    return -along / sum((e.t_s - t) ** 2 for e in echoes)


def test_a_rough_thing_far_away_is_where_most_of_it_is() -> None:
    found_m = []
    for seed in range(40):
        track = feed(Tracker(3), hedge(FAR_M + 0.6, 0.0, 40, seed))
        assert track.distance_m is not None
        found_m.append(track.distance_m)
    assert sum(found_m) / len(found_m) == pytest.approx(FAR_M + 0.75, abs=0.03)


def test_a_rough_thing_that_recedes_is_not_imagined_farther() -> None:
    tracker = Tracker(3)
    feed(tracker, hedge(FAR_M + 0.3, -0.8, 30, seed=3))
    lost: list[Reading] = [Nothing((30 + i) * PERIOD_S) for i in range(8)]
    found_m = [tracker.step(reading.t_s, reading).distance_m for reading in lost]
    assert None not in found_m
    assert len(set(found_m)) == 1


def test_a_few_echoes_of_a_rough_thing_in_a_line_by_chance_are_not_its_speed() -> None:
    """A slow sensor hears five in a step; the step before it must bear them out."""
    errors = []
    for seed in range(200):
        rng = random.Random(seed)
        leaves: list[Reading] = [
            Echo(i * 0.12, 2.5 - 0.5 * i * 0.12 + rng.uniform(0.0, 0.3)) for i in range(24)
        ]
        track = feed(Tracker(3, gap_s=1.0), leaves)
        if track.closing_mps is not None:
            errors.append(track.closing_mps - 0.5)
    assert len(errors) > 150
    assert (sum(e * e for e in errors) / len(errors)) ** 0.5 < 0.105


def test_someone_who_sets_off_is_as_near_as_was_heard_last() -> None:
    """A line through half a second lags behind them."""
    tracker = Tracker(3)
    feed(tracker, wall(NEAR_M, 0.0, 30))
    for i, reading in enumerate(wall(NEAR_M, 1.0, 8, start_s=30 * PERIOD_S)):
        track = tracker.step(reading.t_s, reading)
        assert track.distance_m is not None
        assert track.distance_m <= NEAR_M - max(0, i - 1) * PERIOD_S + 1e-4


def test_a_smooth_thing_that_changes_its_pace_is_followed_within_one_step() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(NEAR_M + 0.6, 0.0, 40))
    setting_off = wall(NEAR_M + 0.6, 1.0, 15, start_s=40 * PERIOD_S)
    assert setting_off[-1].t_s - setting_off[0].t_s > WINDOW_S
    assert feed(tracker, setting_off).closing_mps == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("scatter_m", "front"), [(0.8 * ROUGH_M, False), (1.3 * ROUGH_M, True)])
def test_only_what_scatters_as_no_smooth_thing_does_has_a_front(
    scatter_m: float, front: bool
) -> None:
    either_side: list[Reading] = [
        Echo(i * PERIOD_S, NEAR_M + scatter_m * (1 if i % 2 else -1)) for i in range(40)
    ]
    found_m = feed(Tracker(3), either_side).distance_m
    assert found_m == pytest.approx(NEAR_M - scatter_m if front else NEAR_M, abs=0.01)


def test_a_rough_thing_is_heard_at_any_of_its_depths() -> None:
    for seed in range(10):
        tracker = Tracker(3)
        readings = hedge(3.0, 0.6, 80, seed, depth_m=0.4)
        feed(tracker, readings[:30])
        ages_s = [tracker.step(reading.t_s, reading).age_s for reading in readings[30:]]
        assert ages_s.count(0.0) >= 0.9 * len(ages_s)


# ------------------------------------------------------------------ nearer and farther


def taken(pings: int, off_m: float) -> bool:
    """Whether an echo this far off the way of something heard `pings` times is taken for it."""
    tracker = Tracker(3)
    feed(tracker, wall(NEAR_M, 0.0, pings))
    return feed(tracker, [Echo(pings * PERIOD_S, NEAR_M + off_m)]).age_s == 0.0


@pytest.mark.parametrize("way", [1, -1])
def test_what_moves_at_a_known_speed_may_only_change_it(way: int) -> None:
    """Three echoes say where it is; half a second of them also where it must be next."""
    either_m = (GATE_M + CHANGE_MPS * PERIOD_S, GATE_M + GATE_MPS * PERIOD_S)
    between_m = sum(either_m) / 2
    assert taken(3, way * between_m)
    assert not taken(15, way * between_m)
    assert taken(15, way * 0.9 * either_m[0])
    assert not taken(3, way * 1.1 * either_m[1])


def test_the_longer_nothing_is_heard_the_farther_off_it_may_be_up_to_a_limit() -> None:
    def taken_after(silent_s: float, off_m: float) -> bool:
        tracker = Tracker(3)
        last_s = feed_wall(tracker)
        return feed(tracker, [Echo(last_s + silent_s, NEAR_M + off_m)]).age_s == 0.0

    off_m = GATE_M + CHANGE_MPS * 0.9 * GATE_MAX_S
    assert not taken_after(PERIOD_S, off_m)
    assert taken_after(GATE_MAX_S, off_m)
    assert not taken_after(2 * GATE_MAX_S, GATE_M + CHANGE_MPS * 1.5 * GATE_MAX_S)


def feed_wall(tracker: Tracker) -> float:
    """Half a second and more of something that stands still; when it was heard last."""
    readings = wall(NEAR_M, 0.0, 20)
    feed(tracker, readings)
    return readings[-1].t_s


@given(ghost_m=st.floats(0.02, 4.0), at=st.integers(8, 25))
def test_a_single_ghost_never_moves_the_track(ghost_m: float, at: int) -> None:
    clean = wall(3.0, 0.8, 30)
    haunted = list(clean)
    haunted[at] = Echo(clean[at].t_s, ghost_m)
    wanted = feed(Tracker(3), clean)
    found = feed(Tracker(3), haunted)
    assert found.object_id == wanted.object_id
    assert found.distance_m == pytest.approx(wanted.distance_m, abs=0.08)


def test_a_nearer_object_is_believed_after_three_pings() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(2.0, 0.0, 20))
    nearer = wall(1.0, 0.0, 3, start_s=20 * PERIOD_S)
    assert feed(tracker, nearer[:2]).distance_m == pytest.approx(2.0)
    assert feed(tracker, nearer[2:]).distance_m == pytest.approx(1.0)


def test_a_farther_object_is_believed_only_when_the_nearer_is_unheard_for_long() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(1.0, 0.0, 20))
    farther = wall(2.0, 0.0, UNHEARD_PINGS, start_s=20 * PERIOD_S)
    assert feed(tracker, farther[:-1]).distance_m == pytest.approx(1.0)
    assert feed(tracker, farther[-1:]).distance_m == pytest.approx(2.0)


@pytest.mark.parametrize("every", [2, 4, UNHEARD_PINGS])
def test_mesh_that_is_heard_now_and_then_is_not_lost_for_the_wall_behind(every: int) -> None:
    tracker = Tracker(3)
    feed(tracker, wall(1.0, 0.0, 20))
    through: list[Reading] = [
        Echo((20 + i) * PERIOD_S, 1.0 if i % every == every - 1 else 2.5) for i in range(80)
    ]
    tracks = [tracker.step(reading.t_s, reading) for reading in through]
    assert {track.object_id for track in tracks} == {1}
    assert tracks[-1].distance_m == pytest.approx(1.0, abs=0.01)


def test_two_surfaces_in_turn_leave_the_nearer_one_tracked() -> None:
    readings: list[Reading] = [Echo(i * PERIOD_S, 1.0 if i % 2 else 2.5) for i in range(40)]
    assert feed(Tracker(3), readings).distance_m == pytest.approx(1.0)


def test_a_lost_echo_is_dead_reckoned_nearer_for_half_a_second() -> None:
    tracker = Tracker(3)
    last = feed(tracker, wall(2.0, 1.0, 20))
    assert last.distance_m is not None
    gone: list[Reading] = [Nothing(20 * PERIOD_S + i * 0.05) for i in range(9)]
    track = feed(tracker, gone)
    assert track.distance_m == pytest.approx(last.distance_m - 0.44, abs=0.01)
    assert track.age_s == pytest.approx(0.44, abs=1e-6)
    assert feed(tracker, [Nothing(20 * PERIOD_S + 0.5)]).distance_m is None


def test_a_lost_echo_of_something_receding_is_not_imagined_farther() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(1.0, -1.0, 20))
    track = feed(tracker, [Nothing(20 * PERIOD_S + 0.2)])
    assert track.distance_m == pytest.approx(1.0 + 19 * PERIOD_S, abs=0.05)
    assert track.distance_m <= 1.0 + 19 * PERIOD_S


def test_a_gap_in_the_readings_clears_the_track() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(3.05, 0.0, 20))
    later_s = 20 * PERIOD_S + 0.6
    assert feed(tracker, [Echo(later_s, 3.05)]).distance_m is None
    assert feed(tracker, wall(1.36, 0.0, 3, later_s + 0.04)).distance_m == pytest.approx(1.36)


def test_a_slow_sensor_may_be_given_a_longer_gap() -> None:
    slow = Tracker(3, gap_s=1.5)
    readings: list[Reading] = [Echo(i * 0.6, 1.0) for i in range(4)]
    assert feed(slow, readings).distance_m == pytest.approx(1.0)
    assert feed(Tracker(3), readings).distance_m is None


@pytest.mark.parametrize(
    "silence",
    [Nothing(20 * PERIOD_S), Fault(20 * PERIOD_S, PingFault.NEVER_ROSE)],
    ids=["nothing", "never rose"],
)
def test_silence_after_a_close_reading_is_against_it(silence: Reading) -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.35, 0.0, 20))
    assert feed(tracker, [silence]).against
    still: list[Reading] = [Nothing(21 * PERIOD_S + i * 0.05) for i in range(100)]
    track = feed(tracker, still)
    assert track.against
    assert track.distance_m is None


def test_silence_after_a_reading_outside_arms_length_is_not() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.45, 0.0, 20))
    assert not feed(tracker, [Nothing(20 * PERIOD_S)]).against


def test_silence_after_three_ghosts_is_not() -> None:
    tracker = Tracker(3)
    ghost_m = ARM_M + 0.03
    assert feed(tracker, wall(ghost_m, 0.0, 3)).distance_m == pytest.approx(ghost_m)
    assert not feed(tracker, [Nothing(3 * PERIOD_S)]).against


def test_silence_more_than_half_a_second_after_is_not() -> None:
    tracker = Tracker(3, gap_s=2.0)
    feed(tracker, wall(0.3, 0.0, 20))
    assert feed(tracker, [Nothing(20 * PERIOD_S + 1.0)]).against
    quick = Tracker(3)
    feed(quick, wall(0.3, 0.0, 20))
    assert not feed(quick, [Nothing(20 * PERIOD_S + COAST_S)]).against


def test_against_ends_when_something_farther_is_believed() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.2, 0.0, 20))
    assert feed(tracker, [Nothing(0.8)]).against
    assert feed(tracker, [Echo(0.84, 0.36), Echo(0.88, 0.38)]).against
    assert not feed(tracker, [Echo(0.92, 0.40), Echo(0.96, 0.42)]).against


def test_a_new_farther_object_ends_against_too() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.2, 0.0, 20))
    feed(tracker, [Nothing(0.8 + i * 0.05) for i in range(20)])
    again = wall(2.0, 0.0, 10, 1.8)
    against = [tracker.step(reading.t_s, reading).against for reading in again]
    assert all(against[:3])
    assert not any(against[5:])


def test_a_new_object_at_arms_length_does_not_end_it() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.2, 0.0, 20))
    feed(tracker, [Nothing(0.8 + i * 0.05) for i in range(20)])
    track = feed(tracker, wall(AWAY_M - 0.01, 0.0, 20, 1.8))
    assert track.distance_m == pytest.approx(AWAY_M - 0.01)
    assert track.against


def test_too_close_to_measure_is_against_it_once_it_lasts_or_was_approached() -> None:
    close: list[Reading] = [Echo(i * PERIOD_S, 0.02, too_close=True) for i in range(20)]
    tracker = Tracker(3)
    assert not feed(tracker, close[:14]).against
    assert feed(tracker, close[14:]).against
    approached = Tracker(3)
    feed(approached, wall(APPROACHED_M + 0.1, 1.0, 10))
    assert feed(approached, [Echo(10 * PERIOD_S, 0.1, too_close=True)]).against


@pytest.mark.parametrize("pings", [5, 12])
def test_a_sleeve_before_the_sensor_is_not_touching(pings: int) -> None:
    tracker = Tracker(3)
    feed(tracker, [Nothing(i * PERIOD_S) for i in range(10)])
    sleeve = wall(0.2, 0.0, pings, start_s=10 * PERIOD_S)
    assert feed(tracker, sleeve).distance_m == (None if pings == 5 else pytest.approx(0.2))
    gone: list[Reading] = [Nothing((10 + pings + i) * PERIOD_S) for i in range(10)]
    assert not feed(tracker, gone).against


def test_a_wide_blind_zone_widens_what_counts_as_touching() -> None:
    readings = [*wall(1.0, 1.0, 12), Nothing(12 * PERIOD_S)]
    assert not feed(Tracker(3), readings).against
    tracker = Tracker(3, blind_m=0.5)
    assert feed(tracker, readings).against
    assert feed(tracker, wall(0.56, 0.0, 8, start_s=0.6)).against
    assert not feed(tracker, wall(0.62, 0.0, 8, start_s=1.0)).against


def test_what_swallows_two_pings_of_three_is_there_all_the_same() -> None:
    tracker = Tracker(3)
    found = [
        feed(tracker, [Echo(i * PERIOD_S, 0.8) if i % 3 == 0 else Nothing(i * PERIOD_S)])
        for i in range(40)
    ]
    assert found[-1].distance_m == pytest.approx(0.8)
    assert all(track.distance_m is not None for track in found[12:])


def test_the_track_between_readings_grows_old_and_ends() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(2.0, 1.0, 20))
    last_s = 19 * PERIOD_S
    half = tracker.at(last_s + 0.25)
    assert half.age_s == pytest.approx(0.25)
    assert half.distance_m == pytest.approx(2.0 - last_s - 0.25, abs=0.02)
    assert tracker.at(last_s + COAST_S + 0.01).distance_m is None


def test_time_to_collision_counts_from_the_heel_and_never_divides_by_nothing() -> None:
    assert time_to_collision_s(1.25, 1.0) == pytest.approx(1.0)
    assert time_to_collision_s(0.65, 0.0) == pytest.approx(2.0)
    assert time_to_collision_s(0.65, -1.0) == pytest.approx(2.0)
    assert time_to_collision_s(0.1, 1.0) == 0.0


@given(
    st.lists(
        st.one_of(
            st.floats(0.0, 8.0).map(lambda d: ("echo", d)),
            st.floats(0.9, 1.1).map(lambda d: ("echo", d)),
            st.just(("close", 0.02)),
            st.just(("nothing", 0.0)),
            st.just(("fault", 0.0)),
        ),
        max_size=60,
    ),
    st.floats(0.005, 1.0),
    st.integers(1, 4),
    st.sampled_from([0.5, 1.5]),
)
def test_whatever_comes_the_track_is_sane(
    kinds: list[tuple[str, float]], period_s: float, pings: int, gap_s: float
) -> None:
    tracker = Tracker(pings, gap_s)
    for i, (kind, d) in enumerate(kinds):
        t_s = i * period_s
        reading: Reading = Echo(t_s, d, too_close=kind == "close")
        if kind in ("nothing", "fault"):
            reading = Nothing(t_s) if kind == "nothing" else Fault(t_s, PingFault.NOISE)
        track = tracker.step(t_s, reading)
        assert (track.ttc_s is None) == (track.closing_mps is None)
        assert track.ttc_s is None or 0.0 <= track.ttc_s < float("inf")
        assert track.distance_m is None or track.distance_m >= 0.0
        assert (track.distance_m is None) == (track.age_s is None)
        assert track.closing_mps is None or track.distance_m is not None


@pytest.mark.parametrize("rider_mps", [4.0, 6.0, 7.5])
@pytest.mark.parametrize("period_s", [0.04, 0.05])
def test_a_rider_is_believed_on_the_way(rider_mps: float, period_s: float) -> None:
    tracker = Tracker(3)
    steps = range(int(3.5 / (rider_mps * period_s)))
    echoes = [Echo(i * period_s, 3.9 - rider_mps * i * period_s) for i in steps]
    believed = believed_after(list(echoes), tracker)
    assert believed is not None
    assert echoes[believed].distance_m > 1.0


@pytest.mark.parametrize("loss", [0.35, 0.5, 0.65])
def test_what_stays_at_arms_length_is_believed_however_lossy(loss: float) -> None:
    for seed in range(40):
        rng = random.Random(seed)
        heard: list[Reading] = []
        for i in range(120):
            lost = rng.random() < loss
            heard.append(Nothing(i * 0.05) if lost else Echo(i * 0.05, rng.gauss(0.28, 0.01)))
        believed = believed_after(heard)
        assert believed is not None
        assert believed <= 80


def test_what_was_walked_up_to_need_not_stay_at_arms_length() -> None:
    tracker = Tracker(3)
    late = [Echo(i * 0.04, 0.46 - 1.4 * i * 0.04) for i in range(4)]
    assert believed_after(list(late), tracker) is not None


def test_two_echoes_of_one_instant_lead_nowhere() -> None:
    """A recording may give one time to two readings."""
    tracker = Tracker(1)
    twice = [Echo(0.0, 1.0), Echo(0.0, 1.0), Echo(0.04, 1.01)]
    assert feed(tracker, list(twice)).distance_m == pytest.approx(1.0, abs=0.02)


# ------------------------------------------------------------------ readings that come late


@pytest.mark.parametrize("lag_s", [0.1, 0.3])
@pytest.mark.parametrize("closing_mps", [0.3, 1.0, 2.0])
def test_what_closes_is_nearer_by_now_than_a_late_reading_says(
    closing_mps: float, lag_s: float
) -> None:
    readings = wall(3.0, closing_mps, 25)
    prompt, late = (feed(Tracker(3, pace=Pace(lag_s=lag)), readings) for lag in (0.0, lag_s))
    assert prompt.distance_m is not None
    assert late.distance_m is not None
    assert prompt.ttc_s is not None
    assert late.ttc_s is not None
    # Of the speed only what is sure counts.
    assert prompt.distance_m - late.distance_m == pytest.approx(closing_mps * lag_s, abs=0.01)
    assert prompt.ttc_s - late.ttc_s == pytest.approx(lag_s, abs=0.002)
    assert late.closing_mps == prompt.closing_mps == pytest.approx(closing_mps)


@pytest.mark.parametrize("closing_mps", [0.0, -1.0])
def test_what_stands_or_leaves_is_where_a_late_reading_says(closing_mps: float) -> None:
    readings = wall(1.0, closing_mps, 25)
    assert feed(Tracker(3, pace=Pace(lag_s=0.3)), readings) == feed(Tracker(3), readings)


def test_what_closes_late_is_never_nearer_than_at_hand() -> None:
    readings = wall(1.2, 1.0, 20)
    track = feed(Tracker(3, pace=Pace(lag_s=1.0)), readings)
    assert (track.distance_m, track.ttc_s) == (0.0, 0.0)
