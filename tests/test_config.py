"""The configuration: every knob bounded and documented, every mistake one line that helps."""

import itertools
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import config, physics, profiles, sensors
from device.errors import ConfigError
from device.settings import Settings
from tests.conftest import Ran

FOLDER = Path(__file__).parents[1] / "config"
SHIPPED = sorted(FOLDER.glob("*.toml"))
REFERENCE = FOLDER / "rearguard.toml"
KNOBS = {f"{knob.table}.{knob.key}": knob for knob in config.knobs()}
SOURCE = "here.toml"
VERBS = (("run",), ("check",), ("simulate", "--fast"), ("replay", "walk.csv"))


class Bounds(NamedTuple):
    """What msgspec itself holds a knob to, asked without device.config's help."""

    whole: bool
    low: float
    high: float


def numeric_bounds() -> dict[str, Bounds]:
    found = {}
    for table in msgspec.inspect.type_info(Settings).fields:  # type: ignore[attr-defined]
        for field in table.type.fields:
            for arm in arms(field.type):
                if isinstance(arm, msgspec.inspect.IntType | msgspec.inspect.FloatType):
                    whole = isinstance(arm, msgspec.inspect.IntType)
                    found[f"{table.name}.{field.name}"] = Bounds(whole, arm.ge, arm.le)  # type: ignore[arg-type]
    return found


def arms(hint: Any) -> list[Any]:
    if isinstance(hint, msgspec.inspect.Metadata):
        return arms(hint.type)
    if isinstance(hint, msgspec.inspect.UnionType):
        return [arm for member in hint.types for arm in arms(member)]
    return [hint]


BOUNDS = numeric_bounds()


def raw(**values: Any) -> dict[str, dict[str, Any]]:
    """Decoded TOML from table__key=value."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        table, key = name.split("__")
        tables.setdefault(table, {})[key] = value
    return tables


def one(name: str, value: Any) -> dict[str, dict[str, Any]]:
    return raw(**{name.replace(".", "__"): value})


def refusal(tables: dict[str, Any]) -> str:
    """What is said of these tables, which must be refused, in one line after the file's name."""
    with pytest.raises(ConfigError) as caught:
        config.parse(tables, SOURCE)
    message = str(caught.value)
    assert message.startswith(f"{SOURCE}: ")
    assert "\n" not in message
    return message.removeprefix(f"{SOURCE}: ")


# ------------------------------------------------------------------ the shipped files


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_loads(path: Path) -> None:
    assert isinstance(config.load(path), Settings)


def test_the_shipped_files_are_those_that_the_guide_speaks_of() -> None:
    assert {path.stem for path in SHIPPED} >= {"rearguard", "fit", "rehab", "jsn-sr04t"}


@pytest.mark.parametrize("profile", ["fit", "rehab"])
def test_a_profile_file_changes_the_profile_and_nothing_else(profile: str) -> None:
    expected = config.parse(raw(alert__profile=profile), SOURCE)
    assert config.load(FOLDER / f"{profile}.toml") == expected


@pytest.mark.parametrize("profile", ["fit", "rehab"])
def test_a_profile_file_states_the_time_that_its_wearer_is_given(profile: str) -> None:
    comment = " ".join((FOLDER / f"{profile}.toml").read_text(encoding="utf-8").split("\n# "))
    stated = re.search(r"assume (\d+\.\d+) s", comment)
    need = profiles.NEEDS[profile]  # type: ignore[index]
    assert stated is not None
    assert float(stated[1]) == pytest.approx(need.system_s + need.human_s, abs=0.0051)


THE_PARTS_OWN = {"sensor.min_range_m", "sensor.max_range_m"}
"""Absent, they come from the part that is fitted, so the file must not pin them."""


def test_the_reference_file_has_every_knob_live_or_as_a_comment() -> None:
    live = {f"{table}.{key}" for table, keys in reference().items() for key in keys}
    shown = {f"{table}.{key}" for table, keys in uncommented().items() for key in keys}
    fixed = {name for name, knob in KNOBS.items() if knob.default is not None} - THE_PARTS_OWN
    assert live == fixed
    assert shown - live == set(KNOBS) - fixed


