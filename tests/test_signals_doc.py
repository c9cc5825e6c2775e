"""The guide's table of signals and faults is the code's: each rhythm, to the millisecond."""

import itertools
import math
import re

import pytest

from device import starts
from device.core import coach, health, signals
from device.core.alert import Alert, DeviceFault, State
from device.core.health import SensorFault
from device.core.pipeline import NOTICED_S
from device.core.signals import COACH_AFTER_S, ENDS_MUTE, SILENT, Cue, Player, Rhythm, choose
from device.profiles import LEVELS, thresholds
from device.settings import BuzzerSettings, MotorSettings, Settings
from tests.test_hardware_doc import TEXT, chapter, numbers, table

SETTINGS = Settings()
TOLD = chapter("## What it tells you")
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NONE = "-"


def rows(first: str, second: str) -> list[dict[str, str]]:
    """Without those that only name a group."""
    return [row for row in table(first, second) if not row[first].startswith("**")]


SIGNALS = {row["Signal"]: row for row in rows("Signal", "When")}
FAULTS = {row["Fault"]: row["What it means"] for row in rows("Fault", "What it means")}


def name(cue: Cue) -> str:
    """As `rearguard status` says it."""
    return cue.name.lower().replace("_", "-")


def pulses(text: str, last_off: int = 0) -> tuple[tuple[int, int], ...]:
    """`80-160-300`: on, off, on; what follows the last on is `last_off`, unless it is written."""
    written = [int(number) for number in text.split("-")]
    if len(written) % 2:
        written.append(last_off)
    return tuple(zip(written[::2], written[1::2], strict=True))


def rhythm(cell: str) -> Rhythm:
    """What a cell says: pulses once, or again and again, or first the one and then the other."""
    if cell == NONE:
        return SILENT
    once, then, again = cell.rpartition(", then ")
    if not then and re.fullmatch(r"[\d-]+", again):
        return Rhythm(once=pulses(again))
    written, how = again.split(maxsplit=1)
    first = pulses(once) if once else ()
    if how == "on and on":
        return Rhythm(first, pulses(written))
    unit, number = re.fullmatch(r"(every|for) (\d+) s", how).groups()  # type: ignore[union-attr]
    span_ms = 1000 * int(number)
    if unit == "for":
        return Rhythm(first, pulses(written), span_ms)
    off_ms = span_ms - sum(int(part) for part in written.split("-"))
    return Rhythm(first, pulses(written, off_ms))


# ---------------------------------------------------------------- the reader of the table itself


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("-", SILENT),
        ("250", Rhythm(((250, 0),))),
        ("80-160-300", Rhythm(((80, 160), (300, 0)))),
        ("150-250 on and on", Rhythm((), ((150, 250),))),
        ("150-850 for 3 s", Rhythm((), ((150, 850),), 3000)),
        ("75 every 2 s", Rhythm((), ((75, 1925),))),
        ("3000-75, then 75-75 on and on", Rhythm(((3000, 75),), ((75, 75),))),
        ("9-1, then 2-2-2 every 6 s", Rhythm(((9, 1),), ((2, 2), (2, 5994)))),
    ],
)
def test_a_rhythm_is_read_as_it_is_written(cell: str, expected: Rhythm) -> None:
    assert rhythm(cell) == expected


# ---------------------------------------------------------------- the signals


def test_the_table_has_every_signal_but_silence_once() -> None:
    listed = [row["Signal"] for row in rows("Signal", "When")]
    assert sorted(listed) == sorted(name(cue) for cue in Cue if cue is not Cue.SILENCE)


@pytest.mark.parametrize("cue", [cue for cue in Cue if cue is not Cue.SILENCE], ids=name)
def test_a_signal_sounds_and_feels_as_the_table_says(cue: Cue) -> None:
    row = SIGNALS[name(cue)]
    assert rhythm(row["Buzzer, ms"]) == cue.value.buzzer
    assert rhythm(row["Motor, ms"]) == cue.value.motor


