"""Fail announced, never fail clear: every failure word, every clone, in mid-run and mended."""

import itertools

import pytest

from device.clock import VirtualClock
from device.core.pipeline import Step
from device.failures import Failure
from device.settings import Settings
from device.sim.run import Walk
from device.sim.scenario import Air, Breakage, Leg, Obstacle, Part, Scenario, Stall, Walker
from device.sim.summary import Summary

CLONES_MS = (26.0, 28.0, 36.0, 38.0, 40.0, 47.0, 58.0, 60.0, 71.0, 103.0)
SCENES: dict[str, tuple[float, tuple[Obstacle, ...]]] = {
    "open field": (0.8, ()),
    "standing 1.5 m from a wall": (0.0, (Obstacle(shape="wall", along_m=1.5),)),
    "standing 0.5 m from a wall": (0.0, (Obstacle(shape="wall", along_m=0.5),)),
    "backing toward a wall": (0.5, (Obstacle(shape="wall", along_m=3.5),)),
}
BROKEN = [failure for failure in Failure if failure is not Failure.OK]
# A part that is frozen on "nothing there" says what a healthy one says in an open field, to
# the microsecond: no device can know (see below). Frozen on an echo, it can be known.
KNOWABLE = [
    (failure, scene)
    for failure, scene in itertools.product(BROKEN, SCENES)
    if failure is not Failure.FROZEN or scene != "open field"
]


def scenario_of(
    failure: Failure, part: Part, scene: str, broken_s: float, mended_s: float
) -> Scenario:
    """Broken from `broken_s` to `mended_s`, then mended for four seconds."""
    speed_mps, obstacles = SCENES[scene]
    frozen = failure is Failure.FROZEN
    return Scenario(
        title=scene,
        duration_s=mended_s + 4.0,
        expect="fault",
        walker=Walker(
            legs=(Leg(for_s=100.0, speed_mps=speed_mps),),
            heeds=False,
            sway_deg=0.0 if frozen else 4.0,
        ),
        obstacles=obstacles,
        air=Air(loss=0.0 if frozen else 0.02),  # that it freezes on an echo, not on a lost one
        part=part,
        breakages=(
            Breakage(at_s=broken_s, failure=failure),
            Breakage(at_s=mended_s, failure=Failure.OK),
        ),
    )


def walk(failure: Failure, part: Part, scene: str, seed: int, broken_s: float) -> Summary:
    """Broken from `broken_s` for three seconds."""
    scenario = scenario_of(failure, part, scene, broken_s, broken_s + 3.0)
    return Walk(scenario, Settings(), seed, VirtualClock()).go()


def steps_of(scenario: Scenario, seed: int = 1) -> list[Step]:
    """Every step of a walk."""
    steps: list[Step] = []
    Walk(scenario, Settings(), seed, VirtualClock()).go([steps.append])
    return steps


@pytest.mark.parametrize(("failure", "scene"), KNOWABLE, ids=str)
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
    known = [scene for word, scene in KNOWABLE if word is failure]
    for clone_ms in CLONES_MS:
        found = walk(failure, Part(no_echo_ms=clone_ms), known[0], 3, 0.0)
        told = f"{failure} {clone_ms} ms: {found}"
        assert found.clear_while_dead_s == 0.0, told
        assert found.fault_after_s is not None, told
        assert found.fault_after_s <= 0.6, told
        assert found.recovered_after_s is not None, told
        assert found.recovered_after_s <= 1.5, told


@pytest.mark.parametrize("scene", SCENES)
def test_nonsense_is_never_clear_however_it_falls(scene: str) -> None:
    """Chance may put some of it in a line; that must not pass for a thing, or for trust."""
    for seed in range(25):
        found = walk(Failure.GARBAGE, Part(), scene, seed, 2.0)
        told = f"{scene} seed {seed}: {found}"
        assert found.clear_while_dead_s == 0.0, told
        assert found.fault_after_s is not None, told


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


def test_frozen_on_nothing_is_what_an_open_field_says() -> None:
    """Why it is not among what must be announced: each reading, and its instant, is the same."""
    frozen = scenario_of(Failure.FROZEN, Part(), "open field", 2.0, 5.0)
    healthy = scenario_of(Failure.OK, Part(), "open field", 2.0, 5.0)
    heard = [step.reading for step in steps_of(frozen)]
    assert len(heard) > 90
    assert heard == [step.reading for step in steps_of(healthy)]


@pytest.mark.parametrize("seed", range(5))
def test_frozen_far_away_while_the_wall_comes_nearer_is_announced_before_it_is_near(
    seed: int,
) -> None:
    """The worst of it: what is heard stands still, and what is there does not."""
    scenario = scenario_of(Failure.FROZEN, Part(), "backing toward a wall", 0.5, 6.0)
    steps = steps_of(scenario, seed)
    frozen = [step for step in steps if 1.1 <= step.t_s < 6.0]
    assert frozen
    assert {step.alert.fault for step in frozen} == {"frozen"}
    assert "clear" not in {step.alert.level for step in frozen}


@pytest.mark.parametrize("seed", range(3))
def test_a_processor_that_stood_still_says_so_as_soon_as_it_wakes(seed: int) -> None:
    scenario = Scenario(
        title="stalls",
        duration_s=6.0,
        expect="any",
        walker=Walker(legs=(Leg(for_s=100.0, speed_mps=0.5),), heeds=False),
        obstacles=(Obstacle(shape="wall", along_m=3.5),),
        stalls=(Stall(at_s=2.0, for_s=1.5),),
    )
    steps = steps_of(scenario, seed)
    assert not [step for step in steps if 2.0 < step.t_s < 3.5 - 1e-6]
    woken = next(step for step in steps if step.t_s >= 3.5 - 1e-6)
    assert woken.t_s < 3.55
    assert woken.alert.fault is not None
    assert woken.alert.level != "clear"
    assert steps[-1].alert.fault is None
