"""Who else has a thing open, as /proc tells it.

"Busy" is no answer for someone with a soldering iron in hand: the program that has the
serial port or the GPIO line has a name and a process number. Without root only one's own
user's programs are seen; then the answer is that nobody is.
"""

import os
from collections.abc import Callable
from pathlib import Path

PROC = Path("/proc")


def holders(is_it: Callable[[Path], bool]) -> list[str]:
    """The programs, other than this, with an open file of which `is_it(/proc/PID/fd/N)` is true.

    Each as "name (process 123)"; those that may be seen.
    """
    found = []
    for folder in PROC.glob("[0-9]*/fd"):
        pid = folder.parent.name
        if int(pid) == os.getpid():
            continue
        try:
            holds = any(is_it(link) for link in folder.iterdir())
            name = (folder.parent / "comm").read_text("utf-8", "replace").strip()
        except OSError:  # another user's, or it has ended
            continue
        if holds:
            found.append(f"{name} (process {pid})")
    return found
