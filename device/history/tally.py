"""The tally: what is to be remembered of a walk, made of the loop's steps as they come.

A step's state holds until the next step, so each whole second of a walk is a sum over pieces of
time. Once a second it comes out as an `Entry`, with all that was said in it; at every other step
nothing does, and a step costs a few microseconds. Nothing here waits, writes or looks at a clock.

A walk that begins by itself began a few seconds before anyone knew, so the last steps are kept
and told again when it does. And one that ends by itself ended where motion was last seen: what
comes after that moment is *provisional* and counts in no total, until the walk turns out to have
gone on.
"""

import math
from collections import deque
from collections.abc import Sequence

from device import __version__, sensors
from device.core.alert import SEEN_S, STILL_MPS, DeviceFault, State
from device.core.coach import LONGEST_STEP_S, MOST_MPS, MOVING_MPS, ORDER, Ended, Walking
from device.core.health import SensorFault
from device.core.pipeline import Step
from device.core.signals import Cue
from device.core.track import Track
from device.history.records import (
    LEVELS,
    Beginning,
    Entry,
    Event,
    Kind,
    Reaction,
    Second,
    Totals,
)
from device.profiles import Threshold, thresholds
from device.settings import Settings

STEPS_BEFORE = 320
"""Five seconds or more: a walk is never put farther back than four."""
REACTING_MPS, REACTED_SHARE, REACTION_S, LEAST_REACTION_S = 0.3, 0.5, 5.0, 0.3
"""Slowing is seen where this much was there to be slowed, and taken for an answer for so long. It
is seen some 0.3 s late, the speed being that of a line through 0.55 s; nothing is taken off, and
who was slowing before that was not answering."""
ROUND = 3
"""Millimetres and milliseconds; a float's other digits are not known, and cost room."""
CUES = frozenset(ORDER)
STOPPED = "stopped"
FAULT = 0
"""Counted in the place of CLEAR, which nothing rises to."""
HEARD_S = 0.02
"""An echo of this moment: what was passed must not come nearer in thought."""
NOTHING: Sequence[Entry] = ()

FAULTS: dict[str, str] = {
    SensorFault.NEVER_ANSWERED: "the sensor has never answered",
    SensorFault.STOPPED_ANSWERING: "the sensor stopped answering",
    SensorFault.STUCK_HIGH: "the echo line stayed high: the sensor hangs, or a wire touches",
    SensorFault.NOISE: "pulses too short for an echo: noise on the line",
    SensorFault.LOST_EDGE: "only half of each answer arrived",
    SensorFault.LATE_EDGE: "answers came when this sensor gives none",
    SensorFault.BAD_FRAME: "what the sensor sends is no message of its kind",
    SensorFault.OUT_OF_RANGE: "the sensor says what none of its kind can mean",
    SensorFault.DAZZLED: "too much light, or another device's sound, for the sensor",
    SensorFault.PORT_GONE: "the sensor's serial port is gone: a cable is out",
    SensorFault.INTERMITTENT: "too many of the sensor's answers prove nothing",
    SensorFault.GARBAGE: "the sensor's echoes contradict one another",
    SensorFault.FROZEN: "the very same echo over and over: the sensor hangs",
    SensorFault.SLOW: "too few answers to warn in time",
    SensorFault.STALE: "nothing was read of the sensor at all",
    DeviceFault.CRASH_LOOP: "it crashed several times in a row and runs on safe settings",
    DeviceFault.SETTINGS: "its settings cannot be used; it runs on others",
    DeviceFault.OUTPUT: "the buzzer or the motor cannot be had",
}


def cause(step: Step, limits: Sequence[Threshold]) -> str:
    """Why the level in `step` is what it is, in a sentence without its point.

    `limits`: `profiles.thresholds`. Which of them is met is judged as the alert machine does.
    """
    level, track = min(int(step.alert.state), 4), step.track
    if level == 0:
        return "nothing within any limit"
    if track.against or (level == 4 and track.distance_m is None):
        return "touching, or nearer than the sensor can see"
    d, ttc_s = track.distance_m, track.ttc_s
    receding = track.closing_mps is not None and track.closing_mps < -STILL_MPS
    for met in (4, 3, 2, 1):
        limit, name = limits[met - 1], LEVELS[met].upper()
        told = met - 1 if receding and met < 4 else met
        if d is None or told > level:
            continue
        if told < level:
            break
        going = ", but going away" if told < met else ""
        if d <= limit.distance_m:
            return f"{d:.2f} m away, within {name}'s {limit.distance_m:.2f} m{going}"
        if ttc_s is not None and 0.0 < limit.ttc_s >= ttc_s:
            speed = "" if track.closing_mps is None else f" at {track.closing_mps:.1f} m/s"
            return (
                f"{ttc_s:.1f} s from the touch{speed}, within {name}'s {limit.ttc_s:.1f} s{going}"
            )
    if isinstance(step.alert.fault, SensorFault):
        return f"the way is not known to be clear: {FAULTS[step.alert.fault]}"
    return "it was nearer a moment ago, and is not yet clear of that"


