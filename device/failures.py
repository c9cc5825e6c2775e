"""How a simulated sensor can fail, in words that scenarios and twins share.

The list follows PX4's failure injection, so that "delayed" here means what a drone's
tests mean by it.
"""

from enum import StrEnum


class Failure(StrEnum):
    """The failure words of a simulated part, after PX4's, switched in mid-run."""

    OK = "ok"
    OFF = "off"
    """No answer at all: no power, or a wire off."""
    STUCK = "stuck"
    """The line from it stays where no answer ends: echo high, or serial low."""
    GARBAGE = "garbage"
    """Answers that have nothing to do with the world."""
    WRONG = "wrong"
    """Answers that no object could cause: pulses of 9-32 us, as from a mis-triggered AJ-SR04M, or
    distances that the part cannot measure."""
    SLOW = "slow"
    """One answer in 0.7 s."""
    DELAYED = "delayed"
    """Each answer comes 0.3 s late, during another ping."""
    FROZEN = "frozen"
    """The same answer over and over, whatever happens."""
    INTERMITTENT = "intermittent"
    """A loose wire: no contact for 0.3 s, contact for 0.1 s, over and over."""
    PULLED = "pulled"
    """The cable is out: for a part on a USB adapter the very port is gone."""


SLOW_PERIOD_S = 0.7
DELAY_S = 0.3
LOOSE_OFF_S, LOOSE_PERIOD_S = 0.3, 0.4
