"""What became of a simulated walk: was the warning in time, was the silence honest.

It looks at the outputs' side of the device (levels, faults) and at the world's side of
the world (true gaps, the sensor's true state), and holds one against the other.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from device import profiles
from device.core.alert import State
from device.core.pipeline import Step
from device.core.reading import Echo, Nothing
from device.settings import Settings
from device.sim.rig import Rig

GRACE_S = 0.5
"""A dead sensor may go unannounced for this long."""
FAULT_WITHIN_S = 0.6
RECOVERY_WITHIN_S = 1.5


class Onset(Struct, frozen=True):
    """The first time a level was reached."""

    t_s: float
    true_m: float | None
    """True free way behind the trunk at that instant, metres."""
    needed_m: float
    """What the wearer's profile needs at the speed they had."""


class Summary(Struct):
    """One walk, judged. Times in seconds, distances in metres."""

    scenario: str
    seed: int
    duration_s: float
    readings: int = 0
    echoes: int = 0
    nothings: int = 0
    faults: int = 0
    level_s: dict[str, float] = {}
    first_warning: Onset | None = None
    first_danger: Onset | None = None
    warned_in_time: bool | None = None
    contact_mps: float | None = None
    stopped_m: float | None = None
    fault: str | None = None
    fault_after_s: float | None = None
    recovered_after_s: float | None = None
    clear_while_dead_s: float = 0.0
    false_fault_s: float = 0.0
    good: bool = False
    verdict: str = ""


class Judge:
    """Observes a run and sums it up."""

    def __init__(self, rig: Rig, settings: Settings, seed: int) -> None:
        """Judges by the wearer's profile in `settings`."""
        self._rig = rig
        self._alert = settings.alert
        self._last: Step | None = None
        self._dead_since_s: float | None = None
        self._mended_s: float | None = None
        self.summary = Summary(rig.scenario.title, seed, 0.0, level_s={})

    def __call__(self, step: Step) -> None:
        """Take in one step."""
        summary = self.summary
        if step.reading is not None:
            self._count(step)
        if self._last is not None:
            self._between(self._last, step.t_s)
        self._sensor(step)
        if step.alert.state >= State.WARNING and summary.first_warning is None:
            summary.first_warning = self._onset(step.t_s)
        if step.alert.state >= State.DANGER and summary.first_danger is None:
            summary.first_danger = self._onset(step.t_s)
        self._last = step

    def finish(self, end_s: float) -> Summary:
        """Close the account at `end_s`."""
        if self._last is not None:
            self._between(self._last, end_s)
        summary, rig = self.summary, self._rig
        summary.duration_s = round(end_s, 6)
        summary.level_s = {name: round(s, 3) for name, s in sorted(summary.level_s.items())}
        summary.clear_while_dead_s = round(summary.clear_while_dead_s, 3)
        summary.false_fault_s = round(summary.false_fault_s, 3)
        summary.contact_mps = rig.contact_mps
        gap_m = rig.world.gap_m(end_s)
        summary.stopped_m = None if gap_m is None else round(gap_m, 3)
        onset = summary.first_warning
        if onset is not None and onset.true_m is not None:
            summary.warned_in_time = onset.true_m >= onset.needed_m
        elif rig.contact_mps is not None:
            summary.warned_in_time = False
        summary.good, summary.verdict = self._verdict()
        return summary

    def _count(self, step: Step) -> None:
        summary = self.summary
        summary.readings += 1
        if isinstance(step.reading, Echo):
            summary.echoes += 1
        elif isinstance(step.reading, Nothing):
            summary.nothings += 1
        else:
            summary.faults += 1

    def _between(self, last: Step, now_s: float) -> None:
        """What was being said from the last step until now."""
        summary, level = self.summary, last.alert.level
        summary.level_s[level] = summary.level_s.get(level, 0.0) + now_s - last.t_s
        quiet = last.alert.state is State.CLEAR and last.alert.fault is None
        if quiet and self._dead_since_s is not None:
            from_s = max(last.t_s, self._dead_since_s + GRACE_S)
            summary.clear_while_dead_s += max(0.0, now_s - from_s)
        if last.alert.fault is not None and self._mended_s is not None:
            from_s = max(last.t_s, self._mended_s + RECOVERY_WITHIN_S)
            summary.false_fault_s += max(0.0, now_s - from_s)

    def _sensor(self, step: Step) -> None:
        """Compare what is said of the sensor with how it truly is."""
        summary, fault = self.summary, step.alert.fault
        if self._rig.dead:
            if self._dead_since_s is None:
                self._dead_since_s, self._mended_s = self._rig.broken_s, None
            if fault is not None and summary.fault_after_s is None:
                summary.fault = fault
                summary.fault_after_s = round(step.t_s - self._dead_since_s, 6)
        else:
            if self._mended_s is None:
                self._mended_s, self._dead_since_s = self._rig.broken_s, None
            if fault is None and summary.fault is not None and summary.recovered_after_s is None:
                summary.recovered_after_s = round(step.t_s - self._mended_s, 6)

    def _onset(self, t_s: float) -> Onset:
        gap_m = self._rig.world.gap_m(t_s)
        speed_mps = self._rig.world.walker.place(t_s)[1]
        alert, speed_mps = self._alert, max(0.0, speed_mps)
        needed_m = profiles.needed_m(alert.profile, speed_mps, reaction_s=alert.reaction_s)
        return Onset(t_s, None if gap_m is None else round(gap_m, 3), round(needed_m, 3))

    def _verdict(self) -> tuple[bool, str]:
        """(good, one sentence)."""
        s = self.summary
        broken = _BROKEN.get(self._rig.scenario.expect, _any)(s)
        dishonest = None if self._rig.scenario.beyond else _honesty(s)
        for complaint in (dishonest, broken):
            if complaint is not None:
                return False, complaint
        return True, _PRAISE[self._rig.scenario.expect](s)


