"""What a test holds in its hands: a Debian that has booted, to be driven, watched and cut off.

A machine is a systemd-nspawn container with every right that systemd's sandboxes need to take
effect, and an ext4 disk of its own: an image that is mounted here, over it an overlay on a suite's
root. So losing power is what it is on a card: every process is gone at once, and with them what the
kernel had not yet written (`Machine.kill`).
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from service.roots import root

SCRATCH = Path(os.environ.get("SERVICE_SCRATCH", "/nowhere"))
"""A tmpfs that only this run of the bench sees."""
CGROUPS = Path("/sys/fs/cgroup")
UNIT = "rearguard.service"
CONFIG = "/etc/rearguard/rearguard.toml"
RUNTIME = "run/rearguard"
STATE = "var/lib/rearguard"
OUTPUTS = (18, 13)
"""The buzzer's and the motor's GPIO."""
WALKING = """
[gpio]
factory = "mock"

[simulation]
scenario = "/etc/rearguard/walk.toml"
"""
WALK = """
title = "Up to a wall and back, ten times a minute"
number = 1
duration_s = 3600.0
expect = "any"

[walker]
heeds = false
legs = [
"""
WALK += "  { for_s = 3.0, speed_mps = 1.0 }, { for_s = 3.0, speed_mps = -1.0 },\n" * 100
WALK += """]

[[obstacles]]
shape = "wall"
along_m = 3.4
"""
APT = "apt-get -q -y -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0"
BOOT_S = 30.0
LOOK_S = 0.005
BUSY = 3.0
"""By so much a busy machine may be slower, now and then."""
ASK_S = 0.05
"""For what is asked of systemd."""
_DISK_MB = 1024
_EXT4_SHUTDOWN = 0x8004587D
_WITHOUT_A_FLUSH = (2).to_bytes(4, "little")
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
_POWER_ON = """
echo $$ >"$0/cgroup.procs"
mount -o loop,noatime "$1/image" "$1/disk"
mkdir -p "$1/disk/upper" "$1/disk/work"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/disk/upper,workdir=$1/disk/work" "$1/merged"
shift 2
exec "$@"
"""
"""In mount namespaces of their own: a container of an older nspawn keeps, hidden, all mounts that
there were when it began, and so would keep other machines' disks."""


