"""The shipped scenarios are good, say so to people and machines, and stay what they were.

The golden journals in tests/golden hold what two walks decided and did, instant by
instant. When a change of them is meant, look at it and renew them:

    .venv/bin/python -m tests.test_scenarios
"""

import functools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device import check, journal, profiles
from device.clock import VirtualClock
from device.core.pipeline import Step
from device.errors import InputError
from device.settings import Settings
from device.sim import scenario
from device.sim.run import Walk
from device.sim.summary import FAULT_WITHIN_S, Summary
from tests.conftest import Ran

SETTINGS = Settings()
SEEDS = (1, 2, 3, 4, 5)
WALKS = [(name, seed) for name in scenario.shipped() for seed in SEEDS]
GOLDEN = Path(__file__).parent / "golden"
WINDOWS = {"wall": (0.0, 3.0), "unplugged": (2.2, 5.0)}
"""Which seconds of which walk, at seed 1, are kept as golden."""


@functools.cache
def walked(name: str, seed: int) -> Summary:
    return Walk(scenario.load(name), SETTINGS, seed, VirtualClock()).go()


def one_object(text: str) -> dict[str, Any]:
    """The JSON object that the text must be, with its line end and nothing else."""
    found, end = json.JSONDecoder().raw_decode(text)
    assert text[end:] == "\n"
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------ how the walks end


@pytest.mark.parametrize(("name", "seed"), WALKS)
def test_every_shipped_scenario_is_good(name: str, seed: int) -> None:
    summary = walked(name, seed)
    assert summary.good, summary.verdict
    assert summary.clear_while_dead_s == 0.0
    assert summary.false_fault_s == 0.0
    assert summary.duration_s == scenario.load(name).duration_s
    assert sum(summary.level_s.values()) == pytest.approx(summary.duration_s, abs=0.01)


@pytest.mark.parametrize(
    ("name", "seed"), [(n, s) for n, s in WALKS if scenario.load(n).expect == "warning"]
)
def test_a_warning_comes_in_time_and_the_walker_stops_short(name: str, seed: int) -> None:
    summary = walked(name, seed)
    first = summary.first_warning
    assert first is not None
    assert first.true_m is not None
    assert first.needed_m == pytest.approx(profiles.needed_m("default", 1.0), abs=0.001)
    # In time, and not at the first sight of something four metres away.
    assert first.needed_m < first.true_m < 3.0
    assert summary.warned_in_time is True
    assert summary.contact_mps is None
    assert summary.stopped_m is not None
    assert profiles.HEEL_LEAD_M < summary.stopped_m < first.true_m
    danger = summary.first_danger
    assert danger is None or (danger.t_s > first.t_s and danger.true_m < first.true_m)  # type: ignore[operator]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_walk_toward_a_wall_is_warned_where_check_says(seed: int) -> None:
    row = next(row for row in check.report(SETTINGS, "").speeds if row.speed_mps == 1.0)
    first = walked("wall", seed).first_warning
    assert first is not None
    # Cold air is assumed in air of 20 degrees: seen 5 % too near, so warned a little early.
    # Two readings confirm it: a little late.
    assert first.true_m == pytest.approx(row.warning_m, abs=0.2)


@pytest.mark.parametrize(
    ("name", "seed"), [(n, s) for n, s in WALKS if scenario.load(n).expect == "fault"]
)
def test_a_fault_is_announced_within_the_time_allowed(name: str, seed: int) -> None:
    summary = walked(name, seed)
    assert summary.fault == {"unplugged": "stopped-answering", "stuck-high": "stuck-high"}[name]
    assert summary.fault_after_s is not None
    assert 0.0 < summary.fault_after_s <= FAULT_WITHIN_S
    if name == "stuck-high":
        assert summary.recovered_after_s is not None
        assert 0.0 < summary.recovered_after_s < 1.5


@pytest.mark.parametrize(
    ("name", "seed"), [(n, s) for n, s in WALKS if scenario.load(n).expect == "quiet"]
)
def test_where_nothing_is_there_nothing_urgent_is_said(name: str, seed: int) -> None:
    summary = walked(name, seed)
    assert summary.first_warning is None
    assert set(summary.level_s) <= {"clear", "caution"}
    assert summary.fault is None


