"""Explaining a walk: decided again from its journal, and held against what was recorded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from device import journal, keeper
from device.clock import VirtualClock
from device.core.alert import DeviceFault
from device.core.pipeline import FIRST, Start, Step
from device.history import book
from device.history.records import Event
from device.history.scribe import Notebook
from device.journal import Began
from device.settings import CoachSettings, Settings
from device.sim import scenario
from device.sim.run import Walk
from device.walks import explain
from tests.conftest import Command

BOOT, ZERO_S, WALL_S = "a1b2c3d4-0000", 40.0, 1_780_000_000.0
LASTS_S = 200.0
MIB = 2**20
USUAL = Settings()


class Lived:
    """A folder as the device leaves it: the history, and the journals beside it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.journals = folder / "walks.db", folder / keeper.JOURNALS

    def live(
        self,
        name: str = "park",
        settings: Settings = USUAL,
        boot: str = BOOT,
        zero_s: float = ZERO_S,
        start: Start = FIRST,
        most_bytes: int = 256 * MIB,
        from_s: float = 0.0,
    ) -> "Lived":
        """Walk a scenario; keep its journal, and its history as if it had begun at `from_s`."""
        began = Began(boot, zero_s, WALL_S + zero_s, True)
        files = keeper.Files(self.journals, settings, most_bytes, began)
        encode, lines = journal.Encoder(), list[bytes]()

        def write(step: Step) -> None:
            if (line := encode(step)) is not None:
                lines.append(line)
            if len(lines) >= 100:
                files.write(lines)

        walked = replace(scenario.load(name), duration_s=LASTS_S)
        with book.open_book(self.path) as opened:
            notes = Notebook(opened, settings, boot, zero_s, WALL_S)

            def note(step: Step) -> None:
                walk = step.walk if step.t_s >= from_s else None
                if walk is not None and from_s:
                    walk = replace(walk, began_s=from_s)
                notes(replace(step, walk=walk))

            Walk(walked, settings, 1, VirtualClock(), start).go([write, note])
            notes.close()
        files.write(lines)
        files.close()
        return self

    def files(self) -> list[Path]:
        return sorted(self.journals.iterdir())

    def change(self, sql: str, *values: object) -> None:
        with book.open_book(self.path) as opened:
            assert opened.connection.execute(sql, values).rowcount

    def report(self, number: int = 1) -> explain.Report:
        with book.read_book(self.path) as opened:
            walk, events = opened.walk(number), opened.events(number)
            seconds = opened.seconds(number)
        when = explain.words.whens([walk])[0]
        return explain.report(walk, when, seconds[-1].t_s + 1.0, events, self.journals)


@pytest.fixture
def lived(tmp_path: Path) -> Lived:
    return Lived(tmp_path)


def stored(lived: Lived, number: int = 1) -> list[Event]:
    with book.read_book(lived.path) as opened:
        return opened.events(number)


def marks(found: explain.Report) -> list[str]:
    return [told.record for told in found.events]


def test_a_walk_comes_to_the_same_again(lived: Lived) -> None:
    found = lived.live().report()
    assert found.good
    assert found.whole
    assert found.levels > 2000
    assert found.differ == 0
    kinds = {told.event.what for told in found.events}
    assert {"caution", "warning", "danger"} <= kinds
    assert [told.event for told in found.events] == stored(lived)
    assert any(told.event.reaction_s is not None for told in found.events)
    assert found.said == sum(told.event.kind != "cue" for told in found.events) > 5
    assert list(explain.lines(found))[-1] == (
        f"good: each of {found.levels} levels and {found.said} warnings and faults comes out again"
        " as recorded"
    )


@pytest.mark.parametrize(
    "settings",
    [Settings(coach=CoachSettings(mode="plan")), Settings(coach=CoachSettings(enabled=False))],
    ids=["plan", "silent"],
)
def test_a_walk_that_was_asked_otherwise_does_too(lived: Lived, settings: Settings) -> None:
    found = lived.live(settings=settings).report()
    assert (found.good, found.differ) == (True, 0)
    assert [told.event for told in found.events] == stored(lived)