def test_the_live_values_of_the_reference_file_are_the_defaults() -> None:
    for table, keys in reference().items():
        assert keys == {key: KNOBS[f"{table}.{key}"].default for key in keys}
    assert config.load(REFERENCE) == Settings() == config.load(None)


def test_the_commented_thresholds_of_the_reference_file_are_the_default_profiles() -> None:
    shown = config.parse(uncommented(), SOURCE).alert
    stated = [(getattr(shown, f"{n}_m"), getattr(shown, f"{n}_ttc_s")) for n in profiles.LEVELS]
    assert stated == [(t.distance_m, t.ttc_s) for t in profiles.THRESHOLDS["default"]]


def test_the_bounds_in_the_reference_files_comments_are_those_of_the_code() -> None:
    stated = stated_bounds()
    # An output's pin is bounded by more than its type; the test after this one has it.
    # The motor's says "as for the buzzer", the seed has no end worth stating.
    assert set(BOUNDS) - set(stated) == {"motor.pin", "simulation.seed"}
    del stated["buzzer.pin"]
    assert stated == {name: (BOUNDS[name].low, BOUNDS[name].high) for name in stated}


@pytest.mark.parametrize("output", ["buzzer", "motor"])
def test_an_output_takes_just_the_pins_that_the_reference_file_names(output: str) -> None:
    low, high = (int(bound) for bound in stated_bounds()["buzzer.pin"])
    other = {"buzzer": "motor", "motor": "buzzer"}[output]
    sensor = {"sensor__trigger_pin": 2, "sensor__echo_pin": 3}
    taken = set()
    for pin in range(2, 28):
        try:
            alone = {f"{output}__pin": pin, f"{other}__enabled": False}
            config.parse(raw(**sensor, **alone), SOURCE)
        except ConfigError:
            continue
        taken.add(pin)
    assert taken == set(range(low, high + 1)) - {14, 15}


def reference() -> dict[str, dict[str, Any]]:
    return tomllib.loads(REFERENCE.read_text(encoding="utf-8"))


def uncommented() -> dict[str, dict[str, Any]]:
    text = re.sub(r"(?m)^#(\w+ = )", r"\1", REFERENCE.read_text(encoding="utf-8"))
    return tomllib.loads(text)


def stated_bounds() -> dict[str, tuple[float, float]]:
    """`lo to hi` of the comment above each numeric setting; a comment serves all below it."""
    number = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
    stated, table, comment = {}, "", ""
    fresh = False
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        setting = re.match(r"#?(\w+) = ", line)
        if line.startswith("["):
            table, comment = line.strip("[]"), ""
        elif setting:
            found = re.search(rf"{number} to {number}", comment)
            if found and f"{table}.{setting[1]}" in BOUNDS:
                stated[f"{table}.{setting[1]}"] = (float(found[1]), float(found[2]))
            fresh = True
        elif line.startswith("# "):
            comment = line[2:] if fresh else f"{comment} {line[2:]}"
            fresh = False
    return stated


# ------------------------------------------------------------------ the knobs


@pytest.mark.parametrize("name", KNOBS)
def test_every_knob_is_described_in_a_few_words(name: str) -> None:
    assert 2 <= len(KNOBS[name].description.split()) <= 14


@pytest.mark.parametrize("name", BOUNDS)
def test_every_number_is_bounded_on_both_sides_and_says_so(name: str) -> None:
    whole, low, high = BOUNDS[name]
    assert low is not None
    assert high is not None
    assert low < high
    assert KNOBS[name].kind == f"a {'whole ' * whole}number, {low} to {high}"


def test_a_knobs_unit_is_the_end_of_its_name() -> None:
    units = {name: knob.unit for name, knob in KNOBS.items() if knob.unit}
    assert units["sensor.max_range_m"] == "m"
    assert units["sensor.temperature_c"] == "°C"
    assert units["alert.stop_ttc_s"] == "s"
    assert units["motor.pwm_hz"] == "Hz"
    assert set(units) <= set(BOUNDS)


@pytest.mark.parametrize("name", BOUNDS)
def test_every_default_lies_within_its_bounds(name: str) -> None:
    default = KNOBS[name].default
    assert default is None or BOUNDS[name].low <= default <= BOUNDS[name].high


