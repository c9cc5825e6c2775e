"""A walk as plain lines: one for each change, for pipes, logs and small terminals."""

from collections.abc import Callable

from device.core.alert import State
from device.core.pipeline import Step
from device.core.signals import Cue


def describe(step: Step) -> str:
    """One step in one line."""
    track, alert = step.track, step.alert
    distance = "   -   " if track.distance_m is None else f"{track.distance_m:5.2f} m"
    closing = "" if track.closing_mps is None else f"closing {track.closing_mps:+.2f} m/s"
    level = "AGAINST" if alert.state is State.AGAINST else alert.level.upper()
    signal = "quiet" if step.cue is Cue.SILENCE else step.cue.name.lower().replace("_", " ")
    fault = "" if alert.fault is None else f"  FAULT: {alert.fault}"
    return f"{step.t_s:8.2f} s  {distance}  {closing:18}  {level:8} signal: {signal}{fault}"


class Lines:
    """An observer that prints a line whenever level, fault or signal changes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` takes one line without its end."""
        self._write = write
        self._last: tuple[str, str | None, Cue] | None = None

    def __call__(self, step: Step) -> None:
        """Print `step` if it says something new."""
        said = (step.alert.level, step.alert.fault, step.cue)
        if said != self._last:
            self._last = said
            self._write(describe(step))
