"""What was said held against what was true: one walk's tally, and tallies summed.

Definitions, for every contender alike:

- *recall*: at the instant of need the wearer is being told to stop: DANGER or more, not
  hushed, or a fault.
- *onset*: from the instant a level is due until it is shown; an early one counts as 0.
- *false alarm*: the level rises to CAUTION (WARNING or more) although nothing real has
  excused it for half a second. Reminders of one alarm are one alarm.
- *flip*: a change of level that undoes the one before within 2 s.
- *hold*: share of the time WARNING is due, from a second after it fell due and not while
  moving away, in which WARNING or more is shown. *Release*: from the end of its last
  excuse until less than WARNING is shown.
- *fault*: from the sensor's breaking to the fault's being shown. *CLEAR while dead*:
  seconds at which neither a level nor a fault is shown, half a second after the sensor
  broke or was covered.
- *contact*: the simulated wearer touches, walking on (without) or stopping (with).
"""

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from device.core.track import time_to_collision_s
from device.evaluate.human import Need, Person
from device.evaluate.record import Record, Say
from device.evaluate.spans import covered_s, merged, overlaps, stretches
from device.evaluate.truth import Fact

CAUTION, WARNING, DANGER, STOP = 1, 2, 3, 4
PLAIN_WALL = 1
"""The suite's first scenario."""
EXCUSED_S = 0.5
LINGER_S = 1.5
"""A level may take so long to be released, one after the other."""
FLIP_S = 2.0
GRACE_S = 0.5
RECOVERY_S = 1.5
LASTING_S = 1.0
CALM_S = 2.0
EASY_MPS = 1.05
"""Contacts are counted up to 1.0 m/s, with the 5 % by which a seed's pace may differ."""


_Note = Callable[[float, str], None]
"""How a moment worth looking at is kept: when, and what."""


class Case(Struct, frozen=True):
    """Something worth looking at: which walk, when, and what."""

    scenario: str
    seed: int
    t_s: float
    what: str


