"""The building guide says what the code does: a maker wires from it, nobody compiles it."""

import re
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from device import config, profiles
from device.settings import Settings

GUIDE = "hardware.md"
TEXT = (Path(__file__).parents[1] / GUIDE).read_text(encoding="utf-8")

SIGNALS = {
    "Trigger": ("sensor.trigger_pin", "out"),
    "Echo": ("sensor.echo_pin", "in"),
    "Buzzer": ("buzzer.pin", "out"),
    "Motor": ("motor.pin", "out"),
}
SUPPLIES = {"5 V": "5V", "3.3 V": "3V3", "GND": "GND"}


def table(first: str, second: str) -> list[dict[str, str]]:
    """Rows, by column name, of the one table whose first columns are these."""
    lines = iter(TEXT.splitlines())
    head = next(line for line in lines if line.startswith(f"| {first} | {second} "))
    names = cells(head)
    assert set(next(lines)) <= set("|-: ")
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, cells(line), strict=True)))
    return rows


def cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def blocks(language: str) -> list[str]:
    """What stands between ``` fences that name this language ("" names none)."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return [block for named, block in fences if named == language]


@pytest.fixture(scope="module")
def header() -> dict[int, str]:
    """The 40-pin header of a Zero 2 W in gpiozero's own board data: number to name."""
    factory = MockFactory(revision="902120")
    try:
        board = factory.board_info
        assert board.model == "Zero2W"
        return {number: pin.name for number, pin in board.headers["J8"].pins.items()}
    finally:
        factory.reset()
        factory.close()


def test_the_pin_table_has_each_signal_once() -> None:
    rows = table("Signal", "GPIO (BCM)")
    assert [row["Signal"] for row in rows] == list(SIGNALS)
    assert {row["Signal"]: (row["Setting"], row["Direction"]) for row in rows} == SIGNALS


@pytest.mark.parametrize("row", table("Signal", "GPIO (BCM)"), ids=lambda row: str(row["Signal"]))
def test_a_pin_is_the_default_and_where_the_header_has_it(
    row: dict[str, str], header: dict[int, str]
) -> None:
    gpio = int(row["GPIO (BCM)"])
    assert gpio == attrgetter(row["Setting"])(Settings())
    assert header[int(row["Header pin"])] == f"GPIO{gpio}"


def test_the_supply_pins_are_all_the_header_has(header: dict[int, str]) -> None:
    stated = {
        row["Supply"]: {int(number) for number in re.findall(r"\d+", row["Header pins"])}
        for row in table("Supply", "Header pins")
    }
    assert stated == {
        label: {number for number, name in header.items() if name == there}
        for label, there in SUPPLIES.items()
    }


def test_the_drawings_name_pins_that_the_header_has(header: dict[int, str]) -> None:
    drawn = re.findall(r"\b(GPIO\d+|5 V|3\.3 V|GND) +\(pin (\d+)\)", TEXT)
    assert {name for name, _ in drawn} >= {"GPIO23", "GPIO24", "GPIO18", "GPIO13", "5 V", "GND"}
    for name, number in drawn:
        assert header[int(number)] == SUPPLIES.get(name, name), f"{name} (pin {number})"


def test_the_drawings_use_only_the_pins_of_the_table() -> None:
    drawn = {int(number) for block in blocks("") for number in re.findall(r"GPIO(\d+)", block)}
    assert drawn == {int(row["GPIO (BCM)"]) for row in table("Signal", "GPIO (BCM)")}


@pytest.mark.parametrize("block", blocks("toml"))
def test_each_configuration_shown_is_accepted(block: str) -> None:
    config.parse(tomllib.loads(block), GUIDE)


def test_the_splash_proof_sensor_is_given_its_blind_zone_and_long_trigger() -> None:
    shown = [config.parse(tomllib.loads(block), GUIDE).sensor for block in blocks("toml")]
    assert [(s.min_range_m, s.trigger_pulse_s) for s in shown].count((0.25, 20e-6)) == 1


def test_every_setting_named_in_the_text_exists() -> None:
    known = {f"{knob.table}.{knob.key}" for knob in config.knobs()}
    tables = "|".join(sorted({knob.table for knob in config.knobs()}))
    named = set(re.findall(rf"`((?:{tables})\.\w+)", TEXT))
    assert named
    assert named <= known


def test_the_walk_to_the_wall_meets_the_levels_where_the_table_says() -> None:
    stated = {
        row["Level"]: float(row["From, at the latest"].removesuffix(" m"))
        for row in table("Level", "From, at the latest")
    }
    limits = profiles.thresholds(Settings().alert)
    names = [name.upper() for name in profiles.LEVELS]
    assert stated == {name: limit.distance_m for name, limit in zip(names, limits, strict=True)}
