"""The walk as the running device knows it: begun, told, kept, and never in a warning's way."""

import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device import status
from device.clock import VirtualClock
from device.core.coach import Begun
from device.core.pipeline import Step
from device.errors import InputError
from device.history.book import open_book, read_book
from device.history.records import Walk as Kept
from device.history.scribe import Scribe
from device.journal import Began
from device.settings import CoachSettings, Settings
from device.sim import scenario
from device.sim.run import Walk
from tests.test_daemon import SOON_S
from tests.test_service_run import Manager, Run, assert_well, manager, well

__all__ = ["manager"]

TO_AND_FRO = """
title = "A wall, nearer and farther"
duration_s = 600.0
expect = "any"
[walker]
heeds = false
bob_m = 0.0
sway_deg = 0.0
legs = [
%s
]
[[obstacles]]
shape = "wall"
along_m = 3.8
""" % "\n".join(  # noqa: UP031 - braces are TOML's
    f"  {{ for_s = 2.0, speed_mps = {mps} }}," for mps in (0.6, -0.6) * 150
)


def walking(now: status.Snapshot) -> bool:
    return now.walk_s is not None


def kept(path: Path) -> list[Kept]:
    with read_book(path) as book:
        return book.walks()


def until_kept(path: Path, wanted: Callable[[Kept], bool]) -> Kept:
    """The first walk in the book, once it is as `wanted`."""
    deadline_s = time.monotonic() + SOON_S
    while True:
        with contextlib.suppress(InputError):  # it is just being made
            if (found := kept(path)) and wanted(found[0]):
                return found[0]
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.fixture
def walker(manager: Manager) -> Iterator[Run]:
    """A service whose wearer walks, and is known to."""
    manager.settings(TO_AND_FRO)
    run = manager.start()
    run.ready()
    run.status(walking)
    yield run
    run.kill()


def test_a_walk_begins_by_itself_is_in_the_status_and_kept_until_the_service_stops(
    manager: Manager, walker: Run
) -> None:
    now = walker.status(lambda now: well(now) and walking(now))
    assert now.target_s == 15 * 60.0
    assert now.history is not None
    assert "walking 0:0" in status.text(now)
    assert any(line.startswith("history ") and "walks.db" in line for line in status.lines(now))
    path = manager.state / "walks.db"
    one = until_kept(path, lambda walk: walk.totals.walked_s >= 2.0)
    assert one.beginning.begun == Begun.MOTION
    assert one.ended is None
    assert walker.end(signal.SIGTERM) == 0
    (ended,) = kept(path)
    assert ended.ended == "stopped"
    assert ended.totals.backward_m > 0.5
    assert ended.totals.forward_m > 0.5
    assert not path.with_name("walks.db-wal").exists(), "left whole, for whoever copies it"
    assert_well(walker)


def test_a_service_that_is_killed_leaves_the_walk_up_to_the_last_second(
    manager: Manager, walker: Run
) -> None:
    path = manager.state / "walks.db"
    until_kept(path, lambda walk: walk.totals.walked_s >= 2.0)
    walked_s = walker.status(walking).walk_s
    assert walked_s is not None
    walker.send(signal.SIGKILL)
    walker.end()
    (cut,) = kept(path)
    assert cut.ended is None
    with read_book(path) as book:
        assert book.seconds(cut.id)[-1].t_s >= walked_s - 2.5


def test_a_reload_amid_a_walk_divides_it(manager: Manager, walker: Run) -> None:
    path = manager.state / "walks.db"
    until_kept(path, lambda walk: walk.totals.walked_s >= 1.0)
    manager.settings(TO_AND_FRO, "[motor]\nstrength = 0.5\n")
    walker.reload()
    walker.status(walking)
    assert walker.end(signal.SIGTERM) == 0
    assert [(walk.beginning.begun, walk.ended) for walk in kept(path)] == [
        (Begun.MOTION, "stopped"),
        (Begun.MOTION, "stopped"),
    ]


def test_a_reload_does_not_forget_who_said_that_they_walk(manager: Manager) -> None:
    run = manager.start(arguments=("--walk",))  # before something that does not move
    run.ready()
    run.status(walking)
    manager.settings(more="[motor]\nstrength = 0.5\n")
    run.reload()
    run.status(walking)
    assert run.end(signal.SIGTERM) == 0
    begun = [walk.beginning.begun for walk in kept(manager.state / "walks.db")]
    assert begun == [Begun.COMMAND, Begun.COMMAND]


