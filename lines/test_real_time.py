"""The same on the wall clock, where the machine stalls and other programs run: loosely."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from device.failures import Failure
from lines.rig import BACKENDS, outputs_low, walk

FAR_M, NEAR_M = 2.0, 1.2
WORST_MEDIAN_M = 0.05
LEAST_ECHOES = 40
ANNOUNCED_S = 1.0
WARNING_PULSE_S = 0.150
FIRST_S = 1.0


@pytest.mark.parametrize("factory", BACKENDS)
def test_a_short_walk_in_real_time(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    with walk(tmp_path, factory, distance_m=FAR_M) as (far, daemon):
        daemon.hears("the sensor answers")
        time.sleep(0.5)
        near_s = far.order(distance_m=NEAR_M)
        time.sleep(2.0)
        broken_s = far.order(distance_m=NEAR_M, failure=Failure.OFF)
        time.sleep(ANNOUNCED_S)
        assert "sensor fault" in daemon.said
        far.order(distance_m=FAR_M)
        daemon.hears("answers again", 5.0)
    assert outputs_low()
    told_m = [
        row["reading"]["distance_m"]
        for row in daemon.rows()
        if (row["reading"] or {}).get("kind") == "echo"
    ]
    errors_m = [min(abs(metres - there_m) for there_m in (FAR_M, NEAR_M)) for metres in told_m]
    pulses_s = [
        fall_s - rise_s for rise_s, fall_s in far.pulses("buzzer", near_s) if fall_s < broken_s
    ]
    first_s = min(rise_s for rise_s, _ in far.pulses("buzzer", near_s)) - near_s
    note(
        f"{factory}, real time: median error {1000 * statistics.median(errors_m):.1f} mm,"
        f" first buzz {1000 * first_s:.0f} ms after the object is there,"
        f" WARNING's pulse {1000 * statistics.median(pulses_s):.0f} ms"
    )
    assert len(told_m) > LEAST_ECHOES
    assert statistics.median(errors_m) < WORST_MEDIAN_M
    assert statistics.median(pulses_s) == pytest.approx(WARNING_PULSE_S, abs=0.05)
    assert first_s < FIRST_S