@pytest.mark.parametrize(("name", "side"), list(itertools.product(BOUNDS, ["low", "high"])))
def test_a_value_on_the_bound_is_taken_and_the_next_beyond_is_not(name: str, side: str) -> None:
    bounds = BOUNDS[name]
    bound = getattr(bounds, side)
    msgspec.convert(one(name, bound), Settings)
    away = -1 if side == "low" else 1
    beyond = bound + away if bounds.whole else math.nextafter(bound, away * math.inf)
    said = refusal(one(name, beyond))
    assert said.startswith(f"{name} = {beyond}: ")
    assert f"{bounds.low} to {bounds.high}" in said


@st.composite
def out_of_bounds(draw: st.DrawFn) -> tuple[str, float]:
    name = draw(st.sampled_from(sorted(BOUNDS)))
    whole, low, high = BOUNDS[name]
    if whole:
        return name, draw(
            st.integers(max_value=int(low) - 1) | st.integers(min_value=int(high) + 1)
        )
    below = st.floats(max_value=low, exclude_max=True, allow_infinity=False)
    above = st.floats(min_value=high, exclude_min=True, allow_infinity=False)
    return name, draw(below | above)


@given(wrong=out_of_bounds())
def test_a_number_out_of_bounds_is_refused_with_its_key_value_and_bounds(
    wrong: tuple[str, float],
) -> None:
    name, value = wrong
    said = refusal(one(name, value))
    assert said.startswith(f"{name} = {value}: ")
    assert f"{BOUNDS[name].low} to {BOUNDS[name].high}" in said


@given(name=st.sampled_from(sorted(BOUNDS)), share=st.floats(0.0, 1.0))
def test_a_number_within_its_bounds_is_never_called_out_of_bounds(name: str, share: float) -> None:
    whole, low, high = BOUNDS[name]
    value: float = min(high, max(low, low + share * (high - low)))
    value = round(value) if whole else value
    msgspec.convert(one(name, value), Settings)
    try:
        config.parse(one(name, value), SOURCE)
    except ConfigError as error:
        # Only what it is at odds with may be held against it.
        assert "must be a " not in str(error)  # noqa: PT017 - some values are good, some not


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_finite_number_is_refused(name: str, value: float) -> None:
    assert refusal(one(name, value)) == f"{name} = {value}: must be a finite number"


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", [True, False, "1", [1], {"a": 1}], ids=repr)
def test_a_number_must_be_written_as_a_number(name: str, value: Any) -> None:
    said = refusal(one(name, value))
    assert said.startswith(f"{name}")
    assert str(KNOBS[name].kind) in said


@pytest.mark.parametrize("name", [name for name, bounds in BOUNDS.items() if bounds.whole])
def test_a_whole_number_cannot_have_a_fraction(name: str) -> None:
    assert "must be a whole number" in refusal(one(name, BOUNDS[name].low + 0.5))


@pytest.mark.parametrize("name", [n for n, k in KNOBS.items() if k.kind == "true or false"])
@pytest.mark.parametrize("value", [0, 1, "true", 1.0], ids=repr)
def test_yes_and_no_are_true_and_false(name: str, value: Any) -> None:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    assert refusal(one(name, value)) == f"{name} = {shown}: must be true or false"


@pytest.mark.parametrize("name", [n for n, k in KNOBS.items() if k.kind.startswith("one of")])
@pytest.mark.parametrize("value", ["", "Default ", "nonsense", 3], ids=repr)
def test_a_choice_is_refused_with_all_that_could_be_chosen(name: str, value: Any) -> None:
    said = refusal(one(name, value))
    assert said.startswith(f"{name} = ")
    assert said.endswith(f"must be {KNOBS[name].kind}")
    assert f'"{KNOBS[name].default}"' in said


def test_text_must_be_text() -> None:
    assert refusal(raw(sensor__driver=4)) == "sensor.driver = 4: must be text in quotes"


