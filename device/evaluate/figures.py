"""A tally turned into figures, each with how sure a sample of this size can be.

Shares have Wilson's 95 % interval, rates Byar's approximation to the exact Poisson
interval, percentiles the order statistics between which the true one lies. All of them
are honest at zero: no false alarm in an hour does not mean none in a year.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

Z = 1.96


class Figure(Struct, frozen=True):
    """A measured value and its 95 % interval; None where nothing was measured."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: float = 0
    """What it was measured on: trials, hours, minutes or samples."""


NOTHING = Figure(None)


def share(hits: int, of: int) -> Figure:
    """A proportion, by Wilson."""
    if not of:
        return NOTHING
    p, z2 = hits / of, Z * Z
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z / (1 + z2 / of) * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    return Figure(p, middle - half if hits else 0.0, middle + half if hits < of else 1.0, of)


def rate(events: int, per: float) -> Figure:
    """Events per unit of `per` (hours or minutes), by Byar."""
    if per <= 0:
        return NOTHING
    k = events
    low = k * (1 - 1 / (9 * k) - Z / (3 * math.sqrt(k))) ** 3 if k else 0.0
    m = k + 1
    high = m * (1 - 1 / (9 * m) + Z / (3 * math.sqrt(m))) ** 3
    return Figure(k / per, max(0.0, low) / per, high / per, per)


def percentile(samples: Sequence[float], p: float) -> Figure:
    """The `p` quantile (0 to 1); inf where so many were never reached."""
    n = len(samples)
    if not n:
        return NOTHING
    ordered = sorted(samples)
    half = Z * math.sqrt(n * p * (1 - p))

    def at(rank: float) -> float:
        # Beyond the largest of a few samples nothing is known.
        return math.inf if rank > n else ordered[max(0, math.ceil(rank) - 1)]

    return Figure(at(n * p), at(n * p - half), at(n * p + half + 1), n)


def largest(samples: Sequence[float]) -> Figure:
    """The worst of all; inf where one was never reached."""
    return Figure(max(samples), None, None, len(samples)) if samples else NOTHING


def seconds(total_s: float, times: int) -> Figure:
    """A sum that should be nought, over so many occasions."""
    return Figure(total_s, None, None, times) if times else NOTHING
