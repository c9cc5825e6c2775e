"""Scores of hand-made walks: what was said, what was true, and the sums that must come out."""

import copy
import functools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock import VirtualClock
from device.evaluate.human import Need, Person
from device.evaluate.record import Record, Say, record
from device.evaluate.score import Tally, at, score, spans, touch
from device.evaluate.truth import Fact, Truth
from device.profiles import HEEL_LEAD_M
from device.settings import Settings
from device.sim import scenario as scenarios
from device.sim.run import Walk
from device.sim.scenario import Leg, Obstacle, Scenario, Walker
from device.sim.world import World

DURATION_S = 20.0
Spans = list[tuple[float, float]]


def person(
    wall_m: float = 4.0, speed_mps: float = 1.0, reaction_s: float = 0.5, **more: float
) -> Person:
    """Someone on the way to a wall who brakes within 0.2 m from a metre a second."""
    scenario = Scenario(
        title="test",
        duration_s=DURATION_S,
        expect="any",
        walker=Walker(legs=(Leg(for_s=600.0, speed_mps=speed_mps),), reaction_s=reaction_s),
        obstacles=(Obstacle(shape="wall", along_m=wall_m, **more),),
    )
    return Person(World(scenario, random.Random(1), lambda _t_s, _call: None), "default")


def walked(
    *facts: Fact,
    dead: Spans = [],  # noqa: B006 - nobody changes it
    blind: Spans = [],  # noqa: B006
    who: Person | None = None,
    number: int | None = None,
) -> Record:
    """A walk of which this was true."""
    return Record(
        Scenario(title="test", duration_s=DURATION_S, expect="any", number=number),
        [],
        [],
        list(facts) or [Fact(0.0, 0, 0, False)],
        dead,
        blind,
        None if who is None else who.need(DURATION_S),
        who or person(),
    )


def true(*changes: tuple[float, int], excused: int = 0) -> list[Fact]:
    """From each instant on a level is due, and excusable; never less is excusable than given."""
    changes = changes if changes and changes[0][0] == 0.0 else ((0.0, 0), *changes)
    return [Fact(t_s, level, max(level, excused), False) for t_s, level in changes]


def said(*changes: tuple[float, int] | Say) -> list[Say]:
    """From each instant on a level is shown."""
    return [Say(0.0, 0), *(c if isinstance(c, Say) else Say(*c) for c in changes)]


def fault(t_s: float, level: int = 1) -> Say:
    return Say(t_s, level, fault=True)


def hushed(t_s: float, level: int) -> Say:
    return Say(t_s, level, hushed=True)


def tally(rec: Record, says: list[Say]) -> Tally:
    return score("test", 1, rec, says)


# ---------------------------------------------------------------- recall


WALL = person()
NEED_S = 2.66
"""When 1.33 m are left of 4 m: a stop from 1 m/s needs that much."""


@pytest.mark.parametrize(
    ("says", "met"),
    [
        (said((NEED_S - 0.1, 3)), 1),
        (said((NEED_S, 3)), 1),
        (said((NEED_S - 0.1, 4)), 1),
        (said(fault(NEED_S - 0.1)), 1),
        (said((NEED_S - 0.1, 2)), 0),
        (said((NEED_S + 0.01, 3)), 0),
        (said(hushed(NEED_S - 0.1, 3)), 0),
        (said((NEED_S - 1.0, 3), (NEED_S - 0.1, 2)), 0),
        (said(), 0),
    ],
    ids=["danger", "just in time", "stop", "fault", "warning", "late", "hushed", "gone", "nothing"],
)
def test_recall_is_being_told_to_stop_at_the_instant_of_need(says: list[Say], met: int) -> None:
    rec = walked(who=WALL)
    assert rec.need is not None
    assert rec.need.t_s == pytest.approx(NEED_S)
    found = tally(rec, says)
    assert (found.needs, found.met) == (1, met)
    assert any("not told to stop" in case.what for case in found.cases) is not met


