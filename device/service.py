"""What systemd gives a service: a place for the run, a place that lasts, and an ear.

All of it by environment: $RUNTIME_DIRECTORY is gone with the power, $STATE_DIRECTORY stays,
$NOTIFY_SOCKET listens. By hand there is none of them, and each thing here then does nothing.
Nothing that is kept may cost an alert: a full or read-only card loses the note, not the walk.
"""

import contextlib
import mmap
import os
import resource
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from device import config, files, low, notify
from device.errors import ConfigError
from device.settings import Settings

SPIN_S = 0.15
"""A loop that computes for so long without a pause, at real-time priority, is ended."""
WAIT_S = 0.001
RELOAD_S = 4.0
"""Reading settings and opening with them computes for longer, on a small Pi."""
LAST_GOOD = "last-good.json"
PINS = "pins"
HEADER_LINES = 28


class Service:
    """The places and the ear; each may be missing."""

    def __init__(self, runtime: Path | None, state: Path | None, notifier: notify.Notifier) -> None:
        self.runtime = runtime
        self.state = state
        self.notifier = notifier

    @property
    def managed(self) -> bool:
        """Whether a service manager started this."""
        return self.runtime is not None or self.notifier.listened_to

    def note_outputs(self, device: Path, pins: Iterable[int]) -> None:
        """For `low`: what to drive low should this process die."""
        if self.runtime is not None:
            with contextlib.suppress(OSError):
                line = " ".join(map(str, (device, *pins)))
                (self.runtime / low.NOTE).write_text(line + "\n", encoding="utf-8")

    def last_good(self) -> Settings | None:
        """The settings with which the device last worked, where they were kept."""
        if self.state is None:
            return None
        path = self.state / LAST_GOOD
        try:
            settings = msgspec.json.decode(path.read_bytes(), type=Settings)
            config.judge(settings, str(path))
        except (OSError, msgspec.MsgspecError, RecursionError, ConfigError):
            return None
        return settings

    def keep_good(self, settings: Settings) -> None:
        """Keep them, in a thread: the card may be slow."""
        if self.state is not None:
            arguments = (self.state / LAST_GOOD, msgspec.json.encode(settings))
            with contextlib.suppress(RuntimeError):  # no more threads: no note
                threading.Thread(target=_keep, args=arguments, daemon=True).start()


def from_environ(environ: Mapping[str, str] = os.environ) -> Service:
    """What this process was given."""
    runtime, state = (environ.get(name) for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"))
    return Service(
        Path(runtime) if runtime else None,
        Path(state) if state else None,
        notify.from_environ(environ),
    )


def limit_spinning(for_s: float = SPIN_S) -> None:
    """From here on what spins for `for_s` at real-time priority is ended, and restarted.

    The kernel counts from a thread's last wait on, so here is one: what was computed until now is
    no spinning.
    """
    time.sleep(WAIT_S)
    _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    limit_us = round(for_s * 1e6)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (limit_us, hard))


def mirror(folder: Path) -> Callable[[int], Callable[[float, float], None]]:
    """Pin levels that outlive the process, as a Pi's do: a byte for each GPIO, "0" or "1".

    Returns what makes a mock pin's watcher from its number.
    """
    path = folder / PINS
    with path.open("a+b") as file:
        file.write(b"0" * (HEADER_LINES - file.tell()))
    with path.open("r+b") as file:
        levels = mmap.mmap(file.fileno(), HEADER_LINES)

    def watcher(number: int) -> Callable[[float, float], None]:
        levels[number : number + 1] = b"0"

        def show(_t_s: float, level: float) -> None:
            levels[number : number + 1] = b"1" if level else b"0"

        return show

    return watcher


def log(text: str) -> None:
    """One line on stderr, or nothing when the log does not take it: nobody waits for a log."""
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="backslashreplace") + b"\n")


def _keep(path: Path, content: bytes) -> None:
    with contextlib.suppress(OSError):
        if not path.exists() or path.read_bytes() != content:
            files.replace(path, content)
