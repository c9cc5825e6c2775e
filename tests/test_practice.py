"""A walk in closed loop: the coach speaks through the pins, the walker goes by what they feel.

The walker knows nothing of the coach and the coach nothing of the walker, so that a turn that
comes is a cue that was felt, and a cue that comes is motion that was seen. And weeks of it, in a
book.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from device.clock import VirtualClock
from device.core import coach as core_coach
from device.core.alert import Alert
from device.core.coach import ORDER, STOOD_S, UNSEEN_S, Begun, Ended, Walking
from device.core.pipeline import FIRST, Start, Step
from device.core.signals import ASIDES_S, COACH_AFTER_S, Command, Cue, choose
from device.core.track import Track
from device.history import book
from device.settings import CoachSettings, Settings
from device.sim import practice, scenario
from device.sim.practice import Outing
from device.sim.run import Walk
from device.sim.scenario import Leg, Obstacle, Scenario
from device.sim.scenario import Walker as Manner

WALKS_OWN = frozenset(ORDER)
PARK = scenario.load("park")
FRIEND, TREES = PARK.obstacles[:2]
QUIET_PARK = replace(PARK, obstacles=(FRIEND, replace(TREES, across_m=1.3)))
"""Trees that are seen and warned of by nobody."""
BRIEF = CoachSettings(
    mode="intervals", target_min=5.0, most_min=6.0, backward_s=40.0, forward_s=25.0
)
BUSY = CoachSettings(
    mode="intervals", target_min=1.0, most_min=1.0, backward_s=10.0, forward_s=10.0
)
"""As many cues as can be."""
WALKING = Start(walking=True)


class Moment(NamedTuple):
    """What a step said, and what the walker truly did then."""

    t_s: float
    cue: Cue
    alert: Alert
    eased: bool
    walk: Walking | None
    mps: float


def lived(
    world: Scenario, coach: CoachSettings, seed: int = 1, start: Start = FIRST, week: int = 1
) -> list[Moment]:
    """A walk, moment by moment."""
    walk = Walk(world, Settings(coach=coach), seed, VirtualClock(), start, week)
    walker = walk.rig.world.walker
    moments: list[Moment] = []

    def note(step: Step) -> None:
        eased = step.walk is not None and step.walk.eased
        mps = walker.place(step.t_s)[1]
        moments.append(Moment(step.t_s, step.cue, step.alert, eased, step.walk, mps))

    walk.go([note])
    return moments


class Said(NamedTuple):
    """A cue of the walk's own, from its first moment to its last."""

    cue: Cue
    from_s: float
    until_s: float

    @property
    def whole(self) -> bool:
        """No warning cut it off."""
        return self.until_s - self.from_s >= ASIDES_S[self.cue] - 0.01


def said(moments: Iterable[Moment]) -> list[Said]:
    """The walk's cues, in order."""
    found: list[Said] = []
    playing: tuple[Cue, float] | None = None
    for moment in moments:
        if playing is not None and moment.cue is not playing[0]:
            found.append(Said(*playing, moment.t_s))
            playing = None
        if playing is None and moment.cue in WALKS_OWN:
            playing = (moment.cue, moment.t_s)
    return found


def turns(moments: Sequence[Moment]) -> list[float]:
    """When the walker, who began by going backward, truly changed direction."""
    found = []
    forward = False
    for moment in moments:
        if (moment.mps < -0.01 and not forward) or (moment.mps > 0.01 and forward):
            forward = not forward
            found.append(moment.t_s)
    return found


# ------------------------------------------------------------------ who feels a cue turns


