"""The coach: when a walk is one, what is said of it and when, and what may never be eased."""

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.button import Press, Presses
from device.core import coach
from device.core.alert import Alert, DeviceFault, State
from device.core.coach import Begun, Coach, Ended, Walking, dose
from device.core.health import SensorFault
from device.core.pipeline import Pipeline, Start, Step
from device.core.reading import Echo, Nothing, Pace, Reading
from device.core.signals import ASIDES_S, COACH_AFTER_S, Cue, Player
from device.core.track import Track
from device.settings import BuzzerSettings, CoachSettings, MotorSettings, Settings

STEP_S = 0.1
TO_STOP_S = 1.075
GOOD = Alert(proven=True)
TIMED = CoachSettings(target_min=15.0, most_min=20.0)
TURNS = CoachSettings(mode="intervals", target_min=10.0, backward_s=60.0, forward_s=45.0)
Scene = tuple[Track, Alert]


def at(distance_m: float, closing_mps: float | None = 0.0, object_id: int = 1) -> Scene:
    """Something in view."""
    return Track(distance_m, closing_mps, None, 0.0, object_id=object_id), GOOD


EMPTY: Scene = (Track(), GOOD)


class Day:
    """A coach, and somebody who is told at once whatever it wishes to say."""

    def __init__(self, settings: CoachSettings = TIMED, told: bool = False) -> None:
        self.coach = Coach(settings, TO_STOP_S, told)
        self.t_s = 0.0
        self.said: list[tuple[float, Cue]] = []
        self.walks: list[Walking] = []
        self.walk: Walking | None = None
        self.listens = True

    def spend(self, for_s: float, scene: Callable[[float], Scene] | Scene) -> "Day":
        """Let that long pass, with that in view; by the time since then, if it is a function."""
        began_s, end_s = self.t_s, round(self.t_s + for_s, 6)
        while self.t_s < end_s:
            self.t_s = round(self.t_s + STEP_S, 6)
            track, alert = scene(self.t_s - began_s) if callable(scene) else scene
            self.walk = self.coach.step(self.t_s, track, alert)
            if self.walk is not None and (
                not self.walks or self.walks[-1].number != self.walk.number
            ):
                self.walks.append(self.walk)
            elif self.walk is not None:
                self.walks[-1] = self.walk
            wish = self.coach.wish(self.t_s) if self.listens else None
            if wish is not None:
                self.coach.told(self.t_s, wish)
                self.said.append((self.t_s, wish))
        return self

    def cues(self) -> list[Cue]:
        return [cue for _, cue in self.said]


def approach(from_m: float, mps: float) -> Callable[[float], Scene]:
    return lambda t_s: at(max(0.3, from_m - mps * t_s), mps)


def passing(t_s: float) -> Scene:
    """Trees beside the way: each comes nearer for three seconds, then there is nothing for five."""
    number, since_s = divmod(t_s, 8.0)
    return at(4.0 - 0.7 * since_s, 0.7, int(number) + 1) if since_s < 3.0 else EMPTY


# ------------------------------------------------------------- beginning and ending


def test_a_walk_begins_after_three_seconds_of_motion_and_with_the_first_of_them() -> None:
    day = Day().spend(10.0, EMPTY).spend(2.8, approach(4.0, 0.7))
    assert day.walk is None
    day.spend(0.4, approach(2.0, 0.7))
    assert day.walk is not None
    assert day.walk.begun is Begun.MOTION
    assert day.walk.began_s == pytest.approx(10.0, abs=STEP_S + 1e-6)


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(at(1.4, 0.1), id="someone stands and sways"),
        pytest.param(EMPTY, id="an open field"),
        pytest.param((Track(2.0, 0.7, None, 0.4), GOOD), id="continued in thought only"),
        pytest.param((Track(2.0, None, None, 0.0), GOOD), id="of no known speed"),
        pytest.param((at(2.0, 0.7)[0], Alert()), id="a sensor that has not answered yet"),
        pytest.param(
            (at(2.0, 0.7)[0], Alert(fault=SensorFault.GARBAGE, proven=True)), id="nonsense"
        ),
    ],
)
def test_what_does_not_show_motion_begins_no_walk(scene: Scene) -> None:
    assert Day().spend(60.0, scene).walks == []


