"""What the beam finds at each distance, from the simulator's own model of it.

Seen from above, `device.sim.obstacles.echo` says of a person and of a post whether they give an
echo, and how many pings lose it. Seen from the side the same function is asked in the upright
plane: what a mount's height and tilt leave of the beam over low things, which is geometry alone
and takes an edge that is in the beam for heard. The scenario suite assumes otherwise, from the
distances at which such things were said to be heard: a curb never, a bench within 1 m only.

Distances in metres, from the sensor's face; the beam is a cone of the part's full angle.
"""

import io
import math
from typing import NamedTuple

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from device import profiles, sensors
from device.settings import Settings
from device.sim import obstacles, scenario
from device.sim.rig import ear
from device.sim.scenario import Air, Ground, Obstacle
from device.sim.world import HALF_WIDTH_M
from device.walks.picture import LEVEL_COLOURS, PLAIN


class Mount(NamedTuple):
    """How a sensor is worn. Height above the ground in metres; degrees, positive looks up."""

    driver: str
    model: str
    tilt_deg: float
    height_m: float = 1.0


MOUNTS = {
    "hc-sr04": Mount("hcsr04", "hc-sr04", 5.0),
    "a02yyuw": Mount("a02yyuw", "a02yyuw", 10.0),
    "jsn-sr04t": Mount("jsn_sr04t", "jsn-sr04t", 10.0),
    "tf-luna": Mount("tf_luna", "tf-luna", 0.0),
}
"""The recommended ones, by the name that the printable holder has."""
SHOWN = ("hc-sr04", "a02yyuw", "tf-luna")
STEP_M = 0.01
AIR_LOSS = Air().loss
"""The share of pings that the air alone loses, as in the scenarios."""
EDGE_M = 0.005
"""An upper edge, as something round."""
EDGES_M = {"curb": 0.15, "back rest": 0.8, "bench's seat": 0.45, "small child": 0.9}
"""How high low things are, in the guide's table."""
LOW_M = {called: high_m for called, high_m in EDGES_M.items() if called != "back rest"}
"""Those in the picture, where a back rest would lie on the child."""


class Span(NamedTuple):
    """From where to where something is found, and the share of pings that come back from it."""

    from_m: float
    to_m: float
    share: float


def part(mount: Mount) -> sensors.Model:
    """The sensor's own figures."""
    return sensors.models(mount.driver)[mount.model]


def things() -> dict[str, Obstacle]:
    """What the pictures from above show, as the scenarios have it."""
    return {
        "person": scenario.load("crossing").obstacles[0],
        "post": scenario.load("pole").obstacles[0],
    }


def share(thing: Obstacle, mount: Mount, ahead_m: float, across_m: float) -> float:
    """The share of pings that bring `thing` back when its middle is there."""
    listener = part(mount)
    there = msgspec.structs.replace(
        thing, along_m=ahead_m, across_m=across_m, along_mps=0.0, across_mps=0.0
    )
    found = obstacles.echo(there, 0.0, 0.0, 0.0, ear(listener))
    if found is None or found.distance_m < listener.min_range_m:
        return 0.0
    return (1 - found.loss) * (1.0 if listener.light else 1 - AIR_LOSS)


def span(thing: Obstacle, mount: Mount, across_m: float = 0.0) -> Span | None:
    """From where to where `thing`, its middle so far aside, is found; None when nowhere.

    Counted along the way to where the wearer's back would touch it, or pass it.
    """
    found = {
        near_m: heard
        for near_m in np.arange(STEP_M, part(mount).max_range_m + STEP_M, STEP_M).tolist()
        if (heard := share(thing, mount, near_m + thing.radius_m, across_m))
    }
    if not found:
        return None
    return Span(round(min(found), 2), round(max(found), 2), max(found.values()))


def aside_m(thing: Obstacle, mount: Mount, near_m: float) -> float:
    """How far aside its middle may be and still be found, at that distance; 0: it is not found."""
    ahead_m = near_m + thing.radius_m
    if not share(thing, mount, ahead_m, 0.0):
        return 0.0
    within, beyond = 0.0, 10.0
    while beyond - within > 0.001:
        middle = (within + beyond) / 2
        if share(thing, mount, ahead_m, middle):
            within = middle
        else:
            beyond = middle
    return within


def sees_edge(height_m: float, mount: Mount, ahead_m: float) -> bool:
    """Whether an upper edge at that height is in the beam, seen from the side."""
    edge = Obstacle(
        shape="pole", along_m=ahead_m, across_m=height_m - mount.height_m, radius_m=EDGE_M
    )
    return obstacles.echo(edge, 0.0, 0.0, mount.tilt_deg, ear(part(mount))) is not None


def found_words(found: Span | None) -> str:
    """`0.02 to 4.0 m`, or `not found`."""
    return "not found" if found is None else f"{found.from_m:.2g} to {found.to_m:.1f} m"


def edge_from_m(height_m: float, mount: Mount) -> float | None:
    """Nearer than this the beam passes over an edge at that height; None: it does everywhere."""
    for ahead_m in np.arange(STEP_M, part(mount).max_range_m, STEP_M).tolist():
        if sees_edge(height_m, mount, ahead_m):
            return round(ahead_m, 2)
    return None


