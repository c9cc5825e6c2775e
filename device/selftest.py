"""`rearguard selftest`: everything that is soldered on, one thing after the other.

The device cannot feel its own motor nor hear its own buzzer: a broken wire to either is the one
fault that only the wearer can find. So each output is driven alone and somebody is asked. Then
the sensor is listened to as the device itself does, and judged by the same rules. One that says
"nothing there" and nothing else may be looking at an open field, or be deaf: it has to see a hand.

What nobody answered for is not called good: without anybody to ask, an output that could be
driven is only "driven", and a sensor has to have heard something.

Whatever ends it, Ctrl-C or a signal or an error, the outputs are low afterwards: the signals raise
KeyboardInterrupt while something is being tested and wait while the pins are given back.
"""

import contextlib
import random
import re
import signal
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

import msgspec
from msgspec import Struct

from device import sensors
from device.clock import Clock
from device.core.pipeline import Pipeline
from device.core.reading import Echo, Fault
from device.core.signals import OFF, Command
from device.errors import HardwareError
from device.loop import Ticker
from device.outputs import DeadMan, Outputs
from device.pins import Board
from device.ports import OpenPort
from device.settings import Settings

Ask = Callable[[str], bool]
"""Puts a question to a person; True for yes."""

PULSES = 3
BEEP_S, BEEP_GAP_S = 0.12, 0.2
SPIN_S, SPIN_GAP_S = 0.3, 0.3
LISTEN_S = 3.0
HAND_NEAR_M, HAND_FAR_M = 0.2, 1.0
"""A hand held "half a metre" behind the sensor is somewhere in between."""
HAND_SHARE = 0.5
"""Of what is heard while the hand is there, so much has to be the hand."""
SERVICE = "sudo systemctl stop rearguard"
_SERVICE_HOLDS = re.compile(r"held by rearguard|calls itself \"rearguard|perhaps rearguard")


class Part(Struct, frozen=True):
    """One output. `felt` is what somebody said of it; None when nobody was asked."""

    name: str
    fitted: bool
    felt: bool | None
    good: bool
    said: str


class Heard(Struct, frozen=True):
    """What the sensor said in `seconds`. Distances in metres, None where nothing was there.

    `faults` counts the pings that proved nothing, by name; `fault` is the device's own verdict.
    """

    seconds: float
    pings: int
    answers: int
    echoes: int
    faults: dict[str, int]
    fault: str | None
    nearest_m: float | None
    median_m: float | None


class Report(Struct, frozen=True):
    """The whole test. `hand`: what was heard while a hand was held there, if that was asked for."""

    outputs: list[Part]
    sensor: Heard
    hand: Heard | None
    sensor_good: bool
    sensor_said: str
    good: bool


class Interrupts:
    """SIGINT, SIGTERM and SIGHUP as one KeyboardInterrupt, and only where it does no harm.

    Inside `armed` a signal raises at once. Elsewhere it waits: for the next `armed`, or for the
    end of the `with`, by when the outputs inside it are low. A closed terminal must not leave
    a motor on either, hence SIGHUP.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._armed = False
        self._asked = self._raised = False

    def __enter__(self) -> Self:
        """Take the signals over."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give them back, and raise for one that came too late to be raised before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._asked and kind is None:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Where a signal may end what is under way."""
        self._armed = True
        try:
            self._raise_once()
            yield
        finally:
            self._armed = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._armed:
            self._raise_once()

    def _raise_once(self) -> None:
        if self._asked and not self._raised:
            self._raised = True
            raise KeyboardInterrupt


def run(
    settings: Settings,
    clock: Clock,
    board: Board,
    rng: random.Random,
    open_port: OpenPort,
    ask: Ask | None,
    say: Callable[[str], None],
) -> Report:
    """Test it all; `ask` is None where nobody can answer, `say` takes a line of progress.

    Raises HardwareError for what cannot be opened, and KeyboardInterrupt when told to end.
    """
    with Interrupts() as interrupts, naming_the_service():
        with (
            Outputs(board, settings.buzzer, settings.motor, settings.led) as outputs,
            DeadMan(outputs),
            interrupts.armed(),
        ):
            parts = list(_outputs(settings, clock, outputs, ask, say))
        parts_of_sensor = sensors.Parts(settings.sensor, clock, board, rng, open_port)
        with interrupts.armed():
            heard, hand = _sensor(settings, parts_of_sensor, ask, say)
    sensor_good, said = _verdict(settings, heard, hand)
    good = sensor_good and all(part.good for part in parts)
    return Report(parts, heard, hand, sensor_good, said, good)


