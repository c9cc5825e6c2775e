"""`python -m hardware` draws what hardware.md shows; with `--check`, says which drawing is stale.

Exit status: 0 all fresh, or drawn; 1 some are stale, missing or no longer made.
"""

import argparse
import sys
from pathlib import Path

from device.settings import Settings
from hardware import coverage, draw, mount

DRAWINGS = Path(__file__).with_name("drawings")


def drawings(settings: Settings) -> dict[str, str]:
    """Every picture, as SVG, by the name of its file."""
    return draw.drawings(settings) | {"coverage.svg": coverage.picture()}


def stale(folder: Path, fresh: dict[str, str]) -> list[str]:
    """Files in `folder` that differ from `fresh`, are missing there or should not be there."""
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.svg")}
    return sorted(name for name in there.keys() | fresh if there.get(name) != fresh.get(name))


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m hardware", description="Draw the hardware.")
    parser.add_argument("--check", action="store_true", help="write nothing; is all as it should?")
    options = parser.parse_args(argv)
    fresh = drawings(Settings())
    old = stale(DRAWINGS, fresh)
    if options.check:
        wrong = [f"hardware/drawings/{name}: stale; make drawings" for name in old]
        if mount.stale(mount.PICTURE):
            wrong.append(f"hardware/{mount.PICTURE.name}: stale; make mount")
        print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
        return 1 if wrong else 0
    DRAWINGS.mkdir(exist_ok=True)
    for name in old:
        if name in fresh:
            (DRAWINGS / name).write_text(fresh[name], "utf-8")
            print(f"drawn {name}")
        else:
            (DRAWINGS / name).unlink()
            print(f"removed {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
