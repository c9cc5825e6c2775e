"""Every number in the guide's sentences that the code knows, too.

The tables have tests of their own. Here are the sentences: each is composed from the code and has
to stand in the guide, so that a changed default leaves no stale sentence behind; and no GPIO or
header pin may be named that the device does not use.
"""

import itertools
import math
import re
import tomllib

import pytest

from device import calibrate, check, config, sensors
from device.button import TWICE_S
from device.check import HEADER_PINS
from device.core.health import SERIAL_S
from device.core.signals import Cue
from device.profiles import thresholds
from device.sensors import a02yyuw, jsn_sr04t, maxbotix, tf_luna
from device.settings import Settings
from device.sim import scenario
from hardware import coverage, mount, parts, wiring
from tests.test_hardware import NETS
from tests.test_hardware_doc import ROOT, TEXT, WANTS, chapter, numbers, table

SETTINGS = Settings()
PINS = wiring.signals(SETTINGS)
PULLED_UP = config.PULLED_UP_AT_BOOT
LIDARS = tf_luna.MODELS
MAX_GPIO = max(HEADER_PINS)


def edge_m(driver: str, model: str, tilt_deg: float) -> float:
    """Where the lower edge of a beam at 1 m height would meet the ground, however far, metres."""
    half_deg = sensors.models(driver)[model].half_angle_deg
    return 1.0 / math.tan(math.radians(half_deg - tilt_deg))


def wide_cm(name: str) -> float:
    """A lidar's beam at 4 m."""
    return 2 * 4.0 * math.tan(math.radians(LIDARS[name].half_angle_deg)) * 100


