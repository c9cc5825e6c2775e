"""TOML files for people who make mistakes: read, decode, convert, and say what is wrong.

Used for the configuration and for scenarios. Every error is one line that begins with the
file and names the place in it, the value that stands there and what is expected.
"""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from device.errors import RearguardError

LONGEST_SHOWN = 80
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Complaint(NamedTuple):
    """A conversion's error in parts: msgspec's words, where, and what stands there."""

    what: str
    path: str
    value: Any


def read(path: Path, error: type[RearguardError]) -> str:
    """The file's text. Raises `error`."""
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows' editors begin a file with a mark
    except UnicodeDecodeError as cause:
        raise error(f"{path}: not UTF-8 text; save it as UTF-8") from cause
    except PermissionError as cause:
        raise error(f"{path}: may not be read; sudo chmod a+r {path}") from cause
    except OSError as cause:
        raise error(f"{path}: {cause.strerror}; name a readable TOML file") from cause


def decode(text: str, source: str, error: type[RearguardError]) -> dict[str, Any]:
    """The tables in `text`, every number in them finite. Raises `error`."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise error(f"{source}: not valid TOML: {cause}") from cause
    except RecursionError as cause:
        raise error(f"{source}: not valid TOML: nested too deeply") from cause
    except ValueError as cause:  # Python will not read an integer of thousands of digits
        raise error(f"{source}: not valid TOML: a number of thousands of digits") from cause
    insist_on_finite(raw, source, error)
    return raw


def insist_on_finite(raw: Mapping[str, Any], source: str, error: type[RearguardError]) -> None:
    """Bounds let NaN through, since it is neither above nor below: refuse it here."""
    for path, value in _leaves(raw):
        if isinstance(value, float) and not math.isfinite(value):
            raise error(f"{source}: {path} = {value}: must be a finite number")


def complaint(cause: msgspec.ValidationError, raw: Mapping[str, Any]) -> Complaint:
    """What msgspec said, taken apart, with the value it spoke of."""
    match = _AT.match(str(cause))
    assert match is not None
    path = match["path"] or ""
    value: Any = raw
    for key, index in _STEP.findall(path):
        try:
            value = value[int(index)] if index else value[key]
        except (KeyError, IndexError, TypeError):
            value = None
    return Complaint(match["what"], path, value)


def show(value: Any) -> str:
    """A value as it would stand in the file, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    said = f'"{value}"' if isinstance(value, str) else str(value)
    return said if len(said) <= LONGEST_SHOWN else f"{said[:LONGEST_SHOWN]}..."


def _leaves(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in raw.items():
        yield from _branch(f"{prefix}{key}", value)


def _branch(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from _leaves(value, f"{path}.")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for i, item in enumerate(value):
            yield from _branch(f"{path}[{i}]", item)
    else:
        yield path, value
