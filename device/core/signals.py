"""What each alert sounds and feels like: data, and a player that is a function of time.

Meaning is in the rhythm, not in the strength, which the torso tells poorly and
worse with age; a shorter gap feels more urgent. A rhythm is a list of pulses
played once, then another repeated for ever; where it stands is worked out from
the time since it began, so nothing drifts, nothing sleeps and there is no beep
thread. One signal plays at a time: STOP > FAULT > DANGER > WARNING > CAUTION >
asides, which say how the device is or how the walk goes, and wait until nothing else is
to be said. Vibration pulses are longer than the buzzer's because an eccentric motor needs
time to spin: gaps under 100 ms blur.

The wearer may mute the buzzer, never the motor, and only up to WARNING: DANGER, a fault or
STOP ends the mute. The lamp is for whoever builds or walks along; nobody sees it on their
own back.

The player does not trust its feeder: handed no fresh alert for half a second it
plays the fault signal (openpilot's sound daemon does the same).
"""

import math
from enum import Enum

from msgspec import Struct

from device.core.alert import Alert, State
from device.core.health import SensorFault
from device.settings import BuzzerSettings, MotorSettings

FRESH_S = 0.5
LOW_TONE = 0.5
HIGH_TONE = 1.3
FAREWELL_S = 0.9
"""From GOODBYE's onset to the end of the run."""


class Rhythm(Struct, frozen=True):
    """(on, off) pulses in milliseconds: `once`, then `again` for ever, until `until_ms`."""

    once: tuple[tuple[int, int], ...] = ()
    again: tuple[tuple[int, int], ...] = ()
    until_ms: float = math.inf

    def at(self, elapsed_s: float) -> tuple[float | None, float]:
        """(seconds the running pulse has been on, or None; seconds until that changes)."""
        t = elapsed_s * 1000.0 + 1e-3  # an edge asked for at its own instant has happened
        if t >= self.until_ms:
            return None, math.inf
        start = 0.0
        for on, off in self.once:
            if t < start + on + off:
                return self._within(t, start, on, off)
            start += on + off
        period = sum(on + off for on, off in self.again)
        if not period:
            return None, math.inf
        start += (t - start) // period * period
        for on, off in self.again[:-1]:
            if t < start + on + off:
                return self._within(t, start, on, off)
            start += on + off
        return self._within(t, start, *self.again[-1])

    def _within(self, t: float, start: float, on: int, off: int) -> tuple[float | None, float]:
        if t < start + on:
            return (t - start) / 1000.0, (min(start + on, self.until_ms) - t) / 1000.0
        return None, (min(start + on + off, self.until_ms) - t) / 1000.0


SILENT = Rhythm()


class Signal(Struct, frozen=True):
    """One thing to say: both rhythms, and the passive buzzer's tone relative to its own.

    `rises`: every second pulse is HIGH_TONE.
    """

    buzzer: Rhythm = SILENT
    motor: Rhythm = SILENT
    tone: float = 1.0
    rises: bool = False

    def tone_at(self, elapsed_s: float) -> float:
        """The tone at that moment, relative to the buzzer's own."""
        if not self.rises:
            return self.tone
        before_ms = 0.0
        for number, (on, off) in enumerate(self.buzzer.once):
            before_ms += on + off
            if elapsed_s * 1000.0 + 1e-3 < before_ms:
                return HIGH_TONE if number % 2 else self.tone
        return self.tone


