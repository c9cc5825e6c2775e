"""Whether anything grows, or comes late, in a long walk: memory, files, threads, signs of life.

`python -m benchmarks.soak [--hours H] [--minutes M] [--json FILE]`; README.md here says more.

Two walks, both to and fro before a wall, over open ground, with people who pass. The first lasts
hours on the virtual clock: the device as the loop assembles it, with the journal's thread and the
status beside it, in this process. Sensors fail and processors stall in it, at known times; whatever
else fails or comes late is a finding. The second lasts real minutes: `rearguard run` as the service
manager starts it, on the mock board, while other processes want every core and the disk. What the
manager would hear is heard, and stamped by the kernel when it was sent. Beside it another process
only sleeps, as often and at the same priority: how late that wakes is the machine's doing. The
simulated world is part of the service's process, so its memory is that of more than the device.
"""

import argparse
import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.bench import ROOT
from benchmarks.report import Row, quantile, table, write_json
from device import keeper, loop, status
from device.clock import VirtualClock
from device.core.pipeline import Step
from device.keeper import Keeper
from device.settings import Settings
from device.sim import scenario
from device.sim.rig import Rig

WALL_M = 20.0
BREAKS_EACH_S, BREAKS_FOR_S = 600.0, 5.0
STALL_S = 0.3
"""Longer than the loop ever sleeps, so that each is one late step; too short for a fault."""
SAMPLE_EACH_S = 900.0
STATUS_EACH_S = 1.0
KEEP_UP_EACH_S = 60.0
KEEP_UP_FOR_S = 10.0
JOURNAL_MB = 32
PERIOD_S = 0.02
"""Of the journal's thread: its usual second would be ten minutes of this walk."""
MOST_GROWTH = 0.05

WATCHDOG_S = 0.5
PRIORITY = 10
RUN_JOURNAL_MB = 1
WARM_S = 60.0
START_S = 20.0
QUIT_S = 10.0
SIDE_S = 60.0
BUSY_PER_CORE = 2
BUSY = "while True: pass"
WRITER = """
import os, sys
file = open(sys.argv[1], "wb", buffering=0)
while True:
    file.write(bytes(2**20))
    os.fsync(file.fileno())
    if file.tell() >= 64 * 2**20:
        file.seek(0)
"""
SLEEPER = """
import time, sys
from device.loop import OVERRUN_S
late_s, sleeps = [], 0
until_s = time.monotonic() + float(sys.argv[1])
while (now_s := time.monotonic()) < until_s:
    time.sleep(0.03)
    late_s.append(time.monotonic() - now_s - 0.03)
print(len(late_s), sum(each > OVERRUN_S for each in late_s), 1000 * max(late_s))
"""
"""As often awake as the service, and does nothing: what is late here is the machine's doing."""
STAMP = struct.Struct("@qq")
SO_TIMESTAMPNS = 35


class Use(Struct, frozen=True):
    """What the process has at one moment."""

    at_s: float
    rss_mb: float
    threads: int
    files: int
    journal_mb: float


class Hours(Struct, frozen=True, kw_only=True):
    """A walk on the virtual clock. `faults`: how often one began; `late`: steps."""

    uses: list[Use]
    faults: int
    breakages: int
    late: int
    stalls: int
    steps: int
    most_journal_mb: float
    kept: keeper.State
    told: int
    took_s: float


class Sleeper(Struct, frozen=True):
    """A process that only sleeps, at the service's priority, beside it."""

    sleeps: int
    late: int
    worst_ms: float


class Minutes(Struct, frozen=True, kw_only=True):
    """A run in real time. `gaps_s`: from each "still alive" to the next."""

    name: str
    uses: list[Use]
    gaps_s: list[float]
    last: status.Snapshot
    sleeper: Sleeper


