"""What a person needs: how early to warn a fit, an ordinary and a frail wearer.

Warning distance = speed x (the device's time + the person's time) + the heel's
lead. Turned round, the same line gives the fastest walk for which an obstacle,
first seen at a given range, is still in time: the protected speed.

A wearer whose own time was measured (`alert.reaction_s`) has that instead of the profile's.
It may only make the device more careful than the profile that was chosen. Whoever is slower
has every level that many seconds earlier: all of them by time, so that each stays inside the
one before and CAUTION is still the first to be heard. By distance only WARNING and DANGER come
earlier, by what is walked in those seconds at 0.5 m/s, and never farther out than CAUTION begins,
which is known to be within the sensor's range. Distance is there for what stands close and for
the moment before a speed is known; at any speed that is known, time begins first if it has to,
and who needs longer than the profiles give them walks at about that pace (elderly fallers below
0.6 m/s, after a stroke 0.37). STOP's distance stays: it never falls silent, and one that sounds
beside every wall would be taken off. Whoever is quicker keeps the profile's levels: three stops on
a good day are no reason to be warned later. `fit` is a choice, not a result.
"""

import math

import msgspec
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


EXTRA_MPS = 0.5
"""What a second more than the profile's adds to WARNING's and DANGER's distance, metres."""


def need(profile: Profile, reaction_s: float | None = None) -> Need:
    """The profile's times, with the wearer's own time `reaction_s` in the place of its person's."""
    usual = NEEDS[profile]
    return usual if reaction_s is None else msgspec.structs.replace(usual, human_s=reaction_s)


def slower_by_s(alert: AlertSettings) -> float:
    """How many seconds longer than their profile gives them the wearer takes; 0 for the others."""
    if alert.reaction_s is None:
        return 0.0
    return max(0.0, alert.reaction_s - NEEDS[alert.profile].human_s)


def thresholds(alert: AlertSettings) -> tuple[Threshold, Threshold, Threshold, Threshold]:
    """CAUTION, WARNING, DANGER and STOP conditions: the profile's, or as overridden.

    For a wearer slower than their profile, those that are not overridden come earlier.
    """
    longer_s = slower_by_s(alert)
    limits = []
    outer_m = outer_s = math.inf
    for level, base in zip(LEVELS, THRESHOLDS[alert.profile], strict=True):
        farther_m = EXTRA_MPS * longer_s if level in ("warning", "danger") else 0.0
        distance_m = _earlier(base.distance_m, farther_m, outer_m, getattr(alert, f"{level}_m"))
        ttc_s = _earlier(base.ttc_s, longer_s, outer_s, getattr(alert, f"{level}_ttc_s"))
        limits.append(Threshold(distance_m, ttc_s))
        outer_m, outer_s = distance_m, ttc_s or outer_s
    caution, warning, danger, stop = limits
    return caution, warning, danger, stop


def _earlier(base: float, by: float, outer: float, override: float | None) -> float:
    """`base` and `by` together, but not beyond the level before; an override is as it is."""
    if override is not None:
        return override
    return max(base, min(round(base + by, 3), outer))


def needed_m(
    profile: Profile, speed_mps: float, slower_s: float = 0.0, reaction_s: float | None = None
) -> float:
    """Warning distance in metres that a wearer walking at `speed_mps` needs.

    `slower_s`: how much longer than its share the device takes, with a slow sensor.
    `reaction_s`: the wearer's own time, instead of the profile's.
    """
    times = need(profile, reaction_s)
    return speed_mps * (times.system_s + slower_s + times.human_s) + HEEL_LEAD_M


def protected_mps(
    profile: Profile, range_m: float, slower_s: float = 0.0, reaction_s: float | None = None
) -> float:
    """Fastest closing speed in m/s for which an obstacle seen at `range_m` is in time."""
    times = need(profile, reaction_s)
    return max(0.0, range_m - HEEL_LEAD_M) / (times.system_s + slower_s + times.human_s)
