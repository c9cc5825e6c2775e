"""The journal: what was decided, a line at a time, and every way a file can be wrong."""

import errno
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device import __version__, journal, physics
from device.clock import VirtualClock
from device.core.alert import Alert, State
from device.core.health import SensorFault
from device.core.pipeline import Step
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.core.signals import Command, Cue
from device.core.track import Track
from device.errors import InputError
from device.settings import AlertSettings, SensorSettings, Settings
from device.sim import scenario
from device.sim.run import Walk

SETTINGS = Settings()
WARM = Settings(sensor=SensorSettings(temperature_c=20.0, min_range_m=0.25, max_range_m=3.0))
HEAD = "time_s,distance_m\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for a module's examples: a property may write a thousand files."""
    return tmp_path_factory.mktemp("journal")


@pytest.fixture(scope="module")
def walked() -> bytes:
    """Three seconds toward a wall."""
    stream = io.BytesIO()
    walk = Walk(
        scenario.shortened(scenario.load("wall"), 3.0), SETTINGS, seed=1, clock=VirtualClock()
    )
    walk.go([journal.Writer(stream, SETTINGS)])
    return stream.getvalue()


def read(folder: Path, content: bytes | str, with_settings: Settings = SETTINGS) -> Any:
    path = folder / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return journal.read(path, with_settings)


def refusal(folder: Path, content: bytes | str, with_settings: Settings = SETTINGS) -> str:
    """What is said of this file, which must be refused, in one line after its name."""
    with pytest.raises(InputError) as caught:
        read(folder, content, with_settings)
    said = re.fullmatch(rf"{re.escape(str(folder / 'file'))}:( ?.+)", str(caught.value))
    assert said is not None, str(caught.value)
    return said[1]


def step(
    t_s: float,
    reading: Reading | None = None,
    state: State = State.CLEAR,
    fault: SensorFault | None = None,
    command: Command | None = None,
    track: Track | None = None,
) -> Step:
    alert = Alert(state=state, fault=fault)
    return Step(t_s, reading, track or Track(), alert, Cue.SILENCE, command or Command())


def written(steps: list[Step], with_settings: Settings = SETTINGS) -> bytes:
    stream = io.BytesIO()
    writer = journal.Writer(stream, with_settings)
    for each in steps:
        writer(each)
    return stream.getvalue()


def lines(content: bytes) -> list[dict[str, Any]]:
    """The lines after the header."""
    return [json.loads(line) for line in content.splitlines()[1:]]


# ------------------------------------------------------------------ writing


def test_the_header_says_who_wrote_it_and_with_which_settings() -> None:
    header = json.loads(written([], WARM))
    assert header == {
        "rearguard": __version__,
        "schema": 1,
        "settings": msgspec.to_builtins(WARM),
    }


def test_a_line_has_the_contracts_fields_and_nulls_where_nothing_is_known() -> None:
    content = written([step(0.5)])
    assert lines(content) == [
        {
            "t_s": 0.5,
            "reading": None,
            "track": {"distance_m": None, "closing_mps": None, "ttc_s": None, "against": False},
            "level": "clear",
            "fault": None,
            "buzzer": 0,
            "motor": 0.0,
        }
    ]


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (
            Echo(1.0, 1.25, 0.0077),
            {"kind": "echo", "t_s": 1.0, "distance_m": 1.25, "echo_s": 0.0077},
        ),
        (
            Echo(1.0, 0.02, too_close=True),
            {"kind": "echo", "t_s": 1.0, "distance_m": 0.02, "too_close": True},
        ),
        (Nothing(1.0, 0.038), {"kind": "nothing", "t_s": 1.0, "echo_s": 0.038}),
        (Nothing(1.0), {"kind": "nothing", "t_s": 1.0}),
        (
            Fault(1.0, PingFault.NOISE, 1e-05),
            {"kind": "fault", "t_s": 1.0, "fault": "noise", "echo_s": 1e-05},
        ),
    ],
)
def test_a_reading_is_written_as_its_kind_with_what_applies(
    reading: Reading, expected: dict[str, Any]
) -> None:
    assert lines(written([step(1.0, reading)]))[0]["reading"] == expected


