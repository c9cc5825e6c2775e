"""Whether the sensor can be believed at all: dead, confused, or proven.

A fault is not a distance and not a level; it stands beside them and is announced.
Five judges, the first that objects gives the fault its name:

- *silence*: no believable answer for `fault_after_s`. "Never answered" (a wiring
  mistake) and "stopped answering" (a wire that broke) are different sentences to
  the person who mends it.
- *slow*: fewer than four answers in 0.8 s. A loop that is starved of processor time, or
  a part that answers now and then, sees too little to warn in time.
- *unreliable*: three of the last eight pings proved nothing. A healthy part
  answers every ping, even if only with "nothing there".
- *frozen*: echo pulses of the same length to the microsecond, for 0.4 s. Even a wall before
  someone who stands still is never that exact; a hung part is. A kernel's stamps wander by some
  microseconds, and now and then one is much too late, so the same part looks coarser through
  real pins: three of four pulses alike to half a millimetre, for 4 s, from a part that is known to
  be finer. What a serial part says, a millimetre, may repeat for a moment: it has 3 s.
- *garbage*: five of the last ten pings were echoes that agree with neither the
  tracked object nor the two echoes before them. Two real surfaces alternate; only
  nonsense never repeats.

Quick to doubt, slow to trust again: a fault ends after eight good answers in a
row (0.3-0.5 s), so an answer now and then does not end it. A sensor is proven
by its first two answers; "nothing" from a part that says the same when it is covered is none.
"""

import math
from collections import deque
from enum import StrEnum

from device.core.reading import UNHURRIED, Echo, Fault, Pace, PingFault, Reading

FAULT_AFTER_S = 0.5
"""PX4 gives a range finder the same half second before it is stale."""
PROOF_ANSWERS = 2
SLOW_ANSWERS = 4
SLOW_AFTER_S = 0.8
RECOVERY_ANSWERS = 8
WINDOW = 8
WINDOW_FAULTS = 3
GARBAGE_WINDOW = 10
GARBAGE_ORPHANS = 5
RECOVERY_S, GARBAGE_S, GARBAGE_LEAST = 0.8, 0.8, 5
"""A slow sensor's fewer answers count for these spans: seconds, and at least so many of them."""
FROZEN_ANSWERS, FROZEN_S = 6, 0.39
SAME_S = 1e-6
"""So many echo pulses, for so long, within a microsecond (0.2 mm): stamps alone jitter by more."""
SERIAL_S = 3.0
"""To the millimetre, someone who stands sways more than that in so long (assumed)."""
COARSE_PULSES, COARSE_SHARE = 20, 0.2
"""Stamps on a grid of 5 us (pigpio's) repeat by themselves before a standing wearer; where that
is seen to happen, the same pulse says nothing for NEARLY_FOR_S."""
NEARLY_S, NEARLY_FOR_S, NEARLY_WINDOW, NEARLY_ODD = 3e-6, 4.0, 16, 4
"""Half a millimetre of pulse, for so long, with no more than four odd ones of any sixteen. In
simulation this never in an hour took a wearer who stands for frozen while the pulses' own noise
was 3 us (0.5 mm) or more; it finds a hung part among 10 % of stamps that are much too late, but
not one whose stamps all wander by 3 us (standard deviation) or more."""
FINE_S, SMALL_S, STEPS, STEPS_LEAST, FINE_SHARE = (6e-6, 12e-6), 30e-6, 64, 24, 0.18
STEPS_WITHIN_S = 1.0
"""It is for parts that are known to count finely: of the latest small steps from pulse to pulse
(6 to 30 us), so many are of 6 to 12 us. A part that counts by the centimetre, or by 3 mm, says
the same to whoever stands still, and has no such steps."""
LONG_RUN, RUNS = 10, 40
COMPANIONS = 2
COMPANION_M = 0.08
COMPANION_MPS = 2.2
COMPANION_MAX_S = 0.25
FASTEST_MPS = 8.0
"""A bicycle and the walker towards each other."""


class SensorFault(StrEnum):
    """What is wrong with the sensor, in the words of the journal."""

    NEVER_ANSWERED = "never-answered"
    STOPPED_ANSWERING = "stopped-answering"
    STUCK_HIGH = "stuck-high"
    NOISE = "noise"
    LOST_EDGE = "lost-edge"
    LATE_EDGE = "late-edge"
    BAD_FRAME = "bad-frame"
    OUT_OF_RANGE = "out-of-range"
    DAZZLED = "dazzled"
    PORT_GONE = "port-gone"
    INTERMITTENT = "intermittent"
    GARBAGE = "garbage"
    FROZEN = "frozen"
    """The very same echo over and over: nobody stands that still."""
    SLOW = "slow"
    """Answers come, but too few of them to warn in time."""
    STALE = "stale"
    """Nothing was read at all, not even a failure: the loop or the driver stands still."""


