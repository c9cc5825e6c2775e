"""The HC-SR04 driver against a hand-held echo line: one typed outcome a ping."""

import itertools
import random
from collections.abc import Callable

import pytest

from device.clock import VirtualClock
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.errors import HardwareError
from device.failures import Failure
from device.physics import ASSUMED_COLD_C, speed_of_sound_mps
from device.pins.mock import MockBoard
from device.ports.mock import Cable, Damage
from device.sensors import Bench, Parts
from device.sensors.hcsr04 import HCSR04, IDLE_AFTER, HCSR04Twin
from device.settings import SensorSettings

RISE_S = 0.0005
SOUND_MPS = speed_of_sound_mps(None)


class Untold(MockBoard):
    """RPi.GPIO's way: whoever hears an edge looks at clock and pin himself, too late."""

    kernel_stamps = False


class Hand:
    """Holds the far end of both lines and answers each trigger as it is told to."""

    def __init__(
        self,
        settings: SensorSettings | None = None,
        seed: int = 1,
        board: type[MockBoard] = MockBoard,
    ) -> None:
        self.settings = settings or SensorSettings()
        self.clock = VirtualClock()
        self.board = board(self.clock)
        self.echo = self.board.line(self.settings.echo_pin)
        self.triggers: list[tuple[float, float]] = []
        self.rose_s = 0.0
        self.answer: Callable[[float], None] = self.pulse(0.006)
        self.board.line(self.settings.trigger_pin).watch(self._on_trigger)
        self.cable = Cable(self.clock, Damage(), random.Random(seed))
        parts = Parts(self.settings, self.clock, self.board, random.Random(seed), self.cable.open)
        self.driver = HCSR04(parts)

    def _on_trigger(self, t_s: float, level: float) -> None:
        if level:
            self.rose_s = t_s
        else:
            self.triggers.append((self.rose_s, t_s))
            self.answer(t_s)

    def edge(self, t_s: float, high: bool) -> None:
        self.clock.at(t_s, lambda: self.echo.drive(high))

    def pulse(self, width_s: float, after_s: float = RISE_S) -> Callable[[float], None]:
        def answer(t_s: float) -> None:
            self.edge(t_s + after_s, high=True)
            self.edge(t_s + after_s + width_s, high=False)

        return answer

    def told(self, *levels: bool) -> Callable[[float], None]:
        """An edge each 6 ms of which the callback says `levels`, whatever the line does."""

        def answer(t_s: float) -> None:
            for i, level in enumerate(levels):
                self.hear(t_s + RISE_S + i * 0.006, level)

        return answer

    def hear(self, t_s: float, level: bool) -> None:
        self.clock.at(t_s, lambda: self.driver._on_edge(t_s, level))

    def rise_unheard(self, t_s: float) -> None:
        """The kernel's queue overflowed: high, and nobody was told."""

        def sneak() -> None:
            self.echo._state = 1.0

        self.clock.at(t_s + RISE_S, sneak)
        self.edge(t_s + RISE_S + 0.006, high=False)

    def silent(self, t_s: float) -> None:
        """No answer."""

    def next(self) -> Reading:
        """The next reading, as the loop would get it."""
        for _ in range(1000):
            reading = self.driver.poll(round(self.clock.now(), 6))
            if reading is not None:
                return reading
            self.clock.wait_until(max(self.driver.due_s, self.clock.now() + 1e-6))
        raise AssertionError("no reading in 1000 steps")

    def readings(self, count: int) -> list[Reading]:
        return [self.next() for _ in range(count)]


def test_an_echo_has_distance_width_and_time() -> None:
    hand = Hand()
    reading = hand.next()
    assert isinstance(reading, Echo)
    assert reading.echo_s == 0.006
    assert reading.distance_m == pytest.approx(0.006 * SOUND_MPS / 2, abs=1e-4)
    assert reading.t_s == pytest.approx(hand.triggers[0][1] + RISE_S + 0.006, abs=1e-6)
    assert not reading.too_close


def test_the_trigger_pulse_is_as_long_as_asked() -> None:
    for length_s in (20e-6, 100e-6):
        hand = Hand(SensorSettings(trigger_pulse_s=length_s))
        hand.next()
        rose_s, fell_s = hand.triggers[0]
        assert fell_s - rose_s == pytest.approx(length_s, abs=1e-9)


