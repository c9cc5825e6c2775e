"""What every sensor driver and its simulated part must do, found by itself and never listed.

A new module in `device/sensors/` is put through all of this as it is.
"""

import importlib
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from device import config, sensors
from device.clock import VirtualClock
from device.core.health import (
    GARBAGE_LEAST,
    GARBAGE_S,
    GARBAGE_WINDOW,
    WINDOW,
    WINDOW_FAULTS,
)
from device.core.pipeline import SLOW_PERIODS, Step
from device.core.reading import Echo, Fault, Nothing, Pace, Reading
from device.failures import Failure
from device.physics import ASSUMED_COLD_C, speed_of_sound_mps
from device.pins.mock import MockBoard
from device.ports import Port
from device.ports.mock import Cable, Damage
from device.sensors import Bench, Model, Parts
from device.sensors._serial import Listener
from device.settings import Settings
from device.sim.run import Walk
from device.sim.scenario import Air, Breakage, Leg, Obstacle, Scenario, Walker
from device.sim.summary import Summary

SOUND_MPS = speed_of_sound_mps(None)
STEPS_A_SECOND = 500
"""No device needs more; a loop that spins makes a hundred thousand."""


class Case(NamedTuple):
    """One part in one of its modes."""

    driver: str
    model: str
    mode: str

    def __str__(self) -> str:
        return "-".join(self)

    @property
    def settings(self) -> Settings:
        fitted: dict[str, object] = {"driver": self.driver, "model": self.model}
        if self.mode != "plain":
            fitted[self.mode] = True
        return config.parse({"sensor": fitted}, "test")

    @property
    def part(self) -> Model:
        return sensors.models(self.driver)[self.model]

    @property
    def pace(self) -> Pace:
        return sensors.pace(self.settings.sensor)


def cases() -> Iterator[Case]:
    """Every part of every driver in every mode."""
    for driver in sensors.names():
        for name, part in sensors.models(driver).items():
            yield Case(driver, name, "plain")
            if part.realtime is not None:
                yield Case(driver, name, "realtime")
            if part.asked is not None:
                yield Case(driver, name, "request")


CASES = list(cases())
each_case = pytest.mark.parametrize("case", CASES, ids=str)


class Watched(VirtualClock):
    """Notices whoever waits when it must not."""

    polling = False

    def wait_until(self, deadline_s: float) -> None:
        assert not self.polling, "poll waits"
        super().wait_until(deadline_s)


class Soldered:
    """Driver and twin on one board and cable, in a world that is a number: metres, or None."""

    def __init__(self, case: Case, heard_m: float | None) -> None:
        self.heard_m = heard_m
        self.settings = settings = case.settings.sensor
        self.clock = clock = Watched()
        self.board = MockBoard(clock)
        self.ports: list[Port] = []
        self.cable = Cable(clock, Damage(), random.Random(1))
        bench = Bench(
            settings=settings,
            line=self.board.line,
            cable=self.cable,
            now=clock.now,
            at=clock.at,
            listen=lambda _: self.heard_m,
            sound_mps=SOUND_MPS,
            air_c=ASSUMED_COLD_C,
            no_echo_s=0.038,
            rng=random.Random(1),
        )
        self.twin = sensors.make_twin(settings.driver, bench)
        self.driver = self.open()

    def open(self) -> sensors.Sensor:
        parts = Parts(self.settings, self.clock, self.board, random.Random(1), self._open_port)
        return sensors.open_sensor(self.settings.driver, parts)

    def _open_port(self, path: str, baud: int) -> Port:
        assert path == self.settings.port
        port = self.cable.open(path, baud)
        self.ports.append(port)
        return port

    def poll(self) -> Reading | None:
        clock = self.clock
        before_s, clock.polling = clock.now(), True
        try:
            reading = self.driver.poll(round(before_s, 6))
        finally:
            clock.polling = False
        assert clock.now() - before_s <= self.settings.trigger_pulse_s + 1e-9, "poll takes time"
        return reading

    def until(self, end_s: float) -> list[Reading]:
        """What is read from now to `end_s`, polled as the loop does."""
        found, idle = [], 0
        while self.clock.now() < end_s:
            reading = self.poll()
            if reading is not None:
                found.append(reading)
            due_s, now_s = self.driver.due_s, self.clock.now()
            idle = idle + 1 if reading is None and due_s <= now_s + 1e-6 else 0
            assert idle <= 3, f"at {now_s} s it wants to be polled at {due_s}, for nothing"
            self.clock.wait_until(min(max(due_s, now_s + 1e-6), end_s))
        return found

    def hears(self, heard_m: float | None) -> list[Reading]:
        """What it says of it, once its filter is through."""
        self.heard_m = heard_m
        now_s = self.clock.now()
        self.until(now_s + 2.0)
        found = self.until(now_s + 4.0)
        assert len(found) >= 4
        return found


