"""The unit, unchanged, under a real systemd and on a real GPIO chip: sandbox, death, hang, boot.

The rest of the package (its installation, crash loops, reload, power loss) is tested by the
service bench, whose machines have no GPIO chip. Time is virtual: see test_unit_real_time.py for
what dying and starting cost.
"""

import errno
import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.failures import Failure
from lines import unit
from lines.rig import OUTPUTS, Far, outputs_low, until
from lines.sim_chip import SimChip
from lines.unit import CHIP, DEBIAN, NAME, debian

FACTORIES = ("gpiod", "lgpio")
FAR_M = 3.5
LOW_S, READY_S = 0.2, 1.0
HUNG_S = 1.0
"""The watchdog's half a second, by which systemd may be a quarter late, and the time to die."""
PROBE_AT, NODES_AT = "usr/local/bin/probe.py", "var/lib/rearguard/nodes"
PROBE = r"""
import json, os, stat, sys

def trying(call, *arguments):
    try:
        return call(*arguments) or "done"
    except OSError as error:
        return os.strerror(error.errno)

def opening(path, flags):
    os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY))

found = {"mknod": trying(os.mknod, "mine", stat.S_IFCHR | 0o600, os.makedev(1, 1))}
for top in ("/dev", "/var/lib/rearguard/nodes"):
    for folder, _, names in os.walk(top):
        for path in (os.path.join(folder, name) for name in names):
            mode = os.lstat(path).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                found[path] = [trying(opening, path, how) for how in (os.O_RDONLY, os.O_WRONLY)]
json.dump(found, open(sys.argv[1], "w"))
"""
NODES = {
    "mem": (stat.S_IFCHR, 1, 1),
    "port": (stat.S_IFCHR, 1, 4),
    "kmsg": (stat.S_IFCHR, 1, 11),
    "tty1": (stat.S_IFCHR, 4, 1),
    "ttyS0": (stat.S_IFCHR, 4, 64),
    "console": (stat.S_IFCHR, 5, 1),
    "ttyAMA0": (stat.S_IFCHR, 204, 64),
    "watchdog": (stat.S_IFCHR, 10, 130),
    "hwrng": (stat.S_IFCHR, 10, 183),
    "autofs": (stat.S_IFCHR, 10, 235),
    "spidev0.0": (stat.S_IFCHR, 153, 0),
    "i2c-1": (stat.S_IFCHR, 89, 1),
    "event0": (stat.S_IFCHR, 13, 64),
    "loop0": (stat.S_IFBLK, 7, 0),
    "sda": (stat.S_IFBLK, 8, 0),
    "mmcblk0": (stat.S_IFBLK, 179, 0),
}
"""What could be opened by a name of one's own; the Pi's, whether or not this kernel has them."""
FORBIDDEN = os.strerror(errno.EPERM)
HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx"}


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    """With something far away."""
    with Far(tmp_path) as far:
        far.order(distance_m=FAR_M)
        yield far


@pytest.fixture
def chip_is_back() -> Iterator[None]:
    """As udev left it."""
    yield
    debian("udevadm", "trigger", "--settle", "--subsystem-match=gpio")


def test_it_is_started_at_boot_and_udev_gives_the_chip_to_its_group() -> None:
    mode = CHIP.stat()
    assert stat.S_IMODE(mode.st_mode) == 0o660
    assert debian("getent", "group", str(mode.st_gid)).startswith("gpio:")
    assert "rearguard" in debian("getent", "group", "gpio")
    unit.becomes("active")
    assert unit.show("NRestarts") == "0"
    assert "gpio.factory = auto (GpiodFactory)" in debian("journalctl", "-b", "-u", NAME)
    assert debian("systemctl", "is-system-running").strip() == "running"


@pytest.mark.parametrize("factory", FACTORIES)
def test_in_the_sandbox_echoes_become_levels_and_lines_move(factory: str, far: Far) -> None:
    with unit.running(factory):
        until(lambda: unit.status()["level"] == "clear" and unit.status()["distance_m"], 5.0, 0.1)
        assert unit.status()["distance_m"] == pytest.approx(FAR_M, abs=0.02)
        until(outputs_low, 3.0)  # the greeting is over
        began_s = far.order(distance_m=unit.STOP_M)
        until(unit.sounding, 3.0)
        assert unit.status()["level"] == "stop"
        far.order(distance_m=FAR_M)
        until(lambda: unit.status()["level"] == "clear", 10.0, 0.1)
        assert {each.what for each in far.seen(since_s=began_s) if each.level} == {
            "buzzer",
            "motor",
        }
        far.order(distance_m=FAR_M, failure=Failure.OFF)
        until(lambda: unit.status()["fault"] is not None, 3.0, 0.1)
    assert outputs_low()
    assert unit.show("Result") == "success"