# ------------------------------------------------------------------ names that do not exist


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"sensors": {}}, "sensors: unknown table; did you mean sensor?"),
        ({"sensor": {"echopin": 24}}, "sensor.echopin: unknown key; did you mean echo_pin?"),
        ({"alert": {"caution": 2.0}}, "alert.caution: unknown key; did you mean caution_m?"),
        (
            {"gpio": {"zzz": 1}},
            "gpio.zzz: unknown key; known here: factory",
        ),
        (
            {"zzz": 1},
            "zzz: unknown table; known here: alert, button, buzzer, coach, gpio, journal, led,"
            " motor, sensor, simulation, walks",
        ),
        ({"sensor": 3}, "sensor = 3: must be a table, written [sensor]"),
        ({"sensor": [{}]}, "sensor = [{}]: must be a table, written [sensor]"),
        ({"profile": "fit"}, "profile: unknown table; "),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_or_with_all(
    tables: dict[str, Any], said: str
) -> None:
    assert refusal(tables).startswith(said)


@given(
    table=st.sampled_from(sorted({knob.table for knob in KNOBS.values()})),
    key=st.from_regex(r"[A-Za-z0-9_-]{1,30}", fullmatch=True),
)
def test_a_key_that_no_knob_has_is_never_accepted(table: str, key: str) -> None:
    if f"{table}.{key}" in KNOBS:
        return
    assert refusal({table: {key: 1}}).startswith(f"{table}.{key}: unknown key; ")


@pytest.mark.parametrize("table", [None, "sensor"])
def test_a_quoted_key_with_a_line_end_in_it_is_still_called_unknown(table: str | None) -> None:
    wrong = {"a\nb": 1}
    with pytest.raises(ConfigError, match="unknown"):
        config.parse(wrong if table is None else {table: wrong}, SOURCE)


@pytest.mark.parametrize("name", KNOBS)
def test_a_slip_in_any_key_brings_the_key_back(name: str) -> None:
    table, key = name.split(".")
    slip = key[:-1] + key[-1] * 2
    assert refusal({table: {slip: 1}}).startswith(f"{table}.{slip}: unknown key; did you mean ")


# ------------------------------------------------------------------ settings at odds


PINS = ("sensor__trigger_pin", "sensor__echo_pin", "buzzer__pin", "motor__pin")


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PINS, 2)))
def test_a_pin_cannot_be_used_twice(first: str, second: str) -> None:
    said = refusal(raw(**{first: 17, second: 17}))
    assert f"{second.replace('__', '.')} = 17" in said
    assert f"{first.replace('__', '.')} has that pin already" in said


@pytest.mark.parametrize("output", ["buzzer", "motor"])
def test_a_part_that_is_not_fitted_leaves_its_pin_to_others(output: str) -> None:
    tables = raw(sensor__echo_pin=17, **{f"{output}__pin": 17, f"{output}__enabled": False})
    assert config.parse(tables, SOURCE).sensor.echo_pin == 17


@pytest.mark.parametrize("output", ["buzzer", "motor"])
@pytest.mark.parametrize("pin", [2, 3, 4, 5, 6, 7, 8])
def test_an_output_that_would_be_on_at_boot_is_refused(output: str, pin: int) -> None:
    said = refusal(raw(**{f"{output}__pin": pin}))
    assert said.startswith(f"{output}.pin = {pin}: ")
    assert "at boot" in said


@pytest.mark.parametrize("output", ["buzzer", "motor"])
@pytest.mark.parametrize("pin", [14, 15])
def test_an_output_on_the_serial_port_is_refused(output: str, pin: int) -> None:
    said = refusal(raw(**{f"{output}__pin": pin}))
    assert said.startswith(f"{output}.pin = {pin}: ")
    assert "serial" in said


@pytest.mark.parametrize("pin", [2, 8, 14, 15])
def test_the_sensor_may_have_the_pins_that_an_output_may_not(pin: int) -> None:
    assert config.parse(raw(sensor__echo_pin=pin), SOURCE).sensor.echo_pin == pin


def test_a_device_that_could_warn_nobody_is_refused() -> None:
    said = refusal(raw(buzzer__enabled=False, motor__enabled=False))
    assert "buzzer.enabled" in said
    assert "motor.enabled" in said


@pytest.mark.parametrize("output", ["buzzer", "motor"])
def test_one_output_is_enough(output: str) -> None:
    config.parse(raw(**{f"{output}__enabled": False}), SOURCE)


