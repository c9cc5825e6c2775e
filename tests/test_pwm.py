"""PWM by software: a thread that pulses only while there is something to pulse."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from device.pins import pwm as module
from device.pins.pwm import SoftPwm

SOON_S = 20.0
"""A thread gets this long before a test gives up on it."""
QUICK_HZ = 2000.0
PERIOD_S = 0.01


class Line:
    """What was written, when and by whom; others may wait until enough was."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._more = threading.Condition()
        self.written: list[tuple[float, bool]] = []
        self.writers: set[int] = set()

    def write(self, high: bool) -> None:
        with self._more:
            self.written.append((self._now(), high))
            self.writers.add(threading.get_ident())
            self._more.notify_all()

    @property
    def levels(self) -> list[bool]:
        return [high for _, high in self.written]

    @property
    def changes(self) -> list[tuple[float, bool]]:
        """As an oscilloscope sees it: a level that is written again is none."""
        seen: list[tuple[float, bool]] = []
        for t_s, high in self.written:
            if not seen or seen[-1][1] != high:
                seen.append((round(t_s, 6), high))
        return seen

    def wait_for_more(self, count: int) -> None:
        with self._more:
            enough = len(self.written) + count
            assert self._more.wait_for(lambda: len(self.written) >= enough, SOON_S)


class Failing(Line):
    """Its next `failures` writes from the thread fail."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.failures = 0
        self._owner = threading.get_ident()

    def write(self, high: bool) -> None:
        if self.failures and threading.get_ident() != self._owner:
            self.failures -= 1
            raise OSError("the line is gone")
        super().write(high)


class Hanging(Line):
    """A pulse's rise, once told to hang, does not come back until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.hang = False
        self.hanging, self.released = threading.Event(), threading.Event()

    def write(self, high: bool) -> None:
        if self.hang and high:
            self.hanging.set()
            assert self.released.wait(SOON_S)
        super().write(high)


class HandTime:
    """The `time` of one thread, which passes as far as the test lets it."""

    def __init__(self) -> None:
        self._now_s = self._until_s = 0.0
        self._asleep_till_s: float | None = None
        self._turn = threading.Condition()
        self.late_s: dict[float, float] = {}
        """A sleep that ends at this time is this much longer."""

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        with self._turn:
            end_s = self._now_s + duration_s
            end_s += self.late_s.pop(round(end_s, 6), 0.0)
            self._asleep_till_s = end_s
            self._turn.notify_all()
            assert self._turn.wait_for(lambda: self._until_s >= end_s, SOON_S)
            self._asleep_till_s = None
            self._now_s = end_s

    def run_to(self, until_s: float) -> None:
        """Until the thread sleeps beyond `until_s`."""
        with self._turn:
            self._until_s = until_s
            self._turn.notify_all()
            assert self._turn.wait_for(
                lambda: self._asleep_till_s is not None and self._asleep_till_s > until_s, SOON_S
            )
            self._now_s = until_s

    def let_go(self) -> None:
        with self._turn:
            self._until_s = float("inf")
            self._turn.notify_all()


class Paced:
    """A line and its pulses, in time that is let pass by hand."""

    def __init__(self, time: HandTime) -> None:
        self.time = time
        self.line = Failing(time.monotonic)
        self.pwm = SoftPwm(self.line.write, 1 / PERIOD_S)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> Iterator[Paced]:
    hand = HandTime()
    monkeypatch.setattr(module, "time", hand)
    paced = Paced(hand)
    yield paced
    hand.let_go()
    paced.pwm.stop()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def pwm(line: Line) -> Iterator[SoftPwm]:
    pwm = SoftPwm(line.write, QUICK_HZ)
    yield pwm
    pwm.stop()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "pwm"]


def asleep(pwm: SoftPwm) -> None:
    """Until the thread waits for another duty."""
    give_up_s = time.monotonic() + SOON_S
    while pwm._changed.is_set():
        assert time.monotonic() < give_up_s
        time.sleep(1e-4)


# ---------------------------------------------------------------- real threads