class Tally:
    """Follows the loop's steps; gives an `Entry` when there is something to remember."""

    def __init__(self, settings: Settings) -> None:
        """`settings` are those the steps come from. Raises ConfigError, as `sensors.model` does."""
        self._settings = settings
        self._sensor = sensors.model(settings.sensor).title
        self._before: deque[Step] = deque(maxlen=STEPS_BEFORE)
        self._open: _Walk | None = None
        self._done = 0
        """The number of the walk that ended last."""

    def __call__(self, step: Step) -> Sequence[Entry]:
        """Take in one step. Two entries come only where a walk begins as another ends."""
        walk, now = step.walk, self._open
        found: Sequence[Entry] = NOTHING
        if now is not None and (walk is None or walk.number != now.beginning.number):
            found = [self._end(now, STOPPED if walk is None else Ended.BUTTON.value)]
            now = None
        if walk is None or walk.number == self._done:
            self._before.append(step)
            return found
        if now is None:
            now = self._open = self._begin(walk)
        now.take(step, walk)
        if walk.ended is not None:
            return [*found, self._end(now, walk.ended.value)]
        return [*found, now.entry()] if now.seconds else found

    def close(self) -> Sequence[Entry]:
        """The end of a walk that the device's own end cuts short."""
        return NOTHING if self._open is None else [self._end(self._open, STOPPED)]

    def _begin(self, walk: Walking) -> "_Walk":
        settings, limits = self._settings, thresholds(self._settings.alert)
        beginning = Beginning(
            number=walk.number,
            began_s=walk.began_s,
            begun=walk.begun.value,
            version=__version__,
            sensor=self._sensor,
            profile=settings.alert.profile,
            mode=settings.coach.mode,
            week=walk.dose.week,
            target_s=walk.dose.target_s,
            most_s=walk.dose.most_s,
            weight_kg=settings.walks.weight_kg,
            limits_m=tuple(limit.distance_m for limit in limits),
        )
        begun = _Walk(beginning, limits)
        for step in self._before:
            begun.recall(step)
        self._before.clear()
        return begun

    def _end(self, walk: "_Walk", ended: str) -> Entry:
        self._done, self._open = walk.beginning.number, None
        return walk.end(ended)


