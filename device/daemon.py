"""`rearguard run`: load, open, warn, reload, and be silent at the end.

Started by systemd or by hand, in the foreground. SIGTERM and SIGINT end the loop
between two steps; the outputs go low because the `with` that holds them is left, as
they do for any exception. On a laptop, with gpio.factory = "mock", the board is the
simulated one and the world lives on the same clock as the loop: one thread, no sleep.

A *run* is the process; a *walk* is what lasts from one opening of the pins to their
closing. There is one walk in a run, and one more for each reload with other settings.

By hand, what is wrong ends the run with one line. As a service there is nobody to read
it, so what can go on goes on and is announced by the fault signal: a configuration that
cannot be used (the last good one serves), a sensor that cannot be opened (tried again),
a run that ended unbidden three times in a row (safe settings). Only pins that cannot be
had at all end it, after five seconds in which udev may still be setting permissions.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from device import __version__, config, journal, loop, sensors, service, starts, status
from device.clock import Clock, MonotonicClock
from device.core.alert import DeviceFault
from device.core.pipeline import FIRST, Start, Step
from device.core.reading import Fault, Nothing, PingFault, Reading
from device.errors import ConfigError, HardwareError, InputError
from device.keeper import Keeper, begin
from device.notify import Notifier
from device.outputs import DeadMan, Outputs
from device.pins import Board, chip, open_board
from device.ports import OpenPort, Port
from device.sensors import Parts, Sensor
from device.service import Service
from device.settings import Settings

SHUT_DOWN = 64
"""The exit status that asks the service manager to power off: the wearer's long press."""
OPEN_FOR_S = 5.0
OPEN_AGAIN_S = 0.25
SENSOR_AGAIN_S = 5.0
NO_SENSOR_S = 0.1
SETTINGS_FAULT_S = 10.0
"""The fault signal, twice: enough to say that these are not the settings that were written."""
STATUS_S = 1.0

BY_HAND = Service(None, None, Notifier())
Read = Callable[[], tuple[Settings, str]]
"""The settings as they are written now, and where. Raises ConfigError."""
Say = Callable[[str], None]


class Stopper:
    """SIGTERM and SIGINT, turned into a call; before there is one, remembered.

    SIGHUP likewise where it is asked for, but it is not the end.
    """

    def __init__(self, reloads: bool = False) -> None:
        """`reloads`: take SIGHUP, too."""
        self._stop: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._ends = (signal.SIGTERM, signal.SIGINT)
        self._takes = (*self._ends, signal.SIGHUP) if reloads else self._ends
        self.asked = False
        self.reload = False

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in self._takes:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back; or, once one came, ignore any more: the process is ending already."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.asked else handler)

    def tell(self, stop: Callable[[], None]) -> None:
        """Call `stop` when asked for anything, at once if that was already."""
        self._stop = stop
        if self.asked or self.reload:
            stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in self._ends:
            self.asked = True
        else:
            self.reload = True
        if self._stop is not None:
            self._stop()


