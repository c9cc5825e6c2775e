"""The alert machine: how near is too near, whole in this file.

Five levels, by distance or by time to collision, whichever is the worse; a sixth
state for having touched; and the sensor's fault beside them all.

               SEES_* (at once, any number of levels up)
       ----------------------------------------------------->
      CLEAR <--- CAUTION <--- WARNING <--- DANGER <--- STOP <--- AGAINST
             CALMS         CALMS        CALMS       CALMS    FREES  ^
             (one level at a time, after the dwell)                 | TOUCHES
      DOUBTS: CLEAR -> CAUTION, STOP -> DANGER, else stay           | (from any)
      TRUSTS: all but AGAINST -> CLEAR, then looked at afresh

*Up* is at once: the tracker has proven the object, so a threshold needs no second
proof. *Down* is slow: only after
`release_pings` readings in a row beyond the threshold by max(0.15 m, 10 %), and
never before the dwell. A fault reading counts for neither; "nothing there" counts
towards calm only once the track's half second of dead reckoning is over.

*Touching* latches: a sensor that hears nothing from inside its blind zone must
not look clear, so AGAINST ends only when something farther than 0.35 m is seen.

*Doubt*: a faulty sensor is not a level. While it stands the path is never CLEAR,
and STOP, which would outshout the fault's signal, is kept only for an object
that is being seen at this moment (AGAINST is kept, but signalled as the fault).
When trust returns nothing of the old calm-down is inherited: the level is what the
fresh track says.

*Hush*: standing still, or walking with a follower, for `hush_s` quietens an alert
without lowering its level; closing again, coming 0.12 m nearer, a new object or a
higher level ends it at once.
"""

from enum import Enum, IntEnum, StrEnum, auto

from msgspec import Struct

from device.core.health import SensorFault
from device.core.reading import UNHURRIED, Fault, Pace, Reading
from device.core.track import Track, away_m
from device.profiles import Threshold, thresholds
from device.settings import AlertSettings

STILL_MPS = 0.15
STILL_SPAN_M = 0.10
SEEN_S = 0.25
"""An echo older than this is not being seen at this moment."""
REARM_S = 0.3
REARM_NEARER_M = 0.12
RELEASE_PING_S = 0.1
"""A reading on the way to calm need not count for less time than this."""
MARGIN_M = 0.15
MARGIN_S = 0.2
MARGIN_SHARE = 0.10


class State(IntEnum):
    """Where the machine stands; AGAINST is STOP, latched."""

    CLEAR = 0
    CAUTION = 1
    WARNING = 2
    DANGER = 3
    STOP = 4
    AGAINST = 5

    @property
    def level(self) -> str:
        """The journal's word for it."""
        return _LEVEL_NAMES[self]


_LEVEL_NAMES = ("clear", "caution", "warning", "danger", "stop", "stop")


class Event(Enum):
    """What can happen to the machine."""

    SEES_CAUTION = auto()
    SEES_WARNING = auto()
    SEES_DANGER = auto()
    SEES_STOP = auto()
    TOUCHES = auto()
    CALMS = auto()
    FREES = auto()
    DOUBTS = auto()
    TRUSTS = auto()


_CL, _CA, _WA, _DA, _ST, _AG = State
# fmt: off
TABLE: dict[Event, tuple[State, State, State, State, State, State]] = {
    #                   CLEAR  CAUTION WARNING DANGER STOP AGAINST
    Event.SEES_CAUTION: (_CA,   _CA,    _WA,    _DA,  _ST,   _AG),
    Event.SEES_WARNING: (_WA,   _WA,    _WA,    _DA,  _ST,   _AG),
    Event.SEES_DANGER:  (_DA,   _DA,    _DA,    _DA,  _ST,   _AG),
    Event.SEES_STOP:    (_ST,   _ST,    _ST,    _ST,  _ST,   _AG),
    Event.TOUCHES:      (_AG,   _AG,    _AG,    _AG,  _AG,   _AG),
    Event.CALMS:        (_CL,   _CL,    _CA,    _WA,  _DA,   _AG),
    Event.FREES:        (_CL,   _CA,    _WA,    _DA,  _ST,   _ST),
    Event.DOUBTS:       (_CA,   _CA,    _WA,    _DA,  _DA,   _AG),
    Event.TRUSTS:       (_CL,   _CL,    _CL,    _CL,  _CL,   _AG),
}
# fmt: on
_SEES = (
    Event.SEES_CAUTION,
    Event.SEES_CAUTION,
    Event.SEES_WARNING,
    Event.SEES_DANGER,
    Event.SEES_STOP,
)


