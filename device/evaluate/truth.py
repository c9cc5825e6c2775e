"""What was really there: the level that an all-knowing device would have shown.

It looks at the world only, never at an echo. Two readings of it are needed. *Due*: a
thing that can be heard (it loses less than two pings of three) meets a level's
condition, so the level is owed from this instant on; onset, hold and misses are counted
against this. *Excusable*: some real thing, heard or not, meets the condition with the
margins of an honest device: 10 % and 0.1 m of distance (cold air is assumed, 5 %; noise
and gait are the rest), 30 % of time (a step swings the speed by 0.23 m/s). A level above
what is excusable is a false alarm.
"""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from device.core.track import time_to_collision_s
from device.evaluate.spans import merged
from device.profiles import THRESHOLDS, Threshold
from device.settings import Profile
from device.sim.obstacles import off_deg
from device.sim.scenario import Obstacle
from device.sim.world import SPEED_OVER_S, World

GRID_S = 0.1
FINE_S = 0.001
HEARD_LOSS = 0.66
FORGIVEN_SHARE, FORGIVEN_M, FORGIVEN_TTC = 1.10, 0.10, 1.30
RECEDING_MPS = -0.15
FACING_DEG = 60.0
"""Turned farther, the wearer does not walk into what is behind them along the way."""
LEVELS = (4, 3, 2, 1)


class Fact(NamedTuple):
    """From `t_s` on: the level that is due and the one that is excusable, 0 to 4."""

    t_s: float
    due: int
    excusable: int
    receding: bool


class Truth:
    """The levels that one world deserves, by one profile's own thresholds."""

    def __init__(self, world: World, profile: Profile) -> None:
        """Overridden thresholds do not count: a weakened device is not forgiven."""
        self._world = world
        limits = THRESHOLDS[profile]
        self._limits = limits
        self._forgiven = tuple(
            Threshold(t.distance_m * FORGIVEN_SHARE + FORGIVEN_M, t.ttc_s * FORGIVEN_TTC)
            for t in limits
        )

    def timeline(self, duration_s: float) -> list[Fact]:
        """Every change of what is true, each found to a millisecond."""
        facts = [self.at(0.0)]
        if not self._world.scenario.obstacles:
            return facts
        for i in itertools.count(1):
            t_s = min(i * GRID_S, duration_s)
            while (now := self.at(t_s))[1:] != facts[-1][1:]:
                facts.append(self._change(facts[-1], now))
            if t_s >= duration_s:
                return facts
        raise AssertionError

    def _change(self, before: Fact, after: Fact) -> Fact:
        low_s, high = max(before.t_s, after.t_s - GRID_S), after
        while high.t_s - low_s > FINE_S:
            middle = self.at((low_s + high.t_s) / 2)
            if middle[1:] == before[1:]:
                low_s = middle.t_s
            else:
                high = middle
        return high

    def at(self, t_s: float) -> Fact:
        """What is true at one instant."""
        due = excusable = 0
        receding = False
        for obstacle in self._world.scenario.obstacles:
            for heard, distance_m, closing_mps in self._sights(obstacle, t_s):
                excusable = max(excusable, _level(self._forgiven, distance_m, closing_mps))
                if heard and (level := _level(self._limits, distance_m, closing_mps)) > due:
                    due, receding = level, closing_mps < RECEDING_MPS
        return Fact(t_s, due, excusable, receding)

    def _sights(self, obstacle: Obstacle, t_s: float) -> Iterator[tuple[bool, float, float]]:
        """(can be heard, distance, closing speed): along the beam, and in the lane."""
        world, before_s = self._world, t_s - SPEED_OVER_S
        sway_deg = world.scenario.walker.sway_deg
        for turned_deg in (0.0, sway_deg, -sway_deg):
            echo = world.hearing(obstacle, t_s, turned_deg)
            if echo is not None:
                earlier = world.hearing(obstacle, before_s, turned_deg)
                closing = 0.0 if earlier is None else earlier.distance_m - echo.distance_m
                due = turned_deg == 0.0 and echo.loss <= HEARD_LOSS
                yield due, echo.distance_m, closing / SPEED_OVER_S
                break  # what is heard only now and then, as the trunk sways, excuses and is not due
        gap_m = world.gap_to(obstacle, t_s)
        if gap_m is not None and off_deg(world.walker.heading_deg(t_s)) <= FACING_DEG:
            # Along the way, not to the edge: someone who steps in from the side comes no nearer.
            yield False, gap_m, world.closing_mps(obstacle, t_s)


def _level(limits: tuple[Threshold, ...], distance_m: float, closing_mps: float) -> int:
    ttc_s = time_to_collision_s(distance_m, closing_mps)
    for level in LEVELS:
        limit = limits[level - 1]
        if distance_m <= limit.distance_m or ttc_s <= limit.ttc_s:
            return level
    return 0


def blind_spans(world: World, duration_s: float) -> list[tuple[float, float]]:
    """When something on the transducer hides the world, as (from, to) in seconds."""
    spans = []
    for phantom in world.scenario.phantoms:
        from_s = phantom.from_s
        while phantom.blinds and from_s < duration_s:
            spans.append((from_s, min(from_s + phantom.for_s, duration_s)))
            from_s = math.inf if phantom.every_s is None else from_s + phantom.every_s
    return merged(spans)
