"""What each contender costs: CPU time while it runs, and time from start to the first ping.

`python -m benchmarks.cost [--quick] [--json FILE]`; README.md here says how to read it.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench import ROOT, Job, spawn
from benchmarks.onset import walk
from benchmarks.report import Row, median, quantile, table, write_json
from device.settings import SensorSettings, Settings
from device.sim.scenario import Air, Leg, Scenario, Walker

WARM_UP_S = 3.0
# As shipped, but for the air's temperature, which is known here.
SETTINGS = Settings(sensor=SensorSettings(temperature_c=20.0))


class Contender(NamedTuple):
    """A name to show, the module that is it, and what its job differs in."""

    name: str
    module: str
    queue_len: int = 0
    from_thread: bool = False


CONTENDERS = (
    Contender("rearguard", "ours"),
    Contender("DistanceSensor, queue_len=9 (default)", "theirs", 9, from_thread=True),
    Contender("DistanceSensor, queue_len=3", "theirs", 3, from_thread=True),
    Contender("DistanceSensor, queue_len=1", "theirs", 1, from_thread=True),
)
BARE = (
    Contender("bare pings from the main thread", "bare"),
    Contender("bare pings from another thread", "bare", from_thread=True),
)


def cpu(seconds: float, repeats: int, seed: int) -> list[Row]:
    """CPU seconds a minute, in an open field and to and fro before a wall."""
    worlds = {"open field": _field(seconds), "to and fro at a wall": _wall(seconds, seed)}
    rows = []
    for place, scenario in worlds.items():
        per_minute: dict[str, list[float]] = {}
        per_ping: dict[str, list[float]] = {}
        pings_per_s: dict[str, list[float]] = {}
        wakes_per_s: dict[str, list[float]] = {}
        peak_mb: dict[str, list[float]] = {}
        everyone = [*CONTENDERS, *BARE]
        for repeat in range(repeats):
            turn = repeat % len(everyone)
            for each in everyone[turn:] + everyone[:turn]:
                job = Job(
                    scenario=scenario,
                    settings=SETTINGS,
                    seed=seed + repeat,
                    queue_len=each.queue_len,
                    bare_thread=each.from_thread,
                    measure_from_s=WARM_UP_S,
                )
                result = spawn(each.module, job)
                per_minute.setdefault(each.name, []).append(60 * result.cpu_s / result.wall_s)
                per_ping.setdefault(each.name, []).append(1e6 * result.cpu_s / result.pings)
                pings_per_s.setdefault(each.name, []).append(result.pings / result.wall_s)
                wakes_per_s.setdefault(each.name, []).append(result.wakes / result.wall_s)
                peak_mb.setdefault(each.name, []).append(result.peak_mb)
        bare_us = {each.from_thread: median(per_ping[each.name]) for each in BARE}
        ours_s = median(per_minute[CONTENDERS[0].name])
        for each in everyone:
            cpu_s, pings = median(per_minute[each.name]), median(pings_per_s[each.name])
            rows.append(
                {
                    "world": place,
                    "contender": each.name,
                    "CPU s/min": cpu_s,
                    "min": min(per_minute[each.name]),
                    "max": max(per_minute[each.name]),
                    "/ ours": cpu_s / ours_s,
                    "pings/s": pings,
                    "CPU us/ping": median(per_ping[each.name]),
                    "less simulation, about": cpu_s - 60e-6 * pings * bare_us[each.from_thread],
                    "wakes/s": median(wakes_per_s[each.name]),
                    "peak MB": median(peak_mb[each.name]),
                }
            )
    return rows


def starts(repeats: int, seed: int) -> list[Row]:
    """Milliseconds from spawning a process to its first ping, or to its end for an import."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "rearguard.toml"
        config.write_text('[gpio]\nfactory = "mock"\n', encoding="utf-8")
        empty = Path(folder) / "empty.toml"
        empty.touch()
        kinds: dict[str, Callable[[], float]] = {
            'python -c "import gpiozero"': lambda: _import("gpiozero"),
            'python -c "pass"': lambda: _import(""),
            "rearguard run, simulated world": lambda: _first_ping("ours", "world", config),
            "DistanceSensor, simulated world": lambda: _first_ping("theirs", "world", config),
            "rearguard run, no simulation": lambda: _first_ping("ours", "board", empty),
            "DistanceSensor, no simulation": lambda: _first_ping("theirs", "board", empty),
        }
        for measure in kinds.values():
            measure()  # writes the byte code, fills the caches
        taken_ms: dict[str, list[float]] = {name: [] for name in kinds}
        rng = random.Random(f"{seed} starts")
        for _ in range(repeats):
            # Who comes after whom makes some 10 ms of difference, so it is left to chance.
            for name in rng.sample(list(kinds), len(kinds)):
                taken_ms[name].append(1000 * kinds[name]())
    base_ms = median(next(iter(taken_ms.values())))
    return [
        {
            "start": name,
            "ms, median": median(ms),
            "p95": quantile(ms, 0.95),
            "min": min(ms),
            "/ import gpiozero": median(ms) / base_ms,
        }
        for name, ms in taken_ms.items()
    ]


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of CPU measurement, each")
    parser.add_argument("--repeats", type=int, default=3, help="of the CPU measurement")
    parser.add_argument("--starts", type=int, default=15, help="of each command")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a smoke run: 2 s, once; 3 starts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    args = parser.parse_args()
    start_rows = starts(3 if args.quick else args.starts, args.seed)
    print(table("From process start to the first ping", start_rows), flush=True)
    seconds, repeats = (2.0, 1) if args.quick else (args.seconds, args.repeats)
    cpu_rows = cpu(seconds, repeats, args.seed)
    print("\n" + table("CPU time in real time, simulation included", cpu_rows))
    write_json(args.json, seed=args.seed, seconds=seconds, start=start_rows, cpu=cpu_rows)


def _field(seconds: float) -> Scenario:
    return Scenario(
        title="an open field",
        duration_s=WARM_UP_S + seconds,
        expect="any",
        walker=Walker(legs=(Leg(for_s=86_400.0, speed_mps=1.0),), heeds=False),
        air=Air(temperature_c=20.0),
    )


def _wall(seconds: float, seed: int) -> Scenario:
    there_and_back, _ = walk(1.0, 1 + int(seconds / 3.0), random.Random(f"{seed} cost"))
    return Scenario(
        title="to and fro at a wall",
        duration_s=WARM_UP_S + seconds,
        expect="any",
        walker=there_and_back.walker,
        obstacles=there_and_back.obstacles,
        air=there_and_back.air,
    )


def _import(module: str) -> float:
    code = f"import {module}" if module else "pass"
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.monotonic() - began_s


def _first_ping(contender: str, behind: str, config: Path) -> float:
    code = f"from benchmarks.start_{contender} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, behind, str(config), str(time.monotonic())],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
