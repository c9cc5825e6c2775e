"""Contender: the script that gpiozero's documentation teaches, DistanceSensor and Buzzer."""

import warnings

from gpiozero import Buzzer, DistanceSensor, DistanceSensorNoEcho

from benchmarks.bench import Job, Result, Stage, child
from device.clock import VirtualClock
from device.pins import Board
from device.settings import Settings

THRESHOLD_M = 1.0

_kept: list[object] = []
"""DistanceSensor.close() takes the trigger from under its thread; gpiozero's exit does not."""


def script(board: Board, settings: Settings, queue_len: int) -> DistanceSensor:
    """A buzzer that sounds while something is in range, until the process ends."""
    sensor = DistanceSensor(
        echo=settings.sensor.echo_pin,
        trigger=settings.sensor.trigger_pin,
        queue_len=queue_len,
        max_distance=settings.sensor.max_range_m,
        threshold_distance=THRESHOLD_M,
        pin_factory=board,
    )
    buzzer = Buzzer(settings.buzzer.pin, pin_factory=board)
    sensor.when_in_range = buzzer.on
    sensor.when_out_of_range = buzzer.off
    _kept.extend((sensor, buzzer))
    return sensor


def run(job: Job, clock: VirtualClock) -> Result:
    """Live through the job's scenario: the main thread runs the world, the sensor its own."""
    stage = Stage(job, clock)
    count_warnings(stage.result)
    sensor = script(stage.rig.board, job.settings, job.queue_len)
    stage.say = lambda: f"distance {sensor.distance:.2f} m, in_range {sensor.in_range}"
    while clock.now() < job.scenario.duration_s:
        clock.wait_until(job.scenario.duration_s)
    result = stage.finish()
    result.decided = list(result.buzzer)
    return result


def count_warnings(result: Result) -> None:
    """Keep gpiozero's warnings off the terminal and count those of a missing echo."""

    def show(_message: object, category: type[Warning], *_: object) -> None:
        result.no_echo += issubclass(category, DistanceSensorNoEcho)

    warnings.simplefilter("always")
    warnings.showwarning = show  # type: ignore[assignment]


def main() -> None:
    """In a process of its own."""
    child(run)