TURNED_S = 4.0
"""The cue, the silence after it, the reaction, braking."""


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_walker_turns_at_each_switch_because_they_felt_it(seed: int) -> None:
    moments = lived(scenario.shortened(QUIET_PARK, 330.0), BRIEF, seed)
    switches = [one for one in said(moments) if one.cue in (Cue.FORWARD, Cue.BACKWARD)]
    turned = turns(moments)
    assert len(turned) == len(switches) >= 7
    for one, turned_s in zip(switches, turned, strict=True):
        assert 0.5 < turned_s - one.from_s < TURNED_S


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_stretches_are_as_long_as_was_asked(seed: int) -> None:
    turned = turns(lived(scenario.shortened(QUIET_PARK, 330.0), BRIEF, seed))
    for number, (sooner, later) in enumerate(pairwise(turned)):
        asked_s = BRIEF.backward_s if number % 2 else BRIEF.forward_s
        assert later - sooner == pytest.approx(asked_s, abs=2.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cue_waits_for_warnings_and_no_longer(seed: int) -> None:
    moments = lived(scenario.shortened(PARK, 330.0), BRIEF, seed)
    warned_s = [moment.t_s for moment in moments if warns(moment)]
    switches = [one for one in said(moments) if one.cue in (Cue.FORWARD, Cue.BACKWARD)]
    assert len(switches) >= 7
    for before, one in pairwise(switches):
        if before.cue is one.cue:
            continue  # cut off, and said again
        due_s = before.from_s + (BRIEF.forward_s if one.cue is Cue.BACKWARD else BRIEF.backward_s)
        assert one.from_s >= due_s
        waited_s = one.from_s - due_s - 5.0  # another cue may be before it
        held_s = [t_s for t_s in warned_s if due_s - COACH_AFTER_S <= t_s < one.from_s]
        assert waited_s <= (held_s[-1] + COACH_AFTER_S - due_s if held_s else 0.0)


def test_a_cue_that_a_warning_cut_off_is_said_again() -> None:
    again = 0
    for seed in (1, 2, 3):
        found = said(lived(scenario.shortened(PARK, 330.0), replace(BUSY, target_min=5.0), seed))
        for one, then in pairwise(found):
            if not one.whole and one.cue is not Cue.SLOWER:
                assert then.cue is one.cue, f"seed {seed}: {one.cue.name} at {one.from_s}"
                again += 1
    assert again > 0


def test_when_it_is_done_the_walker_stands() -> None:
    moments = lived(scenario.shortened(QUIET_PARK, 330.0), BRIEF, 2)
    done = next(one for one in said(moments) if one.cue is Cue.DONE and one.whole)
    assert done.from_s == pytest.approx(303.0, abs=8.0)
    assert {moment.mps for moment in moments if moment.t_s > done.until_s + TURNED_S} == {0.0}


@pytest.mark.parametrize("mode", ["time", "intervals", "plan"])
def test_the_park_is_walked_whole_in_each_mode(mode: str) -> None:
    """It begins by motion, is seen to go on, and is told that it is done."""
    coach = CoachSettings(mode=mode, target_min=10.0, most_min=12.0)  # type: ignore[arg-type]
    moments = lived(scenario.shortened(PARK, 640.0), coach)
    walks = [moment.walk for moment in moments if moment.walk is not None]
    assert {walk.number for walk in walks} == {1}
    assert walks[0].begun is Begun.MOTION
    assert moments[-1].walk is not None, "it goes on"
    last = walks[-1]
    assert 0.9 * 600.0 < last.until_s - last.began_s < 640.0
    cues = {one.cue for one in said(moments)}
    assert {Cue.MARK, Cue.DONE} <= cues
    assert ({Cue.FORWARD, Cue.BACKWARD} <= cues) is (mode != "time")


def test_the_week_is_what_is_asked() -> None:
    world, coach = scenario.shortened(PARK, 10.0), CoachSettings(mode="plan")
    for week, target_min in ((1, 10), (4, 16), (6, 20)):
        walk = lived(world, coach, week=week)[-1].walk
        assert walk is not None
        assert (walk.dose.week, walk.dose.target_s) == (week, 60.0 * target_min)


# ------------------------------------------------------------------ what warns comes first


def warns(moment: Moment) -> bool:
    """The alert's own signal is playing."""
    return moment.cue is not Cue.SILENCE and moment.cue not in ASIDES_S


def covered(moments: Iterable[Moment]) -> list[str]:
    """Each cue that was said during a warning, or too soon after one."""
    found = []
    warned_s, last = -COACH_AFTER_S, Cue.SILENCE
    for moment in moments:
        if moment.cue in WALKS_OWN:
            if choose(moment.alert, moment.eased) is not Cue.SILENCE:
                found.append(f"{moment.t_s}: {moment.cue.name} while {moment.alert}")
            if moment.cue is not last and moment.t_s - warned_s < COACH_AFTER_S - 1e-6:
                found.append(f"{moment.t_s}: {moment.cue.name}, warned at {warned_s}")
        if warns(moment):
            warned_s = moment.t_s
        last = moment.cue
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_the_park_no_cue_covers_a_warning_or_follows_it_at_once(seed: int) -> None:
    moments = lived(scenario.shortened(PARK, 420.0), replace(BUSY, target_min=7.0), seed)
    assert len(said(moments)) > 20
    assert sum(warns(moment) for moment in moments) > 100
    assert covered(moments) == []


WORLDS = [full for name in scenario.shipped() for full in scenario.variants(name)]
CUT_S = 30.0


def test_in_no_shipped_world_does_a_cue_cover_a_warning_or_follow_it_at_once() -> None:
    cues = 0
    for name in WORLDS:
        found = scenario.load(name)
        world = scenario.shortened(found, min(found.duration_s, CUT_S))
        moments = lived(world, BUSY, 1, WALKING)
        assert covered(moments) == [], name
        cues += len(said(moments))
    assert cues > len(WORLDS) / 3


def test_what_is_looked_for_would_be_found() -> None:
    quiet, near = Alert(proven=True), Alert(proven=True)
    moments = [
        Moment(0.0, Cue.CAUTION, near, eased=False, walk=None, mps=0.0),
        Moment(1.0, Cue.SILENCE, quiet, eased=False, walk=None, mps=0.0),
        Moment(1.9, Cue.MARK, quiet, eased=False, walk=None, mps=0.0),
    ]
    assert len(covered(moments)) == 1


# ------------------------------------------------------------------ begins and ends by itself


def stroll(*legs: tuple[float, float], things: tuple[Obstacle, ...] = ()) -> Scenario:
    walked = tuple(Leg(for_s=s, speed_mps=v) for s, v in legs)
    manner = Manner(legs=walked, heeds=False)
    duration_s = sum(s for s, _ in legs)
    return Scenario(title="t", duration_s=duration_s, expect="any", walker=manner, obstacles=things)


def wall(along_m: float) -> Obstacle:
    return Obstacle(shape="wall", along_m=along_m)


def ends(moments: Iterable[Moment]) -> list[tuple[Ended, float, float]]:
    """How and when each walk ended, and when that was known."""
    found: dict[int, tuple[Ended, float, float]] = {}
    for moment in moments:
        walk = moment.walk
        if walk is not None and walk.ended is not None:
            found.setdefault(walk.number, (walk.ended, walk.until_s, moment.t_s))
    return list(found.values())


def test_a_walk_that_stops_by_a_wall_ends_where_it_stopped() -> None:
    world = stroll((10.0, 0.0), (20.0, 0.6), (140.0, 0.0), things=(wall(14.0),))
    moments = lived(world, CoachSettings())
    first = next(moment for moment in moments if moment.walk is not None)
    assert first.walk is not None
    assert first.walk.begun is Begun.MOTION
    # 4 m from the wall after 26.7 s, known to be motion half a second and three seconds later.
    assert first.walk.began_s == pytest.approx(27.0, abs=0.6)
    assert first.t_s - first.walk.began_s == pytest.approx(3.0, abs=0.3)
    ((ended, until_s, known_s),) = ends(moments)
    assert ended is Ended.STOOD
    assert until_s == pytest.approx(30.3, abs=0.5)
    assert known_s == pytest.approx(30.0 + STOOD_S, abs=1.5)
    assert moments[-1].walk is None


def test_a_walk_into_the_open_ends_where_motion_was_seen_last() -> None:
    world = stroll((5.0, 0.0), (400.0, -0.8), things=(wall(0.8),))
    moments = lived(world, CoachSettings())
    ((ended, until_s, known_s),) = ends(moments)
    assert ended is Ended.UNSEEN
    assert until_s == pytest.approx(9.0, abs=0.5)
    assert known_s == pytest.approx(until_s + UNSEEN_S, abs=0.3)


def test_who_stands_in_the_open_walks_on_for_nobody_who_passes() -> None:
    passing = replace(FRIEND, along_m=3.4, along_mps=0.0, across_m=-60.0, across_mps=1.2)
    passing = replace(passing, from_s=0.0, every_s=120.0)
    world = stroll((4.0, 0.0), (60.0, 0.7), (500.0, 0.0), things=(FRIEND, TREES, passing))
    ((ended, until_s, _),) = ends(lived(world, CoachSettings()))
    assert ended is Ended.UNSEEN
    assert until_s < 70.0


def test_who_said_that_they_walk_is_believed_in_the_open_and_until_they_stand() -> None:
    open_field = stroll((400.0, 0.7))
    walk = lived(open_field, CoachSettings(), 1, WALKING)[-1].walk
    assert walk is not None
    assert walk.until_s - walk.began_s == pytest.approx(400.0, abs=1.0)
    stood = ends(lived(stroll((30.0, 0.7), (130.0, 0.0), things=(wall(22.5),)), BRIEF, 1, WALKING))
    assert [ended for ended, _, _ in stood] == [Ended.STOOD]


def test_standing_is_no_walk_whoever_passes() -> None:
    passing = Obstacle(shape="person", along_m=2.5, across_m=-6.0, across_mps=1.2, every_s=10.0)
    for things in ((wall(0.9),), (wall(2.5),), (passing,), (passing, wall(3.5))):
        moments = lived(stroll((90.0, 0.0), things=things), CoachSettings())
        assert {moment.walk for moment in moments} == {None}


# ------------------------------------------------------------------ the coach changes no warning


class Judged(NamedTuple):
    """What a step decided."""

    read: bool
    track: Track
    alert: Alert
    own: Command | None
    """What the outputs did, where the alert's own signal played as loud as ever."""


def judged(world: Scenario, coach: CoachSettings, seed: int, start: Start) -> dict[float, Judged]:
    """By instant. The walker does as if there were no device, so that the world is the same."""
    deaf = replace(world.walker, heeds=False, follows_cues=False)
    walk = Walk(replace(world, walker=deaf), Settings(coach=coach), seed, VirtualClock(), start)
    found: dict[float, Judged] = {}
    softened = False

    def note(step: Step) -> None:
        nonlocal softened
        own = step.cue is not Cue.SILENCE and step.cue not in ASIDES_S
        if step.walk is not None and step.walk.eased:
            softened = True
        elif not own:
            softened = False  # what was eased and is not any more begins its rhythm anew
        command = step.command if own and not softened else None
        found[step.t_s] = Judged(step.reading is not None, step.track, step.alert, command)

    walk.go([note])
    return found


def differences(world: Scenario, seed: int) -> list[str]:
    """Where a coach that says as much as it can decides otherwise than one that is silent."""
    quiet = judged(world, replace(BUSY, enabled=False), seed, FIRST)
    busy = judged(world, BUSY, seed, WALKING)
    read = [{t_s for t_s, one in run.items() if one.read} for run in (quiet, busy)]
    found = [] if read[0] == read[1] else ["read at other instants"]
    for t_s in sorted(quiet.keys() & busy.keys()):
        one, other = quiet[t_s], busy[t_s]
        if (one.track, one.alert) != (other.track, other.alert):
            found.append(f"{t_s}: {one} and {other}")
        if None not in (one.own, other.own) and one.own != other.own:
            found.append(f"{t_s}: {one.own} and {other.own}")
    return found


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("half", [0, 1])
def test_the_coach_changes_no_track_no_alert_and_no_warning(half: int, seed: int) -> None:
    for name in WORLDS[half::2]:
        found = scenario.load(name)
        world = scenario.shortened(found, min(found.duration_s, CUT_S))
        assert differences(world, seed) == [], name


def test_nor_does_it_on_a_long_walk() -> None:
    assert differences(scenario.shortened(PARK, 240.0), 1) == []


# ------------------------------------------------------------------ weeks of it


PLAN = Settings(coach=CoachSettings(mode="plan"))


def outing(what: tuple[int, int]) -> Outing:
    """The day on which that happens."""
    return next(day for day in practice.outings() if day.met(what))


def test_six_weeks_have_three_days_each_but_for_the_one_that_was_missed() -> None:
    found = practice.outings()
    days = [(day.week, day.day) for day in found]
    assert days == sorted({(week, day) for week in range(1, 7) for day in range(3)} - {(3, 1)})
    on = [datetime.fromtimestamp(day.began_s, UTC) for day in found]
    assert {time.weekday() for time in on} == {0, 2, 4}
    assert {time.hour for time in on} == {10}
    assert len({day.boot_id for day in found}) == len({day.seed for day in found}) == len(found)
    assert all(day.running_s > 5.0 for day in found)
    assert practice.outings(seed=2) != found


HEARD_LATE = """
title = "Something in the way that is heard from so far"
duration_s = 45.0
expect = "any"
[walker]
resumes_s = 4.0
legs = [{ for_s = 90.0, speed_mps = %s }]
[[obstacles]]
shape = "pole"
along_m = 12.0
radius_m = 0.2
seen_to_m = %s
"""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("mps", "seen_to_m", "too_fast"),
    [(0.7, 1.4, False), (1.2, 1.4, True), (1.2, 4.0, False), (1.4, 1.6, True), (0.9, 1.6, False)],
)
def test_who_goes_too_fast_for_what_is_heard_so_late_is_told_after_the_scare(
    mps: float, seen_to_m: float, too_fast: bool, seed: int
) -> None:
    world = scenario.parse(HEARD_LATE % (mps, seen_to_m), "heard late")
    said: set[Cue] = set()
    Walk(world, Settings(), seed, VirtualClock()).go([lambda step: said.add(step.cue)])
    assert (Cue.SLOWER in said) == too_fast


