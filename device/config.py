"""TOML to Settings, with errors for the person who edits the file.

A file is looked for at `--config`, then `$REARGUARD_CONFIG`, then on the boot
partition (which any PC can edit with the card in a reader), then in /etc; none
at all means the defaults. Everything is checked here, before a pin is touched:
types and bounds by msgspec against `settings.py`, then what only shows when two
settings are held side by side. The first thing wrong becomes one line: file,
key, value, and what to write instead.
"""

import contextlib
import itertools
import math
import os
import re
import types
import typing
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from device import physics, profiles, sensors, toml
from device.errors import ConfigError
from device.settings import (
    JournalSettings,
    Profile,
    Section,
    SensorSettings,
    Settings,
    WalksSettings,
)

PLACES = (Path("/boot/firmware/rearguard.toml"), Path("/etc/rearguard/rearguard.toml"))
VARIABLE = "REARGUARD_CONFIG"

PULLED_UP_AT_BOOT = range(9)
UART_PINS = (14, 15)
MORE_CAREFUL: dict[Profile, Profile] = {"fit": "default", "default": "rehab"}
SOLDERED = ("gpio", "sensor", "buzzer", "motor")
S = TypeVar("S", bound=Section)
UNITS = {"_m": "m", "_s": "s", "_c": "°C", "_hz": "Hz"}


class Knob(msgspec.Struct, frozen=True):
    """One setting as documentation and errors speak of it."""

    table: str
    key: str
    kind: str
    default: Any
    description: str

    @property
    def unit(self) -> str:
        """The unit its name ends in, or nothing."""
        return next((unit for end, unit in UNITS.items() if self.key.endswith(end)), "")

    def __str__(self) -> str:
        """What may be written: kind, bounds and unit."""
        return f"{self.kind} {self.unit}".rstrip()


def knobs() -> Iterator[Knob]:
    """Every setting, in the order of the file."""
    for table, section in typing.get_type_hints(Settings).items():
        hints = typing.get_type_hints(section, include_extras=True)
        for field in msgspec.structs.fields(section):
            kind, description = _describe(hints[field.name])
            yield Knob(table, field.name, kind, field.default, description)


def find_file(argument: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file that counts, or None for the defaults."""
    if argument is not None:
        return Path(argument)
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    return next((place for place in PLACES if _may_be(place)), None)


def _may_be(place: Path) -> bool:
    """Also what cannot be looked at counts: it is for `load` to say so."""
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def load(path: Path | None) -> Settings:
    """Settings from `path`, or the defaults for None. Raises ConfigError, with what is usable."""
    if path is None:
        return Settings()
    raw = toml.decode(toml.read(path, ConfigError), str(path), ConfigError)
    try:
        return parse(raw, str(path))
    except ConfigError as error:
        error.usable = usable(raw)
        raise


def parse(raw: Mapping[str, Any], source: str) -> Settings:
    """Settings from decoded TOML; `source` is the file's name for messages."""
    toml.insist_on_finite(raw, source, ConfigError)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error, raw)}") from error
    try:
        settings = fitted(settings, raw.get("sensor", {}))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    judge(settings, source)
    return settings


def fitted(settings: Settings, given: Container[str] = ()) -> Settings:
    """With the range of the part that is fitted, but for the keys that are `given`."""
    part = sensors.model(settings.sensor)
    own = {key: getattr(part, key) for key in ("min_range_m", "max_range_m") if key not in given}
    sensor = msgspec.structs.replace(settings.sensor, **own)
    return msgspec.structs.replace(settings, sensor=sensor)


def usable(raw: Mapping[str, Any]) -> Settings | None:
    """The settings without those of which each is wrong by itself, and then without one more.

    None if that does not do: of what is at odds with more than one other, any guess may be wrong.
    What is soldered is given up last.
    """
    sound: dict[str, dict[str, Any]] = {}
    for table, section in raw.items():
        for key, value in section.items() if isinstance(section, Mapping) else ():
            with contextlib.suppress(ConfigError, msgspec.ValidationError):
                toml.insist_on_finite({key: value}, "", ConfigError)
                msgspec.convert({table: {key: value}}, Settings)
                sound.setdefault(table, {})[key] = value
    without_one = (
        sound | {table: {k: v for k, v in section.items() if k != key}}
        for table, section in sorted(sound.items(), key=lambda item: item[0] in SOLDERED)
        for key in section
    )
    for trial in itertools.chain([sound], without_one):
        with contextlib.suppress(ConfigError):
            return parse(trial, "")
    return None


