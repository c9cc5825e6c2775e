"""From the true crossing of a threshold to the buzzer's line, beside the mock board's answer.

On the mock board the loop steps at the very instant of an echo's fall, and its lines change at
once. So for the same echoes its onset is the fall of the echo that decided; what the real line is
later than that is the pins' doing. That the decision is the same is shown by a replay.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lines.far_end import SOUND_MPS
from lines.rig import AT_20_C, BACKENDS, ROOT, Daemon, echoes, walk

FAR_M, THRESHOLD_M, NEAR_M = 2.5, 1.0, 0.7
CLOSING_MPS = (0.5, 1.0, 1.4)
LATER_S = 0.005
EARLIEST_S = 0.1
"""Noise may put an echo inside a little before the truth is."""
DISTANCE_ONLY = AT_20_C + (
    "[alert]\ncaution_m = 1.0\nwarning_m = 1.0\ndanger_m = 1.0\n"
    "caution_ttc_s = 0.0\nwarning_ttc_s = 0.0\ndanger_ttc_s = 0.0\nstop_ttc_s = 0.0\n"
)


@pytest.mark.parametrize("factory", BACKENDS)
def test_the_buzzers_line_is_as_early_as_the_mock_boards(
    factory: str, tmp_path: Path, note: Callable[[str], None]
) -> None:
    crossings_s = []
    with walk(tmp_path, factory, DISTANCE_ONLY, distance_m=FAR_M) as (far, daemon):
        daemon.hears("the sensor answers")
        for closing_mps in CLOSING_MPS:
            far.order(distance_m=FAR_M)
            time.sleep(4.0)
            began_s = far.order(distance_m=FAR_M, closing_mps=closing_mps)
            crossings_s.append(began_s + (FAR_M - THRESHOLD_M) / closing_mps)
            time.sleep((FAR_M - NEAR_M) / closing_mps)
        far.order(distance_m=FAR_M)
        time.sleep(1.0)
    decided_s = _deciding_falls(echoes(far, daemon), daemon.rows())
    for closing_mps, crossed_s in zip(CLOSING_MPS, crossings_s, strict=True):
        real_s = min(rise_s for rise_s, _ in far.pulses("buzzer", crossed_s - EARLIEST_S))
        mock_s = min(fall_s for fall_s in decided_s if fall_s > crossed_s - EARLIEST_S)
        note(
            f"{factory} at {closing_mps} m/s: {1000 * (real_s - crossed_s):.1f} ms after the"
            f" crossing, {1000 * (real_s - mock_s):+.2f} ms beside the mock board"
        )
        assert 0.0 <= real_s - mock_s <= LATER_S
    replay = _replayed(daemon)
    assert replay["levels_agree"], replay


def _deciding_falls(
    heard: list[tuple[float, float, float]], rows: list[dict[str, Any]]
) -> list[float]:
    """When the echoes fell that switched the buzzer on."""
    falls_s = iter(heard)
    decided_s, sounding = [], 0
    for row in rows:
        if row["reading"] is not None:
            fall_s = next(falls_s, (0.0, 0.0, 0.0))[0]
            if row["buzzer"] and not sounding:
                decided_s.append(fall_s)
        sounding = row["buzzer"]
    return decided_s


def _replayed(daemon: Daemon) -> Any:
    """The same readings once more, without pins."""
    command = [sys.executable, "-m", "device", "replay", str(daemon.journal), "--json"]
    done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
    return msgspec.json.decode(done.stdout)


def test_the_far_ends_clock_is_sharp(tmp_path: Path, note: Callable[[str], None]) -> None:
    """What is measured above means something only if the part itself is on time."""
    with walk(tmp_path, "gpiod", distance_m=1.0) as (far, daemon):
        daemon.hears("the sensor answers")
        time.sleep(3.0)
    off_s = [
        (fall.t_s - rise.t_s) - 2.0 * ping.distance_m / SOUND_MPS
        for ping, rise, fall in zip(
            far.seen("ping"), far.seen("rise"), far.seen("fall"), strict=False
        )
        if ping.distance_m is not None
    ]
    note(f"far end: pulses {1e6 * statistics.mean(off_s):+.1f} us long on average")
    assert max(map(abs, off_s)) < 100e-6
