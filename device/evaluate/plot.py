"""A moment of a walk as a picture: what was heard, believed and said, beside what was true.

Everything shares one axis, time, so that one look down a vertical line tells the story of
an instant: the pings on top, the distance under them, then the level that was said against
the levels that were due and excused, then buzzer and motor. The pictures are inline SVG
that takes its colours from the page's style sheet, so they follow it into the dark.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from device.core.pipeline import Step
from device.core.reading import Echo, Fault, Nothing, Reading
from device.core.signals import Command
from device.evaluate.figures import Figure
from device.evaluate.record import Record, Say, record
from device.evaluate.score import Case, spans
from device.evaluate.truth import Fact
from device.profiles import HEEL_LEAD_M
from device.settings import Settings

BEFORE_S, AFTER_S = 3.5, 2.5
GAP_GRID_S = 0.05
LEVELS = ("CLEAR", "CAUTION", "WARNING", "DANGER", "STOP")

WIDTH, LEFT, RIGHT = 460.0, 66.0, 8.0
NOTHING_Y, FAULT_Y, TICK = 17.0, 28.0, 7.0
DISTANCE_Y, DISTANCE_H = 46.0, 140.0
LEVEL_Y, STEP_H = 270.0, 16.0
"""The level's zero line, and how much higher each level is."""
BUZZER_Y, MOTOR_Y, STRIP_H = 284.0, 299.0, 10.0
TIME_Y, HEIGHT = 322.0, 326.0


class Scene(NamedTuple):
    """A case, walked again: the few seconds around it, and the truth about the walk."""

    case: Case
    record: Record
    steps: list[Step]
    """Those from `from_s` to `to_s`, and the one before that still holds at the beginning."""
    from_s: float
    to_s: float


def rewalk(case: Case, settings: Settings) -> Scene:
    """Walk `case` again and keep what is to be seen of it."""
    from_s, to_s = max(0.0, case.t_s - BEFORE_S), case.t_s + AFTER_S
    steps: list[Step] = []

    def watch(step: Step) -> None:
        if step.t_s <= from_s:
            steps[:] = [step]
        elif step.t_s <= to_s:
            steps.append(step)

    walked = record(case.scenario, settings, case.seed, watch)
    return Scene(case, walked, steps, from_s, min(to_s, walked.scenario.duration_s))


class Frame(NamedTuple):
    """Where seconds and metres are in the picture."""

    from_s: float
    to_s: float
    top_m: float

    def x(self, t_s: float) -> float:
        """Left to right, kept inside."""
        share = (t_s - self.from_s) / max(1e-9, self.to_s - self.from_s)
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))

    def y(self, distance_m: float) -> float:
        """Bottom to top."""
        return DISTANCE_Y + DISTANCE_H * (1.0 - distance_m / self.top_m)


def draw(scene: Scene, name: str) -> str:
    """The scene as an SVG element; `name`, already escaped, says what it shows."""
    frame = Frame(scene.from_s, scene.to_s, _top_m(scene))
    parts = (
        *_out_of_order(scene, frame),
        *_axes(frame),
        *_said(scene, frame),
        *_truth(scene.record.facts, frame),
        *_outputs(scene, frame),
        *_instants(scene, frame),
        _gap(scene, frame),
        *_pings(scene, frame),
        _tracked(scene, frame),
    )
    box = f'viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}"'
    return f'<svg class="plot" {box} role="img" aria-label="{name}">{"".join(parts)}</svg>'


def _top_m(scene: Scene) -> float:
    """Whole metres that hold what was heard and believed, and the truth where that is near."""
    seen = [step.reading.distance_m for step in scene.steps if isinstance(step.reading, Echo)]
    seen += [m for step in scene.steps if (m := step.track.distance_m) is not None]
    gap_m = scene.record.person.gap_m(scene.from_s)
    seen.append(min(4.0, 0.0 if gap_m is None else gap_m))
    return min(6.0, max(2.0, math.ceil(max(seen))))


# ---------------------------------------------------------------------------- parts


