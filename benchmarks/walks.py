"""How long `rearguard walks` and `walks plan` take with years of walks kept.

Makes a database of 1,000 walks of 20 minutes, a row for each second of them, and runs the two
commands as a wearer would: a process each, Python's start included. The walks are made up (a few
different ones, told again on other days); they are as long, as full and as eventful as real ones.
"""

import argparse
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from device import __version__, profiles
from device.core import coach
from device.history import book
from device.history.records import Beginning, Event, Second, Totals
from device.settings import AlertSettings, CoachSettings

DIFFERENT = 12
TOGETHER = 100
FIRST_DAY_S, WEEK_S = 1_700_000_000.0, 7 * 86_400.0
TIME = CoachSettings()
COMMANDS = (("walks",), ("walks", "plan"))
REACH_M, NEAR_M, HEEL_M = 4.0, 0.5, 0.25
LIMITS_M = tuple(each.distance_m for each in profiles.thresholds(AlertSettings()))
AT_M = ((0.6, 4), (1.0, 3), (1.5, 2), (2.5, 1))
WORDS = ("", "caution", "warning", "danger", "stop")
LOUD = (0.0, 0.15, 0.5, 0.5, 1.0)


class Made(NamedTuple):
    """A walk, made up."""

    beginning: Beginning
    seconds: list[Second]
    events: list[Event]
    totals: Totals


def make(
    rng: random.Random,
    minutes: float,
    settings: CoachSettings = TIME,
    week: int = 1,
    weight_kg: float | None = 68.0,
    fault_at_s: Sequence[int] = (),
) -> Made:
    """To and fro between things: they are met at a walking pace, and turned away from.

    After one warning in ten they are seen not to slow.
    """
    asked = coach.dose(settings, week)
    pace_mps, forward_mps = rng.uniform(0.55, 0.95), rng.uniform(1.1, 1.5)
    seconds: list[Second] = []
    events: list[Event] = []
    distance_m, unseen_s, level, turned = 9.0, 0, 0, False
    for t_s in range(round(60 * minutes)):
        stretch_s = asked.backward_s + asked.forward_s
        forward = asked.intervals and t_s < asked.target_s and t_s % stretch_s >= asked.backward_s
        if asked.intervals and 0 < t_s < asked.target_s and forward != turned:
            events.append(Event(float(t_s), "cue", "forward" if forward else "backward"))
            turned = forward
        events += [
            Event(float(t_s), "cue", word)
            for word, at_s in (("mark", asked.target_s / 2), ("done", asked.target_s))
            if t_s == int(at_s)
        ]
        fault = next((at_s for at_s in fault_at_s if at_s <= t_s < at_s + 25), None)
        if fault == t_s:
            cause = "the sensor has not answered for half a second"
            events.append(Event(float(t_s), "fault", "stopped-answering", cause))
        seen = distance_m <= REACH_M and not unseen_s and fault is None
        closing_mps = (-forward_mps if forward else pace_mps) + rng.gauss(0.0, 0.05)
        if unseen_s:
            unseen_s -= 1
        elif forward and distance_m < 9.0:
            distance_m += forward_mps
        elif distance_m <= NEAR_M + pace_mps * rng.choice((1.0, 1.6, 2.6, 3.0)):
            distance_m, unseen_s = rng.uniform(3.0, 9.0), rng.randrange(2, 40)
        else:
            distance_m -= pace_mps
        before, level = level, 0
        if seen and not forward:
            level = next((level for at_m, level in AT_M if distance_m <= at_m), 0)
        if level > before:
            events.append(_alert(rng, t_s, level, distance_m, pace_mps))
        seconds.append(
            Second(
                t_s,
                round(distance_m, 3) if seen and distance_m <= REACH_M else None,
                round(closing_mps, 3) if seen else None,
                level,
                None if fault is None else "stopped-answering",
                0.3 if fault else LOUD[level],
                0.4 if fault else 0.9 * LOUD[level],
                forward,
                0.0 if fault else 1.0,
            )
        )
    beginning = Beginning(
        1, 12.5, "motion", __version__, "hcsr04", "default", settings.mode, asked.week,
        asked.target_s, asked.most_s, weight_kg, LIMITS_M,
    )  # fmt: skip
    return Made(beginning, seconds, events, _totals(seconds, events))