def test_what_nobody_could_hear_is_counted_apart() -> None:
    rec = walked(who=person(seen_to_m=0.0))
    told, untold = tally(rec, said((1.0, 3))), tally(rec, said())
    assert (told.needs, told.undetectable, told.undetectable_met) == (0, 1, 1)
    assert (untold.needs, untold.undetectable, untold.undetectable_met) == (0, 1, 0)
    assert told.contacts_without == untold.contacts_without == 0


def test_a_walk_without_need_has_neither_recall_nor_contacts() -> None:
    found = tally(walked(), said((1.0, 3)))
    assert (found.needs, found.undetectable, found.contacts_without) == (0, 0, 0)
    assert (found.runs, found.walked_s) == (1, DURATION_S)


def test_the_time_left_at_each_alarm_counts_from_the_heel() -> None:
    found = tally(walked(who=WALL), said((1.0, 1), (1.5, 2), (2.5, 3)))
    assert found.ttc_s == {2: [pytest.approx(2.25)], 3: [pytest.approx(1.25)]}


# ---------------------------------------------------------------- contacts


STOPPING_M = 0.5 * 1.0 + 1.0 / (2 * 2.5)
"""Reaction and braking from 1 m/s."""
LAST_S = 4.0 - HEEL_LEAD_M - STOPPING_M


def approached(who: Person) -> Record:
    """A walk towards `who`'s wall, with what is true on it."""
    return walked(*Truth(who._world, "default").timeline(DURATION_S), who=who)


def contact(says: list[Say], who: Person = WALL) -> tuple[float, float] | None:
    need = who.need(DURATION_S)
    assert need is not None
    return touch(approached(who), need, says)


@pytest.mark.parametrize("signal", [(2, False), (3, False), (4, False), (1, True)])
def test_who_is_warned_in_time_does_not_touch(signal: tuple[int, bool]) -> None:
    assert contact(said(Say(LAST_S - 0.05, *signal))) is None


@pytest.mark.parametrize("late_s", [0.05, 0.2, 0.45])
def test_who_is_warned_a_little_late_touches_more_slowly(late_s: float) -> None:
    touched = contact(said((LAST_S + late_s, 3)))
    assert touched is not None
    assert touched[1] == pytest.approx(min(1.0, math.sqrt(2 * 2.5 * late_s)), abs=0.1)


@pytest.mark.parametrize("before_s", [0.4, 0.2, 0.05])
@pytest.mark.parametrize("speed_mps", [0.37, 1.0])
def test_who_is_still_reacting_at_the_touch_has_touched(speed_mps: float, before_s: float) -> None:
    who = person(speed_mps=speed_mps, reaction_s=0.9)
    need = who.need(DURATION_S)
    assert need is not None
    touched = touch(approached(who), need, said((need.touch_s - before_s, 4)))
    assert touched is not None
    assert touched[1] == pytest.approx(speed_mps, abs=0.01)


@pytest.mark.parametrize(
    "says",
    [said(), said((1.0, 1)), said(hushed(1.0, 2)), said(hushed(1.0, 3)), said((3.9, 3))],
    ids=["nothing", "caution", "hushed warning", "hushed danger", "after the touch"],
)
def test_who_is_not_told_urgently_touches_as_if_there_were_no_device(says: list[Say]) -> None:
    need = WALL.need(DURATION_S)
    assert need is not None
    assert contact(says) == (need.touch_s, need.touch_mps)


def test_who_is_warned_for_nothing_walks_on() -> None:
    far = person(10.0)
    assert contact(said((1.0, 3), (2.0, 0)), far) is not None
    assert contact(said((1.0, 3), (2.0, 0), (8.0, 3)), far) is None
    assert contact(said(Say(1.0, 1, fault=True), (2.0, 0)), far) is None


def test_an_alarm_that_lasts_until_there_is_a_reason_counts_from_then() -> None:
    assert contact(said((1.0, 3)), person(10.0)) is None