def _axes(frame: Frame) -> Iterator[str]:
    for metres in range(int(frame.top_m) + 1):
        y = frame.y(metres)
        yield _line("grid", LEFT, y, WIDTH - RIGHT, y)
        yield _text("end", LEFT - 5, y + 3.5, str(metres))
    middle = DISTANCE_Y + DISTANCE_H / 2
    yield (
        f'<text class="axis" text-anchor="middle" transform="rotate(-90 14 {middle})"'
        f' x="14" y="{middle + 4}">distance, m</text>'
    )
    yield _line("heel", LEFT, frame.y(HEEL_LEAD_M), WIDTH - RIGHT, frame.y(HEEL_LEAD_M))
    for level, word in enumerate(LEVELS):
        y = LEVEL_Y - level * STEP_H
        yield _line("grid", LEFT, y, WIDTH - RIGHT, y)
        yield _text("end", LEFT - 5, y + 3.5, word)
    for word, y in (("nothing", NOTHING_Y), ("no answer", FAULT_Y)):
        yield _text("end", LEFT - 5, y + TICK, word)
    for word, y in (("buzzer", BUZZER_Y), ("motor", MOTOR_Y)):
        yield _text("end", LEFT - 5, y + STRIP_H - 1, word)
        yield _rect("off", LEFT, y, WIDTH - RIGHT - LEFT, STRIP_H)
    yield _text("end", LEFT - 14, TIME_Y, "time, s")
    for second in range(math.ceil(frame.from_s), math.floor(frame.to_s) + 1):
        x = frame.x(second)
        yield _line("grid", x, DISTANCE_Y, x, MOTOR_Y + STRIP_H)
        yield _text("middle", x, TIME_Y, str(second))


def _gap(scene: Scene, frame: Frame) -> str:
    grid = int((frame.to_s - frame.from_s) / GAP_GRID_S) + 1
    instants = [frame.from_s + i * GAP_GRID_S for i in range(grid)]
    return _curve("gap", [(t_s, scene.record.person.gap_m(t_s)) for t_s in instants], frame)


def _tracked(scene: Scene, frame: Frame) -> str:
    # Between judgements a step repeats the last track, which would draw stairs.
    judged = [b for a, b in pairwise([None, *scene.steps]) if b and (not a or a.track != b.track)]
    believed = [(step.t_s, step.track.distance_m) for step in judged]
    return _curve("track", [point for point in believed if point[0] >= frame.from_s], frame)


def _pings(scene: Scene, frame: Frame) -> Iterator[str]:
    readings = [s.reading for s in scene.steps if s.reading is not None and s.t_s >= frame.from_s]

    def marks(kind: type[Reading], where: Callable[[Reading], str]) -> str:
        return "".join(f"M{frame.x(r.t_s):.1f} {where(r)}" for r in readings if isinstance(r, kind))

    # A stroke of no length with a round cap is a dot: a whole cloud in one element.
    def dot(reading: Reading) -> str:
        assert isinstance(reading, Echo)
        return f"{frame.y(min(frame.top_m, reading.distance_m)):.1f}h0"

    yield _path("echo", marks(Echo, dot))
    yield _path("nothing", marks(Nothing, lambda _: f"{NOTHING_Y}v{TICK}"))
    cross = f"m-2.5 0l5 {TICK - 2}m0 {2 - TICK}l-5 {TICK - 2}"
    yield _path("fault", marks(Fault, lambda _: f"{FAULT_Y + 1}{cross}"))


def _said(scene: Scene, frame: Frame) -> Iterator[str]:
    for say, until_s in spans(scene.record.says, frame.to_s):
        if until_s <= frame.from_s:
            continue
        x, width = _span(say, until_s, frame)
        # CLEAR has a foot too: saying that is saying something.
        height = max(2.0, say.level * STEP_H)
        hushed = " hushed" if say.hushed else ""
        yield _rect(f"level l{say.level}{hushed}", x, LEVEL_Y - height, width, height)
        if say.fault:
            full = 4 * STEP_H
            yield _rect("announced", x, LEVEL_Y - full, width, full)


def _truth(facts: Sequence[Fact], frame: Frame) -> Iterator[str]:
    levels: tuple[tuple[str, Callable[[Fact], int]], ...] = (
        ("excusable", lambda fact: fact.excusable),
        ("due", lambda fact: fact.due),
    )
    for kind, level in levels:
        path = ""
        for fact, after in zip(facts, [*facts[1:], None], strict=True):
            until_s = frame.to_s if after is None else min(after.t_s, frame.to_s)
            if until_s > frame.from_s and fact.t_s < frame.to_s:
                y = LEVEL_Y - level(fact) * STEP_H
                path += f"{'V' if path else f'M{frame.x(fact.t_s):.1f} '}{y}"
                path += f"H{frame.x(until_s):.1f}"
        yield _path(kind, path)


def _outputs(scene: Scene, frame: Frame) -> Iterator[str]:
    outputs: tuple[tuple[str, float, Callable[[Command], float]], ...] = (
        ("buzzer", BUZZER_Y, lambda command: command.buzzer),
        ("motor", MOTOR_Y, lambda command: command.motor),
    )
    for kind, y, strength in outputs:
        marks = [(step.t_s, strength(step.command)) for step in scene.steps]
        # Steps that change nothing are left out, so that a pulse is one bar.
        new = [now for before, now in pairwise([(0.0, 0.0), *marks]) if now[1] != before[1]]
        for (from_s, on), (to_s, _) in pairwise([*new, (frame.to_s, 0.0)]):
            x, height = frame.x(from_s), STRIP_H * on
            if on:
                yield _rect(kind, x, y + STRIP_H - height, frame.x(to_s) - x, height)


