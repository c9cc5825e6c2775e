"""Which wire goes where: the one list that the drawings, the guide's tables and its test share.

A sensor's wire leaves a contact of the part and ends at a header pin of the Pi, on the way perhaps
through a divider, or an inverter. GPIO numbers come from the settings' defaults and from the
pins that serial ports have, header pins from the board; so a changed default changes the
drawings. Supply and ground pins are chosen here, to lie beside the signals.
"""

from typing import Literal, NamedTuple

from device.check import HEADER_PINS
from device.config import UART_PINS
from device.settings import Settings
from hardware import parts

Via = Literal["", "divider", "pull-down", "inverter"]
"""What a signal passes on its way; a pull-down hangs on the wire and does not interrupt it."""

SUPPLY_PINS = {"5 V": 2, "3.3 V": 1}
"""The sensor's own; the outputs share the other 5 V pin."""
OUTPUTS_5V_PIN = 4
TRY_PIN = 17
"""3.3 V with no 5 V beside it: here a wire is touched to see what hangs on it."""
PULSE_GND, SERIAL_GND, BUZZER_GND, MOTOR_GND, BUTTON_GND, LED_GND = 14, 6, 14, 34, 9, 20


class Wire(NamedTuple):
    """From a contact of the part to `net`: a supply, GND, or one of the Pi's signals by role.

    `net` None: the contact is left open. `tied`: it goes to GND at the part. `needed` False: only
    where the part is set to be asked.
    """

    contact: str
    net: str | None
    via: Via = ""
    tied: bool = False
    needed: bool = True


class Plan(NamedTuple):
    """How one kind of sensor is wired. `fits`: the parts, by the titles that the drivers use."""

    slug: str
    part: str
    fits: tuple[str, ...]
    wires: tuple[Wire, ...]
    note: str = ""

    @property
    def supply(self) -> str:
        """5 V or 3.3 V."""
        return next(str(wire.net) for wire in self.wires if wire.net in SUPPLY_PINS)

    @property
    def serial(self) -> bool:
        """It is on the serial port."""
        return any(wire.net in ("TX", "RX") for wire in self.wires)


AT_THE_PI = "What hangs on the signal belongs at the Pi's end of the cable."
PLANS = (
    Plan(
        "hc-sr04",
        "HC-SR04",
        ("HC-SR04",),
        (
            Wire("VCC", "5 V"),
            Wire("GND", "GND"),
            Wire("ECHO", "echo", "divider"),
            Wire("TRIG", "trigger"),
        ),
        AT_THE_PI,
    ),
    Plan(
        "hc-sr04p",
        "HC-SR04P",
        (),
        (
            Wire("VCC", "3.3 V"),
            Wire("GND", "GND"),
            Wire("ECHO", "echo", "pull-down"),
            Wire("TRIG", "trigger"),
        ),
        AT_THE_PI,
    ),
    Plan(
        "jsn-sr04t-ping",
        "JSN-SR04T or AJ-SR04M, ping mode",
        (),
        (
            Wire("5V", "5 V"),
            Wire("GND", "GND"),
            Wire("ECHO / TX", "echo", "divider"),
            Wire("TRIG / RX", "trigger"),
        ),
        "Mode pad open: ping mode. " + AT_THE_PI,
    ),
    Plan(
        "a02yyuw",
        "A02YYUW or A01NYUB",
        ("A02YYUW", "A01NYUB"),
        (
            Wire("VCC", "3.3 V"),
            Wire("GND", "GND"),
            Wire("RX", "GND", tied=True),
            Wire("TX", "RX"),
        ),
        "RX on GND before power: it then says what it measures, unfiltered.",
    ),
    Plan(
        "jsn-sr04t-serial",
        "JSN-SR04T or AJ-SR04M, serial",
        ("JSN-SR04T", "AJ-SR04M"),
        (
            Wire("5V", "3.3 V"),
            Wire("GND", "GND"),
            Wire("ECHO / TX", "RX"),
            Wire("TRIG / RX", "TX", needed=False),
        ),
        "Resistor on the mode pad: see the table. Dashed: only where it is asked.",
    ),
    Plan(
        "us-100",
        "US-100",
        ("US-100",),
        (
            Wire("VCC", "3.3 V"),
            Wire("GND", "GND"),
            Wire("Echo/RX", "RX"),
            Wire("Trig/TX", "TX"),
        ),
        "Jumper on its back in place. Not crossed: its names are the other side's.",
    ),
    Plan(
        "maxbotix",
        "MaxBotix MB738x",
        ("HRXL-MaxSonar-WR (5 m)", "HRXL-MaxSonar-WR (10 m)"),
        (
            Wire("V+ (6)", "3.3 V"),
            Wire("GND (7)", "GND"),
            Wire("TX (5)", "RX"),
            Wire("RX (4)", None),
        ),
        "TTL types only. In brackets the part's own numbers.",
    ),
    Plan(
        "maxbotix-inverted",
        "MaxBotix MB736x or XL",
        ("XL-MaxSonar-WR", "XL-MaxSonar-WR (MB7066)"),
        (
            Wire("V+ (6)", "5 V"),
            Wire("GND (7)", "GND"),
            Wire("TX (5)", "RX", "inverter"),
            Wire("RX (4)", None),
        ),
        "For levels of 0 V and 5 V, upside down. " + AT_THE_PI,
    ),
    Plan(
        "serial-5v",
        "At 5 V, speaking by itself: JSN-SR04T, AJ-SR04M, MB738x",
        (),
        (
            Wire("VCC", "5 V"),
            Wire("GND", "GND"),
            Wire("its output", "RX", "divider"),
        ),
        AT_THE_PI,
    ),
    Plan(
        "tf-luna",
        "TF-Luna",
        ("TF-Luna",),
        (
            Wire("1 +5V", "5 V"),
            Wire("4 GND", "GND"),
            Wire("3 TXD", "RX"),
            Wire("2 RXD", None),
            Wire("5 mode", None),
            Wire("6 out", None),
        ),
        "Pin 5 open: serial.",
    ),
    Plan(
        "tfmini-plus",
        "TFmini Plus",
        ("TFmini Plus",),
        (
            Wire("1 +5V", "5 V"),
            Wire("4 GND", "GND"),
            Wire("3 TXD", "RX"),
            Wire("2 RXD", None),
        ),
        "As a rule 1 is red, 2 white, 3 blue or green, 4 black; measure.",
    ),
)


