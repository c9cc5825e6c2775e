"""What a watcher of a simulation sees: a live picture, or plain lines off a terminal."""

import io
import itertools
import re

import pytest
from rich.console import Console

from device.clock import VirtualClock
from device.core.alert import Alert, State
from device.core.health import SensorFault
from device.core.pipeline import Step
from device.core.reading import Echo
from device.core.signals import OFF, Command, Cue, choose
from device.core.track import Track
from device.settings import Settings
from device.sim.lines import Lines, describe
from device.sim.run import Walk
from device.sim.scenario import Air, Leg, Obstacle, Scenario, Walker
from device.sim.view import FRAME_S, LiveView

WIDTH = 100
SOUNDING = Command(buzzer=1, motor=0.8, tone_hz=2300)
AT_TWO_METRES = Track(distance_m=2.0, closing_mps=1.0, ttc_s=1.75, age_s=0.0, object_id=1)


def console(width: int = WIDTH) -> Console:
    return Console(
        record=True,
        width=width,
        height=30,
        file=io.StringIO(),
        force_terminal=True,
        legacy_windows=False,
    )


def walk(*, along_m: float | None = 4.0, duration_s: float = 8.0, speed_mps: float = 1.0) -> Walk:
    scenario = Scenario(
        title="A walk for the view",
        duration_s=duration_s,
        expect="any",
        walker=Walker(legs=(Leg(for_s=60.0, speed_mps=speed_mps),), bob_m=0.0, sway_deg=0.0),
        obstacles=() if along_m is None else (Obstacle(shape="wall", along_m=along_m),),
        air=Air(noise_m=0.0, loss=0.0),
    )
    return Walk(scenario, Settings(), 7, VirtualClock())


def step(
    state: State = State.CLEAR,
    *,
    t_s: float = 1.0,
    track: Track = AT_TWO_METRES,
    command: Command = OFF,
    fault: SensorFault | None = None,
    hushed: bool = False,
) -> Step:
    closing = track.closing_mps is not None and track.closing_mps > 0.0
    alert = Alert(state=state, fault=fault, closing=closing, hushed=hushed, proven=True)
    return Step(t_s, Echo(t_s, 2.0), track, alert, choose(alert), command)


def picture(one: Step, of: Walk | None = None, width: int = WIDTH) -> str:
    on = console(width)
    on.print(LiveView(of or walk(), 7, on).picture(one))
    return on.export_text()


def row(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if re.match(rf"│ +{label}\b", line))


# ---------------------------------------------------------------- the picture


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.CLEAR, "CLEAR"),
        (State.CAUTION, "CAUTION"),
        (State.WARNING, "WARNING"),
        (State.DANGER, "DANGER"),
        (State.STOP, "STOP"),
        (State.AGAINST, "AGAINST IT"),
    ],
)
def test_each_state_shows_its_word_the_distance_and_both_outputs(state: State, word: str) -> None:
    shown = picture(step(state, command=SOUNDING))
    assert f"  {word}  " in shown
    assert all(
        f"  {other}  " not in shown
        for other in ("CLEAR", "CAUTION", "WARNING", "DANGER", "STOP", "AGAINST IT")
        if other != word
    )
    assert "2.00 m" in row(shown, "distance")
    assert "1.00 m/s" in row(shown, "closing")
    assert "1.75 s" in row(shown, "touching in")
    assert re.search(r"buzzer +♪ sounding", shown)
    assert re.search(r"motor +≋ 80%", shown)


def test_silent_outputs_are_shown_as_off() -> None:
    shown = picture(step())
    assert re.search(r"buzzer +off", shown)
    assert re.search(r"motor +off", shown)
    assert re.search(r"signal +quiet", shown)
    assert "sounding" not in shown


@pytest.mark.parametrize("state", [State.CAUTION, State.WARNING, State.DANGER, State.STOP])
def test_the_signal_that_plays_is_named(state: State) -> None:
    one = step(state)
    assert re.search(rf"signal +{one.cue.name.lower()}\b", picture(one))


@pytest.mark.parametrize("fault", list(SensorFault))
def test_every_fault_is_named_beside_the_level(fault: SensorFault) -> None:
    shown = picture(step(State.CAUTION, fault=fault))
    assert f"fault: {fault}" in shown
    assert "CAUTION" in shown
    assert re.search(r"signal +fault\b", shown)
    assert "fault:" not in picture(step(State.CAUTION))


