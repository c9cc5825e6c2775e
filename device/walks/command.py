"""What each of the verbs does: a database in, an answer and its lines out.

The database is opened to be read and closed before anything is said. Whatever is wrong with it is
one line that names it.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from device import when as clocks
from device.errors import InputError
from device.history import book
from device.history.book import Book
from device.history.records import Walk
from device.settings import CoachSettings
from device.walks import words

Answer = tuple[object, Iterable[str]]
"""For a program, and for a person."""
PATH = Path("/var/lib/rearguard/walks.db")


def listing(path: Path, every: bool = False) -> Answer:
    """`walks`: a line a walk. `every`: also those of less than a minute. Raises InputError."""
    from device.walks import listing as module  # noqa: PLC0415 - each verb pays for its own

    with reading(path) as opened:
        walks = opened.walks()
    found = module.listing(walks, clocks.boot_id(), every)
    return found, module.lines(found)


def show(path: Path, number: int | None, plot: Path | None = None, every: bool = False) -> Answer:
    """`walks show`: walk `number`, or the last that is one. Raises InputError."""
    from device.walks import one  # noqa: PLC0415

    if plot is not None:
        from device.walks import picture  # noqa: PLC0415

        picture.may_draw(plot)
    with reading(path) as opened:
        walk, when, ended = _chosen(opened, number)
        events = opened.events(walk.id)
        seconds = opened.seconds(walk.id) if plot is not None else []
    found = one.report(walk, when, ended, events)
    if plot is not None:
        picture.one_walk(plot, walk, when, seconds, events)
    return found, one.lines(found, every)


def plan(path: Path, settings: CoachSettings, plot: Path | None = None) -> Answer:
    """`walks plan`: what was done against what `settings` ask. Raises InputError."""
    from device.walks import plan as module  # noqa: PLC0415

    if plot is not None:
        from device.walks import picture  # noqa: PLC0415

        picture.may_draw(plot)
    with reading(path) as opened:
        walks = opened.walks()
        reactions = _reactions(opened, walks) if plot is not None else {}
    found = module.report(settings, walks, clocks.now_s())
    if plot is not None:
        whens = words.whens(walks)
        real = [pair for pair in zip(walks, whens, strict=True) if not words.tiny(pair[0])]
        if not real:
            raise InputError(f"{path}: no walk to draw yet")
        picture.progress(plot, [walk for walk, _ in real], [when for _, when in real], reactions)
    return found, module.lines(found)


def export(path: Path, as_json: bool, number: int | None = None) -> str:
    """`walks export`: a row a walk, or of walk `number` a row a second. Raises InputError."""
    import msgspec  # noqa: PLC0415

    from device.walks import export as module  # noqa: PLC0415

    boot = clocks.boot_id()
    with reading(path) as opened:
        if number is not None:
            walk, when, ended = _chosen(opened, number)
            events = opened.events(walk.id)
            seconds = [module.second_row(second) for second in opened.seconds(walk.id)]
            row = module.walk_row(walk, when, ended, events)
            found = {"walk": row, "seconds": seconds, "events": events}
            if as_json:
                return msgspec.json.encode(found).decode() + "\n"
            return module.table(module.SecondRow, seconds)
        walks = opened.walks()
        rows = [
            module.walk_row(
                walk, when, words.ended(walk, walk is walks[-1], boot), opened.events(walk.id)
            )
            for walk, when in zip(walks, words.whens(walks), strict=True)
        ]
    if as_json:
        return msgspec.json.encode({"walks": rows}).decode() + "\n"
    return module.table(module.WalkRow, rows)


def explain(path: Path, number: int | None) -> tuple[object, Iterable[str], bool]:
    """`walks explain`: a walk from its journal; and whether that agrees. Raises InputError."""
    from device.walks import explain as module  # noqa: PLC0415

    with reading(path) as opened:
        walk, when, _ = _chosen(opened, number)
        events = opened.events(walk.id)
        seconds = opened.seconds(walk.id)
    to_s = max(
        walk.totals.walked_s,
        seconds[-1].t_s + 1.0 if seconds else 0.0,
        events[-1].t_s if events else 0.0,
    )
    found = module.report(walk, when, to_s, events, path.parent / module.JOURNALS)
    return found, module.lines(found), found.good


@contextmanager
def reading(path: Path) -> Iterator[Book]:
    """The database, open. Raises InputError for whatever is wrong with it."""
    try:
        with book.read_book(path) as opened:
            yield opened
    except sqlite3.Error as error:
        raise InputError(
            f"{path}: cannot be read as a history of walks: {error}; the device puts a broken one"
            " aside when it starts"
        ) from error


def _chosen(opened: Book, number: int | None) -> tuple[Walk, words.When, str]:
    """The walk, or the last that lasted; when it was; how it ended."""
    walks = opened.walks()
    if not walks:
        raise InputError("no walk was kept yet")
    real = [walk for walk in walks if not words.tiny(walk)] or walks
    wanted = real[-1].id if number is None else number
    at = next((i for i, walk in enumerate(walks) if walk.id == wanted), None)
    if at is None:
        raise InputError(f"walk {wanted}: there is none; see rearguard walks --all")
    walk = walks[at]
    return walk, words.whens(walks)[at], words.ended(walk, at == len(walks) - 1, clocks.boot_id())


def _reactions(opened: Book, walks: Sequence[Walk]) -> dict[int, float]:
    """Each walk's median, of those that have one."""
    from device.walks.one import median  # noqa: PLC0415

    medians = {}
    for walk in walks:
        seen = [one.reaction_s for one in opened.events(walk.id) if one.reaction_s is not None]
        if (middle := median(seen)) is not None:
            medians[walk.id] = middle
    return medians
