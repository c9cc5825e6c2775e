"""What is told of walks: the list, one of them, the export; and what is wrong with a database."""

import csv
import io
import json
import math
import os
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from benchmarks.walks import Made, make
from device.history import book
from device.history.records import LEVELS, Beginning, Event, Totals, Walk
from device.profiles import HEEL_LEAD_M
from device.settings import CoachSettings
from device.walks import command, effort, export, listing, one, words
from device.walks.words import When
from tests.conftest import Command

SATURDAY_S = 1_795_252_920.0
"""2026-11-21 09:22 UTC."""
DAY_S = 86_400.0
ASKED = Beginning(
    1, 12.5, "motion", "0.1.0", "HC-SR04", "default", "time", None, 900.0, 1200.0, 70.0
)
PLAN = CoachSettings(mode="plan")


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def walk(
    number: int = 1,
    wall_s: float | None = SATURDAY_S,
    ended: str | None = "stood",
    asked: Beginning = ASKED,
    boot: str = "a1b2c3d4",
    **totals: Any,
) -> Walk:
    return Walk(number, boot, 750.0, wall_s, asked, ended, Totals(**{"walked_s": 900.0, **totals}))


def told(of: Walk, events: Sequence[Event] = ()) -> one.Report:
    return one.report(of, words.whens([of])[0], of.ended or "power", events)


def row_of(found: one.Report, name: str) -> str:
    """What is said after `name`, on as many lines as it takes."""
    said, inside = "", False
    for line in one.lines(found):
        inside = line.startswith(name) or (inside and line.startswith(" " * 12))
        said += f"{line[12:]} " if inside else ""
    return said.strip()


