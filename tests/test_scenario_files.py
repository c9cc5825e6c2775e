"""The scenario files: a suite that is whole, variants that say what differs, errors that help."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import InputError
from device.sim import scenario
from tests.conftest import Ran

SUITE = scenario.suite()
NUMBERS = range(1, 41)


# ------------------------------------------------------------------ the suite


def test_the_suite_has_every_number_and_is_in_their_order() -> None:
    numbers = [scenario.load(name).number for name in SUITE]
    assert None not in numbers
    assert numbers == sorted(number for number in numbers if number is not None)
    assert set(numbers) >= set(NUMBERS)


def test_the_suite_has_every_variant_of_every_numbered_scenario_once() -> None:
    numbered = [n for n in scenario.shipped() if scenario.load(n).number is not None]
    expected = list(itertools.chain.from_iterable(scenario.variants(name) for name in numbered))
    assert sorted(SUITE) == sorted(expected)
    assert len(SUITE) == len(set(SUITE))


def test_a_scenario_without_a_number_is_not_in_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("one", ""), ("two", "number = 2\n"), ("three", "number = 1\n")):
        (tmp_path / f"{name}.toml").write_text(f"{BASE}{number}", encoding="utf-8")
    monkeypatch.setattr(scenario, "_folder", lambda: tmp_path)
    assert scenario.shipped() == ["one", "three", "two"]
    assert scenario.suite() == ["three", "two"]


@pytest.mark.parametrize("name", SUITE)
def test_each_walk_of_the_suite_is_one_by_its_full_name(name: str) -> None:
    found = scenario.load(name)
    base, _, variant = name.partition(scenario.VARIANT)
    assert bool(variant) is (scenario.variants(base) != [base])
    assert found.title
    assert found.number == scenario.load(base).number


@pytest.mark.parametrize("name", SUITE)
def test_each_walk_says_what_can_be_judged(name: str) -> None:
    """A warning needs a thing to warn of, a fault a breakage, and quiet that there is neither."""
    found = scenario.load(name)
    match found.expect:
        case "warning":
            assert found.obstacles
            assert found.walker.heeds
        case "fault":
            assert found.breakages
        case "quiet":
            assert not found.obstacles
            assert not found.breakages
        case _:
            pass


@pytest.mark.parametrize("name", SUITE)
def test_a_walk_of_the_suite_is_not_over_before_what_is_in_it(name: str) -> None:
    found = scenario.load(name)
    ends_s = [breakage.at_s for breakage in found.breakages]
    ends_s += [stall.at_s + stall.for_s for stall in found.stalls]
    ends_s += [phantom.from_s + phantom.for_s for phantom in found.phantoms]
    assert max(ends_s, default=0.0) < found.duration_s
    walked_m = sum(
        leg.speed_mps * min(leg.for_s, max(0.0, found.duration_s - began_s))
        for leg, began_s in zip(
            found.walker.legs,
            itertools.accumulate((leg.for_s for leg in found.walker.legs), initial=0.0),
            strict=False,
        )
    )
    if found.expect == "warning":
        nearest_m = min(o.along_m for o in found.obstacles) + found.walker.start_spread_m
        assert walked_m > nearest_m  # whoever is not warned gets there


@pytest.mark.parametrize("name", scenario.shipped())
def test_each_shipped_title_is_its_own_and_fits_a_line(name: str) -> None:
    title = scenario.load(name).title
    assert 5 < len(title) <= 60
    assert not title.endswith(".")
    others = [scenario.load(other).title for other in scenario.shipped() if other != name]
    assert title not in others


@pytest.mark.parametrize("name", [n for n in scenario.shipped() if len(scenario.variants(n)) > 1])
def test_variants_are_different_walks_and_one_of_them_is_the_plain_name(name: str) -> None:
    found = [scenario.load(full) for full in scenario.variants(name)]
    assert all(one != other for one, other in itertools.combinations(found, 2))
    assert scenario.load(name) in found


# ------------------------------------------------------------------ variants


BASE = 'title = "t"\nduration_s = 5.0\nexpect = "any"\n'
VARIED = f"""{BASE}
[walker]
heeds = false
legs = [{{ for_s = 1.0, speed_mps = 1.0 }}, {{ for_s = 2.0, speed_mps = 0.5 }}]

[air]
loss = 0.1
noise_m = 0.02

[[obstacles]]
shape = "wall"

[variants.same]

