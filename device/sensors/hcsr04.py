"""HC-SR04 and its kin: a trigger pulse out, an echo pulse back, width = time of flight.

Also the HC-SR04P, and the JSN-SR04T / AJ-SR04M in their ping mode. The part is
simple and its clones are not; each rule below is a trap some driver fell into.

- *The width alone says what was heard.* Up to the time of flight for
  `max_range_m` it is an echo. Anything longer is "nothing there", for every clone
  says that in its own way: 26, 28, 36, 38, 40, 47, 58, 60, 71 or 103 ms. Under
  100 us sound has gone nowhere: noise. A line high for 250 ms is stuck.
- *Edges belong to their ping.* Where the kernel stamps them (gpiod, lgpio), it also says
  which way each went, and numbers them (gpiod), so that a lost one shows: a fall without its
  rise is thrown away, a pulse with a gap in it is none. RPi.GPIO's callbacks tell neither (the
  pin is looked at again, too late for a short pulse), so there edges are paired in the
  order they came. An edge stamped before the trigger is an older ping's and is thrown
  away; so is an answer that comes at a moment when this part does not answer: the time
  from trigger to rise is 0.3-3 ms for most parts and up to 42 ms for some, but it is the
  same each time, so the first answers teach it.
- *Never wait.* `poll` looks at what has arrived and says when it wants to be asked
  again; the second edge of a ping wakes the loop.
- *Ping as early as is safe*, not every 60 ms: 35 ms after the last trigger, 10 ms
  after the fall, and up to 10 ms of jitter, so that a ghost of the ping before, or
  another device's ping, does not land twice in the same place. In an open field, where
  25 pings have heard nothing, ten a second are enough and spare the battery: something
  new at 4 m is 2.8 s away even at 1.4 m/s, and its first echo brings the full pace back.

Figures: OpenBikeSensor's field notes, the parts' data sheets, measured clones.
"""

import contextlib
from collections import deque
from typing import Any

from device import physics
from device.core.reading import Echo, Fault, Nothing, Pace, PingFault, Reading
from device.errors import HardwareError
from device.failures import DELAY_S, LOOSE_OFF_S, LOOSE_PERIOD_S, SLOW_PERIOD_S, Failure
from device.pins import claim, kernel_stamps
from device.sensors import Bench, Model, Parts

NOISE_S = 100e-6
RISE_TOLERANCE_S = 0.005
"""An answer this far off the part's usual delay is somebody else's."""
LEARN_FROM = 4
RELEARN_FROM = 6
SURE_AFTER = 8
UNSURE_JITTER_S = 0.02
MOST_EDGES = 64
FORWARD_S = 1.0
"""Edge stamps this close to the clock are on its time base and can be compared with it."""
BUSY_RETRY_S = 0.02
IDLE_AFTER = 25
"""Pings in a row that heard nothing before the pace is eased."""

ROSE, FELL = 1, 0
_Edge = tuple[float, Any, int | None]
"""When it arrived, its stamp, and ROSE, FELL or None where nobody can tell."""

MODELS = {
    "hc-sr04": Model(
        title="HC-SR04",
        min_range_m=0.02,
        max_range_m=4.0,
        pace=Pace(period_s=0.04),
        serial=False,
    ),
}


