"""What each sensor gives up: every part in every mode, held against the usual one."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from device import config, sensors
from device.errors import ConfigError, InputError
from device.evaluate import parts, suite, table
from device.evaluate.parts import LESS, MORE_PER_H, Part, compare, fitted
from device.evaluate.peers import OURS
from device.evaluate.rows import row
from device.evaluate.score import Tally
from device.evaluate.suite import Done
from device.settings import AlertSettings, Settings
from tests.conftest import Command

TINY = ["wall@0.5", "pole", "bench"]
SEEDS = range(1, 3)
ASKED = ("evaluate", "--seeds", "1", "--jobs", "1")
ONLY = tuple(word for name in TINY for word in ("--only", name))


@pytest.fixture(scope="module")
def usual() -> list[Done]:
    """The tiny suite with the settings as they come."""
    return suite.evaluate(suite.chosen(TINY), SEEDS, config.parse({}, "test"), 1, peers=False)


@pytest.fixture(scope="module")
def compared() -> list[Part]:
    return compare(TINY, SEEDS, config.parse({}, "test"), 1)


# ------------------------------------------------------------------ who is compared


def test_every_part_in_every_mode_is_there_and_the_usual_one_is_first() -> None:
    found = fitted(config.parse({}, "test"))
    due = {
        (driver, name, mode)
        for driver in sensors.names()
        for name, part in sensors.models(driver).items()
        for mode in sensors.modes(part)
    }

    def key(settings: Settings) -> tuple[str, str | None, tuple[str, ...]]:
        sensor = settings.sensor
        mode = tuple(word for word in ("realtime", "request") if getattr(sensor, word))
        return sensor.driver, sensors.model(sensor).title, mode

    titled = {(driver, sensors.models(driver)[name].title, mode) for driver, name, mode in due}
    assert {key(one.settings) for one in found} == titled
    assert len(found) == len(due) == len({one.name for one in found}) >= 16
    assert found[0].name == "HC-SR04"
    assert found[0].settings.sensor.driver == parts.USUAL == Settings().sensor.driver
    drivers = [one.settings.sensor.driver for one in found[1:]]
    assert drivers == sorted(drivers)
    for one in found:
        title, mode = key(one.settings)[1:]
        assert one.name == " ".join((str(title), *mode))
        part = sensors.model(one.settings.sensor)
        assert one.settings.sensor.max_range_m == part.max_range_m  # each has its own
        assert one.settings.sensor.min_range_m == part.min_range_m
        config.judge(one.settings, one.name)


def test_all_but_the_sensor_is_as_the_wearer_has_it() -> None:
    worn = config.parse(
        {"alert": {"profile": "rehab"}, "sensor": {"driver": "us100", "temperature_c": 3.0}}, "test"
    )
    for one in fitted(worn):
        assert one.settings.alert == AlertSettings(profile="rehab")
        assert one.settings.sensor.temperature_c == 3.0
        assert (one.settings.buzzer, one.settings.motor) == (worn.buzzer, worn.motor)


# ------------------------------------------------------------------ what it comes to


def test_the_usual_part_gives_up_nothing(compared: list[Part]) -> None:
    first = compared[0]
    assert first.name == "HC-SR04"
    assert (first.gives_up, first.gains, first.alarms) == ({}, {}, {})
    assert first.total.recall.value == 1.0
    assert first.total.runs == len(TINY) * len(SEEDS)


def test_a_lidar_looks_over_a_bench_and_sees_a_wall(compared: list[Part]) -> None:
    by_name = {part.name: part for part in compared}
    for name in ("TF-Luna", "TFmini Plus"):
        assert by_name[name].gives_up["bench"] == 0.0
        assert "wall@0.5" not in by_name[name].gives_up
    assert "bench" not in by_name["US-100"].gives_up


def test_each_part_has_its_own_pace_and_the_shares_are_those_of_its_walks(
    compared: list[Part],
) -> None:
    for one, part in zip(fitted(config.parse({}, "test")), compared, strict=True):
        pace = sensors.pace(one.settings.sensor)
        assert (part.name, part.period_s, part.lag_s) == (one.name, pace.period_s, pace.lag_s)
        assert part.total.name == part.name
        assert not set(part.gives_up) & set(part.gains)
        assert set(part.gives_up) | set(part.gains) | set(part.alarms) <= set(TINY)
        assert all(share <= 1.0 - LESS for share in part.gives_up.values())


def test_the_same_seeds_come_to_the_same_and_other_jobs_too(compared: list[Part]) -> None:
    assert compare(TINY, SEEDS, config.parse({}, "test"), 1) == compared


@pytest.mark.parametrize("named", [False, True])
def test_what_was_walked_already_is_not_walked_again(
    named: bool, usual: list[Done], compared: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual part is, with the settings as they come; the figures are the same."""
    settings = config.parse({"sensor": {"model": "hc-sr04"}} if named else {}, "test")
    walked: list[str] = []
    real = suite.evaluate

    def watched(
        names: Sequence[str], seeds: range, with_it: Settings, jobs: int, **more: Any
    ) -> list[Done]:
        walked.append(with_it.sensor.driver)
        return real(names, seeds, with_it, jobs, **more)

    monkeypatch.setattr(suite, "evaluate", watched)
    found = compare(TINY, SEEDS, settings, 1, usual)
    assert found == compared
    assert parts.USUAL not in walked
    assert len(walked) == len(fitted(settings)) - 1


