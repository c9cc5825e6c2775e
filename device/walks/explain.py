"""`rearguard walks explain`: a walk decided again, from the readings that were kept of it.

Beside the database are the device's journals: every reading of every run. The run that a walk was
part of is replayed, through the same pipeline with the settings it had, and what the walk's part of
it comes to is told with its causes, by the same code that told the record's. So two things are held
against what was recorded then: each level, and each alert and fault.

A run may have lasted for days. Nearly all that the pipeline knows it forgets within seconds, so the
replay begins with the last file that begins a minute before the walk. What a sensor has shown of
itself may be kept for longer; so the walk is called wrong only where the whole run is, too.

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

SAME_S = 0.5
"""Two runs of one boot begin farther apart; the same moment, measured twice, nearer."""
ALIKE_S = 0.0021
"""Both are rounded to the millisecond."""
BEFORE_S = 60.0
"""So long before the walk a replay begins, at least, where there is a journal of it."""
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

    `from_s`, `to_s`: what the journals still have of its `recorded_s`, but for what is `damaged`.
    `whole`: its run was replayed from the beginning; else from `before_s` before the walk. `levels`
    were compared, and `differ` of them are not as recorded; likewise `said`, the alerts and faults,
    and `otherwise`.
    """

    walk: int
    when: When
    from_s: float
    to_s: float
    recorded_s: float
    whole: bool
    before_s: float
    damaged: list[str]
    levels: int
    differ: int
    said: int
    otherwise: int
    events: list[Told]
    good: bool


class _File(NamedTuple):
    """A journal's file, by its first two lines. `first_s`: of the first step, if it has one."""

    path: Path
    began: Began
    first_s: float | None


class _Moment(Struct):
    """A step, for who asks nothing but when."""

    t_s: float


def report(walk: Walk, when: When, to_s: float, events: Sequence[Event], folder: Path) -> Report:
    """Explain `walk` by the journals in `folder`. `to_s`: of its last second or event.

    Raises InputError where its journal is gone, or damaged, or never was.
    """
    unreadable: list[str] = []
    files = list(_files(folder, unreadable))
    mine = [file for file in files if _is_of(file.began, walk)]
    near = _near(mine, walk.beginning.began_s)
    found, damaged = _compared(walk, when, to_s, events, near)
    if len(near) < len(mine) and (found is None or not found.good):
        found, damaged = _compared(walk, when, to_s, events, mine)
    if found is not None:
        return found
    if damaged:
        why = f"its journal is damaged: {damaged[0]}"
    elif unreadable:
        why = f"its journal is gone, or is damaged: {unreadable[0]}"
    else:
        why = f"its journal is gone; {_reach(folder, files)}"
    raise InputError(f"walk {walk.id}: {why}; what is kept of it: rearguard walks show {walk.id}")


def _near(files: Sequence[_File], began_s: float) -> Sequence[_File]:
    """From the last that begins well before the walk; all of them, where none does."""
    for i in range(len(files) - 1, 0, -1):
        first_s = files[i].first_s
        if first_s is not None and first_s <= began_s - BEFORE_S:
            return files[i:]
    return files


def _compared(
    walk: Walk, when: When, to_s: float, events: Sequence[Event], files: Sequence[_File]
) -> tuple[Report | None, list[str]]:
    """What `files` tell of the walk, None where they have nothing of it; and what is damaged."""
    began_s, levels, differ = walk.beginning.began_s, 0, 0
    damaged: list[str] = []
    spans: list[tuple[float, float]] = []
    said: list[Event] = []
    parts: list[int] = []
    for run in _runs(files, walk, to_s, damaged):
        if not _has(run, walk, to_s):
            continue
        again = _Again(run, walk, to_s)
        said += again.events()
        levels, differ = levels + again.levels, differ + again.differ
        spans.append((run.steps[0][0] - began_s, run.steps[-1][0] - began_s))
        parts.append(0 if run.began is None else run.began.part)
    if not spans:
        return None, damaged
    covered = [one for one in events if any(a <= one.t_s <= b + ALIKE_S for a, b in spans)]
    told = list(_told(said, covered))
    compared = [each for each in told if each.record != "same" or not _unreplayed(each.event)]
    otherwise = sum(each.record != "same" for each in told)
    found = Report(
        walk=walk.id,
        when=when,
        from_s=round(max(0.0, spans[0][0]), 3),
        to_s=round(min(to_s, spans[-1][1]), 3),
        recorded_s=round(to_s, 3),
        whole=parts[0] == 0,
        before_s=round(max(0.0, -spans[0][0]), 3),
        damaged=damaged,
        levels=levels,
        differ=differ,
        said=len(compared),
        otherwise=otherwise,
        events=told,
        good=not differ and not otherwise,
    )
    return found, damaged


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
    for damaged in found.damaged:
        left_out = f"Damaged, and left out, so the first seconds after it may differ: {damaged}"
        yield from textwrap.wrap(left_out, one.WIDTH, break_on_hyphens=False)
    if not found.whole and found.before_s >= BEFORE_S:
        before = words.length(found.before_s)
        yield f"Replayed was a part of its run, from {before} before the walk."
    elif not found.whole:
        yield "The beginning of its run is gone, so the first seconds may differ."
    yield from textwrap.wrap(_verdict(found), one.WIDTH)


def _verdict(found: Report) -> str:
    levels, said = words.plural(found.levels, "level"), f"{found.said} warnings and faults"
    if found.good:
        return f"good: each of {levels} and {said} comes out again as recorded"
    wrong = f"{found.differ} of {levels} and {found.otherwise} of {said}"
    return f"NOT GOOD: {wrong} differ"


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


def _files(folder: Path, unreadable: list[str]) -> Iterator[_File]:
    """The journals that say when they began, oldest first; a folder that is not there has none.

    `unreadable`: gets those that say nothing.
    """
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
                first, second = stream.readline(), stream.readline()
        except OSError:
            continue
        try:
            began = msgspec.json.decode(first, type=journal.Header).began
        except msgspec.MsgspecError:
            if first:
                unreadable.append(f"{path}:1: not a rearguard journal's header")
            continue
        if began is not None:
            yield _File(path, began, _first_s(second))


def _first_s(row: bytes) -> float | None:
    try:
        return msgspec.json.decode(row, type=_Moment).t_s
    except msgspec.MsgspecError:
        return None


def _is_of(began: Began, walk: Walk) -> bool:
    """Whether the run that began so may have had the walk."""
    meant_s = began.monotonic_s + walk.beginning.began_s
    return began.boot_id == walk.boot_id != "" and abs(meant_s - walk.began_monotonic_s) < SAME_S


def _runs(
    files: Sequence[_File], walk: Walk, to_s: float, damaged: list[str]
) -> Iterator[Recording]:
    """The files of a run as one recording each, unless some are missing between them.

    What is wrong with a file goes into `damaged`, and the others are told.
    """
    run: Recording | None = None
    part = 0
    for file in files:
        if run is not None and run.steps and run.steps[-1][0] > walk.beginning.began_s + to_s:
            break  # the rest came after the walk
        try:
            piece = journal.read(file.path, Settings())
        except InputError as error:
            damaged.append(str(error))
            continue
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


def _reach(folder: Path, files: Sequence[_File]) -> str:
    """How far back the journals in `folder` go."""
    known = [file.began for file in files]
    dated = [began.wall_s for began in known if began.synchronised]
    if not known:
        return f"no journal is kept in {folder}"
    if dated:
        return f"those in {folder} reach back to {(words.iso(min(dated)) or '')[:10]}"
    return f"those in {folder} reach back to boot {known[0].boot_id[:6]}"
