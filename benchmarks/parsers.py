"""What each serial parser costs, in % of one core, when bytes never stop at 115200 baud.

`python -m benchmarks.parsers [--quick] [--json FILE]`. That is 11520 bytes a second, twelve
times what most of the parts can send. Good frames back to back, random garbage, and the garbage
that keeps a parser busiest, in pieces of 32 and of 512 bytes; the median of repeated runs.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.report import Row, median, table, write_json
from fuzz.subjects import SUBJECTS, Subject

BYTES_PER_S = 115_200 / 10
PIECES = (32, 512)
TARGET_PCT = 2.0


def pieces(stream: bytes, size: int) -> list[bytes]:
    """The stream as a kernel hands it on."""
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def cost_pct(subject: Subject, parts: list[bytes], repeats: int) -> float:
    """% of one core for these pieces, at so many bytes a second."""
    total = sum(len(part) for part in parts)
    shares = []
    for _ in range(repeats):
        framer = subject.make()
        began_s = time.process_time()
        for part in parts:
            framer.feed(part)
        shares.append((time.process_time() - began_s) / (total / BYTES_PER_S) * 100)
    return median(shares)


def repeated(mark: bytes, length: int) -> bytes:
    """`mark` over and over."""
    return (mark * (length // len(mark) + 1))[:length]


def row(subject: Subject, size: int, length: int, repeats: int) -> Row:
    """One parser at one size of piece."""
    rng = random.Random(subject.name)
    frames: list[bytes] = []
    while sum(map(len, frames)) < length:
        frames += [subject.sample(rng.getrandbits(48))[0] for _ in range(100)]
    # An answer is handed over by itself, however it came.
    good = frames if subject.answers else pieces(b"".join(frames), size)
    worst = {
        mark: cost_pct(subject, pieces(repeated(mark, length), size), repeats)
        for mark in subject.worst
    }
    busiest = max(worst, key=lambda mark: worst[mark])
    return {
        "parser": subject.name,
        "piece": size,
        "good %": cost_pct(subject, good, repeats),
        "garbage %": cost_pct(subject, pieces(rng.randbytes(length), size), repeats),
        "worst %": worst[busiest],
        "which is": ascii(busiest)[2:-1],
    }


def rows(length: int, repeats: int) -> Iterable[Row]:
    """All of them."""
    for subject in SUBJECTS.values():
        for size in PIECES:
            yield row(subject, size, length, repeats)


def main() -> int:
    """Measure and print; 1 when one is over the target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parsers", description=__doc__)
    parser.add_argument("--bytes", type=int, default=100_000, help="of each stream, each run")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a smoke run: 5000 bytes, once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    args = parser.parse_args()
    length, repeats = (5000, 1) if args.quick else (args.bytes, args.repeats)
    found = list(rows(length, repeats))
    print(table("Share of one core at 11520 bytes a second", found))
    write_json(args.json, bytes=length, repeats=repeats, rows=found)
    most = max(max(one["good %"], one["garbage %"], one["worst %"]) for one in found)
    print(f"\nThe most is {most:.2f} %; the target is under {TARGET_PCT:g} %.")
    return int(most >= TARGET_PCT)


if __name__ == "__main__":
    sys.exit(main())