class Machine:
    """One suite's Debian, from power on to power off. The disk is kept across `boot_again`."""

    def __init__(self, suite: str, shown: dict[str, Path] | None = None) -> None:
        """Boots at `with`. `shown` are folders of ours that it has, read-only, by where."""
        self.suite = suite
        self.name = f"{suite}-{secrets.token_hex(4)}"
        self.console = SCRATCH / f"{self.name}.console"
        """What it said while booting."""
        self.leader = 0
        """Its process 1, as seen from here."""
        self._folder = SCRATCH / self.name
        self._shown = [f"--bind-ro={ours}:{there}" for there, ours in (shown or {}).items()]
        self._disk, self._merged = self._folder / "disk", self._folder / "merged"
        self._group = _groups() / self.name
        self._nspawn: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """All of its files, /run and what is mounted too. Absolute links lead astray: to ours."""
        return Path(f"/proc/{self.leader}/root")

    def run(
        self, command: str, *, check: bool = True, timeout_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """A shell command as its root. Fails with what it said, if `check`."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.leader), "--all", "sh", "-c", command],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=_ENVIRONMENT,
            timeout=timeout_s,
        )
        said = f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert not check or done.returncode == 0, said
        return done

    def systemctl(self, words: str, *, check: bool = True) -> str:
        """What `systemctl WORDS` prints."""
        return self.run(f"systemctl --no-pager {words}", check=check).stdout.strip()

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl(f"show --property={name} --value {unit}")

    def journal(self, unit: str) -> str:
        """What the unit, and systemd about it, have said since the boot; oldest first."""
        return self.run(f"journalctl --sync; journalctl --no-pager --output=cat -u {unit}").stdout

    def write(self, path: str, text: str) -> None:
        """A file, with its folders."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        """A file's text."""
        return (self.root / path.lstrip("/")).read_text("utf-8")

    def pids(self, unit: str) -> list[int]:
        """A unit's processes by their numbers here, which a test may signal without delay."""
        group = self._group / "payload/system.slice" / unit / "cgroup.procs"
        return [int(pid) for pid in group.read_text().split()]

    def kill(self) -> None:
        """Power loss: nothing runs on, and what was not yet on the disk never will be."""
        with _opened(self._disk_there()) as disk:
            _kill(self._group)
            fcntl.ioctl(disk, _EXT4_SHUTDOWN, _WITHOUT_A_FLUSH)
        self._gone()

    def wait_off(self) -> None:
        """Until it has switched itself off, as it was told to."""
        self._gone()

    def boot_again(self) -> None:
        """Power on; a machine that still runs is shut down first."""
        if self.leader:
            self.systemctl("poweroff", check=False)
            self._gone()
        self._boot()

    def __enter__(self) -> Self:
        """A disk, and the first boot."""
        self._disk.mkdir(parents=True)
        self._merged.mkdir()
        image = self._folder / "image"
        with image.open("wb") as file:
            file.truncate(_DISK_MB * 2**20)
        _do("mkfs.ext4", "-q", "-E", "lazy_itable_init=1", str(image))
        try:
            self._boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """The end of it, and of its disk."""
        if self._nspawn is not None:  # it has not switched itself off
            _kill(self._group)
            self._gone()
        shutil.rmtree(self._folder)

    def _boot(self) -> None:
        self._group.mkdir(parents=True)
        with self.console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                [
                    *("unshare", "--mount", "sh", "-euc", _POWER_ON),
                    *(str(self._group), str(self._folder), str(root(self.suite))),
                    *("systemd-nspawn", "--quiet", f"--directory={self._merged}", "--boot"),
                    *(f"--machine={self.name}", "--keep-unit", "--register=no"),
                    # Sandboxes are made with rights: mknod, bpf, setting a scheduling policy.
                    *("--capability=all", "--drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE"),
                    *("--private-network", "--link-journal=no", "--console=pipe"),
                    *("--resolv-conf=off", "--timezone=off", *self._shown),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                # No filter of nspawn's own: it would forbid what units' filters are tested for.
                env=_ENVIRONMENT
                | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_SECCOMP": "0"},
            )
        until(self._is_up, BOOT_S, self._said, ASK_S)

    def _said(self) -> str:
        return self.console.read_text("utf-8", "replace")

    def _disk_there(self) -> Path:
        assert self._nspawn is not None
        return Path(f"/proc/{self._nspawn.pid}/root/{self._disk}")

    def _is_up(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._said()
        if not self.leader:
            pid = self._nspawn.pid
            said = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            self.leader = next(
                (child for child in map(int, said.split()) if _number_there(child) == "1"), 0
            )
            return False
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}

    def _gone(self) -> None:
        nspawn = self._nspawn
        assert nspawn is not None
        until(lambda: nspawn.poll() is not None, 30.0, self._said)
        self._nspawn, self.leader = None, 0
        _remove(self._group)
        # The mounts end a little after the last process that had them.
        until(lambda: not _do("losetup", "--associated", str(self._folder / "image")), 10.0)


class Pins:
    """The simulated board's outputs, also after the daemon is gone, and the file with it."""

    def __init__(self, machine: Machine) -> None:
        """Look at the file that is there now."""
        self._fd = os.open(machine.root / RUNTIME / "pins", os.O_RDONLY)

    def high(self) -> bool:
        """Whether any is."""
        levels = os.pread(self._fd, 28, 0)
        return any(levels[pin : pin + 1] != b"0" for pin in OUTPUTS)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        os.close(self._fd)


def install(machine: Machine, debs: Path, config: str = WALKING) -> None:
    """Put the package and what it needs there, with a configuration, and wait until it watches."""
    machine.write(CONFIG, config)
    machine.write("/etc/rearguard/walk.toml", WALK)
    shutil.copytree(debs, machine.root / "root/debs")
    machine.run(f"{APT} install /root/debs/*.deb && sync --file-system /")
    until(lambda: machine.show(UNIT, "ActiveState") == "active", 20.0, lambda: log(machine), ASK_S)


def log(machine: Machine) -> str:
    """What the service has said."""
    return machine.journal(UNIT)


def status(machine: Machine) -> dict[str, Any]:
    """What the daemon says of itself."""
    return told(machine, lambda _: True)


def told(
    machine: Machine, true: Callable[[dict[str, Any]], Any], within_s: float = 10.0
) -> dict[str, Any]:
    """What it says of itself as soon as that is `true`. Fails after `within_s`."""
    end_s = time.monotonic() + within_s
    last: object = None
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(1.0)
            asked.connect(str(machine.root / RUNTIME / "status.sock"))
            with asked.makefile("rb") as stream:
                for line in stream:
                    last = said = json.loads(line)
                    if "version" in said and true(said):
                        return dict(said)
                    if time.monotonic() > end_s:
                        break
        time.sleep(LOOK_S)
    raise AssertionError(f"waited {within_s} s in vain; last told: {last}\n{log(machine)}")


def main_pid(machine: Machine) -> int:
    """The daemon, by its number here."""
    wanted = machine.show(UNIT, "MainPID")
    return next(pid for pid in machine.pids(UNIT) if _number_there(pid) == wanted)


def ready_s(machine: Machine, after_s: float) -> float:
    """When the service was next READY, by our monotonic clock."""

    def since() -> float:
        asked = "show --property=ActiveState --property=ActiveEnterTimestampMonotonic"
        shown = dict(line.split("=") for line in machine.systemctl(f"{asked} {UNIT}").splitlines())
        ready = shown["ActiveState"] == "active"
        return int(shown["ActiveEnterTimestampMonotonic"]) / 1e6 if ready else 0.0

    until(lambda: since() > after_s, 20.0, lambda: log(machine), ASK_S)
    return since()


def median(times_s: list[float]) -> float:
    """The one in the middle."""
    return sorted(times_s)[len(times_s) // 2]


def kept(what: str, times_s: list[float], promise_s: float, note: Callable[[str], None]) -> None:
    """A promise: on a busy machine the quickest keeps it, and all of them within `BUSY` times."""
    worst_s = max(times_s)
    note(f"{what}: {median(times_s):.2f} s, at worst {worst_s:.2f} ({promise_s:.1f} promised)")
    assert min(times_s) <= promise_s, what
    assert worst_s <= BUSY * promise_s, what


@contextlib.contextmanager
def prepare() -> Iterator[None]:
    """Once in the bench's own namespaces: a scratch that ends with it, and cgroups of version 2.

    Groups are the kernel's and outlive namespaces, so at the end they are removed.
    """
    _do("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(SCRATCH))
    nspawns = Path("/run/systemd/nspawn")
    nspawns.mkdir(parents=True, exist_ok=True)
    _do("mount", "-t", "tmpfs", "tmpfs", str(nspawns))
    if not (CGROUPS / "cgroup.procs").exists():
        _do("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))
    try:
        yield
    finally:
        if _groups().exists():
            _kill(_groups())
            _remove(_groups())


def until(
    true: Callable[[], Any],
    within_s: float,
    why: Callable[[], str] = str,
    look_s: float = LOOK_S,
) -> float:
    """Wait for `true()`; the seconds it took. Fails after `within_s`, saying `why()`.

    It is looked at every `look_s`; more seldom what costs the machine something to answer.
    """
    began_s = time.monotonic()
    while not true():
        assert time.monotonic() - began_s < within_s, f"waited {within_s} s in vain\n{why()}"
        time.sleep(look_s)
    return time.monotonic() - began_s


def _groups() -> Path:
    """This run's part of the tree, in the group that it was started in."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    own = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    return CGROUPS / own.strip("/") / SCRATCH.name


def _kill(group: Path) -> None:
    (group / "cgroup.kill").write_text("1")


def _remove(group: Path) -> None:
    """With those in it, once their last processes have gone."""
    until(lambda: "populated 0" in (group / "cgroup.events").read_text(), 10.0)
    for folder, _, _ in os.walk(group, topdown=False):
        Path(folder).rmdir()


def _number_there(pid: int) -> str:
    """A process's number to itself; "" when it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1]
    return ""


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)


def _do(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
