"""The book of walks: what is written is read, by whoever may read, after whatever happened."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from device.core.coach import WALKS_A_WEEK, WEEKS
from device.errors import InputError
from device.history import book
from device.history.book import MIGRATIONS, Book, move_aside, open_book, read_book, week_after
from device.history.records import Beginning, Entry, Event, Reaction, Second, Totals, Walk

BEGINNING = Beginning(
    1,
    12.25,
    "motion",
    "0.1.0",
    "HC-SR04",
    "default",
    "plan",
    2,
    720.0,
    1200.0,
    71.5,
    (2.5, 1.5, 1.0, 0.6),
)
TOTALS = Totals(1.5, 0.5, 1.25, 0.8, 1.0, 0.25, 0.5, 0.734, 4, 3, 2, 1, 5)
NOBODY = 65534


def second(t_s: int) -> Second:
    return Second(t_s, 1.234, -0.567, t_s % 5, None, 0.125, 0.8, False, 1.0)


def entry(t_s: int) -> Entry:
    """The second `t_s`, and an event every tenth."""
    events = [Event(t_s + 0.5, "alert", "warning", "why", 1.2, 0.5, 1.9)] if t_s % 10 == 0 else []
    return Entry(BEGINNING, [second(t_s)], events, [], Totals(t_s + 1.0, protected_s=t_s + 1.0))


def write_walk(into: Book, seconds: int, walked_s: float = 0.0, **more: object) -> int:
    beginning = replace(BEGINNING, **more)
    with into.writing():
        number = into.begin(beginning, "boot", time.monotonic(), None)
        totals = Totals(walked_s or seconds)
        into.add(number, [second(t_s) for t_s in range(seconds)], [], totals)
        into.end(number, "stood", totals)
    return number


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "walks.db"


@pytest.fixture
def mine(path: Path) -> Iterator[Book]:
    with open_book(path) as opened:
        yield opened


def write_both(into: Book, numbers: Sequence[int]) -> None:
    for number in numbers:
        into.write(number, entry(1))


def one(connection: sqlite3.Connection, sql: str) -> object:
    return connection.execute(sql).fetchone()[0]


def sound(opened: Book) -> bool:
    checks = ("PRAGMA integrity_check", "SELECT count(*) FROM pragma_foreign_key_check")
    return [one(opened.connection, check) for check in checks] == ["ok", 0]


# ------------------------------------------------------------------ ordinary use


def test_what_is_written_is_read(path: Path, mine: Book) -> None:
    events = [
        Event(3.125, "alert", "danger", "0.98 m away", 0.98, 0.75, 1.1),
        Event(3.5, "cue", "mark"),
        Event(3.5, "fault", "noise", "noise on the line"),
    ]
    seconds = [
        Second(0, None, None, 0, None, 0.0, 0.0, False, 0.0),
        Second(7, 3.999, -1.001, 4, "noise", 1.0, 0.812, True, 0.333),
    ]
    number = mine.begin(BEGINNING, "boot", 100.125, 1.76e9)
    mine.add(number, seconds, events, TOTALS)
    mine.react(number, [Reaction(3.125, 0.625)])
    with read_book(path) as other:
        assert other.walks() == [Walk(1, "boot", 100.125, 1.76e9, BEGINNING, None, TOTALS)]
        assert other.walk(1) == other.walks()[0]
        assert other.seconds(1) == seconds
        assert other.events(1) == [replace(events[0], reaction_s=0.625), *events[1:]]
        later = replace(TOTALS, walked_s=2.0, closest_m=None)
        mine.end(number, "stood", later)
        assert other.walk(1).ended == "stood"
        assert other.walk(1).totals == later
        assert other.seconds(2) == other.events(2) == []


def test_walks_come_in_the_order_in_which_they_began(mine: Book) -> None:
    numbers = [write_walk(mine, 3, weight_kg=None, number=i) for i in (1, 2, 1)]
    assert numbers == [1, 2, 3]
    assert [(walk.id, walk.beginning.number) for walk in mine.walks()] == [(1, 1), (2, 2), (3, 1)]
    assert mine.walks()[0].beginning.weight_kg is None


def test_a_walk_that_is_not_there_names_those_that_are(mine: Book) -> None:
    with pytest.raises(InputError, match="walk 4: there is none; no walk was kept yet"):
        mine.walk(4)
    write_walk(mine, 1)
    write_walk(mine, 1)
    with pytest.raises(InputError, match="walk 4: there is none; choose one from 1 to 2"):
        mine.walk(4)


def test_an_entry_is_written_whole_or_not_at_all(mine: Book) -> None:
    number = mine.begin(BEGINNING, "boot", 1.0, None)
    mine.write(number, entry(0))
    broken = replace(entry(10), totals=replace(TOTALS, stops="many"))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):  # STRICT
        mine.write(number, broken)
    assert mine.seconds(number) == [second(0)]
    assert [event.t_s for event in mine.events(number)] == [0.5]
    assert mine.walk(number).totals.walked_s == 1.0
    with pytest.raises(sqlite3.IntegrityError), mine.writing():
        write_both(mine, (number, 99))  # of which one is no walk
    assert mine.seconds(number) == [second(0)]
    assert not mine.connection.in_transaction


def test_what_is_written_twice_is_there_once(mine: Book) -> None:
    number = mine.begin(BEGINNING, "boot", 1.0, None)
    assert mine.begin(BEGINNING, "boot", 1.0, None) == number
    for _ in range(2):
        mine.write(number, entry(0))
    assert mine.seconds(number) == [second(0)]
    assert len(mine.events(number)) == 1
    mine.end(number, "stood", TOTALS)
    assert mine.begin(BEGINNING, "boot", 1.0, None) == number + 1  # simulated time repeats


def test_it_lasts_through_a_power_cut_and_spares_the_card(mine: Book) -> None:
    pragmas = ("journal_mode", "synchronous", "page_size", "wal_autocheckpoint", "foreign_keys")
    found = [one(mine.connection, f"PRAGMA {name}") for name in pragmas]
    assert found == ["wal", 2, 1024, 100, 1]


def test_under_the_services_umask_owner_and_group_may_read(path: Path) -> None:
    before = os.umask(0o027)
    try:
        with open_book(path) as opened:
            write_walk(opened, 3)
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("walks.db", "walks.db-wal", "walks.db-shm"), 0o640)


def test_a_thousand_walks_are_listed_without_their_seconds(mine: Book) -> None:
    with mine.writing():
        for _ in range(1000):
            write_walk(mine, 20)
    before_s = time.thread_time()
    assert len(mine.walks()) == 1000
    assert time.thread_time() - before_s < 0.15


# ------------------------------------------------------------------ the starter plan


def walk_of(share: float, week_now: int | None = 1) -> Walk:
    asked = replace(BEGINNING, week=week_now, target_s=600.0)
    return Walk(1, "boot", 0.0, None, asked, "stood", Totals(600.0 * share))


@given(st.lists(st.tuples(st.sampled_from([0.2, 0.79, 0.8, 1.0]), st.sampled_from([1, None]))))
@settings(deadline=None, max_examples=50)
def test_the_week_follows_from_the_walks_that_were_done(
    tmp_path_factory: pytest.TempPathFactory, given_walks: list[tuple[float, int | None]]
) -> None:
    walks = [walk_of(share, number) for share, number in given_walks]
    done = sum(share >= 0.8 and number is not None for share, number in given_walks)
    with open_book(tmp_path_factory.mktemp("plan") / "walks.db") as opened:
        opened.connection.execute("PRAGMA synchronous = OFF")
        for each in walks:
            opened.end(opened.begin(each.beginning, "b", 0.0, None), "stood", each.totals)
        assert opened.done() == done
        assert week_after(opened.done()) == min(WEEKS, 1 + done // WALKS_A_WEEK)


def test_nobody_is_beyond_the_last_week() -> None:
    assert [week_after(count) for count in (0, 2, 3, 17, 18, 100)] == [1, 1, 2, 6, 6, 6]


# ------------------------------------------------------------------ clocks


def test_walks_of_a_boot_get_their_date_when_it_is_known(mine: Book) -> None:
    def begin(boot: str, at_s: float, wall_s: float | None) -> int:
        number = mine.begin(BEGINNING, boot, at_s, wall_s)
        mine.end(number, "stood", TOTALS)
        return number

    begin("one", 10.0, None)
    begin("two", 20.0, None)
    begin("two", 30.0, 5.0)
    begin("two", 40.5, None)
    begin("", 50.0, None)
    assert mine.repair("two", 1.76e9) == 2
    assert mine.repair("two", 1.76e9) == 0
    assert mine.repair("", 1.76e9) == 0  # a boot without a name may be any
    dates = [walk.began_wall_s for walk in mine.walks()]
    assert dates == [None, 1.76e9 + 20, 5.0, 1.76e9 + 40.5, None]


# ------------------------------------------------------------------ versions


OLD = (
    "CREATE TABLE walk (id INTEGER PRIMARY KEY, old TEXT) STRICT; INSERT INTO walk VALUES (1, 'x')"
)
NEW = "ALTER TABLE walk ADD COLUMN new INTEGER NOT NULL DEFAULT 7"


def test_an_older_book_is_brought_up_to_date_with_what_is_in_it(path: Path) -> None:
    open_book(path, (OLD,)).close()
    with open_book(path, (OLD, NEW)) as opened:
        assert opened.connection.execute("SELECT * FROM walk").fetchall() == [(1, "x", 7)]
        assert one(opened.connection, "PRAGMA user_version") == 2
    with open_book(path, (OLD, NEW)) as opened:  # and once
        assert one(opened.connection, "PRAGMA user_version") == 2


def test_a_migration_that_fails_leaves_the_book_as_it_was(path: Path) -> None:
    open_book(path, (OLD,)).close()
    with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
        open_book(path, (OLD, f"{NEW}; INSERT INTO nowhere VALUES (1)"))
    with open_book(path, (OLD,)) as opened:
        assert opened.connection.execute("SELECT * FROM walk").fetchall() == [(1, "x")]
        assert one(opened.connection, "PRAGMA user_version") == 1


def test_a_long_migration_pauses(path: Path) -> None:
    """At real-time priority what computes for long is ended."""
    pauses: list[None] = []
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
    long = f"CREATE TABLE many (i INTEGER) STRICT; INSERT INTO many {numbers} SELECT i FROM n"
    open_book(path, (OLD, long), pause=lambda: pauses.append(None)).close()
    assert len(pauses) > 5


@pytest.mark.parametrize("opens", [open_book, read_book])
def test_a_newer_book_is_refused_and_not_touched(opens: Callable[[Path], Book], path: Path) -> None:
    open_book(path, (*MIGRATIONS, "CREATE TABLE later (id INTEGER) STRICT")).close()
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"walks.db: of a newer rearguard \(version 2, this one"):
        opens(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["walks.db"]


def test_every_version_that_ever_was_becomes_the_present_one(tmp_path: Path) -> None:
    def schema(opened: Book) -> list[object]:
        return opened.connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()

    with open_book(tmp_path / "new.db") as opened:
        present = schema(opened)
    for version in range(1, len(MIGRATIONS) + 1):
        path = tmp_path / f"{version}.db"
        open_book(path, MIGRATIONS[:version]).close()
        with open_book(path) as opened:
            assert schema(opened) == present


def test_columns_are_the_records_fields(mine: Book) -> None:
    names = {row[1] for row in mine.connection.execute("PRAGMA table_info(walk)")}
    fields = asdict(walk_of(1.0)).keys() - {"beginning", "totals"}
    assert names == fields | asdict(BEGINNING).keys() | asdict(TOTALS).keys()


# ------------------------------------------------------------------ what is no book


@pytest.mark.parametrize("opens", [open_book, read_book])
def test_another_programs_database_is_refused_and_not_touched(
    opens: Callable[[Path], Book], path: Path
) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE places (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"walks.db: another program's database; name a history"):
        opens(path)
    assert path.read_bytes() == before


def test_what_cannot_be_read_is_said_in_one_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"walks.db: not there; the device makes it"):
        read_book(path)
    with pytest.raises(InputError, match="Is a directory; give a history of walks"):
        read_book(tmp_path)
    path.write_text("dear diary, " * 100)
    with pytest.raises(InputError, match=r"walks.db: file is not a database; give a history"):
        read_book(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"walks.db: holds no walk yet"):
        read_book(path)


def test_an_older_book_is_not_read_before_the_device_ran(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_book(path).close()
    monkeypatch.setattr(book, "MIGRATIONS", (*MIGRATIONS, NEW))
    with pytest.raises(InputError, match=r"of an older rearguard \(version 1.*; run the device"):
        read_book(path)


def test_a_reader_cannot_write(path: Path, mine: Book) -> None:
    write_walk(mine, 1)
    with read_book(path) as other, pytest.raises(sqlite3.OperationalError, match="readonly"):
        write_walk(other, 1)


def test_a_broken_book_is_moved_aside_with_what_belongs_to_it(path: Path) -> None:
    for content in ("first", "second"):
        for end in ("", "-wal"):
            path.with_name(path.name + end).write_text(content + end)
        move_aside(path)
    found = {file.name: file.read_text() for file in path.parent.iterdir()}
    assert found == {
        "walks.broken-1.db": "first", "walks.broken-1.db-wal": "first-wal",
        "walks.broken-2.db": "second", "walks.broken-2.db-wal": "second-wal",
    }  # fmt: skip


def test_a_card_that_breaks_every_book_is_not_filled_with_them(path: Path) -> None:
    for number in range(6):
        path.write_text(f"{number}")
        move_aside(path)
    found = {file.name: file.read_text() for file in path.parent.iterdir()}
    assert found == {
        "walks.broken-1.db": "0", "walks.broken-2.db": "1", "walks.broken-3.db": "5"
    }  # fmt: skip


# ------------------------------------------------------------------ readers who may not write


WRITER = """
import os, sys
from pathlib import Path
from tests.test_book import entry, BEGINNING
from device.history.book import open_book
os.umask(0o027)
opened = open_book(Path(sys.argv[1]))
number = opened.begin(BEGINNING, "boot", 1.0, None)
for t_s in range(int(sys.argv[2])):
    opened.write(number, entry(t_s))
