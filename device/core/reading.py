"""What one ping said: an echo, nothing there, or that it cannot be believed.

The three are different kinds of value, so that "nothing came back" can never be
mistaken for a distance and a dead sensor never for an empty path. There is no 0,
no maximum and no last value standing in for an answer that did not come. Each
reading carries the instant it speaks of and the raw evidence behind it.
"""

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
    """A recording says that the sensor did not answer; why is not recorded."""


class Echo(Struct, frozen=True, gc=False, tag_field="kind", tag="echo", omit_defaults=True):
    """Something is there.

    `t_s`: when the answer was complete, seconds. `distance_m`: from the sensor,
    metres. `echo_s`: raw time of flight there and back, seconds. `too_close`:
    it is inside the blind zone, and `distance_m` only says how far at the most.
    """

    t_s: float
    distance_m: float
    echo_s: float | None = None
    too_close: bool = False


class Nothing(Struct, frozen=True, gc=False, tag_field="kind", tag="nothing", omit_defaults=True):
    """The sensor answered, and heard nothing within its range."""

    t_s: float
    echo_s: float | None = None


class Fault(Struct, frozen=True, gc=False, tag_field="kind", tag="fault", omit_defaults=True):
    """The ping proves nothing, about the path or about its absence."""

    t_s: float
    fault: PingFault
    echo_s: float | None = None


Reading = Echo | Nothing | Fault