def main() -> None:
    """Walk, print, and exit 1 when something grew or came too late."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="on the virtual clock; 0: none")
    parser.add_argument("--minutes", type=float, default=10.0, help="in real time; 0: none")
    parser.add_argument("--side", type=float, default=SIDE_S, help="seconds of each comparison")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    args = parser.parse_args()
    if min(args.hours, args.minutes, args.side) < 0:
        parser.error("--hours, --minutes and --side: give 0 or more")
    if args.json is not None and not args.json.absolute().parent.is_dir():
        parser.error(f"--json {args.json}: no such folder")
    complaints: list[str] = []
    hours, runs = None, []
    with tempfile.TemporaryDirectory() as name:
        if args.hours:
            hours = walk(3600 * args.hours, args.seed, Path(name), JOURNAL_MB)
            print(table("On the virtual clock", [hours_row(hours)]))
            print("\n" + table("Meanwhile", [use_row(use) for use in hours.uses]))
            complaints += judged(hours, JOURNAL_MB)
        if args.minutes:
            runs = side_by_side(60 * args.minutes, args.side, args.seed, Path(name))
            print("\n" + table("In real time", [minutes_row(run) for run in runs]))
            complaints += judged_run(runs[0])
    write_json(args.json, hours=as_row(hours), minutes=[as_row(run) for run in runs])
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    sys.exit(1 if complaints else 0)


def as_row(thing: Struct | None) -> object:
    """For the JSON file."""
    return msgspec.to_builtins(thing)


# ---------------------------------------------------------------- the walk


def course(duration_s: float, seed: int, *, breaks: bool) -> str:
    """A scenario, in its own words: to and fro before a wall, with passers-by.

    `breaks`: every ten minutes the sensor fails for a while, and the processor stalls once.
    """
    rng = random.Random(seed)
    legs, t_s = [], 0.0
    while t_s < duration_s:
        speed_mps = rng.uniform(0.4, 1.3)
        way_m = WALL_M - rng.uniform(0.6, 1.0)
        for for_s, mps in (
            (way_m / speed_mps, speed_mps),
            (rng.uniform(5.0, 20.0), 0.0),
            (way_m, -1.0),
            (rng.uniform(0.0, 5.0), 0.0),
        ):
            legs.append(f"  {{ for_s = {for_s!r}, speed_mps = {mps!r} }},")
            t_s += for_s
    lines = [
        'title = "To and fro for hours"',
        f"duration_s = {duration_s}",
        'expect = "any"',
        "[walker]",
        "heeds = false",
        "legs = [",
        *legs,
        "]",
        "[[obstacles]]",
        'shape = "wall"',
        f"along_m = {WALL_M}",
        "[[obstacles]]",
        'shape = "person"',
        "follows = true",
        "along_m = 1.75",
        "across_m = -40.0",
        "across_mps = 1.1",
        "every_s = 73.0",
        "loss = 0.05",
    ]
    for at_s in starts_of(duration_s) if breaks else ():
        middle_s = at_s + BREAKS_EACH_S / 2
        for when_s, failure in ((middle_s, "off"), (middle_s + BREAKS_FOR_S, "ok")):
            lines += ["[[breakages]]", f"at_s = {when_s}", f'failure = "{failure}"']
        lines += ["[[stalls]]", f"at_s = {at_s + BREAKS_EACH_S * 3 / 4}", f"for_s = {STALL_S}"]
    return "\n".join(lines) + "\n"


def starts_of(duration_s: float) -> list[float]:
    """Of each whole ten minutes."""
    return [number * BREAKS_EACH_S for number in range(int(duration_s // BREAKS_EACH_S))]


class Watch:
    """What is to be noted of the virtual walk while it goes on; an observer."""

    def __init__(self, meter: status.Meter, kept: Keeper, folder: Path, pid: int) -> None:
        self._meter, self._keeper, self._folder, self._pid = meter, kept, folder, pid
        self._ticker: loop.Ticker | None = None
        self._fault: str | None = None
        self._sample_s = self._status_s = self._keep_up_s = 0.0
        self._written = 0
        self.uses: list[Use] = []
        self.faults = self.told = 0
        self.most_journal_mb = 0.0

    def of(self, ticker: loop.Ticker) -> None:
        """The ticker that it is to tell of."""
        self._ticker = ticker

    def __call__(self, step: Step) -> None:
        """A step was made."""
        fault = step.alert.fault
        self.faults += fault is not None and self._fault is None
        self._fault = fault
        if step.t_s >= self._status_s:
            self._status_s += STATUS_EACH_S
            self._tell()
        if step.t_s >= self._keep_up_s:
            self._keep_up_s += KEEP_UP_EACH_S
            self._keep_up()
            self.most_journal_mb = max(self.most_journal_mb, folder_mb(self._folder))
        if step.t_s >= self._sample_s:
            self._sample_s += SAMPLE_EACH_S
            self.uses.append(used(self._pid, self._folder, step.t_s))

    def _tell(self) -> None:
        stats = loop.Stats() if self._ticker is None else self._ticker.stats
        rest = status.Snapshot(
            pid=self._pid,
            cycles=stats.cycles,
            overruns=stats.overruns,
            worst_late_ms=round(stats.worst_late_s * 1000, 1),
            journal=self._keeper.state,
        )
        self.told += bool(status.text(self._meter.snapshot(rest)))

    def _keep_up(self) -> None:
        """A disk is as slow as it is, and this walk hundreds of times as fast as a real one."""
        until_s = time.monotonic() + KEEP_UP_FOR_S
        while time.monotonic() < until_s:
            written = self._keeper.state.written_bytes
            if written != self._written:
                self._written = written
                return
            time.sleep(PERIOD_S / 4)


def walk(duration_s: float, seed: int, folder: Path, most_mb: int) -> Hours:
    """Walk for so long on the virtual clock, in this process."""
    world = scenario.parse(course(duration_s, seed, breaks=True), "soak")
    settings, clock, folder = Settings(), VirtualClock(), folder / "virtual"
    began_s = time.monotonic()
    rig = Rig(world, settings, seed, clock)
    meter = status.Meter()
    kept = Keeper(folder, settings, most_mb * 2**20, keeper.begin(0.0), period_s=PERIOD_S)
    watch = Watch(meter, kept, folder, os.getpid())
    with contextlib.closing(kept):
        with loop.assemble(settings, clock, rig.board, rig.device_rng, rig.open_port) as device:
            ticker = device.ticker(duration_s)
            watch.of(ticker)
            device.run(ticker, loop.fan_out([meter, kept, watch]))
        watch.uses.append(used(os.getpid(), folder, clock.now()))
    return Hours(
        uses=watch.uses,
        faults=watch.faults,
        breakages=len(starts_of(duration_s)),
        late=ticker.stats.overruns,
        stalls=len(world.stalls),
        steps=ticker.stats.cycles,
        most_journal_mb=max(watch.most_journal_mb, folder_mb(folder)),
        kept=kept.state,
        told=watch.told,
        took_s=time.monotonic() - began_s,
    )


def judged(hours: Hours, most_mb: int) -> Iterator[str]:
    """What is wrong with it, in lines."""
    yield from grown(hours.uses, min(3600.0, hours.uses[-1].at_s / 3))
    if hours.most_journal_mb > most_mb:
        yield f"the journals held {hours.most_journal_mb:.1f} MB; their bound is {most_mb} MB"
    if hours.faults != hours.breakages:
        yield f"{hours.faults} faults were announced; the sensor broke {hours.breakages} times"
    if hours.late != hours.stalls:
        yield f"{hours.late} steps were late; the processor stalled {hours.stalls} times"
    if hours.kept.failed is not None:
        yield f"the journal: {hours.kept.failed}"


def grown(uses: list[Use], warm_s: float) -> Iterator[str]:
    """What is more at the end than it was at `warm_s`, when all had been done once."""
    warm = next((use for use in uses if use.at_s >= warm_s), uses[-1])
    last = uses[-1]
    if last.rss_mb > (1.0 + MOST_GROWTH) * warm.rss_mb:
        yield f"memory grew from {warm.rss_mb:.1f} to {last.rss_mb:.1f} MB"
    for what, before, after in (
        ("threads", warm.threads, last.threads),
        ("open files", warm.files, last.files),
    ):
        if after > before:
            yield f"{what}: {before} after {warm.at_s:.0f} s, {after} after {last.at_s:.0f} s"


def used(pid: int, folder: Path, at_s: float) -> Use:
    """What `pid` has now."""
    proc = Path(f"/proc/{pid}")
    pages = int((proc / "statm").read_text("ascii").split()[1])
    return Use(
        at_s,
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        len(os.listdir(proc / "task")),  # noqa: PTH208 - a name is all that is wanted
        _open_files(proc / "fd"),
        folder_mb(folder),
    )


def _open_files(folder: Path) -> int:
    """But for the card's own: whether a journal is open just now is chance."""
    count = 0
    for name in os.listdir(folder):  # noqa: PTH208 - a name is all that is wanted
        with contextlib.suppress(FileNotFoundError):
            count += not (folder / name).readlink().name.endswith(".jsonl")
    return count


