"""The gpiod factory on a real chip: edges, lost edges, PWM, and other people's programs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero import PWMLED, Button, DigitalOutputDevice, DistanceSensor
from gpiozero.exc import PWMSoftwareFallback

from device.clock import MonotonicClock
from device.pins.gpiod import GpiodFactory
from lines.rig import HERE_M, OUTPUTS, Far, until, walk
from lines.sim_chip import SimChip

LINE = 5
BUZZER, MOTOR = OUTPUTS
KERNEL_KEEPS = 16
"""Edges that the kernel keeps for one line (GPIO_V2 requests keep 16 a line)."""


@pytest.fixture
def gpiod() -> Iterator[GpiodFactory]:
    made = GpiodFactory()
    yield made
    made.close()


@pytest.fixture
def chip() -> Iterator[SimChip]:
    made = SimChip()
    made.drive(LINE, False)
    yield made
    made.drive(LINE, False)


class Ear:
    """Hears edges; gpiozero keeps callbacks by weak reference only."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, int]] = []

    def on_edge(self, ticks: float, level: int) -> None:
        self.heard.append((ticks, level))


@pytest.mark.parametrize(("edges", "levels"), [("rising", [1, 1]), ("falling", [0, 0])])
def test_only_the_edges_that_were_asked_for(
    gpiod: GpiodFactory, chip: SimChip, edges: str, levels: list[int]
) -> None:
    pin, ear = gpiod.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.edges = edges
    assert pin.edges == edges
    pin.when_changed = ear.on_edge
    for high in (True, False, True, False):
        chip.drive(LINE, high)
        time.sleep(0.005)
    assert [level for _, level in ear.heard] == levels


def test_the_clock_that_is_given_hears_the_edges_itself(chip: SimChip) -> None:
    """The first edge does not end the wait; what is called may do so."""
    clock = MonotonicClock()
    made = GpiodFactory(clock)
    pin, ear = made.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.when_changed = ear.on_edge
    chip.drive(LINE, True)
    deadline_s = clock.now() + 0.02
    clock.wait_until(deadline_s)
    assert clock.now() >= deadline_s
    assert [level for _, level in ear.heard] == [1]
    made.close()


def test_lost_edges_are_counted_by_the_kernels_numbers(chip: SimChip) -> None:
    clock = MonotonicClock()
    made = GpiodFactory(clock)
    pin, ear = made.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.when_changed = ear.on_edge
    chip.drive(LINE, True)
    clock.wait_until(clock.now() + 0.01)
    assert pin.missed_edges == 0
    many = 5 * KERNEL_KEEPS
    for edge in range(many):
        chip.drive(LINE, edge % 2 == 1)
    for _ in range(10):
        clock.wait_until(clock.now() + 0.005)
    assert len(ear.heard) < many
    assert len(ear.heard) + pin.missed_edges == 1 + many
    made.close()


def test_a_closed_pin_is_an_input_again_and_may_be_used_again(
    gpiod: GpiodFactory, chip: SimChip
) -> None:
    pin = gpiod.pin(f"GPIO{LINE}")
    pin.output_with_state(1)
    pin.close()
    pin.close()
    info = gpiod.chip.get_line_info(LINE)
    assert (info.used, info.direction.name) == (False, "INPUT")
    pin.output_with_state(1)
    assert chip.level(LINE)


def test_a_debounced_pin_overlooks_short_pulses(gpiod: GpiodFactory, chip: SimChip) -> None:
    pin, ear = gpiod.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.bounce = 0.01
    pin.when_changed = ear.on_edge
    assert pin.bounce == 0.01
    for high in (True, False):
        chip.drive(LINE, high)
    time.sleep(0.05)
    assert ear.heard == []
    chip.drive(LINE, True)
    time.sleep(0.05)
    assert [level for _, level in ear.heard] == [1]


