"""How soon each contender sounds after an obstacle crosses 1 m, and what it says without an echo.

`python -m benchmarks.onset [--quick] [--json FILE]`; README.md here says how to read it.
"""

import argparse
import math
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ours
from benchmarks.bench import Job, Result, spawn
from benchmarks.report import Row, median, quantile, table, write_json
from device.clock import VirtualClock
from device.failures import Failure
from device.settings import AlertSettings, SensorSettings, Settings
from device.sim.scenario import Air, Breakage, Leg, Obstacle, Scenario, Walker

SPEEDS_MPS = (0.5, 1.0, 1.4)
THRESHOLD_M = 1.0
FAR_M, NEAR_M = 1.8, 0.5
AWAY_MPS = 1.4
STAND_FAR_S = (1.2, 1.8)
STAND_NEAR_S = 0.6
SILENT_S = 0.3
SURE_S = 0.2
"""After the crossing: 0.1 m inside at the slowest, so no noise can explain a change of mind."""
SETTLE_S = 3.0
BATCH = 10
"""Crossings in one process; contenders take turns by the batch."""
DEAD_AT_M = (0.8, 2.0)
DEAD_AFTER_S = (1.0, 5.0)

# Distance alone decides, at 1 m, for both; nothing sounds earlier for another reason.
SETTINGS = Settings(
    sensor=SensorSettings(temperature_c=20.0),
    alert=AlertSettings(
        caution_m=THRESHOLD_M,
        warning_m=THRESHOLD_M,
        danger_m=THRESHOLD_M,
        caution_ttc_s=0.0,
        warning_ttc_s=0.0,
        danger_ttc_s=0.0,
        stop_ttc_s=0.0,
    ),
)
CONTENDERS = (
    ("rearguard", "ours", 0),
    ("DistanceSensor, queue_len=9 (default)", "theirs", 9),
    ("DistanceSensor, queue_len=3", "theirs", 3),
    ("DistanceSensor, queue_len=1", "theirs", 1),
)


class Crossing(NamedTuple):
    """One approach: when it starts, is at 1 m, and turns back."""

    start_s: float
    at_s: float
    turn_s: float


class Outcome(NamedTuple):
    """What one contender made of a number of crossings."""

    delays_s: list[float]
    missed: int
    not_silent: int
    dropouts: int


def walk(speed_mps: float, crossings: int, rng: random.Random) -> tuple[Scenario, list[Crossing]]:
    """To a wall and away from it again, `crossings` times; stands of random length between."""
    legs = [Leg(for_s=SETTLE_S, speed_mps=0.0)]
    marks = []
    t_s = SETTLE_S
    for _ in range(crossings):
        approach = Leg(for_s=(FAR_M - NEAR_M) / speed_mps, speed_mps=speed_mps)
        near = Leg(for_s=STAND_NEAR_S, speed_mps=0.0)
        away = Leg(for_s=(FAR_M - NEAR_M) / AWAY_MPS, speed_mps=-AWAY_MPS)
        far = Leg(for_s=rng.uniform(*STAND_FAR_S), speed_mps=0.0)
        at_s = t_s + (FAR_M - THRESHOLD_M) / speed_mps
        marks.append(Crossing(t_s, at_s, t_s + approach.for_s + near.for_s))
        legs += [approach, near, away, far]
        t_s += sum(leg.for_s for leg in legs[-4:])
    return _scenario("crossing 1 m", t_s, legs, FAR_M), marks


def outcome(result: Result, marks: Sequence[Crossing]) -> Outcome:
    """The buzzer line's first rise in each approach, early ones included, against the crossing."""
    delays_s = []
    missed = not_silent = dropouts = 0
    rises = [t_s for t_s, on in result.buzzer if on]
    for mark in marks:
        if _sounded(result.buzzer, mark.start_s - SILENT_S, mark.start_s):
            not_silent += 1
            continue
        first_s = next((t_s for t_s in rises if mark.start_s <= t_s < mark.turn_s), None)
        if first_s is None:
            missed += 1
            continue
        delays_s.append(first_s - mark.at_s)
        sure_s = max(first_s, mark.at_s + SURE_S)
        dropouts += sum(not on and sure_s < t_s < mark.turn_s for t_s, on in result.decided)
    return Outcome(delays_s, missed, not_silent, dropouts)


def head_to_head(speeds: Sequence[float], crossings: int, seed: int, jobs: int) -> list[Row]:
    """Every contender at every speed, in real time, each batch in a process of its own."""
    work = []
    for batch, size in enumerate(_batches(crossings)):
        for speed in speeds:
            batch_seed = seed * 1000 + batch
            scenario, marks = walk(speed, size, random.Random(f"{batch_seed} {speed}"))
            # Take turns at going first.
            for name, module, queue_len in _rotated(CONTENDERS, batch):
                job = Job(
                    scenario=scenario,
                    settings=SETTINGS,
                    seed=batch_seed,
                    queue_len=queue_len,
                    beacon=True,
                )
                work.append((speed, name, module, job, marks))
    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(lambda item: spawn(item[2], item[3]), work))
    rows = []
    for speed in speeds:
        for name, _, _ in CONTENDERS:
            done = [
                (result, item[4])
                for item, result in zip(work, results, strict=True)
                if item[0] == speed and item[1] == name
            ]
            rows.append(_row(speed, name, done))
        _compare(rows[-len(CONTENDERS) :])
    return rows


def virtual(speeds: Sequence[float], crossings: int, seed: int) -> list[Row]:
    """rearguard alone on the virtual clock: the same figures on any machine."""
    rows = []
    for speed in speeds:
        scenario, marks = walk(speed, crossings, random.Random(f"{seed} {speed}"))
        job = Job(scenario=scenario, settings=SETTINGS, seed=seed)
        row = _row(speed, "rearguard, virtual clock", [(ours.run(job, VirtualClock()), marks)])
        del row["world late p95 ms"], row["pings/s"]
        rows.append(row)
    return rows


