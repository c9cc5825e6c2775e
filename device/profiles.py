"""What a person needs: how early to warn a fit, an ordinary and a frail wearer.

Warning distance = speed x (the device's time + the person's time) + the heel's
lead. Turned round, the same line gives the fastest walk for which an obstacle,
first seen at a given range, is still in time: the protected speed.
"""

from msgspec import Struct

from device.settings import AlertSettings, Profile


class Threshold(Struct, frozen=True):
    """One level's condition: at or inside `distance_m`, or `ttc_s` from touching."""

    distance_m: float
    ttc_s: float


class Need(Struct, frozen=True):
    """How long a warning needs: the device's share and the person's, in seconds."""

    system_s: float
    human_s: float


# Thresholds are engineering choices. The person's time is a stop's measured
# time (463 ms young, 574 ms old, walking forward: Tirosh & Sparrow 2005) with
# room for the motor's pulse to be felt and for walking backward, for which
# nobody has published a figure. DANGER must come in time, so its time is Need's own
# with 0.375-0.55 s to spare: for lost pings, a speed not yet sure, a stalled processor.
LEVELS = ("caution", "warning", "danger", "stop")
THRESHOLDS: dict[Profile, tuple[Threshold, Threshold, Threshold, Threshold]] = {
    "fit": (Threshold(2.2, 2.5), Threshold(1.3, 1.6), Threshold(0.9, 1.1), Threshold(0.5, 0.5)),
    "default": (Threshold(2.5, 3.0), Threshold(1.5, 2.0), Threshold(1.0, 1.5), Threshold(0.6, 0.6)),
    "rehab": (Threshold(2.5, 3.5), Threshold(1.5, 2.5), Threshold(1.0, 1.9), Threshold(0.6, 0.8)),
}
NEEDS: dict[Profile, Need] = {
    "fit": Need(0.15, 0.575),
    "default": Need(0.25, 0.825),
    "rehab": Need(0.25, 1.10),
}

HEEL_LEAD_M = 0.25
"""How far the stepping heel is behind the trunk that carries the sensor."""


def thresholds(alert: AlertSettings) -> tuple[Threshold, Threshold, Threshold, Threshold]:
    """CAUTION, WARNING, DANGER and STOP conditions: the profile's, or as overridden."""
    caution, warning, danger, stop = (
        Threshold(
            base.distance_m if (d := getattr(alert, f"{level}_m")) is None else d,
            base.ttc_s if (t := getattr(alert, f"{level}_ttc_s")) is None else t,
        )
        for level, base in zip(LEVELS, THRESHOLDS[alert.profile], strict=True)
    )
    return caution, warning, danger, stop


def needed_m(profile: Profile, speed_mps: float, slower_s: float = 0.0) -> float:
    """Warning distance in metres that a wearer walking at `speed_mps` needs.

    `slower_s`: how much longer than its share the device takes, with a slow sensor.
    """
    need = NEEDS[profile]
    return speed_mps * (need.system_s + slower_s + need.human_s) + HEEL_LEAD_M


def protected_mps(profile: Profile, range_m: float, slower_s: float = 0.0) -> float:
    """Fastest closing speed in m/s for which an obstacle seen at `range_m` is in time."""
    need = NEEDS[profile]
    return max(0.0, range_m - HEEL_LEAD_M) / (need.system_s + slower_s + need.human_s)