class Plan(Struct, frozen=True):
    """What a walk is begun with.

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


def run(read: Read, journal_path: Path | None, say: Say) -> int:
    """Warn until told to stop; returns the exit status. Raises RearguardError."""
    given = service.from_environ()
    if given:
        os.set_blocking(2, False)
        say = service.log
    else:
        # A terminal or a remote shell that closes is no reason to leave the wearer unwarned.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        stopper = stack.enter_context(Stopper(reloads=bool(given)))
        return Run(given, read, journal_path, stopper, say).go()


class Run:
    """The process, from walk to walk."""

    def __init__(
        self,
        given: Service,
        read: Read,
        journal_path: Path | None,
        stopper: Stopper,
        say: Say,
    ) -> None:
        self._service = given
        self._read = read
        self._journal_path = journal_path
        self._stopper = stopper
        self._say = say
        self._walk: Walk | None = None

    def go(self) -> int:
        """Walk after walk until told to stop; the exit status. Raises RearguardError."""
        notifier = self._service.notifier
        with contextlib.ExitStack() as stack:
            stack.callback(notifier.close)
            plan = self._first_plan()
            if self._service.runtime is not None:
                place = self._service.runtime / status.PATH.name
                server = stack.enter_context(status.Server(place, self._snapshot))
                if server.failed is not None:
                    self._say(server.failed)
            before: Plan | None = None
            while True:
                try:
                    after = self._one_walk(plan, patiently=before is None)
                except (HardwareError, InputError) as error:
                    if before is None:
                        raise
                    self._say(f"{error}; the settings from before are in use")
                    plan, before = replace(before, kept=str(error), start=FIRST), None
                    continue
                if after is None:
                    break
                plan, before = after, plan
            notifier.stopping()
            starts.end(self._service.runtime)
        dismissed = self._walk is not None and self._walk.device.dismissed
        return SHUT_DOWN if dismissed and self._service else 0

    def _first_plan(self) -> Plan:
        """What is written, or what serves in its place. Raises ConfigError by hand."""
        beginning = starts.begin(self._service.runtime)
        start = Start(restarted=beginning.restarted)
        if beginning.restarted:
            self._say(f"restarted: the last run ended unbidden ({beginning.quick_ends} in a row)")
        kept = None
        try:
            settings, source = self._read()
        except ConfigError as error:
            if not self._service:
                raise
            kept = str(error)
            last = self._service.last_good()
            settings = Settings() if last is None else last
            source = "defaults" if last is None else "the last good settings"
            start = replace(start, fault=DeviceFault.SETTINGS, until_s=SETTINGS_FAULT_S)
            self._say(f"{kept}; in use: {source}")
        if beginning.looping:
            settings = config.safe(settings)
            start = replace(start, fault=DeviceFault.CRASH_LOOP, until_s=FIRST.until_s)
            self._say(f"crash loop: {beginning.quick_ends} runs in a row ended; on safe settings")
        return Plan(settings, source, kept, start, beginning.quick_ends)

    def _one_walk(self, plan: Plan, patiently: bool) -> Plan | None:
        """Walk; returns what the next walk is to begin with, or None at the end."""
        with contextlib.ExitStack() as stack:
            walk = self._begin(stack, plan, patiently)
            if walk is None:
                return None
            self._walk = walk
            while True:
                walk.go(self._stopper)
                if self._stopper.asked or walk.device.dismissed:
                    break
                self._stopper.reload = False
                self._service.notifier.reloading()
                service.limit_spinning(service.RELOAD_S)
                after = self._reread(walk.plan)
                if after.settings != walk.plan.settings or walk.plan.start.fault is not None:
                    self._service.notifier.alive()  # closing is no cycle, but short
                    return after
                walk.goes_on(after)
        walk.account()
        return None

    def _reread(self, plan: Plan) -> Plan:
        """The plan by what is written now; or `plan` with what is wrong with that."""
        try:
            settings, source = self._read()
        except ConfigError as error:
            self._say(f"reload refused, the settings are kept: {error}")
            return replace(plan, kept=str(error))
        self._say(f"reload: {source}")
        return Plan(settings, source)

    def _begin(self, stack: contextlib.ExitStack, plan: Plan, patiently: bool) -> "Walk | None":
        """A walk with everything open; None if told to stop before. Raises RearguardError."""
        patience_s = OPEN_FOR_S if self._service and patiently else 0.0
        deadline_s = time.monotonic() + patience_s
        while True:
            self._service.notifier.alive()  # nor is opening; it is bounded by the deadline
            with contextlib.ExitStack() as attempt:
                try:
                    walk = Walk(self._service, plan, self._journal_path, attempt, self._say)
                except HardwareError:
                    if self._stopper.asked and self._service:
                        return None
                    if time.monotonic() >= deadline_s:
                        raise
                else:
                    stack.push(attempt.pop_all())
                    return walk
            time.sleep(OPEN_AGAIN_S)

    def _snapshot(self) -> status.Snapshot:
        return status.Snapshot() if self._walk is None else self._walk.snapshot()


class Walk:
    """Everything that is open from one opening of the pins to their closing."""

    def __init__(
        self,
        given: Service,
        plan: Plan,
        journal_path: Path | None,
        stack: contextlib.ExitStack,
        say: Say,
    ) -> None:
        """Open it all, to be closed by `stack`. Raises InputError or HardwareError."""
        self._service = given
        self.plan = plan
        self._began_s = time.monotonic()
        self._say = say
        self._journal_path = journal_path
        settings = plan.settings
        stream = None if journal_path is None else stack.enter_context(journal.create(journal_path))
        clock, board, rng, open_port = surroundings(settings, stack, given)
        stack.callback(board.close)
        self._writer = None
        if stream is not None:
            self._writer = journal.Writer(stream, settings)
            stack.callback(self._writer.flush)  # after the outputs went low: a slow disk may block
        self._keeper: Keeper | None = None
        stack.callback(self._close_keeper)  # likewise
        open_sensor = (lambda driver, parts: Patient(driver, parts, say)) if given else None
        self.device = stack.enter_context(
            loop.assemble(settings, clock, board, rng, open_port, plan.start, open_sensor)
        )
        stack.enter_context(DeadMan(self.device.outputs))
        if given.state is not None and settings.journal.enabled and stream is None:
            most_bytes = settings.journal.most_mb * 2**20
            folder = given.state / "journals"
            self._keeper = Keeper(folder, settings, most_bytes, begin(clock.now()))
        self._ticker = self.device.ticker()
        self.meter = status.Meter()
        observers: list[loop.Observer] = [Reporter(say), self.meter]
        observers += [kept for kept in (self._writer, self._keeper) if kept is not None]
        self._attendance = Attendance(self, given)
        if given:
            observers.append(self._attendance)
        self._observe = loop.fan_out(observers)
        self._say_hello(board)

    def go(self, stopper: Stopper) -> None:
        """Until `stopper` is asked for something, or the wearer ends it."""
        if self._service:
            service.limit_spinning()
        stats = self._ticker.stats
        self._ticker = self.device.ticker()
        self._ticker.stats = stats
        stopper.tell(self._ticker.stop)
        self.device.run(self._ticker, self._observe)

    def goes_on(self, plan: Plan) -> None:
        """There was nothing to reload; `plan` says why."""
        self.plan = plan
        self._attendance.confirm()

    def snapshot(self) -> status.Snapshot:
        """How it goes."""
        settings, plan = self.plan.settings, self.plan
        stats = self._ticker.stats
        rest = status.Snapshot(
            pid=os.getpid(),
            up_s=round(time.monotonic() - self._began_s, 1),
            cycles=stats.cycles,
            overruns=stats.overruns,
            worst_late_ms=round(stats.worst_late_s * 1000, 1),
            config=plan.source,
            kept=plan.kept,
            safe=plan.safe,
            restarts=plan.quick_ends,
            factory=settings.gpio.factory,
            sensor=sensors.model(settings.sensor).title,
            journal=None if self._keeper is None else self._keeper.state,
        )
        return self.meter.snapshot(rest)

    def account(self) -> None:
        """Last words."""
        stats, say = self._ticker.stats, self._say
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
            say(f"{self._journal_path}: journal ended early: {why}; free space or move it")

    def _close_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.close()

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

    def __init__(self, walk: Walk, given: Service) -> None:
        self._walk = walk
        self._service = given
        self._ready = self._good = False
        self._alive_s = self._told_s = -1.0
        self._said = ""

    def confirm(self) -> None:
        """Ready again; if the sensor has not answered yet, it is said when it has."""
        if self._ready:
            self._service.notifier.ready()

    def __call__(self, step: Step) -> None:
        """A cycle was finished."""
        notifier, t_s, alert = self._service.notifier, step.t_s, step.alert
        if not self._ready and (alert.fault is not None or _answered(step.reading)):
            self._ready = notifier.ready()
        plan = self._walk.plan
        if not self._good and alert.proven and plan.kept is None and not plan.safe:
            self._good = True
            self._service.keep_good(plan.settings)
        each_s = notifier.alive_each_s
        if each_s is not None and t_s - self._alive_s >= each_s:
            self._alive_s = t_s
            notifier.alive()
        if t_s - self._told_s >= STATUS_S:
            self._told_s = t_s
            text = status.text(self._walk.snapshot())
            if text != self._said:
                self._said = text
                notifier.status(text)


def _answered(reading: Reading | None) -> bool:
    return reading is not None and not isinstance(reading, Fault)


class Patient:
    """A sensor that cannot be opened is one that does not answer: announced, and tried again."""

    def __init__(self, driver: str, parts: Parts, say: Say) -> None:
        """Try at once. Raises ConfigError."""
        self._driver, self._parts = driver, parts
        self._say = say
        self._said = ""
        self._sensor: Sensor | None = None
        self._again_s = self._told_s = 0.0
        self._try(parts.clock.now())

    @property
    def due_s(self) -> float:
        """When to be polled next."""
        return self._told_s if self._sensor is None else self._sensor.due_s

    @property
    def counts(self) -> dict[str, int]:
        """The sensor's own."""
        return {} if self._sensor is None else self._sensor.counts

    def poll(self, now_s: float) -> Reading | None:
        """The sensor's reading; without one, ten times a second, that nobody answers."""
        if self._sensor is not None:
            return self._sensor.poll(now_s)
        if now_s >= self._again_s:
            self._try(now_s)
        if now_s < self._told_s:
            return None
        self._told_s = round(now_s + NO_SENSOR_S, 6)
        return Fault(now_s, PingFault.NO_ANSWER)

    def close(self) -> None:
        """Close what is open."""
        if self._sensor is not None:
            self._sensor.close()

    def _try(self, now_s: float) -> None:
        self._again_s = now_s + SENSOR_AGAIN_S
        try:
            self._sensor = sensors.open_sensor(self._driver, self._parts)
        except HardwareError as error:
            if str(error) != self._said:
                self._said = str(error)
                self._say(f"{error}; a fault until then")


