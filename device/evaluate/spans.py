"""Stretches of time, as (from, to) in seconds: what is on when, and how much of it."""

from collections.abc import Iterable, Sequence

Span = tuple[float, float]


def stretches(marks: Sequence[tuple[float, bool]], end_s: float) -> list[Span]:
    """When the marks are on, (from, to); the last of them until `end_s`."""
    found: list[Span] = []
    since_s: float | None = None
    for t_s, on in marks:
        if on and since_s is None:
            since_s = t_s
        elif not on and since_s is not None:
            found.append((since_s, t_s))
            since_s = None
    if since_s is not None:
        found.append((since_s, end_s))
    return found


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time, each moment once, in order."""
    found: list[Span] = []
    for from_s, to_s in sorted(spans):
        if found and from_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(to_s, found[-1][1]))
        else:
            found.append((from_s, to_s))
    return found


def covered_s(spans: Iterable[Span], from_s: float, to_s: float) -> float:
    """How much of a stretch of time `spans` cover."""
    return sum(max(0.0, min(b, to_s) - max(a, from_s)) for a, b in merged(spans))


def overlaps(many: Iterable[Span], from_s: float, to_s: float) -> bool:
    """Whether any of them has a moment between the two."""
    return any(a < to_s and b > from_s for a, b in many)