# ------------------------------------------------------------------ it is what it says


def test_no_part_and_no_mode_is_left_out() -> None:
    assert {case.driver for case in CASES} == set(sensors.names())
    assert {case[:2] for case in CASES} == {
        (driver, name) for driver in sensors.names() for name in sensors.models(driver)
    }
    assert {mode for *_, mode in CASES} == {"plain", "realtime", "request"}
    assert len(CASES) == len(set(CASES)) >= 16


def test_a_new_file_is_a_new_sensor_and_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brandnew.py").write_text(
        '"""A new part. Sources: this test."""\n'
        "from device.sensors.a02yyuw import MODELS as KNOWN, make_twin, open_sensor\n"
        'MODELS = {"brand-new": KNOWN["a02yyuw"]}\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(sensors, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(sensors, "__path__", [*sensors.__path__, str(tmp_path)])
    found = list(cases())
    assert [str(case) for case in found] == [
        "brandnew-brand-new-plain",
        "brandnew-brand-new-realtime",
    ]
    for case in found:
        test_it_answers_what_it_hears(case)


@pytest.mark.parametrize("driver", sensors.names())
def test_a_module_names_its_sources_and_its_parts(driver: str) -> None:
    module = importlib.import_module(f"device.sensors.{driver}")
    said = (module.__doc__ or "").split("\n\n")
    assert any(
        paragraph.strip().startswith(("Sources:", "Figures:")) and len(paragraph) > 40
        for paragraph in said
    )
    assert module.MODELS


@each_case
def test_its_figures_are_sane(case: Case) -> None:
    part, pace = case.part, case.pace
    assert part.title.strip()
    assert 0.0 < part.min_range_m <= 0.5
    assert 2.5 <= part.max_range_m <= 12.0
    assert part.min_range_m < part.max_range_m / 2
    assert 0.01 <= pace.period_s <= 0.4
    assert 0.0 <= pace.lag_s <= 1.0
    assert 0.0 <= part.resolution_m <= 0.05
    assert 0.5 <= part.half_angle_deg <= 45.0
    assert part.assumes_c is None or -10.0 <= part.assumes_c <= 30.0
    assert not (part.light and part.assumes_c is not None)
    assert case.settings.sensor.min_range_m == part.min_range_m
    assert case.settings.sensor.max_range_m == part.max_range_m


# ------------------------------------------------------------------ driver and part together


@each_case
def test_it_answers_what_it_hears(case: Case) -> None:
    part = Soldered(case, 1.5)
    for heard_m in (1.5, 3.0):
        for reading in part.hears(heard_m):
            assert isinstance(reading, Echo), reading
            assert reading.distance_m == pytest.approx(heard_m, abs=0.006)
            assert not reading.too_close
            assert (reading.echo_s is None) is case.part.serial
    assert {type(reading) for reading in part.hears(None)} == {Nothing}
    assert {type(reading) for reading in part.hears(1.5)} == {Echo}


@each_case
def test_what_is_too_close_is_never_taken_for_far_or_surely_nothing(case: Case) -> None:
    part = Soldered(case, case.part.min_range_m / 2)
    for reading in part.hears(case.part.min_range_m / 2):
        if isinstance(reading, Nothing):
            assert not reading.sure
        else:
            assert isinstance(reading, Echo), reading
            assert reading.distance_m <= 2 * case.part.min_range_m + 0.001
            assert reading.too_close == (reading.distance_m <= case.part.min_range_m)


@each_case
def test_readings_come_in_order_and_as_often_as_its_pace_says(case: Case) -> None:
    part = Soldered(case, 1.5)
    part.until(0.5)  # until it is known how this one wants to be asked
    found = part.until(10.0)
    stamps = [reading.t_s for reading in found]
    assert stamps == sorted(stamps)
    gaps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert max(gaps) <= 1.5 * case.pace.period_s + 0.02
    assert not [reading for reading in found if isinstance(reading, Fault)]


@each_case
def test_polling_between_takes_no_time_and_changes_nothing(case: Case) -> None:
    polled, left = Soldered(case, 1.5), Soldered(case, 1.5)
    polled.until(0.5)
    left.until(0.5)
    found: list[Reading] = []
    for _ in range(40):
        now_s = polled.clock.now()
        found += [reading for _ in range(20) if (reading := polled.poll()) is not None]
        assert polled.clock.now() - now_s <= polled.settings.trigger_pulse_s + 1e-9
        found += polled.until(now_s + 0.05)
    expected = left.until(polled.clock.now())
    assert len(found) == pytest.approx(len(expected), rel=0.35, abs=2)
    assert {type(reading) for reading in found} == {Echo}


