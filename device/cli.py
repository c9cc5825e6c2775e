"""The verbs, thin: arguments in, one call, an exit status out.

0: good. 1: it ran, and what it checked is not good. 2: usage, configuration or input
is wrong, said in one line on stderr. What a verb needs is imported inside it: `run` is
the one that must start quickly, and pays for nothing else.
"""

import argparse
import contextlib
import errno
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from device import __version__, config
from device.errors import InputError, RearguardError

if TYPE_CHECKING:
    from random import Random

    from device.clock import Clock
    from device.core.pipeline import Step
    from device.journal import Recording, Writer
    from device.pins import Board
    from device.ports import OpenPort
    from device.settings import Settings
    from device.sim.run import Walk

GOOD, NOT_GOOD, WRONG = 0, 1, 2
DEBUG = "REARGUARD_DEBUG"
HELP_WIDTH = 80
HISTORY = "keep walks in it, and readings beside it"
MOST_SEEDS = 100_000
MOST_DIGITS = 4000
"""Python will not read more."""


class Parser(argparse.ArgumentParser):
    """Argument errors as one line, like every other error; help at a fixed width.

    Left alone, argparse measures the terminal for every argument that is added, and
    importing what it measures with takes 4 ms of each start.
    """

    def __init__(self, **more: Any) -> None:
        width = functools.partial(argparse.HelpFormatter, width=HELP_WIDTH)
        super().__init__(formatter_class=width, **more)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is."""
        say(f"{self.prog}: {message}; see {self.prog} --help")
        raise SystemExit(WRONG)


def main(arguments: Sequence[str] | None = None) -> int:
    """The `rearguard` command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.verb(options)
        sys.stdout.flush()
    except RearguardError as error:
        say(f"rearguard: {' '.join(str(error).split())}")
        return WRONG
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing is left to flush to.
        _deafen(sys.stdout)
        return GOOD
    except KeyboardInterrupt:
        if getattr(options, "judges", False):
            say("rearguard: stopped; nothing was judged")
            return NOT_GOOD
        say("rearguard: stopped")
        return GOOD
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            say("rearguard: cannot write the output: the disk is full; send it elsewhere")
            _deafen(sys.stdout)
            return NOT_GOOD
        said = " ".join(str(error).split())
        say(
            f"rearguard: internal error: {type(error).__name__}: {said};"
            f" set {DEBUG}=1 for the details and please report them"
        )
        return NOT_GOOD
    return status


def say(text: str) -> None:
    """One line on stderr; when nobody reads it any more, that is no reason to end a walk."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _deafen(sys.stderr)


def _deafen(stream: TextIO) -> None:
    """Nobody reads `stream` any more: what still goes there goes nowhere, without an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def show(text: str) -> None:
    """One line on stdout, when it happens."""
    print(text, flush=True)


def _parser() -> Parser:
    parser = Parser(prog="rearguard", description="Warns someone who walks backward.")
    parser.add_argument("--version", action="version", version=f"rearguard {__version__}")
    verbs = parser.add_subparsers(
        prog="rearguard", metavar="VERB", required=True, parser_class=Parser
    )

    run = verbs.add_parser("run", help="the device itself, until SIGTERM or Ctrl-C")
    run.add_argument("--journal", metavar="FILE", type=Path, help="record every reading")
    run.add_argument("--history", metavar="FILE", type=Path, help=HISTORY)
    run.add_argument("--walk", action="store_true", help="a walk begins at once")
    run.set_defaults(verb=_run)

    quiet = verbs.add_parser("quiet", help="buzzer and motor low, after a `run` that was killed")
    quiet.set_defaults(verb=_quiet)

    simulate = verbs.add_parser("simulate", help="the same loop in a simulated world")
    simulate.add_argument("scenario", nargs="?", help="a shipped name or a TOML file")
    simulate.add_argument("--list", action="store_true", help="name the shipped scenarios")
    simulate.add_argument(
        "--seed",
        type=_whole,
        metavar="N",
        help="same seed, same world; with --fast the same journal",
    )
    simulate.add_argument("--fast", action="store_true", help="as fast as the computer can")
    simulate.add_argument(
        "--unheeded", action="store_true", help="the walker walks on as if nobody had warned"
    )
    simulate.add_argument("--duration", type=_seconds, metavar="S", help="end after S seconds")
    simulate.add_argument("--journal", metavar="FILE", type=Path, help="record every reading")
    simulate.add_argument("--history", metavar="FILE", type=Path, help=HISTORY)
    simulate.set_defaults(verb=_simulate)

    replay = verbs.add_parser("replay", help="recorded readings through the same pipeline")
    replay.add_argument("file", metavar="FILE", type=Path, help="a journal or a CSV")
    replay.add_argument("--journal", metavar="OUT", type=Path, help="record the replay")
    replay.add_argument(
        "--onsets", action="store_true", help="how soon things were noticed, beside other filters"
    )
    replay.set_defaults(verb=_replay)

    evaluate = verbs.add_parser("evaluate", help="how good the warnings are, over the whole suite")
    evaluate.add_argument(
        "--seeds", type=_some, default=20, metavar="N", help="walk each scenario N times (20)"
    )
    evaluate.add_argument(
        "--first-seed", type=_whole, default=1, metavar="N", help="the seeds begin here (1)"
    )
    evaluate.add_argument(
        "--jobs", type=_some, metavar="N", help="processes at once (one for each processor)"
    )
    evaluate.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="only this scenario; repeatable"
    )
    evaluate.add_argument(
        "--parts", action="store_true", help="also walk the suite with every other sensor"
    )
    evaluate.add_argument("--report", metavar="FILE", type=Path, help="an HTML page with pictures")
    evaluate.set_defaults(verb=_evaluate, judges=True)

    check = verbs.add_parser("check", help="configuration, pins, and what the wearer gets")
    check.set_defaults(verb=_check)

    about = _verbs_about_the_device(verbs) + _verbs_about_walks(verbs)
    for verb in (run, quiet, simulate, replay, evaluate, check, *about):
        verb.add_argument("--config", metavar="FILE", help="configuration file")
    for verb in (simulate, replay, evaluate, check):
        verb.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return parser