series, ground = (parts.ohms(ohm) for ohm in parts.DIVIDER)
other_series, other_ground = parts.DIVIDERS[1]
post = scenario.load("pole").obstacles[0]
BACKWARD = Cue.BACKWARD.value.buzzer.once
SCAD = mount.SCAD.read_text("utf-8")
SENTENCES = [
    # What it cannot see
    f"A {post.radius_m * 2000:g} mm post is found up to about {post.seen_to_m:g} m",
    f"A {coverage.LOW_M['curb'] * 100:g} cm curb lies under the beam",
    f"beam is {wide_cm('tf-luna'):.0f} cm wide at 4 m (TF-Luna; {wide_cm('tfmini-plus'):.0f} cm",
    f"Level at {coverage.MOUNTS['tf-luna'].height_m:g} m height it looks over every bench",
    f"Dark clothes beyond {scenario.load('coat').obstacles[0].light_to_m:g} m",
    # Sensors
    f"the device takes {SETTINGS.sensor.retrigger_s * 1000:g} to "
    f"{(SETTINGS.sensor.retrigger_s + SETTINGS.sensor.jitter_s) * 1000:g}, as field users do",
    f"of which the device takes {1 / tf_luna.SAMPLED.period_s:.0f}; a TFmini Plus is sold for 12 m,"
    f" of which it uses {LIDARS['tfmini-plus'].max_range_m:g}",
    f"the device reckons with {maxbotix.LAG_S:g} s",
    f"says every {a02yyuw.REALTIME.period_s:g} s what it measures",
    f"blind within {a02yyuw.MODELS['a01nyub'].min_range_m * 100:g} cm",
    f"blind within 20 to {jsn_sr04t.MODELS['jsn-sr04t'].min_range_m * 100:g} cm",
    f"see {maxbotix.MODELS['hrxl-wr'].max_range_m:g} m (`hrxl-wr`, the preset's)",
    f"see {maxbotix.MODELS['hrxl-wr-10m'].max_range_m:g} m (`model = \"hrxl-wr-10m\"`)",
    f"centimetres at {tf_luna.BAUD} baud",
    f"stty -F {SETTINGS.sensor.port} {a02yyuw.BAUD} raw -echo",
    f"# {tf_luna.BAUD} for a lidar",
    # Pins
    f"a Pi pulls GPIO {PULLED_UP[0]} to {PULLED_UP[-1]} up and GPIO {PULLED_UP[-1] + 1} to "
    f"{MAX_GPIO} down",
    f"on GPIO {PULLED_UP[0]} to {PULLED_UP[-1]} it could be on through the whole boot",
    f"GPIO {PINS['TX']} and {PINS['RX']} are the serial port. GPIO {PINS['TX']} goes high",
    f"GPIO {PINS['buzzer']} and GPIO {PINS['motor']} belong to two different channels",
    f"GPIO {PINS['trigger']} and {PINS['echo']} have no second job",
    f"GND on pin {wiring.PULSE_GND} for buzzer and sensor, GND on pin {wiring.MOTOR_GND} for the "
    f"motor beside pin {HEADER_PINS[PINS['motor']]}.",
    f"share the 5 V of pin {wiring.OUTPUTS_5V_PIN}; the sensor has pin "
    f"{wiring.SUPPLY_PINS['5 V']} to itself",
    f"pins {wiring.SUPPLY_PINS['5 V']}, {wiring.SERIAL_GND}, {HEADER_PINS[PINS['TX']]} and "
    f"{HEADER_PINS[PINS['RX']]} lie in one row, and 3.3 V on pin {wiring.SUPPLY_PINS['3.3 V']}",
    f"GPIO{PINS['trigger']} and GPIO{PINS['echo']} stay free",
    # Resistors, in words
    f"held low by the {ground} resistor",
    f"Keep a {parts.ohms(parts.PULL_DOWN_OHM)} resistor from GPIO{PINS['echo']} to GND",
    f"wants {parts.ohms(parts.COIL_OHM)} in series with it and a 1N4148 across the coil",
    f"wants {parts.ohms(parts.PIEZO_OHM)} across it, so that it discharges",
    f"drop about {parts.DROPS * parts.DROP_V:g} V",
    f"{parts.ohms(parts.LED_OHM)} gives about {parts.led_ma():.1f} mA with a red one",
    f"Add the {parts.ohms(parts.PULL_DOWN_OHM)} from its signal pin to GND",
    f"### Why the {parts.ohms(parts.PULL_DOWN_OHM)} pull-downs",
    f"with {parts.CAPACITOR_UF} uF close to the sensor",
    f"The {parts.CAPACITOR_UF} uF is soldered across VCC and GND",
    f"the pair is {series} and {ground}, or {other_series} and {parts.ohms(other_ground)}.",
    f"the pair {other_series} and {parts.ohms(other_ground)} for {series} and {ground}",
    f"GPIO{PINS['RX']} wire to GND {ground} with the divider",
    # Button, faults, journals, calibration
    f"not more than {TWICE_S:g} s apart",
    f"the very same millimetre for {SERIAL_S:g} s",
    f"{SETTINGS.journal.most_mb:g} MB at most (`journal.most_mb`)",
    f"from {calibrate.START_M:g} m you walk backward at your own pace",
    f"`sensor.min_range_m` = {jsn_sr04t.MODELS['jsn-sr04t'].min_range_m:g}",
    # Mounting
    f"we reckon with {sensors.models('hcsr04')['hc-sr04'].half_angle_deg:g}.",
    f"edge at {sensors.models('hcsr04')['hc-sr04'].half_angle_deg:g} degrees touches the ground "
    f"{edge_m('hcsr04', 'hc-sr04', 0):.1f} m behind you",
    f"this becomes {edge_m('hcsr04', 'hc-sr04', coverage.MOUNTS['hc-sr04'].tilt_deg):.1f} m",
    f"beam touches it {edge_m('a02yyuw', 'a02yyuw', 0):.1f} m behind you, a JSN-SR04T's "
    f"{edge_m('jsn_sr04t', 'jsn-sr04t', 0):.1f} m; tilted up by "
    f"{coverage.MOUNTS['a02yyuw'].tilt_deg:g} degrees, "
    f"{edge_m('a02yyuw', 'a02yyuw', 10):.1f} m and {edge_m('jsn_sr04t', 'jsn-sr04t', 10):.1f} m",
    f"tilt up by {coverage.MOUNTS['hc-sr04'].tilt_deg:g} degrees, a wide beam by "
    f"{coverage.MOUNTS['a02yyuw'].tilt_deg:g}",
    f"(66 x {mount.setting('bay_mm'):g} mm; `bay_mm` makes it wider)",
    f"| each supply wire (pin {wiring.SUPPLY_PINS['5 V']}, pin {wiring.OUTPUTS_5V_PIN}; pin "
    f"{wiring.SUPPLY_PINS['3.3 V']} with a sensor at 3.3 V or an inverter) to GND |",
    f"takes its part from pin {wiring.SUPPLY_PINS['3.3 V']};",
    "`80-160-300` is {} ms on, {} off, {} on.".format(*itertools.chain(*BACKWARD)),
    # Arithmetic's inputs
    f"transistor begins at {parts.BASE_BEGINS_V:g} V",
    f"{parts.DROPS} x {parts.DROP_V:g} V (diodes) - {parts.SATURATED_V:g} V (transistor)",
    f"with a buzzer of {parts.BUZZER_MA:g} mA and a motor of {parts.MOTOR_START_MA:g} mA",
    f"takes 60 to {parts.MOTOR_MA:g} mA running",
    f"{parts.bank_wh(10_000):.0f} Wh / {parts.watts('Zero 2 W'):.1f} W = ",
]  # fmt: skip
ONE_LINE = " ".join(TEXT.split())


