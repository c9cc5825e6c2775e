"""Readings to one obstacle: how far, how fast it closes, how old the news is.

A single ping proves nothing: of 198 dips below 1 m in a real outdoor log, 165
lasted one ping. So an echo that fits what is already tracked updates it at once,
and one that does not is a *rival*, believed only when enough of the last pings
agree that it moves as a person could move, and steadily. A nearer rival needs
`new_object_pings` of the last five, or four of the last twelve; a farther one needs
five of the last seven, or the old object gone: quick to warn, slow to calm.

Distance and closing speed are a least-squares line through the last 0.55 s, which
is one step: walking bobs and sways the trunk, and a slope over less would swing
by 0.23 m/s with every foot. Through a lost echo the line is continued for half a
second (only ever nearer), then the track is given up. A gap in the readings
clears it: a filter that bridges a gap mixes two different scenes.

An object lost from inside 0.4 m is most likely touching: near-range loss is what
these sensors do. That is `against`, and it lasts until something farther is
believed.
"""

from collections import deque

from msgspec import Struct

from device.core.reading import Echo, Reading
from device.profiles import HEEL_LEAD_M

WINDOW_S = 0.55
"""One step at 1.8 Hz, the time over which the trunk's bob averages out."""
COAST_S = 0.5
GAP_S = 0.5
GATE_M = 0.10
GATE_MPS = 3.0
GATE_MAX_S = 0.2
"""How far an object may move between two pings: 0.10 m + 3 m/s, for at most 0.2 s."""
STEADY_M = 0.15
"""How far the third echo of a new object may lie off the line of the other two."""
FRESH_S = 0.15
"""Later, the gate is so wide that fitting proves little of the sensor."""
RIVAL_PINGS = 5
SPARSE_PINGS = 12
SPARSE_HITS = 4
"""Or four of the last twelve: what swallows two pings of three is there all the same."""
FARTHER_PINGS = 5
FARTHER_WINDOW = 7
NEAR_M = 0.40
BLIND_MARGIN_M = 0.15
ESTABLISHED_S = 0.6
APPROACHED_M = 0.5
"""An object's vanishing means touching only if it was there for a while or was seen to come
from farther off; a sleeve before the sensor is neither."""
AWAY_M = 0.35
SPEED_HITS = 4
SPEED_SPAN_S = 0.25
LEAST_CLOSING_MPS = 0.2
"""Speed assumed at least, so that standing near something has a time to collision too."""


class Track(Struct, frozen=True, gc=False):
    """What is believed of the nearest object; None where nothing is.

    `distance_m`, `closing_mps` (positive: nearer), `ttc_s` (until the heel
    touches), `age_s` since the last echo that fitted. `against`: something is
    touching or all but. `object_id` changes when another object is tracked.
    """

    distance_m: float | None = None
    closing_mps: float | None = None
    ttc_s: float | None = None
    age_s: float | None = None
    against: bool = False
    object_id: int = 0


def away_m(blind_m: float) -> float:
    """Farther than this, metres, a sensor blind within `blind_m` is surely not touching."""
    return max(AWAY_M, blind_m + BLIND_MARGIN_M / 2)


def time_to_collision_s(distance_m: float, closing_mps: float) -> float:
    """Seconds until the heel, a quarter metre behind the trunk, would touch."""
    return max(0.0, distance_m - HEEL_LEAD_M) / max(closing_mps, LEAST_CLOSING_MPS)


