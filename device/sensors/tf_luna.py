"""TF-Luna and TFmini Plus: lidar, a hundred measurements a second over a UART.

A frame is `59 59 DL DH SL SH TL TH SUM`, low bytes first: distance in centimetres, signal
strength, chip temperature as raw / 8 - 256 degrees Celsius, and the sum of the eight before.
115200 baud. `59 59 64 00 E8 03 40 09 4A` is 100 cm at strength 1000 and 40 °C.

- *Strength says what a distance is worth.* Below 100, or with a distance of 0 (65535 from their
  kin), too little light came back: nothing there, or black cloth, glass, a dirty lens. That is
  "nothing" of low trust. Above 32767 (or at 65534 and 65532) there is too much light to see by:
  dazzled, a fault.
- *A hundred a second are too many* for a tracker that counts pings and for a battery, so the
  port is read 33 times a second and the newest frame counts.
- *Its beam is 2 to 4 degrees wide*: it sees slanted and soft things that sound does not, and
  misses poles, low things, and whatever is not in the very middle; and glass. Dark things
  (10 % reflecting) are seen to 2.5 m only.
- *In step*: 59 59 can stand inside a frame. A wrong phase is found out by the checksum, and by
  a distance or a temperature that cannot be: of all constant streams of 0 to 1300 cm, at every
  strength and temperature, not one can be read in two ways (tried, all 113 thousand million).

Sources: Benewake's manuals of the TF-Luna, TFmini Plus and TFmini-S; budryerson/TFMini-Plus
issue 7 (0 for nothing).
"""

from device.core.reading import Fault, Nothing, Pace, PingFault, Reading
from device.ports.frames import Flaw, Framer, Match
from device.sensors import Bench, Model, Parts, model
from device.sensors._serial import Listener, Ranged, SerialTwin

BAUD = 115200
HEADER = 0x59
LENGTH = 9
FRAME_S = 0.01
NONE_CM = 0
WEAK_CM, SATURATED_CM, SUNLIT_CM = 65535, 65534, 65532
CODES_CM = frozenset((NONE_CM, WEAK_CM, SATURATED_CM, SUNLIT_CM))
LEAST_STRENGTH, MOST_STRENGTH = 100, 32767
COLDEST_RAW, WARMEST_RAW = (256 - 40) * 8, (256 + 125) * 8
"""Temperatures that a living chip can have."""
MOST_CM = 1300
"""A TF-Luna ends at 900, a TFmini Plus at 1200; more is nonsense."""
SAMPLED = Pace(period_s=0.03)

MODELS = {
    "tf-luna": Model(
        title="TF-Luna",
        min_range_m=0.2,
        max_range_m=8.0,
        pace=SAMPLED,
        half_angle_deg=1.0,
        light=True,
    ),
    "tfmini-plus": Model(
        title="TFmini Plus",
        min_range_m=0.1,
        max_range_m=8.0,  # sold for 12; what is farther is of no use to a walker
        pace=SAMPLED,
        half_angle_deg=1.8,
        light=True,
    ),
}


def match(most: int) -> Match[int]:
    """A frame of at most `most` centimetres; its value is strength << 16 | distance."""

    def found(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        if len(buffer) - at < LENGTH:
            follows = len(buffer) - at < 2 or buffer[at + 1] == HEADER
            return None if follows else Flaw.FORM
        if buffer[at + 1] != HEADER:
            return Flaw.FORM
        if sum(buffer[at : at + 8]) & 0xFF != buffer[at + 8]:
            return Flaw.CHECKSUM
        distance_cm = buffer[at + 2] | buffer[at + 3] << 8
        warm = buffer[at + 6] | buffer[at + 7] << 8
        if not COLDEST_RAW <= warm <= WARMEST_RAW:
            return Flaw.RANGE
        if distance_cm > most and distance_cm not in CODES_CM:
            return Flaw.RANGE
        return LENGTH, distance_cm | buffer[at + 4] << 16 | buffer[at + 5] << 24

    return found


def framer(most: int = MOST_CM) -> Framer[int]:
    """Cuts the part's stream into strength << 16 | centimetres."""
    return Framer(match(most), bytes([HEADER]))


def frame(distance_cm: int, strength: int, temperature_c: float) -> bytes:
    """What the part says."""
    body = bytes([HEADER, HEADER])
    warm = round((temperature_c + 256) * 8)
    for value in (distance_cm, strength, warm):
        body += value.to_bytes(2, "little")
    return body + bytes([sum(body) & 0xFF])


def open_sensor(parts: Parts) -> Listener:
    """The driver on its port."""
    settings = parts.settings
    ranged = Ranged(settings)

    def read(now_s: float, value: int) -> Reading:
        distance_cm, strength = value & 0xFFFF, value >> 16
        if distance_cm in (SATURATED_CM, SUNLIT_CM) or strength > MOST_STRENGTH:
            return Fault(now_s, PingFault.DAZZLED)
        if distance_cm in CODES_CM or strength < LEAST_STRENGTH:
            return Nothing(now_s, sure=False)
        return ranged(now_s, distance_cm / 100, value)

    return Listener(parts, BAUD, framer(), read, sampled=True)


def make_twin(bench: Bench) -> SerialTwin:
    """The simulated part on its bench."""
    part, rng = model(bench.settings), bench.rng

    def says(distance_m: float | None) -> bytes:
        if distance_m is None or distance_m > part.max_range_m:
            return frame(NONE_CM, rng.randrange(LEAST_STRENGTH), bench.air_c + 15)
        # It falls with the distance; the light's own noise is never twice the same.
        strength = round(rng.gauss(1500.0, 15.0) / (0.3 + distance_m)) + LEAST_STRENGTH
        return frame(max(1, round(distance_m * 100)), strength, bench.air_c + 15)

    def wrong() -> bytes:
        return frame(rng.randrange(2000, 60_000), 1000, bench.air_c + 15)

    twin = SerialTwin(bench, says, wrong)
    twin.speak_by_itself(lambda: FRAME_S)
    return twin