def folder_mb(folder: Path) -> float:
    """All that is in it, while it changes."""
    total = 0
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / 2**20


# ---------------------------------------------------------------- the service


def side_by_side(seconds: float, side_s: float, seed: int, folder: Path) -> list[Minutes]:
    """As a service under load, for `seconds`; and for comparison, each for `side_s`, without."""
    fifo = may_have_priority()
    if not fifo:
        print("no real-time priority here (be root): the service runs at the usual one")
    cases = [(fifo, True, seconds)]
    if side_s:
        cases += [(False, True, side_s)] if fifo else []
        cases += [(fifo, False, side_s)] + ([(False, False, side_s)] if fifo else [])
    return [
        serve(number, with_fifo, loaded, for_s, seed, folder)
        for number, (with_fifo, loaded, for_s) in enumerate(cases)
    ]


def may_have_priority() -> bool:
    """Whether a child of this process may run at the unit's real-time priority."""
    tried = [*_priority(True), "true"]
    if shutil.which("chrt") is None:
        return False
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


def serve(
    number: int, fifo: bool, loaded: bool, seconds: float, seed: int, folder: Path
) -> Minutes:
    """Run the service for so long after it is ready, and listen."""
    name = f"{f'fifo {PRIORITY}' if fifo else 'normal'}, {'load' if loaded else 'no load'}"
    print(f"{name}: {seconds / 60:.1f} min", file=sys.stderr, flush=True)
    place = folder / str(number)
    runtime, state = place / "r", place / "s"
    for each in (runtime, state):
        each.mkdir(parents=True)
    world, config = place / "w.toml", place / "c.toml"
    # More than will be walked: the world ends, but `run` does not.
    world.write_text(course(seconds + 600.0, seed, breaks=False), "utf-8")
    config.write_text(
        f'[gpio]\nfactory = "mock"\n[simulation]\nscenario = "{world}"\n'
        f"[journal]\nmost_mb = {RUN_JOURNAL_MB}\n",
        "utf-8",
    )
    with contextlib.ExitStack() as stack:
        ear = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        ear.bind(str(place / "n"))
        ear.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if loaded:
            stack.enter_context(_load(place))
        service = stack.enter_context(_service(config, place, fifo))
        _wait_for_ready(ear, service)
        command = [*_priority(fifo), sys.executable, "-c", SLEEPER, str(seconds)]
        sleeper = stack.enter_context(
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(sleeper.kill)
        began_s = time.monotonic()
        alive_s: list[float] = []
        uses: list[Use] = []
        at_s = 0.0
        while at_s < seconds:
            alive_s += _heard(ear, min(1.0, seconds - at_s), b"WATCHDOG=1")
            at_s = time.monotonic() - began_s
            if service.poll() is not None:
                sys.exit(f"{name}: ended by itself after {at_s:.0f} s, status {service.returncode}")
            if not uses or at_s - uses[-1].at_s >= 1.0:
                uses.append(used(service.pid, state / "journals", at_s))
        last = next(status.read(runtime / status.PATH.name))
        told, _ = sleeper.communicate(timeout=QUIT_S)
    slept = Sleeper(*msgspec.convert(told.split(), tuple[int, int, float], strict=False))
    gaps_s = [after - before for before, after in itertools.pairwise(alive_s)]
    return Minutes(name=name, uses=uses, gaps_s=gaps_s, last=last, sleeper=slept)


def _priority(fifo: bool) -> list[str]:
    return ["chrt", "-f", str(PRIORITY)] if fifo else []


@contextlib.contextmanager
def _service(config: Path, place: Path, fifo: bool) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "device", "run", "--config", str(config)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REARGUARD")}
    environment |= {
        "NOTIFY_SOCKET": str(place / "n"),
        "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)),
        "RUNTIME_DIRECTORY": str(place / "r"),
        "STATE_DIRECTORY": str(place / "s"),
    }
    command = [*_priority(fifo), *command]
    log = (place / "log").open("wb")
    with log, subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log) as service:
        try:
            yield service
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(QUIT_S)
            except subprocess.TimeoutExpired:
                service.kill()