class Tally(Struct):
    """Counts and samples of any number of walks; `add` sums two of them."""

    runs: int = 0
    walked_s: float = 0.0
    needs: int = 0
    met: int = 0
    undetectable: int = 0
    undetectable_met: int = 0
    onsets_s: dict[int, list[float]] = {}
    """By level; inf where one that was due for a second, or until the touch, was never shown."""
    wall_onsets_s: dict[int, list[float]] = {}
    """Those before a plain wall met squarely, where nothing excuses a delay."""
    ttc_s: dict[int, list[float]] = {}
    well_s: float = 0.0
    """Time walked with a sensor in order, on which the next three are measured."""
    unexcused_warning_s: float = 0.0
    unexcused_caution_s: float = 0.0
    unexcused_fault_s: float = 0.0
    recoveries_s: list[float] = []
    false_caution: int = 0
    false_warning: int = 0
    flips: int = 0
    due_s: float = 0.0
    held_s: float = 0.0
    releases_s: list[float] = []
    """The slowest of each walk, or a crowd's many passers-by would outvote all others."""
    faults_s: list[float] = []
    false_faults: int = 0
    out_of_order: int = 0
    clear_while_dead_s: float = 0.0
    contacts_without: int = 0
    contacts_with: int = 0
    contact_mps: list[float] = []
    cases: list[Case] = []

    def add(self, other: "Tally") -> None:
        """Sum `other` into this one."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):
                for key, values in theirs.items():
                    mine.setdefault(key, []).extend(values)
            elif isinstance(mine, list):
                mine.extend(theirs)
            else:
                setattr(self, name, mine + theirs)


def score(name: str, seed: int, record: Record, says: Sequence[Say]) -> Tally:
    """What became of one walk for a contender who said `says`."""
    need = record.need
    # What comes after the touch of a walker who would not listen proves nothing.
    end_s = record.scenario.duration_s if need is None else need.touch_s
    tally = Tally(runs=1, walked_s=end_s)
    heard = [say for say in says if say.t_s < end_s]

    def case(t_s: float, what: str) -> None:
        tally.cases.append(Case(name, seed, round(t_s, 3), what))

    if need is not None:
        _approach(tally, record, need, says, case)
    _onsets(tally, record, heard, end_s)
    _false(tally, record, heard, case)
    _unexcused(tally, record, heard, end_s)
    _hold_and_release(tally, record, heard, end_s)
    if record.scenario.number == PLAIN_WALL:
        tally.wall_onsets_s = {level: list(onsets) for level, onsets in tally.onsets_s.items()}
    tally.flips = _flips(heard, record.dead + record.blind)
    for from_s, to_s in record.dead:
        _fault(tally, says, from_s, to_s, case)
        if to_s < record.scenario.duration_s:
            trusted_s = _reached(says, to_s, record.scenario.duration_s, lambda s: not s.fault)
            tally.recoveries_s.append(round(trusted_s - to_s, 3))
    for from_s, to_s in merged(record.dead + record.blind):
        tally.out_of_order += 1
        clear_s = _clear_s(says, from_s + GRACE_S, to_s)
        tally.clear_while_dead_s += clear_s
        if clear_s:
            case(from_s, f"{clear_s:.2f} s of CLEAR while the sensor was out of order")
    return tally


# ------------------------------------------------------------------------ approaches


def _approach(tally: Tally, record: Record, need: Need, says: Sequence[Say], case: _Note) -> None:
    met = at(says, need.t_s).stops
    if need.detectable:
        tally.needs += 1
        tally.met += met
        if not met:
            case(need.t_s, f"not told to stop at {need.gap_m:.2f} m, {need.closing_mps:.2f} m/s")
        _times_left(tally, record.person, need, says)
    else:
        tally.undetectable += 1
        tally.undetectable_met += met
    if need.detectable and need.avoidable and need.touch_mps <= EASY_MPS:
        tally.contacts_without += 1
        touched = touch(record, need, says)
        if touched is not None:
            tally.contacts_with += 1
            tally.contact_mps.append(touched[1])
            case(touched[0], f"touched at {touched[1]:.2f} m/s")


def _times_left(tally: Tally, person: Person, need: Need, says: Sequence[Say]) -> None:
    """True time to collision when WARNING and DANGER were reached on the last approach."""
    for level in (WARNING, DANGER):
        rise = None
        for before, say in itertools.pairwise(says):
            if say.t_s > need.touch_s:
                break
            if before.level < level <= say.level:
                rise = say
        gap_m = None if rise is None else person.gap_m(rise.t_s)
        if gap_m is not None:
            left_s = time_to_collision_s(gap_m, need.closing_mps)
            tally.ttc_s.setdefault(level, []).append(round(left_s, 3))


def touch(record: Record, need: Need, says: Sequence[Say]) -> tuple[float, float] | None:
    """(when, how fast) the person touches all the same; None when they stop short.

    They heed a fault, and a warning of something that is there: after one for nothing they
    look round and walk on.
    """
    person, facts = record.person, record.facts
    for say, next_s in spans(says, need.touch_s):
        urgent = say.level >= WARNING and not say.hushed
        if not (urgent or say.fault):
            continue
        for t_s in _instants(say.t_s, next_s):
            if say.fault or _excused(facts, t_s) >= WARNING:
                return person.touch(t_s + person.reaction_s, need.touch_s + 3.0)
    return need.touch_s, need.touch_mps


def _instants(from_s: float, to_s: float) -> Iterable[float]:
    return (from_s + i * 0.05 for i in range(math.ceil((to_s - from_s) / 0.05)))


# --------------------------------------------------------------------------- levels


def _onsets(tally: Tally, record: Record, says: Sequence[Say], end_s: float) -> None:
    for level in (CAUTION, WARNING, DANGER, STOP):
        owed = _due(record.facts, level, end_s)
        for from_s, to_s in owed:
            if overlaps(record.dead + record.blind, from_s - RECOVERY_S, to_s):
                continue
            if any(from_s - LASTING_S <= until_s < from_s for _, until_s in owed):
                continue  # it was due a moment ago
            shown_s = _reached(says, from_s, to_s, _at_least(level))
            touched = record.need is not None and to_s == end_s  # and nothing excuses any more
            if shown_s < math.inf:
                tally.onsets_s.setdefault(level, []).append(round(shown_s - from_s, 3))
            elif touched or to_s - from_s >= LASTING_S:
                tally.onsets_s.setdefault(level, []).append(math.inf)


def _at_least(level: int) -> Callable[[Say], bool]:
    return lambda say: say.level >= level or say.fault


def _due(facts: Sequence[Fact], level: int, end_s: float) -> list[tuple[float, float]]:
    """When `level` is due, (from, to)."""
    return stretches([(f.t_s, f.due >= level) for f in facts if f.t_s < end_s], end_s)


def _reached(
    says: Sequence[Say], from_s: float, to_s: float, shows: Callable[[Say], bool]
) -> float:
    """The first instant between the two at which what is said `shows` it; inf if none."""
    return next(
        (
            max(say.t_s, from_s)
            for say, next_s in spans(says, to_s)
            if next_s > from_s and shows(say)
        ),
        math.inf,
    )


def _false(tally: Tally, record: Record, says: Sequence[Say], case: _Note) -> None:
    unwell = record.dead + record.blind
    for before, say in itertools.pairwise(says):
        if overlaps(unwell, say.t_s - RECOVERY_S, say.t_s):
            continue
        if say.fault and not before.fault:
            tally.false_faults += 1
            case(say.t_s, "a fault while the sensor was well")
        if say.fault:
            continue
        shown = 0 if before.fault else before.level
        if say.level <= shown:
            continue
        excused = _excused(record.facts, say.t_s)
        if shown < CAUTION and excused < CAUTION:
            tally.false_caution += 1
        if shown < WARNING <= say.level and excused < WARNING:
            tally.false_warning += 1
            case(say.t_s, "a false alarm, WARNING or more")
        elif shown < CAUTION and excused < CAUTION:
            case(say.t_s, "a false CAUTION")


def _unexcused(tally: Tally, record: Record, says: Sequence[Say], end_s: float) -> None:
    """Time for which something was shown that nothing real had excused for a while."""
    unwell = [(a, b + RECOVERY_S) for a, b in record.dead + record.blind]
    tally.well_s = end_s - covered_s(unwell, 0.0, end_s)
    calm_s = LINGER_S + 2 * EXCUSED_S
    for level in (CAUTION, WARNING):
        excused = stretches([(f.t_s, f.excusable >= level) for f in record.facts], end_s)
        lingering = merged(unwell + [(a - EXCUSED_S, b + calm_s) for a, b in excused])
        shown = stretches([(s.t_s, s.level >= level and not s.fault) for s in says], end_s)
        seconds = sum(b - a - covered_s(lingering, a, b) for a, b in shown)
        if level == CAUTION:
            tally.unexcused_caution_s = seconds
        else:
            tally.unexcused_warning_s = seconds
    faults = stretches([(s.t_s, s.fault) for s in says], end_s)
    tally.unexcused_fault_s = sum(b - a - covered_s(unwell, a, b) for a, b in faults)


def _excused(facts: Sequence[Fact], t_s: float) -> int:
    """The worst level that something real excused in the half second up to `t_s`."""
    until = bisect.bisect_right(facts, t_s, key=_when)
    worst = 0
    for fact in reversed(facts[:until]):
        worst = max(worst, fact.excusable)
        if fact.t_s <= t_s - EXCUSED_S:
            break
    return worst


def _flips(says: Sequence[Say], unwell: Sequence[tuple[float, float]]) -> int:
    changes = [
        (say.t_s, say.level > before.level)
        for before, say in itertools.pairwise(says)
        if say.level != before.level
        and not (say.fault or before.fault or overlaps(unwell, say.t_s - RECOVERY_S, say.t_s))
    ]
    return sum(
        up != was_up and t_s - was_s <= FLIP_S
        for (was_s, was_up), (t_s, up) in itertools.pairwise(changes)
    )


def _hold_and_release(tally: Tally, record: Record, says: Sequence[Say], end_s: float) -> None:
    unwell = record.dead + record.blind
    steady = [(f.t_s, f.due >= WARNING and not f.receding) for f in record.facts]
    for due_s, to_s in stretches([mark for mark in steady if mark[0] < end_s], end_s):
        from_s = due_s + LASTING_S
        if from_s >= to_s or overlaps(unwell, from_s - RECOVERY_S, to_s):
            continue
        tally.due_s += to_s - from_s
        for say, next_s in spans(says, to_s):
            if say.level >= WARNING or say.fault:
                tally.held_s += max(0.0, next_s - max(say.t_s, from_s))
    releases = list(_releases(record, says, end_s))
    if releases:
        tally.releases_s.append(round(max(releases), 3))


def _releases(record: Record, says: Sequence[Say], end_s: float) -> Iterator[float]:
    """How long WARNING outlived each last excuse of it, seconds."""
    unwell = record.dead + record.blind
    excused = stretches([(f.t_s, f.excusable >= WARNING) for f in record.facts], math.inf)
    for from_s, left_s in excused:
        until_s = left_s + CALM_S
        again = any(left_s < next_s <= until_s for next_s, _ in excused)
        shown = any(s.level >= WARNING and to_s > from_s for s, to_s in spans(says, left_s))
        if until_s > end_s or again or not shown or overlaps(unwell, left_s - RECOVERY_S, until_s):
            continue
        calm_s = _reached(says, left_s, end_s, lambda say: say.level < WARNING)
        yield calm_s - left_s


# --------------------------------------------------------------------------- faults


def _fault(tally: Tally, says: Sequence[Say], from_s: float, to_s: float, case: _Note) -> None:
    found_s = _reached(says, from_s, to_s, lambda say: say.fault)
    tally.faults_s.append(round(found_s - from_s, 3))
    if found_s == math.inf:
        case(from_s, "a fault that was never announced")


def _clear_s(says: Sequence[Say], from_s: float, to_s: float) -> float:
    return sum(
        max(0.0, next_s - max(say.t_s, from_s))
        for say, next_s in spans(says, to_s)
        if not say.level and not say.fault and next_s > from_s
    )


# ---------------------------------------------------------------------------- tools


def _when(item: Fact | Say) -> float:
    return item.t_s


def at(says: Sequence[Say], t_s: float) -> Say:
    """What is being said at `t_s`."""
    return says[max(0, bisect.bisect_right(says, t_s, key=_when) - 1)]


def spans(says: Sequence[Say], end_s: float) -> Iterable[tuple[Say, float]]:
    """(what is said, until when), up to `end_s`."""
    for i, say in enumerate(says):
        if say.t_s >= end_s:
            return
        yield say, min(end_s, says[i + 1].t_s if i + 1 < len(says) else end_s)
