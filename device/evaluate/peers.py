"""What others do with the same echoes: one small interface, one class a habit.

A contender is handed every reading and answers with a level, 0 to 4. Those that know
only "in range" answer 3 (DANGER), the level that is judged. None of them knows a fault:
an answer that did not come is ignored (gpiozero), waited for (the tutorial's busy loop
stands still until something comes) or, after a second, taken for "no data" (ArduPilot).
"Nothing there" is a long pulse to all of them, hence something far away.

Their own defaults are kept where a default exists; the threshold, where the user must
choose one, is our own WARNING distance.
"""

from collections import deque
from collections.abc import Callable
from statistics import median
from typing import Protocol

from device.core.reading import Echo, Fault, Reading

THRESHOLD_M = 1.5
FAR_M = 6.5
"""What a 38 ms pulse comes to."""
IN_RANGE = 3


class Contender(Protocol):
    """Anything that makes a level of readings."""

    def __call__(self, reading: Reading) -> int:
        """The level after `reading`, 0 to 4."""
        ...


def _distance_m(reading: Echo | object) -> float:
    return reading.distance_m if isinstance(reading, Echo) else FAR_M


class SinglePing:
    """The usual tutorial: measure, compare, beep."""

    def __init__(self, threshold_m: float = THRESHOLD_M) -> None:
        self._threshold_m = threshold_m
        self._level = 0

    def __call__(self, reading: Reading) -> int:
        """In range or not; while the echo line is awaited nothing else happens."""
        if not isinstance(reading, Fault):
            self._level = IN_RANGE * (_distance_m(reading) <= self._threshold_m)
        return self._level


class Gpiozero:
    """`DistanceSensor` with `when_in_range`: median of a queue that must fill first.

    Its defaults (gpiozero 2.0): nine values, 1 m at most, in range within 0.3 m; readings
    without an echo pulse are left out, the old ones stay.
    """

    def __init__(
        self, threshold_m: float = 0.3, max_distance_m: float = 1.0, queue_len: int = 9
    ) -> None:
        self._share = threshold_m / max_distance_m
        self._max_m = max_distance_m
        self._queue: deque[float] = deque(maxlen=queue_len)
        self._level = 0

    def __call__(self, reading: Reading) -> int:
        """In range when the median is."""
        if not isinstance(reading, Fault):
            self._queue.append(min(1.0, _distance_m(reading) / self._max_m))
            if len(self._queue) == self._queue.maxlen:
                self._level = IN_RANGE * (median(self._queue) <= self._share)
        return self._level


class MedianOf3:
    """The smallest filter that a single ghost cannot pass."""

    def __init__(self, threshold_m: float = THRESHOLD_M) -> None:
        self._threshold_m = threshold_m
        self._last: deque[float] = deque(maxlen=3)

    def __call__(self, reading: Reading) -> int:
        """In range when the median of the last three is."""
        if not isinstance(reading, Fault):
            self._last.append(_distance_m(reading))
        return IN_RANGE * (len(self._last) == 3 and median(self._last) <= self._threshold_m)


class Votes:
    """M of the last N within the threshold."""

    def __init__(self, needed: int, of: int, threshold_m: float = THRESHOLD_M) -> None:
        self._needed = needed
        self._threshold_m = threshold_m
        self._last: deque[bool] = deque(maxlen=of)

    def __call__(self, reading: Reading) -> int:
        """In range when enough of them say so."""
        if not isinstance(reading, Fault):
            self._last.append(_distance_m(reading) <= self._threshold_m)
        return IN_RANGE * (sum(self._last) >= self._needed)


class ArduPilot:
    """The glitch filter of ArduPilot's HC_SR04 driver (AP_RangeFinder_HC_SR04.cpp).

    A reading more than 0.5 m from the last one passes only after five such in a row, and
    from then on at once, until one is near again. No pulse for a second reads 0, which
    its user takes for "no data".
    """

    def __init__(self, threshold_m: float = THRESHOLD_M) -> None:
        self._threshold_m = threshold_m
        self._last_m = 0.0
        self._glitches = 0
        self._answered_s = 0.0
        self._now_m = FAR_M

    def __call__(self, reading: Reading) -> int:
        """In range when the filtered distance is."""
        if isinstance(reading, Fault):
            if reading.t_s - self._answered_s > 1.0:
                self._now_m = FAR_M
            return IN_RANGE * (self._now_m <= self._threshold_m)
        self._answered_s = reading.t_s
        distance_m = _distance_m(reading)
        if abs(distance_m - self._last_m) <= 0.5:
            self._last_m, self._glitches = distance_m, 0
        else:
            if self._glitches > 4:
                self._last_m = distance_m
            self._glitches += 1
        # Before the first accepted reading the filter holds 0, which stands for no data.
        self._now_m = self._last_m or FAR_M
        return IN_RANGE * (self._now_m <= self._threshold_m)


class ParkingAid:
    """A car's rear ladder: four zones from 1.5 m, silent after 3 s without coming nearer.

    Zones after Toyota's manual (1.5, 0.6, 0.45, 0.35 m, the last never silent); two
    readings alike before a change, as ISO 17386's 0.35 s allow (assumed).
    """

    ZONES_M = (1.5, 0.6, 0.45, 0.35)
    NEARER_M = 0.05

    def __init__(self) -> None:
        self._candidate = self._level = 0
        self._nearest_m = FAR_M
        self._since_s = 0.0

    def __call__(self, reading: Reading) -> int:
        """The zone, 0 when it has fallen silent."""
        if not isinstance(reading, Fault):
            self._hear(reading.t_s, _distance_m(reading))
        silent = self._level < 4 and reading.t_s - self._since_s > 3.0
        return 0 if silent else self._level

    def _hear(self, t_s: float, distance_m: float) -> None:
        zone = sum(distance_m <= edge_m for edge_m in self.ZONES_M)
        if zone == self._candidate:
            if zone > self._level or distance_m < self._nearest_m - self.NEARER_M:
                self._since_s, self._nearest_m = t_s, distance_m
            self._level = zone
            if not zone:
                self._nearest_m = FAR_M
        self._candidate = zone


OURS = "rearguard"
PEERS: dict[str, Callable[[], Contender]] = {
    "single ping, 1.5 m": SinglePing,
    "single ping, 2.0 m": lambda: SinglePing(2.0),
    "DistanceSensor, defaults": Gpiozero,
    "DistanceSensor, 1.5 m": lambda: Gpiozero(THRESHOLD_M, 4.0),
    "median of 3": MedianOf3,
    "2 of 3": lambda: Votes(2, 3),
    "3 of 5": lambda: Votes(3, 5),
    "ArduPilot HC_SR04": ArduPilot,
    "parking-aid ladder": ParkingAid,
}
"""Every peer in the table, by the name it has there."""
