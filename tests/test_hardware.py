"""The drawings, the arithmetic and the coverage: what the guide shows is what the lists say."""

import itertools
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import pytest
import schemdraw.elements as elm

from device import profiles, sensors
from device.check import HEADER_PINS
from device.config import PULLED_UP_AT_BOOT, UART_PINS
from device.settings import Settings
from device.sim import scenario
from hardware import __main__ as command
from hardware import coverage, draw, mount, netlist, parts, wiring
from hardware.wiring import Plan
from tests import test_hardware_doc
from tests.test_hardware_doc import PARTS, SUPPLIES, TEXT, WANTS, blocks, chapter, numbers, table

header = test_hardware_doc.header
PLANS = {plan.slug: plan for plan in wiring.PLANS}
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = re.findall(r"!\[([^\]]+)\]\(hardware/drawings/([\w-]+)\.svg\)", TEXT)
ALT = {slug: alt for alt, slug in DRAWN}


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


# ------------------------------------------------------------------ wiring


def test_each_part_that_a_driver_knows_is_wired_once() -> None:
    known = [part.title for name in sensors.names() for part in sensors.models(name).values()]
    assert sorted(itertools.chain(*(plan.fits for plan in wiring.PLANS))) == sorted(known)


@every_plan()
def test_a_wire_ends_where_the_header_has_its_name(plan: Plan, header: dict[int, str]) -> None:
    for wire in plan.wires:
        if wire.net is not None:
            name, pin = wiring.end(wire.net, plan, Settings())
            assert header[pin] == SUPPLIES.get(name, name)


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
    for name, drawn in draw.drawings(Settings()).items():
        assert (command.DRAWINGS / name).read_text("utf-8") == drawn
    assert (command.DRAWINGS / "coverage.svg").is_file()


def test_each_drawing_is_shown_and_described() -> None:
    there = {path.stem for path in command.DRAWINGS.glob("*.svg")}
    assert set(ALT) == there
    assert not re.findall(r"!\[\]", TEXT)


SHEETS = draw.sheets(Settings())
P = {role: f"pin {HEADER_PINS[gpio]}" for role, gpio in wiring.signals(Settings()).items()}
DRIVER = "NPN.base = 1 k = 10 k; NPN.emitter = 10 k = pin {ground}; 1 k = {pin}"
BUZZER = DRIVER.format(ground=14, pin=P["buzzer"])
NETS = {
    "hc-sr04": "VCC = capacitor.+ = pin 2; GND = capacitor.- = 1.5 k = pin 14; ECHO = 1 k; "
    f"1 k = 1.5 k = {P['echo']}; TRIG = {P['trigger']}",
    "hc-sr04p": "VCC = capacitor.+ = pin 1; GND = capacitor.- = 10 k = pin 14; "
    f"ECHO = 10 k = {P['echo']}; TRIG = {P['trigger']}",
    "jsn-sr04t-ping": "5V = capacitor.+ = pin 2; GND = capacitor.- = 1.5 k = pin 14; "
    f"ECHO / TX = 1 k; 1 k = 1.5 k = {P['echo']}; TRIG / RX = {P['trigger']}",
    "a02yyuw": f"VCC = capacitor.+ = pin 1; GND = RX = capacitor.- = pin 6; TX = {P['RX']}",
    "jsn-sr04t-serial": "5V = capacitor.+ = pin 1; GND = capacitor.- = pin 6; "
    f"ECHO / TX = {P['RX']}; TRIG / RX = {P['TX']}",
    "us-100": "VCC = capacitor.+ = pin 1; GND = capacitor.- = pin 6; "
    f"Echo/RX = {P['RX']}; Trig/TX = {P['TX']}",
    "maxbotix": "V+ (6) = capacitor.+ = pin 1; GND (7) = capacitor.- = pin 6; "
    f"TX (5) = {P['RX']}; RX (4)",
    "maxbotix-inverted": "V+ (6) = capacitor.+ = pin 2; "
    "GND (7) = capacitor.- = NPN.emitter = pin 6; "
    f"TX (5) = 10 k; 10 k = NPN.base; NPN.collector = 10 k #2 = {P['RX']}; 10 k #2 = pin 1; RX (4)",
    "serial-5v": "VCC = capacitor.+ = pin 2; GND = capacitor.- = 1.5 k = pin 6; its output = 1 k; "
    f"1 k = 1.5 k = {P['RX']}",
    "tf-luna": "1 +5V = capacitor.+ = pin 2; 4 GND = capacitor.- = pin 6; "
    f"3 TXD = {P['RX']}; 2 RXD; 5 mode; 6 out",
    "tfmini-plus": "1 +5V = capacitor.+ = pin 2; 4 GND = capacitor.- = pin 6; "
    f"3 TXD = {P['RX']}; 2 RXD",
    "buzzer": f"buzzer.+ = pin 4; buzzer.- = NPN.collector; {BUZZER}",
    "buzzer-coil": "100 ohm = pin 4; buzzer.+ = 100 ohm = flyback.cathode; "
    f"buzzer.- = flyback.anode = NPN.collector; {BUZZER}",
    "buzzer-piezo": "buzzer.+ = 1 k #2 = pin 4; buzzer.- = 1 k #2 = NPN.collector; " + BUZZER,
    "motor": "1N4001 1.anode = pin 4; 1N4001 1.cathode = 1N4001 2.anode; "
    "1N4001 2.cathode = motor = flyback.cathode; motor = flyback.anode = NPN.collector; "
    + DRIVER.format(ground=34, pin=P["motor"]),
    "button-led": f"button = {P['button']}; button = pin 9; 1 k = {P['LED']}; "
    "1 k = LED.anode; LED.cathode = pin 20",
    "header": "",
}  # fmt: skip
"""What each drawing has to connect, as an electrician reads it from the parts' sheets."""


