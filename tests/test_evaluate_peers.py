"""The peers: each one's documented habit, told what it hears one reading at a time."""

import itertools
from collections.abc import Callable, Iterable

import pytest
from gpiozero.mixins import GPIOQueue
from hypothesis import given
from hypothesis import strategies as st

from device.core.reading import Echo, Fault, Nothing, PingFault, Reading
from device.evaluate.peers import (
    FAR_M,
    OURS,
    PEERS,
    THRESHOLD_M,
    ArduPilot,
    Contender,
    Gpiozero,
    MedianOf3,
    ParkingAid,
    SinglePing,
    Votes,
)

PERIOD_S = 0.04
Heard = float | None | PingFault
"""An echo's distance, None for "nothing there", or why there was no answer."""
DEAD = PingFault.NEVER_ROSE


def readings(heard: Iterable[Heard], start_s: float = 0.0) -> list[Reading]:
    found: list[Reading] = []
    for i, what in enumerate(heard):
        t_s = start_s + i * PERIOD_S
        if what is None:
            found.append(Nothing(t_s))
        else:
            found.append(Fault(t_s, what) if isinstance(what, PingFault) else Echo(t_s, what))
    return found


def levels(peer: Contender, heard: Iterable[Heard], start_s: float = 0.0) -> list[int]:
    """The level after each reading."""
    return [peer(reading) for reading in readings(heard, start_s)]


hearings = st.lists(
    st.floats(0.0, 5.0) | st.none() | st.sampled_from(sorted(PingFault)), max_size=60
)
answers = st.lists(st.floats(0.0, 5.0) | st.none(), max_size=60)


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", PEERS)
@given(heard=hearings)
def test_whatever_is_heard_the_answer_is_a_level(name: str, heard: list[Heard]) -> None:
    for level in levels(PEERS[name](), heard):
        assert isinstance(level, int)
        assert 0 <= level <= 4


@pytest.mark.parametrize("name", PEERS)
def test_each_begins_silent_and_warns_of_what_stays_within_reach(name: str) -> None:
    peer = PEERS[name]()
    assert levels(peer, [None] * 20) == [0] * 20
    assert levels(peer, [0.25] * 20, 1.0)[-1] >= 3
    assert levels(peer, [None] * 20, 2.0)[-1] == 0


@pytest.mark.parametrize("name", PEERS)
def test_what_one_has_heard_another_of_its_kind_has_not(name: str) -> None:
    wall: list[Heard] = [3.0 - i * PERIOD_S for i in range(70)]
    alone = levels(PEERS[name](), wall)
    first, second = PEERS[name](), PEERS[name]()
    assert levels(first, [0.2] * 30)[-1] >= 3
    assert levels(second, wall) == alone


@pytest.mark.parametrize("name", PEERS)
def test_a_dead_sensor_from_the_start_never_says_anything(name: str) -> None:
    assert set(levels(PEERS[name](), [DEAD] * 100)) == {0}


def test_we_are_not_our_own_peer() -> None:
    assert OURS not in PEERS
    assert len(PEERS) == 9


# ---------------------------------------------------------------- a single ping


def test_a_single_ping_believes_every_ghost() -> None:
    assert levels(SinglePing(), [3.0, 0.4, 3.0, None, 1.5, 1.51]) == [0, 3, 0, 0, 3, 0]
    assert levels(PEERS["single ping, 2.0 m"](), [2.01, 2.0]) == [0, 3]


@given(heard=hearings)
def test_a_single_ping_stands_still_while_no_answer_comes(heard: list[Heard]) -> None:
    wanted, said = [], 0
    for what in heard:
        if not isinstance(what, PingFault):
            said = 3 if what is not None and what <= THRESHOLD_M else 0
        wanted.append(said)
    assert levels(SinglePing(), heard) == wanted


# ---------------------------------------------------------------- gpiozero


class Ear:
    """What gpiozero's queue believes to be its device: plays readings, then ends the thread."""

    def __init__(self, heard: list[Heard], threshold_m: float, max_m: float, size: int) -> None:
        self.queue = GPIOQueue(self, queue_len=size, ignore=frozenset({None}))
        self.in_range: list[bool] = []
        self._heard = iter(heard)
        self._max_m = max_m
        self._share = threshold_m / max_m

    def _read(self) -> float | None:
        """As DistanceSensor reads: a share of the longest distance, None without a pulse."""
        try:
            what = next(self._heard)
        except StopIteration:
            self.queue.stopping.set()
            return None
        if isinstance(what, PingFault):
            return None
        return min(1.0, (FAR_M if what is None else what) / self._max_m)

    def play(self) -> None:
        fills = self._read

        def read() -> float | None:
            self._look()
            return fills()

        self._read = read  # type: ignore[method-assign]
        self.queue.fill()
        del self._read

    def _look(self) -> None:
        """After every reading but before the first: is_active is value > threshold."""
        self.in_range.append(self.queue.full.is_set() and not self.queue.value > self._share)


