"""What the wearer gets of each fault, on the pins: the rows of docs/faults.md that say so here.

A fault is produced where it would be: in the part, on a wire, in the air, in the process. What
counts is neither a word in a log nor a level but the buzzer's and the motor's own lines.
"""

import configparser
import json
import math
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from device import sensors, status
from device.clock import VirtualClock
from device.config import fitted
from device.core.pipeline import FIRST, Start, Step
from device.evaluate.spans import stretches
from device.failures import Failure
from device.loop import assemble
from device.pins.mock import MockBoard
from device.settings import SensorSettings, Settings
from device.sim.rig import Rig
from device.sim.scenario import Air, Breakage, Leg, Obstacle, Phantom, Scenario, Stall, Walker
from tests.test_daemon import NEAR_WALL, SOON_S
from tests.test_service_run import BUZZER, FAR_WALL, MOTOR, Manager, Run, assert_well

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "rearguard.service"
SETTINGS = Settings()
FAULT_BEEPS, FAULT_BEEP_S, FAULT_BEEP_EACH_S = 3, 0.5, 0.75
FAULT_BUZZES, FAULT_BUZZ_S, FAULT_BUZZ_EACH_S = 2, 0.6, 0.9
FAULT_PAUSE_S = 5.4
"""The longest silence between two reminders."""
STOP_PAUSE_S = 0.1
EDGE_S = 0.002
DECIDED_S = 0.65
"""The contract's 0.6 s, and the step at which it is done."""
SERIAL_DECIDED_S = 2.0
"""Parts that speak seldom are given longer; tests/test_sensors_contract.py has how long each."""
BROKEN_S, MENDED_S, END_S = 3.0, 7.0, 12.0


class Worn:
    """A walk with the device on: its steps, and the pulses of both outputs' lines."""

    def __init__(
        self,
        world: Scenario,
        settings: Settings = SETTINGS,
        *,
        soldered: Settings | None = None,
        cut_s: float | None = None,
        start: Start = FIRST,
    ) -> None:
        """`soldered`: how the part is wired, where that differs from what the device was told.

        `cut_s`: when the trigger's wire comes off.
        """
        clock = VirtualClock()
        rig = Rig(world, soldered or settings, 1, clock)
        self.steps: list[Step] = []
        self._changes = [self._watch(rig.board, pin) for pin in (BUZZER, MOTOR)]
        if cut_s is not None:
            line = rig.board.line(settings.sensor.trigger_pin)
            clock.at(cut_s, line._watchers.clear)
        with assemble(settings, clock, rig.board, rig.device_rng, rig.open_port, start) as device:
            device.run(device.ticker(world.duration_s), self.steps.append)
        self.beeps, self.buzzes = (pulses(changes) for changes in self._changes)

    def _watch(self, board: MockBoard, pin: int) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = []
        board.line(pin).watch(lambda t_s, level: found.append((t_s, level > 0.0)))
        return found

    def fault_s(self, after_s: float = 0.0) -> float | None:
        """When both outputs began to play the fault signal, whole, the first time after that."""
        said = rhythm(self.beeps, FAULT_BEEPS, FAULT_BEEP_S, FAULT_BEEP_EACH_S, after_s)
        felt = rhythm(self.buzzes, FAULT_BUZZES, FAULT_BUZZ_S, FAULT_BUZZ_EACH_S, after_s)
        return None if said is None or felt is None else max(said, felt)

    def longest_silence_s(self, from_s: float, to_s: float) -> float:
        """The longest time in which neither output was on."""
        quiet_since_s, longest_s = from_s, 0.0
        for on_s, off_s in sorted(self.beeps + self.buzzes):
            if off_s <= from_s or on_s >= to_s:
                continue
            longest_s = max(longest_s, on_s - quiet_since_s)
            quiet_since_s = max(quiet_since_s, off_s)
        return max(longest_s, to_s - quiet_since_s)

    def levels(self, from_s: float, to_s: float) -> set[str]:
        return {step.alert.level for step in self.steps if from_s <= step.t_s < to_s}


def pulses(changes: list[tuple[float, bool]]) -> list[tuple[float, float]]:
    """(on, off) of each; a change of strength is none."""
    return [pulse for pulse in stretches(changes, math.inf) if pulse[1] < math.inf]


