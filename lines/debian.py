"""A Debian for the guest, with the package as it would be installed: the layers of its files.

The lowest is the root that the service bench boots, too; above it the packages' own files, just
unpacked, since installing them is what that bench is about. systemd's own sysusers makes the users
when the guest boots. Bookworm has no `gpiod` that is new enough: it comes from the wheel.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from service.roots import local, root

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SUITE, PYTHON = "bookworm", "3.11"
LOCAL = ROOT / "packages"
WHEELS = ROOT / "requirements" / "lines.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearguard-lines"


def layers(scratch: Path) -> str:
    """As guest-systemd wants them; our own package unpacked in `scratch`. Ends the program with
    a line when they cannot be had."""
    debian = root(SUITE)
    others = _others(debian)
    said = _do("sh", str(LOCAL / "deb.sh")).split()
    ours = scratch / "package"
    _unpack(ROOT / said[-1], ours)
    _compile(debian, ours)
    return f"{ours}:{others}:{debian}"


def _others(debian: Path) -> Path:
    """What the package depends on and Debian has not, unpacked; kept for the next time."""
    inputs = b"".join(path.read_bytes() for path in (*sorted(LOCAL.glob("local.*")), WHEELS))
    folder = CACHE / f"{SUITE}-{sha256(inputs).hexdigest()[:16]}"
    if folder.exists():
        return folder
    half = CACHE / f".{folder.name}.{os.getpid()}"
    for package in sorted(local(SUITE).glob("*.deb")):
        _unpack(package, half)
    _do(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--python-version", PYTHON, "--requirement", str(WHEELS)),
        *("--target", str(half / "usr/local/lib" / f"python{PYTHON}" / "dist-packages")),
    )
    _compile(debian, half)
    if folder.exists():
        shutil.rmtree(half)
    else:
        half.rename(folder)
    return folder


def _unpack(package: Path, folder: Path) -> None:
    """A layer's own /lib would hide Debian's link to /usr/lib."""
    (folder / "usr/lib").mkdir(parents=True, exist_ok=True)
    if not (folder / "lib").exists():
        (folder / "lib").symlink_to("usr/lib")
    unpack = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink'
    _do("sh", "-c", unpack, "sh", str(package), str(folder))


def _compile(debian: Path, folder: Path) -> None:
    """As an installation would, by Debian's own Python, which needs no chroot for that."""
    libraries = [debian / "usr/lib/x86_64-linux-gnu", debian / "lib/x86_64-linux-gnu"]
    _do(
        *(str(debian / "lib64/ld-linux-x86-64.so.2"), "--library-path"),
        *(":".join(map(str, libraries)), str(debian / "usr/bin/python3"), "-m", "compileall"),
        *("-q", "-s", str(folder), "-p", "/", str(folder)),
        env=os.environ | {"PYTHONHOME": str(debian / "usr")},
    )


def _do(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    if done.returncode:
        print(f"lines: {' '.join(command)}:\n{done.stdout}{done.stderr}", file=sys.stderr)
        sys.exit(2)
    return done.stdout
