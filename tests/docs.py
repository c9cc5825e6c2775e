"""The documents' checks, part of `make check`: `python -m tests.docs`.

Links lead somewhere, named files exist, every room of the package is in ARCHITECTURE.md's
table, the verbs that are shown exist, the tests that are named are there, and no registry's
address has crept in.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from device import cli

ROOT = Path(__file__).parent.parent
VERBS = (
    "run", "quiet", "simulate", "replay", "evaluate", "check",
    "status", "selftest", "calibrate", "doctor", "setup", "walk", "walks",
)  # fmt: skip
PATH = re.compile(
    r"`((?:device|tests|config|docs|benchmarks|hardware|lines|fuzz|systemd|service|debian|packages)/[\w./-]+)`"
)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)|\]\(#([\w-]+)\)")
SHOWN = re.compile(r"^(?:\$ )?(?:\S*/)?rearguard ([a-z]+)", re.MULTILINE)
REGISTRY = re.compile(
    "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "index" + "-url [a-z]"))
)


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows, or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for name in listed.stdout.split() if (path := ROOT / name).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors that headings make, as the usual renderers do."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path, text: str) -> Iterator[str]:
    """Links from `path` that lead nowhere."""
    for target, anchor, own in LINK.findall(text):
        if target.startswith("http"):
            continue
        linked = path.parent / target if target else path
        if not linked.exists():
            yield f"link to {target}: no such file"
        elif (anchor or own) and (anchor or own) not in anchors(linked.read_text("utf-8")):
            yield f"link to {target}#{anchor or own}: no such heading"


def wrong_names(text: str) -> Iterator[str]:
    """Files and verbs that are named and do not exist."""
    for mentioned in PATH.findall(text):
        if not (ROOT / mentioned).exists():
            yield f"{mentioned} is named, and does not exist"
    for block in re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for verb in SHOWN.findall(block):
            if verb not in VERBS:
                yield f"rearguard {verb}: no such verb"


def missing_tests(text: str) -> Iterator[str]:
    """Tests that are named, `file::test`, and are not in that file."""
    for name, test in TEST.findall(text):
        file = ROOT / name
        if not file.is_file() or f"\ndef {test}(" not in file.read_text("utf-8"):
            yield f"{name}::{test} is named, and is no test"


def missing_rooms() -> Iterator[str]:
    """Modules of the package that the table of rooms leaves out."""
    rooms = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## Rooms")[1].split("\n## ")[0]
    for module in sorted((ROOT / "device").iterdir()):
        room = module.stem
        if not room.startswith("_") and module.suffix in ("", ".py") and f"`{room}`" not in rooms:
            yield f"ARCHITECTURE.md: the table of rooms lacks {room}"


def complaints() -> Iterator[str]:
    """Everything that is wrong."""
    for path in tracked("*.md"):
        text = path.read_text(encoding="utf-8")
        for complaint in (*broken_links(path, text), *wrong_names(text), *missing_tests(text)):
            yield f"{path.relative_to(ROOT)}: {complaint}"
    yield from missing_rooms()
    for path in tracked():
        if path.suffix not in (".svg", ".png") and REGISTRY.search(path.read_text("utf-8")):
            yield f"{path.relative_to(ROOT)}: names a package registry's address"


def main() -> int:
    """Print what is wrong; 1 when something is."""
    found = list(complaints())
    missing = [verb for verb in VERBS if not hasattr(cli, f"_{verb}")]
    found += [f"cli: verb {verb} is documented and missing" for verb in missing]
    for complaint in found:
        print(complaint, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
