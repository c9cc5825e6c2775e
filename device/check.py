"""What the wearer gets from a configuration, worked out before anyone walks.

For each walking speed: the distance at which WARNING and DANGER begin (by distance or
by time to collision, but never beyond what the sensor can see) against the distance
that the profile needs to stop. And the fastest speed that is still protected.

A sensor that speaks seldom, or through a filter, makes the device slower than the share of time
that the profile gives it: a new thing is believed after as many readings as it takes, and each of
them is old already. What that costs is warning distance, and it is said. A warning by time needs
a speed, too, and cannot come before that is known.
"""

import math
from collections.abc import Iterator

from msgspec import Struct

from device import config, profiles, sensors
from device.core.reading import Pace
from device.core.track import FAR_M, FEW_HITS, FEW_SPAN_S, SOLID_HITS
from device.settings import SensorSettings, Settings

SPEEDS_MPS = (0.5, 1.0, 1.4)
HEADER_PINS = {
    2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33, 14: 8,
    15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22,
    26: 37, 27: 13,
}  # fmt: skip
"""GPIO number to pin of the 40-pin header, the same on every Pi that has one."""


USUAL = Pace(period_s=0.04)
"""The profiles' share of time for the device was made for a sensor like this."""
HEARD_FROM_M = 4.0
"""Whatever a slow sensor is sold for, few things are heard from farther."""
STEP_MPS = 0.01
HANDLING_S = 0.03
"""From a reading to a pulse that is felt: the loop, the transistor, the motor's start."""


class Row(Struct, frozen=True):
    """One walking speed. Distances in metres, times in seconds.

    `slow_m`: how much of what is needed is due to a sensor slower than the profile allows for.
    """

    speed_mps: float
    warning_m: float
    warning_s: float
    danger_m: float
    danger_s: float
    needed_m: float
    slow_m: float
    in_time: bool


class Report(Struct, frozen=True):
    """The whole answer."""

    config: str
    profile: str
    part: str
    period_s: float
    lag_s: float
    believed_s: float
    """After so long a new thing nearer than `track.FAR_M` is believed; farther, a period later."""
    port: str | None
    pins: dict[str, int]
    speeds: list[Row]
    protected_mps: float
    good: bool
    settings: Settings


def report(settings: Settings, source: str) -> Report:
    """Work it out for `settings`, which came from `source`."""
    part, pace = sensors.model(settings.sensor), sensors.pace(settings.sensor)
    believed_s = pace.lag_s + settings.alert.new_object_pings * pace.period_s + HANDLING_S
    slower_s = max(0.0, believed_s - profiles.NEEDS[settings.alert.profile].system_s)
    rows = [_row(settings, speed_mps, slower_s) for speed_mps in SPEEDS_MPS]
    return Report(
        config=source,
        profile=settings.alert.profile,
        part=part.title,
        period_s=pace.period_s,
        lag_s=pace.lag_s,
        believed_s=round(believed_s, 3),
        port=settings.sensor.port if part.serial else None,
        pins=_pins(settings),
        speeds=rows,
        protected_mps=round(_protected_mps(settings, slower_s), 2),
        good=all(row.in_time for row in rows),
        settings=settings,
    )


def lines(found: Report) -> Iterator[str]:
    """The report for a person."""
    settings = found.settings
    sensor = settings.sensor
    yield f"configuration   {found.config}"
    yield f"board           {settings.gpio.factory}"
    reach = f"{sensor.min_range_m:g} to {sensor.max_range_m:g} m"
    yield f"sensor          {found.part} ({sensor.driver}), {reach}, {_air(sensor)}"
    lag = f", {found.lag_s:g} s old" if found.lag_s else ""
    yield (
        f"                a reading every {found.period_s:g} s{lag};"
        f" what appears within {FAR_M:g} m is believed in {found.believed_s:.2f} s"
    )
    if found.port is not None:
        yield f"sensor.port     {found.port}"
    for setting, number in found.pins.items():
        yield f"{setting:15} GPIO{number}, header pin {HEADER_PINS[number]}"
    own_s = settings.alert.reaction_s
    own = "" if own_s is None else f", and the wearer's own {own_s:g} s to stop"
    yield f"profile         {found.profile}{own}"
    yield ""
    yield "walking at   WARNING at        DANGER at         needed to stop"
    for row in found.speeds:
        verdict = "" if row.in_time else "   TOO LATE"
        yield (
            f"{row.speed_mps:4.1f} m/s     {row.warning_m:4.2f} m, {row.warning_s:3.1f} s"
            f"     {row.danger_m:4.2f} m, {row.danger_s:3.1f} s     {row.needed_m:4.2f} m{verdict}"
        )
    yield ""
    if any(row.slow_m for row in found.speeds):
        costs = ", ".join(f"{row.slow_m:.2f} m at {row.speed_mps:g} m/s" for row in found.speeds)
        yield f"of what is needed, the slow sensor costs {costs}"
    yield (
        f"in time up to {found.protected_mps:.2f} m/s, for what is seen at full range. Thin, soft"
        " and slanted things are seen later; curbs and drop-offs never."
    )
    if not found.good:
        yield "NOT GOOD: at some speed above the warning comes too late; see README, Profiles"


