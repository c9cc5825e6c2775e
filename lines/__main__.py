"""`python -m lines [NAME ...]`: boot the bench and run its tests, two guests at a time.

Each test file has a guest of its own, in virtual time, where the same run twice is the same to the
microsecond; `test_real_time.py` runs alone afterwards, on the wall clock. NAMEs choose files by
part of their names. The libraries that only the bench needs are installed beside the kernel, by
hash, and not into the environment, whose tests are about not having them.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LOCK = ROOT / "requirements" / "lines.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearguard-lines"
AT_A_TIME = max(1, min(3, os.cpu_count() or 1))
LIMIT_S = 300
WRONG = 2


def libraries() -> Path:
    """A folder with what requirements/lines.txt names, for this Python."""
    python = f"{sys.implementation.cache_tag}-{sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    folder = CACHE / python
    if not (folder / ".whole").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run(
            [*command, "--no-deps", "--upgrade", "--target", str(folder), "-r", str(LOCK)],
            check=True,
        )
        (folder / ".whole").touch()
    return folder


def boot(command: str, *, real_time: bool = False, limit_s: int = LIMIT_S) -> tuple[int, str]:
    """Run one shell command in a guest that has the libraries; its status and what it said."""
    found = f"export PYTHONPATH={libraries()}:{ROOT}; cd {ROOT}; {command}"
    mode = ["--real-time"] if real_time else []
    done = subprocess.run(
        ["sh", str(HERE / "boot.sh"), *mode, "--limit", str(limit_s), found],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said = [line for line in done.stdout.splitlines() if "reboot: " not in line]
    return done.returncode, "\n".join(said).strip()


def run(file: Path, *, real_time: bool) -> bool:
    """One file in a guest of its own."""
    began_s = time.monotonic()
    status, said = boot(
        f"{sys.executable} -m pytest -q --color=no --tb=short -p no:cacheprovider"
        f" --basetemp=/run/tests lines/{file.name}",
        real_time=real_time,
    )
    verdict = "good" if status == 0 else f"NOT GOOD ({status})"
    print(f"== {file.name}: {verdict}, {time.monotonic() - began_s:.0f} s\n{said}\n", flush=True)
    return status == 0


def main() -> int:
    """0: all good. 1: not all. 2: the bench cannot be had here, said on stderr."""
    names = sys.argv[1:]
    files = [
        file
        for file in sorted(HERE.glob("test_*.py"))
        if not names or any(name in file.name for name in names)
    ]
    if not files:
        print(f"lines: no test file is called {' or '.join(names)}", file=sys.stderr)
        return WRONG
    built = subprocess.run(
        ["sh", str(HERE / "kernel" / "build.sh")], check=False, stdout=subprocess.DEVNULL
    )
    if built.returncode:
        return WRONG
    libraries()
    virtual = [file for file in files if "real_time" not in file.name]
    with ThreadPoolExecutor(AT_A_TIME) as guests:
        good = list(guests.map(lambda file: run(file, real_time=False), virtual))
    good += [run(file, real_time=True) for file in files if file not in virtual]
    print(f"lines: {sum(good)} of {len(good)} files good")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
