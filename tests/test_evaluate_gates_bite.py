"""The gates bite: weaken any one threshold or the count of pings, and one of them is missed.

Each weakened machine walks the few walks in which its weakness shows; the machine as it is
passes its gates on them.
"""

import functools
from typing import Any

import pytest
from msgspec import structs

from device.evaluate import gates, suite
from device.evaluate.peers import OURS
from device.settings import AlertSettings, Settings

WALLS = ("wall@0.37", "wall@0.5", "wall@1.0", "wall@1.4")
CLUTTER = ("rain@field", "gravel", "crosstalk@field", "sleeve", "ground@slope")
SEEDS = range(1, 7)

WEAKENED = (
    ({"caution_m": 1.9}, WALLS, "onset_caution"),
    ({"warning_m": 1.15}, WALLS, "onset_warning"),
    ({"danger_m": 0.75}, WALLS, "onset_danger"),
    ({"stop_m": 0.45}, WALLS, "onset_stop"),
    ({"caution_ttc_s": 2.25}, WALLS, "onset_caution"),
    ({"warning_ttc_s": 1.5}, WALLS, "onset_warning"),
    ({"danger_ttc_s": 1.1}, WALLS, "recall"),
    ({"stop_ttc_s": 0.4}, WALLS, "onset_stop"),
    ({"new_object_pings": 1}, CLUTTER, "false_warning"),
    ({"new_object_pings": 2}, CLUTTER, "false_warning"),
)


@functools.cache
def missed(names: tuple[str, ...], alert: AlertSettings) -> frozenset[str]:
    """Keys of the gates that a machine with these settings misses on these walks."""
    done = suite.evaluate(names, SEEDS, Settings(alert=alert), jobs=1, peers=False)
    verdicts = gates.judge(suite.total(done, OURS))
    return frozenset(verdict.key for verdict in verdicts if verdict.passed is False)


def test_the_machine_as_it_is_misses_no_wall() -> None:
    assert missed(WALLS, AlertSettings()) == frozenset()


def test_clutter_alone_costs_no_stop_for_nothing() -> None:
    # By itself clutter is a worse mixture than the suite's, in which most hours are quiet.
    assert missed(CLUTTER, AlertSettings()) <= {"false_caution"}


@pytest.mark.parametrize(("weakness", "names", "gate"), WEAKENED)
def test_a_weakened_machine_misses_a_gate(
    weakness: dict[str, Any], names: tuple[str, ...], gate: str
) -> None:
    assert gate in missed(names, structs.replace(AlertSettings(), **weakness))