def test_a_line_says_what_was_believed_decided_and_done() -> None:
    track = Track(1.2, 0.8, 1.1875, 0.0, against=True)
    everything = step(
        2.0, None, State.AGAINST, SensorFault.STUCK_HIGH, Command(1, 0.8, 2300), track
    )
    assert lines(written([everything]))[0] == {
        "t_s": 2.0,
        "reading": None,
        "track": {"distance_m": 1.2, "closing_mps": 0.8, "ttc_s": 1.1875, "against": True},
        "level": "stop",
        "fault": "stuck-high",
        "buzzer": 1,
        "motor": 0.8,
    }


def test_a_step_at_which_nothing_is_new_has_no_line() -> None:
    same: dict[str, Any] = {"state": State.CAUTION, "command": Command(1, 0.5, 2300)}
    content = written([step(0.1 * i, None, **same) for i in range(50)])
    assert [line["t_s"] for line in lines(content)] == [0.0]


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.CAUTION},
        {"fault": SensorFault.NOISE},
        {"command": Command(buzzer=1)},
        {"command": Command(motor=0.8)},
        {"reading": Nothing(1.0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_is_new_has_a_line_and_so_has_its_end(change: dict[str, Any]) -> None:
    content = written([step(0.0), step(1.0, **change), step(2.0), step(3.0)])
    times = [line["t_s"] for line in lines(content)]
    # A reading is news when it comes and not when it is over.
    assert times == ([0.0, 1.0] if "reading" in change else [0.0, 1.0, 2.0])


def test_the_same_reading_again_is_a_line_again() -> None:
    content = written([step(0.1 * i, Nothing(0.1 * i)) for i in range(10)])
    assert len(lines(content)) == 10


def test_in_a_walks_journal_every_line_is_news(walked: bytes) -> None:
    found = lines(walked)
    assert len(found) > 60
    for before, after in itertools.pairwise(found):
        columns = ("level", "fault", "buzzer", "motor")
        changed = [after[name] for name in columns] != [before[name] for name in columns]
        assert after["reading"] is not None or changed or after["track"] != before["track"]
        assert after["t_s"] > before["t_s"]


def test_a_journal_is_handed_to_the_system_every_second() -> None:
    class Counted(io.BytesIO):
        flushed_at: list[float]

        def flush(self) -> None:
            self.flushed_at.append(now_s)

    now_s = 0.0
    stream = Counted()
    stream.flushed_at = []
    writer = journal.Writer(stream, SETTINGS)
    for i in range(301):
        now_s = round(i / 30, 6)
        writer(step(now_s, Nothing(now_s)))
    gaps = [b - a for a, b in itertools.pairwise([0.0, *stream.flushed_at])]
    assert len(gaps) == 10
    assert max(gaps) <= journal.FLUSH_S + 1 / 30


# ------------------------------------------------------------------ there and back


TIMES = st.floats(0.0, 1e6)
LENGTHS = st.floats(0.0, 8.0)
PULSES = st.none() | st.floats(0.0, 0.3)
READINGS = st.one_of(
    st.none(),
    st.builds(Echo, TIMES, LENGTHS, PULSES, st.booleans()),
    st.builds(Nothing, TIMES, PULSES),
    st.builds(Fault, TIMES, st.sampled_from(PingFault), PULSES),
)
TRACKS = st.builds(
    Track,
    st.none() | LENGTHS,
    st.none() | st.floats(-5.0, 5.0),
    st.none() | st.floats(0.0, 40.0),
    st.none() | st.floats(0.0, 0.5),
    st.booleans(),
)
COMMANDS = st.builds(Command, st.sampled_from([0, 1]), st.floats(0.0, 1.0))


@st.composite
def runs(draw: st.DrawFn) -> list[Step]:
    times = sorted(draw(st.lists(TIMES, max_size=20, unique=True)))
    return [
        step(
            t_s,
            draw(READINGS),
            draw(st.sampled_from(State)),
            draw(st.none() | st.sampled_from(SensorFault)),
            draw(COMMANDS),
            draw(TRACKS),
        )
        for t_s in times
    ]


@settings(deadline=None)
@given(steps=runs())
def test_what_was_written_is_read_again_to_the_last_digit(folder: Path, steps: list[Step]) -> None:
    kept: list[Step] = []
    for each in steps:
        if each.reading is not None or not kept or not alike(each, kept[-1]):
            kept.append(each)
    recording = read(folder, written(steps, WARM))
    assert recording.steps == [(each.t_s, each.reading) for each in kept]
    assert recording.levels == [each.alert.level for each in kept]
    assert recording.settings == WARM
    assert recording.exact


def alike(a: Step, b: Step) -> bool:
    return (a.alert.state, a.alert.fault, a.command) == (b.alert.state, b.alert.fault, b.command)


def test_the_settings_come_back_with_every_override(folder: Path) -> None:
    unusual = Settings(
        sensor=SensorSettings(trigger_pulse_s=1.2e-05, temperature_c=-12.5),
        alert=AlertSettings(profile="rehab", stop_m=0.7, warning_ttc_s=0.0),
    )
    assert read(folder, written([], unusual), SETTINGS).settings == unusual


def test_a_newer_field_in_a_line_does_not_hinder_reading(folder: Path) -> None:
    content = written([step(0.0, Nothing(0.0))]).replace(b'"level"', b'"speed":1,"level"')
    assert read(folder, content).levels == ["clear"]


# ------------------------------------------------------------------ power loss


def test_a_last_line_that_was_cut_off_anywhere_is_skipped(folder: Path, walked: bytes) -> None:
    whole = read(folder, walked)
    last = walked.rstrip(b"\n").rfind(b"\n") + 1
    assert len(walked) - last > 100
    for cut in range(last, len(walked)):
        torn = read(folder, walked[:cut])
        assert torn.steps == whole.steps[:-1], cut
        assert torn.levels == whole.levels[:-1], cut


@settings(deadline=None)
@given(data=st.data())
def test_a_journal_cut_off_anywhere_gives_its_whole_lines(
    folder: Path, walked: bytes, data: st.DataObject
) -> None:
    header = walked.index(b"\n") + 1
    cut = data.draw(st.integers(header, len(walked)))
    recording = read(folder, walked[:cut])
    count = walked[header:cut].count(b"\n")
    assert len(recording.steps) == count
    assert recording.steps == read(folder, walked).steps[:count]


def test_a_header_that_was_cut_off_anywhere_is_one_clear_error(folder: Path, walked: bytes) -> None:
    header = walked.index(b"\n")
    for cut in range(header):
        assert refusal(folder, walked[:cut]).startswith("1: "), cut


def test_the_zeros_that_a_power_loss_leaves_behind_are_skipped(folder: Path, walked: bytes) -> None:
    assert read(folder, walked + bytes(4096)).steps == read(folder, walked).steps


# ------------------------------------------------------------------ journals that are wrong


def broken(walked: bytes, number: int, line: bytes) -> bytes:
    """The journal with its line `number`, counted from 1, replaced."""
    rows = walked.split(b"\n")
    rows[number - 1] = line
    return b"\n".join(rows)


GOOD_LINE = written([step(0.06, Nothing(0.06))]).splitlines()[1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        GOOD_LINE[:-1],
        GOOD_LINE[1:],
        GOOD_LINE + GOOD_LINE,
        b"[]",
        b"null",
        b"{}",
        GOOD_LINE.replace(b'"level":"clear"', b'"level":3'),
        GOOD_LINE.replace(b'"level":"clear",', b""),
        GOOD_LINE.replace(b'"nothing"', b'"neither"'),
        GOOD_LINE.replace(b'"nothing"', b'"echo"'),
        GOOD_LINE.replace(b'"t_s":0.06', b'"t_s":"soon"'),
        GOOD_LINE.replace(b'"t_s":0.06', b'"t_s":NaN'),
        GOOD_LINE.replace(b'"t_s":0.06', b'"t_s":null'),
    ],
)
@pytest.mark.parametrize("number", [2, 17])
def test_a_corrupted_line_within_is_an_error_with_its_number(
    folder: Path, walked: bytes, line: bytes, number: int
) -> None:
    assert refusal(folder, broken(walked, number, line)).startswith(f"{number}: not a journal line")


@settings(deadline=None)
@given(data=st.data())
def test_whatever_byte_is_spoilt_a_journal_is_read_or_refused_with_a_line(
    folder: Path, walked: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(walked) - 1))
    spoilt = bytearray(walked)
    spoilt[at] = data.draw(st.integers(0, 127))
    try:
        read(folder, bytes(spoilt))
    except InputError as error:
        said = re.fullmatch(rf"{re.escape(str(folder / 'file'))}:(\d+): .+", str(error))
        # A line end made or lost shifts the blame by one at the most.
        row = walked[:at].count(b"\n") + 1
        assert said is not None
        assert abs(int(said[1]) - row) <= 1


