"""A02YYUW and A01NYUB: waterproof, one transducer, speak by themselves over a UART.

A frame is `FF H L SUM`: millimetres, high byte first, SUM = (FF + H + L) & FF. `FF 07 A1 A7` is
1953 mm. 9600 baud.

- *Filtered as they come.* With RX open, or tied high as a Pi's idle TX does, the part reports a
  processed value every 100 to 300 ms. With RX tied to ground at power-up it reports what it
  measures, every 100 ms: `realtime = true`.
- *Zero has two meanings.* It is sent when nothing is in range and when the transducer is
  covered. Where nothing near was heard before, it is taken for "nothing there", of low trust: it
  does not prove the sensor, an echo must. After a near echo the tracker takes it for a touch.
- *Newer kin* say 65533 for "nothing there" and 65534 for another device's sound; so far it is
  not known of these two, but the words are understood.
- *Just before zero* one may say 5500, a little more than it is sold for: far, and no flaw.

Sources: DFRobot's pages for SEN0311, SEN0313 and SEN0754, users' captures (esphome/issues 6394,
riteshRcH/waterproof_small_blind_ultrasonic_sensor_DYP-A02YYxx_v1.0 issue 2).
"""

from device.core.reading import Fault, Nothing, Pace, PingFault, Reading
from device.ports.frames import Flaw, Framer, Match
from device.sensors import Bench, Model, Parts, model
from device.sensors._serial import Listener, Ranged, SerialTwin, most_mm

BAUD = 9600
HEADER = 0xFF
NOTHING, DISTURBED = 0xFFFD, 0xFFFE
FILTERED = Pace(period_s=0.3, lag_s=0.2)
"""Its slowest; how late its filter is nobody states, so two of its measurements (assumed)."""
REALTIME = Pace(period_s=0.1)
MEASURED_S, SMOOTHED = 0.1, 5
"""The twin's filter: the median of so many measurements, one in so long (assumed)."""

MODELS = {
    "a02yyuw": Model(
        title="A02YYUW",
        min_range_m=0.03,
        max_range_m=4.5,
        pace=FILTERED,
        realtime=REALTIME,
        assumes_c=20.0,
        half_angle_deg=30.0,
    ),
    "a01nyub": Model(
        title="A01NYUB",
        min_range_m=0.28,
        max_range_m=7.5,
        pace=FILTERED,
        realtime=REALTIME,
        assumes_c=20.0,
        half_angle_deg=20.0,
    ),
}


def match(most: int) -> Match[int]:
    """A frame of at most `most` millimetres, as the framer wants it."""

    def found(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        if len(buffer) - at < 4:
            return None
        high, low = buffer[at + 1], buffer[at + 2]
        if buffer[at + 3] != (HEADER + high + low) & 0xFF:
            return Flaw.CHECKSUM
        value_mm = high << 8 | low
        known = value_mm <= most or value_mm in (NOTHING, DISTURBED)
        return (4, value_mm) if known else Flaw.RANGE

    return found


def framer(most: int) -> Framer[int]:
    """Cuts the part's stream into millimetres."""
    return Framer(match(most), bytes([HEADER]))


def frame(distance_m: float | None) -> bytes:
    """What the part says of a distance; None: nothing there."""
    value_mm = 0 if distance_m is None else max(0, round(distance_m * 1000))
    high, low = value_mm >> 8 & 0xFF, value_mm & 0xFF
    return bytes([HEADER, high, low, (HEADER + high + low) & 0xFF])


def open_sensor(parts: Parts) -> Listener:
    """The driver on its port."""
    settings = parts.settings
    ranged = Ranged(settings)

    def read(now_s: float, value_mm: int) -> Reading:
        if value_mm == 0:
            return Nothing(now_s, sure=False)
        if value_mm == NOTHING:
            return Nothing(now_s)
        if value_mm == DISTURBED:
            return Fault(now_s, PingFault.DAZZLED)
        return ranged(now_s, value_mm / 1000, value_mm)

    return Listener(parts, BAUD, framer(most_mm(model(settings))), read)


def make_twin(bench: Bench) -> SerialTwin:
    """The simulated part on its bench."""
    part, settings, rng = model(bench.settings), bench.settings, bench.rng
    blind_m, reach_m = part.min_range_m, part.max_range_m

    def says(distance_m: float | None) -> bytes:
        seen = distance_m is not None and blind_m <= distance_m <= reach_m
        return frame(distance_m if seen else None)

    twin = SerialTwin(
        bench,
        says,
        lambda: frame(rng.uniform(10.0, 60.0)),
        smoothed=1 if settings.realtime else SMOOTHED,
    )
    if settings.realtime:
        twin.speak_by_itself(lambda: REALTIME.period_s)
    else:
        fast_s, slow_s = REALTIME.period_s, FILTERED.period_s
        twin.speak_by_itself(lambda: rng.uniform(fast_s, slow_s), MEASURED_S)
    return twin
