"""`rearguard evaluate`: walk the suite, judge it, show it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from device.errors import InputError
from device.evaluate import gates, parts, suite, table
from device.evaluate.gates import Verdict
from device.evaluate.peers import OURS
from device.evaluate.progress import bar
from device.evaluate.rows import Row, as_json, row
from device.evaluate.score import Tally
from device.evaluate.suite import Done
from device.settings import Settings


class Outcome(NamedTuple):
    """What a suite came to, ready to be shown."""

    total: Tally
    rows: list[Row]
    """A scenario each, ours."""
    contenders: list[Row]
    verdicts: list[Verdict]


def outcome(done: Sequence[Done]) -> Outcome:
    """Sum and judge; `done` must not be empty."""
    whole = suite.total(done)
    return Outcome(
        whole,
        [row(part.name, part.tallies[OURS]) for part in done],
        [row(name, suite.total(done, name)) for name in done[0].tallies],
        gates.judge(whole),
    )


def evaluate(
    only: Sequence[str],
    seeds: range,
    settings: Settings,
    jobs: int,
    *,
    json: bool,
    report: Path | None,
    every_part: bool = False,
) -> bool:
    """Print the verdict, as text or JSON, write the page; whether every gate is met.

    `every_part`: compare all parts that there is a driver for. Raises InputError, ConfigError.
    """
    names = suite.chosen(only)
    if report is not None:
        _check_writable(report)
    walks = len(names) * len(seeds)
    others = 0
    if every_part:
        mine = parts.named(settings)
        others = sum(fitted.settings != mine for fitted in parts.fitted(settings))
    with bar(walks * (1 + others), quiet=json) as progress:
        done = suite.evaluate(names, seeds, settings, jobs, progress=progress)
        compared = parts.compare(only, seeds, settings, jobs, done, progress) if every_part else []
    if report is not None:
        from device.evaluate.report import page  # noqa: PLC0415 - only who asks pays

        report.write_text(page(done, settings, seeds, compared), encoding="utf-8")
    total, rows, contenders, verdicts = outcome(done)
    good = not any(verdict.passed is False for verdict in verdicts)
    if json:
        whole = {"gates": verdicts, "scenarios": rows, "contenders": contenders}
        if every_part:
            whole["parts"] = compared
        print(as_json(good, seeds, **whole, cases=total.cases))
        return good
    blocks = [table.scenarios([*rows, row("all", total)]), table.peers(contenders)]
    if every_part:
        blocks.append(table.parts(compared))
    blocks.append(table.gates(verdicts))
    print("\n\n".join("\n".join(block) for block in blocks))
    measured = [verdict.passed for verdict in verdicts if verdict.passed is not None]
    words = f"good: {len(measured)} of {len(verdicts)} gates measured, all met"
    print(words if good else f"NOT GOOD: {measured.count(False)} of {len(verdicts)} gates missed")
    return good


def _check_writable(path: Path) -> None:
    """Better said now than when the work is done, in vain; what is there stays until then."""
    there = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a file that can be written") from error