def test_a_line_earlier_than_the_one_before_it_is_an_error(folder: Path) -> None:
    content = written([step(1.0, Nothing(1.0)), step(2.0, Nothing(2.0)), step(1.5, Nothing(1.5))])
    said = refusal(folder, content)
    assert said.startswith("4: ")
    assert "1.5" in said
    assert "earlier" in said


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b'{"rearguard":"0.1.0","schema":1}',
        b'{"rearguard":"0.1.0","settings":{}}',
        b'{"rearguard":1,"schema":1,"settings":{}}',
        b'{"rearguard":"0.1.0","schema":"1","settings":{}}',
        b'{"rearguard":"0.1.0","schema":1,"settings":{"sensor":{"echo_pin":99}}}',
        b'{"rearguard":"0.1.0","schema":1,"settings":{"sensor":{"unheard":1}}}',
        b'{"t_s":0.0,"level":"clear"}',
        b"{'rearguard'}",
    ],
)
def test_a_wrong_header_is_an_error_in_line_1(folder: Path, header: bytes) -> None:
    said = refusal(folder, header + b"\n" + GOOD_LINE + b"\n")
    assert said.startswith("1: not a rearguard journal's header: ")


@pytest.mark.parametrize("schema", [0, 2, -1])
def test_another_schema_is_refused_with_both_numbers(folder: Path, schema: int) -> None:
    header = f'{{"rearguard":"9.0.0","schema":{schema},"settings":{{}}}}\n'
    assert refusal(folder, header) == f"1: schema {schema}; this version reads 1"