def source_name(path: object) -> str:
    """How the report names where the settings came from."""
    looked = ", ".join(str(place) for place in config.PLACES)
    return str(path) if path is not None else f"defaults (no file at {looked})"


def _air(sensor: SensorSettings) -> str:
    """What is taken for the air's temperature, and by whom."""
    part = sensors.model(sensor)
    if part.serial and part.assumes_c is None:
        return "no matter how warm the air" if part.light else "which measures the air's warmth"
    if sensor.temperature_c is not None:
        return f"air at {sensor.temperature_c:g} °C"
    return "air temperature unknown, cold assumed"


def _row(settings: Settings, speed_mps: float, slower_s: float) -> Row:
    _, warning, danger, _ = profiles.thresholds(settings.alert)
    reach_m = settings.sensor.max_range_m
    timed_m = reach_m
    later_s = _later_s(settings)
    if later_s > 0.0:
        timed_m = min(reach_m, HEARD_FROM_M) - speed_mps * later_s
    warning_m, danger_m = (
        round(
            max(min(reach_m, limit.distance_m), min(timed_m, _by_time(limit, speed_mps))),
            3,
        )
        for limit in (warning, danger)
    )
    alert = settings.alert
    needed_m = profiles.needed_m(alert.profile, speed_mps, slower_s, alert.reaction_s)
    needed_m = round(needed_m, 3)
    return Row(
        speed_mps,
        warning_m,
        round((warning_m - profiles.HEEL_LEAD_M) / speed_mps, 2),
        danger_m,
        round((danger_m - profiles.HEEL_LEAD_M) / speed_mps, 2),
        needed_m,
        round(speed_mps * slower_s, 3),
        warning_m >= needed_m,
    )


def _later_s(settings: Settings) -> float:
    """How much later than with the usual sensor a speed is known, seconds."""
    return _speed_known_s(sensors.pace(settings.sensor)) - _speed_known_s(USUAL)


def _speed_known_s(pace: Pace) -> float:
    """How long after a solid thing could first be heard its speed is known, seconds.

    A filter is first full of what was there before, and then of the thing's first approach.
    """
    hits_s = min(SOLID_HITS * pace.period_s, max(FEW_HITS * pace.period_s, FEW_SPAN_S))
    return 2 * pace.lag_s + hits_s + pace.period_s


def _protected_mps(settings: Settings, slower_s: float) -> float:
    """The fastest walk for which WARNING is in time: as far as its rules, or the sensor, reach."""
    _, warning, _, _ = profiles.thresholds(settings.alert)
    alert = settings.alert
    need = profiles.need(alert.profile, alert.reaction_s)
    reach_m = settings.sensor.max_range_m
    if warning.ttc_s < need.system_s + slower_s + need.human_s:
        reach_m = min(reach_m, warning.distance_m)
    most_mps = profiles.protected_mps(alert.profile, reach_m, slower_s, alert.reaction_s)
    if _later_s(settings) <= 0.0:
        return most_mps
    for step in range(1, math.floor(most_mps / STEP_MPS) + 1):
        if not _row(settings, step * STEP_MPS, slower_s).in_time:
            return (step - 1) * STEP_MPS
    return most_mps


def _by_time(limit: profiles.Threshold, speed_mps: float) -> float:
    return profiles.HEEL_LEAD_M + limit.ttc_s * speed_mps if limit.ttc_s else 0.0


def _pins(settings: Settings) -> dict[str, int]:
    pins = {}
    if not sensors.model(settings.sensor).serial:
        pins["sensor.trigger"] = settings.sensor.trigger_pin
        pins["sensor.echo"] = settings.sensor.echo_pin
    if settings.buzzer.enabled:
        pins["buzzer"] = settings.buzzer.pin
    if settings.motor.enabled:
        pins["motor"] = settings.motor.pin
    if settings.button.enabled:
        pins["button"] = settings.button.pin
    if settings.led.enabled:
        pins["led"] = settings.led.pin
    return pins
