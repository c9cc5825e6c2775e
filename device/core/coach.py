"""The coach: when a walk is one, what is asked of it, and when to say so.

What the device knows of walking it knows from one distance. A tracked thing that comes nearer or
goes away at a walking pace is *motion*; the same distance, to 0.10 m, for two minutes is
*standing*; nothing in view proves neither. So a walk begins by itself after three seconds of
motion and, when nothing more is seen of it, has ended where motion was last seen. Who says that
they walk, by the button or by `--walk`, is believed, until they stand: an open field shows nothing.

The dose is known from practice: 15 to 20 minutes, slightly tired; backward alone is low in
intensity, so jogging or brisk walking goes between; a beginner starts with five pairs of a minute
each and adds a pair a week.

Its cues are the last of all signals: the player lets them wait until nothing has been said for two
seconds. So nothing here counts by when a cue was due, but by when it was told: a minute forward
is a minute from being told to go forward.

While someone goes forward what is behind them matters less, so its signal may be eased: CAUTION
and WARNING fall silent, DANGER becomes a reminder. Only once the change was confirmed, by
something seen to recede or by the button, and only for what is *seen* not to come nearer: what
closes, be it slowly, or has no known speed yet, is told in full, as STOP and a fault always are.
"""

import math
from collections import deque
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from device.core.alert import REARM_NEARER_M, SEEN_S, STILL_MPS, Alert, State
from device.core.health import SensorFault
from device.core.signals import ASIDES_S, Cue
from device.core.track import Track
from device.profiles import HEEL_LEAD_M
from device.settings import CoachSettings

WEEKS = 6
WALKS_A_WEEK = 3
PAIR_S = 60.0
FIRST_PAIRS = 5
"""The starter plan: in week 1 five pairs of a minute backward and a minute forward on three days,
each week a pair more, so that week 6 has twenty minutes."""

MOVING_MPS = 0.25
"""Slower than any walk (after a stroke 0.37 m/s), faster than a standing trunk sways."""
MOST_MPS = 2.0
"""Nobody walks backward faster (walk-run transition 1.63 m/s): this is somebody else."""
BEGINS_S = 3.0
BACKDATED_S = 4.0
"""It is not put farther back than that: what was before is not remembered."""
PASSES_S = 0.5
"""Motion for less is somebody who passes by: it keeps no walk alive."""
STOOD_S, STOOD_SPAN_M = 120.0, 0.10
GLIMPSE_S = 2.0
"""Unseen for less is still in view."""
UNSEEN_S, UNSEEN_TOLD_S = 300.0, 1800.0
"""Without any motion seen for so long a walk has ended: one that began by itself, or by word."""
CONFIRMED_S, TAKEN_BACK_S = 0.5, 1.0
FAST_S, FAST_M = 0.2, 0.2
FAST_AGAIN_S, FAST_FRESH_S = 30.0, 30.0
STOPS, STOPS_S = 3, 300.0
ADOPTED_S = 60.0
"""Two presses so soon after a walk began by itself mean that it is one, and not its end."""
ANSWERED_S = 10.0
"""And so soon after the change of direction was told they confirm it."""
SHORTEST_S = 15.0
"""Nobody is turned round for less than this."""
COMPANY_S = 5.0
"""Whoever is in view for so long and wanders may be going along with the walker."""
DONE_WITHIN_S = 60.0
"""Who moved so lately was walking when told that it was done: what they heard should count."""
BETWEEN_S = 2.0
WEEK_WITHIN_S = 3.0
"""The history is read a second after the start."""
ENOUGH_AGAIN_S = 60.0
LONGEST_STEP_S = 0.5

ORDER = (
    Cue.REST,
    Cue.ENOUGH,
    Cue.DONE,
    Cue.FORWARD,
    Cue.BACKWARD,
    Cue.SLOWER,
    Cue.MARK,
)
"""What is said first when several cues wait."""


class Begun(StrEnum):
    """How a walk began."""

    MOTION = "motion"
    BUTTON = "button"
    COMMAND = "command"