def _verbs_about_the_device(verbs: Any) -> list[Parser]:
    """Those for the one who has it on the table; returns the ones that take a configuration."""
    status = verbs.add_parser("status", help="what the running device sees and says")
    status.add_argument("--json", action="store_true", help="one JSON object on stdout")
    status.add_argument("--follow", action="store_true", help="go on telling, until Ctrl-C")
    status.add_argument("--socket", metavar="FILE", type=Path, help="where it listens")
    status.set_defaults(verb=_status)

    selftest = verbs.add_parser("selftest", help="buzzer, motor and sensor, one after the other")
    selftest.add_argument(
        "--ask",
        action=argparse.BooleanOptionalAction,
        help="ask what was felt (where there is a terminal)",
    )
    selftest.set_defaults(verb=_selftest, judges=True)

    calibrate = verbs.add_parser("calibrate", help="buzz, stop, three times: your own reaction")
    calibrate.add_argument(
        "--write", action="store_true", help="write the result into the configuration file"
    )
    calibrate.set_defaults(verb=_calibrate, judges=True)

    doctor = verbs.add_parser("doctor", help="what is wrong with this Pi, and the remedy")
    doctor.set_defaults(verb=_doctor)

    setup = verbs.add_parser("setup", help="the Pi's boot configuration: what would be changed")
    setup.add_argument(
        "--strict-gpio", action="store_true", help="let go of the pins when a program dies"
    )
    setup.add_argument("--serial", action="store_true", help="the serial port, without a console")
    setup.add_argument(
        "--shutdown-button",
        metavar="PIN",
        nargs="?",
        const=3,
        type=_whole,
        help="a button of the kernel's own to shut down (GPIO 3, which also wakes the Pi)",
    )
    setup.add_argument("--write", action="store_true", help="change it; needs root")
    setup.set_defaults(verb=_setup)

    for verb in (selftest, calibrate, doctor):
        verb.add_argument("--json", action="store_true", help="one JSON object on stdout")
    return [selftest, calibrate, doctor, setup]


