"""Outputs: low first, low last, low whatever happens; and two dead-men behind the rhythm."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from gpiozero.exc import PinInvalidState, PinPWMUnsupported, PinSetInput
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from device.clock import VirtualClock
from device.core.signals import OFF, Command
from device.errors import HardwareError
from device.outputs import LONGEST_ON_S, DeadMan, Outputs
from device.pins.mock import MockBoard, MockPin
from device.settings import BuzzerSettings, LedSettings, MotorSettings

BUZZER = BuzzerSettings(pin=18)
PASSIVE = BuzzerSettings(pin=18, kind="passive")
MOTOR = MotorSettings(pin=13, pwm_hz=200)
ON = Command(buzzer=1, motor=0.8, tone_hz=2300)
SOON_S = 5.0
"""Real threads get this long before a test gives up on them."""


class Line:
    """A GPIO as strict as RPi.GPIO's: a share of full power needs PWM, an input has no state.

    `log` is everything that was asked of it; what is named in `broken` raises OSError.
    """

    def __init__(self, *, high: bool = False, pwm: bool = True) -> None:
        self.is_output = high
        self.level: float = float(high)
        self.log: list[tuple[str, Any]] = []
        self.broken: set[str] = set()
        self.closed = False
        self._has_pwm = pwm
        self._frequency: int | None = None
        self.edges, self.bounce, self.when_changed = "both", None, None

    def _note(self, what: str, value: Any) -> None:
        self.log.append((what, value))
        if what in self.broken:
            raise OSError(f"{what} cannot be written")

    def output_with_state(self, state: int) -> None:
        self._note("output", state)
        self.is_output, self.level = True, float(state)

    def input_with_pull(self, pull: str) -> None:
        raise AssertionError("an output was made an input")

    @property
    def state(self) -> float:
        return self.level

    @state.setter
    def state(self, value: float) -> None:
        self._note("state", value)
        if not self.is_output:
            raise PinSetInput("an input")
        if self._frequency is None and value not in (0, 1):
            raise PinInvalidState(f"{value} without PWM")
        self.level = float(value)

    @property
    def frequency(self) -> int | None:
        return self._frequency

    @frequency.setter
    def frequency(self, value: int | None) -> None:
        self._note("frequency", value)
        if value is not None and not self._has_pwm:
            raise PinPWMUnsupported("no PWM here")
        self._frequency = value

    def close(self) -> None:
        self._note("close", None)
        self.closed, self.is_output = True, False

    def writes(self, what: str) -> list[Any]:
        return [value for name, value in self.log if name == what]


class Header:
    """A board of such lines; a number that is not on it cannot be claimed."""

    def __init__(self, **lines: Line) -> None:
        self.lines = lines
        self.claimed: list[str] = []

    def pin(self, name: str) -> Line:
        if name not in self.lines:
            raise OSError(f"{name} is busy")
        self.claimed.append(name)
        return self.lines[name]

    def ticks_diff(self, later: float, earlier: float) -> float:
        return later - earlier

    def close(self) -> None:
        raise AssertionError("outputs do not own the board")


def mock_lines() -> tuple[VirtualClock, MockBoard, MockPin, MockPin]:
    clock = VirtualClock()
    board = MockBoard(clock)
    return clock, board, board.line(BUZZER.pin), board.line(MOTOR.pin)


def found_high(line: MockPin) -> MockPin:
    """As a process that was killed leaves it."""
    line.function = "output"
    line.state = 1
    return line


def changes(line: MockPin) -> list[float]:
    seen: list[float] = []
    line.watch(lambda _t_s, level: seen.append(level))
    return seen


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON_S
    while not true() and time.monotonic() < deadline:
        time.sleep(0.002)
    return true()


# ---------------------------------------------------------------- low first


def test_a_pin_found_high_goes_low_before_anything_else() -> None:
    _, board, buzzer, motor = mock_lines()
    found_high(buzzer)
    found_high(motor)
    heard, felt = changes(buzzer), changes(motor)
    with Outputs(board, BUZZER, MOTOR):
        assert (buzzer.level, motor.level) == (0.0, 0.0)
        assert buzzer.function == motor.function == "output"
    assert heard[0] == felt[0] == 0.0
    assert not any(heard + felt)


def test_an_input_that_is_pulled_up_becomes_an_output_that_is_low() -> None:
    _, board, buzzer, motor = mock_lines()
    buzzer.pull = motor.pull = "up"
    assert (buzzer.level, motor.level) == (1.0, 1.0)
    with Outputs(board, BUZZER, MOTOR):
        assert (buzzer.level, motor.level) == (0.0, 0.0)


def test_both_pins_are_low_before_pwm_begins() -> None:
    order: list[tuple[str, Any]] = []

    class Ordered(Line):
        def _note(self, what: str, value: Any) -> None:
            order.append((what, value))
            super()._note(what, value)

    buzzer, motor = Ordered(high=True), Ordered(high=True)
    with Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR):
        begun = order.index(("frequency", MOTOR.pwm_hz))
        assert order[:begun].count(("output", 0)) >= 2
        assert buzzer.log[0] == motor.log[0] == ("output", 0)
        assert {value for what, value in order if what in ("output", "state")} == {0}


def test_pwm_that_cannot_start_leaves_both_outputs_low() -> None:
    buzzer, motor = Line(high=True), Line(high=True)
    motor.broken = {"frequency"}
    with (
        pytest.raises(OSError, match="frequency"),
        Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR),
    ):
        raise AssertionError("entered")
    assert (buzzer.level, motor.level) == (0.0, 0.0)


def test_a_buzzer_that_cannot_be_driven_at_start_does_not_leave_the_motor_on() -> None:
    buzzer, motor = Line(), Line(high=True)
    buzzer.broken = {"output"}
    with (
        pytest.raises(OSError, match="output cannot be written"),
        Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR),
    ):
        raise AssertionError("entered")
    assert motor.level == 0.0


# ---------------------------------------------------------------- low last


@pytest.mark.parametrize("buzzer_settings", [BUZZER, PASSIVE], ids=["active", "passive"])
def test_returning_leaves_both_outputs_low_and_gives_the_pins_back(
    buzzer_settings: BuzzerSettings,
) -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, buzzer_settings, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        assert buzzer.level > 0.0
        assert motor.level > 0.0
    assert (buzzer.level, motor.level) == (0.0, 0.0)
    assert buzzer.function == motor.function == "input"


@pytest.mark.parametrize(
    "kind",
    [
        ValueError,
        OSError,
        HardwareError,
        MemoryError,
        RecursionError,
        AssertionError,
        KeyboardInterrupt,
        SystemExit,
        GeneratorExit,
    ],
)
def test_every_kind_of_exception_leaves_both_outputs_low(kind: type[BaseException]) -> None:
    _, board, buzzer, motor = mock_lines()
    error = kind("out")
    with pytest.raises(kind) as raised, Outputs(board, BUZZER, MOTOR) as outputs:  # noqa: PT012
        outputs.apply(0.0, ON)
        assert (buzzer.level, motor.level) == (1.0, 0.8)
        raise error
    assert raised.value is error
    assert (buzzer.level, motor.level) == (0.0, 0.0)


@pytest.mark.parametrize("broken", ["GPIO18", "GPIO13"])
def test_each_pin_goes_low_even_if_the_others_write_raises(broken: str) -> None:
    board = Header(GPIO18=Line(), GPIO13=Line())
    well = board.lines["GPIO13" if broken == "GPIO18" else "GPIO18"]
    with pytest.raises(OSError, match="state"), Outputs(board, BUZZER, MOTOR) as outputs:  # noqa: PT012
        outputs.apply(0.0, ON)
        assert well.level > 0.0
        board.lines[broken].broken = {"state"}
    assert well.level == 0.0


@pytest.mark.parametrize("broken", ["state", "close"])
def test_both_pins_are_given_back_even_if_one_cannot_be_written(broken: str) -> None:
    """Given back, a pin is an input, and its transistor's pull-down is what keeps it low."""
    buzzer, motor = Line(), Line()
    with (
        pytest.raises(OSError, match=broken),
        Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR),
    ):
        buzzer.broken = {broken}
    assert buzzer.writes("close")
    assert motor.closed


