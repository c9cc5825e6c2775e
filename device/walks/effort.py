"""How much effort a walk was: an estimate, and called one wherever it is shown.

Walking takes 3.5 ml of oxygen per kg and minute at rest and 0.1 more for each metre per minute
(ACSM's equation for level ground); backward about 40 % more than forward at the same pace. In
METs, multiples of rest:

    forward   (3.5 + 0.1 * metres per minute) / 3.5
    backward  1.4 times that

and a MET is a kilocalorie per kg and hour. The pace is the mean of the seconds in which something
in view showed it, which may be few; and what is passed at a slant comes nearer more slowly than one
walks, so it reads 10 to 25 % low (in simulated parks), and the effort with it. The energy is what
the whole stretch would cost at that pace. A jog costs more than this line says.
"""

from msgspec import Struct

from device.history.records import Totals

REST_ML, PER_METRE_ML = 3.5, 0.1
BACKWARD = 1.4
LEAST_SEEN_S = 10.0
"""A pace of fewer seconds tells nothing of a walk."""


class Pace(Struct, frozen=True):
    """One direction. `asked_s`: so long it was asked. `mps`: mean of the `seen_s` that showed it.

    What is seen to come nearer is walked backward, what recedes forward, whatever was asked; None
    where too little was seen. `met`, `kcal`: estimates, the second for all that was asked so, and
    for a known weight only.
    """

    asked_s: float
    seen_s: float
    mps: float | None
    met: float | None
    kcal: float | None


def paces(totals: Totals, weight_kg: float | None) -> tuple[Pace, Pace]:
    """Backward, forward."""
    backward_s = totals.walked_s - totals.forward_s
    return (
        _pace(True, backward_s, totals.backward_m, totals.backward_seen_s, weight_kg),
        _pace(False, totals.forward_s, totals.forward_m, totals.forward_seen_s, weight_kg),
    )


def met(mps: float, backward: bool) -> float:
    """Multiples of rest, at `mps`."""
    return (BACKWARD if backward else 1.0) * (REST_ML + PER_METRE_ML * 60.0 * mps) / REST_ML


def _pace(
    backward: bool, asked_s: float, way_m: float, seen_s: float, weight_kg: float | None
) -> Pace:
    if seen_s < LEAST_SEEN_S:
        return Pace(asked_s, seen_s, None, None, None)
    mps = way_m / seen_s
    estimate = met(mps, backward)
    kcal = None if weight_kg is None else round(estimate * weight_kg * asked_s / 3600.0, 1)
    return Pace(asked_s, seen_s, round(mps, 3), round(estimate, 2), kcal)
