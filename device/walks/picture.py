"""Walks as pictures: one of them over its time, and all of them over the weeks.

Of one walk everything shares an axis, time, so that one look down a vertical line tells the story
of a moment: the cues on top, the distance, the level that was said, buzzer and motor. Of many
walks it is the date; one without is drawn at the nearest date that is known, which is said, and
where no date is known at all it is the number. The colours of the levels are those
of the report that `evaluate` makes, told apart also by the colour-blind and in grey; the level is
shown by its height, too.

matplotlib draws them; it takes a second to import and is no part of a device, so it is imported
here alone. The same walks make the same file, byte for byte.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from device.core.coach import WALKS_A_WEEK
from device.errors import InputError
from device.history.records import LEVELS, Event, Second, Walk
from device.walks import words
from device.walks.one import median, slowed_s
from device.walks.words import When

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".svg")
LEVEL_COLOURS = ("#8aa39a", "#f3d04f", "#f0963c", "#dd4b39", "#7d1d3f")
BACKWARD, FORWARD, FAULT, LINE = "#2f6db5", "#a9c8ea", "#5b3fb0", "#1b1f24"
BUZZER, MOTOR, GRID, QUIET = "#4b5563", "#9aa3af", "#e3e6ea", "#5c6670"
MARKS = {
    "mark": ("D", "half done"),
    "done": ("*", "target reached"),
    "enough": ("P", "enough"),
    "forward": (">", "now forward"),
    "backward": ("<", "now backward"),
    "slower": ("v", "too fast"),
    "rest": ("X", "rest"),
}
SHORT_S = 180.0
"""So short a walk has its seconds counted, a longer one its minutes."""
MOST_BARS = 60
MOST_DAYS = 120
"""More of either, and a bar is a week."""
LEAST_SPAN = 14
"""Days, or walks: a single bar is not to fill the picture."""
LEGEND_HEIGHT = 0.3
WIDTH_IN, DPI = 10.0, 120
Look = dict[str, Any]
PLAIN: Look = {
    "svg.hashsalt": "rearguard",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": LINE,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "hatch.linewidth": 0.8,
}


def may_draw(path: Path) -> None:
    """Before any work: whether a picture can be made there. Raises InputError."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: --plot makes a picture that ends in .png or .svg")
    try:
        import matplotlib as _  # noqa: F401, PLC0415
    except ImportError as error:
        raise InputError(
            "--plot needs matplotlib: pip install matplotlib;"
            " on a Raspberry Pi: sudo apt install python3-matplotlib"
        ) from error


def one_walk(
    path: Path, walk: Walk, when: When, seconds: Sequence[Second], events: Sequence[Event]
) -> None:
    """Draw one walk into `path`. Raises InputError."""
    _draw(path, 6.4, lambda figure: _one(figure, walk, when, seconds, events))


def progress(
    path: Path, walks: Sequence[Walk], whens: Sequence[When], reactions: Mapping[int, float]
) -> None:
    """Draw all walks into `path`. `reactions`: a walk's median, seconds. Raises InputError."""
    _draw(path, 8.0, lambda figure: _progress(figure, walks, whens, reactions))


def _draw(path: Path, height_in: float, drawn: Callable[["Figure"], None]) -> None:
    may_draw(path)
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    ending = path.suffix.lower()
    # Nothing of this machine or moment, so that the same walks make the same file.
    metadata = {"Date": None, "Creator": None} if ending == ".svg" else {"Software": None}
    with mpl.rc_context():
        mpl.rcdefaults()  # not what this person has at home
        plain: Any = PLAIN
        mpl.rcParams.update(plain)
        figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, layout="constrained")
        drawn(figure)
        try:
            figure.savefig(path, format=ending[1:], metadata=metadata)
        except OSError as error:
            why = error.strerror or error
            raise InputError(f"{path}: {why}; name a file that can be written") from error


# ------------------------------------------------------------------ one walk


class _Scale(NamedTuple):
    """Seconds to what the time axis counts."""

    per: float
    unit: str
    to_s: float

    def x(self, t_s: float) -> float:
        return t_s / self.per


