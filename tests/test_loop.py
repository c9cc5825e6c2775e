"""The loop: absolute deadlines, one order of stages, and silence whichever of them fails."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import loop, sensors
from device.clock import VirtualClock
from device.core.pipeline import Pipeline, Step
from device.core.reading import Echo, Pace, Reading
from device.core.signals import OFF, Command
from device.errors import ConfigError, HardwareError
from device.loop import LONGEST_SLEEP_S, OVERRUN_S, Device, Ticker, assemble, fan_out
from device.outputs import Outputs
from device.pins.mock import MockBoard, MockPin
from device.sensors import Parts
from device.settings import SensorSettings, Settings
from device.sim.rig import Rig
from device.sim.scenario import Air, Obstacle, Scenario, Walker

SETTINGS = Settings()
WALL_M = 0.5
"""Near enough for STOP: both outputs are soon on."""
BEFORE_A_WALL = Scenario(
    title="Standing before a wall",
    duration_s=10.0,
    expect="any",
    walker=Walker(legs=()),
    obstacles=(Obstacle(shape="wall", along_m=WALL_M),),
    air=Air(noise_m=0.0, loss=0.0),
)


class Every:
    """Due at each multiple of a period, and never asked what time it is."""

    def __init__(self, period_s: float) -> None:
        self.period_s = period_s
        self.count = 0

    def __call__(self) -> float:
        self.count += 1
        return round(self.count * self.period_s, 6)


class Stalling(VirtualClock):
    """A machine that now and then comes back late from a wait."""

    def __init__(self, *stalls_s: float) -> None:
        super().__init__()
        self._stalls = iter(stalls_s)

    def wait_until(self, deadline_s: float) -> None:
        super().wait_until(max(deadline_s, self.now()) + next(self._stalls, 0.0))


def never() -> float:
    return float("inf")


# ---------------------------------------------------------------- ticker


def test_the_first_instant_is_now() -> None:
    clock = VirtualClock()
    clock.wait_until(1.25)
    assert next(iter(Ticker(clock, never))) == 1.25


def test_deadlines_are_absolute_and_do_not_drift_over_ten_thousand_steps() -> None:
    clock = VirtualClock()
    ticker = Ticker(clock, Every(0.0371), until_s=371.0)
    times = list(ticker)
    assert times == [round(i * 0.0371, 6) for i in range(10_000)]
    assert clock.now() == 371.0
    assert ticker.stats.cycles == 10_000
    assert (ticker.stats.overruns, ticker.stats.worst_late_s) == (0, 0.0)


def test_a_late_wake_up_is_not_carried_along() -> None:
    clock = Stalling(0.0, 0.03, 0.0)
    times = list(Ticker(clock, Every(0.1), until_s=0.5))
    assert times == [0.0, 0.1, 0.23, 0.3, 0.4]


def test_a_step_that_takes_longer_than_its_period_does_not_move_what_is_due() -> None:
    clock = VirtualClock()
    times = []
    for now_s in Ticker(clock, Every(0.1), until_s=0.6):
        times.append(now_s)
        if now_s == 0.1:
            clock.sleep(0.25)  # due at 0.2 and 0.3 meanwhile
    assert times == pytest.approx([0.0, 0.1, 0.35, 0.35, 0.4, 0.5], abs=2e-6)


def test_overruns_are_counted_with_the_worst_of_them() -> None:
    within, beyond, worst = OVERRUN_S * 0.9, OVERRUN_S * 1.1, 0.045
    clock = Stalling(within, 0.0, beyond, worst, beyond)
    ticker = Ticker(clock, Every(0.1), until_s=1.0)
    assert len(list(ticker)) == 10
    assert ticker.stats.overruns == 3
    assert ticker.stats.worst_late_s == pytest.approx(worst, abs=1e-6)


def test_being_woken_early_is_no_overrun() -> None:
    clock = VirtualClock()
    for i in range(1, 10):
        clock.at(i * 0.03, clock.wake)
    ticker = Ticker(clock, lambda: 0.3, until_s=0.3)
    assert list(ticker) == [round(i * 0.03, 6) for i in range(10)]
    assert ticker.stats.overruns == 0


def test_stop_between_steps_ends_it_at_the_stops_own_time() -> None:
    clock = VirtualClock()
    ticker = Ticker(clock, never)
    clock.at(0.6, ticker.stop)
    assert list(ticker) == [0.0, 0.25, 0.5]
    assert clock.now() == 0.6


def test_stop_during_a_step_ends_it_after_that_step() -> None:
    ticker = Ticker(VirtualClock(), Every(0.1))
    seen = []
    for now_s in ticker:
        seen.append(now_s)
        if now_s == 0.2:
            ticker.stop()
    assert seen == [0.0, 0.1, 0.2]


def test_stopped_before_it_began_it_gives_no_instant() -> None:
    ticker = Ticker(VirtualClock(), never)
    ticker.stop()
    ticker.stop()
    assert list(ticker) == []
    assert ticker.stats.cycles == 0


@pytest.mark.parametrize("until_s", [0.1, 0.25, 0.3, 1.0, 7.123456])
def test_it_ends_exactly_at_until_and_gives_no_instant_there(until_s: float) -> None:
    clock = VirtualClock()
    times = list(Ticker(clock, Every(0.1), until_s=until_s))
    assert clock.now() == until_s
    assert times == [round(i * 0.1, 6) for i in range(len(times))]
    assert until_s - 0.1 - 1e-9 <= times[-1] < until_s


@pytest.mark.parametrize("due_s", [0.0, -1.0, float("-inf")])
def test_time_passes_though_something_is_overdue_for_ever(due_s: float) -> None:
    times = list(itertools.islice(Ticker(VirtualClock(), lambda: due_s, until_s=50e-6), 1000))
    assert 1 < len(times) <= 50
    assert all(before < after for before, after in itertools.pairwise(times))


def test_until_now_gives_no_instant() -> None:
    assert list(Ticker(VirtualClock(), never, until_s=0.0)) == []


def test_there_is_never_longer_than_a_quarter_second_without_a_step() -> None:
    times = list(Ticker(VirtualClock(), never, until_s=2.0))
    assert times == [i * 0.25 for i in range(8)]
    assert LONGEST_SLEEP_S == 0.25


@given(
    gaps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30),
    wakes=st.lists(st.floats(0.0, 10.0), max_size=20),
)
def test_instants_never_decrease_nor_lie_far_apart_whatever_is_due(
    gaps: list[float], wakes: list[float]
) -> None:
    clock = VirtualClock()
    for wake_s in wakes:
        clock.at(wake_s, clock.wake)
    coming = iter(gaps)
    times = list(Ticker(clock, lambda: clock.now() + next(coming, 0.1), until_s=5.0))
    for before, after in itertools.pairwise(times):
        assert before <= after <= before + LONGEST_SLEEP_S + 1e-6
    assert times[-1] >= 5.0 - LONGEST_SLEEP_S - 1e-6
    assert all(t == round(t, 6) < 5.0 for t in times)


# ---------------------------------------------------------------- the order of things


class Scripted:
    """A sensor that gives an echo from the same place at each poll."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.due_s = 0.0

    def poll(self, now_s: float) -> Reading:
        self.log.append(f"poll {now_s}")
        self.due_s = round(now_s + 0.05, 6)
        return Echo(now_s, WALL_M)

    def close(self) -> None:
        self.log.append("close")