def test_a_motor_whose_pwm_cannot_be_ended_is_still_written_low() -> None:
    buzzer, motor = Line(), Line()
    with (  # noqa: PT012
        pytest.raises(OSError, match="frequency"),
        Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR) as outputs,
    ):
        outputs.apply(0.0, ON)
        motor.broken = {"frequency"}
    assert (buzzer.level, motor.level) == (0.0, 0.0)


def test_an_error_on_the_way_out_keeps_the_error_that_caused_it() -> None:
    buzzer = Line()
    with (  # noqa: PT012
        pytest.raises((OSError, ValueError)) as raised,
        Outputs(Header(GPIO18=buzzer, GPIO13=Line()), BUZZER, MOTOR),
    ):
        buzzer.broken = {"state"}
        raise ValueError("first")
    assert "first" in (str(raised.value), str(raised.value.__context__))


def test_quiet_is_low_at_once_and_the_next_command_is_written_anew() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        assert outputs.on
        outputs.quiet()
        assert not outputs.on
        assert (buzzer.level, motor.level) == (0.0, 0.0)
        outputs.apply(0.1, ON)
        assert (buzzer.level, motor.level) == (1.0, 0.8)


def test_after_being_quietened_the_motor_has_its_pwm_again() -> None:
    buzzer, motor = Line(), Line()
    with Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        outputs.quiet()
        outputs.apply(0.1, ON)
        assert motor.frequency == MOTOR.pwm_hz
        assert motor.level == 0.8