@pytest.mark.parametrize("seed", SEEDS)
def test_someone_who_crosses_is_noticed(seed: int) -> None:
    assert walked("crossing", seed).first_warning is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_the_wall_that_one_stands_before_is_warned_of(seed: int) -> None:
    assert walked("standing", seed).level_s["danger"] > 50.0


# ------------------------------------------------------------------ the command


def test_the_scenarios_that_tools_rely_on_are_shipped() -> None:
    assert set(scenario.shipped()) >= {
        "wall",
        "unplugged",
        "open-field",
        "standing",
        "crossing",
        "follower",
        "rain",
    }


def test_list_names_every_scenario_with_its_title(rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "--list")
    assert (ran.status, ran.err) == (0, "")
    named = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert named == {name: scenario.load(name).title for name in scenario.shipped()}


def test_list_as_json_is_one_object(rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "--list", "--json")
    assert (ran.status, ran.err) == (0, "")
    titles = {name: scenario.load(name).title for name in scenario.shipped()}
    assert one_object(ran.out) == {"scenarios": titles}


@pytest.mark.parametrize("name", ["wall", "unplugged", "crossing"])
def test_json_is_one_object_with_the_walks_summary(
    name: str, rearguard: Callable[..., Ran]
) -> None:
    ran = rearguard("simulate", name, "--fast", "--seed", 2, "--json")
    assert (ran.status, ran.err) == (0, "")
    found = one_object(ran.out)
    expected = walked(name, 2)
    assert found["scenario"] == expected.scenario
    assert found["seed"] == 2
    assert found["good"] is True
    assert found["verdict"] == expected.verdict
    assert found["readings"] == expected.readings
    assert found["level_s"] == expected.level_s
    assert found["interrupted"] is False
    assert found["overruns"] == 0
    assert found["times_real_time"] > 10


def test_a_walk_is_told_in_lines_and_ends_with_the_verdict(
    rearguard: Callable[..., Ran],
) -> None:
    ran = rearguard("simulate", "wall", "--fast", "--seed", 1)
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[-1] == f"good: {walked('wall', 1).verdict}"
    assert any("WARNING" in line for line in lines)


def test_without_a_name_it_is_the_walk_toward_the_wall(rearguard: Callable[..., Ran]) -> None:
    assert one_object(rearguard("simulate", "--fast", "--json").out)["scenario"] == (
        scenario.load("wall").title
    )