def _verbs_about_walks(verbs: Any) -> list[Parser]:
    """Those for the one who walks; returns the ones that take a configuration."""
    walk = verbs.add_parser("walk", help="a safety check, and then a walk")
    walk.add_argument("--history", metavar="FILE", type=Path, help=HISTORY)
    walk.set_defaults(verb=_walk, judges=True)

    walks = verbs.add_parser("walks", help="the walks that were kept")
    walks.add_argument("--all", action="store_true", help="also those of less than a minute")
    walks.set_defaults(verb=_walks, history=None, json=False)
    parts = walks.add_subparsers(prog="rearguard walks", metavar="PART", parser_class=Parser)
    show = parts.add_parser("show", help="one walk: times, pace, alerts and why, reaction, effort")
    show.add_argument("--all", action="store_true", help="each CAUTION, too")
    show.set_defaults(verb=_walks_show)
    plan = parts.add_parser("plan", help="what was done, against the plan or the target")
    plan.set_defaults(verb=_walks_plan)
    export = parts.add_parser("export", help="all walks, or the seconds of one, as CSV or JSON")
    export.set_defaults(verb=_walks_export)
    explain = parts.add_parser("explain", help="a walk from its journal: each alert and its cause")
    explain.set_defaults(verb=_walks_explain, judges=True)
    for part, which in ((show, "the last"), (explain, "the last"), (export, "all")):
        part.add_argument("number", nargs="?", type=_whole, metavar="N", help=f"which ({which})")
    for part in (show, plan):
        drawn = "draw it: .png, .svg"
        part.add_argument("--plot", metavar="FILE", type=Path, help=drawn)
    for part in (walks, show, plan, export, explain):
        part.add_argument(
            "--history",
            metavar="FILE",
            type=Path,
            default=argparse.SUPPRESS,
            help="a history other than the service's",
        )
        part.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="one JSON object on stdout",
        )
    return [walk, plan]


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give a whole number from 0")
    return int(text)


def _some(text: str) -> int:
    number = _whole(text)
    if not 0 < number <= MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text[:40]}: give a whole number, 1 to {MOST_SEEDS}")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, above 0 and up to 86400")
    return seconds


def _run(options: argparse.Namespace) -> int:
    from device import daemon
    from device.check import source_name
    from device.watch import Asked

    def read() -> "tuple[Settings, str]":
        settings, path = _settings(options)
        return settings, source_name(path)

    asked = Asked(options.journal, options.history, options.walk)
    return daemon.run(read, asked, say)


def _quiet(options: argparse.Namespace) -> int:
    from device import daemon

    try:
        settings, _ = _settings(options)
    except RearguardError as error:
        raise InputError(f"{error}; nothing was quietened: mend it, or pull the power") from error
    show(daemon.quiet(settings))
    return GOOD


def _simulate(options: argparse.Namespace) -> int:
    from device.clock import PacedClock, VirtualClock
    from device.daemon import Stopper
    from device.sim import scenario as scenarios
    from device.sim import summary as summaries
    from device.sim.run import Walk

    if options.list:
        return _list(options)
    settings, _ = _settings(options)
    seed = settings.simulation.seed if options.seed is None else options.seed
    scenario = scenarios.load(options.scenario or settings.simulation.scenario)
    if options.unheeded:
        scenario = scenarios.unheeded(scenario)
    if options.duration is not None:
        scenario = scenarios.shortened(scenario, options.duration)
    walk = Walk(scenario, settings, seed, VirtualClock() if options.fast else PacedClock())
    with contextlib.ExitStack() as stack:
        stopper = stack.enter_context(Stopper())
        stopper.tell(walk.stop)
        observers: list[Callable[[Step], None]] = []
        if not options.json:
            observers.append(stack.enter_context(_shown(walk, seed, options.fast)))
        writer = _writer(stack, options.journal, settings)
        observers += _kept(stack, walk, options)
        if writer is not None:
            observers.append(writer)
        summary = walk.go(observers)
    kept = _journal_kept(options.journal, writer)
    if options.json:
        print(summaries.to_json(summary, interrupted=stopper.asked, **walk.figures()))
    elif stopper.asked:
        print(f"stopped by you after {summary.duration_s:.1f} s; outputs low")
    else:
        print(f"{'good' if summary.good else 'NOT GOOD'}: {summary.verdict}")
    return GOOD if kept and (summary.good or stopper.asked) else NOT_GOOD


def _list(options: argparse.Namespace) -> int:
    import json

    from device.sim import scenario as scenarios

    titles = {name: scenarios.load(name).title for name in scenarios.shipped()}
    variants = {name: found for name in titles if (found := scenarios.variants(name)) != [name]}
    if options.json:
        print(json.dumps({"scenarios": titles, "variants": variants}))
        return GOOD
    for name, title in titles.items():
        also = "".join(f"  {full.removeprefix(name)}" for full in variants.get(name, []))
        print(f"{name:17} {title}{also}")
    return GOOD


def _shown(
    walk: "Walk", seed: int, fast: bool
) -> "contextlib.AbstractContextManager[Callable[[Step], None]]":
    """The live picture on a terminal, plain lines elsewhere."""
    from device.sim.lines import Lines

    if not fast and sys.stdout.isatty():
        try:
            from rich.console import Console

            from device.sim.view import VIEW_WIDTH, LiveView
        except ImportError:
            say('rearguard: for the live picture: pip install "rearguard[view]"')
        else:
            console = Console()
            wide = console.width >= VIEW_WIDTH and not console.is_dumb_terminal
            if wide and console.encoding.startswith("utf"):
                return LiveView(walk, seed, console)
    return contextlib.nullcontext(Lines(show))


