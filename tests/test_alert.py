"""The alert machine: every state by every event, quick up, slow down, honest under doubt."""

import itertools

import pytest

from device.core.alert import SEEN_S, TABLE, Alert, AlertMachine, Event, State
from device.core.health import SensorFault
from device.core.reading import Echo, Fault, Nothing, Pace, PingFault, Reading
from device.core.track import Track, time_to_collision_s
from device.profiles import THRESHOLDS
from device.settings import AlertSettings, Profile

PERIOD_S = 0.05
CL, CA, WA, DA, ST, AG = State


def seen(distance_m: float, closing_mps: float = 0.0, object_id: int = 1) -> Track:
    """A track of something at `distance_m`, heard just now."""
    ttc_s = time_to_collision_s(distance_m, closing_mps)
    return Track(distance_m, closing_mps, ttc_s, 0.0, object_id=object_id)


class Bench:
    """A machine with a clock of its own: one reading every 50 ms."""

    def __init__(self, settings: AlertSettings | None = None) -> None:
        self.machine = AlertMachine(settings or AlertSettings())
        self.now_s = 0.0
        self.fault: SensorFault | None = None

    def step(
        self,
        track: Track,
        reading: Reading | None = None,
        fault: SensorFault | None = None,
        silent: bool = False,
    ) -> State:
        """One step with a reading (an echo unless given), or without one when `silent`."""
        self.now_s += PERIOD_S
        doubted, self.fault = self.fault is not None, fault
        given = None if silent else reading or Echo(self.now_s, track.distance_m or 9.0)
        return self.machine.step(self.now_s, given, track, fault, doubted)

    def at(self, state: State) -> "Bench":
        """Brought to `state` in an ordinary way, long enough ago for every dwell."""
        match state:
            case State.CLEAR:
                track = Track()
            case State.AGAINST:
                track = Track(against=True)
            case _:
                track = seen((2.2, 1.2, 0.8, 0.5)[state - 1])
        for _ in range(45):
            self.step(track)
        assert self.machine.step(self.now_s, None, track, None, doubted=False) is state
        return self


# The table again, written by what it means: the machine may not change by accident.
RISES = {
    Event.SEES_CAUTION: State.CAUTION,
    Event.SEES_WARNING: State.WARNING,
    Event.SEES_DANGER: State.DANGER,
    Event.SEES_STOP: State.STOP,
}
NEAR_ENOUGH_M = {CA: 2.2, WA: 1.2, DA: 0.8, ST: 0.5}


@pytest.mark.parametrize(("event", "state"), list(itertools.product(Event, State)))
def test_every_event_in_every_state(event: Event, state: State) -> None:
    after = TABLE[event][state]
    match event:
        case Event.TOUCHES:
            assert after is State.AGAINST
        case Event.CALMS:
            expected = {CL: CL, CA: CL, WA: CA, DA: WA, ST: DA, AG: AG}
            assert after is expected[state]
        case Event.FREES:
            assert after is (State.STOP if state is State.AGAINST else state)
        case Event.DOUBTS:
            assert after is {CL: CA, ST: DA}.get(state, state)
        case Event.TRUSTS:
            assert after is (State.AGAINST if state is State.AGAINST else State.CLEAR)
        case _:
            assert after is max(state, RISES[event])


def drive(bench: Bench, event: Event) -> State:
    """Make `event` happen through the machine's own door, whatever its state."""
    match event:
        case Event.TOUCHES:
            return bench.step(Track(against=True))
        case Event.FREES:
            return bench.step(seen(0.4))
        case Event.CALMS:
            for _ in range(4):
                bench.step(Track(), Nothing(bench.now_s))
            return bench.step(Track(), Nothing(bench.now_s))
        case Event.DOUBTS:
            return bench.step(Track(), fault=SensorFault.STALE, silent=True)
        case Event.TRUSTS:
            bench.step(Track(), fault=SensorFault.STALE, silent=True)
            return bench.step(Track(), Nothing(bench.now_s))
        case _:
            return bench.step(seen(NEAR_ENOUGH_M[RISES[event]]))


