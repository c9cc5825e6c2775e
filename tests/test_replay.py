"""Replay: what a journal recorded is decided again, and a CSV is walked as the loop would."""

import functools
import io
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import config, journal
from device.clock import VirtualClock
from device.core.alert import State
from device.core.pipeline import Step
from device.core.reading import Echo, Fault, Nothing, PingFault
from device.errors import InputError
from device.failures import Failure
from device.settings import AlertSettings, Settings
from device.sim import replay, scenario
from device.sim.run import Walk
from device.sim.scenario import (
    Air,
    Breakage,
    Leg,
    Obstacle,
    Phantom,
    Scenario,
    Stall,
    Walker,
)
from tests.conftest import Ran

SETTINGS = Settings()
SEEDS = (1, 2, 3)
LONGEST_S = 30.0
COLUMNS = ("t_s", "level", "fault", "buzzer", "motor")
HEAD = "time_s,distance_m\n"


def run(world: Scenario, seed: int, with_settings: Settings = SETTINGS) -> bytes:
    """The journal of a walk."""
    stream = io.BytesIO()
    walk = Walk(world, with_settings, seed, VirtualClock())
    walk.go([journal.Writer(stream, with_settings)])
    return stream.getvalue()


@functools.cache
def walked(name: str, seed: int) -> bytes:
    world = scenario.load(name)
    return run(scenario.shortened(world, min(LONGEST_S, world.duration_s)), seed)


def rows(content: bytes) -> list[dict[str, Any]]:
    """The lines after the header."""
    return [json.loads(line) for line in content.splitlines()[1:]]


def columns(content: bytes) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in COLUMNS) for row in rows(content)]


def replayed(path: Path) -> list[Step]:
    recording = journal.read(path, SETTINGS)
    return list(replay.steps(recording, recording.settings or SETTINGS))


def csv(readings: list[tuple[float, object]]) -> str:
    return HEAD + "".join(f"{t_s:.6f},{cell}\n" for t_s, cell in readings)


def every(period_s: float, until_s: float, from_s: float = 0.0) -> list[float]:
    return [from_s + i * period_s for i in range(round((until_s - from_s) / period_s))]


# ------------------------------------------------------------------ journals


SHIPPED = [(name, 1) for name in scenario.suite()]
SHIPPED += [(name, seed) for name in ("wall", "rain", "frozen", "gap") for seed in SEEDS[1:]]


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_a_journal_replayed_has_its_levels_line_by_line(
    name: str, seed: int, tmp_path: Path
) -> None:
    path = tmp_path / "walk.jsonl"
    path.write_bytes(walked(name, seed))
    recorded = rows(walked(name, seed))
    assert len(recorded) > 9 * min(LONGEST_S, scenario.load(name).duration_s)
    again = replayed(path)
    assert [step.t_s for step in again] == [row["t_s"] for row in recorded]
    assert [step.alert.level for step in again] == [row["level"] for row in recorded]


