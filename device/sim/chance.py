"""What differs from one seed to the next: the pace, the step in progress, the person.

Everything that is drawn once a walk is drawn here and written into the scenario, so that
the rest of the simulator reads one scenario in which nothing is left open.

The reaction time is lognormal, as reaction times are: most people are near the median,
a few take long, nobody is before the signal. The default's median of 0.60 s and 95 % of
1.0 s lie above the 0.46 s (young) and 0.57 s (old) in which people walking forward
begin an unplanned stop (Tirosh & Sparrow 2005), since no figure exists for walking
backward; fit and rehab are scaled from it as the profiles' needs are (assumed).
"""

import math
import random
from statistics import NormalDist

import msgspec
from msgspec import Struct

from device.settings import Profile
from device.sim.scenario import Obstacle, Scenario, Walker


class Reaction(Struct, frozen=True):
    """A lognormal reaction time, seconds."""

    median_s: float
    p95_s: float

    def draw(self, rng: random.Random) -> float:
        """One person's, this time."""
        sigma = math.log(self.p95_s / self.median_s) / NormalDist().inv_cdf(0.95)
        return self.median_s * math.exp(sigma * rng.gauss(0.0, 1.0))


REACTIONS: dict[Profile, Reaction] = {
    "fit": Reaction(0.42, 0.70),
    "default": Reaction(0.60, 1.00),
    "rehab": Reaction(0.80, 1.33),
}


def drawn(scenario: Scenario, profile: Profile, rng: random.Random) -> Scenario:
    """`scenario` as this walk has it."""
    walker = scenario.walker
    pace = 1.0 + walker.speed_spread * rng.uniform(-1.0, 1.0)
    back_m = walker.start_spread_m * rng.random()
    phase = rng.random()
    reaction_s = REACTIONS[profile].draw(rng)
    manner: Walker = msgspec.structs.replace(
        walker,
        legs=tuple(
            msgspec.structs.replace(leg, speed_mps=leg.speed_mps * pace) for leg in walker.legs
        ),
        forward_mps=walker.forward_mps * pace,
        phase=(walker.phase + phase) % 1.0,
        reaction_s=reaction_s if walker.reaction_s is None else walker.reaction_s,
    )
    obstacles = tuple(_obstacle(obstacle, back_m, rng) for obstacle in scenario.obstacles)
    changed: Scenario = msgspec.structs.replace(scenario, walker=manner, obstacles=obstacles)
    return changed


def _obstacle(obstacle: Obstacle, back_m: float, rng: random.Random) -> Obstacle:
    seen_to_m = obstacle.seen_to_m
    if obstacle.seen_to_least_m is not None:
        seen_to_m = rng.uniform(obstacle.seen_to_least_m, seen_to_m)
    along_m = obstacle.along_m if obstacle.follows else obstacle.along_m + back_m
    replaced: Obstacle = msgspec.structs.replace(obstacle, along_m=along_m, seen_to_m=seen_to_m)
    return replaced
