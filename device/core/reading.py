"""What one ping said: an echo, nothing there, or that it cannot be believed.

The three are different kinds of value, so that "nothing came back" can never be
mistaken for a distance and a dead sensor never for an empty path. There is no 0,
no maximum and no last value standing in for an answer that did not come. Each
reading carries the instant it speaks of and the raw evidence behind it.
"""

import math
from enum import StrEnum

from msgspec import Struct


class PingFault(StrEnum):
    """Why one ping proves nothing."""

    NEVER_ROSE = "never-rose"
    """The echo line stayed low: no power, no trigger, a broken wire."""
    STUCK_HIGH = "stuck-high"
    """The echo line stayed high longer than any part holds it."""
    NOISE = "noise"
    """A pulse too short for sound to have gone anywhere."""
    LOST_EDGE = "lost-edge"
    """Only one of the two edges arrived."""
    LATE_EDGE = "late-edge"
    """The answer came when this part does not answer: it may be an older ping's."""
    NO_ANSWER = "no-answer"
    """A serial sensor said nothing when it should have, or a recording says that it did not."""
    BAD_FRAME = "bad-frame"
    """Bytes came, and none of them made a frame."""
    OUT_OF_RANGE = "out-of-range"
    """A frame came that says what no part of this kind can mean."""
    DAZZLED = "dazzled"
    """Too much light, or another device's sound, to hear anything by."""
    PORT_GONE = "port-gone"
    """There is no serial port: the cable or its adapter is out."""


class Echo(Struct, frozen=True, gc=False, tag_field="kind", tag="echo", omit_defaults=True):
    """Something is there.

    `t_s`: when the answer was complete, seconds. `distance_m`: from the sensor,
    metres. `echo_s`: raw time of flight there and back, seconds. `too_close`:
    it is inside the blind zone, and `distance_m` only says how far at the most. `raw`: all
    that a serial sensor said, as one number, where that is fine enough to tell a living part
    from a hung one.
    """

    t_s: float
    distance_m: float
    echo_s: float | None = None
    too_close: bool = False
    raw: int | None = None


class Nothing(Struct, frozen=True, gc=False, tag_field="kind", tag="nothing", omit_defaults=True):
    """The sensor answered, and heard nothing within its range.

    `sure` is False where the part has one word for "nothing there" and "I am covered".
    """

    t_s: float
    echo_s: float | None = None
    sure: bool = True


class Fault(Struct, frozen=True, gc=False, tag_field="kind", tag="fault", omit_defaults=True):
    """The ping proves nothing, about the path or about its absence."""

    t_s: float
    fault: PingFault
    echo_s: float | None = None


Reading = Echo | Nothing | Fault


class Pace(Struct, frozen=True):
    """How often a sensor speaks, and how old that is.

    `period_s`: the usual time between readings at its slowest, seconds; 0 where it is not known
    and at least ten a second come. `lag_s`: how long after the fact its own filter reports it.
    """

    period_s: float = 0.0
    lag_s: float = 0.0

    def count(self, most: int, span_s: float, least: int) -> int:
        """How many readings come in `span_s`, but from `least` to `most`.

        Rules that count readings were made for twenty a second; a slow sensor's count for more.
        """
        if self.period_s <= 0.0:
            return most
        return max(least, min(most, math.ceil(span_s / self.period_s - 1e-9)))


UNHURRIED = Pace()
"""Of a sensor of which nothing is known but that it is quick enough."""
