"""The scribe: a history that is whole, or says what it lacks, and that costs no walk anything."""

import ctypes
import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from device import when
from device.clock import VirtualClock
from device.core.alert import Alert
from device.core.coach import Begun, Dose, Ended, Walking
from device.core.pipeline import Step
from device.core.signals import OFF, Cue
from device.core.track import Track
from device.history import scribe
from device.history.book import MIGRATIONS, Book, open_book, read_book
from device.history.records import Entry, Walk
from device.history.scribe import Clerk, Notebook, Scribe
from device.history.tally import Tally
from device.journal import Began
from device.settings import CoachSettings, Settings
from device.sim import run, scenario

SETTINGS = Settings()
PLAN = Settings(coach=CoachSettings(mode="plan"))
BEGAN = Began("0f-boot", 100.0, 1.76e9, synchronised=False)
PROMPT = {"period_s": 0.005, "again_s": 0.02, "look_s": 0.01, "wall": lambda: None}
SOON_S = 5.0
"""What is waited for comes at once; on a starved machine it may take this long."""
EACH_S = 0.25
FOREVER = Dose(1e6, 2e6)


def step(t_s: float, **more: Any) -> Step:
    walk = replace(Walking(1, Begun.COMMAND, 0.0, t_s, FOREVER), **more)
    return Step(
        t_s, None, Track(3.0, 0.0, 9.0, 0.0), Alert(proven=True), Cue.SILENCE, OFF, 0.0, walk
    )


def news(first_s: int, count: int, **more: Any) -> list[Step]:
    """Steps that bring so many seconds to an end."""
    return [step(first_s + i * EACH_S, **more) for i in range(round(count / EACH_S) + 1)]


def show(to: Callable[[Step], None], steps: list[Step]) -> None:
    for each in steps:
        to(each)


def until(true: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    end_s = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.002)


def read(path: Path) -> list[Walk]:
    with read_book(path) as opened:
        return opened.walks()


