"""`rearguard walks`: a line a walk, the newest last, where the eye is when the prompt returns."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from device.history.records import Walk
from device.walks import words
from device.walks.words import When

NOTES = {
    "after": "after: the date is not known, for the clock was not set; it was not before that",
    "boot": "boot: no date is known; which boot by its name, and when after power-on",
    "power": "power: it was cut before the walk's end was known; what came before is kept",
    "open": "open: the walk goes on, or the device was killed amid it",
}


class Row(Struct, frozen=True):
    """A walk in a line. `target_s`: what was asked, in `mode`, in `week` of the starter plan."""

    walk: int
    when: When
    walked_s: float
    mode: str
    week: int | None
    target_s: float
    warnings: int
    dangers: int
    stops: int
    closest_m: float | None
    faults: int
    ended: str


class Listing(Struct, frozen=True):
    """The list. `left_out`: shorter than a minute, and begun by nobody's word."""

    walks: list[Row]
    left_out: int


def listing(walks: Sequence[Walk], this_boot: str, every: bool = False) -> Listing:
    """A row for each; `every`: also for those of less than a minute."""
    rows = [
        _row(walk, when, words.ended(walk, walk is walks[-1], this_boot))
        for walk, when in zip(walks, words.whens(walks), strict=True)
        if every or not words.tiny(walk)
    ]
    return Listing(rows, len(walks) - len(rows))


def lines(found: Listing) -> Iterator[str]:
    """The table, for 80 columns."""
    if found.walks:
        yield "   # when                   min asked     WARN DANG STOP closest faults ended"
    notes = set()
    for row in found.walks:
        when, total = words.short(row.when), row.walked_s / 60.0
        notes |= {when.split()[0], row.ended} & NOTES.keys()
        yield (
            f"{row.walk:4} {when:20} {total:5.1f} {words.asked(row.mode, row.week):9}"
            f" {row.warnings:4} {row.dangers:4} {row.stops:4} {words.metres(row.closest_m):>7}"
            f" {row.faults:6} {row.ended}"
        )
    for word, note in NOTES.items():
        if word in notes:
            yield note
    if not found.walks:
        yield "no walk yet: the device keeps one when it is worn, and walks are kept"
    if found.left_out:
        left = words.plural(found.left_out, "walk")
        yield f"{left} shorter than a minute left out; --all shows them"


def _row(walk: Walk, when: When, ended: str) -> Row:
    asked, totals = walk.beginning, walk.totals
    return Row(
        walk.id,
        when,
        totals.walked_s,
        asked.mode,
        asked.week,
        asked.target_s,
        totals.warnings,
        totals.dangers,
        totals.stops,
        totals.closest_m,
        totals.faults,
        ended,
    )
