"""A simulated walk from end to end: rig, device, judge, whoever else observes.

The device is assembled by the same function as on a Pi; only the clock and the
board differ. On the virtual clock a walk takes a thousandth of its time.
"""

import time
from collections.abc import Callable, Sequence

from device import loop
from device.clock import VirtualClock
from device.core.pipeline import FIRST, Start, Step
from device.settings import Settings
from device.sim.rig import Rig
from device.sim.scenario import Scenario
from device.sim.summary import Judge, Summary


class Walk:
    """One simulated walk, ready to go."""

    def __init__(
        self,
        scenario: Scenario,
        settings: Settings,
        seed: int,
        clock: VirtualClock,
        start: Start = FIRST,
        week: int = 1,
    ) -> None:
        """Build the world; nothing moves yet. `week`: of the starter plan."""
        self._start, self.week = start, week
        self.scenario = scenario
        self.settings = settings
        self.clock = clock
        self.rig = Rig(scenario, settings, seed, clock)
        self._judge = Judge(self.rig, settings, seed)
        self._ticker: loop.Ticker | None = None
        self._took_s = 0.0
        self._stopped = False

    def stop(self) -> None:
        """End the walk after the step that is under way; safe from a signal handler."""
        self._stopped = True
        if self._ticker is not None:
            self._ticker.stop()

    def go(self, observers: Sequence[Callable[[Step], None]] = ()) -> Summary:
        """Walk to the scenario's end, every step shown to each observer."""
        judge, rig = self._judge, self.rig
        began_s = time.perf_counter()
        with loop.assemble(
            self.settings, self.clock, rig.board, rig.device_rng, rig.open_port, self._start
        ) as device:
            device.tell_week(self.week)
            self._ticker = device.ticker(self.scenario.duration_s)
            if self._stopped:
                self._ticker.stop()
            device.run(self._ticker, loop.fan_out([judge, *observers]))
        self._took_s = time.perf_counter() - began_s
        return judge.finish(min(round(self.clock.now(), 6), self.scenario.duration_s))

    def figures(self) -> dict[str, float]:
        """How the walk went for the computer: speed against real time, late steps."""
        if self._ticker is None:
            return {}
        stats, now_s = self._ticker.stats, self.clock.now()
        return {
            "times_real_time": round(now_s / max(self._took_s, 1e-9), 1),
            "overruns": stats.overruns,
            "worst_late_s": round(stats.worst_late_s, 6),
        }
