"""The pictures: made, the same each time, and nothing written over anything else."""

import itertools
import math
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

from benchmarks.walks import Made, make
from device.core import coach
from device.history import book
from device.history.records import Event, Totals, Walk
from device.settings import CoachSettings
from device.walks import one, picture, words
from tests.conftest import Command

PLAN = CoachSettings(mode="plan")
DAY_S = 86_400.0
FIRST_S = 1_780_000_000.0


def walk(made: Made, number: int = 1, wall_s: float | None = FIRST_S) -> Walk:
    return Walk(number, "a1b2c3d4", 750.0, wall_s, made.beginning, "stood", made.totals)


def nothing(made: Made) -> Made:
    return made._replace(seconds=[], events=[], totals=Totals())


def gap(made: Made) -> Made:
    """Seconds are missing, as after a write that was lost."""
    return made._replace(seconds=made.seconds[:100] + made.seconds[160:])


SEED = 5
ONE: dict[str, Callable[[], Made]] = {
    "short": lambda: make(random.Random(SEED), 1.2),
    "ordinary": lambda: make(random.Random(SEED), 18.3),
    "intervals": lambda: make(random.Random(SEED), 20.0, PLAN, 6),
    "faulty": lambda: make(random.Random(SEED), 20.0, fault_at_s=(0, 100, 500, 1180)),
    "long": lambda: make(random.Random(SEED), 200.0),
    "gap": lambda: gap(make(random.Random(SEED), 10.0)),
    "a second": lambda: make(random.Random(SEED), 1 / 60),
    "nothing": lambda: nothing(make(random.Random(SEED), 1.0)),
}
MANY = {
    "one": (1, True),
    "three": (3, True),
    "a plan": (18, True),
    "years": (100, True),
    "some undated": (18, 5),
    "many, some undated": (300, 5),
    "undated": (18, False),
    "many undated": (100, False),
}


def drawn(name: str) -> Any:
    """The figure, laid out."""
    with mpl.rc_context(picture.PLAIN):
        return _drawn(name)


def _drawn(name: str) -> Any:
    figure = Figure(figsize=(picture.WIDTH_IN, 8.0), dpi=picture.DPI, layout="constrained")
    FigureCanvasAgg(figure)
    if name in ONE:
        made = ONE[name]()
        of = walk(made)
        picture._one(figure, of, words.whens([of])[0], made.seconds, made.events)
    else:
        count, dated = MANY[name]
        walks, reactions = many(count, dated)
        picture._progress(figure, walks, words.whens(walks), reactions)
    figure.canvas.draw()
    return figure


