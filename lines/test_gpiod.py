"""The gpiod factory on a real chip: edges, lost edges, PWM, and other people's programs."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gpiod as gpiodlib
import pytest
from gpiozero import PWMLED, Button, DigitalOutputDevice, DistanceSensor
from gpiozero.exc import PWMSoftwareFallback

from device.clock import MonotonicClock
from device.pins.gpiod import EDGES_KEPT, GpiodFactory
from lines.rig import HERE_M, LINE, OUTPUTS, Ear, Far, until, walk
from lines.sim_chip import SimChip

OTHER, THIRD = 6, 7
BUZZER, MOTOR = OUTPUTS


@pytest.fixture
def gpiod() -> Iterator[GpiodFactory]:
    made = GpiodFactory()
    yield made
    made.close()


@pytest.fixture
def clocked() -> Iterator[tuple[MonotonicClock, GpiodFactory]]:
    """A clock that waits for edges itself."""
    clock = MonotonicClock()
    made = GpiodFactory(clock)
    yield clock, made
    made.close()


@pytest.fixture
def chip() -> Iterator[SimChip]:
    made = SimChip()
    for line in (LINE, OTHER, THIRD):
        made.drive(line, False)
    yield made
    for line in (LINE, OTHER, THIRD):
        made.drive(line, False)


class Meddler(Ear):
    """Does something at its first edge."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._meddle: Callable[[], object] | None = meddle

    def on_edge(self, ticks: float, level: int) -> None:
        super().on_edge(ticks, level)
        meddle, self._meddle = self._meddle, None
        if meddle is not None:
            meddle()


def hear(factory: GpiodFactory, line: int, ear: Ear) -> Any:
    """The pin, with its edges heard."""
    pin = factory.pin(f"GPIO{line}")
    pin.input_with_pull("down")
    pin.when_changed = ear.on_edge
    return pin


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


def test_the_clock_that_is_given_hears_the_edges_itself(
    clocked: tuple[MonotonicClock, GpiodFactory], chip: SimChip
) -> None:
    """The first edge does not end the wait; what is called may do so."""
    clock, made = clocked
    ear = Ear()
    hear(made, LINE, ear)
    chip.drive(LINE, True)
    deadline_s = clock.now() + 0.02
    clock.wait_until(deadline_s)
    assert clock.now() >= deadline_s
    assert [level for _, level in ear.heard] == [1]


def test_lost_edges_are_counted_by_the_kernels_numbers(
    clocked: tuple[MonotonicClock, GpiodFactory], chip: SimChip
) -> None:
    clock, made = clocked
    ear = Ear()
    pin = hear(made, LINE, ear)
    chip.drive(LINE, True)
    clock.wait_until(clock.now() + 0.01)
    assert pin.missed_edges == 0
    many = 2 * EDGES_KEPT
    for edge in range(many):
        chip.drive(LINE, edge % 2 == 1)
    for _ in range(10):
        clock.wait_until(clock.now() + 0.005)
    assert len(ear.heard) < many
    assert len(ear.heard) + pin.missed_edges == 1 + many


GIVE_UP_S = 5.0


def test_a_callback_may_change_another_lines_edges_and_the_clock_that_waits_goes_on(
    clocked: tuple[MonotonicClock, GpiodFactory], chip: SimChip
) -> None:
    """Both are ready in one round; the first one's callback empties the other's queue."""
    ear = Ear()
    clock, made = clocked
    meddler = Meddler(lambda: setattr(other, "edges", "rising"))
    hear(made, LINE, meddler)
    other = hear(made, OTHER, ear)
    for line in (LINE, OTHER):
        chip.drive(line, True)

    def wait() -> None:
        clock.wait_until(clock.now() + 0.02)

    waiting = threading.Thread(target=wait, daemon=True)  # it is this that would never end
    waiting.start()
    waiting.join(GIVE_UP_S)
    assert not waiting.is_alive()
    assert [level for _, level in meddler.heard] == [1]
    assert ear.heard == []
    for high in (False, True):
        for line in (LINE, OTHER):
            chip.drive(line, high)
    wait()
    assert [level for _, level in meddler.heard] == [1, 0, 1]
    assert [level for _, level in ear.heard] == [1]


def held_up(factory: GpiodFactory, chip: SimChip, meanwhile: Callable[[], None]) -> tuple[Any, Ear]:
    """What happens `meanwhile`, the thread that listens sees in one round."""
    there, go_on = threading.Event(), threading.Event()

    def stay() -> None:
        there.set()
        go_on.wait(GIVE_UP_S)

    ear = Meddler(stay)
    pin = hear(factory, THIRD, ear)
    chip.drive(THIRD, True)
    assert there.wait(GIVE_UP_S)
    meanwhile()
    go_on.set()
    return pin, ear


