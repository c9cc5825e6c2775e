"""The printable mount: its numbers, and the checker that reads what OpenSCAD made of it.

OpenSCAD itself is asked by `python -m hardware.mount --check`.
"""

import re
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device import sensors
from hardware import mount

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "hardware.md").read_text("utf-8")
KINDS = mount.kinds()
MODELS = {
    name: model for driver in sensors.names() for name, model in sensors.models(driver).items()
}

Point = tuple[float, float, float]
A, B, C, D = (0.0, 0.0, 0.0), (10.0, 0.0, 0.0), (0.0, 10.0, 0.0), (0.0, 0.0, 10.0)
TETRAHEDRON = [(A, C, B), (A, B, D), (B, C, D), (A, D, C)]
"""Its outside by the right-hand rule; a sixth of 10 x 10 x 10."""


def mesh(triangles: Iterable[tuple[Point, Point, Point]]) -> mount.Triangles:
    return np.array(list(triangles), dtype=np.float64)


def beside(triangles: mount.Triangles, x_mm: float) -> mount.Triangles:
    return triangles + np.array([x_mm, 0.0, 0.0])


def text_stl(triangles: mount.Triangles) -> bytes:
    lines = ["solid OpenSCAD_Model"]
    for corners in triangles:
        lines += ["  facet normal 0 0 0", "    outer loop"]
        lines += [f"      vertex {x:g} {y:g} {z:g}" for x, y, z in corners]
        lines += ["    endloop", "  endfacet"]
    return "\n".join([*lines, "endsolid OpenSCAD_Model", ""]).encode()


def binary_stl(triangles: mount.Triangles) -> bytes:
    body = b"".join(struct.pack("<12fH", 0, 0, 0, *corners.reshape(-1), 0) for corners in triangles)
    return b"made by hand".ljust(80) + struct.pack("<I", len(triangles)) + body


SOLID = mesh(TETRAHEDRON)
PICTURE = Image.new("RGB", (100, 50), "orange")


# What mount.scad says


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_beam_is_the_models(kind: mount.Kind) -> None:
    assert kind.half_angle_deg == MODELS[kind.name].half_angle_deg


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_nothing_of_the_holder_is_in_the_beam(kind: mount.Kind) -> None:
    assert kind.proud_mm > 0
    assert kind.flare_deg >= kind.half_angle_deg


def test_the_tilts_are_the_guides() -> None:
    (narrow,) = re.findall(r"Tilted up by (\d+) degrees, this becomes", GUIDE)
    (wide,) = re.findall(r"tilted up by (\d+) degrees, [\d.]+ m and [\d.]+ m\.", GUIDE)
    assert "A lidar stays level" in GUIDE
    for kind in KINDS.values():
        model = MODELS[kind.name]
        if model.light:
            assert kind.tilt_deg == 0
        else:
            assert kind.tilt_deg == float(wide if model.half_angle_deg >= 30 else narrow)


def test_the_holes_are_a_zeros() -> None:
    """The mechanical drawing has 65 x 30 mm, holes 58 x 23 mm apart, 3.5 mm from the edges."""
    width, height = mount.setting("pi_w_mm"), mount.setting("pi_h_mm")
    inset = mount.setting("pi_hole_inset_mm")
    assert (width, height, inset) == (65, 30, 3.5)
    assert mount.setting("pi_holes_x_mm") == 58 == width - 2 * inset
    assert mount.setting("pi_holes_y_mm") == 23 == height - 2 * inset


def test_it_is_stout_and_fits_a_common_belt() -> None:
    assert mount.setting("strap_mm") == 40
    for wall in ("wall_mm", "plate_mm", "case_wall", "lid_mm"):
        assert mount.setting(wall) >= 2


def test_the_cylinders_fit_their_board() -> None:
    cans = mount.setting("can_apart_mm") + mount.setting("can_d_mm")
    assert cans < mount.setting("board_w_mm")
    assert mount.setting("can_d_mm") < mount.setting("can_apart_mm")


def test_every_column_is_there() -> None:
    assert list(KINDS) == ["hc-sr04", "jsn-sr04t", "a02yyuw", "tf-luna"]
    text = mount.SCAD.read_text("utf-8")
    named = re.search(r"Per sensor: name, ([\w, ]+)\.", text.replace("\n// ", " "))
    assert named is not None
    assert named[1].split(", ") == list(mount.Kind.__dataclass_fields__)[1:]


def test_each_sensor_has_a_holder_and_there_is_one_case() -> None:
    assert {piece.name for piece in mount.pieces()} == {
        *(f"holder-{name}" for name in KINDS),
        "case_back",
        "case_lid",
    }


def test_a_file_without_the_table_is_refused() -> None:
    with pytest.raises(mount.MountError, match="no table"):
        mount.kinds("cube(1);")
    with pytest.raises(mount.MountError, match="no number wall_mm"):
        mount.setting("wall_mm", "wall_mm = thick;")


# What the checker finds


@pytest.mark.parametrize("write", [text_stl, binary_stl])
def test_an_stl_is_read(write: object) -> None:
    assert callable(write)
    assert np.array_equal(mount.read_stl(write(SOLID)), SOLID)


def test_a_torn_stl_is_refused() -> None:
    with pytest.raises(mount.MountError, match="too early"):
        mount.read_stl(binary_stl(SOLID)[:-1])
    with pytest.raises(mount.MountError, match="three corners"):
        mount.read_stl(text_stl(SOLID).replace(b"vertex 0 0 0", b"", 1))


def test_a_closed_body_is_good() -> None:
    assert mount.open_edges(SOLID) == 0
    assert mount.bodies(SOLID) == 1
    assert mount.volume_cm3(SOLID) == pytest.approx(1 / 6)
    assert mount.size_mm(SOLID) == (10, 10, 10)
    assert list(mount.faults(SOLID)) == []


