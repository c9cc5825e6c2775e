"""What each contender costs a battery on real lines: CPU, wake-ups, memory, and its start.

`python -m benchmarks.bill [--quick] [--json FILE]`; README.md here says how to read it.

Each contender is a whole program, as a user would start it, on the Linux GPIO chip of the bench in
lines/, with an HC-SR04's twin at the far end. The bench is a User Mode Linux guest; called outside
it, this boots one in real time and goes on inside. There Python itself is as quick as outside, but
a system call takes 10 to 20 us, some fifty times as long: whatever asks much of the kernel is dear.
So the CPU figures compare contenders with one another; they say nothing about a Pi. Wake-ups,
memory and pings carry over better.
"""

import argparse
import compileall
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import asdict

from benchmarks.bench import ROOT
from benchmarks.report import Row, median, table, write_json
from lines.__main__ import booting
from lines.rig import Far
from lines.sim_chip import SimChip

HERE = Path(__file__).resolve().parent
LIMIT_S = 900
QUIT_S = 10.0
GIVE_UP_S = 30.0
TICK_S = 0.001
LOOK_S = 0.25
"""Looking for the first ping costs the one CPU that the contender starts on; so, not often."""


class Contender(NamedTuple):
    """A name to show, what follows `python`, and the pin factory in its configuration."""

    name: str
    arguments: tuple[str, ...]
    factory: str = ""

    def command(self, folder: Path) -> list[str]:
        """Its command line; what configuration it needs is written to `folder`."""
        if not self.factory:
            return [sys.executable, *self.arguments]
        config = folder / "rearguard.toml"
        config.write_text(f'[gpio]\nfactory = "{self.factory}"\n', encoding="utf-8")
        return [sys.executable, *self.arguments, "--config", str(config)]


class Scene(NamedTuple):
    """What is behind the wearer, and how long until nobody changes their mind about it."""

    name: str
    settle_s: float
    order: dict[str, float]


class Bill(Struct):
    """One contender in one scene."""

    contender: str
    scene: str
    cpu_s_per_min: float
    wakes_per_s: float
    rss_mb: float
    pss_mb: float
    pings_per_s: float
    far_end_s_per_min: float


class Meter(NamedTuple):
    """What a process has used so far; two of these make a bill."""

    at_s: float
    cpu_s: float
    wakes: int
    far_cpu_s: float


OURS = ("-m", "device", "run")
THEIRS = "DistanceSensor"
CONTENDERS = (
    Contender("rearguard, gpiod", OURS, "gpiod"),
    Contender("rearguard, lgpio", OURS, "lgpio"),
    Contender("rearguard, rpigpio", OURS, "rpigpio"),
    Contender(THEIRS, (str(HERE / "script_gpiozero.py"),)),
    Contender("busy-wait loop", (str(HERE / "script_busy_wait.py"),)),
)
SLEEPER = Contender("python that sleeps", ("-c", "import time; time.sleep(1e6)"))
APPROACH = Scene("nearer, 1.5 to 1.1 m", 0.5, {"distance_m": 1.5})
SCENES = (
    Scene("nothing near", 2.5, {}),
    Scene("a wall at 1.3 m", 4.0, {"distance_m": 1.3}),
    APPROACH,
)
"""Settled means: at the open field's pace; hushed; the warning sounds, as it does while the gap
shrinks."""
APPROACH_M = 0.4


