"""JSN-SR04T and AJ-SR04M in their serial modes: waterproof, transducer on a cable.

A resistor on the board chooses the mode; ping mode, as they come, is `hcsr04`'s. 9600 baud.

- *By itself*, every 100 ms (JSN) or 120 (AJ): frames `FF H L SUM` in millimetres, as the
  A02YYUW's. Some AJ units are said to leave the FF out of the sum: which one a unit uses is
  learned. `FF 00 FA F9` is 250 mm.
- *On request* (`request = true`): the same frame after a byte, 0x55 for a JSN and 0x01 for an
  AJ; they are sold under each other's names, so both are tried until one is answered.
- *As text* (an AJ with a 0 ohm bridge, on request): a line `Gap=1234mm`, with or without blanks
  or the first word. It has no checksum: a lost digit is another distance, which the tracker has
  to doubt.

Nothing in range is 0 on some boards and a little over 6 m (6016) on others; 0 may also mean that
it is covered. Nearer than 20 to 25 cm a board says anything; a near value is kept as "near".

Sources: DFRobot's pages for SEN0207, ESPHome's jsn_sr04t and its issues 5775, 7044 and 11254,
CyrilB1531/aj_sr04m (README, src/aj_sr04m.c).
"""

import re

from device.core.reading import Nothing, Pace, Reading
from device.ports.frames import Flaw, Framer, Match
from device.sensors import Bench, Model, Parts, model, pace
from device.sensors._serial import Asker, Listener, Ranged, SerialTwin, most_mm

BAUD = 9600
HEADER = 0xFF
LINE_ENDS = b"\r\n"
LONGEST_TEXT = 24
TEXT = re.compile(rb"[\r\n][ \t]*(?:gap[ \t]*[=:])?[ \t]*(\d{1,5})[ \t]*mm", re.IGNORECASE)
NO_TEXT = re.compile(rb"[\r\n\xff]")
REQUESTS = (b"\x55", b"\x01")
ANSWER_S = 0.09
"""An echo from 6 m takes 36 ms, its frame 4 ms; boards differ in what they add (assumed)."""
FLIGHT_S = 0.04
NOTHING_M = 6.016

MODELS = {
    "jsn-sr04t": Model(
        title="JSN-SR04T",
        min_range_m=0.25,
        max_range_m=6.0,
        pace=Pace(period_s=0.1),
        asked=Pace(period_s=0.07),
        assumes_c=20.0,
        half_angle_deg=35.0,
    ),
    "aj-sr04m": Model(
        title="AJ-SR04M",
        min_range_m=0.25,
        max_range_m=6.0,
        pace=Pace(period_s=0.12),
        asked=Pace(period_s=0.07),
        assumes_c=20.0,
        half_angle_deg=30.0,
    ),
}


class _Sums:
    """Learns which of the two sums this unit uses: to accept both would be half a checksum.

    A frame by the other one is not believed, and a second in a row is.
    """

    def __init__(self) -> None:
        self._standing = 0
        self._used = 0
        """The last one that was believed."""

    @property
    def without_header(self) -> bool:
        """This unit leaves the header out of its sum."""
        return self._used < 0

    def right(self, *, with_header: bool) -> bool:
        """Whether a frame with this sum may be believed; called once for each."""
        vote = 1 if with_header else -1
        self._standing = max(-1, min(1, self._standing + vote))
        if self._standing == vote:
            self._used = vote
        return self._standing == vote


def match(most: int) -> Match[int]:
    """A frame, in bytes or in text, of at most `most` millimetres."""
    sums = _Sums()

    def found(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        first = buffer[at]
        if first != HEADER:
            return _text(buffer, at, most) if first in LINE_ENDS else Flaw.FORM
        if len(buffer) - at < 4:
            return None
        high, low, total = buffer[at + 1], buffer[at + 2], buffer[at + 3]
        rest = (total - high - low) & 0xFF
        if rest not in (0, HEADER):
            return Flaw.CHECKSUM
        value_mm = high << 8 | low
        if value_mm > most:
            return Flaw.RANGE
        if value_mm == rest == 0 and not sums.without_header:
            return Flaw.CHECKSUM  # so looks a line that fell low after one good byte
        return (4, value_mm) if sums.right(with_header=rest == HEADER) else Flaw.CHECKSUM

    return found


def _text(buffer: bytearray, at: int, most: int) -> tuple[int, int] | Flaw | None:
    """The end of a line, and then `Gap=1234mm`: whole lines only, for half of one is another's."""
    text = TEXT.match(buffer, at, at + LONGEST_TEXT)
    if text is not None:
        value_mm = int(text[1])
        return (text.end() - at, value_mm) if value_mm <= most else Flaw.RANGE
    rest = buffer[at + 1 : at + LONGEST_TEXT]
    torn = len(rest) < LONGEST_TEXT - 1 and not NO_TEXT.search(rest)
    return None if torn else Flaw.FORM


def framer(most: int) -> Framer[int]:
    """Cuts the part's stream into millimetres."""
    return Framer(match(most), begins=LINE_ENDS[:1])


def frame(distance_m: float | None, *, with_header: bool = True) -> bytes:
    """What the part says of a distance; None: nothing there."""
    value_mm = 0 if distance_m is None else max(0, round(distance_m * 1000))
    high, low = value_mm >> 8 & 0xFF, value_mm & 0xFF
    total = (HEADER if with_header else 0) + high + low
    return bytes([HEADER, high, low, total & 0xFF])


def open_sensor(parts: Parts) -> Listener | Asker:
    """The driver on its port."""
    settings = parts.settings
    ranged = Ranged(settings)

    def read(now_s: float, value_mm: int) -> Reading:
        if value_mm == 0:
            return Nothing(now_s, sure=False)
        return ranged(now_s, value_mm / 1000, value_mm)

    cut = framer(most_mm(model(settings)))
    if settings.request:
        return Asker(parts, BAUD, cut, read, REQUESTS, ANSWER_S)
    return Listener(parts, BAUD, cut, read)


def make_twin(bench: Bench) -> SerialTwin:
    """The simulated part on its bench.

    An AJ-SR04M leaves FF out, wants to be asked by 0x01 and says 6016 for nothing.
    """
    part, settings, rng = model(bench.settings), bench.settings, bench.rng
    is_jsn = part.title == "JSN-SR04T"

    def says(distance_m: float | None) -> bytes:
        if distance_m is None or distance_m > part.max_range_m:
            return frame(None if is_jsn else NOTHING_M, with_header=is_jsn)
        if distance_m < part.min_range_m:
            distance_m = rng.uniform(part.min_range_m, 2 * part.min_range_m)
        return frame(distance_m, with_header=is_jsn)

    twin = SerialTwin(bench, says, lambda: frame(rng.uniform(10.0, 60.0)))
    if settings.request:
        wants = REQUESTS[0] if is_jsn else REQUESTS[1]
        bench.cable.asked = lambda data: twin.asked(lambda _: FLIGHT_S) if data == wants else None
    else:
        twin.speak_by_itself(lambda: pace(settings).period_s)
    return twin
