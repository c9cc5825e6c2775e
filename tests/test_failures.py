"""Fail announced, never fail clear: every failure word, every clone, in mid-run and mended."""

import itertools

import pytest

from device.clock import VirtualClock
from device.failures import Failure
from device.settings import Settings
from device.sim.run import Walk
from device.sim.scenario import Breakage, Leg, Obstacle, Part, Scenario, Walker
from device.sim.summary import Summary

CLONES_MS = (26.0, 28.0, 36.0, 38.0, 40.0, 47.0, 58.0, 60.0, 71.0, 103.0)
SCENES: dict[str, tuple[float, tuple[Obstacle, ...]]] = {
    "open field": (0.8, ()),
    "standing 1.5 m from a wall": (0.0, (Obstacle(shape="wall", along_m=1.5),)),
    "standing 0.5 m from a wall": (0.0, (Obstacle(shape="wall", along_m=0.5),)),
    "backing toward a wall": (0.5, (Obstacle(shape="wall", along_m=3.5),)),
}
BROKEN = [failure for failure in Failure if failure is not Failure.OK]


def walk(failure: Failure, part: Part, scene: str, seed: int, broken_s: float) -> Summary:
    """Broken from `broken_s` for three seconds, then mended for four."""
    speed_mps, obstacles = SCENES[scene]
    scenario = Scenario(
        title=scene,
        duration_s=broken_s + 7.0,
        expect="fault",
        walker=Walker(legs=(Leg(for_s=100.0, speed_mps=speed_mps),), heeds=False),
        obstacles=obstacles,
        part=part,
        breakages=(
            Breakage(at_s=broken_s, failure=failure),
            Breakage(at_s=broken_s + 3.0, failure=Failure.OK),
        ),
    )
    return Walk(scenario, Settings(), seed, VirtualClock()).go()


@pytest.mark.parametrize(("failure", "scene"), list(itertools.product(BROKEN, SCENES)), ids=str)
def test_every_failure_is_announced_in_time_and_ends_in_time(failure: Failure, scene: str) -> None:
    for clone_ms in CLONES_MS:
        for seed, broken_s in ((1, 2.0), (2, 2.013)):
            found = walk(failure, Part(no_echo_ms=clone_ms), scene, seed, broken_s)
            told = f"{failure} {clone_ms} ms {scene} seed {seed}: {found}"
            assert found.clear_while_dead_s == 0.0, told
            assert found.fault_after_s is not None, told
            assert found.fault_after_s <= 0.6, told
            assert found.recovered_after_s is not None, told
            assert found.recovered_after_s <= 1.5, told
            assert found.false_fault_s == 0.0, told


@pytest.mark.parametrize("failure", BROKEN)
def test_a_sensor_dead_from_the_start_is_never_clear(failure: Failure) -> None:
    for clone_ms in CLONES_MS:
        found = walk(failure, Part(no_echo_ms=clone_ms), "open field", 3, 0.0)
        told = f"{failure} {clone_ms} ms: {found}"
        assert found.clear_while_dead_s == 0.0, told
        assert found.fault_after_s is not None, told
        assert found.fault_after_s <= 0.6, told
        assert found.recovered_after_s is not None, told
        assert found.recovered_after_s <= 1.5, told


@pytest.mark.parametrize("clone_ms", CLONES_MS)
@pytest.mark.parametrize("scene", SCENES)
def test_a_healthy_sensor_of_any_make_is_never_doubted(clone_ms: float, scene: str) -> None:
    found = walk(Failure.OK, Part(no_echo_ms=clone_ms), scene, 4, 0.0)
    assert found.false_fault_s == 0.0
    assert found.recovered_after_s is None


@pytest.mark.parametrize("seed", range(5))
def test_a_part_that_never_ends_its_nothing_is_announced_as_stuck(seed: int) -> None:
    """Some clones hold the line high until their power is cut: to us that is a dead sensor."""
    scenario = Scenario(
        title="never ends",
        duration_s=10.0,
        expect="fault",
        walker=Walker(legs=(Leg(for_s=100.0, speed_mps=0.5),), heeds=False),
        part=Part(never_ends=True),
    )
    said: list[tuple[float, str, str | None]] = []
    Walk(scenario, Settings(), seed, VirtualClock()).go(
        [lambda step: said.append((step.t_s, step.alert.level, step.alert.fault))]
    )
    assert all(level != "clear" for t_s, level, _ in said if t_s >= 0.5)
    assert all(fault is not None for t_s, _, fault in said if t_s >= 0.5)
    assert said[-1][2] == "stuck-high"


def test_never_answered_and_stopped_answering_are_told_apart() -> None:
    part = Part()
    assert walk(Failure.OFF, part, "open field", 1, 0.0).fault == "never-answered"
    assert walk(Failure.OFF, part, "open field", 1, 2.0).fault == "stopped-answering"
