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

from device import journal, keeper
from device.errors import InputError
from device.settings import Settings
from service.rig import STATE, Machine, Pins, log, main_pid, ready_s, until

SEED = int(os.environ.get("SERVICE_SEED", "1"))
ENDINGS = int(os.environ.get("SERVICE_ENDINGS", "100"))
LONGEST_S = 1.8
SYNC_S = 1.0
"""What a crash or a power cut may take of the journal."""
SLACK_S = 0.4
"""For a line in the making and a busy machine."""
GAP_S = 0.4
"""Between two lines of a walk: more, and something in the middle is lost."""
QUIET_S = 0.2
BUSY = 3.0
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


def of_run(folder: Path, seen: int, ended_s: float) -> list[tuple[Path, journal.Recording]]:
    """The files above number `seen` of the run that ended, and what is in them."""
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        if int(file.stem) <= seen or b"\n" not in file.read_bytes():
            continue  # of an earlier run; or of a moment before the power went
        recording = journal.read(file, Settings())
        assert recording.began is not None
        if recording.began.monotonic_s < ended_s:
            found.append((file, recording))
    return found


def last_s(recordings: list[journal.Recording]) -> float | None:
    """The last instant that was kept, when nothing is missing before it."""
    times: list[float] = []
    for recording in recordings:
        assert recording.began is not None
        times += [t_s + recording.began.monotonic_s for t_s, _ in recording.steps]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps, default=0.0) <= GAP_S
    return times[-1] if times else None


def test_whatever_ends_it_the_outputs_go_low_and_the_walk_is_kept(
    machine: Machine, note: Note
) -> None:
    rng = random.Random(SEED)
    missing_s: dict[str, list[float]] = {"stop": [], "kill": [], "power": []}
    quiet_s = [0.0]
    ended_s, seen, kills = 0.0, 0, 0
    for number in range(ENDINGS):
        kind = rng.choices(("stop", "kill", "power"), (5, 5, 1))[0]
        lived_s = rng.uniform(0.0, LONGEST_S)
        if kind == "kill" and kills == 2:  # a third would be a crash loop, which keeps no journal
            kind = "stop"
        kills = kills + 1 if kind == "kill" else 0
        where = f"ending {number} of seed {SEED}: {kind} {lived_s:.3f} s after READY"
        began_s = ready_s(machine, ended_s)
        with Pins(machine) as pins:
            time.sleep(max(0.0, began_s + lived_s - time.monotonic()))
            ended_s = {"stop": stop, "kill": kill, "power": power}[kind](machine)
            if kind == "kill":
                quiet_s.append(until(lambda: not pins.high(), 5.0))
            assert kind == "power" or not pins.high(), where
        if kind == "power":
            machine.boot_again()
        elif kind == "stop":
            machine.systemctl("start rearguard")
        files = of_run(machine.root / STATE / "journals", seen, ended_s)
        seen = max([seen, *(int(file.stem) for file, _ in files)])
        last = last_s([recording for _, recording in files])
        missing = ended_s - (began_s if last is None else last)
        missing_s[kind].append(missing)
        most_s = SLACK_S if kind == "stop" else SYNC_S + SLACK_S
        assert missing <= most_s, f"{where}: {missing:.3f} s missing\n{log(machine)}"
    for kind, times in missing_s.items():
        note(f"{kind}: {len(times)} times, at most {max(times, default=0.0):.3f} s missing")
    note(f"kill: low in at most {max(quiet_s):.3f} s (0.2 wanted)")
    assert sorted(quiet_s)[len(quiet_s) // 2] <= QUIET_S
    assert max(quiet_s) <= BUSY * QUIET_S
    ready_s(machine, ended_s)
    every = list(keeper.read(machine.root / STATE / "journals"))
    assert [wrong for wrong in every if isinstance(wrong, InputError)] == []
    newest = max((machine.root / STATE / "journals").glob("*.jsonl")).name
    machine.run(f"rearguard replay /{STATE}/journals/{newest}")
