"""What all serial sensors share: two ways to be listened to, and a part that writes bytes.

Some parts speak by themselves, ten times a second or so; a `Listener` takes the newest whole
frame as it arrives and notices when none does. Others speak when asked; an `Asker` sends the
request and waits until the answer is whole. An answer that follows one that failed to come may
be that one, late; so it is followed by silence, in which a second answer shows that it was.

A frame that fails its checksum, or says what the part cannot mean, is no reading. It shows as
the answer that is missing: one typed fault for each that was due, as a pulse sensor gives one
for each ping.
"""

import math
import statistics
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from device import physics
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.failures import DELAY_S, LOOSE_OFF_S, LOOSE_PERIOD_S, SLOW_PERIOD_S, Failure
from device.ports.frames import Flaw, Framer
from device.ports.line import Line
from device.sensors import Bench, Model, Parts, model, pace
from device.settings import SensorSettings

PATIENCE = 1.5
"""A frame that is so many periods late is missing."""
SLACK_S = 0.02
"""And this much more: bytes take their time, and kernels hand them on in bundles."""
BEYOND = 1.25
"""A part that says up to a quarter more than it is sold for means "far"; more is nonsense."""

Read = Callable[[float, int], Reading]
"""`read(now_s, value)`: what a frame's value means to the wearer."""


class Ranged:
    """What a distance that the part tells means: corrected for the air, held against the range.

    A part without a thermometer reckons with one speed of sound for all weathers, and in the
    cold takes things to be 5 % farther than they are. So its distances are corrected for the
    temperature in the settings, or for cold air where none is given.
    """

    def __init__(self, settings: SensorSettings) -> None:
        """For the part in `settings`."""
        part = model(settings)
        self._least_m, self._most_m = settings.min_range_m, settings.max_range_m
        self._sold_m, assumes_c = part.max_range_m, part.assumes_c
        self._share = 1.0
        if assumes_c is not None:
            sound_mps = physics.speed_of_sound_mps(settings.temperature_c)
            self._share = sound_mps / physics.speed_of_sound_mps(assumes_c)

    def __call__(self, now_s: float, told_m: float, raw: int | None) -> Reading:
        """The reading for a distance."""
        if told_m > self._sold_m:
            return Nothing(now_s, sure=False)  # some say so when they are covered
        distance_m = round(told_m * self._share, 4)
        if distance_m > self._most_m:
            return Nothing(now_s)
        if distance_m < self._least_m:
            return self.too_close(now_s, raw)
        return Echo(now_s, distance_m, raw=raw)

    def too_close(self, now_s: float, raw: int | None) -> Echo:
        """Something is nearer than it can measure."""
        return Echo(now_s, self._least_m, too_close=True, raw=raw)


def most_mm(model: Model) -> int:
    """The largest distance that the part may mean, millimetres."""
    return round(model.max_range_m * 1000 * BEYOND)


def counted(framer: Framer[int], line: Line) -> dict[str, int]:
    """What became of the bytes, and how often the port went away."""
    flaws = {f"bad {flaw}": framer.flaws[flaw] for flaw in Flaw}
    return {
        "frames": framer.frames,
        "overtaken": framer.superseded,
        **flaws,
        "port lost": line.lost,
    }


class _Missing:
    """Why the frame that was due is not there, by what came instead."""

    def __init__(self, line: Line, framer: Framer[int]) -> None:
        self._line = line
        self._framer = framer
        self._seen = (0, 0)
        self.bytes = 0

    def fault(self) -> PingFault:
        """Asked once for each frame that is missing."""
        flaws = self._framer.flaws
        now = (flaws.total(), flaws[Flaw.RANGE])
        before, self._seen = self._seen, now
        came, self.bytes = self.bytes, 0
        if self._line.gone:
            return PingFault.PORT_GONE
        if now[1] > before[1]:
            return PingFault.OUT_OF_RANGE
        if came or now[0] > before[0]:
            return PingFault.BAD_FRAME
        return PingFault.NO_ANSWER

    def forget(self) -> None:
        """A good frame came: what was before it is no matter."""
        flaws = self._framer.flaws
        self._seen = (flaws.total(), flaws[Flaw.RANGE])
        self.bytes = 0