class Cue(Enum):
    """The cadence table: every signal there is."""

    SILENCE = Signal()
    CHIRP = Signal(Rhythm(once=((250, 0),)), Rhythm(once=((150, 0),)), HIGH_TONE)
    RESTARTED = Signal(
        Rhythm(once=((120, 120), (120, 120), (120, 0))),
        Rhythm(once=((150, 110), (150, 110), (150, 0))),
        HIGH_TONE,
    )
    MUTED = Signal(motor=Rhythm(once=((100, 100), (100, 0))))
    UNMUTED = Signal(Rhythm(once=((80, 0),)), Rhythm(once=((100, 0),)))
    GOODBYE = Signal(Rhythm(once=((600, 0),)), Rhythm(once=((600, 0),)), LOW_TONE)
    # The walk's own. None has three pulses within a second, or one of 0.4 s, as all that urges has.
    MARK = Signal(Rhythm(once=((80, 80), (80, 0))), Rhythm(once=((60, 100), (60, 0))), rises=True)
    DONE = Signal(
        Rhythm(once=((80, 80), (80, 860), (80, 80), (80, 0))),
        Rhythm(once=((60, 100), (60, 880), (60, 100), (60, 0))),
        rises=True,
    )
    ENOUGH = Signal(
        Rhythm(once=((150, 100), (150, 800), (150, 100), (150, 800), (150, 100), (150, 0))),
        Rhythm(once=((150, 100), (150, 800), (150, 100), (150, 800), (150, 100), (150, 0))),
        rises=True,
    )
    FORWARD = Signal(Rhythm(once=((300, 160), (80, 0))), Rhythm(once=((300, 160), (80, 0))))
    BACKWARD = Signal(Rhythm(once=((80, 160), (300, 0))), Rhythm(once=((80, 160), (300, 0))))
    SLOWER = Signal(
        Rhythm(once=((300, 300), (300, 0))), Rhythm(once=((300, 300), (300, 0))), LOW_TONE
    )
    REST = Signal(
        Rhythm(once=((300, 300), (300, 300), (300, 0))),
        Rhythm(once=((300, 300), (300, 300), (300, 0))),
        LOW_TONE,
    )
    CAUTION = Signal(
        Rhythm(once=((100, 0),)),
        Rhythm(again=((150, 850),), until_ms=3000),
    )
    CAUTION_CLOSING = Signal(
        Rhythm(once=((100, 900),), again=((150, 850),)),
        Rhythm(again=((150, 850),), until_ms=3000),
    )
    WARNING = Signal(Rhythm(again=((150, 150),)), Rhythm(again=((150, 250),)))
    DANGER = Signal(Rhythm(again=((75, 75),)), Rhythm(again=((120, 100),)))
    DANGER_HUSHED = Signal(Rhythm(again=((75, 1925),)), Rhythm(again=((120, 1880),)))
    STOP = Signal(
        Rhythm(once=((3000, 75),), again=((75, 75),)),
        Rhythm(once=((3000, 100),), again=((400, 100),)),
    )
    FAULT = Signal(
        Rhythm(
            once=((500, 250), (500, 250), (500, 750)),
            again=((200, 200), (200, 5400)),
        ),
        Rhythm(again=((600, 300), (600, 4500))),
        LOW_TONE,
    )


ASIDES_S = {
    Cue.CHIRP: 0.5,
    Cue.RESTARTED: 0.9,
    Cue.MUTED: 0.5,
    Cue.UNMUTED: 0.5,
    Cue.MARK: 0.5,
    Cue.DONE: 1.5,
    Cue.ENOUGH: 2.9,
    Cue.FORWARD: 1.0,
    Cue.BACKWARD: 1.0,
    Cue.SLOWER: 1.0,
    Cue.REST: 1.6,
}
"""What is said when nothing else is, and for how long it is left to play: so long, too, that what
follows is not taken for a part of it."""
ANSWER_S = 0.6
"""A press is answered when it is known not to be the first of two: both answers in a row would feel
urgent."""
COACH_AFTER_S = 2.0
"""The walk's own cues wait so long after a warning."""
ENDS_MUTE = frozenset((Cue.DANGER, Cue.DANGER_HUSHED, Cue.STOP, Cue.FAULT))


class Lamp(Enum):
    """The LED's codes."""

    STARTING = Rhythm(again=((100, 100),))
    """The sensor has not answered yet."""
    WATCHING = Rhythm(again=((50, 1950),))
    MUTED = Rhythm(again=((50, 200), (50, 1700)))
    NEAR = Rhythm(again=((1000, 0),))
    """CAUTION or above: on."""
    FAULT = Rhythm(again=((500, 500),))


