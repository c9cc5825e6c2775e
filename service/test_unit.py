"""The service as systemd runs it: up, watched, quiet when it dies, and back at once.

Times are by the monotonic clock, which a container shares with us, and of a moment at which an
output was on. What was measured is printed.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.rig import (
    CONFIG,
    RUNTIME,
    STATE,
    UNIT,
    WALKING,
    Machine,
    Pins,
    kept,
    log,
    main_pid,
    ready_s,
    status,
    told,
    until,
)

QUIET_S = 0.2
READY_S = 1.0
WATCHDOG_S = 0.5
DIES_S = 0.2
"""On SIGABRT it writes its stacks to the log first."""
SPIN_S = 0.4
"""150 ms, but counted anew when another thread, as the one for the status, has had its turn."""
Note = Callable[[str], None]
HOOK = """
import os, signal, threading, time

def spin(*_):
    while True:
        pass

def optional():
    time.sleep(0.4)
    if any(thread.name == "journal" for thread in threading.enumerate()):
        os._exit(7)

signal.signal(signal.SIGUSR1, spin)
if os.path.exists("/opt/hook/crash"):
    threading.Thread(target=optional, daemon=True).start()
"""
"""On SIGUSR1 spin; while /opt/hook/crash is there, crash soon after each start that keeps a
journal."""
HOOKED = "[Service]\nEnvironment=PYTHONPATH=/opt/hook PYTHONDONTWRITEBYTECODE=1\n"
DROP_IN = "/etc/systemd/system/rearguard.service.d"


@pytest.fixture(autouse=True)
def fresh(machine: Machine) -> None:
    """Each test begins with the same settings, a clean record and a walk that has begun."""
    machine.run("systemctl stop rearguard; umount -l /var/lib/rearguard; true")
    machine.write(CONFIG, WALKING)
    start(machine)


@pytest.fixture
def hook(machine: Machine) -> Iterator[Machine]:
    """With a way into the daemon."""
    machine.write("/opt/hook/sitecustomize.py", HOOK)
    machine.write(f"{DROP_IN}/hook.conf", HOOKED)
    machine.systemctl("daemon-reload")
    start(machine)
    yield machine
    machine.run(f"systemctl stop rearguard; rm -r {DROP_IN} /opt/hook; systemctl daemon-reload")


def start(machine: Machine) -> None:
    machine.systemctl("restart rearguard")
    told(machine, lambda said: said["proven"])


def since(machine: Machine, before: str) -> str:
    """What was said after `before`, a log."""
    return log(machine).removeprefix(before)


def end_and_watch(machine: Machine, number: int) -> tuple[float, float]:
    """Signal the daemon while an output is on: seconds until all are low, and until READY again."""
    pid = main_pid(machine)
    with Pins(machine) as pins:
        until(pins.high, 10.0)
        began_s = time.monotonic()
        os.kill(pid, number)
        quiet_s = until(lambda: not pins.high(), 10.0)
    return quiet_s, ready_s(machine, began_s) - began_s


def end_often(
    machine: Machine, number: int, says: str, times: int = 3
) -> list[tuple[float, float]]:
    """`end_and_watch`, each on a clean record, for three in a row are a crash loop."""
    took = []
    for _ in range(times):
        before = log(machine)
        took.append(end_and_watch(machine, number))
        said = since(machine, before)
        assert says in said
        assert "restarted" in said
        start(machine)
    return took


def test_it_is_ready_with_a_status_and_watched(machine: Machine) -> None:
    assert machine.show(UNIT, "WatchdogUSec") == "500ms"
    until(lambda: "pings/s" in machine.show(UNIT, "StatusText"), 5.0)
    assert status(machine)["fault"] is None
    pid = main_pid(machine)
    there = machine.show(UNIT, "MainPID")
    for thread in machine.run(f"chrt -a -p {there}").stdout.splitlines():
        assert thread.endswith(("SCHED_FIFO", "priority: 10")), thread
    limits = Path(f"/proc/{pid}/limits").read_text("utf-8").splitlines()
    (rttime,) = (line for line in limits if line.startswith("Max realtime timeout"))
    assert rttime.split()[3] == "150000"
    bare = "systemd-run --quiet --wait --pipe -p OOMScoreAdjust=-900 cat /proc/self/oom_score_adj"
    assert machine.show(UNIT, "OOMScoreAdjust") == "-900"
    # As much as this kernel grants to anyone: some refuse it even to root.
    assert machine.read(f"/proc/{there}/oom_score_adj") == machine.run(bare).stdout


def test_the_sandbox_holds_in_the_running_daemon(machine: Machine) -> None:
    into = (
        f"nsenter -t {machine.show(UNIT, 'MainPID')} --mount --user --net --preserve-credentials "
    )
    assert "root" not in machine.run(f"ps -o user= -p {machine.show(UNIT, 'MainPID')}").stdout
    devices = set(machine.run(f"{into} ls /dev").stdout.split())
    plain = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue"}
    links = {"core", "fd", "stdin", "stdout", "stderr", "log", "initctl", "hugepages", "char"}
    assert devices - plain - links == set()
    assert machine.run(f"{into} ls /sys/class/net").stdout.split() in ([], ["lo"])
    for place in ("/etc", "/usr", "/root", "/home", "/var/log"):
        assert machine.run(f"{into} touch {place}/mark", check=False).returncode, place


def test_killed_it_is_quiet_at_once_and_back_within_a_second(machine: Machine, note: Note) -> None:
    quiet_s, back_s = zip(*end_often(machine, signal.SIGKILL, "status=9/KILL", 5), strict=True)
    kept("SIGKILL: low", [*quiet_s], QUIET_S, note)
    kept("SIGKILL: READY", [*back_s], READY_S, note)


def test_hung_it_is_ended_by_the_watchdog(machine: Machine, note: Note) -> None:
    quiet_s, back_s = zip(*end_often(machine, signal.SIGSTOP, "Watchdog timeout"), strict=True)
    kept("hang: low", [*quiet_s], WATCHDOG_S + QUIET_S + DIES_S, note)
    kept("hang: READY", [*back_s], WATCHDOG_S + READY_S + DIES_S, note)


def test_spinning_it_is_ended_by_the_limit_on_real_time(hook: Machine, note: Note) -> None:
    quiet_s, back_s = zip(*end_often(hook, signal.SIGUSR1, "status=24/XCPU"), strict=True)
    kept("spin: low", [*quiet_s], SPIN_S + QUIET_S, note)
    kept("spin: READY", [*back_s], SPIN_S + READY_S, note)


def test_a_good_reload_is_in_use_and_the_process_stays(machine: Machine) -> None:
    pid = main_pid(machine)
    machine.write(CONFIG, f'{WALKING}\n[alert]\nprofile = "fit"\n')
    machine.systemctl("reload rearguard")
    journals = machine.root / STATE / "journals"
    until(lambda: b'"profile":"fit"' in max(journals.glob("*.jsonl")).read_bytes(), 5.0)
    assert told(machine, lambda said: said["proven"])["kept"] is None
    assert main_pid(machine) == pid


def test_a_bad_reload_changes_nothing_and_says_why(machine: Machine) -> None:
    pid = main_pid(machine)
    before = log(machine)
    machine.write(CONFIG, f"{WALKING}\n[motor]\npin = 99\n")
    machine.systemctl("reload rearguard", check=False)
    assert "motor.pin" in told(machine, lambda said: said["kept"])["kept"]
    assert main_pid(machine) == pid
    assert "motor.pin" in since(machine, before)
    until(lambda: "refused" in machine.show(UNIT, "StatusText"), 5.0)
    with Pins(machine) as pins:
        until(pins.high, 10.0)  # it still warns
    machine.write(CONFIG, WALKING)
    machine.systemctl("reload rearguard")
    told(machine, lambda said: said["kept"] is None)


def test_settings_that_cannot_be_used_at_the_start_give_way_to_the_last_good(
    machine: Machine,
) -> None:
    until((machine.root / STATE / "last-good.json").exists, 5.0)
    machine.systemctl("stop rearguard")
    machine.write(CONFIG, "[motor]\npin = 99\n")
    start(machine)
    said = status(machine)
    assert said["factory"] == "mock"
    assert said["fault"] == "settings"
    assert "motor.pin" in said["kept"]


def test_a_read_only_card_costs_the_journal_only(machine: Machine) -> None:
    machine.systemctl("stop rearguard")
    machine.run(
        "mount -t tmpfs -o mode=750 tmpfs /var/lib/rearguard && chown rearguard: /var/lib/rearguard"
        " && mount -o remount,ro /var/lib/rearguard"
    )
    start(machine)
    still_warns(machine, "disk read-only")


def test_a_full_card_costs_the_journal_only(machine: Machine) -> None:
    machine.systemctl("stop rearguard")
    machine.run(
        "mount -t tmpfs -o mode=750,size=64k tmpfs /var/lib/rearguard"
        " && chown rearguard: /var/lib/rearguard"
    )
    start(machine)
    machine.run("cat /dev/zero >/var/lib/rearguard/filler", check=False)
    still_warns(machine, "disk full")


def still_warns(machine: Machine, but: str) -> None:
    said = told(machine, lambda said: said["journal"] and said["journal"]["failed"])
    assert said["journal"]["failed"] == but
    until(lambda: f"journal off: {but}" in machine.show(UNIT, "StatusText"), 5.0)
    for _ in range(2):
        with Pins(machine) as pins:
            until(pins.high, 10.0)
            until(lambda: not pins.high(), 10.0)
    assert machine.show(UNIT, "NRestarts") == "0"


def test_a_crash_loop_ends_on_safe_settings(hook: Machine, note: Note) -> None:
    before = log(hook)
    hook.write("/opt/hook/crash", "")
    began_s = time.monotonic()
    hook.run(f"kill -KILL {hook.show(UNIT, 'MainPID')}")

    said = told(hook, lambda said: said["safe"] and said["proven"], 20.0)
    note(f"crash loop: on safe settings {time.monotonic() - began_s:.1f} s after the first end")
    assert said["fault"] == "crash-loop"
    assert said["journal"] is None
    until(lambda: "safe settings" in hook.show(UNIT, "StatusText"), 5.0)
    pid = main_pid(hook)
    with Pins(hook) as pins:
        until(pins.high, 10.0)
    time.sleep(1.0)  # longer than the others lived
    assert main_pid(hook) == pid
    assert "crash loop" in since(hook, before)


def test_stopped_it_is_low_and_leaves_nothing_behind(machine: Machine, note: Note) -> None:
    before = log(machine)
    pid = main_pid(machine)
    with Pins(machine) as pins:
        until(pins.high, 10.0)
        began_s = time.monotonic()
        machine.systemctl("stop rearguard")
        took_s = time.monotonic() - began_s
        assert not pins.high()
    note(f"stop: done in {took_s:.3f} s")
    assert took_s < 2.0
    assert machine.systemctl("is-active rearguard", check=False) == "inactive"
    assert machine.show(UNIT, "Result") == "success"
    assert not Path(f"/proc/{pid}").exists()
    assert not (machine.root / RUNTIME).exists()
    assert "outputs low" in since(machine, before)
    start(machine)
    assert "restarted" not in since(machine, before)


def test_only_the_group_is_told(machine: Machine) -> None:
    machine.run("id outsider || { useradd outsider; useradd -G rearguard insider; }")
    ask = "runuser -u {} -- rearguard status"
    told = machine.run(ask.format("insider"))
    assert "running" in told.stdout
    refused = machine.run(ask.format("outsider"), check=False)
    assert refused.returncode == 2
    assert "group rearguard" in refused.stderr
    assert not refused.stdout


def test_a_walk_is_kept_in_the_sandbox_and_only_the_group_may_read_it(machine: Machine) -> None:
    machine.run("id outsider || { useradd outsider; useradd -G rearguard insider; }")
    machine.run("rm -f /var/lib/rearguard/walks*")
    start(machine)

    def last() -> dict[str, Any]:
        done = machine.run("runuser -u insider -- rearguard walks show --json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {"walked_s": 0.0}

    until(lambda: last()["walked_s"] >= 3.0, 30.0)
    assert last()["begun"] == "motion"
    refused = machine.run("runuser -u outsider -- rearguard walks", check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "may not be read; sudo, or the group rearguard, may" in refused.stderr
    machine.systemctl("stop rearguard")
    assert last()["ended"] == "stopped"
    machine.run("runuser -u insider -- rearguard walks plan")
    explained = machine.run("runuser -u insider -- rearguard walks explain")
    assert explained.stdout.splitlines()[-1].startswith("good: ")


def test_verify_has_nothing_to_say(machine: Machine) -> None:
    done = machine.run(f"systemd-analyze verify --man=no {UNIT}")
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(("serial", "threshold"), [(False, 2), (True, 4)], ids=["gpio", "serial"])
def test_little_is_exposed(machine: Machine, note: Note, serial: bool, threshold: int) -> None:
    if serial:
        machine.run(f"mkdir -p {DROP_IN}; cp /usr/share/rearguard/serial.conf {DROP_IN}")
    machine.systemctl("daemon-reload")
    try:
        done = machine.run(
            f"systemd-analyze security --no-pager --threshold={threshold} {UNIT}", check=False
        )
    finally:
        machine.run(f"rm -rf {DROP_IN}; systemctl daemon-reload")
    overall = [line for line in done.stdout.splitlines() if "Overall exposure" in line]
    note(f"{'with serial' if serial else 'gpio'}: {overall[0].strip(' →')}")
    assert done.returncode == 0, done.stdout


def test_with_the_drop_in_for_serial_it_starts_all_the_same(machine: Machine) -> None:
    machine.run(f"mkdir -p {DROP_IN}; cp /usr/share/rearguard/serial.conf {DROP_IN}")
    machine.systemctl("daemon-reload")
    try:
        start(machine)
    finally:
        machine.run(f"rm -rf {DROP_IN}; systemctl daemon-reload")
