"""Sensors, found by name: each is one module here with its part's simulated twin.

A module offers `open_sensor(parts)`, `make_twin(bench)` and `period_s(settings)`. The
first returns a `Sensor`, the second the part itself as seen from the far end of the
pins, for the mock board; the third says how often it answers. A new sensor is one new
file; nothing lists them.
"""

import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from device.clock import Clock
from device.core.reading import Reading
from device.errors import ConfigError
from device.failures import Failure
from device.pins import Board
from device.settings import SensorSettings


class Sensor(Protocol):
    """What the loop asks of every sensor."""

    @property
    def due_s(self) -> float:
        """When `poll` next has something to do, unless an edge wakes the clock first."""
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


class Bench(Struct, frozen=True):
    """What a twin is made from: the far end of the pins, time that can be booked, a world.

    `listen(t_s)` gives the true one-way distance in metres of the first echo to a
    ping sent at `t_s`, or None. `sound_mps` is the speed of sound out there.
    `no_echo_s` is the pulse with which this clone says "nothing" (None: it never
    ends).
    """

    settings: SensorSettings
    line: Callable[[int], Any]
    now: Callable[[], float]
    at: Booking
    listen: Callable[[float], float | None]
    sound_mps: float
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


def open_sensor(driver: str, parts: Parts) -> Sensor:
    """The sensor called `driver`, its pins claimed. Raises ConfigError, HardwareError."""
    sensor: Sensor = _module(driver).open_sensor(parts)
    return sensor


def period_s(settings: SensorSettings) -> float:
    """Usual time between readings of the sensor in `settings`, seconds. Raises ConfigError."""
    usual: float = _module(settings.driver).period_s(settings)
    return usual


def make_twin(driver: str, bench: Bench) -> Twin:
    """The simulated part for `driver`. Raises ConfigError."""
    twin: Twin = _module(driver).make_twin(bench)
    return twin
