"""`rearguard walks explain`: a walk decided again, from the readings that were kept of it.

Beside the database are the device's journals: every reading of every run. The run that a walk was
part of is replayed from its beginning, through the same pipeline with the settings it had, and what
the walk's part of it comes to is told with its causes, by the same code that told the record's.
So two things are held against what was recorded then: each level, and each alert and fault.

Cues hang on what no journal has, the button and what was walked on other days, so they are told
from the record. The journals are bounded and the oldest are deleted, long before the history is.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from device import journal, keeper
from device.core.alert import DeviceFault
from device.core.coach import Begun, Dose, Walking
from device.errors import InputError
from device.history.records import Event, Walk
from device.history.tally import Tally
from device.journal import Began, Recording
from device.settings import Settings
from device.sim import replay
from device.walks import one, words
from device.walks.words import When

JOURNALS = "journals"
SAME_S = 0.5
"""Two runs of one boot begin farther apart; the same moment, measured twice, nearer."""
ALIKE_S = 0.0021
"""Both are rounded to the millisecond."""
MISSING_S = 3.0
"""A power cut takes the journal's last second or two."""
DEVICE_FAULTS = frozenset(fault.value for fault in DeviceFault)
"""Of the device, not of its sensor: known from the start, and not from readings."""


class Told(Struct, frozen=True):
    """Something that was said. `record`: same; or missing, in the record; or it alone has it."""

    event: Event
    record: str


class Report(Struct, frozen=True):
    """A walk explained.

    `from_s`, `to_s`: what the journals still have of its `recorded_s`. `whole`: the beginning of
    the run, too. `levels` were compared, and `differ` of them are not as recorded.
    """

    walk: int
    when: When
    from_s: float
    to_s: float
    recorded_s: float
    whole: bool
    levels: int
    differ: int
    events: list[Told]
    good: bool


class _File(NamedTuple):
    """A journal's file, by its first line."""

    path: Path
    began: Began


def report(walk: Walk, when: When, to_s: float, events: Sequence[Event], folder: Path) -> Report:
    """Explain `walk` by the journals in `folder`. `to_s`: of its last second or event.

    Raises InputError where its journal is gone.
    """
    files = list(_files(folder))
    mine = [file for file in files if _is_of(file.began, walk)]
    runs = [run for run in _runs(mine, walk, to_s) if _has(run, walk, to_s)]
    if not runs:
        raise InputError(_gone(walk, folder, files))
    levels = differ = 0
    said: list[Event] = []
    for run in runs:
        again = _Again(run, walk, to_s)
        said += again.events()
        levels, differ = levels + again.levels, differ + again.differ
    began_s = walk.beginning.began_s
    from_s = max(0.0, runs[0].steps[0][0] - began_s)
    until_s = min(to_s, runs[-1].steps[-1][0] - began_s)
    covered = [event for event in events if from_s <= event.t_s <= until_s + ALIKE_S]
    told = list(_told(said, covered))
    first = runs[0].began
    return Report(
        walk=walk.id,
        when=when,
        from_s=round(from_s, 3),
        to_s=round(until_s, 3),
        recorded_s=round(to_s, 3),
        whole=first is not None and first.part == 0,
        levels=levels,
        differ=differ,
        events=told,
        good=not differ and all(each.record == "same" for each in told),
    )


def lines(found: Report) -> Iterator[str]:
    """The report for a person, for 80 columns."""
    import textwrap  # noqa: PLC0415 - as in `one`

    yield from textwrap.wrap(f"walk {found.walk}, {words.full(found.when)}", one.WIDTH)
    yield one.TITLES
    for told in found.events:
        mark = {"missing": " (not in the record)", "alone": " (only in the record)"}
        text = one.event_line(told.event) + mark.get(told.record, "")
        yield from textwrap.wrap(
            text, one.WIDTH, subsequent_indent=" " * 24, break_on_hyphens=False
        )
    if not found.events:
        yield "  nothing was said"
    if found.from_s > 0.0 or found.to_s < found.recorded_s - MISSING_S:
        had, whole = f"{words.clock(found.from_s)} to {words.clock(found.to_s)}", found.recorded_s
        yield f"The journals still have {had} of its {words.clock(whole)}."
    if not found.whole:
        yield "The beginning of its run is gone, so the first seconds may differ."
    agree = found.levels - found.differ
    yield f"{'good' if found.good else 'NOT GOOD'}: {agree} of {found.levels} levels as recorded"