def test_an_empty_file_is_an_error_in_line_1(folder: Path) -> None:
    assert refusal(folder, b"").startswith("1: ")


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"\x7fELF\x02\x01\x01" + bytes(64),
        bytes(range(256)),
        bytes(1000),
        b"x" * 200_000,
        b'"' + b"x,\n" * 100_000,
    ],
    ids=["png", "elf", "all-bytes", "zeros", "one-long-word", "one-long-quotation"],
)
def test_a_file_of_another_kind_is_one_clear_error(folder: Path, content: bytes) -> None:
    assert len(refusal(folder, content)) < 500


def test_a_directory_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Is a directory; give a journal or a CSV file$"):
        journal.read(tmp_path, SETTINGS)
    with pytest.raises(InputError, match=r"No such file.*; give a journal or a CSV file$"):
        journal.read(tmp_path / "absent", SETTINGS)


# ------------------------------------------------------------------ CSV


def test_a_csv_cell_is_an_echo_nothing_or_a_fault(folder: Path) -> None:
    recording = read(folder, HEAD + "0,1.5\n0.1,\n0.2,fault\n0.3,2\n")
    assert recording.steps == [
        (0.0, Echo(0.0, 1.5)),
        (0.1, Nothing(0.1)),
        (0.2, Fault(0.2, PingFault.NO_ANSWER)),
        (0.3, Echo(0.3, 2.0)),
    ]
    assert recording.settings is None
    assert recording.levels is None
    assert not recording.exact