def test_so_does_one_that_began_by_word(lived: Lived) -> None:
    found = lived.live("unplugged", start=Start(walking=True)).report()
    assert found.good
    faults = [told.event for told in found.events if told.event.kind == "fault"]
    assert faults
    assert faults[0].cause


def test_a_fault_of_the_device_is_in_no_journal(lived: Lived) -> None:
    start = Start(walking=True).doubting(DeviceFault.SETTINGS)
    found = lived.live(start=start).report()
    assert "settings" in {told.event.what for told in found.events}
    assert found.good


def test_a_journal_of_many_files_is_one(lived: Lived) -> None:
    lived.live(most_bytes=MIB)
    assert len(lived.files()) > 2
    assert lived.report().good


def test_what_the_record_alone_has_is_told(lived: Lived) -> None:
    lived.live()
    lived.change("UPDATE event SET t_ms = t_ms + 30000 WHERE what = 'danger'")
    found = lived.report()
    assert not found.good
    assert [mark for mark in marks(found) if mark != "same"] == ["missing", "alone"]
    assert found.otherwise == 2
    lines = "\n".join(explain.lines(found))
    assert "(not in the record)" in " ".join(lines.split())
    assert "(only in the record)" in " ".join(lines.split())
    assert "NOT GOOD: " in lines


def test_levels_that_differ_are_counted(lived: Lived) -> None:
    lived.live()
    (file,) = lived.files()
    rows = file.read_bytes().split(b"\n")
    at = [i for i, row in enumerate(rows) if b'"level":"danger"' in row][:3]
    for i in at:
        rows[i] = rows[i].replace(b'"level":"danger"', b'"level":"stop"')
    file.write_bytes(b"\n".join(rows))
    found = lived.report()
    assert (found.differ, found.good) == (3, False)
    assert list(explain.lines(found))[-1] == (
        f"NOT GOOD: 3 of {found.levels} levels and 0 of {found.said} warnings and faults differ"
    )


def test_a_line_that_the_power_cut_off_is_left(lived: Lived) -> None:
    lived.live()
    (file,) = lived.files()
    file.write_bytes(file.read_bytes()[:-40])
    found = lived.report()
    assert found.differ == 0
    assert found.to_s > 100.0


def test_without_its_runs_beginning_it_says_so(lived: Lived) -> None:
    lived.live(most_bytes=MIB)
    lived.files()[0].unlink()
    found = lived.report()
    assert not found.whole
    assert found.from_s > 10.0
    assert found.differ < 0.02 * found.levels
    assert "The beginning of its run is gone" in "\n".join(explain.lines(found))


def test_a_walk_late_in_its_run_is_replayed_from_shortly_before(lived: Lived) -> None:
    lived.live(most_bytes=MIB, from_s=150.0)
    _damage(lived.files()[0])
    found = lived.report()
    assert found.good
    assert (found.whole, found.damaged, found.from_s) == (False, [], 0.0)
    assert explain.BEFORE_S <= found.before_s < 140.0
    assert found.levels > 500
    said = "\n".join(explain.lines(found))
    assert "Replayed was a part of its run, from 1 min " in said
    assert "may differ" not in said


def test_nothing_is_called_wrong_before_the_whole_run_was_replayed(lived: Lived) -> None:
    lived.live(most_bytes=MIB, from_s=150.0)
    lived.change("UPDATE event SET t_ms = t_ms + 3000 WHERE kind = 'alert' AND what = 'caution'")
    found = lived.report()
    assert (found.good, found.whole) == (False, True)


def _damage(file: Path) -> None:
    rows = file.read_bytes().split(b"\n")
    rows[7] = b"\x00" * len(rows[7])
    file.write_bytes(b"\n".join(rows))


def test_a_damaged_file_is_named_and_the_others_are_told(lived: Lived) -> None:
    lived.live(most_bytes=MIB)
    second = lived.files()[1]
    _damage(second)
    found = lived.report()
    (damaged,) = found.damaged
    assert damaged.startswith(f"{second}:8: ")
    assert "alone" not in marks(found)
    assert found.differ < 0.02 * found.levels
    assert "Damaged, and left out" in "\n".join(explain.lines(found))


