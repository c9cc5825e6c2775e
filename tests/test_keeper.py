"""The journal on the device: nothing lost, bounded, and no disk that could stop a walk."""

import ctypes
import errno
import io
import itertools
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import journal, keeper, when
from device.clock import VirtualClock
from device.core.alert import Alert, State
from device.core.pipeline import Step
from device.core.reading import Nothing, Reading
from device.core.signals import Command, Cue
from device.core.track import Track
from device.errors import InputError
from device.journal import Began, Recording
from device.keeper import Files, Keeper, OnCard
from device.settings import Settings
from device.sim import replay, scenario
from device.sim.run import Walk

SETTINGS = Settings()
BEGAN = Began("0f-boot", 12.5, 1_760_000_000.25, synchronised=True)
PLENTY = 64 * 2**20
PROMPT = {"period_s": 0.005, "again_s": 0.02}
HEAD = len(journal.header(SETTINGS, BEGAN))
SOON_S = 5.0
"""What is waited for comes at once; on a starved machine it may take this long."""


def step(t_s: float, reading: Reading | None = None, buzzer: int = 0) -> Step:
    alert = Alert(state=State.CAUTION)
    return Step(t_s, reading, Track(), alert, Cue.SILENCE, Command(buzzer=buzzer))


def news(first: int, count: int) -> list[Step]:
    """So many steps, each of which has a line."""
    return [step(i / 25, Nothing(i / 25)) for i in range(first, first + count)]


def times(folder: Path) -> list[float]:
    """The instants of every line in `folder`, in order; nothing may be wrong in it."""
    found: list[float] = []
    for run in keeper.read(folder):
        assert isinstance(run, Recording), run
        found += [t_s for t_s, _ in run.steps]
    return found


def until(true: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    end_s = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end_s, "it never came"
        time.sleep(0.002)


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


class Card:
    """Opens files that misbehave on command."""

    def __init__(self) -> None:
        self.error: int | None = None
        """What each write fails with."""
        self.room_bytes: int | None = None
        self.where = "write"
        self.made: list[Path] = []
        self.running = threading.Event()
        self.running.set()
        self.waiting = threading.Event()

    def __call__(self, path: Path) -> "Spoilt":
        self.made.append(path)
        self.refuse("make")
        return Spoilt(path, self)

    def refuse(self, where: str) -> None:
        if self.error is not None and self.where == where:
            raise OSError(self.error, os.strerror(self.error))

    def stand_still(self) -> None:
        if not self.running.is_set():
            self.waiting.set()
            self.running.wait()


class Spoilt(OnCard):
    def __init__(self, path: Path, card: Card) -> None:
        super().__init__(path)
        self.card = card

    def write(self, data: Any, /) -> int:
        self.card.stand_still()
        self.card.refuse("write")
        room = self.card.room_bytes
        if room is not None:
            used = sum(sizes(Path(str(self.name)).parent).values())
            if used >= room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: room - used]
        return super().write(data)

    def sync(self) -> None:
        self.card.stand_still()
        self.card.refuse("sync")


@pytest.fixture
def card() -> Iterator[Card]:
    found = Card()
    yield found
    found.running.set()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[..., Keeper]]:
    """A keeper in a new folder, `tmp_path / "journals"`, that is closed at the end."""
    opened: list[Keeper] = []

    def keep(most_bytes: int = PLENTY, **more: Any) -> Keeper:
        folder = more.pop("folder", tmp_path / "journals")
        opened.append(Keeper(folder, SETTINGS, most_bytes, BEGAN, **{**PROMPT, **more}))
        return opened[-1]

    yield keep
    for each in opened:
        each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journals"


# ------------------------------------------------------------------ ordinary use


