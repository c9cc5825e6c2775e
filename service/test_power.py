"""A hundred power cuts at random moments of walks: what a card keeps of their history.

No systemd is needed for that: the scribe in a process of its own, walking in real time on a small
ext4, whose file system is shut down without a flush at that moment. What the kernel had not been
made to write is gone then, as on a card. Several disks lose power at once; on two more, time runs
sixty times as fast, to meet what comes seldom: walks end, and the log begins anew.

It takes root and loop devices, and runs by itself too: `.venv/bin/pytest service/test_power.py`.
SERVICE_SEED and SERVICE_CUTS choose other moments, and how many.
"""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from device.errors import InputError
from device.history.book import Book, open_book, read_book
from device.history.records import Event, Second, Walk
from service.rig import _EXT4_SHUTDOWN, _WITHOUT_A_FLUSH, _do, median, until

SEED = int(os.environ.get("SERVICE_SEED", "1"))
CUTS = int(os.environ.get("SERVICE_CUTS", "100"))
LANES = {1.0: 6, 60.0: 2}
"""How many disks there are for how fast time runs on them."""
LASTS_S = (0.2, 4.0)
SECOND_S = 1.0
"""What a cut may take: the second that is not over, and the write that is under way."""
SLACK_S = 0.4
"""For a busy machine, as in `test_endings.py`."""
DISK_MB = 16
BUSY_S = 5.0
ROOT = Path(__file__).resolve().parents[1]
WALK = """
title = "Up to a wall and back, then standing"
number = 1
duration_s = 3600.0
expect = "any"

[walker]
heeds = false
legs = [
"""
WALK += "  { for_s = 3.0, speed_mps = 1.0 }, { for_s = 3.0, speed_mps = -1.0 },\n" * 10
WALK += """  { for_s = 130.0, speed_mps = 0.0 },
  { for_s = 3.0, speed_mps = 1.0 }, { for_s = 3.0, speed_mps = -1.0 },
  { for_s = 3.0, speed_mps = 1.0 }, { for_s = 3.0, speed_mps = -1.0 },
]

[[obstacles]]
shape = "wall"
along_m = 3.4
"""
WALKER = """
import sys, time
from pathlib import Path
from device import loop
from device.clock import VirtualClock
from device.core.pipeline import Start, Step
from device.history.scribe import Scribe
from device.journal import Began
from device.settings import Settings
from device.sim import scenario
from device.sim.rig import Rig

path, world, fast, seed = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
clock, settings = VirtualClock(), Settings()
rig = Rig(scenario.load(world), settings, seed, clock)
start = Start(walking=True)
with loop.assemble(settings, clock, rig.board, rig.device_rng, rig.open_port, start) as device:
    began_s = time.monotonic()
    keep = Scribe(path, settings, Began("boot", began_s, 0.0, False), wall=lambda: None)
    print(began_s, flush=True)

    def in_time(step: Step) -> None:
        time.sleep(max(0.0, began_s + step.t_s / fast - time.monotonic()))

    device.run(device.ticker(3600.0), loop.fan_out([in_time, keep]))
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a disk to be cut off takes root"),
    pytest.mark.skipif(
        os.environ.get("SERVICE_SUITE", "trixie") != "trixie", reason="once will do for both suites"
    ),
]


class Kept(NamedTuple):
    """What is in the book of one walk."""

    walk: Walk
    seconds: list[Second]
    events: list[Event]


class Disk:
    """A small ext4 that power can be taken from, with nothing but a history on it."""

    def __init__(self, folder: Path) -> None:
        self.place, self.image = folder / "disk", folder / "image"
        self.place.mkdir(parents=True)
        self.path = self.place / "walks.db"
        with self.image.open("wb") as file:
            file.truncate(DISK_MB * 2**20)
        _do("mkfs.ext4", "-q", "-b", "4096", str(self.image))

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Mounted."""
        _do("mount", "-o", "loop,noatime", str(self.image), str(self.place))
        try:
            yield
        finally:
            until(self._off, BUSY_S)

    def _off(self) -> bool:
        """Another lane's child may still hold it open, between its fork and its exec."""
        done = subprocess.run(["umount", str(self.place)], check=False, capture_output=True)
        return done.returncode == 0

    def cut(self) -> None:
        """From this instant on nothing is written any more."""
        number = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(number, _EXT4_SHUTDOWN, _WITHOUT_A_FLUSH)
        finally:
            os.close(number)