def _one(
    figure: "Figure", walk: Walk, when: When, seconds: Sequence[Second], events: Sequence[Event]
) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    to_s = max(walk.totals.walked_s, seconds[-1].t_s + 1.0 if seconds else 1.0)
    scale = _Scale(1.0, "s", to_s) if to_s <= SHORT_S else _Scale(60.0, "min", to_s)
    cues, distance, level, outputs = _panels(figure, (0.4, 4.0, 1.6, 0.7))
    asked = walk.beginning
    figure.suptitle(
        f"Walk {walk.id}, {_title(when)}: {words.length(walk.totals.walked_s)},"
        f" asked {words.length(asked.target_s)} ({words.asked(asked.mode, asked.week)})",
        x=0.01,
        ha="left",
        fontsize=11,
        color=LINE,
    )
    for axes in (distance, level):
        _stretches(axes, seconds, scale)
        if walk.totals.walked_s < to_s - 1.0:  # it went on, or was only known to be over, later
            look: Look = {"color": GRID, "alpha": 0.7, "lw": 0, "zorder": 0.4}
            axes.axvspan(
                scale.x(walk.totals.walked_s), scale.x(to_s), label="after its end", **look
            )
    _cues(cues, events, scale)
    _distance(distance, walk, seconds, events, scale)
    _levels(level, seconds, scale)
    _outputs(outputs, seconds, scale)
    outputs.set_xlabel(f"time, {scale.unit}")
    outputs.set_xlim(0.0, scale.x(to_s))
    outputs.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True))
    if to_s >= asked.target_s:
        look = {"color": QUIET, "lw": 1, "ls": (0, (4, 3))}
        distance.axvline(scale.x(asked.target_s), label="length asked", **look)
    _legend(figure, (cues, distance))
    figure.align_ylabels()


def _title(when: When) -> str:
    return words.short(when) if when.local else f"date not known ({words.short(when)})"


def _cues(axes: "Axes", events: Sequence[Event], scale: _Scale) -> None:
    for what, (mark, word) in MARKS.items():
        times = [scale.x(one.t_s) for one in events if (one.kind, one.what) == ("cue", what)]
        # The changes are many and regular; what else is said is not to be hidden among them.
        row = [-0.5 if what in ("forward", "backward") else 0.5] * len(times)
        if times:
            axes.plot(times, row, mark, color=LINE, ms=6, label=word, clip_on=False)
    axes.set_ylim(-1.0, 1.0)
    axes.set_yticks([0.0], ["cues"])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.xaxis.set_visible(False)


def _distance(
    axes: "Axes", walk: Walk, seconds: Sequence[Second], events: Sequence[Event], scale: _Scale
) -> None:
    seen_m = [one.distance_m for one in seconds if one.distance_m is not None]
    top_m = min(8, max(3, math.ceil(max(seen_m, default=0.0))))
    axes.set_ylim(0.0, top_m)
    axes.set_ylabel("distance, m")
    limits = zip(LEVELS[1:], LEVEL_COLOURS[1:], walk.beginning.limits_m, strict=False)
    if walk.beginning.limits_m:  # it may also have been the time to the touch
        axes.plot([], [], color=LEVEL_COLOURS[1], lw=1, label="level by distance")
    for word, colour, limit_m in limits:
        axes.axhline(limit_m, color=colour, lw=1, alpha=0.7, zorder=1)
        place: Look = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 7}
        axes.text(1.005, limit_m, word.upper(), color=QUIET, **place)
    xs, ys = _with_gaps(seconds, scale)
    axes.plot(xs, ys, color=LINE, lw=1.2, label="nearest in view")
    # A single second between two gaps is a line of no length.
    alone = [i for i in range(1, len(ys) - 1) if math.isnan(ys[i - 1]) and math.isnan(ys[i + 1])]
    axes.plot([xs[i] for i in alone], [ys[i] for i in alone], ".", color=LINE, ms=2)
    _reactions(axes, events, scale, top_m)


def _with_gaps(seconds: Sequence[Second], scale: _Scale) -> tuple[list[float], list[float]]:
    """The nearest distance over time, NaN where nothing was in view or no second was kept."""
    xs: list[float] = []
    ys: list[float] = [math.nan]
    xs.append(0.0)
    last = -1
    for one in seconds:
        if one.t_s != last + 1:
            xs.append(scale.x(last + 1))
            ys.append(math.nan)
        xs.append(scale.x(one.t_s + 0.5))
        ys.append(math.nan if one.distance_m is None else one.distance_m)
        last = one.t_s
    return [*xs, scale.x(last + 1)], [*ys, math.nan]


