"""A watch: everything that is open from one opening of the pins to their closing.

What the daemon, or the service manager behind it, is told of a watch is told by observers of its
steps: only a finished cycle is a sign of life.
"""

import contextlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from device import __version__, journal, loop, sensors, service, status
from device.clock import Clock, MonotonicClock
from device.core.alert import DeviceFault
from device.core.health import SensorFault
from device.core.pipeline import FIRST, Start, Step
from device.core.reading import Fault, Nothing, Reading
from device.errors import HardwareError
from device.history import records
from device.history.scribe import Scribe
from device.keeper import JOURNALS, Keeper, begin
from device.notify import Notifier
from device.outputs import DeadMan
from device.patient import Patient
from device.pins import Board, chip, open_board
from device.ports import OpenPort, Port
from device.service import Service
from device.settings import Settings

STATUS_S = 1.0
BY_HAND = Service(None, None, Notifier())
Say = Callable[[str], None]


class Asked(Struct, frozen=True):
    """What was asked for by hand: where to write journal and history, and whether a walk begins."""

    journal: Path | None = None
    history: Path | None = None
    walking: bool = False


class Plan(Struct, frozen=True):
    """What a watch is begun with.

    `source`: where the settings come from. `kept`: why others that were written are not in use.
    """

    settings: Settings
    source: str
    kept: str | None = None
    start: Start = FIRST
    quick_ends: int = 0

    @property
    def safe(self) -> bool:
        """Crashes were many, options are few."""
        return self.start.fault is DeviceFault.CRASH_LOOP


