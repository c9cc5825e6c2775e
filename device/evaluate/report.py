"""A suite's outcome as one HTML page that can be read, printed, mailed and kept.

The page answers three questions in this order: were the promises kept (the gates), where
not (a row for each walk), and what did it look like (every kind of complaint as a picture,
walked again from its name and seed). It is honest before it is pretty: every figure has its
interval, "nothing was measured" is a dash and "it never came" the word never, and what does
not count is shown all the same. It needs nothing but itself: no script, no font, no
picture from anywhere, so that it still opens in ten years.
"""

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

import msgspec

from device import __version__
from device.evaluate import plot
from device.evaluate import score as definitions
from device.evaluate.figures import Figure
from device.evaluate.gates import Verdict, judge
from device.evaluate.parts import Part
from device.evaluate.peers import OURS, PEERS, THRESHOLD_M
from device.evaluate.rows import Row, row
from device.evaluate.score import Case, Tally
from device.evaluate.suite import Done, total
from device.settings import Settings
from device.sim import scenario as scenarios

DASH = "–"

MISSES, FALSE_CAUTIONS = "misses: not told to stop in time", "false CAUTIONs"
KINDS = (
    ("not told to stop", MISSES),
    ("s of CLEAR", "CLEAR while the sensor was out of order"),
    ("never announced", "faults that were never announced"),
    ("touched", "touched all the same"),
    ("WARNING or more", "false alarms, WARNING or more"),
    ("a fault while", "faults while the sensor was well"),
    ("a false CAUTION", FALSE_CAUTIONS),
)
"""What complaints have in common, the gravest first: a sign in their words, and a title."""


def page(
    done: Sequence[Done],
    settings: Settings,
    seeds: range,
    compared: Sequence[Part] = (),
    cases_shown: int = 24,
) -> str:
    """The whole report. Raises InputError where a walk cannot be walked again."""
    ours = total(done)
    verdicts = judge(ours)
    body = (
        _head(ours, verdicts, settings, seeds),
        _gates(verdicts),
        _scenarios(done, ours),
        _peers(done),
        _parts(compared),
        _cases(ours.cases, settings, cases_shown),
        _foot(),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>rearguard: how good are the warnings?</title>"
        f"<style>{STYLE}{plot.STYLE}</style></head>\n"
        f"<body>{plot.PATTERN}\n{''.join(body)}</body></html>\n"
    )


# --------------------------------------------------------------------------- header


def _head(ours: Tally, verdicts: Sequence[Verdict], settings: Settings, seeds: range) -> str:
    changed = _changed(settings)
    facts = (
        ("version", f"rearguard {__version__}"),
        ("profile", settings.alert.profile),
        ("seeds", f"{seeds[0]} to {seeds[-1]}" if seeds else "none"),
        ("walks", f"{ours.runs:,}, {row('', ours).hours:,.2f} simulated hours judged"),
        ("settings", f"the defaults, but for {', '.join(changed)}" if changed else "the defaults"),
    )
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts)
    return (
        "<header><h1>rearguard: how good are the warnings?</h1>"
        "<p>A suite of simulated backward walks, each held against what was truly there: was the"
        " wearer told in time, left in peace otherwise, and told when the sensor failed?</p>"
        f"{_overall(ours.runs, verdicts)}<dl>{rows}</dl>"
        "<p><small>All of it is simulated; nothing here was measured on a person or a Raspberry"
        " Pi.</small></p></header>\n"
    )


def _overall(runs: int, verdicts: Sequence[Verdict]) -> str:
    failed = [verdict.title for verdict in verdicts if verdict.passed is False]
    unknown = sum(verdict.passed is None for verdict in verdicts)
    rest = f" {unknown} could not be measured by these walks." if unknown else ""
    if failed:
        titles = ", ".join(f"“{title}”" for title in failed)
        words = f"Failed: {len(failed)} of {len(verdicts)} gates: {titles}.{rest}"
        return f'<p class="overall bad"><b>✗ {escape(words)}</b></p>'
    if not runs:
        return '<p class="overall"><b>– Nothing was measured.</b></p>'
    words = f"Passed: all {len(verdicts) - unknown} gates that were measured.{rest}"
    return f'<p class="overall fine"><b>✓ {words}</b></p>'