def rhythm(
    found: list[tuple[float, float]], count: int, for_s: float, each_s: float, after_s: float
) -> float | None:
    """When so many pulses began. Told by their ends: the first may run on from another signal's."""
    for number in range(len(found) - count + 1):
        some = found[number : number + count]
        even = all(
            abs(off_s - some[0][1] - place * each_s) <= EDGE_S
            for place, (_, off_s) in enumerate(some)
        )
        long = all(off_s - on_s >= for_s - EDGE_S for on_s, off_s in some)
        if even and long and some[0][1] - for_s >= after_s - EDGE_S:
            return some[0][1] - for_s
    return None


def standing(along_m: float | None, **more: object) -> Scenario:
    """Someone who stands before a wall, or in an open field."""
    obstacles = () if along_m is None else (Obstacle(shape="wall", along_m=along_m),)
    scene = {"duration_s": END_S, "obstacles": obstacles} | more
    return Scenario(title="standing", expect="any", walker=Walker(legs=()), **scene)  # type: ignore[arg-type]


def broken(failure: Failure) -> tuple[Breakage, ...]:
    return Breakage(at_s=BROKEN_S, failure=failure), Breakage(at_s=MENDED_S, failure=Failure.OK)


KNOWABLE = [
    (word, along_m)
    for word in Failure
    for along_m in (1.5, None)
    if word is not Failure.OK and (word, along_m) != (Failure.FROZEN, None)
]
"""A frozen "nothing there" is what an open field says, too."""


# ---------------------------------------------------------------- the sensor, its wires, the air


@pytest.mark.parametrize(("failure", "along_m"), KNOWABLE)
def test_each_failure_of_the_part_is_heard_and_felt_until_it_is_mended(
    failure: Failure, along_m: float | None
) -> None:
    worn = Worn(standing(along_m, breakages=broken(failure), air=Air(loss=0.0)))
    told_s = worn.fault_s(BROKEN_S)
    assert told_s is not None
    assert BROKEN_S < told_s <= BROKEN_S + DECIDED_S
    assert "clear" not in worn.levels(BROKEN_S + DECIDED_S, MENDED_S)
    assert worn.fault_s(MENDED_S + 1.5) is None
    assert all(off_s - on_s < FAULT_BUZZ_S for on_s, off_s in worn.buzzes if on_s < BROKEN_S)


@pytest.mark.parametrize("failure", [Failure.OFF, Failure.PULLED, Failure.STUCK, Failure.GARBAGE])
@pytest.mark.parametrize("driver", [name for name in sensors.names() if name != "hcsr04"])
def test_each_serial_part_that_fails_is_heard_and_felt(driver: str, failure: Failure) -> None:
    settings = fitted(Settings(sensor=SensorSettings(driver=driver)))
    worn = Worn(standing(1.5, breakages=broken(failure)), settings)
    told_s = worn.fault_s(BROKEN_S)
    assert told_s is not None
    assert BROKEN_S < told_s <= BROKEN_S + SERIAL_DECIDED_S
    assert worn.longest_silence_s(told_s, MENDED_S) < FAULT_PAUSE_S
    assert not [step.t_s for step in worn.steps if step.t_s < BROKEN_S and step.alert.fault]


def test_a_trigger_wire_on_another_pin_is_a_part_that_never_answered() -> None:
    """The part is well, and is never asked."""
    told = SensorSettings(trigger_pin=22)
    worn = Worn(standing(0.5), Settings(sensor=told), soldered=SETTINGS)
    told_s = worn.fault_s()
    assert told_s is not None
    assert told_s <= DECIDED_S
    assert {step.alert.fault for step in worn.steps if step.t_s > DECIDED_S} == {"never-answered"}
    assert worn.longest_silence_s(told_s, END_S) <= FAULT_PAUSE_S + EDGE_S


def test_a_trigger_wire_that_comes_off_is_announced() -> None:
    worn = Worn(standing(1.5), cut_s=BROKEN_S)
    told_s = worn.fault_s(BROKEN_S)
    assert told_s is not None
    assert told_s <= BROKEN_S + DECIDED_S
    assert "clear" not in worn.levels(BROKEN_S, END_S)
    assert worn.longest_silence_s(told_s, END_S) <= FAULT_PAUSE_S + EDGE_S