def test_contacts_are_summed_with_how_hard_they_were() -> None:
    rec = approached(WALL)
    safe, sorry = tally(rec, said((1.0, 3))), tally(rec, said())
    assert (safe.contacts_without, safe.contacts_with, safe.contact_mps) == (1, 0, [])
    assert (sorry.contacts_without, sorry.contacts_with, sorry.contact_mps) == (1, 1, [1.0])


@pytest.mark.parametrize(
    ("who", "counted"),
    [
        (person(speed_mps=1.04), 1),
        (person(speed_mps=1.06), 0),
        (person(along_mps=-0.1, speed_mps=0.5), 0),
    ],
    ids=["easy", "too fast", "comes after who stands"],
)
def test_contacts_are_of_easy_paces_and_of_what_standing_still_avoids(
    who: Person, counted: int
) -> None:
    assert tally(walked(who=who), said()).contacts_without == counted


# The person of the closed loop obeys even where nothing is in sight, and needs up to
# 0.6 s to tell an urgent rhythm from another, so they may touch where the open loop's
# does not; the other way round only by the grids on which the two look (20 and 50 ms).
CLOSED = ("wall@1.0", "oblique-wall@20deg", "oblique-wall@45deg", "chain-link@1.0", "curb", "dog")
CLOSED += ("wall@0.37", "bollard", "child", "hedge")


@pytest.mark.parametrize("name", CLOSED)
def test_who_touches_in_the_open_loop_touches_in_the_closed_one(name: str) -> None:
    settings = Settings()
    for seed in range(4):
        summary = Walk(scenarios.load(name), settings, seed, VirtualClock()).go()
        rec = record(name, settings, seed)
        assert rec.need is not None
        touched = touch(rec, rec.need, rec.says)
        if touched is not None:
            assert summary.contact_mps is not None
            assert summary.contact_mps >= touched[1] - 0.15


def test_both_loops_agree_where_the_answer_is_plain() -> None:
    settings = Settings()
    for name, touches in (("curb", True), ("wall@0.5", False), ("bench", False)):
        for seed in range(3):
            rec = record(name, settings, seed)
            assert rec.need is not None
            summary = Walk(scenarios.load(name), settings, seed, VirtualClock()).go()
            assert (touch(rec, rec.need, rec.says) is not None) is touches
            assert (summary.contact_mps is not None) is touches


# ---------------------------------------------------------------- onset


DUE = true((5.0, 2), (10.0, 0))


@pytest.mark.parametrize(
    ("says", "onset_s"),
    [
        (said((5.3, 2)), 0.3),
        (said((5.3, 1), (5.6, 3)), 0.6),
        (said((4.0, 2)), 0.0),
        (said((4.0, 2), (4.5, 0), (5.7, 2)), 0.7),
        (said(fault(5.2)), 0.2),
        (said((5.3, 1)), math.inf),
        (said((10.1, 2)), math.inf),
        (said(), math.inf),
    ],
    ids=["shown", "higher", "early", "early and gone", "fault", "too little", "too late", "never"],
)
def test_the_onset_is_from_due_until_shown(says: list[Say], onset_s: float) -> None:
    found = tally(walked(*DUE), says)
    assert found.onsets_s[2] == [pytest.approx(onset_s)]
    assert set(found.onsets_s) == {1, 2}


def test_what_was_due_for_less_than_a_second_may_be_missed_and_not_be_late() -> None:
    short = true((5.0, 2), (5.9, 0))
    assert tally(walked(*short), said()).onsets_s == {}
    assert tally(walked(*short), said((5.4, 2))).onsets_s[2] == [pytest.approx(0.4)]


def test_what_was_due_a_moment_ago_falls_due_but_once() -> None:
    twice = true((2.0, 2), (5.0, 1), (5.5, 2), (9.0, 0))
    assert tally(walked(*twice), said((2.2, 2))).onsets_s[2] == [pytest.approx(0.2)]
    apart = true((2.0, 2), (5.0, 1), (6.5, 2), (9.0, 0))
    assert len(tally(walked(*apart), said((2.2, 2))).onsets_s[2]) == 2