def test_a_missing_triangle_is_found() -> None:
    assert mount.open_edges(SOLID[1:]) == 3
    assert list(mount.faults(SOLID[1:])) == ["not closed: 3 open edges"]


def test_a_triangle_turned_over_is_found() -> None:
    turned = SOLID.copy()
    turned[0] = turned[0, ::-1]
    assert mount.open_edges(turned) == 3


def test_an_edge_of_four_triangles_is_found() -> None:
    """Two bodies that touch along an edge are closed each, and no printer's solid."""
    other = SOLID * np.array([1.0, -1.0, -1.0])
    assert mount.open_edges(np.concatenate([SOLID, other])) == 1


def test_a_triangle_without_area_does_no_harm() -> None:
    assert mount.open_edges(np.concatenate([SOLID, mesh([(A, A, B)])])) == 0


def test_corners_that_rounding_parted_are_one() -> None:
    shaken = SOLID.copy()
    shaken[0, 0] += 0.2 * mount.SAME_MM
    assert mount.open_edges(shaken) == 0


def test_two_bodies_are_found() -> None:
    two = np.concatenate([SOLID, beside(SOLID, 20.0)])
    assert mount.open_edges(two) == 0
    assert mount.bodies(two) == 2
    assert list(mount.faults(two)) == ["2 bodies"]


def test_a_long_chain_is_one_body() -> None:
    chain = np.concatenate([beside(SOLID, 10.0 * i) for i in reversed(range(40))])
    assert mount.bodies(chain) == 1


def test_inside_out_too_large_and_nothing_are_found() -> None:
    assert list(mount.faults(SOLID[:, ::-1])) == ["inside out"]
    assert list(mount.faults(SOLID * 18.1)) == ["does not fit 180 mm"]
    assert list(mount.faults(SOLID[:0])) == ["nothing there"]


def test_what_stands_before_the_face_is_found() -> None:
    kind = KINDS["tf-luna"]
    plate = mesh(TETRAHEDRON) * np.array([10.0, -1.0, 10.0])  # a front of 5000 mm2 at y = 0
    plate = plate[:, ::-1]
    assert list(mount.faults(plate)) == []
    clear = mount.Eye((0.0, 1.0, 0.0), (0.0, 1.0, 0.0))
    assert mount.ahead_mm(plate, clear) == pytest.approx(-1)
    assert mount.facing_mm2(plate, clear.looks) == pytest.approx(5000)
    assert list(mount.beam_faults(plate, clear, kind)) == []
    covered = mount.Eye((0.0, -1.0, 0.0), (0.0, 1.0, 0.0))
    assert list(mount.beam_faults(plate, covered, kind)) == [
        "stands 1.0 mm before the sensor's face"
    ]
    # Of an exported holder, which is upside down, up is -z.
    down = mount.Eye((0.0, 50.0, 50.0), (0.0, np.cos(0.1), np.sin(0.1)))
    assert list(mount.beam_faults(plate, down, kind)) == [
        "looks up by -5.7 and not 0.0 degrees",
        "has no front that faces where the sensor looks",
    ]


def test_the_eye_is_read_from_what_openscad_says() -> None:
    said = "Compiling\nECHO: eye = [0, 24.5, -1e-2], looks = [0, 1, 0], half_angle_deg = 15\n"
    assert mount.read_eye(said) == mount.Eye((0, 24.5, -0.01), (0, 1, 0))
    with pytest.raises(mount.MountError, match="where the sensor looks"):
        mount.read_eye("Compiling\n")


def test_the_same_picture_is_fresh_and_another_is_not() -> None:
    assert mount.differing(PICTURE, PICTURE.copy()) == 0
    shaded = Image.new("RGB", PICTURE.size, tuple(min(255, c + 10) for c in (255, 165, 0)))
    assert mount.differing(PICTURE, shaded) == 0
    changed = PICTURE.copy()
    changed.paste("black", (0, 0, 10, 5))
    assert mount.differing(PICTURE, changed) == pytest.approx(0.01)
    assert mount.differing(PICTURE, PICTURE.resize((50, 50))) == 1


def test_the_picture_is_there_and_of_its_size() -> None:
    with Image.open(mount.PICTURE) as picture:
        assert picture.size == mount.PICTURE_PX


def test_without_openscad_it_says_which_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mount.main(["--check"]) == 3
    assert capsys.readouterr().err == (
        "no OpenSCAD here: it is a Debian package (apt install openscad xvfb)\n"
    )


FAKE = """#!/bin/sh
while [ "$1" != -o ]; do shift; done
{does}
"""


def fake(folder: Path, does: str) -> None:
    """An `openscad` in the PATH; `$2` is the file it shall write."""
    program = folder / "openscad"
    program.write_text(FAKE.format(does=does))
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ('echo "WARNING: Object may not be a valid 2-manifold" >&2; : > "$2"', "case_lid: WARNING"),
        ('echo "Rendering"; echo "out of memory" >&2; exit 1', "case_lid: out of memory"),
        ("exit 0", "case_lid: OpenSCAD ended with 0"),
        (': > "$2"', "case_lid: an STL file that ends too early"),
    ],
)
def test_what_openscad_complains_about_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, says: str
) -> None:
    fake(tmp_path, does)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    good, line = mount.examine(mount.Piece("case_lid"), tmp_path)
    assert not good
    assert line.startswith(says)


def test_a_missing_picture_is_not_fresh(tmp_path: Path) -> None:
    assert mount.compare(tmp_path / "mount.png") == (
        False,
        "mount.png: stale; make mount",
    )
