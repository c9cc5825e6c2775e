"""`python -m hardware.mount`: the printable mount rendered, exported and checked.

`mount.scad` is the source. This draws the assembly (`mount.png`), exports each piece for each
sensor as an STL file under dist/mount, and checks what a printer needs: OpenSCAD has nothing to
complain about, the surface is closed, it is one body, it fits the bed. Of a holder also that
nothing of it stands before the sensor's face, and that the face is tilted up as the table says.

With `--check` nothing is written; the picture that is there is compared with a fresh one. Whether
it is stale is also known without OpenSCAD: it carries the sum of the source it was drawn from.

Exit status: 0 all well, 1 something is not, 3 no OpenSCAD here.

Lengths are millimetres, as in the STL files.
"""

import argparse
import hashlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SCAD = Path(__file__).with_name("mount.scad")
PICTURE = SCAD.with_suffix(".png")
EXPORTS = SCAD.parents[1] / "dist" / "mount"

BED_MM = 180.0
"""A small printer's, each way."""
SAME_MM = 1e-4
"""Corners nearer than this are one: OpenSCAD writes six digits."""
PICTURE_PX = (1400, 480)
CAMERA = "130,-18,0,-22,14,0,345"
"""Towards a point, turned about x, y and z, from a distance."""
SHADE = 24
"""Of 255: so much may a colour differ before it counts. Edges are smoothed a little differently
from one computer to the next."""
ANOTHER = 0.01
"""When a larger share of the picture's points differs, it is another picture. Less may come from
another computer's way of drawing, so that a small change of the source is told by its sum."""
SOURCE_KEY = "source"
"""Under this the picture carries that sum."""
LIMIT_S = 300.0
NO_OPENSCAD = "no OpenSCAD here: it is a Debian package (apt install openscad xvfb)"
NO_SCREEN = "OpenSCAD wants a screen to draw on, if only a false one (apt install xvfb xauth)"

Triangles = NDArray[np.float64]
"""Shape (n, 3, 3): n triangles, three corners each, x, y and z."""


class MountError(Exception):
    """OpenSCAD failed, or wrote what cannot be read."""


@dataclass(frozen=True)
class Kind:
    """A row of SENSORS in mount.scad; its comment says what each column means."""

    name: str
    tilt_deg: float
    half_angle_deg: float
    flare_deg: float
    proud_mm: float
    inside_mm: float
    above_mm: float
    below_mm: float
    depth_mm: float


@dataclass(frozen=True)
class Eye:
    """The middle of the sensor's face in an exported holder, and the unit vector it looks along."""

    at_mm: tuple[float, float, float]
    looks: tuple[float, float, float]


@dataclass(frozen=True)
class Piece:
    """One thing to print."""

    part: str
    sensor: str | None = None

    @property
    def name(self) -> str:
        """As a file is called."""
        return self.part if self.sensor is None else f"{self.part}-{self.sensor}"

    @property
    def sets(self) -> dict[str, str]:
        """What OpenSCAD is told."""
        return {"part": self.part} | ({} if self.sensor is None else {"sensor": self.sensor})


def kinds(text: str | None = None) -> dict[str, Kind]:
    """The sensors that mount.scad knows, by name."""
    text = SCAD.read_text("utf-8") if text is None else text
    table = re.search(r"^SENSORS = \[\n(.*?)^\];", text, re.DOTALL | re.MULTILINE)
    if table is None:
        raise MountError("mount.scad has no table SENSORS")
    rows = re.findall(r'^ *\["([\w-]+)",([-\d., ]+)\],$', table[1], re.MULTILINE)
    return {name: Kind(name, *map(float, cells.split(","))) for name, cells in rows}


def setting(name: str, text: str | None = None) -> float:
    """A number's default in mount.scad."""
    text = SCAD.read_text("utf-8") if text is None else text
    found = re.search(rf"^{name} = (-?[\d.]+);", text, re.MULTILINE)
    if found is None:
        raise MountError(f"mount.scad has no number {name}")
    return float(found[1])


def pieces() -> list[Piece]:
    """All there is to print."""
    return [
        *(Piece("holder", name) for name in kinds()),
        Piece("case_back"),
        Piece("case_lid"),
    ]


def read_stl(data: bytes) -> Triangles:
    """The triangles of an STL file, text or binary."""
    if data.lstrip().startswith(b"solid"):
        numbers = re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", data)
        if len(numbers) % 3:
            raise MountError("an STL file with a triangle of less than three corners")
        return np.array(numbers, dtype=np.float64).reshape(-1, 3, 3)
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
    count = int.from_bytes(data[80:84], "little")
    if len(data) != 84 + count * kind.itemsize:
        raise MountError("an STL file that ends too early, or too late")
    return np.frombuffer(data, kind, count, 84)["corners"].astype(np.float64)