class Ended(StrEnum):
    """How a walk ended; one that the device's own end cut short has none of these."""

    STOOD = "stood"
    UNSEEN = "unseen"
    BUTTON = "button"


class Dose(Struct, frozen=True):
    """What is asked of one walk, seconds. `week`: of the starter plan, from 1."""

    target_s: float
    most_s: float
    backward_s: float = math.inf
    forward_s: float = 0.0
    week: int | None = None

    @property
    def intervals(self) -> bool:
        """Backward and forward in turn."""
        return self.backward_s < math.inf


class Walking(Struct, frozen=True, gc=False):
    """A walk at one instant.

    `number`: 1 for the first since the start. `began_s`: on the steps' clock. `until_s`: when it
    ended, or will have if nothing more is seen of it. `forward`: asked to go forward; `eased`: and
    what is behind, seen not to come nearer, is told more quietly now. `ended`: in its last step.
    """

    number: int
    begun: Begun
    began_s: float
    until_s: float
    dose: Dose
    forward: bool = False
    eased: bool = False
    ended: Ended | None = None


def dose(settings: CoachSettings, week: int = 1) -> Dose:
    """What these settings ask of a walk in `week` of the starter plan."""
    target_s, most_s = settings.target_min * 60.0, settings.most_min * 60.0
    if settings.mode == "plan":
        week = max(1, min(WEEKS, week))
        target_s = 2 * PAIR_S * (FIRST_PAIRS + week - 1)
        return Dose(target_s, max(most_s, target_s), PAIR_S, PAIR_S, week)
    if settings.mode == "intervals":
        return Dose(target_s, most_s, settings.backward_s, settings.forward_s)
    return Dose(target_s, most_s)


