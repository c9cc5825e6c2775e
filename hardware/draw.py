"""Drawings of what `wiring` lists: schematics of the sensors and the outputs, and the header.

Each drawing has the part on the left, the Pi's header pins on the right and level wires between
them. Rows are ordered so that nothing crosses: supply, GND, then the signal that needs GND, for
its divider or pull-down hangs between the two. Colours help the eye; what counts is written.
Symbols are schemdraw's: rectangles for resistors (IEC 60617). A sheet also keeps what its lines
connect (`netlist`), so that a drawing can be held against what it should say.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any, Literal

import schemdraw
import schemdraw.elements as elm
from gpiozero.pins.mock import MockFactory
from schemdraw.segments import SegmentText

from device.check import HEADER_PINS
from device.settings import Settings
from hardware import parts, wiring
from hardware.netlist import Netlist, Point
from hardware.wiring import Plan, Wire

COLOURS = {"5 V": "#c00000", "3.3 V": "#c06000", "GND": "#202020"}
SIGNAL = "#0050a0"
FAINT = "#707070"
PAPER = "#ffffff"
PI_FILL, PART_FILL = "#e6f0e6", "#eceff4"
SIZE, SMALL = 12.0, 10.5
ROW = 1.6
MARGIN = 24
PART_W, PI_X, PI_W = 3.4, 12.6, 3.6
JOINT_X, SERIES_X = 9.8, 6.2
BOARD = "902120"
"""Revision code of a Zero 2 W; the header is the same on all of them."""

Side = Literal["left", "center", "right"]


class Sheet:
    """A drawing in the making; places in units of schemdraw's, x to the right and y up."""

    def __init__(self, title: str) -> None:
        """An empty one; `title` is what a reader says of it."""
        self.title = title
        self.netlist = Netlist()
        self.labels: list[tuple[Point, str]] = []
        """All that is written, and where."""
        schemdraw.use("svg")
        schemdraw.svgconfig.text = "text"
        self._drawing = schemdraw.Drawing(show=False, fontsize=SIZE, font="sans-serif", lw=1.6)

    def svg(self) -> str:
        """What has been drawn, as text."""
        drawn = self._drawing.get_imagedata("svg").decode().replace("stroke-dasharray:-;", "")
        drawn = re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", drawn)
        x, y, width, height = _box(drawn)
        frame = f'viewBox="{x:g} {y:g} {width:g} {height:g}"'
        size = f'width="{width:g}" height="{height:g}"'
        _, _, inside = drawn.partition(">")
        # One element a line, so that a change can be read; paper, for those who read in the dark.
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xml:lang="en" {size} {frame}>\n'
            f"<title>{self.title}</title>\n"
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{PAPER}"/>\n'
            f"{re.sub(r'(?<=>)(?=<[^/t])', chr(10), inside)}\n"
        )

    def put(self, element: elm.Element) -> Any:
        """Any element; returns it as placed, with the places of its contacts."""
        return self._drawing.add(element)

    def contact(self, name: str, at: Point) -> None:
        """A place that wires lead to, by the name that it has in the netlist."""
        self.netlist.contact(name, at)

    def part(self, element: Any, ends: Sequence[str], start: Point, stop: Point) -> None:
        """A part between two places; `ends` are the names of its two contacts, or its one name.

        The symbol has to be as it comes: turned round, its ends would not be where they are named.
        """
        if not {"reverse", "flip"}.isdisjoint(element._userparams):  # noqa: SLF001
            raise ValueError(f"{type(element).__name__}: turn the places round, not the symbol")
        self.put(element.at(start).to(stop))
        if len(ends) == 1:
            self.netlist.contact(ends[0], start, stop)
        else:
            self.netlist.contact(ends[0], start)
            self.netlist.contact(ends[1], stop)

    def stroke(self, start: Point, stop: Point, colour: str) -> None:
        """A line that connects nothing."""
        self.put(elm.Line().at(start).to(stop).color(colour))

    def line(self, *points: Point, colour: str = SIGNAL, dashed: bool = False) -> None:
        """A wire, from point to point."""
        for start, stop in itertools.pairwise(points):
            self.netlist.wire(start, stop)
            style = "--" if dashed else "-"
            self.put(elm.Line().at(start).to(stop).color(colour).linestyle(style))

    def joint(self, at: Point, colour: str = SIGNAL) -> None:
        """Wires that touch."""
        self.netlist.joint(at)
        self.put(elm.Dot(radius=0.1).at(at).color(colour))

    def text(
        self,
        at: Point,
        words: str,
        *,
        align: Side = "left",
        size: float = SIZE,
        colour: str = "black",
    ) -> None:
        """Words beside a point: `align` says which side of them is there."""
        self.labels.append((at, words))
        element = elm.Element().at((0, 0)).theta(0).color(colour)
        x, y = at
        said = SegmentText(
            (x, y - 0.08), words, align=(align, "center"), fontsize=size, color=colour, zorder=9
        )
        element.segments.append(said)
        self.put(element)

    def box(self, corner: Point, other: Point, fill: str) -> None:
        """A filled rectangle."""
        self.put(elm.Rect(corner1=corner, corner2=other, fill=fill).at((0, 0)).theta(0))

    def resistor(self, start: Point, stop: Point, name: str, colour: str = SIGNAL) -> None:
        """A resistor with its name: above when it lies, to the right when it stands."""
        self.part(elm.ResistorIEC().color(colour), [name], start, stop)
        (x, y), (u, v) = start, stop
        lies = y == v
        middle = ((x + u) / 2, y + 0.55) if lies else (x + 0.4, (y + v) / 2)
        self.text(middle, name, align="center" if lies else "left")


