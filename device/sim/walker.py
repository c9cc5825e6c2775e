"""The walker: where they are at any moment, and what they feel.

A walk is a list of stretches with constant speed or constant braking, so the place
at any time is a formula and no time step is needed. The walker feels the buzzer
and the motor only as rhythm: three pulses within a second, or one that does not
end, is urgent, as WARNING, DANGER, STOP and FAULT are and CAUTION is not. After
the reaction time they brake.

One who follows the walk's cues knows a few words more, each a train of long and short
pulses that has ended: long short is "go forward", short long "go backward", two long
"slower", three long "rest", and two short ones twice over "that was it". Who goes on after
a stop steps away from what was behind them, looks, and goes round it.
"""

import bisect
import math
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from device.sim.scenario import Walker as Manner

URGENT_PULSES = 3
URGENT_WITHIN_S = 1.0
URGENT_LONG_S = 0.4
LONG_S = 0.25
"""A pulse of so much is a long one."""
PAUSE_S = 0.4
"""Silence after which a train of pulses has ended."""
TWICE_S = 1.5
"""Two pairs so near each other are one word."""
EASE_MPS2 = 1.0
"""How people change their pace when nothing urges (assumed)."""
SLOWER = 0.8
STEP_AWAY_S = 2.0


class Stretch(NamedTuple):
    """Motion from `t_s` on: place, speed, acceleration, heading and its rate."""

    t_s: float
    x_m: float
    speed_mps: float
    accel_mps2: float = 0.0
    heading_deg: float = 0.0
    turn_dps: float = 0.0

    def at(self, t_s: float) -> tuple[float, float]:
        """(place, speed) at `t_s`."""
        dt = t_s - self.t_s
        speed = self.speed_mps + self.accel_mps2 * dt
        return self.x_m + (self.speed_mps + speed) / 2 * dt, speed

    def heading(self, t_s: float) -> float:
        """Degrees turned from straight back at `t_s`."""
        return self.heading_deg + self.turn_dps * (t_s - self.t_s)