OHMS = r"[\d.]+ (k|ohm)(?: #\d)?"
DESCRIBED = [name for name in NETS if name != "header"]


def nets(text: str) -> set[frozenset[str]]:
    return {frozenset(net.split(" = ")) for net in text.split("; ") if net}


def test_each_drawing_is_held_against_its_nets() -> None:
    assert (
        set(NETS)
        == set(SHEETS)
        == {path.stem for path in command.DRAWINGS.glob("*.svg")} - {"coverage"}
    )


@pytest.mark.parametrize("name", NETS)
def test_a_drawing_connects_what_it_should(name: str) -> None:
    assert SHEETS[name].netlist.nets() == nets(NETS[name])


@pytest.mark.parametrize("name", NETS)
def test_nothing_in_a_drawing_crosses_or_touches_in_doubt(name: str) -> None:
    assert list(SHEETS[name].netlist.doubts()) == []


@pytest.mark.parametrize("name", [name for name in NETS if "NPN" in NETS[name]])
def test_a_transistors_legs_have_their_letters(name: str) -> None:
    sheet = SHEETS[name]
    for leg, letter in (("collector", "C"), ("base", "B"), ("emitter", "E")):
        (at,) = sheet.netlist.places(f"NPN.{leg}")
        nearest = min(sheet.labels, key=lambda label: math.dist(label[0], at))
        assert nearest[1] == letter


@pytest.mark.parametrize(
    "name", [name for name in DESCRIBED if re.search(r"\d (k|ohm)", NETS[name])]
)
def test_a_resistors_value_is_written_beside_it(name: str) -> None:
    sheet = SHEETS[name]
    values = [contact for contact in sheet.netlist.names() if re.fullmatch(OHMS, contact)]
    assert values
    for contact in values:
        (x, y), (u, v) = sheet.netlist.places(contact)
        middle = ((x + u) / 2, (y + v) / 2)
        written = [label for label in sheet.labels if re.fullmatch(OHMS, label[1])]
        nearest = min(written, key=lambda label: math.dist(label[0], middle))
        assert nearest[1] == contact.split(" #")[0]


@pytest.mark.parametrize("name", ["motor", "buzzer-coil"])
def test_the_flybacks_stripe_is_said_to_be_where_it_is(name: str) -> None:
    sheet = SHEETS[name]
    (cathode,), (anode,) = (sheet.netlist.places(f"flyback.{end}") for end in ("cathode", "anode"))
    assert cathode[1] > anode[1]
    assert any(words.endswith("stripe up") for _, words in sheet.labels)


def test_the_leds_short_leg_is_its_cathode() -> None:
    assert frozenset(("LED.cathode", f"pin {wiring.LED_GND}")) in nets(NETS["button-led"])
    assert any(words == "LED, short leg to GND" for _, words in SHEETS["button-led"].labels)


def test_a_symbol_that_is_turned_round_is_refused() -> None:
    sheet = draw.Sheet("x")
    with pytest.raises(ValueError, match="not the symbol"):
        sheet.part(elm.Diode().reverse(), ["d.anode", "d.cathode"], (0, 0), (2, 0))
    with pytest.raises(ValueError, match="not the symbol"):
        sheet.part(elm.LED().flip(), ["l.anode", "l.cathode"], (0, 0), (2, 0))


@pytest.mark.parametrize("name", [name for name in NETS if name.startswith("buzzer")])
def test_the_active_buzzers_plus_is_at_its_plus(name: str) -> None:
    sheet = SHEETS[name]
    plus = [at for at, words in sheet.labels if words == "+"]
    assert len(plus) == (name == "buzzer")
    for at in plus:
        (top,), (foot,) = sheet.netlist.places("buzzer.+"), sheet.netlist.places("buzzer.-")
        assert math.dist(at, top) < math.dist(at, foot)