def _reactions(axes: "Axes", events: Sequence[Event], scale: _Scale, top_m: int) -> None:
    """A ring where the wearer was seen to slow, with the seconds where there is room."""
    slowed = [
        (event.t_s + took_s, event.distance_m, took_s)
        for event in events
        if (took_s := slowed_s(event)) is not None and event.distance_m is not None
    ]
    if not slowed:
        return
    xs = [scale.x(t_s) for t_s, _, _ in slowed]
    ys = [min(top_m, distance_m) for _, distance_m, _ in slowed]
    ring: Look = {"mfc": "white", "mec": BACKWARD, "mew": 1.3}
    axes.plot(xs, ys, "o", ms=5, label="slowed, s after the alert", **ring)
    free = [(x, y) for x, y in zip(xs, ys, strict=True)]
    beside_x, beside_m = 0.028 * scale.x(scale.to_s), 0.035 * top_m
    for x, y, (_, _, reaction_s) in zip(xs, ys, slowed, strict=True):
        at_x = x + beside_x / 2
        near = [abs(x - to_x) < beside_x and abs(y - to_m) < beside_m for to_x, to_m in free]
        if sum(near) > 1 or at_x + beside_x > scale.x(scale.to_s):
            continue
        free.append((at_x, y))
        axes.annotate(
            f"{reaction_s:.1f}",
            (x, y),
            (5, -3),
            textcoords="offset points",
            fontsize=7,
            color=BACKWARD,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
        )


def _levels(axes: "Axes", seconds: Sequence[Second], scale: _Scale) -> None:
    for level, colour in enumerate(LEVEL_COLOURS):
        spans = list(_spans(seconds, partial(_at, level), scale))
        if spans:
            axes.broken_barh(spans, (0.0, max(0.12, level)), color=colour, lw=0.3)
    axes.set_ylim(0.0, 4.1)
    axes.set_yticks(range(5), [word.upper() for word in LEVELS], fontsize=7)
    axes.grid(axis="y", color=GRID, lw=0.7)
    axes.set_axisbelow(True)


def _outputs(axes: "Axes", seconds: Sequence[Second], scale: _Scale) -> None:
    edges = [scale.x(one.t_s) for one in seconds]
    edges += [scale.x(one.t_s + 1) for one in seconds[-1:]]
    for bottom, colour, outputs in (
        (1.15, BUZZER, [one.buzzer for one in seconds]),
        (0.0, MOTOR, [one.motor for one in seconds]),
    ):
        tops = [bottom + output for output in (*outputs, *outputs[-1:])]
        axes.fill_between(edges, bottom, tops, step="post", color=colour, lw=0.3)
    axes.set_ylim(0.0, 2.2)
    axes.set_yticks([1.65, 0.5], ["buzzer", "motor"])
    axes.tick_params(axis="y", length=0)


def _stretches(axes: "Axes", seconds: Sequence[Second], scale: _Scale) -> None:
    """Forward, shaded; faults, hatched."""
    shaded: Look = {"color": FORWARD, "alpha": 0.35, "lw": 0}
    hatched: Look = {"facecolor": "none", "edgecolor": FAULT, "hatch": "////", "lw": 0}
    for name, spans, look in (
        ("asked to go forward", _spans(seconds, _forward, scale), shaded),
        ("fault", _spans(seconds, _faulty, scale), hatched),
    ):
        for number, (from_x, width) in enumerate(spans):
            label = None if number else name
            axes.axvspan(from_x, from_x + width, label=label, zorder=0.5, **look)


def _at(level: int, one: Second) -> bool:
    return one.level == level


def _forward(one: Second) -> bool:
    return one.forward


def _faulty(one: Second) -> bool:
    return one.fault is not None


def _spans(
    seconds: Sequence[Second], inside: Callable[[Second], bool], scale: _Scale
) -> Iterator[tuple[float, float]]:
    """(beginning, width) of each stretch of such seconds."""
    began: int | None = None
    last = -1
    for one in seconds:
        if began is not None and (not inside(one) or one.t_s != last + 1):
            yield scale.x(began), scale.x(last + 1 - began)
            began = None
        if began is None and inside(one):
            began = one.t_s
        last = one.t_s
    if began is not None:
        yield scale.x(began), scale.x(last + 1 - began)


