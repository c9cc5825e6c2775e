"""`rearguard calibrate`: how long this wearer takes to stop, measured on them.

They walk backward toward a wall, at their own pace. Somewhere between 3.2 and 2.0 m, or nearer
to 3.2 m if they are fast, where they cannot expect it, the device gives its DANGER signal, by
buzzer and motor, and they stop at once. Three times, and the slowest counts. The device times
itself: the sensor has heard all of it.

The time runs from the signal's onset until they stand. The tracker's speed is a step behind, so
it says only that they stand by now; *when* they stopped is found afterwards in the trial's own
echoes, by least squares through

    d(t) = d_end + v * g(t),   g falling evenly, then braking evenly, then 0:

v and d_end follow for each middle of braking h and each length b of it that a person can have
(braking at 1 to 5 m/s2), and the best h and b are searched. They stand at h + b/2. The trunk's bob,
2 cm at each step, is what limits it: h comes out within 0.02 s, b less well. Of simulated trials
nine in ten come out within 0.12 s of the truth at 0.7 to 1.4 m/s and within 0.17 s at 0.4 to
0.55 m/s, on average no more than 0.03 and 0.06 s off. Two things err on the careful side. The way
walked is v * (h - onset), and a profile's line takes it for v times the longer h + b/2. And of
three trials the longest counts, rounded up.

Warnings go on. DANGER, STOP and a fault are said as on any walk; only CAUTION and WARNING, which
would tell the wearer what is coming, are held back. If the device itself comes to DANGER first,
that is the signal. At STOP the trial is void, whatever the wearer did.
"""

import contextlib
import os
import random
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from device import config, files, profiles, sensors, toml
from device.clock import Clock
from device.core.alert import Alert, State
from device.core.pipeline import Pipeline, Step
from device.core.reading import Echo
from device.core.signals import Player
from device.errors import ConfigError, HardwareError, InputError
from device.loop import Ticker
from device.outputs import DeadMan, Outputs
from device.pins import Board
from device.ports import OpenPort
from device.selftest import Ask, Interrupts, naming_the_service
from device.settings import AlertSettings, Settings

TRIALS, TRIES = 3, 8
START_M, AWAY_M, AWAY_S = 4.0, 3.5, 1.0
"""Who is asked to stand at 4 m is heard nearer in warm air; a trial begins with the wall, or
nothing, at 3.5 m or more for so long."""
UNPROVEN_S = 5.0
CUE_FAR_M, CUE_NEAR_M = 3.2, 2.0
ROOM_S, LEAST_SPAN_M = 2.2, 0.2
"""Who walks fast has the signal farther out: so long before the heel would touch, of which STOP
takes the last 0.6 s; but always somewhere in the last LEAST_SPAN_M before CUE_FAR_M."""
LATEST_M = 1.7
"""Nearer than this no trial begins: there would be no room to stop in before STOP."""
LEAST_MPS = 0.3
SEEN_S = 0.25
BEFORE_S = 1.0
"""So much of the walk before the signal tells the pace."""
STOOD_S, STOOD_M = 0.7, 0.08
STOOD_SHARE = 0.1
"""Who stays within STOOD_M for STOOD_S stands; but for so many wild echoes at either end."""
STOP_WITHIN_S = 4.0
WALK_WITHIN_S = 120.0
DEAD_S = 3.0
ODD_M = 0.15
LEAST_ECHOES = 12
ROUGH_M = 0.06
ROUND_S = 0.05
LEAST_S, MOST_S = 0.2, 3.0
"""The bounds of alert.reaction_s."""
HARD_MPS2, SOFT_MPS2 = 5.0, 1.0
KEY = "alert.reaction_s"
READY = Alert(proven=True)
CUE = Alert(State.DANGER, closing=True, proven=True)
QUIET = Alert()

Sample = tuple[float, float]
"""(seconds, metres): one echo."""


class Stop(NamedTuple):
    """A walk's end: when, from which speed, how far from the wall, how rough the line was."""

    t_s: float
    speed_mps: float
    left_m: float
    scatter_m: float


class Trial(Struct, frozen=True):
    """One try. `void` says why it does not count; then the rest may be missing.

    `cue_m`: distance at the signal. `time_s`: from its onset until the wearer stood, to 0.01 s.
    `left_m`: what was left then.
    """

    cue_m: float | None = None
    speed_mps: float | None = None
    time_s: float | None = None
    left_m: float | None = None
    void: str | None = None


class Result(Struct, frozen=True):
    """The whole of it. `reaction_s` is None where too few trials counted."""

    key: str
    profile: str
    profile_s: float
    trials: list[Trial]
    times_s: list[float]
    reaction_s: float | None
    written: str | None
    good: bool


