"""Sensors, found by name: each is one module here with its part's simulated twin.

A module offers `MODELS`, the parts that speak its protocol (the first is the usual one),
`open_sensor(parts)` and `make_twin(bench)`. `open_sensor` returns a `Sensor`; `make_twin` the
part itself as seen from the far end of the pins or the cable, for the mock board. A new
sensor is one new file; nothing lists them.
"""

import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from device.clock import Clock
from device.core.reading import Pace, Reading
from device.errors import ConfigError
from device.failures import Failure
from device.pins import Board
from device.ports import FarEnd, OpenPort
from device.settings import SensorSettings


class Model(Struct, frozen=True, kw_only=True):
    """What one part is, as far as rules, checks and the simulator need to know.

    Metres, seconds, degrees. `pace` is as it comes; `realtime` with its filter off, `asked` when
    it speaks only on request, where it can. `resolution_m` 0: finer than its noise.
    """

    title: str
    min_range_m: float
    max_range_m: float
    pace: Pace
    realtime: Pace | None = None
    asked: Pace | None = None
    resolution_m: float = 0.0
    half_angle_deg: float = 15.0
    assumes_c: float | None = None
    """The air's temperature that it reckons with; None: it measures it, or needs none."""
    light: bool = False
    """It measures by light and not by sound."""
    serial: bool = True
    """It is on the serial port and needs no pins."""


class Sensor(Protocol):
    """What the loop asks of every sensor."""

    @property
    def due_s(self) -> float:
        """When `poll` next has something to do, unless an edge or a byte wakes the clock first."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """What the port's log should remember at the end, by name; nothing for one on pins."""
        ...

    def poll(self, now_s: float) -> Reading | None:
        """What is new at `now_s`, never waiting for it."""
        ...

    def close(self) -> None:
        """Give the pins or the port back."""
        ...


class Booking(Protocol):
    """How the simulation books a callback in its own time."""

    def __call__(self, time_s: float, call: Callable[[], None], *, lazy: bool = False) -> None:
        """Run `call` at `time_s`; `lazy` when nobody needs to be woken for it."""
        ...


class Parts(Struct, frozen=True):
    """What a driver is made from."""

    settings: SensorSettings
    clock: Clock
    board: Board
    rng: random.Random
    open_port: OpenPort


class Bench(Struct, frozen=True):
    """What a twin is made from: the far end of pins and cable, time to be booked, a world.

    `listen(t_s)` gives the true one-way distance in metres of the first echo to a
    ping sent at `t_s`, or None. `sound_mps` is the speed of sound out there, at `air_c` degrees
    Celsius. `no_echo_s` is the pulse with which this clone says "nothing" (None: it never
    ends).
    """

    settings: SensorSettings
    line: Callable[[int], Any]
    cable: FarEnd
    now: Callable[[], float]
    at: Booking
    listen: Callable[[float], float | None]
    sound_mps: float
    air_c: float
    no_echo_s: float | None
    rng: random.Random


class Twin(Protocol):
    """A simulated part."""

    failure: Failure
    pings: int


def names() -> list[str]:
    """Every driver there is."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def _module(driver: str) -> Any:
    if driver not in names():
        raise ConfigError(
            f'sensor.driver = "{driver}": no such driver; choose one of {", ".join(names())}'
        )
    return import_module(f"{__name__}.{driver}")


def models(driver: str) -> dict[str, Model]:
    """The parts that `driver` is for, the usual one first. Raises ConfigError."""
    found: dict[str, Model] = _module(driver).MODELS
    return found


def model_name(settings: SensorSettings) -> str:
    """Its name in the settings, also where they leave it out. Raises ConfigError."""
    return next(iter(models(settings.driver))) if settings.model is None else settings.model


def model(settings: SensorSettings) -> Model:
    """The part that is fitted. Raises ConfigError."""
    known, name = models(settings.driver), model_name(settings)
    if name not in known:
        raise ConfigError(
            f'sensor.model = "{name}": sensor.driver = "{settings.driver}" knows no such part;'
            f" choose one of {', '.join(known)}, or leave it out"
        )
    fitted = known[name]
    for key in ("realtime", "request"):
        if getattr(settings, key) and (key,) not in modes(fitted):
            raise ConfigError(
                f"sensor.{key} = true: the {fitted.title} has no such mode; leave it out"
            )
    return fitted


def modes(part: Model) -> list[tuple[str, ...]]:
    """The settings that have to be true for each of its ways to speak; none for the first."""
    ways = (("realtime", part.realtime), ("request", part.asked))
    return [(), *((key,) for key, can in ways if can is not None)]


def pace(settings: SensorSettings) -> Pace:
    """How often and how late the sensor in `settings` speaks. Raises ConfigError."""
    fitted = model(settings)
    if not fitted.serial:  # a pulse sensor speaks when it is pinged
        return Pace(settings.retrigger_s + settings.jitter_s / 2)
    if settings.request and fitted.asked is not None:
        return fitted.asked
    if settings.realtime and fitted.realtime is not None:
        return fitted.realtime
    return fitted.pace


def open_sensor(driver: str, parts: Parts) -> Sensor:
    """The sensor called `driver`, its pins or port claimed. Raises ConfigError, HardwareError."""
    sensor: Sensor = _module(driver).open_sensor(parts)
    return sensor


def make_twin(driver: str, bench: Bench) -> Twin:
    """The simulated part for `driver`. Raises ConfigError."""
    twin: Twin = _module(driver).make_twin(bench)
    return twin