def test_a_week_is_three_walks_of_the_plan_in_the_book(tmp_path: Path) -> None:
    practice.live(tmp_path / "walks.db", PLAN, weeks=1)
    with book.read_book(tmp_path / "walks.db") as opened:
        walks = opened.walks()
        assert book.week_after(opened.done()) == 2
        cues = [[e.what for e in opened.events(one.id) if e.kind == "cue"] for one in walks]
    assert [one.beginning.week for one in walks] == [1, 1, 1]
    assert [one.beginning.begun for one in walks] == ["motion", "motion", "command"]
    for one, day, said_of in zip(walks, practice.outings(1), cues, strict=True):
        assert one.began_wall_s is not None
        since_s = one.began_wall_s - day.began_s
        assert since_s == pytest.approx(one.beginning.began_s, abs=0.01)
        assert one.began_monotonic_s == pytest.approx(day.running_s + since_s, abs=0.01)
        assert 0.9 * 600.0 < one.totals.walked_s < 1.15 * 600.0
        assert 0.4 < one.totals.forward_s / one.totals.walked_s < 0.6
        assert said_of.count("forward") + said_of.count("backward") >= 8
        assert {"mark", "done"} <= set(said_of)


def test_a_walk_is_the_same_in_a_process_of_its_own() -> None:
    days = practice.outings()[:2]
    beside = list(practice._walked(days, [1, 1], PLAN, jobs=2))
    assert beside[1] == practice.walk(days[1], 1, PLAN)
    assert beside[0] != beside[1]