@pytest.mark.parametrize("said", SENTENCES)
def test_a_sentence_is_what_the_code_says(said: str) -> None:
    assert " ".join(said.split()) in ONE_LINE


def test_the_dividers_columns_are_the_supplies() -> None:
    heads = [head for head in table("R1 / R2", "at 5.0 V")[0] if head.startswith("at ")]
    assert [numbers(head) for head in heads] == [[volts] for volts in parts.SUPPLIES_V]


def test_the_coverage_tables_rows_say_how_far_aside() -> None:
    things = [row["Thing"] for row in table("Thing", "HC-SR04, up 5 degrees")]
    asides = [across for rows in coverage.ASIDE_ROWS_M.values() for across in rows]
    for thing, across_m in zip(things, asides, strict=False):
        assert (f"{across_m:g} m aside" in thing) is (across_m > 0)
        assert ("in the middle" in thing) is (across_m == 0)


def test_a_post_at_the_shoulder_is_found_where_the_guide_says() -> None:
    found = coverage.span(post, coverage.MOUNTS["hc-sr04"], coverage.HALF_WIDTH_M)
    assert found is not None
    assert f"is found at about {(found.from_m + found.to_m) / 2:.0f} m and lost again" in ONE_LINE


def test_a_lidars_and_the_usual_sensors_current_is_that_of_the_sums() -> None:
    for name, mean_ma in parts.MEAN_MA.items():
        assert numbers(WANTS[name]["Current"]) == sorted({mean_ma, parts.SENSOR_MA[name]})


def test_each_plan_feeds_a_part_what_it_stands() -> None:
    for plan in wiring.PLANS:
        for name in plan.fits:
            allowed = numbers(WANTS[name]["Supply"])
            if allowed:  # "see its sheet"
                assert min(allowed) <= float(plan.supply.removesuffix(" V")) <= max(allowed), name


def test_what_the_guide_says_of_a_maxbotix_in_time_is_what_check_says() -> None:
    raw = tomllib.loads((ROOT / "config/maxbotix.toml").read_text("utf-8"))
    found = check.report(config.parse(raw, "config/maxbotix.toml"), "")
    late = [row.speed_mps for row in found.speeds if not row.in_time]
    timely = [row.speed_mps for row in found.speeds if row.in_time]
    assert f"in time up to {max(timely)} m/s only: NOT GOOD at {min(late)}." in ONE_LINE
    assert f"in time up to {max(timely)} m/s. One of its maker's sheets" in ONE_LINE


def test_each_gpio_that_is_named_is_one_that_is_used() -> None:
    """A default that moves leaves no sentence behind; the boot's pulls name ranges."""
    ranges = {PULLED_UP[0], PULLED_UP[-1], PULLED_UP[-1] + 1, MAX_GPIO}
    named = {int(number) for number in re.findall(r"GPIO ?(\d+)", TEXT)}
    assert named <= {*PINS.values(), *ranges}
    assert named >= set(PINS.values())


def test_each_header_pin_that_is_named_is_one_that_is_used() -> None:
    """A part's own pins are named as its own, or in the parts' own
    chapters."""
    text = TEXT
    for own in ("### MaxBotix", "### TF-Luna and TFmini Plus"):
        text = text.replace(chapter(own), "")
    named = {int(number) for number in re.findall(r"\bpin (\d+)", text)}
    assert named == {*wiring.roles(SETTINGS)}
    for pins in re.findall(r"\bpins ((?:\d+[ ,and]*)+)", text):
        assert {int(number) for number in re.findall(r"\d+", pins)} <= {*wiring.roles(SETTINGS)}


def test_a_wire_is_tried_at_a_pin_with_no_5_volts_beside_it() -> None:
    beside = {wiring.TRY_PIN + step for step in (-2, -1, 1, 2)}
    assert not beside & {wiring.SUPPLY_PINS["5 V"], wiring.OUTPUTS_5V_PIN}
    assert f"at **pin {wiring.TRY_PIN}**" in chapter("### 2. Power without signals")
    assert wiring.SUPPLY_PINS["5 V"] - wiring.SUPPLY_PINS["3.3 V"] == 1


