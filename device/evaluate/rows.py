"""A tally as a row of figures: what the tables, the JSON and the page all show."""

import math

import msgspec
from msgspec import Struct

from device.evaluate.figures import NOTHING, Figure, largest, percentile, rate, seconds, share
from device.evaluate.score import DANGER, WARNING, Tally
from device.profiles import LEVELS

HOUR_S, MINUTE_S = 3600.0, 60.0


class Row(Struct, frozen=True):
    """One scenario's, one contender's or the whole suite's figures; units in the names."""

    name: str
    runs: int
    hours: float
    recall: Figure
    undetectable: int
    undetectable_met: int
    onset_p50_s: dict[str, Figure]
    onset_p95_s: dict[str, Figure]
    wall_onset_p95_s: dict[str, Figure]
    warning_ttc_p5_s: Figure
    warning_ttc_p50_s: Figure
    danger_ttc_p5_s: Figure
    danger_ttc_p50_s: Figure
    false_warning_per_h: Figure
    false_caution_per_h: Figure
    time_false_warning: Figure
    """Share of the time with a sensor in order, as the next two."""
    time_false_caution: Figure
    time_false_fault: Figure
    flips_per_min: Figure
    hold: Figure
    release_p95_s: Figure
    fault_slowest_s: Figure
    recovery_slowest_s: Figure
    false_faults_per_h: Figure
    clear_while_dead_s: Figure
    contacts: Figure
    """Of those without a device."""
    contact_mean_mps: Figure


def row(name: str, t: Tally) -> Row:
    """The figures of one tally."""
    hours, minutes = t.walked_s / HOUR_S, t.walked_s / MINUTE_S
    warned, in_danger = t.ttc_s.get(WARNING, []), t.ttc_s.get(DANGER, [])
    return Row(
        name,
        t.runs,
        round(hours, 3),
        share(t.met, t.needs),
        t.undetectable,
        t.undetectable_met,
        _by_level(t.onsets_s, 0.50),
        _by_level(t.onsets_s, 0.95),
        _by_level(t.wall_onsets_s, 0.95),
        percentile(warned, 0.05),
        percentile(warned, 0.50),
        percentile(in_danger, 0.05),
        percentile(in_danger, 0.50),
        rate(t.false_warning, hours),
        rate(t.false_caution, hours),
        _of_time(t.unexcused_warning_s, t.well_s),
        _of_time(t.unexcused_caution_s, t.well_s),
        _of_time(t.unexcused_fault_s, t.well_s),
        rate(t.flips, minutes),
        Figure(t.held_s / t.due_s, n=t.due_s) if t.due_s else NOTHING,
        percentile(t.releases_s, 0.95),
        largest(t.faults_s),
        largest(t.recoveries_s),
        rate(t.false_faults, hours),
        seconds(t.clear_while_dead_s, t.out_of_order),
        share(t.contacts_with, t.contacts_without),
        _mean(t.contact_mps),
    )


def _by_level(onsets_s: dict[int, list[float]], p: float) -> dict[str, Figure]:
    return {
        name: percentile(onsets_s.get(level, []), p) for level, name in enumerate(LEVELS, start=1)
    }


def _of_time(seconds_s: float, of_s: float) -> Figure:
    return Figure(seconds_s / of_s, n=of_s) if of_s else NOTHING


def _mean(samples: list[float]) -> Figure:
    return Figure(sum(samples) / len(samples), n=len(samples)) if samples else NOTHING


def as_json(good: bool, seeds: range, **parts: object) -> str:
    """One JSON object; a time that was never reached is the word "never", not measured null."""
    whole = {"good": good, "seeds": [seeds.start, seeds.stop - 1]} | parts
    return msgspec.json.encode(_finite(msgspec.to_builtins(whole))).decode()


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, float):
        return "never" if value == math.inf else round(value, 6)
    return value