# ---------------------------------------------------------------- what is written


def test_a_command_that_stays_is_written_once() -> None:
    buzzer, motor = Line(), Line()
    with Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR) as outputs:
        buzzer.log.clear()
        motor.log.clear()
        for i in range(100):
            outputs.apply(i / 100, ON)
        assert buzzer.log == [("state", 1)]
        assert motor.log == [("state", 0.8)]
        outputs.apply(1.0, Command(buzzer=1, motor=0.0, tone_hz=2300))
        assert buzzer.log == [("state", 1)]
        assert motor.log == [("state", 0.8), ("state", 0.0)]


def test_silence_is_not_written_when_it_is_silent_already() -> None:
    buzzer, motor = Line(), Line()
    with Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR) as outputs:
        buzzer.log.clear()
        motor.log.clear()
        for i in range(10):
            assert outputs.apply(i / 10, OFF) == OFF
        assert buzzer.log == motor.log == []


def test_an_active_buzzer_is_on_or_off_and_has_no_frequency() -> None:
    _, board, buzzer, _ = mock_lines()
    heard = changes(buzzer)
    with Outputs(board, BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        assert (buzzer.level, buzzer.frequency) == (1.0, None)
        outputs.apply(0.1, OFF)
        assert (buzzer.level, buzzer.frequency) == (0.0, None)
    assert heard == [1.0, 0.0]


def test_a_passive_buzzer_is_given_its_tone_at_half_duty() -> None:
    _, board, buzzer, _ = mock_lines()
    with Outputs(board, PASSIVE, MOTOR) as outputs:
        outputs.apply(0.0, Command(buzzer=1, motor=0.0, tone_hz=2990))
        assert (buzzer.level, buzzer.frequency) == (0.5, 2990)
        outputs.apply(0.1, OFF)
        assert (buzzer.level, buzzer.frequency) == (0.0, None)
        outputs.apply(0.2, Command(buzzer=1, motor=0.0, tone_hz=1150))
        assert (buzzer.level, buzzer.frequency) == (0.5, 1150)


def test_a_passive_buzzers_tone_changes_without_a_pause() -> None:
    """FAULT's low tone turning into STOP's while both sound."""
    _, board, buzzer, _ = mock_lines()
    with Outputs(board, PASSIVE, MOTOR) as outputs:
        outputs.apply(0.0, Command(buzzer=1, motor=0.0, tone_hz=1150))
        outputs.apply(0.1, Command(buzzer=1, motor=0.0, tone_hz=2300))
        assert (buzzer.level, buzzer.frequency) == (0.5, 2300)


@pytest.mark.parametrize("pwm_hz", [50, 200, 1000])
@pytest.mark.parametrize("strength", [0.2, 0.8, 1.0])
def test_the_motor_has_its_pwm_frequency_and_the_commanded_duty(
    pwm_hz: int, strength: float
) -> None:
    _, board, _, motor = mock_lines()
    with Outputs(board, BUZZER, MotorSettings(pin=13, pwm_hz=pwm_hz)) as outputs:
        assert (motor.frequency, motor.level) == (pwm_hz, 0.0)
        outputs.apply(0.0, Command(motor=1.0))
        assert (motor.frequency, motor.level) == (pwm_hz, 1.0)
        outputs.apply(0.06, Command(motor=strength))
        assert (motor.frequency, motor.level) == (pwm_hz, strength)
        outputs.apply(0.1, OFF)
        assert motor.level == 0.0
    assert motor.frequency is None


@pytest.mark.parametrize("strength", [0.2, 0.8, 1.0])
def test_without_pwm_the_motor_is_on_or_off(strength: float) -> None:
    motor = Line(pwm=False)
    with Outputs(Header(GPIO18=Line(pwm=False), GPIO13=motor), BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, Command(motor=strength))
        assert motor.level == 1.0
        outputs.apply(0.1, OFF)
        assert motor.level == 0.0


def test_gpiozeros_own_mock_factory_which_has_no_pwm_will_do() -> None:
    board = MockFactory()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        assert board.pin("GPIO18").state
        assert board.pin("GPIO13").state
        outputs.apply(0.1, OFF)
        assert not board.pin("GPIO18").state
        assert not board.pin("GPIO13").state


def test_a_passive_buzzer_without_pwm_never_ends_a_walk() -> None:
    """It is refused at the start, or it does what it can; it does not fail at the first alert."""
    board = Header(GPIO18=Line(pwm=False), GPIO13=Line(pwm=False))
    try:
        outputs = Outputs(board, PASSIVE, MOTOR).__enter__()
    except HardwareError as error:
        assert "buzzer.kind" in str(error)  # noqa: PT017 - one of two good outcomes
        return
    outputs.apply(0.0, ON)
    outputs.apply(0.1, OFF)
    assert board.lines["GPIO18"].level == 0.0


# ---------------------------------------------------------------- nothing stays on


def test_nothing_stays_on_longer_than_the_longest_on() -> None:
    clock, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        for i in range(81):
            clock.wait_until(i * 0.25)
            allowed = outputs.apply(clock.now(), ON)
            on = clock.now() <= LONGEST_ON_S
            assert allowed == (ON if on else OFF)
            assert (buzzer.level, motor.level) == ((1.0, 0.8) if on else (0.0, 0.0))


def test_an_output_that_was_cut_off_sounds_again_once_it_was_commanded_off() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        outputs.apply(6.0, ON)
        assert (buzzer.level, motor.level) == (0.0, 0.0)
        outputs.apply(6.1, OFF)
        outputs.apply(6.2, ON)
        assert (buzzer.level, motor.level) == (1.0, 0.8)
        outputs.apply(11.1, ON)
        assert (buzzer.level, motor.level) == (1.0, 0.8)
        outputs.apply(11.3, ON)
        assert (buzzer.level, motor.level) == (0.0, 0.0)


def test_a_change_of_strength_or_tone_does_not_begin_the_longest_on_anew() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, PASSIVE, MOTOR) as outputs:
        for i in range(60):
            strength, tone_hz = (1.0, 2300) if i % 2 else (0.8, 1150)
            outputs.apply(i * 0.1, Command(buzzer=1, motor=strength, tone_hz=tone_hz))
        assert (buzzer.level, motor.level) == (0.0, 0.0)