def _out_of_order(scene: Scene, frame: Frame) -> Iterator[str]:
    bottom = LEVEL_Y - NOTHING_Y
    for from_s, to_s in scene.record.dead + scene.record.blind:
        if from_s < frame.to_s and to_s > frame.from_s:
            x = frame.x(from_s)
            yield _rect("dead", x, NOTHING_Y, frame.x(to_s) - x, bottom)
    need = scene.record.need
    if need is not None and need.touch_s < frame.to_s:
        x = frame.x(need.touch_s)
        yield _rect("after", x, NOTHING_Y, WIDTH - RIGHT - x, bottom)


def _instants(scene: Scene, frame: Frame) -> Iterator[str]:
    bottom = MOTOR_Y + STRIP_H
    case_x = frame.x(scene.case.t_s)
    need = scene.record.need
    if need is not None:
        # The need comes before the touch, so their words lean away from each other.
        for word, t_s, anchor, lean in (
            ("need", need.t_s, "end", -7.0),
            ("touch", need.touch_s, "start", 7.0),
        ):
            if frame.from_s <= t_s <= frame.to_s:
                x = frame.x(t_s)
                beside = case_x if abs(case_x - x) < 20 else x  # not under the arrow
                yield _line(word, x, NOTHING_Y - 4, x, bottom)
                yield _text(anchor, beside + lean, 10, word)
    yield _line("case", case_x, NOTHING_Y - 4, case_x, bottom)
    yield f'<path class="arrow" d="M{case_x:.1f} 13l-5 -9h10z"/>'


# ------------------------------------------------------------------------- whiskers


def whisker(figure: Figure, limit: float, *, least: bool, share: bool) -> str:
    """A figure with its interval before its limit, the passing side shaded; "" without one."""
    if figure.value is None:
        return ""
    ends = [figure.value, figure.low, figure.high, limit]
    known = [end for end in ends if end is not None and math.isfinite(end)]
    low, high = min(known), max(known)
    spare = 0.15 * (high - low) or 0.5 * abs(limit) or 1.0
    low, high = max(0.0, low - spare), high + spare
    if share:
        high = min(1.0, high)

    def x(value: float) -> float:
        return 4 + 132 * min(1.0, max(0.0, (value - low) / (high - low)))

    good = (x(limit), 136 - x(limit)) if least else (4.0, x(limit) - 4)
    parts = [_rect("good", good[0], 3, good[1], 14)]
    if figure.low is not None and figure.high is not None:
        parts.append(_line("interval", x(figure.low), 10, x(figure.high), 10))
    parts.append(_line("limit", x(limit), 1, x(limit), 19))
    parts.append(f'<circle class="value" r="3.5" cx="{x(figure.value):.1f}" cy="10"/>')
    return f'<svg class="whisker" viewBox="0 0 140 20" aria-hidden="true">{"".join(parts)}</svg>'


# ------------------------------------------------------------------------- elements


def _span(say: Say, until_s: float, frame: Frame) -> tuple[float, float]:
    x = frame.x(say.t_s)
    return x, frame.x(until_s) - x


def _curve(kind: str, points: Iterable[tuple[float, float | None]], frame: Frame) -> str:
    """A line through `points`, broken where there is no value or it is out of the picture."""
    path, down = "", False
    for t_s, metres in points:
        inside = metres is not None and 0.0 <= metres <= frame.top_m
        if inside and metres is not None:
            path += f"{'L' if down else 'M'}{frame.x(t_s):.1f} {frame.y(metres):.1f}"
        down = inside
    return _path(kind, path)


def _path(kind: str, path: str) -> str:
    return f'<path class="{kind}" d="{path}"/>' if path else ""


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {where}/>'


def _text(anchor: str, x: float, y: float, text: str) -> str:
    return f'<text class="axis" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{text}</text>'


# ------------------------------------------------------------------ legend and style

PATTERN = (
    '<svg class="defs" width="0" height="0" aria-hidden="true"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect class="stripe" width="2.5" height="6"/></pattern>'
    "</defs></svg>"
)
"""Once a page: what every picture's fault is filled with."""