class Coach:
    """Follows the walk, one judged instant at a time."""

    def __init__(
        self, settings: CoachSettings, to_stop_s: float, told: bool = False, eases: bool = True
    ) -> None:
        """`to_stop_s`: what a warning needs, device and person. `told`: a walk begins at once.

        `eases`: the sensor is quick enough to see at once that they turned back.
        """
        self._settings = settings
        self._begins = told
        self._eases = eases
        self._by_word = False
        """The wearer said that they walk."""
        self.week: int | None = None
        """Of the starter plan, once whoever knows the history has said so."""
        self._first_s: float | None = None
        self._motion = _Motion()
        self._over = False
        """The last step of the walk has been shown."""
        self._dismissed = False
        """The wearer ended the last one, so moving on is not another."""
        self._walk: Walking | None = None
        self._number = 0
        self._pending: dict[Cue, float] = {}
        """Cues to be told, and until when they are worth it."""
        self._quiet_until_s = -math.inf
        self._told: set[Cue] = set()
        self._enough_s = 0.0
        self._turn = _Turn()
        self._stops: deque[float] = deque(maxlen=STOPS)
        self._stopped = False
        self._pace = _Pace(to_stop_s)

    def step(self, now_s: float, track: Track, alert: Alert) -> Walking | None:
        """Take in one judged instant; the walk, if there is one."""
        trusted = alert.proven and not isinstance(alert.fault, SensorFault)
        mps = self._motion.step(now_s, track, trusted)
        if self._over:
            self._walk, self._over = None, False
        if self._dismissed and now_s - self._motion.moved_s >= STOOD_S:
            self._dismissed = False
        if self._walk is None:
            if self._begins and self._knows_week(now_s):
                self._begin(Begun.COMMAND, now_s)
            elif self._motion.moving_s >= BEGINS_S and not self._dismissed:
                self._begin(Begun.MOTION, max(self._motion.since_s, now_s - BACKDATED_S))
        backward = self._walk is None or not self._walk.forward
        step_s = self._motion.step_s
        too_fast = self._pace.too_fast(now_s, step_s, track, mps, trusted)
        if too_fast and backward:  # or it is somebody else
            self._pending[Cue.SLOWER] = now_s + FAST_FRESH_S
        if self._walk is not None and self._walk.ended is None:
            self._count_stops(now_s, alert)
            forward = self._walk.forward
            recedes = forward and self._turn.step(step_s, track, mps, trusted)
            self._go_on(now_s, self._walk, recedes)
        self._over = self._walk is not None and self._walk.ended is not None
        return self._walk

    def _knows_week(self, now_s: float) -> bool:
        """Whether the dose is known, or will not be in a moment."""
        first_s = self._first_s = now_s if self._first_s is None else self._first_s
        known = self._settings.mode != "plan" or self.week is not None
        return known or now_s >= first_s + WEEK_WITHIN_S

    def press(self, now_s: float) -> Cue:
        """The wearer pressed twice: begin, end, or the change of direction; what to answer."""
        walk = self._walk
        if walk is None or walk.ended is not None:
            self._begin(Begun.BUTTON, now_s)
            return Cue.MARK
        adopted = not self._by_word and now_s - walk.began_s < ADOPTED_S
        self._by_word = True
        self._motion.moved_s = now_s
        if adopted:
            if Cue.MARK in self._pending:
                self.told(now_s, Cue.MARK)  # the same for half of it
            return Cue.MARK
        if not self._leads(walk) or Cue.DONE in self._told:
            self._walk = replace(walk, until_s=now_s, ended=Ended.BUTTON, eased=False)
            self._dismissed = True
            self._pending.clear()
            return Cue.DONE
        cue = next((due for due in (Cue.FORWARD, Cue.BACKWARD) if due in self._pending), None)
        if cue is None:  # what was told a moment ago is confirmed, or else it is their own wish
            again = now_s - self._turn.since_s <= ANSWERED_S
            cue = Cue.FORWARD if walk.forward == again else Cue.BACKWARD
        self.told(now_s, cue)
        self._turn.begin(now_s, confirmed=cue is Cue.FORWARD)
        return cue

    @property
    def spoken(self) -> bool:
        """A walk goes on, and the wearer said so."""
        return self._walk is not None and self._walk.ended is None and self._by_word

    def _leads(self, walk: Walking) -> bool:
        return walk.dose.intervals and self._settings.enabled

    def wish(self, now_s: float) -> Cue | None:
        """What it would say now, if nothing else is being said."""
        if not self._settings.enabled or now_s < self._quiet_until_s:
            return None
        for cue in ORDER:
            if cue in self._pending and now_s <= self._pending[cue]:
                return cue
        return None

    def told(self, now_s: float, cue: Cue) -> None:
        """The wearer has been told, from `now_s` on."""
        self._pending.pop(cue, None)
        self._quiet_until_s = now_s + ASIDES_S[cue] + BETWEEN_S
        if self._walk is None:
            return
        self._told.add(cue)
        if cue is Cue.DONE and now_s - self._motion.moved_s <= DONE_WITHIN_S:
            self._motion.moved_s = now_s + ASIDES_S[cue]
        if cue in (Cue.FORWARD, Cue.BACKWARD, Cue.DONE):
            self._pending.pop(Cue.FORWARD, None)
            self._pending.pop(Cue.BACKWARD, None)
            self._turn.begin(now_s)
            self._walk = replace(self._walk, forward=cue is Cue.FORWARD, eased=False)
        elif cue is Cue.ENOUGH:
            self._enough_s = now_s + ENOUGH_AGAIN_S

    def _begin(self, begun: Begun, began_s: float) -> None:
        self._number += 1
        asked = dose(self._settings, self.week or 1)
        self._walk = Walking(self._number, begun, began_s, began_s, asked)
        self._motion.begin(began_s)
        self._over = self._dismissed = self._begins = False
        self._by_word = begun is not Begun.MOTION
        self._pending.clear()
        self._told.clear()
        self._stops.clear()
        self._turn.begin(began_s)
        self._enough_s = began_s + max(asked.most_s, asked.target_s + ENOUGH_AGAIN_S)

    def _go_on(self, now_s: float, walk: Walking, recedes: bool) -> None:
        motion, asked = self._motion, walk.dose
        until_s, unseen_s = motion.moved_s, UNSEEN_S
        if self._by_word or self._leads(walk):  # whoever is led may do so where nothing shows it
            unseen_s = max(UNSEEN_TOLD_S, asked.most_s + UNSEEN_S)
        if self._by_word:
            until_s = now_s if motion.still_since_s is None else motion.still_since_s
        ended = None
        if motion.stood(now_s):
            ended = Ended.STOOD
        elif now_s - max(motion.moved_s, motion.company_s) >= unseen_s:
            ended = Ended.UNSEEN
        over = Cue.BACKWARD in self._pending or now_s - walk.began_s >= asked.target_s
        eased = recedes and self._eases and not over
        self._walk = replace(walk, until_s=max(walk.began_s, until_s), eased=eased, ended=ended)
        if ended is not None:
            self._pending.clear()
            motion.moving_s = 0.0
            return
        self._ask(now_s, walk)

    def _ask(self, now_s: float, walk: Walking) -> None:
        """What is due to be said of the time."""
        asked, told, pending = walk.dose, self._told, self._pending
        elapsed_s = now_s - walk.began_s
        if elapsed_s >= asked.target_s:
            pending.pop(Cue.MARK, None)
            pending.pop(Cue.FORWARD, None)
            pending.pop(Cue.BACKWARD, None)
            if Cue.DONE not in told:
                pending[Cue.DONE] = math.inf
            if now_s >= self._enough_s:
                pending[Cue.ENOUGH] = math.inf
            return
        if elapsed_s >= asked.target_s / 2 and Cue.MARK not in told:
            pending[Cue.MARK] = math.inf
        if asked.intervals:
            stretch_s = asked.forward_s if walk.forward else asked.backward_s
            left_s = asked.target_s - elapsed_s
            if now_s - self._turn.since_s >= stretch_s and left_s >= SHORTEST_S:
                pending[Cue.BACKWARD if walk.forward else Cue.FORWARD] = math.inf

    def _count_stops(self, now_s: float, alert: Alert) -> None:
        stopped = alert.state >= State.STOP
        if stopped and not self._stopped:
            self._stops.append(now_s)
            if len(self._stops) == STOPS and now_s - self._stops[0] <= STOPS_S:
                self._stops.clear()
                self._pending[Cue.REST] = now_s + STOPS_S
        self._stopped = stopped