def many(count: int, dated: int) -> tuple[list[Walk], dict[int, float]]:
    rng = random.Random(SEED)
    different = [make(rng, 2.0 * (4 + week), PLAN, week) for week in range(1, coach.WEEKS + 1)]
    walks, reactions = [], {}
    for i in range(count):
        wall_s = FIRST_S + DAY_S * (i // 3 * 7 + i % 3 * 2)
        known = dated and (dated is True or i % dated)
        walks.append(walk(different[min(5, i // 3)], i + 1, wall_s if known else None))
        if i % 4:
            reactions[i + 1] = 0.6 + 0.1 * (i % 3)
    return walks, reactions


@pytest.mark.parametrize("name", [*ONE, *MANY])
def test_no_words_lie_outside_or_on_other_words(name: str) -> None:
    figure = drawn(name)
    boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(figure)]
    assert len(boxes) > 10
    for word, box in boxes:
        assert box.x0 >= -1.0, word
        assert box.x1 <= figure.bbox.x1 + 1.0, word
    for (word, box), (other, other_box) in itertools.combinations(boxes, 2):
        shared_x = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
        shared_y = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
        assert not (shared_x > 1.0 and shared_y > 1.0), f"{word!r} and {other!r}"


def legend(figure: Any) -> set[str]:
    """Its words."""
    (found,) = figure.findobj(Legend)
    return {text.get_text() for text in found.get_texts()}


def _texts(figure: Any) -> Sequence[Any]:
    """Whatever is to be read; of an axis only the labels within its limits."""
    outside = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        for tick in axis.get_major_ticks():
            if not low - slack <= tick.get_loc() <= high + slack:
                outside |= {tick.label1, tick.label2}
    found = figure.findobj(Text)
    return [t for t in found if t.get_text() and t.get_visible() and t not in outside and _on(t)]


def _on(text: Any) -> bool:
    axes = text.axes
    return axes is None or (axes.get_visible() and (axes.axison or text in axes.texts))


@pytest.mark.parametrize("ending", ["PNG", "svg"])
def test_a_walk_and_the_progress_are_drawn(rearguard: Command, tmp_path: Path, ending: str) -> None:
    path, file = tmp_path / "walks.db", tmp_path / f"picture.{ending}"
    made = make(random.Random(SEED), 5.0)
    with book.open_book(path) as opened:
        number = opened.begin(made.beginning, "boot", 1.0, FIRST_S)
        opened.add(number, made.seconds, made.events, made.totals)
    for verb in ("show", "plan"):
        ran = rearguard("walks", verb, "--plot", file, "--history", path)
        assert (ran.status, ran.err) == (0, "")
        assert ran.out
        data = file.read_bytes()
        if ending == "svg":
            assert ElementTree.fromstring(data).tag.endswith("svg")
        else:
            assert data.startswith(b"\x89PNG")
        file.unlink()


def test_the_same_walk_is_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "walks.db"
    made = make(random.Random(SEED), 5.0, PLAN, 1, fault_at_s=(60,))
    with book.open_book(path) as opened:
        number = opened.begin(made.beginning, "boot", 1.0, FIRST_S)
        opened.add(number, made.seconds, made.events, made.totals)
    files = [tmp_path / f"{i}.svg" for i in range(2)]
    for file in files:
        arguments = ["-m", "device", "walks", "show", "--history", path, "--plot", file]
        subprocess.run([sys.executable, *map(str, arguments)], check=True, capture_output=True)
    first, second = (file.read_bytes() for file in files)
    assert first == second
    assert b"dc:date" not in first


def test_whoever_has_their_own_colours_gets_ours(tmp_path: Path) -> None:
    made = ONE["short"]()
    of = walk(made)
    files = [tmp_path / f"{i}.svg" for i in range(2)]
    for file, width in zip(files, (1.5, 9.0), strict=True):
        with mpl.rc_context({"lines.linewidth": width, "axes.facecolor": "red"}):
            picture.one_walk(file, of, words.whens([of])[0], made.seconds, made.events)
            assert mpl.rcParams["lines.linewidth"] == width
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("verb", ["show", "plan"])
@pytest.mark.parametrize("name", ["picture.pdf", "picture", "png"])
def test_a_picture_of_another_kind_is_one_line(
    rearguard: Command, tmp_path: Path, verb: str, name: str
) -> None:
    file = tmp_path / name
    ran = rearguard("walks", verb, "--plot", file, "--history", tmp_path / "walks.db")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"rearguard: {file}: --plot makes a picture that ends in .png or .svg\n"


def test_without_matplotlib_it_says_how_to_get_it(
    rearguard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = rearguard("walks", "plan", "--plot", tmp_path / "a.png", "--history", tmp_path / "w.db")
    assert ran.status == 2
    assert ran.err.endswith(
        "pip install matplotlib; on a Raspberry Pi: sudo apt install python3-matplotlib\n"
    )


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    made = ONE["short"]()
    of = walk(made)
    with pytest.raises(picture.InputError, match="No such file or directory; name a file"):
        picture.one_walk(
            tmp_path / "nowhere" / "a.png", of, words.whens([of])[0], made.seconds, made.events
        )


def test_what_is_not_known_is_no_line() -> None:
    made = gap(make(random.Random(SEED), 10.0))
    xs, ys = picture._with_gaps(made.seconds, picture._Scale(60.0, "min", 600.0))
    inside = [y for x, y in zip(xs, ys, strict=True) if 100 / 60 <= x <= 160 / 60]
    assert inside
    assert all(map(math.isnan, inside))
    known = [each.distance_m for each in made.seconds if each.distance_m is not None]
    assert [y for y in ys if not math.isnan(y)] == known


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a plan", "date"),
        ("some undated", "date; 4 not dated: drawn at one they can have"),
        ("undated", "walk number; no date is known"),
    ],
)
def test_walks_without_a_date_are_drawn_where_they_may_have_been(name: str, said: str) -> None:
    figure = drawn(name)
    panels = figure.axes[:4]
    assert [axes.get_xlabel() for axes in panels] == ["", "", "", said]
    low, high = panels[0].get_xlim()
    assert (high - low > 30) == (name != "undated")
    assert {"asked backward", "asked forward", "length asked"} <= legend(figure)


def test_an_undated_walk_stands_between_those_it_lies_between() -> None:
    made = ONE["short"]()
    wall_s = (None, FIRST_S, None, FIRST_S + 4 * DAY_S, None)
    walks = [walk(made, number, at_s) for number, at_s in enumerate(wall_s, start=1)]
    days = [picture._known(when) for when in words.whens(walks)]
    first = date.fromisoformat((words.iso(FIRST_S) or "")[:10])
    assert days == [first + timedelta(days=number) for number in (0, 0, 2, 4, 4)]
    assert picture._known(words.whens(walks[:1])[0]) is None


def test_who_did_not_slow_has_no_ring() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    scale = picture._Scale(60.0, "min", 600.0)
    asked = [
        Event(t_s, "alert", "danger", "", 0.8, 0.6, 0.9, took_s)
        for t_s, took_s in ((60.0, 1.2), (120.0, math.inf), (180.0, None))
    ]
    picture._reactions(axes, asked, scale, 4)
    (rings,) = axes.get_lines()
    assert list(rings.get_xdata()) == [pytest.approx(61.2 / 60.0)]
    picture._reactions(figure.add_subplot(), asked[1:], scale, 4)
    assert not figure.axes[1].get_lines()


def test_the_lines_of_the_levels_say_what_they_are() -> None:
    assert {"level by distance", "length asked"} <= legend(drawn("ordinary"))


def test_reactions_come_to_a_median_a_walk() -> None:
    assert one.median([]) is None
    assert one.median([3.0, 1.0, 2.0]) == 2.0
    assert one.median([3.0, 1.0]) == 2.0
