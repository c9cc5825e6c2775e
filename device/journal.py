"""The journal: one JSON object a line, and the same steps back from it.

The first line says who wrote it and with which settings; then comes a line for
each step at which something was new: a reading, or a change of level, fault or
output. The numbers are written as they were decided on (times to the microsecond,
distances to a tenth of a millimetre), so that replaying a journal decides the same.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from device import __version__
from device.core.pipeline import Step
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.errors import InputError
from device.physics import speed_of_sound_mps
from device.settings import Settings

SCHEMA = 1
LONGEST_GAP_S = 3600.0
"""A CSV whose clock was set on the way jumps by years."""
FLUSH_S = 1.0
"""At most the last second is lost with the power."""
Recorded = tuple[float, Reading | None]


class Began(Struct, frozen=True):
    """When a run began, for a machine whose clock has no battery.

    `monotonic_s` (CLOCK_MONOTONIC, which counts from the boot `boot_id`) and `wall_s` (seconds
    since 1970) are those of t_s = 0; `synchronised`: the wall clock had been set by then. `part`:
    0 in a run's first file, one more in each that goes on where the one before it ended; where
    lines were lost in between a number is left out.
    """

    boot_id: str
    monotonic_s: float
    wall_s: float
    synchronised: bool
    part: int = 0


class Header(Struct, frozen=True, omit_defaults=True):
    """The first line. `began` is only in what the device keeps by itself."""

    rearguard: str
    schema: int
    settings: Settings
    began: Began | None = None


class TrackLine(Struct, frozen=True, gc=False):
    """What was believed of the obstacle."""

    distance_m: float | None
    closing_mps: float | None
    ttc_s: float | None
    against: bool


class Line(Struct, frozen=True, gc=False, omit_defaults=True):
    """One step. `muted`: the buzzer is silent at the wearer's wish."""

    t_s: float
    reading: Reading | None
    track: TrackLine
    level: str
    fault: str | None
    buzzer: int
    motor: float
    muted: bool = False


def line(step: Step) -> Line:
    """The journal's view of a step."""
    track, alert, command = step.track, step.alert, step.command
    return Line(
        step.t_s,
        step.reading,
        TrackLine(track.distance_m, track.closing_mps, track.ttc_s, track.against),
        alert.level,
        alert.fault,
        command.buzzer,
        command.motor,
        step.muted_s > 0,
    )


def header(settings: Settings, began: Began | None = None) -> bytes:
    """The first line, with its end."""
    return msgspec.json.encode(Header(__version__, SCHEMA, settings, began)) + b"\n"


class Encoder:
    """Steps to lines, for as many writers as there may be."""

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._last: Step | None = None

    def __call__(self, step: Step) -> bytes | None:
        """The line for `step`, with its end; None if nothing in it is new."""
        last = self._last
        if step.reading is None and last is not None and _alike(step, last):
            return None
        self._last = step
        return self._encode(line(step)) + b"\n"


class Writer:
    """Writes what is new to a binary stream; an observer for the loop.

    A full or vanished disk costs the journal, never an alert: the first error ends
    the writing and is kept in `failed`.
    """

    def __init__(self, stream: BinaryIO, settings: Settings) -> None:
        """Writes the header at once."""
        self._stream = stream
        self._encode = Encoder()
        self._flushed_s = 0.0
        self.failed: OSError | None = None
        self._write(header(settings))

    def __call__(self, step: Step) -> None:
        """Write `step` if something in it is new."""
        if self.failed or (entry := self._encode(step)) is None:
            return
        self._write(entry)
        if step.t_s - self._flushed_s >= FLUSH_S:
            self._flushed_s = step.t_s
            self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        try:
            self._stream.flush()
        except OSError as error:
            self.failed = self.failed or error

    def _write(self, entry: bytes) -> None:
        try:
            self._stream.write(entry)
        except OSError as error:
            self.failed = self.failed or error


@contextlib.contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """The journal's file, for writing. Raises InputError."""
    try:
        stream = path.open("wb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a file that can be written") from error
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):  # a full disk was reported by the writer
            stream.close()


def _alike(step: Step, last: Step) -> bool:
    now, before = step.command, last.command  # the lamp's blinking is no news
    return (
        (now.buzzer, now.motor, now.tone_hz) == (before.buzzer, before.motor, before.tone_hz)
        and step.alert.state == last.alert.state
        and step.alert.fault == last.alert.fault
    )


class Recording(Struct, frozen=True):
    """Readings to replay, and what is known of their making.

    `steps`: (instant, reading or None) in order. `settings`: as recorded, or None
    for a CSV. `levels`: what the run said at each step, or None for a CSV. `began`: where
    the header says so.
    """

    steps: list[Recorded]
    settings: Settings | None = None
    levels: list[str] | None = None
    began: Began | None = None

    @property
    def exact(self) -> bool:
        """The instants are those of a run, to be replayed as they are."""
        return self.levels is not None


