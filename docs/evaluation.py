"""Renews the figures in docs/evaluation.md and README.md: `python docs/evaluation.py`.

It walks the suite at the seeds that are reported, 1 to 100 and with every sensor 1 to 20, which
takes ten minutes or so, and writes what it finds between the markers in both files.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from device.evaluate import parts, suite, table
from device.evaluate.command import outcome
from device.evaluate.figures import Figure
from device.evaluate.parts import Part
from device.evaluate.peers import OURS
from device.evaluate.rows import Row, row
from device.settings import Settings

SEEDS, PART_SEEDS = range(1, 101), range(1, 21)
SHOWN_LOST = 5
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Walk, and write."""
    jobs = os.cpu_count() or 1
    done = suite.evaluate(suite.chosen([]), SEEDS, Settings(), jobs)
    total, rows, contenders, verdicts = outcome(done)
    renew(ROOT / "README.md", "peers", markdown(contenders))
    compared = parts.compare([], PART_SEEDS, Settings(), jobs)
    renew(ROOT / "README.md", "parts", parts_markdown(compared))
    for name, lines in (
        ("scenarios", table.scenarios([*rows, row("all", total)])),
        ("peers", table.peers(contenders)),
        ("gates", table.gates(verdicts)),
        ("parts", table.parts(compared)),
    ):
        renew(ROOT / "docs" / "evaluation.md", name, ["```text", *lines, "```"])


def markdown(contenders: Sequence[Row]) -> Iterator[str]:
    """The README's table: misses and false alarms, side by side."""
    yield "| the same pings, heard by | told in time | false alarms /h | touched all the same |"
    yield "|---|---|---|---|"
    for one in contenders:
        name = f"**{one.name}**" if one.name == OURS else one.name
        told, alarms = percent(one.recall), one.false_warning_per_h.value or 0.0
        yield f"| {name} | {told} | {alarms:.1f} | {percent(one.contacts)} |"


def parts_markdown(compared: Sequence[Part]) -> Iterator[str]:
    """The README's table of sensors, each in the mode in which it is best."""
    heads = ("sensor", "readings a second", "told in time", "false alarms /h", "gives up most of")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    best: dict[str, Part] = {}
    for part in compared:
        name = part.total.name.removesuffix(" realtime").removesuffix(" request")
        told = part.total.recall.value or 0.0
        if name not in best or told > (best[name].total.recall.value or 0.0):
            best[name] = part
    for part in best.values():
        lost = sorted(part.gives_up, key=lambda walk: part.gives_up[walk])
        named = ", ".join(dict.fromkeys(walk.partition("@")[0] for walk in lost))
        few = ", ".join(named.split(", ")[:SHOWN_LOST]) or "-"
        alarms = part.total.false_warning_per_h.value or 0.0
        rate = f"{1 / part.period_s:.0f}"
        yield f"| {part.name} | {rate} | {percent(part.total.recall)} | {alarms:.1f} | {few} |"


def percent(figure: Figure) -> str:
    """A share as people read it."""
    return "-" if figure.value is None else f"{100 * figure.value:.1f} %"


def renew(path: Path, name: str, lines: Sequence[str] | Iterator[str]) -> None:
    """Put `lines` between the markers called `name`."""
    begin, end = f"<!-- {name}: python docs/evaluation.py -->", f"<!-- end of {name} -->"
    body = "\n".join(lines)
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = path.read_text("utf-8")
    if not marked.search(text):
        raise SystemExit(f"{path}: no markers for {name}")
    path.write_text(marked.sub(lambda _: f"{begin}\n{body}\n{end}", text), "utf-8")


if __name__ == "__main__":
    main()
