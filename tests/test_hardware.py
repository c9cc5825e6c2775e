"""The drawings, the arithmetic and the coverage: what the guide shows is what the lists say."""

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
from gpiozero.pins.mock import MockFactory

from device import sensors
from device.check import HEADER_PINS
from device.config import PULLED_UP_AT_BOOT, UART_PINS
from device.settings import Settings
from device.sim import scenario
from hardware import __main__ as command
from hardware import coverage, draw, mount, parts, wiring
from hardware.wiring import Plan
from tests.test_hardware_doc import PARTS, TEXT, WANTS, blocks, chapter, numbers, table

PLANS = {plan.slug: plan for plan in wiring.PLANS}
SVG = "{http://www.w3.org/2000/svg}"
SHOWN = dict(re.findall(r"!\[([^\]]+)\]\(hardware/drawings/([\w-]+)\.svg\)", TEXT))
ALT = {slug: alt for alt, slug in SHOWN.items()}


def every_plan() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("plan", wiring.PLANS, ids=lambda plan: plan.slug)


def texts(svg: str) -> list[str]:
    """Every label of a drawing, in the order in which it was drawn."""
    found = (element.itertext() for element in ET.fromstring(svg).iter(f"{SVG}text"))
    return [" ".join("".join(words).split()) for words in found]


def pins_named(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"\bpin (\d+)", text)}


def row(first: str, second: str, name: str) -> dict[str, str]:
    (found,) = (row for row in table(first, second) if row[first] == name)
    return found


@pytest.fixture(scope="module")
def header() -> dict[int, str]:
    factory = MockFactory(revision="902120")
    try:
        return {n: pin.name for n, pin in factory.board_info.headers["J8"].pins.items()}
    finally:
        factory.reset()
        factory.close()


# ------------------------------------------------------------------ wiring


def test_each_part_that_a_driver_knows_is_wired_once() -> None:
    known = [part.title for name in sensors.names() for part in sensors.models(name).values()]
    assert sorted(itertools.chain(*(plan.fits for plan in wiring.PLANS))) == sorted(known)


@every_plan()
def test_a_wire_ends_where_the_header_has_its_name(plan: Plan, header: dict[int, str]) -> None:
    supplies = {"5 V": "5V", "3.3 V": "3V3"}
    for wire in plan.wires:
        if wire.net is not None:
            name, pin = wiring.end(wire.net, plan, Settings())
            assert header[pin] == supplies.get(name, name)


def test_the_outputs_supply_and_grounds_are_such_pins(header: dict[int, str]) -> None:
    assert header[wiring.OUTPUTS_5V_PIN] == "5V"
    for pin in (wiring.BUZZER_GND, wiring.MOTOR_GND, wiring.BUTTON_GND, wiring.LED_GND):
        assert header[pin] == "GND"


@every_plan()
def test_what_swings_to_5_volts_does_not_reach_the_pi_as_it_is(plan: Plan) -> None:
    """A lidar's output is 3.3 V though its supply is 5 V; the table of parts says so."""
    low = {name for name, part in WANTS.items() if part["High level on its TX"] == "3.3 V"}
    outputs = [wire for wire in plan.wires if wire.net in ("echo", "RX")]
    assert len(outputs) == 1
    if plan.supply == "5 V" and not (plan.fits and set(plan.fits) <= low):
        assert outputs[0].via in ("divider", "inverter")
    else:
        assert outputs[0].via in ("", "pull-down")


@every_plan()
def test_an_echo_that_breaks_off_is_held_low(plan: Plan) -> None:
    for wire in plan.wires:
        if wire.net == "echo":
            assert wire.via in ("divider", "pull-down")


@every_plan()
def test_a_sensors_output_meets_the_pis_input(plan: Plan) -> None:
    """TX goes to RX, but for the US-100, whose contacts are named for the other side."""
    for wire in plan.wires:
        if wire.net not in ("TX", "RX"):
            continue
        said = re.search(r"\b(TXD?|RXD?)\b", wire.contact)
        if said is not None:
            crossed = said[0][:2] != wire.net
            assert crossed is (plan.slug != "us-100")


def test_no_output_is_on_a_pin_that_is_up_at_boot() -> None:
    signals = wiring.signals(Settings())
    for role in ("buzzer", "motor"):
        assert signals[role] not in (*PULLED_UP_AT_BOOT, *UART_PINS)


