"""`rearguard run`: load, open, warn, reload, and be silent at the end.

Started by systemd or by hand, in the foreground. SIGTERM and SIGINT end the loop
between two steps; the outputs go low because the `with` that holds them is left, as
they do for any exception. On a laptop, with gpio.factory = "mock", the board is the
simulated one and the world lives on the same clock as the loop: one thread, no sleep.

A *run* is the process, from watch to watch. There is one watch in a run, and one more for each
reload with other settings.

By hand, what is wrong ends the run with one line. As a service there is nobody to read
it, so what can go on goes on and is announced by the fault signal: a configuration that
cannot be used or opened (the last good one serves, or what can be used of it), a sensor
that fails or cannot be opened (tried again), a buzzer or motor that cannot be had (the other
one warns), a run that ended unbidden three times in a row (safe settings). Only pins that
cannot be had at all end it, after five seconds in which udev may still be setting permissions.

New settings are read and judged in a thread, while the old ones still warn.
"""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from device import config, sensors, service, starts, status
from device.clock import MonotonicClock
from device.core.alert import DeviceFault
from device.core.pipeline import FIRST, Start
from device.errors import ConfigError, HardwareError, InputError, RearguardError
from device.outputs import Outputs
from device.pins import open_board
from device.service import Service
from device.settings import GpioSettings, Settings
from device.watch import Asked, Plan, Say, Watch

SHUT_DOWN = 64
"""The exit status that asks the service manager to power off: the wearer's long press."""
OPEN_FOR_S = 5.0
OPEN_AGAIN_S = 0.25
INSIST_S = 1.0
"""What is busy at first may be another's last breath; then its pin is done without."""


class Effort(Struct, frozen=True):
    """How hard to try to open a watch.

    What cannot be had is tried again for `patience_s`; what can be done without is insisted upon
    for `insist_s`.
    """

    insist_s: float
    patience_s: float


ALL_OR_NOTHING = Effort(math.inf, 0.0)
WHATEVER_THERE_IS = Effort(0.0, 0.0)
LAST_GOOD = "the last good settings"
FROM_BEFORE = "the settings from before"
Read = Callable[[], tuple[Settings, str]]
"""The settings as they are written now, and where. Raises ConfigError."""


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
        self.woken = False

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
        if self.asked or self.reload or self.woken:
            stop()

    def wake(self) -> None:
        """As if asked, but for nothing: there is news; safe from any thread."""
        self.woken = True
        if self._stop is not None:
            self._stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number in self._ends:
            self.asked = True
        else:
            self.reload = True
        if self._stop is not None:
            self._stop()


def run(read: Read, asked: Asked, say: Say) -> int:
    """Warn until told to stop; returns the exit status. Raises RearguardError."""
    if asked.history is not None:
        check_history(asked.history)
    given = service.from_environ()
    if given.managed:
        os.set_blocking(2, False)
        say = service.log
    else:
        # A terminal or a remote shell that closes is no reason to leave the wearer unwarned.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        stopper = stack.enter_context(Stopper(reloads=given.managed))
        return Run(given, read, asked, stopper, say).go()


def check_history(path: Path) -> None:
    """Make it, where it is not there. By hand a mistake is said at once: raises InputError."""
    import sqlite3  # noqa: PLC0415 - only who asks for it by hand waits for it

    from device.history.book import open_book  # noqa: PLC0415

    try:
        open_book(path).close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: no history can be kept there: {error}; give another") from error


