"""The tracker: nearer believed fast, farther slowly, nothing bridged that should not be."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.core.track import AWAY_M, COAST_S, Track, Tracker, time_to_collision_s

PERIOD_S = 0.04


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


def test_one_echo_proves_nothing() -> None:
    assert feed(Tracker(3), [Echo(0.0, 0.5)]).distance_m is None


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


def test_the_slope_is_the_closing_speed_and_gait_averages_out() -> None:
    track = feed(Tracker(3), wall(3.0, 1.0, 30, noise_m=0.01))
    assert track.closing_mps == pytest.approx(1.0, abs=0.1)
    assert track.distance_m == pytest.approx(3.0 - 29 * PERIOD_S, abs=0.02)
    assert track.ttc_s == pytest.approx((track.distance_m - 0.25) / track.closing_mps, abs=1e-3)


def test_speed_is_unknown_until_there_is_enough_to_tell() -> None:
    track = feed(Tracker(3), wall(2.0, 1.0, 4))
    assert track.distance_m == pytest.approx(1.88)
    assert track.closing_mps is None
    assert track.ttc_s is None


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


def test_a_farther_object_is_believed_only_after_five() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(1.0, 0.0, 20))
    farther = wall(2.0, 0.0, 5, start_s=20 * PERIOD_S)
    assert feed(tracker, farther[:4]).distance_m == pytest.approx(1.0)
    assert feed(tracker, farther[4:]).distance_m == pytest.approx(2.0)


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
    assert feed(tracker, wall(0.3, 0.0, 3)).distance_m == pytest.approx(0.3)
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
    assert feed(tracker, wall(2.0, 0.0, 2, 1.8)).against
    assert not feed(tracker, [Echo(1.88, 2.0)]).against


def test_a_new_object_at_arms_length_does_not_end_it() -> None:
    tracker = Tracker(3)
    feed(tracker, wall(0.2, 0.0, 20))
    feed(tracker, [Nothing(0.8 + i * 0.05) for i in range(20)])
    assert feed(tracker, wall(AWAY_M, 0.0, 5, 1.8)).against


def test_too_close_to_measure_is_against_it_once_it_lasts_or_was_approached() -> None:
    close: list[Reading] = [Echo(i * PERIOD_S, 0.02, too_close=True) for i in range(20)]
    tracker = Tracker(3)
    assert not feed(tracker, close[:14]).against
    assert feed(tracker, close[14:]).against
    approached = Tracker(3)
    feed(approached, wall(0.6, 1.0, 10))
    assert feed(approached, [Echo(10 * PERIOD_S, 0.1, too_close=True)]).against


def test_a_sleeve_before_the_sensor_is_not_touching() -> None:
    tracker = Tracker(3)
    feed(tracker, [Nothing(i * PERIOD_S) for i in range(10)])
    sleeve = wall(0.2, 0.0, 6, start_s=10 * PERIOD_S)
    assert feed(tracker, sleeve).distance_m == pytest.approx(0.2)
    assert not feed(tracker, [Nothing((16 + i) * PERIOD_S) for i in range(10)]).against


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
    assert half.distance_m == pytest.approx(2.0 - last_s - 0.25, abs=1e-3)
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
            st.just(("nothing", 0.0)),
            st.just(("fault", 0.0)),
        ),
        max_size=60,
    ),
    st.floats(0.005, 1.0),
)
def test_whatever_comes_the_track_is_sane(kinds: list[tuple[str, float]], gap_s: float) -> None:
    tracker = Tracker(3)
    for i, (kind, d) in enumerate(kinds):
        t_s = i * gap_s
        reading: Reading = Echo(t_s, d)
        if kind != "echo":
            reading = Nothing(t_s) if kind == "nothing" else Fault(t_s, PingFault.NOISE)
        track = tracker.step(t_s, reading)
        assert track.distance_m is None or track.distance_m >= 0.0
        assert (track.distance_m is None) == (track.age_s is None)
        assert track.closing_mps is None or track.distance_m is not None