def test_the_guides_table_of_all_sensors_is_the_list() -> None:
    stated = [tuple(row.values()) for row in table("Sensor", "Supply")]
    assert list(table("Sensor", "Supply")[0]) == list(wiring.GLANCE)
    assert stated == [wiring.glance(plan, Settings()) for plan in wiring.PLANS]


# ------------------------------------------------------------------ drawings


def test_the_drawings_are_fresh() -> None:
    """The schematics; the coverage plot is compared by `make check`, on one version of things."""
    fresh = draw.drawings(Settings())
    assert set(command.stale(command.DRAWINGS, fresh)) == {"coverage.svg"}
    assert (command.DRAWINGS / "coverage.svg").is_file()


def test_each_drawing_is_shown_and_described() -> None:
    there = {path.stem for path in command.DRAWINGS.glob("*.svg")}
    assert set(ALT) == there
    assert not re.findall(r"!\[\]", TEXT)


@every_plan()
def test_a_drawing_and_its_description_name_each_pin_of_the_list(plan: Plan) -> None:
    ends = {
        wiring.end(wire.net, plan, Settings())[::-1] for wire in plan.wires if wire.net is not None
    }
    if any(wire.via == "inverter" for wire in plan.wires):
        ends.add((1, "3.3 V"))
    drawn = texts(draw.sensor(plan, Settings()))
    assert {int(said.removeprefix("pin ")) for said in drawn if said.startswith("pin ")} == {
        pin for pin, _ in ends
    }
    for _, name in ends:
        assert name in drawn
    for wire in plan.wires:
        assert wire.contact in drawn
    if plan.slug != "maxbotix-inverted":  # described by its parts
        assert pins_named(ALT[plan.slug]) >= {pin for pin, _ in ends} - {8}


@every_plan()
def test_a_drawing_has_the_resistors_of_the_arithmetic(plan: Plan) -> None:
    expected = {
        "": [],
        "pull-down": [parts.PULL_DOWN_OHM],
        "divider": list(parts.DIVIDER),
        "inverter": [parts.INVERTER_OHM] * 2,
    }
    wanted = sorted(parts.ohms(ohm) for wire in plan.wires for ohm in expected[wire.via])
    drawn = texts(draw.sensor(plan, Settings()))
    assert sorted(said for said in drawn if re.fullmatch(r"[\d.]+ (k|ohm)", said)) == wanted
    assert f"{parts.CAPACITOR_UF} µF, at the sensor" in drawn


@pytest.mark.parametrize("name", ["buzzer.svg", "buzzer-coil.svg", "buzzer-piezo.svg", "motor.svg"])
def test_an_output_has_base_resistor_pull_down_and_its_pin(name: str) -> None:
    drawn = texts(draw.drawings(Settings())[name])
    gpio = Settings().motor.pin if name == "motor.svg" else Settings().buzzer.pin
    assert {"1 k", "10 k", f"GPIO{gpio}", f"pin {HEADER_PINS[gpio]}", "5 V", "GND"} <= set(drawn)
    assert ("stripe up" in " ".join(drawn)) is (name in ("motor.svg", "buzzer-coil.svg"))


def triangles(svg: str) -> list[list[tuple[float, float]]]:
    """The arrow heads of diodes: the two corners of the base, the tip between them."""
    found = [element.get("points", "") for element in ET.fromstring(svg).iter(f"{SVG}polygon")]
    return [[tuple(map(float, at.split(","))) for at in points.split()] for points in found]  # type: ignore[misc]


def test_the_diodes_point_where_the_current_is_to_go() -> None:
    """Two along the supply, from the Pi on the right to the left; the flyback up, to the supply."""
    heads = [head for head in triangles(draw.motor(Settings())) if len(head) == 3]
    level = [h for h in heads if h[0][0] == h[2][0] and h[1][0] < h[0][0]]
    upright = [h for h in heads if h[0][1] == h[2][1] and h[1][1] < h[0][1]]
    assert len(level) == parts.DROPS
    assert len(upright) == 1
    assert len(heads) == parts.DROPS + 1


