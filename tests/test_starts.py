"""How the last run ended, and how often in a row it did so unbidden."""

import json
import time
from pathlib import Path

import pytest

from device import starts
from device.starts import Beginning

FIRST = Beginning()


def crash_after(folder: Path, lived_s: float, quick_ends: int) -> None:
    """The note of a run that began `lived_s` ago and is no more."""
    note = {"began_s": time.monotonic() - lived_s, "quick_ends": quick_ends}
    (folder / starts.NOTE).write_text(json.dumps(note), encoding="utf-8")


def test_the_first_run_is_no_restart(tmp_path: Path) -> None:
    assert starts.begin(tmp_path) == FIRST
    assert not FIRST.looping


def test_after_a_clean_end_the_next_is_no_restart_either(tmp_path: Path) -> None:
    starts.begin(tmp_path)
    starts.end(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert starts.begin(tmp_path) == FIRST


def test_three_quick_ends_in_a_row_are_a_loop(tmp_path: Path) -> None:
    counted = [starts.begin(tmp_path) for _ in range(5)]
    assert [one.quick_ends for one in counted] == [0, 1, 2, 3, 4]
    assert [one.restarted for one in counted] == [False, True, True, True, True]
    assert [one.looping for one in counted] == [False, False, False, True, True]


def test_a_clean_end_forgets_them(tmp_path: Path) -> None:
    for _ in range(4):
        starts.begin(tmp_path)
    starts.end(tmp_path)
    assert starts.begin(tmp_path) == FIRST


@pytest.mark.parametrize(("lived_s", "quick_ends"), [(0.0, 3), (55.0, 3), (61.0, 0), (86_400.0, 0)])
def test_an_end_counts_within_a_minute_of_its_beginning(
    tmp_path: Path, lived_s: float, quick_ends: int
) -> None:
    crash_after(tmp_path, lived_s, quick_ends=2)
    assert starts.begin(tmp_path) == Beginning(restarted=True, quick_ends=quick_ends)


def test_a_long_life_resets_also_a_loop(tmp_path: Path) -> None:
    crash_after(tmp_path, 61.0, quick_ends=7)
    assert not starts.begin(tmp_path).looping
    assert starts.begin(tmp_path).quick_ends == 1  # and what is counted next begins anew


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"began_s":12.',
        b"null",
        b"[]",
        b"{}",
        b"\0" * 40,
        b"\xff\xfe",
        b'{"began_s":1e400}',
        b'{"began_s":"now"}',
        b'{"began_s":1.0,"quick_ends":"many"}',
        b'{"began_s":1.0,"quick_ends":1e99}',
        b'{"began_s":1.0,"quick_ends":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)
def test_a_torn_or_hostile_note_is_an_unclean_end_and_no_more(
    tmp_path: Path, content: bytes
) -> None:
    """Its writer is gone, so it did not end as it should; how often is not known."""
    (tmp_path / starts.NOTE).write_bytes(content)
    assert starts.begin(tmp_path) == Beginning(restarted=True)
    assert starts.begin(tmp_path) == Beginning(restarted=True, quick_ends=1)


@pytest.mark.parametrize("began_s", [-1e300, 1e300])
def test_a_time_that_cannot_be_does_no_harm(tmp_path: Path, began_s: float) -> None:
    (tmp_path / starts.NOTE).write_text(f'{{"began_s":{began_s}}}', encoding="utf-8")
    beginning = starts.begin(tmp_path)
    assert beginning.restarted
    assert not beginning.looping


def test_without_a_folder_nothing_is_known() -> None:
    assert starts.begin(None) == FIRST
    starts.end(None)


def test_a_folder_that_vanished_or_is_none_costs_only_the_count(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    vanished = tmp_path / "vanished"
    assert starts.begin(vanished) == FIRST
    starts.end(vanished)
    assert not starts.begin(file).looping
    starts.end(file)


def test_a_note_that_cannot_be_read_written_or_removed_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / starts.NOTE).mkdir()
    assert starts.begin(tmp_path) == Beginning(restarted=True)
    starts.end(tmp_path)


def test_a_run_that_could_not_begin_leaves_what_it_found(tmp_path: Path) -> None:
    """Two crashes, pins that are busy for a while, and a third crash are a crash loop."""
    starts.begin(tmp_path)
    starts.begin(tmp_path)
    for _ in range(3):
        beginning = starts.begin(tmp_path)
        assert beginning == Beginning(restarted=True, quick_ends=2)
        starts.excuse(tmp_path, beginning)
    assert starts.begin(tmp_path) == Beginning(restarted=True, quick_ends=2)
    assert starts.begin(tmp_path) == Beginning(restarted=True, quick_ends=3)


def test_a_first_run_that_could_not_begin_leaves_nothing(tmp_path: Path) -> None:
    starts.excuse(tmp_path, starts.begin(tmp_path))
    assert starts.begin(tmp_path) == Beginning()
    starts.excuse(None, Beginning())
