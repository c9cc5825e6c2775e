"""Clocks: virtual time is exact, real time is never early, and a wake is never lost."""

import gc
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import device
from device.clock import MonotonicClock, PacedClock, VirtualClock

LATE_S = 2.0
"""A wait that should end at once may take this long on a busy machine, and no test waits longer."""
LONG_S = 30.0
"""A deadline that only a wake can beat."""

seconds = st.integers(0, 2_000_000).map(lambda us: us / 1e6)


def booked(clock: VirtualClock, *times: float) -> list[tuple[float, float]]:
    """Book a callback at each time; the list fills with (time it was booked for, its now())."""
    ran: list[tuple[float, float]] = []
    for time_s in times:
        clock.at(time_s, lambda t=time_s: ran.append((t, clock.now())))
    return ran


def started(call: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


@contextmanager
def on_alarm(handler: Callable[[], None]) -> Iterator[None]:
    """`handler` runs in a signal handler, on the main thread, for each SIGALRM."""
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: handler())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------- virtual


def test_virtual_time_begins_at_zero_and_stands_still_until_someone_waits() -> None:
    clock = VirtualClock()
    assert clock.now() == 0.0
    assert clock.now() == 0.0
    clock.wait_until(3.5)
    assert clock.now() == 3.5


def test_an_hour_of_virtual_time_takes_no_time() -> None:
    clock = VirtualClock()
    began = time.monotonic()
    clock.wait_until(3600.0)
    assert clock.now() == 3600.0
    assert time.monotonic() - began < LATE_S


def test_callbacks_run_in_order_of_time_each_at_its_time() -> None:
    clock = VirtualClock()
    ran = booked(clock, 0.3, 0.1, 0.2)
    clock.wait_until(1.0)
    assert ran == [(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)]
    assert clock.now() == 1.0


def test_equal_times_run_in_the_order_of_booking() -> None:
    clock = VirtualClock()
    ran: list[str] = []
    for name in "cab":
        clock.at(0.5, lambda name=name: ran.append(name))
    clock.wait_until(0.5)
    assert ran == ["c", "a", "b"]


def test_what_is_booked_after_the_deadline_stays_booked() -> None:
    clock = VirtualClock()
    ran = booked(clock, 1.0, 1.000001)
    clock.wait_until(1.0)
    assert ran == [(1.0, 1.0)]
    clock.wait_until(2.0)
    assert ran == [(1.0, 1.0), (1.000001, 1.000001)]


def test_a_callback_may_book_another_inside_the_same_wait() -> None:
    clock = VirtualClock()
    ran: list[float] = []

    def again() -> None:
        ran.append(clock.now())
        clock.at(clock.now() + 0.25, again)

    clock.at(0.25, again)
    clock.wait_until(1.0)
    assert ran == [0.25, 0.5, 0.75, 1.0]


def test_a_virtual_wake_ends_the_wait_at_the_callbacks_time() -> None:
    clock = VirtualClock()
    clock.at(0.2, clock.wake)
    ran = booked(clock, 0.3)
    clock.wait_until(1.0)
    assert clock.now() == 0.2
    assert ran == []
    clock.wait_until(1.0)
    assert clock.now() == 1.0
    assert ran == [(0.3, 0.3)]


def test_a_virtual_wake_before_the_wait_ends_the_next_wait_and_only_that() -> None:
    clock = VirtualClock()
    clock.wake()
    clock.wait_until(1.0)
    assert clock.now() == 0.0
    clock.wait_until(1.0)
    assert clock.now() == 1.0


def test_virtual_sleep_runs_what_falls_due_and_cannot_be_woken() -> None:
    clock = VirtualClock()
    ran = booked(clock, 0.1, 0.2, 0.9)
    clock.at(0.15, clock.wake)
    clock.sleep(0.5)
    assert clock.now() == 0.5
    assert ran == [(0.1, 0.1), (0.2, 0.2)]


