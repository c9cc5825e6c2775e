"""From process start to rearguard's first ping: `... "world" or "board", the spawner's stamp`.

"world" has the simulated world and the sensor's twin behind the pins, as
`rearguard run` has with `factory = "mock"`. "board" has nothing behind them: no
simulation is imported, as on a Pi.
"""

import random
import sys
import time

from device.clock import MonotonicClock, PacedClock
from device.loop import assemble
from device.pins.mock import MockBoard
from device.settings import Settings


def main() -> None:
    """Print seconds from the stamp to the end of the first trigger pulse."""
    behind, spawned_s = sys.argv[1], float(sys.argv[2])
    settings, rng = Settings(), random.Random(1)
    if behind == "world":
        from device.sim import scenario  # noqa: PLC0415 - on a Pi it is not imported
        from device.sim.rig import Rig  # noqa: PLC0415

        clock: MonotonicClock | PacedClock = PacedClock()
        rig = Rig(scenario.load("wall"), settings, 1, clock)
        board, rng = rig.board, rig.device_rng
    else:
        clock = MonotonicClock()
        board = MockBoard(clock)
    heard_s: list[float] = []

    def on_trigger(_t_s: float, level: float) -> None:
        if not level:
            heard_s.append(time.monotonic())
            ticker.stop()

    with assemble(settings, clock, board, rng) as device:
        ticker = device.ticker()
        board.line(settings.sensor.trigger_pin).watch(on_trigger)
        device.run(ticker, lambda _step: None)
    sys.stdout.write(f"{heard_s[0] - spawned_s}\n")
