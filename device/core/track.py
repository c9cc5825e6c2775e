"""Readings to one obstacle: how far, how fast it closes, how old the news is.

A single ping proves nothing: of 198 dips below 1 m in a real outdoor log, 165
lasted one ping. So an echo that fits what is already tracked updates it at once,
and one that does not is a *rival*, believed only when enough of the last pings agree
that it moves as a person could move, and steadily. How many depends on where: three of
five within 1.5 m (four of ten when it is lossy or rough), one more beyond, where there is
time and gravel; at arm's length it must stay; and something farther is believed only
when the nearer thing is no longer heard. Quick to warn, slow to calm.

Distance and closing speed are a least-squares line through the last 0.55 s, which
is one step: walking bobs and sways the trunk, and a slope over less would swing
by 0.23 m/s with every foot. What scatters by more than 5 cm about its line is rough,
like a hedge: it gets two steps, and its front is what counts. Of a speed only what is
sure counts. Through a lost echo the line is continued for half a second (only ever
nearer), then the track is given up. A gap in the readings clears it: a filter that
bridges a gap mixes two different scenes.

An object lost from inside 0.4 m is most likely touching: near-range loss is what
these sensors do. That is `against`, and it lasts until something farther is
believed.
"""

import math
from collections import deque
from typing import NamedTuple

from msgspec import Struct

from device.core.reading import UNHURRIED, Echo, Pace, Reading
from device.profiles import HEEL_LEAD_M

WINDOW_S = 0.55
"""One step at 1.8 Hz, the time over which the trunk's bob averages out."""
LONG_WINDOW_S = 2 * WINDOW_S
ROUGH_M = 0.05
"""Scatter about the line that no smooth thing has: a hedge, mesh, the ground."""
SOLID_SHARE, SOLID_HITS = 0.8, 6
"""What answers four pings of five is a solid thing, and its speed sooner believed."""
MANY_HITS = 8
"""So many in one step show what a short window is worth; fewer may be in a line by chance."""
SCATTER_M = 0.02
"""Scatter that is always there: the trunk's bob."""
COAST_S = 0.5
GAP_S = 0.5
GATE_M = 0.10
GATE_MPS = 3.0
GATE_MAX_S = 0.2
"""How far an object may move between two pings: 0.10 m + 3 m/s, for at most 0.2 s."""
RIDER_MPS = 8.0
"""How fast a bicycle and the walker come together; nothing goes away that fast."""
CHANGE_MPS = 2.0
"""How much a known closing speed may change: someone stops, or sets off."""
ROUGH_GATE = 2.0
STEADY_M = 0.06
"""How far an echo of a new object may lie off the line of two others: 2.5 sigma at 1 cm."""
ROUGH_STEADY_M = 0.15
LOOSE_M = 0.30
"""The same for what has no surface, a hedge, if there are many of them."""
FRESH_S = 0.15
"""Later, the gate is so wide that fitting proves little of the sensor."""
FAR_M = 1.5
"""Beyond it there is time for one more echo of a new object, and gravel to be told from it."""
ARM_M, ARM_S, ARM_SHARE = 0.35, 0.3, 0.3
"""What is first heard nearer than this was not walked up to: an arm, a sleeve, a drop. It must
stay for a while, and answer three pings of ten, for no warning of it could be in time anyway."""
MOST_PINGS = 14
FARTHER = (5, 14, LOOSE_M)
UNHEARD_PINGS = 8
"""What hides behind mesh is heard in between; the mesh is gone when it is unheard this long."""
UNHEARD_S, FARTHER_S = 0.8, 0.5
"""So long at most, for a slow sensor, does it take until something is unheard, or farther."""
NEAR_M = 0.40
BLIND_MARGIN_M = 0.15
ESTABLISHED_S = 0.6
APPROACHED_M = 0.5
"""An object's vanishing means touching only if it was there for a while or was seen to come
from farther off; a sleeve before the sensor is neither."""
AWAY_M = 0.35
SPEED_HITS = 5
SPEED_SPAN_S = 0.18
FEW_HITS, FEW_SPAN_S = 4, 0.6
UNSURE_SHARE = 0.5
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


_Rule = tuple[int, int, float]
"""Echoes that must agree, among how many pings, and how steadily, metres."""


