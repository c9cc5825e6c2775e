"""The tally: what is remembered of a walk is what its steps were."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from device.clock import VirtualClock
from device.core.alert import Alert, DeviceFault, State
from device.core.coach import LONGEST_STEP_S, ORDER, Begun, Dose, Ended, Walking
from device.core.health import SensorFault
from device.core.pipeline import Step
from device.core.signals import OFF, Command, Cue
from device.core.track import Track
from device.history import tally
from device.history.records import Entry, Event, Second, Totals
from device.history.tally import Tally, cause
from device.profiles import thresholds
from device.settings import AlertSettings, Settings, WalksSettings
from device.sim import scenario
from device.sim.run import Walk

SETTINGS = Settings()
LIMITS = thresholds(SETTINGS.alert)
SENSOR_S = 0.05
FAR = Track(3.5, 0.0, math.inf, 0.0)
DOSE = Dose(900.0, 1200.0)


def walking(began_s: float = 0.0, until_s: float = 0.0, **more: object) -> Walking:
    begun = more.pop("begun", Begun.COMMAND)
    number = more.pop("number", 1)
    return replace(
        Walking(1, Begun.COMMAND, began_s, until_s, DOSE), number=number, begun=begun, **more
    )


def step(
    t_s: float,
    walk: Walking | None = None,
    state: State = State.CLEAR,
    track: Track = FAR,
    fault: SensorFault | DeviceFault | None = None,
    cue: Cue = Cue.SILENCE,
    command: Command = OFF,
    proven: bool = True,
) -> Step:
    if walk is not None and walk.until_s == 0.0:
        walk = replace(walk, until_s=t_s)
    return Step(t_s, None, track, Alert(state, fault, proven=proven), cue, command, 0.0, walk)


class Told(NamedTuple):
    """All that a tally gave, together."""

    entries: list[Entry]
    seconds: list[Second]
    events: list[Event]
    reactions: dict[float, float]

    @property
    def totals(self) -> Totals:
        return self.entries[-1].totals


def told(steps: Sequence[Step], ended: bool = True, given: Settings = SETTINGS) -> Told:
    follow = Tally(given)
    entries = [entry for each in steps for entry in follow(each)]
    if ended:
        entries += follow.close()
    return Told(
        entries,
        [second for entry in entries for second in entry.seconds],
        [event for entry in entries for event in entry.events],
        {one.t_s: one.reaction_s for entry in entries for one in entry.reactions},
    )


def steady(from_s: float, to_s: float, **more: object) -> list[Step]:
    """Twenty steps a second."""
    count = round((to_s - from_s) / SENSOR_S)
    walk = more.pop("walk", walking())
    return [step(round(from_s + i * SENSOR_S, 6), walk, **more) for i in range(count)]


# ------------------------------------------------------------------ sums


class Piece(NamedTuple):
    """A step's state, and for how long it lasts."""

    lasts_s: float
    state: State
    fault: SensorFault | None
    proven: bool
    distance_m: float | None
    mps: float | None
    age_s: float
    buzzer: int
    motor: float
    forward: bool

    @property
    def believed(self) -> bool:
        return self.proven and self.fault is None

    def moving(self, way: int) -> bool:
        if self.distance_m is None or self.mps is None or not self.believed:
            return False
        return 0.25 <= way * self.mps <= 2.0 and self.age_s <= 0.25