def seconds(path: Path, walk: int = 1) -> list[int]:
    with read_book(path) as opened:
        return [second.t_s for second in opened.seconds(walk)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "walks.db"


Make = Callable[..., Scribe]


@pytest.fixture
def kept(path: Path) -> Iterator[Make]:
    """A scribe that is closed at the end."""
    made: list[Scribe] = []

    def keep(given: Settings = SETTINGS, where: Path = path, **more: Any) -> Scribe:
        made.append(Scribe(where, given, more.pop("began", BEGAN), **{**PROMPT, **more}))
        return made[-1]

    yield keep
    for each in made:
        each.close()


# ------------------------------------------------------------------ ordinary use


def test_a_walk_is_kept_whole(kept: Make, path: Path) -> None:
    keep = kept()
    show(keep, [*news(0, 60), step(60.5, until_s=60.5, ended=Ended.STOOD)])
    keep.close()
    (walk,) = read(path)
    assert (walk.boot_id, walk.began_monotonic_s, walk.began_wall_s) == ("0f-boot", 100.0, None)
    assert (walk.ended, walk.totals.walked_s) == ("stood", 60.5)
    assert seconds(path) == [*range(61)]
    assert keep.state == scribe.State(str(path), walks=1, entries=61)
    assert [file.name for file in path.parent.iterdir()] == ["walks.db"]


def test_what_the_thread_writes_and_what_a_notebook_writes_is_the_same(
    kept: Make, path: Path, tmp_path: Path
) -> None:
    keep = kept()
    short = scenario.shortened(scenario.load("two"), 12.0)
    told: list[Entry] = []
    follow = Tally(SETTINGS)
    other_path = tmp_path / "notebook.db"
    with open_book(other_path) as opened:
        notes = Notebook(opened, SETTINGS, "0f-boot", 100.0)
        run.Walk(short, SETTINGS, 1, VirtualClock()).go(
            [keep, notes, lambda each: told.extend(follow(each))]
        )
        notes.close()
    keep.close()
    told += follow.close()
    found = []
    for each in (path, other_path):
        with read_book(each) as opened:
            found.append((opened.walks(), opened.seconds(1), opened.events(1)))
    assert found[0] == found[1]
    walks, written, events = found[0]
    assert written == [second for entry in told for second in entry.seconds]
    assert walks[0].totals == told[-1].totals
    reactions = {one.t_s: one.reaction_s for entry in told for one in entry.reactions}
    said = [replace(e, reaction_s=reactions.get(e.t_s)) for entry in told for e in entry.events]
    assert events == said
    assert len(said) >= 5


def test_it_is_written_while_the_walk_goes_on(kept: Make, path: Path) -> None:
    keep = kept(period_s=60.0, look_s=60.0)  # and does not wait for its time
    for first in (0, 3, 6):
        show(keep, news(first, 3))
        until(lambda first=first: keep.state.entries == first + 3)
        assert seconds(path) == [*range(first + 3)]
        assert read(path)[0].ended is None


def test_the_devices_end_ends_the_walk(kept: Make, path: Path) -> None:
    keep = kept()
    show(keep, [*news(0, 4), step(4.6)])
    keep.close()
    assert read(path)[0].ended == "stopped"
    assert read(path)[0].totals.walked_s == 4.6
    keep.close()
    show(keep, news(5, 2))
    assert seconds(path) == [*range(5)]
    assert keep.state.lost == 0


def test_several_walks_of_one_run_are_several(kept: Make, path: Path) -> None:
    keep = kept()
    for number in (1, 2, 3):
        began_s = number * 100.0
        walk = {"number": number, "began_s": began_s}
        show(keep, news(number * 100, 5, **walk))
        show(keep, [step(began_s + 5.5, **walk, ended=Ended.BUTTON)])
    keep.close()
    assert [walk.ended for walk in read(path)] == ["button"] * 3
    assert [walk.began_monotonic_s for walk in read(path)] == [200.0, 300.0, 400.0]
    assert keep.state.walks == 3


def test_between_walks_the_book_is_one_file(kept: Make, path: Path) -> None:
    keep = kept()
    show(keep, news(0, 3))
    until(lambda: keep.state.entries == 3)
    assert path.with_name("walks.db-wal").exists()
    keep(step(3.3, ended=Ended.BUTTON))
    until(lambda: [file.name for file in path.parent.iterdir()] == ["walks.db"])


def test_who_does_not_walk_has_no_book(kept: Make, path: Path) -> None:
    keep = kept(PLAN, wall=lambda: 1.76e9, tell_week=lambda _: None)
    time.sleep(0.05)
    keep.close()
    assert not path.exists()


def test_making_it_and_showing_it_a_step_imports_no_database() -> None:
    code = """
import sys
from pathlib import Path
from tests.test_scribe import BEGAN, SETTINGS, Scribe, news
for name in [name for name in sys.modules if "sqlite3" in name or name.endswith("book")]:
    del sys.modules[name]
keep = Scribe(Path("/nowhere/walks.db"), SETTINGS, BEGAN)
for step in news(0, 3)[:-1]:
    keep(step)
assert not [name for name in sys.modules if "sqlite3" in name]
"""
    project = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project, timeout=60)
    lazy = "import sys, device.history.scribe; assert 'sqlite3' not in sys.modules"
    subprocess.run([sys.executable, "-c", lazy], check=True, cwd=project, timeout=60)


# ------------------------------------------------------------------ the week, the clock


def test_the_week_is_told_at_the_start_and_after_each_walk(kept: Make, path: Path) -> None:
    told: list[int] = []
    dose = Dose(2.0, 4.0, 60.0, 60.0, 1)
    for number in range(1, 5):
        keep = kept(PLAN, tell_week=told.append)
        if number > 1:
            until(lambda number=number: len(told) == 2 * number - 2)
        show(keep, news(0, 3, dose=dose))
        keep(step(3.5, dose=dose, ended=Ended.BUTTON))
        until(lambda number=number: len(told) == 2 * number - 1)
        keep.close()
    assert told == [1, 1, 1, 1, 2, 2, 2]
    assert read(path)[0].beginning.week == 1


