"""The world at one moment: what a ping hears, and what is true.

`listen` is the ear: the nearest echo that survives the beam, the angle, the
absorbing cloth and the air, with noise, or a ghost. `gap_m` is the truth: how much
free way the trunk has behind it, whether or not sound can tell.
"""

import random
from collections.abc import Callable

from device.physics import speed_of_sound_mps
from device.sim import obstacles
from device.sim.scenario import Scenario
from device.sim.walker import Walker

HALF_WIDTH_M = 0.25
"""Half of a person's width at the hip, arms included."""


class World:
    """A scenario, alive."""

    def __init__(
        self,
        scenario: Scenario,
        rng: random.Random,
        at: Callable[[float, Callable[[], None]], None],
    ) -> None:
        """`rng` decides everything uncertain; `at` books a callback in the world's time."""
        self.walker = Walker(scenario.walker, at)
        self.sound_mps = speed_of_sound_mps(scenario.air.temperature_c)
        self._obstacles = scenario.obstacles
        self._air = scenario.air
        self._half_angle_deg = scenario.part.beam_half_angle_deg
        self._rng = rng

    def listen(self, t_s: float) -> float | None:
        """Distance in metres of the first echo to a ping at `t_s`, or None."""
        air, rng = self._air, self._rng
        ghost_m = None
        if air.ghosts and rng.random() < air.ghosts:
            ghost_m = rng.uniform(air.ghost_near_m, air.ghost_far_m)
        heard_m = self._first_echo_m(t_s) if self._obstacles else None
        if ghost_m is not None and (heard_m is None or ghost_m < heard_m):
            return ghost_m
        return heard_m

    def gap_m(self, t_s: float) -> float | None:
        """Free way behind the trunk, metres; None for an open field."""
        x_m, _ = self.walker.place(t_s)
        gaps = (obstacles.gap_m(o, t_s, x_m, HALF_WIDTH_M) for o in self._obstacles)
        return min((gap for gap in gaps if gap is not None), default=None)

    def _first_echo_m(self, t_s: float) -> float | None:
        air, rng = self._air, self._rng
        walker_m, _ = self.walker.place(t_s)
        sensor_m, heading_deg = self.walker.sensor(t_s)
        first_m = None
        for obstacle in self._obstacles:
            found = obstacles.echo(
                obstacle, t_s, sensor_m, heading_deg, self._half_angle_deg, walker_m
            )
            if found is None or rng.random() < found.loss:
                continue
            distance_m = rng.gauss(found.distance_m, air.noise_m + obstacle.noise_m)
            if first_m is None or distance_m < first_m:
                first_m = distance_m
        if first_m is None or (air.loss and rng.random() < air.loss):
            return None
        return max(0.0, first_m)