def test_no_step_is_lost_and_all_is_on_the_card_at_the_end(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    keep = kept()
    steps = news(0, 1000)
    for each in steps:
        keep(each)
    keep.close()
    assert times(folder) == [each.t_s for each in steps]
    state = keep.state
    assert (state.lost_lines, state.failed) == (0, None)
    assert state.path == str(folder / "000001.jsonl")
    assert state.written_bytes == (folder / "000001.jsonl").stat().st_size


def test_what_is_kept_is_what_the_journal_would_have_said(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    stream = io.BytesIO()
    keep = kept()
    short = scenario.shortened(scenario.load("unplugged"), 8.0)
    walk = Walk(short, SETTINGS, seed=1, clock=VirtualClock())
    walk.go([journal.Writer(stream, SETTINGS), keep])
    keep.close()
    head, *rest = (folder / "000001.jsonl").read_bytes().splitlines()
    assert rest == stream.getvalue().splitlines()[1:]
    assert b'"began":{"boot_id":"0f-boot","monotonic_s":12.5,"wall_s":1760000000.25' in head
    assert b'"synchronised":true' in head


@pytest.mark.parametrize("name", ["wall", "unplugged", "standing"])
def test_a_run_in_many_files_replays_to_the_levels_it_had(
    name: str, kept: Callable[..., Keeper], folder: Path
) -> None:
    keep = kept(400_000)  # in files of a hundred thousand bytes
    walk = Walk(
        scenario.shortened(scenario.load(name), 30.0), SETTINGS, seed=2, clock=VirtualClock()
    )
    told: list[str] = []
    walk.go([keep, lambda each: told.append(each.alert.level)])
    keep.close()
    assert keep.state.lost_lines == 0
    assert len(sizes(folder)) > 1
    (run,) = keeper.read(folder)
    assert isinstance(run, Recording)
    assert run.settings == SETTINGS
    assert run.began == BEGAN
    assert run.levels is not None
    assert set(run.levels) == set(told)
    account = replay.Account(run.levels)
    for each in replay.steps(run, SETTINGS):
        account(each)
    assert account.steps == len(run.steps) > 300
    assert account.disagreements == 0


def test_a_step_at_which_nothing_is_new_is_not_kept(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    keep = kept()
    for each in [step(0.0), step(1.0), step(2.0, buzzer=1), step(3.0, buzzer=1), step(4.0)]:
        keep(each)
    keep.close()
    assert times(folder) == [0.0, 2.0, 4.0]


def test_it_is_written_while_the_walk_goes_on(kept: Callable[..., Keeper], folder: Path) -> None:
    keep = kept()
    for first in (0, 10, 20):
        for each in news(first, 10):
            keep(each)
        until(lambda first=first: folder.exists() and len(times(folder)) == first + 10)


def test_without_a_step_there_is_no_file(kept: Callable[..., Keeper], folder: Path) -> None:
    kept().close()
    assert not folder.exists()


def test_each_keeper_begins_a_new_file_after_the_last(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    for number in (1, 2, 3):
        keep = kept()
        keep(step(0.0))
        keep.close()
        assert list(sizes(folder))[-1] == f"{number:06}.jsonl"
    (folder / "000041.jsonl").mkdir()  # whatever it is, the name is taken
    keep = kept()
    keep(step(0.0))
    keep.close()
    assert keep.state.path == str(folder / "000042.jsonl")


def test_a_reload_with_the_same_clock_is_another_run(folder: Path) -> None:
    for first in (0, 100):
        files = Files(folder, SETTINGS, PLENTY, BEGAN)
        files.write([journal.Encoder()(each) or b"" for each in news(first, 3)])
        files.close()
    assert [len(run.steps) for run in keeper.read(folder) if isinstance(run, Recording)] == [3, 3]


def test_only_owner_and_group_may_read_it_under_the_services_umask(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    before = os.umask(0o027)
    try:
        keep = kept()
        keep(step(0.0))
        keep.close()
    finally:
        os.umask(before)
    assert (folder / "000001.jsonl").stat().st_mode & 0o777 == 0o640
    assert folder.stat().st_mode & 0o777 == 0o750


def test_every_new_file_is_synced_and_so_is_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, fdatasync = os.fsync, os.fdatasync

    def named(fd: int) -> str:
        return Path(f"/proc/self/fd/{fd}").readlink().name

    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(named(fd)), fsync(fd)))
    monkeypatch.setattr(os, "fdatasync", lambda fd: (done.append(named(fd)), fdatasync(fd)))
    files = Files(folder, SETTINGS, PLENTY, BEGAN)
    files.write([b"{}\n"])
    assert done == ["journals", folder.parent.name, "000001.jsonl"]
    files.write([b"{}\n"])
    assert done[3:] == ["000001.jsonl"]
    files.close()


def test_a_closed_keeper_may_be_called_and_closed_again(kept: Callable[..., Keeper]) -> None:
    keep = kept()
    keep(step(0.0))
    keep.close()
    keep(step(1.0, Nothing(1.0)))
    keep.close()
    assert keep.state.lost_lines == 0


def test_the_beginning_is_that_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(time, "time", lambda: 1.76e9)
    began = keeper.begin(3.5)
    assert (began.monotonic_s, began.wall_s, began.part) == (96.5, 1.76e9 - 3.5, 0)
    assert len(began.boot_id) == 36


def test_the_clock_is_called_synchronised_where_it_is_known_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(when, "SYNCHRONISED", tmp_path / "synchronized")
    assert not keeper.begin(0.0).synchronised
    (tmp_path / "synchronized").touch()
    assert keeper.begin(0.0).synchronised
    monkeypatch.setattr(when, "BOOT_ID", tmp_path / "absent")
    assert keeper.begin(0.0).boot_id == ""


def test_an_ordinary_journals_header_has_no_beginning() -> None:
    assert b"began" not in journal.header(SETTINGS)


# ------------------------------------------------------------------ bounds


@settings(deadline=None, max_examples=60)
@given(
    batches=st.lists(st.lists(st.integers(20, 400), min_size=1, max_size=30), max_size=12),
    most_bytes=st.integers(4 * (HEAD + 900), 40_000),
    runs=st.integers(1, 3),
)
def test_all_files_together_stay_within_the_bound_and_the_newest_are_kept(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[int]],
    most_bytes: int,
    runs: int,
) -> None:
    folder = tmp_path_factory.mktemp("bound")
    (folder / "notes.txt").write_text("not a journal")
    written: list[bytes] = []
    number = itertools.count()
    for _ in range(runs):
        files = Files(folder, SETTINGS, most_bytes, BEGAN)
        for batch in batches:
            lines = [b"%08d%s\n" % (next(number), b"x" * size) for size in batch]
            written += lines
            files.write(lines)
            assert lines == []
            found = sizes(folder)
            assert found.pop("notes.txt") == len("not a journal")
            assert sum(found.values()) <= most_bytes
            assert max(found.values()) <= most_bytes // keeper.FILES_IN_ALL
        files.close()
    rows: list[bytes] = []
    for name in sorted(sizes(folder).keys() - {"notes.txt"}):
        head, *rest = (folder / name).read_bytes().splitlines(keepends=True)
        assert b'"settings"' in head  # each can be read by itself
        assert rest
        rows += rest
    assert rows == written[len(written) - len(rows) :]
    if written:
        assert len(b"".join(rows)) >= min(len(b"".join(written)), most_bytes // 4 - HEAD - 900)


def test_a_file_ends_at_sixteen_megabytes(folder: Path) -> None:
    files = Files(folder, SETTINGS, 256 * 2**20, BEGAN)
    line = b"x" * 2**20 + b"\n"
    for _ in range(17):
        files.write([line])
    files.close()
    assert list(sizes(folder)) == ["000001.jsonl", "000002.jsonl"]
    assert 15 * 2**20 < sizes(folder)["000001.jsonl"] <= keeper.FILE_BYTES


def test_there_are_never_more_than_so_many_files_however_small(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "MOST_FILES", 5)
    for _ in range(8):
        files = Files(folder, SETTINGS, PLENTY, BEGAN)
        files.write([b"{}\n"])
        files.close()
    assert list(sizes(folder)) == [f"{number:06}.jsonl" for number in range(4, 9)]


def test_a_line_larger_than_a_file_may_be_is_still_written(folder: Path) -> None:
    files = Files(folder, SETTINGS, 1000, BEGAN)
    files.write([b"x" * 3000 + b"\n", b"y" * 3000 + b"\n"])
    files.close()
    assert list(sizes(folder)) == ["000002.jsonl"]  # the current one is never deleted


def test_a_queue_that_nobody_empties_is_bounded_and_keeps_the_newest(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    keep = kept(period_s=60.0)
    steps = news(0, keeper.MOST_LINES + 10)
    for each in steps:
        keep(each)
    assert keep.state.lost_lines == 10
    keep.close()
    assert times(folder) == [each.t_s for each in steps[10:]]
    (run,) = keeper.read(folder)
    assert isinstance(run, Recording)
    assert run.began is not None
    assert run.began.part == 1  # a first file, of part 0, is missing


# ------------------------------------------------------------------ disks that fail


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "disk read-only"),
        (errno.EIO, "disk broken"),
        (errno.ENOSPC, "disk full"),
        (errno.EMFILE, "too many open files"),
    ],
)
@pytest.mark.parametrize("where", ["make", "write", "sync"])
def test_a_disk_that_fails_is_named_and_tried_again_with_a_new_file(
    where: str, number: int, said: str, kept: Callable[..., Keeper], folder: Path, card: Card
) -> None:
    keep = kept(make=card)
    for each in news(0, 10):
        keep(each)
    until(lambda: folder.exists() and len(times(folder)) == 10)
    card.where, card.error = where, number
    if where == "make":
        keep.close()
        keep = kept(make=card)
    for each in news(10, 10):
        keep(each)
    until(lambda: keep.state.failed == said)
    tried = len(card.made)
    for each in news(20, 10):
        keep(each)
    until(lambda: len(card.made) > tried)
    assert keep.state.lost_lines == 0  # the disk may come back
    card.error = None
    for each in news(30, 10):
        keep(each)
    until(lambda: keep.state.failed is None)
    keep.close()
    assert keep.state.lost_lines == 0
    found = times(folder)
    assert found == [each.t_s for each in news(0, 40)][-len(found) :]
    # For want of room the oldest are given up for the newest.
    assert len(found) == 40 or (number == errno.ENOSPC and len(found) >= 20)


def test_after_an_error_it_waits_and_does_not_hammer_the_disk(
    kept: Callable[..., Keeper], card: Card
) -> None:
    card.where, card.error = "make", errno.EROFS
    keep = kept(make=card, again_s=60.0)
    keep(step(0.0))
    until(lambda: keep.state.failed)
    for each in news(1, 20):
        keep(each)
        time.sleep(0.005)
    assert len(card.made) == 1


def test_while_a_disk_fails_lines_are_dropped_and_counted(
    kept: Callable[..., Keeper], folder: Path, card: Card
) -> None:
    card.where, card.error = "make", errno.EROFS
    keep = kept(make=card, again_s=0.001)
    count = 3 * keeper.MOST_LINES
    for first in range(0, count, 100):
        for each in news(first, 100):
            keep(each)
        tried = len(card.made)
        until(lambda tried=tried: len(card.made) > tried)
    until(lambda: keep.state.lost_lines >= count - 2 * keeper.MOST_LINES)
    card.error = None
    until(lambda: keep.state.failed is None)
    keep.close()
    found = times(folder)
    assert len(found) + keep.state.lost_lines == count
    assert found == [each.t_s for each in news(count - len(found), len(found))]
    assert len(found) >= keeper.MOST_LINES


def test_where_lines_are_missing_there_are_two_runs(folder: Path) -> None:
    encode = journal.Encoder()
    lines = [encode(each) or b"" for each in news(0, 9)]
    files = Files(folder, SETTINGS, PLENTY, BEGAN)
    files.write(lines[:3])
    files.write(lines[6:], gap=True)
    files.close()
    runs = list(keeper.read(folder))
    assert [len(run.steps) for run in runs if isinstance(run, Recording)] == [3, 3]


@settings(deadline=None, max_examples=60)
@given(
    room=st.integers(0, 12_000),
    older=st.lists(st.integers(1, 4000), max_size=4),
    count=st.integers(1, 30),
)
def test_a_full_disk_takes_the_oldest_first_and_leaves_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, room: int, older: list[int], count: int
) -> None:
    folder = tmp_path_factory.mktemp("full")
    for number, size in enumerate(older, start=1):
        (folder / f"{number:06}.jsonl").write_bytes(b"x" * size)
    card = Card()
    card.room_bytes = room
    encode = journal.Encoder()
    lines = [encode(each) or b"" for each in news(0, count)]
    rest = list(lines)
    files = Files(folder, SETTINGS, PLENTY, BEGAN, card)
    failed = False
    try:
        files.write(rest)
    except OSError:
        failed = True
    files.close()
    if failed:
        assert all(int(name[:6]) > len(older) for name in sizes(folder))  # all that was old is gone
        assert HEAD + len(b"".join(lines)) > room
    wanted = [each.t_s for each in news(0, count)]
    assert times_after(folder, len(older)) == wanted[: count - len(rest)]
    assert bool(rest) == failed
    card.room_bytes = None
    files.write(rest)  # when there is room again nothing is missing
    files.close()
    assert times_after(folder, len(older)) == wanted


