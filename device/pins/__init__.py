"""The board: a gpiozero pin factory, chosen by name.

gpiozero's factories are the hardware abstraction. Whatever drives the pins, the
rest of the device sees `factory.pin(name)` with a function, a state, a frequency
and a callback for edges. "mock" is not opened here: it needs a world to live in,
so whoever assembles the simulation makes it.

"auto" is what costs the battery least of what is installed: gpiod, then lgpio, then
gpiozero's own choice; a GPIOZERO_PIN_FACTORY in the environment overrules it. The first two
get the header's chip by its label, since its number differs from board to board.
"""

import os
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from device.clock import Clock
from device.errors import HardwareError
from device.pins import chip


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


def open_board(name: str, clock: Clock) -> Board:
    """The pin factory `name`; one that can lets `clock`'s wait hear its edges.

    Raises HardwareError.
    """
    try:
        return _OPENERS[name](clock)
    except ModuleNotFoundError as error:
        raise HardwareError(
            f'gpio.factory = "{name}": its library is not installed ({error});'
            f" {_INSTALL[name]}, or choose another"
        ) from error
    except _CannotLoadError as error:
        raise HardwareError(
            f'gpio.factory = "{name}": its library cannot be loaded ({error});'
            " install it anew or choose another"
        ) from error
    except HardwareError as error:
        raise HardwareError(f'gpio.factory = "{name}": {error}') from error
    except Exception as error:
        raise HardwareError(
            f'gpio.factory = "{name}": no GPIO could be opened ({error}); on a Raspberry Pi run'
            " as a user in group gpio; elsewhere try rearguard simulate"
        ) from error


class _CannotLoadError(Exception):
    """A library is there, and something that it needs is not."""


def _load(module: str) -> Any:
    """gpiozero's own errors are ImportErrors too, so the difference is told here."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise _CannotLoadError(str(error)) from error


def _gpiod(clock: Clock) -> Board:
    # Debian 12's python3-libgpiod is of another generation, under the same name.
    if not hasattr(_load("gpiod"), "LineSettings"):
        raise ModuleNotFoundError("gpiod is older than 2.0")
    board: Board = _load("device.pins.gpiod").GpiodFactory(clock, consumer="rearguard")
    return board


def _let_lgpio_write() -> None:
    """lgpio makes its pipes in the working directory, wherever that is."""
    if "LG_WD" not in os.environ and not os.access(".", os.W_OK):
        os.environ["LG_WD"] = "/tmp"  # noqa: S108 - it has names of its own there


def _lgpio(_clock: Clock) -> Board:
    _let_lgpio_write()
    factory = _load("gpiozero.pins.lgpio").LGPIOFactory  # first: it may be missing
    board: Board = factory(chip=chip.number(chip.header_chip()))
    return board


def _rpigpio(_clock: Clock) -> Board:
    _let_lgpio_write()
    # rpi-lgpio goes by the board's number for the chip; the original needs no chip at all.
    refused: HardwareError | None = None
    try:
        os.environ.setdefault("RPI_LGPIO_CHIP", str(chip.number(chip.header_chip())))
    except HardwareError as error:
        refused = error
    try:
        board: Board = _load("gpiozero.pins.rpigpio").RPiGPIOFactory()
    except (ModuleNotFoundError, _CannotLoadError):
        raise
    except Exception as error:
        raise refused or error from error
    return board


def _plain(module: str, factory: str) -> Callable[[Clock], Board]:
    """An opener for one of gpiozero's that needs nothing."""

    def opened(_clock: Clock) -> Board:
        board: Board = getattr(_load(module), factory)()
        return board

    return opened


def _auto(clock: Clock) -> Board:
    if "GPIOZERO_PIN_FACTORY" not in os.environ:
        for opener in (_gpiod, _lgpio):
            try:
                return opener(clock)
            except (ModuleNotFoundError, _CannotLoadError):
                continue
    from gpiozero import BadPinFactory, Device  # noqa: PLC0415 - 50 ms that a mock need not pay

    with warnings.catch_warnings():
        # Falling back is what "auto" means; when all fail the error says so.
        warnings.simplefilter("ignore")
        try:
            Device.ensure_pin_factory()
        except BadPinFactory as error:
            if (wanted := os.environ.get("GPIOZERO_PIN_FACTORY")) is not None:
                raise HardwareError(
                    f'GPIOZERO_PIN_FACTORY = "{wanted}" in the environment: {error}; unset it'
                ) from error
            raise HardwareError(
                f"no library for pins works here ({error}); on a Raspberry Pi"
                f" {_INSTALL['lgpio']}; elsewhere try rearguard simulate"
            ) from error
    board: Board = Device.pin_factory
    return board


_INSTALL = {
    "gpiod": "pip install gpiod",
    "lgpio": "apt install python3-lgpio",
    "rpigpio": "apt install python3-rpi-lgpio",
    "pigpio": "apt install python3-pigpio",
    "native": "reinstall gpiozero",
    "auto": "reinstall gpiozero",
}
_OPENERS = {
    "auto": _auto,
    "gpiod": _gpiod,
    "lgpio": _lgpio,
    "rpigpio": _rpigpio,
    "pigpio": _plain("gpiozero.pins.pigpio", "PiGPIOFactory"),
    "native": _plain("gpiozero.pins.native", "NativeFactory"),
}


def kernel_stamps(board: Board) -> bool:
    """Whether the kernel tells when an edge was, and which way it went.

    RPi.GPIO's (and rpi-lgpio's) callbacks tell neither: gpiozero looks at clock and pin when the
    callback runs, by when a short pulse may be over.
    """
    by_nature = type(board).__module__ == "gpiozero.pins.lgpio"
    return bool(getattr(board, "kernel_stamps", by_nature))


def claim(board: Board, number: int, setting: str) -> Pin:
    """The pin GPIO`number` for `setting`. Raises HardwareError that names both, and who has it."""
    try:
        return board.pin(f"GPIO{number}")
    except Exception as error:
        holder = chip.line_holder(number)
        why = (
            f"could not be opened ({error}); free it"
            if holder is None
            else f"is held by {holder}; end that program"
        )
        raise HardwareError(
            f"{setting} = {number}: GPIO{number} {why} or choose another pin"
        ) from error
