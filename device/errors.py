"""Errors with one root, each also a builtin's child.

Every message is one line for the person who can mend it: it names the thing,
the value that was found and what to do instead.
"""


class RearguardError(Exception):
    """Root of every error that rearguard raises on purpose."""


class ConfigError(RearguardError, ValueError):
    """A setting is unknown, of the wrong type, out of bounds or at odds with another."""


class InputError(RearguardError, ValueError):
    """A scenario, recording or argument cannot be used as it is."""


class HardwareError(RearguardError, OSError):
    """The board, a pin or a port could not be opened or driven."""
