"""The real serial port, through pyserial, and every way in which it can refuse.

A port is taken for this process alone. pyserial's lock keeps out only programs that ask for
it too; a login console or a terminal program does not. So who else has the port open is looked
up in /proc, and the kernel is asked whether it is its own console: on a Raspberry Pi that has
not been told otherwise, it is, and its log would be taken for a sensor's nonsense.
"""

import contextlib
import errno
import os
import termios
from pathlib import Path

import serial

from device import procs
from device.clock import Clock
from device.errors import HardwareError
from device.ports import PortMissingError

MOST_BYTES = 4096
"""What the kernel hands out at a time."""
MOST_BACKLOG = 1 << 18


class Tty:
    """An open serial port."""

    def __init__(self, port: serial.Serial) -> None:
        """Takes one that is open."""
        self._port = port
        self._clock: Clock | None = None
        self._fd: int = port.fileno()

    def read(self) -> bytes:
        """Everything that has arrived since the last read."""
        data: bytes = self._port.read(MOST_BYTES)
        while len(data) < MOST_BACKLOG and (more := self._port.read(MOST_BYTES)):
            data += more  # what stood in line while the loop did not come
        return data

    def write(self, data: bytes) -> None:
        """Send a request; if there is no room for its few bytes, it was not sent."""
        with contextlib.suppress(BlockingIOError):  # pyserial's own write would wait for room
            os.write(self._fd, data)

    def wake(self, clock: Clock) -> None:
        """End `clock`'s wait when something arrives."""
        self._clock = clock
        clock.watch(self._fd)

    def close(self) -> None:
        """Give it back."""
        if self._clock is not None:
            self._clock.unwatch(self._fd)
            self._clock = None
        self._port.close()


def open_tty(path: str, baud: int) -> Tty:
    """The port at `path`. Raises PortMissingError, HardwareError that says who has it."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:  # the latter for a path that cannot be one
        raise _refusal(path, error) from error
    try:
        device = os.fstat(fd).st_rdev if os.isatty(fd) else None
    finally:
        os.close(fd)
    if device is None:
        raise HardwareError(f'sensor.port = "{path}": not a serial port; see ls -l /dev/serial*')
    if (holder := _holder(device)) is not None:
        raise HardwareError(f'sensor.port = "{path}": {holder}')
    try:
        port = serial.Serial(path, baud, timeout=0, exclusive=True)
        _drop_broken_bytes(port.fileno())
    except (OSError, ValueError, termios.error) as error:  # pyserial lets all of them out
        raise _refusal(path, error) from error
    return Tty(port)


def _drop_broken_bytes(fd: int) -> None:
    """A byte without its stop bit, and a line held low, are no bytes; left alone, they are."""
    flags = termios.tcgetattr(fd)
    flags[0] |= termios.INPCK | termios.IGNPAR | termios.IGNBRK
    termios.tcsetattr(fd, termios.TCSANOW, flags)


def _refusal(path: str, error: Exception) -> HardwareError:
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO):
        return PortMissingError(
            f'sensor.port = "{path}": no such port; plug it in, or switch it on'
        )
    if number in (errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
        return HardwareError(f'sensor.port = "{path}": not a serial port; see ls -l /dev/serial*')
    remedies = {
        errno.EACCES: "no permission; add the user to group dialout and log in again",
        errno.EAGAIN: "held by another program; end it, or choose another port",
        errno.EBUSY: "held by another program; end it, or choose another port",
    }
    remedy = remedies.get(number or 0, f"cannot be used ({error}); choose a serial port")
    return HardwareError(f'sensor.port = "{path}": {remedy}')


def _holder(device: int) -> str | None:
    """Who has the character device open besides us, with the remedy; None when nobody is seen."""
    if _is_console(device):
        return "the kernel's console is on it; sudo raspi-config nonint do_serial_cons 1, reboot"
    who = procs.holders(lambda link: _device(link) == device)
    return f"held by {who[0]}; end it, or choose another port" if who else None


def _device(link: Path) -> int | None:
    try:
        target = link.readlink()
        return target.stat().st_rdev if target.is_relative_to("/dev") else None
    except OSError:
        return None


def _is_console(device: int) -> bool:
    try:
        words = (procs.PROC / "consoles").read_text("utf-8", "replace").split()
    except OSError:
        return False
    return f"{os.major(device)}:{os.minor(device)}" in words