@pytest.mark.parametrize("cue", [cue for cue in Cue if cue is not Cue.SILENCE], ids=name)
def test_a_signal_has_the_tone_that_the_table_says(cue: Cue) -> None:
    signal = cue.value
    tones = {1.0: "own", signals.HIGH_TONE: "high", signals.LOW_TONE: "low"}
    expected = "rising" if signal.rises else tones[signal.tone]
    assert SIGNALS[name(cue)]["Tone"] == (NONE if signal.buzzer == SILENT else expected)


def test_the_tones_are_as_high_as_the_text_says() -> None:
    assert f"`high` is {signals.HIGH_TONE:g} times `buzzer.tone_hz`" in TOLD
    assert f"`low` {signals.LOW_TONE:g} times" in TOLD


def test_the_levels_begin_where_the_table_says() -> None:
    for level, limit in zip(LEVELS, thresholds(SETTINGS.alert), strict=True):
        assert numbers(SIGNALS[level]["When"]) == [limit.distance_m, limit.ttc_s], level


@pytest.mark.parametrize(
    ("signal", "stated"),
    [
        (Cue.DANGER_HUSHED, [SETTINGS.alert.hush_s]),
        (Cue.GOODBYE, [SETTINGS.button.hold_s]),
        (Cue.ENOUGH, [SETTINGS.coach.most_min]),
        (Cue.REST, [coach.STOPS_S / 60]),
    ],
    ids=lambda value: name(value) if isinstance(value, Cue) else "",
)
def test_a_number_in_the_table_is_the_settings(signal: Cue, stated: list[float]) -> None:
    assert numbers(SIGNALS[name(signal)]["When"]) == stated


def test_so_many_stops_call_for_a_rest() -> None:
    assert SIGNALS[name(Cue.REST)]["When"].startswith(f"{WORDS[coach.STOPS]} STOPs ")
    assert coach.ENOUGH_AGAIN_S == 60.0
    assert SIGNALS[name(Cue.ENOUGH)]["When"].endswith("again each minute")


def test_the_groups_are_those_of_the_code() -> None:
    groups: dict[str, set[str]] = {}
    for row in table("Signal", "When"):
        if row["Signal"].startswith("**"):
            members = groups[row["Signal"].strip("*")] = set()
        else:
            members.add(row["Signal"])
    walks = {name(cue) for cue in coach.ORDER}
    asides = {name(cue) for cue in signals.ASIDES_S} | {name(Cue.GOODBYE)}
    assert list(groups) == [
        "It warns", "It cannot be believed", "It speaks of itself", "It speaks of the walk",
    ]  # fmt: skip
    assert groups["It speaks of the walk"] == walks
    assert groups["It speaks of itself"] == asides - walks
    assert groups["It cannot be believed"] == {name(Cue.FAULT)}


# ---------------------------------------------------------------- which comes first

FIRST = "STOP"
ORDER = {
    FIRST: lambda alert: alert.state >= State.STOP,
    "a fault of the sensor": lambda alert: isinstance(alert.fault, SensorFault),
    "DANGER": lambda alert: alert.state is State.DANGER,
    "WARNING": lambda alert: alert.state is State.WARNING,
    "a fault of the device": lambda alert: isinstance(alert.fault, DeviceFault),
    "CAUTION": lambda alert: alert.state is State.CAUTION,
}
"""When each could be told."""
SAID = {
    Cue.STOP: {FIRST},
    Cue.FAULT: {"a fault of the sensor", "a fault of the device"},
    Cue.DANGER: {"DANGER"},
    Cue.WARNING: {"WARNING"},
    Cue.CAUTION: {"CAUTION"},
    Cue.SILENCE: {""},
}


def priorities() -> list[str]:
    listed = re.search(r"the first of these that applies: \*\*(.*?)\.\*\*", TOLD)
    assert listed is not None
    return listed[1].split(", ")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("fault", [None, SensorFault.NOISE, DeviceFault.OUTPUT])