class _Walk:
    """The walk that goes on. Times are seconds since it began, but for the steps' own."""

    def __init__(self, beginning: Beginning, limits: Sequence[Threshold]) -> None:
        self.beginning = beginning
        self.seconds: list[Second] = []
        """Those that are over and not yet in an entry."""
        self._events: list[Event] = []
        self._reactions: list[Reaction] = []
        self._limits = limits
        self._began_s = beginning.began_s
        self._until_s = 0.0
        self._forward = False
        self._last: Step | None = None
        self._part = _Part(0)
        self._parts: deque[_Part] = deque()
        """Seconds of which it is not yet known whether they count."""
        self._sum = _Part(0)
        """Of those that do."""
        self._level = 0
        self._fault: str | None = None
        self._cue: Cue | None = None
        self._answer: _Answer | None = None
        self._met: int | None = None
        """The object that was warned of last: of one approach the first warning is answered."""

    def recall(self, step: Step) -> None:
        """Take in a step that came before it was known to be of this walk, or was not."""
        if step.t_s < self._began_s - 1e-6:
            self._last = step
        else:
            self._step(step)

    def take(self, step: Step, walk: Walking) -> None:
        """Take in one step of it."""
        self._step(step)
        self._forward, self._until_s = walk.forward, walk.until_s - self._began_s

    def entry(self, ended: str | None = None) -> Entry:
        """What is new since the last."""
        totals = self._totals()
        found = Entry(self.beginning, self.seconds, self._events, self._reactions, totals, ended)
        self.seconds, self._events, self._reactions = [], [], []
        return found

    def end(self, ended: str) -> Entry:
        """The last entry."""
        if self._part.passed_s > 0.0:
            self.seconds.append(self._part.second())
        return self.entry(ended)

    def _step(self, step: Step) -> None:
        if self._last is not None:
            self._hold(self._last, step.t_s)
        self._last = step
        alert = step.alert
        fault, level = alert.fault, int(alert.state)
        if level != State.STOP and isinstance(fault, SensorFault):
            level = 0  # what is said is the fault
        level = min(level, 4)
        if level != self._level or fault is not self._fault or step.cue is not self._cue:
            self._tell(step, level)
        if self._answer is not None:
            self._look_for(self._answer, step)

    def _hold(self, last: Step, now_s: float) -> None:
        """What was at `last` lasts until now."""
        from_s, to_s = max(0.0, last.t_s - self._began_s), now_s - self._began_s
        if from_s >= self._part.t_s + 1:  # of what was before nothing is remembered
            self._part = _Part(int(from_s))
        known_s = min(to_s, from_s + LONGEST_STEP_S)  # whoever stood still longer saw nothing
        while to_s >= (over_s := self._part.t_s + 1):
            self._part.hold(last, min(known_s, over_s) - from_s, over_s - from_s, self._forward)
            if self._part.known_s > 0.0:
                self.seconds.append(self._part.second())
            self._parts.append(self._part)
            self._part = _Part(over_s if over_s < known_s else int(to_s))
            from_s = self._part.t_s
        self._part.hold(last, min(known_s, to_s) - from_s, to_s - from_s, self._forward)

    def _tell(self, step: Step, level: int) -> None:
        t_s, fault, cue = step.t_s - self._began_s, step.alert.fault, step.cue
        if level > self._level:
            self._part.rises.append((t_s, level))
            self._add(step, "alert", LEVELS[level], cause(step, self._limits))
            mps, met = step.track.closing_mps, step.track.object_id
            if level >= State.WARNING and met != self._met and mps is not None:
                self._met = met
                if mps >= REACTING_MPS:
                    self._answer = _Answer(t_s, met, mps * REACTED_SHARE)
        if fault is not None and fault is not self._fault:
            if self._fault is None:
                self._part.rises.append((t_s, FAULT))
            self._add(step, "fault", fault.value, FAULTS[fault])
        if cue is not self._cue and cue in CUES:
            self._add(step, "cue", cue.name.lower(), _why(cue, step.walk, t_s))
        self._level, self._fault, self._cue = level, fault, cue

    def _add(self, step: Step, kind: Kind, what: str, why: str) -> None:
        track, t_s = step.track, round(step.t_s - self._began_s, ROUND)
        numbers = [
            None if number is None else round(number, ROUND)
            for number in (track.distance_m, track.closing_mps, track.ttc_s)
        ]
        self._events.append(Event(t_s, kind, what, why, *numbers))

    def _look_for(self, answer: "_Answer", step: Step) -> None:
        """Whether the wearer slows; or is seen not to."""
        track, took_s = step.track, step.t_s - self._began_s - answer.since_s
        gone = track.distance_m is None or track.object_id != answer.object_id
        slow = _seen(track) and (track.closing_mps or 0.0) <= answer.slow_mps
        never = track.against or (took_s > REACTION_S and _seen(track))
        if slow or never or gone or took_s > REACTION_S:
            self._answer = None
        already = slow and took_s < LEAST_REACTION_S
        if never or (slow and not (gone or already)):
            reaction_s = round(took_s, ROUND) if slow else math.inf
            self._reactions.append(Reaction(round(answer.since_s, ROUND), reaction_s))

    def _totals(self) -> Totals:
        until_s, parts = self._until_s, self._parts
        while parts and parts[0].t_s + 1 <= until_s:
            self._sum.add(parts.popleft(), 1.0, until_s)
        total = _Part(0)
        total.add(self._sum, 1.0, until_s)
        for part in (*parts, self._part):
            if part.passed_s > 0.0 and part.t_s < until_s:
                total.add(part, min(1.0, (until_s - part.t_s) / part.passed_s), until_s)
        return total.totals(max(0.0, until_s))


class _Answer:
    """An alert that slowing may still answer. `since_s`: when it was told, not rounded."""

    __slots__ = ("object_id", "since_s", "slow_mps")

    def __init__(self, since_s: float, object_id: int, slow_mps: float) -> None:
        self.since_s, self.object_id, self.slow_mps = since_s, object_id, slow_mps


