"""Commands to pins, and silence on every way out.

Entering drives buzzer, motor and lamp low before anything else happens: the last process
may have died with the motor on, and a Pi keeps a driven pin driven. Leaving, by
whatever exception, drives them low again and gives the pins back, each of them even
if the other cannot be written.

Two dead-men stand behind the rhythm. One is a rule: nothing may stay on longer
than `LONGEST_ON_S`, whatever was commanded. The other is a thread for the loop
that hangs with the motor on: `DeadMan` drives the pins low when an output that is
on was not confirmed in time. They share the pins, hence the lock.
"""

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gpiozero.exc import PinPWMUnsupported

from device.core.signals import OFF, Command
from device.errors import HardwareError, all_of
from device.pins import Board, Pin, claim
from device.settings import BuzzerSettings, LedSettings, MotorSettings

DoWithout = Callable[[str, HardwareError], None]
"""Takes an output's name, and why it cannot be had."""
LONGEST_ON_S = 5.0
"""STOP's continuous tone lasts 3 s; nothing means to be on for longer."""
CONFIRM_WITHIN_S = 1.5
LOCK_S = 0.2
NO_LED = LedSettings()
SQUARE = 0.5
"""Duty of a tone: a square wave is the loudest."""


class _Line:
    """One output pin, and what it was last told: a duty from 0 to 1, at a PWM frequency or none."""

    def __init__(self, pin: Pin) -> None:
        self.pin = pin
        self.duty = 0.0
        self._hz: int | None = None

    def low_first(self) -> None:
        self.pin.output_with_state(0)

    def show(self, duty: float, hz: int | None) -> None:
        """Write what changed; without PWM (`hz` None) any duty above 0 is fully on."""
        if hz is None:
            self._end_pwm()
        elif hz != self._hz:
            self.pin.frequency = hz
            self._hz = hz
        wanted = duty if hz is not None else float(duty > 0)
        if wanted != self.duty:
            self.pin.state = wanted
            self.duty = wanted

    def silence(self) -> None:
        """Low: a plain write, or duty 0 while PWM runs."""
        self.pin.state = 0
        self.duty = 0.0

    def release(self) -> None:
        """End the PWM, low once more, and let go."""
        all_of((self.silence, self._end_pwm, self.silence, self.pin.close))

    def _end_pwm(self) -> None:
        if self._hz is not None:
            self._hz = None
            self.pin.frequency = None
            self.silence()  # lgpio ends PWM wherever the pulse stood, high or low