def _replay(options: argparse.Namespace) -> int:
    import json

    from device import journal
    from device.sim import replay

    settings, _ = _settings(options)
    recording = journal.read(options.file, settings)
    if options.onsets and options.journal is not None:
        raise InputError("--onsets decides nothing that a journal could hold; leave --journal out")
    if options.onsets:
        return _onsets(options, recording, settings)
    # A part of a longer walk began amid what the part before it knew: its levels may differ.
    whole = recording.began is None or recording.began.part == 0
    recorded_as = recording.settings is not None and options.config is None and whole
    if recording.settings is not None and options.config is None:
        settings = recording.settings
    account = replay.Account(recording.levels if recorded_as else None)
    with contextlib.ExitStack() as stack:
        writer = _writer(stack, options.journal, settings)
        observers: list[Callable[[Step], None]] = [account]
        if not options.json:
            from device.sim.lines import Lines

            observers.append(Lines(print))
        if writer is not None:
            observers.append(writer)
        for step in replay.steps(recording, settings):
            for observe in observers:
                observe(step)
    kept = _journal_kept(options.journal, writer)
    print(json.dumps(account.figures(str(options.file))) if options.json else account.verdict())
    return GOOD if kept and not account.disagreements else NOT_GOOD


def _onsets(options: argparse.Namespace, recording: "Recording", settings: "Settings") -> int:
    import msgspec

    from device.evaluate import recordings, table

    found = recordings.onsets(recording, settings)
    if options.json:
        print(msgspec.json.encode({"file": str(options.file), "onsets": found}).decode())
    else:
        print("\n".join(table.recording(found)))
    return GOOD


def _evaluate(options: argparse.Namespace) -> int:
    import signal

    from device.evaluate import command

    settings, _ = _settings(options)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    jobs = options.jobs or os.cpu_count() or 1
    # Its children must not outlive it.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        good = command.evaluate(
            options.only,
            seeds,
            settings,
            jobs,
            json=options.json,
            report=options.report,
            every_part=options.parts,
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    return GOOD if good else NOT_GOOD


def _check(options: argparse.Namespace) -> int:
    from device import check

    settings, path = _settings(options)
    if settings.gpio.factory == "mock":
        from device.sim import scenario

        scenario.load(settings.simulation.scenario)  # `run` would refuse it, so say it here
    found = check.report(settings, check.source_name(path))
    _print(found, check.lines(found), options.json)
    return GOOD if found.good else NOT_GOOD


def _status(options: argparse.Namespace) -> int:
    from device import status

    return status.show(options.socket or status.PATH, options.follow, options.json, sys.stdout, say)


def _selftest(options: argparse.Namespace) -> int:
    from device import selftest

    settings, _ = _settings(options)
    asks = selftest.can_ask() and not options.json if options.ask is None else options.ask
    with _surroundings(settings) as around:
        found = selftest.run(settings, *around, selftest.asked if asks else None, say)
    _print(found, selftest.lines(found), options.json)
    return GOOD if found.good else NOT_GOOD


def _calibrate(options: argparse.Namespace) -> int:
    from device import calibrate, selftest

    settings, path = _settings(options)
    if options.write:
        calibrate.may_write(path)
    with _surroundings(settings) as around:
        found = calibrate.run(settings, *around, say)
    asks = not options.json and selftest.can_ask()
    if not options.json:
        print("\n".join(calibrate.lines(found)))
    found, written = calibrate.kept(found, path, options.write, selftest.asked if asks else None)
    _print(found, [written], options.json)
    return GOOD if found.reaction_s is not None else NOT_GOOD


def _doctor(options: argparse.Namespace) -> int:
    from device import doctor

    path = config.find_file(options.config)
    settings: Settings | RearguardError
    try:
        settings = config.load(path)
    except RearguardError as error:
        settings = error
    found = doctor.examine(settings, path)
    good = doctor.good(found)
    _print({"good": good, "findings": found}, doctor.lines(found), options.json)
    return GOOD if good else NOT_GOOD


def _setup(options: argparse.Namespace) -> int:
    from device import boot

    settings, _ = _settings(options)
    wanted = boot.Wanted(
        strict_gpio=options.strict_gpio,
        serial=options.serial,
        shutdown_button=options.shutdown_button,
    )
    made = boot.plan(settings, wanted)
    for line in (boot.write if options.write else boot.lines)(made):
        show(line)
    return GOOD