def test_onsets_before_the_plain_wall_are_kept_apart_too() -> None:
    assert tally(walked(*DUE), said((5.3, 2))).wall_onsets_s == {}
    plain = tally(walked(*DUE, number=1), said((5.3, 2)))
    assert plain.wall_onsets_s == plain.onsets_s


@pytest.mark.parametrize("name", ["wall@0.37", "wall@1.0", "wall@1.4"])
@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_level_never_shown_before_a_wall_is_never_overlooked(name: str, level: int) -> None:
    rec = record(name, Settings(), 1)
    weakened = [say._replace(level=min(say.level, level - 1)) for say in rec.says]
    assert tally(rec, weakened).wall_onsets_s.get(level) == [math.inf]


# ---------------------------------------------------------------- false alarms


@pytest.mark.parametrize(
    ("facts", "says", "caution", "warning"),
    [
        (true(), said((5.0, 1), (6.0, 0)), 1, 0),
        (true(), said((5.0, 2), (6.0, 0)), 1, 1),
        (true(), said((5.0, 1), (5.1, 3), (6.0, 0)), 1, 1),
        (true(), said((5.0, 2), (5.1, 3), (5.2, 4), (6.0, 0)), 1, 1),
        (true(), said((5.0, 2), (6.0, 0), (9.0, 2), (10.0, 0)), 2, 2),
        (true((3.0, 1)), said((5.0, 1)), 0, 0),
        (true((3.0, 1)), said((5.0, 4)), 0, 1),
        (true((3.0, 2)), said((5.0, 4)), 0, 0),
        (true(excused=2), said((5.0, 2)), 0, 0),
        (true((3.0, 2), (4.6, 0)), said((5.0, 2)), 0, 0),
        (true((3.0, 2), (4.4, 0)), said((5.0, 2)), 1, 1),
        (true((5.1, 2)), said((5.0, 2)), 1, 1),
        (true((3.0, 2), (8.0, 0)), said((5.0, 2), hushed(8.0, 2), (12.0, 2)), 0, 0),
        (true((3.0, 2), (8.0, 0)), said((5.0, 3), (12.0, 2), (12.1, 1)), 0, 0),
    ],
    ids=[
        "caution",
        "warning is both",
        "one alarm that grows",
        "one alarm, three levels",
        "two alarms",
        "excused caution",
        "danger where caution is excused",
        "more where warning is excused",
        "excusable, never due",
        "excused a moment ago",
        "excused too long ago",
        "excused afterwards",
        "a reminder",
        "falling",
    ],
)
def test_a_rise_that_nothing_excuses_is_one_false_alarm(
    facts: list[Fact], says: list[Say], caution: int, warning: int
) -> None:
    found = tally(walked(*facts), says)
    assert (found.false_caution, found.false_warning) == (caution, warning)
    assert found.false_faults == 0


def test_a_fault_while_the_sensor_is_well_is_a_false_fault_and_no_false_alarm() -> None:
    found = tally(walked(), said(fault(5.0, 2), fault(5.5, 3), (6.0, 0), fault(9.0), (9.5, 0)))
    assert (found.false_faults, found.false_caution, found.false_warning) == (2, 0, 0)


def test_an_alarm_that_outlasts_a_fault_is_a_new_one() -> None:
    assert tally(walked(), said(fault(5.0, 2), (6.0, 2))).false_warning == 1


@pytest.mark.parametrize("kind", ["dead", "blind"])
@pytest.mark.parametrize(("t_s", "counted"), [(2.9, 1), (3.1, 0), (4.9, 0), (6.4, 0), (6.6, 1)])
def test_nothing_is_false_while_the_sensor_is_out_of_order_and_a_little_after(
    kind: str, t_s: float, counted: int
) -> None:
    rec = walked(**{kind: [(3.0, 5.0)]})  # type: ignore[arg-type]
    assert tally(rec, said((t_s, 2))).false_warning == counted
    assert tally(rec, said((t_s, 1))).false_caution == counted
    assert tally(rec, said(fault(t_s))).false_faults == counted