def test_the_first_that_applies_is_told(
    state: State, fault: SensorFault | DeviceFault | None
) -> None:
    alert = Alert(state, fault)
    if state is State.AGAINST and isinstance(fault, SensorFault):
        assert "A touch that the sensor sees no more gives way to the sensor's fault." in TOLD
        assert choose(alert) is Cue.FAULT
        return
    applies = (words for words in priorities() if words in ORDER and ORDER[words](alert))
    assert next(applies, "") in SAID[choose(alert)]


def test_what_warns_comes_before_the_device_and_that_before_the_walk() -> None:
    assert priorities() == [*priorities()[:6], "what it says of itself", "what it says of the walk"]
    assert set(priorities()[:6]) == set(ORDER)
    player = Player(BuzzerSettings(), MotorSettings())
    heard = []
    for step in range(400):
        t_s = step / 10
        alert = Alert(State.CAUTION if t_s < 1.0 else State.CLEAR, proven=True)
        player.step(t_s, alert, Cue.MARK)
        heard.append(player.cue)
    order = [cue for cue, _ in itertools.groupby(heard) if cue is not Cue.SILENCE]
    assert order[:3] == [Cue.CAUTION, Cue.CHIRP, Cue.MARK]


def test_the_walks_own_wait_as_long_as_the_text_says() -> None:
    assert f"they wait until nothing has warned for {COACH_AFTER_S:g} s" in TOLD


# ---------------------------------------------------------------- mute and silence


def test_the_signals_that_end_a_mute_are_named() -> None:
    told = re.search(r"\*\*Mute\*\* .*? (\w+) minutes at most\. (.*?) end it", TOLD)
    assert told is not None
    assert WORDS.index(told[1]) * 60 == SETTINGS.button.mute_s
    assert set(re.findall(r"`([\w-]+)`", told[2])) == {name(cue) for cue in ENDS_MUTE}


def test_what_is_hushed_falls_silent_and_a_stop_does_not() -> None:
    told = re.search(r"for (\w+) and (\w+), nothing new for (\d+) s\. (\w+) never falls", TOLD)
    assert told is not None
    assert float(told[3]) == SETTINGS.alert.hush_s
    states = {State[level.upper()] for level in LEVELS}
    silent = {state for state in states if choose(Alert(state, hushed=True)) is Cue.SILENCE}
    assert {told[1], told[2]} == {state.name for state in silent}
    assert choose(Alert(State[told[4]], hushed=True)) is Cue.STOP


# ---------------------------------------------------------------- the faults


def test_every_fault_that_can_be_announced_has_its_meaning() -> None:
    listed = [row["Fault"] for row in rows("Fault", "What it means")]
    assert listed == [*SensorFault, *DeviceFault]
    assert all(FAULTS.values())


@pytest.mark.parametrize(
    ("fault", "stated"),
    [
        (SensorFault.INTERMITTENT, [health.WINDOW_FAULTS, health.WINDOW]),
        (SensorFault.GARBAGE, [health.GARBAGE_ORPHANS, health.GARBAGE_WINDOW]),
        (SensorFault.SLOW, [health.SLOW_ANSWERS, health.SLOW_AFTER_S]),
        (DeviceFault.CRASH_LOOP, [starts.LOOP, starts.QUICK_S]),
        (DeviceFault.SETTINGS, [NOTICED_S]),
        (DeviceFault.OUTPUT, [NOTICED_S]),
    ],
)
def test_a_number_in_a_faults_meaning_is_the_codes(
    fault: SensorFault | DeviceFault, stated: list[float]
) -> None:
    assert numbers(FAULTS[fault]) == stated


# ---------------------------------------------------------------- the same, said elsewhere


def evenly(pulses: tuple[tuple[int, int], ...]) -> int:
    """How long every pulse is on, milliseconds."""
    (on,) = {on for on, _ in pulses}
    return on


def test_the_fault_signal_is_described_as_it_is() -> None:
    rhythm = Cue.FAULT.value.buzzer
    assert Cue.FAULT.value.tone == signals.LOW_TONE
    assert evenly(rhythm.once) == 500
    assert evenly(rhythm.again) < 300
    every_s = sum(map(sum, rhythm.again)) / 1000
    first, then = WORDS[len(rhythm.once)].capitalize(), WORDS[len(rhythm.again)]
    said = f"{first} low beeps of half a second, then {then} short beeps every {every_s:g} seconds"
    assert f"**{said}:**" in chapter("### 6. Run")