# ------------------------------------------------------------------ all walks


class _Bar(NamedTuple):
    """A walk, the walks of a day or those of a week."""

    x: float
    walks: list[Walk]
    reactions: list[float]

    def minutes(self, of: Callable[[Walk], float]) -> float:
        return sum(of(walk) for walk in self.walks) / 60.0

    def per_ten_minutes(self, of: Callable[[Walk], int]) -> float:
        walked_s = sum(walk.totals.walked_s for walk in self.walks)
        return sum(of(walk) for walk in self.walks) * 600.0 / walked_s if walked_s else 0.0

    def closest_m(self) -> float | None:
        near = [m for walk in self.walks if (m := walk.totals.closest_m) is not None]
        return min(near, default=None)


def _progress(
    figure: "Figure", walks: Sequence[Walk], whens: Sequence[When], reactions: Mapping[int, float]
) -> None:
    days = [day for when in whens if (day := _known(when)) is not None]
    dated = len(days) == len(walks) > 0
    span = (max(days) - min(days)).days if dated else 0
    weekly = dated and (len(walks) > MOST_BARS or span > MOST_DAYS)
    if dated:
        keys = [day - timedelta(days=day.weekday()) if weekly else day for day in days]
        at = [float(key.toordinal() + 3 * weekly) for key in keys]
    else:
        at = [float(walk.id) for walk in walks]
    bars = list(_bars(walks, at, reactions))
    width = 0.8 * (7.0 if weekly else 1.0)
    each = "week" if weekly else "day" if dated else "walk"
    minutes, alerts, closest, slowed = _panels(figure, (2.2, 1.6, 1.0, 1.0))
    title = f"{words.plural(len(walks), 'walk')}, a bar a {each}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=LINE)
    _minutes(minutes, bars, width, weekly)
    _alerts(alerts, bars, width)
    _dots(closest, bars, _Bar.closest_m, "closest, m")
    _dots(slowed, bars, lambda bar: median(bar.reactions), "reaction, s")
    _dates(slowed, bars, width, dated)
    slowed.set_xlabel(_date_label(whens) if dated else "walk number; no date is known")
    for axes in (minutes, alerts, closest, slowed):
        axes.grid(axis="y", color=GRID, lw=0.7)
        axes.set_axisbelow(True)
    _legend(figure, (minutes, alerts))
    figure.align_ylabels()


def _known(when: When) -> date | None:
    """The walk's date; or one that it can have, in the middle where both ends are known."""
    ends = [date.fromisoformat(at[:10]) for at in (when.after, when.before) if at is not None]
    if when.local is not None:
        return date.fromisoformat(when.local[:10])
    return ends[0] + (ends[-1] - ends[0]) // 2 if ends else None


def _date_label(whens: Sequence[When]) -> str:
    undated = sum(when.local is None for when in whens)
    return f"date; {undated} not dated: drawn at one they can have" if undated else "date"


def _bars(
    walks: Sequence[Walk], at: Sequence[float], reactions: Mapping[int, float]
) -> Iterator[_Bar]:
    grouped: dict[float, list[Walk]] = {}
    for walk, x in zip(walks, at, strict=True):
        grouped.setdefault(x, []).append(walk)
    for x, together in sorted(grouped.items()):
        seen = [reactions[walk.id] for walk in together if walk.id in reactions]
        yield _Bar(x, together, seen)


def _minutes(axes: "Axes", bars: Sequence[_Bar], width: float, weekly: bool) -> None:
    xs = [bar.x for bar in bars]
    backward = [bar.minutes(lambda w: w.totals.walked_s - w.totals.forward_s) for bar in bars]
    forward = [bar.minutes(lambda w: w.totals.forward_s) for bar in bars]
    asked = [bar.minutes(lambda w: w.beginning.target_s) for bar in bars]
    if weekly:  # what a week asks does not depend on how often one went
        asked = [WALKS_A_WEEK * m / len(bar.walks) for m, bar in zip(asked, bars, strict=True)]
    axes.bar(xs, backward, width, color=BACKWARD, label="asked backward")
    if any(forward):
        axes.bar(xs, forward, width, backward, color=FORWARD, label="asked forward")
    half = 0.55 * width
    word = f"length asked ({WALKS_A_WEEK} walks)" if weekly else "length asked"
    axes.hlines(asked, [x - half for x in xs], [x + half for x in xs], LINE, lw=1.6, label=word)
    axes.set_ylabel("walked, min")
    axes.set_ylim(
        0.0, 1.1 * max([5.0, *asked, *(a + b for a, b in zip(backward, forward, strict=True))])
    )