class DeviceFault(StrEnum):
    """What is wrong with the device, and not with its sensor, in the words of the journal."""

    CRASH_LOOP = "crash-loop"
    """It ended unbidden several times in a row, and runs on safe settings."""
    SETTINGS = "settings"
    """Its configuration cannot be used: it runs on the last good one, or on what can be."""
    OUTPUT = "output"
    """The buzzer or the motor cannot be had: the other one warns alone."""


class Alert(Struct, frozen=True, gc=False):
    """What the wearer should know now.

    `fault`: the sensor's own comes before the device's. `closing`: the gap is shrinking.
    `hushed`: nothing has changed for a while. `proven`: the sensor has answered since the start.
    """

    state: State = State.CLEAR
    fault: SensorFault | DeviceFault | None = None
    closing: bool = False
    hushed: bool = False
    proven: bool = False

    @property
    def level(self) -> str:
        """The journal's word for the level."""
        return self.state.level


class AlertMachine:
    """Steps from one Alert to the next, one reading at a time."""

    def __init__(
        self, settings: AlertSettings, blind_m: float = 0.0, pace: Pace = UNHURRIED
    ) -> None:
        """Thresholds, counts and times come from the profile and its overrides.

        `blind_m`: the sensor's blind zone, within which nothing frees a latched touch. `pace`: a
        slow sensor's readings count for more, so that calm does not take longer for it.
        """
        self._away_m = away_m(blind_m)
        limits = thresholds(settings)
        self._limits = tuple((limit.distance_m, limit.ttc_s) for limit in limits)
        self._holds = tuple(_widened(limit) for limit in limits)
        self._release_pings = pace.count(
            settings.release_pings, RELEASE_PING_S * settings.release_pings, 2
        )
        self._dwell_s = (0.0, settings.dwell_s, settings.dwell_s) + (settings.danger_dwell_s,) * 3
        self._hush = _Hush(settings.hush_s)
        self._calm = 0
        self._risen_s = 0.0
        self._state = State.CLEAR

    def step(
        self,
        now_s: float,
        reading: Reading | None,
        track: Track,
        fault: SensorFault | None,
        doubted: bool,
    ) -> State:
        """Take in one instant. `doubted`: a fault stood at the instant before."""
        if fault is not None:
            self._doubt(track, fault)
        else:
            if doubted:
                self._trust(track)
            if isinstance(reading, Fault):
                pass  # one lost ping proves nothing, neither danger nor calm
            elif reading is not None:
                self._look(now_s, track)
        if reading is not None:
            self._hush.step(now_s, track, self._state)
        return self._state

    @property
    def hushed(self) -> bool:
        """Standing still long enough that an alert need not repeat itself."""
        return self._hush.hushed

    def _look(self, now_s: float, track: Track) -> None:
        if track.against:
            self._fire(Event.TOUCHES, now_s)
        elif (
            self._state is State.AGAINST
            and track.distance_m is not None
            and track.distance_m > self._away_m
        ):
            self._fire(Event.FREES, now_s)
        required = _worst(self._limits, track)
        if required > self._state and track.age_s is not None and track.age_s <= SEEN_S:
            self._fire(_SEES[required], now_s)  # what was passed must not come nearer in thought
        self._calm = self._calm + 1 if _worst(self._holds, track) < self._state else 0
        if self._calm >= self._release_pings and (
            now_s - self._risen_s >= self._dwell_s[self._state]
        ):
            self._fire(Event.CALMS, now_s)

    def _doubt(self, track: Track, fault: SensorFault) -> None:
        if fault is SensorFault.GARBAGE and self._state is State.AGAINST:
            self._fire(Event.FREES, 0.0)  # nonsense touches nothing
        seen = track.age_s is not None and track.age_s <= SEEN_S
        if seen and fault is not SensorFault.GARBAGE and _worst(self._limits, track) == State.STOP:
            self._fire(Event.SEES_STOP, 0.0)
        else:
            self._fire(Event.DOUBTS, 0.0)

    def _trust(self, track: Track) -> None:
        """Back from a fault: no dwell; what the track says, now."""
        self._fire(Event.TRUSTS, 0.0)
        required = _worst(self._limits, track)
        if required:
            self._fire(_SEES[required], 0.0)

    def _fire(self, event: Event, now_s: float) -> None:
        after = TABLE[event][self._state]
        if after > self._state:
            self._risen_s = now_s
        if after != self._state:
            self._calm = 0
        self._state = after