class Listener:
    """A part that speaks by itself."""

    def __init__(
        self,
        parts: Parts,
        baud: int,
        framer: Framer[int],
        read: Read,
        *,
        sampled: bool = False,
    ) -> None:
        """`sampled`: it speaks oftener than is needed, so look once a period.

        Raises HardwareError.
        """
        self._read = read
        self._framer = framer
        period_s = pace(parts.settings).period_s
        self._line = Line(
            parts.open_port, parts.settings.port, baud, parts.clock, wakes=not sampled
        )
        self._missing = _Missing(self._line, framer)
        self._sample_s = period_s if sampled else None
        self._again_s = period_s
        self._patience_s = PATIENCE * period_s + SLACK_S
        self._missed_s = round(parts.clock.now() + self._patience_s, 6)
        self._look_s = parts.clock.now()

    @property
    def due_s(self) -> float:
        """When a frame will be missing, the port is to be opened anew, or a sample is due."""
        if self._sample_s is not None and not self._line.gone:
            return self._look_s
        return min(self._missed_s, self._line.due_s)

    @property
    def counts(self) -> dict[str, int]:
        """Frames and flaws."""
        return counted(self._framer, self._line)

    def poll(self, now_s: float) -> Reading | None:
        """The newest frame, or what became of the one that was due."""
        if self._sample_s is not None and not self._line.gone:
            if now_s < self._look_s:
                return None
            self._look_s = round(now_s + self._sample_s, 6)
        gone = self._line.gone
        data = self._line.read(now_s)
        if gone and not self._line.gone:
            self._framer.forget()
        if data:
            self._missing.bytes += len(data)
            value = self._framer.feed(data)
            if value is not None:
                self._missing.forget()
                self._missed_s = round(now_s + self._patience_s, 6)
                return self._read(now_s, value)
        if now_s < self._missed_s:
            return None
        self._missed_s = round(now_s + self._again_s, 6)
        return Fault(now_s, self._missing.fault())

    def close(self) -> None:
        """Give the port back."""
        self._line.close()


LATE_S = 0.5
"""An answer that is later than this does not come any more."""
MOST_MISSES = 3
"""A request that was answered before is tried so often before another is."""
LINE_ENDS = b"\r\n"
"""What may follow a text that was whole without it."""
NEXT_S = 0.3
"""One that is taken for the next question's is no later than this: else it is too late for that."""


class Proof(Struct, frozen=True):
    """Another question, which a part that lives answers whatever is before it.

    `holds(answer)`: whether that is its answer. It is asked when the distance was not told, and
    every `every_s` seconds.
    """

    request: bytes
    holds: Callable[[bytes], bool]
    answer_s: float
    every_s: float


