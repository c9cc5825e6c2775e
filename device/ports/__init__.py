"""Serial ports: the other way into the board, beside the pins.

`frames` cuts a byte stream into frames, `line` is a port that may vanish and come back,
`tty` is the real one, through pyserial, and `mock` a cable with a simulated part at its far
end: in memory on the virtual clock, or through a real pseudo-terminal.
"""

from collections.abc import Callable
from typing import Protocol

from device.clock import Clock
from device.errors import HardwareError


class PortMissingError(HardwareError):
    """There is no such port at present; it may come (back)."""


class Port(Protocol):
    """An open serial port, 8 data bits, no parity, 1 stop bit. Nothing waits."""

    def read(self) -> bytes:
        """What has arrived since the last read. Raises OSError when the port is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Send `data`. Raises OSError when the port is gone."""
        ...

    def wake(self, clock: Clock) -> None:
        """From now on end `clock`'s wait when something arrives."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


class FarEnd(Protocol):
    """The other end of a simulated cable, where the part is."""

    asked: Callable[[bytes], None]
    """Called with what the near end sends."""

    def send(self, frame: bytes) -> None:
        """Say `frame` now."""
        ...

    def pull(self) -> None:
        """Take the port away, adapter and all."""
        ...

    def plug(self) -> None:
        """Put it back."""
        ...


OpenPort = Callable[[str, int], Port]
"""`open_port(path, baud)`. Raises PortMissingError while it is not there, HardwareError when it is
there and cannot be had."""
