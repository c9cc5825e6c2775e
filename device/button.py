"""A push-button from a GPIO to ground: a short press, two of them, and the long one.

A contact bounces for some milliseconds, so a level counts once it has lasted 20 ms. A press is
short when it is let go of before `hold_s`, and long at that moment, while the finger is still
down, so that one feels when it took. The second of two that follow each other within 0.3 s is
told as both; the first had its effect by then, for a mute should not wait. A button that is down
when the device starts is stuck, or leant upon, until it has been up once: nobody meant to shut
down a device that has just begun.

The board's edge only wakes the loop; what the button is doing is read in the loop's own time,
and nothing here can end a walk: a pin that fails is a button that is not pressed any more.
"""

import contextlib
import math
from enum import Enum, auto
from typing import Any

from device.clock import Clock
from device.errors import HardwareError
from device.pins import Board, claim
from device.settings import ButtonSettings

BOUNCE_S = 0.02
TWICE_S = 0.3
"""From the end of a press to the beginning of the next, that they belong together."""


class Press(Enum):
    """What was done with it."""

    SHORT = auto()
    TWICE = auto()
    LONG = auto()


class Presses:
    """Levels in, presses out; time is given."""

    def __init__(self, hold_s: float) -> None:
        """Down for `hold_s` is a long press."""
        self._hold_s = hold_s
        self._raw = self._down = True  # until it was seen up, it is stuck
        self._raw_since_s = 0.0
        self._down_since_s = math.inf
        self._armed = False
        self._let_go_s = -math.inf
        """When a press ended that may have been the first of two."""

    @property
    def due_s(self) -> float:
        """When something comes of the levels seen so far."""
        if self._raw is not self._down:
            return self._raw_since_s + BOUNCE_S
        return self._down_since_s + self._hold_s if self._down and self._armed else math.inf

    def see(self, now_s: float, down: bool) -> Press | None:
        """The level is `down` at `now_s`; the press that this ends, if any."""
        if down is not self._raw:
            self._raw, self._raw_since_s = down, now_s
        if self._raw is not self._down and now_s >= self._raw_since_s + BOUNCE_S - 1e-6:
            self._down = self._raw
            if not self._down:
                return self._let_go()
            self._down_since_s = self._raw_since_s
        if (
            self._down
            and down
            and self._armed
            and now_s >= self._down_since_s + self._hold_s - 1e-6
        ):
            self._armed = False
            self._down_since_s = math.inf
            return Press.LONG
        return None

    def _let_go(self) -> Press | None:
        was_armed, self._armed = self._armed, True
        if not was_armed or self._down_since_s == math.inf:
            return None
        second = self._down_since_s - self._let_go_s <= TWICE_S
        self._let_go_s = -math.inf if second else self._raw_since_s
        return Press.TWICE if second else Press.SHORT


class Button:
    """The pin, and what was done with it since."""

    def __init__(self, board: Board, settings: ButtonSettings, clock: Clock) -> None:
        """Claim the pin and pull it up. Raises HardwareError."""
        self._hold_s = settings.hold_s
        self._presses = Presses(settings.hold_s)
        self._clock = clock
        self._rang = True
        self._pin = claim(board, settings.pin, "button.pin")
        try:
            self._pin.input_with_pull("up")
            self._pin.bounce = None
            self._pin.edges = "both"
            self._pin.when_changed = self._on_edge
        except Exception as error:
            self.close()
            raise HardwareError(
                f"button.pin = {settings.pin}: cannot be watched ({error}); choose another pin"
            ) from error

    @property
    def due_s(self) -> float:
        """When to be polled next, unless an edge comes first."""
        return self._presses.due_s

    def poll(self, now_s: float) -> Press | None:
        """What was done since the last time."""
        if not self._rang and now_s < self._presses.due_s - 1e-6:
            return None
        self._rang = False
        try:
            down = not self._pin.state
        except Exception:  # noqa: BLE001 - a broken button must not end a walk
            self._presses = Presses(self._hold_s)  # whatever was begun is not gone on with
            return None
        return self._presses.see(now_s, down)

    def close(self) -> None:
        """Let go of the pin, whatever became of it."""
        with contextlib.suppress(Exception):
            self._pin.when_changed = None
        with contextlib.suppress(Exception):
            self._pin.close()

    def _on_edge(self, _ticks: Any, _level: Any) -> None:
        self._rang = True
        self._clock.wake()