def test_the_scenario_and_seed_of_the_configuration_are_taken(
    rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[simulation]\nscenario = "pole"\nseed = 4\n', encoding="utf-8")
    found = one_object(rearguard("simulate", "--fast", "--json", "--config", path).out)
    assert (found["scenario"], found["seed"]) == (scenario.load("pole").title, 4)
    other = rearguard("simulate", "wall", "--seed", 5, "--fast", "--json", "--config", path)
    found = one_object(other.out)
    assert (found["scenario"], found["seed"]) == (scenario.load("wall").title, 5)


TOO_FAST = """
title = "Too fast for what can be seen"
duration_s = 4.0
expect = "warning"
[walker]
legs = [{ for_s = 60.0, speed_mps = 2.5 }]
[[obstacles]]
shape = "pole"
along_m = 3.0
seen_to_m = 0.9
"""


def test_a_warning_that_comes_too_late_is_status_1(
    rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    path = tmp_path / "fast.toml"
    path.write_text(TOO_FAST, encoding="utf-8")
    ran = rearguard("simulate", path, "--fast", "--json")
    assert (ran.status, ran.err) == (1, "")
    found = one_object(ran.out)
    assert found["good"] is False
    assert found["warned_in_time"] is False
    told = rearguard("simulate", path, "--fast")
    assert told.status == 1
    assert told.out.splitlines()[-1] == f"NOT GOOD: {found['verdict']}"


def test_a_full_disk_costs_the_journal_and_not_the_walk(rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "wall", "--fast", "--json", "--journal", "/dev/full")
    assert ran.status == 1  # what was asked for, a journal, is not there
    assert one_object(ran.out)["good"] is True
    assert re.fullmatch(
        r"rearguard: /dev/full: journal ended early: No space left on device;.*\n", ran.err
    )


# ------------------------------------------------------------------ duration and seed


@pytest.mark.parametrize("text", ["0", "-1", "86400.001", "nan", "inf", "-inf", "soon", ""])
def test_a_duration_out_of_bounds_is_status_2(text: str, rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "wall", "--fast", f"--duration={text}")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "--duration" in ran.err
    assert f"{text!r}: give seconds, above 0 and up to 86400" in ran.err


@pytest.mark.parametrize("seconds", [0.001, 0.25, 2.0, 20.0])
def test_a_walk_lasts_as_long_as_is_asked(seconds: float, rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "open-field", "--fast", "--json", "--duration", seconds)
    assert ran.status == 0
    assert one_object(ran.out)["duration_s"] == seconds


@pytest.mark.parametrize("seconds", [1.0000001, 2.0987523852, 1 / 3, 0.9999999])
def test_a_walk_ends_whatever_the_fraction_of_its_last_microsecond(seconds: float) -> None:
    class EndlessError(Exception):
        pass

    def count(step: Step) -> None:
        times.append(step.t_s)
        if len(times) > 2000:
            raise EndlessError(f"at {step.t_s} s time stands still")

    times: list[float] = []
    world = scenario.shortened(scenario.load("open-field"), seconds)
    Walk(world, SETTINGS, 1, VirtualClock()).go([count])
    assert times[-1] <= seconds


@pytest.mark.parametrize("text", ["-1", "1.5", "one", "", "0x1", "²", "9" * 5000])
def test_a_seed_that_is_no_whole_number_is_status_2(
    text: str, rearguard: Callable[..., Ran]
) -> None:
    ran = rearguard("simulate", "wall", "--fast", f"--seed={text}")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "give a whole number from 0" in ran.err


@pytest.mark.parametrize("seed", [0, 2**31, 10**30])
def test_any_whole_number_is_a_seed(seed: int, rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", "wall", "--fast", "--json", "--seed", seed)
    assert ran.status == 0
    assert one_object(ran.out)["seed"] == seed


# ------------------------------------------------------------------ scenarios that are wrong


BASE = 'title = "t"\nduration_s = 1.0\nexpect = "any"\n'
BAD_SCENARIOS = {
    "empty": ("", "title", ""),
    "unknown-key": (f"{BASE}colour = 1\n", "colour", ""),
    "unknown-table": (f"{BASE}[wlaker]\n", "wlaker", ""),
    "unknown-key-within": (f"{BASE}[walker]\nspeed = 1.0\n", "speed", ""),
    "wrong-type": (BASE.replace('"t"', "1971"), "title", "1971"),
    "a-list-for-a-table": (f"{BASE}walker = [17]\n", "walker", ""),
    "an-int-for-a-bool": (f"{BASE}[walker]\nheeds = 19\n", "heeds", "19"),
    "too-fast": (
        f"{BASE}[walker]\nlegs = [{{ for_s = 1, speed_mps = 3.5 }}]\n",
        "speed_mps",
        "3.5",
    ),
    "too-long": (BASE.replace("1.0", "86401.0"), "duration_s", "86401"),
    "no-time": (BASE.replace("1.0", "-7.5"), "duration_s", "-7.5"),
    "not-a-number": (BASE.replace("1.0", "nan"), "duration_s", "nan"),
    "infinite": (f"{BASE}[air]\nnoise_m = inf\n", "noise_m", "inf"),
    "more-than-all": (f"{BASE}[air]\nloss = 1.25\n", "loss", "1.25"),
    "not-a-choice": (BASE.replace("any", "nothing"), "expect", "nothing"),
    "no-such-shape": (f'{BASE}[[obstacles]]\nshape = "hedge"\n', "shape", "hedge"),
    "no-shape": (f"{BASE}[[obstacles]]\nalong_m = 1.0\n", "shape", ""),
    "no-such-failure": (f'{BASE}[[breakages]]\nat_s = 1\nfailure = "offf"\n', "failure", "offf"),
    "not-toml": (f"{BASE}[walker\n", "not valid TOML", ""),
    "too-long-a-number": (f"{BASE}[air]\nloss = {'9' * 5000}\n", "", ""),
    "a-key-of-two-lines": (f'{BASE}"a\\nb" = 1\n', "unknown", ""),
}


@pytest.mark.parametrize("name", BAD_SCENARIOS)
def test_a_bad_scenario_is_one_line_with_its_file_and_key_and_status_2(
    name: str, rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    content, key, _ = BAD_SCENARIOS[name]
    path = tmp_path / "walk.toml"
    path.write_text(content, encoding="utf-8")
    ran = rearguard("simulate", path, "--fast", "--json")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}: ")
    assert ran.err.count("\n") == 1
    assert key in ran.err.removeprefix(f"rearguard: {path}: ")


@pytest.mark.parametrize("name", [name for name, (_, _, value) in BAD_SCENARIOS.items() if value])
def test_what_is_said_of_a_bad_scenario_names_the_value(name: str) -> None:
    content, _, value = BAD_SCENARIOS[name]
    with pytest.raises(InputError, match=re.escape(value)):
        scenario.parse(content, "walk.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe\x00", "not UTF-8"), ("# Gehölz".encode("latin-1"), "not UTF-8")],
)
def test_a_scenario_that_is_not_utf_8_is_said_to_be(
    content: bytes, said: str, rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    path = tmp_path / "walk.toml"
    path.write_bytes(content)
    ran = rearguard("simulate", path, "--fast")
    assert (ran.status, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_scenario_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "walk.toml"
    path.write_text(BASE, encoding="utf-8-sig")
    assert scenario.load(str(path)).title == "t"


def test_a_missing_scenario_file_is_status_2(rearguard: Callable[..., Ran], tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    ran = rearguard("simulate", path, "--fast")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}: No such file or directory; name a ")
    assert ran.err.count("\n") == 1


def test_a_directory_is_no_scenario(rearguard: Callable[..., Ran], tmp_path: Path) -> None:
    ran = rearguard("simulate", tmp_path, "--fast")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {tmp_path}: Is a directory")


@pytest.mark.parametrize("name", ["wal", "Wall", "wall "])
def test_an_unknown_name_is_answered_with_those_there_are(
    name: str, rearguard: Callable[..., Ran]
) -> None:
    ran = rearguard("simulate", name, "--fast")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f'rearguard: scenario "{name}": not shipped; ')
    assert ran.err.count("\n") == 1
    for shipped in scenario.shipped():
        assert shipped in ran.err


# ------------------------------------------------------------------ golden journals


def golden(name: str) -> str:
    """What the walk at seed 1 says and does in its window: a line for each change."""
    from_s, until_s = WINDOWS[name]
    found: list[tuple[float, str]] = []

    def note(step: Step) -> None:
        entry = journal.line(step)
        said = f"{entry.level} {entry.fault or '-'} {entry.buzzer} {entry.motor:g}"
        if from_s <= entry.t_s < until_s and (not found or found[-1][1] != said):
            found.append((entry.t_s, said))

    world = scenario.shortened(scenario.load(name), until_s)
    Walk(world, SETTINGS, 1, VirtualClock()).go([note])
    head = f"# {name}, seed 1, {from_s:g} to {until_s:g} s: t_s level fault buzzer motor\n"
    return head + "".join(f"{t_s:.6f} {said}\n" for t_s, said in found)


def renew() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name in WINDOWS:
        (GOLDEN / f"{name}.txt").write_text(golden(name), encoding="utf-8")


@pytest.mark.parametrize("name", WINDOWS)
def test_a_walk_is_what_its_golden_journal_says(name: str) -> None:
    # Meant to be different? See this file's first lines.
    kept = (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    assert golden(name).splitlines() == kept.splitlines()


def test_the_golden_journals_hold_what_they_are_kept_for() -> None:
    wall, unplugged = (
        (GOLDEN / f"{name}.txt").read_text(encoding="utf-8") for name in ("wall", "unplugged")
    )
    levels = [line.split()[1] for line in wall.splitlines()[1:]]
    assert list(dict.fromkeys(levels)) == ["clear", "caution", "warning", "danger"]
    faults = [line.split()[2] for line in unplugged.splitlines()[1:]]
    assert list(dict.fromkeys(faults)) == ["-", "stopped-answering"]
    assert max(len(wall), len(unplugged)) < 20_000


if __name__ == "__main__":
    renew()
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider", "-k", "golden"]))