def _alert(rng: random.Random, t_s: int, level: int, distance_m: float, pace_mps: float) -> Event:
    ttc_s = max(0.0, distance_m - HEEL_M) / pace_mps
    cause = f"{distance_m:.2f} m away, closing at {pace_mps:.2f} m/s: {ttc_s:.1f} s to the touch"
    seen = rng.random()
    reaction_s = round(rng.lognormvariate(-0.5, 0.3), 2) if seen < 0.6 else None
    if seen > 0.9:
        reaction_s = math.inf
    if level == 1:
        reaction_s = None
    word = WORDS[level]
    return Event(
        t_s + 0.4, "alert", word, cause, round(distance_m, 3), round(pace_mps, 3), round(ttc_s, 2),
        reaction_s,
    )  # fmt: skip


def _totals(seconds: Sequence[Second], events: Sequence[Event]) -> Totals:
    seen = [one for one in seconds if one.closing_mps is not None]
    counts = [sum(event.what == word for event in events) for word in WORDS[1:]]
    return Totals(
        float(len(seconds)),
        float(sum(one.forward for one in seconds)),
        sum(one.protected for one in seconds),
        sum(one.closing_mps or 0.0 for one in seen if not one.forward),
        float(sum(not one.forward for one in seen)),
        -sum(one.closing_mps or 0.0 for one in seen if one.forward),
        float(sum(one.forward for one in seen)),
        min((one.distance_m or 9.0 for one in seen), default=None),
        *counts,
        sum(event.kind == "fault" for event in events),
    )


def fill(path: Path, count: int, minutes: float, seed: int = 1) -> None:
    """Make a book of `count` walks, three a week, in `path`."""
    rng = random.Random(seed)
    plan = CoachSettings(mode="plan")
    different = [make(rng, minutes, plan, 1 + i % coach.WEEKS) for i in range(DIFFERENT)]
    with book.open_book(path) as opened:
        opened.connection.execute("PRAGMA synchronous = OFF")  # it is made again if the power goes
        for first in range(0, count, TOGETHER):
            with opened.writing():
                for number in range(first, min(count, first + TOGETHER)):
                    made = different[number % DIFFERENT]
                    began_s = FIRST_DAY_S + number * WEEK_S / coach.WALKS_A_WEEK
                    walk = opened.begin(made.beginning, f"boot-{number}", 60.0, began_s)
                    opened.add(walk, made.seconds, made.events, made.totals)
                    opened.end(walk, "stood", made.totals)


def took_s(arguments: Sequence[object]) -> float:
    """Wall time of a command, from its process's start to its end, seconds."""
    command = [sys.executable, "-m", "device", *map(str, arguments)]
    began_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


def main() -> None:
    """Print each command's p50 and p95, seconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.walks", description=__doc__)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walks.db"
        began_s = time.perf_counter()
        fill(path, options.walks, options.minutes, options.seed)
        made_s, size_mb = time.perf_counter() - began_s, path.stat().st_size / 1e6
        print(
            f"{options.walks} walks of {options.minutes:g} min: {size_mb:.0f} MB in {made_s:.0f} s"
        )
        for command in COMMANDS:
            times = sorted(took_s([*command, "--history", path]) for _ in range(options.runs))
            p50_s, p95_s = statistics.median(times), times[int(0.95 * (len(times) - 1))]
            print(f"{' '.join(command):12} p50 {p50_s:.3f} s   p95 {p95_s:.3f} s")


if __name__ == "__main__":
    main()