def choose(alert: Alert, eased: bool = False) -> Cue:
    """The one signal for this alert, by priority. `eased`: as quiet as if nothing had changed.

    A sensor that is doubted has no level to warn of, so its fault comes before all but a touch. A
    doubt about the device comes after what urges: the sensor is believed, and DANGER is nearer.
    """
    remembered = alert.state is State.AGAINST and isinstance(alert.fault, SensorFault)
    if alert.state >= State.STOP and not remembered:  # a touch that no sensor sees any more
        return Cue.STOP
    if isinstance(alert.fault, SensorFault):
        return Cue.FAULT
    quiet = alert.hushed or eased
    match alert.state:
        case State.DANGER:
            return Cue.DANGER_HUSHED if quiet else Cue.DANGER
        case State.WARNING if not quiet:
            return Cue.WARNING
        case _ if alert.fault is not None:
            return Cue.FAULT
        case State.CAUTION if not quiet:
            return Cue.CAUTION_CLOSING if alert.closing else Cue.CAUTION
        case _:
            return Cue.SILENCE


class Command(Struct, frozen=True, gc=False):
    """What the outputs should be doing: buzzer 0 or 1 at `tone_hz`, motor 0 to 1, lamp 0 or 1."""

    buzzer: int = 0
    motor: float = 0.0
    tone_hz: int = 0
    led: int = 0


OFF = Command()