def test_it_begins_low_and_without_a_thread(line: Line, pwm: SoftPwm) -> None:
    assert line.levels == [False]
    assert pwm.duty == 0.0
    assert pwm.frequency_hz == QUICK_HZ
    assert threads() == []


def test_steady_levels_need_no_thread(line: Line, pwm: SoftPwm) -> None:
    for duty in (1.0, 0.0, 1, 0):
        pwm.duty = duty
        assert pwm.duty == duty
        assert line.levels[-1] is bool(duty)
    assert threads() == []
    assert line.writers == {threading.get_ident()}


def test_pulses_alternate_from_a_thread_of_their_own(line: Line, pwm: SoftPwm) -> None:
    pwm.duty = 0.5
    assert line.levels[1]  # at once, by whoever asked
    line.wait_for_more(50)
    assert threads() == ["pwm"]
    assert len(line.writers) == 2
    levels = [high for _, high in line.changes]
    assert levels == [bool(i % 2) for i in range(len(levels))]
    assert len(levels) > 20


@pytest.mark.parametrize("duty", [0.0, 1.0])
def test_a_steady_level_holds_from_the_moment_that_it_is_asked_for(
    line: Line, pwm: SoftPwm, duty: float
) -> None:
    for _ in range(20):
        pwm.duty = 0.5
        line.wait_for_more(3)
        pwm.duty = duty
        assert pwm.duty == duty
        since = len(line.written) - 1
        asleep(pwm)
        assert line.levels[since:] == [bool(duty)]
    assert threads() == ["pwm"]  # one for all


def test_a_steady_level_lets_the_thread_sleep_and_a_duty_wakes_it(line: Line, pwm: SoftPwm) -> None:
    for duty in (0.3, 0.0, 0.7, 1.0, 0.01, 0.99):
        pwm.duty = duty
        if 0.0 < duty < 1.0:
            line.wait_for_more(10)
            assert set(line.levels[-4:]) == {False, True}


