"""The book of walks: one SQLite database, one writer, any number of readers.

It is in WAL mode, so that readers and the writer never wait for each other, and `synchronous` is
FULL, so that what was committed is on the card: with NORMAL a power cut would take all that came
since the last checkpoint, minutes and not the last second. A walk's row has its totals in columns
of their own, brought up to date with every second: so a list of all walks reads none of their
seconds, and a walk that the power cut short has its totals too. Of seconds and events, distances,
speeds, times and shares are whole thousandths, which halves their room.

Pages are small, and the log begins anew after a hundred of them. A commit a second writes two
pages; of 4 KiB, and with the usual log of a thousand, a walk of 20 minutes would cost a card 27 MB
instead of 10.

Import this module where a book is needed and not before: sqlite3 would cost the device its start.
"""

import contextlib
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from device.core.coach import WALKS_A_WEEK, WEEKS
from device.errors import InputError
from device.files import sync_folder
from device.history.records import Beginning, Entry, Event, Reaction, Second, Totals, Walk

NEVER = 2**53
"""Thousandths of what is never: SQLite's integers have no infinity."""
MOST_ASIDE = 3
BUSY_S = 0.2
"""The writer is alone but for somebody's tool; it tries again a second later."""
READER_WAITS_S = 2.0
PAGE_BYTES = 1024
LOG_PAGES = 100
DONE_SHARE = 0.8
"""So much of its target makes a walk of the starter plan one that was done."""
INSTRUCTIONS = 20_000
"""Of SQLite's own machine; a millisecond or two here, ten times that on a small Pi."""
APPLICATION_ID = 0x52475244
"""Tells our files from any other program's."""

MIGRATIONS = (
    """
    CREATE TABLE walk (
        id INTEGER PRIMARY KEY,
        boot_id TEXT NOT NULL,
        began_monotonic_s REAL NOT NULL,
        began_wall_s REAL,
        number INTEGER NOT NULL,
        began_s REAL NOT NULL,
        begun TEXT NOT NULL,
        version TEXT NOT NULL,
        sensor TEXT NOT NULL,
        profile TEXT NOT NULL,
        mode TEXT NOT NULL,
        week INTEGER,
        target_s REAL NOT NULL,
        most_s REAL NOT NULL,
        weight_kg REAL,
        limits_m TEXT NOT NULL,
        ended TEXT,
        walked_s REAL NOT NULL DEFAULT 0,
        forward_s REAL NOT NULL DEFAULT 0,
        protected_s REAL NOT NULL DEFAULT 0,
        backward_m REAL NOT NULL DEFAULT 0,
        backward_seen_s REAL NOT NULL DEFAULT 0,
        forward_m REAL NOT NULL DEFAULT 0,
        forward_seen_s REAL NOT NULL DEFAULT 0,
        closest_m REAL,
        cautions INTEGER NOT NULL DEFAULT 0,
        warnings INTEGER NOT NULL DEFAULT 0,
        dangers INTEGER NOT NULL DEFAULT 0,
        stops INTEGER NOT NULL DEFAULT 0,
        faults INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE second (
        walk INTEGER NOT NULL REFERENCES walk (id) ON DELETE CASCADE,
        t_s INTEGER NOT NULL,
        distance_mm INTEGER,
        closing_mmps INTEGER,
        level INTEGER NOT NULL,
        fault TEXT,
        buzzer_permille INTEGER NOT NULL,
        motor_permille INTEGER NOT NULL,
        forward INTEGER NOT NULL,
        protected_permille INTEGER NOT NULL,
        PRIMARY KEY (walk, t_s)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        walk INTEGER NOT NULL REFERENCES walk (id) ON DELETE CASCADE,
        t_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        what TEXT NOT NULL,
        cause TEXT NOT NULL,
        distance_mm INTEGER,
        closing_mmps INTEGER,
        ttc_ms INTEGER,
        reaction_ms INTEGER,
        PRIMARY KEY (walk, t_ms, kind, what)
    ) STRICT, WITHOUT ROWID;
    """,
)
"""Each brings a book from the version of its place, from 0, to the next. Only ever added to."""