class Asker:
    """A part that speaks when asked."""

    def __init__(
        self,
        parts: Parts,
        baud: int,
        framer: Framer[int],
        read: Read,
        requests: tuple[bytes, ...],
        answer_s: float,
        proof: Proof | None = None,
    ) -> None:
        """`requests`: tried in turn until one is answered. `answer_s`: how long an answer may take.

        Raises HardwareError.
        """
        self._read = read
        self._framer = framer
        self._requests = requests
        self._answer_s = answer_s
        self._proof = proof
        self._period_s = pace(parts.settings).period_s
        self._rng = parts.rng
        self._jitter_s = parts.settings.jitter_s
        self._line = Line(parts.open_port, parts.settings.port, baud, parts.clock, wakes=True)
        self._missing = _Missing(self._line, framer)
        self._asked_s: float | None = None
        self._proving = False
        self._untold = False
        """The distance was not told, and that is why a proof is asked for."""
        self._answer = bytearray()
        self._doubt_s = -math.inf
        """Until then an answer may be an older question's."""
        self._misses = 0
        self._owed_s = -math.inf
        """Until then one answer may come to a question that was given up."""
        self._answered = self._late = False
        self._known = 0
        """Which request is answered, or is to be tried next."""
        self._prove_s = self._due_s = parts.clock.now()

    @property
    def due_s(self) -> float:
        """When to ask, to take the answer, or to give it up."""
        return min(self._due_s, self._line.due_s)

    @property
    def counts(self) -> dict[str, int]:
        """Frames and flaws."""
        return counted(self._framer, self._line)

    def poll(self, now_s: float) -> Reading | None:
        """Ask, or finish what was asked."""
        data = self._line.read(now_s)
        if self._line.gone:
            return self._without_port(now_s)
        if self._asked_s is None:
            return self._between(now_s, data)
        self._missing.bytes += len(data)
        if self._proof is not None and self._proving:
            return self._proved(now_s, data, self._proof)
        return self._told(now_s, data)

    def close(self) -> None:
        """Give the port back."""
        self._line.close()

    def _between(self, now_s: float, data: bytes) -> Reading | None:
        if data.strip(LINE_ENDS):  # nobody asked: the answer to a question that was given up
            # One was owed, and this was it; else there may be more of them.
            self._doubt_s = -math.inf if now_s < self._owed_s else now_s + NEXT_S
            said, self._late = self._late, True
            return None if said else Fault(now_s, PingFault.LATE_EDGE)
        if now_s < self._due_s:
            return None
        if self._proof is not None and now_s >= self._prove_s:
            self._prove_s = now_s + self._proof.every_s
            self._ask_proof(now_s, self._proof)
        else:
            self._ask(now_s, self._requests[self._known], self._answer_s)
        return None

    def _ask(self, now_s: float, request: bytes, answer_s: float) -> None:
        self._answer.clear()
        self._framer.begin()
        self._late = False
        self._asked_s = now_s
        self._due_s = round(now_s + answer_s, 6)
        self._line.write(now_s, request)

    def _ask_proof(self, now_s: float, proof: Proof) -> None:
        self._proving = True
        self._ask(now_s, proof.request, proof.answer_s)

    def _told(self, now_s: float, data: bytes) -> Reading | None:
        """What has come of the answer, until it is whole or too late."""
        self._answer += data
        value = self._framer.feed(data) if data else None
        if value is not None:
            self._again(now_s)
            return self._read(now_s, value)
        if now_s < self._due_s:
            return None
        if self._answer or self._proof is None:
            return self._fault(now_s)
        self._untold = True
        self._ask_proof(now_s, self._proof)
        return None

    def _proved(self, now_s: float, data: bytes, proof: Proof) -> Reading | None:
        """Whether it lives."""
        self._answer += data
        lives = proof.holds(bytes(self._answer))
        if not lives and now_s < self._due_s:
            return None
        self._proving = False
        untold, self._untold = self._untold, False
        if not lives:
            return self._fault(now_s)
        self._again(now_s)
        return Nothing(now_s, sure=False) if untold else None

    def _again(self, now_s: float) -> None:
        """All is well, or seems so: ask again when that is safe.

        If the question before had no answer, this may have been it. Then another one comes for
        this question, and nothing is asked until it would have: a second answer is a fault.
        """
        self._missing.forget()
        asked_s, self._asked_s = self._since(now_s), None
        self._misses, self._answered = 0, True
        wait_s = NEXT_S if now_s < self._doubt_s else self._period_s
        self._doubt_s = -math.inf
        jitter_s = self._rng.uniform(0.0, self._jitter_s)
        self._due_s = round(max(asked_s + wait_s, now_s) + jitter_s, 6)

    def _fault(self, now_s: float) -> Reading:
        asked_s, self._asked_s = self._since(now_s), None
        fault = self._missing.fault()
        self._misses += 1
        patience = MOST_MISSES if self._answered else 1
        if fault is PingFault.NO_ANSWER and self._misses >= patience:
            self._answered, self._known = False, (self._known + 1) % len(self._requests)
        self._doubt_s = self._owed_s = asked_s + LATE_S
        # One answer may be lost. Two in a row may be late, and are waited for.
        wait_s = LATE_S if self._misses > 1 else self._period_s
        self._due_s = round(max(asked_s + wait_s, now_s), 6)
        return Fault(now_s, fault)

    def _since(self, now_s: float) -> float:
        return now_s if self._asked_s is None else self._asked_s

    def _without_port(self, now_s: float) -> Reading | None:
        self._asked_s = None
        self._proving = self._untold = False
        if now_s < self._due_s:
            return None
        self._due_s = round(now_s + self._answer_s, 6)
        return Fault(now_s, PingFault.PORT_GONE)


