"""The loop: the one place where time passes, and the one place where parts meet.

It reads as a sentence: for each instant, poll the sensor, step the pipeline, apply
the command, let others observe. Between instants it sleeps until something is
due: the sensor's next moment, the end of a pulse, the moment at which silence
becomes a fault. An echo's second edge wakes it early. Deadlines are absolute
instants, each worked out from when its own thing began, so a late wake-up is
counted as an overrun and then forgotten, not carried along.
"""

import contextlib
import math
import random
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from device import sensors
from device.button import Button, Press
from device.clock import Clock
from device.core.alert import DeviceFault
from device.core.pipeline import FIRST, Pipeline, Start, Step
from device.core.signals import FAREWELL_S
from device.errors import HardwareError
from device.outputs import DoWithout, Outputs
from device.pins import Board
from device.ports import OpenPort
from device.sensors import Parts, Sensor
from device.settings import Settings

LONGEST_SLEEP_S = 0.25
LEAST_SLEEP_S = 1e-6
"""Time must pass between two steps, or a due instant lost to rounding would stop it."""
OVERRUN_S = 0.010
"""A step this late is counted: it is a third of a ping."""

Observer = Callable[[Step], None]


def fan_out(observers: Sequence[Observer]) -> Observer:
    """One observer that shows each step to all of `observers`, in order."""

    def observe(step: Step) -> None:
        for observer in observers:
            observer(step)

    return observe


class Stats(Struct):
    """What the loop knows of itself."""

    cycles: int = 0
    overruns: int = 0
    worst_late_s: float = 0.0


class Ticker:
    """The instants at which to step; the only place that asks what time it is."""

    def __init__(self, clock: Clock, due: Callable[[], float], until_s: float = float("inf")):
        """`due` gives the next instant of interest; `until_s` ends the iteration."""
        self._clock = clock
        self._due = due
        self._until_s = round(until_s, 6)  # as the instants are: the last one must be reachable
        self._stopped = False
        self.stats = Stats()

    def stop(self) -> None:
        """End after the step that is under way; safe from a signal handler."""
        self._stopped = True
        self._clock.wake()

    def __iter__(self) -> Iterator[float]:
        """Seconds on the clock, rounded to the microsecond, never decreasing."""
        clock, due, stats, until_s = self._clock, self._due, self.stats, self._until_s
        now_s = round(clock.now(), 6)
        while not self._stopped and now_s < until_s:
            stats.cycles += 1
            yield now_s
            deadline_s = min(max(due(), now_s + LEAST_SLEEP_S), now_s + LONGEST_SLEEP_S, until_s)
            clock.wait_until(deadline_s)
            now_s = round(clock.now(), 6)
            late_s = now_s - deadline_s
            if late_s > OVERRUN_S:
                stats.overruns += 1
                stats.worst_late_s = max(stats.worst_late_s, late_s)


class Device:
    """Sensor, pipeline and outputs, wired together and ready to run."""

    def __init__(
        self,
        clock: Clock,
        sensor: Sensor,
        pipeline: Pipeline,
        outputs: Outputs,
        button: Button | None = None,
        mute_s: float = 0.0,
    ):
        """Takes parts that are open already; `assemble` makes and closes them.

        A short press of `button` mutes the buzzer for `mute_s`; two begin or end a walk.
        """
        self._clock = clock
        self.sensor = sensor
        self._pipeline = pipeline
        self.outputs = outputs
        self._button = button
        self._mute_s = mute_s
        self._ends_s = math.inf

    @property
    def dismissed(self) -> bool:
        """The wearer ended the walk, by a long press."""
        return self._ends_s < math.inf

    def ticker(self, until_s: float = float("inf")) -> Ticker:
        """A ticker for `run`, to keep hold of for stopping it."""
        return Ticker(self._clock, self._due_s, until_s)

    @property
    def walking(self) -> bool:
        """A walk goes on, and the wearer said so."""
        return self._pipeline.coach.spoken

    def tell_week(self, week: int) -> None:
        """Which week of the starter plan it is, from the history; safe from any thread."""
        self._pipeline.coach.week = week

    def run(self, ticker: Ticker, observe: Observer) -> None:
        """Walk until the ticker ends, or the wearer ends it."""
        poll, pipeline, apply = self.sensor.poll, self._pipeline.step, self.outputs.apply
        button = self._button
        for now_s in ticker:
            if button is not None:
                self._obey(now_s, button.poll(now_s))
                if now_s >= self._ends_s:
                    return
            step = pipeline(now_s, poll(now_s))
            apply(now_s, step.command)
            observe(step)

    def _due_s(self) -> float:
        due_s = min(self.sensor.due_s, self._pipeline.due_s)
        return due_s if self._button is None else min(due_s, self._button.due_s, self._ends_s)

    def _obey(self, now_s: float, press: Press | None) -> None:
        if press is Press.SHORT:
            self._pipeline.mute(now_s, self._mute_s)
        elif press is Press.TWICE:
            self._pipeline.press_twice(now_s)
        elif press is Press.LONG and not self.dismissed:
            self._pipeline.say_goodbye()
            self._ends_s = round(now_s + FAREWELL_S, 6)


@contextlib.contextmanager
def assemble(
    settings: Settings,
    clock: Clock,
    board: Board,
    rng: random.Random,
    open_port: OpenPort,
    start: Start = FIRST,
    open_sensor: Callable[[str, Parts], Sensor] | None = None,
    do_without: DoWithout | None = None,
) -> Iterator[Device]:
    """The single wiring function: silent outputs first, silent outputs last.

    The daemon gives it the real clock, board and ports; the simulator a virtual clock and
    the mock board and cable with a twin behind them. `do_without` is told of an output or a button
    that cannot be had, and the device goes on without it; a missing buzzer or motor is announced
    by the other. Raises ConfigError or HardwareError.
    """
    with contextlib.ExitStack() as stack:
        outputs = stack.enter_context(
            Outputs(board, settings.buzzer, settings.motor, settings.led, do_without)
        )
        if outputs.missing:
            start = start.doubting(DeviceFault.OUTPUT)
        parts = Parts(settings.sensor, clock, board, rng, open_port)
        sensor = stack.enter_context(
            contextlib.closing((open_sensor or sensors.open_sensor)(settings.sensor.driver, parts))
        )
        button = None
        if settings.button.enabled:
            try:
                button = Button(board, settings.button, clock)
            except HardwareError as error:
                if do_without is None:
                    raise
                do_without("button", error)
            else:
                stack.callback(button.close)
        pipeline = Pipeline(settings, sensors.pace(settings.sensor), start)
        yield Device(clock, sensor, pipeline, outputs, button, settings.button.mute_s)
