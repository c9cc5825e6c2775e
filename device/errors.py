"""Errors with one root, each also a builtin's child.

Every message is one line for the person who can mend it: it names the thing,
the value that was found and what to do instead.
"""

from collections.abc import Callable, Iterable
from typing import Any


class RearguardError(Exception):
    """Root of every error that rearguard raises on purpose."""


class ConfigError(RearguardError, ValueError):
    """A setting is unknown, of the wrong type, out of bounds or at odds with another.

    `usable`: the file's settings without what is wrong, if that is known; for a device that has
    to go on all the same.
    """

    usable: Any = None


class InputError(RearguardError, ValueError):
    """A scenario, recording or argument cannot be used as it is."""


class HardwareError(RearguardError, OSError):
    """The board, a pin or a port could not be opened or driven."""


def all_of(calls: Iterable[Callable[[], None]]) -> None:
    """Do every one, whatever the others raise; then raise the first error."""
    first: Exception | None = None
    for call in calls:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - the rest must be done all the same
            first = first or error
    if first is not None:
        raise first
