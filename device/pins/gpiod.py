"""gpiozero pins through libgpiod: edges by waiting for the kernel, not by asking it.

lgpio, which gpiozero prefers, has a thread that wakes 2,000 times a second from the first edge
that anyone asks for until the process ends, and an edge waits for its next turn. The kernel's
character device needs neither: a line's file becomes readable at an edge, and the edge carries
the kernel's own time, direction and sequence number. So each line has a request of its own here,
and its file is watched by whoever waits anyway: the loop's clock, when the factory is given it,
or else a thread that sleeps until something happens.

What a line has been asked to be is changed in place, never by letting go of it and claiming it
again: an output does not float in between, and the pull that the Pi boots with stays until
another one is asked for. Any gpiozero program can use this: `GPIOZERO_PIN_FACTORY=gpiod`, where
rearguard is installed. Needs the official `gpiod` package, version 2 or newer.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import gpiod
from gpiod.line import Bias, Direction, Edge, Value
from gpiozero.exc import (
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinInvalidState,
    PinPWMFixedValue,
    PinSetInput,
)
from gpiozero.pins.local import LocalPiFactory, LocalPiPin

from device.clock import MonotonicClock
from device.errors import all_of
from device.pins import chip
from device.pins.pwm import SoftPwm

_EDGES = {"both": Edge.BOTH, "rising": Edge.RISING, "falling": Edge.FALLING}
_PULLS = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "floating": Bias.DISABLED}
_VALUES = {False: Value.INACTIVE, True: Value.ACTIVE}
_RISING = gpiod.EdgeEvent.Type.RISING_EDGE
_FOREVER_S = 1e6
EDGES_KEPT = 256
"""By the kernel, for each line, while nobody reads them; unasked it keeps 16."""
LOOK_AGAIN_S = 1.0
BAD_FD_S = 0.01


class Waiter(Protocol):
    """Whoever waits for files to have something to read; the clocks do."""

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        """Call `call` whenever `fd` has something to read."""
        ...

    def unwatch(self, fd: int) -> None:
        """No more."""
        ...


class GpiodFactory(LocalPiFactory):  # type: ignore[misc]
    """The Pi's header, through /dev/gpiochip*."""

    kernel_stamps = True
    """Edges come with the kernel's time (time.monotonic's) and with its word on the direction."""

    def __init__(self, waiter: Waiter | None = None, consumer: str = "gpiozero") -> None:
        """Edges are heard by `waiter`, or by a thread; `consumer` is what gpioinfo shows.

        Raises HardwareError when the header's chip is missing or may not be opened.
        """
        super().__init__()
        self.pin_class = GpiodPin
        self.waiter = waiter if waiter is not None else _Listener()
        self.consumer = consumer
        self.chip = gpiod.Chip(str(chip.header_chip()))

    def close(self) -> None:
        """Give every line back, each of them even if another cannot be."""
        try:
            all_of(pin.close for pin in self.pins.values())
        finally:
            self.pins.clear()
            if isinstance(self.waiter, _Listener):
                self.waiter.stop()
            self.chip.close()


