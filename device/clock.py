"""Time as an object.

Only the loop's ticker asks what time it is, and it asks the clock it was given.
On the Pi that is `MonotonicClock`. `VirtualClock` jumps from one due event to
the next, so an hour of walking is tested in seconds and the same run twice is
the same to the last microsecond. `PacedClock` is the virtual clock held back to
real time: it lets a simulated world be watched live, in one thread.

All three count seconds from their own start and never look at the wall clock:
a Pi has no battery behind its clock, and a walk must survive its jump.
"""

import contextlib
import heapq
import itertools
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Monotonic time in seconds, and a wait that another thread can cut short."""

    def now(self) -> float:
        """Seconds since the clock's start."""
        ...

    def wait_until(self, deadline_s: float) -> None:
        """Return at `deadline_s`, or as soon as `wake` was called since the last wait."""
        ...

    def wake(self) -> None:
        """End the current wait, or the next; safe from any thread or signal handler."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Let `duration_s` pass; for microseconds only, since nothing can wake it."""
        ...

    def on_this_clock(self, monotonic_s: float) -> float:
        """A time.monotonic() stamp (an edge's) in this clock's seconds."""
        ...

    def watch(self, fd: int, call: Callable[[], None] | None = None) -> None:
        """While `fd` has something to read, end waits; or with a `call`, make it instead.

        What was called reads `fd` and may `wake`; the wait goes on if it did not.
        """
        ...

    def unwatch(self, fd: int) -> None:
        """Look at `fd` no more."""
        ...


