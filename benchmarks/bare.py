"""Not a contender: pings the twin and ignores it, to learn what the simulation itself costs.

From the main thread, as rearguard's loop does, or from another, as DistanceSensor does.
"""

import threading
import time

from benchmarks.bench import Job, Result, Stage, child
from device.clock import VirtualClock


def run(job: Job, clock: VirtualClock) -> Result:
    """Ping at the job's rate until its scenario is over."""
    stage = Stage(job, clock)
    end_s = job.scenario.duration_s
    trigger = stage.rig.board.line(job.settings.sensor.trigger_pin)
    trigger.output_with_state(0)

    def ping() -> None:
        trigger.state = 1
        time.sleep(1e-5)
        trigger.state = 0

    if job.bare_thread:
        over = threading.Event()

        def pings() -> None:
            while not over.wait(job.bare_every_s):
                ping()

        thread = threading.Thread(target=pings)
        thread.start()
        while clock.now() < end_s:
            clock.wait_until(end_s)
        over.set()
        thread.join()
    else:
        due_s = 0.0
        while clock.now() < end_s:
            ping()
            due_s += job.bare_every_s
            while clock.now() < due_s:
                clock.wait_until(due_s)
    return stage.finish()


def main() -> None:
    """In a process of its own."""
    child(run)