def times_after(folder: Path, older: int) -> list[float]:
    mine = [path for path in sorted(folder.iterdir()) if int(path.stem) > older]
    return [t_s for path in mine for t_s, _ in journal.read(path, SETTINGS).steps]


@pytest.mark.parametrize("where", ["write", "sync", "make"])
def test_a_disk_that_hangs_stops_neither_the_walk_nor_its_end(
    where: str, kept: Callable[..., Keeper], card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "HANGS_S", 0.02)
    card.running.clear()

    def make(path: Path) -> Spoilt:
        if where == "make":
            card.stand_still()
        elif where == "sync":
            card.running.set()
            made = card(path)
            made.write(b"")
            card.running.clear()
            return made
        return card(path)

    keep = kept(make=make)
    keep(step(0.0))
    assert card.waiting.wait(SOON_S)
    steps = news(1, keeper.MOST_LINES + 500)
    worst_s = 0.0
    for each in steps:
        before_s = time.thread_time()
        keep(each)
        worst_s = max(worst_s, time.thread_time() - before_s)
    assert worst_s < 0.05
    until(lambda: keep.state.failed == "disk does not answer")
    before_s = time.monotonic()
    keep.close()
    assert time.monotonic() - before_s < keeper.CLOSE_S + 0.3
    assert keep.state.failed == "disk does not answer"
    assert keep.state.lost_lines >= len(steps)
    card.running.set()


