"""The bench itself: a sandbox takes effect in there, so that a pass elsewhere says something.

Each right is tried twice, in the sandbox, where it must be refused, and without, where it must not:
otherwise a refusal could be the container's.
"""

import time

import pytest

from service.rig import Machine, until
from service.roots import SUITES

TOY = """
import os, signal, socket, sys, time

def tell(words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        address = os.environ["NOTIFY_SOCKET"]
        sender.connect("\\0" + address[1:] if address[0] == "@" else address)
        sender.send(words.encode())

def spin(*_):
    while True:
        pass

signal.signal(signal.SIGUSR1, spin)
tell("READY=1\\nSTATUS=walking")
while True:
    time.sleep(0.05)
    tell("WATCHDOG=1")
"""
UNIT = """
[Service]
Type=notify
ExecStart=python3 /opt/toy.py
WatchdogSec=500ms
CPUSchedulingPolicy=fifo
CPUSchedulingPriority=10
LimitRTTIME=200ms
DynamicUser=yes
PrivateDevices=yes
DevicePolicy=closed
RestrictRealtime=yes
TimeoutStopSec=2s
"""
ALONE = "systemd-run --quiet --wait --pipe --collect "


@pytest.fixture(scope="module")
def toy(bare: Machine) -> Machine:
    bare.write("/opt/toy.py", TOY)
    bare.write("/etc/systemd/system/toy.service", UNIT)
    bare.systemctl("daemon-reload")
    return bare


def test_systemd_is_the_one_that_the_suite_is_for_and_all_units_start(
    bare: Machine, suite: str
) -> None:
    assert bare.run("systemctl --version").stdout.split()[1] == SUITES[suite]
    assert bare.systemctl("is-system-running", check=False) == "running"


def test_a_notifying_unit_says_ready_and_status(toy: Machine) -> None:
    toy.systemctl("restart toy")
    assert toy.show("toy", "StatusText") == "walking"
    pid = toy.show("toy", "MainPID")
    status = toy.run(f"chrt -p {pid}; ps -o user= -p {pid}").stdout
    assert "SCHED_FIFO" in status
    assert "root" not in status


def test_the_watchdog_ends_a_stopped_process(toy: Machine) -> None:
    toy.systemctl("restart toy")
    began_s = time.monotonic()
    toy.run(f"kill -STOP {toy.show('toy', 'MainPID')}")
    until(lambda: toy.show("toy", "Result") == "watchdog", 10.0)
    assert time.monotonic() - began_s >= 0.4


def test_rttime_ends_a_spinning_process_long_before_the_watchdog_would(toy: Machine) -> None:
    toy.run("systemctl reset-failed toy; systemctl restart toy")
    toy.run(f"kill -USR1 {toy.show('toy', 'MainPID')}")
    until(lambda: toy.show("toy", "ActiveState") == "failed", 10.0)
    assert toy.show("toy", "Result") == "signal"


@pytest.mark.parametrize(
    ("sandbox", "command"),
    [
        ("DevicePolicy=closed", ": </dev/stand-in"),
        ("PrivateDevices=yes", "ls /dev/stand-in"),
        ("ProtectSystem=strict", "touch /opt/mark"),
        ("ProtectHome=yes", "ls /root/.profile"),
        ("ProtectProc=invisible -p User=nobody", "ls /proc/1/cmdline"),
        ("PrivateNetwork=yes", 'test "$(stat -Lc %i /proc/self/ns/net)" = "$(cat /opt/net)"'),
        ("PrivateUsers=yes", "grep -q 4294967295 /proc/self/uid_map"),
        ("PrivateIPC=yes", 'test "$(stat -Lc %i /proc/self/ns/ipc)" = "$(cat /opt/ipc)"'),
        ("RestrictAddressFamilies=AF_UNIX", "python3 -c 'import socket; socket.socket()'"),
        ("RestrictNamespaces=yes", "unshare --uts true"),
        ("SystemCallFilter=~@mount -p SystemCallErrorNumber=EPERM", "mount -t tmpfs tmpfs /mnt"),
        ("MemoryDenyWriteExecute=yes", "python3 -c 'import mmap; mmap.mmap(-1, 9, prot=7)'"),
        ("CapabilityBoundingSet=", "chown 1:1 /opt/net"),
        ("RestrictRealtime=yes", "chrt -f 5 true"),
        (
            "IPAddressDeny=any",
            'python3 -c \'import socket as s; s.socket(type=2).sendto(b"",("127.0.0.1",9))\'',
        ),
    ],
    ids=lambda text: text.split("=")[0] if text[0].isupper() else "",
)
def test_a_sandbox_takes_effect(bare: Machine, sandbox: str, command: str) -> None:
    bare.run("test -e /dev/stand-in || mknod -m 666 /dev/stand-in c 1 11")
    bare.run("for n in net ipc; do stat -Lc %i /proc/self/ns/$n >/opt/$n; done")
    bare.write("/opt/try.sh", command)
    _, _, rest = sandbox.partition(" -p User=")
    bare.run(f"{ALONE} -p User={rest or 'root'} sh /opt/try.sh")
    refused = bare.run(f"{ALONE} -p {sandbox} sh /opt/try.sh", check=False)
    assert refused.returncode, refused.stdout


def test_power_loss_takes_what_was_not_yet_on_the_disk(suite: str) -> None:
    with Machine(suite) as machine:
        machine.run("echo kept >/opt/kept; sync /opt/kept /opt; echo lost >/opt/lost")
        machine.kill()
        machine.boot_again()
        assert machine.read("/opt/kept") == "kept\n"
        assert machine.run("cat /opt/lost", check=False).stdout != "lost\n"
        machine.run("echo kept >/opt/late")
        machine.boot_again()
        assert machine.read("/opt/late") == "kept\n"
