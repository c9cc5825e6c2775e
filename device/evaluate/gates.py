"""What is wanted of the warnings, as gates that a suite passes or fails.

The limits are promises to the wearer, chosen before anything was tuned: a wall is
announced in time 99 times of 100; an hour's walk has at most one false alarm that makes
one stop; a dead sensor never looks like an empty path. Only the onset limits were set
afterwards, near to what the machine does, so that no threshold can be weakened unnoticed:
before a plain wall, at every pace, each level has to be shown soon after it is due.
"""

import math
from collections.abc import Callable

from msgspec import Struct

from device.evaluate.figures import Figure
from device.evaluate.rows import Row, row
from device.evaluate.score import Tally


class Gate(Struct, frozen=True):
    """One promise: a figure of the whole suite, and the most (or least) it may be."""

    key: str
    title: str
    limit: float
    figure: Callable[[Row], Figure]
    unit: str = ""
    least: bool = False
    """The figure must be at least the limit; otherwise at most."""


class Verdict(Struct, frozen=True):
    """How a gate was passed or not; `passed` is None where nothing was measured."""

    key: str
    title: str
    unit: str
    limit: float
    least: bool
    figure: Figure
    passed: bool | None


def _wall(level: str) -> Callable[[Row], Figure]:
    return lambda row: row.wall_onset_p95_s[level]


# fmt: off
GATES = (
    Gate("recall", "told to stop before the required distance", 0.99, lambda r: r.recall,
         least=True),
    Gate("contacts", "walks that end in a touch all the same, to 1.0 m/s", 0.10,
         lambda r: r.contacts),
    Gate("false_warning", "false alarms, WARNING or more", 1.0,
         lambda r: r.false_warning_per_h, "/h"),
    Gate("false_caution", "false alarms, CAUTION", 6.0, lambda r: r.false_caution_per_h, "/h"),
    Gate("time_false_warning", "time in a false WARNING or more", 0.005,
         lambda r: r.time_false_warning),
    Gate("time_false_caution", "time in a false CAUTION", 0.005, lambda r: r.time_false_caution),
    Gate("flips", "flips of the level", 6.0, lambda r: r.flips_per_min, "/min"),
    Gate("hold", "WARNING held while it is due", 0.95, lambda r: r.hold, least=True),
    Gate("release", "WARNING released, p95", 1.5, lambda r: r.release_p95_s, "s"),
    Gate("onset_caution", "CAUTION after it is due, plain wall, p95", 0.45, _wall("caution"), "s"),
    Gate("onset_warning", "WARNING after it is due, plain wall, p95", 0.3, _wall("warning"), "s"),
    Gate("onset_danger", "DANGER after it is due, plain wall, p95", 0.25, _wall("danger"), "s"),
    Gate("onset_stop", "STOP after it is due, plain wall, p95", 0.15, _wall("stop"), "s"),
    Gate("fault", "a dead sensor announced, the slowest", 0.6, lambda r: r.fault_slowest_s, "s"),
    Gate("false_faults", "false faults", 0.1, lambda r: r.false_faults_per_h, "/h"),
    Gate("time_false_fault", "time in a false fault", 0.001, lambda r: r.time_false_fault),
    Gate("recovery", "a mended sensor trusted again, the slowest", 1.5,
         lambda r: r.recovery_slowest_s, "s"),
    Gate("clear_while_dead", "CLEAR while the sensor is dead or covered", 0.0,
         lambda r: r.clear_while_dead_s, "s"),
)
# fmt: on


def judge(tally: Tally) -> list[Verdict]:
    """Every gate's verdict on the whole suite."""
    whole = row("", tally)
    figures = [(gate, gate.figure(whole)) for gate in GATES]
    return [
        Verdict(g.key, g.title, g.unit, g.limit, g.least, figure, _passed(g, figure))
        for g, figure in figures
    ]


def _passed(gate: Gate, figure: Figure) -> bool | None:
    if figure.value is None:
        return None
    if math.isinf(figure.value):
        return False
    return figure.value >= gate.limit if gate.least else figure.value <= gate.limit