class Outputs:
    """The buzzer and the motor, and the lamp where there is one."""

    def __init__(
        self,
        board: Board,
        buzzer: BuzzerSettings,
        motor: MotorSettings,
        led: LedSettings = NO_LED,
        do_without: DoWithout | None = None,
    ) -> None:
        """Nothing is claimed or driven before the `with`.

        With `do_without`, an output that cannot be had is told to it and left out, as long as
        the buzzer or the motor is there.
        """
        self._board = board
        self._buzzer_settings = buzzer
        self._motor_settings = motor
        self._led_settings = led
        self._lines: dict[str, _Line] = {}
        self._do_without = do_without
        self.missing: list[str] = []
        """Buzzer or motor, where it is done without."""
        self._passive = buzzer.kind == "passive"
        self._motor_hz: int | None = None
        self._commanded = OFF
        self._on_since_s = {"buzzer": 0.0, "motor": 0.0}
        self._lock = threading.Lock()
        self.confirmed = 0

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins in use."""
        return tuple(line.pin for line in self._lines.values())

    @property
    def on(self) -> bool:
        """Something sounds or turns."""
        return any(line.duty for name, line in self._lines.items() if name != "led")

    def __enter__(self) -> Self:
        """Claim, and low first. Raises HardwareError."""
        try:
            self._open()
        except BaseException:
            with contextlib.suppress(Exception):
                self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Low, then let go."""
        self._release()

    def apply(self, now_s: float, command: Command) -> Command:
        """Make the pins do as commanded; returns what was allowed."""
        with self._lock:
            self.confirmed += 1
            if command != self._commanded:
                self._note_starts(now_s, command)
            allowed = self._limited(now_s, command)
            self._show(allowed)
        return allowed

    def quiet(self) -> None:
        """Drive every output low now; the first failure is raised after the last pin.

        A write that hangs in another thread keeps the lock: then it is not waited for.
        """
        locked = self._lock.acquire(timeout=LOCK_S)
        try:
            all_of(line.silence for line in self._lines.values())
        finally:
            if locked:
                self._lock.release()

    def _open(self) -> None:
        """Each that is fitted: all low, then PWM; the first refusal is raised after the last."""
        fitted = {
            name: settings.pin
            for name, settings in (
                ("buzzer", self._buzzer_settings),
                ("motor", self._motor_settings),
                ("led", self._led_settings),
            )
            if settings.enabled
        }
        refused: dict[str, HardwareError] = {}
        for name, pin in fitted.items():
            try:
                self._lines[name] = _Line(claim(self._board, pin, f"{name}.pin"))
                self._lines[name].low_first()
            except Exception as error:  # noqa: BLE001 - the rest must be low all the same
                refused[name] = _said(f"{name}.pin = {pin}", error)
        for name in [name for name in self._lines if name not in refused]:
            try:
                self._start_pwm(name)
            except Exception as error:  # noqa: BLE001 - likewise
                refused[name] = _said(f"{name}.pin = {fitted[name]}", error)
        if refused:
            self._leave_out(refused)

    def _start_pwm(self, name: str) -> None:
        """A motor without PWM is on or off; a passive buzzer without it would be mute."""
        line = self._lines[name]
        if name == "motor":
            with contextlib.suppress(PinPWMUnsupported):
                line.show(0.0, self._motor_settings.pwm_hz)
                self._motor_hz = self._motor_settings.pwm_hz
        if name == "buzzer" and self._passive:
            try:
                line.show(0.0, self._buzzer_settings.tone_hz)
            except PinPWMUnsupported as error:
                raise HardwareError(
                    'buzzer.kind = "passive": these pins have no PWM to give it a tone;'
                    ' fit an active buzzer or use gpio.factory = "gpiod" or "lgpio"'
                ) from error

    def _leave_out(self, refused: dict[str, HardwareError]) -> None:
        if self._do_without is None or not {"buzzer", "motor"} & (self._lines.keys() - refused):
            raise next(iter(refused.values()))
        for name, error in refused.items():
            if (line := self._lines.pop(name, None)) is not None:
                with contextlib.suppress(Exception):
                    line.release()
            self._do_without(name, error)
        self.missing = [name for name in refused if name != "led"]

    def _show(self, command: Command) -> None:
        for name, line in self._lines.items():
            if name == "led":
                line.show(command.led, None)
            elif name == "motor":
                line.show(command.motor, self._motor_hz)
            elif self._passive:
                line.show(SQUARE * command.buzzer, command.tone_hz or None)
            else:
                line.show(command.buzzer, None)

    def _release(self) -> None:
        all_of(line.release for line in self._lines.values())

    def _note_starts(self, now_s: float, command: Command) -> None:
        if command.buzzer and not self._commanded.buzzer:
            self._on_since_s["buzzer"] = now_s
        if command.motor and not self._commanded.motor:
            self._on_since_s["motor"] = now_s
        self._commanded = command

    def _limited(self, now_s: float, command: Command) -> Command:
        buzzer, motor, tone_hz = command.buzzer, command.motor, command.tone_hz
        if buzzer and now_s - self._on_since_s["buzzer"] > LONGEST_ON_S:
            buzzer = tone_hz = 0
        if motor and now_s - self._on_since_s["motor"] > LONGEST_ON_S:
            motor = 0.0
        if buzzer == command.buzzer and motor == command.motor:
            return command
        return Command(buzzer, motor, tone_hz, command.led)


def _said(setting: str, error: Exception) -> HardwareError:
    if isinstance(error, HardwareError):
        return error
    said = HardwareError(f"{setting}: cannot be driven ({error}); choose another pin")
    said.__cause__ = error
    return said


class DeadMan(threading.Thread):
    """Drives the outputs low when they are on and nobody confirms them."""

    def __init__(self, outputs: Outputs, within_s: float = CONFIRM_WITHIN_S) -> None:
        """Watches `outputs`; an output on must be applied again within `within_s`."""
        super().__init__(name="dead-man", daemon=True)
        self._outputs = outputs
        self._within_s = within_s
        self._ended = threading.Event()
        self.fired = 0

    def run(self) -> None:
        """Look every `within_s`; two looks at one confirmation, so up to twice that, are a hang."""
        seen = -1
        while not self._ended.wait(self._within_s):
            outputs = self._outputs
            if outputs.on and outputs.confirmed == seen:
                self.fired += 1
                with contextlib.suppress(Exception):  # a pin that fails now may obey the next time
                    outputs.quiet()
            seen = outputs.confirmed

    def __enter__(self) -> Self:
        """Start watching."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._ended.set()
        self.join(LOCK_S)