def test_the_week_is_told_of_the_plan_only(kept: Make, path: Path) -> None:
    open_book(path).close()
    told: list[int] = []
    keep = kept(SETTINGS, tell_week=told.append)
    show(keep, [*news(0, 3), step(3.5, ended=Ended.BUTTON)])
    keep.close()
    assert told == []
    keep = kept(PLAN, tell_week=told.append)
    until(lambda: told == [1])


def test_a_walk_has_its_date_where_the_clock_was_set(kept: Make, path: Path) -> None:
    keep = kept(wall=lambda: 1.76e9)
    show(keep, news(7, 2, began_s=7.0))
    keep.close()
    assert read(path)[0].began_wall_s == 1.76e9 + 107.0


def test_walks_get_their_date_when_the_clock_is_set(kept: Make, path: Path) -> None:
    with open_book(path) as opened:
        earlier = Notebook(opened, SETTINGS, "0f-boot", 50.0)
        show(earlier, news(0, 2))
        earlier.close()
        another = Notebook(opened, SETTINGS, "another", 50.0)
        show(another, news(0, 2))
        another.close()
    known: list[float] = []
    keep = kept(wall=lambda: known[0] if known else None)
    show(keep, news(0, 2))
    until(lambda: keep.state.entries == 2)
    known.append(1.76e9)
    until(lambda: read(path)[2].began_wall_s)
    assert [walk.began_wall_s for walk in read(path)] == [1.76e9 + 50.0, None, 1.76e9 + 100.0]
    keep.close()
    keep = kept(began=replace(BEGAN, boot_id="another"), wall=lambda: 1.5e9)  # without any walk
    until(lambda: read(path)[1].began_wall_s == 1.5e9 + 50.0)


def test_a_walk_begun_while_nobody_vouches_for_the_clock_gets_its_date_later(
    kept: Make, path: Path
) -> None:
    """The one that sets the clock may be restarted: for a moment nobody says that it is set."""
    known: list[float] = [1.76e9]
    keep = kept(wall=lambda: known[0] if known else None)
    show(keep, news(0, 2))
    until(lambda: keep.state.entries == 2)
    known.clear()
    show(keep, [step(2.5, ended=Ended.BUTTON), *news(7, 2, began_s=7.0, number=2)])
    until(lambda: len(read(path)) == 2)
    assert read(path)[1].began_wall_s is None
    known.append(1.76e9)
    until(lambda: read(path)[1].began_wall_s == 1.76e9 + 107.0)


def test_the_clock_is_believed_where_it_is_known_to_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(when, "SYNCHRONISED", tmp_path / "synchronized")
    monkeypatch.setattr(time, "time", lambda: 1.76e9 + 40.0)
    monkeypatch.setattr(time, "monotonic", lambda: 40.0)
    assert when.zero_wall_s() is None
    (tmp_path / "synchronized").touch()
    assert when.zero_wall_s() == 1.76e9
    assert len(when.boot_id()) == 36


# ------------------------------------------------------------------ what goes wrong


