"""What a death costs on the wall clock, and which part of it what.

A guest is slower than the machine it is on: a process takes about three times as long to start,
and a sandbox, which is many system calls, up to ten times. So these limits are loose, the figures
are for comparing with one another, and `test_unit.py` and the service bench are exact.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from lines import unit
from lines.rig import Far

FAR_M = 3.5
DEATHS = 3
WORST_LOW_S, WORST_READY_S = 2.0, 10.0


@pytest.mark.parametrize("factory", ["gpiod", "lgpio"])
def test_killed_in_mid_buzz_in_real_time(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    marks: dict[str, list[float]] = {}
    with Far(tmp_path) as far:
        far.order(distance_m=FAR_M)
        with unit.running(factory):
            for _ in range(DEATHS):
                (unit.DEBIAN / "run/rearguard/starts.json").unlink()  # no crash loop
                killed_s = unit.strike_in_mid_buzz(far, FAR_M)
                ready_s = unit.ready_again(killed_s, 60.0)
                for mark, time_s in {
                    "noticed": unit.when_s("ActiveExit"),
                    "low": unit.low_s(far, killed_s),
                    "ended": unit.when_s("InactiveEnter"),
                    "started": unit.when_s("ExecMainStart"),
                    "ready": ready_s,
                }.items():
                    marks.setdefault(mark, []).append(time_s - killed_s)
    median = {mark: statistics.median(times_s) for mark, times_s in marks.items()}
    told = ", ".join(f"{mark} {1000 * time_s:.0f}" for mark, time_s in median.items())
    note(f"{factory}, real time, ms after the kill (medians of {DEATHS}): {told}")
    assert median["low"] < WORST_LOW_S
    assert median["ready"] < WORST_READY_S
