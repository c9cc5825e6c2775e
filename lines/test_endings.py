"""However the daemon ends, nothing goes on sounding: by itself, or with `rearguard quiet`."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from device.failures import Failure
from lines.rig import AT_20_C, BACKENDS, OUTPUTS, Daemon, Far, outputs_low, until
from lines.sim_chip import SimChip

STOP_M = 0.4
QUIET_S = 0.5
CRASH_ON_DEMAND = """
import signal
def crash(*_):
    raise RuntimeError("on demand")
signal.signal(signal.SIGUSR1, crash)
"""


def sounding() -> bool:
    """STOP's long tone and pulse: both lines high, the motor between two of PWM's."""
    chip = SimChip()
    return all(any(chip.level(line) for _ in range(50)) for line in OUTPUTS)


def mid_buzz(far: Far, daemon: Daemon) -> None:
    """Wait until both outputs are on."""
    daemon.hears("the sensor answers")
    far.order(distance_m=STOP_M)
    until(sounding, 3.0)


@pytest.mark.parametrize("factory", BACKENDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_in_mid_buzz_it_ends_well_and_low(
    factory: str, number: signal.Signals, tmp_path: Path
) -> None:
    with Far(tmp_path) as far, Daemon(tmp_path, factory, AT_20_C) as daemon:
        far.order(distance_m=2.0)
        mid_buzz(far, daemon)
        began_s = time.monotonic()
        assert daemon.end(number) == 0
        assert time.monotonic() - began_s < QUIET_S
        assert outputs_low()
        assert "stopped, outputs low" in daemon.said


@pytest.mark.parametrize("factory", BACKENDS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_killed_in_mid_buzz_it_goes_on_buzzing_until_quiet_is_run(
    factory: str, number: signal.Signals, tmp_path: Path
) -> None:
    """A Pi keeps an output as it was driven; so does this kernel."""
    with Far(tmp_path) as far, Daemon(tmp_path, factory, AT_20_C) as daemon:
        far.order(distance_m=2.0)
        mid_buzz(far, daemon)
        assert daemon.end(number) == -number
        time.sleep(0.05)
        assert SimChip().level(OUTPUTS[0])
        done = quiet(daemon)
        assert (done.returncode, done.stderr) == (0, b"")
        assert outputs_low()
        time.sleep(1.0)
        assert outputs_low()


@pytest.mark.parametrize("factory", BACKENDS)
def test_a_crash_leaves_both_lines_low(factory: str, tmp_path: Path) -> None:
    """An error that nobody foresaw, in the middle of the loop."""
    (tmp_path / "sitecustomize.py").write_text(CRASH_ON_DEMAND)
    with Far(tmp_path) as far, Daemon(tmp_path, factory, AT_20_C, path=(tmp_path,)) as daemon:
        far.order(distance_m=2.0)
        mid_buzz(far, daemon)
        assert daemon.end(signal.SIGUSR1) == 1
        assert outputs_low()
        assert "internal error: RuntimeError: on demand" in daemon.said


@pytest.mark.parametrize("factory", BACKENDS)
def test_the_next_start_drives_low_first(factory: str, tmp_path: Path) -> None:
    with Far(tmp_path) as far:
        with Daemon(tmp_path, factory, AT_20_C) as daemon:
            far.order(distance_m=2.0)
            mid_buzz(far, daemon)
            daemon.end(signal.SIGKILL)
        assert SimChip().level(OUTPUTS[0])
        far.order(distance_m=None, failure=Failure.OFF)
        with Daemon(tmp_path, factory, AT_20_C) as daemon:
            daemon.hears("watching")
            assert outputs_low()


@pytest.mark.parametrize("factory", BACKENDS)
def test_quiet_is_refused_while_the_daemon_has_the_lines(factory: str, tmp_path: Path) -> None:
    with Far(tmp_path) as far, Daemon(tmp_path, factory, AT_20_C) as daemon:
        far.order(distance_m=2.0)
        daemon.hears("the sensor answers")
        done = quiet(daemon)
        assert done.returncode == 2
        told = done.stderr.decode()
        assert f"(process {daemon.process.pid})" in told
        assert told.count("\n") == 1


def quiet(daemon: Daemon) -> subprocess.CompletedProcess[bytes]:
    """`rearguard quiet` with the daemon's configuration."""
    return subprocess.run(
        [sys.executable, "-m", "device", "quiet", "--config", str(daemon.config)],
        check=False,
        cwd="/run",
        env=daemon.environment,
        stderr=subprocess.PIPE,
    )
