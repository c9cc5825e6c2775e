"""Contender: rearguard's own loop, wired as the daemon wires it."""

from benchmarks.bench import Job, Result, Stage, child
from device.clock import PacedClock, VirtualClock
from device.core.alert import State
from device.core.pipeline import Step
from device.loop import Observer, assemble, fan_out
from device.outputs import DeadMan
from device.watch import Reporter


def run(job: Job, clock: VirtualClock) -> Result:
    """Live through the job's scenario; a VirtualClock makes it quick."""
    stage = Stage(job, clock)
    steps: list[Step] = []

    def observe(step: Step) -> None:
        steps[:] = [step]
        stage.decide(step.alert.state >= State.DANGER)

    def say() -> str:
        alert = steps[0].alert
        return f"level {alert.level}, fault {alert.fault}, signal {steps[0].cue.name}"

    stage.say = say
    rig = stage.rig
    with assemble(job.settings, clock, rig.board, rig.device_rng, rig.open_port) as device:
        if isinstance(clock, PacedClock):
            DeadMan(device.outputs).start()
        observers: list[Observer] = [Reporter(lambda _line: None), observe]
        device.run(device.ticker(job.scenario.duration_s), fan_out(observers))
        return stage.finish()


def main() -> None:
    """In a process of its own."""
    child(run)
