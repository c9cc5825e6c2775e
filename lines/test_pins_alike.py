"""gpiozero's own lgpio pins and ours, side by side: what gpiozero asks of every pin."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.exc import PinFixedPull, PinInvalidFunction, PinInvalidPull, PinSetInput
from gpiozero.pins.lgpio import LGPIOFactory

from device.pins.gpiod import GpiodFactory
from lines.rig import LINE, Ear, until
from lines.sim_chip import SimChip


@pytest.fixture(scope="module", params=[GpiodFactory, LGPIOFactory])
def factory(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of a kind: what lgpio has opened it never quite closes."""
    made = request.param()
    yield made
    for pin in made.pins.values():
        pin.close()
    made.pins.clear()


def test_a_pin_is_what_it_is_told_to_be(factory: Any, chip: SimChip) -> None:
    """What gpiozero asks of every pin, alike for both factories."""
    pin = factory.pin(f"GPIO{LINE}")
    assert pin.function == "input"
    with pytest.raises(PinSetInput):
        pin.state = 1
    pin.output_with_state(1)
    assert (pin.function, pin.state, chip.level(LINE)) == ("output", 1, True)
    pin.state = 0
    assert (pin.state, chip.level(LINE)) == (0, False)
    with pytest.raises(PinFixedPull):
        pin.pull = "up"
    with pytest.raises(PinInvalidFunction):
        pin.function = "toaster"
    pin.input_with_pull("up")
    assert (pin.function, pin.pull) == ("input", "up")
    pin.pull = "down"
    assert pin.pull == "down"
    with pytest.raises(PinInvalidPull):
        pin.pull = "sideways"
    chip.drive(LINE, True)
    assert pin.state == 1


def test_edges_come_with_the_kernels_time_and_direction(factory: Any, chip: SimChip) -> None:
    pin, ear = factory.pin(f"GPIO{LINE}"), Ear()
    pin.input_with_pull("down")
    pin.edges = "both"
    pin.when_changed = ear.on_edge
    driven_s = []
    for high in (True, False, True, False):
        time.sleep(0.01)
        driven_s.append(time.monotonic())
        chip.drive(LINE, high)
    until(lambda: len(ear.heard) == 4, 1.0)
    assert [level for _, level in ear.heard] == [1, 0, 1, 0]
    for told_s, true_s in zip([ticks for ticks, _ in ear.heard], driven_s, strict=True):
        assert 0.0 <= told_s - true_s < 100e-6
    pin.when_changed = None
    chip.drive(LINE, True)
    time.sleep(0.05)
    assert len(ear.heard) == 4
