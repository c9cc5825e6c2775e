"""The rhythms on the lines, against the cadence table."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.core.signals import Cue, Rhythm
from device.failures import Failure
from lines.rig import BACKENDS, PINS, Far, walk

OFF_BY_S = 0.010
PWM_GAP_S = 2.0 / PINS.motor.pwm_hz
NOTICED_S = 1.0
QUIET_S = 4.0
FIELD_M = 3.5
CASES = {
    Cue.CAUTION: (2.2, 2.4),
    Cue.WARNING: (1.3, 2.4),
    Cue.DANGER: (0.8, 2.4),
    Cue.STOP: (0.4, 4.4),
}
"""An object that is suddenly there, and how long the rhythm is looked at, before it is hushed."""


@pytest.mark.parametrize("factory", BACKENDS)
def test_each_rhythm_is_the_tables(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    with walk(tmp_path, factory, distance_m=FIELD_M) as (far, daemon):
        daemon.hears("the sensor answers")
        worst_s = {}
        for cue, (distance_m, look_s) in CASES.items():
            far.order(distance_m=FIELD_M)
            time.sleep(QUIET_S)
            since_s = far.order(distance_m=distance_m)
            time.sleep(look_s + NOTICED_S)
            worst_s[cue] = _off(far, since_s, cue, look_s)
        far.order(distance_m=FIELD_M)
        time.sleep(QUIET_S)
        since_s = far.order(distance_m=FIELD_M, failure=Failure.OFF)
        time.sleep(9.0 + NOTICED_S)
        worst_s[Cue.FAULT] = _off(far, since_s, Cue.FAULT, 9.0)
    told = ", ".join(f"{cue.name} {1000 * off_s:.1f}" for cue, off_s in worst_s.items())
    note(f"{factory}: edges off the table by at most, ms: {told}")
    assert max(worst_s.values()) <= OFF_BY_S


def _off(far: Far, since_s: float, cue: Cue, look_s: float) -> float:
    """Seconds by which the worst edge of either line is off."""
    signal = cue.value
    buzzer = far.pulses("buzzer", since_s)
    motor = far.pulses("motor", since_s, PWM_GAP_S)
    began_s = min(buzzer[0][0], motor[0][0])
    off_s = 0.0
    for rhythm, seen in ((signal.buzzer, buzzer), (signal.motor, motor)):
        wanted = list(_table(rhythm, look_s))
        inside = [pulse for pulse in seen if pulse[1] - began_s <= look_s + OFF_BY_S]
        assert len(inside) >= len(wanted), (cue, wanted, seen)
        for (on_s, off_at_s), (rise_s, fall_s) in zip(wanted, inside, strict=False):
            off_s = max(off_s, abs(rise_s - began_s - on_s), abs(fall_s - began_s - off_at_s))
    return off_s


def _table(rhythm: Rhythm, look_s: float) -> list[tuple[float, float]]:
    """(on, off) of each whole pulse within `look_s` of the rhythm's start."""
    pulses, at_s = [], 0.0
    repeats = list(rhythm.once)
    while at_s < look_s:
        if not repeats:
            if not rhythm.again:
                break
            repeats = list(rhythm.again)
        on_ms, off_ms = repeats.pop(0)
        end_s = at_s + on_ms / 1000.0
        if end_s > min(look_s, rhythm.until_ms / 1000.0):
            break
        pulses.append((at_s, end_s))
        at_s = end_s + off_ms / 1000.0
    return pulses
