"""Onsets in a recording: how soon each contender noticed, and how often for nothing.

A recording has no truth beside it, but it has a future. Looking ahead, an onset is
*real* when at least four of the five pings from it on are within the threshold, and it
lasts until four of five are not. A contender's onset belongs to a real one while that
lasts (or begins within 0.3 s, for those who see it coming); any other is *spurious*. The
threshold is the same for all, and distance alone decides: no time to collision.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from device.core.reading import Echo, Reading
from device.evaluate.figures import Figure, percentile, rate
from device.evaluate.peers import OURS, ArduPilot, Contender, Gpiozero, MedianOf3, SinglePing, Votes
from device.evaluate.spans import Span, stretches
from device.journal import Recording
from device.profiles import LEVELS
from device.settings import Settings
from device.sim import replay

THRESHOLDS_M = (0.6, 1.0, 1.5, 2.5)
AHEAD, AGREE = 5, 4
EARLY_S = 0.3


class Onsets(Struct, frozen=True):
    """What one contender made of one recording at one threshold."""

    contender: str
    threshold_m: float
    hours: float
    real: int
    missed: int
    delays_s: tuple[float, ...]
    """Of those that were not shown already, from before."""
    spurious: int

    @property
    def delay_p50_s(self) -> Figure:
        """Delay of those that were noticed, the median."""
        return percentile(self.delays_s, 0.5)

    @property
    def delay_p95_s(self) -> Figure:
        """Delay of those that were noticed."""
        return percentile(self.delays_s, 0.95)

    @property
    def spurious_per_h(self) -> Figure:
        """Onsets for nothing."""
        return rate(self.spurious, self.hours)


def onsets(recording: Recording, settings: Settings) -> list[Onsets]:
    """Every contender at every threshold."""
    readings = [reading for _, reading in recording.steps if reading is not None]
    found = []
    for threshold_m in THRESHOLDS_M:
        episodes = _real(readings, threshold_m)
        hours = (readings[-1].t_s - readings[0].t_s) / 3600.0 if readings else 0.0
        said = {OURS: _ours(recording, settings, threshold_m)}
        said |= {name: _peer(peer, readings) for name, peer in _peers(threshold_m).items()}
        for name, spans in said.items():
            found.append(_compare(name, threshold_m, hours, episodes, spans))
    return found


def _peers(threshold_m: float) -> dict[str, Contender]:
    return {
        "single ping": SinglePing(threshold_m),
        "DistanceSensor": Gpiozero(threshold_m, 4.0),
        "median of 3": MedianOf3(threshold_m),
        "3 of 5": Votes(3, 5, threshold_m),
        "ArduPilot HC_SR04": ArduPilot(threshold_m),
    }


def _real(readings: Sequence[Reading], threshold_m: float) -> list[Span]:
    """When something really was within the threshold, (from, to) in seconds."""
    within = [isinstance(r, Echo) and r.distance_m <= threshold_m for r in readings]
    spans: list[Span] = []
    since_s: float | None = None
    for i, reading in enumerate(readings):
        ahead = within[i : i + AHEAD]
        if since_s is None and within[i] and sum(ahead) >= AGREE:
            since_s = reading.t_s
        elif since_s is not None and not within[i] and len(ahead) - sum(ahead) >= AGREE:
            spans.append((since_s, reading.t_s))
            since_s = None
    if since_s is not None:
        spans.append((since_s, readings[-1].t_s))
    return spans


def _ours(recording: Recording, settings: Settings, threshold_m: float) -> list[Span]:
    limits = {f"{level}_ttc_s": 0.0 for level in LEVELS}
    limits |= {f"{level}_m": threshold_m for level in LEVELS}
    plain = structs.replace(settings, alert=structs.replace(settings.alert, **limits))
    steps = replay.steps(recording, plain)
    marks = [(step.t_s, step.alert.state > 0 and step.alert.fault is None) for step in steps]
    return stretches(marks, marks[-1][0]) if marks else []


def _peer(contender: Contender, readings: Sequence[Reading]) -> list[Span]:
    marks = [(reading.t_s, contender(reading) > 0) for reading in readings]
    return stretches(marks, marks[-1][0]) if marks else []


def _compare(
    name: str, threshold_m: float, hours: float, episodes: list[Span], said: list[Span]
) -> Onsets:
    delays = []
    missed = 0
    for from_s, to_s in episodes:
        on_s = next((a for a, b in said if a <= to_s and b > from_s), None)
        if on_s is None:
            missed += 1
        elif on_s >= from_s - EARLY_S:
            delays.append(round(max(0.0, on_s - from_s), 4))
    spurious = sum(
        not any(from_s - EARLY_S <= a <= to_s for from_s, to_s in episodes) for a, _ in said
    )
    return Onsets(name, threshold_m, hours, len(episodes), missed, tuple(delays), spurious)
