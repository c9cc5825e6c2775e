"""`rearguard walks export`: for a spreadsheet, or for a program.

A row a walk, which is what whoever keeps a file on somebody wants; or of one walk a row a second.
Names carry their units, times are ISO 8601 with their offset, or empty where they are not known,
numbers have a point.
"""

import io
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import astuple

from device.history.records import LEVELS, Event, Second, Walk
from device.walks import one
from device.walks.words import When


class WalkRow(Struct, frozen=True):
    """A walk's figures. What is not known is None, an empty cell.

    `asked_backward_s`, `asked_forward_s`: what the cues asked, whatever was done. `backward_mps`,
    `forward_mps`: mean over the seconds in which it was seen, `..._seen_s`. METs and kcal are
    estimates, at that pace. `not_slowed`: so many alerts were seen to slow nobody.
    """

    walk: int
    began: str | None
    boot_id: str
    began_after_power_on_s: float
    begun_by: str
    ended_by: str
    mode: str
    plan_week: int | None
    target_s: float
    walked_s: float
    asked_backward_s: float
    asked_forward_s: float
    backward_mps: float | None
    backward_seen_s: float
    forward_mps: float | None
    forward_seen_s: float
    cautions: int
    warnings: int
    dangers: int
    stops: int
    closest_m: float | None
    reaction_median_s: float | None
    reactions_seen: int
    not_slowed: int
    protected_s: float
    faults: int
    weight_kg: float | None
    backward_met_estimate: float | None
    forward_met_estimate: float | None
    kcal_estimate: float | None
    version: str
    sensor: str
    profile: str


class SecondRow(Struct, frozen=True):
    """A second of a walk; `records.Second`, with the level's name and units in all names."""

    t_s: int
    distance_m: float | None
    closing_mps: float | None
    level: str
    fault: str | None
    buzzer_share: float
    motor_share: float
    asked_forward: int
    protected_share: float


class OneWalk(Struct, frozen=True):
    """A walk with its seconds, and what was said on it: none of what came after its end.

    An event's `reaction_s` of inf, null in JSON, is one of the walk's `not_slowed`.
    """

    walk: WalkRow
    seconds: list[SecondRow]
    events: list[Event]


def one_walk(
    walk: Walk, when: When, ended: str, seconds: Sequence[Second], events: Sequence[Event]
) -> OneWalk:
    """All that is kept of `walk`; a second that it ended in is whole."""
    walked_s = walk.totals.walked_s
    return OneWalk(
        walk_row(walk, when, ended, events),
        [second_row(second) for second in seconds if second.t_s < walked_s],
        [event for event in events if event.t_s <= walked_s],
    )


def walk_row(walk: Walk, when: When, ended: str, events: Sequence[Event]) -> WalkRow:
    """What is kept of `walk`, on one line."""
    found, totals = one.report(walk, when, ended, events), walk.totals
    return WalkRow(
        walk=walk.id,
        began=when.local,
        boot_id=walk.boot_id,
        began_after_power_on_s=round(walk.began_monotonic_s, 3),
        begun_by=found.begun,
        ended_by=found.ended,
        mode=found.mode,
        plan_week=found.week,
        target_s=found.target_s,
        walked_s=round(totals.walked_s, 1),
        asked_backward_s=round(found.backward.asked_s, 1),
        asked_forward_s=round(found.forward.asked_s, 1),
        backward_mps=found.backward.mps,
        backward_seen_s=round(found.backward.seen_s, 1),
        forward_mps=found.forward.mps,
        forward_seen_s=round(found.forward.seen_s, 1),
        cautions=totals.cautions,
        warnings=totals.warnings,
        dangers=totals.dangers,
        stops=totals.stops,
        closest_m=_rounded(totals.closest_m),
        reaction_median_s=_rounded(found.reaction_s),
        reactions_seen=found.reactions_seen,
        not_slowed=found.not_slowed,
        protected_s=round(totals.protected_s, 1),
        faults=totals.faults,
        weight_kg=found.weight_kg,
        backward_met_estimate=found.backward.met,
        forward_met_estimate=found.forward.met,
        kcal_estimate=found.kcal,
        version=found.version,
        sensor=found.sensor,
        profile=found.profile,
    )


def second_row(second: Second) -> SecondRow:
    """A second, on one line."""
    return SecondRow(
        t_s=second.t_s,
        distance_m=_rounded(second.distance_m),
        closing_mps=_rounded(second.closing_mps),
        level=LEVELS[second.level],
        fault=second.fault,
        buzzer_share=round(second.buzzer, 3),
        motor_share=round(second.motor, 3),
        asked_forward=int(second.forward),
        protected_share=round(second.protected, 3),
    )


def table(kind: type[Struct], rows: Sequence[Struct]) -> str:
    """CSV under the names of `kind`, also when there is no row; each line with its end."""
    import csv  # noqa: PLC0415 - only here, and the list of walks must come quickly

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(kind.__struct_fields__)
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
