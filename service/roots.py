"""A Debian of each suite, as a folder that machines boot copies of.

mmdebstrap makes it from the archive that this machine's own apt uses, whatever its address, in half
a minute; it is kept in `~/.cache/rearguard-service` under a name made of what is in it. It has what
the package needs of Debian, and not the package.
"""

import fcntl
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearguard-service"
SUITES = {"bookworm": "252", "trixie": "257"}
"""Debian's name, and the systemd in it: those that Raspberry Pi OS is made from."""
_PACKAGES = (
    *("init", "systemd", "systemd-sysv", "dbus", "libpam-systemd", "udev", "procps", "kmod"),
    *("python3", "python3-serial", "python3-colorzero", "apt"),
)
_MORE = {"bookworm": (), "trixie": ("python3-msgspec",)}
_HUSHED = (
    # They would reach the kernel that all machines share, or cost a boot time and show nothing.
    *("systemd-modules-load.service", "modprobe@.service", "systemd-sysctl.service"),
    *("dev-hugepages.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("console-getty.service", "getty.target", "systemd-firstboot.service", "ldconfig.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service"),
)
_HOOK = (
    'echo 0123456789abcdef0123456789abcdef > "$1/etc/machine-id" && '
    'mkdir -p "$1/etc/systemd/system" && '
    f'for unit in {" ".join(_HUSHED)}; do ln -s /dev/null "$1/etc/systemd/system/$unit"; done'
)


def archive() -> str:
    """Where apt here has Debian's archive. mmdebstrap finds the keys by itself."""
    address = _indexed()
    if not address:  # on a fresh machine apt has not looked yet
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        address = _indexed()
    if not address:
        print("service: apt's sources have no Debian archive with `main`; add one", file=sys.stderr)
        sys.exit(2)
    return address


def _indexed() -> str:
    said = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI)"),
            *("Created-By: Packages", "Component: main", "Origin: Debian", "Label: Debian"),
        ],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return said.split()[0] if said.split() else ""


def root(suite: str) -> Path:
    """The folder, made when there is none. Ends the program, with a line, when it cannot be."""
    packages = ",".join((*_PACKAGES, *_MORE[suite]))
    name = f"{suite}-{sha256(f'{suite} {packages} {_HOOK}'.encode()).hexdigest()[:16]}"
    folder = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder
        half, log = CACHE / f"{name}.half", CACHE / f"{name}.log"
        subprocess.run(["rm", "-rf", "--one-file-system", str(half)], check=True)
        address = archive()
        print(f"service: making a root of {suite} ...", file=sys.stderr, flush=True)
        with log.open("wb") as out:
            done = subprocess.run(
                [
                    *("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={packages}"),
                    *('--aptopt=Acquire::Retries "3"', f"--customize-hook={_HOOK}"),
                    *(suite, str(half), address),
                ],
                check=False,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            print(f"service: no root of {suite} could be made; {log} says why", file=sys.stderr)
            sys.exit(2)
        half.rename(folder)
        return folder


def local(suite: str) -> Path:
    """A folder with the packages that Raspberry Pi OS has and the suite has not."""
    maker = Path(__file__).resolve().parent.parent / "packages"
    said = sha256(b"".join((maker / name).read_bytes() for name in ("local.py", "local.txt")))
    folder = CACHE / f"local-{said.hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole = folder / f"{suite}.whole"
        if not whole.exists():
            make = [sys.executable, str(maker / "local.py"), suite, "--out", str(folder)]
            done = subprocess.run(
                [*make, "--mirror", archive()],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if done.returncode:
                print(f"service: {suite}: {done.stdout}", file=sys.stderr)
                sys.exit(2)
            whole.touch()
    return folder / suite
