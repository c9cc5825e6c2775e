"""What each of the verbs does: a database in, an answer and its lines out.

The database is opened to be read and closed before anything is said. Whatever is wrong with it is
one line that names it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from msgspec.structs import replace

from device import keeper
from device import when as clocks
from device.errors import InputError
from device.history import book
from device.history.book import Book
from device.history.records import FILE, Event, Second, Walk
from device.settings import CoachSettings, Mode
from device.walks import words

Answer = tuple[object, Iterable[str]]
"""For a program, and for a person."""
PATH = Path("/var/lib/rearguard") / FILE
T = TypeVar("T")
Chosen = tuple[Walk, words.When, str]
"""A walk, when it was, how it ended."""


def own_place() -> Path:
    """Where `rearguard walk` keeps walks by hand: in the user's own state."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "rearguard" / FILE


def made(path: Path) -> Path:
    """`path`, with its folder. Raises InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; say --history FILE") from error
    return path


def place() -> Path:
    """The history that is meant when none is named: the service's, or else one's own."""
    return PATH if PATH.parent.exists() or not (own := own_place()).exists() else own


def listing(path: Path, every: bool = False) -> Answer:
    """`walks`: a line a walk. `every`: also those of less than a minute. Raises InputError."""
    from device.walks import listing as module  # noqa: PLC0415 - each verb pays for its own

    walks = _asked(path, Book.walks)
    found = module.listing(walks, clocks.boot_id(), every)
    return found, module.lines(found)


def show(path: Path, number: int | None, plot: Path | None = None, every: bool = False) -> Answer:
    """`walks show`: walk `number`, or the last that is one. Raises InputError."""
    from device.walks import one  # noqa: PLC0415

    if plot is not None:
        from device.walks import picture  # noqa: PLC0415

        picture.may_draw(plot)
    (walk, when, ended), seconds, events = _asked(path, lambda book: _whole(book, number))
    found = one.report(walk, when, ended, events)
    if plot is not None:
        picture.one_walk(plot, walk, when, seconds, events)
    return found, one.lines(found, every)


def plan(
    path: Path, settings: CoachSettings, plot: Path | None = None, configured: bool = True
) -> Answer:
    """`walks plan`: what was done against what `settings` ask. Raises InputError.

    `configured`: somebody chose them. Where nobody did, as beside a history that was copied from
    the device, what the last walk was asked says more.
    """
    from device.walks import plan as module  # noqa: PLC0415

    if plot is not None:
        from device.walks import picture  # noqa: PLC0415

        picture.may_draw(plot)

    def ask(opened: Book) -> tuple[list[Walk], dict[int, float]]:
        walks = opened.walks()
        return walks, _reactions(opened, walks) if plot is not None else {}

    walks, reactions = _asked(path, ask)
    if not configured:
        settings = _as_last(settings, walks)
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
    if number is not None:
        chosen, seconds, events = _asked(path, lambda book: _whole(book, number))
        found = module.one_walk(*chosen, seconds, events)
        if as_json:
            return msgspec.json.encode(found).decode() + "\n"
        return module.table(module.SecondRow, found.seconds)

    def ask(opened: Book) -> list[module.WalkRow]:
        walks = opened.walks()
        return [
            module.walk_row(
                walk, when, words.ended(walk, walk is walks[-1], boot), opened.events(walk.id)
            )
            for walk, when in zip(walks, words.whens(walks), strict=True)
        ]

    rows = _asked(path, ask)
    if as_json:
        return msgspec.json.encode({"walks": rows}).decode() + "\n"
    return module.table(module.WalkRow, rows)


def explain(path: Path, number: int | None) -> tuple[object, Iterable[str], bool]:
    """`walks explain`: a walk from its journal; and whether that agrees. Raises InputError."""
    from device.walks import explain as module  # noqa: PLC0415

    (walk, when, _), seconds, events = _asked(path, lambda book: _whole(book, number))
    to_s = max(
        walk.totals.walked_s,
        seconds[-1].t_s + 1.0 if seconds else 0.0,
        events[-1].t_s if events else 0.0,
    )
    found = module.report(walk, when, to_s, events, path.parent / keeper.JOURNALS)
    return found, module.lines(found), found.good


def _asked(path: Path, ask: Callable[[Book], T]) -> T:
    """What the database answers. Raises InputError for whatever is wrong with it.

    A reader who was told that nobody writes, by there being no log, finds a good book malformed
    when a writer begins just then: so whatever is wrong has to be wrong twice.
    """
    try:
        return _answer(path, ask)
    except InputError as error:
        if not isinstance(error.__cause__, sqlite3.Error):
            raise
    return _answer(path, ask)


def _answer(path: Path, ask: Callable[[Book], T]) -> T:
    try:
        with book.read_book(path) as opened:
            return ask(opened)
    except sqlite3.Error as error:
        raise InputError(
            f"{path}: cannot be read as a history of walks: {error}; the device puts a broken one"
            " aside when it starts"
        ) from error


def _whole(opened: Book, number: int | None) -> tuple[Chosen, list[Second], list[Event]]:
    """The walk, or the last that lasted, and all that is kept of it."""
    chosen = _chosen(opened, number)
    walk_id = chosen[0].id
    return chosen, opened.seconds(walk_id), opened.events(walk_id)


def _chosen(opened: Book, number: int | None) -> Chosen:
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


def _as_last(settings: CoachSettings, walks: Sequence[Walk]) -> CoachSettings:
    """`settings` in the mode of the last walk that was one."""
    modes = [walk.beginning.mode for walk in walks if not words.tiny(walk)]
    known = modes and modes[-1] in get_args(Mode)
    return replace(settings, mode=modes[-1]) if known else settings


def _reactions(opened: Book, walks: Sequence[Walk]) -> dict[int, float]:
    """Each walk's median, of those that have one."""
    from device.walks.one import median, slowed_s  # noqa: PLC0415

    medians = {}
    for walk in walks:
        events = opened.events(walk.id)
        seen = [took_s for event in events if (took_s := slowed_s(event)) is not None]
        if (middle := median(seen)) is not None:
            medians[walk.id] = middle
    return medians
