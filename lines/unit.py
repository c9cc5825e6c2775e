"""The service as systemd runs it in the guest, and what a test asks of it from outside.

A test's own process sees this machine's files; Debian's are those of process 1.
"""

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lines.rig import AT_20_C, OUTPUTS, Far, until
from lines.sim_chip import SimChip

NAME = "rearguard.service"
DEBIAN = Path("/proc/1/root")
SOCKET = Path("/run/rearguard/status.sock")
CHIP = Path("/dev/gpiochip0")
CONFIG = DEBIAN / "etc/rearguard/rearguard.toml"
LOOK_S = 0.1
STOP_M = 0.4
_DROP_INS = DEBIAN / f"run/systemd/system/{NAME}.d"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def debian(*command: str) -> str:
    """What a command says, as root in Debian and in no sandbox."""
    done = subprocess.run(
        ["chroot", str(DEBIAN), *command],
        check=False,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def show(name: str) -> str:
    """A property of the unit."""
    return debian("systemctl", "show", f"--property={name}", "--value", NAME).strip()


def becomes(state: str, within_s: float = 10.0) -> None:
    """Wait for the unit's state. Asking costs a process, and the bench a tenth of a second."""
    until(lambda: show("ActiveState") == state, within_s, LOOK_S)


def ready_again(since_s: float, within_s: float = 10.0) -> float:
    """Wait for it to be ready; when it was.

    Not by asking systemd: its timers, for the restart and the watchdog, may be up to 250 ms late,
    so that one waking serves several, and every question wakes it.
    """
    until(lambda: status().get("up_s", math.inf) < time.monotonic() - since_s, within_s, LOOK_S)
    until(lambda: when_s("ActiveEnter") > since_s, within_s, LOOK_S)
    return when_s("ActiveEnter")


def when_s(name: str) -> float:
    """A property that is a time: CLOCK_MONOTONIC's."""
    return int(show(f"{name}TimestampMonotonic")) / 1e6


def status() -> dict[str, Any]:
    """What `rearguard status` says; empty while nobody answers."""
    with socket.socket(socket.AF_UNIX) as asker, contextlib.suppress(OSError):
        asker.connect(str(SOCKET))
        told: dict[str, Any] = json.loads(asker.makefile().readline() or "{}")
        return told
    return {}


def cursor() -> str:
    """Where the journal is now, for `said`."""
    debian("journalctl", "--sync")
    last = debian("journalctl", "--no-pager", "-n1", "--output=json", "--output-fields=MESSAGE")
    return str(json.loads(last)["__CURSOR"])


def said(since: str) -> str:
    """What the unit, and systemd about it, have said since then."""
    debian("journalctl", "--sync")
    return debian(
        *("journalctl", "--no-pager", "--output=cat", f"--unit={NAME}"),
        f"--after-cursor={since}",
    )


def configure(factory: str, config: str = AT_20_C, drop_in: str = "") -> None:
    """What the next start is with; `drop_in` is more of the unit."""
    CONFIG.write_text(f'{config}\n[gpio]\nfactory = "{factory}"\n', encoding="utf-8")
    more = _DROP_INS / "test.conf"
    if drop_in != (more.read_text("utf-8") if more.exists() else ""):  # a reload takes seconds
        _DROP_INS.mkdir(parents=True, exist_ok=True)
        more.write_text(drop_in, encoding="utf-8")
        debian("systemctl", "daemon-reload")


@contextlib.contextmanager
def running(factory: str, config: str = AT_20_C, drop_in: str = "") -> Iterator[None]:
    """The service, from READY to its end, which leaves the lines low."""
    configure(factory, config, drop_in)
    debian("systemctl", "restart", NAME)
    try:
        yield
    finally:
        debian("systemctl", "stop", NAME)


def sounding() -> bool:
    """STOP's long tone and pulse: both lines high, the motor between two of PWM's."""
    chip = SimChip()
    return all(any(chip.level(line) for _ in range(50)) for line in OUTPUTS)


def strike_in_mid_buzz(far: Far, far_m: float, number: int = signal.SIGKILL) -> float:
    """A signal to the daemon when both outputs are on; when that was.

    What was there is gone then, so that a new daemon does not buzz.
    """
    until(lambda: status()["proven"], 10.0, LOOK_S)
    far.order(distance_m=STOP_M)
    daemon = status()["pid"]
    until(sounding, 3.0)
    now_s = time.monotonic()
    os.kill(daemon, number)
    far.order(distance_m=far_m)
    return now_s


def low_s(far: Far, since_s: float) -> float:
    """When both outputs were low for the first time after `since_s`."""
    up = {"buzzer": False, "motor": False}
    for each in far.seen():
        if each.what in up:
            up[each.what] = bool(each.level)
            if each.t_s > since_s and not any(up.values()):
                return each.t_s
    raise AssertionError(f"still on: {up}")