def test_a_hung_disk_that_comes_back_costs_only_what_did_not_fit(
    kept: Callable[..., Keeper], folder: Path, card: Card
) -> None:
    keep = kept(make=card)
    card.running.clear()
    for each in news(0, 5):
        keep(each)
    assert card.waiting.wait(SOON_S)
    for each in news(5, keeper.MOST_LINES + 100):
        keep(each)
    card.running.set()
    until(lambda: not keep._queue)
    keep.close()
    assert 95 <= keep.state.lost_lines <= 105
    found = times(folder)
    assert len(found) + keep.state.lost_lines == keeper.MOST_LINES + 105
    assert found[0] == 0.0
    assert found[-1] == news(keeper.MOST_LINES + 104, 1)[0].t_s
    assert len(list(keeper.read(folder))) == 2  # before the gap, and after it


def test_an_error_of_any_kind_costs_the_journal_only(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    tries: list[Path] = []

    def make(path: Path) -> OnCard:
        tries.append(path)
        if len(tries) == 1:
            raise RuntimeError("no such luck")
        return OnCard(path)

    keep = kept(make=make)
    keep(step(0.0))
    until(lambda: keep.state.failed == "RuntimeError: no such luck")
    until(lambda: keep.state.failed is None)
    keep.close()
    assert times(folder) == [0.0]


def test_a_disk_that_takes_nothing_is_broken_and_not_asked_for_ever(
    kept: Callable[..., Keeper],
) -> None:
    class Deaf(OnCard):
        def write(self, data: Any, /) -> int:
            return 0

    keep = kept(make=Deaf)
    keep(step(0.0))
    until(lambda: keep.state.failed == "disk broken")


def test_a_step_that_cannot_be_written_down_does_not_end_the_walk(
    kept: Callable[..., Keeper],
) -> None:
    keep = kept()
    odd: Any = object()
    keep(odd)
    assert keep.state.lost_lines == 1


def test_a_file_in_the_folders_place_is_an_error_and_no_end(
    kept: Callable[..., Keeper], folder: Path
) -> None:
    folder.write_text("in the way")
    keep = kept()
    keep(step(0.0))
    until(lambda: keep.state.failed == "file exists")
    keep.close()
    assert keep.state.lost_lines == 1
    assert folder.read_text() == "in the way"


def test_a_limit_on_a_files_size_ends_a_file_and_begins_another(folder: Path, card: Card) -> None:
    files = Files(folder, SETTINGS, PLENTY, BEGAN)
    line = b"x" * 999 + b"\n"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        rest = [line] * 30
        with pytest.raises(OSError, match="too large"):
            files.write(rest)
        files.write(rest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    files.close()
    whole = [path.read_bytes().count(line) for path in sorted(folder.iterdir())]
    assert sum(whole) == 30
    assert len(whole) == 2


# ------------------------------------------------------------------ a real, small disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A memory disk of 64 kB."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "disk"
    place.mkdir()
    if libc.mount(b"none", bytes(place), b"tmpfs", 0, b"size=64k") != 0:
        pytest.skip("mounting takes root")
    yield place
    assert libc.umount2(bytes(place), 2) == 0


def test_a_real_disk_that_is_full_of_journals_keeps_the_newest(
    small_disk: Path, kept: Callable[..., Keeper]
) -> None:
    folder = small_disk / "journals"
    for first in (0, 200, 400, 600):
        keep = kept(folder=folder)
        for each in news(first, 100):
            keep(each)
        keep.close()
        assert keep.state.lost_lines == 0
        assert keep.state.failed is None
    assert "000001.jsonl" not in sizes(folder)
    assert times(folder)[-100:] == [each.t_s for each in news(600, 100)]


def test_a_real_disk_that_others_filled_costs_the_journal_until_there_is_room(
    small_disk: Path, kept: Callable[..., Keeper]
) -> None:
    folder, hog = small_disk / "journals", small_disk / "hog"
    hog.write_bytes(bytes(60 * 1024))
    keep = kept(folder=folder)
    for each in news(0, 100):
        keep(each)
    until(lambda: keep.state.failed == "disk full")
    hog.unlink()
    until(lambda: keep.state.failed is None)
    keep.close()
    assert keep.state.lost_lines == 0
    assert times(folder) == [each.t_s for each in news(0, 100)]


def test_a_real_disk_that_is_read_only_costs_the_journal_and_nothing_else(
    small_disk: Path, kept: Callable[..., Keeper]
) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    remount = 32
    assert libc.mount(b"none", bytes(small_disk), b"tmpfs", remount | 1, b"") == 0
    keep = kept(folder=small_disk / "journals")
    keep(step(0.0))
    until(lambda: keep.state.failed == "disk read-only")
    assert libc.mount(b"none", bytes(small_disk), b"tmpfs", remount, b"") == 0
    until(lambda: keep.state.failed is None)
    keep.close()
    assert times(small_disk / "journals") == [0.0]


# ------------------------------------------------------------------ what it costs


def test_the_thread_sleeps_between_its_seconds(kept: Callable[..., Keeper]) -> None:
    keep = kept(period_s=0.1)
    keep(step(0.0))
    until(lambda: keep.state.written_bytes)
    status = Path(f"/proc/self/task/{keep._thread.native_id}/status")

    def woken() -> int:
        text = status.read_text()
        return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = woken()
    time.sleep(0.5)
    assert 1 <= woken() - before <= 25  # ten times a second would be what is due, twice over


# ------------------------------------------------------------------ after a power cut


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file with ten lines."""
    folder = tmp_path_factory.mktemp("walked")
    files = Files(folder, SETTINGS, PLENTY, BEGAN)
    encode = journal.Encoder()
    files.write([encode(each) or b"" for each in news(0, 10)])
    files.close()
    return (folder / "000001.jsonl").read_bytes()


@pytest.fixture(scope="module")
def cut_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


@settings(deadline=None, max_examples=200)
@given(data=st.data(), zeros=st.integers(0, 5000))
def test_a_journal_cut_at_any_byte_gives_its_whole_lines_with_zeros_behind_them_or_without(
    cut_in: Path, walked: bytes, data: st.DataObject, zeros: int
) -> None:
    cut = data.draw(st.integers(0, len(walked)))
    (cut_in / "000001.jsonl").write_bytes(walked[:cut] + bytes(zeros))
    (cut_in / "000002.jsonl").write_bytes(walked)
    whole = walked[:cut].count(b"\n")
    found = [len(run.steps) for run in keeper.read(cut_in) if isinstance(run, Recording)]
    assert found == ([whole - 1, 10] if whole else [10])
    assert not [run for run in keeper.read(cut_in) if isinstance(run, InputError)]


def test_every_cut_of_a_last_file_is_read(cut_in: Path, walked: bytes) -> None:
    (cut_in / "000002.jsonl").unlink(missing_ok=True)
    for cut in range(len(walked)):
        (cut_in / "000001.jsonl").write_bytes(walked[:cut])
        expected = max(0, walked[:cut].count(b"\n") - 1)
        assert len(times(cut_in)) == expected, cut


@pytest.mark.parametrize("content", [b"", bytes(4096), b'{"rearguard":"0.1', b'{"rear' + bytes(99)])
def test_a_file_without_one_whole_line_is_skipped(
    folder: Path, walked: bytes, content: bytes
) -> None:
    folder.mkdir()
    (folder / "000001.jsonl").write_bytes(content)
    (folder / "000002.jsonl").write_bytes(walked)
    assert len(times(folder)) == 10
    with pytest.raises(InputError, match=r"000001.jsonl:1: "):
        journal.read(folder / "000001.jsonl", SETTINGS)


def test_a_file_that_is_spoilt_within_is_named_and_costs_no_other(
    folder: Path, walked: bytes
) -> None:
    folder.mkdir()
    rows = walked.split(b"\n")
    (folder / "000001.jsonl").write_bytes(walked)
    (folder / "000002.jsonl").write_bytes(b"\n".join([*rows[:3], b"\0" * 50, *rows[4:]]))
    (folder / "000003.jsonl").write_bytes(walked)
    (folder / "000003.jsonl.bak").write_bytes(b"not one of ours")
    first, wrong, last = keeper.read(folder)
    assert isinstance(first, Recording)
    assert isinstance(last, Recording)
    assert str(wrong).startswith(f"{folder / '000002.jsonl'}:4: not a journal line")


def test_journals_are_read_in_the_order_they_were_written_beyond_six_digits(
    folder: Path, walked: bytes
) -> None:
    folder.mkdir()
    for name in ("999999.jsonl", "1000000.jsonl"):
        (folder / name).write_bytes(walked.replace(b"0f-boot", name.encode()))
    runs = [run.began for run in keeper.read(folder) if isinstance(run, Recording)]
    assert [began.boot_id for began in runs if began] == ["999999.jsonl", "1000000.jsonl"]


def test_journals_that_do_not_say_when_they_began_are_runs_of_their_own(folder: Path) -> None:
    folder.mkdir()
    for name in ("000001.jsonl", "000002.jsonl"):
        (folder / name).write_bytes(journal.header(SETTINGS))
    assert len(list(keeper.read(folder))) == 2


def test_a_folder_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: No such file.*; give a folder of journals"):
        list(keeper.read(tmp_path / "absent"))
