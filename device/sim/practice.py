"""Practice: a starter plan lived through in virtual time, and kept in a book of walks.

Each Monday, Wednesday and Friday at ten somebody goes to the park and does what the cues ask for.
What happens to people in six weeks happens to them: a day is missed, nobody sets a clock, a
battery ends a walk, a sensor's wire is loose for a while. All is invented but for the walks
themselves, which are what the device made of a simulated world; and for the week of the plan,
which follows from the book. The same seed gives the same book.
"""

import concurrent.futures
import multiprocessing
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from device.clock import VirtualClock
from device.core import coach
from device.core.coach import UNSEEN_S, WEEKS
from device.core.pipeline import Start, Step
from device.failures import Failure
from device.history.records import Entry
from device.history.scribe import Clerk
from device.history.tally import Tally
from device.settings import Settings
from device.sim import scenario
from device.sim.run import Walk
from device.sim.scenario import Breakage, Scenario

PARK = "park"
FIRST_DAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""A Monday."""
DAYS = (0, 2, 4)
MISSED = (3, 1)
"""The week of the calendar, from 1, and the day of practice in it, from 0."""
NO_CLOCK = (2, 1)
CLOCK_LATE = (4, 0)
"""Its date is known only when the walk is over."""
BY_WORD = (1, 2)
LOOSE_WIRE = (3, 2)
POWER_LOST = (5, 1)
LOOSE_FROM_S, LOOSE_FOR_S = 400.0, 20.0
POWER_SHARE = 0.45
"""So much of its target was walked when the battery was empty."""
LINGERS = (20.0, 60.0)
"""Seconds from when it is done to when the device is switched off."""
FORGOTTEN = ((1, 1), (4, 2), (6, 0))
"""On these it is not, in a park with nobody else in it: the walk ends by itself."""
LATE_S = 600.0
THERE_SHARE = 0.6
"""Of the people in the park, so many come on any one day."""
FIRST_MPS, MORE_MPS = 0.6, 0.04
"""Backward, in the first week; and faster each week, as people get used to it."""


class Outing(Struct, frozen=True):
    """A day's walk, before it is walked.

    `week`, `day`: of the calendar. `began_s`: when the device was switched on, seconds since 1970;
    `running_s`: the monotonic clock's at t_s = 0. `lingers_s`: how long the device is left on when
    the walk is done.
    """

    week: int
    day: int
    seed: int
    began_s: float
    boot_id: str
    running_s: float
    lingers_s: float

    @property
    def zero_wall_s(self) -> float:
        """The wall clock's time at the monotonic clock's zero."""
        return self.began_s - self.running_s

    def wall(self) -> float | None:
        """The same, where the device knew it on the way."""
        return None if self.met(NO_CLOCK) or self.met(CLOCK_LATE) else self.zero_wall_s

    def met(self, what: tuple[int, int]) -> bool:
        """Whether that happens on this one."""
        return what == (self.week, self.day)


def outings(weeks: int = WEEKS, seed: int = 1) -> list[Outing]:
    """Each day of practice in so many weeks, in order."""
    found: list[Outing] = []
    for week in range(1, weeks + 1):
        for day, weekday in enumerate(DAYS):
            if (week, day) == MISSED:
                continue
            rng = random.Random(f"{seed} practice {week} {day}")
            on = FIRST_DAY + timedelta(weeks=week - 1, days=weekday)
            found.append(
                Outing(
                    week,
                    day,
                    1000 * seed + len(found) + 1,
                    on.timestamp() + round(rng.uniform(0.0, LATE_S)),
                    str(uuid.UUID(int=rng.getrandbits(128), version=4)),
                    round(rng.uniform(14.0, 30.0), 3),
                    rng.uniform(*LINGERS),
                )
            )
    return found


def live(
    path: Path, settings: Settings, weeks: int = WEEKS, seed: int = 1, jobs: int = 1
) -> list[Outing]:
    """Live so many weeks and write each walk into the new book `path`; what was lived.

    `jobs`: walks at once, each in a process of its own. Raises InputError and sqlite3.Error.
    """
    from device.history.book import open_book, week_after  # noqa: PLC0415 - as the device does

    settings = replace(settings, coach=replace(settings.coach, mode="plan"))
    lived = outings(weeks, seed)
    # Who walks beside others cannot know which week the book will say; it is checked below.
    before = [sum(not o.met(POWER_LOST) for o in lived[:i]) for i in range(len(lived))]
    guessed = [week_after(done) for done in before]
    with open_book(path) as book:
        for outing, guess, walked in zip(
            lived, guessed, _walked(lived, guessed, settings, jobs), strict=True
        ):
            week, entries = week_after(book.done()), walked
            if week != guess:
                entries = walk(outing, week, settings)
            Clerk(outing.boot_id, outing.running_s, outing.wall).write(book, entries)
            if outing.met(CLOCK_LATE):
                book.repair(outing.boot_id, outing.zero_wall_s)
    return lived


def walk(outing: Outing, week: int, settings: Settings) -> list[Entry]:
    """Go out once, in that week of the plan; what there is to be remembered of it."""
    tally = Tally(settings)
    entries: list[Entry] = []

    def note(step: Step) -> None:
        entries.extend(tally(step))

    start = Start(walking=outing.met(BY_WORD))
    world = _world(outing, coach.dose(settings.coach, week).target_s)
    Walk(world, settings, outing.seed, VirtualClock(), start, week).go([note])
    if not outing.met(POWER_LOST):
        entries.extend(tally.close())
    return entries


def _world(outing: Outing, target_s: float) -> Scenario:
    park = scenario.load(PARK)
    rng = random.Random(f"{outing.seed} park")
    forgotten = any(outing.met(day) for day in FORGOTTEN)
    share = 0.0 if forgotten else THERE_SHARE
    friend, *others = park.obstacles
    there = [other for other in others if not other.follows or rng.random() < share]
    stands, walks = park.walker.legs
    mps = FIRST_MPS + MORE_MPS * (outing.week - 1)
    walker = replace(park.walker, legs=(stands, replace(walks, speed_mps=mps)))
    breakages: tuple[Breakage, ...] = ()
    if outing.met(LOOSE_WIRE):
        breakages = (
            Breakage(at_s=LOOSE_FROM_S, failure=Failure.INTERMITTENT),
            Breakage(at_s=LOOSE_FROM_S + LOOSE_FOR_S, failure=Failure.OK),
        )
    walked_s = target_s + outing.lingers_s + (UNSEEN_S if forgotten else 0.0)
    if outing.met(POWER_LOST):
        walked_s = POWER_SHARE * target_s
    world = replace(park, walker=walker, obstacles=(friend, *there), breakages=breakages)
    return scenario.shortened(world, walked_s)


def _walked(
    todo: Sequence[Outing], weeks: Sequence[int], settings: Settings, jobs: int
) -> Iterator[list[Entry]]:
    """What each was, in their order."""
    go = partial(walk, settings=settings)
    if jobs <= 1:
        yield from map(go, todo, weeks)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(go, todo, weeks)