class Watch:
    """Everything that is open from one opening of the pins to their closing."""

    def __init__(
        self,
        given: Service,
        plan: Plan,
        asked: Asked,
        stack: contextlib.ExitStack,
        say: Say,
        insist: bool,
    ) -> None:
        """Open it all, to be closed by `stack`. Raises InputError or HardwareError.

        Unless it is to `insist`, on all, what can be done without is.
        """
        self._service = given
        self.plan = plan
        self._began_s = time.monotonic()
        self._say = say
        self._asked = asked
        self.missing: list[str] = []
        settings = plan.settings
        stream = (
            None if asked.journal is None else stack.enter_context(journal.create(asked.journal))
        )
        clock, board, rng, open_port = surroundings(settings, stack, given)
        stack.callback(board.close)
        self._writer = None
        if stream is not None:
            self._writer = journal.Writer(stream, settings)
            stack.callback(self._writer.flush)  # after the outputs went low: a slow disk may block
        self._keeper: Keeper | None = None
        self._scribe: Scribe | None = None
        stack.callback(self._close_kept)  # likewise
        open_sensor = (lambda driver, parts: Patient(driver, parts, say)) if given.managed else None
        do_without = None if insist else self._do_without
        self.device = stack.enter_context(
            loop.assemble(
                settings, clock, board, rng, open_port, plan.start, open_sensor, do_without
            )
        )
        stack.enter_context(DeadMan(self.device.outputs))
        self._keep(begin(clock.now()), settings, given.state)
        self._stats = loop.Stats()
        self.meter = status.Meter()
        observers: list[loop.Observer] = [Reporter(say), self.meter]
        observers += [
            kept for kept in (self._writer, self._keeper, self._scribe) if kept is not None
        ]
        self._attendance = Attendance(self, given)
        if given.managed:
            observers.append(self._attendance)
        self._observe = loop.fan_out(observers)
        self._say_hello(board)

    def _keep(self, began: journal.Began, settings: Settings, state: Path | None) -> None:
        """Begin to keep what is to be kept."""
        path = self._asked.history
        if path is not None:
            state = path.parent
        elif state is not None and settings.walks.enabled:
            path = state / records.FILE
        if state is not None and settings.journal.enabled and self._writer is None:
            most_bytes = settings.journal.most_mb * 2**20
            self._keeper = Keeper(state / JOURNALS, settings, most_bytes, began)
        if path is not None:
            self._scribe = Scribe(path, settings, began, tell_week=self.device.tell_week)

    def go(self, tell: Callable[[Callable[[], None]], None], spin_s: float) -> None:
        """Until what `tell` is told is called, or the wearer ends it.

        Whoever computes for `spin_s` without a pause meanwhile spins.
        """
        if self._service.managed:
            service.limit_spinning(spin_s)
        ticker = self.device.ticker()
        ticker.stats = self._stats  # they go on, from one ticker to the next
        tell(ticker.stop)
        self.device.run(ticker, self._observe)

    def would_differ(self, plan: Plan) -> bool:
        """Whether `plan` would be another watch, or this one with what it misses or doubts."""
        mended = bool(self.missing) or self.plan.start.fault is not None
        return plan.settings != self.plan.settings or (plan.kept is None and mended)

    def goes_on(self, plan: Plan) -> None:
        """There was nothing to reload; `plan` says why."""
        self.plan = plan
        self._attendance.confirm()

    def snapshot(self) -> status.Snapshot:
        """How it goes."""
        settings, plan = self.plan.settings, self.plan
        stats = self._stats
        rest = status.Snapshot(
            pid=os.getpid(),
            up_s=round(time.monotonic() - self._began_s, 1),
            cycles=stats.cycles,
            overruns=stats.overruns,
            worst_late_ms=round(stats.worst_late_s * 1000, 1),
            config=plan.source,
            kept=plan.kept,
            safe=plan.safe,
            missing=self.missing,
            restarts=plan.quick_ends,
            factory=settings.gpio.factory,
            sensor=sensors.model(settings.sensor).title,
            journal=None if self._keeper is None else self._keeper.state,
            history=None if self._scribe is None else self._scribe.state,
        )
        return self.meter.snapshot(rest)

    def account(self) -> None:
        """Last words."""
        stats, say = self._stats, self._say
        if self.device.sensor.counts:
            counted = ", ".join(
                f"{name} {count}" for name, count in self.device.sensor.counts.items()
            )
            say(f"rearguard: the sensor: {counted}")
        say(
            f"rearguard: stopped, outputs low; {stats.cycles} steps,"
            f" {stats.overruns} late (worst {stats.worst_late_s * 1000:.0f} ms)"
        )
        if self._writer is not None and self._writer.failed is not None:
            why = self._writer.failed.strerror
            say(f"{self._asked.journal}: journal ended early: {why}; free space or move it")
        if self._scribe is not None and ((kept := self._scribe.state).failed or kept.lost):
            say(f"{kept.path}: {kept.lost} s of walking were not kept: {kept.failed or 'too late'}")

    def _do_without(self, name: str, error: Exception) -> None:
        self.missing.append(name)
        self._say(f"{error}; until then without the {name}")

    def _close_kept(self) -> None:
        for kept in (self._keeper, self._scribe):
            if kept is not None:
                kept.close()

    def _say_hello(self, board: Board) -> None:
        settings, say = self.plan.settings, self._say
        chosen = f" ({type(board).__name__})" if settings.gpio.factory == "auto" else ""
        say(f"rearguard {__version__}: watching, gpio.factory = {settings.gpio.factory}{chosen}")
        if sensors.model(settings.sensor).serial and settings.gpio.factory != "mock":
            port = settings.sensor.port
            there = "" if Path(port).exists() else ": no such port; a fault until it is plugged in"
            say(f"sensor.port = {port}{there}")


