"""Who has a thing open: another process, by name and number, and never this one."""

import os
from pathlib import Path

import pytest

from device import procs


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(procs, "PROC", tmp_path)
    return tmp_path


def runs(proc: Path, pid: int, name: str, *opened: str) -> None:
    folder = proc / str(pid) / "fd"
    folder.mkdir(parents=True)
    for number, target in enumerate(opened):
        (folder / str(number)).symlink_to(target)
    (proc / str(pid) / "comm").write_text(f"{name}\n", "utf-8")


def is_it(link: Path) -> bool:
    return str(link.readlink()) == "/dev/it"


def test_the_holder_has_a_name_and_a_number(proc: Path) -> None:
    runs(proc, 70, "bystander", "/dev/null", "/dev/its-neighbour")
    runs(proc, 71, "my program", "/dev/null", "/dev/it")
    assert procs.holders(is_it) == ["my program (process 71)"]


def test_each_holder_is_named_once(proc: Path) -> None:
    runs(proc, 70, "bystander", "/dev/null")
    runs(proc, 71, "my program", "/dev/it", "/dev/null", "/dev/it")
    runs(proc, 72, "another", "/dev/null", "/dev/it")
    found = procs.holders(is_it)
    assert sorted(found) == ["another (process 72)", "my program (process 71)"]


def test_nobody_is_an_empty_list(proc: Path) -> None:
    runs(proc, 70, "bystander", "/dev/null")
    runs(proc, 72, "idler")
    (proc / "self").mkdir()
    assert procs.holders(is_it) == []


def test_this_process_is_not_its_own_hindrance(proc: Path) -> None:
    runs(proc, os.getpid(), "pytest", "/dev/it")
    assert procs.holders(is_it) == []


def test_one_that_ends_while_it_is_looked_at_hides_nobody_else(proc: Path) -> None:
    for pid in (70, 71, 72):
        runs(proc, pid, "fleeting", "/dev/it")
        (proc / str(pid) / "comm").unlink()
    runs(proc, 73, "lasting", "/dev/it")
    assert procs.holders(is_it) == ["lasting (process 73)"]


def test_without_a_proc_nobody_is_seen(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procs, "PROC", proc / "none")
    assert procs.holders(is_it) == []


def test_a_name_that_is_no_text_is_still_a_name(proc: Path) -> None:
    runs(proc, 71, "x", "/dev/it")
    (proc / "71" / "comm").write_bytes(b"b\xffd\n")
    assert procs.holders(is_it) == ["b\N{REPLACEMENT CHARACTER}d (process 71)"]
