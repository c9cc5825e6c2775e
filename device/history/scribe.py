"""The scribe: brings what a tally gives into the book, by a thread, so that a card can only cost
the history.

The loop's share is an observer that puts an entry a second into a bounded queue; nothing in it
waits or fails. The thread writes each as it comes, in one transaction, so that a power cut takes
the second that was not over and the write that was under way. What can go wrong with a card or a
database (locked, full, read-only, broken, hung for minutes) ends in a word that is said and in
another attempt, after a second or half a minute; entries wait until then, up to half an hour of
them, and only the oldest beyond that are lost. A database that is not one any more is moved aside
and begun anew. The thread keeps the process's real-time priority: at a lower one it could be held
up by others while it holds the interpreter's lock, and the loop with it. So it pauses between its
steps, or the kernel would take it for one that spins.

In virtual time there is no card to wait for: `Notebook` writes the same without a thread.
"""

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from device import when
from device.core.pipeline import Step
from device.errors import InputError
from device.history.records import Entry
from device.history.tally import Tally
from device.journal import Began
from device.keeper import AGAIN_S, CLOSE_S, HANGS_S, LEAST_SLEEP_S, WORDS
from device.settings import Settings

if TYPE_CHECKING:
    from device.history.book import Book

WRITE_S = 1.0
"""From the start, too: sqlite3 is imported neither while all else starts nor amid a walk."""
LOOK_S = 10.0
"""How often one looks whether the clock was set."""
MOST_ENTRIES = 1800
"""Half an hour, a megabyte."""
AT_ONCE = 50
"""Entries in a transaction: what takes a small Pi some milliseconds."""

BUSY, LOCKED, READ_ONLY, IO_ERROR = 5, 6, 8, 10
CORRUPT, FULL, CANNOT_OPEN, NOT_A_DATABASE = 11, 13, 14, 26
"""SQLite's result codes, the lowest byte of `sqlite_errorcode`."""
SAID = {
    READ_ONLY: "disk read-only",
    IO_ERROR: "disk broken",
    CORRUPT: "database broken",
    FULL: "disk full",
    NOT_A_DATABASE: "database broken",
}


class State(Struct, frozen=True):
    """How it goes. `entries`: written, one a second of walking; `lost`: not, and never will be.

    `failed`: why nothing is being written, in a few words, or None. `aside`: where a broken book
    was moved to.
    """

    path: str
    walks: int = 0
    entries: int = 0
    lost: int = 0
    failed: str | None = None
    aside: str | None = None


class Clerk:
    """Knows which walk in the book is which of the tally's, and when it began."""

    def __init__(self, boot_id: str, zero_monotonic_s: float, wall: when.Wall) -> None:
        """`zero_monotonic_s`: of the steps' t_s = 0. `wall`: see `when`, asked at a beginning."""
        self._boot_id = boot_id
        self._zero_s = zero_monotonic_s
        self._wall = wall
        self._ids: dict[int, int] = {}
        self.walks = 0
        self.undated = False
        """A walk was begun without its date."""

    def write(self, book: "Book", entries: Sequence[Entry]) -> None:
        """All of them, or none, into `book`. Raises sqlite3.Error."""
        ids, begun = dict(self._ids), 0
        with book.writing():
            for entry in entries:
                number = entry.beginning.number
                if number not in ids:
                    ids[number] = self._begin(book, entry)
                    begun += 1
                book.write(ids[number], entry)
                if entry.ended is not None:
                    del ids[number]
        self._ids = ids
        self.walks += begun

    @property
    def open(self) -> bool:
        """A walk goes on."""
        return bool(self._ids)

    def forget(self) -> None:
        """Another book."""
        self._ids.clear()

    def _begin(self, book: "Book", entry: Entry) -> int:
        began_s = round(self._zero_s + entry.beginning.began_s, 6)
        zero_s = self._wall()
        wall_s = None if zero_s is None else round(zero_s + began_s, 3)
        self.undated |= wall_s is None
        return book.begin(entry.beginning, self._boot_id, began_s, wall_s)