@pytest.mark.parametrize(("threshold_m", "max_m", "size"), [(0.3, 1.0, 9), (1.5, 4.0, 9)])
@given(heard=hearings)
def test_the_distance_sensor_is_in_range_when_gpiozeros_own_queue_is(
    threshold_m: float, max_m: float, size: int, heard: list[Heard]
) -> None:
    ear = Ear(heard, threshold_m, max_m, size)
    ear.play()
    assert ear.in_range[0] is False
    wanted = [3 * in_range for in_range in ear.in_range[1:]]
    assert levels(Gpiozero(threshold_m, max_m, size), heard) == wanted


def test_the_distance_sensor_speaks_only_with_a_full_queue_of_nine() -> None:
    assert levels(Gpiozero(), [0.2] * 10) == [0] * 8 + [3] * 2
    assert levels(Gpiozero(), [0.2] * 8 + [DEAD] * 50) == [0] * 58


def test_the_distance_sensor_follows_the_fifth_of_nine() -> None:
    peer = Gpiozero()
    levels(peer, [None] * 9)
    assert levels(peer, [0.3] * 5) == [0] * 4 + [3]
    assert levels(peer, [0.31] * 5) == [3] * 4 + [0]


def test_the_distance_sensor_keeps_what_it_had_while_no_pulse_comes() -> None:
    peer = Gpiozero()
    levels(peer, [0.2] * 9)
    assert set(levels(peer, [DEAD] * 500)) == {3}


# ---------------------------------------------------------------- medians and votes


@given(heard=answers)
def test_two_votes_of_three_are_the_median_of_three(heard: list[Heard]) -> None:
    assert levels(Votes(2, 3), heard)[2:] == levels(MedianOf3(), heard)[2:]


def test_a_median_waits_for_three_answers_and_a_vote_only_for_two() -> None:
    assert levels(MedianOf3(), [1.0] * 4) == [0, 0, 3, 3]
    assert levels(Votes(2, 3), [1.0] * 4) == [0, 3, 3, 3]


def test_one_ghost_passes_neither_and_two_pass_both() -> None:
    ghost: list[Heard] = [3.0, 3.0, 3.0, 0.5, 3.0, 3.0, 0.5, 0.5, 3.0, 3.0]
    wanted = [0, 0, 0, 0, 0, 0, 0, 3, 3, 0]
    assert levels(MedianOf3(), ghost) == levels(Votes(2, 3), ghost) == wanted


@given(needed=st.integers(1, 5), more=st.integers(0, 3), heard=hearings)
def test_votes_are_counted_over_the_last_answers(
    needed: int, more: int, heard: list[Heard]
) -> None:
    of = needed + more
    near: list[bool] = []
    wanted = []
    for what in heard:
        if not isinstance(what, PingFault):
            near.append(what is not None and what <= THRESHOLD_M)
        wanted.append(3 * (sum(near[-of:]) >= needed))
    assert levels(Votes(needed, of), heard) == wanted


def test_three_of_five_need_not_be_in_a_row() -> None:
    assert levels(PEERS["3 of 5"](), [1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 3.0]) == [0, 0, 0, 0, 3, 0, 0]


@pytest.mark.parametrize("make", [MedianOf3, lambda: Votes(2, 3)], ids=["median", "votes"])
def test_what_did_not_answer_has_no_vote(make: Callable[[], Contender]) -> None:
    assert levels(make(), [1.0, DEAD, 1.0, DEAD, 1.0, DEAD, DEAD])[4:] == [3, 3, 3]


# ---------------------------------------------------------------- ArduPilot


def settled(at_m: float) -> ArduPilot:
    """The filter after it has taken `at_m` for the distance."""
    peer = ArduPilot()
    levels(peer, [at_m] * 8)
    return peer