@given(
    range_m=st.floats(2.5, 8.0),
    temperature_c=st.none() | st.floats(-40.0, 60.0),
    retrigger_s=st.floats(0.02, 0.06),
)
def test_a_retrigger_before_the_farthest_echo_is_refused_and_the_advice_works(
    range_m: float, temperature_c: float | None, retrigger_s: float
) -> None:
    tables = raw(sensor__max_range_m=range_m, sensor__retrigger_s=retrigger_s)
    if temperature_c is not None:
        tables["sensor"]["temperature_c"] = temperature_c
    flight_s = 2 * range_m / physics.speed_of_sound_mps(temperature_c)
    if retrigger_s >= flight_s:
        config.parse(tables, SOURCE)
        return
    said = refusal(tables)
    assert f"sensor.retrigger_s = {retrigger_s}" in said
    assert f"sensor.max_range_m = {range_m}" in said
    advised = re.search(r"at least (\d+\.\d+)", said)
    assert advised is not None
    tables["sensor"]["retrigger_s"] = float(advised[1])
    config.parse(tables, SOURCE)


def test_the_least_fall_timeout_outlasts_an_echo_over_the_longest_range_in_the_coldest_air() -> (
    None
):
    coldest_c = BOUNDS["sensor.temperature_c"].low
    flight_s = 2 * BOUNDS["sensor.max_range_m"].high / physics.speed_of_sound_mps(float(coldest_c))
    assert flight_s < BOUNDS["sensor.fall_timeout_s"].low


def test_a_blind_zone_of_half_the_range_is_refused() -> None:
    said = refusal(raw(sensor__min_range_m=0.5, sensor__max_range_m=1.0))
    assert "sensor.min_range_m = 0.5" in said
    assert "sensor.max_range_m = 1.0" in said


@pytest.mark.parametrize(("outer", "inner"), list(itertools.pairwise(profiles.LEVELS)))
@pytest.mark.parametrize("kind", ["m", "ttc_s"])
def test_a_level_outside_the_one_before_it_is_refused(outer: str, inner: str, kind: str) -> None:
    said = refusal(raw(**{f"alert__{outer}_{kind}": 1.2, f"alert__{inner}_{kind}": 1.3}))
    # The pair itself, or the profile's neighbour that one of the two has crossed.
    assert re.match(rf"alert\.\w+_{kind} = \d\.\d+: .*alert\.\w+_{kind} = \d\.\d+ ", said)
    assert "1.2" in said or "1.3" in said


@pytest.mark.parametrize("kind", ["m", "ttc_s"])
def test_four_thresholds_in_order_are_taken_and_any_two_exchanged_are_not(kind: str) -> None:
    values = dict(zip(profiles.LEVELS, (2.0, 1.6, 1.2, 0.8), strict=True))
    config.parse(raw(**{f"alert__{level}_{kind}": v for level, v in values.items()}), SOURCE)
    for a, b in itertools.combinations(profiles.LEVELS, 2):
        exchanged = values | {a: values[b], b: values[a]}
        refusal(raw(**{f"alert__{level}_{kind}": v for level, v in exchanged.items()}))


def test_equal_thresholds_are_in_order() -> None:
    config.parse(raw(**{f"alert__{level}_m": 1.0 for level in profiles.LEVELS}), SOURCE)


@pytest.mark.parametrize("off", [(level,) for level in profiles.LEVELS] + [profiles.LEVELS])
def test_a_time_to_touch_of_zero_is_off_and_outside_nothing(off: tuple[str, ...]) -> None:
    tables = raw(**{f"alert__{level}_ttc_s": 0.0 for level in off})
    limits = dict(
        zip(profiles.LEVELS, profiles.thresholds(config.parse(tables, SOURCE).alert), strict=True)
    )
    assert {level for level in profiles.LEVELS if limits[level].ttc_s == 0.0} == set(off)


def test_a_level_that_is_off_between_two_does_not_hide_their_order() -> None:
    said = refusal(raw(alert__caution_ttc_s=1.0, alert__warning_ttc_s=0.0, alert__danger_ttc_s=1.1))
    assert "alert.danger_ttc_s = 1.1" in said