@each_case
@pytest.mark.parametrize("failure", Failure)
def test_it_never_asks_to_be_polled_for_nothing(case: Case, failure: Failure) -> None:
    part = Soldered(case, 1.5)
    part.until(1.0)
    part.twin.failure = failure
    part.until(4.0)
    part.twin.failure = Failure.OK
    part.until(5.5)
    assert {type(reading) for reading in part.until(6.5)} == {Echo}


@each_case
def test_what_it_opened_it_gives_back(case: Case) -> None:
    part = Soldered(case, 1.5)
    part.until(1.0)
    assert bool(part.ports) is case.part.serial
    part.driver.close()
    assert all(port._closed for port in part.ports)
    if not case.part.serial:
        echo = part.board.line(part.settings.echo_pin)
        assert echo.when_changed is None
        assert part.board.line(part.settings.trigger_pin).level == 0
    part.driver = part.open()
    assert Echo in {type(reading) for reading in part.until(3.0)}
    part.driver.close()
    part.driver.close()  # twice is as good as once


@pytest.mark.parametrize("mode", ["plain", "request"])
@pytest.mark.parametrize(
    ("model", "nothing", "half_a_metre"),
    [("jsn-sr04t", "ff0000ff", "ff01f4f4"), ("aj-sr04m", "ff178097", "ff01f4f5")],
)
def test_a_jsn_and_an_aj_have_words_of_their_own_for_nothing_and_sums_of_their_own(
    model: str, nothing: str, half_a_metre: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 with FF in the sum, 6016 mm without: either is "nothing" of low trust."""
    part = Soldered(Case("jsn_sr04t", model, mode), None)
    said: list[bytes] = []
    send = part.cable.send
    monkeypatch.setattr(part.cable, "send", lambda frame: (said.append(frame), send(frame)))
    readings = part.until(2.0)
    assert {frame.hex() for frame in said} == {nothing}
    told = [reading for reading in readings if not isinstance(reading, Fault)]
    assert len(told) > 10
    assert all(isinstance(reading, Nothing) and not reading.sure for reading in told)
    said.clear()
    part.heard_m = 0.5 * speed_of_sound_mps(None) / speed_of_sound_mps(20.0)
    part.until(4.0)
    assert said[-1].hex() == half_a_metre


# ------------------------------------------------------------------ the whole device


SCENES: dict[str, tuple[float, tuple[Obstacle, ...]]] = {
    "open field": (0.8, ()),
    "standing 1.5 m from a wall": (0.0, (Obstacle(shape="wall", along_m=1.5),)),
    "backing toward a wall": (0.5, (Obstacle(shape="wall", along_m=3.5),)),
}
BROKEN_S, DEAD_S, MENDED_FOR_S = 2.0, 5.0, 4.0
SERIAL_FROZEN_S = 3.0


def by_itself(case: Case) -> bool:
    """It speaks without being asked, so nobody knows when it measured."""
    return isinstance(Soldered(case, None).driver, Listener)


def unknowable(case: Case, failure: Failure, scene: str) -> str:
    """Why no device can know that this part is broken, or an empty string."""
    if failure is Failure.FROZEN and scene == "open field":
        return "frozen on nothing is what an open field says"
    if failure is Failure.FROZEN and case.part.resolution_m > 0:
        return "so coarse that a standing wearer hears the very same for long"
    if failure is Failure.DELAYED and by_itself(case):
        return "what comes by itself bears no time"
    return ""


WITHDRAWN = {
    ("a02yyuw", "plain", Failure.GARBAGE): "a median of nonsense is half in line",
    ("a02yyuw", "plain", Failure.INTERMITTENT): "it may speak only every 0.3 s, and often does",
}
"""Where a fault is announced, and may be taken back for a while though nothing was mended."""
LATE_S = {
    ("a02yyuw", "plain", Failure.INTERMITTENT): 4.0,
}
"""Where it takes longer than the formula: silences of 0.3 s are what it is sold with."""


def announced_within_s(case: Case, failure: Failure) -> float:
    """0.6 s; slower parts need three missing frames, or silence, or a window of judgement.

    Missing: what a sensor is given, max(0.5, 2.5 P), and a frame's delay on the way. Judged:
    garbage and a loose wire show only in what comes, so by the time one window is full.
    """
    period_s = case.pace.period_s
    if (case.driver, case.mode, failure) in LATE_S:
        return LATE_S[case.driver, case.mode, failure]
    if failure is Failure.FROZEN:
        return SERIAL_FROZEN_S + 0.6 if case.part.serial else 0.6
    if failure in (Failure.GARBAGE, Failure.INTERMITTENT):
        window = case.pace.count(GARBAGE_WINDOW, GARBAGE_S, GARBAGE_LEAST)
        return max(0.6, (window + 1) * period_s + case.pace.lag_s / 2)
    return max(0.6, SLOW_PERIODS * period_s)


def recovered_within_s(case: Case, failure: Failure) -> float:
    """1.5 s; slower parts until what was missing has left the window; a port is reopened."""
    good = (WINDOW - WINDOW_FAULTS + 2) * case.pace.period_s
    return max(1.5, good) + (0.5 if failure is Failure.PULLED and case.part.serial else 0.0)


def walk(scenario: Scenario, settings: Settings, seed: int = 1) -> tuple[Summary, list[Step]]:
    """What was made of it, and every step; a device that spins is stopped."""
    steps: list[Step] = []
    most = scenario.duration_s * STEPS_A_SECOND

    def keep(step: Step) -> None:
        steps.append(step)
        assert len(steps) < most, f"it spins at {step.t_s} s"

    return Walk(scenario, settings, seed, VirtualClock()).go([keep]), steps


@each_case
@pytest.mark.parametrize("failure", [word for word in Failure if word is not Failure.OK])
def test_every_failure_is_announced_in_time_and_ends_in_time(case: Case, failure: Failure) -> None:
    frozen = failure is Failure.FROZEN
    within_s = announced_within_s(case, failure)
    for scene, (speed_mps, obstacles) in SCENES.items():
        if unknowable(case, failure, scene):
            continue
        scenario = Scenario(
            title=scene,
            duration_s=BROKEN_S + DEAD_S + MENDED_FOR_S,
            expect="fault",
            walker=Walker(
                legs=(Leg(for_s=100.0, speed_mps=speed_mps),),
                heeds=False,
                sway_deg=0.0 if frozen else 4.0,
            ),
            obstacles=obstacles,
            air=Air(loss=0.0 if frozen else 0.02),
            breakages=(
                Breakage(at_s=BROKEN_S, failure=failure),
                Breakage(at_s=BROKEN_S + DEAD_S, failure=Failure.OK),
            ),
        )
        found, steps = walk(scenario, case.settings)
        told = f"{case} {failure} {scene}: {found}"
        assert not [s.t_s for s in steps if s.t_s <= BROKEN_S and s.alert.fault], told
        assert found.fault_after_s is not None, told
        assert found.fault_after_s <= within_s, told
        mended_s = BROKEN_S + DEAD_S
        dead = [s for s in steps if BROKEN_S + within_s < s.t_s < mended_s]
        assert dead, told
        if (case.driver, case.mode, failure) not in WITHDRAWN:
            unannounced = [s.t_s for s in dead if s.alert.fault is None]
            assert not unannounced, f"{told}: {unannounced[:3]}"
            assert not [s.t_s for s in dead if s.alert.level == "clear"], told
        late = [s for s in steps if s.t_s >= mended_s + recovered_within_s(case, failure)]
        assert late, told
        assert not [(s.t_s, s.alert.fault) for s in late if s.alert.fault], told


@pytest.mark.parametrize("case", [c for c in CASES if by_itself(c)], ids=str)
def test_a_delay_cannot_be_known_of_a_part_that_speaks_by_itself(case: Case) -> None:
    """Why it is not among what must be announced: what it says later is said as ever."""
    part = Soldered(case, 1.5)
    part.until(2.0)
    part.twin.failure = Failure.DELAYED
    part.until(3.0)
    assert {type(reading) for reading in part.until(5.0)} == {Echo}


@each_case
@pytest.mark.parametrize("scene", SCENES)
def test_a_healthy_part_is_never_doubted(case: Case, scene: str) -> None:
    speed_mps, obstacles = SCENES[scene]
    if speed_mps and obstacles:
        obstacles = (Obstacle(shape="wall", along_m=28.0),)
    scenario = Scenario(
        title=scene,
        duration_s=60.0,
        expect="any",
        walker=Walker(legs=(Leg(for_s=100.0, speed_mps=speed_mps),)),
        obstacles=obstacles,
    )
    _, steps = walk(scenario, case.settings)
    assert not [(s.t_s, s.alert.fault) for s in steps if s.alert.fault]
    levels = {s.alert.level for s in steps}
    if not obstacles:
        assert levels == {"clear"}
    elif not speed_mps:
        assert {s.alert.level for s in steps if s.t_s > 3.0} <= {"caution", "warning"}
    else:
        assert levels >= {"clear", "caution", "warning"}


@each_case
@pytest.mark.parametrize("seed", range(3))
def test_it_warns_in_time_of_a_wall(case: Case, seed: int) -> None:
    scenario = Scenario(
        title="wall",
        duration_s=14.0,
        expect="warning",
        walker=Walker(legs=(Leg(for_s=100.0, speed_mps=0.5),)),
        obstacles=(Obstacle(shape="wall", along_m=4.5),),
    )
    found, _ = walk(scenario, case.settings, seed)
    assert found.good, found.verdict
    assert found.contact_mps is None