class _Turn:
    """Whether the wearer went forward, as they were told, and what that eases.

    `since_s`: when they were told. `confirmed`: by their word, or by something that recedes, until
    it, or anything, comes nearer; and anew for each thing that comes into view after the first.
    """

    def __init__(self) -> None:
        self.begin(0.0)

    def begin(self, now_s: float, confirmed: bool = False) -> None:
        """They are told to turn; or say so, which is confirmed."""
        self.since_s, self.confirmed = now_s, confirmed
        self._change_s = self._farthest_m = 0.0
        self._object_id = 0

    def step(self, step_s: float, track: Track, mps: float | None, trusted: bool) -> bool:
        """Whether what is in view is seen not to come nearer, neither quickly nor slowly."""
        d = track.distance_m
        self.confirmed = self.confirmed and trusted
        if d is None or mps is None or not trusted:
            self._change_s = 0.0
            return False
        another = track.object_id != self._object_id != 0
        if track.object_id != self._object_id:
            self._object_id, self._farthest_m = track.object_id, d
        self._farthest_m = max(self._farthest_m, d)
        if self.confirmed and (another or d <= self._farthest_m - REARM_NEARER_M):
            self.confirmed, self._change_s = False, 0.0
        against = mps >= MOVING_MPS if self.confirmed else mps <= -MOVING_MPS
        self._change_s = self._change_s + step_s if against else 0.0
        if self._change_s >= (TAKEN_BACK_S if self.confirmed else CONFIRMED_S):
            self.confirmed, self._change_s, self._farthest_m = not self.confirmed, 0.0, d
        return self.confirmed and mps < STILL_MPS