def test_a_threshold_that_the_sensor_cannot_see_is_refused() -> None:
    said = refusal(raw(alert__caution_m=4.5))
    assert said.startswith("alert.caution_m = 4.5 ")
    assert "sensor.max_range_m = 4.0" in said


def test_a_range_too_short_for_the_profile_is_refused_with_the_profiles_name() -> None:
    said = refusal(raw(sensor__max_range_m=2.0))
    assert said.startswith("alert.caution_m = 2.5 ")
    assert "alert.profile = 'default'" in said


@pytest.mark.parametrize("min_range_m", [0.3, 0.35])
def test_a_stop_inside_the_blind_zone_is_refused(min_range_m: float) -> None:
    said = refusal(raw(alert__stop_m=0.3, sensor__min_range_m=min_range_m))
    assert said.startswith("alert.stop_m = 0.3 ")
    assert f"sensor.min_range_m = {min_range_m}" in said


# ------------------------------------------------------------------ the file itself


BAD_FILES = {
    "not-toml": (b"[sensor\n", "not valid TOML"),
    "a-value-missing": (b"[sensor]\necho_pin =\n", "at line 2"),
    "a-key-twice": (b"[sensor]\necho_pin = 5\necho_pin = 6\n", "not valid TOML"),
    "not-utf-8": ("# Größe\n".encode("latin-1"), "not UTF-8"),
    "utf-16": ("[sensor]\n".encode("utf-16"), "not UTF-8"),
    "unknown-table": (b"[sensr]\n", "did you mean sensor?"),
    "unknown-key": (b"[sensor]\necho = 5\n", "sensor.echo: unknown key"),
    "wrong-type": (b'[sensor]\necho_pin = "5"\n', 'sensor.echo_pin = "5": must be a whole'),
    "a-date": (b"[sensor]\nmax_range_m = 2020-01-01\n", "sensor.max_range_m = 2020-01-01: "),
    "out-of-bounds": (b"[sensor]\necho_pin = 28\n", "sensor.echo_pin = 28: must be a whole"),
    "not-a-number": (b"[sensor]\nmax_range_m = nan\n", "must be a finite number"),
    "too-long-a-number": (b"[simulation]\nseed = " + b"9" * 5000, "simulation.seed"),
    "too-deep": (b"a = " + b"[" * 5000, "not valid TOML"),
    "at-odds": (b"[sensor]\necho_pin = 23\n", "sensor.trigger_pin has that pin already"),
    "no-such-driver": (b'[sensor]\ndriver = "hcsr05"\n', 'sensor.driver = "hcsr05"'),
    "a-driver-of-two-lines": (b'[sensor]\ndriver = "a\\nb"\n', "sensor.driver"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_line_on_stderr_and_status_2(
    name: str, rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    content, expected = BAD_FILES[name]
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    ran = rearguard("check", "--config", path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}: ")
    assert ran.err.count("\n") == 1
    assert ran.err.endswith("\n")
    if not name.startswith("too-"):  # which cannot be shown: any words will do
        assert expected in ran.err


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_every_verb_stops_at_a_bad_file(
    verb: tuple[str, ...], rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[buzzer]\npin = 14\n", encoding="utf-8")
    ran = rearguard(*verb, "--config", path)
    assert (ran.status, ran.out) == (2, "")
    assert re.fullmatch(rf"rearguard: {re.escape(str(path))}: buzzer\.pin = 14: .*\n", ran.err)


def test_a_directory_is_not_a_file(rearguard: Callable[..., Ran], tmp_path: Path) -> None:
    ran = rearguard("check", "--config", tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"rearguard: {tmp_path}: Is a directory; name a readable TOML file\n"


def test_a_missing_file_is_an_error_and_not_the_defaults(
    rearguard: Callable[..., Ran], tmp_path: Path
) -> None:
    path = tmp_path / "absent.toml"
    ran = rearguard("check", "--config", path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}: No such file")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("name", [n for n in BAD_FILES if "driver" not in n])
def test_what_load_says_of_a_bad_file_is_one_line_too(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(BAD_FILES[name][0])
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert re.fullmatch(rf"{re.escape(str(path))}: .+", str(caught.value))


def test_lines_that_end_as_on_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "dos.toml"
    path.write_bytes(b"[sensor]\r\necho_pin = 5\r\n")
    assert config.load(path).sensor.echo_pin == 5


def test_a_file_that_an_editor_began_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    # The boot partition is edited on any PC, and Windows' editors write the mark.
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf[sensor]\necho_pin = 5\n")
    assert config.load(path).sensor.echo_pin == 5


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.touch()
    assert config.load(path) == Settings()


# ------------------------------------------------------------------ where it is looked for


def test_the_argument_counts_before_the_variable_and_that_before_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot, etc = tmp_path / "boot.toml", tmp_path / "etc.toml"
    monkeypatch.setattr(config, "PLACES", (boot, etc))
    environ = {config.VARIABLE: "variable.toml"}
    assert config.find_file(None, {}) is None
    etc.touch()
    assert config.find_file(None, {}) == etc
    boot.touch()
    assert config.find_file(None, {}) == boot
    assert config.find_file(None, environ) == Path("variable.toml")
    assert config.find_file("argument.toml", environ) == Path("argument.toml")
    assert config.find_file(None, {config.VARIABLE: ""}) == boot


def test_the_places_are_the_boot_partition_and_then_etc() -> None:
    assert [str(place) for place in config.PLACES] == [
        "/boot/firmware/rearguard.toml",
        "/etc/rearguard/rearguard.toml",
    ]


def test_the_command_reads_the_file_that_the_variable_names(
    rearguard: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[alert]\nprofile = "rehab"\n', encoding="utf-8")
    monkeypatch.setenv(config.VARIABLE, str(path))
    ran = rearguard("check")
    assert ran.status == 0
    assert str(path) in ran.out
    assert "rehab" in ran.out


def test_a_variable_that_names_no_file_is_an_error(
    rearguard: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(config.VARIABLE, str(tmp_path / "absent.toml"))
    ran = rearguard("check")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {tmp_path / 'absent.toml'}: ")


# ------------------------------------------------------------------ button and lamp


@pytest.mark.parametrize("extra", ["button", "led"])
@pytest.mark.parametrize("pin", [14, 15])
def test_a_button_or_a_lamp_on_the_serial_port_is_refused(extra: str, pin: int) -> None:
    tables = {extra: {"enabled": True, "pin": pin}}
    assert refusal(tables).startswith(f"{extra}.pin = {pin}: GPIO 14 and 15 are the serial port")
    config.parse({extra: {"pin": pin}}, SOURCE)


@pytest.mark.parametrize("extra", ["button", "led"])
@pytest.mark.parametrize("other", ["sensor.trigger_pin", "sensor.echo_pin", "buzzer.pin"])
def test_a_button_or_a_lamp_needs_a_pin_of_its_own(extra: str, other: str) -> None:
    pin = KNOBS[other].default
    tables = {extra: {"enabled": True, "pin": pin}}
    assert refusal(tables) == (
        f"{extra}.pin = {pin}: {other} has that pin already; give each its own"
    )
    config.parse({extra: {"pin": pin}}, SOURCE)


def test_button_and_lamp_cannot_share_a_pin() -> None:
    said = refusal(raw(button__enabled=True, led__enabled=True, led__pin=3))
    assert said == "led.pin = 3: button.pin has that pin already; give each its own"


def test_a_button_may_have_the_pins_that_are_pulled_up_at_boot() -> None:
    for pin in range(2, 9):
        assert config.parse(raw(button__enabled=True, button__pin=pin), SOURCE).button.pin == pin


def test_a_mute_can_be_asked_for_up_to_ten_minutes_and_no_longer() -> None:
    assert BOUNDS["button.mute_s"].high == 600.0


# ------------------------------------------------------------------ safe settings

PARTS = [(driver, model) for driver in sensors.names() for model in sensors.models(driver)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_safe_settings_of_every_shipped_file_are_good(path: Path) -> None:
    settings = config.load(path)
    safe = config.safe(settings)
    config.judge(safe, SOURCE)
    assert config.safe(safe) == safe


@pytest.mark.parametrize(("driver", "model"), PARTS)
@pytest.mark.parametrize("profile", profiles.THRESHOLDS)
def test_safe_settings_are_good_whatever_is_fitted_and_whoever_wears_it(
    driver: str, model: str, profile: str
) -> None:
    tables = raw(sensor__driver=driver, sensor__model=model, alert__profile=profile)
    tables["alert"] |= {"stop_m": 0.7, "danger_m": 1.2, "warning_m": 1.8, "caution_m": 2.6}
    safe = config.safe(config.parse(tables, SOURCE))
    config.judge(safe, SOURCE)
    needs = profiles.THRESHOLDS[safe.alert.profile][-1].distance_m
    assert needs >= profiles.THRESHOLDS[profile][-1].distance_m


def test_safe_settings_keep_what_is_soldered_and_leave_out_what_was_tuned() -> None:
    wiring = raw(
        gpio__factory="mock",
        sensor__trigger_pin=5,
        sensor__echo_pin=6,
        alert__profile="rehab",
        buzzer__pin=20,
        buzzer__kind="passive",
        motor__pin=21,
        simulation__scenario="standing",
    )
    tuning = raw(
        sensor__temperature_c=30.0,
        sensor__max_range_m=3.0,
        alert__caution_m=2.0,
        alert__hush_s=60.0,
        alert__release_pings=20,
        buzzer__tone_hz=900,
        motor__strength=0.2,
        motor__overdrive_s=0.0,
        button__enabled=True,
        led__enabled=True,
        coach__mode="intervals",
        walks__weight_kg=70.0,
    )
    tuned = {table: wiring.get(table, {}) | tuning.get(table, {}) for table in wiring | tuning}
    safe = config.safe(config.parse(tuned, SOURCE))
    off = {"journal": {"enabled": False}, "walks": {"enabled": False}}
    expected = config.parse(wiring | off, SOURCE)
    assert safe == expected


@pytest.mark.parametrize("off", ["buzzer", "motor"])
def test_safe_settings_do_not_drive_what_is_not_fitted(off: str) -> None:
    safe = config.safe(config.parse({off: {"enabled": False}}, SOURCE))
    assert not getattr(safe, off).enabled


# ------------------------------------------------------------------ what can be used all the same


def usable(text: str, tmp_path: Path) -> Settings | None:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    found: Settings | None = raised.value.usable
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        '[alert]\nwarning_m = "near"',
        "[alert]\nwarning_m = 77",
        "[alert]\nwarnign_m = 1.5",
        "[alerts]\nwarning_m = 1.5",
        "alert = 3",
        "[alert]\nstop_m = 3.9",
        "[led]\nenabled = true\npin = 22",
        '[gpio]\nfactory = "own"\n[sensor]\nmin_range_m = -1\nmodel = 7',
    ],
    ids=str,
)
def test_of_a_file_with_mistakes_the_rest_is_usable(wrong: str, tmp_path: Path) -> None:
    right = "[buzzer]\npin = 22\n[motor]\npin = 12\n[simulation]\nseed = 7\n"
    rest = usable(right + wrong if wrong.startswith("[") else f"{wrong}\n{right}", tmp_path)
    assert rest is not None
    config.judge(rest, SOURCE)
    assert (rest.buzzer.pin, rest.motor.pin, rest.simulation.seed) == (22, 12, 7)


@pytest.mark.parametrize(
    "text",
    [
        "[buzzer\npin = 22",
        "[buzzer]\npin = 13\n[motor]\npin = 4\n[led]\nenabled = true\npin = 23",
    ],
    ids=["no TOML", "more than one too many"],
)
def test_where_more_than_one_thing_would_have_to_be_guessed_nothing_is(
    text: str, tmp_path: Path
) -> None:
    assert usable(text, tmp_path) is None


def test_a_place_that_cannot_be_looked_at_is_no_place_without_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Or a broken card would silently give the defaults."""
    place = tmp_path / "rearguard.toml"
    place.symlink_to(place)
    monkeypatch.setattr(config, "PLACES", (place,))
    assert config.find_file(None, {}) == place
    with pytest.raises(ConfigError, match="symbolic links"):
        config.load(place)


def test_too_much_walking_comes_after_enough() -> None:
    said = refusal({"coach": {"target_min": 30.0}})
    assert said.startswith("coach.most_min = 20.0: less than coach.target_min = 30.0")