def test_the_ports_in_the_table_of_boards_are_the_presets() -> None:
    rows = {row["Board"]: row["sensor.port"] for row in table("Board", "Euros")}
    (pi_5,) = set(
        re.findall(
            r'on a Raspberry Pi 5 "(.*?)"',
            (mount.SCAD.parents[1] / "config/tf-luna.toml").read_text("utf-8"),
        )
    )
    assert rows.pop("5") == pi_5
    assert set(rows.values()) == {SETTINGS.sensor.port}
    named = set(re.findall(r"/dev/(?:serial0|ttyAMA\d+)", TEXT))
    assert named == {SETTINGS.sensor.port, pi_5}


def test_the_maxbotix_types_are_those_of_the_driver() -> None:
    stated = re.findall(r"MB\d{4}|(?<=, |d )\d{4}", chapter("### MaxBotix"))
    known = {f"MB{digits}" for digits in re.findall(r"\b(7[03]\d\d)\b", str(maxbotix.__doc__))}
    known |= {f"MB{digits}" for digits in re.findall(r"MB(\d{4})", str(maxbotix.__doc__))}
    assert {f"MB{name.removeprefix('MB')}" for name in stated} <= known


def test_the_list_of_parts_has_as_many_as_the_drawings() -> None:
    """For an HC-SR04, an active buzzer and a motor."""
    drawn = {"hc-sr04", "buzzer", "motor"}
    contacts = [
        contact
        for name in drawn
        for contact in {part for net in NETS[name].split("; ") for part in net.split(" = ")}
    ]
    rows = {row["Part"]: row["How many"] for row in table("Part", "How many")}

    def listed(start: str) -> int:
        (count,) = (count for part, count in rows.items() if part.startswith(start))
        return int(numbers(count)[0])

    for value in ("1 k", "1.5 k", "10 k"):
        assert listed(f"Resistor {value}") == contacts.count(value), value
    assert listed("NPN transistor") == contacts.count("NPN.base")
    assert listed("Diode 1N4001") == parts.DROPS
    assert listed("Diode 1N4148 or 1N4001") == contacts.count("flyback.anode")
    assert listed("Electrolytic capacitor") == contacts.count("capacitor.+")


def test_the_plain_build_costs_what_the_list_says() -> None:
    """In whole fives; without what only other builds need."""
    others = (
        "Raspberry Pi",
        "Distance sensor",
        "Resistor 47 k",
        "Resistor 100 ohm",
        "Push-button",
        "LED",
        "Pin strip",
    )
    cells = [
        row["Euros"] for row in table("Part", "How many") if not row["Part"].startswith(others)
    ]
    cells += [row["Euros"] for row in table("Board", "Euros") if row["Board"] == "Zero 2 W"]
    cells += [row["Euros"] for row in table("Part", "Euros") if row["Part"] == "HC-SR04"]
    least, most = (sum(pick(numbers(cell)) for cell in cells) for pick in (min, max))
    said = re.search(r"comes to (\d+) to (\d+) euros", TEXT)
    assert said is not None
    assert [int(euros) for euros in said.groups()] == [5 * round(least / 5), 5 * round(most / 5)]


def test_the_screws_are_those_of_the_mount() -> None:
    text = chapter("### A mount to print")
    stated = set(re.findall(r"M[\d.]+ x \d+", text))
    assert stated == set(re.findall(r"M[\d.]+ x \d+", SCAD))
    assert "layers of 0.2 mm, 4 walls, 30 % filling" in text
    assert "0.2 mm layers, 4 walls, 30 % filling" in SCAD
    _, _, ears = SCAD.partition("\nEARS = [")
    ears, _, _ = ears.partition("\n];")
    slots = re.findall(r'\["[\w-]+", (\d+), (\d+),', ears)
    assert len(slots) == 2
    for least, most in slots:
        assert f"{least} to {most} mm" in text


def test_rehab_warns_a_walker_earlier() -> None:
    assert "it warns a walker earlier than the default does" in TEXT
    default, rehab = (
        thresholds(config.parse({"alert": {"profile": name}}, "x").alert)
        for name in ("default", "rehab")
    )
    assert all(r.distance_m >= d.distance_m for d, r in zip(default, rehab, strict=True))
    assert all(r.ttc_s > d.ttc_s for d, r in zip(default[1:3], rehab[1:3], strict=True))