class HCSR04:
    """The driver; one typed outcome a ping."""

    def __init__(self, parts: Parts) -> None:
        """Claim both pins. Raises HardwareError."""
        s = self._settings = parts.settings
        self._clock = parts.clock
        self._rng = parts.rng
        self._sound_mps = physics.speed_of_sound_mps(s.temperature_c)
        self._flight_s = 2.0 * s.max_range_m / self._sound_mps
        self._blind_s = 2.0 * s.min_range_m / self._sound_mps
        self._ticks_diff = parts.board.ticks_diff
        self._edges: deque[_Edge] = deque(maxlen=MOST_EDGES)
        self._told = kernel_stamps(parts.board)
        self._missed = 0
        self._rises = _RiseDelay()
        self._began_s = self._triggered_s = -1.0
        self._fell_s = -1.0
        self._busy_since_s: float | None = None
        self._listening = False
        self._nothings = 0
        self._due_s = 0.0
        self._trigger = claim(parts.board, s.trigger_pin, "sensor.trigger_pin")
        self._echo = claim(parts.board, s.echo_pin, "sensor.echo_pin")
        try:
            self._trigger.output_with_state(0)
            # Pulled down, a broken echo wire reads as silence and not as an antenna.
            self._echo.input_with_pull("down")
            self._echo.bounce = None
            self._echo.edges = "both"
            self._echo.when_changed = self._on_edge
        except Exception as error:
            raise HardwareError(
                f"sensor.echo_pin = {s.echo_pin}: edges cannot be watched there ({error});"
                " free the pin or choose another"
            ) from error

    @property
    def due_s(self) -> float:
        """When to be polled next, unless the echo's second edge comes first."""
        return self._due_s

    @property
    def counts(self) -> dict[str, int]:
        """Nothing: each ping's outcome is a reading."""
        return {}

    def poll(self, now_s: float) -> Reading | None:
        """Finish the ping that is out, or send the next one when it is time."""
        if self._listening:
            reading = self._listen(now_s)
            if reading is not None:
                self._listening = False
                self._nothings = self._nothings + 1 if isinstance(reading, Nothing) else 0
                self._plan(now_s)
            return reading
        if now_s < self._due_s:
            return None
        return self._ping(now_s)

    def close(self) -> None:
        """Let go of both pins, whatever became of them."""
        with contextlib.suppress(Exception):
            self._echo.when_changed = None
        with contextlib.suppress(Exception):
            self._trigger.state = 0
        for pin in (self._trigger, self._echo):
            with contextlib.suppress(Exception):
                pin.close()

    def _on_edge(self, ticks: Any, level: Any) -> None:
        """Called by the board, maybe on its thread: keep the stamp, wake on the second edge."""
        edges = self._edges
        edges.append((self._clock.now(), ticks, level if self._told else None))
        if len(edges) >= 2:
            self._clock.wake()

    def _ping(self, now_s: float) -> Reading | None:
        if self._echo.state:
            return self._busy(now_s)
        self._busy_since_s = None
        while self._edges:  # an older ping's; popleft alone is safe beside the board's thread
            self._fell_s = self._edges.popleft()[0]
        quiet_s = round(self._fell_s + self._settings.quiet_s, 6)
        if now_s < quiet_s:
            self._due_s = quiet_s
            return None
        self._missed = self._missed_edges
        self._began_s = self._clock.now()
        self._trigger.state = 1
        self._clock.sleep(self._settings.trigger_pulse_s)
        self._trigger.state = 0
        self._triggered_s = self._clock.now()
        self._listening = True
        self._due_s = round(self._triggered_s + self._settings.rise_timeout_s, 6)
        return None

    def _busy(self, now_s: float) -> Reading | None:
        """The line is high before a trigger: not a reading, and no time to ping."""
        if self._busy_since_s is None:
            self._busy_since_s = now_s
        self._due_s = round(now_s + BUSY_RETRY_S, 6)
        if now_s - self._busy_since_s < self._settings.fall_timeout_s:
            return None
        self._due_s = round(now_s + self._settings.fall_timeout_s, 6)
        return Fault(now_s, PingFault.STUCK_HIGH)

    def _listen(self, now_s: float) -> Reading | None:
        edges = self._edges
        while edges and (self._edge_s(edges[0]) < self._began_s or edges[0][2] == FELL):
            edges.popleft()  # an older ping's
        if self._missed_edges != self._missed or (len(edges) >= 2 and edges[1][2] == ROSE):
            self._fell_s = now_s
            return Fault(now_s, PingFault.LOST_EDGE)
        if len(edges) >= 2:
            rise, fall = edges.popleft(), edges.popleft()
            return self._classify(rise, fall)
        if now_s < self._due_s:
            return None
        if self._echo.state:
            deadline_s = round(self._triggered_s + self._settings.fall_timeout_s, 6)
            if now_s < deadline_s:
                self._due_s = deadline_s
                return None
            return Fault(now_s, PingFault.STUCK_HIGH)
        return Fault(now_s, PingFault.LOST_EDGE if edges else PingFault.NEVER_ROSE)

    @property
    def _missed_edges(self) -> int:
        """Edges that the kernel had to drop since the pin was opened, where it tells."""
        return getattr(self._echo, "missed_edges", 0)

    def _classify(self, rise: _Edge, fall: _Edge) -> Reading:
        """One pulse to one outcome, by its width."""
        width_s = round(self._ticks_diff(fall[1], rise[1]), 6)
        rise_s, t_s = self._edge_s(rise), round(self._edge_s(fall), 6)
        self._fell_s = t_s
        if width_s < NOISE_S:
            return Fault(t_s, PingFault.NOISE, width_s)
        if not self._rises.usual(rise_s - self._triggered_s):
            return Fault(t_s, PingFault.LATE_EDGE, width_s)
        if width_s > self._flight_s:
            return Nothing(t_s, width_s)
        if width_s < self._blind_s:
            return Echo(t_s, self._settings.min_range_m, width_s, too_close=True)
        return Echo(t_s, round(width_s * self._sound_mps / 2.0, 4), width_s)

    def _edge_s(self, edge: _Edge) -> float:
        """When an edge was: by its stamp if that is on our time base, else its arrival."""
        arrived_s, ticks, _ = edge
        if isinstance(ticks, float):
            stamped_s = self._clock.on_this_clock(ticks)
            if 0.0 <= arrived_s - stamped_s < FORWARD_S:
                return stamped_s
        return arrived_s

    def _plan(self, now_s: float) -> None:
        """Earliest safe moment for the next trigger."""
        s = self._settings
        due_s = max(self._triggered_s + s.retrigger_s, self._fell_s + s.quiet_s)
        if self._nothings >= IDLE_AFTER:
            due_s = max(due_s, self._triggered_s + s.idle_s)
        # Answers that lag behind would fall into step with an even pace and look punctual.
        jitter_s = s.jitter_s if self._rises.sure else max(s.jitter_s, UNSURE_JITTER_S)
        self._due_s = round(max(due_s, now_s) + self._rng.uniform(0.0, jitter_s), 6)