def test_each_output_has_its_own_longest_on() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        for i in range(60):
            outputs.apply(i * 0.1, Command(buzzer=i % 2, motor=0.8, tone_hz=2300))
        assert (buzzer.level, motor.level) == (1.0, 0.0)


pulses = st.lists(
    st.tuples(st.floats(0.001, 4.0), st.integers(0, 1), st.sampled_from([0.0, 0.8, 1.0])),
    max_size=40,
)


@given(pulses)
def test_no_rhythm_keeps_a_pin_high_longer_than_the_longest_on(
    rhythm: list[tuple[float, int, float]],
) -> None:
    clock, board, buzzer, motor = mock_lines()
    runs: dict[str, list[tuple[float, float]]] = {"buzzer": [], "motor": []}
    for name, line in (("buzzer", buzzer), ("motor", motor)):
        line.watch(lambda t_s, level, name=name: runs[name].append((t_s, level)))
    with Outputs(board, BUZZER, MOTOR) as outputs:
        for wait_s, sounds, strength in rhythm:
            outputs.apply(clock.now(), Command(sounds, strength, 2300 * sounds))
            end_s = clock.now() + wait_s
            while clock.now() < end_s:  # the loop never sleeps longer than this
                clock.wait_until(min(clock.now() + 0.25, end_s))
                outputs.apply(clock.now(), Command(sounds, strength, 2300 * sounds))
    for run in runs.values():
        on_since: float | None = None
        for t_s, level in run:
            if not level:
                assert on_since is None or t_s - on_since <= LONGEST_ON_S + 0.25 + 1e-9
                on_since = None
            elif on_since is None:
                on_since = t_s
        assert on_since is None