@pytest.mark.parametrize(("hz", "duty"), [(200, 0.8), (200, 0.25), (2300, 0.5)])
def test_pwm_has_its_frequency_and_its_duty(
    gpiod: GpiodFactory, tmp_path: Any, hz: int, duty: float, note: Callable[[str], None]
) -> None:
    pin = gpiod.pin(f"GPIO{MOTOR}")
    with Far(tmp_path) as far:
        pin.output_with_state(0)
        pin.frequency = hz
        assert pin.frequency == hz
        pin.state = duty
        time.sleep(0.5)
        pin.frequency = None
        assert pin.frequency is None
        time.sleep(0.01)
        pulses = far.pulses("motor", 0.0)[1:-1]
    rises_s = [rise_s for rise_s, _ in pulses]
    seen_hz = (len(rises_s) - 1) / (rises_s[-1] - rises_s[0])
    high_s = sum(fall_s - rise_s for rise_s, fall_s in pulses[:-1])
    seen_duty = high_s / (rises_s[-1] - rises_s[0])
    note(f"PWM of {hz} Hz at {duty}: {seen_hz:.1f} Hz at {seen_duty:.3f}")
    assert seen_hz == pytest.approx(hz, rel=0.01)
    assert seen_duty == pytest.approx(duty, abs=0.15)
    assert not SimChip().level(MOTOR)


def test_gpiozeros_own_devices_work_on_it(
    gpiod: GpiodFactory, chip: SimChip, tmp_path: Any
) -> None:
    pressed: list[float] = []
    with Button(LINE, pull_up=False, pin_factory=gpiod) as button:
        button.when_pressed = lambda: pressed.append(time.monotonic())
        chip.drive(LINE, True)
        assert button.wait_for_press(1.0)
        until(lambda: len(pressed) == 1, 1.0)
    with PWMLED(MOTOR, pin_factory=gpiod) as led:
        led.value = 0.3
        assert led.value == pytest.approx(0.3)
    with DigitalOutputDevice(BUZZER, pin_factory=gpiod) as buzzer:
        buzzer.on()
        assert chip.level(BUZZER)
    assert not chip.level(BUZZER)
    with Far(tmp_path) as far:
        far.order(distance_m=HERE_M)
        with pytest.warns(PWMSoftwareFallback):  # gpiozero says so of every factory but one
            sensor = DistanceSensor(24, 23, max_distance=4.0, queue_len=3, pin_factory=gpiod)
        with sensor:
            time.sleep(1.0)
            assert sensor.distance == pytest.approx(HERE_M, abs=0.01)


def test_any_gpiozero_program_may_ask_for_it_by_name(chip: SimChip) -> None:
    script = "from gpiozero import LED; led = LED(18); led.on(); print(led.pin_factory)"
    told = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env=os.environ | {"GPIOZERO_PIN_FACTORY": "gpiod"},
        stdout=subprocess.PIPE,
    )
    assert b"device.pins.gpiod.GpiodFactory" in told.stdout


def test_it_sleeps_while_nothing_happens(gpiod: GpiodFactory, chip: SimChip) -> None:
    """lgpio's thread wakes 2,000 times a second from the first edge that anybody asks for."""

    def naps() -> int:
        each = [path.read_text("ascii") for path in Path("/proc/self/task").glob("*/status")]
        return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in each)

    pin, ear = gpiod.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.when_changed = ear.on_edge
    time.sleep(0.1)
    before = naps()
    time.sleep(1.0)
    assert naps() - before <= 3


def test_chatter_on_the_echo_line_is_no_distance(tmp_path: Any) -> None:
    """More edges than the kernel keeps, on every ping: a fault, and never an object."""
    with walk(tmp_path, "gpiod", distance_m=2.0) as (far, daemon):
        daemon.hears("the sensor answers")
        far.order(distance_m=2.0, chatter=4 * KERNEL_KEEPS)
        time.sleep(2.0)
        assert "sensor fault" in daemon.said
        far.order(distance_m=2.0)
        daemon.hears("answers again", 3.0)
    nearer = [
        row
        for row in daemon.rows()
        if (row["reading"] or {}).get("kind") == "echo" and row["reading"]["distance_m"] < 1.9
    ]
    assert nearer == []