class Player:
    """Turns alerts into commands; owns nothing but what is playing and since when."""

    def __init__(
        self,
        buzzer: BuzzerSettings,
        motor: MotorSettings,
        led: bool = False,
        greeting: Cue = Cue.CHIRP,
    ) -> None:
        """A part that is not enabled is never commanded on. `greeting`: the first aside."""
        self._buzzer = buzzer
        self._motor = motor
        self._led = led
        self._lamp = Lamp.STARTING
        self._lamp_began_s = 0.0
        self._greeting: Cue | None = greeting
        self._answer: Cue | None = None
        self._answer_s = 0.0
        self._muted_until_s = 0.0
        self._leaving = False
        self._cue = Cue.SILENCE
        self._began_s = 0.0
        self._fresh_s = 0.0
        self._warned_s = -math.inf
        self._command = OFF
        self._due_s = 0.0

    @property
    def cue(self) -> Cue:
        """What is playing."""
        return self._cue

    @property
    def due_s(self) -> float:
        """When the command changes by itself, or the alert goes stale."""
        return min(self._due_s, self._fresh_s + FRESH_S)

    def muted_s(self, now_s: float) -> float:
        """How long the buzzer will still be mute."""
        return max(0.0, self._muted_until_s - now_s)

    def mute(self, now_s: float, for_s: float) -> None:
        """Silence the buzzer for `for_s`; when it is mute already, end that.

        Refused, by sounding on, while a signal plays that must be heard. What was done is felt:
        by the buzzer that falls silent or sounds again, or else by an aside.
        """
        if self._leaving or self._cue in ENDS_MUTE:
            return
        muted = self.muted_s(now_s) > 0
        self._muted_until_s = 0.0 if muted else now_s + for_s
        self.answer(now_s, Cue.UNMUTED if muted else Cue.MUTED, ANSWER_S)

    @property
    def idle(self) -> bool:
        """Nothing that warns is being said."""
        return self._cue is Cue.SILENCE or self._cue in ASIDES_S

    def unmute(self) -> None:
        """Let the buzzer sound from the next step on."""
        self._muted_until_s = 0.0

    def answer(self, now_s: float, cue: Cue, after_s: float = 0.0) -> None:
        """Say an aside `after_s` from now, if nothing that warns is being said until then."""
        if self.idle:
            self._answer, self._answer_s = cue, round(now_s + after_s, 6)
        self._due_s = now_s

    def say_goodbye(self) -> None:
        """Nothing but the last signal from now on."""
        self._leaving = True
        self._muted_until_s = 0.0

    def step(
        self, now_s: float, alert: Alert | None, wish: Cue | None = None, eased: bool = False
    ) -> Command:
        """The command at `now_s`; `alert` is None when there is no fresh one.

        `wish`: a cue of the walk's own to say when it can be. `eased`: see `choose`.
        """
        if alert is not None:
            self._fresh_s = now_s
            cue = self._own_or_aside(now_s, alert, wish, eased)
            if self._led:
                self._light(now_s, alert)
        elif now_s - self._fresh_s < FRESH_S:
            cue = self._cue
        else:
            self._fresh_s = now_s
            cue = Cue.STOP if self._cue is Cue.STOP else Cue.FAULT
        if self._leaving:
            cue = Cue.GOODBYE
        elif cue in ENDS_MUTE:
            self._muted_until_s = 0.0
        if cue is not self._cue and not _continues(self._cue, cue):
            self._began_s, self._due_s = now_s, now_s
        elif cue is not self._cue:
            self._due_s = now_s
        self._cue = cue
        if now_s >= self._due_s:
            self._command = self._play(now_s)
        return self._command

    def _own_or_aside(self, now_s: float, alert: Alert, wish: Cue | None, eased: bool) -> Cue:
        """The alert's own signal; where it has none, what else there is to say."""
        cue = choose(alert, eased)
        if cue is not Cue.SILENCE or not self.idle:
            self._warned_s = now_s
        answer = self._answer
        if cue is not Cue.SILENCE or not alert.proven or now_s >= self._answer_s:
            self._answer = None  # to a press: at its moment, or not at all
        if cue is not Cue.SILENCE or not alert.proven:
            return cue
        if answer is not None and self._answer is None:
            return answer
        if now_s - self._began_s < ASIDES_S.get(self._cue, 0.0):
            return self._cue
        greeting, self._greeting = self._greeting, None
        if greeting is not None:
            return greeting
        if wish is not None and now_s - self._warned_s >= COACH_AFTER_S:
            return wish
        return Cue.SILENCE

    def _light(self, now_s: float, alert: Alert) -> None:
        """Choose the lamp's code."""
        if alert.fault is not None:
            lamp = Lamp.FAULT
        elif not alert.proven:
            lamp = Lamp.STARTING
        elif alert.state > State.CLEAR:
            lamp = Lamp.NEAR
        else:
            lamp = Lamp.MUTED if self.muted_s(now_s) else Lamp.WATCHING
        if lamp is not self._lamp:
            self._lamp, self._lamp_began_s, self._due_s = lamp, now_s, now_s

    def _play(self, now_s: float) -> Command:
        signal = self._cue.value
        elapsed_s = now_s - self._began_s
        sounding_s, buzzer_due_s = signal.buzzer.at(elapsed_s)
        spinning_s, motor_due_s = signal.motor.at(elapsed_s)
        motor = 0.0
        if spinning_s is not None and self._motor.enabled:
            spin_up_s = self._motor.overdrive_s - spinning_s
            motor = 1.0 if spin_up_s > 1e-6 else self._motor.strength
            if spin_up_s > 1e-6:
                motor_due_s = min(motor_due_s, spin_up_s)
        muted_s = self.muted_s(now_s)
        lit_s, lamp_due_s = None, math.inf
        if self._led:
            lit_s, lamp_due_s = self._lamp.value.at(now_s - self._lamp_began_s)
        due_s = min(buzzer_due_s, motor_due_s, lamp_due_s, muted_s or math.inf)
        self._due_s = round(now_s + max(due_s, 1e-6), 6)
        sounds = sounding_s is not None and self._buzzer.enabled and not muted_s
        tone_hz = round(self._buzzer.tone_hz * signal.tone_at(elapsed_s)) if sounds else 0
        return Command(int(sounds), motor, tone_hz, int(lit_s is not None))


def _continues(before: Cue, after: Cue) -> bool:
    """CAUTION turning into closing CAUTION is one signal, not a new one."""
    pair = {Cue.CAUTION, Cue.CAUTION_CLOSING}
    return before in pair and after in pair