# ---------------------------------------------------------------- the dead-man


def test_the_dead_man_drives_low_what_nobody_confirms() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.02) as dead_man:
        outputs.apply(0.0, ON)
        assert eventually(lambda: (buzzer.level, motor.level) == (0.0, 0.0))
        assert dead_man.fired == 1
        assert not outputs.on


def test_the_dead_man_gives_the_time_it_promises_and_no_more_than_twice_that() -> None:
    _, board, buzzer, _ = mock_lines()
    low: list[float] = []
    buzzer.watch(lambda _t_s, level: None if level else low.append(time.monotonic()))
    with Outputs(board, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.1):
        time.sleep(0.03)  # somewhere between two of its looks
        outputs.apply(0.0, ON)
        applied = time.monotonic()
        assert eventually(lambda: bool(low))
    assert 0.1 <= low[0] - applied < 0.2 + SOON_S / 5


def test_the_dead_man_leaves_alone_what_is_confirmed() -> None:
    _, board, buzzer, motor = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.2) as dead_man:
        end = time.monotonic() + 0.65
        while time.monotonic() < end:
            outputs.apply(0.0, ON)
            time.sleep(0.005)
        assert dead_man.fired == 0
        assert (buzzer.level, motor.level) == (1.0, 0.8)


def test_the_dead_man_does_not_mind_silence() -> None:
    _, board, _, _ = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.01) as dead_man:
        outputs.apply(0.0, OFF)
        time.sleep(0.08)
        assert dead_man.fired == 0