def test_a_changed_pin_changes_the_pictures() -> None:
    moved = msgspec.convert(
        {"sensor": {"echo_pin": 17}, "motor": {"pin": 12}, "led": {"pin": 26}}, Settings
    )
    before, after = draw.drawings(Settings()), draw.drawings(moved)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "hc-sr04.svg", "hc-sr04p.svg", "jsn-sr04t-ping.svg", "motor.svg", "button-led.svg",
        "header.svg",
    }  # fmt: skip
    assert {"GPIO17", "pin 11"} <= set(texts(after["hc-sr04.svg"]))
    assert {"GPIO12", "pin 32"} <= set(texts(after["motor.svg"]))


def test_a_stale_a_missing_and_a_left_over_drawing_are_found(tmp_path: Path) -> None:
    fresh = {"a.svg": "a", "b.svg": "b", "c.svg": "c"}
    for name, text in {"a.svg": "a", "b.svg": "old", "d.svg": "d"}.items():
        (tmp_path / name).write_text(text)
    assert command.stale(tmp_path, fresh) == ["b.svg", "c.svg", "d.svg"]


def test_the_header_marks_the_pins_that_are_used(header: dict[int, str]) -> None:
    drawn = texts(draw.header(Settings()))
    roles = wiring.roles(Settings())
    assert set(roles.values()) <= set(drawn)
    assert {str(number) for number in header} <= set(drawn)
    described = {int(n) for n in re.findall(r"\b(\d+)\b(?!\.\d| V| pins)", ALT["header"])} - {3}
    assert described == set(roles)


# ------------------------------------------------------------------ arithmetic


def test_the_dividers_table_is_calculated() -> None:
    rows = table("R1 / R2", "at 5.0 V")
    assert [row["R1 / R2"] for row in rows] == [
        f"{parts.ohms(series)} / {parts.ohms(ground)}" for series, ground in parts.DIVIDERS
    ]
    for stated, pair in zip(rows, parts.DIVIDERS, strict=True):
        cells = [numbers(cell)[0] for cell in list(stated.values())[1:]]
        expected = [parts.divided_v(supply_v, pair) for supply_v in parts.SUPPLIES_V]
        assert cells[:3] == pytest.approx(expected, abs=0.0051)
        assert cells[3] == pytest.approx(parts.divider_ma(5.0, pair), abs=0.051)
        assert cells[4] == pytest.approx(parts.divided_v(5.0, pair[::-1]), abs=0.0051)


def test_the_drawn_divider_is_heard_and_harms_no_pin() -> None:
    for pair in parts.DIVIDERS[:2]:
        for supply_v in parts.SUPPLIES_V:
            assert max(parts.HIGH_V.values()) < parts.divided_v(supply_v, pair) < parts.PIN_MOST_V
    assert all(parts.divided_v(v, parts.DIVIDERS[2]) > 3.3 for v in parts.SUPPLIES_V)
    text = chapter("## The electrician's arithmetic")
    assert f"high from {parts.HIGH_V['3']} V on (Zero 2 W, 3)" in text
    assert f"or from {parts.HIGH_V['4']} V (4;" in text


def test_the_meter_finds_the_dividers_resistors() -> None:
    series, ground = parts.DIVIDER
    rows = {row["Measure"]: row["Expect"] for row in table("Measure", "Expect")}
    echo = rows[f"GPIO{Settings().sensor.echo_pin} wire to GND"]
    contact = rows["the sensor's ECHO contact to GND"]
    other = parts.DIVIDERS[1]
    alone = f"; {parts.ohms(parts.PULL_DOWN_OHM)} with an HC-SR04P"
    assert echo == f"{parts.ohms(ground)} (or {parts.ohms(other[1])}){alone}"
    assert contact == f"{parts.ohms(series + ground)} (or {parts.ohms(sum(other))}){alone}"
    for role in (Settings().button.pin, Settings().led.pin):
        assert any(measure.startswith(f"GPIO{role} wire to GND") for measure in rows)
    base = parts.ohms(parts.BASE_OHM + parts.PULL_DOWN_OHM)
    for gpio in (Settings().buzzer.pin, Settings().motor.pin):
        assert rows[f"GPIO{gpio} wire to GND, red lead on GND"] == base
    told = row("What you hear or feel", "Likely cause", "Fault signal, and all wires are right")
    assert f"must be {parts.ohms(ground)}; with {parts.ohms(series)} there" in told["Remedy"]
    assert f"reaches {parts.divided_v(5.0, (ground, series)):.1f} V only" in told["Remedy"]