def test_ardupilot_passes_a_jump_at_the_sixth_reading() -> None:
    assert levels(settled(3.0), [1.0] * 7) == [0] * 5 + [3] * 2
    assert levels(ArduPilot(), [1.0] * 7) == [0] * 5 + [3] * 2


def test_ardupilot_counts_jumps_in_a_row_wherever_they_go() -> None:
    assert levels(settled(3.0), [1.0, 0.2, 1.0, 0.2, 1.0, 0.2]) == [0] * 5 + [3]
    assert levels(settled(3.0), [1.0] * 5 + [3.0] + [1.0] * 6) == [0] * 11 + [3]


def test_ardupilot_then_passes_every_jump_until_one_is_near() -> None:
    peer = settled(3.0)
    levels(peer, [1.0] * 6)
    assert levels(peer, [2.5, 1.0, 3.5, 1.2]) == [0, 3, 0, 3]
    assert levels(peer, [1.4]) == [3]
    assert levels(peer, [3.0] * 6) == [3] * 5 + [0]


def test_ardupilot_follows_whatever_moves_by_half_a_metre_at_most() -> None:
    assert levels(settled(2.5), [2.0, 1.5]) == [0, 3]
    assert levels(settled(2.5), [1.99, 1.49]) == [0, 0]
    assert levels(ArduPilot(), [0.5]) == [3]


def test_ardupilot_has_no_data_after_a_second_without_answer() -> None:
    peer = settled(1.0)
    answered_s = 7 * PERIOD_S
    silence = readings([DEAD] * 30, answered_s + PERIOD_S)
    for fault in silence:
        assert peer(fault) == (3 if fault.t_s - answered_s <= 1.0 else 0)
    assert peer(Echo(3.0, 1.2)) == 3


@given(heard=answers)
def test_ardupilot_never_jumps_twice_running_without_five_held_back(heard: list[Heard]) -> None:
    """Its level changes only by a small step over the threshold or after six jumps."""
    peer = ArduPilot()
    jumps, believed_m = 0, 0.0
    for (before, after), what in zip(
        itertools.pairwise([0, *levels(peer, heard)]), heard, strict=True
    ):
        heard_m = FAR_M if what is None else what
        near = abs(heard_m - believed_m) <= 0.5
        jumps = 0 if near else jumps + 1
        if near or jumps >= 6:
            believed_m = heard_m
        else:
            assert after == before


# ---------------------------------------------------------------- the parking aid


@pytest.mark.parametrize(
    ("distance_m", "zone"),
    [(1.51, 0), (1.5, 1), (0.61, 1), (0.6, 2), (0.45, 3), (0.36, 3), (0.35, 4), (0.0, 4)],
)
def test_the_parking_aid_has_four_zones(distance_m: float, zone: int) -> None:
    assert levels(ParkingAid(), [distance_m] * 2)[-1] == zone


def test_the_parking_aid_changes_its_zone_with_the_second_reading() -> None:
    assert levels(ParkingAid(), [1.0, 1.0, 0.5, 0.5, 0.3, 0.3]) == [0, 1, 1, 2, 2, 4]
    assert levels(ParkingAid(), [1.0, None, 1.0, None, 1.0]) == [0] * 5


def test_the_parking_aid_falls_silent_after_three_seconds_but_never_close_up() -> None:
    peer = ParkingAid()
    assert levels(peer, [1.0] * 76)[1:] == [1] * 75
    assert set(levels(peer, [1.0] * 50, 3.1)) == {0}
    assert levels(peer, [0.5] * 2, 6.0)[-1] == 2
    close = ParkingAid()
    assert set(levels(close, [0.3] * 500)[1:]) == {4}


def test_the_parking_aid_speaks_while_what_is_in_one_zone_comes_nearer() -> None:
    """0.9 m at 0.2 m/s: four and a half seconds in the outermost zone."""
    wall: list[Heard] = [1.5 - 0.2 * i * PERIOD_S for i in range(110)]
    assert set(levels(ParkingAid(), wall)[2:]) == {1}


def test_the_parking_aid_does_not_speak_again_because_something_leaves() -> None:
    peer = ParkingAid()
    levels(peer, [0.5] * 100)
    assert levels(peer, [1.0] * 2, 4.0) == [0, 0]


def test_the_parking_aid_keeps_its_zone_while_no_answer_comes() -> None:
    assert levels(ParkingAid(), [1.0, 1.0, DEAD, DEAD, 0.5, DEAD, 0.5]) == [0, 1, 1, 1, 1, 1, 2]