class Attendance:
    """Tells the service manager what it waits for; an observer, so only finished cycles count."""

    def __init__(self, watch: Watch, given: Service) -> None:
        self._watch = watch
        self._service = given
        self._ready = self._good = False
        self._alive_s = self._told_s = -1.0
        self._said = ""

    def confirm(self) -> None:
        """Let the next cycle in which the sensor answers, or its fault stands, say so again."""
        self._ready = False

    def __call__(self, step: Step) -> None:
        """A cycle was finished."""
        notifier, t_s, alert = self._service.notifier, step.t_s, step.alert
        if not self._ready and (isinstance(alert.fault, SensorFault) or _answered(step.reading)):
            self._ready = notifier.ready()
        plan = self._watch.plan
        doubted = plan.kept is not None or plan.safe or self._watch.missing
        if not self._good and alert.proven and not doubted:
            self._good = True
            self._service.keep_good(plan.settings)
        each_s = notifier.alive_each_s
        if each_s is not None and t_s - self._alive_s >= each_s:
            self._alive_s = t_s
            notifier.alive()
        if t_s - self._told_s >= STATUS_S:
            self._told_s = t_s
            text = status.text(self._watch.snapshot())
            if text != self._said:
                self._said = text
                notifier.status(text)


def _answered(reading: Reading | None) -> bool:
    return reading is not None and not isinstance(reading, Fault)


class Reporter:
    """Says what the log should remember: faults beginning and ending."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` takes one line."""
        self._say = say
        self._fault: SensorFault | DeviceFault | None = None
        self._proven = self._unsure = False

    def __call__(self, step: Step) -> None:
        """Report `step` if the sensor's standing changed."""
        fault = step.alert.fault
        proven = self._proven or (step.alert.proven and fault is None)
        if proven and not self._proven and self._fault is None:
            self._say(f"{step.t_s:.2f} s: the sensor answers")
        if isinstance(step.reading, Nothing) and not (proven or self._unsure or step.reading.sure):
            self._unsure = True
            self._say(
                f"{step.t_s:.2f} s: nothing there, or the sensor is covered: hold a hand behind it"
            )
        if fault != self._fault:
            what = f"sensor fault: {fault}"
            if isinstance(fault, DeviceFault):
                what = f"device fault: {fault}"
            elif fault is None and isinstance(self._fault, DeviceFault):
                what = f"announced for long enough: {self._fault}"
            elif fault is None:
                what = "the sensor answers again"
            self._say(f"{step.t_s:.2f} s: {what}")
        self._fault, self._proven = fault, proven


def surroundings(
    settings: Settings, stack: contextlib.ExitStack, given: Service = BY_HAND
) -> tuple[Clock, Board, random.Random, OpenPort]:
    """The real clock, board and ports, or the simulated ones when the mock board is asked for.

    The board is the caller's to close. Raises InputError or HardwareError.
    """
    pins = [
        fitted.pin for fitted in (settings.buzzer, settings.motor, settings.led) if fitted.enabled
    ]
    if settings.gpio.factory != "mock":
        clock = MonotonicClock()
        board = open_board(settings.gpio.factory, clock)
        if given.managed:
            with contextlib.suppress(HardwareError):  # not every board has a chip
                given.note_outputs(chip.header_chip(), pins)
        return clock, board, random.Random(), _open_port
    from device.clock import PacedClock  # noqa: PLC0415 - the simulation stays out of the Pi's memory
    from device.sim import scenario  # noqa: PLC0415
    from device.sim.rig import Rig  # noqa: PLC0415

    paced = PacedClock()
    world = scenario.load(settings.simulation.scenario)
    rig = Rig(world, settings, settings.simulation.seed, paced, terminal=True)
    stack.callback(rig.close)
    if given.runtime is not None:
        with contextlib.suppress(OSError):
            watcher = service.mirror(given.runtime)
            for pin in pins:
                rig.board.line(pin).watch(watcher(pin))
        given.note_outputs(given.runtime / service.PINS, pins)
    return paced, rig.board, rig.device_rng, rig.open_port


def _open_port(path: str, baud: int) -> Port:
    from device.ports.tty import open_tty  # noqa: PLC0415 - pyserial only where there is a port

    return open_tty(path, baud)