class _Heard(NamedTuple):
    """An echo, and the number of its ping."""

    ping: int
    t_s: float
    distance_m: float


class _Line(NamedTuple):
    """A least-squares line: distance and time at its middle, closing speed, what is off it."""

    mean_s: float
    mean_m: float
    closing_mps: float
    scatter_m: float
    unsure_mps: float
    """Standard error of the closing speed."""

    @property
    def rough(self) -> bool:
        return self.scatter_m > ROUGH_M

    def at(self, t_s: float) -> float:
        return self.mean_m - self.closing_mps * (t_s - self.mean_s)


class Tracker:
    """Follows the nearest believable object through ghosts, dropouts and gait."""

    def __init__(
        self,
        new_object_pings: int,
        gap_s: float = GAP_S,
        blind_m: float = 0.0,
        pace: Pace = UNHURRIED,
    ) -> None:
        """`gap_s`: silence that clears the track, longer only for slow sensors.

        `blind_m`: the sensor's blind zone, which widens what counts as touching. `pace`: what
        closes is nearer by now if its readings come late, and few of them count for many.
        """
        self._lag_s = pace.lag_s
        self._unheard_pings = pace.count(UNHEARD_PINGS, UNHEARD_S, 3)
        self._farther = (pace.count(FARTHER[0], FARTHER_S, 3), *FARTHER[1:])
        self._near_m = max(NEAR_M, blind_m + BLIND_MARGIN_M)
        self._away_m = away_m(blind_m)
        n = self._needed = new_object_pings
        self._near_rules = (
            (n, 5, STEADY_M),
            (n + 1, 12, STEADY_M),
            (n + 1, 10, ROUGH_STEADY_M),
        )
        self._far_rules = (
            (n + 1, 6, STEADY_M),
            (n + 2, 12, STEADY_M),
            (n + 4, 14, LOOSE_M),
        )
        self._arm_rules = ((n + 1, 14, LOOSE_M),)
        self._gap_s = gap_s
        self._coast_s = max(COAST_S, gap_s)
        self._hits: deque[_Heard] = deque()
        self._rivals: deque[_Heard] = deque()
        self._ping = 0
        self.fitted = False
        """The last reading was an echo of the object that was tracked, heard a moment ago."""
        self._born_s = self._born_m = 0.0
        self._last_reading_s: float | None = None
        self._against = False
        self._object_id = 0
        self._line: _Line | None = None

    def step(self, now_s: float, reading: Reading) -> Track:
        """Take one reading in; what is believed after it, at `now_s`."""
        if self._last_reading_s is not None and reading.t_s - self._last_reading_s > self._gap_s:
            self.clear()
        self._last_reading_s = reading.t_s
        self._ping += 1
        self.fitted = False
        if isinstance(reading, Echo):
            off_m, gate_m = self._off_m(reading)
            if off_m <= gate_m + self._depth_m:
                # Nonsense makes its own line rough; that must not make it fit.
                fresh = reading.t_s - self._hits[-1].t_s <= FRESH_S
                self.fitted = fresh and off_m <= gate_m
                self._hit(reading)
            else:
                self._rival(reading)
        elif self._hits and self._established():
            # No answer inside half a second of a close one: against it, not gone.
            believed_m = self.at(reading.t_s).distance_m
            self._against |= believed_m is not None and believed_m <= self._near_m
        if self._hits and reading.t_s - self._hits[-1].t_s > self._coast_s:
            self._hits.clear()
        return self.at(now_s)

    def at(self, now_s: float) -> Track:
        """What is believed at `now_s`, without a new reading."""
        if not self._hits or now_s - self._hits[-1].t_s > self._coast_s:
            return Track(against=self._against, object_id=self._object_id)
        _, last_s, last_m = self._hits[-1]
        line = self._line
        if line is None:
            distance_m, closing, ttc_s = last_m, None, None
        else:
            closing = line.closing_mps
            # Of a speed only what is sure counts, through a lost echo and until the touch.
            sure_mps = closing - UNSURE_SHARE * line.unsure_mps
            age_s = now_s - last_s + self._lag_s
            line_m = line.at(last_s) - max(0.0, sure_mps) * age_s
            distance_m = max(0.0, self._nearest_m(line, line_m))
            ttc_s = round(time_to_collision_s(distance_m, sure_mps), 4)
            closing = round(closing, 4)
        return Track(
            round(distance_m, 4),
            closing,
            ttc_s,
            round(now_s - last_s, 6),
            self._against,
            self._object_id,
        )

    def _nearest_m(self, line: _Line, line_m: float) -> float:
        """How near it may be: its front, where it is rough; where it was heard last, else."""
        # Someone who sets off is nearer than the line through the last half second says.
        recent_m = sorted(hit.distance_m for hit in list(self._hits)[-3:])[1]
        if not line.rough:
            return min(line_m, recent_m)
        if line_m > FAR_M:
            return line_m  # gravel at the edge of hearing need not be as near as its nearest stone
        return min(line_m - line.scatter_m, recent_m)

    def clear(self) -> None:
        """Forget everything: what comes next is a new scene."""
        self._hits.clear()
        self._rivals.clear()
        self._against = False
        self._line = None

    def forget_touch(self) -> None:
        """What said so was nonsense."""
        self._against = False

    def _established(self) -> bool:
        lived_s = self._hits[-1].t_s - self._born_s
        return self._born_m > APPROACHED_M or lived_s >= ESTABLISHED_S

    def _off_m(self, echo: Echo) -> tuple[float, float]:
        """(how far it is from where the object should be, how far that may be), metres."""
        if not self._hits:
            return math.inf, 0.0
        _, last_s, last_m = self._hits[-1]
        since_s = min(echo.t_s - last_s, GATE_MAX_S)
        if self._line is None:
            off_m, gate_m = abs(echo.distance_m - last_m), _gate_m(since_s)
            return min(off_m, self._off_course_m(echo)), gate_m
        # Whose speed is known can only change it.
        return abs(echo.distance_m - self._line.at(echo.t_s)), GATE_M + CHANGE_MPS * since_s

    def _off_course_m(self, echo: Echo) -> float:
        """How far from where the last two echoes lead: a rider outruns any gate for walkers."""
        if len(self._hits) < 2:
            return math.inf
        _, before_s, before_m = self._hits[-2]
        _, last_s, last_m = self._hits[-1]
        if last_s <= before_s:
            return math.inf
        pace_mps = (last_m - before_m) / (last_s - before_s)
        return abs(echo.distance_m - (last_m + pace_mps * (echo.t_s - last_s)))

    @property
    def _depth_m(self) -> float:
        """What is rough is heard at any of its depths."""
        line = self._line
        return ROUGH_GATE * line.scatter_m if line is not None and line.rough else 0.0

    def _hit(self, echo: Echo) -> None:
        hits = self._hits
        hits.append(_Heard(self._ping, echo.t_s, echo.distance_m))
        while hits[0].t_s < echo.t_s - LONG_WINDOW_S:
            hits.popleft()
        self._fit()
        if echo.too_close:
            self._against |= self._established()
        elif self._against:
            self._against = any(
                hit.distance_m <= self._away_m for hit in list(hits)[-self._needed :]
            )

    def _fit(self) -> None:
        """Fit the last step's echoes; two steps' where they are rough or few."""
        hits = list(self._hits)
        since_s = hits[-1].t_s - WINDOW_S
        first = next(i for i, hit in enumerate(hits) if hit.t_s >= since_s)
        short = _line(hits[first:] if first else hits)
        smooth = short is not None and not short.rough
        if not first or (smooth and len(hits) - first >= MANY_HITS):
            self._line = short
            return
        long = _line(hits)
        self._line = long if not smooth or (long is not None and long.rough) else short

    def _rival(self, echo: Echo) -> None:
        """An echo that does not fit: remember it, and see whether its like agree."""
        rivals = self._rivals
        while rivals and rivals[0].ping <= self._ping - MOST_PINGS:
            rivals.popleft()
        rivals.append(_Heard(self._ping, echo.t_s, echo.distance_m))
        agreeing = self._believable(echo)
        if agreeing is None:
            return
        self._hits = deque(reversed(agreeing))
        _, self._born_s, self._born_m = self._hits[0]
        self._rivals.clear()
        self._object_id += 1
        self._fit()
        if echo.distance_m > self._away_m and not echo.too_close:
            self._against = False

    def _believable(self, echo: Echo) -> list[_Heard] | None:
        """The rivals that agree with `echo`, newest first, once there are enough of them."""
        if self._hits and echo.distance_m >= self._hits[-1].distance_m:
            if self._ping - self._hits[-1].ping < self._unheard_pings:
                return None
            return self._first((self._farther,))
        if echo.distance_m >= ARM_M:
            return self._first(self._near_rules if echo.distance_m < FAR_M else self._far_rules)
        approached = self._first(self._near_rules)
        if approached is not None and approached[-1].distance_m >= ARM_M:
            return approached
        return self._first(self._arm_rules, ARM_S)

    def _first(self, rules: tuple[_Rule, ...], lasting_s: float = 0.0) -> list[_Heard] | None:
        """What agrees by the first of `rules` that is met."""
        for needed, among, steady_m in rules:
            agreeing = self._agreeing(needed, among, steady_m, lasting_s)
            if agreeing is not None:
                return agreeing
        return None

    def _agreeing(
        self, needed: int, among: int, steady_m: float, lasting_s: float
    ) -> list[_Heard] | None:
        """`needed` rivals of the last `among` pings that could be one thing, newest first."""
        if len(self._rivals) < needed:
            return None
        agreeing: list[_Heard] = []
        for rival in reversed(self._rivals):
            if self._ping - rival.ping >= among:
                return None
            if _agrees(agreeing, rival, steady_m):
                agreeing.append(rival)
                if len(agreeing) < needed or agreeing[0].t_s - rival.t_s < lasting_s:
                    continue
                pings = self._ping - rival.ping + 1
                if not lasting_s or len(agreeing) >= ARM_SHARE * pings:
                    return agreeing
        return None


