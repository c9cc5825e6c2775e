"""`rearguard walks plan`: what was done, held against what is asked, and what comes next.

The week of the starter plan follows from the walks that were done, three to a week, and not from
the calendar: that needs no clock, and whoever was ill for a fortnight goes on where they were. A
walk was done when it reached four fifths of its target. The calendar is told beside it, where the
clock was set. 15 to 20 minutes are a suitable walk; the plan grows to that.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from msgspec import Struct

from device.core import coach
from device.core.coach import PAIR_S, WALKS_A_WEEK, WEEKS, Dose
from device.history import book
from device.history.records import Walk
from device.settings import CoachSettings
from device.walks import words
from device.walks.words import When

AIM_MIN = (15, 20)
"""A suitable walk: slightly tired, a little out of breath."""


class Done(Struct, frozen=True):
    """A walk that counts, or one that was too short to."""

    walk: int
    when: When
    walked_s: float
    backward_s: float
    target_s: float


class PlanWeek(Struct, frozen=True):
    """A week of the starter plan: `pairs` of a minute backward and a minute forward, three times.

    `short`: begun in it, and ended before four fifths of their target.
    """

    week: int
    pairs: int
    target_s: float
    done: list[Done]
    short: list[Done]


class CalendarWeek(Struct, frozen=True):
    """What was walked in one. `monday`: its first day, ISO 8601; None: of dates not known."""

    monday: str | None
    walks: int
    done: int
    walked_s: float
    backward_s: float


class Report(Struct, frozen=True):
    """Where one stands. `week`, `weeks`: of the starter plan, None and empty without it.

    `calendar`: the last six weeks, the newest last. `this_week`: None where today is not known.
    `next_target_s`, `next_number`: of the next walk, and which of its week's three it is.
    """

    mode: str
    walks_a_week: int
    aim_min: tuple[int, int]
    week: int | None
    weeks: list[PlanWeek]
    finished: bool
    calendar: list[CalendarWeek]
    this_week: CalendarWeek | None
    next_target_s: float
    next_most_s: float
    next_backward_s: float | None
    next_forward_s: float | None
    next_number: int | None


def report(settings: CoachSettings, walks: Sequence[Walk], now_s: float | None) -> Report:
    """`walks`: all, in order. `now_s`: seconds since 1970, None where today is not known."""
    planned = settings.mode == "plan"
    dated = [
        (walk, when)
        for walk, when in zip(walks, words.whens(walks), strict=True)
        if not words.tiny(walk)
    ]
    in_plan = [(walk, when) for walk, when in dated if walk.beginning.week is not None]
    done = sum(_done(walk) for walk, _ in in_plan)
    week = book.week_after(done) if planned else None
    asked = coach.dose(settings, week or 1)
    newest_s = max((walk.began_wall_s or 0.0 for walk in walks), default=0.0)
    if now_s is not None and now_s < newest_s:
        now_s = None  # this computer's clock is behind what is known
    today = None if now_s is None else _monday(words.iso(now_s))
    calendar = _calendar(in_plan if planned else dated, today)
    return Report(
        mode=settings.mode,
        walks_a_week=WALKS_A_WEEK,
        aim_min=AIM_MIN,
        week=week,
        weeks=_weeks(settings, in_plan) if planned else [],
        finished=planned and done >= WEEKS * WALKS_A_WEEK,
        calendar=calendar,
        this_week=next((one for one in calendar if today and one.monday == str(today)), None),
        next_target_s=asked.target_s,
        next_most_s=asked.most_s,
        next_backward_s=asked.backward_s if asked.intervals else None,
        next_forward_s=asked.forward_s if asked.intervals else None,
        next_number=_number(done) if planned else None,
    )


def lines(found: Report) -> Iterator[str]:
    """The report for a person, for 80 columns."""
    if found.week is None:
        yield from _weeks_walked(found)
    else:
        yield from _table(found)
    this = found.this_week
    if this is not None:
        yield (
            f"this week, since Mon {this.monday}: {this.done} of {found.walks_a_week},"
            f" {_min(this.walked_s)} walked, {_min(this.backward_s)} of it backward"
        )
    yield f"next: {_next(found)}"


def _table(found: Report) -> Iterator[str]:
    yield "The starter plan: three walks a week, minutes backward and forward by turns."
    yield "  week asked              done    backward  a walk   walks"
    for one in found.weeks:
        mark = ">" if one.week == found.week else " "
        asked = f"{one.pairs:2} pairs, {one.target_s / 60:2.0f} min"
        line = f"{mark} {one.week:4} {asked:18} {_of_three(one):6}"
        if one.done:
            backward_s = sum(walk.backward_s for walk in one.done)
            mean_s = sum(walk.walked_s for walk in one.done) / len(one.done)
            line += f" {_min(backward_s):>9} {_min(mean_s):>8}   {_names(one.done)}"
        yield line.rstrip()
    low, high = found.aim_min
    yield f"A suitable walk has {low} to {high} minutes; the plan grows to that."
    yield ""
    yield from _why(found)


def _why(found: Report) -> Iterator[str]:
    """Which week it is, and what makes it that."""
    done = [walk for one in found.weeks for walk in one.done]
    if found.finished:
        yield f"The plan is done: {words.plural(len(done), 'walk')}. Week {WEEKS} goes on; for more"
        yield 'set coach.mode to "intervals" or "time".'
    else:
        counted = f"{words.plural(len(done), 'walk')} of 80 % or more of the target"
        yield f"Week {found.week}, after {counted}; three make a week."
    for one in found.weeks:
        if one.week == found.week:
            for walk in one.done[-WALKS_A_WEEK:]:
                yield f"  done   {_told(walk)}"
            for walk in one.short[-WALKS_A_WEEK:]:
                yield f"  short  {_told(walk)}, of {_min(walk.target_s)}: does not count"


def _weeks_walked(found: Report) -> Iterator[str]:
    most = f"enough at {_min(found.next_most_s)}"
    yield f"Asked of each walk: {_min(found.next_target_s)}, {most}. Three a week are a good habit."
    if not found.calendar:
        yield "no walk yet"
        return
    yield "week of          walks  done   walked  backward  a walk"
    for one in found.calendar:
        name = "date not known" if one.monday is None else f"Mon {one.monday}"
        line = f"{name:15} {one.walks:6} {one.done:5}"
        if one.walks:
            line += f" {_min(one.walked_s):>8} {_min(one.backward_s):>9}"
            line += f" {_min(one.walked_s / one.walks):>7}"
        yield line
    low, high = found.aim_min
    yield (f"Done is 80 % or more of what was asked; a suitable walk has {low} to {high} minutes.")


def _next(found: Report) -> str:
    minutes = f"{found.next_target_s / 60:g} min"
    if found.next_backward_s is None or found.next_forward_s is None:
        return f"{minutes} backward"
    if found.week is None:
        return (
            f"{minutes}, {words.length(found.next_backward_s)} backward and"
            f" {words.length(found.next_forward_s)} forward in turn"
        )
    which = f"walk {found.next_number} of {found.walks_a_week} in week {found.week}"
    if found.finished:
        which = f"a walk of week {found.week}"
    pairs = found.weeks[found.week - 1].pairs
    return f"{which}: {minutes}, {pairs} x (a minute backward, a minute forward)"


def _weeks(settings: CoachSettings, walks: Sequence[tuple[Walk, When]]) -> list[PlanWeek]:
    done: list[list[Done]] = [[] for _ in range(WEEKS)]
    short: list[list[Done]] = [[] for _ in range(WEEKS)]
    count = 0
    for walk, when in walks:
        at = book.week_after(count) - 1
        counts = _done(walk)
        (done if counts else short)[at].append(_walked(walk, when))
        count += counts
    asked = [coach.dose(settings, week) for week in range(1, WEEKS + 1)]
    return [
        PlanWeek(week, _pairs(each), each.target_s, done[week - 1], short[week - 1])
        for week, each in enumerate(asked, start=1)
    ]


def _calendar(walks: Sequence[tuple[Walk, When]], today: date | None) -> list[CalendarWeek]:
    """Six weeks up to today's, or to the last that is known; first of all those without a date."""
    by_week: dict[date | None, list[Walk]] = {}
    for walk, when in walks:
        by_week.setdefault(_monday(when.local), []).append(walk)
    last = today or max((monday for monday in by_week if monday is not None), default=None)
    mondays: list[date | None] = [None] if None in by_week else []
    if last is not None:
        first = min((monday for monday in by_week if monday is not None), default=last)
        weeks = [last - timedelta(weeks=back) for back in range(WEEKS - 1, -1, -1)]
        mondays += [monday for monday in weeks if monday >= first]
    return [_calendar_week(monday, by_week.get(monday, [])) for monday in mondays]


