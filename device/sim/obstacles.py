"""Echo geometry: what a beam of given width, from here and turned so, gets back from a thing.

A wall is a mirror for sound. It answers from the foot of the perpendicular while
that lies in the beam, and the more it is turned away the more pings it loses:
5 % at 10 degrees, 40 % at 20, 80 % at 30, 95 % at 45 (measured on a flat panel).
Round things answer from any side while they are in the beam and near enough.
"""

import itertools
import math
from typing import NamedTuple

from device.sim.scenario import Ground, Obstacle

GRAZING_DEG = 80.0
"""Light that meets a wall at such a slant is not taken to come back (assumed)."""
WALL_LOSS = ((0.0, 0.0), (10.0, 0.05), (20.0, 0.40), (30.0, 0.80), (45.0, 0.95), (60.0, 1.0))


class Ear(NamedTuple):
    """What listens: how wide, by light or by sound, and how far light reaches."""

    half_angle_deg: float
    light: bool = False
    reach_m: float = 4.0


HC_SR04 = Ear(15.0)


class Return(NamedTuple):
    """An echo that may come: its distance in metres and the share of pings that lose it."""

    distance_m: float
    loss: float


def off_deg(angle_deg: float) -> float:
    """How far an angle is from straight on, 0 to 180 degrees, however often it went round."""
    return abs((angle_deg + 180.0) % 360.0 - 180.0)


def place_m(obstacle: Obstacle, t_s: float, walker_m: float) -> tuple[float, float]:
    """(along, across) of an obstacle's centre at `t_s`, metres."""
    moving_s = max(0.0, t_s - obstacle.from_s)
    if obstacle.every_s is not None:
        moving_s %= obstacle.every_s
    along_m = obstacle.along_m + obstacle.along_mps * moving_s
    if obstacle.follows:
        along_m += walker_m + obstacle.wander_m * math.sin(math.tau * t_s / obstacle.wander_s)
    if obstacle.every_m is not None:  # the next of them
        along_m = walker_m + (along_m - walker_m) % obstacle.every_m
    return along_m, obstacle.across_m + obstacle.across_mps * moving_s


def gap_m(obstacle: Obstacle, t_s: float, walker_m: float, half_width_m: float) -> float | None:
    """Free way behind the trunk before it meets the obstacle; None when it never would."""
    along_m, across_m = place_m(obstacle, t_s, walker_m)
    ahead_m = along_m - walker_m
    if ahead_m < 0:
        return None
    if obstacle.shape == "wall":
        return max(0.0, ahead_m - half_width_m * abs(math.tan(math.radians(obstacle.angle_deg))))
    off_m = max(0.0, abs(across_m) - half_width_m)  # of the lane that meets it first
    if off_m >= obstacle.radius_m:
        return None
    return max(0.0, ahead_m - math.sqrt(obstacle.radius_m**2 - off_m**2))


def echo(
    obstacle: Obstacle,
    t_s: float,
    sensor_m: float,
    heading_deg: float,
    ear: Ear,
    walker_m: float | None = None,
) -> Return | None:
    """What comes back from `obstacle` to a ping at `t_s`; None when nothing can.

    `walker_m`: where the trunk is, when the sensor bobs about it.
    """
    along_m, across_m = place_m(obstacle, t_s, sensor_m if walker_m is None else walker_m)
    ahead_m = along_m - sensor_m
    half_angle_deg = ear.half_angle_deg
    if obstacle.half_angle_deg is not None:
        half_angle_deg = min(half_angle_deg, obstacle.half_angle_deg)
    if obstacle.shape == "wall":
        found = (
            _lit_wall(obstacle, ahead_m, heading_deg)
            if ear.light
            else _wall(obstacle, ahead_m, heading_deg, half_angle_deg)
        )
    else:
        found = _disc(obstacle, ahead_m, across_m, heading_deg, half_angle_deg)
    seen_to_m = obstacle.light_to_m if ear.light else obstacle.seen_to_m
    if seen_to_m is None or seen_to_m >= HC_SR04.reach_m:
        seen_to_m = ear.reach_m  # what the usual part hears as far as it can
    if found is None or not 0.0 < found.distance_m <= seen_to_m:
        return None
    return found._replace(loss=obstacle.light_loss) if ear.light else found


def _wall(
    obstacle: Obstacle, ahead_m: float, heading_deg: float, half_angle_deg: float
) -> Return | None:
    turned_deg = off_deg(obstacle.angle_deg - heading_deg)
    if turned_deg >= WALL_LOSS[-1][0]:
        return None
    square_m = ahead_m * math.cos(math.radians(obstacle.angle_deg))
    outside = math.radians(max(0.0, turned_deg - half_angle_deg))
    loss = _interpolate(turned_deg)
    return Return(square_m / math.cos(outside), 1 - (1 - loss) * (1 - obstacle.loss))


def _lit_wall(obstacle: Obstacle, ahead_m: float, heading_deg: float) -> Return | None:
    """Light comes back from rough things at any slant, from where its beam meets them."""
    turned_deg = off_deg(obstacle.angle_deg - heading_deg)
    if turned_deg >= GRAZING_DEG:
        return None
    square_m = ahead_m * math.cos(math.radians(obstacle.angle_deg))
    return Return(square_m / math.cos(math.radians(turned_deg)), 0.0)


def _disc(
    obstacle: Obstacle, ahead_m: float, across_m: float, heading_deg: float, half_angle_deg: float
) -> Return | None:
    centre_m = math.hypot(ahead_m, across_m)
    bearing_deg = math.degrees(math.atan2(across_m, ahead_m)) - heading_deg
    width_deg = math.degrees(math.asin(min(1.0, obstacle.radius_m / max(centre_m, 1e-9))))
    # A round thing half out of the beam still answers from the half that is in.
    if off_deg(bearing_deg) > half_angle_deg + width_deg / 2:
        return None
    return Return(max(0.01, centre_m - obstacle.radius_m), obstacle.loss)


def ground_m(ground: Ground, nod_deg: float, half_angle_deg: float) -> float | None:
    """Where the beam's lower edge, tipped down by `nod_deg`, meets the ground; None if nowhere."""
    below_deg = half_angle_deg + ground.slope_deg + nod_deg
    if below_deg <= 0.0:
        return None
    return ground.mount_m / math.sin(math.radians(min(90.0, below_deg)))


def _interpolate(angle_deg: float) -> float:
    for (a0, l0), (a1, l1) in itertools.pairwise(WALL_LOSS):
        if angle_deg <= a1:
            return l0 + (l1 - l0) * (angle_deg - a0) / (a1 - a0)
    return 1.0