def lines(found: Report) -> Iterator[str]:
    """The report for a person."""
    for part in found.outputs:
        yield f"{part.name:8} {_mark(part.good)}  {part.said}"
    yield f"sensor   {_mark(found.sensor_good)}  {found.sensor_said}"
    for heard, where in ((found.sensor, ""), (found.hand, " with the hand there")):
        if heard is not None:
            yield f"         {_figures(heard)}{where}"
    if not found.good:
        bad = [part.name for part in found.outputs if not part.good]
        bad += [] if found.sensor_good else ["sensor"]
        yield f"NOT GOOD: {', '.join(bad)}; do not walk with it"
    elif all(part.felt is None for part in found.outputs):
        yield "good as far as it can tell alone: nobody was asked what they heard and felt"
    else:
        yield "good"


def asked(question: str) -> bool:
    """Ask whoever is at the terminal, until they say which. The end of their input is a no."""
    while True:
        print(f"{question} [y/n] ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        answer = line.strip().lower()
        if not line:
            print("nobody answered", file=sys.stderr)
        if not line or answer in ("n", "no"):
            return False
        if answer in ("y", "yes"):
            return True


def can_ask() -> bool:
    """Whether a person is at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def naming_the_service() -> Iterator[None]:
    """A pin or port that the running service holds: say how to stop that, in the same line."""
    try:
        yield
    except HardwareError as error:
        if _SERVICE_HOLDS.search(str(error)):
            raise HardwareError(f"{error}: {SERVICE}, and start it again afterwards") from error
        raise


def _outputs(
    settings: Settings, clock: Clock, outputs: Outputs, ask: Ask | None, say: Callable[[str], None]
) -> Iterator[Part]:
    buzzer, motor, led = settings.buzzer, settings.motor, settings.led
    beep = [(Command(1, 0.0, buzzer.tone_hz), BEEP_S), (OFF, BEEP_GAP_S)]
    if buzzer.enabled:
        say("buzzer: three short beeps")
    yield _output(
        "buzzer",
        buzzer.enabled,
        lambda: _drive(clock, outputs, beep),
        ask,
        "Did you hear the buzzer?",
        f"not heard: look at its wires, at the transistor on GPIO{buzzer.pin} and at buzzer.kind",
    )
    spin = [
        (Command(0, 1.0), motor.overdrive_s),
        (Command(0, motor.strength), SPIN_S - motor.overdrive_s),
        (OFF, SPIN_GAP_S),
    ]
    if motor.enabled:
        say("motor: three pulses")
    yield _output(
        "motor",
        motor.enabled,
        lambda: _drive(clock, outputs, spin),
        ask,
        "Did you feel the motor?",
        f"not felt: look at its wires, at the transistor on GPIO{motor.pin} and at motor.strength",
    )
    if led.enabled:
        say("lamp: three flashes")
        flash = [(Command(led=1), SPIN_S), (OFF, SPIN_GAP_S)]
        yield _output(
            "lamp",
            True,
            lambda: _drive(clock, outputs, flash),
            ask,
            "Did you see the lamp?",
            f"not seen: look at its resistor, at which way round it is and at GPIO{led.pin}",
        )


def _output(
    name: str,
    fitted: bool,
    drive: Callable[[], None],
    ask: Ask | None,
    question: str,
    remedy: str,
) -> Part:
    if not fitted:
        return Part(name, False, None, True, f"not fitted: {name}.enabled = false")
    try:
        drive()
    except Exception as error:  # noqa: BLE001 - whatever the pin's library raises
        said = " ".join(str(error).split())
        return Part(name, True, None, False, f"its pin cannot be driven ({said}); try another pin")
    if ask is None:
        return Part(name, True, None, True, "driven; nobody was asked about it")
    felt = ask(question)
    return Part(name, True, felt, felt, "as it should be, you said" if felt else remedy)


def _drive(clock: Clock, outputs: Outputs, pulse: list[tuple[Command, float]]) -> None:
    """`pulse` three times: commands, each for so many seconds; low at the end of it."""
    try:
        for command, for_s in pulse * PULSES:
            outputs.apply(clock.now(), command)
            end_s = clock.now() + for_s
            while clock.now() < end_s:
                clock.wait_until(end_s)
    finally:
        outputs.quiet()  # whatever the pin's library did with the last write


def _sensor(
    settings: Settings, parts: sensors.Parts, ask: Ask | None, say: Callable[[str], None]
) -> tuple[Heard, Heard | None]:
    """What it says; and, if that is only "nothing there", what it says of a hand."""
    say(f"sensor: listening for {LISTEN_S:g} s")
    heard = _listen(settings, parts)
    if heard.fault is not None or heard.echoes or ask is None:
        return heard, None
    say('sensor: it says "nothing there", and nothing else')
    if not ask("Hold a hand half a metre behind the sensor, and keep it there. Is it there?"):
        return heard, None
    say(f"sensor: listening for {LISTEN_S:g} s")
    return heard, _listen(settings, parts)


def _listen(settings: Settings, parts: sensors.Parts) -> Heard:
    """Hear the sensor out as the device does, from its opening on; the outputs stay low."""
    clock = parts.clock
    pipeline = Pipeline(settings, sensors.pace(settings.sensor))
    faults: Counter[str] = Counter()
    echoes: list[float] = []
    pings = answers = 0
    verdict: str | None = None
    with contextlib.closing(sensors.open_sensor(settings.sensor.driver, parts)) as sensor:
        began_s = clock.now()
        ticker = Ticker(
            clock, lambda: min(sensor.due_s, began_s + pipeline.due_s), began_s + LISTEN_S
        )
        for now_s in ticker:
            reading = sensor.poll(now_s)
            if reading is not None:
                pings += 1
                answers += not isinstance(reading, Fault)
                # The pipeline's life begins at 0 s, and at 0.5 s it calls a silent sensor dead.
                reading = msgspec.structs.replace(reading, t_s=max(0.0, reading.t_s - began_s))
            if isinstance(reading, Fault):
                faults[reading.fault.value] += 1
            elif isinstance(reading, Echo):
                echoes.append(reading.distance_m)
            step = pipeline.step(now_s - began_s, reading)
            verdict = verdict if step.alert.fault is None else step.alert.fault.value
    return Heard(
        LISTEN_S,
        pings,
        answers,
        len(echoes),
        dict(faults),
        verdict,
        round(min(echoes), 3) if echoes else None,
        round(statistics.median(echoes), 3) if echoes else None,
    )


def _verdict(settings: Settings, heard: Heard, hand: Heard | None) -> tuple[bool, str]:
    """(good, one sentence with the remedy)."""
    if heard.fault is not None:
        return False, f"fault: {heard.fault}; {_remedy(settings, heard)}"
    if heard.echoes:
        return True, f"hears something at {heard.median_m:.2f} m, {_per_second(heard)}"
    if hand is None:
        return (
            False,
            'only "nothing there": whether it hears is not known; hold something behind it',
        )
    if hand.fault is not None:
        return False, f"fault: {hand.fault}; {_remedy(settings, hand)}"
    seen = hand.median_m is not None and HAND_NEAR_M <= hand.median_m <= HAND_FAR_M
    if seen and hand.echoes >= HAND_SHARE * hand.pings:
        return True, f"hears the hand at {hand.median_m:.2f} m, {_per_second(hand)}"
    return False, "answers, but does not hear a hand: is it covered, or does it face the wrong way?"


def _remedy(settings: Settings, heard: Heard) -> str:
    if heard.answers:
        return "look for a loose wire, and at its supply; see hardware.md"
    if sensors.model(settings.sensor).serial:
        return f"look at its wires, its supply and sensor.port = {settings.sensor.port}"
    return (
        f"look at its supply, at trigger on GPIO{settings.sensor.trigger_pin}"
        f" and at echo on GPIO{settings.sensor.echo_pin}"
    )


def _figures(heard: Heard) -> str:
    counted = f"{heard.pings} pings in {heard.seconds:g} s, {heard.answers} answered"
    if heard.faults:
        counted += ": " + ", ".join(f"{name} {n}" for name, n in heard.faults.items())
    if heard.nearest_m is None:
        return f"{counted}; nothing there"
    return (
        f"{counted}; something in {heard.echoes} of them, nearest {heard.nearest_m:.2f} m,"
        f" median {heard.median_m:.2f} m"
    )


def _per_second(heard: Heard) -> str:
    return f"{heard.pings / heard.seconds:.0f} times a second"


def _mark(good: bool) -> str:
    return "good    " if good else "NOT GOOD"
