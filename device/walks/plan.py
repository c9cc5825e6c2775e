"""`rearguard walks plan`: what was done, held against what is asked, and what comes next.

The week of the starter plan follows from the walks that were done, three to a week, and not from
the calendar: that needs no clock, and whoever was ill for a fortnight goes on where they were. A
walk was done when it reached four fifths of its target. The calendar is told beside it, where the
clock was set. Backward and forward are what the cues asked: nothing knows which way somebody went
while nothing was in view. 15 to 20 minutes are a suitable walk; the plan grows to that.
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

WIDTH = 80
ByWeek = dict[date | None, list[Walk]]
"""By the Monday; None: their dates are not known."""
AIM_MIN = (15, 20)
"""A suitable walk: slightly tired, a little out of breath."""


class Done(Struct, frozen=True):
    """A walk that counts, or one that was too short to. `asked_backward_s`: of it, by the cues."""

    walk: int
    when: When
    walked_s: float
    asked_backward_s: float
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
    """What was walked in one. `monday`: its first day, ISO 8601; None: of dates not known.

    `asked_backward_s`: of it, by the cues.
    """

    monday: str | None
    walks: int
    done: int
    walked_s: float
    asked_backward_s: float


class Report(Struct, frozen=True):
    """Where one stands. `week`, `weeks`: of the starter plan, None and empty without it.

    `calendar`: the last six weeks that have walks, and this one unless it is much later, the newest
    last; first of all the walks without a date. `earlier`: so many walks of before. `this_week`:
    None where today or every walk's date is not known; `undated_since`: so many walks after the
    last that is dated, which may be of this week or not. `next_target_s`, `next_number`: of the
    next walk, and which of its week's three it is.
    """

    mode: str
    walks_a_week: int
    aim_min: tuple[int, int]
    week: int | None
    weeks: list[PlanWeek]
    finished: bool
    calendar: list[CalendarWeek]
    earlier: int
    this_week: CalendarWeek | None
    undated_since: int
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
    weeks = _weeks(settings, in_plan) if planned else []
    done = sum(len(one.done) for one in weeks)
    week = book.week_after(done) if planned else None
    asked = coach.dose(settings, week or 1)
    newest_s = max((walk.began_wall_s or 0.0 for walk in walks), default=0.0)
    if now_s is not None and now_s < newest_s:
        now_s = None  # this computer's clock is behind what is known
    today = None if now_s is None else _monday(words.iso(now_s))
    counted = in_plan if planned else dated
    by_week = _by_week(counted)
    calendar = _calendar(by_week, today)
    return Report(
        mode=settings.mode,
        walks_a_week=WALKS_A_WEEK,
        aim_min=AIM_MIN,
        week=week,
        weeks=weeks,
        finished=planned and done >= WEEKS * WALKS_A_WEEK,
        calendar=calendar,
        earlier=len(counted) - sum(one.walks for one in calendar),
        this_week=_calendar_week(today, by_week) if today is not None and newest_s else None,
        undated_since=sum(when.local is None and when.before is None for _, when in counted),
        next_target_s=asked.target_s,
        next_most_s=asked.most_s,
        next_backward_s=asked.backward_s if asked.intervals else None,
        next_forward_s=asked.forward_s if asked.intervals else None,
        next_number=_number(done) if planned else None,
    )


def lines(found: Report) -> Iterator[str]:
    """The report for a person, for 80 columns."""
    import textwrap  # noqa: PLC0415 - as in `one`

    if found.week is None:
        yield from _weeks_walked(found)
    else:
        yield from _table(found)
    this = found.this_week
    if this is not None:
        line = f"this week, since Mon {this.monday}: {this.done} of {found.walks_a_week}"
        if this.walks:
            line += f", {words.length(this.walked_s)} walked,"
            line += f" {words.length(this.asked_backward_s)} of it asked backward"
        if found.undated_since:
            have = "has" if found.undated_since == 1 else "have"
            line += f"; {words.plural(found.undated_since, 'walk')} since {have} no date"
        yield from textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield f"next: {_next(found)}"


def _table(found: Report) -> Iterator[str]:
    yield "The starter plan: three walks a week, minutes backward and forward by turns."
    yield "  week asked              done    asked backward  a walk   walks"
    for one in found.weeks:
        mark = ">" if one.week == found.week else " "
        asked = f"{one.pairs:2} pairs, {one.target_s / 60:2.0f} min"
        line = f"{mark} {one.week:4} {asked:18} {_of_three(one):6}"
        if one.done:
            backward_s = sum(walk.asked_backward_s for walk in one.done)
            mean_s = sum(walk.walked_s for walk in one.done) / len(one.done)
            line += f" {words.clock(backward_s):>15} {words.clock(mean_s):>7}   {_names(one.done)}"
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
                yield f"  short  {_told(walk)}, of {words.length(walk.target_s)}: does not count"


def _weeks_walked(found: Report) -> Iterator[str]:
    target, most = words.length(found.next_target_s), words.length(found.next_most_s)
    yield f"Asked of each walk: {target}, enough at {most}. Three a week are a good habit."
    if not found.calendar:
        yield "no walk yet"
        return
    yield "week of          walks  done   walked  asked backward  a walk"
    if found.earlier:
        yield f"earlier: {words.plural(found.earlier, 'walk')}"
    for one in found.calendar:
        name = "date not known" if one.monday is None else f"Mon {one.monday}"
        line = f"{name:15} {one.walks:6} {one.done:5}"
        if one.walks:
            line += f" {words.clock(one.walked_s):>8} {words.clock(one.asked_backward_s):>15}"
            line += f" {words.clock(one.walked_s / one.walks):>7}"
        yield line
    low, high = found.aim_min
    yield f"Done is 80 % or more of what was asked; a suitable walk has {low} to {high} minutes."


def _next(found: Report) -> str:
    minutes = words.length(found.next_target_s)
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
    for walk, when in walks:
        at = book.week_after(sum(map(len, done))) - 1
        (done if _done(walk) else short)[at].append(_walked(walk, when))
    asked = [coach.dose(settings, week) for week in range(1, WEEKS + 1)]
    return [
        PlanWeek(week, _pairs(each), each.target_s, done[week - 1], short[week - 1])
        for week, each in enumerate(asked, start=1)
    ]


def _by_week(walks: Sequence[tuple[Walk, When]]) -> ByWeek:
    by_week: ByWeek = {}
    for walk, when in walks:
        by_week.setdefault(_monday(when.local), []).append(walk)
    return by_week


def _calendar(by_week: ByWeek, today: date | None) -> list[CalendarWeek]:
    known = sorted(monday for monday in by_week if monday is not None)[-WEEKS:]
    if today and known and known[-1] < today <= known[-1] + timedelta(weeks=WEEKS):
        known.append(today)
    undated = [None] if None in by_week else []
    return [_calendar_week(monday, by_week) for monday in (*undated, *known)]


def _calendar_week(monday: date | None, by_week: ByWeek) -> CalendarWeek:
    walks = by_week.get(monday, [])
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
    """Whether as much was walked of it as counts, by `Book.done`; also of one outside the plan."""
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
    return f"walk {walk.walk}, {words.short(walk.when)}, {words.length(walk.walked_s)}"
