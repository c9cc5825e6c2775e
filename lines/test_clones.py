"""What clones say when nothing is there: a pulse of up to 103 ms, and none of them is an echo."""

import time
from pathlib import Path

import pytest

from lines.rig import BACKENDS, walk

WIDTHS_S = (0.026, 0.028, 0.036, 0.038, 0.040, 0.047, 0.058, 0.060, 0.071, 0.103)
LEAST_PINGS = 15
SETTLED_S = 0.3
LATE_S = 0.002
"""RPi.GPIO's edges are stamped when the callback runs."""


@pytest.mark.parametrize("factory", BACKENDS)
def test_nothing_is_nothing_in_every_clones_words(factory: str, tmp_path: Path) -> None:
    with walk(tmp_path, factory, distance_m=2.0) as (far, daemon):
        daemon.hears("the sensor answers")
        spans = []
        for width_s in WIDTHS_S:
            began_s = far.order(distance_m=None, no_echo_s=width_s)
            time.sleep(3.0)
            spans.append((began_s, time.monotonic()))
    assert "fault" not in daemon.said
    falls = iter(far.seen("fall"))
    heard = [(next(falls).t_s, row) for row in daemon.rows() if row["reading"]]
    for width_s, (from_s, to_s) in zip(WIDTHS_S, spans, strict=True):
        rows = [row for fall_s, row in heard if from_s + SETTLED_S < fall_s < to_s]
        assert len(rows) > LEAST_PINGS
        assert {row["reading"]["kind"] for row in rows} == {"nothing"}
        assert rows[-1]["level"] == "clear"
        late_s = [abs(row["reading"]["echo_s"] - width_s) for row in rows]
        assert max(late_s) < LATE_S