def test_a_hushed_alert_says_so() -> None:
    assert re.search(r"WARNING +.*\n.*\n.* hushed ", picture(step(State.WARNING, hushed=True)))
    assert "hushed" not in picture(step(State.WARNING))


def test_what_is_not_known_is_a_dash_and_not_a_number() -> None:
    shown = picture(step(track=Track()))
    for label in ("distance", "closing", "touching in"):
        assert "—" in row(shown, label)
        assert not re.search(r"\d+\.\d+ (m|s)\b", row(shown, label))


def test_who_is_not_closing_has_no_time_until_touching() -> None:
    standing = Track(distance_m=2.0, closing_mps=-0.01, ttc_s=8.75, age_s=0.0)
    assert "—" in row(picture(step(track=standing)), "touching in")


def test_the_title_names_scenario_and_seed_and_the_foot_the_time() -> None:
    shown = picture(step(t_s=3.25))
    assert "A walk for the view · seed 7" in shown.splitlines()[0]
    assert re.search(r"3\.[23] s of 8 s · Ctrl-C ends it", shown.splitlines()[-1])


def test_the_scene_shows_the_true_gap_and_the_wall_where_it_is() -> None:
    near, far = (picture(step(t_s=0.0), walk(along_m=along_m)) for along_m in (1.0, 3.0))
    assert "truly 1.00 m free" in near
    assert "truly 3.00 m free" in far
    assert "+1.0 m/s backward" in near

    def place(shown: str) -> int:
        return shown.splitlines()[1].index("█")

    assert place(near) < place(far)
    assert place(near) > near.splitlines()[1].index("▶")


@pytest.mark.parametrize("along_m", [0.0, 0.05, 0.26, 3.99, 4.0])
def test_the_wall_is_drawn_once_and_to_the_right_of_the_walker(along_m: float) -> None:
    scene = picture(step(t_s=0.0), walk(along_m=along_m)).splitlines()[1]
    assert scene.count("█") == 1
    assert scene.index("█") > scene.index("▶")


@pytest.mark.parametrize("along_m", [4.5, None])
def test_what_is_farther_than_the_picture_is_not_drawn(along_m: float | None) -> None:
    shown = picture(step(t_s=0.0), walk(along_m=along_m))
    assert "█" not in shown.splitlines()[1]
    assert ("open" if along_m is None else "truly 4.50 m free") in shown


def test_walking_forward_is_drawn_too() -> None:
    assert "-1.0 m/s backward" in picture(step(t_s=0.0), walk(speed_mps=-1.0))


def walked(width: int, **more: float) -> tuple[Console, LiveView, list[Step]]:
    """A whole walk, observed by the view."""
    on = console(width)
    of = walk(**more)
    view = LiveView(of, 7, on)
    steps: list[Step] = []
    with view:
        of.go([view, steps.append])
    return on, view, steps


@pytest.mark.parametrize("width", [100, 80])
def test_every_line_of_the_picture_fits_the_terminal(width: int) -> None:
    """80 columns is what a terminal has unless somebody made it wider."""
    _, view, steps = walked(width)
    on = console(width)
    on.print(view.picture(steps[-1]))
    lines = on.export_text().splitlines()
    assert all(len(line) <= width for line in lines)
    strip = [line for line in lines if re.search(r"\d\.\d m ", line[:11])]
    assert len(strip) == 6
    assert all(re.match(r"│ +(\d\.\d m|buzzer|motor|the last) ", line) for line in lines[9:-1])
    assert len(lines) == len(picture(steps[-1]).splitlines())


def test_a_whole_walk_is_drawn_ten_times_a_second_and_wiped_at_the_end() -> None:
    on, view, steps = walked(WIDTH, duration_s=4.0)
    raw = on.file.getvalue()  # type: ignore[attr-defined]
    drawn = raw.count("A walk for the view")
    assert 4.0 / FRAME_S * 0.6 <= drawn <= 4.0 / FRAME_S + 3  # the end is drawn once more
    assert drawn < len(steps)
    assert raw.count("\x1b[?25l") == raw.count("\x1b[?25h") == 1
    assert len(view._frames) <= 72