class _Part:
    """A second of a walk, or several added up; all that is summed of steps."""

    __slots__ = (
        "backward_m",
        "backward_seen_s",
        "believed_s",
        "buzzer_s",
        "closing_m",
        "closing_s",
        "counts",
        "distance_m",
        "fault",
        "forward_m",
        "forward_s",
        "forward_seen_s",
        "known_s",
        "level",
        "motor_s",
        "passed_s",
        "rises",
        "t_s",
    )

    def __init__(self, t_s: int) -> None:
        self.t_s = t_s
        self.passed_s = self.known_s = self.believed_s = self.forward_s = 0.0
        self.buzzer_s = self.motor_s = self.closing_m = self.closing_s = 0.0
        self.backward_m = self.backward_seen_s = self.forward_m = self.forward_seen_s = 0.0
        self.distance_m: float | None = None
        self.level = 0
        self.fault: str | None = None
        self.rises: list[tuple[float, int]] = []
        self.counts = [0] * len(LEVELS)

    def hold(self, step: Step, known_s: float, passed_s: float, forward: bool) -> None:
        """What was at `step` lasted for `known_s` of the `passed_s` that went by."""
        self.passed_s += passed_s
        if known_s <= 0.0:
            return
        self.known_s += known_s
        alert, command = step.alert, step.command
        self.level = max(self.level, alert.state)
        self.buzzer_s += command.buzzer * known_s
        self.motor_s += command.motor * known_s
        if forward:
            self.forward_s += known_s
        fault = alert.fault
        if fault is not None:
            self.fault = fault
        if alert.proven and (fault is None or not isinstance(fault, SensorFault)):
            self.believed_s += known_s
            if step.track.distance_m is not None:
                self._see(step.track, step.track.distance_m, known_s)

    def _see(self, track: Track, distance_m: float, for_s: float) -> None:
        heard = track.age_s is not None and track.age_s <= HEARD_S
        if heard and (self.distance_m is None or distance_m < self.distance_m):
            self.distance_m = distance_m
        mps = track.closing_mps
        if mps is None:
            return
        self.closing_s += for_s
        self.closing_m += mps * for_s
        if MOVING_MPS <= abs(mps) <= MOST_MPS and _seen(track):
            if mps > 0.0:
                self.backward_m += mps * for_s
                self.backward_seen_s += for_s
            else:
                self.forward_m -= mps * for_s
                self.forward_seen_s += for_s

    def add(self, other: "_Part", share: float, until_s: float) -> None:
        """`share`: of the other's time that counts; what happened until `until_s` does."""
        self.believed_s += share * other.believed_s
        self.forward_s += share * other.forward_s
        self.backward_m += other.backward_m
        self.backward_seen_s += other.backward_seen_s
        self.forward_m += other.forward_m
        self.forward_seen_s += other.forward_seen_s
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        for t_s, level in other.rises:
            self.counts[level] += t_s <= until_s
        if other.distance_m is not None:
            self.distance_m = min(other.distance_m, self.distance_m or other.distance_m)

    def second(self) -> Second:
        """As it is remembered."""
        passed_s, d = self.passed_s, self.distance_m
        return Second(
            t_s=self.t_s,
            distance_m=None if d is None else round(d, ROUND),
            closing_mps=round(self.closing_m / self.closing_s, ROUND) if self.closing_s else None,
            level=min(int(self.level), 4),
            fault=self.fault,
            buzzer=round(self.buzzer_s / passed_s, ROUND),
            motor=round(self.motor_s / passed_s, ROUND),
            forward=2.0 * self.forward_s > passed_s,
            protected=round(self.believed_s / passed_s, ROUND),
        )

    def totals(self, walked_s: float) -> Totals:
        """Of a walk of that length."""
        d, (faults, cautions, warnings, dangers, stops) = self.distance_m, self.counts
        return Totals(
            walked_s=round(walked_s, ROUND),
            forward_s=round(min(self.forward_s, walked_s), ROUND),
            protected_s=round(min(self.believed_s, walked_s), ROUND),
            backward_m=round(self.backward_m, ROUND),
            backward_seen_s=round(self.backward_seen_s, ROUND),
            forward_m=round(self.forward_m, ROUND),
            forward_seen_s=round(self.forward_seen_s, ROUND),
            closest_m=None if d is None else round(d, ROUND),
            cautions=cautions,
            warnings=warnings,
            dangers=dangers,
            stops=stops,
            faults=faults,
        )


def _seen(track: Track) -> bool:
    return track.age_s is not None and track.age_s <= SEEN_S


def _why(cue: Cue, walk: Walking | None, t_s: float) -> str:
    """What made the coach say so."""
    if cue is Cue.MARK:
        half = walk is None or t_s >= walk.dose.target_s / 2
        return "half of it is done" if half else "begun by the button"
    if cue is Cue.DONE:
        pressed = walk is not None and walk.ended is Ended.BUTTON
        return "ended by the button" if pressed else "as long as was asked"
    return _WHY[cue]


_WHY = {
    Cue.ENOUGH: "longer than it should be",
    Cue.FORWARD: "the change to going forward",
    Cue.BACKWARD: "the change to going backward",
    Cue.SLOWER: "faster than what can be seen here allows",
    Cue.REST: "three STOPs within five minutes",
}