def _line(hits: list[_Heard]) -> _Line | None:
    """The line through `hits`; None where they are too few for a speed."""
    if not _enough(hits):
        return None
    n = len(hits)
    _, t0, d0 = hits[0]
    sum_t = sum_d = sum_tt = sum_td = sum_dd = 0.0
    for _, t_s, d_m in hits:
        t, d = t_s - t0, d_m - d0
        sum_t += t
        sum_d += d
        sum_tt += t * t
        sum_td += t * d
        sum_dd += d * d
    spread = sum_tt - sum_t * sum_t / n
    along = sum_td - sum_t * sum_d / n
    slope = along / spread
    off = max(0.0, sum_dd - sum_d * sum_d / n - slope * along) / (n - 2)
    unsure_mps = math.sqrt(max(off, SCATTER_M * SCATTER_M) / spread)
    return _Line(t0 + sum_t / n, d0 + sum_d / n, -slope, math.sqrt(off), unsure_mps)


def _enough(hits: list[_Heard]) -> bool:
    """Whether there are enough of them, for long enough, to believe the speed they imply."""
    n, span_s = len(hits), hits[-1].t_s - hits[0].t_s
    if n >= FEW_HITS and span_s >= FEW_SPAN_S:
        return True  # a slow sensor's few say as much in a longer time
    needed = SPEED_HITS
    if hits[-1].distance_m > FAR_M:
        solid = n >= SOLID_SHARE * (hits[-1].ping - hits[0].ping + 1)
        needed = SOLID_HITS if solid else MANY_HITS
    return n >= needed and span_s >= SPEED_SPAN_S


def _agrees(later: list[_Heard], rival: _Heard, steady_m: float) -> bool:
    """Whether `rival` could be the same thing as those `later` ones, newest first.

    It must be as near to the next as a person could have moved, and three must move
    steadily: ghosts may be near each other, but rarely in a line.
    """
    if not later:
        return True
    _, t_s, distance_m = rival
    _, next_s, next_m = later[-1]
    since_s = next_s - t_s
    nearer_m = distance_m - next_m
    if not -_gate_m(since_s) <= nearer_m <= GATE_M + RIDER_MPS * min(since_s, GATE_MAX_S):
        return False
    if len(later) == 1 or later[-2].t_s == next_s:
        return True
    _, after_s, after_m = later[-2]
    pace_mps = (after_m - next_m) / (after_s - next_s)
    stretch = max(1.0, (next_s - t_s) / (after_s - next_s))  # a longer way to extrapolate
    return abs(distance_m - (next_m + pace_mps * (t_s - next_s))) <= steady_m * stretch


def _gate_m(since_s: float) -> float:
    return GATE_M + GATE_MPS * min(since_s, GATE_MAX_S)