class VoidError(Exception):
    """The trial does not count, for the reason that it carries."""


def run(
    settings: Settings,
    clock: Clock,
    board: Board,
    rng: random.Random,
    open_port: OpenPort,
    say: Callable[[str], None],
) -> Result:
    """Measure; `say` takes lines for whoever walks along.

    Raises InputError for a sensor that sees too little, HardwareError for one that is dead or
    whatever cannot be opened, and KeyboardInterrupt when told to end.
    """
    reach_m = settings.sensor.max_range_m
    if reach_m < AWAY_M:
        raise InputError(
            f"sensor.max_range_m = {reach_m:g}: calibrate needs to see {AWAY_M:g} m;"
            f" without it, set {KEY} by hand"
        )
    trials: list[Trial] = []
    with (
        Interrupts() as interrupts,
        naming_the_service(),
        Outputs(board, settings.buzzer, settings.motor, settings.led) as outputs,
        DeadMan(outputs),
        contextlib.closing(
            sensors.open_sensor(
                settings.sensor.driver,
                sensors.Parts(settings.sensor, clock, board, rng, open_port),
            )
        ) as sensor,
        interrupts.armed(),
    ):
        stage = _Stage(settings, clock, sensor, outputs, say)
        while len(_times(trials)) < TRIALS and len(trials) < TRIES:
            say(
                f"{len(_times(trials)) + 1} of {TRIALS}: stand with your back to a wall,"
                f" {START_M:g} m or more from it, and wait"
            )
            if not stage.away():
                say(f"nothing was heard {AWAY_M:g} m or more away for {WALK_WITHIN_S:g} s")
                break
            say("walk backward toward the wall, at your usual pace; stop at once when it buzzes")
            trials.append(_trial(stage, rng.random()))
            say(_told(trials[-1]))
    return judged(settings.alert, trials)