class _Doorbell:
    """A pipe that ends a select(): rings from any thread, and from signal handlers.

    Other file descriptors may ring it too, a serial port's for one, or have something
    called, like a GPIO line that has an edge to tell.
    """

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        self.watched: dict[int, Callable[[], None] | None] = {}
        self._calling: int | None = None
        self._rung = False
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def ring(self) -> None:
        if self._calling == threading.get_ident():  # the waiter itself, between two looks
            self._rung = True
            return
        with contextlib.suppress(BlockingIOError):  # full: it is ringing already
            os.write(self._write_fd, b"!")

    def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s`, or for one round of calls; True when it rang."""
        ready, _, _ = select.select([self._read_fd, *self.watched], [], [], max(0.0, timeout_s))
        self._calling = threading.get_ident()
        try:
            for fd in ready:
                if fd == self._read_fd:
                    os.read(fd, 4096)
                    self._rung = True
                elif fd not in self.watched:
                    continue  # no longer, since an earlier call
                elif (call := self.watched[fd]) is None:
                    self._rung = True
                else:
                    call()
        except BaseException:
            self._calling = None
            self.ring()  # a wake-up that came before it failed must not be lost
            raise
        self._calling = None
        rang, self._rung = self._rung, False
        return rang

    def __del__(self) -> None:
        os.close(self._read_fd)
        os.close(self._write_fd)


class _Belled:
    """A clock that really waits, on a bell that file descriptors may ring too."""

    _bell: _Doorbell

    def watch(self, fd: int, call: Callable[[], None] | None = None) -> None:
        """Let `fd` ring the bell, or call."""
        self._bell.watched[fd] = call

    def unwatch(self, fd: int) -> None:
        """No more."""
        self._bell.watched.pop(fd, None)


SPIN_S = 100e-6


def _pass_time(duration_s: float) -> None:
    """Below 100 us a spin costs less than a sleep, which adds 50 us and a context switch."""
    if duration_s > SPIN_S:
        time.sleep(duration_s)
        return
    end_s = time.monotonic() + duration_s
    while time.monotonic() < end_s:
        pass


class MonotonicClock(_Belled):
    """The machine's monotonic clock, counted from this object's making."""

    def __init__(self) -> None:
        self._origin_s = time.monotonic()
        self._bell = _Doorbell()

    def now(self) -> float:
        """Seconds since the clock was made."""
        return time.monotonic() - self._origin_s

    def wait_until(self, deadline_s: float) -> None:
        """Sleep to the deadline or until woken; a past deadline only looks once."""
        while not self._bell.wait(deadline_s - self.now()) and self.now() < deadline_s:
            pass

    def wake(self) -> None:
        """Ring the bell."""
        self._bell.ring()

    def sleep(self, duration_s: float) -> None:
        """Let `duration_s` pass."""
        _pass_time(duration_s)

    def on_this_clock(self, monotonic_s: float) -> float:
        """Shift a time.monotonic() stamp to this clock's origin."""
        return monotonic_s - self._origin_s


class VirtualClock:
    """Time that passes only when someone waits, and then all at once.

    `at` books a callback; a wait runs what is booked, in order, each at exactly
    its time, until the deadline is reached or a callback wakes the waiter.
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._booked: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._woken = False

    def now(self) -> float:
        """The present: the booked time while a callback runs."""
        return self._now_s

    def at(self, time_s: float, call: Callable[[], None], *, lazy: bool = False) -> None:  # noqa: ARG002 - see PacedClock
        """Book `call` for `time_s`; equal times run in the order of booking."""
        heapq.heappush(self._booked, (time_s, next(self._number), call))

    def wait_until(self, deadline_s: float) -> None:
        """Run what falls due up to `deadline_s`, stopping early once woken."""
        booked = self._booked
        while not self._woken and booked and booked[0][0] <= deadline_s:
            self._run_next()
        if self._woken:
            self._woken = False
        elif deadline_s > self._now_s:
            self._now_s = deadline_s

    def wake(self) -> None:
        """End the wait after the callback that is running."""
        self._woken = True

    def sleep(self, duration_s: float) -> None:
        """Let `duration_s` pass, running what falls due in it."""
        end_s = self._now_s + duration_s
        while self._booked and self._booked[0][0] <= end_s:
            self._run_next()
        self._now_s = max(self._now_s, end_s)

    def on_this_clock(self, monotonic_s: float) -> float:
        """Mock pins stamp in virtual seconds already."""
        return monotonic_s

    def watch(self, fd: int, call: Callable[[], None] | None = None) -> None:
        """Nothing: whoever is real has to use a clock that waits."""

    def unwatch(self, fd: int) -> None:
        """Nothing was watched."""

    def _run_next(self) -> None:
        time_s, _, call = heapq.heappop(self._booked)
        self._now_s = max(self._now_s, time_s)
        call()


class PacedClock(_Belled, VirtualClock):
    """A virtual clock that waits for the real one: what is booked runs live.

    While a callback runs, `now` is the booked time, as a kernel stamps an edge
    when it happened and not when someone looked. Otherwise it is real time. A `lazy`
    booking is not worth a wake-up of its own: it runs, with its own time, before
    whatever comes next, like an edge that the kernel queues until someone reads it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._origin_s = time.monotonic()
        self._bell = _Doorbell()
        self._in_callback = False
        self._thread = threading.get_ident()
        self._urgent: list[float] = []

    def now(self) -> float:
        """Real seconds since the start, or the booked time inside a callback."""
        if self._in_callback and threading.get_ident() == self._thread:
            return self._now_s
        return time.monotonic() - self._origin_s

    def at(self, time_s: float, call: Callable[[], None], *, lazy: bool = False) -> None:
        """Book `call`; from another thread too, which ends the owner's wait to look again."""
        super().at(time_s, call)
        if lazy:
            return
        heapq.heappush(self._urgent, time_s)
        if threading.get_ident() != self._thread:
            self._bell.ring()

    def wait_until(self, deadline_s: float) -> None:
        """Run what falls due, each at its real time, until the deadline or woken."""
        while True:
            next_s = min(deadline_s, self._urgent[0]) if self._urgent else deadline_s
            rang = self._bell.wait(0.0 if self._woken else next_s - self.now())
            self._run_due()
            if rang or self._woken or self.now() >= deadline_s:
                self._woken = False
                return

    def wake(self) -> None:
        """End the wait: at once from outside, after the callback from inside."""
        if self._in_callback:
            self._woken = True
        else:
            self._bell.ring()

    def sleep(self, duration_s: float) -> None:
        """Really let it pass, then run what fell due meanwhile."""
        _pass_time(duration_s)
        self._run_due()

    def _run_due(self) -> None:
        self._in_callback = True
        try:
            now_s = time.monotonic() - self._origin_s
            while self._booked and self._booked[0][0] <= now_s:
                self._run_next()
                now_s = time.monotonic() - self._origin_s
            while self._urgent and self._urgent[0] <= self._now_s:
                heapq.heappop(self._urgent)
        finally:
            self._in_callback = False