@pytest.mark.parametrize(
    ("cell", "reading"),
    [
        ("3.0", Echo(0.0, 3.0)),
        ("3.0001", Nothing(0.0)),
        ("99", Nothing(0.0)),
        ("0.25", Echo(0.0, 0.25)),
        ("0.2499", Echo(0.0, 0.25, too_close=True)),
        ("0", Echo(0.0, 0.25, too_close=True)),
        (" 1.0 ", Echo(0.0, 1.0)),
        ("1e0", Echo(0.0, 1.0)),
    ],
)
def test_a_distance_is_classed_by_the_sensors_range(
    folder: Path, cell: str, reading: Reading
) -> None:
    assert read(folder, f"{HEAD}0,{cell}\n", WARM).steps == [(0.0, reading)]


@settings(deadline=None)
@given(echo_s=st.floats(0.0, 0.05).map(lambda s: round(s, 6)))
def test_an_echo_time_becomes_the_distance_that_sound_goes_in_half_of_it(
    folder: Path, echo_s: float
) -> None:
    ((_, reading),) = read(folder, f"time_s,echo_s\n0,{echo_s}\n", WARM).steps
    distance_m = echo_s * physics.speed_of_sound_mps(20.0) / 2
    assert reading.echo_s == echo_s
    if isinstance(reading, Nothing):
        assert distance_m > 3.0
    elif reading.too_close:
        assert distance_m < 0.25
        assert reading.distance_m == 0.25
    else:
        assert reading.distance_m == pytest.approx(distance_m, abs=5.1e-5)


def test_an_empty_echo_time_is_nothing_and_fault_is_a_fault(folder: Path) -> None:
    recording = read(folder, "time_s,echo_s\n0,\n0.1,fault\n")
    assert recording.steps == [(0.0, Nothing(0.0)), (0.1, Fault(0.1, PingFault.NO_ANSWER))]


def test_cold_air_is_assumed_for_an_echo_time_when_none_is_set(folder: Path) -> None:
    content = "time_s,echo_s\n0,0.01\n"
    cold, warm = (read(folder, content, s).steps[0][1].distance_m for s in (SETTINGS, WARM))
    assert cold < warm
    assert cold == pytest.approx(0.01 * physics.speed_of_sound_mps(None) / 2, abs=5.1e-5)


@pytest.mark.parametrize("name", ["distance_m", "echo_s"])
@pytest.mark.parametrize(
    "cell", ["nan", "inf", "-inf", "-1", "-0.001", "near", "Fault", "1;5", "0x1", "--", "1.2 m"]
)
def test_a_cell_that_is_no_reading_is_an_error_with_line_column_and_cell(
    folder: Path, name: str, cell: str
) -> None:
    said = refusal(folder, f"time_s,{name}\n0,\n0.1,{cell}\n")
    assert said.startswith("3: ")
    assert name in said
    assert cell in said


@pytest.mark.parametrize("cell", ["", "nan", "inf", "noon", "12:30:01", "fault"])
def test_a_time_that_is_no_number_is_an_error(folder: Path, cell: str) -> None:
    said = refusal(folder, f"{HEAD}{cell},1.0\n")
    assert said.startswith("2: time_s = ")
    assert cell in said


@pytest.mark.parametrize(
    "header",
    ["time_s", "distance_m", "time,distance", "time_s,range_m", "time_s;distance_m", "1,2"],
)
def test_a_header_without_the_needed_columns_is_an_error_that_shows_both(
    folder: Path, header: str
) -> None:
    said = refusal(folder, f"{header}\n0,1.0\n")
    assert said.startswith("1: header ")
    assert header in said
    assert "needs time_s and one of distance_m or echo_s" in said