def safe(settings: Settings) -> Settings:
    """What is soldered and who wears it, as in `settings`; all else at its default.

    What is optional is left out, since it may be what fails. A profile that this sensor cannot
    serve without being tuned gives way to the next more careful one.
    """
    found = _untuned(settings)
    while any(_complaints(found)) and found.alert.profile in MORE_CAREFUL:
        profile = MORE_CAREFUL[found.alert.profile]
        found = msgspec.structs.replace(
            found, alert=msgspec.structs.replace(found.alert, profile=profile)
        )
    return found


def _untuned(settings: Settings) -> Settings:
    sensor, buzzer, motor = settings.sensor, settings.buzzer, settings.motor
    return fitted(
        Settings(
            gpio=settings.gpio,
            sensor=_only(
                sensor, "driver", "model", "port", "realtime", "request", "trigger_pin", "echo_pin"
            ),
            alert=_only(settings.alert, "profile", "reaction_s"),
            buzzer=_only(buzzer, "enabled", "pin", "kind"),
            motor=_only(motor, "enabled", "pin"),
            journal=JournalSettings(enabled=False),
            walks=WalksSettings(enabled=False),
            simulation=settings.simulation,
        )
    )


def _only(section: S, *keys: str) -> S:
    return type(section)(**{key: getattr(section, key) for key in keys})


def judge(settings: Settings, source: str) -> None:
    """Raise ConfigError for the first combination of settings that cannot work."""
    for complaint in _complaints(settings):
        raise ConfigError(f"{source}: {complaint}")


def _complaints(settings: Settings) -> Iterator[str]:
    yield from _pin_complaints(settings)
    yield from _sensor_complaints(settings)
    yield from _alert_complaints(settings)
    yield from _coach_complaints(settings)


def _pin_complaints(settings: Settings) -> Iterator[str]:
    buzzer, motor = settings.buzzer, settings.motor
    outputs = {"buzzer.pin": buzzer.pin} if buzzer.enabled else {}
    outputs |= {"motor.pin": motor.pin} if motor.enabled else {}
    if not outputs:
        yield (
            "buzzer.enabled and motor.enabled are both false: nothing could warn the"
            " wearer; enable at least one"
        )
    for key, pin in outputs.items():
        if pin in PULLED_UP_AT_BOOT:
            yield f"{key} = {pin}: a Pi pulls GPIO 0-8 up at boot, so it would be on; use 9-27"
        if pin in UART_PINS:
            yield f"{key} = {pin}: GPIO 14 and 15 are the serial port, high at boot; use 9-27"
    extras = {"button.pin": settings.button.pin} if settings.button.enabled else {}
    extras |= {"led.pin": settings.led.pin} if settings.led.enabled else {}
    for key, pin in extras.items():
        if pin in UART_PINS:
            yield f"{key} = {pin}: GPIO 14 and 15 are the serial port; use another"
    used: dict[int, str] = {}
    sensor = {}
    if not sensors.model(settings.sensor).serial:
        sensor["sensor.trigger_pin"] = settings.sensor.trigger_pin
        sensor["sensor.echo_pin"] = settings.sensor.echo_pin
    for key, pin in (sensor | outputs | extras).items():
        if pin in used:
            yield f"{key} = {pin}: {used[pin]} has that pin already; give each its own"
        used[pin] = key


def _sensor_complaints(settings: Settings) -> Iterator[str]:
    sensor, part = settings.sensor, sensors.model(settings.sensor)
    if sensor.min_range_m >= sensor.max_range_m / 2:
        yield (
            f"sensor.min_range_m = {sensor.min_range_m}: must be less than half of"
            f" sensor.max_range_m = {sensor.max_range_m}"
        )
    yield from _serial_complaints(sensor, part) if part.serial else _timing_complaints(sensor)


def _serial_complaints(sensor: SensorSettings, part: sensors.Model) -> Iterator[str]:
    if not (sensor.port.startswith("/") and sensor.port.isprintable()):
        yield (
            f"sensor.port = {toml.show(sensor.port)}: must be a path from the root, such as"
            ' "/dev/serial0"'
        )
    if sensor.min_range_m < part.min_range_m:
        yield (
            f"sensor.min_range_m = {sensor.min_range_m}: the {part.title} is blind nearer"
            f" than {part.min_range_m}; leave it out"
        )
    if sensor.max_range_m > part.max_range_m:
        yield (
            f"sensor.max_range_m = {sensor.max_range_m}: the {part.title} sees to"
            f" {part.max_range_m}; leave it out"
        )


