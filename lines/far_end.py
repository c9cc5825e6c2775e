"""The world behind the lines: an HC-SR04 that hears the trigger, and ears on buzzer and motor.

The part is rearguard's own twin of it, the one that the mock board has, so whatever it can answer
or fail at there, it does here, on wires. The place it looks at is one object straight behind,
still or approaching.

A process of its own, at real-time priority and without garbage collection, so that it is as
punctual as a part: `python -m lines.far_end LOG` takes orders as JSON lines on stdin (`Order`) and
writes what it sees as JSON lines to LOG (`Seen`). All times are the guest's monotonic clock.
"""

import gc
import heapq
import itertools
import os
import random
import select
import sys
import time
from collections.abc import Callable
from typing import cast

import msgspec
from msgspec import Struct

from device.failures import Failure
from device.sensors import Bench
from device.sensors.hcsr04 import make_twin
from device.settings import Settings
from lines.sim_chip import SimChip

SOUND_MPS = 343.2
AIR_C = 20.0
NOISE_M = 0.001
"""Standard deviation; a part without any would be called frozen."""
PINS = Settings()
WATCHED = {PINS.buzzer.pin: "buzzer", PINS.motor.pin: "motor"}
NO_HURRY_S = 3600.0
PRIORITY = 20
"""Above every program, the service's at 10 too; below the kernel's threads that hand edges on."""
AIM_S = 200e-6
"""This close to an edge of the echo nothing else is looked at; a real part has no more to do."""


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be so from now on.

    `distance_m`: an object stands there, or, with `closing_mps`, starts from there; None: nothing.
    `no_echo_s`: how long a pulse this clone says that with. `chatter`: as many edges at once
    follow each trigger, before the answer.
    """

    distance_m: float | None = None
    closing_mps: float = 0.0
    failure: Failure = Failure.OK
    no_echo_s: float = 0.038
    chatter: int = 0


class Seen(Struct, frozen=True, omit_defaults=True):
    """One thing that happened at `t_s`.

    `what`: "ordered", "ping" (with the true `distance_m`), "rise" and "fall" of the echo,
    "buzzer" or "motor" with its new `level`.
    """

    t_s: float
    what: str
    distance_m: float | None = None
    level: bool | None = None


class FarEndLine:
    """One line as the twin wants it: `watch` the program's writes, `drive` the other way."""

    def __init__(self, end: "FarEnd", line: int) -> None:
        """A line of `end`'s chip."""
        self._end = end
        self._line = line

    def watch(self, watcher: Callable[[float, float], None]) -> None:
        """Call `watcher(t_s, level)` at each change."""
        self._end.on_write(self._line, watcher)

    def drive(self, high: bool) -> None:
        """Put the level on the wire."""
        now_s = time.monotonic()
        self._end.chip.drive(self._line, high)
        self._end.log(Seen(now_s, "rise" if high else "fall"))


class FarEnd:
    """The process."""

    def __init__(self, log_path: str) -> None:
        """Take the lines as they are."""
        self.chip = SimChip()
        self._log_fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._order = Order()
        self._ordered_s = 0.0
        self._writers: dict[int, tuple[int, Callable[[float, float], None]]] = {}
        self._levels: dict[int, bool] = {}
        self._booked: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._half_line = b""
        self.rng = random.Random(1)
        self.chip.drive(PINS.sensor.echo_pin, high=False)  # as someone before may not have left it
        for line, name in WATCHED.items():
            self.on_write(line, self._ear(name))
        self._twin = make_twin(cast("Bench", self))

    def on_write(self, line: int, watcher: Callable[[float, float], None]) -> None:
        """Call `watcher(t_s, level)` when the program changes `line`."""
        self._levels[line] = self.chip.level(line)
        self._writers[self.chip.fd(line)] = (line, watcher)

    def log(self, seen: Seen) -> None:
        """Write it down."""
        os.write(self._log_fd, msgspec.json.encode(seen) + b"\n")

    def run(self) -> None:
        """Until stdin ends."""
        fds = list(self._writers)
        while True:
            left_s = self._booked[0][0] - time.monotonic() if self._booked else NO_HURRY_S
            if left_s <= AIM_S:
                time_s, _, call = heapq.heappop(self._booked)
                while time.monotonic() < time_s:
                    pass
                call()
                continue
            orders, _, written = select.select([0], [], fds, left_s - AIM_S)
            now_s = time.monotonic()
            for fd in written:
                self._written(now_s, fd)
            if orders and not self._take_orders():
                return

    def _written(self, now_s: float, fd: int) -> None:
        line, watcher = self._writers[fd]
        level = self.chip.level(line)
        if level != self._levels[line]:
            self._levels[line] = level
            watcher(now_s, float(level))

    def _take_orders(self) -> bool:
        data = os.read(0, 65536)
        *lines, self._half_line = (self._half_line + data).split(b"\n")
        for line in lines:
            order = msgspec.json.decode(line, type=Order)
            self._order, self._ordered_s = order, time.monotonic()
            if self._twin.failure is not order.failure:
                self._twin.failure = order.failure
            self.log(Seen(self._ordered_s, "ordered"))
        return bool(data)

    # What the twin takes for its bench: `sensors.Bench`, with a way to say nothing that may change.

    settings = PINS.sensor
    cable = None
    sound_mps = SOUND_MPS
    air_c = AIR_C

    @property
    def no_echo_s(self) -> float:
        """As ordered."""
        return self._order.no_echo_s

    def now(self) -> float:
        """The guest's clock."""
        return time.monotonic()

    def line(self, number: int) -> FarEndLine:
        """One line of the chip."""
        return FarEndLine(self, number)

    def at(self, time_s: float, call: Callable[[], None], *, lazy: bool = False) -> None:
        """Book a callback."""
        heapq.heappush(self._booked, (time_s, next(self._number), call))

    def listen(self, t_s: float) -> float | None:
        """The object's true distance at the ping; what was passed is at 0."""
        order = self._order
        distance_m = order.distance_m
        if distance_m is not None:
            walked_m = order.closing_mps * (t_s - self._ordered_s)
            distance_m = max(0.0, distance_m - walked_m + self.rng.gauss(0.0, NOISE_M))
        self.log(Seen(t_s, "ping", distance_m))
        for edge in range(order.chatter):
            self.chip.drive(PINS.sensor.echo_pin, edge % 2 == 0)
        return distance_m

    def _ear(self, name: str) -> Callable[[float, float], None]:
        return lambda t_s, level: self.log(Seen(t_s, name, level=level > 0))


def main() -> None:
    """Take the lines and begin."""
    gc.disable()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    end = FarEnd(sys.argv[1])
    end.log(Seen(time.monotonic(), "ordered"))
    end.run()


if __name__ == "__main__":
    main()