def test_a_header_without_rows_is_an_error(folder: Path) -> None:
    assert "no readings" in refusal(folder, HEAD)


def test_other_columns_in_any_order_are_left_alone(folder: Path) -> None:
    content = "note,distance_m,time_s\nstart,1.0,0\n,2.0,0.1\n"
    assert read(folder, content).steps == [(0.0, Echo(0.0, 1.0)), (0.1, Echo(0.1, 2.0))]


def test_times_out_of_order_are_an_error_that_shows_the_cell(folder: Path) -> None:
    said = refusal(folder, HEAD + "1700000001.0,1\n1700000002.0,1\n1700000001.5,1\n")
    assert said.startswith("4: time_s = ")
    assert "earlier" in said
    assert "1700000001.5" in said


def test_equal_times_are_in_order(folder: Path) -> None:
    assert [t_s for t_s, _ in read(folder, HEAD + "0,1\n0,1\n").steps] == [0.0, 0.0]


@settings(deadline=None)
@given(
    start_s=st.floats(-1e6, 2e9).map(lambda s: round(s, 3)),
    gaps=st.lists(st.integers(0, 2000), min_size=1, max_size=20),
)
def test_times_count_from_the_first_row_wherever_the_log_began(
    folder: Path, start_s: float, gaps: list[int]
) -> None:
    since = [0, *itertools.accumulate(gaps)]
    rows = "".join(f"{start_s + ms / 1000:.3f},1.0\n" for ms in since)
    steps = read(folder, HEAD + rows).steps
    assert [t_s for t_s, _ in steps] == pytest.approx([ms / 1000 for ms in since], abs=1e-5)
    assert all(reading.t_s == t_s for t_s, reading in steps)


PLAIN = HEAD + "0,1.5\n0.1,\n0.2,fault\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(",", " , ").replace("time_s", " time_s"),
        PLAIN.rstrip("\n"),
        PLAIN + "\n\n",
        PLAIN.replace("\n", "\n\n"),
        '"time_s","distance_m"\n"0","1.5"\n"0.1",""\n"0.2","fault"\n',
        "\ufeff" + PLAIN,
        "\ufeff" + PLAIN.replace("\n", "\r\n"),
        '\ufeff"time_s","distance_m"\n"0","1.5"\n"0.1",""\n"0.2","fault"\n',
    ],
    ids=[
        "crlf",
        "spaces",
        "no-last-newline",
        "blank-lines-at-the-end",
        "blank-lines-within",
        "quoted",
        "byte-order-mark",
        "byte-order-mark-crlf",
        "byte-order-mark-quoted",
    ],
)
def test_a_csv_is_read_as_spreadsheets_and_editors_write_it(folder: Path, content: str) -> None:
    assert read(folder, content).steps == [
        (0.0, Echo(0.0, 1.5)),
        (0.1, Nothing(0.1)),
        (0.2, Fault(0.2, PingFault.NO_ANSWER)),
    ]


def test_a_journal_that_an_editor_marked_or_gave_windows_line_ends_is_read(
    folder: Path, walked: bytes
) -> None:
    whole = read(folder, walked)
    assert read(folder, walked.replace(b"\n", b"\r\n")) == whole
    assert read(folder, b"\xef\xbb\xbf" + walked) == whole


def test_a_row_without_its_cell_is_an_error_and_not_an_open_way(folder: Path) -> None:
    # An empty cell was written by someone who meant it; a cell that is not there was not.
    assert refusal(folder, HEAD + "0,1.0\n0.1\n").startswith("3: ")


def test_a_row_with_decimal_commas_is_an_error_and_not_another_distance(folder: Path) -> None:
    assert refusal(folder, HEAD + "0,1.0\n0,1,1,5\n").startswith("3: ")


def test_an_error_after_a_blank_line_has_the_number_that_an_editor_shows(folder: Path) -> None:
    assert refusal(folder, HEAD + "0,1.0\n\n0.1,near\n").startswith("4: ")


