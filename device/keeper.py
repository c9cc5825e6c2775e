"""The journal on the device: kept by a thread, so that a card can only cost the journal.

The loop's share is an observer that turns a new step into a line and puts it into a
bounded queue; nothing in it waits or fails. Once a second a thread writes what is
queued and makes the card keep it, so that a power cut takes the last second at most. A
journal is a row of numbered files, each with its own header; the oldest are deleted so
that all together never grow past their bound. What can go wrong with a card (full,
read-only, broken, hung for minutes) ends in lines that are lost, counted and said, and
in another attempt half a minute later. The thread keeps the process's real-time priority:
at a lower one it could be held up by others while it holds the interpreter's lock, and
the loop with it.
"""

import errno
import io
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from device import journal, when
from device.core.pipeline import Step
from device.errors import InputError
from device.files import sync_folder
from device.journal import Began, Recording
from device.settings import Settings

WRITE_S = 1.0
"""At most so much is lost with the power."""
AGAIN_S = 30.0
HANGS_S = 3.0
"""Cards do stand still for a second or two."""
CLOSE_S = 0.2
FILE_BYTES = 16 * 2**20
FILES_IN_ALL = 4
"""A file is at most this share of the bound, or deleting the oldest would delete nearly all."""
JOURNALS = "journals"
"""Their folder, beside the history of walks."""
MOST_FILES = 1000
"""Whatever they hold: a folder of a million small ones takes long to list."""
MOST_LINES = 4000
"""Two to five minutes of walking, a megabyte."""
LEAST_SLEEP_S = 0.001
"""Hundreds of deletions in a row, without a pause, would be taken for a thread that spins."""
NAME = re.compile(r"\d{6,9}\.jsonl")
FULL = (errno.ENOSPC, errno.EDQUOT)
WORDS = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk full",
    errno.EROFS: "disk read-only",
    errno.EIO: "disk broken",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
}

A = TypeVar("A")
T = TypeVar("T")


class File(Protocol):
    """What is needed of a file. Each may raise OSError, or hang."""

    def write(self, data: memoryview, /) -> int | None:
        """Hand bytes to the system; how many it took."""
        ...

    def sync(self) -> None:
        """Return when they are on the card."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class OnCard(io.FileIO):
    """A new file, without a buffer."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x")

    def sync(self) -> None:
        """Return when what was written is on the card."""
        os.fdatasync(self.fileno())


class State(Struct, frozen=True):
    """How the keeping goes. `failed`: why nothing is being written, in a few words, or None."""

    path: str | None = None
    written_bytes: int = 0
    lost_lines: int = 0
    failed: str | None = None


def begin(now_s: float) -> Began:
    """What to write of the beginning of a run whose clock says `now_s` at this moment."""
    return Began(
        when.boot_id(),
        round(time.monotonic() - now_s, 6),
        round(time.time() - now_s, 3),
        when.synchronised(),
    )


