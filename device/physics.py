"""Sound in air: what turns an echo's time into a distance.

c = 331.3 m/s * sqrt(1 + T / 273.15), T in degrees Celsius, for dry air; moisture
changes it by less than 0.6 %. Warm air carries sound faster, so a device that
takes cold air for warm reads too far, which is the dangerous side.
"""

import math

ASSUMED_COLD_C = -10.0
"""Taken when the temperature is unknown: the error then is on the near side."""


def speed_of_sound_mps(temperature_c: float | None) -> float:
    """Speed of sound in m/s at `temperature_c`, or in cold air when it is None."""
    t = ASSUMED_COLD_C if temperature_c is None else temperature_c
    return 331.3 * math.sqrt(1.0 + t / 273.15)