def test_a_locked_database_is_waited_for_and_nothing_is_lost(kept: Make, path: Path) -> None:
    open_book(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    keep = kept()
    show(keep, news(0, 30))
    until(lambda: keep.state.failed == "database locked")
    assert keep.state.entries == 0
    other.execute("COMMIT")
    other.close()
    until(lambda: keep.state.failed is None and keep.state.entries == 30)
    show(keep, [step(30.5, ended=Ended.BUTTON)])
    keep.close()
    assert seconds(path) == [*range(31)]
    assert keep.state.lost == 0


def test_a_lock_in_the_middle_of_a_walk_is_waited_for(kept: Make, path: Path) -> None:
    keep = kept()
    show(keep, news(0, 5))
    until(lambda: keep.state.entries == 5)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    show(keep, news(5, 5)[1:])
    until(lambda: keep.state.failed == "database locked")
    assert seconds(path) == [*range(5)]  # who reads is not held up
    other.execute("COMMIT")
    other.close()
    until(lambda: keep.state.entries == 10)
    keep.close()
    assert seconds(path) == [*range(10)]
    assert len(read(path)) == 1


def limited(path: Path, pages: list[int]) -> Book:
    """A book of at most so many pages; -1: as many as it likes."""
    opened = open_book(path)
    opened.connection.execute(f"PRAGMA max_page_count = {pages[0] if pages[0] > 0 else 2**30}")
    return opened


def test_a_full_disk_costs_nothing_once_there_is_room(kept: Make, path: Path) -> None:
    pages = [12]
    keep = kept(open_book=lambda where: limited(where, pages))
    show(keep, news(0, 400))
    until(lambda: keep.state.failed == "disk full")
    show(keep, news(400, 50)[1:])
    some = keep.state.entries
    assert some < 400
    assert seconds(path) == [*range(some)]
    pages[0] = -1
    until(lambda: keep.state.failed is None and keep.state.entries == 450)
    keep.close()
    assert seconds(path) == [*range(450)]
    assert (keep.state.lost, len(read(path))) == (0, 1)


def read_only(path: Path) -> Book:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    return Book(connection)


def test_a_read_only_database_costs_nothing_once_it_may_be_written(kept: Make, path: Path) -> None:
    open_book(path).close()
    opens: list[Callable[[Path], Book]] = [read_only]

    def open_it(where: Path) -> Book:
        return opens[-1](where)

    keep = kept(open_book=open_it)
    show(keep, news(0, 20))
    until(lambda: keep.state.failed == "disk read-only")
    opens.append(open_book)
    until(lambda: keep.state.entries == 20)
    keep.close()
    assert seconds(path) == [*range(20)]
    assert (keep.state.lost, keep.state.failed) == (0, None)


def test_what_never_could_be_written_is_counted(kept: Make, path: Path) -> None:
    path.mkdir()
    keep = kept()
    show(keep, news(0, 20))
    until(lambda: keep.state.failed == "is a directory")
    keep.close()
    assert (keep.state.entries, keep.state.lost, keep.state.walks) == (0, 21, 0)


def test_a_folder_that_is_not_there_is_named(kept: Make, tmp_path: Path) -> None:
    keep = kept(where=tmp_path / "nowhere" / "walks.db")
    show(keep, news(0, 2))
    until(lambda: keep.state.failed == "no such file or directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(kept: Make, path: Path) -> None:
    path.parent.chmod(0o500)
    keep = kept()
    show(keep, news(0, 2))
    until(lambda: keep.state.failed == "no permission")
    path.parent.chmod(0o700)
    until(lambda: keep.state.entries == 2)


def test_a_newer_book_is_left_alone(kept: Make, path: Path) -> None:
    open_book(path, (*MIGRATIONS, "CREATE TABLE later (id INTEGER) STRICT")).close()
    before = path.read_bytes()
    keep = kept()
    show(keep, news(0, 2))
    until(lambda: keep.state.failed == "of a newer rearguard (version 2, this one writes 1)")
    keep.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"dear diary, " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_broken_book_is_moved_aside_and_begun_anew(
    kept: Make, path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    keep = kept()
    show(keep, news(0, 5))
    until(lambda: keep.state.entries == 5)
    keep.close()
    aside = path.with_name("walks.broken-1.db")
    assert keep.state.aside == str(aside)
    assert keep.state.failed is None
    assert aside.read_bytes() == content
    assert seconds(path) == [*range(5)]


class Breaking(Book):
    """Of which SQLite says, after some entries, that it is not one any more."""

    left = 5

    def write(self, walk_id: int, entry: Entry) -> None:
        if not self.left:
            error = sqlite3.DatabaseError("database disk image is malformed")
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_VTAB  # type: ignore[misc]
            raise error
        self.left -= 1
        super().write(walk_id, entry)


def test_a_book_that_breaks_amid_a_walk_goes_on_in_a_new_one(kept: Make, path: Path) -> None:
    opens: list[type[Book]] = [Book, Breaking]

    def open_it(where: Path) -> Book:
        return opens.pop()(open_book(where).connection)

    keep = kept(open_book=open_it)
    show(keep, news(0, 5))
    until(lambda: keep.state.entries == 5)
    show(keep, [*news(5, 60)[1:], step(65.5, ended=Ended.STOOD)])
    until(lambda: keep.state.entries == 66)
    keep.close()
    assert keep.state.aside == str(path.with_name("walks.broken-1.db"))
    assert seconds(path.with_name("walks.broken-1.db")) == [*range(5)]
    (walk,) = read(path)
    assert (walk.ended, walk.totals.walked_s) == ("stood", 65.5)
    assert seconds(path) == [*range(5, 66)]


def test_a_walk_whose_beginning_was_not_written_is_begun_again(path: Path) -> None:
    follow, clerk = Tally(SETTINGS), Clerk("boot", 0.0, lambda: None)
    entries = [entry for each in news(0, 3) for entry in follow(each)]
    with open_book(path) as opened:
        refusing = Breaking(opened.connection)
        refusing.left = 1
        with pytest.raises(sqlite3.DatabaseError):
            clerk.write(refusing, entries)
        assert not clerk.open
        assert opened.walks() == []
        clerk.write(opened, entries)
        clerk.write(opened, follow.close())
        assert [walk.ended for walk in opened.walks()] == ["stopped"]


def test_an_error_of_any_kind_costs_the_history_only(kept: Make, path: Path) -> None:
    tries: list[Path] = []

    def open_it(where: Path) -> Book:
        tries.append(where)
        if len(tries) == 1:
            raise RuntimeError("no such luck")
        return open_book(where)

    keep = kept(open_book=open_it)
    show(keep, news(0, 3))
    until(lambda: keep.state.entries == 3)
    keep.close()
    assert seconds(path) == [*range(3)]


def test_a_step_that_cannot_be_made_sense_of_does_not_end_the_walk(kept: Make) -> None:
    keep = kept()
    odd: Any = object()
    keep(odd)
    assert keep.state.lost == 1


def test_a_tell_week_that_fails_costs_the_history_only(kept: Make, path: Path) -> None:
    open_book(path).close()

    def tell(_: int) -> None:
        raise RuntimeError("nobody listens")

    keep = kept(PLAN, tell_week=tell)
    until(lambda: keep.state.failed == "RuntimeError: nobody listens")
    show(keep, news(0, 3))
    until(lambda: keep.state.entries == 3)


# ------------------------------------------------------------------ a disk that hangs


class Hung:
    """Opens books only when it is let go."""

    def __init__(self) -> None:
        self.waiting, self.go = threading.Event(), threading.Event()

    def __call__(self, path: Path) -> Book:
        self.waiting.set()
        self.go.wait()
        return open_book(path)


@pytest.fixture
def hung() -> Iterator[Hung]:
    found = Hung()
    yield found
    found.go.set()


def test_a_disk_that_hangs_stops_neither_the_walk_nor_its_end(
    kept: Make, hung: Hung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "HANGS_S", 0.02)
    keep = kept(open_book=hung)
    keep(step(0.0))
    keep(step(1.0))
    assert hung.waiting.wait(SOON_S)
    worst_s = 0.0
    for each in news(1, scribe.MOST_ENTRIES + 20)[1:]:
        before_s = time.thread_time()
        keep(each)
        worst_s = max(worst_s, time.thread_time() - before_s)
    assert worst_s < 0.05
    until(lambda: keep.state.failed == "disk does not answer")
    before_s = time.monotonic()
    keep.close()
    assert time.monotonic() - before_s < scribe.CLOSE_S + 0.3
    assert keep.state.failed == "disk does not answer"
    assert keep.state.lost >= scribe.MOST_ENTRIES


def test_a_hung_disk_that_comes_back_costs_only_what_did_not_fit(
    kept: Make, hung: Hung, path: Path
) -> None:
    keep = kept(open_book=hung)
    show(keep, news(0, 5))
    assert hung.waiting.wait(SOON_S)
    many = scribe.MOST_ENTRIES + 100
    show(keep, news(5, many)[1:])
    hung.go.set()
    until(lambda: keep.state.entries + keep.state.lost == many + 5)
    keep.close()
    assert 90 <= keep.state.lost <= 105
    found = seconds(path)
    assert len(found) == many + 5 - keep.state.lost
    assert found[-1] == many + 4
    assert read(path)[0].totals.walked_s == many + 5


def test_a_long_failure_keeps_the_newest(
    kept: Make, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "MOST_ENTRIES", 30)
    path.mkdir()
    keep = kept()
    for first in range(0, 100, 10):
        show(keep, news(first, 10)[first > 0 :])
        until(keep._queue.empty)
        time.sleep(0.02)
    path.rmdir()
    until(lambda: keep.state.entries > 0 and not keep._in_hand)
    keep.close()
    assert seconds(path) == [*range(70, 100)]
    assert keep.state.lost == 70


# ------------------------------------------------------------------ a real, small disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A memory disk of 160 kB."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "disk"
    place.mkdir()
    if libc.mount(b"none", bytes(place), b"tmpfs", 0, b"size=160k") != 0:
        pytest.skip("mounting takes root")
    yield place
    assert libc.umount2(bytes(place), 2) == 0


def test_a_real_disk_that_others_filled_costs_nothing_once_there_is_room(
    small_disk: Path, kept: Make
) -> None:
    where, hog = small_disk / "walks.db", small_disk / "hog"
    keep = kept(where=where)
    show(keep, news(0, 5))
    until(lambda: keep.state.entries == 5)
    with hog.open("wb", buffering=0) as file:
        while os.statvfs(small_disk).f_bavail:
            file.write(bytes(4096))
    show(keep, news(5, 600)[1:])
    until(lambda: keep.state.failed == "disk full")
    hog.unlink()
    until(lambda: keep.state.failed is None and keep.state.entries == 605)
    keep.close()
    assert seconds(where) == [*range(605)]
    assert keep.state.lost == 0


def test_a_real_disk_that_is_read_only_costs_the_history_and_nothing_else(
    small_disk: Path, kept: Make
) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    remount = 32
    assert libc.mount(b"none", bytes(small_disk), b"tmpfs", remount | 1, b"") == 0
    where = small_disk / "walks.db"
    keep = kept(where=where)
    show(keep, news(0, 5))
    until(lambda: keep.state.failed == "disk read-only")
    assert libc.mount(b"none", bytes(small_disk), b"tmpfs", remount, b"") == 0
    until(lambda: keep.state.entries == 5)
    keep.close()
    assert seconds(where) == [*range(5)]


def test_the_systems_words_are_known() -> None:
    assert scribe.WORDS[errno.EROFS] == "disk read-only"


# ------------------------------------------------------------------ what it costs


@pytest.mark.parametrize("name", ["two", "unplugged", "follower-closing"])
def test_the_steps_are_the_same_with_a_history_and_without(
    name: str, kept: Make, path: Path
) -> None:
    path.mkdir()  # which can never be written
    keep = kept()
    plain: list[Step] = []
    watched: list[Step] = []
    short = scenario.shortened(scenario.load(name), 15.0)
    run.Walk(short, SETTINGS, 5, VirtualClock()).go([plain.append])
    run.Walk(short, SETTINGS, 5, VirtualClock()).go([keep, watched.append])
    assert plain == watched


def test_the_thread_sleeps_while_nobody_walks(kept: Make) -> None:
    keep = kept(look_s=0.1)
    status = Path(f"/proc/self/task/{keep._thread.native_id}/status")

    def woken() -> int:
        text = status.read_text()
        return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = woken()
    time.sleep(0.5)
    assert 1 <= woken() - before <= 25


def test_no_thread_is_no_history_and_no_harm(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    keep = Scribe(path, SETTINGS, BEGAN)
    show(keep, news(0, 3))
    keep.close()
    assert keep.state.failed == "can't start new thread"
