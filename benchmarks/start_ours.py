"""From process start to the first ping of `rearguard run`.

Arguments: "world" or "board", the configuration file, the spawner's monotonic stamp.
"world" is the command with `factory = "mock"`: simulated world and twin behind the
pins. "board" has a mock board with nothing behind it in place of the Pi's, so no
simulation is imported, as on a Pi.
"""

import os
import signal
import sys
import time

from device import cli, watch
from device.clock import MonotonicClock
from device.pins.mock import MockBoard

TRIGGER = 23


def main() -> None:
    """Print seconds from the stamp to the end of the first trigger pulse."""
    behind, config, spawned_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
    heard_s: list[float] = []

    def on_trigger(_t_s: float, level: float) -> None:
        if not level and not heard_s:
            heard_s.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGTERM)

    if behind == "world":
        from device.sim import rig  # noqa: PLC0415 - on a Pi it is not imported

        class WatchedRig(rig.Rig):
            def __init__(self, *arguments: object, **more: object) -> None:
                super().__init__(*arguments, **more)  # type: ignore[arg-type]
                self.board.line(TRIGGER).watch(on_trigger)

        setattr(rig, "Rig", WatchedRig)  # noqa: B010 - a seam of the benchmark's, not the type's
    else:
        board = MockBoard(MonotonicClock())
        board.line(TRIGGER).watch(on_trigger)
        setattr(watch, "open_board", lambda _name, _clock: board)  # noqa: B010
    cli.main(["run", "--config", config])
    sys.stdout.write(f"{heard_s[0] - spawned_s}\n")