def _changed(settings: Settings) -> list[str]:
    """What differs from the defaults, for whoever wants to walk it again."""
    theirs, usual = msgspec.to_builtins(settings), msgspec.to_builtins(Settings())
    return [
        f"{section}.{key} = {value}"
        for section, table in theirs.items()
        for key, value in table.items()
        if value != usual[section][key]
    ]


# ---------------------------------------------------------------------------- gates


def _gates(verdicts: Sequence[Verdict]) -> str:
    rows = (
        (
            escape(verdict.title),
            _verdict(verdict),
            f"{'≥' if verdict.least else '≤'} {_value(verdict.limit, verdict.unit)}",
            f"<b>{_value(verdict.figure.value, verdict.unit)}</b>",
            _interval(verdict.figure, verdict.unit),
            _measured_on(verdict),
            plot.whisker(
                verdict.figure, verdict.limit, least=verdict.least, share=not verdict.unit
            ),
        )
        for verdict in verdicts
    )
    heads = ("gate", "verdict", "limit", "measured", "95 % interval", "n", "against the limit")
    return (
        "<section><h2>Gates</h2>"
        f"{_table(heads, rows)}"
        "<p><small>The interval says how much another draw of seeds may differ, taking walks to be"
        " independent; it says nothing of how far the simulator is from a real street. Where the"
        " limit lies within it, more seeds are needed to be sure. A p95’s interval ends at the"
        " largest sample at the latest, which is too soon for fewer than 72.</small></p>"
        "</section>\n"
    )


def _verdict(verdict: Verdict) -> str:
    if verdict.passed is None:
        return f"{DASH} not measured"
    figure, limit = verdict.figure, verdict.limit
    unsure = (
        figure.low is not None
        and figure.high is not None
        and (
            figure.low < limit <= figure.high
            if verdict.least
            else figure.low <= limit < figure.high
        )
    )
    note = " <small>but not for sure</small>" if unsure else ""
    word = '<b class="fine">✓ pass</b>' if verdict.passed else '<b class="bad">✗ fail</b>'
    return word + note


_N_OF = {
    "recall": "approaches",
    "contacts": "touches without",
    "hold": "s due",
    "release": "releases",
    "fault": "breakages",
    "clear": "breakages",
    "onset": "onsets",
}
"""What a figure's n counts, where its unit does not tell."""


def _measured_on(verdict: Verdict) -> str:
    n = verdict.figure.n
    if not n or verdict.figure.value is None:
        return DASH
    by_unit = {"/h": "h", "/min": "min"}
    word = by_unit.get(verdict.unit) or _N_OF.get(verdict.key.partition("_")[0], "")
    return f"{n:,.2f} {word}" if verdict.unit == "/h" else f"{n:,.0f} {word}".strip()


# ------------------------------------------------------------------------ scenarios


class Column(NamedTuple):
    """A column of the walks' table: its group, its head, and what a row has there."""

    group: str
    head: str
    cell: Callable[[Row], str]


def _told(row: Row) -> str:
    counted = _of(row.recall, flawed=(row.recall.value or 0.0) < 1.0)
    if not row.undetectable:
        return counted
    met = f"{row.undetectable_met}&nbsp;/&nbsp;{row.undetectable}"
    shown = "" if counted == DASH else counted
    return f"{shown}<small>not counted: {met}</small>"


def _of(share: Figure, *, flawed: bool) -> str:
    """A share as the counts it came from."""
    if share.value is None:
        return DASH
    return _flag(f"{round(share.value * share.n)} / {share.n:.0f}", flawed)


def _two(first: Figure, second: Figure) -> str:
    if first.value is None or second.value is None:
        return DASH
    if first.value == math.inf:  # and so is the second
        return _worst(first)
    return _flag(f"{_value(first.value)} / {_value(second.value)}", second.value == math.inf)