def test_progress_is_told_of_every_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    settings = config.parse({}, "test")
    monkeypatch.setattr(parts, "fitted", lambda _: fitted(settings)[:2])
    compare(["pole"], SEEDS, settings, 1, progress=told.append)
    assert sum(told) == 2 * len(SEEDS)


def test_settings_that_do_not_suit_every_part_are_an_error_that_says_whose() -> None:
    far = config.parse({"alert": {"caution_m": 5.0}, "sensor": {"driver": "tf_luna"}}, "test")
    with pytest.raises(ConfigError, match=r"HC-SR04.*--parts needs settings that suit every part"):
        compare(TINY, SEEDS, far, 1)


def test_a_walk_that_is_not_in_the_suite_is_an_error() -> None:
    with pytest.raises(InputError, match='scenario "nonsense"'):
        compare(["nonsense"], SEEDS, Settings(), 1)


def walks(met: int, needs: int, **more: Any) -> Tally:
    return Tally(met=met, needs=needs, walked_s=3600.0, **more)


JUDGED = {
    "as many": (walks(18, 20), None, None),
    "a little fewer": (walks(173, 200), None, None),
    "fewer": (walks(17, 20), "gives_up", 0.85),
    "none": (walks(0, 20), "gives_up", 0.0),
    "more": (walks(20, 20), "gains", 1.0),
    "a little more": (walks(188, 200), None, None),
    "none needed": (walks(0, 0), None, None),
    "a false alarm an hour more": (walks(18, 20, false_warning=2), None, None),
    "two more": (walks(18, 20, false_warning=3), "alarms", 3.0),
    "those that could not be heard count": (
        walks(9, 10, undetectable=10, undetectable_met=0), "gives_up", 0.45,
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", JUDGED)
def test_what_is_given_up_gained_and_alarming(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against 18 of 20 told, and a false alarm an hour."""
    tally, kind, share = JUDGED[why]
    settings = config.parse({}, "test")
    monkeypatch.setattr(parts, "fitted", lambda _: fitted(settings)[:2])
    tallies = iter([walks(18, 20, false_warning=1), tally])
    monkeypatch.setattr(
        suite, "evaluate", lambda *_args, **_more: [Done("pole", {OURS: next(tallies)})]
    )
    first, second = compare(["pole"], SEEDS, settings, 1)
    assert (first.gives_up, first.gains, first.alarms) == ({}, {}, {})
    found = {name: getattr(second, name) for name in ("gives_up", "gains", "alarms")}
    assert {name: by for name, by in found.items() if by} == (
        {} if kind is None else {kind: {"pole": share}}
    )
    assert MORE_PER_H == 2.0


# ------------------------------------------------------------------ how it is shown


def long(count: int) -> Part:
    """A part with much to say."""
    named = {f"a-long-walk-of-its-own-{number}@0.5": number / count for number in range(count)}
    total = row("a long one", walks(1, 2))
    return Part("HRXL-MaxSonar-WR (10 m) realtime", 0.158, 0.6, total, named, named, named)


def test_the_table_is_narrow_and_names_what_is_given_up(compared: list[Part]) -> None:
    lines = list(table.parts([*compared, long(40)]))
    assert max(map(len, lines[1:])) <= 100
    text = "\n".join(lines)
    for part in compared:
        begins = next(at for at, line in enumerate(lines) if line.startswith(f"{part.name}  "))
        ends = next(at for at, line in enumerate(lines) if at > begins and line[:1] != " ")
        block = " ".join(" ".join(lines[begins + 1 : ends]).split())
        for what, named in (("gives up", part.gives_up), ("gains", part.gains)):
            assert (f"{what}: " in block) is bool(named)
            for name, share in named.items():
                assert f"{name} {100 * share:.0f}%" in block
    assert re.search(r"^TF-Luna .*\n    gives up: .*bench 0%", text, re.MULTILINE)
    assert all(f"a-long-walk-of-its-own-{number}@0.5" in text for number in range(40))
    assert not [line for line in lines if line.rstrip() != line]
    told = re.search(r"^HC-SR04 +25 +6/6 ", text, re.MULTILINE)
    assert told, text


def test_a_person_reads_the_parts_only_when_asked(rearguard: Command) -> None:
    ran = rearguard(*ASKED, "--only", "bench", "--parts")
    assert ran.status == 0, ran.err
    assert re.search(r"^TF-Luna .*\n    gives up: bench 0%$", ran.out, re.MULTILINE)
    for one in fitted(config.parse({}, "test")):
        assert ran.out.count(f"\n{one.name}  ") == 1
    assert "TF-Luna" not in rearguard(*ASKED, "--only", "bench").out


def test_a_program_reads_the_parts_only_when_asked(rearguard: Command) -> None:
    ran = rearguard(*ASKED, *ONLY, "--parts", "--json")
    assert (ran.status, ran.err) == (0, "")
    found = json.loads(ran.out)
    names = [one.name for one in fitted(config.parse({}, "test"))]
    assert [part["name"] for part in found["parts"]] == names
    by_name = {part["name"]: part for part in found["parts"]}
    assert by_name["TF-Luna"]["gives_up"]["bench"] == 0.0
    assert by_name["HC-SR04"]["gives_up"] == {}
    assert by_name["HC-SR04"]["total"]["recall"]["value"] == 1.0
    assert found["contenders"][0]["recall"]["value"] == 1.0
    plain = json.loads(rearguard(*ASKED, *ONLY, "--json").out)
    assert "parts" not in plain
    assert {key: found[key] for key in plain} == plain  # and nothing else is moved by it


def test_the_page_has_a_section_of_the_parts_only_when_asked(
    rearguard: Command, tmp_path: Path
) -> None:
    told: dict[bool, str] = {}
    for asked in (False, True):
        page = tmp_path / f"{asked}.html"
        more = ("--parts",) if asked else ()
        ran = rearguard(*ASKED, "--only", "bench", "--report", page, *more)
        assert ran.status == 0, ran.err
        told[asked] = page.read_text("utf-8")
    assert "What each sensor gives up" not in told[False]
    section = told[True].split("<h2>What each sensor gives up</h2>")[1].split("</section>")[0]
    assert [section.count(f">{one.name}<") for one in fitted(config.parse({}, "test"))] == [1] * 16
    assert "bench" in section


def test_settings_that_do_not_suit_every_part_are_one_line(
    rearguard: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "far.toml"
    path.write_text('[sensor]\ndriver = "tf_luna"\n[alert]\ncaution_m = 5.0\n', encoding="utf-8")
    ran = rearguard(*ASKED, "--only", "bench", "--parts", "--config", path)
    assert ran.status == 2
    assert len(ran.err.splitlines()) == 1
    assert "--parts needs settings that suit every part" in ran.err