class Notebook:
    """An observer that writes into `book` at once, for virtual time; errors are raised."""

    def __init__(
        self,
        book: "Book",
        settings: Settings,
        boot_id: str = "",
        zero_monotonic_s: float = 0.0,
        zero_wall_s: float | None = None,
    ) -> None:
        """`zero_monotonic_s`: of t_s = 0. `zero_wall_s`: since 1970, of the monotonic clock's 0."""
        self._book = book
        self._tally = Tally(settings)
        self._clerk = Clerk(boot_id, zero_monotonic_s, lambda: zero_wall_s)
        self._entries: list[Entry] = []

    def __call__(self, step: Step) -> None:
        """Take in one step."""
        if entries := self._tally(step):
            self._entries += entries
            if len(self._entries) >= AT_ONCE or entries[-1].ended is not None:
                self._write()

    def close(self) -> None:
        """End what goes on, and write it; the book is left open."""
        self._entries += self._tally.close()
        self._write()

    def _write(self) -> None:
        self._clerk.write(self._book, self._entries)
        self._entries.clear()


class Scribe:
    """Keeps the history in the database `path`; an observer for the loop, and the thread behind it.

    Neither making it nor calling it touches the disk, waits or raises.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        began: Began,
        *,
        tell_week: Callable[[int], None] | None = None,
        open_book: Callable[[Path], "Book"] | None = None,
        wall: when.Wall = when.zero_wall_s,
        period_s: float = WRITE_S,
        again_s: float = AGAIN_S,
        look_s: float = LOOK_S,
    ) -> None:
        """`tell_week` is told by the thread, and only where the starter plan is walked: which week
        of it comes next, once that is known, and after each walk.
        """
        self._path = path
        self._began = began
        self._tally = Tally(settings)
        self._clerk = Clerk(began.boot_id, began.monotonic_s, wall)
        self._tell_week = tell_week if settings.coach.mode == "plan" else None
        self._week_told = self._tell_week is None
        self._open_book = open_book or _open
        self._wall = wall
        self._dated = False
        """All walks of this boot that are in the book have their date."""
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._in_hand: list[Entry] = []
        self._book: Book | None = None
        self._period_s, self._again_s, self._look_s = period_s, again_s, look_s
        self._dropped = 0  # by the loop
        self._lost = 0  # by the thread
        self._written = 0
        self._failed: str | None = None
        self._aside: str | None = None
        self._retry_s = 0.0
        self._busy_since_s: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="history", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads
            self._closed = True
            self._failed = str(error)

    def __call__(self, step: Step) -> None:
        """Queue what `step` has to be remembered of, if anything."""
        if self._closed:
            return
        try:
            for entry in self._tally(step):
                self._put(entry)
        except Exception:  # noqa: BLE001 - whatever it is, it must not end the walk
            self._dropped += 1

    @property
    def state(self) -> State:
        """How it goes at this moment; safe from any thread."""
        failed, since_s = self._failed, self._busy_since_s
        if since_s is not None and time.monotonic() - since_s > HANGS_S:
            failed = "disk does not answer"
        lost = self._dropped + self._lost
        walks = self._clerk.walks
        return State(str(self._path), walks, self._written, lost, failed, self._aside)

    def close(self) -> None:
        """End the walk that goes on, write what is queued and end, within a fifth of a second.

        A disk that hangs is left to itself.
        """
        if self._closed:
            return
        self._closed = True
        try:
            for entry in self._tally.close():
                self._put(entry)
        except Exception:  # noqa: BLE001 - likewise
            self._dropped += 1
        self._queue.put(None)
        self._thread.join(CLOSE_S)
        self._lost += len(self._in_hand)
        if self._thread.is_alive():
            self._lost += max(0, self._queue.qsize() - 1)
            self._failed = self._failed or "disk does not answer"

    def _put(self, entry: Entry) -> None:
        if self._queue.qsize() >= MOST_ENTRIES:
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()  # the oldest: what was last is what one will ask about
                self._dropped += 1
        self._queue.put(entry)

    def _work(self) -> None:
        wait_s = self._period_s
        ended = False
        while not ended:
            ended = self._take(wait_s)
            if ended or time.monotonic() >= self._retry_s:
                self._busy_since_s = time.monotonic()
                self._try(ended)
                self._busy_since_s = None
            wait_s = self._look_s if self._failed is None else self._period_s

    def _take(self, wait_s: float) -> bool:
        """Wait for entries, and take them in hand; whether the last has come."""
        with contextlib.suppress(queue.Empty):
            entry = self._queue.get(timeout=wait_s)
            while entry is not None:
                self._in_hand.append(entry)
                entry = self._queue.get_nowait()
            return True
        return False

    def _try(self, ended: bool) -> None:
        try:
            self._write()
            if ended:
                self._close_book()
            self._failed = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the history only
            self._fail(error)
            too_many = max(0, len(self._in_hand) - MOST_ENTRIES)
            del self._in_hand[:too_many]
            self._lost += too_many

    def _write(self) -> None:
        _prepare()
        entries = self._in_hand
        zero_s = None if self._dated else self._wall()
        if not entries and self._week_told and zero_s is None:
            return
        if not entries and self._book is None and not self._path.exists():
            self._week_told, self._dated = True, zero_s is not None
            return  # who never walks has no book
        if self._book is None:
            self._book = self._open_book(self._path)
        while entries:
            batch = entries[:AT_ONCE]
            self._clerk.write(self._book, batch)
            del entries[:AT_ONCE]
            self._written += len(batch)
            if any(entry.ended is not None for entry in batch):
                self._week_told = self._tell_week is None
            time.sleep(LEAST_SLEEP_S)
        if self._tell_week is not None and not self._week_told:
            self._tell_week(_week(self._book))
            self._week_told = True
        if zero_s is not None:
            self._book.repair(self._began.boot_id, zero_s)
            self._dated, self._clerk.undated = True, False
        elif self._clerk.undated:
            self._dated = False
        if not self._clerk.open:
            self._close_book()  # between walks it is one file, whole, for whoever copies it

    def _fail(self, error: Exception) -> None:
        """Say so, and decide what to try next, and when."""
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        if code in (BUSY, LOCKED):
            self._failed = "database locked"
            self._retry_s = 0.0
            return
        with contextlib.suppress(Exception):
            self._close_book()
        self._failed = _said(error, code, self._path)
        self._retry_s = time.monotonic() + self._again_s
        if code in (CORRUPT, NOT_A_DATABASE):
            from device.history.book import move_aside  # noqa: PLC0415

            with contextlib.suppress(OSError):
                first = self._aside is None
                self._aside = str(move_aside(self._path))
                self._clerk.forget()
                self._retry_s = 0.0 if first else self._retry_s

    def _close_book(self) -> None:
        book, self._book = self._book, None
        if book is not None:
            book.close()


def _prepare() -> None:
    """Import what a book takes. Importing is computing, and may want a pause in the middle."""
    if "device.history.book" not in sys.modules:
        import sqlite3  # noqa: F401, PLC0415 - by the thread, and long after the start

        time.sleep(LEAST_SLEEP_S)
        import device.history.book  # noqa: F401, PLC0415


def _open(path: Path) -> "Book":
    from device.history.book import open_book  # noqa: PLC0415

    return open_book(path, pause=lambda: time.sleep(LEAST_SLEEP_S))


def _week(book: "Book") -> int:
    from device.history.book import week_after  # noqa: PLC0415

    return week_after(book.done())


def _said(error: Exception, code: int, path: Path) -> str:
    """In a few words. Why a file cannot be opened SQLite does not say, and the system does."""
    if isinstance(error, InputError):
        return str(error).removeprefix(f"{path}: ").partition(";")[0]
    if code in (READ_ONLY, IO_ERROR, CANNOT_OPEN):
        try:
            if not os.statvfs(path.parent).f_bavail:
                return "disk full"
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        except OSError as why:
            return WORDS.get(why.errno or 0) or os.strerror(why.errno or 0).lower()
    return SAID.get(code) or f"{type(error).__name__}: {error}"