def _honesty(s: Summary) -> str | None:
    if s.clear_while_dead_s > 0:
        return f"said CLEAR for {s.clear_while_dead_s:.2f} s while the sensor was dead"
    if s.false_fault_s > 0:
        return f"announced a fault for {s.false_fault_s:.2f} s while the sensor was well"
    return None


def _warning(s: Summary) -> str | None:
    if s.first_warning is None or s.first_warning.true_m is None:
        return "no warning"
    if not s.warned_in_time:
        onset = s.first_warning
        return f"warned at {onset.true_m:.2f} m, too late: {onset.needed_m:.2f} m were needed"
    if s.contact_mps is not None:
        return f"warned in time, yet touched at {s.contact_mps:.2f} m/s"
    return None


def _fault(s: Summary) -> str | None:
    if s.fault_after_s is None:
        return "the sensor's fault was never announced"
    if s.fault_after_s > FAULT_WITHIN_S:
        return f"fault announced after {s.fault_after_s:.2f} s; {FAULT_WITHIN_S} s are allowed"
    return None


def _quiet(s: Summary) -> str | None:
    onset = s.first_warning
    return None if onset is None else f"false warning at {onset.t_s:.1f} s"


def _any(_: Summary) -> str | None:
    return None


def _praise_warning(s: Summary) -> str:
    onset = s.first_warning
    assert onset is not None
    stopped = "" if s.stopped_m is None else f", {s.stopped_m:.2f} m left at the end"
    return f"warned at {onset.true_m:.2f} m, {onset.needed_m:.2f} m were needed{stopped}"


def _praise_any(s: Summary) -> str:
    """Nothing was expected; what became of the walker is said all the same."""
    walked = f"{s.duration_s:.0f} s walked"
    if s.contact_mps is None:
        return walked
    warned = "never warned" if s.first_warning is None else "though warned"
    return f"{walked}; touched at {s.contact_mps:.2f} m/s, {warned}; no warning is promised here"


_BROKEN: dict[str, Callable[[Summary], str | None]] = {
    "warning": _warning,
    "fault": _fault,
    "quiet": _quiet,
}
_PRAISE: dict[str, Callable[[Summary], str]] = {
    "warning": _praise_warning,
    "fault": lambda s: f"fault ({s.fault}) announced after {s.fault_after_s:.2f} s",
    "quiet": lambda s: f"{s.duration_s:.0f} s without a false warning",
    "any": _praise_any,
}


def to_json(summary: Summary, **more: object) -> str:
    """The summary as one JSON object, with what else the verb knows."""
    return msgspec.json.encode(msgspec.to_builtins(summary) | more).decode()