def test_a_virtual_callback_that_sleeps_holds_up_the_waiter_and_nothing_else() -> None:
    """As a stalled processor does: the world goes on, the device does not."""
    clock = VirtualClock()
    clock.at(1.0, lambda: clock.sleep(0.5))
    ran = booked(clock, 0.9, 1.1, 1.3, 1.6)
    clock.wait_until(1.2)
    assert clock.now() == 1.5
    assert ran == [(0.9, 0.9), (1.1, 1.1), (1.3, 1.3)]
    clock.wait_until(2.0)
    assert ran[-1] == (1.6, 1.6)


def test_a_wake_during_virtual_sleep_ends_the_next_wait() -> None:
    clock = VirtualClock()
    clock.at(0.1, clock.wake)
    clock.sleep(0.5)
    clock.wait_until(2.0)
    assert clock.now() == 0.5


def test_virtual_time_does_not_go_back_for_a_past_deadline_or_booking() -> None:
    clock = VirtualClock()
    clock.wait_until(2.0)
    ran = booked(clock, 1.0)
    clock.wait_until(1.5)
    assert ran == [(1.0, 2.0)]
    assert clock.now() == 2.0


def test_virtual_pins_stamp_in_virtual_seconds() -> None:
    assert VirtualClock().on_this_clock(12.5) == 12.5


@given(
    bookings=st.lists(seconds, max_size=30),
    moves=st.lists(st.tuples(st.booleans(), seconds), min_size=1, max_size=10),
    wakers=st.lists(seconds, max_size=5),
)
def test_virtual_time_never_decreases_and_callbacks_run_exactly_at_their_times(
    bookings: list[float], moves: list[tuple[bool, float]], wakers: list[float]
) -> None:
    clock = VirtualClock()
    ran = booked(clock, *bookings)
    for waker in wakers:
        clock.at(waker, clock.wake)
    before = 0.0
    for is_sleep, move_s in moves:
        if is_sleep:
            clock.sleep(move_s)
        else:
            clock.wait_until(before + move_s)
        now = clock.now()
        assert before <= now <= before + move_s
        assert ran == [(t, t) for t in sorted(bookings) if t <= now]
        before = now


@given(bookings=st.lists(seconds, max_size=40), deadline_s=seconds)
def test_every_callback_up_to_the_deadline_has_run_when_a_virtual_wait_ends(
    bookings: list[float], deadline_s: float
) -> None:
    clock = VirtualClock()
    ran = booked(clock, *bookings)
    clock.wait_until(deadline_s)
    assert ran == [(t, t) for t in sorted(bookings) if t <= deadline_s]
    assert clock.now() == deadline_s


# ---------------------------------------------------------------- monotonic


def test_real_time_counts_from_the_clocks_making() -> None:
    first = MonotonicClock()
    assert 0.0 <= first.now() < LATE_S
    assert first.now() <= first.now()


def test_a_monotonic_stamp_is_moved_to_the_clocks_own_origin() -> None:
    clock = MonotonicClock()
    before, stamp, after = clock.now(), time.monotonic(), clock.now()
    assert before <= clock.on_this_clock(stamp) <= after


@pytest.mark.parametrize("wait_s", [0.0005, 0.0031, 0.02, 0.05])
def test_a_real_wait_ends_at_its_deadline_and_never_before(wait_s: float) -> None:
    clock = MonotonicClock()
    for _ in range(3):
        deadline = clock.now() + wait_s
        clock.wait_until(deadline)
        assert deadline - 1e-9 <= clock.now() < deadline + LATE_S


def test_a_past_deadline_returns_at_once() -> None:
    clock = MonotonicClock()
    clock.wait_until(-5.0)
    assert clock.now() < LATE_S


def test_a_wake_from_another_thread_ends_a_real_wait() -> None:
    clock = MonotonicClock()

    def wake_soon() -> None:
        time.sleep(0.02)
        clock.wake()

    thread = started(wake_soon)
    clock.wait_until(LONG_S)
    assert 0.02 <= clock.now() < LATE_S
    thread.join()


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_wake_from_a_signal_handler_ends_a_real_wait(
    make: type[MonotonicClock | PacedClock],
) -> None:
    clock = make()
    with on_alarm(clock.wake):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        clock.wait_until(LONG_S)
        assert 0.02 <= clock.now() < LATE_S