class SerialTwin:
    """A part at the far end of a cable: measures, and says it in its own bytes.

    What it says is the module's: `frame(distance_m)` for what it measured (None: nothing),
    `wrong()` for something that no object could cause.
    """

    def __init__(
        self,
        bench: Bench,
        frame: Callable[[float | None], bytes],
        wrong: Callable[[], bytes],
        *,
        smoothed: int = 1,
        banner: bytes = b"",
    ) -> None:
        """`smoothed`: it reports the median of so many measurements. `banner`: said at power-up."""
        self._bench = bench
        self._frame, self._wrong = frame, wrong
        self._banner = banner
        self._measured: deque[float] = deque(maxlen=smoothed)
        assumes_c = model(bench.settings).assumes_c
        self._share = 1.0
        if assumes_c is not None:
            self._share = physics.speed_of_sound_mps(assumes_c) / bench.sound_mps
        self._failure = Failure.OK
        self._broken_s = 0.0
        self._said_s = -SLOW_PERIOD_S
        self._said = b""
        self.pings = 0

    @property
    def failure(self) -> Failure:
        """What is the matter with it at present."""
        return self._failure

    @failure.setter
    def failure(self, failure: Failure) -> None:
        before, self._failure = self._failure, failure
        self._broken_s = self._bench.now()
        cable = self._bench.cable
        if failure is Failure.PULLED:
            cable.pull()
        elif before is Failure.PULLED:
            cable.plug()
        if failure is Failure.STUCK:
            cable.send(b"\0")  # a line held low is a break: one zero, and then nothing more
        if before is Failure.OFF and self._banner:
            cable.send(self._banner)

    def speak_by_itself(self, speak_s: Callable[[], float], measure_s: float = 0.0) -> None:
        """Speak for ever, `speak_s()` seconds from one time to the next.

        It measures each time, or every `measure_s` seconds if it does so oftener.
        """
        bench = self._bench

        def measure() -> None:
            self._measure()
            bench.at(bench.now() + measure_s, measure, lazy=True)

        def speak() -> None:
            if not measure_s:
                self._measure()
            self._speak()
            bench.at(bench.now() + speak_s(), speak)

        if measure_s:
            bench.at(bench.now(), measure, lazy=True)
        bench.at(bench.now() + bench.rng.uniform(0.0, speak_s()), speak)

    def asked(self, after_s: Callable[[bytes], float]) -> None:
        """Measure now, and say so `after_s(what is said)` later."""
        self._measure()
        self._speak(after_s)

    def _measure(self) -> None:
        heard_m = self._bench.listen(self._bench.now())
        self._measured.append(math.inf if heard_m is None else heard_m * self._share)

    def _speak(self, after_s: Callable[[bytes], float] = lambda _: 0.0) -> None:
        self.pings += 1
        if said := self._says():
            self.answer(said, after_s(said))

    def answer(self, said: bytes, after_s: float) -> None:
        """Say `said` so much later, if it then can."""
        bench = self._bench
        if self._failure is Failure.DELAYED:
            after_s += DELAY_S
        if after_s:
            bench.at(bench.now() + after_s, lambda: self._send(said))
        else:
            self._send(said)

    def _send(self, said: bytes) -> None:
        now_s = self._bench.now()
        match self._failure:
            case Failure.OFF | Failure.STUCK | Failure.PULLED:
                return
            case Failure.INTERMITTENT if (now_s - self._broken_s) % LOOSE_PERIOD_S < LOOSE_OFF_S:
                return
            case Failure.SLOW if now_s - self._said_s < SLOW_PERIOD_S:
                return
        self._said_s = now_s
        self._bench.cable.send(said)

    def _says(self) -> bytes:
        """The frame for what is measured now."""
        bench = self._bench
        match self._failure:
            case Failure.GARBAGE:
                return self._frame(bench.rng.uniform(0.1, bench.settings.max_range_m))
            case Failure.WRONG:
                return self._wrong()
            case Failure.FROZEN if self._said:
                return self._said
        distance_m = statistics.median_low(self._measured or [math.inf])
        self._said = self._frame(None if distance_m == math.inf else distance_m)
        return self._said