_NAMES = {
    PingFault.STUCK_HIGH: SensorFault.STUCK_HIGH,
    PingFault.NOISE: SensorFault.NOISE,
    PingFault.LOST_EDGE: SensorFault.LOST_EDGE,
    PingFault.LATE_EDGE: SensorFault.LATE_EDGE,
    PingFault.BAD_FRAME: SensorFault.BAD_FRAME,
    PingFault.OUT_OF_RANGE: SensorFault.OUT_OF_RANGE,
    PingFault.DAZZLED: SensorFault.DAZZLED,
    PingFault.PORT_GONE: SensorFault.PORT_GONE,
}


class Health:
    """Judges the stream of readings; `fault` is the verdict, None while believable."""

    def __init__(
        self,
        fault_after_s: float = FAULT_AFTER_S,
        slow_after_s: float = SLOW_AFTER_S,
        pace: Pace = UNHURRIED,
    ) -> None:
        """Silence, and four answers' span, that are a fault; longer only for slow sensors."""
        self._recovery = pace.count(RECOVERY_ANSWERS, RECOVERY_S, 3)
        among = pace.count(GARBAGE_WINDOW, GARBAGE_S, GARBAGE_LEAST)
        self._most_orphans = math.ceil(among * GARBAGE_ORPHANS / GARBAGE_WINDOW)
        self._fault_after_s = fault_after_s
        self._slow_after_s = slow_after_s
        self._answered_s: deque[float] = deque(maxlen=SLOW_ANSWERS)
        self._answers = 0
        self._answered = False
        """Something, be it of low trust."""
        self._good_in_a_row = 0
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._orphans: deque[bool] = deque(maxlen=among)
        self._echoes: deque[Echo] = deque(maxlen=COMPANIONS)
        self._alike_said: float | None = None
        """The pulse, seconds, or the serial part's own number, that has come so often."""
        self._serial = False
        self._alike = 0
        self._alike_since_s = 0.0
        self._near_s: float | None = None
        """The pulse that most have been like."""
        self._near_since_s = 0.0
        self._latest: deque[float] = deque(maxlen=NEARLY_WINDOW)
        self._odd: deque[bool] = deque(maxlen=NEARLY_WINDOW)
        self._before_s: float | None = None
        self._fine: deque[bool] = deque(maxlen=STEPS)
        """Of the latest small steps from one pulse to the next, which were very small."""
        self._runs: deque[int] = deque(maxlen=RUNS)
        """How long the last runs of equal pulses were."""
        self._last_answer_s = 0.0
        self._last_failure: PingFault | None = None
        self.fault: SensorFault | None = None

    def begin(self, now_s: float) -> None:
        """Silence counts from here."""
        self._last_answer_s = now_s

    @property
    def proven(self) -> bool:
        """It has answered often enough to be believed."""
        return self._answers >= PROOF_ANSWERS

    @property
    def due_s(self) -> float:
        """When silence becomes a fault if nothing is heard until then."""
        return min(self._silent_s, self._slow_s)

    @property
    def _silent_s(self) -> float:
        return round(self._last_answer_s + self._fault_after_s, 6)

    @property
    def _slow_s(self) -> float:
        """When the last few answers are too old, all together, to be called a pace."""
        if len(self._answered_s) < SLOW_ANSWERS:
            return math.inf
        return round(self._answered_s[0] + self._slow_after_s, 6)

    def step(
        self, now_s: float, reading: Reading | None, fitted: bool = False
    ) -> SensorFault | None:
        """Take one reading (or the absence of one) in, and judge.

        `fitted`: it is an echo of the object that was tracked already.
        """
        if reading is not None:
            self._take(reading, fitted)
        objection = self._objection(now_s)
        if objection is not None and (self.fault is None or all(self._failed)):
            self.fault = objection  # and keeps its first name until it is quite dead
        elif objection is None and self._good_in_a_row >= self._recovery:
            self.fault = None
        return self.fault

    def _take(self, reading: Reading, fitted: bool) -> None:
        failed = isinstance(reading, Fault)
        orphan = isinstance(reading, Echo) and not fitted and self._is_orphan(reading)
        self._failed.append(failed)
        self._orphans.append(orphan)
        if isinstance(reading, Fault):
            self._last_failure = reading.fault
        else:
            self._answered = True
            self._answers += isinstance(reading, Echo) or reading.sure
            self._last_answer_s = reading.t_s
            self._answered_s.append(reading.t_s)
        self._good_in_a_row = 0 if failed or orphan else self._good_in_a_row + 1
        if isinstance(reading, Echo):
            self._echoes.append(reading)
        if not failed:
            self._compare(reading)

    def _compare(self, reading: Reading) -> None:
        """Count how often the very same answer has come; recordings without it tell nothing.

        Nor does a part inside its blind zone, which may give one constant answer.
        """
        said: float | None = None
        if isinstance(reading, Echo) and not reading.too_close:
            self._serial = reading.echo_s is None
            said = reading.raw if self._serial else reading.echo_s
        before = self._alike_said
        self._compare_roughly(said, reading.t_s)
        if said is not None and before is not None and abs(said - before) <= SAME_S:
            self._alike += 1
        else:
            if before is not None:
                self._runs.append(min(self._alike, LONG_RUN))
            self._alike_said, self._alike, self._alike_since_s = said, 1, reading.t_s
        if self._frozen:
            self._good_in_a_row = 0

    def _compare_roughly(self, said: float | None, t_s: float) -> None:
        """Since when most pulses have been like one of them, whatever the stamps' wander."""
        if said is not None and self._before_s is not None:
            step_s = abs(said - self._before_s)
            # Not of pulses that are nearly alike already: a hung part's odd ones say nothing.
            if FINE_S[0] < step_s <= SMALL_S and t_s - self._near_since_s < STEPS_WITHIN_S:
                self._fine.append(step_s <= FINE_S[1])
        self._before_s = said
        latest, odd = self._latest, self._odd
        if said is None:
            latest.clear()
        else:
            latest.append(said)
            if self._near_s is not None:
                odd.append(abs(said - self._near_s) > NEARLY_S)
                # Once it is called frozen, it takes more to believe that it is not.
                if sum(odd) <= NEARLY_ODD * (2 if self._nearly_frozen else 1):
                    return
        self._near_s = sorted(latest)[len(latest) // 2] if latest else None
        self._near_since_s = t_s
        odd.clear()

    @property
    def _nearly_frozen(self) -> bool:
        if self._last_answer_s - self._near_since_s < NEARLY_FOR_S:
            return False
        steps = len(self._fine)
        return steps >= STEPS_LEAST and sum(self._fine) >= FINE_SHARE * steps

    @property
    def _frozen(self) -> bool:
        alike_s = self._last_answer_s - self._alike_since_s
        enough = self._alike >= FROZEN_ANSWERS
        if self._serial:
            return enough and alike_s >= SERIAL_S
        if self._nearly_frozen:
            return True
        if not enough or alike_s < FROZEN_S:
            return False  # nearly always, and a ping has no time to spare
        if alike_s >= NEARLY_FOR_S:
            return True
        pulses = sum(self._runs)
        return pulses < COARSE_PULSES or pulses - len(self._runs) <= COARSE_SHARE * pulses

    def _is_orphan(self, echo: Echo) -> bool:
        echoes = self._echoes
        if not echoes or any(
            abs(echo.distance_m - other.distance_m)
            <= COMPANION_M + COMPANION_MPS * min(echo.t_s - other.t_s, COMPANION_MAX_S)
            for other in echoes
        ):
            return False
        return len(echoes) < COMPANIONS or not _in_line(echoes[0], echoes[1], echo)

    def _objection(self, now_s: float) -> SensorFault | None:
        if now_s >= self._silent_s:
            return self._silence()
        if now_s >= self._slow_s:
            return self._silence() if any(self._failed) else SensorFault.SLOW
        if sum(self._failed) >= WINDOW_FAULTS:
            # Not one good answer among the last three: it is as good as silent.
            in_a_row = all(list(self._failed)[-WINDOW_FAULTS:])
            return self._silence() if in_a_row else SensorFault.INTERMITTENT
        if sum(self._orphans) >= self._most_orphans:
            return SensorFault.GARBAGE
        if self._frozen:
            return SensorFault.FROZEN
        return None

    def _silence(self) -> SensorFault:
        if not any(self._failed):
            return SensorFault.STALE if self._answered else SensorFault.NEVER_ANSWERED
        if self._last_failure in _NAMES:
            return _NAMES[self._last_failure]
        return SensorFault.STOPPED_ANSWERING if self._answered else SensorFault.NEVER_ANSWERED


def _in_line(first: Echo, second: Echo, third: Echo) -> bool:
    """Whether three echoes move as evenly as a bicycle does, though too fast for a walker."""
    apart_s = second.t_s - first.t_s
    if apart_s <= 0.0:
        return False
    pace_mps = (second.distance_m - first.distance_m) / apart_s
    expected_m = second.distance_m + pace_mps * (third.t_s - second.t_s)
    return abs(pace_mps) <= FASTEST_MPS and abs(third.distance_m - expected_m) <= COMPANION_M