def test_a_signal_that_wakes_nobody_does_not_cut_a_real_wait_short() -> None:
    clock = MonotonicClock()
    hits: list[float] = []
    with on_alarm(lambda: hits.append(clock.now())):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        clock.wait_until(0.05)
    assert len(hits) == 1
    assert clock.now() >= 0.05


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_wake_before_the_wait_ends_the_next_wait_and_only_that(
    make: type[MonotonicClock | PacedClock],
) -> None:
    clock = make()
    clock.wake()
    clock.wait_until(LONG_S)
    assert clock.now() < LATE_S
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)
    assert clock.now() >= deadline


def test_wakes_that_nobody_waits_for_neither_block_nor_pile_up() -> None:
    clock = MonotonicClock()

    def ring() -> None:
        for _ in range(100_000):
            clock.wake()

    ringer = started(ring)
    ringer.join(LONG_S)
    assert not ringer.is_alive()
    cut_short = 0
    deadline = clock.now() + LATE_S
    while clock.now() < deadline and cut_short < 1000:
        begun = clock.now()
        clock.wait_until(begun + 0.02)
        if clock.now() >= begun + 0.02:
            break
        cut_short += 1
    assert 1 <= cut_short <= 32


def test_real_sleep_lasts_at_least_as_long_as_asked() -> None:
    clock = MonotonicClock()
    before = clock.now()
    clock.wake()  # nothing can end a sleep
    clock.sleep(0.005)
    assert clock.now() - before >= 0.005


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The ends to read and to write."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


another_pipe = pipe


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_watched_file_ends_a_real_wait_while_it_has_something_to_read(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()
    clock.watch(pipe[0])
    clock.wait_until(0.02)
    assert clock.now() >= 0.02  # it has nothing
    writer = threading.Timer(0.02, os.write, (pipe[1], b"*"))
    began = clock.now()
    writer.start()
    clock.wait_until(LONG_S)
    assert began + 0.02 <= clock.now() < LATE_S
    clock.wait_until(LONG_S)  # nobody read it
    assert clock.now() < LATE_S
    writer.join()
    os.read(pipe[0], 64)
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)
    assert clock.now() >= deadline


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_whoever_watches_a_file_is_called_and_may_end_the_wait(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()
    read: list[bytes] = []

    def hear() -> None:
        read.append(os.read(pipe[0], 3))
        if len(read) == 2:
            clock.wake()

    clock.watch(pipe[0], hear)
    os.write(pipe[1], b"abc")
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)  # it was called, but did not wake
    assert clock.now() >= deadline
    assert read == [b"abc"]
    os.write(pipe[1], b"def")
    clock.wait_until(LONG_S)
    assert clock.now() < LATE_S
    assert read == [b"abc", b"def"]
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)  # the wake was used up
    assert clock.now() >= deadline
    assert read == [b"abc", b"def"]


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_file_that_is_no_longer_watched_neither_ends_a_wait_nor_calls(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()
    called: list[int] = []

    def hear() -> None:
        called.append(1)
        clock.wake()

    clock.watch(pipe[0], hear)
    os.write(pipe[1], b"*")
    clock.wait_until(LONG_S)
    assert clock.now() < LATE_S
    clock.unwatch(pipe[0])
    clock.unwatch(pipe[0])
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)
    assert clock.now() >= deadline
    assert called == [1]


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_wake_by_another_thread_during_a_call_ends_the_wait(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()

    def hear() -> None:
        os.read(pipe[0], 64)
        started(clock.wake).join()

    clock.watch(pipe[0], hear)
    os.write(pipe[1], b"*")
    clock.wait_until(LONG_S)
    assert clock.now() < LATE_S
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)  # the wake was used up
    assert clock.now() >= deadline


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_wake_by_a_signal_during_a_call_ends_the_wait(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()

    def hear() -> None:
        os.read(pipe[0], 64)
        signal.raise_signal(signal.SIGALRM)

    clock.watch(pipe[0], hear)
    with on_alarm(clock.wake):
        os.write(pipe[1], b"*")
        clock.wait_until(LONG_S)
    assert clock.now() < LATE_S


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_call_is_made_though_the_deadline_is_past(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()
    read: list[bytes] = []
    clock.watch(pipe[0], lambda: read.append(os.read(pipe[0], 64)))
    os.write(pipe[1], b"abc")
    clock.wait_until(0.0)
    assert read == [b"abc"]


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_call_may_end_its_own_watch_and_the_wait_goes_on(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int]
) -> None:
    clock = make()
    called: list[int] = []

    def hear() -> None:
        called.append(1)
        clock.unwatch(pipe[0])

    clock.watch(pipe[0], hear)
    os.write(pipe[1], b"*")  # nobody will read it
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)
    assert clock.now() >= deadline
    assert called == [1]