def _box(svg: str) -> tuple[float, float, float, float]:
    """The drawing's left, top, width and height, with a margin."""
    found = re.search(r'viewBox="([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+)"', svg)
    assert found is not None
    x, y, width, height = map(float, found.groups())
    around = 2 * MARGIN
    return round(x - MARGIN), round(y - MARGIN), round(width + around), round(height + around)


def _colour(net: str | None) -> str:
    return COLOURS.get(net or "", SIGNAL)


def sensor(plan: Plan, settings: Settings) -> Sheet:
    """How a sensor is wired."""
    sheet = Sheet(f"How to wire {plan.part}, {plan.supply}")
    rows = {wire.contact: -ROW * row for row, wire in enumerate(plan.wires)}
    ground_y = next(rows[wire.contact] for wire in plan.wires if wire.net == "GND")
    top, bottom = 0.8, -ROW * (len(rows) - 1) - 0.8
    if any(wire.via == "inverter" for wire in plan.wires):
        bottom -= ROW
    sheet.box((0, bottom), (PART_W, top), PART_FILL)
    sheet.text((0, top + 0.4), plan.part)
    _pi(sheet, top, bottom)
    for wire in plan.wires:
        y = rows[wire.contact]
        sheet.text((PART_W - 0.2, y), wire.contact, align="right")
        sheet.contact(wire.contact, (PART_W, y))
        if wire.net is None:
            _open(sheet, y)
        elif wire.tied:
            sheet.line((PART_W, y), (PART_W + 0.8, y), (PART_W + 0.8, ground_y), colour="#202020")
            sheet.joint((PART_W + 0.8, ground_y), COLOURS["GND"])
        else:
            _wire(sheet, wire, y, ground_y)
            inverted = wire.via == "inverter"
            name, pin = wiring.end(wire.net, plan, settings)
            _pi_end(sheet, y - ROW * inverted, name, pin)
            if inverted:
                _pi_end(sheet, y - 2 * ROW, "3.3 V", wiring.SUPPLY_PINS["3.3 V"])
    _capacitor(sheet, 0.0, ground_y, plan.supply)
    if plan.note:
        sheet.text((0, bottom - 0.5), plan.note, size=SMALL, colour=FAINT)
    return sheet


def _pi(sheet: Sheet, top: float, bottom: float) -> None:
    """The Pi's side of a drawing."""
    sheet.box((PI_X, bottom), (PI_X + PI_W, top), PI_FILL)
    sheet.text((PI_X, top + 0.4), "Raspberry Pi, header")


def _pi_end(sheet: Sheet, y: float, name: str, pin: int) -> None:
    sheet.text((PI_X + 0.2, y), f"pin {pin}")
    sheet.contact(f"pin {pin}", (PI_X, y))
    sheet.text((PI_X + PI_W - 0.2, y), name, align="right", colour=_colour(name))


def _open(sheet: Sheet, y: float) -> None:
    """A contact that nothing goes to."""
    x = PART_W + 0.7
    sheet.line((PART_W, y), (x, y), colour=FAINT)
    for up in (0.18, -0.18):
        sheet.stroke((x - 0.18, y - up), (x + 0.18, y + up), FAINT)
    sheet.text((x + 0.4, y), "left open", size=SMALL, colour=FAINT)