@every_plan()
def test_a_drawing_has_each_contact_beside_its_own_row(plan: Plan) -> None:
    sheet = SHEETS[plan.slug]
    for wire in plan.wires:
        (at,) = sheet.netlist.places(wire.contact)
        row = {words for place, words in sheet.labels if abs(place[1] - at[1]) < 0.05}
        assert wire.contact in row
        if wire.net is not None and not wire.tied and wire.via != "inverter":
            name, pin = wiring.end(wire.net, plan, Settings())
            assert {name, f"pin {pin}"} <= row


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_description_names_the_pins_and_resistors_of_its_drawing(name: str) -> None:
    """Who does not see the picture wires from it."""
    contacts = {contact.split(" #")[0] for net in nets(NETS[name]) for contact in net}
    pins = {contact for contact in contacts if contact.startswith("pin ")}
    ohms = {contact for contact in contacts if re.fullmatch(r"[\d.]+ (k|ohm)", contact)}
    alt = ALT[name]
    if alt.startswith("As the buzzer"):
        alt += ALT["buzzer"]
    assert {f"pin {pin}" for pin in pins_named(alt)} >= pins
    own = {"pin 1", "pin 2", "pin 3", "pin 4"} if name == "tf-luna" else set()  # the part's own
    assert {f"pin {pin}" for pin in pins_named(alt)} - own <= pins
    by = {"1 k", "1.5 k"} if "the divider" in alt else set()
    assert set(re.findall(r"\b[\d.]+ (?:k|ohm)\b", alt)) | by == ohms