def _timing_complaints(sensor: SensorSettings) -> Iterator[str]:
    flight_s = 2 * sensor.max_range_m / physics.speed_of_sound_mps(sensor.temperature_c)
    if sensor.retrigger_s < flight_s:
        yield (
            f"sensor.retrigger_s = {sensor.retrigger_s}: an echo from sensor.max_range_m ="
            f" {sensor.max_range_m} takes {flight_s:.4f} s; set at least"
            f" {math.ceil(flight_s * 1000) / 1000} or a shorter range"
        )


def _coach_complaints(settings: Settings) -> Iterator[str]:
    coach = settings.coach
    if coach.most_min < coach.target_min:
        yield (
            f"coach.most_min = {coach.most_min}: less than coach.target_min = {coach.target_min};"
            " too much comes after enough"
        )


def _alert_complaints(settings: Settings) -> Iterator[str]:
    limits = profiles.thresholds(settings.alert)
    named = list(zip(profiles.LEVELS, limits, strict=True))
    origin = f"(from alert.profile = {settings.alert.profile!r} where not set)"
    for (outer, wide), (inner, narrow) in itertools.pairwise(named):
        if narrow.distance_m > wide.distance_m:
            yield (
                f"alert.{inner}_m = {narrow.distance_m}: farther than alert.{outer}_m ="
                f" {wide.distance_m} {origin}; each level must lie inside the one before"
            )
    timed = [(level, limit.ttc_s) for level, limit in named if limit.ttc_s > 0]
    for (outer, wide_s), (inner, narrow_s) in itertools.pairwise(timed):
        if narrow_s > wide_s:
            yield (
                f"alert.{inner}_ttc_s = {narrow_s}: sooner than alert.{outer}_ttc_s ="
                f" {wide_s} {origin}; each level must lie inside the one before"
            )
    for level, limit in named:
        if limit.distance_m > settings.sensor.max_range_m:
            yield (
                f"alert.{level}_m = {limit.distance_m} {origin}: farther than"
                f" sensor.max_range_m = {settings.sensor.max_range_m} can see; lower it"
            )
    if limits[-1].distance_m <= settings.sensor.min_range_m:
        yield (
            f"alert.stop_m = {limits[-1].distance_m} {origin}: inside the blind zone"
            f" sensor.min_range_m = {settings.sensor.min_range_m}; set it farther out"
        )


def _explain(error: msgspec.ValidationError, raw: Mapping[str, Any]) -> str:
    """One line for a msgspec error: key, value, what is expected, the nearest name."""
    what, path, value = toml.complaint(error, raw)
    known = {f"{knob.table}.{knob.key}": knob for knob in knobs()}
    unknown = re.match(r"Object contains unknown field `(.*)`", what, re.DOTALL)
    if unknown:
        return _unknown(f"{path}.{unknown[1]}" if path else unknown[1], list(known))
    if path in known:
        return f"{path} = {toml.show(value)}: must be {known[path]}"
    return f"{path} = {toml.show(value)}: must be a table, written [{path}]"


def _unknown(path: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - only a mistake needs it

    tables = sorted({key.split(".")[0] for key in known})
    table, _, key = path.rpartition(".")
    names = [k.split(".")[1] for k in known if k.startswith(f"{table}.")] if table else tables
    close = difflib.get_close_matches(key or path, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"
    named = path if path.isprintable() and path else repr(path)
    return f"{named}: unknown {'key' if table else 'table'}; {hint}"


def _describe(hint: Any) -> tuple[str, str]:
    """(kind with bounds, description) of one annotated setting."""
    lower = upper = None
    description = ""
    while typing.get_origin(hint) is Annotated:
        hint, *notes = typing.get_args(hint)
        for note in notes:
            lower = note.ge if note.ge is not None else lower
            upper = note.le if note.le is not None else upper
            description = note.description or description
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        arm = next(arm for arm in typing.get_args(hint) if arm is not type(None))
        return _describe(arm)[0], description
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(f'"{name}"' for name in typing.get_args(hint)), description
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}
    kind = words[hint]
    return (f"{kind}, {lower} to {upper}" if lower is not None else kind), description