def _capacitor(sheet: Sheet, supply_y: float, ground_y: float, supply: str) -> None:
    """Close to the sensor; the straight plate with the + is at the supply."""
    x = PART_W + 1.6
    part = elm.Capacitor2(polar=True).color(COLOURS["GND"])
    sheet.part(part, ["capacitor.+", "capacitor.-"], (x, supply_y), (x, ground_y))
    sheet.joint((x, supply_y), COLOURS[supply])
    sheet.joint((x, ground_y), COLOURS["GND"])
    sheet.text((x + 0.5, (supply_y + ground_y) / 2), f"{parts.CAPACITOR_UF} µF, at the sensor")


def _wire(sheet: Sheet, wire: Wire, y: float, ground_y: float) -> None:
    """One row, from the part to the Pi."""
    colour = _colour(wire.net)
    series, ground = parts.DIVIDER
    joint = (JOINT_X, y)
    match wire.via:
        case "":
            sheet.line((PART_W, y), (PI_X, y), colour=colour, dashed=not wire.needed)
        case "pull-down":
            sheet.line((PART_W, y), (PI_X, y), colour=colour)
            sheet.resistor(joint, (JOINT_X, ground_y), parts.ohms(parts.PULL_DOWN_OHM))
        case "divider":
            sheet.line((PART_W, y), (SERIES_X, y))
            sheet.resistor((SERIES_X, y), (SERIES_X + 2.2, y), parts.ohms(series))
            sheet.line((SERIES_X + 2.2, y), (PI_X, y))
            sheet.resistor(joint, (JOINT_X, ground_y), parts.ohms(ground))
        case "inverter":
            _inverter(sheet, y, ground_y)
    if wire.via in ("pull-down", "divider"):
        sheet.joint(joint)
        sheet.joint((JOINT_X, ground_y), COLOURS["GND"])


def _inverter(sheet: Sheet, y: float, ground_y: float) -> None:
    """An NPN that pulls the Pi's line, one row below, down while the sensor's is high."""
    name = parts.ohms(parts.INVERTER_OHM)
    collector, emitter = _npn(sheet, elm.BjtNpn(circle=True).flip(), (8.6, y))
    sheet.line((PART_W, y), (SERIES_X - 0.6, y))
    sheet.resistor((SERIES_X - 0.6, y), (SERIES_X + 1.6, y), name)
    sheet.line((SERIES_X + 1.6, y), (8.6, y))
    sheet.line(emitter, (emitter[0], ground_y), colour=COLOURS["GND"])
    sheet.joint((emitter[0], ground_y), COLOURS["GND"])
    sheet.text((emitter[0] + 0.55, y), "NPN")
    low_y, supply_y = y - ROW, y - 2 * ROW
    sheet.line(collector, (collector[0], low_y), (PI_X, low_y))
    joint_x = JOINT_X + 1.2
    sheet.joint((joint_x, low_y))
    sheet.resistor((joint_x, low_y), (joint_x, supply_y), name)
    sheet.line((joint_x, supply_y), (PI_X, supply_y), colour=COLOURS["3.3 V"])


def _npn(sheet: Sheet, element: Any, base: Point) -> tuple[Point, Point]:
    """A transistor by its base, with the letters of its legs; returns (collector, emitter)."""
    places = sheet.put(element.theta(0).anchor("base").at(base)).absanchors
    collector, emitter = tuple(places["collector"]), tuple(places["emitter"])
    kind = type(element).__name__.removeprefix("Bjt").upper()
    for name, at in (("collector", collector), ("base", base), ("emitter", emitter)):
        sheet.contact(f"{kind}.{name}", at)
    for leg, (x, y) in zip("CE", (collector, emitter), strict=True):
        away = 0.2 if y > base[1] else -0.2
        sheet.text((x + 0.2, y + away), leg, size=SMALL, colour=FAINT)
    aside = 0.3 if base[0] > collector[0] else -0.3
    sheet.text((base[0] + aside, base[1] + 0.35), "B", align="center", size=SMALL, colour=FAINT)
    return collector, emitter