def dead_echo(distances: Sequence[float], seed: int, jobs: int) -> list[Row]:
    """What each says after the sensor fell silent behind someone who stands at `distances`."""
    work = []
    for distance_m in distances:
        arrives_s = SETTLE_S + 1.0 / 0.5
        dies_s = arrives_s + SETTLE_S
        legs = [Leg(for_s=SETTLE_S, speed_mps=0.0), Leg(for_s=1.0 / 0.5, speed_mps=0.5)]
        scenario = _scenario(
            "echo dies",
            dies_s + max(DEAD_AFTER_S) + 0.2,
            legs,
            distance_m + 1.0,
            (Breakage(at_s=dies_s, failure=Failure.OFF),),
        )
        ask_at_s = tuple(dies_s + after_s for after_s in DEAD_AFTER_S)
        for name, module, queue_len in CONTENDERS:
            job = Job(
                scenario=scenario,
                settings=SETTINGS,
                seed=seed,
                queue_len=queue_len,
                ask_at_s=ask_at_s,
            )
            work.append((distance_m, name, module, job))
    with ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda item: spawn(item[2], item[3]), work)
        return [
            {
                "at m": f"{distance_m}",
                "contender": name,
                "after": f"{after_s:.0f} s",
                "says": said,
                "no-echo warnings": result.no_echo,
            }
            for (distance_m, name, _, _), result in zip(work, results, strict=True)
            for after_s, said in zip(DEAD_AFTER_S, result.said, strict=True)
        ]


def main() -> None:
    """Run all three and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onset", description=__doc__)
    parser.add_argument("--crossings", type=int, default=40, help="per speed and contender")
    parser.add_argument("--virtual-crossings", type=int, default=1000, help="per speed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4, help="processes at a time (default: 4)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: 2 crossings at 1 m/s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    args = parser.parse_args()
    speeds = (1.0,) if args.quick else SPEEDS_MPS
    crossings = 2 if args.quick else args.crossings
    virtual_rows = virtual(speeds, 50 if args.quick else args.virtual_crossings, args.seed)
    print(table("Onset on the virtual clock, ms after the crossing of 1 m", _shown(virtual_rows)))
    dead_rows = dead_echo(DEAD_AT_M[:1] if args.quick else DEAD_AT_M, args.seed, args.jobs)
    print("\n" + table("After the echo died", dead_rows), flush=True)
    rows = head_to_head(speeds, crossings, args.seed, args.jobs)
    print("\n" + table("Onset in real time, ms after the crossing of 1 m", _shown(rows)))
    write_json(args.json, seed=args.seed, virtual=virtual_rows, dead_echo=dead_rows, onset=rows)


def _scenario(
    title: str,
    duration_s: float,
    legs: Iterable[Leg],
    wall_m: float,
    breakages: tuple[Breakage, ...] = (),
) -> Scenario:
    return Scenario(
        title=title,
        duration_s=round(duration_s, 3),
        expect="any",
        walker=Walker(legs=tuple(legs), heeds=False, bob_m=0.0, sway_deg=0.0),
        obstacles=(Obstacle(shape="wall", along_m=wall_m),),
        air=Air(temperature_c=20.0, noise_m=0.01, loss=0.02),
        breakages=breakages,
    )


def _batches(crossings: int) -> list[int]:
    full, rest = divmod(crossings, BATCH)
    return [BATCH] * full + [rest] * bool(rest)


def _rotated(items: Sequence[Any], by: int) -> list[Any]:
    by %= len(items)
    return [*items[by:], *items[:by]]


def _sounded(buzzer: Sequence[tuple[float, bool]], from_s: float, to_s: float) -> bool:
    """Whether the line was high at any time in between."""
    before = [on for t_s, on in buzzer if t_s < from_s]
    return bool(before and before[-1]) or any(on and from_s <= t_s < to_s for t_s, on in buzzer)


def _row(speed: float, name: str, done: list[tuple[Result, list[Crossing]]]) -> Row:
    outcomes = [outcome(result, marks) for result, marks in done]
    ms = [1000 * delay for each in outcomes for delay in each.delays_s]
    p50 = median(ms)
    wall_s = sum(result.wall_s for result, _ in done)
    return {
        "m/s": f"{speed}",
        "contender": name,
        "n": len(ms),
        "p50": p50,
        "p95": quantile(ms, 0.95),
        "min": quantile(ms, 0.0),
        "max": quantile(ms, 1.0),
        "m left at p95": THRESHOLD_M - speed * quantile(ms, 0.95) / 1000,
        "missed": sum(each.missed for each in outcomes),
        "not silent": sum(each.not_silent for each in outcomes),
        "dropouts": sum(each.dropouts for each in outcomes),
        "pings/s": sum(result.pings for result, _ in done) / wall_s,
        "world late p95 ms": 1000
        * quantile([late_s for result, _ in done for late_s in result.late_s], 0.95),
        "delays_ms": ms,
    }


def _compare(rows: list[Row]) -> None:
    """Each against rearguard, whose row is the first."""
    first = rows[0]
    for row in rows:
        row["p50 later by"] = row["p50"] - first["p50"]
        for figure in ("p50", "p95"):
            ours_ms = first[figure]
            row[f"{figure} / ours"] = row[figure] / ours_ms if ours_ms > 0 else math.nan


def _shown(rows: list[Row]) -> list[Row]:
    return [{key: row[key] for key in row if key != "delays_ms"} for row in rows]


if __name__ == "__main__":
    main()
