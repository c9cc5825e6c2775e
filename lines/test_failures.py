"""Every way in which the part can fail, on wires: announced, never clear, and over when mended."""

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
BROKEN_S, MENDED_S = 1.5, 2.0
FAULT_BUZZ_S, WARNING_BUZZ_S = 0.5, 0.15


@pytest.mark.parametrize("factory", BACKENDS)
def test_every_failure_is_announced_and_ends(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    with walk(tmp_path, factory, distance_m=STANDING_M) as (far, daemon):
        daemon.hears("the sensor answers")
        time.sleep(MENDED_S)
        told = {}
        for word in WORDS:
            if (factory, word) not in UNTOLD:
                told[word] = _break_and_mend(far, daemon, word)
    note(f"{factory}: " + ", ".join(f"{word} {s:.2f} s" for word, s in told.items()))
    assert {word: s for word, s in told.items() if s > ANNOUNCED_S[word]} == {}


def _break_and_mend(far: Far, daemon: Daemon, word: Failure) -> float:
    """Seconds from the failure to the fault signal's first long buzz."""
    faults = daemon.said.count("sensor fault: ")
    answers = daemon.said.count("answers again")
    broken_s = far.order(distance_m=STANDING_M, failure=word)
    time.sleep(max(BROKEN_S, ANNOUNCED_S[word] + 1.0))
    assert daemon.said.count("sensor fault: ") > faults, (word, daemon.said)
    far.order(distance_m=STANDING_M)
    time.sleep(MENDED_S)
    assert daemon.said.count("answers again") > answers, (word, daemon.said)
    # Told by its end: it may begin while WARNING's pulse has the line high already.
    long = [
        fall_s - FAULT_BUZZ_S
        for rise_s, fall_s in far.pulses("buzzer", broken_s - WARNING_BUZZ_S)
        if fall_s - rise_s > FAULT_BUZZ_S - 0.05
    ]
    assert long, (word, far.pulses("buzzer", broken_s))
    return long[0] - broken_s


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
