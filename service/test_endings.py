"""A hundred random endings on each suite: the outputs go low, and the walk up to then is kept.

`systemctl stop`, SIGKILL and power loss at random moments of a walk. What is in the journal is
compared with the clock: a line's instant, on the monotonic clock that we share with the machine,
with the moment of the ending. SERVICE_SEED chooses other endings, SERVICE_ENDINGS how many.
"""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from device import journal, keeper
from device.errors import InputError
from device.settings import Settings
from service.rig import STATE, Machine, Pins, kept, log, main_pid, median, ready_s, until

SEED = int(os.environ.get("SERVICE_SEED", "1"))
ENDINGS = int(os.environ.get("SERVICE_ENDINGS", "100"))
KINDS = {"stop": (4, 1.0), "kill": (4, 2.0), "power": (2, 3.0)}
"""How often of ten, and for how many seconds a walk is let be before it."""
SYNC_S = 1.0
"""What a crash or a power cut may take of the journal."""
SLACK_S = 0.4
"""For a line in the making and a busy machine."""
GAP_S = 0.4
"""Between two lines of a walk: more, and something in the middle is lost."""
QUIET_S = 0.2
Note = Callable[[str], None]


def stop(machine: Machine) -> float:
    began_s = time.monotonic()
    machine.systemctl("stop rearguard")
    return began_s


def kill(machine: Machine) -> float:
    pid = main_pid(machine)
    began_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    return began_s


def power(machine: Machine) -> float:
    began_s = time.monotonic()
    machine.kill()
    return began_s


class Ended(NamedTuple):
    """A run, the names of its files, and when it was READY and ended, by our monotonic clock."""

    what: str
    files: list[str]
    ready_s: float
    ended_s: float


def of_run(folder: Path, seen: int, ended_s: float) -> list[str]:
    """The files above number `seen` that were begun before the run ended."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        if int(file.stem) <= seen or b"\n" not in file.read_bytes():
            continue  # of an earlier run; or of a moment before the power went
        began = journal.read(file, Settings()).began
        assert began is not None
        if began.monotonic_s < ended_s:
            found.append(file.name)
    return found


def missing_s(folder: Path, run: Ended) -> float:
    """What the journal lacks of the run's end. Fails when something before it is missing."""
    times: list[float] = []
    for name in run.files:
        recording = journal.read(folder / name, Settings())
        assert recording.began is not None
        times += [t_s + recording.began.monotonic_s for t_s, _ in recording.steps]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps, default=0.0) <= GAP_S, run
    return max(0.0, run.ended_s - (times[-1] if times else run.ready_s))


def test_whatever_ends_it_the_outputs_go_low_and_the_walk_is_kept(
    machine: Machine, suite: str, note: Note
) -> None:
    rng = random.Random(f"{SEED} {suite}")
    lost_s: dict[str, list[float]] = {kind: [] for kind in KINDS}
    quiet_s: list[float] = []
    runs: list[Ended] = []
    ended_s, seen, kills = 0.0, 0, 0
    for number in range(ENDINGS):
        (kind,) = rng.choices([*KINDS], [often for often, _ in KINDS.values()])
        if kind == "kill" and kills == 2:  # a third would be a crash loop, which keeps no journal
            kind = "stop"
        kills = kills + 1 if kind == "kill" else 0
        lived_s = rng.uniform(0.0, KINDS[kind][1])
        where = f"ending {number} of seed {SEED}: {kind} {lived_s:.3f} s after READY"
        began_s = ready_s(machine, ended_s)
        with Pins(machine) as pins:
            time.sleep(max(0.0, began_s + lived_s - time.monotonic()))
            was_high = pins.high()
            ended_s = {"stop": stop, "kill": kill, "power": power}[kind](machine)
            if kind == "kill":
                took_s = until(lambda: not pins.high(), 5.0)
                quiet_s += [took_s] if was_high else []
            assert kind == "power" or not pins.high(), where
        if kind == "power":
            machine.boot_again()
        elif kind == "stop":
            machine.systemctl("start rearguard", check=False)
            assert machine.systemctl("is-active rearguard", check=False) == "active", log(machine)
        journals = machine.root / STATE / "journals"
        run = Ended(where, of_run(journals, seen, ended_s), began_s, ended_s)
        seen = max([seen, *(int(name.partition(".")[0]) for name in run.files)])
        lost_s[kind].append(missing_s(journals, run))
        most_s = SLACK_S if kind == "stop" else SYNC_S + SLACK_S
        assert lost_s[kind][-1] <= most_s, f"{run}: {lost_s[kind][-1]:.3f} s lost\n{log(machine)}"
        runs.append(run)
    for kind, times in lost_s.items():
        if times:
            said = f"{median(times):.2f} s of the journal lost, at worst {max(times):.2f}"
            note(f"{len(times)} times {kind}: {said}")
    if quiet_s:
        kept(f"{len(quiet_s)} of those kills: low", quiet_s, QUIET_S, note)
        assert median(quiet_s) <= QUIET_S
    # Nor has a later ending taken anything from an earlier walk.
    ready_s(machine, ended_s)
    journals = machine.root / STATE / "journals"
    for run in runs:
        assert missing_s(journals, run) <= SYNC_S + SLACK_S, run
    every = list(keeper.read(journals))
    assert [wrong for wrong in every if isinstance(wrong, InputError)] == []
    newest = max(journals.glob("*.jsonl")).name
    machine.run(f"rearguard replay /{STATE}/journals/{newest}")
