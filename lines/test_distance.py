"""How true a distance is through each factory: measured against the pulse as it was driven."""

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lines.rig import FACTORIES, echoes, walk

DISTANCES_M = (0.3, 1.0, 2.0, 3.0)
SPREAD_M = {"gpiod": 0.001, "lgpio": 0.001, "auto": 0.001, "rpigpio": 0.005}
BIAS_M = {"gpiod": 0.001, "lgpio": 0.001, "auto": 0.001, "rpigpio": 0.005}
LEAST_PINGS = 70


@pytest.mark.parametrize("factory", FACTORIES)
def test_distances_are_true_and_steady(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    began_s = []
    with walk(tmp_path, factory, distance_m=DISTANCES_M[0]) as (far, daemon):
        daemon.hears("the sensor answers")
        for distance_m in DISTANCES_M:
            began_s.append(far.order(distance_m=distance_m))
            time.sleep(4.0)
        began_s.append(time.monotonic())
    found = echoes(far, daemon)
    spans = zip(DISTANCES_M, itertools.pairwise(began_s), strict=True)
    for distance_m, (from_s, to_s) in spans:
        error_m = [
            told_m - true_m for fall_s, true_m, told_m in found if from_s + 0.1 < fall_s < to_s
        ]
        assert len(error_m) >= LEAST_PINGS
        mean_m, spread_m = statistics.mean(error_m), statistics.stdev(error_m)
        note(
            f"{factory} at {distance_m} m: error {1000 * mean_m:+.2f} mm,"
            f" standard deviation {1000 * spread_m:.3f} mm,"
            f" worst {1000 * max(map(abs, error_m)):.1f} mm, {len(error_m)} pings"
        )
        assert abs(mean_m) <= BIAS_M[factory]
        assert spread_m <= SPREAD_M[factory]
