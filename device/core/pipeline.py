"""One instant of the whole: a reading in, a command out.

A step with a reading, or one at which silence itself becomes news, is judged:
tracked, doubted, decided. Any other step only asks the player where its rhythm
stands. So extra steps change nothing, and a recording replayed at the instants
it has gives the levels it had.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from device.core.alert import STILL_MPS, Alert, AlertMachine, DeviceFault, State
from device.core.coach import Coach, Walking
from device.core.health import FAULT_AFTER_S, SLOW_AFTER_S, Health, SensorFault
from device.core.reading import UNHURRIED, Pace, Reading
from device.core.signals import ASIDES_S, Command, Cue, Player
from device.core.track import Track, Tracker
from device.profiles import need
from device.settings import Settings

REJUDGE_S = 0.25
"""How often silence is judged again, so that the alert stays fresh or becomes a fault."""
MOST_SILENCES = 64
SLOW_SPAN_PERIODS = 8.0
SLOW_PERIODS = 2.5
"""Silence of this many periods is a fault in a sensor slower than the usual half second."""


EASES_S = 0.1
"""A slower sensor, or one behind a filter, is late to see that the wearer has turned back."""
NOTICED_S = 10.0
"""The fault signal, twice."""


class Start(Struct, frozen=True):
    """What the wearer has to be told of how this run began.

    `restarted`: the one before ended unbidden. `fault`: announced until `until_s`. `walking`: they
    said that they walk from here on.
    """

    restarted: bool = False
    fault: DeviceFault | None = None
    until_s: float = math.inf
    walking: bool = False

    def doubting(self, fault: DeviceFault) -> "Start":
        """With that fault to tell for long enough to be noticed, unless there is another."""
        return self if self.fault is not None else replace(self, fault=fault, until_s=NOTICED_S)


FIRST = Start()


class Step(Struct, frozen=True, gc=False):
    """Everything about one instant: the reading (None: no news) and what followed from it.

    `muted_s`: how long the buzzer will still be silent, at the wearer's wish. `walk`: the one that
    is being walked, or has just ended.
    """

    t_s: float
    reading: Reading | None
    track: Track
    alert: Alert
    cue: Cue
    command: Command
    muted_s: float = 0.0
    walk: Walking | None = None


class Pipeline:
    """Reading -> Track and Health -> Alert -> Command."""

    def __init__(self, settings: Settings, pace: Pace = UNHURRIED, start: Start = FIRST) -> None:
        """`pace`: how often and how late the sensor speaks, for slow ones."""
        self._start = start
        period_s = pace.period_s
        fault_after_s = max(FAULT_AFTER_S, SLOW_PERIODS * period_s)
        blind_m = settings.sensor.min_range_m
        self._tracker = Tracker(settings.alert.new_object_pings, fault_after_s, blind_m, pace)
        slow_after_s = max(SLOW_AFTER_S, SLOW_SPAN_PERIODS * period_s)
        self._health = Health(fault_after_s, slow_after_s, pace)
        self._machine = AlertMachine(settings.alert, blind_m, pace)
        greeting = Cue.RESTARTED if start.restarted else Cue.CHIRP
        self._player = Player(settings.buzzer, settings.motor, settings.led.enabled, greeting)
        times = need(settings.alert.profile, settings.alert.reaction_s)
        eases = pace.lag_s == 0.0 and pace.period_s <= EASES_S
        self.coach = Coach(
            settings.coach, times.system_s + times.human_s, start.walking, eases=eases
        )
        self._walk: Walking | None = None
        self._telling: tuple[Cue, float] | None = None
        """The coach's cue that is playing, and since when."""
        self._track = Track()
        self._alert = Alert()
        self._judge_s = self._fault_after_s = fault_after_s
        self._begun = False

    @property
    def due_s(self) -> float:
        """The next instant at which a step would differ without any new reading."""
        return min(self._judge_s, self._player.due_s)

    def mute(self, now_s: float, for_s: float) -> None:
        """Silence the buzzer for `for_s`, or end that; see `Player.mute`."""
        self._player.mute(now_s, for_s)

    def press_twice(self, now_s: float) -> None:
        """The wearer begins or ends a walk, or changes direction; no mute goes on beyond that.

        Refused while something warns, or nothing is known yet: what could not be answered is not
        done.
        """
        self._player.unmute()
        if not (self._player.idle and self._alert.proven):
            return
        self._telling = None
        self._player.answer(now_s, self.coach.press(now_s))

    def say_goodbye(self) -> None:
        """From the next step on, only the last signal."""
        self._player.say_goodbye()

    def step(self, now_s: float, reading: Reading | None) -> Step:
        """Take in one instant; `now_s` never decreases."""
        judged = reading is not None
        if not self._begun:  # opening it all may have taken longer than a sensor may be silent
            self._begun = judged = True
            self._health.begin(now_s)
            self._judge_s = round(now_s + self._fault_after_s, 6)
        # Silence is judged at its own instants, also by whoever comes late or left them out,
        # as a journal does: or the same readings could come to two verdicts.
        for _ in range(MOST_SILENCES):
            if self._judge_s > now_s or (self._judge_s == now_s and reading is not None):
                break
            self._judge(self._judge_s, None)
            judged = True
        else:  # by now everything that silence can do is done
            self._judge(now_s, None)
        if reading is not None:
            self._judge(now_s, reading)
        return self._say(now_s, reading, judged)

    def _say(self, now_s: float, reading: Reading | None, judged: bool) -> Step:
        player, coach = self._player, self.coach
        wish, eased, before = None, False, player.cue
        if judged:
            if self._telling is not None:
                cue, since_s = self._telling
                if now_s >= since_s + ASIDES_S[cue]:
                    coach.told(since_s, cue)
                    self._telling = None
            self._walk = coach.step(now_s, self._track, self._alert)
            wish = coach.wish(now_s)
            eased = self._walk is not None and self._walk.eased
        command = player.step(now_s, self._alert if judged else None, wish, eased)
        if player.cue is not before:  # what a warning cuts off was not told, and is wished for on
            begins = wish is not None and player.cue is wish
            self._telling = (player.cue, now_s) if begins else None
        muted_s = player.muted_s(now_s)
        alert, walk = self._alert, self._walk
        return Step(now_s, reading, self._track, alert, player.cue, command, muted_s, walk)

    def _judge(self, now_s: float, reading: Reading | None) -> None:
        tracker, health, machine = self._tracker, self._health, self._machine
        track = tracker.at(now_s) if reading is None else tracker.step(now_s, reading)
        doubted = health.fault is not None
        fault = health.step(now_s, reading, tracker.fitted)
        if fault is SensorFault.GARBAGE:
            tracker.forget_touch()
        state = machine.step(now_s, reading, track, fault, doubted)
        closing = track.closing_mps is not None and track.closing_mps >= STILL_MPS
        self._track = track
        hushed = machine.hushed and state < State.STOP  # STOP never falls silent
        told = self._start.fault if fault is None and now_s < self._start.until_s else fault
        self._alert = Alert(state, told, closing, hushed, health.proven)
        due_s = health.due_s
        again_s = round(now_s + REJUDGE_S, 6)
        self._judge_s = min(due_s, again_s) if due_s > now_s else again_s