def test_the_dead_man_fires_again_for_the_next_hang() -> None:
    _, board, buzzer, _ = mock_lines()
    with Outputs(board, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.02) as dead_man:
        for hang in (1, 2, 3):
            outputs.apply(0.0, ON)
            assert eventually(lambda hang=hang: dead_man.fired == hang and not outputs.on)
            assert eventually(lambda: buzzer.level == 0.0)


def test_the_dead_man_survives_a_pin_that_cannot_be_written() -> None:
    buzzer, motor = Line(), Line()
    header = Header(GPIO18=buzzer, GPIO13=motor)
    with Outputs(header, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.02) as dead_man:
        outputs.apply(0.0, ON)
        buzzer.broken = {"state"}
        assert eventually(lambda: motor.level == 0.0)
        time.sleep(0.05)
        assert dead_man.is_alive()
        buzzer.broken.clear()


def test_the_dead_man_tries_again_when_a_pin_did_not_obey() -> None:
    buzzer, motor = Line(), Line()
    header = Header(GPIO18=buzzer, GPIO13=motor)
    with Outputs(header, BUZZER, MOTOR) as outputs, DeadMan(outputs, within_s=0.02) as dead_man:
        outputs.apply(0.0, ON)
        buzzer.broken = {"state"}
        assert eventually(lambda: dead_man.fired == 1 and motor.level == 0.0)
        buzzer.broken.clear()
        assert eventually(lambda: buzzer.level == 0.0)


def test_a_dead_man_that_fires_while_the_loop_comes_back_does_not_mute_it() -> None:
    """The loop's next command is written though it was on before: the pins went low meanwhile."""

    class Interrupted(Line):
        """While it is being driven low, the loop comes back on its own thread."""

        returns: Callable[[], object] | None = None

        def _note(self, what: str, value: Any) -> None:
            if what == "state" and not value and self.returns is not None:
                loop, self.returns = threading.Thread(target=self.returns), None
                loop.start()
                loop.join(0.05)
                late.append(loop)
            super()._note(what, value)

    late: list[threading.Thread] = []
    buzzer, motor = Interrupted(), Line()
    with Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR) as outputs:
        outputs.apply(0.0, ON)
        buzzer.returns = lambda: outputs.apply(0.1, ON)
        outputs.quiet()  # as the dead-man does
        for loop in late:
            loop.join(SOON_S)
        outputs.apply(0.2, ON)
        assert late
        assert (buzzer.level, motor.level) == (1.0, 0.8)


def test_the_dead_man_ends_with_its_block() -> None:
    _, board, _, _ = mock_lines()
    before = threading.active_count()
    with Outputs(board, BUZZER, MOTOR) as outputs:
        with DeadMan(outputs) as dead_man:  # its full 1.5 s: leaving does not wait for a look
            began = time.monotonic()
            assert dead_man.is_alive()
        assert not dead_man.is_alive()
        assert time.monotonic() - began < 1.0
    assert threading.active_count() == before


# ---------------------------------------------------------------- pins that are not there


@pytest.mark.parametrize("fitted", ["buzzer", "motor", "neither"])
def test_a_disabled_part_is_never_touched(fitted: str) -> None:
    board = Header(GPIO18=Line(high=True), GPIO13=Line(high=True))
    buzzer = BuzzerSettings(pin=18, enabled=fitted == "buzzer")
    motor = MotorSettings(pin=13, enabled=fitted == "motor")
    with Outputs(board, buzzer, motor) as outputs:
        outputs.apply(0.0, ON)
        outputs.quiet()
        outputs.apply(0.1, ON)
    mine = {"buzzer": ["GPIO18"], "motor": ["GPIO13"], "neither": []}[fitted]
    assert board.claimed == mine
    for name, line in board.lines.items():
        assert line.log == [] or name in mine
    assert len(outputs.pins) == len(mine)