def _onset(level: str) -> Callable[[Row], str]:
    return lambda row: _two(row.onset_p50_s[level], row.onset_p95_s[level])


def _worst(figure: Figure) -> str:
    return _flag(_value(figure.value), figure.value == math.inf)


def _nought(figure: Figure) -> str:
    """What should be none at all."""
    return _flag(_value(figure.value), (figure.value or 0.0) > 0.0)


ONSET, LEFT, FALSE = "onset p50 / p95, s", "time left p5 / p50, s", "false alarms, /h"
STEADY, DEAD, TOUCH = "steadiness", "dead sensor", "contacts"
COLUMNS = (
    Column("", "runs", lambda r: f"{r.runs}"),
    Column("recall", "told / needed", _told),
    Column(ONSET, "CAUTION", _onset("caution")),
    Column(ONSET, "WARNING", _onset("warning")),
    Column(ONSET, "DANGER", _onset("danger")),
    Column(ONSET, "STOP", _onset("stop")),
    Column(LEFT, "WARNING", lambda r: _two(r.warning_ttc_p5_s, r.warning_ttc_p50_s)),
    Column(LEFT, "DANGER", lambda r: _two(r.danger_ttc_p5_s, r.danger_ttc_p50_s)),
    Column(FALSE, "WARNING", lambda r: _nought(r.false_warning_per_h)),
    Column(FALSE, "CAUTION", lambda r: _nought(r.false_caution_per_h)),
    Column(STEADY, "flips, /min", lambda r: _value(r.flips_per_min.value)),
    Column(STEADY, "held", lambda r: _value(r.hold.value, "")),
    Column(STEADY, "release p95, s", lambda r: _worst(r.release_p95_s)),
    Column(DEAD, "told after, s", lambda r: _worst(r.fault_slowest_s)),
    Column(DEAD, "CLEAR, s", lambda r: _nought(r.clear_while_dead_s)),
    Column(TOUCH, "with / without", lambda r: _of(r.contacts, flawed=bool(r.contacts.value))),
    Column(TOUCH, "mean, m/s", lambda r: _value(r.contact_mean_mps.value)),
)


def _scenarios(done: Sequence[Done], ours: Tally) -> str:
    whole = row("", ours)
    rows = [*map(_scenario, done), ["all walks", *(column.cell(whole) for column in COLUMNS)]]
    groups = [("", 1), *Counter(column.group for column in COLUMNS).items()]
    heads = ("walk", *(column.head for column in COLUMNS))
    return (
        "<section><h2>Walks</h2>"
        f"{_table(heads, rows, groups, 'many totalled')}"
        "<p><small>Bold and marked ▸: a miss, a false alarm, a contact, or something that never"
        f" came. {DASH} means that there was nothing to measure. Not counted: approaches that are"
        " not detectable, as no device of this kind could hear them in time.</small></p>"
        "</section>\n"
    )


def _scenario(part: Done) -> list[str]:
    walk, figures = scenarios.load(part.name), row(part.name, part.tallies[OURS])
    number = "" if walk.number is None else f"{walk.number}. "
    beyond = f"<br>Not counted: {escape(walk.beyond)}" if walk.beyond else ""
    name = f"{number}<b>{escape(part.name)}</b><small>{escape(walk.title)}{beyond}</small>"
    return [name, *(column.cell(figures) for column in COLUMNS)]


# ---------------------------------------------------------------------------- peers


def _peers(done: Sequence[Done]) -> str:
    others = [name for name in PEERS if done and all(name in part.tallies for part in done)]
    if not others:
        return ""
    heads = (
        "contender",
        "recall",
        "false WARNING or more, /h",
        "flips, /min",
        "contacts avoided",
        "CLEAR while dead, s",
    )
    rows = [_peer(row(name, total(done, name))) for name in (OURS, *others)]
    return (
        "<section><h2>Beside others</h2><p>The peers hear the very same pings as rearguard and"
        " keep their own defaults; where their user must choose a threshold it is"
        f" {THRESHOLD_M:g} m, unless the name says otherwise, and “in range” counts as DANGER.</p>"
        f"{_table(heads, rows, look='ours')}</section>\n"
    )


