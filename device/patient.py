"""A sensor that is waited for: what cannot be opened, or breaks, is announced and tried again.

A device on someone's back has nobody to read an error. Without its sensor it can still say so,
which is more than a device that ended; so whatever a driver raises becomes "no answer" here, ten
times a second, from which the pipeline makes the fault signal, and every few seconds the sensor
is opened anew.
"""

import contextlib
import traceback
from collections.abc import Callable

from device.core.reading import Fault, PingFault, Reading
from device.errors import RearguardError
from device.sensors import Parts, Sensor, open_sensor

AGAIN_S = 5.0
TELL_S = 0.1


class Patient:
    """A sensor that is there as long as the one behind it is."""

    def __init__(self, driver: str, parts: Parts, say: Callable[[str], None]) -> None:
        """Open it at once; `say` takes a line when that fails."""
        self._driver, self._parts = driver, parts
        self._say = say
        self._said = ""
        self._counts: dict[str, int] = {}
        self._sensor: Sensor | None = None
        self._again_s = self._told_s = 0.0
        self._open(parts.clock.now())

    @property
    def due_s(self) -> float:
        """When to be polled next."""
        return self._told_s if self._sensor is None else self._sensor.due_s

    @property
    def counts(self) -> dict[str, int]:
        """The sensor's own."""
        return self._counts if self._sensor is None else self._sensor.counts

    def poll(self, now_s: float) -> Reading | None:
        """The sensor's reading; without one, ten times a second, that nobody answers."""
        if self._sensor is None and now_s >= self._again_s:
            self._open(now_s)
        if self._sensor is not None:
            try:
                return self._sensor.poll(now_s)
            except Exception as error:  # noqa: BLE001 - any of a driver's mistakes
                self.close()
                self._failed(now_s, error)
        if now_s < self._told_s:
            return None
        self._told_s = round(now_s + TELL_S, 6)
        return Fault(now_s, PingFault.NO_ANSWER)

    def close(self) -> None:
        """Let go, whatever becomes of it."""
        sensor, self._sensor = self._sensor, None
        if sensor is not None:
            self._counts = sensor.counts
            with contextlib.suppress(Exception):
                sensor.close()

    def _open(self, now_s: float) -> None:
        try:
            self._sensor = open_sensor(self._driver, self._parts)
        except Exception as error:  # noqa: BLE001 - any of a driver's mistakes
            self._failed(now_s, error)

    def _failed(self, now_s: float, error: Exception) -> None:
        self._again_s = now_s + AGAIN_S
        why = str(error)
        if not isinstance(error, RearguardError):
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = f"the driver failed: {error!r} at {where.filename}:{where.lineno}; report this"
        if why != self._said:
            self._said = why
            self._say(f"{why}; a fault until then")