def signals(settings: Settings) -> dict[str, int]:
    """GPIO numbers by role."""
    tx, rx = UART_PINS
    return {
        "trigger": settings.sensor.trigger_pin,
        "echo": settings.sensor.echo_pin,
        "TX": tx,
        "RX": rx,
        "buzzer": settings.buzzer.pin,
        "motor": settings.motor.pin,
        "button": settings.button.pin,
        "LED": settings.led.pin,
    }


def end(net: str, plan: Plan, settings: Settings) -> tuple[str, int]:
    """The Pi's end of a sensor's wire: what the pin is called, and its number on the header."""
    if net == "GND":
        return net, SERIAL_GND if plan.serial else PULSE_GND
    if net in SUPPLY_PINS:
        return net, SUPPLY_PINS[net]
    gpio = signals(settings)[net]
    return f"GPIO{gpio}", HEADER_PINS[gpio]


def roles(settings: Settings) -> dict[int, str]:
    """What each header pin that we use is for, by its number."""
    named = {HEADER_PINS[gpio]: role for role, gpio in signals(settings).items()}
    named[HEADER_PINS[UART_PINS[0]]] = "to a serial sensor's RX"
    named[HEADER_PINS[UART_PINS[1]]] = "from a serial sensor's TX"
    return named | {
        SUPPLY_PINS["5 V"]: "sensor at 5 V",
        SUPPLY_PINS["3.3 V"]: "sensor at 3.3 V",
        OUTPUTS_5V_PIN: "buzzer and motor",
        PULSE_GND: "sensor on two pins, and buzzer",
        SERIAL_GND: "serial sensor",
        MOTOR_GND: "motor",
        BUTTON_GND: "button",
        LED_GND: "LED",
        TRY_PIN: "for trying a wire",
    }


GLANCE = ("Sensor", "Supply", "Ground", "Its output", "Its input", "Left open")
"""The columns of the guide's table of all sensors."""
BY = {"": "", "divider": "by the divider ", "pull-down": "", "inverter": "by the inverter "}


def glance(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """A sensor's row of that table."""
    cells: dict[str, list[str]] = {column: [] for column in GLANCE[1:]}
    for wire in plan.wires:
        if wire.net is None:
            cells["Left open"].append(wire.contact)
            continue
        name, pin = end(wire.net, plan, settings)
        place = f"pin {pin}" if name == "GND" else f"{name}, pin {pin}"
        said = f"{wire.contact} {BY[wire.via]}to {place}"
        if wire.via == "pull-down":
            said += f", {parts.ohms(parts.PULL_DOWN_OHM)} to GND"
        if wire.via == "inverter":
            said += f", {parts.ohms(parts.INVERTER_OHM)} from there to 3.3 V, pin"
            said += f" {SUPPLY_PINS['3.3 V']}"
        if not wire.needed:
            said += ", if asked"
        cells[_column(wire)].append(said)
    return (plan.part, *("; ".join(cells[column]) for column in GLANCE[1:]))


def _column(wire: Wire) -> str:
    if wire.net in SUPPLY_PINS:
        return "Supply"
    if wire.net == "GND":
        return "Its input" if wire.tied else "Ground"
    return "Its output" if wire.net in ("echo", "RX") else "Its input"