def walk_and_cut(disk: Disk, world: Path, fast: float, rng: random.Random) -> float:
    """Walk for a while; for how long, until the power went."""
    seed, lasts_s = rng.randrange(2**31), rng.uniform(*LASTS_S)
    words = [sys.executable, "-c", WALKER, str(disk.path), str(world), str(fast), str(seed)]
    with (
        disk.on(),
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,
    ):
        try:
            assert process.stdout is not None
            began_s = float(process.stdout.readline())
            time.sleep(max(0.0, began_s + lasts_s - time.monotonic()))
            assert process.poll() is None
            cut_s = time.monotonic()
            disk.cut()
        finally:
            process.send_signal(signal.SIGKILL)
    return cut_s - began_s


def all_of(book: Book) -> list[Kept]:
    """What is in it."""
    return [Kept(each, book.seconds(each.id), book.events(each.id)) for each in book.walks()]


def as_read(path: Path) -> list[Kept]:
    """What whoever may only read finds."""
    try:
        with read_book(path) as book:
            return all_of(book)
    except InputError as error:
        if "holds no walk yet" not in str(error):
            raise
        return []


def left(disk: Disk, scratch: Path) -> list[Kept]:
    """All that is kept, to a reader and to the device. The disk stays as the cut has left it."""
    shutil.rmtree(scratch, ignore_errors=True)
    with disk.on():
        shutil.copytree(disk.place, scratch, ignore=shutil.ignore_patterns("lost+found"))
    path = scratch / disk.path.name
    if not path.exists():
        return []
    to_a_reader = as_read(path)
    with open_book(path) as book:
        for check, good in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            assert book.connection.execute(f"PRAGMA {check}").fetchall() == good
        found = all_of(book)
    assert found == to_a_reader
    for walk, seconds, _ in found:
        assert [second.t_s for second in seconds] == [*range(len(seconds))], walk
        assert walk.totals.walked_s <= len(seconds) + 1.0
    return found


def lane(folder: Path, world: Path, fast: float, number: int, cuts: int) -> list[float]:
    """Cut after cut on one disk; what each took, seconds of ours."""
    rng = random.Random(f"{SEED} {fast} {number}")
    disk = Disk(folder)
    before: list[Kept] = []
    lost_s = []
    for cut in range(cuts):
        where = f"cut {cut} on disk {number} of seed {SEED}, {fast:g} times as fast"
        lasted_s = walk_and_cut(disk, world, fast, rng)
        found = left(disk, folder / "copy")
        assert found[: len(before)] == before, f"{where}: an earlier walk is another now"
        new = found[len(before) :]
        kept_s = sum(len(seconds) for _, seconds, _ in new) / fast
        lost_s.append(lasted_s - kept_s)
        if fast == 1.0:
            assert len(new) <= 1, where
            assert lost_s[-1] <= SECOND_S + SLACK_S, f"{where}: {lost_s[-1]:.3f} s lost"
        before = found
    return lost_s


def test_a_power_cut_takes_the_last_second_at_most_and_breaks_nothing(
    tmp_path: Path, note: Callable[[str], None]
) -> None:
    world = tmp_path / "walk.toml"
    world.write_text(WALK, encoding="utf-8")
    began_s = time.monotonic()
    with ThreadPoolExecutor(sum(LANES.values())) as lanes:
        jobs = {}
        for fast, count in LANES.items():
            each = -(-CUTS // LANES[1.0])
            for number in range(count):
                folder = tmp_path / f"{fast:g}-{number}"
                jobs[fast, number] = lanes.submit(lane, folder, world, fast, number, each)
    lost_s = [one for (fast, _), job in jobs.items() for one in job.result() if fast == 1.0]
    others = sum(len(job.result()) for (fast, _), job in jobs.items() if fast != 1.0)
    said = f"{median(lost_s):.2f} s of the history lost, at worst {max(lost_s):.2f}"
    took_s = time.monotonic() - began_s
    note(f"{len(lost_s)} power cuts: {said} (1.0 promised); {others} more sixty times as fast")
    note(f"no history broken; all that took {took_s:.0f} s")