@pytest.mark.parametrize(("event", "state"), list(itertools.product(Event, State)))
def test_the_machine_follows_its_table(event: Event, state: State) -> None:
    expected = TABLE[event][state]
    if event is Event.TRUSTS:  # doubt came first
        expected = TABLE[event][TABLE[Event.DOUBTS][state]]
    if event is Event.FREES and state is not State.AGAINST:
        expected = max(state, State.STOP)  # for any other state it is just something at 0.4 m
    if event in RISES and state is State.AGAINST:
        expected = State.STOP  # something is seen farther than 0.35 m: that frees it
    assert drive(Bench().at(state), event) is expected


@pytest.mark.parametrize(
    ("distance_m", "state"), [(2.5, CA), (1.5, WA), (1.0, DA), (0.6, ST), (2.51, CL)]
)
def test_levels_by_distance_alone(distance_m: float, state: State) -> None:
    assert Bench().step(seen(distance_m)) is state


@pytest.mark.parametrize(
    ("distance_m", "closing_mps", "state"),
    [
        (3.24, 1.0, CA),
        (3.26, 1.0, CL),
        (2.24, 1.0, WA),
        (2.26, 1.0, CA),
        (1.74, 1.0, DA),
        (1.76, 1.0, WA),
        (0.84, 1.0, ST),
        (0.86, 1.0, DA),
    ],
)
def test_levels_by_time_to_collision(distance_m: float, closing_mps: float, state: State) -> None:
    assert Bench().step(seen(distance_m, closing_mps)) is state


def test_time_to_collision_can_be_switched_off() -> None:
    off = AlertSettings(caution_ttc_s=0.0, warning_ttc_s=0.0, danger_ttc_s=0.0, stop_ttc_s=0.0)
    bench = Bench(off)
    for _ in range(10):
        assert bench.step(seen(2.6, 3.0)) is State.CLEAR


def test_an_unknown_speed_leaves_the_distance_to_decide() -> None:
    bench = Bench()
    for _ in range(3):
        assert bench.step(Track(2.6, None, None, 0.0)) is State.CLEAR
        assert bench.machine.hushed is False


@pytest.mark.parametrize(
    ("before", "state"), [(b, s) for b, s in itertools.product(State, NEAR_ENOUGH_M) if b < s]
)
def test_the_first_reading_that_meets_a_threshold_raises_the_level(
    before: State, state: State
) -> None:
    """The tracker has proven the object; the machine does not ask twice."""
    assert Bench().at(before).step(seen(NEAR_ENOUGH_M[state])) is state


@pytest.mark.parametrize("state", NEAR_ENOUGH_M)
def test_what_is_only_imagined_to_come_nearer_raises_no_level(state: State) -> None:
    """Someone who passed by is dead-reckoned on for half a second, and is not met."""
    for age_s, after in ((SEEN_S, state), (SEEN_S + 0.01, CL)):
        imagined = Track(NEAR_ENOUGH_M[state], 0.8, 60.0, age_s, object_id=1)
        assert Bench().step(imagined, Nothing(0.0)) is after


def test_what_is_imagined_keeps_the_level_that_was_seen() -> None:
    bench = Bench().at(State.WARNING)
    for age_s in (0.3, 0.35, 0.4, 0.45, 0.5) * 5:
        assert bench.step(Track(0.8, 0.8, 0.7, age_s, object_id=1), Nothing(0.0)) is State.WARNING


