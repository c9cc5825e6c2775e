"""systemd's notify protocol: datagrams to the socket that $NOTIFY_SOCKET names.

"READY=1", "STATUS=…", "WATCHDOG=1" and their like, one a line. Sent without waiting: a manager
that does not read must not hold up the loop, and a lost "still alive" is followed by the next.
Without the variable, by hand or in a test, nothing is sent.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping

EACH_WATCHDOG = 4
"""So many signs of life to a watchdog's period."""


class Notifier:
    """The way to the service manager, or nowhere."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """`address`: the socket's path, or "@" and its abstract name. `watchdog_s`: its period."""
        self.alive_each_s = None if watchdog_s is None else watchdog_s / EACH_WATCHDOG
        self._socket: socket.socket | None = None
        if address:
            path = "\0" + address[1:] if address.startswith("@") else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            with contextlib.suppress(OSError):
                self._socket.connect(path)

    @property
    def listened_to(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def ready(self) -> bool:
        """The service has started, or has done reloading; whether that was taken."""
        return self._send("READY=1")

    def reloading(self) -> None:
        """The settings are being read again; `ready` ends it."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """A cycle was finished."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """What `systemctl status` shows."""
        self._send("STATUS=" + " ".join(text.split()))

    def close(self) -> None:
        """Send no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        if self._socket is None:
            return True
        try:
            self._socket.send(message.encode())
        except OSError:  # full, or nobody there
            return False
        return True


def from_environ(environ: Mapping[str, str] = os.environ) -> Notifier:
    """What systemd set up for this process; a watchdog meant for another is none."""
    watchdog_us = environ.get("WATCHDOG_USEC", "")
    mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    watchdog_s = int(watchdog_us) / 1e6 if watchdog_us.isdecimal() and mine else None
    return Notifier(environ.get("NOTIFY_SOCKET"), watchdog_s)
