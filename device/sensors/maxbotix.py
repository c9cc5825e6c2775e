"""MaxBotix HRXL-MaxSonar-WR and XL-MaxSonar-WR: weatherproof, filtered, slow, text over a UART.

A line is `R`, digits, carriage return, at 9600 baud: four digits of millimetres from an HRXL,
three of centimetres from an XL, but four of centimetres from the XL that sees 10 m (MB7066). So
the unit is the model's and is never guessed from the number of digits.

- *Filtered, and slow*: six to seven and a half readings a second, and the sheet gives the filter
  as 1.2 to 1.5 Hz, so what it says is up to 0.7 s old. Of what closes by more than 240 mm a
  reading (1.4-1.8 m/s) it makes little.
- *Too close* is said as the least distance (300, 500 or 20), *nothing there* as the largest or
  one less (4999, 9999, 765). Too many echoes at once can look like "too close".
- *At power-up* it tells its name in six lines, one of which begins with R too (`RoHS ...`).
- *5 m*: MB7360, 7367, 7380, 7387. *10 m*: MB7363, 7366, 7368, 7383, 7386, 7388.
- Types MB736x and all XL send RS232 levels, inverted: they need an inverter. Not the
  MB7369 and MB7389: they report the largest thing and not the nearest.

Sources: MaxBotix's sheets PD11500 (cycle, filter, values), EnviroDIY/ModularSensors (values,
start-up text), arduino.stackexchange 7976 (MB7066).
"""

import re

from device.core.reading import Nothing, Pace, Reading
from device.ports.frames import Flaw, Framer, Match
from device.sensors import Bench, Model, Parts, model, model_name, pace
from device.sensors._serial import Listener, Ranged, SerialTwin

BAUD = 9600
BEGINS, ENDS = b"R", b"\r"
BANNER = (
    b"HRXL-MaxSonar-WRL\rPN:MB7386\rCopyright 2011-2013\rMaxBotix Inc.\rRoHS 1.8b090  0713\rTempI\r"
)
SMOOTHED = 9
"""Measurements whose median the twin reports: 0.6 s, as the sheet's filter is read (assumed)."""
LAG_S = 0.6
DIGITS = {"hrxl-wr": 4, "hrxl-wr-10m": 4, "xl-wr": 3, "xl-wr-10m": 4}

MODELS = {
    "hrxl-wr": Model(
        title="HRXL-MaxSonar-WR (5 m)",
        min_range_m=0.3,
        max_range_m=5.0,
        pace=Pace(period_s=0.158, lag_s=LAG_S),
        half_angle_deg=10.0,
    ),
    "hrxl-wr-10m": Model(
        title="HRXL-MaxSonar-WR (10 m)",
        min_range_m=0.5,
        max_range_m=10.0,
        pace=Pace(period_s=0.181, lag_s=LAG_S),
        half_angle_deg=10.0,
    ),
    "xl-wr": Model(
        title="XL-MaxSonar-WR",
        min_range_m=0.2,
        max_range_m=7.65,
        pace=Pace(period_s=0.15, lag_s=LAG_S),
        resolution_m=0.01,
        assumes_c=20.0,
        half_angle_deg=10.0,
    ),
    "xl-wr-10m": Model(
        title="XL-MaxSonar-WR (MB7066)",
        min_range_m=0.2,
        max_range_m=10.68,
        pace=Pace(period_s=0.15, lag_s=LAG_S),
        resolution_m=0.01,
        assumes_c=20.0,
        half_angle_deg=10.0,
    ),
}
"""Periods: the slowest of each family; of the XL no sheet was at hand (assumed), nor of angles."""


def unit_m(part: Model) -> float:
    """What one of its counts is worth, metres."""
    return part.resolution_m or 0.001


def match(digits: int, most: int) -> Match[int]:
    """A line of so many digits, of at most `most` counts."""
    whole = re.compile(rb"R(\d{%d})\r" % digits)

    def found(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        line = whole.match(buffer, at)
        if line is None:
            rest = bytes(buffer[at + 1 : at + 1 + digits])
            torn = len(buffer) - at < digits + 2 and (not rest or rest.isdigit())
            return None if torn else Flaw.FORM
        value = int(line[1])
        return (digits + 2, value) if 0 < value <= most else Flaw.RANGE

    return found


def framer(model_name: str) -> Framer[int]:
    """Cuts the stream into counts: millimetres or centimetres, as the model has it."""
    part = MODELS[model_name]
    most = round(part.max_range_m / unit_m(part))
    return Framer(match(DIGITS[model_name], most), BEGINS)


def open_sensor(parts: Parts) -> Listener:
    """The driver on its port."""
    settings = parts.settings
    part = model(settings)
    ranged = Ranged(settings)
    unit, fine = unit_m(part), not part.resolution_m
    least, most = round(part.min_range_m / unit), round(part.max_range_m / unit)

    def read(now_s: float, value: int) -> Reading:
        if value >= most - 1:
            return Nothing(now_s)
        if value <= least:
            return ranged.too_close(now_s, None)
        return ranged(now_s, value * unit, value if fine else None)

    return Listener(parts, BAUD, framer(model_name(settings)), read)


def make_twin(bench: Bench) -> SerialTwin:
    """The simulated part on its bench."""
    settings, rng = bench.settings, bench.rng
    part = model(settings)
    unit, digits = unit_m(part), DIGITS[model_name(settings)]
    least, most = round(part.min_range_m / unit), round(part.max_range_m / unit)

    def line(counts: int) -> bytes:
        return b"R%0*d\r" % (digits, counts)

    def says(distance_m: float | None) -> bytes:
        counts = most - 1 if distance_m is None else round(distance_m / unit)
        return line(min(max(counts, least), most - 1))

    def wrong() -> bytes:
        return (
            line(0)
            if rng.random() < 0.5
            else b"R" + bytes(rng.choices(b"ABCDEF", k=digits)) + b"\r"
        )

    twin = SerialTwin(bench, says, wrong, smoothed=SMOOTHED, banner=BANNER)
    twin.speak_by_itself(lambda: pace(settings).period_s)
    return twin