def test_the_end_of_the_battery_is_no_end_of_the_walk() -> None:
    entries = practice.walk(outing(practice.POWER_LOST), 1, PLAN)
    assert {entry.ended for entry in entries} == {None}
    assert 0.3 * 600.0 < entries[-1].totals.walked_s <= 0.45 * 600.0


def test_a_loose_wire_is_a_fault_and_its_end_is_the_end_of_it() -> None:
    entries = practice.walk(outing(practice.LOOSE_WIRE), 1, PLAN)
    assert [event.kind for entry in entries for event in entry.events].count("fault") >= 1
    last = entries[-1].totals
    assert last.faults >= 1
    assert 10.0 < last.walked_s - last.protected_s < 30.0
    assert last.walked_s > 480.0


def brief_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of two quarters of a minute."""
    monkeypatch.setattr(core_coach, "PAIR_S", 15.0)


def test_the_clock_that_is_late_is_repaired_and_that_of_nobody_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief_plan(monkeypatch)
    monkeypatch.setattr(practice, "NO_CLOCK", (1, 0))
    monkeypatch.setattr(practice, "CLOCK_LATE", (1, 1))
    lived = practice.live(tmp_path / "walks.db", PLAN, weeks=1)
    with book.read_book(tmp_path / "walks.db") as opened:
        never, late, _ = opened.walks()
    assert never.began_wall_s is None
    assert late.began_wall_s == pytest.approx(lived[1].began_s + late.beginning.began_s, abs=0.01)


def test_the_week_is_the_books_and_not_what_was_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk that the battery ends counts when it was long enough all the same."""
    brief_plan(monkeypatch)
    monkeypatch.setattr(practice, "POWER_LOST", (1, 1))
    for share, weeks in ((0.5, [1, 1, 1, 1, 2, 2]), (0.97, [1, 1, 1, 2, 2, 2])):
        monkeypatch.setattr(practice, "POWER_SHARE", share)
        path = tmp_path / f"{share}.db"
        practice.live(path, PLAN, weeks=2)
        with book.read_book(path) as opened:
            assert [one.beginning.week for one in opened.walks()] == weeks