@pytest.mark.parametrize("clone_ms", [26, 28, 36, 38, 40, 47, 58, 60, 71, 103])
def test_every_clone_says_nothing_in_its_own_way(clone_ms: int) -> None:
    hand = Hand()
    hand.answer = hand.pulse(clone_ms / 1000)
    for reading in hand.readings(5):
        assert isinstance(reading, Nothing)
        assert reading.echo_s == clone_ms / 1000


def test_the_edge_of_range_divides_echo_from_nothing() -> None:
    flight_s = 2 * 4.0 / SOUND_MPS
    hand = Hand()
    hand.answer = hand.pulse(flight_s - 2e-6)
    assert isinstance(hand.next(), Echo)
    hand.answer = hand.pulse(flight_s + 2e-6)
    assert isinstance(hand.next(), Nothing)


def test_inside_the_blind_zone_is_too_close_and_not_a_distance() -> None:
    hand = Hand(SensorSettings(min_range_m=0.25))
    hand.answer = hand.pulse(0.001)
    reading = hand.next()
    assert isinstance(reading, Echo)
    assert reading.too_close
    assert reading.distance_m == 0.25
    assert reading.echo_s == 0.001


@pytest.mark.parametrize("width_us", [9, 32, 99])
def test_a_pulse_too_short_for_sound_is_noise(width_us: int) -> None:
    hand = Hand()
    hand.answer = hand.pulse(width_us * 1e-6)
    reading = hand.next()
    assert isinstance(reading, Fault)
    assert reading.fault is PingFault.NOISE
    assert reading.echo_s == pytest.approx(width_us * 1e-6)


def test_no_rise_in_time_is_never_rose() -> None:
    hand = Hand()
    hand.answer = hand.silent
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.NEVER_ROSE)
    assert reading.t_s == pytest.approx(hand.triggers[0][1] + 0.060, abs=1e-5)


def test_a_part_that_takes_forty_milliseconds_to_rise_is_waited_for() -> None:
    hand = Hand()
    hand.answer = hand.pulse(0.006, after_s=0.042)
    assert all(isinstance(reading, Echo) for reading in hand.readings(10))


def test_a_line_that_stays_high_is_stuck() -> None:
    hand = Hand()
    hand.answer = lambda t_s: hand.edge(t_s + RISE_S, high=True)
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.STUCK_HIGH)
    assert reading.t_s == pytest.approx(0.250, abs=0.001)
    again = hand.next()
    assert again == Fault(again.t_s, PingFault.STUCK_HIGH)
    assert len(hand.triggers) == 1


def test_a_line_high_before_the_trigger_gets_no_trigger() -> None:
    hand = Hand()
    hand.echo.drive(True)
    first, second = hand.readings(2)
    assert hand.triggers == []
    assert first == Fault(first.t_s, PingFault.STUCK_HIGH)
    assert first.t_s == pytest.approx(0.25, abs=0.03)
    assert second.t_s - first.t_s == pytest.approx(0.25, abs=0.03)


def test_a_line_still_busy_is_waited_for() -> None:
    hand = Hand()
    hand.echo.drive(True)
    hand.edge(0.1, high=False)
    assert isinstance(hand.next(), Echo)
    assert hand.triggers[0][0] >= 0.1 + hand.settings.quiet_s


@pytest.mark.parametrize(
    ("board", "fault"), [(Untold, PingFault.LOST_EDGE), (MockBoard, PingFault.NEVER_ROSE)]
)
def test_a_fall_without_its_rise_is_a_fault_and_not_half_of_the_next_pulse(
    board: type[MockBoard], fault: PingFault
) -> None:
    """Where levels are told, the fall is known to be nobody's; where not, one of two is missing."""
    hand = Hand(board=board)
    hand.answer = hand.rise_unheard
    reading = hand.next()
    assert reading == Fault(reading.t_s, fault)
    hand.answer = hand.pulse(0.012)
    after = hand.next()
    assert isinstance(after, Echo)
    assert after.echo_s == 0.012