SCRAPS = st.sampled_from([*'0123456789.-,;"\n\r\t \x00', "fault", "\n0.5,1.5\n", "nan", "1e9"])


@settings(deadline=None)
@given(scraps=st.lists(SCRAPS, max_size=40))
def test_whatever_follows_a_header_is_read_or_refused_in_one_line(
    folder: Path, scraps: list[str]
) -> None:
    content = HEAD + "".join(scraps)
    try:
        recording = read(folder, content)
    except InputError:
        assert refusal(folder, content)
    else:
        times = [t_s for t_s, _ in recording.steps]
        assert times == sorted(times)
        assert times[0] == 0.0


# ------------------------------------------------------------------ disks that fail


class Disk:
    """A stream that holds so many bytes and then has no room, as a full card does."""

    def __init__(self, room: int, flushes: bool = True) -> None:
        self.held = b""
        self.room = room
        self.flushes = flushes
        self.refused = 0

    def write(self, data: bytes) -> int:
        if len(self.held) + len(data) > self.room:
            self.refused += 1
            raise OSError(errno.ENOSPC, f"No space left on device, {self.refused}")
        self.held += data
        return len(data)

    def flush(self) -> None:
        if not self.flushes:
            raise OSError(errno.EIO, "Input/output error")


def writer_on(disk: Disk) -> journal.Writer:
    return journal.Writer(cast("BinaryIO", disk), SETTINGS)


MANY = [step(round(i / 20, 6), Nothing(round(i / 20, 6))) for i in range(200)]
"""Ten seconds at 20 Hz."""


@pytest.mark.parametrize("room", [0, 100, 3000, 10_000])
def test_a_full_disk_ends_the_journal_and_nothing_else(room: int) -> None:
    disk = Disk(room)
    writer = writer_on(disk)
    for each in MANY:
        writer(each)
    writer.flush()
    assert writer.failed is not None
    assert writer.failed.errno == errno.ENOSPC
    assert "device, 1" in str(writer.failed.strerror)  # the first error, and no more after it
    assert disk.refused == 1


def test_what_a_full_disk_still_took_is_read_again(folder: Path) -> None:
    disk = Disk(room=10_000)
    writer = writer_on(disk)
    for each in MANY:
        writer(each)
    kept = read(folder, disk.held).steps
    assert 20 < len(kept) < len(MANY)
    assert kept == [(each.t_s, each.reading) for each in MANY[: len(kept)]]


def test_a_disk_that_cannot_flush_ends_the_journal_too() -> None:
    disk = Disk(room=10**6, flushes=False)
    writer = writer_on(disk)
    for each in MANY:
        writer(each)
    assert writer.failed is not None
    assert writer.failed.errno == errno.EIO
    assert len(disk.held.splitlines()) < 30


def test_the_first_of_several_errors_is_the_one_that_is_kept() -> None:
    disk = Disk(room=100, flushes=False)
    writer = writer_on(disk)
    writer.flush()
    assert writer.failed is not None
    assert writer.failed.errno == errno.ENOSPC


def test_a_good_disk_leaves_no_error() -> None:
    disk = Disk(room=10**6)
    writer = writer_on(disk)
    for each in MANY:
        writer(each)
    assert writer.failed is None
    assert disk.held == written(MANY)


@pytest.mark.parametrize("place", ["absent/walk.jsonl", "."])
def test_a_journal_that_cannot_be_created_is_an_error_with_its_name(
    place: str, tmp_path: Path
) -> None:
    path = tmp_path / place
    with pytest.raises(InputError, match=re.escape(f"{path}: ")), journal.create(path):
        pass


def test_a_journal_is_closed_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "walk.jsonl"
    streams: list[BinaryIO] = []

    def stumble() -> None:
        with journal.create(path) as stream:
            streams.append(stream)
            stream.write(b"so far")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stumble()
    assert streams[0].closed
    assert path.read_bytes() == b"so far"