def test_a_callback_may_change_another_lines_edges_and_the_thread_goes_on(
    gpiod: GpiodFactory, chip: SimChip
) -> None:
    ear = Ear()
    meddler = Meddler(lambda: setattr(other, "edges", "rising"))
    hear(gpiod, LINE, meddler)
    other = hear(gpiod, OTHER, ear)

    def both() -> None:
        for line in (LINE, OTHER):
            chip.drive(line, True)

    _, third = held_up(gpiod, chip, both)
    until(lambda: meddler.heard, GIVE_UP_S)
    time.sleep(0.02)
    assert ear.heard == []  # its edge was in the queue that was emptied
    for high in (False, True):
        for line in (LINE, OTHER, THIRD):
            chip.drive(line, high)
            time.sleep(0.005)
    until(lambda: len(third.heard) == 3, GIVE_UP_S)
    assert [level for _, level in meddler.heard] == [1, 0, 1]
    assert [level for _, level in ear.heard] == [1]


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What would have been printed with its traceback."""
    collected: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _type, error, _trace: collected.append(error))
    return collected


@pytest.mark.parametrize("error", [ValueError("a slip"), OSError("a line that fails")])
def test_a_callback_that_raises_is_told_and_makes_no_other_line_deaf(
    gpiod: GpiodFactory, chip: SimChip, complaints: list[BaseException], error: Exception
) -> None:
    def fail() -> None:
        raise error

    failing, ear = Meddler(fail), Ear()
    hear(gpiod, LINE, failing)
    hear(gpiod, OTHER, ear)

    def both() -> None:
        for line in (LINE, OTHER):
            chip.drive(line, True)

    held_up(gpiod, chip, both)
    until(lambda: ear.heard, GIVE_UP_S)
    assert complaints == [error]
    for line in (LINE, OTHER):
        chip.drive(line, False)
        time.sleep(0.005)
    assert [level for _, level in ear.heard] == [1, 0]
    assert complaints == [error]
    if isinstance(error, ValueError):
        assert [level for _, level in failing.heard] == [1, 0]


class Stubborn:
    """A request, once told so, can no longer be changed, as when the chip was pulled out."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)

    def reconfigure_lines(self, settings: Any) -> None:
        if self.gone:
            raise OSError("no such device")
        self._request.reconfigure_lines(settings)


class StubbornChip:
    """Gives such requests."""

    def __init__(self, chip: Any) -> None:
        self._chip = chip
        self.given: dict[int, Stubborn] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chip, name)

    def request_lines(self, config: Any, **more: Any) -> Stubborn:
        (line,) = config
        self.given[line] = Stubborn(self._chip.request_lines(config, **more))
        return self.given[line]


@pytest.mark.parametrize("stubborn", [LINE, OTHER, THIRD])
def test_closing_gives_every_line_back_even_if_one_cannot_be_an_input_again(
    chip: SimChip, stubborn: int
) -> None:
    made = GpiodFactory()
    made.chip = stubborn_chip = StubbornChip(made.chip)
    lines = (LINE, OTHER, THIRD)
    pins = {line: made.pin(f"GPIO{line}") for line in lines}
    for pin in pins.values():
        pin.output_with_state(1)
    stubborn_chip.given[stubborn].gone = True
    with pytest.raises(OSError, match="no such device"):
        made.close()
    with gpiodlib.Chip("/dev/gpiochip0") as seen:
        for line in lines:
            info = seen.get_line_info(line)
            assert not info.used
            if line != stubborn:
                assert info.direction.name == "INPUT"
    again = GpiodFactory()
    assert again.pin(f"GPIO{stubborn}") is not pins[stubborn]
    again.close()


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
    assert seen_duty == pytest.approx(duty, abs=0.03)
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

    ear = Ear()
    hear(gpiod, LINE, ear)
    time.sleep(0.1)
    before = naps()
    time.sleep(1.0)
    assert naps() - before <= 3


def test_chatter_on_the_echo_line_is_no_distance(tmp_path: Any) -> None:
    """More edges than the kernel keeps, on every ping: a fault, and never an object."""
    with walk(tmp_path, "gpiod", distance_m=2.0) as (far, daemon):
        daemon.hears("the sensor answers")
        far.order(distance_m=2.0, chatter=2 * EDGES_KEPT)
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
