"""The suite's figures as plain text: a row a scenario, the gates, the peers."""

import math
import textwrap
from collections.abc import Iterator, Sequence

from device.evaluate.figures import Figure
from device.evaluate.gates import Verdict
from device.evaluate.parts import Part
from device.evaluate.recordings import Onsets
from device.evaluate.rows import Row

NONE = "·"
HEADS = (
    ("walk", 20),
    ("told", 9),
    ("onset p95", 20),
    ("time left", 10),
    ("false/h", 11),
    ("flips", 6),
    ("hold", 5),
    ("calm", 5),
    ("fault", 6),
    ("clear", 6),
    ("contact", 9),
)
PART_LEGEND = (
    "told: of the walks that the usual part, the first, can hear in time   /s: readings a second",
    "gives up, gains: walks of which 5 of 100 fewer, or more, are told in time, and the share told",
    "false/h: WARNING or more, CAUTION; and walks with 2 an hour more than with the usual part",
)
LEGEND = (
    "told: in time to stop, of walks that needed it; (in brackets: could not be heard in time, not"
    " counted)",
    "onset p95: CAUTION WARNING DANGER STOP, s after each is due   "
    "time left: s to the touch at WARNING, p50, and DANGER, p5",
    "false/h: WARNING or more, CAUTION   flips: /min   hold: share of WARNING's time   "
    "calm: s until released, p95",
    "fault: s until announced, the slowest   clear: s of CLEAR with a dead sensor   "
    "contact: touched all the same",
    "what no device can do well in (a 'beyond' in the scenario) is shown, and is not in the sum",
)


def scenarios(rows: Sequence[Row]) -> Iterator[str]:
    """A line a scenario; the last row is the sum."""
    yield _line([head for head, _ in HEADS])
    for row in rows:
        yield _line(_cells(row))
    yield ""
    yield from LEGEND


WIDTH, INDENT = 100, "    "
PART_HEADS = (("part", 32), ("/s", 4), ("told", 9), ("false/h", 11), ("fault", 6), ("contact", 9))


def parts(found: Sequence[Part]) -> Iterator[str]:
    """A line a part, and what it gives up, gains, and warns of for nothing."""
    yield _line([head for head, _ in PART_HEADS], PART_HEADS)
    for part in found:
        cells = dict(zip((head for head, _ in HEADS), _cells(part.total), strict=True))
        rate = f"{1 / part.period_s:.0f}" if part.period_s else NONE
        shown = [part.name, rate, *(cells[head] for head, _ in PART_HEADS[2:])]
        yield _line(shown, PART_HEADS)
        walks = {
            "gives up": [f"{name} {100 * told:.0f}%" for name, told in part.gives_up.items()],
            "gains": [f"{name} {100 * told:.0f}%" for name, told in part.gains.items()],
            "false/h": [f"{name} {alarms:.0f}" for name, alarms in part.alarms.items()],
        }
        for what, named in walks.items():
            if named:
                yield from textwrap.wrap(
                    f"{what}: {', '.join(named)}",
                    WIDTH,
                    initial_indent=INDENT,
                    subsequent_indent=2 * INDENT,
                    break_on_hyphens=False,
                )
    yield ""
    yield from PART_LEGEND


def _cells(row: Row) -> list[str]:
    told = NONE
    if row.recall.value is not None:
        told = f"{round(row.recall.value * row.recall.n)}/{row.recall.n:.0f}"
    elif row.undetectable:
        told = f"({row.undetectable_met}/{row.undetectable})"
    contacts = NONE
    if row.contacts.value is not None:
        contacts = f"{round(row.contacts.value * row.contacts.n)}/{row.contacts.n:.0f}"
    return [
        row.name,
        told,
        " ".join(short(figure, 2).rjust(4) for figure in row.onset_p95_s.values()),
        f"{short(row.warning_ttc_p50_s, 2)} {short(row.danger_ttc_p5_s, 2)}",
        f"{short(row.false_warning_per_h, 1)} {short(row.false_caution_per_h, 1)}",
        short(row.flips_per_min, 1),
        short(row.hold, 2),
        short(row.release_p95_s, 2),
        short(row.fault_slowest_s, 2),
        short(row.clear_while_dead_s, 1),
        contacts,
    ]


def _line(cells: Sequence[str], heads: Sequence[tuple[str, int]] = HEADS) -> str:
    padded = [
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, (_, width)) in enumerate(zip(cells, heads, strict=True))
    ]
    return " ".join(padded).rstrip()


def gates(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """A line a gate, with how sure the sample can be."""
    for v in verdicts:
        sign = {True: "pass", False: "FAIL", None: "  - "}[v.passed]
        bound = ">=" if v.least else "<="
        measured = short(v.figure, 4) + (
            f" {v.unit}" if v.unit and v.figure.value is not None else ""
        )
        line = f"{sign}  {v.title:50} {bound} {v.limit:<5g} {measured:>12}  {interval(v.figure)}"
        yield line.rstrip()


def peers(rows: Sequence[Row]) -> Iterator[str]:
    """A line a contender, ours first."""
    yield (
        f"{'the same echoes, heard by':28} {'told in time':>21} {'false alarms/h':>22}"
        f" {'flips/min':>9} {'contacts':>9} {'clear dead':>10}"
    )
    for row in rows:
        yield (
            f"{row.name:28} {short(row.recall, 3):>6} {interval(row.recall, 3):>14}"
            f" {short(row.false_warning_per_h, 1):>7} {interval(row.false_warning_per_h, 1):>14}"
            f" {short(row.flips_per_min, 1):>9} {short(row.contacts, 3):>9}"
            f" {short(row.clear_while_dead_s, 0) + ' s':>10}"
        )


def recording(found: Sequence[Onsets]) -> Iterator[str]:
    """Onsets in a recording, a block a threshold."""
    yield (
        f"{'within':>7}  {'contender':20} {'onsets':>6} {'missed':>6}"
        f" {'delay p50':>9} {'p95':>6}  spurious"
    )
    for one in found:
        yield (
            f"{one.threshold_m:5.1f} m  {one.contender:20} {one.real:6} {one.missed:6}"
            f" {short(one.delay_p50_s, 2):>9} {short(one.delay_p95_s, 2):>6}"
            f"  {one.spurious} ({short(one.spurious_per_h, 0)}/h)"
        )


def short(figure: Figure, digits: int) -> str:
    """A figure's value in few characters."""
    if figure.value is None:
        return NONE
    return "never" if math.isinf(figure.value) else f"{figure.value:.{digits}f}"


def interval(figure: Figure, digits: int = 4) -> str:
    """Its 95 % interval, where it has one."""
    if figure.low is None or figure.high is None:
        return ""
    high = "never" if math.isinf(figure.high) else f"{figure.high:.{digits}f}"
    return f"({figure.low:.{digits}f}-{high})"