def test_the_strip_shows_when_buzzer_and_motor_were_on() -> None:
    _, view, steps = walked(WIDTH)
    shown = picture(steps[-1])
    assert "▀" not in shown  # a view that has seen nothing
    on = console()
    on.print(view.picture(steps[-1]))
    shown = on.export_text()
    lit = [line for line in shown.splitlines() if "▀" in line]
    assert len(lit) == 2
    assert lit[0].split()[1] == "buzzer"
    assert lit[1].split()[1] == "motor"


def test_the_strip_keeps_the_worst_of_each_tenth_of_a_second() -> None:
    on = console()
    view = LiveView(walk(), 7, on)
    view(step(t_s=0.0))
    view(step(State.STOP, t_s=0.01, command=SOUNDING))
    view(step(State.CLEAR, t_s=0.05))
    view(step(State.CLEAR, t_s=0.11))
    frames = list(view._frames)
    assert [frame.state for frame in frames] == [State.CLEAR, State.STOP]
    assert [frame.buzzer for frame in frames] == [False, True]
    assert [frame.motor for frame in frames] == [False, True]


def test_the_terminal_is_given_back_when_the_walk_breaks() -> None:
    on = console()
    with pytest.raises(ValueError, match="broken"), LiveView(walk(), 7, on) as view:  # noqa: PT012
        view(step())
        raise ValueError("broken")
    assert "\x1b[?25h" in on.file.getvalue()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- plain lines


def test_lines_are_printed_only_when_level_fault_or_signal_change() -> None:
    printed: list[str] = []
    lines = Lines(printed.append)
    calm, caution = step(t_s=0.0), step(State.CAUTION, t_s=0.2)
    lines(calm)
    lines(step(t_s=0.1, track=Track(distance_m=1.9), command=SOUNDING))
    assert len(printed) == 1
    lines(caution)
    lines(step(State.CAUTION, t_s=0.3))
    assert len(printed) == 2
    lines(step(State.CAUTION, t_s=0.4, fault=SensorFault.STALE))
    lines(step(State.CAUTION, t_s=0.5, fault=SensorFault.STUCK_HIGH))
    lines(step(State.CAUTION, t_s=0.6, fault=SensorFault.STUCK_HIGH))
    assert len(printed) == 4
    lines(step(State.CAUTION, t_s=0.7, hushed=True))  # its signal ends
    assert len(printed) == 5
    lines(step(t_s=0.8))
    assert len(printed) == 6


def test_the_same_level_again_after_another_is_printed_again() -> None:
    printed: list[str] = []
    lines = Lines(printed.append)
    for state in (State.CLEAR, State.CAUTION, State.CLEAR, State.CAUTION):
        lines(step(state))
    assert len(printed) == 4


def test_a_walk_prints_a_line_a_change_and_in_order() -> None:
    printed: list[str] = []
    steps: list[Step] = []
    walk().go([Lines(printed.append), steps.append])
    said = [(s.alert.level, s.alert.fault, s.cue) for s in steps]
    assert len(printed) == 1 + sum(a != b for a, b in itertools.pairwise(said))
    times = [float(line.split()[0]) for line in printed]
    assert times == sorted(times)
    assert "\n" not in "".join(printed)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (step(t_s=12.345), ["12.3", "2.00 m", "closing +1.00 m/s", "CLEAR", "signal: quiet"]),
        (step(State.DANGER), ["DANGER", "signal: danger"]),
        (step(State.DANGER, hushed=True), ["DANGER", "signal: danger hushed"]),
        (step(track=Track()), ["   -   ", "CLEAR"]),
        (
            step(State.AGAINST, track=Track(distance_m=0.2, against=True)),
            ["0.20 m", "AGAINST", "signal: stop"],
        ),
        (
            step(State.CAUTION, fault=SensorFault.STOPPED_ANSWERING),
            ["CAUTION", "signal: fault", "FAULT: stopped-answering"],
        ),
    ],
)
def test_a_line_says_when_how_far_how_near_and_what_is_heard(one: Step, words: list[str]) -> None:
    line = describe(one)
    for word in words:
        assert word in line
    assert ("FAULT" in line) is (one.alert.fault is not None)


def test_a_latched_touch_is_called_so_for_as_long_as_the_alert_lasts() -> None:
    """The picture says AGAINST IT then; so do the lines, whatever the track says meanwhile."""
    one = step(State.AGAINST, track=Track())
    assert one.cue is Cue.STOP
    assert "AGAINST" in describe(one)