class _Hush:
    """Notices that nothing changes: standing near a wall, or a steady follower."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: float | None = None
        self._low_m = self._high_m = 0.0
        self._object_id = 0
        self._state = State.CLEAR
        self._closing_since_s: float | None = None
        self.hushed = False

    def step(self, now_s: float, track: Track, state: State) -> None:
        higher, self._state = state > self._state, state
        d, closing = track.distance_m, track.closing_mps
        if d is None or closing is None or track.object_id != self._object_id or higher:
            self._object_id = track.object_id
            self._since_s, self.hushed = None, False
            return
        if self.hushed:
            self._rearm(now_s, d, closing)
        else:
            self._settle(now_s, d, closing)

    def _settle(self, now_s: float, d: float, closing: float) -> None:
        low, high = min(self._low_m, d), max(self._high_m, d)
        if self._since_s is None or abs(closing) >= STILL_MPS or high - low > STILL_SPAN_M:
            self._since_s, self._low_m, self._high_m = now_s, d, d
            return
        self._low_m, self._high_m = low, high
        if now_s - self._since_s >= self._after_s:
            self.hushed, self._closing_since_s = True, None

    def _rearm(self, now_s: float, d: float, closing: float) -> None:
        if closing < STILL_MPS:
            self._closing_since_s = None
        elif self._closing_since_s is None:
            self._closing_since_s = now_s
        closed_s = 0.0 if self._closing_since_s is None else now_s - self._closing_since_s
        if closed_s >= REARM_S or d <= self._low_m - REARM_NEARER_M:
            self.hushed, self._since_s = False, None


def _widened(limit: Threshold) -> tuple[float, float]:
    """The condition that must be left before the level may be given up."""
    distance_m = limit.distance_m + max(MARGIN_M, MARGIN_SHARE * limit.distance_m)
    ttc_s = limit.ttc_s + max(MARGIN_S, MARGIN_SHARE * limit.ttc_s) if limit.ttc_s else 0.0
    return distance_m, ttc_s


def _worst(limits: tuple[tuple[float, float], ...], track: Track) -> int:
    """Highest level whose condition the track meets; receding lowers all but STOP by one."""
    d = track.distance_m
    if d is None:
        return 0
    ttc_s = track.ttc_s
    for level in (4, 3, 2, 1):
        distance_m, limit_s = limits[level - 1]
        if d <= distance_m or (ttc_s is not None and limit_s > 0.0 and ttc_s <= limit_s):
            receding = track.closing_mps is not None and track.closing_mps < -STILL_MPS
            return level - 1 if receding and level < State.STOP else level
    return 0