def test_the_pins_bear_what_hangs_on_them() -> None:
    given = parts.pins_ma()
    assert max(given.values()) < parts.DEFAULT_DRIVE_MA < parts.PIN_MOST_MA
    assert sum(given.values()) < parts.ALL_PINS_MOST_MA
    stated = {
        row["Pin of"]: numbers(row["gives at most"])[0] for row in table("Pin of", "gives at")
    }
    assert stated.pop("all together") == pytest.approx(sum(given.values()), abs=0.051)
    assert stated == {name: pytest.approx(ma, abs=0.051) for name, ma in given.items()}
    text = chapter("## The electrician's arithmetic")
    assert f"bear {parts.PIN_MOST_MA:g} mA each, and {parts.ALL_PINS_MOST_MA:g} mA together" in text
    assert f"drive {parts.DEFAULT_DRIVE_MA:g} mA as they come" in text


def test_the_transistors_sentences_are_calculated() -> None:
    text = chapter("## The electrician's arithmetic")
    least_v = parts.PIN_LEAST_V
    for said in (
        f"({parts.PIN_V} V - {parts.BASE_V} V) / 1 k = {parts.pin_ma():.1f} mA",
        f"of which {parts.BASE_V / parts.PULL_DOWN_OHM * 1000:.2f} mA goes through the 10 k",
        f"and {parts.base_ma():.1f} mA into the base",
        f"A buzzer of {parts.BUZZER_MA:g} mA asks for a gain of {parts.gain(parts.BUZZER_MA):.0f}",
        f"a motor of {parts.MOTOR_MA:g} mA for {parts.gain(parts.MOTOR_MA):.0f}.",
        f"promises {least_v} V only for a high: then {parts.base_ma(pin_v=least_v):.1f} mA",
        f"the motor asks for {parts.gain(parts.MOTOR_MA, pin_v=least_v):.0f}.",
        f"a Pi 4's {parts.LEAK_UA:g}; through 10 k that makes {parts.leak_v():.1f} V",
        f"= {parts.motor_v(5.0):.1f} V; {parts.motor_v(5.25):.2f} V from a supply of 5.25 V",
        f"and {parts.motor_v(4.75):.2f} V from one of 4.75 V",
        f"up to {parts.MOTOR_START_MA:g} mA in its first moment",
        f"`motor.strength`, {Settings().motor.strength:.0%} unless".replace("%", " %"),
        f"unless you change it: {Settings().motor.strength * parts.motor_v(5.0):.1f} V on average",
        f"({parts.PIN_V} V - {parts.LED_V} V) / 1 k = {parts.led_ma():.1f} mA",
        f"/ 10 k = {(parts.PIN_V - parts.BASE_V) / parts.INVERTER_OHM * 1000:.2f} mA",
        f"or {(5 - parts.BASE_V) / parts.INVERTER_OHM * 1000:.2f} mA from 5 V",
        f"{parts.PIN_V} V / 10 k = {parts.PIN_V / parts.INVERTER_OHM * 1000:.2f} mA",
    ):
        assert said in text, said


def test_each_sensors_worst_moment_is_calculated() -> None:
    rows = table("With", "sensor")
    assert [row["With"] for row in rows] == list(parts.SENSOR_MA) == [row["Part"] for row in PARTS]
    for stated in rows:
        ma, peak_ma = parts.SENSOR_MA[stated["With"]], parts.peak_ma(stated["With"])
        if ma is None or peak_ma is None:
            assert stated["sensor"] == "not found"
        else:
            assert numbers(stated["sensor"]) == [ma]
            assert numbers(stated["sensor, buzzer and a motor that starts"]) == [peak_ma]


def test_a_sensors_current_is_no_more_than_its_worst_moment() -> None:
    assert set(WANTS) == set(parts.SENSOR_MA)
    for name, worst_ma in parts.SENSOR_MA.items():
        stated = numbers(WANTS[name]["Current"].replace("V3", ""))
        if worst_ma is not None and stated:
            assert max(stated) <= worst_ma, name


def test_the_boards_are_those_of_the_sums() -> None:
    rows = {row["Board"]: row for row in table("Board", "Euros")}
    assert list(rows) == list(parts.BOARDS)
    for name, board in parts.BOARDS.items():
        assert numbers(rows[name]["Draws by itself"]) == [board.typical_ma]
        assert numbers(rows[name]["Supply asked for"]) == [board.supply_a]