_BAR = "M2 10L30 10"
_LEGEND = (
    (_path("echo", "M6 6h0M14 12h0M24 9h0"), "raw echo"),
    (_path("nothing", "M8 6v7M16 6v7M24 6v7"), "ping that heard nothing"),
    (_path("fault", "M13 7l5 5m0 -5l-5 5"), "ping without a usable answer"),
    (_path("track", _BAR), "distance as tracked"),
    (_path("gap", _BAR), "true gap straight behind"),
    (_path("heel", _BAR), "the heel touches here"),
    (
        "".join(
            _rect(f"level l{i}", 2 + 7 * (i - 1), 17 - 3.5 * i, 7, 3.5 * i) for i in range(1, 5)
        ),
        "level said, CLEAR to STOP",
    ),
    (_rect("level l3 hushed", 2, 3, 28, 14), "said, but hushed"),
    (_rect("announced", 2, 3, 28, 14), "fault announced"),
    (_path("due", _BAR), "level due (it can be heard)"),
    (_path("excusable", _BAR), "the most that something real excuses"),
    (_rect("dead", 2, 3, 28, 14), "sensor broken or covered"),
    (_rect("after", 2, 3, 28, 14), "after the touch: not judged"),
    (_path("arrow", "M16 19l-5 -9h10z") + _path("case", "M16 2v8"), "the moment complained of"),
    (_path("need", "M16 2v17"), "last instant to be told in time"),
    (_path("touch", "M16 2v17"), "unwarned, they touch"),
)


def legend() -> str:
    """What the marks mean, once for all pictures."""
    items = (
        f'<li><svg class="key" viewBox="0 0 32 20" aria-hidden="true">{mark}</svg> {word}</li>'
        for mark, word in _LEGEND
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


STYLE = """
:root { --echo: #2f6db5; --track: #1b1f24; --gap: #35a57c; --l0: #8aa39a; --l1: #f3d04f;
  --l2: #f0963c; --l3: #dd4b39; --l4: #7d1d3f; --fault: #5b3fb0; --moment: #c2185b;
  --buzzer: #4b5563; --motor: #9aa3af; --grid: #e3e6ea; --good: #d9f0e3; --dead: #ddd6f3; }
@media (prefers-color-scheme: dark) { :root { --echo: #77b0f0; --track: #f1f3f5; --gap: #3fae86;
  --l0: #6f867d; --l1: #d9b53a; --l2: #d8812c; --l3: #d4503f; --l4: #a83a63; --fault: #ab95f2;
  --moment: #ff6fa3; --buzzer: #b3bac4; --motor: #747d89; --grid: #2c3239; --good: #1d3b2d;
  --dead: #332b52; } }
.plot { display: block; width: 100%; height: auto; }
.plot path, .key path { fill: none; }
.axis { font-size: 10px; fill: var(--quiet); }
.grid { stroke: var(--grid); }
.heel { stroke: var(--gap); stroke-dasharray: 1 3; }
.echo { stroke: var(--echo); stroke-width: 3.2; stroke-linecap: round; }
.nothing { stroke: var(--echo); stroke-width: 1.2; }
.fault { stroke: var(--fault); stroke-width: 1.4; }
.gap { stroke: var(--gap); stroke-width: 4; stroke-opacity: .55; stroke-linejoin: round; }
.track { stroke: var(--track); stroke-width: 1.3; stroke-linejoin: round; }
.l0 { fill: var(--l0); } .l1 { fill: var(--l1); } .l2 { fill: var(--l2); }
.l3 { fill: var(--l3); } .l4 { fill: var(--l4); }
.hushed { fill-opacity: .4; }
.announced { fill: url(#hatch); stroke: var(--fault); stroke-width: .8; }
.stripe { fill: var(--fault); }
.due { stroke: var(--text); stroke-width: 1.8; }
.excusable { stroke: var(--text); stroke-width: 1; stroke-dasharray: 4 3; }
.buzzer { fill: var(--buzzer); } .motor { fill: var(--motor); } .off { fill: var(--panel); }
.dead { fill: var(--dead); } .after { fill: var(--grid); fill-opacity: .6; }
.case { stroke: var(--moment); stroke-width: 1.4; }
.plot .arrow, .key .arrow { fill: var(--moment); }
.need { stroke: var(--text); stroke-width: 1.2; stroke-dasharray: 6 3; }
.touch { stroke: var(--text); stroke-width: 1.2; stroke-dasharray: 1.5 2.5; }
.whisker { width: 140px; height: 20px; vertical-align: middle; }
.good { fill: var(--good); } .interval { stroke: var(--quiet); stroke-width: 2.5; }
.limit { stroke: var(--text); stroke-width: 1.5; } .value { fill: var(--text); }
.key { width: 32px; height: 20px; flex: none; }
.legend { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr));
  gap: .15rem 1rem; padding: 0; list-style: none; font-size: .8rem; }
.legend li { display: flex; gap: .5rem; align-items: center; }
.defs { position: absolute; }
"""
