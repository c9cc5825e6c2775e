"""The far end of the simulated chip's lines, through gpio-sim's files in /sys.

A line that the program under test drives is read, and awaited, at `value`; a line that it reads
is driven by `pull`. Lines are GPIO (BCM) numbers. `value` becomes ready for select() (as an
exceptional condition) at every write of the program's, whether the level changed or not: that is
this kernel's patch, not Linux.
"""

import os
from pathlib import Path

HEADER = "pinctrl-bcm2711"
_SYS = Path("/sys/bus/gpio/devices")


class SimChip:
    """gpiochip0, unless told otherwise."""

    def __init__(self, name: str = "gpiochip0") -> None:
        """Opens nothing yet."""
        self._base = (_SYS / name).resolve()
        self._fds: dict[tuple[int, str], int] = {}

    def fd(self, line: int) -> int:
        """A file to wait on for the program's writes to `line`."""
        return self._fd(line, "value", os.O_RDONLY)

    def level(self, line: int) -> bool:
        """The line now, as the program drives it, or sees it."""
        return os.pread(self.fd(line), 8, 0)[:1] == b"1"

    def drive(self, line: int, high: bool) -> None:
        """From outside; it stays so when the program lets go."""
        os.pwrite(self._fd(line, "pull", os.O_WRONLY), b"pull-up" if high else b"pull-down", 0)

    def _fd(self, line: int, name: str, flags: int) -> int:
        key = (line, name)
        if key not in self._fds:
            self._fds[key] = os.open(self._base / f"sim_gpio{line}" / name, flags)
        return self._fds[key]