def test_in_the_sandbox_only_the_chip_and_harmless_devices_open(far: Far) -> None:
    (DEBIAN / PROBE_AT).write_text(PROBE, encoding="utf-8")
    (DEBIAN / NODES_AT).mkdir()
    for name, (kind, major, minor) in NODES.items():
        node = DEBIAN / NODES_AT / name
        os.mknod(node, kind, os.makedev(major, minor))
        node.chmod(0o666)
    probing = ("/usr/bin/python3", f"/{PROBE_AT}")
    debian(*probing, "/run/outside.json")
    with unit.running("gpiod", drop_in=f"[Service]\nExecStartPost={' '.join(probing)} inside.json"):
        inside = json.loads((DEBIAN / "run/rearguard/inside.json").read_text("utf-8"))
    outside = json.loads((DEBIAN / "run/outside.json").read_text("utf-8"))
    devices = {path.removeprefix("/dev/") for path in inside if path.startswith("/dev/")}
    assert devices == HARMLESS | {CHIP.name}
    assert inside[str(CHIP)] == ["done", "done"]
    assert inside["mknod"] == FORBIDDEN
    # Outside nothing is forbidden; what does not open is not in this kernel.
    assert outside[f"/{NODES_AT}/kmsg"] == ["done", "done"]
    for name in NODES:
        assert inside[f"/{NODES_AT}/{name}"] == [FORBIDDEN, FORBIDDEN], name
        assert FORBIDDEN not in outside[f"/{NODES_AT}/{name}"], name


@pytest.mark.parametrize(
    ("factory", "number", "within_s"),
    [
        ("gpiod", signal.SIGKILL, LOW_S),
        ("lgpio", signal.SIGKILL, LOW_S),
        ("gpiod", signal.SIGSTOP, HUNG_S),
    ],
)
def test_killed_or_hung_in_mid_buzz_it_is_low_and_ready_again_at_once(
    factory: str, number: signal.Signals, within_s: float, far: Far, note: Callable[[str], None]
) -> None:
    since = unit.cursor()
    with unit.running(factory):
        struck_s = unit.strike_in_mid_buzz(far, FAR_M, number)
        ready_s = unit.ready_again(struck_s) - struck_s
        low_s = unit.low_s(far, struck_s) - struck_s
    note(f"{factory}, {number.name}: low {1000 * low_s:.0f} ms, ready {1000 * ready_s:.0f} ms")
    said = unit.said(since)
    assert low_s < within_s
    assert ready_s < (READY_S if number == signal.SIGKILL else HUNG_S + READY_S)
    assert "restarted: the last run ended unbidden" in said
    assert ("Watchdog timeout" in said) == (number == signal.SIGSTOP)


def test_without_its_last_command_a_killed_daemon_buzzes_on(far: Far) -> None:
    """So that the test above says something: this kernel keeps what was driven, as a Pi's does."""
    with unit.running("gpiod", drop_in="[Service]\nExecStopPost=\nRestart=no"):
        unit.strike_in_mid_buzz(far, FAR_M)
        unit.becomes("failed")
        time.sleep(2.0)
        assert SimChip().level(OUTPUTS[0])
        far.order(distance_m=None, failure=Failure.OFF)
        debian("systemctl", "start", NAME)
    assert outputs_low()


def test_a_chip_that_stays_forbidden_is_one_line_and_tried_again(
    far: Far, chip_is_back: None
) -> None:
    """And by its group alone may it open the chip."""
    debian("systemctl", "stop", NAME)
    unit.configure("gpiod")
    os.chown(CHIP, 0, 0)
    since = unit.cursor()
    debian("systemctl", "start", "--no-block", NAME)
    until(lambda: unit.show("NRestarts") == "1", 10.0, 0.5)
    own = [line for line in unit.said(since).splitlines() if "gpiochip0" in line]
    assert len(own) == 1, own
    assert "/dev/gpiochip0: no permission; add the user to group gpio and log in again" in own[0]
    assert "status=2/INVALIDARGUMENT" in unit.said(since)
    debian("chgrp", "gpio", str(CHIP))
    unit.becomes("active")
    assert unit.status()["fault"] is None


@pytest.mark.parametrize("factory", FACTORIES)
def test_before_udev_has_set_permissions_it_waits(
    factory: str, far: Far, chip_is_back: None
) -> None:
    debian("systemctl", "stop", NAME)
    unit.configure(factory)
    CHIP.chmod(0o600)
    since = unit.cursor()
    debian("systemctl", "start", "--no-block", NAME)
    began_s = time.monotonic()
    time.sleep(2.0)
    assert unit.show("ActiveState") == "activating"
    CHIP.chmod(0o660)
    unit.becomes("active", 2.0)
    assert time.monotonic() - began_s < 3.0
    assert unit.show("NRestarts") == "0"
    assert "permission" not in unit.said(since)
    debian("systemctl", "stop", NAME)


def test_a_chip_that_comes_late_is_found_by_the_next_start(far: Far, chip_is_back: None) -> None:
    """The sandbox has what was there when it was made."""
    debian("systemctl", "stop", NAME)
    unit.configure("gpiod")
    CHIP.rename("/dev/later")
    try:
        debian("systemctl", "start", "--no-block", NAME)
        time.sleep(1.0)
    finally:
        Path("/dev/later").rename(CHIP)
    unit.becomes("active")
    assert int(unit.show("NRestarts")) >= 1