def _walk(options: argparse.Namespace) -> int:
    from device import daemon, status
    from device.check import source_name
    from device.selftest import asked
    from device.walks import command, safety
    from device.watch import Asked

    if not sys.stdin.isatty():
        raise InputError("walk asks questions: run it on a terminal, or rearguard run --walk")
    settings, path = _settings(options)
    on = settings.gpio.factory != "mock" and status.running()
    history = options.history or command.made(command.own_place())
    if not on:
        daemon.check_history(history)
    if not safety.check(asked, show, on).good:
        return NOT_GOOD
    if on:
        show("The device is watching: the walk begins when you move, or press the button twice.")
        return GOOD
    by_hand = Asked(history=history, walking=True)
    ended = daemon.run(lambda: (settings, source_name(path)), by_hand, say)
    named = f" --history {options.history}" if options.history else ""
    show(f"what was kept of it: rearguard walks show{named}")
    return ended


def _walks(options: argparse.Namespace) -> int:
    from device.walks import command

    _print(*command.listing(options.history or command.place(), options.all), options.json)
    return GOOD


def _walks_show(options: argparse.Namespace) -> int:
    from device.walks import command

    path = options.history or command.place()
    _print(*command.show(path, options.number, options.plot, options.all), options.json)
    return GOOD


def _walks_plan(options: argparse.Namespace) -> int:
    from device.walks import command

    settings, found = _settings(options)
    path = options.history or command.place()
    answer = command.plan(path, settings.coach, options.plot, configured=found is not None)
    _print(*answer, options.json)
    return GOOD


def _walks_export(options: argparse.Namespace) -> int:
    from device.walks import command

    print(command.export(options.history or command.place(), options.json, options.number), end="")
    return GOOD


def _walks_explain(options: argparse.Namespace) -> int:
    from device.walks import command

    found, lines, good = command.explain(options.history or command.place(), options.number)
    _print(found, lines, options.json)
    return GOOD if good else NOT_GOOD


def _print(found: object, lines: Iterable[str], as_json: bool) -> None:
    """A finding, for a program or for a person."""
    if as_json:
        import msgspec

        print(msgspec.json.encode(found).decode())
    else:
        print("\n".join(lines))


@contextlib.contextmanager
def _surroundings(settings: "Settings") -> "Iterator[tuple[Clock, Board, Random, OpenPort]]":
    """Clock, board, chance and ports, as `run` has them."""
    from device import watch

    with contextlib.ExitStack() as stack:
        around = watch.surroundings(settings, stack)
        stack.callback(around[1].close)
        yield around


def _settings(options: argparse.Namespace) -> tuple["Settings", Path | None]:
    """The configuration that counts, and its file."""
    path = config.find_file(options.config)
    return config.load(path), path


def _writer(
    stack: contextlib.ExitStack, path: Path | None, settings: "Settings"
) -> "Writer | None":
    """A journal at `path`, closed with `stack`; None without a path."""
    if path is None:
        return None
    from device import journal

    writer = journal.Writer(stack.enter_context(journal.create(path)), settings)
    stack.callback(writer.flush)
    return writer


def _kept(
    stack: contextlib.ExitStack, walk: "Walk", options: argparse.Namespace
) -> list[Callable[["Step"], None]]:
    """History and readings of a simulated walk, as if it had begun at this moment."""
    path = options.history
    if path is None:
        return []
    import sqlite3
    import uuid

    from device import keeper, when
    from device.history.book import open_book, week_after
    from device.history.scribe import Notebook
    from device.journal import Began

    try:
        book = stack.enter_context(open_book(path))
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"{path}: cannot be written: {error}; name another") from error
    walk.week = week_after(book.done())
    began = Began(f"simulated-{uuid.uuid4()}", 0.0, when.now_s(), synchronised=True)
    notebook = Notebook(book, walk.settings, began.boot_id, zero_wall_s=began.wall_s)
    most_bytes = walk.settings.journal.most_mb * 2**20
    files = keeper.Files(path.parent / keeper.JOURNALS, walk.settings, most_bytes, began)
    readings = keeper.Direct(files)
    stack.callback(notebook.close)
    stack.callback(readings.close)
    return [notebook, readings]


def _journal_kept(path: Path, writer: "Writer | None") -> bool:
    """Whether the journal that was asked for is whole; if not, say so."""
    if writer is not None and writer.failed is not None:
        why = writer.failed.strerror
        say(f"rearguard: {path}: journal ended early: {why}; free space or move it")
        return False
    return True
