"""The package's metadata for other Python programs, as an installer would have written it.

gpiozero finds `GPIOZERO_PIN_FACTORY=gpiod` by the entry point in it. The version is the one of
device/__init__.py; `--check` holds debian/changelog against it.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Check the version, or write rearguard-VERSION.dist-info into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", nargs="?", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        return check()
    write(options.site)
    return 0


def version() -> str:
    """What device/__init__.py says."""
    text = (ROOT / "device/__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def check() -> int:
    """1 when debian/changelog speaks of another version."""
    first = (ROOT / "debian/changelog").read_text(encoding="utf-8").split("\n", 1)[0]
    packaged = re.search(r"\((.+?)\)", first)[1]
    if packaged == version():
        return 0
    sys.stderr.write(
        f"debian/changelog is of {packaged}, device/__init__.py of {version()}:"
        " add the version to debian/changelog\n"
    )
    return 1


def write(site: Path) -> None:
    """METADATA and entry_points.txt of pyproject.toml's [project]."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    info = site / f"{project['name']}-{version()}.dist-info"
    info.mkdir()
    metadata = {
        "Metadata-Version": "2.1",
        "Name": project["name"],
        "Version": version(),
        "Summary": project["description"],
        "Requires-Python": project["requires-python"],
        "License": project["license"],
    }
    lines = "".join(f"{key}: {value}\n" for key, value in metadata.items())
    (info / "METADATA").write_text(lines, encoding="utf-8")
    groups = {"console_scripts": project["scripts"]} | project["entry-points"]
    lines = "".join(
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items()) + "\n"
        for group, entries in groups.items()
    )
    (info / "entry_points.txt").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