def keep(path: Path, *walks: tuple[Made, float | None]) -> Path:
    """A book of them."""
    with book.open_book(path) as opened:
        for number, (made, wall_s) in enumerate(walks):
            walk_id = opened.begin(made.beginning, f"boot-{number}", 60.0, wall_s)
            opened.add(walk_id, made.seconds, made.events, made.totals)
            opened.end(walk_id, "stood", made.totals)
    return path


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two walks that are walks, and one that is none."""
    rng = random.Random(1)
    return keep(
        tmp_path / "walks.db",
        (make(rng, 15.0), SATURDAY_S - 2 * DAY_S),
        (make(rng, 10.0, PLAN, 1, weight_kg=None), None),
        (make(rng, 0.5), SATURDAY_S),
    )


# ------------------------------------------------------------------ when


def test_a_known_time_is_local_and_says_its_offset() -> None:
    (when,) = words.whens([walk()])
    assert when.local == "2026-11-21T10:22:00+01:00"
    assert words.short(when) == "Sat 2026-11-21 10:22"


def test_summer_has_its_own_offset() -> None:
    assert words.iso(1_780_000_000.0) == "2026-05-28T22:26:40+02:00"


def test_a_time_not_known_is_said_to_be_between_those_that_are() -> None:
    days = (SATURDAY_S, None, None, SATURDAY_S + DAY_S, None)
    whens = words.whens([walk(i, wall_s) for i, wall_s in enumerate(days, 1)])
    assert [(when.local, when.after, when.before) for when in whens[1:3]] == [
        (None, "2026-11-21T10:22:00+01:00", "2026-11-22T10:22:00+01:00")
    ] * 2
    assert whens[4].before is None
    assert words.short(whens[1]) == "after Sat 2026-11-21"
    assert words.full(whens[1]) == (
        "not known, after Sat 2026-11-21 10:22, before Sun 2026-11-22 10:22"
        " (boot a1b2c3, 12 min after power-on)"
    )


def test_without_any_date_there_is_the_boot() -> None:
    (when,) = words.whens([walk(wall_s=None)])
    assert words.short(when) == "boot a1b2c3 +12 min"
    assert words.full(when) == "not known (boot a1b2c3, 12 min after power-on)"


@pytest.mark.parametrize("power_s", [0.0, 59_999.0, 1e6, 1e8])
def test_when_always_fits_its_column(power_s: float) -> None:
    assert len(words.short(When(None, "a1b2c3d4", power_s))) <= 20


def test_what_is_not_quite_all_is_never_rounded_to_all() -> None:
    said = [words.percent(share) for share in (1.0, 0.99999, 0.985, 0.4, 0.0, None)]
    assert said == ["100 %", "99.9 %", "98.5 %", "40 %", "0 %", "unknown"]


@pytest.mark.parametrize(
    ("ended", "last", "boot", "word"),
    [
        ("stood", True, "here", "stood"),
        (None, True, "here", "open"),
        (None, False, "here", "power"),
        (None, True, "elsewhere", "power"),
    ],
)
def test_a_walk_without_an_end_was_cut_or_goes_on(
    ended: str | None, last: bool, boot: str, word: str
) -> None:
    assert words.ended(walk(ended=ended, boot=boot), last, "here") == word


# ------------------------------------------------------------------ the list


def test_the_list_leaves_out_what_was_no_walk() -> None:
    word = replace(ASKED, begun="button")
    walks = [
        walk(1),
        walk(2, walked_s=59.0),
        walk(3, walked_s=59.0, asked=word),
        walk(4, walked_s=60.0),
    ]
    found = listing.listing(walks, "")
    assert ([row.walk for row in found.walks], found.left_out) == ([1, 3, 4], 1)
    assert list(listing.lines(found))[-1] == (
        "1 walk shorter than a minute left out; --all shows them"
    )
    everything = listing.listing(walks, "", every=True)
    assert ([row.walk for row in everything.walks], everything.left_out) == ([1, 2, 3, 4], 0)


def test_the_list_has_a_line_a_walk() -> None:
    week_3 = replace(ASKED, mode="plan", week=3)
    walks = [
        walk(1, warnings=3, dangers=2, stops=1, closest_m=0.456, faults=4, cautions=9),
        walk(1234, None, None, week_3, walked_s=14_399.0),
    ]
    lines = list(listing.lines(listing.listing(walks, "")))
    assert lines[:3] == [
        "   # when                   min asked     WARN DANG STOP closest faults ended",
        "   1 Sat 2026-11-21 10:22  15.0 time         3    2    1  0.46 m      4 stood",
        "1234 after Sat 2026-11-21 240.0 week 3       0    0    0       -      0 power",
    ]
    assert [line.split(":")[0] for line in lines[3:]] == ["after", "power"]
    assert max(map(len, lines)) <= 80


# ------------------------------------------------------------------ one walk


def test_the_pace_is_that_of_the_seconds_that_showed_it() -> None:
    found = told(walk(backward_m=252.0, backward_seen_s=360.0))
    assert row_of(found, "pace") == "backward about 0.70 m/s, seen for 40 % of the walk"
    # 42 m/min: 1.4 * (3.5 + 4.2) / 3.5 METs, for a quarter of an hour and 70 kg.
    assert found.backward.met == pytest.approx(3.08)
    assert found.kcal == pytest.approx(3.08 * 70.0 / 4.0, abs=0.05)
    assert row_of(found, "effort") == (
        "an estimate, from a pace that reads low: backward 3.1 MET; 54 kcal at 70 kg, if all was"
        " walked at the pace seen"
    )


def test_backward_costs_two_fifths_more_than_forward() -> None:
    assert effort.met(1.0, backward=True) == pytest.approx(1.4 * effort.met(1.0, backward=False))


def test_forward_is_told_apart() -> None:
    found = told(
        walk(
            forward_s=400.0,
            backward_m=252.0,
            backward_seen_s=360.0,
            forward_m=120.0,
            forward_seen_s=100.0,
        )
    )
    assert row_of(found, "walked") == "15 min; asked backward 8 min 20 s, forward 6 min 40 s"
    assert "forward about 1.20 m/s, seen for 11 % of the walk" in row_of(found, "pace")
    assert "backward 3.1 MET, forward 3.1 MET" in row_of(found, "effort")
    assert "jogging is more" in row_of(found, "effort")


def test_without_a_pace_there_is_no_effort() -> None:
    found = told(walk(backward_m=6.0, backward_seen_s=9.0))
    assert (found.backward.mps, found.backward.met, found.kcal) == (None, None, None)
    assert row_of(found, "pace") == "backward not known: too little in view showed it"
    assert row_of(found, "effort") == "not estimated, for it follows from the pace"


def test_without_a_weight_there_is_no_energy() -> None:
    nobody = replace(ASKED, weight_kg=None)
    found = told(walk(asked=nobody, backward_m=252.0, backward_seen_s=360.0))
    assert found.kcal is None
    assert row_of(found, "effort") == (
        "an estimate, from a pace that reads low: backward 3.1 MET; energy only with your weight,"
        " walks.weight_kg"
    )


def test_the_reaction_is_the_median_of_those_that_were_seen() -> None:
    times = (0.9, None, 0.5, 0.7, None, 2.0)
    events = [Event(9.0 * i, "alert", "warning", reaction_s=s) for i, s in enumerate(times)]
    events.append(Event(70.0, "alert", "caution"))
    found = told(walk(), events)
    assert (found.reaction_s, found.reactions_seen) == (pytest.approx(0.8), 4)
    assert row_of(found, "reaction") == (
        "0.80 s from the first alert of an approach to half the speed, the median of the 4 that"
        " were seen"
    )
    assert row_of(told(walk()), "reaction").startswith("not known")


def test_who_did_not_slow_is_counted_and_in_no_median() -> None:
    times = (0.9, math.inf, 0.5, None, math.inf)
    events = [Event(9.0 * i, "alert", "warning", reaction_s=s) for i, s in enumerate(times)]
    found = told(walk(), events)
    assert (found.reaction_s, found.reactions_seen, found.not_slowed) == (0.7, 2, 2)
    assert row_of(found, "reaction").endswith("the 2 that were seen; 2 times not at all")
    assert [line.split()[2:] for line in list(one.lines(found))[-5:]] == [
        ["0.90", "s"], ["no"], ["0.50", "s"], [], ["no"],
    ]  # fmt: skip
    as_json = msgspec.json.decode(msgspec.json.encode(found))
    assert [event["reaction_s"] for event in as_json["events"]] == [0.9, None, 0.5, None, None]
    assert as_json["not_slowed"] == 2
    row = export.walk_row(walk(), words.whens([walk()])[0], "stood", events)
    assert (row.reaction_median_s, row.reactions_seen, row.not_slowed) == (0.7, 2, 2)


def test_who_never_slowed_has_no_median() -> None:
    found = told(walk(), [Event(9.0, "alert", "stop", reaction_s=math.inf)])
    assert (found.reaction_s, found.reactions_seen, found.not_slowed) == (None, 0, 1)
    assert row_of(found, "reaction") == (
        "not known: after no alert were you seen to slow; 1 time not at all"
    )


@pytest.mark.parametrize(
    ("closest_m", "said"),
    [
        (0.17, "0.17 m from the sensor: nearer than the heel, so it was probably touched"),
        (HEEL_LEAD_M, "0.25 m from the sensor: nearer than the heel, so it was probably touched"),
        (0.26, "0.26 m from the sensor"),
        (None, "not known"),
    ],
)
def test_what_was_nearer_than_the_heel_was_probably_touched(
    closest_m: float | None, said: str
) -> None:
    of = walk(closest_m=closest_m)
    assert row_of(told(of), "alerts").endswith(f"closest {said}")
    (row,) = listing.listing([of], "").walks
    assert row.closest_m == closest_m


def test_a_walk_without_a_length_knows_no_share() -> None:
    said = list(one.lines(told(walk(walked_s=0.0))))
    assert not any("unknown" in line for line in said)
    assert row_of(told(walk(protected_s=882.0)), "protected") == (
        "by a sensor that was believed for 98 % of the walk; no fault"
    )


def test_each_thing_that_was_said_has_its_time_and_its_cause() -> None:
    events = [
        Event(61.4, "alert", "danger", "0.80 m away", 0.8, 0.6, 0.9, 0.55),
        Event(90.0, "fault", "noise", "pulses too short"),
        Event(450.0, "cue", "mark", "half of it is done"),
    ]
    found = told(walk(faults=1), events)
    assert list(one.lines(found))[-3:] == [
        "  1:01  DANGER  0.55 s  0.80 m away",
        "  1:30  fault           noise: pulses too short",
        "  7:30  cue             mark: half of it is done",
    ]
    assert row_of(found, "told") == "half of it is done"
    assert row_of(found, "protected").endswith("faults: noise")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ASKED, "15 min in one stretch; 100 % of it was walked"),
        (
            replace(ASKED, mode="plan", week=2, target_s=720.0),
            "week 2 of the starter plan: 12 min in pairs of backward and forward;"
            " 125 % of it was walked",
        ),
        (
            replace(ASKED, mode="intervals", target_s=1000.0),
            "16 min 40 s, backward and forward in turn; 90 % of it was walked",
        ),
    ],
)
def test_what_was_asked_is_held_against_what_was_walked(asked: Beginning, said: str) -> None:
    assert row_of(told(walk(asked=asked)), "asked") == said


def test_a_long_story_keeps_within_80_columns() -> None:
    made = make(random.Random(3), 20.0, PLAN, 6, fault_at_s=(100, 500))
    of = Walk(1234, "a1b2c3d4", 5e6, None, made.beginning, None, made.totals)
    lines = list(one.lines(told(of, made.events)))
    assert max(map(len, lines)) <= 80
    assert len(lines) > 40


# ------------------------------------------------------------------ export


def test_a_table_has_its_units_in_its_names_and_a_cell_for_each() -> None:
    rows = [
        export.walk_row(each, words.whens([each])[0], "stood", ())
        for each in (walk(closest_m=0.4567), walk(2, None))
    ]
    text = export.table(export.WalkRow, rows)
    known, unknown = csv.DictReader(io.StringIO(text))
    assert (known["began"], unknown["began"]) == ("2026-11-21T10:22:00+01:00", "")
    assert (known["closest_m"], unknown["closest_m"]) == ("0.457", "")
    assert known["walked_s"] == "900.0"
    assert "\r" not in text


def test_an_empty_table_has_its_names() -> None:
    assert export.table(export.SecondRow, ()).startswith("t_s,distance_m,closing_mps,level,")


def test_the_export_has_every_walk(rearguard: Command, kept: Path) -> None:
    ran = rearguard("walks", "export", "--history", kept)
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["walk"] for row in rows] == ["1", "2", "3"]
    assert [row["plan_week"] for row in rows] == ["", "1", ""]
    as_json = json.loads(rearguard("walks", "export", "--json", "--history", kept).out)
    assert [row["walk"] for row in as_json["walks"]] == [1, 2, 3]
    for row, same in zip(rows, as_json["walks"], strict=True):
        assert row == {name: "" if cell is None else str(cell) for name, cell in same.items()}


def test_one_walk_is_exported_second_by_second(rearguard: Command, kept: Path) -> None:
    ran = rearguard("walks", "export", "2", "--history", kept)
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    with book.read_book(kept) as opened:
        seconds, events = opened.seconds(2), opened.events(2)
    assert [int(row["t_s"]) for row in rows] == list(range(600))
    assert [row["level"] for row in rows] == [LEVELS[each.level] for each in seconds]
    as_json = json.loads(rearguard("walks", "export", "2", "--json", "--history", kept).out)
    assert (len(as_json["seconds"]), len(as_json["events"])) == (600, len(events))


def test_what_came_after_its_end_is_not_exported(rearguard: Command, tmp_path: Path) -> None:
    made = make(random.Random(1), 5.0)
    of = Walk(1, "boot", 60.0, None, made.beginning, "stood", replace(made.totals, walked_s=200.5))
    path = keep(tmp_path / "walks.db", (made._replace(totals=of.totals), None))
    text = rearguard("walks", "export", "1", "--history", path).out
    assert [int(row["t_s"]) for row in csv.DictReader(io.StringIO(text))] == list(range(201))
    found = json.loads(rearguard("walks", "export", "1", "--json", "--history", path).out)
    assert [row["t_s"] for row in found["seconds"]] == list(range(201))
    assert found["events"] == msgspec.to_builtins(
        [replace(event, reaction_s=None if event.reaction_s == math.inf else event.reaction_s)
         for event in made.events if event.t_s <= 200.5]
    )  # fmt: skip
    assert len(found["events"]) < len(made.events)


def test_what_was_asked_is_called_that(kept: Path) -> None:
    walks, one_walk = command.export(kept, False), command.export(kept, False, 2)
    assert {"asked_backward_s", "asked_forward_s"} <= set(walks.splitlines()[0].split(","))
    for name in (*walks.splitlines()[0].split(","), *one_walk.splitlines()[0].split(",")):
        assert name not in ("backward_s", "forward_s", "forward")


# ------------------------------------------------------------------ the commands


def test_the_command_lists(rearguard: Command, kept: Path) -> None:
    ran = rearguard("walks", "--history", kept)
    assert (ran.status, ran.err) == (0, "")
    assert [line[:4].strip() for line in ran.out.splitlines()[1:3]] == ["1", "2"]
    found = json.loads(rearguard("walks", "--all", "--json", "--history", kept).out)
    assert [row["walk"] for row in found["walks"]] == [1, 2, 3]


def test_the_last_that_was_a_walk_is_shown(rearguard: Command, kept: Path) -> None:
    found = json.loads(rearguard("walks", "show", "--json", "--history", kept).out)
    assert found["walk"] == 2
    assert rearguard("walks", "show", "3", "--history", kept).out.startswith("walk 3 ")


@pytest.mark.parametrize("number", ["4", "0", "9" * 30])
def test_a_walk_that_is_not_there_is_one_line(rearguard: Command, kept: Path, number: str) -> None:
    ran = rearguard("walks", "show", number, "--history", kept)
    assert ran.status == 2
    assert ran.err.startswith(f"rearguard: walk {number}: there is none")
    assert ran.err.count("\n") == 1


def test_a_walk_that_goes_on_is_told_as_far_as_it_is_known(
    rearguard: Command, tmp_path: Path
) -> None:
    made = make(random.Random(1), 5.0)
    path = tmp_path / "walks.db"
    with book.open_book(path) as opened:
        number = opened.begin(made.beginning, "boot", 1.0, None)
        opened.add(number, made.seconds, made.events, made.totals)
        ran = rearguard("walks", "--history", path)
        assert ran.out.splitlines()[1].endswith(" power")
        assert rearguard("walks", "show", "--history", path).status == 0


def _missing(path: Path) -> None:
    pass


def _text(path: Path) -> None:
    path.write_text("not a database at all, but long enough to be taken for one\n" * 40)


def _strangers(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE walk (id)")
    connection.close()


def _newer(path: Path) -> None:
    keep(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def _folder(path: Path) -> None:
    path.mkdir()


def _empty_file(path: Path) -> None:
    path.touch()


def _broken(path: Path) -> None:
    rng = random.Random(1)
    keep(path, *((make(rng, 2.0), None) for _ in range(40)))
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "spoil", [_missing, _text, _strangers, _newer, _folder, _empty_file, _broken]
)
@pytest.mark.parametrize("verb", [(), ("show",), ("plan",), ("export",), ("explain",)])
def test_a_database_that_cannot_be_read_is_one_line(
    rearguard: Command, tmp_path: Path, spoil: Any, verb: tuple[str, ...]
) -> None:
    path = tmp_path / "walks.db"
    spoil(path)
    ran = rearguard("walks", *verb, "--history", path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"rearguard: {path}: ")
    assert ran.err.count("\n") == 1
    assert "internal" not in ran.err


def test_a_writer_who_begins_amid_a_question_is_no_broken_book(kept: Path) -> None:
    times = []

    def ask(opened: book.Book) -> int:
        """Read, while a writer makes the file another under who was told that nobody writes."""
        rows = opened.connection.execute("SELECT * FROM second")
        times.append(rows.fetchone() is not None)
        if len(times) == 1:
            with book.open_book(kept) as writer:
                writer.connection.execute("DELETE FROM second")
                writer.connection.execute("VACUUM")
        return len(rows.fetchall())

    assert command._asked(kept, ask) == 0
    assert times == [True, False]


def test_what_is_wrong_twice_is_said(kept: Path) -> None:
    times = []

    def ask(opened: book.Book) -> None:
        times.append(opened)
        raise sqlite3.DatabaseError("database disk image is malformed")

    with pytest.raises(command.InputError, match="malformed; the device puts a broken one aside"):
        command._asked(kept, ask)
    assert len(times) == 2


def test_a_history_without_a_walk_says_so(rearguard: Command, tmp_path: Path) -> None:
    path = keep(tmp_path / "walks.db")
    assert rearguard("walks", "--history", path).out.startswith("no walk yet")
    assert rearguard("walks", "plan", "--history", path).status == 0
    for verb in ("show", "explain"):
        assert rearguard("walks", verb, "--history", path).err == (
            "rearguard: no walk was kept yet\n"
        )
    assert rearguard("walks", "export", "--history", path).out.startswith("walk,began,")


def test_the_options_may_stand_before_the_inner_verb(rearguard: Command, kept: Path) -> None:
    ran = rearguard("walks", "--json", "--history", kept, "show")
    assert json.loads(ran.out)["walk"] == 2
