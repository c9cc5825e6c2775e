"""Recorded readings through the pipeline, without a sensor, a board or a clock.

A journal is replayed at exactly the instants it has, so it decides as the run did. A
CSV has only readings; between them the pipeline is stepped whenever it says that
something is due, as the loop would have done.
"""

import itertools
import statistics
from collections.abc import Iterator

from device import sensors
from device.core.pipeline import Pipeline, Step
from device.core.reading import Pace
from device.journal import Recorded, Recording
from device.settings import Settings


def steps(recording: Recording, settings: Settings) -> Iterator[Step]:
    """Every step of the replay, in order."""
    if recording.exact:
        pipeline = Pipeline(settings, sensors.pace(settings.sensor))
        for t_s, reading in recording.steps:
            yield pipeline.step(t_s, reading)
        return
    pipeline = Pipeline(settings, Pace(_usual_gap_s(recording.steps)))
    for t_s, reading in recording.steps:
        while (due_s := pipeline.due_s) < t_s:
            yield pipeline.step(due_s, None)
        yield pipeline.step(t_s, reading)


def _usual_gap_s(recorded: list[Recorded]) -> float:
    times = [t_s for t_s, _ in recorded]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    return statistics.median(gaps) if gaps else 0.0


class Account:
    """What a replay came to: seconds at each level, changes, disagreements with the record."""

    def __init__(self, recorded_levels: list[str] | None) -> None:
        """`recorded_levels`: what the run said at each instant, to be held against."""
        self._expected = recorded_levels
        self._last: Step | None = None
        self.steps = self.readings = self.disagreements = 0
        self.level_s: dict[str, float] = {}
        self.faults: list[str] = []

    def __call__(self, step: Step) -> None:
        """Take in one step."""
        last = self._last
        if last is not None:
            level = last.alert.level
            self.level_s[level] = self.level_s.get(level, 0.0) + step.t_s - last.t_s
        fault = step.alert.fault
        if fault is not None and (last is None or last.alert.fault != fault):
            self.faults.append(fault)
        if self._expected is not None and self._expected[self.steps] != step.alert.level:
            self.disagreements += 1
        self.steps += 1
        self.readings += step.reading is not None
        self._last = step

    @property
    def duration_s(self) -> float:
        """Time covered, seconds."""
        return 0.0 if self._last is None else self._last.t_s

    def figures(self, source: str) -> dict[str, object]:
        """For machines. `levels_agree` is None where there is no record to agree with."""
        return {
            "file": source,
            "duration_s": self.duration_s,
            "steps": self.steps,
            "readings": self.readings,
            "level_s": {level: round(s, 3) for level, s in sorted(self.level_s.items())},
            "faults": self.faults,
            "disagreements": self.disagreements,
            "levels_agree": None if self._expected is None else not self.disagreements,
        }

    def verdict(self) -> str:
        """For people, one line."""
        shares = ", ".join(f"{level} {s:.1f} s" for level, s in sorted(self.level_s.items()))
        words = f"{self.readings} readings in {self.duration_s:.1f} s: {shares}"
        if self._expected is None:
            return words
        if self.disagreements:
            return f"{words}; NOT GOOD: {self.disagreements} levels differ from the record"
        return f"{words}; the same levels as recorded"
