"""How the last run ended, and how often in a row it ended unbidden.

A run notes its beginning in the runtime directory and takes the note away when it ends as it
should. A note that is still there tells of one that did not: killed, hung, crashed. Three such
ends, each within a minute of its beginning, are a crash loop: something in the settings or in
what is optional may be the cause, so the next run leaves both out and says so.

The runtime directory is gone with the power. That is meant: pulling the plug is how most
people switch a device off, and a "restarted" at each switching on would tell nobody anything.
"""

import contextlib
import time
from pathlib import Path

import msgspec
from msgspec import Struct

QUICK_S = 60.0
"""An end sooner than this after its beginning may be the beginning's fault."""
LOOP = 3
NOTE = "starts.json"


class Note(Struct, frozen=True):
    """What a run leaves: when it began (CLOCK_MONOTONIC), and the quick ends before it.

    `excused`: its own end is none of them.
    """

    began_s: float
    quick_ends: int = 0
    excused: bool = False


class Beginning(Struct, frozen=True):
    """What is known at the start of a run."""

    restarted: bool = False
    quick_ends: int = 0

    @property
    def looping(self) -> bool:
        """Time for safe settings."""
        return self.quick_ends >= LOOP


def begin(folder: Path | None) -> Beginning:
    """Look at the last run's note and leave one; without a folder nothing is known."""
    if folder is None:
        return Beginning()
    now_s = time.monotonic()
    beginning = Beginning()
    try:
        last = msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, msgspec.MsgspecError, RecursionError):
        beginning = Beginning(restarted=True)
    else:
        quick = now_s - last.began_s < QUICK_S
        quick_ends = last.quick_ends + (not last.excused)
        beginning = Beginning(restarted=True, quick_ends=quick_ends if quick else 0)
    _leave(folder, Note(now_s, beginning.quick_ends))
    return beginning


def excuse(folder: Path | None, beginning: Beginning) -> None:
    """This run could not begin, and said why; what was known at its start is for the next."""
    if folder is None or not beginning.restarted:
        end(folder)
    else:
        _leave(folder, Note(time.monotonic(), beginning.quick_ends, excused=True))


def end(folder: Path | None) -> None:
    """This run ended as it should."""
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / NOTE).unlink(missing_ok=True)


def _leave(folder: Path, note: Note) -> None:
    with contextlib.suppress(OSError):
        (folder / NOTE).write_bytes(msgspec.json.encode(note))