def corners(triangles: Triangles) -> NDArray[np.int64]:
    """The triangles as numbers of corners, shape (n, 3); those of no area are left out."""
    _, numbers = np.unique(
        np.round(triangles.reshape(-1, 3) / SAME_MM).astype(np.int64), axis=0, return_inverse=True
    )
    numbered: NDArray[np.int64] = numbers.reshape(-1, 3)
    a, b, c = numbered.T
    proper: NDArray[np.int64] = numbered[(a != b) & (b != c) & (c != a)]
    return proper


def open_edges(triangles: Triangles) -> int:
    """Edges that are not between exactly two triangles, run through once each way.

    0: the surface is closed, and has one inside.
    """
    numbered = corners(triangles)
    along = np.concatenate([numbered[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
    edges, which = np.unique(np.sort(along, axis=1), axis=0, return_inverse=True)
    forward = along[:, 0] < along[:, 1]
    there = np.bincount(which.reshape(-1)[forward], minlength=len(edges))
    back = np.bincount(which.reshape(-1)[~forward], minlength=len(edges))
    return int(np.count_nonzero((there != 1) | (back != 1)))


def bodies(triangles: Triangles) -> int:
    """Groups of triangles that hang together by their corners."""
    numbered = corners(triangles)
    group = np.arange(numbered.max(initial=-1) + 1)
    while True:
        # Each corner takes the least number in its triangles, until nothing changes.
        least = group[numbered].min(axis=1)
        new = group.copy()
        np.minimum.at(new, numbered.reshape(-1), np.repeat(least, 3))
        new = new[new]
        if np.array_equal(new, group):
            return len(np.unique(group[numbered]))
        group = new


def size_mm(triangles: Triangles) -> tuple[float, float, float]:
    """The box around it: x, y and z."""
    points = triangles.reshape(-1, 3)
    x, y, z = np.ptp(points, axis=0)
    return float(x), float(y), float(z)


def volume_cm3(triangles: Triangles) -> float:
    """Of a closed surface, filled; negative when it is inside out."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    return float((a * np.cross(b, c)).sum() / 6 / 1000)


def ahead_mm(triangles: Triangles, eye: Eye) -> float:
    """How far the foremost corner stands before the plane of the face; negative: behind it."""
    return float(((triangles.reshape(-1, 3) - eye.at_mm) @ np.array(eye.looks)).max())


def facing_mm2(triangles: Triangles, looks: Sequence[float]) -> float:
    """The area that faces within a tenth of a degree of a direction."""
    crossed = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(crossed, axis=1)
    facing = crossed @ np.array(looks) > area * math.cos(math.radians(0.1))
    return float(area[facing & (area > 0)].sum() / 2)


def differing(one: Image.Image, other: Image.Image) -> float:
    """The share of points whose colours differ by more than SHADE; 1 for another size."""
    if one.size != other.size:
        return 1.0
    first, second = (np.asarray(image.convert("RGB"), dtype=np.int16) for image in (one, other))
    return float((np.abs(first - second).max(axis=2) > SHADE).mean())


def openscad(out: Path, sets: dict[str, str], *more: str, screen: bool = False) -> str:
    """Run OpenSCAD on mount.scad and return what it said. `screen`: it needs one, if only a false.

    Raises MountError when it failed or had a warning.
    """
    program = shutil.which("openscad")
    if program is None:
        raise MountError(NO_OPENSCAD)
    command = [program, "-o", str(out), *more]
    command += [f'-D{name}="{value}"' for name, value in sets.items()]
    command.append(str(SCAD))
    stage = shutil.which("xvfb-run") if screen else None
    if screen and stage is None and "DISPLAY" not in os.environ:
        raise MountError(NO_SCREEN)
    if stage is not None:
        # Software drawing, so that every computer draws alike.
        command = [stage, "-a", *command]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
            env={**os.environ, "LIBGL_ALWAYS_SOFTWARE": "1"},
        )
    except subprocess.TimeoutExpired:
        raise MountError(f"OpenSCAD took more than {LIMIT_S:.0f} s") from None
    wrong = [line for line in done.stderr.splitlines() if re.search(r"WARNING|ERROR", line)]
    if done.returncode or wrong or not out.exists():
        last = done.stderr.strip().splitlines()[-1:]
        raise MountError("; ".join(wrong or last) or f"OpenSCAD ended with {done.returncode}")
    return done.stderr


def source_sum() -> str:
    """Of mount.scad as it is, SHA-256."""
    return hashlib.sha256(SCAD.read_bytes()).hexdigest()


def stale(picture: Path) -> bool:
    """Whether a picture is missing or was drawn from another source."""
    if not picture.exists():
        return True
    with Image.open(picture) as image:
        return bool(image.info.get(SOURCE_KEY) != source_sum())


def draw(out: Path) -> None:
    """The assembly as a picture, all settings at their defaults."""
    size = ",".join(map(str, PICTURE_PX))
    openscad(
        out,
        {},
        "--imgsize",
        size,
        "--camera",
        CAMERA,
        "--colorscheme",
        "Tomorrow",
        screen=True,
    )
    said = PngInfo()
    said.add_text(SOURCE_KEY, source_sum())
    with Image.open(out) as image:
        image.convert("RGB").save(out, optimize=True, pnginfo=said)


def read_eye(said: str) -> Eye:
    """What mount.scad echoes of a holder."""
    found = re.search(r"ECHO: eye = \[(.+?)\], looks = \[(.+?)\]", said)
    if found is None:
        raise MountError("mount.scad does not say where the sensor looks")
    (x, y, z), (dx, dy, dz) = (map(float, numbers.split(",")) for numbers in found.groups())
    return Eye((x, y, z), (dx, dy, dz))


def faults(triangles: Triangles) -> Iterator[str]:
    """What a printer would stumble over."""
    if not len(triangles):
        yield "nothing there"
        return
    if count := open_edges(triangles):
        yield f"not closed: {count} open edges"
    elif volume_cm3(triangles) <= 0:
        yield "inside out"
    if (count := bodies(triangles)) != 1:
        yield f"{count} bodies"
    if max(size_mm(triangles)) > BED_MM:
        yield f"does not fit {BED_MM:.0f} mm"


def beam_faults(triangles: Triangles, eye: Eye, kind: Kind) -> Iterator[str]:
    """What is in the sensor's way, or turned wrong. The holder is exported upside down."""
    if (before := ahead_mm(triangles, eye)) > 0:
        yield f"stands {before:.1f} mm before the sensor's face"
    up_deg = math.degrees(math.asin(-eye.looks[2]))
    if abs(up_deg - kind.tilt_deg) > 0.01:
        yield f"looks up by {up_deg:.1f} and not {kind.tilt_deg:.1f} degrees"
    # The front of the box itself, holes taken off, is larger than this.
    if facing_mm2(triangles, eye.looks) < 200:
        yield "has no front that faces where the sensor looks"


def examine(piece: Piece, folder: Path) -> tuple[bool, str]:
    """Export a piece and check it: whether it is good, and a line about it."""
    out = folder / f"{piece.name}.stl"
    try:
        said = openscad(out, piece.sets)
        triangles = read_stl(out.read_bytes())
        wrong = list(faults(triangles))
        if piece.sensor is not None and not wrong:
            wrong += beam_faults(triangles, read_eye(said), kinds()[piece.sensor])
    except MountError as error:
        return False, f"{piece.name}: {error}"
    if wrong:
        return False, f"{piece.name}: {'; '.join(wrong)}"
    x, y, z = size_mm(triangles)
    good = f"{x:.0f} x {y:.0f} x {z:.0f} mm, {volume_cm3(triangles):.0f} cm3, closed, one body"
    if piece.sensor is not None:
        good += f", looks up {kinds()[piece.sensor].tilt_deg:.0f} degrees, nothing in front"
    return True, f"{piece.name}: {good}"


def compare(picture: Path) -> tuple[bool, str]:
    """Whether a picture is the one that would be drawn now, and a line about it."""
    if stale(picture):
        return False, f"{picture.name}: stale; make mount"
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder, "fresh.png")
        try:
            draw(fresh)
        except MountError as error:
            return False, f"{picture.name}: {error}"
        with Image.open(picture) as one, Image.open(fresh) as other:
            share = differing(one, other)
    if share > ANOTHER:
        return False, f"{picture.name}: another picture, {share:.2%} of it differ; make mount"
    return True, f"{picture.name}: fresh ({share:.3%} of it differ)"


def make(picture: Path) -> tuple[bool, str]:
    """Draw the picture, and a line about it."""
    try:
        draw(picture)
    except MountError as error:
        return False, f"{picture.name}: {error}"
    return True, f"{picture.name}: drawn"


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m hardware.mount", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--check", action="store_true", help="write nothing; is all as it should?")
    options = parser.parse_args(argv)
    if shutil.which("openscad") is None:
        print(NO_OPENSCAD, file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if options.check else EXPORTS
        folder.mkdir(parents=True, exist_ok=True)
        jobs: list[Any] = [(examine, piece, folder) for piece in pieces()]
        jobs.append((compare if options.check else make, PICTURE))
        # OpenSCAD uses one processor.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda job: job[0](*job[1:]), jobs))
    for good, line in results:
        print("ok  " if good else "NOT ", line)
    if not options.check:
        print(f"STL files in {EXPORTS.relative_to(SCAD.parents[1])}")
    return 0 if all(good for good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
