"""What a drawing connects, found from its lines, as the eye finds it.

Lines that share an end touch; lines that meet elsewhere touch only where there is a dot. A net is
all that touches, named by the contacts on it: "pin 18", "1.5 k", "NPN.base". So a test can say what
a drawing must connect, and a line that ends in the wrong place is a wrong net.

Places are (x, y) in the drawing's units, alike when they agree to a hundredth.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator

Point = tuple[float, float]
Segment = tuple[Point, Point]
NEAR = 0.02


class Netlist:
    """Wires, dots and contacts of one drawing."""

    def __init__(self) -> None:
        """Of an empty one."""
        self._wires: list[Segment] = []
        self._joints: set[Point] = set()
        self._contacts: dict[str, list[Point]] = defaultdict(list)

    def wire(self, start: Point, stop: Point) -> None:
        """A straight line."""
        self._wires.append((_near(start), _near(stop)))

    def joint(self, at: Point) -> None:
        """A dot."""
        self._joints.add(_near(at))

    def contact(self, name: str, *places: Point) -> None:
        """An end of a part, or a header pin. Who has two ends alike has two places."""
        again = next(
            mark for mark in itertools.count(1) if _marked(name, mark) not in self._contacts
        )
        self._contacts[_marked(name, again)] = [_near(place) for place in places]

    def names(self) -> list[str]:
        """Every contact."""
        return list(self._contacts)

    def places(self, name: str) -> list[Point]:
        """Where a contact is; two places for both ends of a part."""
        return self._contacts[name]

    def nets(self) -> set[frozenset[str]]:
        """All that is connected to something."""
        root: dict[Point, Point] = {}

        def find(at: Point) -> Point:
            while (above := root.setdefault(at, at)) != at:
                at = above
            return at

        for start, stop in self._wires:
            root[find(start)] = find(stop)
        for joint in self._joints:
            for wire in self._wires:
                if _on(joint, wire):
                    root[find(wire[0])] = find(joint)
        named: dict[Point, set[str]] = defaultdict(set)
        for name, places in self._contacts.items():
            for place in places:
                named[find(place)].add(name)
        return {frozenset(names) for names in named.values()}

    def doubts(self) -> Iterator[str]:
        """Where an eye would not know: lines that meet or cross without a dot."""
        ends = {end for wire in self._wires for end in wire}
        ends |= {place for places in self._contacts.values() for place in places}
        for end, wire in itertools.product(sorted(ends), self._wires):
            if _on(end, wire) and end not in wire and end not in self._joints:
                yield f"{end} lies on a line, without a dot"
        for one, other in itertools.combinations(self._wires, 2):
            at = _crossing(one, other)
            if at is not None and at not in self._joints:
                yield f"two lines cross at {at}"


def _near(at: Point) -> Point:
    return round(at[0], 2) + 0.0, round(at[1], 2) + 0.0


def _marked(name: str, mark: int) -> str:
    return name if mark == 1 else f"{name} #{mark}"


def _on(at: Point, wire: Segment) -> bool:
    """Whether a place is on a level or an upright line, its ends among them."""
    (x, y), (u, v) = wire
    within = min(x, u) - NEAR <= at[0] <= max(x, u) + NEAR
    return within and min(y, v) - NEAR <= at[1] <= max(y, v) + NEAR


def _crossing(one: Segment, other: Segment) -> Point | None:
    """Where a level and an upright line cross, ends apart."""
    for level, upright in ((one, other), (other, one)):
        (x, y), (u, v) = level
        (p, q), (_, s) = upright
        if (
            y == v
            and p == upright[1][0]
            and min(x, u) < p < max(x, u)
            and min(q, s) < y < max(q, s)
        ):
            return p, y
    return None