def _driver(sheet: Sheet, gpio: int, ground_pin: int) -> Point:
    """Transistor, base resistor and pull-down of an output; returns where its load ends.

    The load is between that place and the 5 V row, y = 0.
    """
    base_y, ground_y = -2.6 * ROW, -4.2 * ROW
    x = 3.0
    collector, emitter = _npn(sheet, elm.BjtNpn(circle=True).reverse(), (x + 0.9, base_y))
    sheet.line(emitter, (emitter[0], ground_y), (PI_X, ground_y), colour=COLOURS["GND"])
    sheet.text((x - 0.9, base_y), "NPN", align="right")
    joint_x = 5.8
    sheet.line((x + 0.9, base_y), (8.2, base_y))
    sheet.resistor((8.2, base_y), (10.4, base_y), parts.ohms(parts.BASE_OHM))
    sheet.line((10.4, base_y), (PI_X, base_y))
    sheet.joint((joint_x, base_y))
    sheet.resistor((joint_x, base_y), (joint_x, ground_y), parts.ohms(parts.PULL_DOWN_OHM))
    sheet.joint((joint_x, ground_y), COLOURS["GND"])
    _pi(sheet, 0.8, ground_y - 0.8)
    _pi_end(sheet, 0, "5 V", wiring.OUTPUTS_5V_PIN)
    _pi_end(sheet, base_y, f"GPIO{gpio}", HEADER_PINS[gpio])
    _pi_end(sheet, ground_y, "GND", ground_pin)
    return collector


def _diode(sheet: Sheet, name: str, anode: Point, cathode: Point, colour: str) -> None:
    ends = [f"{name}.anode", f"{name}.cathode"]
    sheet.part(elm.Diode(fill=True).color(colour), ends, anode, cathode)


def buzzer(settings: Settings, kind: str = "active") -> Sheet:
    """The buzzer: "active", or passive with a "coil" or a "piezo" disc."""
    name = {"active": "active buzzer, 5 V", "coil": "passive, coil", "piezo": "passive, piezo"}
    sheet = Sheet(f"How to wire the buzzer: {name[kind]}")
    end = _driver(sheet, settings.buzzer.pin, wiring.BUZZER_GND)
    x, low_y = end[0], -1.7 * ROW
    colour, black = COLOURS["5 V"], COLOURS["GND"]
    if kind == "coil":
        sheet.line((PI_X, 0), (10.4, 0), colour=colour)
        sheet.resistor((10.4, 0), (8.2, 0), parts.ohms(parts.COIL_OHM), colour)
        sheet.line((8.2, 0), (x, 0), colour=colour)
    else:
        sheet.line((PI_X, 0), (x, 0), colour=colour)
    sheet.line((x, 0), (x, -0.5), colour=colour)
    sheet.box((x - 0.7, -0.5), (x + 0.7, -2.0), PART_FILL)
    sheet.contact("buzzer.+", (x, -0.5))
    sheet.contact("buzzer.-", (x, -2.0))
    sheet.line((x, -2.0), (x, low_y), end, colour=black)
    if kind == "active":
        sheet.text((x, -0.8), "+", align="center")
    sheet.text((x - 0.9, -1.25), name[kind], align="right")
    side_x = 5.8
    if kind != "active":
        sheet.joint((side_x, 0), colour)
        sheet.joint((x, low_y), black)
        sheet.line((x, low_y), (side_x, low_y), colour=black)
        if kind == "coil":
            _diode(sheet, "flyback", (side_x, low_y), (side_x, 0), black)
            sheet.text((side_x + 0.5, low_y / 2), "1N4148, stripe up")
        else:
            sheet.resistor((side_x, low_y), (side_x, 0), parts.ohms(parts.PIEZO_OHM), black)
    return sheet


def motor(settings: Settings) -> Sheet:
    """The vibration motor."""
    sheet = Sheet("How to wire the vibration motor")
    end = _driver(sheet, settings.motor.pin, wiring.MOTOR_GND)
    x, low_y, side_x = end[0], -1.7 * ROW, 5.8
    red, black = COLOURS["5 V"], COLOURS["GND"]
    sheet.line((PI_X, 0), (11.6, 0), colour=red)
    for number in range(parts.DROPS):
        name = f"1N4001 {number + 1}"
        _diode(sheet, name, (11.6 - 2 * number, 0), (9.6 - 2 * number, 0), red)
    sheet.text((9.6, 0.75), f"{parts.DROPS} x 1N4001", align="center")
    sheet.line((11.6 - 2 * parts.DROPS, 0), (x, 0), colour=red)
    sheet.part(elm.Motor().color(black), ["motor"], (x, 0), (x, low_y))
    sheet.text((x - 0.9, low_y / 2), "motor, 3 V", align="right")
    sheet.line((x, low_y), end, colour=black)
    sheet.joint((side_x, 0), red)
    sheet.joint((x, low_y), black)
    sheet.line((x, low_y), (side_x, low_y), colour=black)
    _diode(sheet, "flyback", (side_x, low_y), (side_x, 0), black)
    sheet.text((side_x + 0.5, low_y / 2), "1N4148 or 1N4001, stripe up")
    return sheet