@pytest.mark.parametrize("board", [Untold, MockBoard])
def test_a_rise_without_its_fall_is_lost_edge(board: type[MockBoard]) -> None:
    hand = Hand(board=board)

    def fall_unheard(t_s: float) -> None:
        def sneak() -> None:
            hand.echo._state = 0.0

        hand.edge(t_s + RISE_S, high=True)
        hand.clock.at(t_s + RISE_S + 0.006, sneak)

    hand.answer = fall_unheard
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.LOST_EDGE)
    hand.answer = hand.pulse(0.012)
    after = hand.next()
    assert isinstance(after, Echo)
    assert after.echo_s == 0.012


@pytest.mark.parametrize("levels", list(itertools.product([False, True], repeat=2)))
def test_untold_levels_are_not_believed_only_the_order_of_edges(
    levels: tuple[bool, bool],
) -> None:
    """RPi.GPIO re-reads the pin in its callback: a short pulse reports the same level twice."""
    hand = Hand(board=Untold)
    hand.answer = hand.told(*levels)
    reading = hand.next()
    assert isinstance(reading, Echo)
    assert reading.echo_s == pytest.approx(0.006)


@pytest.mark.parametrize(
    ("levels", "fault"),
    [
        ((False, False), PingFault.NEVER_ROSE),
        ((False, True), PingFault.LOST_EDGE),
        ((True, True), PingFault.LOST_EDGE),
        ((True, True, False), PingFault.LOST_EDGE),
        ((False, True, True, False), PingFault.LOST_EDGE),
    ],
)
def test_told_levels_that_are_no_pulse_are_none(levels: tuple[bool, ...], fault: PingFault) -> None:
    hand = Hand()
    hand.answer = hand.told(*levels)
    reading = hand.next()
    assert reading == Fault(reading.t_s, fault)
    hand.answer = hand.pulse(0.012)
    after = hand.next()
    assert isinstance(after, Echo)
    assert after.echo_s == 0.012


def test_two_rises_are_known_at_the_second() -> None:
    hand = Hand()
    hand.answer = hand.told(True, True)
    reading = hand.next()
    assert reading.t_s == pytest.approx(hand.triggers[0][1] + RISE_S + 0.006, abs=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_after_dropped_edges_the_line_gets_its_quiet(seed: int) -> None:
    hand = Hand(SensorSettings(retrigger_s=0.02), seed)
    hand.echo.missed_edges = 0
    hand.answer = hand.silent
    hand.driver.poll(0.0)
    hand.echo.missed_edges = 2  # the last of them may be this very moment's
    hand.clock.wait_until(0.03)
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.LOST_EDGE)
    hand.next()
    assert hand.triggers[1][0] >= reading.t_s + hand.settings.quiet_s


@pytest.mark.parametrize("falls", [1, 2, 3])
def test_falls_of_an_older_ping_before_a_pulse_do_not_change_it(falls: int) -> None:
    hand = Hand()

    def answer(t_s: float) -> None:
        for i in range(falls):
            hand.hear(t_s + 1e-4 * (i + 1), False)
        hand.pulse(0.012)(t_s)

    hand.answer = answer
    for _ in range(5):
        reading = hand.next()
        assert isinstance(reading, Echo)
        assert reading.echo_s == 0.012
        assert reading.t_s == pytest.approx(hand.triggers[-1][1] + RISE_S + 0.012, abs=1e-6)


def test_a_pulse_in_which_the_kernel_dropped_edges_is_lost_edge() -> None:
    """Rise, (fall, rise), fall: the two that are left look like one pulse."""
    hand = Hand()
    hand.echo.missed_edges = 3  # earlier ones: nothing to do with this ping
    assert isinstance(hand.next(), Echo)

    def drop(t_s: float) -> None:
        def dropped() -> None:
            hand.echo.missed_edges += 2

        hand.clock.at(t_s + RISE_S + 0.001, dropped)
        hand.pulse(0.012)(t_s)

    hand.answer = drop
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.LOST_EDGE)
    hand.answer = hand.pulse(0.006)
    after = hand.next()
    assert isinstance(after, Echo)
    assert after.echo_s == 0.006


def test_edges_dropped_between_two_pings_do_not_matter() -> None:
    hand = Hand()
    hand.echo.missed_edges = 0
    assert isinstance(hand.next(), Echo)
    hand.echo.missed_edges = 2
    assert isinstance(hand.next(), Echo)