def test_nothing_counts_after_the_touch() -> None:
    rec = walked(who=WALL)
    need = rec.need
    assert need is not None
    after_s = need.touch_s + 0.1
    says = said((1.0, 3))
    later = [Say(after_s, 0), Say(after_s + 0.1, 3), fault(after_s + 0.2), Say(after_s + 0.3, 0)]
    without, with_later = tally(rec, says), tally(rec, says + later)
    assert with_later == without
    assert with_later.walked_s == need.touch_s


# ---------------------------------------------------------------- flips, hold, release


@pytest.mark.parametrize(
    ("says", "flips"),
    [
        (said((5.0, 2), (6.9, 1)), 1),
        (said((5.0, 2), (7.1, 1)), 0),
        (said((5.0, 1), (5.5, 2), (6.0, 3)), 0),
        (said((5.0, 2), (6.0, 0), (7.0, 2), (8.0, 0)), 3),
        (said((5.0, 2), hushed(5.5, 2), (6.0, 2)), 0),
        (said((1.0, 2), fault(5.0, 1), (5.5, 2)), 0),
        (said((1.0, 3), (5.0, 2), (5.5, 3)), 1),
    ],
    ids=["undone", "late", "rising", "to and fro", "reminder", "around a fault", "down and up"],
)
def test_a_flip_undoes_the_change_before_it_within_two_seconds(says: list[Say], flips: int) -> None:
    assert tally(walked(*true(excused=4)), says).flips == flips


LONG = true((2.0, 2), (10.0, 0))


@pytest.mark.parametrize(
    ("says", "held_s"),
    [
        (said((2.1, 2)), 7.0),
        (said((2.1, 2), (8.0, 1)), 5.0),
        (said((2.1, 3), (8.0, 0), (8.5, 2)), 6.5),
        (said((2.1, 2), fault(8.0, 1)), 7.0),
        (said((2.1, 2), hushed(5.0, 2)), 7.0),
        (said((9.0, 2)), 1.0),
        (said((2.1, 1)), 0.0),
    ],
    ids=["held", "dropped", "a gap", "fault", "hushed", "late", "caution"],
)
def test_hold_is_the_share_of_the_time_after_the_first_second(
    says: list[Say], held_s: float
) -> None:
    found = tally(walked(*LONG), says)
    assert found.due_s == pytest.approx(7.0)
    assert found.held_s == pytest.approx(held_s)


def test_what_moves_away_need_not_be_held() -> None:
    away = [Fact(0.0, 0, 0, False), Fact(2.0, 2, 2, False), Fact(5.0, 2, 2, True)]
    assert tally(walked(*away), said((2.0, 2))).due_s == pytest.approx(2.0)


@pytest.mark.parametrize(("dead_s", "due_s"), [((6.0, 7.0), 0.0), ((11.0, 12.0), 7.0)])
def test_what_a_dead_sensor_could_not_hold_is_not_asked_of_it(
    dead_s: tuple[float, float], due_s: float
) -> None:
    assert tally(walked(*LONG, dead=[dead_s]), said((2.0, 2), (10.5, 0))).due_s == due_s


@pytest.mark.parametrize(
    ("says", "release_s"),
    [
        (said((2.0, 2), (10.8, 1)), 0.8),
        (said((2.0, 3), (10.4, 2), (11.2, 1)), 1.2),
        (said((2.0, 2), (9.0, 0)), 0.0),
        (said((2.0, 2)), math.inf),
    ],
    ids=["released", "in steps", "early", "never"],
)
def test_release_is_from_the_last_excuse_until_less_than_warning(
    says: list[Say], release_s: float
) -> None:
    assert tally(walked(*LONG), says).releases_s == [pytest.approx(release_s)]


def test_release_waits_for_what_is_excusable_though_no_longer_due() -> None:
    facts = [Fact(0.0, 2, 2, False), Fact(5.0, 0, 2, False), Fact(7.0, 0, 1, False)]
    assert tally(walked(*facts), said((0.5, 2), (7.5, 1))).releases_s == [pytest.approx(0.5)]