@pytest.mark.parametrize(("lost", "setting"), [("GPIO18", "buzzer.pin"), ("GPIO13", "motor.pin")])
def test_a_pin_that_cannot_be_claimed_is_named_with_its_setting(lost: str, setting: str) -> None:
    lines = {"GPIO18": Line(), "GPIO13": Line()}
    del lines[lost]
    with pytest.raises(HardwareError) as raised:
        Outputs(Header(**lines), BUZZER, MOTOR).__enter__()
    message = str(raised.value)
    assert f"{setting} = {lost.removeprefix('GPIO')}" in message
    assert lost in message
    assert "is busy" in message
    assert "\n" not in message


def test_a_motor_that_cannot_be_claimed_leaves_the_buzzer_low() -> None:
    """The process before this one may have died with the buzzer on."""
    buzzer = Line(high=True)
    with pytest.raises(HardwareError, match=r"motor\.pin"):
        Outputs(Header(GPIO18=buzzer), BUZZER, MOTOR).__enter__()
    assert buzzer.level == 0.0


# ---------------------------------------------------------------- the lamp

LED = LedSettings(enabled=True, pin=25)
LIT = Command(buzzer=1, motor=0.8, tone_hz=2300, led=1)


def test_a_lamp_found_high_is_low_first_and_low_last() -> None:
    _, board, _, _ = mock_lines()
    lamp = found_high(board.line(LED.pin))
    seen = changes(lamp)
    with Outputs(board, BUZZER, MOTOR, LED) as outputs:
        assert (lamp.function, lamp.level) == ("output", 0.0)
        outputs.apply(0.0, LIT)
        assert lamp.level == 1.0
        outputs.apply(0.1, ON)
        assert lamp.level == 0.0
        outputs.apply(0.2, LIT)
    assert (lamp.function, lamp.level) == ("input", 0.0)
    assert seen == [0.0, 1.0, 0.0, 1.0, 0.0]


def test_a_lamp_that_is_not_fitted_is_not_claimed() -> None:
    board = Header(GPIO18=Line(), GPIO13=Line(), GPIO25=Line())
    with Outputs(board, BUZZER, MOTOR, LedSettings(pin=25)) as outputs:
        outputs.apply(0.0, LIT)
    assert board.claimed == ["GPIO18", "GPIO13"]
    assert board.lines["GPIO25"].log == []


def test_a_lamp_whose_pin_is_taken_is_an_error_that_names_it() -> None:
    buzzer, motor = Line(high=True), Line(high=True)
    with (
        pytest.raises(HardwareError, match=r"^led\.pin = 25: "),
        Outputs(Header(GPIO18=buzzer, GPIO13=motor), BUZZER, MOTOR, LED),
    ):
        raise AssertionError("entered")
    assert (buzzer.level, motor.level) == (0.0, 0.0)


@pytest.mark.parametrize("broken", ["GPIO18", "GPIO13", "GPIO25"])
def test_whichever_pin_fails_the_others_go_low(broken: str) -> None:
    board = Header(GPIO18=Line(), GPIO13=Line(), GPIO25=Line())
    with pytest.raises(OSError, match="state"), Outputs(board, BUZZER, MOTOR, LED) as outputs:  # noqa: PT012
        outputs.apply(0.0, LIT)
        board.lines[broken].broken = {"state"}
    assert [n for n, line in board.lines.items() if line.level and n != broken] == []


def test_the_lamp_may_stay_on_while_a_buzzer_that_does_is_cut_off() -> None:
    board = Header(GPIO18=Line(), GPIO13=Line(), GPIO25=Line())
    with Outputs(board, BUZZER, MOTOR, LED) as outputs:
        outputs.apply(0.0, LIT)
        allowed = outputs.apply(LONGEST_ON_S + 0.1, LIT)
        assert allowed == Command(led=1)
        assert [line.level for line in board.lines.values()] == [0.0, 0.0, 1.0]


