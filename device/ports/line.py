"""A port that may vanish and come back.

A USB adapter falls out of its socket, a cable breaks and is mended. While there is no port
it is asked for again, at first after 0.1 s and then after ever longer, but never longer than
half a second: the wearer stands unprotected, and trust should come back soon after the
cable. Only a port that is there and refuses (no permission, held by another program) is an
error, and only when the device starts: on the way it is a fault like any other.
"""

import contextlib

from device.clock import Clock
from device.errors import HardwareError
from device.ports import OpenPort, Port, PortMissingError

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 0.5


class Line:
    """`read` and `write` that never fail; `gone` says when there is nothing to read from."""

    def __init__(
        self, open_port: OpenPort, path: str, baud: int, clock: Clock, *, wakes: bool
    ) -> None:
        """Open it, or begin to wait for it. `wakes`: what arrives ends the clock's wait.

        Raises HardwareError when the port is there and cannot be had.
        """
        self._open_port = open_port
        self._path, self._baud = path, baud
        self._clock = clock
        self._wakes = wakes
        self._port: Port | None = None
        self._retry_s = FIRST_RETRY_S
        self.due_s = float("inf")
        """When to be asked again though nothing has arrived: to open it anew."""
        self.lost = 0
        """How often it went away."""
        with contextlib.suppress(PortMissingError):
            self._open()
        if self._port is None:
            self.due_s = clock.now()

    @property
    def gone(self) -> bool:
        """There is no port."""
        return self._port is None

    def read(self, now_s: float) -> bytes:
        """Everything that has arrived."""
        if self._port is None and now_s >= self.due_s:
            self._reopen(now_s)
        if self._port is None:
            return b""
        try:
            return self._port.read()
        except OSError:
            self._lose(now_s)
            return b""

    def write(self, now_s: float, data: bytes) -> None:
        """Send `data`, if there is a port."""
        if self._port is None:
            return
        try:
            self._port.write(data)
        except OSError:
            self._lose(now_s)

    def close(self) -> None:
        """Give the port back, whatever became of it."""
        if self._port is not None:
            with contextlib.suppress(OSError):
                self._port.close()
            self._port = None

    def _open(self) -> None:
        port = self._open_port(self._path, self._baud)
        if self._wakes:
            port.wake(self._clock)
        self._port = port
        self._retry_s = FIRST_RETRY_S
        self.due_s = float("inf")

    def _reopen(self, now_s: float) -> None:
        with contextlib.suppress(HardwareError, OSError):
            self._open()
            return
        self.due_s = round(now_s + self._retry_s, 6)
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _lose(self, now_s: float) -> None:
        self.close()
        self.lost += 1
        self.due_s = round(now_s + self._retry_s, 6)