def _parts(compared: Sequence[Part]) -> str:
    """What each part gives up; nothing where they were not compared."""
    if not compared:
        return ""
    heads = (
        *("part", "readings, /s", "recall", "false WARNING, /h", "false CAUTION, /h", "fault, s"),
        *('<p class="walks">gives up</p>', '<p class="walks">gains</p>'),
    )
    rows = [
        [
            escape(part.name),
            f"{1 / part.period_s:.1f}" if part.period_s else DASH,
            _value(part.total.recall.value, ""),
            _value(part.total.false_warning_per_h.value),
            _value(part.total.false_caution_per_h.value),
            _value(part.total.fault_slowest_s.value),
            *(
                f'<p class="walks">{", ".join(_shares(by_name)) or DASH}</p>'
                for by_name in (part.gives_up, part.gains)
            ),
        ]
        for part in compared
    ]
    return (
        "<section><h2>What each sensor gives up</h2><p>Every part walks the same walks with its"
        " own rate, filter, range and beam; what the first could tell in time counts for all."
        " Named are the walks of which 5 of 100 fewer, or more, were told in time, with the share"
        " that was; fault is the slowest to be announced.</p>"
        f"{_table(heads, rows, look='ours')}</section>\n"
    )


def _shares(by_name: Mapping[str, float]) -> Iterator[str]:
    for name, share in by_name.items():
        yield f"<span>{escape(name)} {_value(share, '')}</span>"


def _peer(row: Row) -> list[str]:
    figures = (
        (row.recall, ""),
        (row.false_warning_per_h, "/h"),
        (row.flips_per_min, "/min"),
        (_complement(row.contacts), ""),
    )
    cells = (
        f"{_value(figure.value, unit and ' ')}<small>{_interval(figure, unit)}</small>"
        for figure, unit in figures
    )
    return [escape(row.name), *cells, _value(row.clear_while_dead_s.value)]


def _complement(share: Figure) -> Figure:
    if share.value is None or share.low is None or share.high is None:
        return share
    return Figure(1.0 - share.value, 1.0 - share.high, 1.0 - share.low, share.n)


# ---------------------------------------------------------------------------- cases


def _cases(cases: Sequence[Case], settings: Settings, most: int) -> str:
    if not cases:
        return "<section><h2>Complaints</h2><p>None.</p></section>\n"
    shown = choose(cases, most)
    pictures = "".join(_picture(case, settings) for case in shown)
    how = (
        f"<h3>{len(shown)} of {len(cases)} as pictures</h3>"
        "<p>Each kind of complaint and each walk comes before any repeats. The command under a"
        " picture walks it again, with this report's configuration (<code>--config FILE</code>)."
        " What is shown is the walk of someone who walks on; the moment of a touch is that of the"
        f" same person braking when told.</p>{plot.legend()}"
        f'<div class="pictures">{pictures}</div>'
    )
    return (
        f"<section><h2>Complaints</h2><dl>{_summary(cases)}</dl>{how if shown else ''}</section>\n"
    )


def _summary(cases: Iterable[Case]) -> str:
    """How often what happened, and where."""
    where: dict[str, Counter[str]] = {}
    for case in cases:
        where.setdefault(kind(case.what), Counter())[case.scenario] += 1
    return "".join(
        f"<div><dt>{escape(title)}: {walks.total()}</dt><dd>"
        + ", ".join(f"{escape(name)} ×{n}" for name, n in walks.most_common())
        + "</dd></div>"
        for title, walks in sorted(where.items(), key=lambda item: _gravity(item[0]))
    )


def kind(what: str) -> str:
    """What sort of complaint this is; its own words, without figures, when of no known sort."""
    known = (title for sign, title in KINDS if sign in what)
    return next(known, re.sub(r"\d[\d.]*", "…", what))