def ground_from_m(mount: Mount) -> float | None:
    """How far behind the wearer the beam's lower edge meets level ground, metres along it.

    None: beyond the sensor's reach.
    """
    slant_m = obstacles.ground_m(
        Ground(mount_m=mount.height_m), -mount.tilt_deg, part(mount).half_angle_deg
    )
    if slant_m is None or slant_m > part(mount).max_range_m:
        return None
    return math.sqrt(slant_m**2 - mount.height_m**2)


ASIDE_ROWS_M = {"person": (0.0, 0.5), "post": (0.0, HALF_WIDTH_M)}
"""How far aside their middles are in the guide's table: in the way, and beside it."""


def rows(name: str) -> list[str]:
    """The guide's column for a mount: each thing's words, from above, then from the side."""
    mount = MOUNTS[name]
    above = [
        found_words(span(thing, mount, across_m))
        for called, thing in things().items()
        for across_m in ASIDE_ROWS_M[called]
    ]
    edges = [edge_from_m(high_m, mount) for high_m in EDGES_M.values()]
    beside = ["under the beam" if m is None else f"beyond {m:.1f} m only" for m in edges]
    ground_m = ground_from_m(mount)
    return [*above, *beside, "not met" if ground_m is None else f"beyond {ground_m:.1f} m"]


FAR_M, ASIDE_M, HIGH_M = 5.0, 2.6, 2.2
FOUND, FOUND_EDGE, LANE, EARTH = "#a9c8ea", "#2f6db5", "#5c6670", "#c4b5a3"
SMALL = 7.5


def picture() -> str:
    """The plot, as SVG."""
    with mpl.rc_context(PLAIN):
        figure = Figure(figsize=(10.0, 8.2), layout="constrained")
        axes = figure.subplots(3, len(SHOWN), sharex=True, height_ratios=(1.0, 1.0, 1.35))
        for column, name in enumerate(SHOWN):
            mount = MOUNTS[name]
            worn = f"tilted up by {mount.tilt_deg:g} degrees" if mount.tilt_deg else "level"
            axes[0, column].set_title(f"{part(mount).title}, {worn}\n", fontsize=10)
            for row, thing in enumerate(things().values()):
                _above(axes[row, column], thing, mount)
            _beside(axes[2, column], mount)
            axes[2, column].set_xlabel("metres behind the wearer")
        axes[0, 0].set_ylabel("a person, from above:\nmetres aside")
        axes[1, 0].set_ylabel("a 25 mm post, from above:\nmetres aside")
        axes[2, 0].set_ylabel("low things, from the side:\nmetres high")
        lines = [
            Line2D([], [], color=colour, label=f"{name.upper()} from here")
            for name, colour in zip(profiles.LEVELS, LEVEL_COLOURS[1:], strict=True)
        ]
        lines.append(Line2D([], [], color=LANE, ls="--", label="the wearer's width"))
        figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in out.getvalue().decode().splitlines()) + "\n"


def _levels(axis: Axes) -> None:
    """Where the default's levels begin for someone who stands."""
    limits = profiles.thresholds(Settings().alert)
    for limit, colour in zip(limits, LEVEL_COLOURS[1:], strict=True):
        axis.axvline(limit.distance_m, color=colour, lw=1.4, zorder=3)


def _above(axis: Axes, thing: Obstacle, mount: Mount) -> None:
    near = np.arange(STEP_M, FAR_M, 2 * STEP_M)
    wide = np.array([aside_m(thing, mount, near_m) for near_m in near.tolist()])
    heard = wide > 0
    axis.fill_between(near, -wide, wide, where=heard, color=FOUND, ec=FOUND_EDGE, lw=0.8)
    _levels(axis)
    for side in (-HALF_WIDTH_M, HALF_WIDTH_M):
        axis.axhline(side, color=LANE, lw=0.8, ls="--", zorder=3)
    middle = span(thing, mount)
    assert middle is not None
    words = f"to {middle.to_m:.1f} m, in {middle.share:.0%} of the readings"
    axis.set_title(words, fontsize=SMALL, loc="right", pad=3)
    axis.set(xlim=(0, FAR_M), ylim=(-ASIDE_M, ASIDE_M))


def _beside(axis: Axes, mount: Mount) -> None:
    listener = part(mount)
    reach_m = min(listener.max_range_m, FAR_M + 1.0)
    lower, upper = (mount.tilt_deg + sign * listener.half_angle_deg for sign in (-1, 1))
    sweep = np.radians(np.linspace(lower, upper, 41))
    ahead, high = reach_m * np.cos(sweep), mount.height_m + reach_m * np.sin(sweep)
    axis.fill(
        [0.0, *ahead.tolist()], [mount.height_m, *high.tolist()], color=FOUND, ec=FOUND_EDGE, lw=0.8
    )
    _levels(axis)
    axis.axhspan(-0.3, 0.0, color=EARTH, zorder=4)
    words = []
    for high_m in LOW_M.values():
        axis.axhline(high_m, color=LANE, lw=0.8, ls=":", zorder=4)
        from_m = edge_from_m(high_m, mount)
        words.append("under the beam" if from_m is None else f"beyond {from_m:.1f} m")
    names = axis.secondary_yaxis("right")
    said = [f"{called}:\n{where}" for called, where in zip(LOW_M, words, strict=True)]
    names.set_yticks(list(LOW_M.values()), said, fontsize=SMALL)
    names.tick_params(length=0)
    names.spines["right"].set_visible(False)
    axis.plot([0], [mount.height_m], marker="o", ms=6, color="black", zorder=6, clip_on=False)
    axis.set(xlim=(0, FAR_M), ylim=(-0.3, HIGH_M))