@pytest.mark.parametrize("duty", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_stopped_is_low_and_without_a_thread(line: Line, pwm: SoftPwm, duty: float) -> None:
    pwm.duty = duty
    if 0.0 < duty < 1.0:
        line.wait_for_more(10)
    pwm.stop()
    assert threads() == []
    assert not line.levels[-1]
    assert pwm.duty == 0.0
    stood = len(line.written)
    pwm.stop()  # again: nothing new
    assert not any(line.levels[stood:])


def test_a_duty_that_changes_all_the_time_ends_as_the_last_one_says(
    line: Line, pwm: SoftPwm
) -> None:
    """As the loop does it, while the thread pulses."""
    for i in range(2000):
        pwm.duty = (0.8, 0.0, 1.0, 0.2)[i % 4]
    pwm.duty = 0.5
    line.wait_for_more(10)
    assert set(line.levels[-4:]) == {False, True}
    pwm.duty = 0.0
    pwm.stop()
    assert line.levels[-2:] == [False, False]
    assert threads() == []


def test_quiet_from_another_thread_is_quiet_for_good(line: Line, pwm: SoftPwm) -> None:
    """The dead man's."""

    def hush() -> None:
        pwm.duty = 0.0

    pwm.duty = 0.5
    line.wait_for_more(10)
    dead_man = threading.Thread(target=hush)
    dead_man.start()
    dead_man.join(SOON_S)
    since = len(line.written) - 1
    pwm.stop()
    assert not any(line.levels[since:])


@pytest.fixture
def hanging() -> Iterator[tuple[Hanging, SoftPwm]]:
    """A line whose thread hangs in the middle of a write, and its pulses."""
    line = Hanging()
    pwm = SoftPwm(line.write, QUICK_HZ)
    pwm.duty = 0.5
    line.wait_for_more(4)
    line.hang = True
    assert line.hanging.wait(SOON_S)
    yield line, pwm
    line.hang = False
    line.released.set()
    pwm.stop()
    give_up_s = time.monotonic() + SOON_S
    while threads():
        assert time.monotonic() < give_up_s
        time.sleep(1e-4)


def hush(pwm: SoftPwm) -> None:
    pwm.duty = 0.0


@pytest.mark.parametrize("quiet", [hush, SoftPwm.stop])
def test_a_write_that_hangs_in_the_thread_keeps_nobody_from_going_low(
    hanging: tuple[Hanging, SoftPwm], quiet: Callable[[SoftPwm], None]
) -> None:
    line, pwm = hanging
    since = len(line.written)
    quieting = threading.Thread(target=quiet, args=(pwm,), daemon=True)
    quieting.start()
    quieting.join(SOON_S)
    assert not quieting.is_alive()
    assert not line.released.is_set()
    assert line.levels[since:] == [False]
    assert pwm.duty == 0.0


# ---------------------------------------------------------------- the rhythm, in time by hand


@pytest.mark.parametrize("duty", [0.1, 0.25, 0.5, 0.9])
def test_each_period_is_high_for_its_share(paced: Paced, duty: float) -> None:
    paced.pwm.duty = duty
    paced.time.run_to(3.95 * PERIOD_S)
    expected = [(0.0, False)]
    for period in range(4):
        expected += [(period * PERIOD_S, True), ((period + duty) * PERIOD_S, False)]
    assert paced.line.changes == [(pytest.approx(t_s), high) for t_s, high in expected]


@pytest.mark.parametrize("late_s", [0.001, 0.004])
def test_a_late_fall_is_made_up_for_in_the_same_period(paced: Paced, late_s: float) -> None:
    paced.time.late_s[0.0125] = late_s
    paced.pwm.duty = 0.25
    paced.time.run_to(0.0222)
    assert paced.line.changes[3:6] == [
        (0.01, True),
        (pytest.approx(0.0125 + late_s), False),
        (pytest.approx(0.02), True),
    ]


def test_a_late_rise_shortens_one_pulse_and_is_forgotten(paced: Paced) -> None:
    paced.time.late_s[0.01] = 0.002
    paced.pwm.duty = 0.25
    paced.time.run_to(0.0222)
    assert paced.line.changes[3:6] == [
        (pytest.approx(0.012), True),
        (pytest.approx(0.0125), False),
        (pytest.approx(0.02), True),
    ]


def test_held_up_for_longer_than_a_period_it_begins_anew_without_a_burst(paced: Paced) -> None:
    paced.time.late_s[0.01] = 0.035
    paced.pwm.duty = 0.25
    paced.time.run_to(0.0561)
    assert paced.line.changes[3:] == [
        (pytest.approx(0.045), True),
        (pytest.approx(0.0475), False),
        (pytest.approx(0.055), True),
    ]


def test_another_duty_counts_from_the_next_period_on(paced: Paced) -> None:
    paced.pwm.duty = 0.25
    paced.time.run_to(0.006)
    paced.pwm.duty = 0.75
    assert paced.line.changes[-1] == (0.0025, False)  # no extra pulse in between
    paced.time.run_to(0.0299)
    after = [(t_s, high) for t_s, high in paced.line.changes if t_s > 0.0101]
    assert after == [
        (pytest.approx(0.0175), False),
        (pytest.approx(0.02), True),
        (pytest.approx(0.0275), False),
    ]


def test_a_pulse_under_way_does_not_end_a_level_that_was_asked_for_meanwhile(
    paced: Paced,
) -> None:
    paced.pwm.duty = 0.5
    paced.time.run_to(0.002)
    paced.pwm.duty = 1.0
    paced.time.run_to(0.0099)  # the pulse would have ended at 5 ms
    assert paced.line.changes == [(0.0, False), (0.0, True)]


def test_a_period_under_way_does_not_begin_another_after_silence(paced: Paced) -> None:
    paced.pwm.duty = 0.5
    paced.time.run_to(0.002)
    paced.pwm.duty = 0.0
    paced.time.let_go()
    paced.pwm.stop()
    assert paced.line.changes == [(0.0, False), (0.0, True), (0.002, False)]


def test_another_frequency_counts_from_the_next_period_on(paced: Paced) -> None:
    paced.pwm.duty = 0.25
    paced.time.run_to(0.001)
    paced.pwm.frequency_hz = 50.0
    assert paced.pwm.frequency_hz == pytest.approx(50.0)
    paced.time.run_to(0.0299)
    assert paced.line.changes[1:] == [
        (0.0, True),
        (pytest.approx(0.0025), False),
        (pytest.approx(0.01), True),
        (pytest.approx(0.015), False),
    ]
    paced.time.run_to(0.0301)
    assert paced.line.changes[-1] == (pytest.approx(0.03), True)


# ---------------------------------------------------------------- a line that fails


def failed(paced: Paced) -> None:
    """The second pulse could not be begun, and the thread waits for somebody to hear of it."""
    paced.pwm.duty = 0.25
    paced.time.run_to(0.006)
    paced.line.failures = 1
    paced.time.let_go()
    asleep(paced.pwm)


def test_a_rise_that_fails_leaves_the_line_low(paced: Paced) -> None:
    failed(paced)
    assert paced.line.failures == 0
    assert paced.line.changes == [(0.0, False), (0.0, True), (0.0025, False)]
    assert (pytest.approx(0.01), False) in paced.line.written  # it may have risen all the same


def test_a_fall_that_fails_is_tried_again_at_once(paced: Paced) -> None:
    paced.pwm.duty = 0.25
    paced.time.run_to(0.001)
    paced.line.failures = 1
    paced.time.let_go()
    asleep(paced.pwm)
    assert paced.line.changes == [(0.0, False), (0.0, True), (0.0025, False)]


def test_a_line_that_cannot_be_lowered_either_is_left_to_the_next_setter(paced: Paced) -> None:
    paced.pwm.duty = 0.25
    paced.time.run_to(0.001)
    paced.line.failures = 2
    paced.time.let_go()
    asleep(paced.pwm)
    assert paced.line.levels[-1]
    with pytest.raises(OSError, match="the line is gone"):
        paced.pwm.duty = 1.0
    assert not paced.line.levels[-1]


@pytest.mark.parametrize("duty", [0.0, 0.25, 0.75, 1.0])
def test_the_next_setter_raises_what_failed_and_leaves_the_line_low(
    paced: Paced, duty: float
) -> None:
    failed(paced)
    stood = len(paced.line.written)
    with pytest.raises(OSError, match="the line is gone"):
        paced.pwm.duty = duty
    assert paced.line.levels[stood:] == [False]
    paced.pwm.duty = 0.0  # and only once
    assert not any(paced.line.levels[stood:])


@pytest.mark.parametrize("raised_at", [0.0, 0.25, 1.0])
def test_after_that_a_duty_works_again(paced: Paced, raised_at: float) -> None:
    failed(paced)
    with pytest.raises(OSError, match="the line is gone"):
        paced.pwm.duty = raised_at
    paced.pwm.duty = 0.75
    paced.line.wait_for_more(10)
    assert set(paced.line.levels[-4:]) == {False, True}
    paced.pwm.duty = 1.0
    assert paced.line.levels[-1]


def test_the_setter_that_raises_leaves_it_low_also_before_the_thread_has_looked(
    paced: Paced,
) -> None:
    paced.pwm.duty = 0.25
    paced.time.run_to(0.006)
    paced.line.failures = 1
    paced.time.run_to(0.0149)  # the rise at 10 ms failed; the thread sleeps to 20 ms
    with pytest.raises(OSError):  # noqa: PT011 - whatever the line raised
        paced.pwm.duty = 0.75
    assert paced.pwm.duty == 0.0
    assert not paced.line.levels[-1]


@pytest.mark.parametrize("quieten", [hush, SoftPwm.stop])
def test_a_rise_that_hung_and_comes_through_after_all_is_lowered_again(
    hanging: tuple[Hanging, SoftPwm], quieten: Callable[[SoftPwm], None]
) -> None:
    line, pwm = hanging
    quieten(pwm)
    since = len(line.written)
    line.hang = False
    line.released.set()
    give_up_s = time.monotonic() + SOON_S
    while len(line.written) < since + 2:  # the late rise, and its end
        assert time.monotonic() < give_up_s
        time.sleep(1e-3)
    assert line.levels[-2:] == [True, False]