def _alerts(axes: "Axes", bars: Sequence[_Bar], width: float) -> None:
    xs = [bar.x for bar in bars]
    below = [0.0] * len(bars)
    for level, of in enumerate(
        (
            lambda w: w.totals.cautions,
            lambda w: w.totals.warnings,
            lambda w: w.totals.dangers,
            lambda w: w.totals.stops,
        ),
        start=1,
    ):
        rates = [bar.per_ten_minutes(of) for bar in bars]
        colour, word = LEVEL_COLOURS[level], LEVELS[level].upper()
        axes.bar(xs, rates, width, below, color=colour, label=word)
        below = [a + b for a, b in zip(below, rates, strict=True)]
    axes.set_ylabel("alerts per 10 min")
    axes.set_ylim(0.0, 1.1 * max([1.0, *below]))


def _dots(
    axes: "Axes", bars: Sequence[_Bar], of: Callable[[_Bar], float | None], name: str
) -> None:
    known = [(bar.x, value) for bar in bars if (value := of(bar)) is not None]
    xs, ys = [x for x, _ in known], [y for _, y in known]
    axes.plot(xs, ys, "-", color=GRID, lw=1.2, zorder=1)
    axes.plot(xs, ys, "o", color=LINE, ms=4 if len(known) <= MOST_BARS else 2.5)
    axes.set_ylabel(name)
    axes.set_ylim(0.0, 1.15 * max([0.5, *ys]))
    if not known:
        place: Look = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "not seen", color=QUIET, **place)


def _dates(axes: "Axes", bars: Sequence[_Bar], width: float, dated: bool) -> None:
    """The shared axis: days, or the walks' numbers."""
    first, last = (bars[0].x, bars[-1].x) if bars else (0.0, 1.0)
    span = last - first
    steps = (1, 2, 7, 14, 28, 56, 91, 182, 364) if dated else (1, 2, 5, 10, 20, 50, 100, 200, 500)
    step = next((step for step in steps if span / step <= 12), 2 * steps[-1])
    from_x = first
    if dated and step >= 7:
        from_x -= date.fromordinal(int(first)).weekday()  # Mondays
    elif not dated:
        from_x -= first % step
    ticks = [from_x + i * step for i in range(int((last - from_x) / step) + 1)]
    ticks = [x for x in ticks if x >= first - width]
    labels = [_day(x, span > 330) if dated else f"{x:g}" for x in ticks]
    axes.set_xticks(ticks, labels)
    spare = max(0.0, LEAST_SPAN - span)
    axes.set_xlim(first - width - spare / 2, last + width + spare / 2)


def _day(ordinal: float, with_year: bool) -> str:
    day = date.fromordinal(round(ordinal))
    return day.strftime("%Y-%m-%d" if with_year else "%d %b").lstrip("0")


def _panels(figure: "Figure", heights: Sequence[float]) -> list["Axes"]:
    """One below the other over one axis; the last place is the legend's."""
    grid = figure.add_gridspec(len(heights) + 1, 1, height_ratios=(*heights, LEGEND_HEIGHT))
    panels: list[Axes] = []
    for number in range(len(heights)):
        panels.append(figure.add_subplot(grid[number], sharex=panels[0] if panels else None))
    for axes in panels[:-1]:
        axes.tick_params(labelbottom=False)
    return panels


def _legend(figure: "Figure", all_axes: Iterable["Axes"]) -> None:
    """Every mark once, under the picture."""
    marks: dict[str, Any] = {}
    for axes in all_axes:
        for handle, word in zip(*axes.get_legend_handles_labels(), strict=True):
            marks.setdefault(word, handle)
    grid = figure.axes[0].get_gridspec()
    assert grid is not None
    place = figure.add_subplot(grid[-1])
    place.set_axis_off()
    if marks:
        place.legend(
            list(marks.values()),
            list(marks),
            loc="center",
            ncol=math.ceil(len(marks) / math.ceil(len(marks) / 7)),
            frameon=False,
            fontsize=8,
        )