def test_a_blinking_lamp_does_not_give_a_stuck_buzzer_more_time() -> None:
    board = Header(GPIO18=Line(), GPIO13=Line(), GPIO25=Line())
    with Outputs(board, BUZZER, MOTOR, LED) as outputs:
        for i in range(60):
            allowed = outputs.apply(i * 0.1, LIT if i % 2 else ON)
        assert (allowed.buzzer, allowed.motor) == (0, 0.0)


def test_a_lamp_alone_is_nothing_that_must_be_confirmed_but_quiet_puts_it_out() -> None:
    board = Header(GPIO18=Line(), GPIO13=Line(), GPIO25=Line())
    with Outputs(board, BUZZER, MOTOR, LED) as outputs:
        outputs.apply(0.0, Command(led=1))
        assert not outputs.on
        outputs.quiet()
        assert board.lines["GPIO25"].level == 0.0
        outputs.apply(0.1, Command(led=1))
        assert board.lines["GPIO25"].level == 1.0


# ---------------------------------------------------------------- doing without


@pytest.mark.parametrize(("lost", "name"), [(18, "buzzer"), (13, "motor"), (25, "led")])
@pytest.mark.parametrize("how", ["busy", "fails"])
def test_what_cannot_be_had_may_be_told_and_done_without(lost: int, name: str, how: str) -> None:
    lines = {f"GPIO{number}": Line(high=True) for number in (18, 13, 25)}
    if how == "busy":
        del lines[f"GPIO{lost}"]
    else:
        lines[f"GPIO{lost}"].broken = {"output"}
    told: list[tuple[str, Exception]] = []
    outputs = Outputs(Header(**lines), BUZZER, MOTOR, LED, lambda *what: told.append(what))
    with outputs:
        assert not any(line.level for n, line in lines.items() if n != f"GPIO{lost}")
        outputs.apply(0.1, LIT)
        on = {n for n, line in lines.items() if line.level and n != f"GPIO{lost}"}
    assert on == {"GPIO18", "GPIO13", "GPIO25"} - {f"GPIO{lost}"}
    assert [one for one, _ in told] == [name]
    assert outputs.missing == [one for one in ("buzzer", "motor") if one == name]
    assert all(line.closed for line in lines.values())
    assert str(told[0][1]).startswith(f"{name}.pin = {lost}: ")


def test_a_passive_buzzer_without_pwm_is_done_without() -> None:
    buzzer, motor = Line(pwm=False), Line()
    told: list[str] = []
    with Outputs(
        Header(GPIO18=buzzer, GPIO13=motor), PASSIVE, MOTOR, do_without=lambda n, _: told.append(n)
    ) as outputs:
        outputs.apply(0.1, ON)
        assert (buzzer.level, motor.level) == (0.0, 0.8)
        assert buzzer.closed
    assert told == outputs.missing == ["buzzer"]


def test_without_buzzer_and_motor_nothing_could_warn() -> None:
    lamp, told = Line(high=True), list[str]()
    outputs = Outputs(Header(GPIO25=lamp), BUZZER, MOTOR, LED, lambda name, _: told.append(name))
    with pytest.raises(HardwareError, match=r"^buzzer\.pin = 18: "):
        outputs.__enter__()
    assert lamp.level == 0.0
    assert told == []


def test_what_cannot_be_driven_is_one_line_for_those_who_insist() -> None:
    lines = {"GPIO18": Line(), "GPIO13": Line()}
    lines["GPIO13"].broken = {"frequency"}
    with pytest.raises(HardwareError, match=r"^motor\.pin = 13: cannot be driven .*; choose"):
        Outputs(Header(**lines), BUZZER, MOTOR).__enter__()


def test_one_output_alone_that_cannot_be_had_is_not_done_without() -> None:
    outputs = Outputs(
        Header(GPIO18=Line()), BuzzerSettings(enabled=False), MOTOR, do_without=lambda *_: None
    )
    with pytest.raises(HardwareError, match=r"^motor\.pin = 13: "):
        outputs.__enter__()