@pytest.mark.parametrize(("name", "seed"), SHIPPED)
def test_the_journal_of_a_replay_says_the_same_at_the_same_instants(
    name: str, seed: int, tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path, out, again = (tmp_path / file for file in ("walk.jsonl", "out.jsonl", "again.jsonl"))
    path.write_bytes(walked(name, seed))
    ran = rearguard("replay", path, "--journal", out, "--json")
    assert (ran.status, ran.err) == (0, "")
    figures = json.loads(ran.out)
    assert figures["levels_agree"] is True
    assert figures["disagreements"] == 0
    assert columns(out.read_bytes()) == columns(path.read_bytes())
    assert [row["reading"] for row in rows(out.read_bytes())] == [
        row["reading"] for row in rows(path.read_bytes())
    ]
    assert rearguard("replay", out, "--journal", again).status == 0
    assert again.read_bytes() == out.read_bytes()


LEGS = st.builds(
    Leg,
    for_s=st.sampled_from([0.7, 2.0, 4.0]),
    speed_mps=st.sampled_from([-0.6, 0.0, 0.3, 0.9, 1.4]),
)
BREAKAGES = st.builds(
    Breakage, at_s=st.integers(0, 90).map(lambda i: i / 10), failure=st.sampled_from(Failure)
)
PHANTOMS = st.builds(
    Phantom,
    from_s=st.sampled_from([0.0, 2.0]),
    for_s=st.sampled_from([0.3, 3.0]),
    near_m=st.just(0.2),
    far_m=st.sampled_from([0.2, 0.4]),
    blinds=st.booleans(),
)
STALLS = st.builds(Stall, at_s=st.sampled_from([0.1, 2.5]), for_s=st.sampled_from([0.3, 1.0]))
WORLDS = st.builds(
    Scenario,
    title=st.just("any"),
    duration_s=st.just(9.0),
    expect=st.just("any"),
    walker=st.builds(
        Walker, legs=st.lists(LEGS, min_size=1, max_size=4).map(tuple), heeds=st.booleans()
    ),
    obstacles=st.lists(
        st.builds(
            Obstacle,
            shape=st.sampled_from(["wall", "pole"]),
            along_m=st.sampled_from([0.5, 1.2, 2.5, 4.0]),
            loss=st.sampled_from([0.0, 0.4]),
            depth_m=st.sampled_from([0.0, 0.3]),
        ),
        max_size=2,
    ).map(tuple),
    air=st.builds(Air, ghosts=st.sampled_from([0.0, 0.1]), crosstalk=st.sampled_from([0.0, 0.05])),
    phantoms=st.lists(PHANTOMS, max_size=1).map(tuple),
    stalls=st.lists(STALLS, max_size=1).map(tuple),
    breakages=st.lists(BREAKAGES, max_size=3).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(world=WORLDS, seed=st.integers(0, 1000))
def test_whatever_breaks_a_replay_decides_and_does_what_the_run_did(
    tmp_path_factory: pytest.TempPathFactory, world: Scenario, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    content = run(world, seed)
    path.write_bytes(content)
    again = [
        (
            step.t_s,
            step.alert.level,
            step.alert.fault,
            step.command.buzzer,
            step.command.motor,
        )
        for step in replayed(path)
    ]
    assert again == columns(content)


@pytest.mark.parametrize("name", ["wall", "unplugged", "rain"])
def test_the_same_seed_gives_the_same_journal_byte_for_byte(
    name: str, tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    contents = []
    for seed in (7, 7, 8):
        path = tmp_path / "walk.jsonl"
        rearguard("simulate", name, "--fast", "--seed", seed, "--duration", "8", "--journal", path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_another_process_with_another_hash_seed_writes_the_same_journal(tmp_path: Path) -> None:
    path = tmp_path / "walk.jsonl"
    command = [sys.executable, "-m", "device", "simulate", "unplugged", "--fast", "--seed", "3"]
    environ = {k: v for k, v in os.environ.items() if k != config.VARIABLE}
    subprocess.run(
        [*command, "--journal", str(path)],
        check=True,
        capture_output=True,
        env=environ | {"PYTHONHASHSEED": "4711"},
        cwd=Path(__file__).parents[1],
        timeout=60,
    )
    assert path.read_bytes() == walked("unplugged", 3)


def test_the_journal_of_a_run_is_that_of_the_walk_in_this_process(
    tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path = tmp_path / "walk.jsonl"
    assert rearguard("simulate", "wall", "--fast", "--seed", 2, "--journal", path).status == 0
    assert path.read_bytes() == walked("wall", 2)


def test_a_replay_takes_the_settings_that_the_run_had(
    tmp_path: Path, rearguard: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    cautious = Settings(alert=AlertSettings(profile="rehab", danger_m=1.3))
    path, other = tmp_path / "walk.jsonl", tmp_path / "fit.toml"
    path.write_bytes(run(scenario.load("wall"), 1, cautious))
    other.write_text('[alert]\nprofile = "fit"\n', encoding="utf-8")
    monkeypatch.setenv(config.VARIABLE, str(other))
    assert json.loads(rearguard("replay", path, "--json").out)["levels_agree"] is True


def test_settings_that_are_named_replace_the_recorded_and_nothing_is_held_against_them(
    tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path, other = tmp_path / "walk.jsonl", tmp_path / "fit.toml"
    path.write_bytes(walked("wall", 1))
    other.write_text('[alert]\nprofile = "fit"\n', encoding="utf-8")
    ran = rearguard("replay", path, "--config", other, "--json")
    figures = json.loads(ran.out)
    as_recorded = json.loads(rearguard("replay", path, "--json").out)
    assert ran.status == 0
    assert figures["levels_agree"] is None
    assert figures["level_s"] != as_recorded["level_s"]


# ------------------------------------------------------------------ exit status and output


def edited(content: bytes, number: int, level: str) -> bytes:
    """The journal with another level in one line, counted from 1 after the header."""
    lines = content.splitlines(keepends=True)
    line = json.loads(lines[number])
    lines[number] = json.dumps(line | {"level": level}).encode() + b"\n"
    return b"".join(lines)


@pytest.mark.parametrize("number", [1, 60, -1])
def test_one_level_that_differs_from_the_record_is_status_1(
    number: int, tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path = tmp_path / "walk.jsonl"
    level = rows(walked("wall", 1))[number - (number > 0)]["level"]
    other = "clear" if level != "clear" else "danger"
    path.write_bytes(edited(walked("wall", 1), number, other))
    ran = rearguard("replay", path, "--json")
    assert (ran.status, ran.err) == (1, "")
    figures = json.loads(ran.out)
    assert (figures["disagreements"], figures["levels_agree"]) == (1, False)
    told = rearguard("replay", path)
    assert told.status == 1
    assert told.out.splitlines()[-1].endswith("NOT GOOD: 1 levels differ from the record")


def test_a_replay_that_agrees_says_so_in_its_last_line(
    tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path = tmp_path / "walk.jsonl"
    path.write_bytes(walked("wall", 1))
    ran = rearguard("replay", path)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[-1].endswith("; the same levels as recorded")
    assert "DANGER" in ran.out


def test_json_is_one_object_and_nothing_else(tmp_path: Path, rearguard: Callable[..., Ran]) -> None:
    path = tmp_path / "walk.jsonl"
    path.write_bytes(walked("unplugged", 1))
    ran = rearguard("replay", path, "--json")
    figures, end = json.JSONDecoder().raw_decode(ran.out)
    assert ran.out[end:] == "\n"
    recorded = rows(walked("unplugged", 1))
    assert figures["file"] == str(path)
    assert figures["steps"] == len(recorded)
    assert figures["readings"] == sum(row["reading"] is not None for row in recorded)
    assert figures["duration_s"] == recorded[-1]["t_s"]
    assert sum(figures["level_s"].values()) == pytest.approx(recorded[-1]["t_s"], abs=0.01)
    assert figures["faults"] == ["stopped-answering"]


@pytest.mark.parametrize(
    "content",
    [None, "", HEAD, f"{HEAD}0,near\n", '{"rearguard":"0","schema":7,"settings":{}}\n'],
    ids=["absent", "empty", "no-rows", "bad-cell", "other-schema"],
)
def test_a_file_that_cannot_be_used_is_one_line_and_status_2(
    content: str | None, tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path, out = tmp_path / "walk", tmp_path / "out.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    ran = rearguard("replay", path, "--json", "--journal", out)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}:")
    assert ran.err.count("\n") == 1
    assert not out.exists()


def test_a_journal_that_cannot_be_written_is_status_2(
    tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path, out = tmp_path / "walk.jsonl", tmp_path / "absent" / "out.jsonl"
    path.write_bytes(walked("wall", 1))
    ran = rearguard("replay", path, "--journal", out)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {out}: ")


# ------------------------------------------------------------------ CSV


def approach(period_s: float, speed_mps: float = 1.0) -> list[tuple[float, object]]:
    """Backward from 4 m to 0.3 m, and standing there for two seconds."""
    times = every(period_s, 3.7 / speed_mps + 2.0)
    return [(t_s, f"{max(0.3, 4.0 - speed_mps * t_s):.3f}") for t_s in times]


@pytest.mark.parametrize("rate_hz", [5, 10, 33])
@pytest.mark.parametrize("speed_mps", [0.5, 1.0])
def test_a_recorded_approach_warns_at_any_rate(
    rate_hz: int, speed_mps: float, tmp_path: Path
) -> None:
    path = tmp_path / "walk.csv"
    path.write_text(csv(approach(1 / rate_hz, speed_mps)), encoding="utf-8")
    steps = replayed(path)
    truth_m = dict.fromkeys(["caution", "warning", "danger", "stop"], 0.0)
    for step in reversed(steps):
        if step.alert.level in truth_m:
            truth_m[step.alert.level] = max(0.3, 4.0 - speed_mps * step.t_s)
    assert truth_m["caution"] > truth_m["warning"] > truth_m["danger"] > truth_m["stop"]
    assert truth_m["warning"] >= 1.5 - 2 * speed_mps / rate_hz
    assert steps[-1].alert.state >= State.STOP
    assert all(step.alert.fault is None for step in steps)


@pytest.mark.parametrize("rate_hz", [5, 33])
def test_the_command_tells_what_a_csv_came_to(
    rate_hz: int, tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path, out = tmp_path / "walk.csv", tmp_path / "out.jsonl"
    path.write_text(csv(approach(1 / rate_hz)), encoding="utf-8")
    ran = rearguard("replay", path, "--json", "--journal", out)
    assert (ran.status, ran.err) == (0, "")
    figures = json.loads(ran.out)
    assert figures["levels_agree"] is None
    assert figures["readings"] == len(approach(1 / rate_hz))
    assert set(figures["level_s"]) == {"clear", "caution", "warning", "danger", "stop"}
    assert figures["faults"] == []
    # What was written is a journal like any other.
    again = rearguard("replay", out, "--json")
    assert json.loads(again.out)["levels_agree"] is True


def test_the_same_walk_in_echo_times_has_the_same_levels(tmp_path: Path) -> None:
    distances, echoes = tmp_path / "d.csv", tmp_path / "e.csv"
    walk = approach(0.1)
    distances.write_text(csv(walk), encoding="utf-8")
    sound_mps = 331.3 * (1 - 10.0 / 273.15) ** 0.5
    text = csv([(t_s, f"{2 * float(str(d)) / sound_mps:.9f}") for t_s, d in walk])
    echoes.write_text(text.replace("distance_m", "echo_s"), encoding="utf-8")
    by_distance, by_echo = replayed(distances), replayed(echoes)
    assert [s.alert.level for s in by_distance] == [s.alert.level for s in by_echo]


@pytest.mark.parametrize("rate_hz", [5, 33])
def test_faults_in_a_csv_are_announced_and_never_clear(rate_hz: int, tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    times = every(1 / rate_hz, 6.0)
    path.write_text(
        csv([(t_s, "fault" if t_s >= 3.0 else "3.5") for t_s in times]), encoding="utf-8"
    )
    steps = replayed(path)
    first_s = next(step.t_s for step in steps if step.alert.fault is not None)
    assert 3.0 < first_s <= 3.0 + 0.6
    for step in steps:
        assert (step.alert.fault is None) == (step.t_s < first_s)
        assert step.alert.fault is None or step.alert.state is not State.CLEAR
    assert {step.alert.fault for step in steps} == {None, "stopped-answering"}


def test_a_csv_of_nothing_but_faults_never_answered(
    tmp_path: Path, rearguard: Callable[..., Ran]
) -> None:
    path = tmp_path / "walk.csv"
    path.write_text(csv([(t_s, "fault") for t_s in every(0.1, 3.0)]), encoding="utf-8")
    figures = json.loads(rearguard("replay", path, "--json").out)
    assert figures["faults"] == ["never-answered"]
    assert figures["level_s"]["clear"] <= 0.6


def test_a_hole_in_a_csv_is_a_fault_before_the_next_row(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    times = [*every(0.1, 2.0), *every(0.1, 10.0, from_s=7.0)]
    path.write_text(csv([(t_s, "3.0") for t_s in times]), encoding="utf-8")
    steps = replayed(path)
    silent = [step for step in steps if 2.5 < step.t_s < 7.0]
    assert len(silent) > 10
    assert all(step.alert.fault == "stale" for step in silent)
    assert any(step.command.buzzer for step in silent)
    assert steps[-1].alert.fault is None


def test_a_slow_log_is_not_a_silent_sensor(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_text(csv([(t_s, "3.0") for t_s in every(1.0, 60.0)]), encoding="utf-8")
    assert all(step.alert.fault is None for step in replayed(path))


def test_a_log_whose_clock_was_set_on_the_way_is_refused_or_ends_soon(tmp_path: Path) -> None:
    # A Pi has no battery behind its clock: a log may begin in 1970 and go on today.
    path = tmp_path / "walk.csv"
    times = [0.0, 0.1, 1_763_000_000.0, 1_763_000_000.1]
    path.write_text(csv([(t_s, "3.0") for t_s in times]), encoding="utf-8")
    try:
        recording = journal.read(path, SETTINGS)
    except InputError as error:
        assert ":4: " in str(error)  # noqa: PT017 - either is good
        return
    steps = itertools.islice(replay.steps(recording, SETTINGS), 100_000)
    assert sum(1 for _ in steps) < 100_000


def after_close(close_m: float, count: int, rate_hz: float) -> list[journal.Recorded]:
    """Standing close for `count` readings, then twenty seconds without an echo."""
    vanished_s = count / rate_hz
    near = [(t_s, Echo(t_s, close_m)) for t_s in every(1 / rate_hz, vanished_s)]
    far = [(t_s, Nothing(t_s)) for t_s in every(1 / rate_hz, vanished_s + 20.0, vanished_s)]
    return [*near, *far]


@pytest.mark.parametrize("rate_hz", [5, 15, 33])
def test_no_echo_after_close_readings_stays_stop_until_something_farther_is_seen(
    rate_hz: int, tmp_path: Path
) -> None:
    path = tmp_path / "walk.csv"
    near = approach(1 / rate_hz)
    end_s = near[-1][0] + 1 / rate_hz
    lost = [(t_s, "") for t_s in every(1 / rate_hz, end_s + 30.0, end_s)]
    away = [(t_s, "1.2") for t_s in every(1 / rate_hz, end_s + 40.0, end_s + 30.0)]
    path.write_text(csv([*near, *lost, *away]), encoding="utf-8")
    steps = replayed(path)
    against = [step for step in steps if end_s <= step.t_s < end_s + 30.0]
    assert len(against) > 90
    assert {step.alert.level for step in against} == {"stop"}
    assert {step.alert.fault for step in against} == {None}
    # Pulses never cease: no second of it is without a sound and a shake.
    for second in range(29):
        within = [s for s in against if second <= s.t_s - end_s < second + 1.2]
        assert any(step.command.buzzer for step in within)
        assert any(step.command.motor for step in within)
    assert steps[-1].alert.state < State.STOP


@settings(deadline=None, max_examples=60)
@given(
    close_m=st.floats(0.03, 0.30),
    count=st.integers(25, 60),  # for longer than a sleeve passes: 0.6 s
    rate_hz=st.floats(5.0, 33.0),
    lost=st.floats(0.0, 0.2),
    rng=st.randoms(use_true_random=False),
)
def test_however_near_and_however_long_it_was_seen_its_vanishing_is_stop(
    close_m: float, count: int, rate_hz: float, lost: float, rng: Any
) -> None:
    recorded = after_close(close_m, count, rate_hz)
    # A ping may go unanswered now and then; two faults in eight are no fault yet.
    spoilt = [
        (t_s, Fault(t_s, PingFault.NO_ANSWER))
        if isinstance(reading, Nothing) and i % 8 == 0 and rng.random() < lost
        else (t_s, reading)
        for i, (t_s, reading) in enumerate(recorded)
    ]
    steps = list(replay.steps(journal.Recording(spoilt), SETTINGS))
    vanished_s = recorded[count][0]
    after = [step for step in steps if step.t_s >= vanished_s]
    assert after
    assert {step.alert.level for step in after} == {"stop"}


def test_a_replay_finds_frozen_answers_in_the_raw_times_of_a_recording() -> None:
    times = every(0.05, 4.0)
    same: list[journal.Recorded] = [(t_s, Echo(t_s, 2.0, 0.012)) for t_s in times]
    bare: list[journal.Recorded] = [(t_s, Echo(t_s, 2.0)) for t_s in times]
    frozen = list(replay.steps(journal.Recording(same), SETTINGS))
    assert frozen[-1].alert.fault == "frozen"
    steps = list(replay.steps(journal.Recording(bare), SETTINGS))
    assert {step.alert.fault for step in steps} == {None}
