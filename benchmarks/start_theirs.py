"""From process start to the first ping of a DistanceSensor script; arguments as for start_ours."""

import sys
import threading
import time
import warnings

from gpiozero import Buzzer, DistanceSensor

from device.clock import MonotonicClock, PacedClock
from device.pins.mock import MockBoard

TRIGGER, ECHO, BUZZER = 23, 24, 18


def main() -> None:
    """Print seconds from the stamp to the end of the first trigger pulse."""
    warnings.simplefilter("ignore")
    behind, spawned_s = sys.argv[1], float(sys.argv[3])
    if behind == "world":
        from device.settings import Settings  # noqa: PLC0415 - the simulation's, not the script's
        from device.sim import scenario  # noqa: PLC0415
        from device.sim.rig import Rig  # noqa: PLC0415

        board = Rig(scenario.load("wall"), Settings(), 1, PacedClock()).board
    else:
        board = MockBoard(MonotonicClock())
    heard_s: list[float] = []
    heard = threading.Event()

    def on_trigger(_t_s: float, level: float) -> None:
        if not level:
            heard_s.append(time.monotonic())
            heard.set()

    board.line(TRIGGER).watch(on_trigger)
    sensor = DistanceSensor(
        echo=ECHO, trigger=TRIGGER, max_distance=4.0, threshold_distance=1.0, pin_factory=board
    )
    buzzer = Buzzer(BUZZER, pin_factory=board)
    sensor.when_in_range = buzzer.on
    sensor.when_out_of_range = buzzer.off
    heard.wait()
    sys.stdout.write(f"{heard_s[0] - spawned_s}\n")