class Run:
    """The process, from watch to watch."""

    def __init__(
        self,
        given: Service,
        read: Read,
        asked: Asked,
        stopper: Stopper,
        say: Say,
    ) -> None:
        self._service = given
        self._read = read
        self._asked = asked
        self._stopper = stopper
        self._say = say
        self._watch: Watch | None = None
        self._beginning = starts.Beginning()
        self._refusal: RearguardError | None = None
        self._begun = self._dismissed = False

    def go(self) -> int:
        """Watch after watch until told to stop; the exit status. Raises RearguardError."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._service.notifier.close)
            if self._service.runtime is not None:
                place = self._service.runtime / status.PATH.name
                server = stack.enter_context(status.Server(place, self._snapshot))
                if server.failed is not None:
                    self._say(server.failed)
            try:
                self._go_on(self._first_plan())
            except RearguardError:
                if not self._begun:
                    starts.excuse(self._service.runtime, self._beginning)
                raise
        return SHUT_DOWN if self._dismissed and self._service.managed else 0

    def _go_on(self, first: Plan) -> None:
        """From plan to plan; what cannot be opened is followed by what may serve instead."""
        plans = self._ladder(first)
        plan: Plan | None = next(plans)
        effort = Effort(INSIST_S, OPEN_FOR_S) if self._service.managed else ALL_OR_NOTHING
        while plan is not None:
            try:
                after = self._one_watch(plan, effort)
            except (HardwareError, InputError) as error:
                if self._begun:
                    raise
                refusal = self._refusal = self._refusal or error
                following = next(plans, None)
                if following is None:
                    raise refusal from error
                if following.settings == plan.settings:  # only the effort is another
                    plan = replace(following, source=plan.source, kept=plan.kept)
                else:
                    plan = replace(following, kept=str(refusal))
                effort = WHATEVER_THERE_IS
            else:
                walking = after is not None and after.start.walking
                start = replace(plan.start, restarted=False, walking=walking)
                plans = self._ladder(replace(plan, source=FROM_BEFORE, start=start))
                plan, effort = after, ALL_OR_NOTHING

    def _ladder(self, plan: Plan) -> Iterator[Plan]:
        """`plan`, and what may serve, as a service, should that be impossible to open."""
        yield plan
        if not self._service.managed:
            return
        start = plan.start.doubting(DeviceFault.SETTINGS)
        last = self._service.last_good()
        if last is not None and last != plan.settings:
            yield replace(plan, settings=last, source=LAST_GOOD, start=start)
        safe = replace(config.safe(plan.settings), gpio=GpioSettings())
        yield replace(plan, settings=safe, source="safe settings", start=start)

    def _first_plan(self) -> Plan:
        """What is written, or what serves in its place. Raises ConfigError by hand."""
        beginning = self._beginning = starts.begin(self._service.runtime)
        start = Start(restarted=beginning.restarted, walking=self._asked.walking)
        if beginning.restarted:
            self._say(f"restarted: the last run ended unbidden ({beginning.quick_ends} in a row)")
        kept = None
        try:
            settings, source = self._written()
        except ConfigError as error:
            if not self._service.managed:
                raise
            kept = str(error)
            settings, source = self._instead(error)
            start = start.doubting(DeviceFault.SETTINGS)
            self._say(f"{kept}; in use: {source}")
        if beginning.looping:
            settings = config.safe(settings)
            start = replace(start, fault=DeviceFault.CRASH_LOOP, until_s=FIRST.until_s)
            self._say(f"crash loop: {beginning.quick_ends} runs in a row ended; on safe settings")
        return Plan(settings, source, kept, start, beginning.quick_ends)

    def _instead(self, error: ConfigError) -> tuple[Settings, str]:
        """The settings to go on with when those that are written cannot be used."""
        if (last := self._service.last_good()) is not None:
            return last, LAST_GOOD
        if isinstance(error.usable, Settings):
            return error.usable, "the rest of it"
        return Settings(), "defaults"

    def _written(self) -> tuple[Settings, str]:
        """The settings as they are written now, and where. Raises ConfigError, and only that."""
        try:
            return self._read()
        except ConfigError:
            raise
        except Exception as error:
            if not self._service.managed:
                raise
            raise ConfigError(
                f"the configuration cannot be read ({error!r}); report this"
            ) from error

    def _one_watch(self, plan: Plan, effort: Effort) -> Plan | None:
        """Watch; returns what the next watch is to begin with, or None at the end."""
        stopper, notifier = self._stopper, self._service.notifier
        reader: Reader | None = None
        again = self._begun = False
        with contextlib.ExitStack() as stack:
            watch = self._begin(stack, plan, effort)
            if watch is None:
                self._ending()
                return None
            self._watch, self._begun = watch, True
            if self._refusal is not None:
                self._say(f"{self._refusal}; in use: {plan.source}")
                self._refusal = None
            stack.callback(setattr, self, "_watch", None)
            while True:
                watch.go(stopper.tell, service.SPIN_S if reader is None else service.RELOAD_S)
                if stopper.asked or watch.device.dismissed:
                    break
                again, stopper.reload = again or stopper.reload, False
                stopper.woken = False
                if reader is not None and reader.after is not None:
                    after, reader = reader.after, None
                    if not again and watch.would_differ(after):
                        service.limit_spinning(service.RELOAD_S)
                        notifier.alive()  # closing is no cycle, but short
                        start = replace(after.start, walking=watch.device.walking)
                        return replace(after, start=start)
                    if not again:
                        watch.goes_on(after)
                if again and reader is None:  # what was overtaken is read anew
                    again = False
                    notifier.reloading()
                    reader = Reader(self._reread, watch.plan, stopper.wake)
            self._dismissed = watch.device.dismissed
            self._ending()
        watch.account()
        return None

    def _ending(self) -> None:
        """Said before anything is closed: what takes long now must not look like a hang or spin."""
        self._stopper.asked = True  # if only by the wearer: more signals change nothing
        if self._service.managed:
            service.limit_spinning(service.RELOAD_S)
        self._service.notifier.alive()
        self._service.notifier.stopping()
        starts.end(self._service.runtime)

    def _reread(self, plan: Plan) -> Plan:
        """The plan by what is written now; or `plan` with what is wrong with that."""
        try:
            settings, source = self._written()
        except ConfigError as error:
            self._say(f"reload refused, the settings are kept: {error}")
            return replace(plan, kept=str(error))
        self._say(f"reload: {source}")
        return Plan(settings, source)

    def _begin(self, stack: contextlib.ExitStack, plan: Plan, effort: Effort) -> Watch | None:
        """A watch with everything open; None if told to stop before. Raises RearguardError."""
        began_s = time.monotonic()
        while True:
            self._service.notifier.alive()  # nor is opening; it is bounded by the patience
            waited_s = time.monotonic() - began_s
            insist = waited_s < effort.insist_s
            with contextlib.ExitStack() as attempt:
                try:
                    watch = Watch(self._service, plan, self._asked, attempt, self._say, insist)
                except HardwareError:
                    if self._stopper.asked and self._service.managed:
                        return None
                    if waited_s >= effort.patience_s:
                        raise
                else:
                    stack.push(attempt.pop_all())
                    return watch
            time.sleep(OPEN_AGAIN_S)

    def _snapshot(self) -> status.Snapshot:
        watch = self._watch  # it may go meanwhile
        return status.Snapshot() if watch is None else watch.snapshot()


class Reader:
    """Makes the next plan in a thread, while the watch goes on with this one."""

    def __init__(
        self, reread: Callable[[Plan], Plan], plan: Plan, done: Callable[[], None]
    ) -> None:
        """Begin; `done` is called, from the thread, when `after` is there."""
        self.after: Plan | None = None

        def read() -> None:
            self.after = reread(plan)
            done()

        try:
            threading.Thread(target=read, name="reload", daemon=True).start()
        except RuntimeError:  # no more threads
            read()


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
