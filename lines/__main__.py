"""`python -m lines [NAME ...]`: boot the bench and run its tests, two guests at a time.

`python -m lines --run COMMAND` runs a shell command of yours in a guest instead, with the libraries
in reach; it begins in the project's folder, which is read-only there, and may write to /run. With
--run-in-debian systemd runs there, too; see guest-systemd for what is where.

Each test file has a guest of its own, in virtual time, where the same run twice is the same to the
microsecond; those with real_time in their names run afterwards, one by one, on the wall clock.
Those that begin with test_unit have a Debian with systemd around them, which takes root. NAMEs
choose files by part of their names. The libraries that only the bench needs are installed beside
the kernel, by hash, and not into the environment, whose tests are about not having them.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from shlex import quote

from lines import debian

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOCK = ROOT / "requirements" / "lines.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearguard-lines"
AT_A_TIME = 2
LIMIT_S = 300
WRONG = 2


def libraries() -> Path:
    """A folder with what requirements/lines.txt names, for this Python."""
    python = f"{sys.implementation.cache_tag}-{sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    folder = CACHE / python
    if not (folder / ".whole").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        done = subprocess.run(
            [*command, "--no-deps", "--upgrade", "--target", str(folder), "-r", str(LOCK)],
            check=False,
        )
        if done.returncode:
            print(
                f"lines: {LOCK.name} could not be installed for {python[:11]}; the package index"
                " must be in reach, and Python 3.11 or 3.12, for which lgpio has wheels",
                file=sys.stderr,
            )
            sys.exit(WRONG)
        (folder / ".whole").touch()
    return folder


def booting(
    command: str, *, real_time: bool = False, limit_s: int = LIMIT_S, layers: str = ""
) -> list[str]:
    """What to run here for one shell command to run in a guest that has the libraries.

    With `layers`, of a Debian's files, systemd runs in the guest, too.
    """
    path = quote(f"{libraries()}:{ROOT}")
    programs = quote(str(Path(sys.executable).parent))
    found = f"export PYTHONPATH={path} PATH={programs}:$PATH; cd {quote(str(ROOT))}; {command}"
    mode = ["--real-time"] if real_time else []
    mode += ["--debian", layers] if layers else []
    return ["sh", str(HERE / "boot.sh"), *mode, "--limit", str(limit_s), found]


def boot(command: str, *, real_time: bool = False, layers: str = "") -> tuple[int, str]:
    """Run it there; its status and what it said."""
    done = subprocess.run(
        booting(command, real_time=real_time, layers=layers),
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = [line for line in done.stdout.splitlines() if "reboot: " not in line]
    return done.returncode, "\n".join(said).strip()


def run(file: Path, layers: str, *, real_time: bool) -> bool:
    """One file in a guest of its own."""
    began_s = time.monotonic()
    status, said = boot(
        f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {quote(sys.executable)} -m pytest -q --color=no"
        f" --tb=short -p no:cacheprovider --basetemp=/run/tests lines/{file.name}",
        real_time=real_time,
        layers=layers if with_systemd(file) else "",
    )
    verdict = "good" if status == 0 else f"NOT GOOD ({status})"
    print(f"== {file.name}: {verdict}, {time.monotonic() - began_s:.0f} s\n{said}\n", flush=True)
    return status == 0


def with_systemd(file: Path) -> bool:
    """Whether its guest has a Debian with systemd around it."""
    return file.name.startswith("test_unit")


def pin(processors: Iterator[int]) -> None:
    """This thread, and the guest that it boots, to one processor.

    A guest is a process that traces others, one of them at a time; between two processors each
    system call in there costs twice as much.
    """
    os.sched_setaffinity(0, {next(processors)})


def main() -> int:
    """0: all good. 1: not all. 2: the bench cannot be had here, said on stderr."""
    option, names = "", [Path(name).name for name in sys.argv[1:]]
    if sys.argv[1:2] in (["--run"], ["--run-in-debian"]):
        option, names = sys.argv[1], []
    command = " ".join(sys.argv[2:]) if option else ""
    every = sorted(HERE.glob("test_*.py"))
    strange = [name for name in names if not any(name in file.name for file in every)]
    if strange or (option and not command):
        known = ", ".join(file.stem.removeprefix("test_") for file in every)
        wrong = f"no test file is called {strange[0]}" if strange else f"{option} needs a command"
        print(f"lines: {wrong}; there are {known}, or --run COMMAND", file=sys.stderr)
        return WRONG
    files = [file for file in every if not names or any(name in file.name for name in names)]
    systemd = option == "--run-in-debian" or (not option and any(map(with_systemd, files)))
    if systemd and os.geteuid():
        print("lines: a Debian's files are for root only: without test_unit*; sudo for all")
        files = [file for file in files if not with_systemd(file)]
        systemd = False
        if option or not files:
            return WRONG
    built = subprocess.run(
        ["sh", str(HERE / "kernel" / "build.sh")], check=False, stdout=subprocess.PIPE, text=True
    )
    if built.returncode:
        return WRONG
    os.environ["LINES_KERNEL"] = built.stdout.strip()
    libraries()
    with tempfile.TemporaryDirectory(prefix="rearguard-lines-") as scratch:
        layers = debian.layers(Path(scratch)) if systemd else ""
        processors = itertools.cycle(sorted(os.sched_getaffinity(0)))
        if option:
            pin(processors)
            status, said = boot(command, layers=layers)
            print(said)
            return status
        virtual = [file for file in files if "real_time" not in file.name]
        with ThreadPoolExecutor(AT_A_TIME, initializer=pin, initargs=(processors,)) as guests:
            good = list(guests.map(lambda file: run(file, layers, real_time=False), virtual))
        pin(processors)
        good += [run(file, layers, real_time=True) for file in files if file not in virtual]
    print(f"lines: {sum(good)} of {len(good)} files good")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
