"""A board without a Pi: gpiozero's MockFactory on a clock that is given.

gpiozero's own mock pins stamp edges with the machine's clock, have PWM in one
class and not in another, and remember every state for ever. These do all three
the way a simulation needs: stamped by the injected clock, PWM on every pin, and
each change told to whoever watches the line from its far end: a simulated sensor
on the trigger pin, a simulated wearer on the motor's.
"""

from collections.abc import Callable
from typing import Any

from gpiozero.exc import PinSetInput
from gpiozero.pins.mock import MockFactory, MockPWMPin

from device.clock import Clock

_EDGES = {True: "rising", False: "falling"}
Watcher = Callable[[float, float], None]


class MockPin(MockPWMPin):  # type: ignore[misc]
    """One line: the device on the near end, the simulation on the far end."""

    def __init__(self, factory: "MockBoard", info: Any) -> None:
        """Called by the board for each line once."""
        self._watchers: list[Watcher] = []
        self._held: bool | None = None
        self._state: float = 0.0
        super().__init__(factory, info)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher(t_s, state)` at each change of an output, state 0.0 to 1.0."""
        self._watchers.append(watcher)

    def drive(self, high: bool) -> None:
        """Drive an input from the far end; the device's callback hears the edge."""
        self._held = high
        if self._function != "input" or self._state == high:
            return
        self._state = high
        if self._when_changed is not None and self._edges in ("both", _EDGES[high]):
            self._call_when_changed()

    @property
    def level(self) -> float:
        """The line as a voltmeter would see it, 0.0 to 1.0 of full."""
        return float(self._state)

    def _change_state(self, value: float) -> bool:
        if self._state == value:
            return False
        self._state = value
        if self._function == "output":
            now_s = self._factory.clock.now()
            for watcher in self._watchers:
                watcher(now_s, value)
        return True

    # What follows does what gpiozero's mock does, without its checks by
    # assertion and its history: these are called for every ping of a long walk.

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        if self._held is not None:  # a pull is weak: whoever holds the line wins
            self._state = float(self._held)

    def _get_state(self) -> float:
        return self._state

    def _set_state(self, value: float) -> None:
        if self._function != "output":
            raise PinSetInput(f"cannot set state of pin {self!r}")
        self._change_state(float(value))

    def _call_when_changed(self, ticks: Any = None, state: Any = None) -> None:  # noqa: ARG002
        method = self._when_changed()
        if method is not None:
            method(self._factory.clock.now(), bool(self._state))


class MockBoard(MockFactory):  # type: ignore[misc]
    """A Raspberry Pi Zero 2 W's header with nothing behind it but the simulation."""

    ZERO_2_W = "902120"
    kernel_stamps = True
    """Its edges come with their time and direction, as a kernel's do."""

    def __init__(self, clock: Clock) -> None:
        """Edges are stamped by `clock`."""
        super().__init__(revision=self.ZERO_2_W, pin_class=MockPin)
        self.clock = clock

    def line(self, number: int) -> MockPin:
        """The far end of GPIO`number`."""
        pin: MockPin = self.pin(f"GPIO{number}")
        return pin

    def ticks(self) -> float:
        """The injected clock, which stamps the edges."""
        return self.clock.now()
