"""The page: well-formed, complete, self-contained, honest, and its cases can be walked again."""

import math
import re
import shlex
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from device import __version__, journal
from device.evaluate import plot, report, score
from device.evaluate.figures import NOTHING, Figure
from device.evaluate.gates import GATES, judge
from device.evaluate.peers import OURS, PEERS
from device.evaluate.record import Say, record
from device.evaluate.score import Case, Tally
from device.evaluate.suite import Done, evaluate, total
from device.settings import AlertSettings, Settings

from .conftest import Command

SEEDS = range(1, 3)
WALKS = ["wall@1.0", "curb", "stuck-high", "gap"]
LATE = Settings(alert=AlertSettings(danger_m=0.3, danger_ttc_s=0.1, stop_m=0.3, stop_ttc_s=0.1))
"""A device that warns too late on purpose, so that there is something to complain of."""
VOID = {"meta", "br"}


class Balance(HTMLParser):
    """Reads a page and keeps its tags and its text; fails at a tag that does not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def text_of(page: str) -> str:
    return Balance(page).text


@pytest.fixture(scope="module")
def late() -> list[Done]:
    return evaluate(WALKS, SEEDS, LATE, 1)


@pytest.fixture(scope="module")
def late_page(late: list[Done]) -> str:
    return report.page(late, LATE, SEEDS)


def made_up(*cases: Case, name: str = "wall@1.0", **figures: object) -> list[Done]:
    tally = Tally(runs=1, walked_s=60.0, cases=list(cases), **figures)  # type: ignore[arg-type]
    return [Done(name, {OURS: tally})]


# ------------------------------------------------------------------------- the page


def test_needs_nothing_but_itself(late_page: str) -> None:
    for outside in ("http", "src=", "<script", "<link", "@import", "@font-face"):
        assert outside not in late_page
    assert set(re.findall(r"url\((.)", late_page)) == {"#"}


def test_every_tag_closes_and_every_reference_has_its_target(late_page: str) -> None:
    tags = Balance(late_page).tags
    ids = {attrs["id"] for _, attrs in tags if "id" in attrs}
    assert {f"url(#{name})" for name in ids} == set(re.findall(r"url\(#.*?\)", late_page))
    for tag, attrs in tags:
        if tag == "svg" and attrs.get("role") != "img":
            assert attrs.get("aria-hidden") == "true"


def test_says_what_was_walked(late_page: str, late: list[Done]) -> None:
    text = text_of(late_page)
    assert f"rearguard {__version__}" in text
    assert "1 to 2" in text
    assert f"{total(late).runs}, " in text
    assert "alert.danger_m = 0.3" in text


def test_every_gate_is_there_and_its_verdict_is_in_words(late_page: str, late: list[Done]) -> None:
    rows = dict(re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', late_page))
    words = {True: "✓ pass", False: "✗ fail", None: "not measured"}
    verdicts = judge(total(late))
    assert {verdict.passed for verdict in verdicts} >= {True, False}
    for verdict in verdicts:
        assert words[verdict.passed] in rows[report.escape(verdict.title)]
    failed = sum(verdict.passed is False for verdict in verdicts)
    assert f"Failed: {failed} of {len(GATES)} gates" in text_of(late_page)


def test_passing_is_said_too() -> None:
    done = made_up(needs=100, met=100, faults_s=[0.1])
    text = text_of(report.page(done, Settings(), range(1, 2)))
    assert "Passed: all" in text
    assert "could not be measured" in text


def test_a_verdict_with_the_limit_in_its_interval_is_not_for_sure() -> None:
    sure, unsure = made_up(needs=1000, met=1000), made_up(needs=100, met=100)
    rows = [
        report.page(done, Settings(), range(1, 2))
        .partition(GATES[0].title)[2]
        .partition("</tr>")[0]
        for done in (sure, unsure)
    ]
    assert ["not for sure" in row for row in rows] == [False, True]


def test_every_walk_has_a_row_and_what_does_not_count_is_marked(late_page: str) -> None:
    for name in WALKS:
        assert f"<b>{name}</b>" in late_page
    curb = late_page.partition("<b>curb</b>")[2].partition("</tr>")[0]
    assert "not counted: 0&nbsp;/&nbsp;2" in curb
    frozen = report.page(made_up(name="frozen@field"), Settings(), range(1, 2))
    assert "an open field says too" in frozen


def test_what_never_came_and_what_was_not_measured_are_words() -> None:
    done = made_up(onsets_s={1: [0.1, math.inf], 2: [math.inf]}, faults_s=[math.inf])
    page = report.page(done, Settings(), range(1, 2))
    row = page.partition("<b>wall@1.0</b>")[2].partition("</tr>")[0]
    assert "0.1 / never" in row
    assert row.count("never") == 3  # CAUTION's p95, all of WARNING's, the fault
    assert report.DASH in row
    assert not re.search(r"\b(inf|nan|None)\b", text_of(page))


@pytest.mark.parametrize(
    ("figure", "picture"),
    [(NOTHING, ""), (Figure(math.inf, 0.2, math.inf, 4), "interval"), (Figure(0.0), "value")],
)
def test_a_whisker_stays_within_its_frame(figure: Figure, picture: str) -> None:
    drawn = plot.whisker(figure, 0.0, least=False, share=False)
    assert picture in drawn
    assert all(0 <= float(x) <= 140 for x in re.findall(r'cx="(.*?)"', drawn))
    assert "nan" not in drawn


def test_peers_are_shown_when_they_were_heard_ours_first(late_page: str) -> None:
    table = late_page.partition("Beside others")[2].partition("</section>")[0]
    names = re.findall(r'<th scope="row">(.*?)</th>', table)
    assert [unescape(name) for name in names] == [OURS, *PEERS]


def test_alone_and_without_complaints_it_is_a_page_all_the_same() -> None:
    done = evaluate(["wall@1.0"], range(1, 2), Settings(), 1, peers=False)
    done[0].tallies[OURS].cases.clear()
    page = report.page(done, Settings(), range(1, 2))
    assert "Beside others" not in page
    assert "None." in text_of(page)


def test_no_walk_at_all_is_not_a_success() -> None:
    page = report.page([], Settings(), range(1, 1))
    assert "Nothing was measured" in text_of(page)


def test_the_definitions_are_the_scorer_s_own(late_page: str) -> None:
    text, doc = text_of(late_page), " ".join((score.__doc__ or "").replace("*", "").split())
    items = doc.partition("alike: - ")[2].split(" - ")
    assert len(items) >= 7
    for item in items:
        assert item in text


def test_names_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "<b>a&b.toml"
    file.write_text('title = "<i>Tom & Jerry"\nduration_s = 2.0\nexpect = "any"\n')
    case = Case(str(file), 1, 1.0, "<u>odd</u>")
    page = report.page(made_up(case, name=str(file)), Settings(), range(1, 2))
    Balance(page)
    for raw in ("<b>a&b", "<i>Tom", "<u>odd"):
        assert raw not in page
        assert report.escape(raw) in page


# -------------------------------------------------------------------------- choices


def test_each_kind_of_complaint_that_the_scorer_has_is_known() -> None:
    source = Path(score.__file__).read_text("utf-8")
    words = re.findall(r'case\([^"\n]*"(.*?)"\)', source)
    assert len(words) == len(report.KINDS)
    assert {report.kind(what) for what in words} == {title for _, title in report.KINDS}


def test_an_unknown_kind_is_its_own_words_without_figures() -> None:
    assert report.kind("lost 3 of 4.5 m") == report.kind("lost 1 of 20 m") == "lost … of … m"


def test_every_kind_and_every_walk_is_shown_before_any_repeats() -> None:
    often = [Case("gravel", seed, 1.0, "a false CAUTION") for seed in range(1, 30)]
    rare = [
        Case("hedge", 1, 1.0, "a false CAUTION"),
        Case("gravel", 9, 2.0, "touched at 0.40 m/s"),
        Case("pole", 1, 3.0, "not told to stop at 0.80 m, 0.50 m/s"),
    ]
    shown = report.choose([*often, *rare], 5)
    assert {*rare} < {*shown}
    assert len(shown) == 5
    assert shown[0] == rare[2]  # the gravest first
    assert shown[1] == rare[1]
    assert report.choose(often, 0) == []


# ------------------------------------------------------------------------- pictures


def pictures(page: str) -> Iterator[tuple[str, str]]:
    """(the plot's SVG, its command) of each picture."""
    for figure in re.findall(r"<figure>.*?</figure>", page, re.DOTALL):
        yield (
            figure[figure.index("<svg") : figure.index("</svg>")],
            Balance(figure[figure.index("<code") : figure.index("</figure>")]).text,
        )


def test_a_picture_stays_in_its_frame_and_its_moment_too(late_page: str) -> None:
    drawn = [svg for svg, _ in pictures(late_page)]
    assert drawn
    for svg in drawn:
        assert 'class="case"' in svg
        assert 'class="echo"' in svg
        for x, y, width, height in re.findall(
            r'x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', svg
        ):
            assert plot.LEFT <= float(x) <= float(x) + float(width) <= plot.WIDTH
            assert 0 <= float(y) <= float(y) + float(height) <= plot.HEIGHT


def test_a_picture_shows_the_truth_and_the_fault() -> None:
    walk = Case("gap", 1, 3.3, "a fault that was never announced")
    svg = plot.draw(plot.rewalk(walk, Settings()), "gap")
    for mark in ("dead", "announced", "fault", "due", "excusable", "gap", "buzzer", "motor"):
        assert f'class="{mark}"' in svg


def test_a_moment_at_either_end_of_a_walk_can_be_drawn() -> None:
    for t_s in (0.0, 8.0):
        scene = plot.rewalk(Case("wall@1.0", 1, t_s, "?"), Settings())
        assert 0.0 <= scene.from_s < scene.to_s <= 8.0
        assert plot.draw(scene, "?").startswith("<svg")


def test_a_picture_is_of_the_walk_that_was_complained_of(late: list[Done]) -> None:
    case = total(late).cases[0]
    scene = plot.rewalk(case, LATE)
    again = score.score(case.scenario, case.seed, scene.record, scene.record.says)
    assert case in again.cases


def test_the_command_under_a_picture_walks_it_again(
    late: list[Done],
    late_page: str,
    rearguard: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.toml").write_text(
        "[alert]\ndanger_m = 0.3\ndanger_ttc_s = 0.1\nstop_m = 0.3\nstop_ttc_s = 0.1\n"
    )
    _, line = next(pictures(late_page))
    _, verb, name, _, seed, *_ = words = shlex.split(line)
    assert any((case.scenario, case.seed) == (name, int(seed)) for case in total(late).cases)
    rearguard(*words[1:], "--config", "late.toml")
    kept = journal.read(Path("case.jsonl"), Settings())
    assert kept.settings == replace(LATE)
    assert verb == "simulate"
    assert kept.levels is not None
    walked = record(name, LATE, int(seed))
    for (t_s, _), level in zip(kept.steps, kept.levels, strict=True):
        said: Say = score.at(walked.says, t_s)
        assert plot.LEVELS[said.level].lower() == level