@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_of_two_files_the_first_call_may_end_the_watch_of_both(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int], another_pipe: tuple[int, int]
) -> None:
    clock = make()
    called: list[int] = []

    def hear() -> None:
        called.append(1)
        clock.unwatch(pipe[0])
        clock.unwatch(another_pipe[0])

    for ends in (pipe, another_pipe):
        clock.watch(ends[0], hear)
        os.write(ends[1], b"*")
    deadline = clock.now() + 0.02
    clock.wait_until(deadline)
    assert clock.now() >= deadline
    assert called == [1]


@pytest.mark.parametrize("woken", ["before it fails", "afterwards"])
@pytest.mark.parametrize("make", [MonotonicClock, PacedClock])
def test_a_call_that_fails_costs_no_wake(
    make: type[MonotonicClock | PacedClock], pipe: tuple[int, int], woken: str
) -> None:
    clock = make()

    def hear() -> None:
        os.read(pipe[0], 64)
        if woken == "before it fails":
            clock.wake()
        raise OSError("broken")

    clock.watch(pipe[0], hear)
    os.write(pipe[1], b"*")
    with pytest.raises(OSError, match="broken"):
        clock.wait_until(LATE_S)
    if woken == "afterwards":
        clock.wake()
    clock.wait_until(LATE_S)
    assert clock.now() < LATE_S


def test_virtual_time_looks_at_no_file(pipe: tuple[int, int]) -> None:
    clock = VirtualClock()
    called: list[int] = []
    clock.watch(pipe[0], lambda: called.append(1))
    os.write(pipe[1], b"*")
    clock.wait_until(1.0)
    clock.unwatch(pipe[0])
    assert clock.now() == 1.0
    assert called == []


def test_a_clock_gives_its_file_descriptors_back() -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    gc.collect()  # other tests' clocks
    clocks = [MonotonicClock() for _ in range(10)]
    many = open_files()
    del clocks
    assert open_files() == many - 20


# ---------------------------------------------------------------- paced


def test_booked_callbacks_run_live_and_never_before_they_are_due() -> None:
    clock = PacedClock()
    began = time.monotonic()
    ran: list[tuple[float, float]] = []
    for due_s in (0.03, 0.01, 0.02, 0.02):
        clock.at(due_s, lambda due_s=due_s: ran.append((due_s, time.monotonic() - began)))
    clock.wait_until(0.04)
    assert [due_s for due_s, _ in ran] == [0.01, 0.02, 0.02, 0.03]
    assert all(real_s >= due_s - 1e-3 for due_s, real_s in ran)
    assert clock.now() >= 0.04


def test_now_inside_a_paced_callback_is_the_booked_time_and_real_time_outside() -> None:
    clock = PacedClock()
    ran = booked(clock, 0.001, 0.0123)
    time.sleep(0.02)  # the owner is late, the stamps are not
    clock.wait_until(0.025)
    assert ran == [(0.001, 0.001), (0.0123, 0.0123)]
    assert clock.now() >= 0.025