@pytest.mark.parametrize("said_m", [0.005, 0.02, 0.045], ids=str)
@pytest.mark.parametrize("spread_m", [0.0, 0.003], ids=["constant", "wandering"])
def test_a_sensor_under_cloth_or_mud_is_never_silent(said_m: float, spread_m: float) -> None:
    """It hears nothing but what lies on it: STOP, for as long as it lies there."""
    cloth = Phantom(
        from_s=BROKEN_S,
        for_s=60.0,
        near_m=said_m - spread_m,
        far_m=said_m + spread_m,
        blinds=True,
    )
    worn = Worn(standing(None, phantoms=(cloth,), duration_s=30.0))
    first_s = min(on_s for on_s, _ in worn.beeps if on_s > BROKEN_S)
    assert first_s <= BROKEN_S + DECIDED_S
    assert worn.levels(first_s, 30.0) == {"stop"}
    assert worn.longest_silence_s(first_s, 30.0) <= STOP_PAUSE_S + EDGE_S


def test_a_coat_that_swallows_sound_is_warned_of_from_where_it_is_heard() -> None:
    """And one in contact with the sensor is a near thing, not an empty path."""
    legs = (Leg(for_s=60.0, speed_mps=0.5),)
    coat = Obstacle(shape="person", along_m=4.0, seen_to_m=1.2, loss=0.3)
    world = Scenario(
        title="a coat",
        duration_s=9.0,
        expect="any",
        walker=Walker(legs=legs, heeds=False),
        obstacles=(coat,),
    )
    worn = Worn(world)
    heard_s = (4.0 - 0.25 - 1.2) / 0.5
    first_s = next(on_s for on_s, _ in worn.buzzes if on_s > 1.0)
    assert heard_s - 0.2 < first_s < heard_s + 0.5
    assert worn.longest_silence_s(first_s, 9.0) < 1.0


def test_so_much_of_other_devices_that_nothing_can_be_made_of_it_is_a_fault() -> None:
    worn = Worn(standing(None, air=Air(crosstalk=0.9, crosstalk_run=1), duration_s=20.0))
    told_s = worn.fault_s()
    assert told_s is not None
    assert told_s < 3.0
    assert "clear" not in worn.levels(told_s, 20.0)
    assert worn.longest_silence_s(told_s, 20.0) <= FAULT_PAUSE_S + EDGE_S


def test_a_little_of_other_devices_is_neither_a_fault_nor_an_urgent_alert() -> None:
    worn = Worn(standing(None, air=Air(crosstalk=0.03), duration_s=120.0))
    assert worn.fault_s() is None
    assert worn.levels(0.0, 120.0) <= {"clear", "caution"}


@pytest.mark.parametrize("air_c", [-10.0, 0.0, 20.0, 40.0])
def test_without_a_temperature_the_wearer_is_warned_no_later_than_asked(air_c: float) -> None:
    """Cold air is assumed, so that warm air makes distances too short and never too long."""
    world = Scenario(
        title="a wall",
        duration_s=12.0,
        expect="any",
        walker=Walker(legs=(Leg(for_s=60.0, speed_mps=0.3),), heeds=False, bob_m=0.0),
        obstacles=(Obstacle(shape="wall", along_m=4.0),),
        air=Air(temperature_c=air_c, noise_m=0.002),
    )
    assert SETTINGS.sensor.temperature_c is None
    worn = Worn(world)
    danger = next(step.t_s for step in worn.steps if step.alert.level == "danger")
    true_m = 4.0 - 0.3 * danger
    assert 0.97 <= true_m <= 1.15
    assert min(abs(on_s - danger) for on_s, _ in worn.buzzes) < 0.1


# ---------------------------------------------------------------- the processor


def test_a_processor_that_stood_still_buzzes_as_soon_as_it_wakes() -> None:
    """Rather than go on as if nothing had been missed: what was read last is stale."""
    worn = Worn(standing(3.5, stalls=(Stall(at_s=BROKEN_S, for_s=1.5),)))
    woken_s = BROKEN_S + 1.5
    on_s, _ = next(pulse for pulse in worn.buzzes if pulse[0] >= BROKEN_S)
    assert woken_s - EDGE_S <= on_s < woken_s + 0.05
    assert min(on_s for on_s, _ in worn.beeps if on_s >= BROKEN_S) < woken_s + 0.05
    assert worn.steps[-1].alert.fault is None


