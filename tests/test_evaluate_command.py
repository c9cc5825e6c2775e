"""`rearguard evaluate` and `replay --onsets`: what a person and a program get to see."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from device.core.reading import Echo
from device.evaluate import recordings
from device.evaluate.peers import OURS, PEERS
from device.evaluate.recordings import Onsets
from device.journal import read
from device.settings import Settings
from tests.conftest import Command

SHORT = ("evaluate", "--seeds", "2", "--jobs", "1", "--only", "wall@1.0", "--only", "stuck-low")


def test_a_person_reads_a_row_a_scenario_the_peers_and_the_gates(rearguard: Command) -> None:
    ran = rearguard(*SHORT)
    assert ran.status == 0, ran.out
    assert ran.err == ""
    assert "wall@1.0                   2/2" in ran.out
    assert all(name in ran.out for name in (OURS, *PEERS))
    assert "\ngood: " in ran.out
    assert max(map(len, ran.out.splitlines())) <= 120


def test_a_program_reads_one_object_with_everything_in_it(rearguard: Command) -> None:
    ran = rearguard(*SHORT, "--json")
    found = json.loads(ran.out)
    assert ran.status == 0
    assert found["good"] is True
    assert found["seeds"] == [1, 2]
    assert [row["name"] for row in found["scenarios"]] == ["wall@1.0", "stuck-low"]
    assert found["scenarios"][0]["recall"]["value"] == 1.0
    assert [row["name"] for row in found["contenders"]] == [OURS, *PEERS]
    assert {gate["key"]: gate["passed"] for gate in found["gates"]}["fault"] is True
    # A tutorial's loop waits for an answer that never comes: its fault was never told.
    assert found["contenders"][1]["fault_slowest_s"]["value"] == "never"


def test_a_missed_gate_is_status_1_and_its_walk_can_be_walked_again(
    rearguard: Command, tmp_path: Path
) -> None:
    blunt = tmp_path / "blunt.toml"
    blunt.write_text("[alert]\ndanger_ttc_s = 0.9\n")
    walls = ("evaluate", "--only", "wall@1.0", "--seeds", "1", "--jobs", "1", "--config", blunt)
    ran = rearguard(*walls)
    assert ran.status == 1
    assert "\nNOT GOOD: " in ran.out
    assert "FAIL  told to stop before the required distance" in ran.out
    (case,) = (
        case
        for case in json.loads(rearguard(*walls, "--json").out)["cases"]
        if case["what"].startswith("not told")
    )
    again = tmp_path / "again.jsonl"
    walk = ("simulate", case["scenario"], "--seed", case["seed"], "--unheeded", "--fast")
    rearguard(*walk, "--config", blunt, "--journal", again)
    before = [
        line
        for line in map(json.loads, again.read_text().splitlines()[1:])
        if line["t_s"] <= case["t_s"]
    ]
    assert before[-1]["level"] == "warning"


def test_the_first_seed_moves_the_sample(rearguard: Command) -> None:
    assert json.loads(rearguard(*SHORT, "--first-seed", "7", "--json").out)["seeds"] == [7, 8]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--only", "nonsense"), ('scenario "nonsense"', "wall, oblique-wall")),
        (("--seeds", "0"), ("--seeds", "1 to 100000")),
        (("--jobs", "many"), ("--jobs", "'many'")),
        (("--report", "/nowhere/page.html", "--only", "curb"), ("/nowhere/page.html",)),
    ],
)
def test_what_is_wrong_is_one_line_that_names_it(
    rearguard: Command, arguments: tuple[str, ...], names: tuple[str, ...]
) -> None:
    ran = rearguard("evaluate", *arguments)
    assert ran.status == 2
    assert len(ran.err.splitlines()) == 1
    assert all(name in ran.err for name in names)


def test_the_page_is_written(rearguard: Command, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert rearguard(*SHORT, "--report", page).status == 0
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_two_processes_come_to_the_same_as_one() -> None:
    command = (sys.executable, "-m", "device", *SHORT, "--json")
    alone = subprocess.run(command, check=True, capture_output=True)
    both = subprocess.run((*command, "--jobs", "2"), check=True, capture_output=True)
    assert both.stdout == alone.stdout
    assert both.stderr == b""


# --------------------------------------------------------------------------- recordings


def recorded(path: Path, rows: list[tuple[float, float | None]]) -> Path:
    """A CSV as `replay` takes it."""
    cells = "".join(f"{t_s:.3f},{'' if d is None else f'{d:.3f}'}\n" for t_s, d in rows)
    path.write_text("time_s,distance_m\n" + cells)
    return path


def passers_by(path: Path) -> Path:
    """33 pings a second at a wall 3 m away; six people pass at 1.5 m; every ninth ping is a ghost.

    The shape of pings that hear the ping before: single near echoes, all over the place.
    """
    rng = random.Random(5)
    rows: list[tuple[float, float | None]] = []
    for i in range(33 * 60):
        t_s = i / 33
        d = rng.gauss(1.4 if t_s % 10 > 8 else 3.0, 0.01)
        rows.append((t_s, rng.uniform(0.4, 1.3) if rng.random() < 1 / 9 else d))
    return recorded(path, rows)


def by_name(found: list[Onsets], threshold_m: float) -> dict[str, Onsets]:
    return {one.contender: one for one in found if one.threshold_m == threshold_m}


def test_passers_by_are_noticed_in_time_and_ghosts_are_not(tmp_path: Path) -> None:
    recording = read(passers_by(tmp_path / "people.csv"), Settings())
    found = by_name(recordings.onsets(recording, Settings()), 1.5)
    ours, single = found[OURS], found["single ping"]
    assert (ours.real, ours.missed) == (6, 0)
    assert ours.delay_p95_s.value is not None
    assert ours.delay_p95_s.value <= 5 / 33 + 0.001
    assert single.spurious > 50
    assert ours.spurious <= single.spurious / 10


def test_a_desk_logged_five_times_a_second_is_noticed_by_the_fifth_ping(tmp_path: Path) -> None:
    rows: list[tuple[float, float | None]] = []
    for i in range(300):
        near = 20 <= i % 60 < 40
        rows.append((i / 5, None if near and i % 7 == 0 else 0.2 if near else 2.4))
    recording = read(recorded(tmp_path / "desk.csv", rows), Settings())
    ours = by_name(recordings.onsets(recording, Settings()), 1.0)[OURS]
    assert (ours.real, ours.missed, ours.spurious) == (5, 0, 0)
    assert ours.delay_p95_s.value is not None
    assert ours.delay_p95_s.value <= 0.8 + 1e-6


def test_truth_looks_ahead_four_of_five() -> None:
    near = [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0]
    readings = [Echo(i / 10, 0.5 if one else 2.0) for i, one in enumerate(near)]
    assert recordings._real(readings, 1.0) == [(0.1, 0.5), (1.5, 2.0)]


def test_the_onsets_of_a_recording_are_a_table_and_an_object(
    rearguard: Command, tmp_path: Path
) -> None:
    path = passers_by(tmp_path / "people.csv")
    table = rearguard("replay", path, "--onsets")
    assert table.status == 0
    assert OURS in table.out
    assert "single ping" in table.out
    found = json.loads(rearguard("replay", path, "--onsets", "--json").out)["onsets"]
    assert {one["threshold_m"] for one in found} == set(recordings.THRESHOLDS_M)