def test_a_paced_wait_returns_at_the_deadline_though_something_later_is_booked() -> None:
    clock = PacedClock()
    ran = booked(clock, LONG_S)
    clock.wait_until(0.02)
    assert 0.02 <= clock.now() < LATE_S
    assert ran == []


def test_a_wake_inside_a_paced_callback_ends_the_wait() -> None:
    clock = PacedClock()
    clock.at(0.01, clock.wake)
    clock.wait_until(LONG_S)
    assert 0.01 <= clock.now() < LATE_S


def test_a_wake_from_another_thread_ends_a_paced_wait() -> None:
    clock = PacedClock()

    def wake_soon() -> None:
        time.sleep(0.02)
        clock.wake()

    thread = started(wake_soon)
    clock.wait_until(LONG_S)
    assert 0.02 <= clock.now() < LATE_S
    thread.join()


def test_what_another_thread_books_is_seen_by_a_waiting_owner() -> None:
    clock = PacedClock()
    ran: list[tuple[int, float]] = []
    due: list[float] = []

    def book_soon() -> None:
        time.sleep(0.02)
        due.append(clock.now() + 0.01)
        clock.at(due[0], run)

    def run() -> None:
        ran.append((threading.get_ident(), clock.now()))
        clock.wake()

    thread = started(book_soon)
    while not ran and clock.now() < LATE_S:
        clock.wait_until(LATE_S)
    thread.join()
    assert ran == [(threading.get_ident(), due[0])]  # on the owner's thread, at its time
    assert clock.now() < LATE_S


def test_paced_sleep_really_sleeps_and_then_runs_what_fell_due() -> None:
    clock = PacedClock()
    ran = booked(clock, 0.005, 0.008, LONG_S)
    clock.sleep(0.01)
    assert clock.now() >= 0.01
    assert ran == [(0.005, 0.005), (0.008, 0.008)]


def test_a_paced_callback_that_sleeps_holds_up_the_waiter_and_nothing_else() -> None:
    clock = PacedClock()
    begun_s = clock.now()
    clock.at(begun_s + 0.01, lambda: clock.sleep(0.05))
    ran = booked(clock, begun_s + 0.02, begun_s + 0.03)
    clock.wait_until(begun_s + 0.025)
    assert clock.now() >= begun_s + 0.06
    assert [now_s for _, now_s in ran] == [begun_s + 0.02, begun_s + 0.03]


def test_a_wake_during_paced_sleep_ends_the_next_wait() -> None:
    clock = PacedClock()
    clock.at(0.001, clock.wake)
    clock.sleep(0.01)
    clock.wait_until(clock.now() + LATE_S)
    assert clock.now() < LATE_S


def test_an_exception_in_a_paced_callback_leaves_the_clock_in_real_time() -> None:
    clock = PacedClock()

    def fails() -> None:
        raise OSError("broken")

    clock.at(0.0, fails)
    with pytest.raises(OSError, match="broken"):
        clock.wait_until(0.01)
    assert clock.now() > 0.0
    clock.wait_until(clock.now() + 0.005)
    assert clock.now() >= 0.005


def test_nothing_in_the_package_looks_at_the_wall_clock() -> None:
    """A Pi's jumps by an hour when the network tells it the time; no walk may notice."""
    looks = re.compile(
        r"\btime\.time(_ns)?\(|\bdatetime\b(?! import timedelta$)"
        r"|\bgmtime\b|\blocaltime\b|\bstrftime\b",
        re.MULTILINE,
    )
    package = Path(device.__file__).parent
    sources = {
        str(path.relative_to(package)): path.read_text("utf-8") for path in package.rglob("*.py")
    }
    assert len(sources) > 40
    found = {name for name, text in sources.items() if looks.search(text)}
    # What is kept says when it was, with whether that is to be believed; and what tells of it.
    told = {name for name in found if name.startswith("walks/")}
    assert found - told == {"keeper.py", "when.py", "sim/practice.py"}