def test_the_hours_of_walking_are_calculated() -> None:
    rows = {row["Hours of walking"]: row for row in table("Hours of walking", "5 000 mAh")}
    assert list(rows) == list(parts.BOARDS)
    for board, stated in rows.items():
        assert stated["5 000 mAh"] == str(parts.hours(5000, board))
        assert stated["10 000 mAh"] == str(parts.hours(10_000, board))
        for sensor in ("TF-Luna", "TFmini Plus"):
            assert stated[f"10 000 mAh, {sensor}"] == str(parts.hours(10_000, board, sensor))


def test_the_sum_that_is_shown_for_the_hours_is_right() -> None:
    text = chapter("## Power")
    board, sensor_ma = parts.BOARDS["Zero 2 W"], parts.MEAN_MA["HC-SR04"]
    outputs_ma = parts.BUZZER_MA + parts.MOTOR_MA
    drawn_ma = board.typical_ma + sensor_ma + parts.OUTPUTS_SHARE * outputs_ma
    for said in (
        f"10 Ah x {parts.CELL_V} V = {10 * parts.CELL_V:g} Wh",
        f"about {parts.EFFICIENCY * 100:.0f} % of that, {parts.bank_wh(10_000):.0f} Wh",
        f"A Zero 2 W draws {board.typical_ma:g} mA, an HC-SR04 {sensor_ma:g} mA",
        f"buzzer and motor {outputs_ma:g} mA for an assumed tenth of the time, "
        f"{outputs_ma * parts.OUTPUTS_SHARE:g} mA: {drawn_ma:g} mA x 5 V = {drawn_ma / 200:.1f} W",
        f"= {parts.hours(10_000, 'Zero 2 W')} hours",
    ):
        assert said in text, said
    assert parts.OUTPUTS_SHARE == 0.1


def test_the_parts_that_are_drawn_can_be_bought_from_the_list() -> None:
    """Resistors and diodes by their values, so that nothing is missing on Saturday."""
    listed = " ".join(row["Part"] for row in table("Part", "How many"))
    drawn = {said for svg in draw.drawings(Settings()).values() for said in texts(svg)}
    for value in (said for said in drawn if re.fullmatch(r"[\d.]+ (k|ohm)", said)):
        assert f"Resistor {value}" in listed, value
    diodes = {name for said in drawn for name in re.findall(r"1N\d+", said)}
    assert diodes == {"1N4148", "1N4001"}
    assert all(diode in listed for diode in diodes)
    assert f"capacitor {parts.CAPACITOR_UF} uF" in listed


def test_the_board_is_the_drawings_strip_by_strip() -> None:
    rows = {
        row["Strip"]: row["What is soldered to it"]
        for row in table("Strip", "What is soldered to it")
    }
    settings = Settings()
    plan = PLANS["hc-sr04"]
    assert rows["5 V"].startswith(f"header pin {wiring.OUTPUTS_5V_PIN};")
    assert rows["ground"].startswith(f"header pins {wiring.PULSE_GND} and {wiring.MOTOR_GND};")
    assert wiring.PULSE_GND == wiring.BUZZER_GND
    for gpio in (settings.buzzer.pin, settings.motor.pin):
        assert rows[f"GPIO{gpio}"].startswith(f"header pin {HEADER_PINS[gpio]};")
    assert rows["echo"].startswith(f"header pin {HEADER_PINS[settings.sensor.echo_pin]};")
    text = chapter("### The board, strip by strip")
    assert f"VCC to pin {wiring.end('5 V', plan, settings)[1]}, " in text
    assert f"TRIG to pin {wiring.end('trigger', plan, settings)[1]}." in text
    # Each part has its ends on as many strips as it has ends.
    joined = " ; ".join(rows.values())
    series, ground = (parts.ohms(ohm) for ohm in parts.DIVIDER)
    assert joined.count(f"the divider's {series}") == joined.count(f"the {ground}") == 2
    assert joined.count("1N4001") == 2 * parts.DROPS
    assert joined.count("flyback diode") == 2
    for leg in ("collector", "base"):
        assert joined.count(f"transistor, {leg}") == 2
    assert joined.count(f"a {parts.ohms(parts.PULL_DOWN_OHM)}") == 2


# ------------------------------------------------------------------ coverage and mount