def judged(alert: AlertSettings, trials: Sequence[Trial]) -> Result:
    """What the trials come to: the slowest, rounded up to 0.05 s."""
    times = _times(trials)
    reaction_s = None
    if len(times) >= TRIALS:
        steps = -int(-round(max(times), 2) / ROUND_S // 1)
        reaction_s = round(min(MOST_S, steps * ROUND_S), 2)
    return Result(
        KEY,
        alert.profile,
        profiles.NEEDS[alert.profile].human_s,
        list(trials),
        times,
        reaction_s,
        None,
        reaction_s is not None,
    )


def lines(found: Result) -> Iterator[str]:
    """The result for a person."""
    if found.reaction_s is None:
        voids = sum(trial.void is not None for trial in found.trials)
        yield f"NOT GOOD: {len(found.times_s)} of {TRIALS} trials counted, {voids} did not"
        return
    said = ", ".join(f"{time_s:.2f}" for time_s in found.times_s)
    yield f"from signal to standing: {said} s; the slowest counts, rounded up to {ROUND_S:g} s"
    yield f"reaction_s = {found.reaction_s:g}"
    given = f"the {found.profile_s:.3g} s of profile {found.profile!r}"
    if found.reaction_s > found.profile_s:
        longer_s = found.reaction_s - found.profile_s
        yield f"longer than {given}: every level begins {longer_s:.2f} s earlier with it"
        return
    yield f"not longer than {given}: its levels stay as they are, none comes later for it"
    fit_s = profiles.NEEDS["fit"].human_s
    if found.profile != "fit" and found.reaction_s <= fit_s:
        yield f'who wants later warnings chooses alert.profile = "fit", made for {fit_s:.3g} s'


# ------------------------------------------------------------------ the walk


class _Stage:
    """The device, listening; what it says is chosen here, but for what must be said."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        sensor: sensors.Sensor,
        outputs: Outputs,
        say: Callable[[str], None],
    ) -> None:
        pace = sensors.pace(settings.sensor)
        self._settings = settings
        self._sensor = sensor
        self._outputs = outputs
        self._say = say
        self._hinted = False
        self._pipeline = Pipeline(settings, pace)
        self._player = self._new_player()
        self._ticks = iter(Ticker(clock, self._due_s))
        self.lag_s = pace.lag_s

    def steps(self) -> Iterator[Step]:
        """The instants; each is to be answered by `play`."""
        for now_s in self._ticks:
            yield self._pipeline.step(now_s, self._sensor.poll(now_s))

    def play(self, step: Step, own: Alert) -> None:
        """Say `own`, or what the device itself has to say from DANGER on."""
        alert = step.alert
        must = alert.fault is not None or alert.state >= State.DANGER
        self._outputs.apply(step.t_s, self._player.step(step.t_s, alert if must else own))

    def away(self) -> bool:
        """Wait until the wall is far; chirp. False when that takes too long."""
        began_s: float | None = None
        since_s: float | None = None
        doubted_s: float | None = None
        for step in self.steps():
            self.play(step, QUIET)
            began_s = step.t_s if began_s is None else began_s
            distance_m, fault = step.track.distance_m, step.alert.fault
            if fault is None:
                doubted_s = None
            elif doubted_s is None:
                doubted_s = step.t_s
            elif step.t_s - doubted_s >= DEAD_S:
                raise HardwareError(f"sensor fault: {fault}; see rearguard selftest")
            if (distance_m is not None and distance_m < AWAY_M) or fault is not None:
                since_s = None
            elif step.alert.proven and since_s is None:
                since_s = step.t_s
            if not (self._hinted or step.alert.proven) and step.t_s - began_s >= UNPROVEN_S:
                self._hinted = True  # it may be covered, and nobody is to walk blindly
                self._say("nothing heard yet: hold a hand behind the sensor for a moment")
            if since_s is not None and step.t_s - since_s >= AWAY_S:
                self._player = self._new_player()  # which has its chirp still to say
                return True
            if step.t_s - began_s > WALK_WITHIN_S:
                return False
        return False

    def _new_player(self) -> Player:
        return Player(self._settings.buzzer, self._settings.motor)

    def _due_s(self) -> float:
        return min(self._sensor.due_s, self._pipeline.due_s, self._player.due_s)


def _trial(stage: _Stage, share: float) -> Trial:
    """One walk, with the signal at `share`, 0 to 1, of where it may be given."""
    heard: list[Sample] = []
    at_m: float | None = None
    try:
        cue_s, at_m = _until_cue(stage, share, heard)
        _until_stood(stage, cue_s, heard)
        stop = stopping(heard, cue_s)
        time_s = _proved(stop, cue_s)
    except VoidError as why:
        return Trial(cue_m=at_m, void=str(why))
    return Trial(round(at_m, 2), round(stop.speed_mps, 2), round(time_s, 2), round(stop.left_m, 2))


def _until_cue(stage: _Stage, share: float, heard: list[Sample]) -> tuple[float, float]:
    """(when the signal was given, how far the wall was). Raises VoidError."""
    began_s: float | None = None
    for step in stage.steps():
        began_s = step.t_s if began_s is None else began_s
        if isinstance(step.reading, Echo):
            heard.append((step.reading.t_s - stage.lag_s, step.reading.distance_m))
        due = _is_due(step, share)
        stage.play(step, CUE if due else READY)
        if due:
            return step.t_s, step.track.distance_m or 0.0
        _safe(step)
        if _seen_m(step) < CUE_NEAR_M:
            raise VoidError(
                f"slower than {LEAST_MPS:g} m/s at {CUE_NEAR_M:g} m from the wall,"
                " or the wall was heard too late"
            )
        if step.t_s - began_s > WALK_WITHIN_S:
            raise VoidError(f"nobody came nearer for {WALK_WITHIN_S:g} s")
    raise VoidError("ended")


def _is_due(step: Step, share: float) -> bool:
    """Whether now is the moment: where it was drawn, or once the device itself says DANGER."""
    closing_mps = step.track.closing_mps
    if closing_mps is None or closing_mps < LEAST_MPS or _unsafe(step) is not None:
        return False
    near_m = max(CUE_NEAR_M, profiles.HEEL_LEAD_M + ROOM_S * closing_mps)
    near_m = min(near_m, CUE_FAR_M - LEAST_SPAN_M)
    cue_m = near_m + share * (CUE_FAR_M - near_m)
    danger = step.alert.state is State.DANGER
    return _seen_m(step) >= LATEST_M and (danger or _seen_m(step) <= cue_m)


def _until_stood(stage: _Stage, cue_s: float, heard: list[Sample]) -> None:
    """Signal until the wearer stands. Raises VoidError."""
    for step in stage.steps():
        if isinstance(step.reading, Echo):
            heard.append((step.reading.t_s - stage.lag_s, step.reading.distance_m))
        stands = step.t_s - cue_s > STOOD_S and _stands(heard, step.t_s - stage.lag_s)
        stage.play(step, QUIET if stands else CUE)
        _safe(step)
        if stands:
            return
        if step.t_s - cue_s > STOP_WITHIN_S:
            raise VoidError(f"did not stand within {STOP_WITHIN_S:g} s")


def _stands(heard: Sequence[Sample], now_s: float) -> bool:
    """Whether the last echoes lie within what a standing person sways."""
    last = sorted(d_m for t_s, d_m in heard if t_s >= now_s - STOOD_S)
    wild = int(STOOD_SHARE * len(last))
    kept = last[wild : len(last) - wild]
    enough = len(last) >= 4 and heard[-1][0] >= now_s - SEEN_S
    return enough and kept[-1] - kept[0] <= STOOD_M


def _seen_m(step: Step) -> float:
    """How far what is heard at this moment is; infinite when it is nothing."""
    track = step.track
    fresh = track.age_s is not None and track.age_s <= SEEN_S
    return track.distance_m if fresh and track.distance_m is not None else float("inf")


def _unsafe(step: Step) -> str | None:
    if step.alert.fault is not None:
        return f"sensor fault: {step.alert.fault}"
    if step.alert.state >= State.STOP:
        return "it came to STOP, which goes before everything"
    return None


def _safe(step: Step) -> None:
    if (why := _unsafe(step)) is not None:
        raise VoidError(why)


# ------------------------------------------------------------------ when they stopped


def stopping(heard: Sequence[Sample], cue_s: float) -> Stop:
    """The walk's end in its echoes, by the line that the module tells of. Raises VoidError."""
    samples = _tame([sample for sample in heard if sample[0] >= cue_s - BEFORE_S])
    if len(samples) < LEAST_ECHOES:
        raise VoidError(f"only {len(samples)} echoes of the wall were heard")
    end_s = samples[-1][0]
    rough = _best(samples, _range(cue_s - 0.5, end_s, 0.1), (0.3,))
    if rough is None or rough.speed_mps <= 0.0:
        raise VoidError("no walk that ends was heard")
    shortest_s, longest_s = rough.speed_mps / HARD_MPS2, rough.speed_mps / SOFT_MPS2
    lengths = [shortest_s + (longest_s - shortest_s) * i / 8 for i in range(9)]
    fine = _best(samples, _range(rough.middle_s - 0.12, rough.middle_s + 0.12, 0.02), lengths)
    assert fine is not None  # the rough one is among them
    return Stop(
        fine.middle_s + fine.braking_s / 2,
        fine.speed_mps,
        fine.end_m,
        (fine.squares / len(samples)) ** 0.5,
    )


class _Line(NamedTuple):
    """One of the lines that are tried; `squares` is what it leaves over, square metres."""

    squares: float
    middle_s: float
    braking_s: float
    speed_mps: float
    end_m: float


def _best(
    samples: Sequence[Sample], middles_s: Sequence[float], lengths_s: Sequence[float]
) -> _Line | None:
    tried = (_line(samples, middle_s, b_s) for middle_s in middles_s for b_s in lengths_s)
    return min((line for line in tried if line is not None), default=None)


def _line(samples: Sequence[Sample], middle_s: float, braking_s: float) -> _Line | None:
    """Speed and end by least squares, for one middle and length of braking."""
    n = len(samples)
    sum_g = sum_gg = sum_d = sum_gd = sum_dd = 0.0
    for t_s, d_m in samples:
        g = _to_go_s(t_s, middle_s, braking_s)
        sum_g += g
        sum_gg += g * g
        sum_d += d_m
        sum_gd += g * d_m
        sum_dd += d_m * d_m
    spread = sum_gg - sum_g * sum_g / n
    if spread < 1e-9:
        return None
    speed_mps = (sum_gd - sum_g * sum_d / n) / spread
    squares = sum_dd - sum_d * sum_d / n - speed_mps * speed_mps * spread
    end_m = (sum_d - speed_mps * sum_g) / n
    return _Line(max(0.0, squares), middle_s, braking_s, speed_mps, end_m)


def _to_go_s(t_s: float, middle_s: float, braking_s: float) -> float:
    """g(t): the way left to walk, in seconds at the walking speed."""
    if t_s <= middle_s - braking_s / 2:
        return middle_s - t_s
    left_s = max(0.0, middle_s + braking_s / 2 - t_s)
    return left_s * left_s / (2 * braking_s)


def _tame(samples: Sequence[Sample]) -> list[Sample]:
    """Without echoes far off their neighbours: ghosts, and those that went round twice."""
    distances = [d_m for _, d_m in samples]
    return [
        (t_s, d_m)
        for i, (t_s, d_m) in enumerate(samples)
        if abs(d_m - statistics.median(distances[max(0, i - 2) : i + 3])) <= ODD_M
    ]


def _range(from_s: float, to_s: float, step_s: float) -> list[float]:
    return [from_s + i * step_s for i in range(int((to_s - from_s) / step_s + 1.5))]


def _proved(stop: Stop, cue_s: float) -> float:
    """Its time, if it is one that a person can have. Raises VoidError."""
    time_s = stop.t_s - cue_s
    if stop.scatter_m > ROUGH_M:
        raise VoidError("the wall was heard too unevenly; choose a flat one that faces you")
    if time_s < LEAST_S:
        raise VoidError("stopped before the signal")
    if time_s > MOST_S:
        raise VoidError(f"longer than {MOST_S:g} s")
    return time_s


def _times(trials: Sequence[Trial]) -> list[float]:
    return [trial.time_s for trial in trials if trial.time_s is not None]


def _told(trial: Trial) -> str:
    if trial.time_s is None:
        return f"does not count: {trial.void}"
    return (
        f"stood {trial.time_s:.2f} s after the signal, from {trial.speed_mps:.2f} m/s,"
        f" {trial.left_m:.2f} m from the wall"
    )


# ------------------------------------------------------------------ the file


def may_write(path: Path | None) -> Path:
    """The file that `write` would change, before anybody walks. Raises InputError."""
    if path is None:
        raise InputError(
            f"no configuration file to write {KEY} to; it would go to {_home()}: make that first,"
            " an empty one will do"
        )
    path = path.resolve()
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise InputError(f"{path}: may not be written; sudo rearguard calibrate --write")
    return path


def kept(found: Result, path: Path | None, write_it: bool, ask: Ask | None) -> tuple[Result, str]:
    """Write the result if that is wanted; the result with the file's name, and a line to say."""
    if found.reaction_s is None:
        return found, "nothing to write"
    assignment = f"reaction_s = {found.reaction_s:g}"
    if path is None and not write_it:
        return found, f"not written, for there is no file; it goes under [alert] into {_home()}"
    if not write_it:
        try:
            may_write(path)
        except InputError:
            return found, f"{path}: may not be written; with sudo, set {assignment} under [alert]"
        if ask is None or not ask(f"Write {assignment} into {path}?"):
            return found, f"not written; it goes under [alert] into {path}"
    file = may_write(path)
    write(file, found.reaction_s)
    changed: Result = msgspec.structs.replace(found, written=str(file))
    return changed, f"written to {file}; sudo systemctl reload rearguard makes it count"


def write(path: Path, reaction_s: float) -> None:
    """Set `alert.reaction_s` in the file and nothing else, in one instant. Raises ConfigError."""
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    changed = edited(text, reaction_s)
    before, after = (
        toml.decode(version.removeprefix("\ufeff"), str(path), ConfigError)
        for version in (text, changed)
    )
    alert: dict[str, Any] = {**before.get("alert", {}), "reaction_s": reaction_s}
    if after != {**before, "alert": alert}:
        raise ConfigError(f"{path}: is not written in the usual way; set {KEY} by hand")
    config.parse(after, str(path))
    try:
        files.replace(path, changed.encode("utf-8"), path.stat())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; nothing was changed") from error


_HEADER = re.compile(r"^\ufeff?\s*\[\s*alert\s*\]\s*(#.*)?$")
_ANY_HEADER = re.compile(r"^\ufeff?\s*\[")
_SET = re.compile(r"^(\s*reaction_s\s*=\s*)[^#\s]+(.*)$", re.DOTALL)
_SHOWN = re.compile(r"^\s*#\s*reaction_s\s*=")


def edited(text: str, reaction_s: float) -> str:
    """`text` with the key in its [alert] table, every other character as it was."""
    written = text.splitlines(keepends=True)
    end = "\r\n" if written and written[0].endswith("\r\n") else "\n"
    value = f"{reaction_s:g}"
    header = next((i for i, line in enumerate(written) if _HEADER.match(line)), None)
    if header is None:
        gap = "" if not text else end if text.endswith("\n") else end + end
        return f"{text}{gap}[alert]{end}reaction_s = {value}{end}"
    table = range(header + 1, len(written))
    after = next((i for i in table if _ANY_HEADER.match(written[i])), len(written))
    at = header
    for i in range(header + 1, after):
        if (found := _SET.match(written[i])) is not None:
            written[i] = f"{found[1]}{value}{found[2]}"
            return "".join(written)
        if _SHOWN.match(written[i]):
            at = i
    if not written[at].endswith("\n"):
        written[at] += end
    written.insert(at + 1, f"reaction_s = {value}{end}")
    return "".join(written)


def _home() -> Path:
    """Where a configuration file would be made."""
    return next((place for place in config.PLACES if place.parent.exists()), config.PLACES[-1])