@pytest.mark.parametrize(
    "facts",
    [
        true((2.0, 2), (10.0, 1), (11.9, 2)),
        true((2.0, 2), (18.5, 0)),
        true((2.0, 2)),
        true((2.0, 1), (10.0, 0)),
    ],
    ids=["it comes back", "the walk ends", "it stays", "it was only caution"],
)
def test_no_release_is_wanted_where_it_cannot_be_seen(facts: list[Fact]) -> None:
    assert tally(walked(*facts), said((2.0, 2), (10.1, 0))).releases_s == []


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("says", "delay_s"),
    [
        (said(fault(3.4)), 0.4),
        (said(fault(2.0)), 0.0),
        (said(fault(2.0), (2.5, 0), fault(4.0)), 1.0),
        (said(fault(5.1)), math.inf),
        (said((3.2, 4)), math.inf),
    ],
    ids=["announced", "already", "again", "too late", "never"],
)
def test_a_broken_sensor_is_announced_after_so_long(says: list[Say], delay_s: float) -> None:
    found = tally(walked(dead=[(3.0, 5.0)]), says)
    assert found.faults_s == [pytest.approx(delay_s)]
    assert any("never announced" in case.what for case in found.cases) is (delay_s == math.inf)


def test_every_breakage_is_announced_for_itself() -> None:
    twice = walked(dead=[(3.0, 5.0), (10.0, 12.0)])
    found = tally(twice, said(fault(3.2), (6.0, 0), fault(10.5)))
    assert found.faults_s == [pytest.approx(0.2), pytest.approx(0.5)]


@pytest.mark.parametrize("kind", ["dead", "blind"])
@pytest.mark.parametrize(
    ("says", "clear_s"),
    [
        (said(), 1.5),
        (said(fault(3.4)), 0.0),
        (said(fault(3.4, 0)), 0.0),
        (said(fault(4.0)), 0.5),
        (said((2.0, 1)), 0.0),
        (said((2.0, 1), (4.0, 0)), 1.0),
        (said(fault(3.2), (4.6, 0)), 0.4),
    ],
    ids=["never", "in time", "without a level", "late", "a level", "a level lost", "a fault lost"],
)
def test_clear_while_out_of_order_counts_after_half_a_second(
    kind: str, says: list[Say], clear_s: float
) -> None:
    found = tally(walked(**{kind: [(3.0, 5.0)]}), says)  # type: ignore[arg-type]
    assert found.clear_while_dead_s == pytest.approx(clear_s)
    assert any("CLEAR while" in case.what for case in found.cases) is (clear_s > 0)
    assert len(found.faults_s) == (kind == "dead")
    assert found.out_of_order == 1


# ---------------------------------------------------------------- tools and sums


def test_what_is_being_said_at_an_instant() -> None:
    says = said((1.0, 1), (2.0, 2))
    assert [at(says, t_s).level for t_s in (0.0, 0.99, 1.0, 1.5, 2.0, 9.0)] == [0, 0, 1, 1, 2, 2]
    assert list(spans(says, 1.5)) == [(says[0], 1.0), (says[1], 1.5)]
    assert list(spans(says, 3.0))[-1] == (says[2], 3.0)


counts = st.integers(0, 1000)
quarters = counts.map(lambda n: n / 4)  # sums of these are exact
samples = st.lists(quarters | st.just(math.inf), max_size=3)
by_level = st.dictionaries(st.integers(1, 4), samples, max_size=2)
by_kind = {int: counts, float: quarters, list: samples, dict: by_level}
tallies = st.builds(
    Tally, **{name: by_kind[type(getattr(Tally(), name))] for name in Tally.__struct_fields__}
)


def added(*parts: Tally) -> Tally:
    total = Tally()
    for part in parts:
        total.add(part)
    return total


@given(tallies, tallies, tallies)
def test_tallies_add_up_in_any_grouping(a: Tally, b: Tally, c: Tally) -> None:
    assert added(added(a, b), c) == added(a, added(b, c)) == added(a, b, c)