[variants.other]
title = "u"
air.loss = 0.2
walker.legs = [{{ for_s = 9.0, speed_mps = 0.1 }}]
ground.slope_deg = 5.0
obstacles = []
"""


def test_a_variant_repeats_only_what_differs() -> None:
    plain, other = scenario.parse(VARIED, "w"), scenario.parse(VARIED, "w", "other")
    assert (plain.title, other.title) == ("t", "u")
    assert other.duration_s == plain.duration_s
    assert (other.air.loss, other.air.noise_m) == (0.2, 0.02)
    assert other.walker.heeds is False


def test_a_variants_list_replaces_the_whole_list() -> None:
    other = scenario.parse(VARIED, "w", "other")
    assert [leg.for_s for leg in other.walker.legs] == [9.0]
    assert other.obstacles == ()


def test_a_variant_may_bring_a_table_that_the_file_does_not_have() -> None:
    assert scenario.parse(VARIED, "w").ground is None
    ground = scenario.parse(VARIED, "w", "other").ground
    assert ground is not None
    assert (ground.slope_deg, ground.mount_m) == (5.0, 1.0)


def test_an_empty_variant_is_the_file_as_it_is() -> None:
    assert scenario.parse(VARIED, "w", "same") == scenario.parse(VARIED, "w")


def test_a_variant_leaves_the_others_alone() -> None:
    before = scenario.parse(VARIED, "w")
    scenario.parse(VARIED, "w", "other")
    assert scenario.parse(VARIED, "w") == before


@pytest.mark.parametrize(
    ("text", "have"), [(VARIED, "w@same, w@other"), (BASE, "none")], ids=["two", "none"]
)
def test_an_unknown_variant_is_answered_with_those_there_are(text: str, have: str) -> None:
    with pytest.raises(InputError) as caught:
        scenario.parse(text, "w", "1.5")
    assert str(caught.value) == f'scenario "w@1.5": no such variant; have {have}'


@pytest.mark.parametrize("value", ["3", '"fast"', "[1]", "{ fast = 3 }", "{ a = {}, b = 1 }"])
def test_variants_that_are_no_tables_are_an_error_of_one_line(value: str) -> None:
    for variant in ("", "fast"):
        with pytest.raises(InputError, match=r"^walk\.toml: variants: .*\[variants\.NAME\]$"):
            scenario.parse(f"{BASE}variants = {value}\n", "walk.toml", variant)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("colour = 1", "colour"),
        ("duration_s = -1.0", "duration_s"),
        ("air.loss = 2.0", "loss"),
        ('ground.mount_m = "high"', "mount_m"),
    ],
)
def test_what_is_wrong_in_a_variant_is_named_when_it_is_asked_for(line: str, said: str) -> None:
    text = f"{BASE}[variants.bad]\n{line}\n"
    assert scenario.parse(text, "w").title == "t"
    with pytest.raises(InputError, match=said):
        scenario.parse(text, "w", "bad")


def test_a_scenario_of_ones_own_may_have_variants_that_nobody_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "walk@home.toml"
    path.write_text(VARIED, encoding="utf-8")
    assert scenario.load(str(path)) == scenario.parse(VARIED, "w")


@pytest.mark.parametrize("name", ["wall@1.4", "rain@wall", "frozen@field"])
def test_the_command_walks_a_variant(name: str, rearguard: Callable[..., Ran]) -> None:
    ran = rearguard("simulate", name, "--fast", "--json", "--duration", 0.5)
    assert ran.err == ""
    title = msgspec.json.decode(ran.out)["scenario"]
    assert title == scenario.load(name).title


@pytest.mark.parametrize("name", ["wall@9", "pole@1.0", "wal@1.4"])
def test_a_variant_that_is_not_shipped_is_status_2_and_one_line(
    name: str, rearguard: Callable[..., Ran]
) -> None:
    ran = rearguard("simulate", name, "--fast")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f'rearguard: scenario "{name}": ')
    assert ran.err.count("\n") == 1


# ------------------------------------------------------------------ the keys


NEW_TABLES = {
    "ground": "[ground]\nmount_m = 0.9\nslope_deg = -2.0\nloss = 0.5\ndepth_m = 0.1\n",
    "phantom": "[[phantoms]]\nfrom_s = 1\nfor_s = 0.2\nnear_m = 0.1\nfar_m = 0.3\n",
    "stall": "[[stalls]]\nat_s = 2.0\nfor_s = 0.3\n",
    "air": "[air]\nmultipath = 0.01\ncrosstalk = 0.03\ncrosstalk_run = 4\n",
}


@pytest.mark.parametrize("name", NEW_TABLES)
def test_each_table_is_read_and_each_key_it_does_not_have_is_refused(name: str) -> None:
    assert scenario.parse(BASE + NEW_TABLES[name], "w") != scenario.parse(BASE, "w")
    with pytest.raises(InputError, match="colour"):
        scenario.parse(f"{BASE}{NEW_TABLES[name]}colour = 1\n", "w")


@pytest.mark.parametrize(
    "text",
    [
        "number = 0",
        "[ground]\nmount_m = 0.0",
        "[ground]\nslope_deg = 30.0",
        "[ground]\nloss = 1.1",
        "[air]\ncrosstalk_run = 0",
        "[air]\nmultipath = -0.1",
        "[[phantoms]]\nfrom_s = 1\nfor_s = 1\nnear_m = 1\nfar_m = -1",
        "[[phantoms]]\nfrom_s = 1\nfor_s = 1\nnear_m = 1\nfar_m = 1\nevery_s = 0.0",
        "[[stalls]]\nat_s = -1\nfor_s = 1",
        '[[obstacles]]\nshape = "wall"\nevery_s = 0.0',
        '[[obstacles]]\nshape = "pole"\nhalf_angle_deg = 0.0',
        '[[obstacles]]\nshape = "pole"\ndepth_m = -0.1',
        "[walker]\nspeed_spread = 1.5",
        "[walker]\nstart_spread_m = -0.1",
        "[walker]\nphase = 1.5",
        "[walker]\nnod_deg = 25.0",
        "[walker]\nreaction_s = -0.5",
        '[[breakages]]\nat_s = 1.0\nfailure = "freezes"',
    ],
)
def test_a_value_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"device/sim/scenario\.py explains every key"):
        scenario.parse(f"{BASE}{text}\n", "w")


def test_a_failure_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(InputError, match=r"ok, off, stuck, .*frozen"):
        scenario.parse(f'{BASE}[[breakages]]\nat_s = 1.0\nfailure = "freezes"\n', "w")


@given(duration_s=st.floats(0.001, 86_400.0))
def test_a_shortened_walk_differs_in_nothing_but_its_length(duration_s: float) -> None:
    whole = scenario.load("wall@1.4")
    short = scenario.shortened(whole, duration_s)
    assert math.isclose(short.duration_s, duration_s)
    assert scenario.shortened(short, whole.duration_s) == whole