def read(path: Path, settings: Settings) -> Recording:
    """A journal, or a CSV of readings; `settings` for what a CSV cannot say. Raises InputError."""
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # spreadsheets begin with a mark
    except PermissionError as error:
        raise InputError(f"{path}: may not be read; sudo, or the group rearguard, may") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a journal or a CSV file") from error
    if data.lstrip().startswith(b"{"):
        return _read_journal(path, data)
    try:
        return _read_csv(path, data.decode("utf-8"), settings)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; give a journal or a CSV file") from error


def _read_journal(path: Path, data: bytes) -> Recording:
    rows = data.split(b"\n")
    torn = rows.pop()  # what follows the last newline: nothing, or a line cut off by power loss
    if not rows:
        rows = [torn]
    try:
        first = msgspec.json.decode(rows[0], type=Header)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}:1: not a rearguard journal's header: {error}") from error
    if first.schema != SCHEMA:
        raise InputError(f"{path}:1: schema {first.schema}; this version reads {SCHEMA}")
    decode = msgspec.json.Decoder(Line).decode
    steps: list[Recorded] = []
    levels: list[str] = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            entry = decode(row)
        except msgspec.MsgspecError as error:
            raise InputError(f"{path}:{number}: not a journal line: {error}") from error
        if steps and entry.t_s < steps[-1][0]:
            raise InputError(f"{path}:{number}: t_s = {entry.t_s}: earlier than the line before it")
        steps.append((entry.t_s, entry.reading))
        levels.append(entry.level)
    return Recording(steps, first.settings, levels, first.began)


def _read_csv(path: Path, text: str, settings: Settings) -> Recording:
    import csv  # noqa: PLC0415 - only a replay needs it, and `run` must start quickly

    try:
        table = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    except csv.Error as error:
        raise InputError(f"{path}: neither a journal nor a CSV file: {error}") from error
    names = table[0] if table else []
    value = next((name for name in ("distance_m", "echo_s") if name in names), None)
    if "time_s" not in names or value is None:
        raise InputError(
            f"{path}:1: header {','.join(names)[:60]!r}:"
            " needs time_s and one of distance_m or echo_s"
        )
    sound_mps = speed_of_sound_mps(settings.sensor.temperature_c)
    steps: list[Recorded] = []
    start_s: float | None = None  # a log may count from 1970; a replay counts from its first row
    for number, cells in enumerate(table[1:], start=2):
        if not any(cells):
            continue
        where = f"{path}:{number}"
        if len(cells) < len(names) or any(cells[len(names) :]):
            raise InputError(
                f"{where}: {len(cells)} cells under {len(names)} names; one cell for each, and"
                " a point, not a comma, in numbers"
            )
        row = dict(zip(names, cells, strict=False))
        stamp_s = _number(where, "time_s", row["time_s"])
        start_s = stamp_s if start_s is None else start_s
        t_s = round(stamp_s - start_s, 6)
        gap_s = t_s - steps[-1][0] if steps else 0.0
        if not 0 <= gap_s <= LONGEST_GAP_S:
            fault = "earlier than the row before it" if gap_s < 0 else "long after the row before"
            raise InputError(f"{where}: time_s = {row['time_s']}: {fault}; split or mend the file")
        cell = row[value]
        steps.append((t_s, _cell(where, value, cell, t_s, settings, sound_mps)))
    if not steps:
        raise InputError(f"{path}: no readings in it; give at least one row")
    return Recording(steps)


def _cell(
    where: str, name: str, cell: str, t_s: float, settings: Settings, sound_mps: float
) -> Reading:
    """One CSV cell, classed as the sensor's driver would class it."""
    if cell == "":
        return Nothing(t_s)
    if cell == "fault":
        return Fault(t_s, PingFault.NO_ANSWER)
    number = _number(where, name, cell)
    if number < 0:
        raise InputError(f"{where}: {name} = {cell}: must not be negative")
    echo_s = number if name == "echo_s" else None
    distance_m = round(number * sound_mps / 2 if name == "echo_s" else number, 4)
    if distance_m > settings.sensor.max_range_m:
        return Nothing(t_s, echo_s)
    if distance_m < settings.sensor.min_range_m:
        return Echo(t_s, settings.sensor.min_range_m, echo_s, too_close=True)
    return Echo(t_s, distance_m, echo_s)


def _number(where: str, name: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError as error:
        raise InputError(
            f'{where}: {name} = "{cell}": not a number (empty: nothing there; "fault": no answer)'
        ) from error
    if not math.isfinite(number):
        raise InputError(f"{where}: {name} = {cell}: must be a finite number")
    return number