def _gravity(title: str) -> int:
    titles = [title for _, title in KINDS]
    return titles.index(title) if title in titles else len(titles)


def choose(cases: Iterable[Case], most: int) -> list[Case]:
    """At most `most`: each kind and each walk before repeats, the gravest first."""
    left, seen = list(cases), Counter[str | tuple[str, str]]()

    def rank(case: Case) -> tuple[bool, bool, int, int]:
        what = kind(case.what)
        both = seen[what, case.scenario]
        return seen[what] > 0, seen[case.scenario] > 0, both, _gravity(what)

    chosen: list[Case] = []
    while left and len(chosen) < most:
        best = min(left, key=rank)
        left.remove(best)
        chosen.append(best)
        seen.update([kind(best.what), best.scenario, (kind(best.what), best.scenario)])
    return sorted(chosen, key=lambda case: _gravity(kind(case.what)))


def command(case: Case) -> str:
    """What walks `case` again, for a shell."""
    again = ["rearguard", "simulate", case.scenario, "--seed", str(case.seed)]
    return shlex.join([*again, "--unheeded", "--fast", "--journal", "case.jsonl"])


def _picture(case: Case, settings: Settings) -> str:
    name = f"{case.scenario}, seed {case.seed}, at {case.t_s:.2f} s: {case.what}"
    title = scenarios.load(case.scenario).title
    return (
        f"<figure><figcaption><b>{escape(case.what)}</b><br>{escape(case.scenario)}"
        f" <small>({escape(title)})</small>, seed {case.seed}, at {case.t_s:.2f} s</figcaption>"
        f"{plot.draw(plot.rewalk(case, settings), escape(name))}"
        f"<code>{_unbroken(command(case))}</code></figure>\n"
    )


def _unbroken(line: str) -> str:
    """A command that is wrapped between its words only, never after an option's dash."""
    return " ".join(f"<span>{escape(word)}</span>" for word in line.split(" "))


# ----------------------------------------------------------------------------- foot


def _foot() -> str:
    terms = "".join(f"<li>{term}</li>" for term in _terms(definitions.__doc__ or ""))
    return (
        f"<footer><h2>What the words mean</h2><ul>{terms}</ul>"
        "<p>The walks are <dfn>open-loop</dfn>: the simulated walker goes on as if nobody had said"
        " anything, so that every contender hears the very same pings; what a person would have"
        " made of a warning is worked out afterwards. <dfn>p50</dfn> is the median, <dfn>p95</dfn>"
        " what 95 of 100 do not exceed. <dfn>Time left</dfn> is the true time to the touch when"
        " the level was reached, at the pace of the instant of need.</p></footer>\n"
    )


def _terms(doc: str) -> list[str]:
    """The items of a docstring's list, as HTML: the definitions have one source."""
    items = re.findall(r"^- (.+(?:\n  .+)*)", doc, re.MULTILINE)
    return [re.sub(r"\*(.+?)\*", r"<dfn>\1</dfn>", escape(" ".join(i.split()))) for i in items]


# ------------------------------------------------------------------------- elements


