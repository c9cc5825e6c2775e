"""The plan: which week it is and why, what was done of it, and what comes next."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from device.core import coach
from device.history import book
from device.history.records import Beginning, Totals, Walk
from device.settings import CoachSettings
from device.walks import command, plan
from tests.conftest import Command

PLAN, TIME = CoachSettings(mode="plan"), CoachSettings()
MONDAY_S = datetime(2026, 11, 16, 8, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def walks(
    shares: Sequence[float],
    wall_s: Sequence[float | None] | None = None,
    settings: CoachSettings = PLAN,
) -> list[Walk]:
    """Each walked so large a share of what was asked of it."""
    found: list[Walk] = []
    done = 0
    for number, share in enumerate(shares, start=1):
        asked = coach.dose(settings, book.week_after(done))
        done += asked.week is not None and share >= book.DONE_SHARE
        walked_s = share * asked.target_s
        beginning = Beginning(
            1, 0.0, "motion", "0.1.0", "HC-SR04", "default", settings.mode, asked.week,
            asked.target_s, asked.most_s,
        )  # fmt: skip
        totals = Totals(walked_s, walked_s / 2 if asked.intervals else 0.0)
        at_s = wall_s[number - 1] if wall_s is not None else None
        found.append(Walk(number, "boot", 60.0 * number, at_s, beginning, "stood", totals))
    return found


def keep(path: Path, of: Sequence[Walk]) -> None:
    with book.open_book(path) as opened:
        for walk in of:
            number = opened.begin(walk.beginning, "boot", walk.began_monotonic_s, None)
            opened.end(number, "stood", walk.totals)


@pytest.mark.parametrize(
    ("shares", "week", "number"),
    [
        ((), 1, 1),
        ((1.0,), 1, 2),
        ((1.0, 0.79, 0.8), 1, 3),
        ((1.0, 1.0, 1.0), 2, 1),
        ((1.0, 1.0, 1.0, 0.1, 0.1, 0.1), 2, 1),
        ((1.3,) * 17, 6, 3),
    ],
)
def test_the_week_follows_from_the_walks_that_were_done(
    shares: Sequence[float], week: int, number: int
) -> None:
    found = plan.report(PLAN, walks(shares), None)
    assert (found.week, found.next_number) == (week, number)
    assert found.next_target_s == 120.0 * (4 + week)
    assert list(plan.lines(found))[-1] == (
        f"next: walk {number} of 3 in week {week}: {2 * (4 + week)} min,"
        f" {4 + week} x (a minute backward, a minute forward)"
    )


def test_each_week_has_its_walks_and_those_that_were_too_short() -> None:
    found = plan.report(PLAN, walks((1.0, 0.5, 1.0, 1.0, 0.2, 1.1)), None)
    assert [(one.week, one.pairs, one.target_s) for one in found.weeks] == [
        (week, week + 4, 120.0 * (week + 4)) for week in range(1, 7)
    ]
    first, second, *later = found.weeks
    assert ([one.walk for one in first.done], [one.walk for one in first.short]) == ([1, 3, 4], [2])
    assert ([one.walk for one in second.done], [one.walk for one in second.short]) == ([6], [5])
    assert not any(one.done or one.short for one in later)
    lines = list(plan.lines(found))
    assert lines[1:4] == [
        "  week asked              done    asked backward  a walk   walks",
        "     1  5 pairs, 10 min   3 of 3           15:00   10:00   1 3 4",
        ">    2  6 pairs, 12 min   1 of 3            6:36   13:12   6",
    ]
    assert "  short  walk 5, boot boot +5 min, 2 min 24 s, of 12 min: does not count" in lines


def test_walks_outside_the_plan_do_not_count_in_it() -> None:
    free = walks((1.0,) * 5, settings=TIME)
    assert plan.report(PLAN, free, None).week == 1
    assert plan.report(PLAN, free + walks((1.0,) * 4), None).week == 2


def test_after_its_end_the_sixth_week_goes_on() -> None:
    found = plan.report(PLAN, walks((1.0,) * 25), None)
    assert (found.week, found.finished, len(found.weeks[5].done)) == (6, True, 10)
    lines = list(plan.lines(found))
    assert ">    6 10 pairs, 20 min   10" in lines[7]
    assert lines[7].endswith("... 23 24 25")
    assert any(line.startswith("The plan is done: 25 walks.") for line in lines)
    assert lines[-1].startswith("next: a walk of week 6: 20 min, 10 x")


def test_this_week_is_told_where_today_is_known() -> None:
    days = (-5, -3, 0, 2)
    of = walks((1.0, 1.0, 0.5, 1.0), [MONDAY_S + day * DAY_S for day in days])
    found = plan.report(PLAN, of, MONDAY_S + 4 * DAY_S)
    assert [(one.monday, one.walks, one.done) for one in found.calendar] == [
        ("2026-11-09", 2, 2),
        ("2026-11-16", 2, 1),
    ]
    assert found.this_week == found.calendar[1]
    assert (
        "this week, since Mon 2026-11-16: 1 of 3, 15 min walked, 7 min 30 s of it asked"
        in plan.lines(found)
    )


@pytest.mark.parametrize("now_s", [None, MONDAY_S - DAY_S, 0.0])
def test_a_clock_that_was_not_set_knows_no_week(now_s: float | None) -> None:
    found = plan.report(PLAN, walks((1.0,), [MONDAY_S]), now_s)
    assert found.this_week is None
    assert not any(line.startswith("this week") for line in plan.lines(found))
    assert found.week == 1


def test_this_week_is_told_when_nothing_was_walked_in_it() -> None:
    found = plan.report(TIME, walks((1.0,), [MONDAY_S], TIME), MONDAY_S + 15 * DAY_S)
    assert [(one.monday, one.walks) for one in found.calendar] == [
        ("2026-11-16", 1),
        ("2026-11-30", 0),
    ]
    assert "this week, since Mon 2026-11-30: 0 of 3" in plan.lines(found)


def test_without_a_date_nothing_is_said_of_this_week() -> None:
    found = plan.report(PLAN, walks((1.0,) * 3), MONDAY_S)
    assert found.this_week is None
    assert not any(line.startswith("this week") for line in plan.lines(found))


def test_walks_since_the_last_date_may_be_of_this_week() -> None:
    days: list[float | None] = [None, MONDAY_S - DAY_S, None, None]
    found = plan.report(PLAN, walks((1.0,) * 4, days), MONDAY_S)
    assert found.undated_since == 2
    assert "this week, since Mon 2026-11-16: 0 of 3; 2 walks since have no date" in plan.lines(
        found
    )
    days[-1] = MONDAY_S
    assert plan.report(PLAN, walks((1.0,) * 4, days), MONDAY_S).undated_since == 0


def test_six_weeks_that_have_walks_are_told_and_the_others_counted() -> None:
    of = walks((1.0,) * 30, [MONDAY_S + 14 * DAY_S * week for week in range(30)], TIME)
    found = plan.report(TIME, of, None)
    assert (len(found.calendar), found.earlier) == (6, 24)
    assert all(one.walks == 1 for one in found.calendar)
    assert found.calendar[-1].monday == "2027-12-27"
    assert "earlier: 24 walks" in plan.lines(found)
    later = plan.report(TIME, of, MONDAY_S + (29 * 14 + 42) * DAY_S)
    assert [one.walks for one in later.calendar] == [1] * 6 + [0]
    much_later = plan.report(TIME, of, MONDAY_S + (29 * 14 + 49) * DAY_S)
    assert [one.walks for one in much_later.calendar] == [1] * 6
    assert much_later.this_week is not None


def test_who_walks_by_time_sees_their_weeks_and_the_target() -> None:
    at_s = [MONDAY_S, None, MONDAY_S + DAY_S, MONDAY_S + 8 * DAY_S]
    found = plan.report(TIME, walks((1.0, 1.0, 0.4, 1.2), at_s, TIME), MONDAY_S + 9 * DAY_S)
    assert found.week is None
    assert list(plan.lines(found)) == [
        "Asked of each walk: 15 min, enough at 20 min. Three a week are a good habit.",
        "week of          walks  done   walked  asked backward  a walk",
        "date not known       1     1    15:00           15:00   15:00",
        "Mon 2026-11-16       2     1    21:00           21:00   10:30",
        "Mon 2026-11-23       1     1    18:00           18:00   18:00",
        "Done is 80 % or more of what was asked; a suitable walk has 15 to 20 minutes.",
        "this week, since Mon 2026-11-23: 1 of 3, 18 min walked, 18 min of it asked",
        "  backward",
        "next: 15 min backward",
    ]


def test_who_walks_in_intervals_sees_theirs() -> None:
    settings = CoachSettings(mode="intervals", backward_s=90.0, forward_s=30.0)
    lines = list(plan.lines(plan.report(settings, [], None)))
    assert lines[1:] == [
        "no walk yet",
        "next: 15 min, 1 min 30 s backward and 30 s forward in turn",
    ]


@pytest.mark.parametrize("count", [0, 1, 7, 18, 300])
@pytest.mark.parametrize("settings", [PLAN, TIME])
def test_the_plan_keeps_within_80_columns(count: int, settings: CoachSettings) -> None:
    at_s = [MONDAY_S + DAY_S * number * 2 for number in range(count)]
    shares = [(1.0, 0.93, 0.4, 1.333)[number % 4] for number in range(count)]
    found = plan.report(settings, walks(shares, at_s, settings), MONDAY_S + 1000 * DAY_S)
    assert max(map(len, plan.lines(found))) <= 80


def test_the_command_takes_the_mode_from_the_settings(rearguard: Command, tmp_path: Path) -> None:
    path, config = tmp_path / "walks.db", tmp_path / "plan.toml"
    config.write_text('[coach]\nmode = "plan"\n')
    keep(path, walks((1.0,) * 4))
    ran = rearguard("walks", "plan", "--json", "--history", path, "--config", config)
    found = json.loads(ran.out)
    assert (found["mode"], found["week"], found["next_number"]) == ("plan", 2, 2)
    config.write_text("")
    ran = rearguard("walks", "plan", "--json", "--history", path, "--config", config)
    found = json.loads(ran.out)
    assert (found["mode"], found["week"]) == ("time", None)


def test_where_nothing_is_configured_the_last_walk_says_how_it_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "walks.db"
    keep(path, walks((1.0,) * 4))
    for configured, week in ((True, None), (False, 2)):
        found, _ = command.plan(path, TIME, configured=configured)
        assert isinstance(found, plan.Report)
        assert found.week == week
    tiny = walks((0.01,), settings=TIME)
    keep(path, tiny)
    found, _ = command.plan(path, TIME, configured=False)
    assert isinstance(found, plan.Report)
    assert found.week == 2
    keep(tmp_path / "none.db", [])
    command.plan(tmp_path / "none.db", TIME, configured=False)
