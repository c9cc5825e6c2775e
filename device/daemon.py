"""`rearguard run`: load, open, warn, and be silent at the end.

Started by systemd or by hand, in the foreground. SIGTERM and SIGINT end the loop
between two steps; the outputs go low because the `with` that holds them is left, as
they do for any exception. On a laptop, with gpio.factory = "mock", the board is the
simulated one and the world lives on the same clock as the loop: one thread, no sleep.
"""

import contextlib
import random
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Self

from msgspec.structs import replace

from device import __version__, journal, loop, sensors
from device.clock import Clock, MonotonicClock
from device.core.pipeline import Step
from device.core.reading import Nothing
from device.outputs import DeadMan, Outputs
from device.pins import Board, open_board
from device.ports import OpenPort, Port
from device.settings import Settings


class Stopper:
    """SIGTERM and SIGINT, turned into a call; before there is one, remembered."""

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self.asked = False

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back; or, once one came, ignore any more: the process is ending already."""
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.asked else handler)

    def tell(self, stop: Callable[[], None]) -> None:
        """Call `stop` when asked to end, at once if that was already."""
        self._stop = stop
        if self.asked:
            stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self._stop is not None:
            self._stop()


def run(settings: Settings, journal_path: Path | None, say: Callable[[str], None]) -> int:
    """Warn until told to stop; returns the exit status. Raises RearguardError."""
    # A terminal or a remote shell that closes is no reason to leave the wearer unwarned.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        stopper = stack.enter_context(Stopper())
        stream = None if journal_path is None else stack.enter_context(journal.create(journal_path))
        clock, board, rng, open_port = _surroundings(settings, stack)
        stack.callback(board.close)
        writer = None
        if stream is not None:
            writer = journal.Writer(stream, settings)
            stack.callback(writer.flush)  # after the outputs went low: a slow disk may block it
        device = stack.enter_context(loop.assemble(settings, clock, board, rng, open_port))
        stack.enter_context(DeadMan(device.outputs))
        observers: list[loop.Observer] = [Reporter(say)]
        if writer is not None:
            observers.append(writer)
        ticker = device.ticker()
        stopper.tell(ticker.stop)
        chosen = f" ({type(board).__name__})" if settings.gpio.factory == "auto" else ""
        say(f"rearguard {__version__}: watching, gpio.factory = {settings.gpio.factory}{chosen}")
        if sensors.model(settings.sensor).serial and settings.gpio.factory != "mock":
            port = settings.sensor.port
            there = "" if Path(port).exists() else ": no such port; a fault until it is plugged in"
            say(f"sensor.port = {port}{there}")
        device.run(ticker, loop.fan_out(observers))
    stats = ticker.stats
    if device.sensor.counts:
        counted = ", ".join(f"{name} {count}" for name, count in device.sensor.counts.items())
        say(f"rearguard: the sensor: {counted}")
    say(
        f"rearguard: stopped, outputs low; {stats.cycles} steps,"
        f" {stats.overruns} late (worst {stats.worst_late_s * 1000:.0f} ms)"
    )
    if writer is not None and writer.failed is not None:
        say(f"{journal_path}: journal ended early: {writer.failed.strerror}; free space or move it")
    return 0


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


def _surroundings(
    settings: Settings, stack: contextlib.ExitStack
) -> tuple[Clock, Board, random.Random, OpenPort]:
    """The real clock, board and ports, or the simulated ones when the mock board is asked for."""
    if settings.gpio.factory != "mock":
        clock = MonotonicClock()
        return clock, open_board(settings.gpio.factory, clock), random.Random(), _open_port
    from device.clock import PacedClock  # noqa: PLC0415 - the simulation stays out of the Pi's memory
    from device.sim import scenario  # noqa: PLC0415
    from device.sim.rig import Rig  # noqa: PLC0415

    paced = PacedClock()
    world = scenario.load(settings.simulation.scenario)
    rig = Rig(world, settings, settings.simulation.seed, paced, terminal=True)
    stack.callback(rig.close)
    return paced, rig.board, rig.device_rng, rig.open_port


def _open_port(path: str, baud: int) -> Port:
    from device.ports.tty import open_tty  # noqa: PLC0415 - pyserial only where there is a port

    return open_tty(path, baud)