def _calendar_week(monday: date | None, walks: Sequence[Walk]) -> CalendarWeek:
    return CalendarWeek(
        None if monday is None else str(monday),
        len(walks),
        sum(_done(walk) for walk in walks),
        sum(walk.totals.walked_s for walk in walks),
        sum(_backward_s(walk) for walk in walks),
    )


def _walked(walk: Walk, when: When) -> Done:
    asked, totals = walk.beginning, walk.totals
    return Done(walk.id, when, totals.walked_s, _backward_s(walk), asked.target_s)


def _done(walk: Walk) -> bool:
    """Whether as much was walked of it as counts, also of one outside the plan."""
    return walk.totals.walked_s >= book.DONE_SHARE * walk.beginning.target_s


def _backward_s(walk: Walk) -> float:
    return walk.totals.walked_s - walk.totals.forward_s


def _monday(local: str | None) -> date | None:
    """The Monday of an ISO 8601 time's week."""
    if local is None:
        return None
    day = date.fromisoformat(local[:10])
    return day - timedelta(days=day.weekday())


def _number(done: int) -> int:
    return done % WALKS_A_WEEK + 1


def _pairs(asked: Dose) -> int:
    return round(asked.target_s / (2 * PAIR_S))


def _of_three(one: PlanWeek) -> str:
    return (
        f"{len(one.done)} of {WALKS_A_WEEK}"
        if len(one.done) <= WALKS_A_WEEK
        else str(len(one.done))
    )


def _names(done: Sequence[Done]) -> str:
    """Their numbers; of many the last three."""
    names = " ".join(f"{walk.walk}" for walk in done[-WALKS_A_WEEK:])
    return f"... {names}" if len(done) > WALKS_A_WEEK else names


def _told(walk: Done) -> str:
    return f"walk {walk.walk}, {words.short(walk.when)}, {_min(walk.walked_s)}"


def _min(seconds: float) -> str:
    return f"{seconds / 60:.3g} min" if seconds < 60_000 else f"{seconds / 60:.0f} min"