@pytest.mark.parametrize("profile", list(THRESHOLDS))
def test_each_profiles_thresholds_are_met_at_their_own_distance_and_time(profile: Profile) -> None:
    for limit, state in zip(THRESHOLDS[profile], (CA, WA, DA, ST), strict=True):
        just = 0.001
        by_distance = Track(limit.distance_m, 0.0, 60.0, 0.0, object_id=1)
        beyond = Track(limit.distance_m + just, 0.0, 60.0, 0.0, object_id=1)
        by_time = Track(5.0, 2.0, limit.ttc_s, 0.0, object_id=1)
        later = Track(5.0, 2.0, limit.ttc_s + just, 0.0, object_id=1)
        settings = AlertSettings(profile=profile)
        assert Bench(settings).step(by_distance) is state
        assert Bench(settings).step(beyond) is State(state - 1)
        assert Bench(settings).step(by_time) is state
        assert Bench(settings).step(later) is State(state - 1)


def test_a_level_is_held_until_five_readings_are_beyond_its_margin() -> None:
    bench = Bench().at(State.WARNING)
    for _ in range(20):
        assert bench.step(seen(1.64)) is State.WARNING
    for _ in range(4):
        assert bench.step(seen(1.66)) is State.WARNING
    assert bench.step(seen(1.66)) is State.CAUTION


def test_one_reading_within_the_margin_starts_the_count_again() -> None:
    bench = Bench().at(State.WARNING)
    for distance_m in (1.7, 1.7, 1.7, 1.7, 1.6, 1.7, 1.7, 1.7, 1.7):
        assert bench.step(seen(distance_m)) is State.WARNING
    assert bench.step(seen(1.7)) is State.CAUTION


def test_calm_comes_one_level_at_a_time_and_not_before_the_dwell() -> None:
    bench = Bench()
    assert bench.step(seen(0.5)) is State.STOP
    states = [bench.step(Track(), Nothing(0.0)) for _ in range(40)]
    assert [state for state, _ in itertools.groupby(states)] == [ST, DA, WA, CA, CL]
    assert states.index(State.DANGER) * PERIOD_S >= 1.0 - PERIOD_S


def test_a_lost_ping_counts_neither_as_danger_nor_as_calm() -> None:
    bench = Bench().at(State.DANGER)
    for _ in range(4):
        bench.step(Track(), Nothing(0.0))
    for _ in range(10):
        assert bench.step(Track(), Fault(0.0, PingFault.LOST_EDGE)) is State.DANGER
    assert bench.step(Track(), Nothing(0.0)) is State.WARNING


def test_receding_lowers_a_level_by_one_but_never_stop() -> None:
    bench = Bench().at(State.DANGER)
    for _ in range(5):
        state = bench.step(seen(0.9, -0.5))
    assert state is State.WARNING
    bench = Bench().at(State.STOP)
    for _ in range(20):
        assert bench.step(seen(0.55, -0.5)) is State.STOP


def test_against_latches_through_any_silence() -> None:
    bench = Bench().at(State.AGAINST)
    for _ in range(1000):
        assert bench.step(Track(), Nothing(0.0)) is State.AGAINST
    assert bench.step(seen(0.34)) is State.AGAINST
    assert bench.step(seen(0.36)) is State.STOP


def test_nonsense_touches_nothing() -> None:
    bench = Bench().at(State.AGAINST)
    assert bench.step(Track(), fault=SensorFault.GARBAGE) is State.DANGER


def test_under_doubt_the_path_is_never_clear() -> None:
    bench = Bench()
    assert bench.step(Track(), fault=SensorFault.STOPPED_ANSWERING, silent=True) is State.CAUTION
    for _ in range(100):
        state = bench.step(Track(), Nothing(0.0), fault=SensorFault.INTERMITTENT)
        assert state is State.CAUTION


def test_under_doubt_stop_is_kept_only_for_what_is_seen_now() -> None:
    doubt = SensorFault.INTERMITTENT
    bench = Bench().at(State.STOP)
    assert bench.step(seen(0.5), fault=doubt) is State.STOP
    old = Track(0.5, 0.0, 1.2, 0.3)
    assert bench.step(old, fault=doubt) is State.DANGER
    assert bench.step(seen(0.5), fault=doubt) is State.STOP
    assert bench.step(seen(0.9), fault=doubt) is State.DANGER