@st.composite
def pieces(draw: st.DrawFn) -> list[Piece]:
    lasts = st.sampled_from([1, 20, 33, 51, 102, 256, 256, 511]).map(lambda part: part / 1024)
    one = st.builds(
        Piece,
        lasts,
        st.sampled_from(State),
        st.sampled_from([None, None, None, SensorFault.GARBAGE]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([None, 0.4, 1.0, 3.3333]),
        st.sampled_from([None, -2.5, -0.7, 0.0, 0.2, 0.5, 1.1, 2.5]),
        st.sampled_from([0.0, 0.2, 0.3]),
        st.integers(0, 1),
        st.sampled_from([0.0, 0.8, 1.0]),
        st.booleans(),
    )
    return draw(st.lists(one, min_size=1, max_size=60))


def steps_of(found: Sequence[Piece], began_s: float, until: Callable[[float], float]) -> list[Step]:
    """The steps of a walk that ends when the last piece does."""
    t_s, steps = began_s, []
    for piece in [*found, found[-1]]:
        track = Track(piece.distance_m, piece.mps, None, piece.age_s)
        walk = walking(began_s, until(t_s), forward=piece.forward)
        command = Command(piece.buzzer, piece.motor)
        alert = Alert(piece.state, piece.fault, proven=piece.proven)
        steps.append(Step(t_s, None, track, alert, Cue.SILENCE, command, 0.0, walk))
        t_s += piece.lasts_s
    return steps


def spans(found: Sequence[Piece]) -> list[tuple[Piece, float, float]]:
    """Each with when it began and ended; in 1024ths of a second, so nothing is rounded."""
    instants = [0.0, *itertools.accumulate(piece.lasts_s for piece in found)]
    return [(p, *at) for p, at in zip(found, itertools.pairwise(instants), strict=True)]


@given(pieces(), st.floats(0.0, 1e5))
@settings(max_examples=300, deadline=None)
def test_totals_are_the_sums_over_the_steps(found: list[Piece], began_s: float) -> None:
    whole_s = sum(piece.lasts_s for piece in found)
    got = told(steps_of(found, began_s, lambda t_s: t_s)).totals

    def sum_of(true: Callable[[Piece], bool], value: Callable[[Piece], float]) -> float:
        return sum(value(piece) * piece.lasts_s for piece in found if true(piece))

    def one(_: Piece) -> float:
        return 1.0

    heard = [p for p in found if p.believed and p.age_s == 0.0]
    seen = [p.distance_m for p in heard if p.distance_m is not None]
    expected = [
        whole_s,
        sum_of(lambda p: p.forward, one),
        sum_of(lambda p: p.believed, one),
        sum_of(lambda p: p.moving(1), lambda p: p.mps or 0.0),
        sum_of(lambda p: p.moving(1), one),
        sum_of(lambda p: p.moving(-1), lambda p: -(p.mps or 0.0)),
        sum_of(lambda p: p.moving(-1), one),
    ]
    assert list(astuple(got))[:7] == pytest.approx(expected, abs=2e-3)
    assert got.closest_m == (None if not seen else pytest.approx(min(seen), abs=1e-3))


@given(pieces())
@settings(max_examples=100, deadline=None)
def test_seconds_are_the_means_over_the_steps(found: list[Piece]) -> None:
    got = told(steps_of(found, 0.0, lambda t_s: t_s))
    whole_s = sum(piece.lasts_s for piece in found)
    assert [second.t_s for second in got.seconds] == [*range(math.ceil(whole_s))]
    for second in got.seconds:
        parts = [
            (piece, min(to_s, second.t_s + 1) - max(from_s, second.t_s))
            for piece, from_s, to_s in spans(found)
            if to_s > second.t_s and from_s < second.t_s + 1
        ]
        length_s = sum(lasts_s for _, lasts_s in parts)
        sums = [
            sum(value * s for value, s in values)
            for values in (
                [(piece.buzzer, s) for piece, s in parts],
                [(piece.motor, s) for piece, s in parts],
                [(piece.believed, s) for piece, s in parts],
            )
        ]
        means = [second.buzzer, second.motor, second.protected]
        assert means == pytest.approx([each / length_s for each in sums], abs=2e-3)
        assert second.level == min(4, max(piece.state for piece, _ in parts))
        last_fault = next((p.fault for p, _ in reversed(parts) if p.fault is not None), None)
        assert second.fault == last_fault
        known = [(p.mps, s) for p, s in parts if p.believed and p.distance_m and p.mps is not None]
        if known:
            expected = sum(v * s for v, s in known) / sum(s for _, s in known)
            assert second.closing_mps == pytest.approx(expected, abs=2e-3)
        else:
            assert second.closing_mps is None


@given(pieces(), st.integers(0, 12))
@settings(max_examples=100, deadline=None)
def test_what_comes_after_the_walks_end_counts_in_no_total(found: list[Piece], end_s: int) -> None:
    got = told(steps_of(found, 0.0, lambda t_s: min(t_s, end_s))).totals
    before = [(piece, max(0.0, min(to_s, end_s) - from_s)) for piece, from_s, to_s in spans(found)]
    assert got.walked_s == pytest.approx(sum(lasts_s for _, lasts_s in before), abs=2e-3)
    assert got.protected_s == pytest.approx(sum(s for p, s in before if p.believed), abs=2e-3)
    assert got.forward_s == pytest.approx(sum(s for p, s in before if p.forward), abs=2e-3)
    assert got.backward_seen_s == pytest.approx(sum(s for p, s in before if p.moving(1)), abs=2e-3)


def test_what_was_provisional_counts_once_the_walk_goes_on() -> None:
    stands = [step(t / 10, walking(0.0, min(t / 10, 20.0))) for t in range(600)]
    goes_on = [step(t / 10, walking(0.0, t / 10)) for t in range(600, 651)]
    follow = Tally(SETTINGS)
    entries = [entry for each in stands for entry in follow(each)]
    assert (entries[-1].totals.walked_s, entries[-1].totals.protected_s) == (20.0, 20.0)
    entries = [entry for each in goes_on for entry in follow(each)]
    assert entries[-1].totals.protected_s == entries[-1].totals.walked_s == 65.0


def test_of_the_second_in_which_a_walk_ended_its_share_counts() -> None:
    given = [step(i / 20, walking(0.0, min(i / 20, 2.4)), proven=i % 2 == 0) for i in range(100)]
    got = told(given).totals
    assert (got.walked_s, got.protected_s) == (2.4, 1.2)


def test_a_walk_that_ended_earlier_than_was_thought_has_no_share_above_one() -> None:
    walk = walking(0.0, 5.0, ended=Ended.STOOD)
    got = told([*steady(0.0, 10.0), step(10.0, walk)])
    assert (got.totals.walked_s, got.totals.protected_s) == (5.0, 5.0)


def test_what_a_stalled_loop_did_not_see_is_in_no_second_and_not_protected() -> None:
    got = told([*steady(0.0, 2.0), *steady(6.5, 8.0), step(8.0, walking())])
    assert [second.t_s for second in got.seconds] == [0, 1, 2, 6, 7]
    assert [second.protected for second in got.seconds] == pytest.approx([1, 1, 0.45, 0.5, 1])
    assert got.totals.walked_s == 8.0
    assert got.totals.protected_s == pytest.approx(2.0 + LONGEST_STEP_S - 0.05 + 1.5, abs=0.01)


# ------------------------------------------------------------------ beginnings and ends


def test_without_a_walk_there_is_nothing_to_remember() -> None:
    assert told([step(t / 20, None, State.STOP) for t in range(2000)]).entries == []


def test_an_entry_comes_once_a_second_and_says_whose_it_is() -> None:
    follow = Tally(Settings(walks=WalksSettings(weight_kg=71.5)))
    given = steady(3.0, 8.01, walk=walking(3.0))
    at = [(each.t_s, entry) for each in given for entry in follow(each)]
    assert [t_s for t_s, _ in at] == pytest.approx([4.0, 5.0, 6.0, 7.0])
    beginning = at[0][1].beginning
    assert (beginning.number, beginning.began_s, beginning.begun) == (1, 3.0, "command")
    assert (beginning.sensor, beginning.profile, beginning.mode) == ("HC-SR04", "default", "time")
    assert (beginning.week, beginning.target_s, beginning.most_s) == (None, 900.0, 1200.0)
    assert beginning.weight_kg == 71.5
    assert all(entry.beginning is beginning and entry.ended is None for _, entry in at)


def test_a_walk_that_began_before_it_was_known_has_what_came_before() -> None:
    first = steady(5.0, 10.0, walk=None)
    alert = steady(10.0, 12.0, walk=None, state=State.WARNING, track=Track(1.4, 0.5, 2.3, 0.0))
    known = walking(9.0, begun=Begun.MOTION)
    got = told([*first, *alert, *steady(12.0, 14.0, walk=known), step(14.0, known)])
    assert [second.t_s for second in got.seconds] == [0, 1, 2, 3, 4]
    assert [second.level for second in got.seconds] == [0, 2, 2, 0, 0]
    assert [(event.t_s, event.what) for event in got.events] == [(1.0, "warning")]
    assert got.totals.walked_s == got.totals.protected_s == 5.0
    assert got.totals.backward_m == pytest.approx(1.0)
    assert got.totals.warnings == 1


def test_what_stands_when_a_walk_begins_was_said_at_its_beginning() -> None:
    before = steady(0.0, 5.0, walk=None, state=State.CAUTION, fault=DeviceFault.SETTINGS)
    walk = walking(5.0, begun=Begun.BUTTON)
    during = steady(
        5.0, 7.0, walk=walk, state=State.CAUTION, fault=DeviceFault.SETTINGS, track=Track(2.0)
    )
    got = told([*before, *during])
    assert [(event.t_s, event.what) for event in got.events] == [
        (0.0, "caution"),
        (0.0, "settings"),
    ]


@pytest.mark.parametrize("ended", Ended)
def test_a_walk_ends_once_and_as_it_says(ended: Ended) -> None:
    last = walking(0.0, 3.0, ended=ended)
    got = told([*steady(0.0, 3.02), step(3.05, last), step(3.06, last), step(3.1, None)])
    assert [entry.ended for entry in got.entries] == [None, None, ended.value]
    assert got.totals.walked_s == 3.0


def test_a_walk_that_the_device_ends_was_stopped_and_has_its_last_second() -> None:
    got = told(steady(0.0, 2.52))
    assert [entry.ended for entry in got.entries] == [None, None, "stopped"]
    assert got.seconds[-1].t_s == 2
    assert got.totals.walked_s == pytest.approx(2.45)
    assert Tally(SETTINGS).close() == ()


def test_a_walk_that_begins_as_another_ends_is_another() -> None:
    second = walking(3.0, number=2, begun=Begun.BUTTON)
    got = told([*steady(0.0, 3.0), *steady(3.0, 5.0, walk=second)])
    numbers = [(entry.beginning.number, entry.ended) for entry in got.entries]
    assert numbers == [(1, None), (1, None), (1, "button"), (2, None), (2, "stopped")]
    lost = told([*steady(0.0, 1.5), step(1.5, None)])
    assert lost.entries[-1].ended == "stopped"


# ------------------------------------------------------------------ what was said


def test_risings_are_events_and_counted_and_calming_is_not() -> None:
    order = [State.CAUTION, State.DANGER, State.WARNING, State.DANGER, State.STOP, State.AGAINST]
    given = [step(i / 2, walking(), state) for i, state in enumerate([*order, State.CLEAR])]
    got = told(given)
    assert [event.what for event in got.events] == ["caution", "danger", "danger", "stop"]
    assert [event.t_s for event in got.events] == [0.0, 0.5, 1.5, 2.0]
    totals = got.totals
    assert (totals.cautions, totals.warnings, totals.dangers, totals.stops) == (1, 0, 2, 1)


def test_while_the_sensors_fault_speaks_no_level_does_but_stop() -> None:
    doubted = {"fault": SensorFault.STOPPED_ANSWERING, "track": Track()}
    given = [
        *steady(0.0, 1.0),
        *steady(1.0, 2.0, state=State.CAUTION, **doubted),  # never clear, and not a caution
        *steady(2.0, 3.0, state=State.STOP, **doubted),
        *steady(3.0, 4.0, state=State.WARNING, track=Track(1.2, 0.0, 4.0, 0.0)),
    ]
    got = told(given)
    assert [event.what for event in got.events] == ["stopped-answering", "stop"]
    assert got.events[0].cause == "the sensor stopped answering"
    assert got.totals.faults == 1
    again = told([*given, *steady(4.0, 5.0, state=State.DANGER, **doubted)])
    assert [event.what for event in again.events][2:] == ["stopped-answering"]
    back = told([*given[:40], *steady(2.0, 3.0, state=State.WARNING)])
    assert [event.what for event in back.events] == ["stopped-answering", "warning"]


def test_a_fault_that_changes_its_name_is_told_again_and_counted_once() -> None:
    given = [
        *steady(0.0, 1.0, fault=SensorFault.INTERMITTENT),
        *steady(1.0, 2.0, fault=SensorFault.STOPPED_ANSWERING),
    ]
    got = told(given)
    assert [event.what for event in got.events] == ["intermittent", "stopped-answering"]
    assert got.totals.faults == 1
    assert [second.fault for second in got.seconds] == ["intermittent", "stopped-answering"]


def test_the_coachs_cues_are_events_and_no_others() -> None:
    cues = [Cue.CHIRP, Cue.SILENCE, Cue.MARK, Cue.SILENCE, Cue.WARNING, Cue.FORWARD, Cue.FORWARD]
    got = told([step(float(i), walking(), cue=cue) for i, cue in enumerate(cues)])
    assert [(event.t_s, event.kind, event.what) for event in got.events] == [
        (2.0, "cue", "mark"),
        (5.0, "cue", "forward"),
    ]
    assert got.events[0].cause == "begun by the button"


def test_cues_say_why() -> None:
    def why(cue: Cue, t_s: float, **more: object) -> str:
        given = [step(0.0, walking()), step(t_s, walking(until_s=t_s, **more), cue=cue)]
        return told(given).events[-1].cause

    assert why(Cue.MARK, 450.0) == "half of it is done"
    assert why(Cue.DONE, 900.0) == "as long as was asked"
    assert why(Cue.DONE, 50.0, ended=Ended.BUTTON) == "ended by the button"
    assert len({why(cue, 950.0) for cue in ORDER}) == len(ORDER)


def test_every_fault_has_its_words() -> None:
    assert tally.FAULTS.keys() == {*SensorFault, *DeviceFault}
    assert all(words and not words.endswith(".") for words in tally.FAULTS.values())


# ------------------------------------------------------------------ why


@pytest.mark.parametrize(
    ("state", "track", "why"),
    [
        (State.DANGER, Track(0.98, 0.1, 3.6, 0.0), "0.98 m away, within DANGER's 1.00 m"),
        (State.DANGER, Track(1.3, 0.8, 1.31, 0.0),
         "1.3 s from the touch at 0.8 m/s, within DANGER's 1.5 s"),
        (State.STOP, Track(0.5, None, None, 0.0), "0.50 m away, within STOP's 0.60 m"),
        (State.STOP, Track(0.5, -0.5, None, 0.0), "0.50 m away, within STOP's 0.60 m"),
        (State.WARNING, Track(0.9, -0.5, None, 0.0),
         "0.90 m away, within DANGER's 1.00 m, but going away"),
        (State.CAUTION, Track(2.5, 0.0, 11.0, 0.0), "2.50 m away, within CAUTION's 2.50 m"),
        (State.AGAINST, Track(None, None, None, None, True),
         "touching, or nearer than the sensor can see"),
        (State.AGAINST, Track(), "touching, or nearer than the sensor can see"),
        (State.WARNING, Track(3.9, 0.0, 18.0, 0.0),
         "it was nearer a moment ago, and is not yet clear of that"),
        (State.DANGER, Track(1.2, 0.0, 4.0, 0.0),
         "it was nearer a moment ago, and is not yet clear of that"),
        (State.WARNING, Track(), "it was nearer a moment ago, and is not yet clear of that"),
        (State.CLEAR, FAR, "nothing within any limit"),
    ],
)  # fmt: skip
def test_an_alert_has_its_cause(state: State, track: Track, why: str) -> None:
    assert cause(step(0.0, None, state, track), LIMITS) == why


def test_a_doubted_way_has_its_cause() -> None:
    doubted = step(0.0, None, State.CAUTION, Track(), SensorFault.FROZEN)
    assert cause(doubted, LIMITS).startswith("the way is not known to be clear: the very same echo")


def test_a_limit_by_time_that_is_off_is_no_cause() -> None:
    limits = thresholds(AlertSettings(danger_ttc_s=0.0))
    quick = step(0.0, None, State.WARNING, Track(1.2, 0.8, 1.2, 0.0))
    assert cause(quick, limits) == "1.20 m away, within WARNING's 1.50 m"


@pytest.mark.parametrize("name", ["wall", "two", "oblique-wall", "hedge", "pole", "standing"])
@pytest.mark.parametrize("profile", ["default", "rehab"])
def test_every_rising_in_simulation_has_a_cause_of_its_own_level(name: str, profile: str) -> None:
    given = Settings(alert=AlertSettings(profile=profile, reaction_s=1.3))  # type: ignore[arg-type]
    limits = thresholds(given.alert)
    level = 0
    found: list[tuple[str, str]] = []

    def look(each: Step) -> None:
        nonlocal level
        now = min(4, each.alert.state)
        if now > level:
            found.append((each.alert.level, cause(each, limits)))
        level = now

    Walk(scenario.load(name), given, 3, VirtualClock()).go([look])
    assert found
    for word, why in found:
        direct = f"within {word.upper()}'s" in why and "going away" not in why
        assert direct or why.endswith("but going away") or why.startswith("touching"), (word, why)


# ------------------------------------------------------------------ reactions


def slowing(from_mps: float, after_s: float, object_id: int = 1, age_s: float = 0.0) -> list[Step]:
    """A warning at 1 s; from `after_s` later on, standing."""

    def at(t_s: float) -> Step:
        mps = from_mps if t_s < 1.0 + after_s - 1e-9 else 0.1
        object_now = 1 if t_s <= 1.0 else object_id
        track = Track(1.4, mps, 1.2, age_s if t_s > 1.0 else 0.0, False, object_now)
        return step(t_s, walking(), State.WARNING if t_s >= 1.0 else State.CLEAR, track)

    return [at(round(i * SENSOR_S, 6)) for i in range(200)]


def test_the_time_from_an_alert_to_half_the_speed_is_the_reaction() -> None:
    assert told(slowing(0.8, 0.75)).reactions == {1.0: 0.75}


@pytest.mark.parametrize(
    "steps",
    [
        slowing(0.25, 0.75),  # too slow to tell
        slowing(0.8, 0.2),  # was slowing before
        slowing(0.8, 0.75, object_id=2),
        slowing(0.8, 0.75, age_s=0.3),
    ],
)
def test_no_reaction_is_made_up(steps: list[Step]) -> None:
    assert told(steps).reactions == {}


def test_who_is_seen_not_to_slow_has_not_reacted() -> None:
    assert told(slowing(0.8, 5.5)).reactions == {1.0: math.inf}


def test_of_one_approach_the_first_warning_is_answered() -> None:
    steps = slowing(0.8, 1.0)
    urgent = [
        replace(each, alert=replace(each.alert, state=State.DANGER)) if each.t_s >= 1.5 else each
        for each in steps
    ]
    assert told(urgent).reactions == {1.0: 1.0}


def test_who_is_touching_has_not_reacted() -> None:
    steps = [
        replace(each, track=Track(against=True, object_id=1)) if each.t_s > 1.5 else each
        for each in slowing(0.8, 0.75)
    ]
    assert told(steps).reactions == {1.0: math.inf}


# ------------------------------------------------------------------ whole walks


@pytest.mark.parametrize("name", ["wall", "two", "standing", "follower-closing", "pole", "rain"])
def test_simulated_walks_add_up(name: str) -> None:
    steps: list[Step] = []
    follow = Tally(SETTINGS)
    entries: list[Entry] = []

    def observe(each: Step) -> None:
        steps.append(each)
        entries.extend(follow(each))

    short = scenario.shortened(scenario.load(name), 60.0)
    Walk(short, SETTINGS, seed=4, clock=VirtualClock()).go([observe])
    entries += follow.close()
    if not any(each.walk for each in steps):
        assert entries == []
        return
    last = next(each.walk for each in reversed(steps) if each.walk is not None)
    mine = [each for each in steps if each.t_s >= last.began_s - 1e-6]
    seconds = [second for entry in entries for second in entry.seconds]
    whole_s = math.ceil(mine[-1].t_s - last.began_s)
    assert [second.t_s for second in seconds] == [*range(whole_s)]
    totals = entries[-1].totals
    assert totals.walked_s == pytest.approx(last.until_s - last.began_s, abs=1e-3)
    levels = [0, *(min(4, each.alert.state) for each in mine)]
    rises = [(now > before) * now for before, now in itertools.pairwise(levels)]
    told_of = [event.what for entry in entries for event in entry.events if event.kind == "alert"]
    assert told_of == [
        ("caution", "warning", "danger", "stop")[level - 1] for level in rises if level
    ]
    believed = sum(
        min(after.t_s, last.until_s) - each.t_s
        for each, after in itertools.pairwise(mine)
        if each.t_s < last.until_s and each.alert.fault is None
    )
    assert totals.protected_s == pytest.approx(believed, abs=0.01)


def test_of_what_is_not_remembered_nothing_is_made_up() -> None:
    """The walk is said to have begun 20 s ago; what is known begins 3 s ago."""
    walk = walking(10.0, begun=Begun.MOTION)
    steps = [*steady(27.0, 30.0, walk=None), *steady(30.0, 32.0, walk=walk)]
    got = told(steps)
    assert [second.t_s for second in got.seconds] == [17, 18, 19, 20, 21]
    assert got.totals.protected_s == pytest.approx(5.0, abs=0.06)


def test_what_was_passed_comes_no_nearer_in_thought() -> None:
    def at(i: int) -> Step:
        seen = i < 20
        track = Track(2.0 - 0.05 * i, 1.0, 1.0, 0.0 if seen else 0.05 * (i - 19), False, 1)
        return step(round(i * SENSOR_S, 6), walking(), State.WARNING, track)

    assert told([at(i) for i in range(30)]).totals.closest_m == pytest.approx(1.05)


def test_what_happened_after_the_end_is_not_counted() -> None:
    def at(i: int) -> Step:
        t_s = round(i * SENSOR_S, 6)
        walk = replace(walking(), until_s=2.5)
        state = State.WARNING if 2.0 <= t_s < 2.2 or 2.7 <= t_s < 2.9 else State.CLEAR
        return step(t_s, walk, state, Track(1.4, 0.0, None, 0.0))

    assert told([at(i) for i in range(80)]).totals.warnings == 1