def _table(
    heads: Iterable[str],
    rows: Iterable[Iterable[str]],
    groups: Iterable[tuple[str, int]] = (),
    look: str = "",
) -> str:
    """A table of finished cells, the first of each row its head; a wide one scrolls."""
    spans, above = "", ""
    for title, columns in groups:
        spans += f'<colgroup span="{columns}"></colgroup>'
        above += f'<th scope="colgroup" colspan="{columns}">{title}</th>'
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    body = ""
    for first, *cells in rows:
        columns_of = "".join(f"<td>{cell}</td>" for cell in cells)
        body += f'<tr><th scope="row">{first}</th>{columns_of}</tr>\n'
    return (
        f'<div class="wide"><table class="{look}">{spans}'
        f"<thead>{above and f'<tr>{above}</tr>'}<tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _flag(text: str, bad: bool) -> str:
    """Marked by more than a colour."""
    return f'<b class="bad">▸{text}</b>' if bad else text


def _value(value: float | None, unit: str = " ") -> str:
    """A number in words that a person reads; a share, which has no unit, in percent."""
    if value is None:
        return DASH
    if math.isinf(value):
        return "never"
    if not unit:
        return f"{_short(100 * value)} %"
    return f"{_short(value)} {unit}".strip()


def _interval(figure: Figure, unit: str) -> str:
    if figure.low is None or figure.high is None:
        return DASH
    low, high = (_value(end, unit and " ") for end in (figure.low, figure.high))
    return f"{low} to {high}"


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #5d6670; --page: #fff;
  --panel: #f4f5f7; --edge: #d9dde2; --bad: #b3261e; --fine: #17693f; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --quiet: #9aa4af; --page: #14171b;
  --panel: #1e2227; --edge: #343a41; --bad: #ff8a80; --fine: #6fd19d; } }
* { box-sizing: border-box; }
body { max-width: 1600px; margin: 0 auto; padding: 1rem clamp(.75rem, 3vw, 2.5rem) 3rem;
  background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: .5rem 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 2.2rem 0 .6rem; font-size: 1.25rem; } h3 { margin: 1.5rem 0 .3rem; font-size: 1rem; }
p, footer ul { max-width: 75ch; } small { color: var(--quiet); font-size: .85em; }
.bad { color: var(--bad); } .fine { color: var(--fine); }
.overall { max-width: none; padding: .6rem .9rem; border-left: 4px solid;
  background: var(--panel); }
dl { display: grid; gap: .25rem; margin: .8rem 0; } dl div { display: flex; flex-wrap: wrap;
  gap: 0 .6rem; } dt { font-weight: 600; } dd { margin: 0; } dfn { font-weight: 600; }
header dl { display: flex; flex-wrap: wrap; gap: .4rem 2rem; } header dl div { display: block; }
header dt { color: var(--quiet); font-size: .8rem; font-weight: 400; }
code span { white-space: nowrap; }
.wide { width: fit-content; max-width: 100%; overflow-x: auto;
  border: 1px solid var(--edge); border-radius: 6px; }
table { border-collapse: collapse; font-size: .85rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; text-align: right; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--edge); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--quiet); font-weight: 600; background: var(--panel); }
thead th[colspan] { text-align: center; border-bottom: 0; }
colgroup { border-left: 1px solid var(--edge); } colgroup:first-child { border-left: 0; }
tbody tr:hover > * { background: var(--panel); }
th:first-child { position: sticky; left: 0; min-width: 9rem; background: var(--page);
  text-align: left; white-space: normal; font-weight: 400; }
thead th:first-child { background: var(--panel); }
td small, th small { display: block; }
.walks { margin: 0; max-width: 26rem; text-align: left; white-space: normal; }
.walks span { white-space: nowrap; }
.many { font-size: .75rem; } .many th, .many td { padding: .3rem; }
.many td small { max-width: 5.5rem; margin-left: auto; white-space: normal; }
.many th:first-child { min-width: 11rem; } .many thead tr:last-child th { white-space: normal; }
.totalled tbody tr:last-child > * { font-weight: 700; border-top: 2px solid var(--quiet); }
.ours tbody tr:first-child > * { font-weight: 700; } .ours small { font-weight: 400; }
.pictures { display: grid; gap: 1rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); }
figure { margin: 0; padding: .7rem; border: 1px solid var(--edge); border-radius: 6px;
  font-size: .85rem; display: flex; flex-direction: column; gap: .4rem; }
figure svg { margin-top: auto; }
code { font: .75rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
figure code { padding: .3rem .5rem; background: var(--panel); user-select: all; }
@media print { @page { size: A4 landscape; margin: 10mm; }
  body { max-width: none; padding: 0; font-size: 9pt; print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  .wide { overflow: visible; border: 0; } table { font-size: 8pt; } .many { font-size: 6pt; }
  .many th, .many td { padding: .15rem; } th:first-child { position: static; min-width: 0; }
  tr, figure { break-inside: avoid; } .pictures { grid-template-columns: 1fr 1fr 1fr; } }
"""