def test_dropped_edges_of_a_ping_with_nothing_left_are_lost_edge() -> None:
    hand = Hand()
    hand.echo.missed_edges = 0

    def drop(t_s: float) -> None:
        hand.echo.missed_edges = 2

    hand.answer = drop
    reading = hand.next()
    assert reading == Fault(reading.t_s, PingFault.LOST_EDGE)


def test_edges_stamped_before_the_trigger_are_an_older_pings() -> None:
    hand = Hand()

    def answer(t_s: float) -> None:
        def late_delivery() -> None:
            hand.driver._on_edge(t_s - 0.02, True)
            hand.driver._on_edge(t_s - 0.01, False)

        hand.clock.at(t_s + 0.0001, late_delivery)
        hand.pulse(0.012)(t_s)

    hand.answer = answer
    for reading in hand.readings(5):
        assert isinstance(reading, Echo)
        assert reading.echo_s == 0.012


def test_stamps_of_another_origin_still_give_the_width() -> None:
    """Old kernels stamp from 1970, pigpio in wrapping microseconds: only differences count."""
    hand = Hand()
    hand.driver._ticks_diff = lambda later, earlier: ((later - earlier) % 2**32) / 1e6

    def answer(t_s: float) -> None:
        rise = 2**32 - 1000
        hand.clock.at(t_s + RISE_S, lambda: hand.driver._on_edge(rise, True))
        fall = (rise + 6000) % 2**32
        hand.clock.at(t_s + RISE_S + 0.006, lambda: hand.driver._on_edge(fall, False))

    hand.answer = answer
    reading = hand.next()
    assert isinstance(reading, Echo)
    assert reading.echo_s == 0.006
    assert reading.t_s == pytest.approx(hand.triggers[0][1] + RISE_S + 0.006, abs=1e-6)


def test_an_answer_at_a_strange_moment_is_an_older_pings() -> None:
    hand = Hand()
    hand.readings(5)
    hand.answer = hand.pulse(0.006, after_s=0.02)
    reading = hand.next()
    assert isinstance(reading, Fault)
    assert reading.fault is PingFault.LATE_EDGE
    hand.answer = hand.pulse(0.006)
    assert isinstance(hand.next(), Echo)


def test_answers_at_ever_other_moments_are_never_believed() -> None:
    hand = Hand()
    rng = random.Random(3)
    late = 0
    for _ in range(50):
        hand.answer = hand.pulse(0.006, after_s=rng.uniform(0.001, 0.05))
        reading = hand.next()
        late += isinstance(reading, Fault) and reading.fault is PingFault.LATE_EDGE
    assert late >= 30


def test_a_part_that_was_swapped_for_a_slower_one_is_learned() -> None:
    hand = Hand()
    hand.readings(5)
    hand.answer = hand.pulse(0.006, after_s=0.03)
    found = hand.readings(12)
    assert all(isinstance(reading, Fault) for reading in found[:5])
    assert all(isinstance(reading, Echo) for reading in found[5:])


@pytest.mark.parametrize("width_s", [0.0008, 0.006, 0.023, 0.038, 0.103])
def test_the_next_trigger_is_as_early_as_is_safe(width_s: float) -> None:
    hand = Hand(SensorSettings(idle_s=0.0))
    hand.answer = hand.pulse(width_s)
    hand.readings(200)
    s = hand.settings
    gaps = []
    learned = hand.triggers[20:]  # until then the pace is uneven, to unmask answers that lag
    for (_, before_s), (rose_s, _) in itertools.pairwise(learned):
        safe_s = max(before_s + s.retrigger_s, before_s + RISE_S + width_s + s.quiet_s)
        assert rose_s >= safe_s - 1e-6
        gaps.append(rose_s - safe_s)
    assert max(gaps) <= s.jitter_s + 1e-6
    assert min(gaps) < 0.001
    assert max(gaps) > 0.009


def test_in_an_open_field_the_pace_is_eased_until_the_first_echo() -> None:
    hand = Hand(SensorSettings(jitter_s=0.0))
    hand.readings(20)
    hand.answer = hand.pulse(0.038)
    hand.readings(IDLE_AFTER + 10)
    hand.answer = hand.pulse(0.006)
    hand.readings(3)
    rose = [rose_s for rose_s, _ in hand.triggers]
    gaps = [later - earlier for earlier, later in itertools.pairwise(rose[20:])]
    assert max(gaps[: IDLE_AFTER - 1]) < 0.05
    eased = gaps[IDLE_AFTER - 1 : IDLE_AFTER + 10]
    assert eased == pytest.approx([0.1] * 11, abs=1e-3)
    assert max(gaps[IDLE_AFTER + 10 :]) < 0.05


