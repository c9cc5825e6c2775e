"""Millions of hostile bytes through every serial parser; one oracle, two sources of bytes.

`python -m fuzz.parsers --bytes N [--seed S]`: *plain* makes noise and harmed frames by chance;
*guided* (where `atheris` is installed) keeps what reaches new code. README.md here says more.
"""

import argparse
import importlib
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MOST_FAILURES = 10
"""Of one parser; then it has shown enough."""
SEEDS = 64
"""Plain inputs that the guided way begins with."""
INSTRUMENTED = ["device.ports.frames", "device.sensors"]


class Tally:
    """What one parser came to."""

    def __init__(self, name: str, way: str, out: Path) -> None:
        self.name, self.way, self.out = name, way, out
        self.bytes = self.frames = self.inputs = 0
        self.failures: list[tuple[str, str]] = []
        self._began_s = time.perf_counter()

    def add(self, data: bytes, garbage: int, frames: int, problem: str | None) -> None:
        """One input, of which so many bytes were garbage."""
        self.bytes += garbage
        self.frames += frames
        self.inputs += 1
        if problem is not None:
            self.failures.append((data.hex(), problem))

    def result(self) -> dict[str, Any]:
        """For the process that asked; failures are written to files as well."""
        for number, (hexes, problem) in enumerate(self.failures):
            self.out.mkdir(parents=True, exist_ok=True)
            path = self.out / f"{self.way}-{self.name}-{number}.hex"
            path.write_text(f"{hexes}\n", encoding="ascii")
            print(f"{self.name}: {problem}: {path}: {hexes}", file=sys.stderr)
        return {
            "parser": self.name,
            "way": self.way,
            "bytes": self.bytes,
            "frames": self.frames,
            "inputs": self.inputs,
            "failures": len(self.failures),
            "rate": self.bytes / (time.perf_counter() - self._began_s),
        }


def plain(name: str, most_bytes: int, seed: int, out: Path) -> dict[str, Any]:
    """By chance."""
    subjects = importlib.import_module("fuzz.subjects")
    subject, tally = subjects.SUBJECTS[name], Tally(name, "plain", out)
    rng = random.Random(f"{name} {seed}")
    while tally.bytes < most_bytes and len(tally.failures) < MOST_FAILURES:
        data = subjects.random_input(subject, rng)
        tally.add(data, max(0, len(data) - subjects.HEAD), *subjects.attempt(subject, data))
    return tally.result()


def guided(name: str, most_bytes: int, seed: int, out: Path) -> None:
    """By what reaches new code; prints its result and ends this process."""
    atheris = importlib.import_module("atheris")
    watched: AbstractContextManager[object] = nullcontext()
    if "device" not in sys.modules:
        watched = atheris.instrument_imports(include=INSTRUMENTED)
    with watched:
        subjects = importlib.import_module("fuzz.subjects")
    subject, tally = subjects.SUBJECTS[name], Tally(name, "guided", out)
    rng = random.Random(f"{name} {seed}")
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(SEEDS):
            Path(corpus, str(number)).write_bytes(subjects.random_input(subject, rng))

        def one(data: bytes) -> None:
            tally.add(data, max(0, len(data) - subjects.HEAD), *subjects.attempt(subject, data))
            if tally.bytes >= most_bytes or len(tally.failures) >= MOST_FAILURES:
                print(json.dumps(tally.result()), flush=True)
                sys.stderr.flush()
                os._exit(0)  # libFuzzer knows no other end that is not a crash

        limit = subjects.HEAD + subjects.LONGEST_GARBAGE
        flags = [f"-seed={seed}", f"-max_len={limit}", "-len_control=0", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *flags, corpus], one)
        atheris.Fuzz()


def child(name: str, way: str, args: argparse.Namespace) -> dict[str, Any]:
    """One parser in a process of its own, so that both cores work and code is watched afresh."""
    command = [sys.executable, "-m", "fuzz.parsers", "--child", "--way", way, "--only", name]
    command += ["--bytes", str(args.bytes), "--seed", str(args.seed), "--out", str(args.out)]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise SystemExit(f"{name}, {way}: the fuzzer itself failed:\n{done.stderr}")
    found = "".join(f"{line}\n" for line in done.stderr.splitlines() if line.startswith(name))
    result: dict[str, Any] = json.loads(lines[-1])
    return {**result, "found": found}


def names() -> list[str]:
    """Every parser, by name."""
    return list(importlib.import_module("fuzz.subjects").SUBJECTS)


def main() -> int:
    """Feed them all; 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.parsers", description=__doc__)
    parser.add_argument("--bytes", type=int, default=10_000_000, help="for each parser, each way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", choices=("plain", "guided"), help="one only; else all there are")
    parser.add_argument("--only", metavar="PARSER", action="append", help="may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", metavar="FILE", type=Path, help="a failing input, with --only")
    parser.add_argument(
        "--out", type=Path, default=Path(tempfile.gettempdir(), "rearguard-fuzz"), metavar="DIR"
    )
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        if args.way == "guided":
            guided(args.only[0], args.bytes, args.seed, args.out)
        print(json.dumps(plain(args.only[0], args.bytes, args.seed, args.out)))
        return 0
    chosen = args.only or names()
    if unknown := set(chosen) - set(names()):
        parser.error(f"no such parser: {', '.join(unknown)}; there are {', '.join(names())}")
    if args.replay is not None:
        return replay(chosen[0], args.replay)
    ways = [args.way] if args.way else ["plain", "guided"]
    if "guided" in ways and importlib.util.find_spec("atheris") is None:
        if args.way:
            parser.error("guided needs atheris: pip install atheris")
        print("guided: left out, for atheris is not installed")
        ways.remove("guided")
    print(f"{'way':7} {'parser':15} {'bytes':>10} {'frames':>9} {'inputs':>8} failures  bytes/s")
    failed = False
    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(child, name, way, args) for way in ways for name in chosen]
        for job in jobs:
            row = job.result()
            failed |= row["failures"] > 0
            print(
                f"{row['way']:7} {row['parser']:15} {row['bytes']:10} {row['frames']:9}"
                f" {row['inputs']:8} {row['failures']:8} {row['rate']:8.0f}",
                flush=True,
            )
            print(row["found"], end="", flush=True)
    return int(failed)


def replay(name: str, path: Path) -> int:
    """What one input does."""
    subjects = importlib.import_module("fuzz.subjects")
    data = bytes.fromhex(path.read_text(encoding="ascii"))
    frames, problem = subjects.attempt(subjects.SUBJECTS[name], data)
    print(f"{name}: {frames} frames; {problem or 'nothing is wrong'}")
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main())