class Punctual(Scripted):
    """Due at each twentieth of a second, whenever else it is polled."""

    def poll(self, now_s: float) -> Reading:
        reading = super().poll(now_s)
        self.due_s = round((int(now_s / 0.05 + 1e-6) + 1) * 0.05, 6)
        return reading


class LoggedPipeline(Pipeline):
    def __init__(self, log: list[str]) -> None:
        super().__init__(SETTINGS)
        self.log = log

    def step(self, now_s: float, reading: Reading | None) -> Step:
        assert reading == Echo(now_s, WALL_M)
        self.log.append(f"step {now_s}")
        return super().step(now_s, reading)


class LoggedOutputs(Outputs):
    log: list[str]

    def apply(self, now_s: float, command: Command) -> Command:
        self.log.append(f"apply {now_s}")
        return super().apply(now_s, command)


def test_each_step_polls_then_decides_then_acts_then_shows() -> None:
    log: list[str] = []
    clock = VirtualClock()
    with LoggedOutputs(MockBoard(clock), SETTINGS.buzzer, SETTINGS.motor) as outputs:
        outputs.log = log
        device = Device(clock, Scripted(log), LoggedPipeline(log), outputs)
        device.run(device.ticker(until_s=0.08), lambda step: log.append(f"observe {step.t_s}"))
    stages = ("poll", "step", "apply", "observe")
    assert log[:8] == [f"{stage} {t_s}" for t_s in (0.0, 0.05) for stage in stages]


def test_observers_are_shown_what_was_applied() -> None:
    clock = VirtualClock()
    board = MockBoard(clock)
    shown: list[tuple[Command, float, float]] = []
    with Outputs(board, SETTINGS.buzzer, SETTINGS.motor) as outputs:
        device = Device(clock, Scripted([]), Pipeline(SETTINGS), outputs)
        buzzer, motor = board.line(SETTINGS.buzzer.pin), board.line(SETTINGS.motor.pin)
        device.run(
            device.ticker(until_s=1.0),
            lambda step: shown.append((step.command, buzzer.level, motor.level)),
        )
    assert all((c.buzzer, c.motor) == (heard, felt) for c, heard, felt in shown)
    assert any(c.buzzer and c.motor for c, _, _ in shown)


