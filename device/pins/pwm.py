"""Pulse-width modulation by software, for pins whose library has none.

One thread a line, asleep while the line is steadily on or off, so that silence costs nothing.
Periods begin at absolute instants: a late wake-up shortens one pulse and is then forgotten, so a
motor keeps its average and a tone its pitch. A thread that was held up for more than a period
begins anew instead of catching up in a burst.

It is good for a vibration motor at some hundred hertz. A buzzer's tone of a few kilohertz is two
wake-ups a period, so thousands a second while it sounds; its edges waver by as much as the kernel
is late.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

JOIN_S = LOCK_S = 0.1


class SoftPwm:
    """One line's pulses. `write` is called from the thread and from whoever sets the duty."""

    def __init__(self, write: Callable[[bool], None], frequency_hz: float) -> None:
        """Begins at duty 0, with a plain write, and without a thread until one is needed."""
        self._write = write
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._period_s = 1.0 / frequency_hz
        self._duty = 0.0
        self._setting = 0
        self._ended = False
        self._failed: Exception | None = None
        self._thread: threading.Thread | None = None
        write(False)

    @property
    def frequency_hz(self) -> float:
        """Pulses a second."""
        return 1.0 / self._period_s

    @frequency_hz.setter
    def frequency_hz(self, frequency_hz: float) -> None:
        with self._lock:
            self._period_s = 1.0 / frequency_hz

    @property
    def duty(self) -> float:
        """Share of the time that the line is high, 0 to 1."""
        return self._duty

    @duty.setter
    def duty(self, duty: float) -> None:
        """Steadily low or high when this returns, or pulsing; from one pulse to another, in turn.

        Raises whatever `write` raises, also what it raised in the thread since the last time.
        """
        with self._held():
            failed, self._failed = self._failed, None
            if self._ended:
                return
            pulsing = 0.0 < self._duty < 1.0 and 0.0 < duty < 1.0 and failed is None
            self._duty = 0.0 if failed is not None else duty
            if not pulsing:
                self._setting += 1
                self._write(self._duty > 0.0)
        if failed is not None:
            raise failed
        if 0.0 < duty < 1.0:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="pwm", daemon=True)
                self._thread.start()
            self._changed.set()

    def stop(self) -> None:
        """Low, and no more writes. The thread ends when it next looks; a slow one is let be."""
        with self._held():
            self._ended = True
            self._duty = 0.0
            self._setting += 1
            self._changed.set()
            self._write(False)
        if self._thread is not None:
            self._thread.join(JOIN_S)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """The lock; but a write that hangs in the thread keeps it, and is not waited for."""
        locked = self._lock.acquire(timeout=LOCK_S)
        try:
            yield
        finally:
            if locked:
                self._lock.release()

    def _run(self) -> None:
        start_s = time.monotonic()
        setting = -1
        while True:
            with self._lock:
                if self._ended:
                    return
                duty, period_s = self._duty, self._period_s
                pulsing = 0.0 < duty < 1.0 and self._failed is None
                if not pulsing:
                    self._changed.clear()
                elif setting != self._setting or time.monotonic() - start_s > period_s:
                    setting, start_s = self._setting, time.monotonic()
                if pulsing:
                    self._put(True)
                    if setting != self._setting:  # it hung, and somebody did not wait for it
                        self._put(self._duty >= 1.0)
            if not pulsing:
                self._changed.wait()
                continue
            _sleep_until(start_s + duty * period_s)
            with self._lock:
                if setting == self._setting:
                    self._put(False)
            start_s += period_s
            _sleep_until(start_s)

    def _put(self, high: bool) -> None:
        """A line that cannot be written is low, if it can be, until somebody sets it and hears."""
        try:
            self._write(high)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in the other thread
            self._failed = error
            with contextlib.suppress(Exception):
                self._write(False)


def _sleep_until(instant_s: float) -> None:
    left_s = instant_s - time.monotonic()
    if left_s > 0.0:
        time.sleep(left_s)