def extras(settings: Settings) -> Sheet:
    """Button and LED."""
    sheet = Sheet("How to wire the button and the LED")
    rows = (0.0, -ROW, -2.4 * ROW, -3.4 * ROW)
    _pi(sheet, 0.8, rows[-1] - 0.8)
    left, black = 4.6, COLOURS["GND"]
    pins = ((settings.button.pin, wiring.BUTTON_GND), (settings.led.pin, wiring.LED_GND))
    for (gpio, ground_pin), y, ground_y in zip(pins, rows[::2], rows[1::2], strict=True):
        _pi_end(sheet, y, f"GPIO{gpio}", HEADER_PINS[gpio])
        _pi_end(sheet, ground_y, "GND", ground_pin)
        sheet.line((left, ground_y), (PI_X, ground_y), colour=black)
    sheet.line((left, rows[0]), (PI_X, rows[0]))
    sheet.part(elm.Button().color(black), ["button"], (left, rows[0]), (left, rows[1]))
    sheet.text((left - 0.8, (rows[0] + rows[1]) / 2), "push-button", align="right")
    sheet.line((left, rows[2]), (8.2, rows[2]))
    sheet.resistor((8.2, rows[2]), (10.4, rows[2]), parts.ohms(parts.LED_OHM))
    sheet.line((10.4, rows[2]), (PI_X, rows[2]))
    ends = ["LED.anode", "LED.cathode"]
    sheet.part(elm.LED(fill=True).color(black), ends, (left, rows[2]), (left, rows[3]))
    sheet.text((left - 0.8, (rows[2] + rows[3]) / 2), "LED, short leg to GND", align="right")
    return sheet


def header(settings: Settings) -> Sheet:
    """The 40 pins as they lie, ours marked; GND and supplies in their colours."""
    sheet = Sheet("The Pi's header from above, with the pins that are used")
    factory = MockFactory(revision=BOARD)
    try:
        pins = factory.board_info.headers["J8"].pins
        names = {number: pin.name for number, pin in pins.items()}
    finally:
        factory.reset()
        factory.close()
    roles = wiring.roles(settings)
    row_h = 0.78
    sheet.box((-0.75, row_h / 2 + 0.2), (1.65, -19.5 * row_h - 0.2), PART_FILL)
    for number, name in names.items():
        x, y = 0.9 * ((number - 1) % 2), -row_h * ((number - 1) // 2)
        right = number % 2 == 0
        supply = {"5V": "5 V", "3V3": "3.3 V"}.get(name, name)
        ours = roles.get(number)
        colour = COLOURS.get(supply, SIGNAL) if ours else "#b8b8b8"
        if number == 1:
            sheet.box((x - 0.33, y - 0.33), (x + 0.33, y + 0.33), colour)
        else:
            sheet.put(elm.Dot(radius=0.33).at((x, y)).color(colour))
        sheet.text((x, y), str(number), align="center", size=9, colour=PAPER if ours else "black")
        side, at = (1, 1.9) if right else (-1, -1.0)
        align = "left" if right else "right"
        sheet.text((at, y), supply, align=align, size=SMALL, colour=colour if ours else FAINT)
        if ours:
            sheet.text((at + side * 1.9, y), ours, align=align, size=SMALL)
    sheet.text((0.45, 1.35), "the end of the SD card", align="center", size=SMALL, colour=FAINT)
    low_y = -19.5 * row_h - 0.65
    sheet.text((-1.0, low_y), "towards the board's middle", align="right", size=SMALL, colour=FAINT)
    sheet.text((1.9, low_y), "the board's edge", size=SMALL, colour=FAINT)
    return sheet


def sheets(settings: Settings) -> dict[str, Sheet]:
    """Every drawing, by its name."""
    return {plan.slug: sensor(plan, settings) for plan in wiring.PLANS} | {
        "buzzer": buzzer(settings),
        "buzzer-coil": buzzer(settings, "coil"),
        "buzzer-piezo": buzzer(settings, "piezo"),
        "motor": motor(settings),
        "button-led": extras(settings),
        "header": header(settings),
    }


def drawings(settings: Settings) -> dict[str, str]:
    """The same as SVG, by the name of the file."""
    return {f"{name}.svg": sheet.svg() for name, sheet in sheets(settings).items()}