class _RiseDelay:
    """Learns how long this part takes from trigger to rise, and notices strangers.

    Four alike teach it at the start. A part does not change its ways; but one that
    answered six times in a row at another moment, each time the same, was swapped.
    """

    def __init__(self) -> None:
        self._usual_s: float | None = None
        self._strangers: deque[float] = deque(maxlen=RELEARN_FROM)
        self._usual_in_a_row = 0

    @property
    def sure(self) -> bool:
        """No stranger for a while."""
        return self._usual_in_a_row >= SURE_AFTER

    def usual(self, delay_s: float) -> bool:
        """Whether an answer after `delay_s` can be this ping's own."""
        usual_s, strangers = self._usual_s, self._strangers
        if usual_s is not None and abs(delay_s - usual_s) <= RISE_TOLERANCE_S:
            self._usual_s = usual_s + 0.1 * (delay_s - usual_s)
            self._usual_in_a_row += 1
            strangers.clear()
            return True
        self._usual_in_a_row = 0
        strangers.append(delay_s)
        needed = LEARN_FROM if usual_s is None else RELEARN_FROM
        last = list(strangers)[-needed:]
        if len(last) == needed and max(last) - min(last) <= RISE_TOLERANCE_S:
            self._usual_s = sum(last) / needed
            strangers.clear()
            return True
        # Before anything is learned, an answer like the one before it may pass.
        return usual_s is None and abs(delay_s - last[-2:][0]) <= RISE_TOLERANCE_S


def open_sensor(parts: Parts) -> HCSR04:
    """The driver on its pins."""
    return HCSR04(parts)


# ---------------------------------------------------------------- the twin

RISE_DELAY_S = 0.0005


class HCSR04Twin:
    """The part at the far end of the pins: hears the trigger, drives the echo line.

    It knows nothing of the driver: a trigger's falling edge starts a ping, unless
    one is under way, and the world says what comes back.
    """

    def __init__(self, bench: Bench) -> None:
        """Solder it to the board's far end."""
        self._bench = bench
        self._echo = bench.line(bench.settings.echo_pin)
        self._failure = Failure.OK
        self._broken_s = 0.0
        self._busy_until_s = 0.0
        self._answered_s = -SLOW_PERIOD_S
        self._width_s: float | None = None
        self.pings = 0
        bench.line(bench.settings.trigger_pin).watch(self._on_trigger)

    @property
    def failure(self) -> Failure:
        """What is the matter with it at present."""
        return self._failure

    @failure.setter
    def failure(self, failure: Failure) -> None:
        self._failure = failure
        self._broken_s = self._bench.now()
        self._echo.drive(failure is Failure.STUCK)
        self._busy_until_s = 0.0

    def _on_trigger(self, t_s: float, level: float) -> None:
        if level or t_s < self._busy_until_s:
            return
        self.pings += 1
        width_s = self._answer(t_s)
        if width_s is None:
            return
        late_s = DELAY_S if self._failure is Failure.DELAYED else 0.0
        rise_s = t_s + RISE_DELAY_S + late_s
        self._busy_until_s = rise_s - late_s + min(width_s, 1.0)
        self._bench.at(rise_s, lambda: self._drive(high=True), lazy=True)
        if width_s < float("inf"):
            self._bench.at(rise_s + width_s, lambda: self._drive(high=False))

    def _answer(self, t_s: float) -> float | None:
        """Width of the echo pulse in seconds; None for no answer, inf for one without end."""
        rng = self._bench.rng
        match self._failure:
            case Failure.OFF | Failure.STUCK | Failure.PULLED:
                return None
            case Failure.GARBAGE:
                return 2 * rng.uniform(0.1, self._bench.settings.max_range_m) / self._sound_mps
            case Failure.WRONG:
                return rng.uniform(9e-6, 32e-6)
            case Failure.INTERMITTENT if (t_s - self._broken_s) % LOOSE_PERIOD_S < LOOSE_OFF_S:
                return None
            case Failure.SLOW if t_s - self._answered_s < SLOW_PERIOD_S:
                return None
            case Failure.FROZEN if self._width_s is not None:
                return self._width_s
            case _:
                self._answered_s = t_s
        self._width_s = self._heard(t_s)
        return self._width_s

    def _heard(self, t_s: float) -> float:
        distance_m = self._bench.listen(t_s)
        if distance_m is None:
            return float("inf") if self._bench.no_echo_s is None else self._bench.no_echo_s
        return max(2 * distance_m / self._sound_mps, NOISE_S)

    @property
    def _sound_mps(self) -> float:
        return self._bench.sound_mps

    def _drive(self, *, high: bool) -> None:
        if self._failure not in (Failure.OFF, Failure.STUCK, Failure.PULLED):
            self._echo.drive(high)


def make_twin(bench: Bench) -> HCSR04Twin:
    """The simulated part on its bench."""
    return HCSR04Twin(bench)
