"""Every way in which the part can fail, on wires: announced, never clear, and over when mended."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.failures import Failure
from lines.rig import BACKENDS, Daemon, Far, walk

STANDING_M = 1.2
WORDS = [word for word in Failure if word not in (Failure.OK, Failure.PULLED)]
"""An HC-SR04 has no cable that could be pulled, but for its power, and that is OFF."""
ANNOUNCED_S = dict.fromkeys(WORDS, 0.75) | {Failure.FROZEN: 5.0}
"""The contract's 0.6 s for the decision, and the first buzz. A frozen pulse is the same to the
microsecond only until the kernel has stamped it."""
UNTOLD = {("rpigpio", Failure.FROZEN)}
"""RPi.GPIO's edges wander by tens of microseconds, more than a wearer who stands."""
TRIES = {Failure.FROZEN: 6}
"""Where the stamps wander by 2 us or more it is found late, or not at all, and how much lgpio lets
them wander differs from one time to the next; so it must be found soon in one of these."""
BROKEN_S, MENDED_S = 1.5, 2.0
FAULT_BUZZ_S, WARNING_BUZZ_S = 0.5, 0.15


@pytest.mark.parametrize("factory", BACKENDS)
def test_every_failure_is_announced_and_ends(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    with walk(tmp_path, factory, distance_m=STANDING_M) as (far, daemon):
        daemon.hears("the sensor answers")
        time.sleep(MENDED_S)
        told: dict[Failure, list[float]] = {}
        for word in WORDS:
            if (factory, word) not in UNTOLD:
                told[word] = _until_told(far, daemon, word)
    figures = (f"{word} {' '.join(f'{s:.2f}' for s in times)} s" for word, times in told.items())
    note(f"{factory}: " + ", ".join(figures))
    assert {word: times for word, times in told.items() if times[-1] > ANNOUNCED_S[word]} == {}


def _until_told(far: Far, daemon: Daemon, word: Failure) -> list[float]:
    """What it took each time, until it was soon enough or has been tried often enough."""
    times: list[float] = []
    for _ in range(TRIES.get(word, 1)):
        times.append(_break_and_mend(far, daemon, word))
        if times[-1] <= ANNOUNCED_S[word]:
            break
    return times


def _break_and_mend(far: Far, daemon: Daemon, word: Failure) -> float:
    """Seconds from the failure to the fault signal's first long buzz; inf where none came."""
    faults = daemon.said.count("sensor fault: ")
    answers = daemon.said.count("answers again")
    broken_s = far.order(distance_m=STANDING_M, failure=word)
    late_s = 3.0 if word in TRIES else 1.0
    time.sleep(max(BROKEN_S, ANNOUNCED_S[word] + late_s))
    found = daemon.said.count("sensor fault: ") > faults
    assert found or word in TRIES, (word, daemon.said)
    far.order(distance_m=STANDING_M)
    time.sleep(MENDED_S)
    if not found:
        return math.inf
    assert daemon.said.count("answers again") > answers, (word, daemon.said)
    # Told by its end: it may begin while WARNING's pulse has the line high already.
    long = [
        fall_s - FAULT_BUZZ_S
        for rise_s, fall_s in far.pulses("buzzer", broken_s - WARNING_BUZZ_S)
        if fall_s - rise_s > FAULT_BUZZ_S - 0.05
    ]
    assert long or word in TRIES, (word, far.pulses("buzzer", broken_s))
    return long[0] - broken_s if long else math.inf


@pytest.mark.parametrize("factory", BACKENDS)
def test_a_part_that_dies_in_front_of_a_wall_never_looks_clear(
    factory: str, tmp_path: Path
) -> None:
    with walk(tmp_path, factory, distance_m=2.2) as (far, daemon):
        daemon.hears("the sensor answers")
        time.sleep(1.5)
        far.order(distance_m=2.2, failure=Failure.OFF)
        time.sleep(10.0)
    rows = daemon.rows()
    died = max(i for i, row in enumerate(rows) if (row["reading"] or {}).get("kind") == "echo")
    assert {row["level"] for row in rows[died:]} == {"caution"}
    assert rows[-1]["fault"] is not None