@contextlib.contextmanager
def _load(place: Path) -> Iterator[None]:
    """More than there are cores for, and a disk that is never idle."""
    count = BUSY_PER_CORE * (os.cpu_count() or 1)
    programs = [[BUSY]] * count + [[WRITER, str(place / "written")]]
    busy = [subprocess.Popen([sys.executable, "-c", *program]) for program in programs]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.wait()


def _wait_for_ready(ear: socket.socket, service: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + START_S
    while not _heard(ear, 0.5, b"READY=1"):
        if service.poll() is not None or time.monotonic() > until_s:
            sys.exit("the service did not become ready")


def _heard(ear: socket.socket, for_s: float, word: bytes) -> list[float]:
    """When `word` was sent, each time within `for_s` from now, seconds by the kernel's stamp."""
    found = []
    until_s = time.monotonic() + for_s
    while (left_s := until_s - time.monotonic()) > 0.0:
        ear.settimeout(left_s)
        try:
            message, extra, _, _ = ear.recvmsg(4096, socket.CMSG_SPACE(STAMP.size))
        except TimeoutError:
            break
        if word in message:
            seconds, nanoseconds = STAMP.unpack(extra[0][2])
            found.append(seconds + nanoseconds / 1e9)
    return found


def judged_run(run: Minutes) -> Iterator[str]:
    """What is wrong with it, in lines."""
    yield from (f"{run.name}: {each}" for each in grown(run.uses, min(WARM_S, _half_s(run))))
    most_mb = max(use.journal_mb for use in run.uses)
    if most_mb > RUN_JOURNAL_MB:
        yield f"{run.name}: journals of {most_mb:.2f} MB; their bound is {RUN_JOURNAL_MB} MB"
    if not run.gaps_s or max(run.gaps_s) >= WATCHDOG_S:
        longest_ms = 1000 * max(run.gaps_s, default=0.0)
        yield f"{run.name}: no sign of life for {longest_ms:.0f} ms: the manager would kill it"


def _half_s(run: Minutes) -> float:
    return run.uses[-1].at_s / 2


# ---------------------------------------------------------------- telling


def hours_row(hours: Hours) -> Row:
    """The whole walk in one row."""
    last_s = hours.uses[-1].at_s
    return {
        "hours": last_s / 3600,
        "took s": hours.took_s,
        "steps": hours.steps,
        "faults": hours.faults,
        "broken": hours.breakages,
        "late": hours.late,
        "stalls": hours.stalls,
        "written MB": hours.kept.written_bytes / 2**20,
        "journals MB, most": hours.most_journal_mb,
        "lines lost": hours.kept.lost_lines,
        "statuses": hours.told,
    }


def use_row(use: Use) -> Row:
    """A moment of it."""
    return {
        "hours": use.at_s / 3600,
        "RSS MB": use.rss_mb,
        "threads": use.threads,
        "files": use.files,
        "journals MB": use.journal_mb,
    }


def minutes_row(run: Minutes) -> Row:
    """A run in one row."""
    warm = next(use for use in run.uses if use.at_s >= min(WARM_S, _half_s(run)))
    last = run.uses[-1]
    return {
        "run": run.name,
        "min": last.at_s / 60,
        "signs": len(run.gaps_s) + 1,
        "gap ms, p50": 1000 * quantile(run.gaps_s, 0.5),
        "p99": 1000 * quantile(run.gaps_s, 0.99),
        "max": 1000 * max(run.gaps_s, default=0.0),
        "steps": run.last.cycles,
        "late": run.last.overruns,
        "worst ms": run.last.worst_late_ms,
        "late %": 100 * run.last.overruns / run.last.cycles,
        "sleeper's": 100 * run.sleeper.late / run.sleeper.sleeps,
        "its worst ms": run.sleeper.worst_ms,
        "RSS MB, warm": warm.rss_mb,
        "end": last.rss_mb,
        "threads": f"{warm.threads}, {last.threads}",
        "files": f"{warm.files}, {last.files}",
        "journals MB": max(use.journal_mb for use in run.uses),
    }


if __name__ == "__main__":
    main()