_BEGINNING, _TOTALS = Beginning.__struct_fields__, Totals.__struct_fields__
_WHEN = ("boot_id", "began_monotonic_s", "began_wall_s")
_COLUMNS = ("id", *_WHEN, "ended", *_BEGINNING, *_TOTALS)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM walk"  # noqa: S608 - names of our own
_BEGIN = "INSERT INTO walk ({}) VALUES ({})".format(  # noqa: S608
    ", ".join((*_WHEN, *_BEGINNING)), ", ".join("?" for _ in (*_WHEN, *_BEGINNING))
)
_TOTAL = f"UPDATE walk SET {', '.join(f'{name} = ?' for name in _TOTALS)} WHERE id = ?"  # noqa: S608
Row = tuple[Any, ...]


class Book:
    """One open book. Each method that writes does it in one transaction; all raise sqlite3.Error.

    Several of them are one in `with book.writing():`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Takes a connection without transactions of its own, and closes it."""
        self.connection = connection
        self._kept = contextlib.ExitStack()

    def keep(self, folder: tempfile.TemporaryDirectory[str]) -> Self:
        """Let `folder` go with it."""
        self._kept.enter_context(folder)
        return self

    def walks(self) -> list[Walk]:
        """All, in the order in which they began."""
        return [_walk(row) for row in self.connection.execute(f"{_SELECT} ORDER BY id")]

    def walk(self, number: int) -> Walk:
        """The one whose id is `number`. Raises InputError, naming those that exist."""
        found = self.connection.execute(f"{_SELECT} WHERE id = ?", (number,)).fetchone()
        if found is not None:
            return _walk(found)
        first, last = self.connection.execute("SELECT min(id), max(id) FROM walk").fetchone()
        known = "no walk was kept yet" if first is None else f"choose one from {first} to {last}"
        raise InputError(f"walk {number}: there is none; {known}")

    def seconds(self, walk_id: int) -> list[Second]:
        """Those that are known of a walk, in order."""
        rows = self.connection.execute(
            "SELECT t_s, distance_mm, closing_mmps, level, fault, buzzer_permille, motor_permille,"
            " forward, protected_permille FROM second WHERE walk = ? ORDER BY t_s",
            (walk_id,),
        )
        return [
            Second(
                t, _part(mm), _part(mmps), level, fault, b / 1e3, m / 1e3, bool(forward), p / 1e3
            )
            for t, mm, mmps, level, fault, b, m, forward, p in rows
        ]

    def events(self, walk_id: int) -> list[Event]:
        """What was said on a walk, in order."""
        rows = self.connection.execute(
            "SELECT t_ms, kind, what, cause, distance_mm, closing_mmps, ttc_ms, reaction_ms"
            " FROM event WHERE walk = ? ORDER BY t_ms, kind, what",
            (walk_id,),
        )
        return [
            Event(t_ms / 1e3, kind, what, cause, *map(_part, numbers))
            for t_ms, kind, what, cause, *numbers in rows
        ]

    def done(self) -> int:
        """How many walks of the starter plan were done."""
        found = self.connection.execute(
            "SELECT count(*) FROM walk WHERE week IS NOT NULL AND walked_s >= ? * target_s",
            (DONE_SHARE,),
        ).fetchone()
        return int(found[0])

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written in here, or nothing of it, and then on the card."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back already
                self.connection.execute("ROLLBACK")
            raise

    def begin(
        self,
        beginning: Beginning,
        boot_id: str,
        began_monotonic_s: float,
        began_wall_s: float | None,
    ) -> int:
        """A walk begins; its id. One that is begun twice, as nobody knew if it was, is one."""
        with self.writing():
            last = self.connection.execute(
                "SELECT id, boot_id, began_monotonic_s, ended FROM walk ORDER BY id DESC LIMIT 1"
            ).fetchone()
            if last is not None and last[1:] == (boot_id, began_monotonic_s, None):
                return int(last[0])
            asked = [getattr(beginning, name) for name in _BEGINNING[:-1]]
            asked.append(" ".join(f"{limit_m:g}" for limit_m in beginning.limits_m))
            when = (boot_id, began_monotonic_s, began_wall_s)
            number = self.connection.execute(_BEGIN, (*when, *asked)).lastrowid
        assert number is not None
        return number

    def add(
        self, walk_id: int, seconds: Sequence[Second], events: Sequence[Event], totals: Totals
    ) -> None:
        """More of a walk. What is there already, of the same instant, is replaced."""
        with self.writing():
            self.connection.executemany(
                "INSERT OR REPLACE INTO second VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_second_row(walk_id, second) for second in seconds],
            )
            self.connection.executemany(
                "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_event_row(walk_id, event) for event in events],
            )
            row = [getattr(totals, name) for name in _TOTALS]
            self.connection.execute(_TOTAL, (*row, walk_id))

    def react(self, walk_id: int, reactions: Sequence[Reaction]) -> None:
        """The answers to alerts that are written already."""
        with self.writing():
            self.connection.executemany(
                "UPDATE event SET reaction_ms = ? WHERE walk = ? AND t_ms = ? AND kind = 'alert'",
                [(_milli(one.reaction_s), walk_id, _milli(one.t_s)) for one in reactions],
            )

    def end(self, walk_id: int, ended: str, totals: Totals) -> None:
        """A walk has ended."""
        with self.writing():
            self.add(walk_id, (), (), totals)
            self.connection.execute("UPDATE walk SET ended = ? WHERE id = ?", (ended, walk_id))

    def write(self, walk_id: int, entry: Entry) -> None:
        """All of an entry."""
        with self.writing():
            self.add(walk_id, entry.seconds, entry.events, entry.totals)
            self.react(walk_id, entry.reactions)
            if entry.ended is not None:
                self.end(walk_id, entry.ended, entry.totals)

    def repair(self, boot_id: str, zero_wall_s: float) -> int:
        """When walks of that boot began, now that it is known; how many did not have it yet.

        `zero_wall_s`: seconds since 1970 at which the monotonic clock began to count.
        """
        if not boot_id:
            return 0
        with self.writing():
            return self.connection.execute(
                "UPDATE walk SET began_wall_s = round(began_monotonic_s + ?, 3)"
                " WHERE boot_id = ? AND began_wall_s IS NULL",
                (zero_wall_s, boot_id),
            ).rowcount

    def close(self) -> None:
        """Let go of it. The last to do so brings the log into the book."""
        with self._kept:
            self.connection.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def week_after(walks_done: int) -> int:
    """Which week of the starter plan comes next, from 1, after so many of its walks were done.

    Not by the calendar: that needs no clock, and whoever was ill goes on where they were.
    """
    return min(WEEKS, 1 + walks_done // WALKS_A_WEEK)


def open_book(
    path: Path,
    migrations: Sequence[str] = MIGRATIONS,
    pause: Callable[[], None] | None = None,
) -> Book:
    """To write: made where it is not there, and brought up to date. One writer at a time.

    `pause` is called every few milliseconds of computing. Raises sqlite3.Error, and InputError,
    with nothing touched, for a book of a newer version or another program's database.
    """
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        if pause is not None:
            connection.set_progress_handler(pause, INSTRUCTIONS)
        _up_to_date(path, connection, migrations)
    except BaseException:
        connection.close()
        raise
    return Book(connection)


def _up_to_date(path: Path, connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    execute = connection.execute
    version, empty = _version(path, connection)
    if version > len(migrations):
        raise InputError(
            f"{path}: of a newer rearguard (version {version}, this one writes {len(migrations)});"
            " install that, or move the file away"
        )
    if empty:
        execute(f"PRAGMA page_size = {PAGE_BYTES}")
    execute("PRAGMA journal_mode = WAL")
    execute("PRAGMA synchronous = FULL")
    execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    execute("PRAGMA foreign_keys = ON")
    for number, script in enumerate(migrations[version:], start=version + 1):
        marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {script}; {marks} COMMIT;")


def read_book(path: Path) -> Book:
    """To read, also for whoever may not write to its folder. Raises InputError.

    Without a log (after a clean stop) SQLite would want to make one to be able to read, so it is
    told that nobody writes. With a log, the writer has it open, or was killed: that can be read by
    whoever may read the files. What is left, a log whose index the power took, is read in a copy.
    """
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: not there; the device makes it when the first walk is walked"
        ) from error
    except PermissionError as error:
        raise InputError(f"{path}: may not be read; sudo, or the group rearguard, may") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a history of walks") from error
    for attempt in (_nobody_writes, _as_it_is, _copied):
        try:
            book = attempt(path)
        except sqlite3.OperationalError as error:
            failed: sqlite3.Error = error
        except sqlite3.DatabaseError as error:
            failed = error
            break
        else:
            if book is not None:
                return book
    raise InputError(f"{path}: {failed}; give a history of walks") from failed


def _nobody_writes(path: Path) -> Book | None:
    log = path.with_name(f"{path.name}-wal")
    return None if log.exists() else _readable(path, path, "mode=ro&immutable=1")


def _as_it_is(path: Path) -> Book:
    return _readable(path, path, "mode=ro")


def _copied(path: Path) -> Book:
    folder = tempfile.TemporaryDirectory(prefix="rearguard-")
    try:
        copy = Path(folder.name) / path.name
        for name in (path.name, f"{path.name}-wal"):
            with contextlib.suppress(OSError):
                shutil.copyfile(path.with_name(name), copy.with_name(name))
        return _readable(path, copy, "mode=rw").keep(folder)
    except BaseException:
        folder.cleanup()
        raise


def _readable(path: Path, file: Path, how: str) -> Book:
    address = f"{file.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(address, timeout=READER_WAITS_S, isolation_level=None, uri=True)
    try:
        wrong = _unreadable(*_version(path, connection))
    except BaseException:
        connection.close()
        raise
    if wrong is not None:
        connection.close()
        raise InputError(f"{path}: {wrong}")
    return Book(connection)


def _unreadable(version: int, empty: bool) -> str | None:
    known = len(MIGRATIONS)
    if empty:
        return "holds no walk yet; the device writes the first when one is walked"
    if version > known:
        return f"of a newer rearguard (version {version}, this one reads {known}); use that"
    if version < known:
        return (
            f"of an older rearguard (version {version}, this one reads {known});"
            " run the device once, which brings it up to date"
        )
    return None


def move_aside(path: Path) -> Path:
    """Rename a broken book and what belongs to it; its new path. Raises OSError.

    A card that breaks every book must not be filled with them: the last one gives way.
    """
    for number in range(1, MOST_ASIDE + 1):
        aside = path.with_name(f"{path.stem}.broken-{number}{path.suffix}")
        if not aside.exists():
            break
    for end in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    sync_folder(path.parent)
    return aside


def _version(path: Path, connection: sqlite3.Connection) -> tuple[int, bool]:
    """Which version a book is of, and whether there is nothing in it. Raises InputError."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (whose,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if whose != APPLICATION_ID and (version or whose or tables):
        raise InputError(f"{path}: another program's database; name a history of walks")
    return version, not tables


def _walk(row: Row) -> Walk:
    number, boot_id, monotonic_s, wall_s, ended = row[:5]
    last = 4 + len(_BEGINNING)
    limits_m = tuple(map(float, row[last].split()))
    asked = replace(Beginning(*row[5:last]), limits_m=limits_m)
    totals = Totals(*row[last + 1 :])
    return Walk(number, boot_id, monotonic_s, wall_s, asked, ended, totals)


def _second_row(walk_id: int, second: Second) -> Row:
    return (
        walk_id,
        second.t_s,
        _milli(second.distance_m),
        _milli(second.closing_mps),
        second.level,
        second.fault,
        _milli(second.buzzer),
        _milli(second.motor),
        int(second.forward),
        _milli(second.protected),
    )


def _event_row(walk_id: int, event: Event) -> Row:
    numbers = (event.distance_m, event.closing_mps, event.ttc_s, event.reaction_s)
    return (walk_id, _milli(event.t_s), event.kind, event.what, event.cause, *map(_milli, numbers))


def _milli(value: float | None) -> int | None:
    if value is None:
        return None
    return NEVER if value == math.inf else round(value * 1e3)


def _part(thousandths: int | None) -> float | None:
    if thousandths is None:
        return None
    return math.inf if thousandths == NEVER else thousandths / 1e3