def test_the_header_lies_as_it_does_on_the_board(header: dict[int, str]) -> None:
    """Pin 1 at the top left, odd numbers on the left, two to a row; each beside its name."""
    labels = SHEETS["header"].labels
    places = {int(words): at for at, words in labels if words.isdigit()}
    assert set(places) == set(header)
    roles = wiring.roles(Settings())
    left, right = places[1][0], places[2][0]
    assert left < right
    for number, (x, y) in places.items():
        assert x == (left if number % 2 else right)
        assert y == places[1][1] + (places[3][1] - places[1][1]) * ((number - 1) // 2)
        row = [(at, words) for at, words in labels if at[1] == y and words != str(number)]
        beside = {words for at, words in row if (at[0] < x) is bool(number % 2)}
        assert {"5V": "5 V", "3V3": "3.3 V"}.get(header[number], header[number]) in beside
        assert (roles.get(number) in beside) is (number in roles)
    assert places[3][1] < places[1][1]
    said = {words: at for at, words in labels}
    assert said["the end of the SD card"][1] > places[1][1]
    assert said["towards the board's middle"][0] < left < right < said["the board's edge"][0]


def test_a_netlist_joins_what_touches_and_doubts_what_may() -> None:
    found = netlist.Netlist()
    found.wire((0, 0), (4, 0))
    found.wire((2, 0), (2, -2))  # touches the middle of the other, without a dot
    found.contact("a", (0, 0))
    found.contact("b", (4, 0))
    found.contact("c", (2, -2))
    found.contact("r", (4, 0), (6, 0))
    found.contact("r", (6, 0), (6, 3))
    assert found.nets() == nets("a = b = r; c; r = r #2; r #2")
    assert any("without a dot" in doubt for doubt in found.doubts())
    found.joint((2, 0))
    assert found.nets() == nets("a = b = c = r; r = r #2; r #2")
    assert list(found.doubts()) == []
    found.wire((1, 1), (1, -1))
    assert list(found.doubts()) == ["two lines cross at (1.0, 0.0)"]


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


def test_the_headers_description_has_the_pins_that_are_used() -> None:
    roles = wiring.roles(Settings())
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
    contact = rows["the ECHO contact of the sensor's socket to GND"]
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
    must = f"must be {parts.ohms(ground)} (or {parts.ohms(other[1])})"
    assert f"{must}; with {parts.ohms(series)} (or {parts.ohms(other[0])}) there" in told["Remedy"]
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
    least_v, start_ma = parts.PIN_LEAST_V, parts.MOTOR_START_MA
    for said in (
        f"({parts.PIN_V} V - {parts.BASE_V} V) / 1 k = {parts.pin_ma():.1f} mA",
        f"of which {parts.BASE_V / parts.PULL_DOWN_OHM * 1000:.2f} mA goes through the 10 k",
        f"and {parts.base_ma():.1f} mA into the base",
        f"A buzzer of {parts.BUZZER_MA:g} mA asks for a gain of {parts.gain(parts.BUZZER_MA):.0f}",
        f"that starts, {start_ma:g} mA, for {parts.gain(start_ma):.0f}.",
        f"promises {least_v} V only for a high: then {parts.base_ma(pin_v=least_v):.1f} mA",
        f"the motor asks for {parts.gain(start_ma, pin_v=least_v):.0f}.",
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


ENDS = {
    "the buzzer's +": ["buzzer buzzer.+"],
    "the buzzer's -": ["buzzer buzzer.-"],
    "the first 1N4001, end without stripe": ["motor 1N4001 1.anode"],
    "the first 1N4001, stripe": ["motor 1N4001 1.cathode"],
    "the second 1N4001, end without stripe": ["motor 1N4001 2.anode"],
    "the second 1N4001, stripe": ["motor 1N4001 2.cathode"],
    "the motor": ["motor motor"],
    "the flyback diode, stripe": ["motor flyback.cathode"],
    "the flyback diode, other end": ["motor flyback.anode"],
    "the motor's transistor, collector": ["motor NPN.collector"],
    "the motor's transistor, base": ["motor NPN.base"],
    "the buzzer's transistor, collector": ["buzzer NPN.collector"],
    "the buzzer's transistor, base": ["buzzer NPN.base"],
    "both emitters": ["motor NPN.emitter", "buzzer NPN.emitter"],
    "both 10 k, other ends": ["motor 10 k", "buzzer 10 k"],
    "the divider's 1 k": ["hc-sr04 1 k"],
    "the divider's 1 k, other end": ["hc-sr04 1 k"],
    "the 1.5 k": ["hc-sr04 1.5 k"],
    "the 1.5 k, other end": ["hc-sr04 1.5 k"],
    "the sensor's ECHO": ["hc-sr04 ECHO"],
    "the sensor's GND": ["hc-sr04 GND"],
}
"""What the table of strips calls the contacts of three drawings."""


def strip(name: str, cell: str) -> set[str]:
    """The contacts on one strip of the table, each by its drawing; header pins by themselves."""
    on = "motor" if name.startswith(("motor", f"GPIO{Settings().motor.pin}")) else "buzzer"
    found: set[str] = set()
    for said in cell.split("; "):
        own = re.fullmatch(r"(?:a|that) (1 k|10 k)(?:, other end)?", said)
        if said.startswith("header pin"):
            found |= {f"pin {pin}" for pin in re.findall(r"\d+", said)}
        elif own:
            found.add(f"{on} {own[1]}")
        else:
            found.update(ENDS[said])
    return found


def test_the_board_is_the_drawings_strip_by_strip() -> None:
    """What three drawings connect, joined where they share a pin, but for what passes the board."""
    joined: list[set[str]] = [{f"pin {wiring.PULSE_GND}", f"pin {wiring.MOTOR_GND}"}]
    for name in ("hc-sr04", "buzzer", "motor"):
        for net in nets(NETS[name]):
            found = {
                contact if contact.startswith("pin ") else f"{name} {contact}"
                for contact in net
                if not contact.startswith("capacitor")
            }
            if found & {"hc-sr04 VCC", "hc-sr04 TRIG"}:
                continue
            pins = {contact for contact in found if contact.startswith("pin ")}
            for other in [other for other in joined if other & pins]:
                joined.remove(other)
                found |= other
            joined.append(found)
    rows = table("Strip", "What is soldered to it")
    stated = {frozenset(strip(row["Strip"], row["What is soldered to it"])) for row in rows}
    assert stated == set(map(frozenset, joined))
    # A part with two ends is on two strips.
    counted = [said for row in rows for said in row["What is soldered to it"].split("; ")]
    assert counted.count("the motor") == 2
    assert counted.count("a 1 k") == counted.count("that 1 k, other end") == 2
    assert counted.count("a 10 k") == 2
    text = chapter("### The board, strip by strip")
    plan = PLANS["hc-sr04"]
    assert f"VCC to pin {wiring.end('5 V', plan, Settings())[1]}, " in text
    assert f"TRIG to pin {wiring.end('trigger', plan, Settings())[1]}." in text
    assert "stripe (minus) to GND" in text


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
    assert coverage.LOW_M.items() <= coverage.EDGES_M.items()
    for called, high_m in coverage.EDGES_M.items():
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


def test_the_guides_warning_about_benches_is_true() -> None:
    """The seat comes into the beam beyond where the first level begins, and never nearer."""
    caution_m = profiles.thresholds(Settings().alert)[0].distance_m
    from_m = coverage.edge_from_m(coverage.LOW_M["bench's seat"], coverage.MOUNTS["hc-sr04"])
    assert from_m is not None
    assert from_m > caution_m
    assert "passes over a bench's seat at every distance at which it warns" in TEXT


def test_tilting_up_loses_low_things() -> None:
    level = coverage.Mount("hcsr04", "hc-sr04", 0.0)
    tilted = level._replace(tilt_deg=10.0)
    bench_m = coverage.LOW_M["bench's seat"]
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
