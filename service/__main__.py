"""`python -m service [NAME ...]`: boot Debian with real systemd and test the package in it.

`python -m service --run SUITE COMMAND` boots one machine and runs a shell command of yours in it;
this project's folder is its /project and the packages to install are in /debs, both read-only.

The two suites run side by side, each with every test file, or those with a NAME in theirs. All
happens in mount and process namespaces of its own: when this ends, however it ends, so have the
machines, and nothing stays mounted.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service.rig import SCRATCH, Machine, prepare
from service.roots import SUITES, local, root

HERE = Path(__file__).resolve().parent
WRONG = 2
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "unshare": "util-linux",
    "gcc": "gcc",
}


def wrong(what: str) -> int:
    """Say why there is no bench here."""
    print(f"service: {what}", file=sys.stderr)
    return WRONG


def missing() -> list[str]:
    """The packages to install."""
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})


def equip() -> bool:
    """Install what is missing; whether it is there now."""
    if packages := missing():
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", *packages]):
            subprocess.run(["apt-get", *command], check=False, env=environment)
    return not missing()


def files(names: list[str]) -> list[Path]:
    """The test files with one of the names in theirs; all without names."""
    every = sorted(HERE.glob("test_*.py"))
    return [file for file in every if not names or any(name in file.name for name in names)]


def debs(suite: str) -> Path:
    """What is to be installed."""
    return Path(os.environ["SERVICE_SCRATCH_DEBS"]) / suite


def collect(folder: Path) -> bool:
    """Our package as the tree is now, and what it needs, into a folder for each suite."""
    built = subprocess.run(
        ["sh", str(HERE.parent / "packages" / "deb.sh")],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if built.returncode:
        return False
    ours = HERE.parent / built.stdout.split()[-1]
    whose = HERE.stat()
    for made in (ours.parent, ours):  # by root, but in a user's folder
        os.chown(made, whose.st_uid, whose.st_gid)
    for suite in SUITES:
        shutil.copytree(local(suite), folder / suite)
        shutil.copy(ours, folder / suite)
    return True


def test(suite: str, chosen: list[Path]) -> bool:
    """Run them on one suite, and tell when all have run."""
    began_s = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--color=no", "--tb=short"),
            *("-p", "no:cacheprovider", f"--basetemp={SCRATCH / f'tests-{suite}'}"),
            *(str(file.relative_to(HERE.parent)) for file in chosen),
        ],
        check=False,
        cwd=HERE.parent,
        env=os.environ | {"SERVICE_SUITE": suite, "SERVICE_DEBS": str(debs(suite))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    verdict = "good" if done.returncode == 0 else f"NOT GOOD ({done.returncode})"
    took_s = time.monotonic() - began_s
    print(f"== {suite}, systemd {SUITES[suite]}: {verdict}, {took_s:.0f} s\n{done.stdout}\n")
    sys.stdout.flush()
    return done.returncode == 0


def inside(arguments: list[str]) -> int:
    """What is done within the namespaces."""
    if arguments == ["--sweep"]:
        with prepare():
            return 0
    if arguments[:1] == ["--run"]:
        suite, *words = arguments[1:]
        with prepare(), Machine(suite, {"/project": HERE.parent, "/debs": debs(suite)}) as machine:
            done = machine.run(" ".join(words), check=False, timeout_s=3600.0)
        sys.stdout.write(done.stdout + done.stderr)
        return done.returncode
    with prepare(), ThreadPoolExecutor() as benches:
        good = list(benches.map(lambda suite: test(suite, files(arguments)), SUITES))
    print(f"service: {sum(good)} of {len(good)} suites good")
    return 0 if all(good) else 1


def main() -> int:
    """0: all good. 1: not all. 2: the bench cannot be had here, said on stderr."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--inside"]:
        return inside(arguments[1:])
    names = [Path(name).name for name in arguments]
    if arguments[:1] == ["--run"]:
        if len(arguments) < 3 or arguments[1] not in SUITES:
            return wrong(f"--run needs one of {', '.join(SUITES)}, and a command")
        names = []
    for name in names:
        if not files([name]):
            known = ", ".join(file.stem.removeprefix("test_") for file in files([]))
            return wrong(
                f"no test file is called {name}; there are {known}, or --run SUITE COMMAND"
            )
    if os.geteuid():
        return wrong("mounting and booting need root: sudo .venv/bin/python -m service")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if not equip():
        return wrong(f"missing, and apt could not install it: {', '.join(missing())}")
    with ThreadPoolExecutor() as makers:
        list(makers.map(root, SUITES))
        list(makers.map(local, SUITES))
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command = [*apart, "--propagation", "private", sys.executable, "-m", "service", "--inside"]
    if Path("/run/systemd/system").exists():
        # Its tree is not ours to make groups in; a scope with Delegate= is.
        command = ["systemd-run", "--scope", "--quiet", "--property=Delegate=yes", *command]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with (
        tempfile.TemporaryDirectory(prefix="rearguard-service-") as scratch,
        tempfile.TemporaryDirectory(prefix="rearguard-debs-") as packages,
    ):
        if not collect(Path(packages)):
            return wrong("no package could be built, and so none can be tested")
        environment = os.environ | {"SERVICE_SCRATCH": scratch, "SERVICE_SCRATCH_DEBS": packages}

        def within(*words: str) -> int:
            return subprocess.run(
                [*command, *words], check=False, cwd=HERE.parent, env=environment
            ).returncode

        try:
            return within(*arguments)
        finally:
            within("--sweep")  # interrupted, it could not itself


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