class GpiodPin(LocalPiPin):  # type: ignore[misc]
    """One line, requested when it is made, or again when it is used after `close`."""

    def __init__(self, factory: GpiodFactory, info: Any) -> None:
        """Called by the factory for each line once. Raises OSError when somebody has it."""
        super().__init__(factory, info)
        self._request: Any = None
        self._pwm: SoftPwm | None = None
        self._edges_wanted = Edge.BOTH
        self._seqno: int | None = None
        self.missed_edges = 0
        """Edges that the kernel had to throw away, by its own numbering."""
        self._begin()

    def close(self) -> None:
        """Back to an input, with the pull it has, and let go."""
        request = self._request
        if request is None:
            return
        if self._process != os.getpid():  # a child's copy: the line goes on being the parent's
            self._request = None
            request.release()
            return
        try:
            all_of(
                (
                    lambda: self._set_frequency(None),
                    lambda: self._set_when_changed(None),
                    lambda: self._configure(gpiod.LineSettings(direction=Direction.INPUT)),
                )
            )
        finally:
            self._request = None
            request.release()

    def output_with_state(self, state: int) -> None:
        """An output from the first moment at `state`."""
        self._configure(
            gpiod.LineSettings(direction=Direction.OUTPUT, output_value=_VALUES[bool(state)])
        )

    def input_with_pull(self, pull: str) -> None:
        """An input and its pull, at once."""
        self._change(direction=Direction.INPUT, bias=self._bias(pull))

    def _begin(self) -> None:
        self._settings = gpiod.LineSettings(direction=Direction.INPUT)
        try:
            self._request = self._factory.chip.request_lines(
                {self._number: self._settings},
                consumer=self._factory.consumer,
                event_buffer_size=EDGES_KEPT,
            )
        except OSError as error:
            holder = chip.line_holder(self._number)
            why = error.strerror if holder is None else f"held by {holder}"
            raise OSError(error.errno, f"GPIO{self._number}: {why}") from error
        self._process = os.getpid()

    def _configure(self, settings: Any) -> None:
        if self._request is None:
            self._begin()
        if settings.direction is Direction.INPUT:
            self._set_frequency(None)
        self._request.reconfigure_lines({self._number: settings})
        self._settings = settings

    def _change(self, **wanted: Any) -> None:
        self._configure(replace(self._settings, **wanted))

    def _get_function(self) -> str:
        return "output" if self._settings.direction is Direction.OUTPUT else "input"

    def _set_function(self, value: str) -> None:
        if value not in ("input", "output"):
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')
        if value != self._get_function():
            direction = Direction.INPUT if value == "input" else Direction.OUTPUT
            self._configure(gpiod.LineSettings(direction=direction))

    def _get_state(self) -> float | int:
        if self._pwm is not None:
            return self._pwm.duty
        return int(self._live.get_value(self._number) is Value.ACTIVE)

    def _set_state(self, value: float) -> None:
        if self._pwm is not None:
            if not 0 <= value <= 1:
                raise PinInvalidState(f'invalid state "{value}" for pin {self!r}')
            self._pwm.duty = value
        elif self._get_function() == "input":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        else:
            self._write(bool(value))

    def _write(self, high: bool) -> None:
        self._live.set_value(self._number, _VALUES[high])

    @property
    def _live(self) -> Any:
        if self._request is None:
            self._begin()
        return self._request

    def _get_frequency(self) -> float | None:
        return None if self._pwm is None else self._pwm.frequency_hz

    def _set_frequency(self, value: float | None) -> None:
        if value is None or value <= 0:
            pwm, self._pwm = self._pwm, None
            if pwm is not None:
                pwm.stop()
        elif self._pwm is not None:
            self._pwm.frequency_hz = value
        elif self._get_function() != "output":
            raise PinPWMFixedValue(f"cannot start PWM on pin {self!r}")
        else:
            self._pwm = SoftPwm(self._write, value)

    def _get_pull(self) -> str:
        names = {bias: name for name, bias in _PULLS.items()}
        return names.get(self._settings.bias, self.info.pull or "floating")

    def _set_pull(self, value: str) -> None:
        if self._get_function() != "input":
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self._change(bias=self._bias(value))

    def _bias(self, pull: str) -> Bias:
        if pull not in _PULLS:
            raise PinInvalidPull(f'invalid pull "{pull}" for pin {self!r}')
        if self.info.pull not in (pull, ""):
            raise PinFixedPull(f"{self!r} has a physical pull-{self.info.pull} resistor")
        return _PULLS[pull]

    def _get_bounce(self) -> float | None:
        return self._settings.debounce_period.total_seconds() or None

    def _set_bounce(self, value: float | None) -> None:
        if value is not None and value < 0:
            raise PinInvalidBounce("bounce must be 0 or greater")
        self._change(debounce_period=timedelta(seconds=value or 0))

    def _get_edges(self) -> str:
        return next(name for name, edge in _EDGES.items() if edge is self._edges_wanted)

    def _set_edges(self, value: str) -> None:
        if value not in _EDGES:
            raise PinInvalidEdges(f'invalid edges "{value}" for pin {self!r}')
        hearer: Any = self._get_when_changed()
        self.when_changed = None
        self._edges_wanted = _EDGES[value]
        self.when_changed = hearer

    def _enable_event_detect(self) -> None:
        self._change(edge_detection=self._edges_wanted)
        self._seqno = None
        self._factory.waiter.watch(self._request.fd, self._read_edges)

    def _disable_event_detect(self) -> None:
        self._factory.waiter.unwatch(self._request.fd)
        self._change(edge_detection=Edge.NONE)
        while self._request.wait_edge_events(0):
            self._request.read_edge_events()

    def _read_edges(self) -> None:
        # What was there when the waiter looked, an earlier line's callback may have taken.
        if self._request is None or not self._request.wait_edge_events(0):
            return
        try:
            events = self._request.read_edge_events()
        except OSError:  # the chip is gone; the file would be readable for ever
            self._factory.waiter.unwatch(self._request.fd)
            raise
        for event in events:
            if self._when_changed is None:  # whoever listened is gone since the last one
                return
            if self._seqno is not None:
                self.missed_edges += event.line_seqno - self._seqno - 1
            self._seqno = event.line_seqno
            self._call_when_changed(event.timestamp_ns / 1e9, int(event.event_type is _RISING))


class _Listener:
    """For programs that do not wait themselves: a thread that sleeps until a line has an edge."""

    def __init__(self) -> None:
        self._clock = MonotonicClock()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._looked = threading.Event()

    def watch(self, fd: int, call: Callable[[], None]) -> None:
        self._clock.watch(fd, lambda: self._hear(call))
        self._clock.wake()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gpiod edges", daemon=True)
            self._thread.start()

    def unwatch(self, fd: int) -> None:
        """The thread no longer waits for `fd`: until then a line that is let go of is not free."""
        self._clock.unwatch(fd)
        self._looked.clear()
        self._clock.wake()
        thread = self._thread
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._looked.wait(LOOK_AGAIN_S)

    def stop(self) -> None:
        self._ended = True
        self._clock.wake()

    def _run(self) -> None:
        while not self._ended:
            self._looked.set()
            try:
                self._clock.wait_until(self._clock.now() + _FOREVER_S)
            except OSError:  # a line was closed while it was waited for
                time.sleep(BAD_FD_S)

    def _hear(self, call: Callable[[], None]) -> None:
        """A callback that fails must not make every line deaf."""
        try:
            call()
        except BaseException:  # noqa: BLE001 - SystemExit too would end only this thread
            sys.excepthook(*sys.exc_info())
