"""What time it is, and what may be believed of it.

A Pi has no battery behind its clock. What always holds is the boot, by the name that the kernel
gives it, and the seconds since then; the wall clock says something only after it was set.
"""

import time
from collections.abc import Callable
from pathlib import Path

SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
Wall = Callable[[], float | None]
"""Seconds since 1970 at this boot's beginning, or None while that is not known."""


def boot_id() -> str:
    """This boot's name; "" where the kernel has none."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def synchronised() -> bool:
    """Whether the wall clock is known to have been set since the boot.

    systemd-timesyncd says so, which Raspberry Pi OS has; where another program sets the clock, it
    is not known, and that is "no".
    """
    return SYNCHRONISED.exists()


def now_s() -> float:
    """Seconds since 1970, if this computer's clock is right."""
    return time.time()


def zero_wall_s() -> float | None:
    """What the wall clock said, or would have, when the monotonic clock began to count."""
    return time.time() - time.monotonic() if synchronised() else None