def test_people_who_cross_begin_no_walk() -> None:
    def crossing(t_s: float) -> Scene:
        return at(1.5, 0.6, int(t_s // 5)) if t_s % 5.0 < 0.8 else EMPTY

    assert Day().spend(120.0, crossing).walks == []


def test_a_fault_of_the_device_hides_no_motion() -> None:
    doubted = Alert(fault=DeviceFault.OUTPUT, proven=True)
    assert Day().spend(4.0, (at(2.0, 0.7)[0], doubted)).walk is not None


def test_who_stands_for_two_minutes_has_ended_when_they_last_moved() -> None:
    day = Day().spend(100.0, passing).spend(5.0, approach(4.0, 0.7)).spend(119.0, at(0.6))
    assert day.walk is not None
    day.spend(3.0, at(0.6))
    assert day.walk is None
    assert day.walks[0].ended is Ended.STOOD
    assert day.walks[0].until_s == pytest.approx(105.0, abs=0.2)


def test_a_companion_who_keeps_their_distance_as_people_do_is_not_standing() -> None:
    def companion(t_s: float) -> Scene:
        swing = 0.15 * math.sin(t_s * math.tau / 8.0)
        return at(1.2 + swing, 0.15 * math.tau / 8.0 * math.cos(t_s * math.tau / 8.0))

    day = Day().spend(20.0, passing).spend(20 * 60.0, companion)
    assert day.walk is not None
    assert day.walk.until_s < 20.0, "who stands with somebody looks the same"
    day.spend(20.0, passing)
    assert day.walk.until_s > 20 * 60.0, "but they walked"


def test_where_nothing_is_seen_a_walk_that_began_by_itself_ends_after_five_minutes() -> None:
    day = Day().spend(39.0, passing).spend(302.0, EMPTY)
    assert [walk.ended for walk in day.walks] == [Ended.UNSEEN]
    assert 33.0 < day.walks[0].until_s < 36.0


def test_another_walk_begins_after_one_that_ended() -> None:
    day = Day().spend(39.0, passing).spend(302.0, EMPTY).spend(20.0, passing)
    assert [walk.number for walk in day.walks] == [1, 2]
    assert 341.0 <= day.walks[1].began_s <= 348.0


def test_who_says_that_they_walk_is_believed_in_an_open_field() -> None:
    day = Day(told=True).spend(20 * 60.0, EMPTY)
    assert day.walk is not None
    assert day.walk.begun is Begun.COMMAND
    assert day.walk.until_s == day.t_s
    day.spend(10 * 60.0 + 1.0, EMPTY)
    assert day.walks[-1].ended is Ended.UNSEEN


def test_who_says_that_they_walk_and_stands_has_ended_where_they_came_to_stand() -> None:
    day = Day(told=True).spend(300.0, EMPTY).spend(125.0, at(0.6))
    assert day.walks[0].ended is Ended.STOOD
    assert day.walks[0].until_s == pytest.approx(300.0, abs=0.2)


def test_the_button_begins_a_walk_and_ends_it_and_moving_on_is_no_other() -> None:
    day = Day().spend(5.0, EMPTY)
    assert day.coach.press(day.t_s) is Cue.MARK
    day.spend(60.0, passing)
    assert day.walk is not None
    assert day.walk.begun is Begun.BUTTON
    assert day.coach.press(day.t_s) is Cue.DONE
    ended_s = day.t_s
    day.spend(STEP_S, passing)
    assert day.walk is not None
    assert (day.walk.ended, day.walk.until_s) == (Ended.BUTTON, ended_s)
    day.spend(120.0, passing)
    assert len(day.walks) == 1
    assert day.coach.press(day.t_s) is Cue.MARK
    assert day.spend(1.0, EMPTY).walk is not None


def test_two_presses_soon_after_a_walk_began_by_itself_mean_it() -> None:
    """In front of the house something is seen to move, and the field behind it shows nothing."""
    day = Day().spend(20.0, passing)
    assert day.walk is not None
    assert day.coach.press(day.t_s) is Cue.MARK
    day.spend(15 * 60.0, EMPTY)
    assert day.walk is not None
    assert (day.walk.number, day.walk.until_s) == (1, day.t_s)
    assert day.coach.press(day.t_s) is Cue.DONE


def test_an_answer_that_says_what_was_due_has_said_it() -> None:
    day = Day(CoachSettings(target_min=1.0))
    day.listens = False
    day.spend(40.0, passing)
    assert day.coach.press(day.t_s) is Cue.MARK
    day.listens = True
    assert day.spend(60.0, passing).cues() == [Cue.DONE]


def test_after_an_end_by_the_button_and_a_while_at_rest_motion_begins_a_walk_again() -> None:
    day = Day(told=True).spend(60.0, passing)
    day.coach.press(day.t_s)
    day.spend(60.0, passing).spend(121.0, EMPTY).spend(20.0, passing)
    assert [walk.begun for walk in day.walks] == [Begun.COMMAND, Begun.MOTION]


def test_a_press_right_after_the_end_begins_the_next() -> None:
    day = Day(told=True).spend(1.0, EMPTY)
    assert day.coach.press(day.t_s) is Cue.DONE
    assert day.coach.press(day.t_s) is Cue.MARK
    day.spend(1.0, EMPTY)
    assert [walk.number for walk in day.walks] == [1, 2]


# ------------------------------------------------------------------------ its time


def test_half_the_target_and_too_much_are_told_once_each_and_the_last_again() -> None:
    day = Day(told=True).spend(24 * 60.0, EMPTY)
    minutes = [(round(t_s / 60.0, 1), cue) for t_s, cue in day.said]
    assert minutes[:3] == [(7.5, Cue.MARK), (15.0, Cue.DONE), (20.0, Cue.ENOUGH)]
    assert [cue for _, cue in minutes[3:]] == [Cue.ENOUGH] * 3


def test_too_much_is_not_said_in_the_same_breath_as_the_target() -> None:
    day = Day(CoachSettings(target_min=20.0, most_min=20.0), told=True).spend(22 * 60.0, EMPTY)
    done, enough = (next(t for t, cue in day.said if cue is c) for c in (Cue.DONE, Cue.ENOUGH))
    assert enough - done == pytest.approx(60.0, abs=1.0)


def test_what_could_not_be_told_in_time_is_left_out_and_the_target_is_not() -> None:
    day = Day(told=True)
    day.listens = False
    day.spend(16 * 60.0, EMPTY)
    day.listens = True
    assert day.spend(60.0, EMPTY).cues() == [Cue.DONE]


def test_a_coach_that_is_switched_off_says_nothing_and_still_knows_the_walk() -> None:
    day = Day(CoachSettings(enabled=False, mode="intervals"), told=True).spend(25 * 60.0, EMPTY)
    assert day.said == []
    assert day.walk is not None
    assert not day.walk.forward


# ----------------------------------------------------------------------- intervals


def test_every_stretch_is_as_long_as_asked_counted_from_when_it_was_told() -> None:
    day = Day(TURNS, told=True).spend(9 * 60.0, EMPTY)
    turns = [(t_s, cue) for t_s, cue in day.said if cue in (Cue.FORWARD, Cue.BACKWARD)]
    assert [cue for _, cue in turns[:4]] == [Cue.FORWARD, Cue.BACKWARD] * 2
    times = [0.0, *(t_s for t_s, _ in turns)]
    for i, (a, b) in enumerate(itertools.pairwise(times)):
        assert b - a == pytest.approx(60.0 if i % 2 == 0 else 45.0, abs=3.5), "MARK comes between"


def test_nobody_is_turned_round_for_the_last_few_seconds() -> None:
    settings = CoachSettings(mode="intervals", target_min=2.1, backward_s=60.0, forward_s=60.0)
    day = Day(settings, told=True).spend(140.0, EMPTY)
    assert [cue for cue in day.cues() if cue is not Cue.MARK] == [Cue.FORWARD, Cue.DONE]


def test_who_is_led_is_led_to_the_end_where_nothing_shows_that_they_move() -> None:
    day = Day(TURNS).spend(20.0, passing).spend(570.0, EMPTY)
    assert day.walk is not None
    assert Cue.DONE not in day.cues()
    assert Cue.DONE in day.spend(20.0, EMPTY).cues()


def test_a_coach_that_is_switched_off_is_ended_by_the_button_in_every_mode() -> None:
    day = Day(CoachSettings(enabled=False, mode="plan"), told=True).spend(90.0, EMPTY)
    assert day.coach.press(day.t_s) is Cue.DONE


def test_who_moved_when_told_that_it_was_done_walked_until_then() -> None:
    day = Day().spend(15 * 60.0 - 20.0, passing).spend(40.0, EMPTY)
    (done_s,) = (t_s for t_s, cue in day.said if cue is Cue.DONE)
    assert day.walk is not None
    assert day.walk.until_s == pytest.approx(done_s + ASIDES_S[Cue.DONE])


def test_after_the_target_nobody_is_sent_on() -> None:
    day = Day(TURNS, told=True).spend(16 * 60.0, EMPTY)
    done_s = next(t_s for t_s, cue in day.said if cue is Cue.DONE)
    assert done_s == pytest.approx(600.0, abs=3.0)
    assert {cue for t_s, cue in day.said if t_s > done_s} <= {Cue.ENOUGH}
    assert day.walk is not None
    assert not day.walk.forward


def forward_day() -> Day:
    """Asked to go forward, half a second ago."""
    day = Day(TURNS, told=True).spend(60.0, EMPTY)
    while not (day.walk and day.walk.forward):
        day.spend(STEP_S, EMPTY)
    return day


def test_what_recedes_confirms_the_change_and_then_it_is_eased() -> None:
    day = forward_day().spend(0.3, at(1.0, -1.0))
    assert day.walk is not None
    assert not day.walk.eased
    day.spend(0.5, at(1.4, -1.0))
    assert day.walk.eased
    assert day.spend(0.1, at(1.4, 0.0)).walk.eased, "a companion who keeps their distance"


def test_only_what_is_seen_not_to_come_nearer_is_eased() -> None:
    day = forward_day().spend(2.0, at(1.4, -1.0))
    for scene in (at(1.4, 0.16), at(1.4, None), (Track(1.4, -1.0, None, 0.4), GOOD), EMPTY):
        assert not day.spend(STEP_S, scene).walk.eased
    assert day.spend(STEP_S, at(1.4, -1.0)).walk.eased


def test_what_comes_nearer_slowly_is_eased_for_a_hands_breadth_and_not_beyond() -> None:
    day = forward_day().spend(2.0, at(2.0, -1.0))
    nearest_m = 2.0
    while day.walk and day.walk.eased:
        nearest_m = round(nearest_m - 0.01, 2)
        day.spend(STEP_S, at(nearest_m, 0.1))
    assert nearest_m == pytest.approx(2.0 - 0.12, abs=0.011)
    assert not day.spend(5.0, at(1.7, 0.0)).walk.eased, "it has to recede anew"


def test_what_spoke_against_it_does_not_count_for_it() -> None:
    day = forward_day().spend(2.0, at(2.0, -1.0)).spend(0.4, at(2.0, 0.3))
    assert not day.spend(0.4, at(1.0, -0.5)).walk.eased
    assert day.spend(0.2, at(1.0, -0.5)).walk.eased


def test_another_thing_is_not_eased_for_what_the_first_did() -> None:
    day = forward_day().spend(2.0, at(2.0, -1.0))
    for scene in (at(1.0, 0.1, object_id=2), at(1.0, -0.1, object_id=2)):
        assert not day.spend(0.5, scene).walk.eased
    assert day.spend(0.6, at(1.3, -0.5, object_id=2)).walk.eased, "it recedes, too"


def test_a_walk_that_the_button_began_has_not_begun_twice() -> None:
    day = Day(CoachSettings(mode="plan"), told=True).spend(1.0, EMPTY)
    day.coach.press(day.t_s)
    day.spend(30.0, EMPTY).spend(125.0, at(0.6)).spend(30.0, EMPTY)
    assert [walk.begun for walk in day.walks] == [Begun.BUTTON]


def test_a_press_confirms_either_direction_and_what_is_due() -> None:
    day = forward_day().spend(44.0, EMPTY).spend(3.0, EMPTY)
    assert day.cues()[-1] is Cue.BACKWARD
    assert day.coach.press(day.t_s) is Cue.BACKWARD
    day.listens = False
    day.spend(62.0, EMPTY)
    assert day.coach.press(day.t_s) is Cue.FORWARD, "it was due, and could not be told"
    day.spend(20.0, at(1.4, 0.0))
    assert day.coach.press(day.t_s) is Cue.BACKWARD, "of their own accord"
    assert not day.spend(STEP_S, at(1.4, -1.0)).walk.eased


def test_nobody_who_goes_forward_is_told_that_they_go_backward_too_fast() -> None:
    day = forward_day().spend(3.0, EMPTY).spend(0.9, approach(1.4, 1.2)).spend(5.0, EMPTY)
    assert Cue.SLOWER not in day.cues()


def test_rest_is_not_advised_when_it_was_long_ago() -> None:
    day = Day(told=True)
    day.listens = False
    for _ in range(3):
        day.spend(3.0, (at(0.5)[0], STOPPED)).spend(10.0, passing)
    day.spend(301.0, passing)
    day.listens = True
    assert Cue.REST not in day.spend(20.0, passing).cues()


def test_a_switched_off_coach_leads_nobody_so_its_walk_ends_as_any() -> None:
    day = Day(CoachSettings(enabled=False, mode="intervals")).spend(39.0, passing)
    assert day.spend(302.0, EMPTY).walks[0].ended is Ended.UNSEEN


def test_easing_does_not_outlast_its_stretch() -> None:
    day = forward_day().spend(2.0, at(0.9, -1.0))
    assert day.walk is not None
    assert day.walk.eased
    day.listens = False
    assert not day.spend(46.0, at(0.9, 0.0)).walk.eased, "backward is due, and cannot be told"


def test_a_slow_sensor_eases_nothing() -> None:
    for pace in (Pace(0.15), Pace(0.1, lag_s=0.2)):
        assert not Pipeline(Settings(), pace).coach._eases
    assert Pipeline(Settings(), Pace(0.1)).coach._eases


def test_what_comes_nearer_for_a_second_takes_the_confirmation_back() -> None:
    day = forward_day().spend(2.0, at(1.4, -1.0)).spend(1.2, at(2.0, 0.5))
    assert not day.spend(0.2, at(2.0, 0.0)).walk.eased
    assert day.spend(1.0, at(2.0, -0.5)).walk.eased, "and it can be confirmed again"


def test_a_fault_takes_the_confirmation_back() -> None:
    broken = (Track(), Alert(fault=SensorFault.NEVER_ANSWERED, proven=True))
    day = forward_day().spend(2.0, at(1.4, -1.0)).spend(0.1, broken)
    assert not day.spend(0.2, at(1.4, 0.0)).walk.eased


def test_the_button_confirms_the_change_and_then_takes_it_back() -> None:
    day = forward_day()
    assert day.coach.press(day.t_s) is Cue.FORWARD
    assert day.spend(STEP_S, at(1.4, 0.0)).walk.eased
    assert day.coach.press(day.t_s) is Cue.FORWARD, "so soon it confirms what the sensor saw first"
    assert day.spend(11.0, at(1.4, 0.0)).walk.eased
    assert day.coach.press(day.t_s) is Cue.BACKWARD
    assert not day.spend(STEP_S, at(1.4, 0.0)).walk.eased
    assert day.coach.press(day.t_s) is Cue.BACKWARD, "confirmed likewise"
    day.spend(11.0, EMPTY)
    assert day.coach.press(day.t_s) is Cue.FORWARD, "early, of one's own accord"
    assert day.spend(STEP_S, at(1.4, -1.0)).walk.eased


def test_going_backward_again_ends_the_easing() -> None:
    day = forward_day().spend(44.0, at(1.4, 0.0)).spend(2.0, at(1.4, -1.0))
    while Cue.BACKWARD not in day.cues():
        day.spend(STEP_S, at(1.4, -1.0))
    assert not day.spend(STEP_S, at(1.4, -1.0)).walk.eased


def test_when_the_intervals_are_done_the_button_ends_the_walk() -> None:
    day = Day(TURNS, told=True).spend(610.0, EMPTY)
    assert Cue.DONE in day.cues()
    assert day.coach.press(day.t_s) is Cue.DONE
    assert day.spend(STEP_S, EMPTY).walk.ended is Ended.BUTTON


speeds = st.one_of(st.none(), st.floats(-3.0, 3.0))
moments = st.lists(
    st.tuples(
        st.floats(0.3, 4.0),
        speeds,
        st.sampled_from([0.0, 0.1, 0.4]),
        st.sampled_from([GOOD, Alert(fault=SensorFault.FROZEN, proven=True), Alert()]),
        st.booleans(),
        st.integers(1, 2),
    ),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, max_examples=300)
@given(moments)
def test_whatever_happens_what_closes_or_may_close_is_never_eased(
    seen: list[tuple[float, float | None, float, Alert, bool, int]],
) -> None:
    day = Day(CoachSettings(mode="intervals", backward_s=10.0, forward_s=3600.0), told=True)
    day.spend(12.0, EMPTY)
    since_m: dict[int, float] = {}
    for distance_m, mps, age_s, alert, pressed, number in seen:
        if pressed:
            day.coach.press(day.t_s)
            since_m = {}  # they said so anew
        was = day.walk is not None and day.walk.eased and number in since_m
        day.spend(0.3, (Track(distance_m, mps, None, age_s, object_id=number), alert))
        if day.walk is not None and day.walk.eased:
            before_m = since_m.get(number, distance_m) if was else distance_m
            assert distance_m > before_m - 0.12, "nearer, however slowly"
            since_m = {number: max(before_m, distance_m)}
            assert mps is not None
            assert mps < 0.15
            assert age_s <= 0.25
            assert alert.fault is None


@pytest.mark.parametrize("state", State)
def test_eased_is_as_quiet_as_hushed_and_never_stop(state: State) -> None:
    for fault in (None, SensorFault.FROZEN, DeviceFault.SETTINGS):
        alert = Alert(state, fault, proven=True)
        hushed = Alert(state, fault, hushed=True, proven=True)
        eased = Player(BuzzerSettings(), MotorSettings())
        usual = Player(BuzzerSettings(), MotorSettings())
        eased.step(0.0, alert, eased=True)
        usual.step(0.0, hushed)
        assert eased.cue is usual.cue
        if state >= State.STOP and not isinstance(fault, SensorFault):
            assert eased.cue is Cue.STOP


# ---------------------------------------------------------------------------- plan


def test_the_starter_plan_grows_by_a_pair_a_week_to_twenty_minutes() -> None:
    weeks = [dose(CoachSettings(mode="plan"), week) for week in range(1, 8)]
    assert [week.target_s / 60.0 for week in weeks] == [10, 12, 14, 16, 18, 20, 20]
    assert {(week.backward_s, week.forward_s) for week in weeks} == {(60.0, 60.0)}
    assert [week.week for week in weeks] == [1, 2, 3, 4, 5, 6, 6]
    assert dose(CoachSettings(mode="plan", most_min=5.0, target_min=5.0)).most_s == 600.0


def test_the_week_that_is_known_later_counts_for_the_next_walk() -> None:
    day = Day(CoachSettings(mode="plan"), told=True).spend(4.0, EMPTY)
    day.coach.week = 4
    assert day.walk is not None
    assert day.walk.dose.week == 1
    day.coach.press(day.t_s)
    day.coach.press(day.t_s)
    day.coach.press(day.t_s)  # in a plan the button changes direction
    assert day.spend(125.0, at(0.6)).walks[-1].ended is Ended.STOOD
    day.coach.press(day.t_s)
    walk = day.spend(1.0, EMPTY).walk
    assert walk is not None
    assert walk.dose.week == 4


def test_a_walk_that_begins_at_once_waits_a_moment_for_its_week() -> None:
    day = Day(CoachSettings(mode="plan"), told=True).spend(1.0, EMPTY)
    assert day.walk is None
    day.coach.week = 3
    walk = day.spend(0.2, EMPTY).walk
    assert walk is not None
    assert walk.dose.week == 3
    walk = Day(CoachSettings(mode="plan"), told=True).spend(3.2, EMPTY).walk
    assert walk is not None
    assert walk.dose.week == 1


# --------------------------------------------------------------------- too fast, rest


def test_closing_faster_than_what_is_seen_from_so_near_allows_is_said() -> None:
    """Known from 1.4 m on: (1.4 - 0.25) / 1.075 s = 1.07 m/s."""
    day = Day().spend(5.0, EMPTY).spend(0.9, approach(1.4, 1.2)).spend(5.0, EMPTY)
    assert day.cues() == [Cue.SLOWER]


@pytest.mark.parametrize(
    ("first_m", "mps"),
    [
        pytest.param(1.4, 0.9, id="slow enough for it"),
        pytest.param(3.5, 1.4, id="seen from afar"),
        pytest.param(1.4, 2.5, id="faster than people walk backward: somebody else"),
    ],
)
def test_a_speed_that_the_view_allows_is_not_complained_of(first_m: float, mps: float) -> None:
    day = Day().spend(5.0, EMPTY).spend(first_m / mps, approach(first_m, mps)).spend(5.0, EMPTY)
    assert day.cues() == []


def test_what_stood_there_when_the_sensor_came_to_was_not_met_from_afar() -> None:
    assert Day().spend(0.9, approach(1.4, 1.2)).spend(5.0, EMPTY).cues() == []


def test_too_fast_is_forgotten_when_it_cannot_be_said_soon_and_not_said_all_the_time() -> None:
    day = Day().spend(5.0, EMPTY)
    day.listens = False
    day.spend(0.9, approach(1.4, 1.2)).spend(31.0, EMPTY)
    day.listens = True
    assert day.spend(5.0, EMPTY).cues() == []
    day.spend(40.0, EMPTY)
    for i in range(6):
        day.spend(0.9, lambda t_s, i=i: at(1.4 - 1.2 * t_s, 1.2, 10 + i)).spend(4.0, EMPTY)
    assert day.cues() == [Cue.SLOWER]


STOPPED = Alert(State.STOP, proven=True)


def test_rest_is_advised_after_three_stops_in_five_minutes_and_no_sooner() -> None:
    day = Day(told=True)
    for _ in range(2):
        day.spend(3.0, (at(0.5)[0], STOPPED)).spend(100.0, passing)
    assert Cue.REST not in day.cues()
    day.spend(3.0, (at(0.5)[0], STOPPED)).spend(10.0, passing)
    assert day.cues().count(Cue.REST) == 1
    day.spend(3.0, (at(0.5)[0], STOPPED)).spend(10.0, passing)
    assert day.cues().count(Cue.REST) == 1, "counted anew"


def test_three_stops_in_more_than_five_minutes_are_no_reason_to_rest() -> None:
    day = Day(told=True)
    for _ in range(4):
        day.spend(3.0, (at(0.5)[0], STOPPED)).spend(160.0, passing)
    assert Cue.REST not in day.cues()


def test_several_cues_are_said_one_after_the_other_the_weightiest_first() -> None:
    day = Day(told=True)
    day.listens = False
    day.spend(15 * 60.0 - 40.0, passing)
    for _ in range(3):
        day.spend(3.0, (at(0.5)[0], STOPPED)).spend(20.0, passing)
    day.listens = True
    day.spend(20.0, EMPTY)
    (first_s, first), (second_s, second) = day.said[:2]
    assert [first, second] == [Cue.REST, Cue.DONE]
    assert second_s - first_s >= coach.BETWEEN_S - STEP_S


# ------------------------------------------------------------- beside what warns


WALK_CUES = frozenset(coach.ORDER)


def test_no_cue_of_a_walk_feels_urgent() -> None:
    """Three pulses within a second, or one of 0.4 s, is what urges."""
    for cue in WALK_CUES:
        for rhythm in (cue.value.buzzer, cue.value.motor):
            assert not rhythm.again
            begins, t = [], 0
            for on, off in rhythm.once:
                assert on < 400
                begins.append(t)
                t += on + off
            assert all(c - a > 1000 for a, c in zip(begins, begins[2:], strict=False)), cue


def test_no_two_cues_of_a_walk_feel_alike() -> None:
    felt = [cue.value.motor.once for cue in WALK_CUES]
    assert len(set(felt)) == len(felt)


def test_a_rising_pair_rises() -> None:
    signal = Cue.DONE.value
    heard = [(t, signal.tone_at(t / 1000)) for t in (0, 70, 170, 1100, 1200, 1270)]
    assert [tone > 1.0 for _, tone in heard] == [False, False, True, False, False, True]
    assert signal.tone_at(5.0) == signal.tone
    assert Cue.SLOWER.value.tone_at(0.0) == Cue.SLOWER.value.tone


def walked(readings: Callable[[float], Reading], for_s: float, start: Start) -> list[Step]:
    pipeline = Pipeline(Settings(coach=CoachSettings(target_min=1.0, most_min=1.0)), start=start)
    steps, t_s, next_s = [], 0.0, 0.0
    while t_s < for_s:
        reading = readings(t_s) if t_s >= next_s else None
        if reading is not None:
            next_s = round(t_s + 0.06, 6)
        steps.append(pipeline.step(t_s, reading))
        t_s = round(max(t_s + 1e-6, min(pipeline.due_s, next_s)), 6)
    return steps


def test_a_cue_waits_for_an_alert_and_two_seconds_more() -> None:
    """Somebody stands close by from 28 s to 40 s; half of the minute is over at 30 s."""

    def world(t_s: float) -> Reading:
        near = 28.0 <= t_s < 40.0
        return Echo(t_s, 1.3 + 0.2 * math.sin(t_s)) if near else Nothing(t_s)

    steps = walked(world, 75.0, Start(walking=True))
    alerts = [s.t_s for s in steps if s.cue is not Cue.SILENCE and s.cue not in ASIDES_S]
    mark_s = next(s.t_s for s in steps if s.cue is Cue.MARK)
    assert min(alerts) < 30.0
    assert mark_s - max(t for t in alerts if t < mark_s) >= COACH_AFTER_S
    assert Cue.DONE in {s.cue for s in steps}


def test_an_alert_does_not_wait_for_a_cue() -> None:
    def world(t_s: float) -> Reading:
        return Echo(t_s, 0.5) if t_s >= 30.0 else Nothing(t_s)

    steps = walked(world, 32.0, Start(walking=True))
    alone = walked(world, 32.0, Start())
    first, again = (
        next(s.t_s for s in run if s.alert.state >= State.WARNING) for run in (steps, alone)
    )
    assert first == again
    cues = [s.cue for s in steps if s.t_s >= first]
    assert all(cue is Cue.STOP for cue in cues)


def test_a_cue_that_a_warning_cuts_off_is_said_again() -> None:
    """Half is told at 30 s; at 29.9 s something stands there that is believed within 0.4 s."""

    def world(t_s: float) -> Reading:
        return Echo(t_s, 1.2) if 29.9 <= t_s < 33.0 else Nothing(t_s)

    steps = walked(world, 45.0, Start(walking=True))
    marks = [
        b.t_s for a, b in itertools.pairwise(steps) if b.cue is Cue.MARK and a.cue is not Cue.MARK
    ]
    warned = [s.t_s for s in steps if s.alert.state >= State.WARNING]
    assert len(marks) == 2
    assert marks[0] < warned[0] < marks[0] + ASIDES_S[Cue.MARK]
    assert marks[1] > warned[-1] + COACH_AFTER_S


@pytest.mark.parametrize("gap_s", [0.05, 0.15, 0.29])
@pytest.mark.parametrize("held_s", [0.05, 0.2, 0.28])
def test_two_presses_and_their_answer_do_not_feel_urgent(gap_s: float, held_s: float) -> None:
    presses = Presses(3.0)
    pipeline = Pipeline(Settings(coach=CoachSettings(mode="intervals")))
    edges = [4.0, 4.0 + held_s, 4.0 + held_s + gap_s, 4.0 + 2 * held_s + gap_s]
    felt: list[tuple[float, float]] = []
    for i in range(800):
        t_s = round(i * 0.01, 6)
        press = presses.see(t_s, sum(t_s >= edge for edge in edges) % 2 == 1)
        if press is Press.TWICE:
            pipeline.press_twice(t_s)
        elif press is Press.SHORT:
            pipeline.mute(t_s, 600.0)
        motor = pipeline.step(t_s, Nothing(t_s) if i % 6 == 0 else None).command.motor
        if t_s > 4.0 and motor > 0.0 and (not felt or felt[-1][1] < t_s - 0.011):
            felt.append((t_s, t_s))
        elif motor > 0.0 and felt:
            felt[-1] = (felt[-1][0], t_s)
    assert len(felt) == 2, "MARK, and nothing of a mute"


def test_two_presses_while_it_warns_do_nothing() -> None:
    pipeline = Pipeline(Settings(), start=Start(walking=True))
    for i in range(100):
        pipeline.step(i * 0.06, Echo(i * 0.06, 1.3 + 0.2 * math.sin(i * 0.06)))
    assert pipeline.step(6.0, Echo(6.0, 1.25)).cue is Cue.WARNING
    pipeline.mute(6.0, 600.0)
    pipeline.press_twice(6.0)
    step = pipeline.step(6.06, Echo(6.06, 1.24))
    assert step.walk is not None
    assert step.walk.ended is None
    assert step.muted_s == 0.0, "nor is it muted by the first of them"


def test_a_press_confirms_a_cue_that_is_still_being_told() -> None:
    settings = Settings(coach=CoachSettings(mode="intervals", backward_s=10.0))
    pipeline = Pipeline(settings, start=Start(walking=True))
    t_s = 0.0
    while pipeline.step(t_s, Nothing(t_s)).cue is not Cue.FORWARD:
        t_s = round(t_s + 0.06, 6)
    pipeline.press_twice(round(t_s + 0.5, 6))
    for i in range(1, 60):
        step = pipeline.step(round(t_s + 0.5 + i * 0.06, 6), Nothing(t_s + 0.5 + i * 0.06))
    assert step.walk is not None
    assert step.walk.forward
    assert pipeline.coach._turn.confirmed


def test_two_presses_are_answered_and_end_a_mute() -> None:
    pipeline = Pipeline(Settings())
    for i in range(100):
        pipeline.step(i * 0.06, Nothing(i * 0.06))
    pipeline.mute(6.0, 600.0)
    assert not pipeline.coach.spoken
    pipeline.press_twice(6.0)
    step = pipeline.step(6.0, Nothing(6.0))
    assert pipeline.coach.spoken
    assert (step.cue, step.muted_s) == (Cue.MARK, 0.0)
    assert step.walk is not None
