"""The world at one moment: what a ping hears, and what is true.

`listen` is the ear: the nearest echo that survives the beam, the angle, the
absorbing cloth and the air, with noise, or something that is not there: a raindrop's
ghost, another device, a drop on the transducer. `gap_m` is the truth: how much free way
the trunk has behind it, whether or not sound can tell.
"""

import math
import random
from collections.abc import Callable

from device.physics import speed_of_sound_mps
from device.sim import obstacles
from device.sim.obstacles import HC_SR04, Ear, Return
from device.sim.scenario import Obstacle, Phantom, Scenario
from device.sim.walker import Walker

HALF_WIDTH_M = 0.25
"""Half of a person's width at the hip, arms included."""
CROSSTALK_NEAR_M, CROSSTALK_FAR_M = 0.3, 4.0
SPEED_OVER_S = 0.1
LOOKS_M = 4.0
"""Who goes on after a stop goes round what stands in their way so near."""


class World:
    """A scenario, alive."""

    def __init__(
        self,
        scenario: Scenario,
        rng: random.Random,
        at: Callable[[float, Callable[[], None]], None],
        ear: Ear = HC_SR04,
    ) -> None:
        """`rng` decides everything uncertain; `at` books a callback in the world's time."""
        self.scenario = scenario
        self.walker = Walker(scenario.walker, at, self._go_round)
        self.sound_mps = speed_of_sound_mps(scenario.air.temperature_c)
        self._obstacles = scenario.obstacles
        self._air = scenario.air
        self._ear = ear
        self._crosstalk_left = 0
        self._rng = rng

    def listen(self, t_s: float) -> float | None:
        """Distance in metres of the first echo to a ping at `t_s`, or None."""
        air, rng, scenario = self._air, self._rng, self.scenario
        first_m = math.inf
        sound = not self._ear.light
        if sound and air.ghosts and rng.random() < air.ghosts:
            first_m = rng.uniform(air.ghost_near_m, air.ghost_far_m)
        if sound and air.crosstalk:
            first_m = min(first_m, self._crosstalk_m())
        for phantom in scenario.phantoms:
            if active(phantom, t_s):
                first_m = min(first_m, max(0.0, rng.uniform(phantom.near_m, phantom.far_m)))
                if phantom.blinds:
                    return first_m
        if self._obstacles or scenario.ground is not None:
            first_m = min(first_m, self._real_echo_m(t_s))
        return None if first_m == math.inf else first_m

    def hearing(self, obstacle: Obstacle, t_s: float, turned_deg: float = 0.0) -> Return | None:
        """What `obstacle` gives back to a trunk so far turned aside; None when nothing can."""
        x_m, _ = self.walker.place(t_s)
        heading_deg = self.walker.heading_deg(t_s) + turned_deg
        return obstacles.echo(obstacle, t_s, x_m, heading_deg, self._ear)

    def gap_m(self, t_s: float) -> float | None:
        """Free way behind the trunk, metres; None for an open field."""
        return self.gap_at(t_s, self.walker.place(t_s)[0])

    def gap_at(self, t_s: float, x_m: float) -> float | None:
        """The same for a trunk that is at `x_m` along the way."""
        gaps = (obstacles.gap_m(o, t_s, x_m, HALF_WIDTH_M) for o in self._obstacles)
        return min((gap for gap in gaps if gap is not None), default=None)

    def gap_to(self, obstacle: Obstacle, t_s: float) -> float | None:
        """The same for one obstacle; None when a trunk that goes straight on misses it."""
        return obstacles.gap_m(obstacle, t_s, self.walker.place(t_s)[0], HALF_WIDTH_M)

    def ahead_m(self, obstacle: Obstacle, t_s: float, x_m: float) -> float:
        """How far behind a trunk at `x_m` the middle of `obstacle` is, along the way."""
        return obstacles.place_m(obstacle, t_s, x_m)[0] - x_m

    def closing_mps(self, obstacle: Obstacle, t_s: float) -> float:
        """How fast the way to `obstacle` shrinks, over the tenth of a second before `t_s`."""
        before_s = t_s - SPEED_OVER_S
        before_m = self.ahead_m(obstacle, before_s, self.walker.place(before_s)[0])
        ahead_m = self.ahead_m(obstacle, t_s, self.walker.place(t_s)[0])
        return (before_m - ahead_m) / SPEED_OVER_S

    def _go_round(self, t_s: float) -> None:
        """What stands in the walker's way is not in it any more; what moves will see to itself."""
        self._obstacles = tuple(o for o in self._obstacles if not self._blocks(o, t_s))

    def _blocks(self, obstacle: Obstacle, t_s: float) -> bool:
        if obstacle.follows or obstacle.along_mps or obstacle.across_mps:
            return False
        gap_m = self.gap_to(obstacle, t_s)
        return gap_m is not None and gap_m <= LOOKS_M

    def _crosstalk_m(self) -> float:
        """Another device's ping, taken for an echo of ours; inf when there is none."""
        air, rng = self._air, self._rng
        if not self._crosstalk_left and rng.random() < air.crosstalk / air.crosstalk_run:
            self._crosstalk_left = air.crosstalk_run
        if not self._crosstalk_left:
            return math.inf
        self._crosstalk_left -= 1
        return rng.uniform(CROSSTALK_NEAR_M, CROSSTALK_FAR_M)

    def _real_echo_m(self, t_s: float) -> float:
        """The first echo of something that is there; inf when none comes back."""
        air, rng = self._air, self._rng
        walker_m, _ = self.walker.place(t_s)
        sensor_m, heading_deg = self.walker.sensor(t_s)
        first_m = math.inf
        for obstacle in self._obstacles:
            found = obstacles.echo(obstacle, t_s, sensor_m, heading_deg, self._ear, walker_m)
            if found is None or rng.random() < found.loss:
                continue
            distance_m = rng.gauss(found.distance_m, air.noise_m + obstacle.noise_m)
            if obstacle.depth_m:
                distance_m += rng.uniform(0.0, obstacle.depth_m)
            first_m = min(first_m, distance_m)
        ground = self.scenario.ground
        if ground is not None and rng.random() >= ground.loss:
            at_m = obstacles.ground_m(ground, self.walker.nod_deg(t_s), self._ear.half_angle_deg)
            if at_m is not None:
                first_m = min(first_m, at_m + rng.uniform(0.0, ground.depth_m))
        if first_m == math.inf or self._ear.light:
            return first_m
        if air.loss and rng.random() < air.loss:
            return math.inf
        if air.multipath and rng.random() < air.multipath:
            first_m *= 2.0
        return max(0.0, first_m)


def active(phantom: Phantom, t_s: float) -> bool:
    """Whether `phantom` is heard at `t_s`."""
    since_s = t_s - phantom.from_s
    if phantom.every_s is not None and since_s >= 0.0:
        since_s %= phantom.every_s
    return 0.0 <= since_s < phantom.for_s
