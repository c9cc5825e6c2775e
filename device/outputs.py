"""Commands to pins, and silence on every way out.

Entering drives both outputs low before anything else happens: the last process
may have died with the motor on, and a Pi keeps a driven pin driven. Leaving, by
whatever exception, drives them low again and gives the pins back.

Two dead-men stand behind the rhythm. One is a rule: nothing may stay on longer
than `LONGEST_ON_S`, whatever was commanded. The other is a thread for the loop
that hangs with the motor on: `DeadMan` drives the pins low when an output that is
on was not confirmed in time.
"""

import threading
from types import TracebackType
from typing import Self

from gpiozero.exc import PinPWMUnsupported

from device.core.signals import OFF, Command
from device.pins import Board, Pin, claim
from device.settings import BuzzerSettings, MotorSettings

LONGEST_ON_S = 5.0
"""STOP's continuous tone lasts 3 s; nothing means to be on for longer."""
CONFIRM_WITHIN_S = 1.5


class Outputs:
    """The buzzer and the motor."""

    def __init__(self, board: Board, buzzer: BuzzerSettings, motor: MotorSettings) -> None:
        """Claim the pins of the parts that are enabled; nothing is driven yet."""
        self._buzzer: Pin | None = None
        self._motor: Pin | None = None
        if buzzer.enabled:
            self._buzzer = claim(board, buzzer.pin, "buzzer.pin")
        if motor.enabled:
            self._motor = claim(board, motor.pin, "motor.pin")
        self._passive = buzzer.kind == "passive"
        self._pwm_hz = motor.pwm_hz
        self._motor_has_pwm = False
        self._applied = self._commanded = OFF
        self._on_since_s = {"buzzer": 0.0, "motor": 0.0}
        self.confirmed = 0

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The pins in use, for quietening."""
        return tuple(pin for pin in (self._buzzer, self._motor) if pin is not None)

    @property
    def on(self) -> bool:
        """Something sounds or turns."""
        return bool(self._applied.buzzer or self._applied.motor)

    def __enter__(self) -> Self:
        """Low first."""
        try:
            for pin in self.pins:
                pin.output_with_state(0)
            if self._motor is not None:
                self._motor_has_pwm = self._start_pwm(self._motor)
        except BaseException:
            self.quiet()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Low, then let go: each pin even if the one before it fails."""
        self.quiet()
        for pin in self.pins:
            pin.close()

    def apply(self, now_s: float, command: Command) -> Command:
        """Make the pins do as commanded; returns what was allowed."""
        self.confirmed += 1
        if command != self._commanded:
            self._note_starts(now_s, command)
        allowed = self._limited(now_s, command)
        applied = self._applied
        if self._buzzer is not None and allowed.buzzer != applied.buzzer:
            self._sound(self._buzzer, allowed)
        if self._motor is not None and allowed.motor != applied.motor:
            self._motor.state = allowed.motor if self._motor_has_pwm else float(allowed.motor > 0)
        self._applied = allowed
        return allowed

    def quiet(self) -> None:
        """Drive every output low now; the first failure is raised after the last pin."""
        failed: Exception | None = None
        self._applied = OFF
        for pin in self.pins:
            try:
                pin.frequency = None
                pin.state = 0
            except Exception as error:  # noqa: BLE001 - the other pin must still go low
                failed = failed or error
        if failed is not None:
            raise failed

    def _start_pwm(self, pin: Pin) -> bool:
        """Whether the motor's strength can be set; where it cannot, it is on or off."""
        try:
            pin.frequency = self._pwm_hz
        except PinPWMUnsupported:
            return False
        pin.state = 0
        return True

    def _sound(self, pin: Pin, command: Command) -> None:
        if self._passive and command.buzzer:
            pin.frequency = command.tone_hz
            pin.state = 0.5
        elif self._passive:
            pin.frequency = None
            pin.state = 0
        else:
            pin.state = command.buzzer

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
        return Command(buzzer, motor, tone_hz)


class DeadMan(threading.Thread):
    """Drives the outputs low when they are on and nobody confirms them."""

    def __init__(self, outputs: Outputs, within_s: float = CONFIRM_WITHIN_S) -> None:
        """Watches `outputs`; an output on must be applied again within `within_s`."""
        super().__init__(name="dead-man", daemon=True)
        self._outputs = outputs
        self._within_s = within_s
        self._stop = threading.Event()
        self.fired = 0

    def run(self) -> None:
        """Look every `within_s`; two looks at the same confirmation are a hang."""
        seen = -1
        while not self._stop.wait(self._within_s):
            outputs = self._outputs
            if outputs.on and outputs.confirmed == seen:
                outputs.quiet()
                self.fired += 1
            seen = outputs.confirmed

    def __enter__(self) -> Self:
        """Start watching."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._stop.set()
        self.join()