def test_garbage_is_not_listened_to() -> None:
    bench = Bench()
    assert bench.step(seen(0.5), fault=SensorFault.GARBAGE) is State.CAUTION


def test_back_from_doubt_the_level_is_what_the_fresh_track_says() -> None:
    doubt = SensorFault.STOPPED_ANSWERING
    for distance_m, state in ((3.5, CL), (2.0, CA), (1.2, WA), (0.9, DA), (0.5, ST)):
        bench = Bench().at(State.DANGER)
        bench.step(Track(), fault=doubt, silent=True)
        assert bench.step(seen(distance_m)) is state


def still(bench: Bench, distance_m: float, seconds: float, object_id: int = 1) -> State:
    for _ in range(round(seconds / PERIOD_S)):
        state = bench.step(seen(distance_m, 0.01, object_id))
    return state


@pytest.mark.parametrize(("distance_m", "state"), [(2.0, CA), (1.2, WA), (0.8, DA)])
def test_standing_still_for_three_seconds_hushes_without_lowering(
    distance_m: float, state: State
) -> None:
    bench = Bench()
    still(bench, distance_m, 2.9)
    assert not bench.machine.hushed
    assert still(bench, distance_m, 0.5) is state
    assert bench.machine.hushed


def hushed_at(distance_m: float) -> Bench:
    bench = Bench()
    still(bench, distance_m, 4.0)
    assert bench.machine.hushed
    return bench


def test_closing_for_a_third_of_a_second_ends_the_hush() -> None:
    bench = hushed_at(1.2)
    for _ in range(6):
        bench.step(seen(1.2, 0.2))
        assert bench.machine.hushed
    bench.step(seen(1.2, 0.2))  # 0.3 s, give or take a rounding
    bench.step(seen(1.2, 0.2))
    assert not bench.machine.hushed


def test_a_moment_of_closing_does_not() -> None:
    bench = hushed_at(1.2)
    for i in range(60):
        bench.step(seen(1.2, 0.2 if i % 5 else 0.0))
        assert bench.machine.hushed


def test_creeping_nearer_ends_the_hush() -> None:
    bench = hushed_at(1.3)
    bench.step(seen(1.19, 0.05))
    assert bench.machine.hushed
    bench.step(seen(1.17, 0.05))
    assert not bench.machine.hushed


def test_a_new_object_a_higher_level_and_a_lost_track_end_the_hush() -> None:
    for track in (seen(1.2, 0.0, object_id=2), seen(0.9), Track()):
        bench = hushed_at(1.2)
        bench.step(track)
        assert not bench.machine.hushed


def test_wandering_more_than_ten_centimetres_is_not_standing_still() -> None:
    bench = Bench()
    for i in range(400):
        bench.step(seen(1.2 + 0.06 * (i // 40 % 2 * 2 - 1), 0.05))
        assert not bench.machine.hushed


def test_the_journal_word_of_against_is_stop() -> None:
    words = [Alert(state).level for state in State]
    assert words == ["clear", "caution", "warning", "danger", "stop", "stop"]


@pytest.mark.parametrize(
    ("period_s", "asked", "needed"), [(0.0, 20, 20), (0.04, 20, 20), (0.1, 5, 5), (0.3, 5, 2)]
)
def test_what_calms_is_counted_as_it_was_asked_but_for_slow_sensors(
    period_s: float, asked: int, needed: int
) -> None:
    settings = AlertSettings(release_pings=asked, dwell_s=0.0)
    machine = AlertMachine(settings, pace=Pace(period_s))
    near, gone = Track(2.0, age_s=0.0), Track()
    assert machine.step(0.0, Nothing(0.0), near, None, False) is State.CAUTION
    states = [machine.step(1.0 + i, Nothing(1.0 + i), gone, None, False) for i in range(25)]
    assert states.index(State.CLEAR) + 1 == needed
