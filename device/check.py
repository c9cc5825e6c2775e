"""What the wearer gets from a configuration, worked out before anyone walks.

For each walking speed: the distance at which WARNING and DANGER begin (by distance or
by time to collision, but never beyond what the sensor can see) against the distance
that the profile needs to stop. And the fastest speed that is still protected.
"""

from collections.abc import Iterator

from msgspec import Struct

from device import config, profiles
from device.settings import Settings

SPEEDS_MPS = (0.5, 1.0, 1.4)
HEADER_PINS = {
    2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33, 14: 8,
    15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22,
    26: 37, 27: 13,
}  # fmt: skip
"""GPIO number to pin of the 40-pin header, the same on every Pi that has one."""


class Row(Struct, frozen=True):
    """One walking speed. Distances in metres, times in seconds."""

    speed_mps: float
    warning_m: float
    warning_s: float
    danger_m: float
    danger_s: float
    needed_m: float
    in_time: bool


class Report(Struct, frozen=True):
    """The whole answer."""

    config: str
    profile: str
    pins: dict[str, int]
    speeds: list[Row]
    protected_mps: float
    good: bool
    settings: Settings


def report(settings: Settings, source: str) -> Report:
    """Work it out for `settings`, which came from `source`."""
    rows = [_row(settings, speed_mps) for speed_mps in SPEEDS_MPS]
    return Report(
        config=source,
        profile=settings.alert.profile,
        pins=_pins(settings),
        speeds=rows,
        protected_mps=round(_protected_mps(settings), 2),
        good=all(row.in_time for row in rows),
        settings=settings,
    )


def lines(found: Report) -> Iterator[str]:
    """The report for a person."""
    settings = found.settings
    sensor = settings.sensor
    yield f"configuration   {found.config}"
    yield f"board           {settings.gpio.factory}"
    air = "air temperature unknown, cold assumed"
    if sensor.temperature_c is not None:
        air = f"air at {sensor.temperature_c:g} °C"
    reach = f"{sensor.min_range_m:g} to {sensor.max_range_m:g} m"
    yield f"sensor          {sensor.driver}, {reach}, {air}"
    for setting, number in found.pins.items():
        yield f"{setting:15} GPIO{number}, header pin {HEADER_PINS[number]}"
    yield f"profile         {found.profile}"
    yield ""
    yield "walking at   WARNING at        DANGER at         needed to stop"
    for row in found.speeds:
        verdict = "" if row.in_time else "   TOO LATE"
        yield (
            f"{row.speed_mps:4.1f} m/s     {row.warning_m:4.2f} m, {row.warning_s:3.1f} s"
            f"     {row.danger_m:4.2f} m, {row.danger_s:3.1f} s     {row.needed_m:4.2f} m{verdict}"
        )
    yield ""
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


def _row(settings: Settings, speed_mps: float) -> Row:
    _, warning, danger, _ = profiles.thresholds(settings.alert)
    reach_m = settings.sensor.max_range_m
    warning_m, danger_m = (
        round(min(reach_m, max(limit.distance_m, _by_time(limit, speed_mps))), 3)
        for limit in (warning, danger)
    )
    needed_m = round(profiles.needed_m(settings.alert.profile, speed_mps), 3)
    return Row(
        speed_mps,
        warning_m,
        round((warning_m - profiles.HEEL_LEAD_M) / speed_mps, 2),
        danger_m,
        round((danger_m - profiles.HEEL_LEAD_M) / speed_mps, 2),
        needed_m,
        warning_m >= needed_m,
    )


def _protected_mps(settings: Settings) -> float:
    """The fastest walk for which WARNING is in time: as far as its rules, or the sensor, reach."""
    _, warning, _, _ = profiles.thresholds(settings.alert)
    need = profiles.NEEDS[settings.alert.profile]
    reach_m = settings.sensor.max_range_m
    if warning.ttc_s < need.system_s + need.human_s:
        reach_m = min(reach_m, warning.distance_m)
    return profiles.protected_mps(settings.alert.profile, reach_m)


def _by_time(limit: profiles.Threshold, speed_mps: float) -> float:
    return profiles.HEEL_LEAD_M + limit.ttc_s * speed_mps if limit.ttc_s else 0.0


def _pins(settings: Settings) -> dict[str, int]:
    pins = {
        "sensor.trigger": settings.sensor.trigger_pin,
        "sensor.echo": settings.sensor.echo_pin,
    }
    if settings.buzzer.enabled:
        pins["buzzer"] = settings.buzzer.pin
    if settings.motor.enabled:
        pins["motor"] = settings.motor.pin
    return pins