def test_the_loop_sleeps_until_sensor_or_pipeline_is_due_whichever_is_sooner() -> None:
    clock = VirtualClock()

    class Busy(Pipeline):
        """Its rhythm changes at 0.07 s and at 0.13 s; the sensor is due each 0.05 s."""

        @property
        def due_s(self) -> float:
            return next((t_s for t_s in (0.07, 0.13) if t_s > clock.now()), float("inf"))

    times: list[float] = []
    with Outputs(MockBoard(clock), SETTINGS.buzzer, SETTINGS.motor) as outputs:
        device = Device(clock, Punctual([]), Busy(SETTINGS), outputs)
        device.run(device.ticker(until_s=0.21), lambda step: times.append(step.t_s))
    assert times == [0.0, 0.05, 0.07, 0.1, 0.13, 0.15, 0.2]


def test_fan_out_shows_each_step_to_each_observer_in_order() -> None:
    log: list[tuple[str, Any]] = []
    step = Pipeline(SETTINGS).step(0.0, None)
    observe = fan_out([lambda s: log.append(("a", s)), lambda s: log.append(("b", s))])
    observe(step)
    observe(step)
    assert log == [("a", step), ("b", step)] * 2


def test_fan_out_to_nobody_is_no_error() -> None:
    fan_out([])(Pipeline(SETTINGS).step(0.0, None))


def test_an_observer_that_fails_keeps_the_later_ones_from_seeing_the_step() -> None:
    seen: list[Step] = []

    def fails(_: Step) -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        fan_out([fails, seen.append])(Pipeline(SETTINGS).step(0.0, None))
    assert seen == []


# ---------------------------------------------------------------- assembled on a mock board


class Bench:
    """A mock board with a twin before a wall, outputs found high."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.clock = VirtualClock()
        self.rig = Rig(BEFORE_A_WALL, settings, 1, self.clock)
        self.board = self.rig.board
        self.open_port = self.rig.open_port
        self.settings = settings
        self.buzzer = self.board.line(settings.buzzer.pin)
        self.motor = self.board.line(settings.motor.pin)
        self.trigger = self.board.line(settings.sensor.trigger_pin)
        self.echo = self.board.line(settings.sensor.echo_pin)
        for line in (self.buzzer, self.motor):
            line.function = "output"
            line.state = 1

    @property
    def levels(self) -> tuple[float, float]:
        return self.buzzer.level, self.motor.level

    def walk(self, observe: Callable[[Step], None], until_s: float = 5.0) -> None:
        with assemble(
            self.settings, self.clock, self.board, random.Random(1), self.open_port
        ) as device:
            device.run(device.ticker(until_s), observe)

    def is_closed(self) -> bool:
        """Pins given back are inputs, and nobody listens to the echo."""
        pins = (self.buzzer, self.motor, self.trigger, self.echo)
        return self.echo.when_changed is None and all(pin.function == "input" for pin in pins)


class StageError(Exception):
    """What the stages of these tests fail with."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    assert bench.levels == (1.0, 1.0)
    yield bench
    assert bench.levels == (0.0, 0.0)


def both_on(step: Step) -> bool:
    return bool(step.command.buzzer and step.command.motor)


def test_an_assembled_device_warns_and_is_silent_at_the_end(bench: Bench) -> None:
    steps: list[Step] = []
    bench.walk(steps.append)
    assert any(both_on(step) for step in steps)
    assert steps[-1].alert.level == "stop"
    assert bench.is_closed()
    assert bench.rig.twin.pings > 50