def test_a_journal_that_is_damaged_is_not_gone(lived: Lived) -> None:
    lived.live()
    (file,) = lived.files()
    _damage(file)
    with pytest.raises(explain.InputError) as damaged:
        lived.report()
    assert str(damaged.value).startswith(f"walk 1: its journal is damaged: {file}:8: ")
    file.write_bytes(b"\x00" * 4096)
    with pytest.raises(explain.InputError) as gone:
        lived.report()
    assert str(gone.value).startswith(f"walk 1: its journal is gone, or is damaged: {file}:1: ")


def test_a_simulated_walk_can_be_explained_too(rearguard: Command, tmp_path: Path) -> None:
    path = tmp_path / "walks.db"
    for seed in (1, 2):
        rearguard("simulate", "park", "--fast", "--duration", 90, "--seed", seed, "--history", path)
    for number in (1, 2):
        ran = rearguard("walks", "explain", number, "--history", path)
        assert (ran.status, ran.err) == (0, "")
        assert ran.out.splitlines()[-1].startswith("good: ")


def test_events_that_no_journal_reaches_are_not_held_against_it(lived: Lived) -> None:
    lived.live(most_bytes=MIB)
    for file in lived.files()[1:]:
        file.unlink()
    found = lived.report()
    assert found.good
    assert found.to_s < 150.0
    assert max(told.event.t_s for told in found.events) <= found.to_s + 0.01
    assert any(event.t_s > found.to_s for event in stored(lived))
    assert any(line.startswith("The journals still have 0:00 to ") for line in explain.lines(found))


def test_files_that_are_none_are_left_out(lived: Lived) -> None:
    lived.live()
    (lived.journals / "000007.jsonl").write_bytes(b"\x00\xff not a journal\n")
    (lived.journals / "000008.jsonl").write_bytes(b"")
    (lived.journals / "notes.txt").write_text("mine")
    (lived.journals / "000009.jsonl").mkdir()
    assert lived.report().good


def test_each_walk_has_its_own_run(lived: Lived) -> None:
    lived.live().live(zero_s=ZERO_S + 900.0).live(boot="another-boot")
    for number in (1, 2, 3):
        assert lived.report(number).good
    lived.files()[1].unlink()
    assert lived.report(1).good
    assert lived.report(3).good
    with pytest.raises(explain.InputError, match="walk 2: its journal is gone"):
        lived.report(2)


def _emptied(lived: Lived) -> str:
    for file in lived.files():
        file.unlink()
    return "no journal is kept in "


def _taken_away(lived: Lived) -> str:
    for file in lived.files():
        file.unlink()
    lived.journals.rmdir()
    return "no journal is kept in "


def _replaced(lived: Lived) -> str:
    for file in lived.files():
        file.unlink()
    lived.live(boot="later", zero_s=86_400.0)
    return "reach back to 2026-05-29; "


@pytest.mark.parametrize("lose", [_emptied, _taken_away, _replaced])
def test_a_journal_that_is_gone_is_one_line(
    rearguard: Command, lived: Lived, lose: Callable[[Lived], str]
) -> None:
    lived.live()
    why = lose(lived)
    ran = rearguard("walks", "explain", "1", "--history", lived.path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("rearguard: walk 1: its journal is gone; ")
    assert why in ran.err
    assert ran.err.endswith("what is kept of it: rearguard walks show 1\n")
    assert ran.err.count("\n") == 1


def test_the_command_says_whether_they_agree(rearguard: Command, lived: Lived) -> None:
    lived.live()
    ran = rearguard("walks", "explain", "--history", lived.path)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-1].startswith("good: ")
    assert len(lines) >= 3 + len(stored(lived))
    assert max(map(len, lines)) <= 80
    found = json.loads(rearguard("walks", "explain", "--json", "--history", lived.path).out)
    assert (found["walk"], found["good"], found["differ"]) == (1, True, 0)
    lived.change("DELETE FROM event WHERE what = 'danger'")
    assert rearguard("walks", "explain", "--history", lived.path).status == 1