class Tracker:
    """Follows the nearest believable object through ghosts, dropouts and gait."""

    def __init__(self, new_object_pings: int, gap_s: float = GAP_S, blind_m: float = 0.0) -> None:
        """`gap_s`: silence that clears the track, longer only for slow sensors.

        `blind_m`: the sensor's blind zone, which widens what counts as touching.
        """
        self._near_m = max(NEAR_M, blind_m + BLIND_MARGIN_M)
        self._away_m = away_m(blind_m)
        self._needed = new_object_pings
        self._gap_s = gap_s
        self._coast_s = max(COAST_S, gap_s)
        self._hits: deque[tuple[float, float]] = deque()
        self._rivals: deque[tuple[int, float, float]] = deque()
        self._ping = 0
        self.fitted = False
        """The last reading was an echo of the object that was tracked, heard a moment ago."""
        self._born_s = self._born_m = 0.0
        self._last_reading_s: float | None = None
        self._against = False
        self._object_id = 0
        self._mean_t = self._mean_d = 0.0
        self._slope: float | None = None

    def step(self, now_s: float, reading: Reading) -> Track:
        """Take one reading in; what is believed after it, at `now_s`."""
        if self._last_reading_s is not None and reading.t_s - self._last_reading_s > self._gap_s:
            self.clear()
        self._last_reading_s = reading.t_s
        self._ping += 1
        self.fitted = False
        if isinstance(reading, Echo):
            if self._fits(reading):
                self.fitted = reading.t_s - self._hits[-1][0] <= FRESH_S
                self._hit(reading)
            else:
                self._rival(reading)
        elif self._hits and self._established():
            # No answer inside half a second of a close one: against it, not gone.
            believed_m = self.at(reading.t_s).distance_m
            self._against |= believed_m is not None and believed_m <= self._near_m
        if self._hits and reading.t_s - self._hits[-1][0] > self._coast_s:
            self._hits.clear()
        return self.at(now_s)

    def at(self, now_s: float) -> Track:
        """What is believed at `now_s`, without a new reading."""
        if not self._hits or now_s - self._hits[-1][0] > self._coast_s:
            return Track(against=self._against, object_id=self._object_id)
        last_s, last_m = self._hits[-1]
        if self._slope is None:
            distance_m, closing, ttc_s = last_m, None, None
        else:
            closing = -self._slope
            ahead_s = now_s if closing > 0 else last_s
            line_m = self._mean_d + self._slope * (ahead_s - self._mean_t)
            # Someone who sets off is nearer than the line through the last half second says.
            recent_m = sorted(d for _, d in list(self._hits)[-3:])[1]
            distance_m = max(0.0, min(line_m, recent_m))
            ttc_s = round(time_to_collision_s(distance_m, closing), 4)
            closing = round(closing, 4)
        return Track(
            round(distance_m, 4),
            closing,
            ttc_s,
            round(now_s - last_s, 6),
            self._against,
            self._object_id,
        )

    def clear(self) -> None:
        """Forget everything: what comes next is a new scene."""
        self._hits.clear()
        self._rivals.clear()
        self._against = False
        self._slope = None

    def _established(self) -> bool:
        lived_s = self._hits[-1][0] - self._born_s
        return self._born_m > APPROACHED_M or lived_s >= ESTABLISHED_S

    def _fits(self, echo: Echo) -> bool:
        if not self._hits:
            return False
        last_s, last_m = self._hits[-1]
        since_s = echo.t_s - last_s
        expected_m = last_m
        if self._slope is not None:
            expected_m = self._mean_d + self._slope * (echo.t_s - self._mean_t)
        return abs(echo.distance_m - expected_m) <= _gate_m(since_s)

    def _hit(self, echo: Echo) -> None:
        hits = self._hits
        hits.append((echo.t_s, echo.distance_m))
        while hits[0][0] < echo.t_s - WINDOW_S:
            hits.popleft()
        self._fit()
        if echo.too_close:
            self._against |= self._established()
        elif self._against:
            self._against = any(d <= self._away_m for _, d in list(hits)[-self._needed :])

    def _fit(self) -> None:
        hits = self._hits
        n = len(hits)
        if n < SPEED_HITS or hits[-1][0] - hits[0][0] < SPEED_SPAN_S:
            self._slope = None
            return
        t0 = hits[0][0]
        sum_t = sum_d = sum_tt = sum_td = 0.0
        for t_s, d in hits:
            t = t_s - t0
            sum_t += t
            sum_d += d
            sum_tt += t * t
            sum_td += t * d
        spread = sum_tt - sum_t * sum_t / n
        self._slope = (sum_td - sum_t * sum_d / n) / spread
        self._mean_t = t0 + sum_t / n
        self._mean_d = sum_d / n

    def _rival(self, echo: Echo) -> None:
        """An echo that does not fit: remember it, and see whether its like agree."""
        rivals = self._rivals
        while rivals and rivals[0][0] <= self._ping - SPARSE_PINGS:
            rivals.popleft()
        rivals.append((self._ping, echo.t_s, echo.distance_m))
        agreeing = self._believable(echo)
        if agreeing is None:
            return
        self._hits = deque(reversed(agreeing))
        self._born_s, self._born_m = self._hits[0]
        self._rivals.clear()
        self._object_id += 1
        self._fit()
        if echo.distance_m > self._away_m and not echo.too_close:
            self._against = False

    def _believable(self, echo: Echo) -> list[tuple[float, float]] | None:
        """The rivals that agree with `echo`, newest first, once there are enough of them."""
        nearer = not self._hits or echo.distance_m < self._hits[-1][1]
        agreeing: list[tuple[float, float]] = []
        for ping, t_s, d in reversed(self._rivals):
            if not _agrees(agreeing, t_s, d):
                continue
            agreeing.append((t_s, d))
            ago = self._ping - ping
            if nearer:
                enough = self._needed if ago < RIVAL_PINGS else max(self._needed, SPARSE_HITS)
            else:
                enough = FARTHER_PINGS
                if ago >= FARTHER_WINDOW:
                    return None
            if len(agreeing) >= enough:
                return agreeing
        return None


def _agrees(later: list[tuple[float, float]], t_s: float, distance_m: float) -> bool:
    """Whether an echo could be the same thing as those `later` ones, newest first.

    It must be as near to the next as a person could have moved, and three must move
    steadily: ghosts may be near each other, but rarely in a line.
    """
    if not later:
        return True
    next_s, next_m = later[-1]
    if abs(distance_m - next_m) > _gate_m(next_s - t_s):
        return False
    if len(later) == 1 or later[-2][0] == next_s:
        return True
    after_s, after_m = later[-2]
    pace_mps = (after_m - next_m) / (after_s - next_s)
    stretch = max(1.0, (next_s - t_s) / (after_s - next_s))  # a longer way to extrapolate
    return abs(distance_m - (next_m + pace_mps * (t_s - next_s))) <= STEADY_M * stretch


def _gate_m(since_s: float) -> float:
    return GATE_M + GATE_MPS * min(since_s, GATE_MAX_S)