def main() -> None:
    """Measure, print, and boot the bench first if this is not it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bill", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each scene")
    parser.add_argument("--repeats", type=int, default=3, help="turns of every contender")
    parser.add_argument("--starts", type=int, default=5, help="of every contender")
    parser.add_argument("--quick", action="store_true", help="a smoke run: half a second, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    args = parser.parse_args()
    if min(args.seconds, args.repeats, args.starts) <= 0:
        parser.error("--seconds, --repeats and --starts: give more than 0")
    if args.json is not None and not args.json.absolute().parent.is_dir():
        parser.error(f"--json {args.json}: no such folder")
    if not inside():
        sys.exit(boot(args.json))
    seconds, repeats, starts, haste = args.seconds, args.repeats, args.starts, 1.0
    if args.quick:
        seconds, repeats, starts, haste = 0.5, 1, 0, 5.0
    if not finely_counted():
        sys.exit("this kernel counts CPU time in ticks: boot one that has a sched_clock()")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = start_all(folder, starts)
        bills = bill_all(folder, seconds, repeats, haste)
    rows, start_rows = summed(bills), start_summary(started) if starts else []
    print(table("The bill, by scene", rows))
    print("\n" + table(f"The same, / {THEIRS}", ratios(rows)))
    if start_rows:
        print("\n" + table("From process start to the first trigger", start_rows))
    runs = [asdict(bill) for bill in bills]
    write_json(args.json, seconds=seconds, bill=rows, start=start_rows, starts=started, runs=runs)


# ---------------------------------------------------------------- the bench around it


def inside() -> bool:
    """Whether this machine's GPIO chip is the bench's."""
    try:
        SimChip().level(0)
    except OSError:
        return False
    return True


def boot(json_path: Path | None) -> int:
    """Run the same command in a guest; what it writes for `json_path` is brought out."""
    # The guest cannot write here: byte code that is missing would be made anew at every start.
    compileall.compile_dir(ROOT / "device", quiet=2)
    there = " ".join(map(shlex.quote, _less_json(sys.argv[1:])))
    command = f"exec {shlex.quote(sys.executable)} -m benchmarks.bill {there} --json $OUT/bill.json"
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            booting(command, real_time=True, limit_s=LIMIT_S),
            env=os.environ | {"OUT": out},
            check=False,
        )
        if json_path is not None and done.returncode == 0:
            shutil.copy(Path(out) / "bill.json", json_path)
    return done.returncode


def _less_json(arguments: list[str]) -> list[str]:
    """All but the file, which the guest cannot write."""
    kept = [each for each in arguments if not each.startswith("--json=")]
    if "--json" in kept:
        at = kept.index("--json")
        del kept[at : at + 2]
    return kept


# ---------------------------------------------------------------- measuring


class FarEnd(Far):
    """The far end, whose own cost is told too."""

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid


class Running:
    """A contender that is alive, and the far end it pings."""

    def __init__(self, contender: Contender, folder: Path, far: FarEnd) -> None:
        """Spawned now."""
        command = contender.command(folder)
        environment = dict(os.environ)
        environment["PYTHONPATH"] = f"{ROOT}:{environment.get('PYTHONPATH', '')}"
        self._log = folder / "contender.log"
        self._contender, self._far = contender, far
        with self._log.open("wb") as log:
            self.spawned_s = time.monotonic()
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/run", env=environment
            )

    def first_ping_s(self) -> float:
        """Seconds from its spawning to the end of its first trigger."""
        while time.monotonic() < self.spawned_s + GIVE_UP_S:
            time.sleep(LOOK_S)
            pings = self._far.seen("ping", self.spawned_s)
            if pings:
                return pings[0].t_s - self.spawned_s
            if self.process.poll() is not None:
                break
        sys.exit(f"{self._contender.name} does not ping:\n{self._log.read_text('utf-8')}")

    def read(self) -> Meter:
        """Its meter now."""
        pid = self.process.pid
        return Meter(time.monotonic(), cpu_s(pid), wakes(pid), cpu_s(self._far.pid))

    def enter(self, scene: Scene, settle_s: float, seconds: float) -> None:
        """Put `scene` behind the wearer, and let it settle."""
        closing = {}
        if scene is APPROACH:
            closing["closing_mps"] = APPROACH_M / (settle_s + seconds)
        self._far.order(**scene.order, **closing)
        time.sleep(settle_s)

    def bill(self, scene: str, seconds: float) -> Bill:
        """What it costs from now on."""
        before = self.read()
        time.sleep(seconds)
        after = self.read()
        took_s = after.at_s - before.at_s
        rss_mb, pss_mb = memory_mb(self.process.pid)
        pings = [seen for seen in self._far.seen("ping", before.at_s) if seen.t_s < after.at_s]
        return Bill(
            contender=self._contender.name,
            scene=scene,
            cpu_s_per_min=60 * (after.cpu_s - before.cpu_s) / took_s,
            wakes_per_s=(after.wakes - before.wakes) / took_s,
            rss_mb=rss_mb,
            pss_mb=pss_mb,
            pings_per_s=len(pings) / took_s,
            far_end_s_per_min=60 * (after.far_cpu_s - before.far_cpu_s) / took_s,
        )

    def end(self) -> None:
        """As systemd does: SIGTERM, then by force."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(QUIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def cpu_s(pid: int) -> float:
    """What every thread of a process used: the clock that clock_getcpuclockid() would name."""
    return time.clock_gettime(~pid << 3 | 2)


def finely_counted() -> bool:
    """Whether this kernel counts CPU time by a clock and not by whom its ticks happen to meet.

    A thread that wakes in step with them is met always or never: such a count is worth nothing.
    """
    before_s = time.process_time()
    while (now_s := time.process_time()) == before_s:
        pass
    return now_s - before_s < TICK_S / 2