class _Motion:
    """What the track shows of the wearer's own moving.

    `moving_s`: of late, leaking at half its rate; it began at `since_s`. `moved_s`: seen last.
    `company_s`: when somebody was seen last who goes along, or stands about: the walk may go on.
    `still_since_s`: since when the distance in view has kept still, None where there is none.
    """

    def __init__(self) -> None:
        self.moving_s = self.since_s = self.moved_s = self.company_s = self.step_s = 0.0
        self.still_since_s: float | None = None
        self._last_s: float | None = None
        self._seen_s = -math.inf
        self._low_m = self._high_m = 0.0
        self._object_id, self._object_s = 0, 0.0

    def begin(self, now_s: float) -> None:
        """A walk begins: what was before does not end it."""
        self.moved_s = max(self.moved_s, now_s)
        self.still_since_s = None

    def stood(self, now_s: float) -> bool:
        """Whether the wearer has stood for long enough to have ended."""
        return self.still_since_s is not None and now_s - self.still_since_s >= STOOD_S

    def step(self, now_s: float, track: Track, trusted: bool) -> float | None:
        """Closing speed, m/s, of what is in view at this moment and has one."""
        last_s, self._last_s = self._last_s, now_s
        self.step_s = 0.0 if last_s is None else min(now_s - last_s, LONGEST_STEP_S)
        d = track.distance_m if trusted else None
        if d is None or track.age_s is None or track.age_s > SEEN_S:
            self._leak()
            if now_s - self._seen_s > GLIMPSE_S:
                self.still_since_s = None
            return None
        self._seen_s = now_s
        if track.object_id != self._object_id:
            self._object_id, self._object_s = track.object_id, now_s
        low_m, high_m = min(self._low_m, d), max(self._high_m, d)
        if self.still_since_s is None or high_m - low_m > STOOD_SPAN_M:
            if now_s - self._object_s >= COMPANY_S:
                self.company_s = now_s
            self.still_since_s, self._low_m, self._high_m = now_s, d, d
        else:
            self._low_m, self._high_m = low_m, high_m
        mps = track.closing_mps
        if mps is None or abs(mps) < MOVING_MPS:
            self._leak()
            return mps
        if self.moving_s == 0.0:
            self.since_s = now_s - self.step_s
        self.moving_s = min(BEGINS_S, self.moving_s + self.step_s)
        if self.moving_s >= PASSES_S:
            self.moved_s = now_s
        return mps

    def _leak(self) -> None:
        self.moving_s = max(0.0, self.moving_s - self.step_s / 2)


class _Pace:
    """Whether the wearer closes faster than what is seen here allows.

    What counts is how far off the thing that is being approached was first believed: a hedge of
    which one knows from 1.2 m on allows less than a wall at 4 m.
    """

    def __init__(self, to_stop_s: float) -> None:
        self._to_stop_s = to_stop_s
        self._object_id = 0
        self._first_m = math.inf
        self._fast_s = 0.0
        self._doubted_s = 0.0
        self._again_s = -math.inf

    def too_fast(
        self, now_s: float, step_s: float, track: Track, mps: float | None, trusted: bool
    ) -> bool:
        """Whether to say so now, `step_s` after the instant before."""
        if not trusted:
            self._doubted_s = now_s
        d = track.distance_m
        if d is None or not trusted:
            self._fast_s = 0.0
            return False
        if track.object_id != self._object_id:
            self._object_id, self._fast_s = track.object_id, 0.0
            # What stands there when the sensor comes to has not been met from afar.
            self._first_m = d if now_s - self._doubted_s > GLIMPSE_S else math.inf
        protected_mps = max(0.0, self._first_m - HEEL_LEAD_M) / self._to_stop_s
        approached = d <= self._first_m - FAST_M
        fast = mps is not None and protected_mps < mps <= MOST_MPS and approached
        self._fast_s = self._fast_s + step_s if fast else 0.0
        if self._fast_s < FAST_S or now_s < self._again_s:
            return False
        self._again_s = now_s + FAST_AGAIN_S
        return True