def test_restarted_is_three_chirps_and_three_buzzes_once_the_sensor_answers() -> None:
    worn = Worn(standing(None), start=Start(restarted=True))
    assert [round(off_s - on_s, 3) for on_s, off_s in worn.beeps] == [0.12] * 3
    assert [round(off_s - on_s, 3) for on_s, off_s in worn.buzzes] == [0.15] * 3
    assert worn.beeps[0][0] < 0.2


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    started = Manager(tmp_path)
    started.settings(NEAR_WALL)
    yield started
    started.close()


def still_warns(manager: Manager, run: Run) -> None:
    """From now on: signs of life, both outputs on once more, and the same process."""
    run.messages.wait_for("WATCHDOG=1", len(run.messages.so_far("WATCHDOG=1")) + 3)
    seen = {"00": False, "11": False}
    deadline_s = time.monotonic() + SOON_S
    while not all(seen.values()):
        assert time.monotonic() < deadline_s, seen
        pins = manager.pins
        seen[pins[BUZZER] + pins[MOTOR]] = True
        time.sleep(0.002)
    assert run.process.poll() is None


def test_a_processor_that_is_too_slow_is_counted_and_said(manager: Manager) -> None:
    manager.settings(FAR_WALL + "[[stalls]]\nat_s = 1.0\nfor_s = 0.4\n")
    run = manager.start()
    run.ready()
    late = run.status(lambda now: now.worst_late_ms >= 100.0)
    assert late.overruns >= 1
    assert late.fault is None
    run.messages.wait_for(" late")
    said = [heard.text for heard in run.messages.so_far("STATUS=")]
    assert not all("; 0 late" in text for text in said), said
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


JUMPS = """
import datetime
really_time = time.time
jumps = [0]
def leaping():
    jumps[0] += 1
    return really_time() + (-1) ** jumps[0] * 3600.0 * jumps[0]
time.time = leaping
time.time_ns = lambda: int(leaping() * 1e9)
"""


def test_a_wall_clock_that_leaps_to_and_fro_changes_nothing(manager: Manager) -> None:
    """Hours at each look, as a Pi's may once the network tells it the time."""
    run = manager.start(JUMPS)
    run.ready()
    still_warns(manager, run)
    snapshot = run.status(lambda now: now.up_s > 2.0)
    assert snapshot.fault is None
    assert snapshot.up_s < SOON_S
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    (kept,) = manager.journals
    times = [json.loads(line).get("t_s") for line in kept.read_text("utf-8").splitlines()[1:]]
    assert times == sorted(times)
    assert times[-1] < SOON_S


# ---------------------------------------------------------------- what is beside the loop


DYING_THREADS = {
    "status": """
@around(status.Server, "_serve")
def _(really, self):
    say("status died")
    raise SystemExit
""",
    "journal": """
from device import keeper
@around(keeper.Keeper, "_write")
def _(really, self, ended):
    say("journal died")
    raise SystemExit
""",
}


@pytest.mark.parametrize("thread", DYING_THREADS)
def test_a_thread_that_dies_costs_what_it_did_and_no_warning(manager: Manager, thread: str) -> None:
    run = manager.start("from device import status\n" + DYING_THREADS[thread])
    run.ready()
    run.log.wait_for(f"{thread} died")
    still_warns(manager, run)
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)
    assert manager.low


WATCHES = """
import sys
from pathlib import Path
from device import status
for snapshot in status.read(Path(sys.argv[1])):
    print("seen", flush=True)
"""


def test_who_watches_the_status_may_be_killed_or_hang(manager: Manager) -> None:
    run = manager.start()
    run.ready()
    place = manager.runtime / status.PATH.name
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.connect(str(place))
        command = [sys.executable, "-c", WATCHES, str(place)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline() == "seen\n"
            watching.kill()
        still_warns(manager, run)
    assert run.status().fault is None
    assert run.end(signal.SIGTERM) == 0
    assert_well(run)


def test_the_kernel_short_of_memory_is_asked_to_end_others_first() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT, "utf-8")
    assert unit["Service"]["OOMScoreAdjust"] == "-900"
    assert unit["Service"]["Restart"] == "always"


def test_in_a_long_walk_nothing_grows_and_nothing_fails_that_did_not_break() -> None:
    """Twenty minutes of benchmarks/soak.py on the virtual clock: its bounds, whatever it takes."""
    command = [sys.executable, "-m", "benchmarks.soak", "--hours", "0.34", "--minutes", "0"]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=10 * SOON_S, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