def wakes(pid: int) -> int:
    """How often its threads went to sleep until now, by the kernel's count of voluntary switches.

    A thread that has ended takes its count along; none does while a contender is measured.
    """
    statuses = (task / "status" for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(_field(status, "voluntary_ctxt_switches") for status in statuses)


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident, and resident with what is shared counted by shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    return _field(rollup, "Rss") / 1024, _field(rollup, "Pss") / 1024


def _field(path: Path, name: str) -> int:
    for line in path.read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def start_all(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds to the first trigger, by contender; the first start of each is not counted."""
    found: dict[str, list[float]] = {each.name: [] for each in CONTENDERS}
    for repeat in range(repeats + 1 if repeats else 0):
        for each in _turn(CONTENDERS, repeat):
            with _stage(each, folder) as running:
                taken_s = running.first_ping_s()
            if repeat > 0:
                found[each.name].append(taken_s)
    return found


def bill_all(folder: Path, seconds: float, repeats: int, haste: float) -> list[Bill]:
    """Every contender through every scene, by turns; `haste` shortens what they settle for."""
    bills = []
    for repeat in range(repeats):
        for each in _turn((*CONTENDERS, SLEEPER), repeat):
            print(f"turn {repeat + 1} of {repeats}: {each.name}", file=sys.stderr, flush=True)
            with _stage(each, folder) as running:
                if each is SLEEPER:
                    time.sleep(1.0)
                    bills.append(running.bill(SCENES[0].name, seconds))
                    continue
                running.first_ping_s()
                for scene in SCENES:
                    running.enter(scene, scene.settle_s / haste, seconds)
                    bills.append(running.bill(scene.name, seconds))
    return bills


def _turn(everyone: tuple[Contender, ...], repeat: int) -> tuple[Contender, ...]:
    turn = repeat % len(everyone)
    return everyone[turn:] + everyone[:turn]


@contextlib.contextmanager
def _stage(contender: Contender, folder: Path) -> Iterator[Running]:
    """A far end of its own, with a log that is not long yet, and the contender before it."""
    with tempfile.TemporaryDirectory(dir=folder) as name, FarEnd(Path(name)) as far:
        running = Running(contender, Path(name), far)
        try:
            yield running
        finally:
            running.end()


# ---------------------------------------------------------------- telling


def summed(bills: list[Bill]) -> list[Row]:
    """Medians of the turns."""
    names = dict.fromkeys((bill.scene, bill.contender) for bill in bills)
    rows = []
    for scene in SCENES:
        for contender in (*CONTENDERS, SLEEPER):
            if (scene.name, contender.name) not in names:
                continue
            of = [b for b in bills if (b.scene, b.contender) == (scene.name, contender.name)]
            cpu = [bill.cpu_s_per_min for bill in of]
            rows.append(
                {
                    "scene": scene.name,
                    "contender": contender.name,
                    "CPU s/min": median(cpu),
                    "min": min(cpu),
                    "max": max(cpu),
                    "wakes/s": median([bill.wakes_per_s for bill in of]),
                    "RSS MB": median([bill.rss_mb for bill in of]),
                    "PSS MB": median([bill.pss_mb for bill in of]),
                    "pings/s": median([bill.pings_per_s for bill in of]),
                    "far end s/min": median([bill.far_end_s_per_min for bill in of]),
                }
            )
    return rows


def ratios(rows: list[Row]) -> list[Row]:
    """Each figure as a multiple of DistanceSensor's in the same scene."""
    theirs = {row["scene"]: row for row in rows if row["contender"] == THEIRS}
    heads = ("CPU s/min", "wakes/s", "RSS MB", "PSS MB", "pings/s")
    return [
        {
            "scene": row["scene"],
            "contender": row["contender"],
            **{head: row[head] / theirs[row["scene"]][head] for head in heads},
        }
        for row in rows
        if row["contender"] != SLEEPER.name
    ]


def start_summary(started: dict[str, list[float]]) -> list[Row]:
    """Milliseconds."""
    theirs_s = median(started[THEIRS])
    return [
        {
            "contender": name,
            "ms, median": 1000 * median(taken_s),
            "min": 1000 * min(taken_s),
            "max": 1000 * max(taken_s),
            f"/ {THEIRS}": median(taken_s) / theirs_s,
        }
        for name, taken_s in started.items()
    ]


if __name__ == "__main__":
    main()