def test_the_outputs_are_low_before_the_sensor_is_opened(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[tuple[float, float]] = []
    really_open = sensors.open_sensor

    def open_sensor(driver: str, parts: Parts) -> sensors.Sensor:
        levels.append(bench.levels)
        return really_open(driver, parts)

    monkeypatch.setattr(sensors, "open_sensor", open_sensor)
    bench.walk(lambda _: None, until_s=0.1)
    assert levels == [(0.0, 0.0)]


def test_a_failing_observer_leaves_silence_and_a_closed_sensor(bench: Bench) -> None:
    def observe(step: Step) -> None:
        if both_on(step):
            assert bench.levels == (1.0, step.command.motor)
            raise StageError("observe")

    with pytest.raises(StageError, match="observe"):
        bench.walk(observe)
    assert bench.is_closed()


STAGES: dict[str, tuple[type, str]] = {
    "poll": (sensors._module("hcsr04").HCSR04, "poll"),
    "step": (Pipeline, "step"),
    "apply": (Outputs, "apply"),
    "close": (sensors._module("hcsr04").HCSR04, "close"),
}


@pytest.mark.parametrize("kind", [StageError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("stage", ["poll", "step", "apply"])
def test_a_failure_in_any_stage_leaves_silence_and_a_closed_sensor(
    bench: Bench, stage: str, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage works until both outputs are on, and fails then."""
    owner, name = STAGES[stage]
    really = getattr(owner, name)
    failing: list[Step] = []

    def fails_later(self: Any, *arguments: Any) -> Any:
        if failing:
            raise kind(stage)
        return really(self, *arguments)

    monkeypatch.setattr(owner, name, fails_later)

    def observe(step: Step) -> None:
        if both_on(step):
            assert bench.levels == (1.0, step.command.motor)
            failing.append(step)

    with pytest.raises(kind, match=stage):
        bench.walk(observe)
    assert failing
    assert bench.is_closed()


def test_a_failing_write_in_the_middle_of_an_alert_leaves_the_other_output_low(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(_value: Any) -> None:
        raise OSError("buzzer is gone")

    def observe(step: Step) -> None:
        if both_on(step):
            bench.buzzer._state = 0.0  # it is silent, but it can no longer be written
            monkeypatch.setattr(bench.buzzer, "_set_state", cannot)

    with pytest.raises(OSError, match="buzzer is gone"):
        bench.walk(observe)
    assert bench.motor.level == 0.0


def test_a_sensor_that_cannot_be_closed_still_leaves_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = STAGES["close"]

    def fails(_self: Any) -> None:
        raise StageError("close")

    monkeypatch.setattr(owner, name, fails)
    with pytest.raises(StageError, match="close"):
        bench.walk(lambda _: None, until_s=2.0)


def test_an_unknown_driver_is_an_error_that_leaves_silence() -> None:
    bench = Bench()
    settings = Settings(sensor=SensorSettings(driver="sonar"))
    with (
        pytest.raises(ConfigError, match="sonar"),
        assemble(settings, bench.clock, bench.board, random.Random(1), bench.open_port),
    ):
        raise AssertionError("assembled")
    assert bench.levels == (0.0, 0.0)


def test_a_sensor_pin_that_cannot_be_claimed_leaves_silence(bench: Bench) -> None:
    really_pin = bench.board.pin

    def pin(name: str, **more: Any) -> MockPin:
        if name == "GPIO24":
            raise OSError("GPIO busy")
        found: MockPin = really_pin(name, **more)
        return found

    bench.board.pin = pin
    with pytest.raises(HardwareError, match=r"sensor\.echo_pin = 24: GPIO24"):
        bench.walk(lambda _: None)


def test_a_failure_while_the_sensor_is_assembled_leaves_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pace(_settings: SensorSettings) -> Pace:
        raise StageError("assembly")

    monkeypatch.setattr(sensors, "pace", pace)
    with pytest.raises(StageError, match="assembly"):
        bench.walk(lambda _: None)
    assert bench.is_closed()


def test_a_failure_of_whoever_uses_the_device_leaves_silence(bench: Bench) -> None:
    with (  # noqa: PT012
        pytest.raises(StageError, match="user"),
        assemble(
            bench.settings, bench.clock, bench.board, random.Random(1), bench.open_port
        ) as device,
    ):
        device.outputs.apply(0.0, Command(buzzer=1, motor=0.8, tone_hz=2300))
        assert bench.levels == (1.0, 0.8)
        raise StageError("user")
    assert bench.is_closed()


def test_the_same_seed_gives_the_same_steps_and_another_seed_other_ones() -> None:
    def walk(seed: int) -> list[Step]:
        bench, steps = Bench(), []
        with assemble(
            SETTINGS, bench.clock, bench.board, random.Random(seed), bench.open_port
        ) as device:
            device.run(device.ticker(3.0), steps.append)
        return steps

    assert walk(1) == walk(1)
    assert walk(1) != walk(2)


def test_nothing_was_commanded_by_any_step_before_the_first_reading(bench: Bench) -> None:
    steps: list[Step] = []
    bench.walk(steps.append, until_s=1.0)
    before = [step for step in steps if step.t_s < next(s.t_s for s in steps if s.reading)]
    assert before
    assert all(step.command == OFF for step in before)


def test_the_loop_asks_a_new_ticker_for_each_run(bench: Bench) -> None:
    with assemble(SETTINGS, bench.clock, bench.board, random.Random(1), bench.open_port) as device:
        first, second = device.ticker(1.0), device.ticker(2.0)
        device.run(first, lambda _: None)
        assert bench.clock.now() == 1.0
        device.run(second, lambda _: None)
        assert bench.clock.now() == 2.0
    assert isinstance(first.stats, loop.Stats)
    assert first.stats.cycles > 10
    assert second.stats.cycles > 10