class Walker:
    """One person on one walk."""

    def __init__(
        self,
        manner: Manner,
        at: Callable[[float, Callable[[], None]], None],
        go_round: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`at` books a callback in the world's time; `go_round` is told when they go on."""
        self._manner = manner
        self._go_round = go_round
        self._gait_s = manner.phase / (manner.sway_hz or manner.bob_hz or 1.0)
        self._at = at
        self._stretches: list[Stretch] = []
        self._pulses: deque[float] = deque(maxlen=URGENT_PULSES)
        self._on_since: dict[str, float] = {}
        self.warned_s: float | None = None
        """When they were first warned."""
        self._halted = False
        self._forward = self._done = False
        self._backward_mps = max((leg.speed_mps for leg in manner.legs), default=0.0)
        self._trains: dict[str, list[bool]] = {}
        self._ended_s: dict[str, float] = {}
        self._word_s = self._pair_s = -math.inf
        t_s = x_m = heading = 0.0
        for leg in manner.legs:
            stretch = Stretch(t_s, x_m, leg.speed_mps, 0.0, heading, leg.turn_dps)
            self._stretches.append(stretch)
            t_s += leg.for_s
            x_m, heading = stretch.at(t_s)[0], stretch.heading(t_s)
        self._stretches.append(Stretch(t_s, x_m, 0.0, 0.0, heading))

    def place(self, t_s: float) -> tuple[float, float]:
        """(metres along the way, backward speed in m/s) of the trunk at `t_s`."""
        return self._stretch(t_s).at(t_s)

    def sensor(self, t_s: float) -> tuple[float, float]:
        """(metres along the way, heading in degrees) of the sensor, with gait while moving."""
        stretch = self._stretch(t_s)
        x_m, speed_mps = stretch.at(t_s)
        heading_deg = stretch.heading(t_s)
        if speed_mps == 0.0:
            return x_m, heading_deg
        m = self._manner
        return (
            x_m + m.bob_m * math.sin(math.tau * m.bob_hz * (t_s + self._gait_s)),
            heading_deg + m.sway_deg * math.sin(math.tau * m.sway_hz * (t_s + self._gait_s)),
        )

    def heading_deg(self, t_s: float) -> float:
        """Degrees turned from straight back at `t_s`, without the trunk's sway."""
        return self._stretch(t_s).heading(t_s)

    def nod_deg(self, t_s: float) -> float:
        """Degrees that the trunk tips the sensor down at `t_s`."""
        m = self._manner
        if self._stretch(t_s).at(t_s)[1] == 0.0:
            return 0.0
        return m.nod_deg * math.sin(math.tau * m.bob_hz * (t_s + self._gait_s))

    def feel(self, organ: str, t_s: float, level: float) -> None:
        """The buzzer or the motor changed, at `t_s`, to `level`."""
        if level == 0.0:
            since_s = self._on_since.pop(organ, None)
            if since_s is not None and self._manner.follows_cues:
                self._spell(organ, since_s, t_s)
            return
        if organ in self._on_since:
            return
        self._on_since[organ] = t_s
        if organ == min(self._on_since):
            self._pulses.append(t_s)
        self._at(t_s + URGENT_LONG_S, lambda: self._still_on(organ, t_s))
        if len(self._pulses) == URGENT_PULSES and t_s - self._pulses[0] <= URGENT_WITHIN_S:
            self._urgent(t_s)

    def stop(self, t_s: float) -> None:
        """Stand still from `t_s`: arrived, or run into something."""
        self._then(Stretch(t_s, self.place(t_s)[0], 0.0, 0.0, self._stretch(t_s).heading(t_s)))
        if not self._halted:
            self._stand(t_s)

    def _still_on(self, organ: str, since_s: float) -> None:
        if self._on_since.get(organ) == since_s:
            self._urgent(since_s + URGENT_LONG_S)

    def _urgent(self, t_s: float) -> None:
        if self.warned_s is None:
            self.warned_s = t_s
        if self._manner.heeds:
            self._halt(t_s)

    def _halt(self, t_s: float) -> None:
        if not self._halted:
            self._halted = True
            brake_s = t_s + (self._manner.reaction_s or 0.0)
            self._at(brake_s, lambda: self._brake(brake_s))

    def _brake(self, t_s: float) -> None:
        if self.place(t_s)[1] == 0.0:
            self.stop(t_s)
            self._stand(t_s)
        else:
            self._stand(self._change_to(t_s, 0.0, self._manner.braking_mps2))

    def _stand(self, t_s: float) -> None:
        """From `t_s` they stand, for a while or for good."""
        self._halted = True
        if self._manner.resumes_s is not None:
            away_s = t_s + self._manner.resumes_s
            self._at(away_s, lambda: self._step_away(away_s))

    def _step_away(self, t_s: float) -> None:
        on_s = t_s + STEP_AWAY_S
        if not self._done:
            self._change_to(t_s, -self._manner.forward_mps, EASE_MPS2)
            self._at(on_s, lambda: self._go_on(on_s))

    def _go_on(self, t_s: float) -> None:
        self._halted = False
        self._pulses.clear()
        self._go_round(t_s)
        self._change_to(t_s, self._asked_mps, EASE_MPS2)

    @property
    def _asked_mps(self) -> float:
        if self._done:
            return 0.0
        return -self._manner.forward_mps if self._forward else self._backward_mps

    def _spell(self, organ: str, since_s: float, t_s: float) -> None:
        """A pulse has ended; what the train of them says is known when no other follows."""
        self._trains.setdefault(organ, []).append(t_s - since_s >= LONG_S)
        self._ended_s[organ] = t_s
        self._at(t_s + PAUSE_S, lambda: self._understand(organ, t_s))

    def _understand(self, organ: str, ended_s: float) -> None:
        if organ in self._on_since or self._ended_s[organ] != ended_s:
            return
        word, t_s = self._trains.pop(organ), ended_s + PAUSE_S
        if t_s - self._word_s > PAUSE_S:  # or else the other organ said so already
            self._word_s = t_s
            obey_s = t_s + (self._manner.reaction_s or 0.0)
            self._at(obey_s, lambda: self._obey(obey_s, word))

    def _obey(self, t_s: float, word: list[bool]) -> None:
        match word:
            case [True, False]:
                self._forward = True
            case [False, True]:
                self._forward = False
            case [True, True]:
                self._backward_mps *= SLOWER
            case [True, True, True] if not self._halted:
                self._halted = True
                self._brake(t_s)
            case [False, False] if t_s - self._pair_s <= TWICE_S:
                self._done = True
            case _:
                self._pair_s = t_s if word == [False, False] else -math.inf
                return
        if not self._halted:
            self._change_to(t_s, self._asked_mps, EASE_MPS2)

    def _change_to(self, t_s: float, speed_mps: float, at_mps2: float) -> float:
        """Brake or speed up to `speed_mps` from `t_s` on; when that is done."""
        x_m, now_mps = self.place(t_s)
        heading = self._stretch(t_s).heading(t_s)
        for_s = abs(speed_mps - now_mps) / at_mps2
        accel = math.copysign(at_mps2, speed_mps - now_mps)
        self._then(Stretch(t_s, x_m, now_mps, accel, heading))
        x_m += (now_mps + speed_mps) * for_s / 2
        self._stretches.append(Stretch(t_s + for_s, x_m, speed_mps, 0.0, heading))
        return t_s + for_s

    def _then(self, stretch: Stretch) -> None:
        self._stretches = [s for s in self._stretches if s.t_s < stretch.t_s] + [stretch]

    def _stretch(self, t_s: float) -> Stretch:
        stretches = self._stretches
        if t_s >= stretches[-1].t_s:
            return stretches[-1]
        return stretches[max(0, bisect.bisect_right(stretches, t_s, key=_start) - 1)]


def _start(stretch: Stretch) -> float:
    return stretch.t_s