def test_the_coverage_table_is_calculated() -> None:
    rows = table("Thing", "HC-SR04, up 5 degrees")
    columns = [
        list(column) for column in zip(*(list(row.values())[1:] for row in rows), strict=True)
    ]
    assert columns == [coverage.rows(name) for name in coverage.SHOWN]


def test_the_coverage_tables_heads_are_the_mounts() -> None:
    heads = list(table("Thing", "HC-SR04, up 5 degrees")[0])[1:]
    expected = []
    for name in coverage.SHOWN:
        worn = coverage.MOUNTS[name]
        tilt = f"up {worn.tilt_deg:g} degrees" if worn.tilt_deg else "level"
        expected.append(f"{coverage.part(worn).title}, {tilt}")
    assert heads == expected


def test_what_coverage_assumes_is_what_the_scenarios_have() -> None:
    text = " ".join(chapter("### What the beam finds").split())
    person, post = coverage.things()["person"], coverage.things()["post"]
    assert person.radius_m == 0.25
    assert "a person half a metre across" in text
    assert f"a post of {post.radius_m * 2000:g} mm that is heard to {post.seen_to_m:g} m" in text
    assert f"within {post.half_angle_deg:g} degrees of the middle" in text
    assert f"a thick coat is heard to {scenario.load('coat').obstacles[0].seen_to_m:g} m" in text
    assert scenario.load("crossing").air.loss == coverage.AIR_LOSS == 0.02
    assert "one reading in fifty" in text
    assert scenario.load("curb").obstacles[0].seen_to_m == 0
    assert "a curb is never heard" in text
    assert f"a bench within {scenario.load('bench').obstacles[0].seen_to_m:g} m only" in text
    child = scenario.load("child").obstacles[0]
    assert f"a child within {child.seen_to_m:.1f} m at best" in text
    assert {worn.height_m for worn in coverage.MOUNTS.values()} == {1.0}
    assert "the sensor 1 m above level ground" in text
    for called, high_m in coverage.LOW_M.items():
        assert any(
            called in row["Thing"] and f"{high_m:g} m high" in row["Thing"]
            for row in table("Thing", "HC-SR04, up 5 degrees")
        )


def test_a_beam_finds_less_of_what_is_farther_aside() -> None:
    worn = coverage.MOUNTS["hc-sr04"]
    person = coverage.things()["person"]
    widths = [coverage.aside_m(person, worn, near_m) for near_m in (0.5, 1.0, 2.0, 3.5)]
    assert widths == sorted(widths)
    assert widths[0] > 0
    assert coverage.aside_m(person, worn, 4.2) == 0.0
    assert coverage.share(person, worn, 2.0, 0.0) > 0.9
    assert coverage.share(person, worn, 2.0, 3.0) == 0.0


def test_tilting_up_loses_low_things() -> None:
    level = coverage.Mount("hcsr04", "hc-sr04", 0.0)
    tilted = level._replace(tilt_deg=10.0)
    bench_m = coverage.LOW_M["bench"]
    near, far = coverage.edge_from_m(bench_m, level), coverage.edge_from_m(bench_m, tilted)
    assert near is not None
    assert far is None or far > near


def test_the_holders_tilts_and_beams_are_those_of_the_mounts() -> None:
    assert set(mount.kinds()) == set(coverage.MOUNTS)
    for name, kind in mount.kinds().items():
        worn = coverage.MOUNTS[name]
        assert kind.tilt_deg == worn.tilt_deg
        assert kind.half_angle_deg == coverage.part(worn).half_angle_deg


def test_the_settings_of_the_mount_that_are_named_exist() -> None:
    text = chapter("### A mount to print")
    named = set(re.findall(r"`(\w+_(?:mm|deg))`", text))
    assert named
    for name in named:
        assert isinstance(mount.setting(name), float)
    assert f"belt of {mount.setting('strap_mm'):g} mm" in text
    assert f"A bed of {mount.BED_MM:g} mm" in text
    said = re.search(r"""part="(\w+)"' -D 'sensor="([\w-]+)\"""", text)
    assert said is not None
    assert mount.Piece(*said.groups()) in mount.pieces()


def test_the_mounts_picture_is_fresh() -> None:
    assert not mount.stale(mount.PICTURE)


def test_no_drawing_in_letters_is_left() -> None:
    assert blocks("") == []
