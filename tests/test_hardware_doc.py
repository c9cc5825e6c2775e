"""The building guide says what the code does: a maker wires from it, nobody compiles it."""

import re
import tomllib
from operator import attrgetter
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from device import check, config, profiles, sensors
from device.core.alert import DeviceFault
from device.core.health import SensorFault
from device.core.signals import Lamp
from device.settings import SensorSettings, Settings
from hardware import wiring

ROOT = Path(__file__).parents[1]
GUIDE = "hardware.md"
TEXT = (ROOT / GUIDE).read_text(encoding="utf-8")

SIGNALS = {
    "Trigger": ("sensor.trigger_pin", "out"),
    "Echo": ("sensor.echo_pin", "in"),
    "Buzzer": ("buzzer.pin", "out"),
    "Motor": ("motor.pin", "out"),
    "Button (if fitted)": ("button.pin", "in"),
    "LED (if fitted)": ("led.pin", "out"),
}
SERIAL_LINES = {"Pi's TX": "out", "Pi's RX": "in"}
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


def blocks(language: str, text: str = TEXT) -> list[str]:
    """What stands between ``` fences that name this language ("" names none)."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for named, block in fences if named == language]


def chapter(heading: str) -> str:
    """What stands under a heading, up to the next of its rank or higher."""
    marks = heading.split(maxsplit=1)[0]
    _, found, rest = TEXT.partition(f"\n{heading}\n")
    assert found, heading
    return re.split(rf"^#{{2,{len(marks)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table_gpios(first: str) -> dict[str, int]:
    """GPIO numbers by signal, of the table whose first column is this."""
    return {row[first]: int(row["GPIO (BCM)"]) for row in table(first, "GPIO (BCM)")}


def numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", cell)]


def metres(cell: str) -> float:
    """`30 cm` or `4.5 m`."""
    number, unit = cell.split()
    return float(number) / {"m": 1, "cm": 100}[unit]


PARTS = table("Part", "Euros")
"""The sensors to choose from."""
WANTS = {row["Part"]: row for row in table("Part", "Supply")}
"""And what they want of the wiring."""


def part_settings(row: dict[str, str]) -> SensorSettings:
    """What its preset, and the model named beside it, make of a row of `PARTS`."""
    preset, named = re.fullmatch(
        r'(config/[\w-]+\.toml)(?:`, `model = "([\w-]+)")?', row["Preset"]
    ).groups()  # type: ignore[union-attr]
    raw = tomllib.loads((ROOT / preset).read_text("utf-8"))
    if named is not None:
        raw["sensor"]["model"] = named
    return config.parse(raw, preset).sensor


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


def test_the_serial_lines_are_those_kept_free_and_where_the_header_has_them(
    header: dict[int, str],
) -> None:
    rows = table("Serial line", "GPIO (BCM)")
    assert {row["Serial line"]: row["Direction"] for row in rows} == SERIAL_LINES
    assert tuple(table_gpios("Serial line").values()) == config.UART_PINS
    for row in rows:
        gpio, pin = int(row["GPIO (BCM)"]), int(row["Header pin"])
        assert check.HEADER_PINS[gpio] == pin
        assert header[pin] == f"GPIO{gpio}"


def test_the_a02yyuw_is_set_to_real_time_as_it_is_wired() -> None:
    (block,) = blocks("toml", chapter("### A02YYUW and A01NYUB"))
    assert config.parse(tomllib.loads(block), GUIDE).sensor.realtime
    (plan,) = (plan for plan in wiring.PLANS if plan.slug == "a02yyuw")
    assert [wire.contact for wire in plan.wires if wire.tied] == ["RX"]


def test_each_sensor_that_is_known_can_be_chosen() -> None:
    known = [part.title for name in sensors.names() for part in sensors.models(name).values()]
    assert sorted(row["Part"] for row in PARTS) == sorted(known)


def test_each_preset_of_a_sensor_can_be_chosen() -> None:
    fitted = {path for path in (ROOT / "config").glob("*.toml") if "[sensor]" in path.read_text()}
    named = set(re.findall(r"`(config/[\w-]+\.toml)`", chapter("### Which sensor")))
    assert named == {str(path.relative_to(ROOT)) for path in fitted}


@pytest.mark.parametrize("row", PARTS, ids=lambda row: str(row["Part"]))
def test_a_sensors_figures_are_those_of_the_code(row: dict[str, str]) -> None:
    settings = part_settings(row)
    part = sensors.model(settings)
    assert part.title == row["Part"]
    assert metres(row["Range"]) == pytest.approx(part.max_range_m)
    assert metres(row["Blind within"]) == pytest.approx(part.min_range_m)
    assert numbers(row["Beam, degrees"]) == [pytest.approx(2 * part.half_angle_deg)]
    paces = [pace for pace in (part.realtime, part.pace, part.asked) if pace is not None]
    stated = numbers(row["Readings a second"])
    assert stated == [float(f"{1 / pace.period_s:.2g}") for pace in paces]
    assert stated[0] == float(f"{1 / sensors.pace(settings).period_s:.2g}")


def test_the_ports_are_the_default_and_the_one_that_presets_name_for_a_pi_5() -> None:
    ports = {row["Board"]: row["sensor.port"] for row in table("Board", "`sensor.port`")}
    assert ports["Zero 2 W, 3, 4"].split("`")[0] == Settings().sensor.port
    told = re.findall(r"on a Raspberry Pi 5 \"(.*?)\"", (ROOT / "config/tf-luna.toml").read_text())
    assert told == [ports["Pi 5"]]


def test_each_refusal_of_a_port_is_one_that_the_code_says() -> None:
    who = "{name} (process {pid})"
    assert who in (ROOT / "device/procs.py").read_text("utf-8")
    code = (ROOT / "device/ports/tty.py").read_text("utf-8").replace("{who[0]}", who)
    rows = table("It says", "Meaning")
    assert rows
    for row in rows:
        said = row["It says"].replace("NAME", "{name}").replace("process N", "process {pid}")
        assert said in code


def test_the_mode_resistors_are_those_of_the_preset() -> None:
    mode = {row["Mode"]: row for row in table("Mode", "JSN-SR04T")}
    by_itself, asked = mode["speaks by itself"], mode["speaks when asked"]
    told = (ROOT / "config/jsn-sr04t-serial.toml").read_text("utf-8").replace("\n# ", " ")
    jsn, aj = by_itself["JSN-SR04T"].removesuffix(" k"), by_itself["AJ-SR04M"].removesuffix(" k")
    assert f"JSN-SR04T with {jsn} kilohm" in told
    assert f"AJ-SR04M ({aj} kilohm)" in told
    asked_jsn = asked["JSN-SR04T"].removesuffix(" k")
    asked_aj = asked["AJ-SR04M"].removesuffix(" k")
    assert f"(JSN {asked_jsn}, AJ {asked_aj} kilohm) add request = true" in told
    assert asked["Setting"] == "request = true"


def test_the_lamps_codes_are_those_of_the_player() -> None:
    said = {row["LED"]: row["what it says"] for row in table("LED", "what it says")}
    blinks = {
        "quick, even blinking, 100 ms on and off": Lamp.STARTING,
        "a flash every 2 s": Lamp.WATCHING,
        "a double flash every 2 s": Lamp.MUTED,
        "on": Lamp.NEAR,
        "slow, even blinking, 500 ms on and off": Lamp.FAULT,
    }
    assert set(said) == {*blinks, "dark"}
    assert set(blinks.values()) == set(Lamp)
    for words, lamp in blinks.items():
        pulses = lamp.value.again
        if evenly := re.search(r"(\d+) ms on and off", words):
            assert pulses == ((int(evenly[1]),) * 2,)
        elif every := re.search(r"every (\d) s", words):
            assert sum(map(sum, pulses)) == 1000 * int(every[1])
            assert len(pulses) == (2 if "double" in words else 1)
        else:
            assert all(off == 0 for _, off in pulses)


def test_what_the_button_does_takes_as_long_as_the_settings_say() -> None:
    told = chapter("### Button and LED, if you want them")
    button = Settings().button
    assert f"Held for {button.hold_s:g} s (`button.hold_s`)" in told
    assert button.mute_s == 600.0
    assert "for ten minutes at most (`button.mute_s`)" in told


def test_faults_are_called_what_the_device_calls_them() -> None:
    heard = [row["What you hear or feel"] for row in table("What you hear or feel", "Likely cause")]
    named = {
        name
        for cell in heard
        for name in re.findall(r"`([a-z-]+)(?:`|$)", cell.partition(" (")[0])
        if cell.startswith("Fault signal")
    }
    assert named <= set(SensorFault) | set(DeviceFault)
    assert DeviceFault.CRASH_LOOP in named
    assert named >= {
        SensorFault.NEVER_ANSWERED,
        SensorFault.STOPPED_ANSWERING,
        SensorFault.BAD_FRAME,
        SensorFault.OUT_OF_RANGE,
        SensorFault.PORT_GONE,
        SensorFault.DAZZLED,
        SensorFault.FROZEN,
    }


@pytest.mark.parametrize("block", blocks("toml"))
def test_each_configuration_shown_is_accepted(block: str) -> None:
    config.parse(tomllib.loads(block), GUIDE)


def test_the_splash_proof_sensor_is_given_its_blind_zone_and_long_trigger() -> None:
    shown = [config.parse(tomllib.loads(block), GUIDE).sensor for block in blocks("toml")]
    pinged = [(s.min_range_m, s.trigger_pulse_s) for s in shown if s.driver == "hcsr04"]
    assert pinged.count((0.25, 20e-6)) == 1


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
