"""The simulated wearer: when a stop was needed, and what a warning would have made of it.

The walk is a formula, so what the person would have done need not be simulated again:
they keep on until the reaction time after the first urgent signal for which there is a
reason, then brake evenly. They touch when the heel, a quarter of a metre behind the trunk,
reaches the thing.

Not every touch can be prevented. An approach is *detectable* when a perfect listener
hears the thing at least eight times, coming nearer, in the last second before a warning
is needed: three echoes prove an object, and a quarter of a second more tells its speed.
And it is *avoidable* when someone who brakes at the instant of need does not touch: a
cyclist does not stop because the walker does.
"""

import math
from typing import NamedTuple

from device.profiles import HEEL_LEAD_M, THRESHOLDS, needed_m
from device.settings import Profile
from device.sim import obstacles
from device.sim.scenario import Obstacle
from device.sim.world import HALF_WIDTH_M, World

GRID_S = 0.02
LEAST_TOUCH_MPS = 0.01
"""Slower than this is standing against it."""
HEARD_OFTEN = 8.0
LISTENED_S = 1.0
PING_S = 0.04


class Need(NamedTuple):
    """The last instant at which DANGER is in time, before an approach that ends in a touch."""

    t_s: float
    gap_m: float
    closing_mps: float
    touch_s: float
    touch_mps: float
    heard: float
    """How many echoes of it a perfect listener has in the second before."""
    avoidable: bool

    @property
    def detectable(self) -> bool:
        """Whether any device of this kind could know."""
        return self.heard >= HEARD_OFTEN


class Person:
    """One wearer on one walk, who does as they are told, after a while."""

    def __init__(self, world: World, profile: Profile) -> None:
        """`world` is one that nobody has walked in yet: its walker has not been stopped."""
        self._world = world
        self._profile = profile
        self._braking_mps2 = world.scenario.walker.braking_mps2
        self.reaction_s = world.scenario.walker.reaction_s or 0.0

    def need(self, duration_s: float) -> Need | None:
        """When this walk needs a warning; None when it ends without a touch."""
        scenario = self._world.scenario
        if not scenario.obstacles:
            return None
        touch = self.touch(None, duration_s)
        if touch is None:
            return None
        touch_s, touch_mps = touch
        hazard = self._hazard(touch_s)
        t_s = touch_s
        while t_s > 0.0:
            gap_m = self._world.gap_to(hazard, t_s)
            closing_mps = max(0.0, self._world.closing_mps(hazard, t_s))
            if gap_m is None or gap_m > needed_m(self._profile, closing_mps):
                break
            t_s -= GRID_S
        t_s = max(0.0, t_s)
        gap_m = self._world.gap_to(hazard, t_s)
        return Need(
            round(t_s, 3),
            0.0 if gap_m is None else round(gap_m, 3),
            round(self._world.closing_mps(hazard, t_s), 3),
            touch_s,
            touch_mps,
            round(self._heard(hazard, t_s), 1),
            self.touch(t_s, duration_s) is None,
        )

    def gap_m(self, t_s: float) -> float | None:
        """Free way at `t_s` for someone who was never warned, metres."""
        return self._world.gap_m(t_s)

    def touch(self, brake_s: float | None, until_s: float) -> tuple[float, float] | None:
        """(when, at which closing speed) this person touches, braking from `brake_s` on."""
        world = self._world
        for i in range(int(until_s / GRID_S) + 1):
            t_s = i * GRID_S
            x_m = self._place_m(t_s, brake_s)
            gap_m = world.gap_at(t_s, x_m)
            if gap_m is not None and gap_m <= HEEL_LEAD_M:
                before_s = t_s - GRID_S
                before_x_m = self._place_m(before_s, brake_s)
                hazard = self._nearest(t_s, x_m)
                nearer_m = world.ahead_m(hazard, before_s, before_x_m) - world.ahead_m(
                    hazard, t_s, x_m
                )
                if nearer_m > LEAST_TOUCH_MPS * GRID_S:
                    return round(t_s, 3), round(nearer_m / GRID_S, 3)
        return None

    def _place_m(self, t_s: float, brake_s: float | None) -> float:
        if brake_s is None or t_s <= brake_s:
            return self._world.walker.place(t_s)[0]
        x_m, speed_mps = self._world.walker.place(brake_s)
        for_s = min(t_s - brake_s, abs(speed_mps) / self._braking_mps2)
        slowing = self._braking_mps2 if speed_mps > 0 else -self._braking_mps2
        return x_m + speed_mps * for_s - slowing * for_s * for_s / 2

    def _hazard(self, touch_s: float) -> Obstacle:
        """What is touched then."""
        return self._nearest(touch_s, self._world.walker.place(touch_s)[0])

    def _nearest(self, t_s: float, x_m: float) -> Obstacle:
        """Of what is in the lane of a trunk at `x_m`, the first that it would meet."""

        def gap_m(obstacle: Obstacle) -> float:
            found = obstacles.gap_m(obstacle, t_s, x_m, HALF_WIDTH_M)
            return math.inf if found is None else found

        return min(self._world.scenario.obstacles, key=gap_m)

    def _heard(self, hazard: Obstacle, need_s: float) -> float:
        """Echoes expected of `hazard` in the second before `need_s`."""
        instants = (need_s - i * PING_S for i in range(int(LISTENED_S / PING_S)))
        telling = (t_s for t_s in instants if t_s > 0.0 and self._telling(hazard, t_s))
        echoes = (self._world.hearing(hazard, t_s) for t_s in telling)
        kept = 1.0 - self._world.scenario.air.loss
        return sum((1.0 - echo.loss) * kept for echo in echoes if echo is not None)

    def _telling(self, hazard: Obstacle, t_s: float) -> bool:
        """Whether an echo then can tell of danger: it comes nearer, or is at STOP's distance.

        Farther off nobody can know of someone who stands that they are about to set off.
        """
        gap_m = self._world.gap_to(hazard, t_s)
        stop_m = THRESHOLDS[self._profile][3].distance_m
        return self._world.closing_mps(hazard, t_s) > 0.0 or (gap_m is not None and gap_m <= stop_m)