def quiet(settings: Settings) -> str:
    """Drive the outputs low for a `run` that died and could not; what was done, in a line.

    A Pi keeps an output as it was driven, whatever became of the process. Also what is not
    enabled (any more) may be sounding. Refused, with its name, while somebody has the lines.
    Raises RearguardError.
    """
    if settings.gpio.factory == "mock":
        return 'gpio.factory = "mock": nothing to quiet'
    taken = () if sensors.model(settings.sensor).serial else _sensor_pins(settings)
    buzzer = replace(settings.buzzer, enabled=settings.buzzer.pin not in taken)
    motor = replace(settings.motor, enabled=settings.motor.pin not in taken)
    board = open_board(settings.gpio.factory, MonotonicClock())
    with contextlib.closing(board), Outputs(board, buzzer, motor) as outputs:
        return "low: " + ", ".join(map(str, outputs.pins))


def _sensor_pins(settings: Settings) -> tuple[int, int]:
    return settings.sensor.trigger_pin, settings.sensor.echo_pin


class Reporter:
    """Says what the log should remember: faults beginning and ending."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` takes one line."""
        self._say = say
        self._fault: str | None = None
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
            self._say(
                f"{step.t_s:.2f} s: the sensor answers again"
                if fault is None
                else f"{step.t_s:.2f} s: sensor fault: {fault}"
            )
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
        if given:
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