def test_a_history_that_is_not_wanted_is_not_kept(manager: Manager) -> None:
    manager.settings(TO_AND_FRO, "[walks]\nenabled = false\n")
    run = manager.start()
    run.ready()
    assert run.status(walking).history is None
    assert run.end(signal.SIGTERM) == 0
    assert not (manager.state / "walks.db").exists()


def test_a_history_that_is_no_database_is_put_aside_and_said(manager: Manager) -> None:
    path = manager.state / "walks.db"
    path.write_bytes(b"nothing of the kind" * 100)
    manager.settings(TO_AND_FRO)
    run = manager.start()
    run.ready()
    now = run.status(lambda now: now.history is not None and now.history.aside is not None)
    assert now.fault is None
    assert any("a broken one is at" in line for line in status.lines(now))
    until_kept(path, lambda walk: walk.totals.walked_s >= 2.0)
    assert run.end(signal.SIGTERM) == 0


def test_by_hand_a_walk_can_begin_at_once_and_be_kept_where_one_likes(manager: Manager) -> None:
    path = manager.folder / "mine.db"
    manager.settings(TO_AND_FRO)
    run = manager.start(by_hand=True, arguments=("--walk", "--history", str(path)))
    one = until_kept(path, lambda walk: walk.totals.walked_s >= 1.0)
    assert one.beginning.begun == Begun.COMMAND
    assert one.beginning.began_s < 1.0
    assert run.end(signal.SIGINT) == 0
    assert kept(path)[0].ended == "stopped"


def test_by_hand_a_place_that_cannot_be_written_to_is_said_at_once(manager: Manager) -> None:
    path = manager.folder / "missing" / "mine.db"
    run = manager.start(by_hand=True, arguments=("--history", str(path)))
    assert run.end() == 2
    assert run.said() == (
        f"rearguard: {path}: no history can be kept there: unable to open database file;"
        " give another"
    )


def test_by_hand_what_is_no_history_is_left_alone(manager: Manager) -> None:
    path = manager.folder / "notes.txt"
    path.write_text("not a database\n" * 100, encoding="utf-8")
    run = manager.start(by_hand=True, arguments=("--history", str(path)))
    assert run.end() == 2
    assert f"{path}: no history can be kept there" in run.said()
    assert path.read_text(encoding="utf-8").startswith("not a database")


# ------------------------------------------------------- the alerts are the same

BREAKS = TO_AND_FRO + '[[breakages]]\nat_s = 20.0\nfailure = "off"\n'
WORLDS = {
    "a wall": scenario.load("wall@0.5"),
    "a sensor that breaks": scenario.parse(BREAKS, "breaks"),
    "a park": scenario.load("park"),
}
TROUBLES = {
    "healthy": None,
    "locked": "database locked",
    "full": "disk full",
    "read-only": "disk read-only",
}
BEGAN = Began("boot", 0.0, 0.0, False)


def steps(name: str, coach: CoachSettings, *observers: Callable[[Step], None]) -> list[Step]:
    """A walk that nobody heeds, so that the world is the same whatever is said."""
    told: list[Step] = []
    world = scenario.shortened(scenario.unheeded(WORLDS[name]), 120.0)
    Walk(world, Settings(coach=coach), 7, VirtualClock()).go([told.append, *observers])
    return told


def locked(path: Path, stack: contextlib.ExitStack) -> None:
    """Somebody else writes, and does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    stack.callback(other.close)
    other.execute("BEGIN EXCLUSIVE")


def trouble(name: str, path: Path, stack: contextlib.ExitStack) -> Scribe:
    """A scribe whose book is that."""
    open_book(path).close()
    if name == "locked":
        locked(path, stack)

    def opened(path: Path):  # type: ignore[no-untyped-def]
        book = open_book(path)
        if name == "full":
            (pages,) = book.connection.execute("PRAGMA page_count").fetchone()
            book.connection.execute(f"PRAGMA max_page_count = {pages}")
        elif name == "read-only":
            book.connection.execute("PRAGMA query_only = ON")
        return book

    return Scribe(path, Settings(), BEGAN, open_book=opened, period_s=0.005, again_s=0.005)


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("world", WORLDS)
def test_every_step_is_the_same_whatever_becomes_of_the_history(
    world: str, name: str, tmp_path: Path
) -> None:
    alone = steps(world, CoachSettings())
    with contextlib.ExitStack() as stack:
        scribe = trouble(name, tmp_path / "walks.db", stack)
        watched = steps(world, CoachSettings(), scribe)
        scribe.close()
    assert watched == alone
    assert any(step.walk is not None for step in alone)
    assert scribe.state.failed == TROUBLES[name]
    assert (scribe.state.lost > 0) == (name != "healthy")
