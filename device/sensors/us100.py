"""US-100 with its jumper on: asked over a UART, it answers in two bytes, the air's warmth too.

0x55 is answered with the distance in millimetres, high byte first, corrected by the part for the
temperature that it measures; 0x50 with one byte, degrees Celsius + 45. 9600 baud.

There is neither a header nor a checksum, so an answer is exactly two bytes after a request that
found the line empty, and then silence; one or three of them are no answer.

With nothing in range it says 11090 or 11110 after 91 ms, or nothing at all; too close, nothing
either. So when it is silent it is asked for the temperature, which a living part always tells
(assumed): silence to both is a fault, silence to the first is "nothing there", of low trust. The
temperature corrects nothing here, for the part has done so.

Sources: adafruit/Adafruit_CircuitPython_US100, stoduk/PingSerial (timings, measured), the
seller's sheet. The wires are not crossed: its TX goes to the Pi's TX.
"""

from device.core.reading import Nothing, Pace, Reading
from device.ports.frames import Flaw, Framer, Match
from device.sensors import Bench, Model, Parts, model
from device.sensors._serial import Asker, Proof, Ranged, SerialTwin, most_mm

BAUD = 9600
DISTANCE, TEMPERATURE = b"\x55", b"\x50"
OFFSET_C = 45
COLDEST_C, WARMEST_C = -30, 80
"""A little more than it is sold for."""
ANSWER_S, TEMPERATURE_S = 0.12, 0.05
EVERY_S = 10.0
NOTHING_MM = (11_090, 11_110)
BASE_S, PER_M_S, NOTHING_S = 0.011, 0.0057, 0.091
"""When it answers: 11 ms and 5.7 for each metre, or 91 when there is nothing (PingSerial)."""

MODELS = {
    "us100": Model(
        title="US-100",
        min_range_m=0.03,
        max_range_m=4.5,
        pace=Pace(period_s=0.06),
        half_angle_deg=7.5,
    ),
}


def match(most: int) -> Match[int]:
    """Two bytes, and no more: the framer is handed whole answers."""

    def found(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        if len(buffer) == 1:
            return None
        if len(buffer) != 2 or at:
            return Flaw.FORM
        value_mm = buffer[0] << 8 | buffer[1]
        return (2, value_mm) if value_mm <= most or value_mm in NOTHING_MM else Flaw.RANGE

    return found


def framer(most: int) -> Framer[int]:
    """Takes an answer for millimetres."""
    return Framer(match(most))


def frame(distance_m: float | None) -> bytes:
    """What the part says of a distance; None: nothing there."""
    value_mm = NOTHING_MM[0] if distance_m is None else max(0, round(distance_m * 1000))
    return bytes([value_mm >> 8 & 0xFF, value_mm & 0xFF])


class US100(Asker):
    """The driver, and what it knows of the air."""

    def __init__(self, parts: Parts) -> None:
        """Open the port. Raises HardwareError."""
        self.temperature_c: int | None = None
        settings = parts.settings
        ranged = Ranged(settings)

        def read(now_s: float, value_mm: int) -> Reading:
            if value_mm in NOTHING_MM:
                return Nothing(now_s)
            return ranged(now_s, value_mm / 1000, value_mm)

        cut = framer(most_mm(model(settings)))
        proof = Proof(TEMPERATURE, self._warm, TEMPERATURE_S, EVERY_S)
        super().__init__(parts, BAUD, cut, read, (DISTANCE,), ANSWER_S, proof)

    @property
    def counts(self) -> dict[str, int]:
        """Frames and flaws, and the air's temperature, degrees Celsius, once it is known."""
        warm = {} if self.temperature_c is None else {"air °C": self.temperature_c}
        return super().counts | warm

    def _warm(self, answer: bytes) -> bool:
        """Take the temperature; whether it is one."""
        if len(answer) != 1 or not COLDEST_C <= answer[0] - OFFSET_C <= WARMEST_C:
            return False
        self.temperature_c = answer[0] - OFFSET_C
        return True


def open_sensor(parts: Parts) -> US100:
    """The driver on its port."""
    return US100(parts)


def make_twin(bench: Bench) -> SerialTwin:
    """The simulated part on its bench."""
    part, rng = model(bench.settings), bench.rng
    blind_m, reach_m = part.min_range_m, part.max_range_m

    def says(distance_m: float | None) -> bytes:
        if distance_m is not None and distance_m < blind_m:
            return b""  # too close: it does not answer
        return frame(distance_m if distance_m is not None and distance_m <= reach_m else None)

    twin = SerialTwin(bench, says, lambda: frame(rng.uniform(20.0, 60.0)))

    def asked(request: bytes) -> None:
        if request == DISTANCE:
            twin.asked(answer_s)
        elif request == TEMPERATURE:
            twin.answer(bytes([round(bench.air_c) + OFFSET_C]), BASE_S)

    bench.cable.asked = asked
    return twin


def answer_s(said: bytes) -> float:
    """How long after the request it says so."""
    return min(NOTHING_S, BASE_S + int.from_bytes(said) / 1000 * PER_M_S)