def test_the_chirp_is_described_as_it_is() -> None:
    chirp = Cue.CHIRP.value
    assert chirp.tone == signals.HIGH_TONE
    assert len(chirp.buzzer.once) == len(chirp.motor.once) == 1
    assert chirp.motor.once[0][0] < chirp.buzzer.once[0][0]
    assert not chirp.buzzer.again + chirp.motor.again
    assert "**One high chirp and one short buzz:**" in chapter("### 6. Run")


def test_the_signal_of_a_restart_is_described_as_it_is() -> None:
    restarted = Cue.RESTARTED.value
    told = re.findall(r"(\w+) quick (\w+) chirps", TEXT)
    assert told
    for count, tone in told:
        assert count.lower() == WORDS[len(restarted.buzzer.once)]
        assert (tone, restarted.tone) == ("high", signals.HIGH_TONE)
    assert evenly(restarted.buzzer.once) < evenly(Cue.CHIRP.value.buzzer.once)


def test_the_goodbye_is_described_as_it_is() -> None:
    goodbye = Cue.GOODBYE.value
    assert goodbye.tone == signals.LOW_TONE
    assert evenly(goodbye.buzzer.once) > evenly(Cue.FAULT.value.buzzer.once)
    assert "until the long low tone" in chapter("### Button and LED, if you want them")


def test_a_doubt_about_the_device_is_told_for_as_long_as_the_table_says() -> None:
    told = re.findall(r"Fault signal for (\w+) seconds after the start", TEXT)
    assert told == [WORDS[int(NOTICED_S)]]


LEVEL_ROWS = {row["Level"]: row for row in table("Level", "From, at the latest")}


def test_cautions_beeps_are_those_of_the_walk_to_the_wall() -> None:
    row, closing = LEVEL_ROWS["CAUTION"], Cue.CAUTION_CLOSING.value
    assert row["Buzzer"] == "one short beep, then one a second while you get closer"
    assert Cue.CAUTION.value.buzzer == Rhythm(((100, 0),))
    assert sum(map(sum, closing.buzzer.once)) == sum(map(sum, closing.buzzer.again)) == 1000
    assert row["Motor"] == f"short pulses, for {closing.motor.until_ms / 1000:g} s"
    assert evenly(closing.motor.again) <= 150


@pytest.mark.parametrize(
    ("level", "words", "cue"),
    [("WARNING", "quick beeps", Cue.WARNING), ("DANGER", "twice as quick", Cue.DANGER)],
)
def test_the_urgent_beeps_are_those_of_the_walk_to_the_wall(
    level: str, words: str, cue: Cue
) -> None:
    ((on, off),) = cue.value.buzzer.again
    assert on == off
    assert LEVEL_ROWS[level]["Buzzer"] == f"{words}, {on} ms on and off"
    assert cue.value.buzzer.until_ms == math.inf


def test_danger_is_twice_as_quick_as_warning_and_stop_begins_with_one_long_pulse() -> None:
    warning, danger, stop = (cue.value for cue in (Cue.WARNING, Cue.DANGER, Cue.STOP))
    assert evenly(warning.buzzer.again) == 2 * evenly(danger.buzzer.again)
    periods = [sum(map(sum, signal.motor.again)) for signal in (warning, danger)]
    assert periods[0] > periods[1]  # quick, rapid
    assert LEVEL_ROWS["STOP"]["Buzzer"] == "continuous, then rapid"
    assert LEVEL_ROWS["STOP"]["Motor"] == "continuous, then long pulses"
    for output in (stop.buzzer, stop.motor):
        assert evenly(output.once) == 3000
    assert evenly(stop.buzzer.again) <= evenly(danger.buzzer.again)
    assert evenly(stop.motor.again) > 2 * evenly(warning.motor.again)
