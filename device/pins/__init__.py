"""The board: a gpiozero pin factory, chosen by name.

gpiozero's factories are the hardware abstraction. Whatever drives the pins, the
rest of the device sees `factory.pin(name)` with a function, a state, a frequency
and a callback for edges. "mock" is not opened here: it needs a world to live in,
so whoever assembles the simulation makes it.
"""

import warnings
from importlib import import_module
from typing import Any, Protocol

from device.errors import HardwareError

_FACTORIES = {
    "lgpio": ("gpiozero.pins.lgpio", "LGPIOFactory"),
    "rpigpio": ("gpiozero.pins.rpigpio", "RPiGPIOFactory"),
    "pigpio": ("gpiozero.pins.pigpio", "PiGPIOFactory"),
    "native": ("gpiozero.pins.native", "NativeFactory"),
}


class Pin(Protocol):
    """The part of a gpiozero pin that is used here."""

    state: Any
    frequency: Any
    edges: str
    bounce: Any
    when_changed: Any

    def output_with_state(self, state: int) -> None:
        """Make it an output that begins at `state`."""
        ...

    def input_with_pull(self, pull: str) -> None:
        """Make it an input pulled "up", "down" or "floating"."""
        ...

    def close(self) -> None:
        """Give the pin back."""
        ...


class Board(Protocol):
    """The part of a gpiozero pin factory that is used here."""

    def pin(self, name: str) -> Pin:
        """The pin called for example "GPIO23"."""
        ...

    def ticks_diff(self, later: Any, earlier: Any) -> float:
        """Seconds between two edge stamps, whatever their origin."""
        ...

    def close(self) -> None:
        """Give every pin back."""
        ...


def open_board(name: str) -> Board:
    """The pin factory `name` ("auto": gpiozero's own choice). Raises HardwareError."""
    try:
        if name == "auto":
            return _auto()
        module, factory = _FACTORIES[name]
        board: Board = getattr(import_module(module), factory)()
    except ModuleNotFoundError as error:
        raise HardwareError(
            f'gpio.factory = "{name}": its library is not installed ({error});'
            " install it or choose another"
        ) from error
    except Exception as error:
        raise HardwareError(
            f'gpio.factory = "{name}": no GPIO could be opened ({error}); on a Raspberry Pi run'
            ' as a user in group gpio; elsewhere set factory = "mock" or try rearguard simulate'
        ) from error
    return board


def _auto() -> Board:
    from gpiozero import Device  # noqa: PLC0415 - costs 50 ms that the mock board needs not pay

    with warnings.catch_warnings():
        # Falling back is what "auto" means; when all fail the error says so.
        warnings.simplefilter("ignore")
        Device.ensure_pin_factory()
    board: Board = Device.pin_factory
    return board


def claim(board: Board, number: int, setting: str) -> Pin:
    """The pin GPIO`number` for `setting`. Raises HardwareError that names both."""
    try:
        return board.pin(f"GPIO{number}")
    except Exception as error:
        raise HardwareError(
            f"{setting} = {number}: GPIO{number} could not be opened ({error});"
            " free it or choose another pin"
        ) from error