print("written", flush=True)
sys.stdin.readline()
opened.close()
"""


@contextlib.contextmanager
def writer(path: Path, seconds: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that has written, and keeps the book open until told by a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "written\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder as systemd's StateDirectory=: of one user, with others in the group."""
    if os.geteuid() != 0:
        pytest.skip("being several users takes root")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "state"
        folder.mkdir(mode=0o750)
        folder.chmod(0o2750)
        os.chown(folder, 0, NOBODY)
        yield folder


@contextlib.contextmanager
def as_member(group: int = NOBODY) -> Iterator[None]:
    """Somebody who is in the folder's group."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(group)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def read_by_member(path: Path) -> int:
    """How many seconds a reader sees, who leaves nothing behind."""
    before = sorted(path.parent.iterdir())
    with as_member():
        with pytest.raises(PermissionError):
            (path.parent / "x").touch()
        with read_book(path) as opened:
            assert sound(opened)
            seconds = opened.seconds(1)
            assert opened.walk(1).totals.walked_s == len(seconds)
    assert sorted(path.parent.iterdir()) == before
    assert seconds == [second(t_s) for t_s in range(len(seconds))]
    return len(seconds)


def test_a_member_of_the_group_reads_while_the_device_runs_and_after_it_stopped(
    state: Path,
) -> None:
    path = state / "walks.db"
    with writer(path, 75) as running:
        assert read_by_member(path) == 75
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
        assert running.wait() == 0
    assert [file.name for file in state.iterdir()] == ["walks.db"]
    assert read_by_member(path) == 75


def test_a_member_of_the_group_reads_what_a_crash_has_left(state: Path) -> None:
    path = state / "walks.db"
    with writer(path, 75) as running:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert path.with_name("walks.db-wal").stat().st_size > 0
    assert read_by_member(path) == 75
    path.with_name("walks.db-shm").unlink()  # a power cut may take that
    assert read_by_member(path) == 75
    path.with_name("walks.db-shm").write_bytes(b"")
    path.with_name("walks.db-shm").chmod(0o640)
    os.chown(path.with_name("walks.db-shm"), 0, NOBODY)
    assert read_by_member(path) == 75
    with open_book(path) as opened:  # and the device, when it is back
        assert len(opened.seconds(1)) == 75


def test_root_reads_and_leaves_nothing_that_the_device_could_not_open(state: Path) -> None:
    path = state / "walks.db"
    with open_book(path) as opened:
        write_walk(opened, 3)
    with read_book(path) as other:
        assert len(other.walks()) == 1
    assert [file.name for file in state.iterdir()] == ["walks.db"]


def test_who_is_not_in_the_group_is_told_what_would_help(state: Path) -> None:
    path = state / "walks.db"
    open_book(path).close()
    path.chmod(0o640)
    with (
        as_member(group=1),
        pytest.raises(InputError, match=r"walks.db: may not be read; sudo, or"),
    ):
        read_book(path)


# ------------------------------------------------------------------ torn logs


class Left(NamedTuple):
    """What a crash left, and how long the log was after each commit."""

    folder: Path
    sizes: list[int]


def crashed(folder: Path, commits: int) -> Left:
    """A book of so many commits, with the log that it had at that moment."""
    live, left = folder / "live", folder / "left"
    for made in (live, left):
        made.mkdir(parents=True)
    sizes = []
    with open_book(live / "walks.db") as opened:
        number = opened.begin(BEGINNING, "boot", 1.0, None)
        for t_s in range(commits):
            opened.write(number, entry(t_s))
            sizes.append((live / "walks.db-wal").stat().st_size)
        for name in ("walks.db", "walks.db-wal"):
            shutil.copy(live / name, left / name)
    return Left(left, sizes)


def torn(log: bytes, at: int, wrong: int) -> bytes:
    """Cut at that byte, or `wrong` bytes from there on spoilt."""
    if not wrong:
        return log[:at]
    return log[:at] + bytes(byte ^ 0xFF for byte in log[at : at + wrong]) + log[at + wrong :]


@pytest.mark.parametrize("commits", [3, 20, 30, 40, 130])
def test_a_log_torn_at_any_byte_leaves_what_came_before_it_whole(
    tmp_path: Path, commits: int
) -> None:
    rng = random.Random(commits)
    left, sizes = crashed(tmp_path, commits)
    log = (left / "walks.db-wal").read_bytes()
    for number in range(20):
        folder = tmp_path / f"{number}"
        shutil.copytree(left, folder)
        at = rng.randrange(len(log))
        spoilt = torn(log, at, rng.randint(1, 3000) if number % 2 else 0)
        (folder / "walks.db-wal").write_bytes(spoilt)
        with open_book(folder / "walks.db") as opened:
            assert sound(opened)
            seconds = opened.seconds(1)
            events = opened.events(1)
            walked_s = [walk.totals.walked_s for walk in opened.walks()]
            write_walk(opened, 5)  # and it goes on
            assert sound(opened)
        assert seconds == [second(t_s) for t_s in range(len(seconds))]
        assert walked_s in ([len(seconds)], [])
        assert len(events) == -(-len(seconds) // 10)
        if sizes[-1] > sizes[0] and sizes == sorted(set(sizes)):  # the log has not begun anew
            assert len(seconds) == sum(size <= at for size in sizes)


def test_an_untorn_log_leaves_all(tmp_path: Path) -> None:
    left, sizes = crashed(tmp_path, 40)
    assert sizes == sorted(set(sizes))
    assert len(set(crashed(tmp_path / "more", 130).sizes)) < 130
    with open_book(left / "walks.db") as opened:
        assert len(opened.seconds(1)) == 40
