"""What every contender shares: the job it is given, the world it stands in, what is noted.

A contender is a module here with `run(job)` and `main()`. It runs in a process of its
own, so that none waits for another's threads. The world, the twin and the mock board are
one code path for all: `device.sim.rig.Rig` on a clock that keeps to real time.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from device.clock import PacedClock, VirtualClock
from device.settings import Settings
from device.sim.rig import Rig
from device.sim.scenario import Scenario

ROOT = Path(__file__).resolve().parent.parent
BEACON_S = 0.05


class Job(Struct, frozen=True, kw_only=True):
    """One run of one contender.

    `ask_at_s`: when to note what it says. `measure_from_s`: CPU time is counted from
    here to the end. `beacon`: note how late the world's own events run.
    """

    scenario: Scenario
    settings: Settings = Settings()
    seed: int = 1
    queue_len: int = 9
    ask_at_s: tuple[float, ...] = ()
    measure_from_s: float = 0.0
    beacon: bool = False
    bare_every_s: float = 0.05
    bare_thread: bool = False


class Result(Struct, kw_only=True):
    """What was noted of it.

    `buzzer`: changes of the buzzer's line. `decided`: changes of its mind that something
    is inside the threshold. `pings`, `cpu_s`, `wakes`, `wall_s`: since `measure_from_s`; `wakes`
    are voluntary context switches. `peak_mb`: the most memory it ever had.
    """

    buzzer: list[tuple[float, bool]] = []
    decided: list[tuple[float, bool]] = []
    said: list[str] = []
    late_s: list[float] = []
    pings: int = 0
    no_echo: int = 0
    cpu_s: float = 0.0
    wakes: int = 0
    peak_mb: float = 0.0
    wall_s: float = 0.0


class Stage:
    """A rig with a notebook."""

    def __init__(self, job: Job, clock: VirtualClock) -> None:
        """Build the job's world on `clock` and watch the buzzer's line."""
        self.job = job
        self.clock = clock
        self.now = _real_seconds_of(clock)
        self.rig = Rig(job.scenario, job.settings, job.seed, clock)
        self.result = Result()
        self.say: Callable[[], str] = str
        self._buzzer = self.rig.board.line(job.settings.buzzer.pin)
        self._buzzer.watch(self._on_buzzer)
        self._started = (0.0, 0, 0.0, 0)
        clock.at(job.measure_from_s, self._start)
        for ask_s in job.ask_at_s:
            clock.at(ask_s, self._ask)
        if job.beacon:
            clock.at(BEACON_S, lambda: self._beacon(BEACON_S))

    def decide(self, inside: bool) -> None:
        """Note the contender's mind, if it has changed."""
        decided = self.result.decided
        if inside != bool(decided and decided[-1][1]):
            decided.append((self.now(), inside))

    def finish(self) -> Result:
        """Close the accounts."""
        cpu_s, wakes, wall_s, pings = self._started
        self.result.cpu_s = _cpu_s() - cpu_s
        self.result.wakes = _wakes() - wakes
        self.result.peak_mb = _peak_mb()
        self.result.wall_s = time.monotonic() - wall_s
        self.result.pings = self.rig.twin.pings - pings
        return self.result

    def _start(self) -> None:
        self._started = (_cpu_s(), _wakes(), time.monotonic(), self.rig.twin.pings)

    def _on_buzzer(self, _t_s: float, level: float) -> None:
        self.result.buzzer.append((self.now(), level > 0.0))

    def _ask(self) -> None:
        last = "never changed yet"
        if self.result.buzzer:
            last = f"last change {self.now() - self.result.buzzer[-1][0]:.1f} s ago"
        line = "on" if self._buzzer.level else "off"
        self.result.said.append(f"{self.say()}; buzzer {line}, {last}")

    def _beacon(self, booked_s: float) -> None:
        self.result.late_s.append(self.now() - booked_s)
        next_s = booked_s + BEACON_S
        self.clock.at(next_s, lambda: self._beacon(next_s))


def child(run: Callable[[Job, VirtualClock], Result]) -> None:
    """A contender's `main`: the job is the first argument, the result goes to stdout."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(run(job, PacedClock())))


def spawn(contender: str, job: Job) -> Result:
    """Run `contender` (a module here) in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"from benchmarks.{contender} import main; main()", as_json(job)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    )
    return msgspec.json.decode(done.stdout, type=Result)


def as_json(thing: object) -> str:
    """One argument's worth."""
    return msgspec.json.encode(thing).decode()


def _real_seconds_of(clock: VirtualClock) -> Callable[[], float]:
    """Seconds on `clock` as they really are, also in a callback that runs late."""
    if not isinstance(clock, PacedClock):
        return clock.now
    origin_s = time.monotonic() - clock.now()
    return lambda: time.monotonic() - origin_s


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _wakes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def _peak_mb() -> float:
    """Not getrusage's, which begins at what the spawning process had."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