class _Again:
    """A run replayed, and what its walk's part comes to."""

    def __init__(self, run: Recording, walk: Walk, to_s: float) -> None:
        self._run, self._walk = run, walk
        self._from_s = walk.beginning.began_s
        self._to_s = self._from_s + to_s + ALIKE_S
        self.levels = self.differ = 0

    def events(self) -> list[Event]:
        """What was said, but for the cues."""
        settings, asked = self._run.settings or Settings(), self._walk.beginning
        # Which steps are the walk's is known from the record; a journal knows no button.
        walking = Walking(
            number=1,
            begun=Begun(asked.begun),
            began_s=self._from_s,
            until_s=self._to_s,
            dose=Dose(asked.target_s, asked.most_s),
        )
        tally = Tally(settings)
        found: list[Event] = []
        reactions: dict[float, float] = {}
        recorded = self._run.levels or ()
        for step, level in zip(replay.steps(self._run, settings), recorded, strict=False):
            if step.t_s > self._to_s:
                break
            inside = step.t_s >= self._from_s - 1e-6
            if inside:
                self.levels += 1
                self.differ += step.alert.level != level
            for entry in tally(replace(step, walk=walking if inside else None)):
                found += entry.events
                reactions.update((one.t_s, one.reaction_s) for one in entry.reactions)
        for entry in tally.close():
            found += entry.events
            reactions.update((one.t_s, one.reaction_s) for one in entry.reactions)
        return [
            replace(event, reaction_s=reactions.get(event.t_s)) if event.kind == "alert" else event
            for event in found
            if event.kind != "cue"
        ]


def _told(said: Iterable[Event], recorded: Sequence[Event]) -> Iterator[Told]:
    """Both in one row, by time: what the replay says, and what only the record has."""
    left = list(recorded)
    told = []
    for event in said:
        twin = next((one for one in left if _alike(one, event)), None)
        if twin is not None:
            left.remove(twin)
        told.append(Told(event, "missing" if twin is None else "same"))
    told += [Told(event, "same" if _unreplayed(event) else "alone") for event in left]
    yield from sorted(told, key=lambda each: each.event.t_s)


def _unreplayed(event: Event) -> bool:
    """Whether no reading could have told it."""
    return event.kind == "cue" or event.what in DEVICE_FAULTS


def _alike(one: Event, other: Event) -> bool:
    same = (one.kind, one.what) == (other.kind, other.what)
    return same and abs(one.t_s - other.t_s) <= ALIKE_S


# ------------------------------------------------------------------ the journals


def _files(folder: Path) -> Iterator[_File]:
    """The journals that say when they began, oldest first; a folder that is not there has none."""
    try:
        paths = sorted(
            (path for path in folder.iterdir() if keeper.NAME.fullmatch(path.name)),
            key=lambda path: int(path.stem),
        )
    except PermissionError as error:
        raise InputError(f"{folder}: may not be read; sudo, or the group rearguard, may") from error
    except OSError:
        return
    for path in paths:
        try:
            with path.open("rb") as stream:
                began = msgspec.json.decode(stream.readline(), type=journal.Header).began
        except (OSError, msgspec.MsgspecError):
            continue
        if began is not None:
            yield _File(path, began)


def _is_of(began: Began, walk: Walk) -> bool:
    """Whether the run that began so may have had the walk."""
    meant_s = began.monotonic_s + walk.beginning.began_s
    return began.boot_id == walk.boot_id and abs(meant_s - walk.began_monotonic_s) < SAME_S


def _runs(files: Sequence[_File], walk: Walk, to_s: float) -> Iterator[Recording]:
    """The files of a run as one recording each, unless some are missing between them."""
    run: Recording | None = None
    part = 0
    for file in files:
        if run is not None and run.steps and run.steps[-1][0] > walk.beginning.began_s + to_s:
            break  # the rest came after the walk
        try:
            piece = journal.read(file.path, Settings())
        except InputError:
            continue  # torn by a power cut: what came before it is told
        if run is not None and file.began == replace(file.began, part=part + 1):
            run.steps.extend(piece.steps)
            (run.levels or []).extend(piece.levels or ())
            part += 1
            continue
        if run is not None:
            yield run
        run, part = piece, file.began.part
    if run is not None:
        yield run


def _has(run: Recording, walk: Walk, to_s: float) -> bool:
    began_s = walk.beginning.began_s
    return bool(run.steps) and run.steps[-1][0] >= began_s and run.steps[0][0] <= began_s + to_s


def _gone(walk: Walk, folder: Path, files: Sequence[_File]) -> str:
    known = [file.began for file in files]
    dated = [began.wall_s for began in known if began.synchronised]
    if not known:
        reach = f"no journal is kept in {folder}"
    elif dated:
        reach = f"those in {folder} reach back to {(words.iso(min(dated)) or '')[:10]}"
    else:
        reach = f"those in {folder} reach back to boot {known[0].boot_id[:6]}"
    kept = f"what is kept of it: rearguard walks show {walk.id}"
    return f"walk {walk.id}: its journal is gone; {reach}; {kept}"