def test_temperature_sets_the_speed_of_sound_and_unknown_is_cold() -> None:
    distances = []
    for temperature_c in (None, -10.0, 0.0, 20.0, 35.0):
        reading = Hand(SensorSettings(temperature_c=temperature_c)).next()
        assert isinstance(reading, Echo)
        distances.append(reading.distance_m)
    assert distances[0] == distances[1]
    assert distances == sorted(distances)
    assert speed_of_sound_mps(20.0) == pytest.approx(343.2, abs=0.2)
    assert speed_of_sound_mps(0.0) == pytest.approx(331.3)


def test_polling_between_the_edges_never_waits_and_says_nothing() -> None:
    hand = Hand()
    hand.driver.poll(0.0)
    before_s = hand.clock.now()
    for _ in range(100):
        assert hand.driver.poll(before_s) is None
    assert hand.clock.now() == before_s


def test_both_pins_are_given_back() -> None:
    hand = Hand()
    hand.next()
    hand.driver.close()
    assert hand.board.line(hand.settings.trigger_pin).level == 0
    hand.echo.drive(True)
    assert len(hand.driver._edges) == 0


def test_an_echo_pin_that_cannot_be_watched_is_named() -> None:
    class Unwatchable(MockBoard):
        def pin(self, name: str, pin_class: object = None, **kwargs: object) -> object:
            line = super().pin(name)
            if name == "GPIO24":
                line.input_with_pull = self.refuse
            return line

        def refuse(self, pull: str) -> None:
            raise OSError("busy")

    clock = VirtualClock()
    cable = Cable(clock, Damage(), random.Random(1))
    parts = Parts(SensorSettings(), clock, Unwatchable(clock), random.Random(1), cable.open)
    with pytest.raises(HardwareError, match=r"sensor\.echo_pin = 24: .*busy"):
        HCSR04(parts)


# ------------------------------------------------------------------ the twin


class Soldered:
    """Driver and twin on one board, in a world that is a number: metres, or None."""

    def __init__(self, heard_m: float | None) -> None:
        self.heard_m = heard_m
        settings = SensorSettings()
        self.hand = Hand(settings)
        board, clock = self.hand.board, self.hand.clock
        self.hand.answer = self.hand.silent  # the twin answers
        bench = Bench(
            settings=settings,
            line=board.line,
            cable=self.hand.cable,
            now=clock.now,
            at=clock.at,
            listen=lambda _: self.heard_m,
            sound_mps=SOUND_MPS,
            air_c=ASSUMED_COLD_C,
            no_echo_s=0.038,
            rng=random.Random(1),
        )
        self.twin = HCSR04Twin(bench)

    def hears(self, count: int = 3) -> list[float | None]:
        """Distances of the next readings, to a centimetre."""
        found = self.hand.readings(count)
        return [round(r.distance_m, 2) if isinstance(r, Echo) else None for r in found]


def test_a_twin_answers_what_it_hears() -> None:
    part = Soldered(1.5)
    assert part.hears() == [1.5] * 3
    part.heard_m = None
    assert part.hears() == [None] * 3
    part.heard_m = 0.7
    assert part.hears() == [0.7] * 3


@pytest.mark.parametrize("heard_m", [1.5, None])
def test_a_frozen_twin_repeats_its_last_answer_to_the_microsecond_until_it_thaws(
    heard_m: float | None,
) -> None:
    part = Soldered(heard_m)
    before = part.hears(1)
    part.twin.failure = Failure.FROZEN
    part.heard_m = 0.7
    frozen = part.hand.readings(30)
    assert len({reading.echo_s for reading in frozen}) == 1
    assert part.hears(1) == before == [heard_m]
    part.twin.failure = Failure.OK
    assert part.hears() == [0.7] * 3


def test_a_twin_frozen_from_the_start_repeats_its_first_answer() -> None:
    part = Soldered(2.0)
    part.twin.failure = Failure.FROZEN
    assert part.hears(1) == [2.0]
    part.heard_m = 1.0
    assert part.hears() == [2.0] * 3