@given(st.lists(tallies, max_size=4))
def test_a_sum_has_every_count_and_every_sample_and_leaves_its_parts_alone(
    parts: list[Tally],
) -> None:
    before = copy.deepcopy(parts)
    total = added(*parts)
    total.releases_s.append(1.0)
    total.onsets_s.setdefault(1, []).append(1.0)
    assert parts == before
    for name in Tally.__struct_fields__:
        values = [getattr(part, name) for part in parts]
        found = getattr(added(*parts), name)
        if isinstance(found, dict):
            for level in range(1, 5):
                assert found.get(level, []) == [s for value in values for s in value.get(level, [])]
        elif isinstance(found, list):
            assert found == functools.reduce(lambda x, y: x + y, values, [])
        else:
            assert found == sum(values)


@given(
    st.lists(st.tuples(st.floats(0.1, 19.9), st.integers(0, 4), st.booleans(), st.booleans())),
    st.lists(st.tuples(st.floats(0.1, 19.9), st.integers(0, 4), st.integers(0, 4))),
    st.sampled_from([[], [(3.0, 5.0)], [(0.0, 20.0)]]),
    st.booleans(),
)
def test_whatever_is_said_the_tally_is_sane(
    says: list[tuple[float, int, bool, bool]],
    facts: list[tuple[float, int, int]],
    dead: Spans,
    approaches: bool,
) -> None:
    rec = walked(
        Fact(0.0, 0, 0, False),
        *(Fact(t_s, min(d, e), e, False) for t_s, d, e in sorted(facts)),
        dead=dead,
        who=WALL if approaches else None,
        number=1,
    )
    found = tally(rec, [Say(0.0, 0), *(Say(*say) for say in sorted(says))])
    assert found.met <= found.needs <= 1
    assert found.contacts_with <= found.contacts_without <= 1
    assert found.held_s <= found.due_s + 1e-6 <= found.walked_s + 1e-5
    assert found.clear_while_dead_s <= sum(to_s - from_s for from_s, to_s in dead)
    assert found.flips < max(1, len(says))
    assert found.false_warning <= len(says)
    assert all(s >= 0 for onsets in found.onsets_s.values() for s in onsets)
    assert all(s >= 0 for s in found.releases_s + found.faults_s)


def test_a_need_that_nothing_can_avoid_still_counts_for_recall() -> None:
    chased = person(along_mps=-0.1, speed_mps=0.5)
    need = chased.need(DURATION_S)
    assert isinstance(need, Need)
    assert not need.avoidable
    assert tally(walked(who=chased), said((1.0, 3))).met == 1


# ---------------------------------------------------------------- time for nothing


def test_what_is_shown_for_nothing_is_timed_by_level() -> None:
    found = tally(walked(), said((2.0, 1), (3.0, 2), (5.0, 0)))
    assert found.unexcused_caution_s == pytest.approx(3.0)
    assert found.unexcused_warning_s == pytest.approx(2.0)
    assert (found.unexcused_fault_s, found.well_s) == (0.0, DURATION_S)


def test_a_level_may_linger_a_little_after_its_reason_and_no_longer() -> None:
    facts = true((5.0, 2), (10.0, 0))
    brief = tally(walked(*facts), said((5.0, 2), (12.4, 0)))
    stuck = tally(walked(*facts), said((5.0, 2)))
    assert brief.unexcused_warning_s == 0.0
    assert stuck.unexcused_warning_s == pytest.approx(DURATION_S - 12.5)


def test_a_fault_that_never_ends_is_timed_and_its_recovery_never_comes() -> None:
    dead: Spans = [(3.0, 5.0)]
    good = tally(walked(dead=dead), said(fault(3.2), (5.9, 0)))
    stuck = tally(walked(dead=dead), said(fault(3.2)))
    assert (good.recoveries_s, good.unexcused_fault_s) == ([pytest.approx(0.9)], 0.0)
    assert stuck.recoveries_s == [math.inf]
    assert stuck.unexcused_fault_s == pytest.approx(DURATION_S - 6.5)
    assert good.well_s == pytest.approx(DURATION_S - 3.5)