class Keeper:
    """Keeps a journal in `folder`; an observer for the loop, and the thread behind it.

    Neither making it nor calling it touches the disk, waits or raises.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        most_bytes: int,
        began: Began,
        *,
        make: Callable[[Path], File] = OnCard,
        period_s: float = WRITE_S,
        again_s: float = AGAIN_S,
    ) -> None:
        """`make` opens a new file; `period_s` between writes, `again_s` after one that failed."""
        self._encode = journal.Encoder()
        self._queue: deque[bytes] = deque(maxlen=MOST_LINES)
        self._dropped = 0  # by the loop
        self._lost = 0  # by the thread
        self._gap_at = 0
        self._in_hand: list[bytes] = []
        self._files = Files(folder, settings, most_bytes, began, make)
        self._period_s, self._again_s = period_s, again_s
        self._failed: str | None = None
        self._retry_s = 0.0
        self._busy_since_s: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads
            self._ended.set()
            self._failed = str(error)

    def __call__(self, step: Step) -> None:
        """Queue a line for `step` if something in it is new."""
        try:
            entry = self._encode(step)
            if entry is None:
                return
            if len(self._queue) == MOST_LINES:
                self._dropped += 1  # the oldest: what happened last is what one will ask about
            self._queue.append(entry)
        except Exception:  # noqa: BLE001 - whatever it is, it must not end the walk
            self._dropped += 1

    @property
    def state(self) -> State:
        """How it goes at this moment; safe from any thread."""
        failed, since_s = self._failed, self._busy_since_s
        if since_s is not None and time.monotonic() - since_s > HANGS_S:
            failed = "disk does not answer"
        files = self._files
        path = None if files.path is None else str(files.path)
        return State(path, files.written_bytes, self._dropped + self._lost, failed)

    def close(self) -> None:
        """Write what is queued and end, within a fifth of a second; a disk that hangs is left."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join(CLOSE_S)
        self._lost += len(self._in_hand) + len(self._queue)
        if self._thread.is_alive():
            self._failed = "disk does not answer"

    def _work(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(self._period_s)
            if ended or self._failed is None or time.monotonic() >= self._retry_s:
                self._busy_since_s = time.monotonic()
                self._write(ended)
                self._busy_since_s = None

    def _write(self, ended: bool) -> None:
        lines = self._in_hand
        while self._queue:
            lines.append(self._queue.popleft())
        lost = self._dropped + self._lost
        gap, self._gap_at = lost != self._gap_at, lost
        try:
            if lines:
                self._files.write(lines, gap)
            if ended:
                self._files.close()
            self._failed = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the journal only
            self._failed = _said(error)
            self._retry_s = time.monotonic() + self._again_s
            too_many = max(0, len(lines) - MOST_LINES)
            del lines[:too_many]
            self._lost += too_many


class Files:
    """A row of files NNNNNN.jsonl in a folder, bounded in all. What is not called so is left alone.

    After an error the next line goes into a new file: what became of the old one's is not known.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        most_bytes: int,
        began: Began,
        make: Callable[[Path], File] = OnCard,
    ) -> None:
        """Touches nothing until there is something to write."""
        self._folder, self._settings, self._began = folder, settings, began
        self._most_bytes = most_bytes
        self._file_bytes = min(FILE_BYTES, most_bytes // FILES_IN_ALL)
        self._make = make
        self._file: File | None = None
        self._size = self._head_size = 0
        self._part = began.part
        self._old: list[tuple[int, int]] = []
        self._old_bytes = 0
        self._newest = 0
        self.path: Path | None = None
        self.written_bytes = 0

    def write(self, lines: list[bytes], gap: bool = False) -> None:
        """Onto the card, taking from `lines` what is written. `gap`: some are missing before them.

        Raises OSError.
        """
        try:
            if gap:
                self.close()
                self._part += 1
            while lines:
                if self._size + len(lines[0]) > self._file_bytes:
                    self.close()
                if self._file is None:
                    self._start()
                self._add(lines)
            if self._file is not None:
                self._file.sync()
        except BaseException:
            self._abandon()
            raise

    def close(self) -> None:
        """Onto the card, and let go. Raises OSError."""
        file = self._file
        if file is not None:
            file.sync()
            self._file, self._size = None, 0
            file.close()

    def _start(self) -> None:
        made = not self._folder.is_dir()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._look()
        self._newest += 1
        self.path = path = self._folder / _name(self._newest)
        head = journal.header(self._settings, replace(self._began, part=self._part))
        while len(self._old) >= MOST_FILES:
            self._delete_oldest()
        self._file = self._with_room(self._make, path)
        self._head_size = len(head)
        self._put(head)
        sync_folder(self._folder)
        if made:
            sync_folder(self._folder.parent)
        self._part += 1

    def _add(self, lines: list[bytes]) -> None:
        """As many of `lines` as fit into this file, at least one."""
        size = count = 0
        for entry in lines:
            if count and self._size + size + len(entry) > self._file_bytes:
                break
            size += len(entry)
            count += 1
        data = b"".join(lines[:count])
        before = self._size
        try:
            self._put(data)
        finally:
            del lines[: data.count(b"\n", 0, self._size - before)]

    def _put(self, data: bytes) -> None:
        while self._old and self._old_bytes + self._size + len(data) > self._most_bytes:
            self._delete_oldest()
        rest, file = memoryview(data), self._file
        while rest and file is not None:
            taken = self._with_room(file.write, rest)
            if not taken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self._size += taken
            self.written_bytes += taken
            rest = rest[taken:]

    def _with_room(self, call: Callable[[A], T], with_what: A) -> T:
        """What `call` returns; while the disk is full the oldest files are given up for it."""
        while True:
            try:
                return call(with_what)
            except OSError as error:
                if error.errno not in FULL or not self._old:
                    raise
                self._delete_oldest()

    def _abandon(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        if self._size > self._head_size:
            self._part += 1  # what was not yet on the card may be gone
        elif self.path is not None:
            with suppress(OSError):
                self.path.unlink()
        self._size = 0
        with suppress(OSError):
            file.close()

    def _look(self) -> None:
        """See what is there, also what others may have deleted."""
        with os.scandir(self._folder) as entries:
            found = [entry for entry in entries if NAME.fullmatch(entry.name)]
        self._newest = max([self._newest, *(_number(entry.name) for entry in found)])
        self._old = sorted(
            (_number(entry.name), entry.stat(follow_symlinks=False).st_size)
            for entry in found
            if entry.is_file(follow_symlinks=False)
        )
        self._old_bytes = sum(size for _, size in self._old)

    def _delete_oldest(self) -> None:
        number, size = self._old[0]
        (self._folder / _name(number)).unlink(missing_ok=True)
        del self._old[0]
        self._old_bytes -= size
        time.sleep(LEAST_SLEEP_S)


class Direct:
    """A journal kept without a thread, for virtual time: an observer; errors are raised."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._encode = journal.Encoder()
        self._lines: list[bytes] = []

    def __call__(self, step: Step) -> None:
        """Take in one step."""
        if (entry := self._encode(step)) is not None:
            self._lines.append(entry)
            if len(self._lines) >= MOST_LINES:
                self._files.write(self._lines)

    def close(self) -> None:
        """All of it onto the card."""
        self._files.write(self._lines)
        self._files.close()


def read(folder: Path) -> Iterator[Recording | InputError]:
    """Every run that was kept in `folder`, in order, or what is wrong with a file.

    Files of one run come as one recording, unless something is missing between them. A last line
    that the power cut off is skipped, and so is a file of which it left no whole line. Raises
    InputError when the folder cannot be read.
    """
    try:
        names = [name for name in os.listdir(folder) if NAME.fullmatch(name)]  # noqa: PTH208
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; give a folder of journals") from error
    run: Recording | None = None
    part = 0
    for name in sorted(names, key=_number):
        piece = _piece(folder / name)
        if piece is None:
            continue
        if isinstance(piece, Recording) and run is not None and _goes_on(run, part, piece):
            run.steps.extend(piece.steps)
            (run.levels or []).extend(piece.levels or ())
            part += 1
            continue
        if run is not None:
            yield run
        run = None
        if isinstance(piece, InputError):
            yield piece
        else:
            run, part = piece, piece.began.part if piece.began else 0
    if run is not None:
        yield run


def _piece(path: Path) -> Recording | InputError | None:
    """One file, what is wrong with it, or None where a power cut left no whole line of it."""
    try:
        return journal.read(path, Settings())
    except InputError as error:
        try:
            return error if b"\n" in path.read_bytes() else None
        except OSError:
            return error


def _goes_on(run: Recording, part: int, piece: Recording) -> bool:
    """Whether `piece` is the file after `part` of `run`."""
    if run.began is None or piece.settings != run.settings:
        return False
    return piece.began == replace(run.began, part=part + 1)


def _name(number: int) -> str:
    return f"{number:06}.jsonl"


def _number(name: str) -> int:
    return int(name.partition(".")[0])


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return WORDS.get(error.errno) or os.strerror(error.errno).lower()
    return f"{type(error).__name__}: {error}"
