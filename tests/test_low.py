"""What systemd runs when the daemon has died: outputs low, whatever the note says."""

import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from device import low, notify
from device.service import Service

SCRIPT = Path(low.__file__)
HEADER = Path("/usr/include/linux/gpio.h")
ALL_ON = b"1" * 28


class Place:
    """A runtime directory with a simulated board's pins, all of them high."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pins = folder / "pins"
        self.pins.write_bytes(ALL_ON)

    def note(self, content: str | bytes) -> None:
        raw = content.encode() if isinstance(content, str) else content
        (self.folder / low.NOTE).write_bytes(raw.replace(b"PINS", str(self.pins).encode()))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """As the unit does, without site packages."""
        return subprocess.run(
            [sys.executable, "-IS", *options, str(SCRIPT)],
            env={"RUNTIME_DIRECTORY": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=20.0,
            check=False,
        )

    @property
    def low(self) -> list[int]:
        levels = self.pins.read_bytes()
        assert len(levels) == len(ALL_ON), "a byte was written where no pin is"
        return [number for number, level in enumerate(levels) if level == ord("0")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_pins_that_are_listed_go_low_and_no_others(place: Place) -> None:
    place.note("PINS 18 13\n")
    ran = place.run()
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert place.low == [13, 18]


def test_it_reads_what_the_service_writes(place: Place) -> None:
    service = Service(place.folder, None, notify.Notifier())
    service.note_outputs(place.pins, [22, 27, 2])
    place.run()
    assert place.low == [2, 22, 27]
    place.pins.write_bytes(ALL_ON)
    service.note_outputs(place.pins, [13])  # the settings were changed: only what is in use now
    place.run()
    assert place.low == [13]


def test_several_boards_are_several_lines(place: Place) -> None:
    other = place.folder / "other"
    other.write_bytes(ALL_ON)
    place.note(f"{other} 5\nPINS 18")
    assert place.run().returncode == 0
    assert place.low == [18]
    assert other.read_bytes() == b"111110" + b"1" * 22


def test_without_a_note_there_is_nothing_to_do(place: Place) -> None:
    ran = place.run()
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert place.low == []


def test_a_note_that_is_empty_is_none(place: Place) -> None:
    place.note("")
    ran = place.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert place.low == []


HOSTILE_LINES = {
    "an empty line": b"",
    "blanks": b"   \t ",
    "no pins": b"PINS",
    "no such device": b"/dev/no-such-chip 18",
    "a device that is a folder": b"/ 18",
    "not a gpio chip": b"/dev/null 18 13",
    "no numbers": b"PINS x y",
    "a fraction": b"PINS 1.5",
    "a negative number": b"PINS -1",
    "a pin beyond the header": b"PINS 28 1000000",
    "a huge number": b"PINS 99999999999999999999999",
    "a number of ten thousand digits": b"PINS " + b"9" * 10_000,
    "a huge number for a chip": b"/dev/null 99999999999",
    "a negative number for a chip": b"/dev/null -1",
    "not text": b"\xff\xfe\x80 18",
    "a null byte": b"/dev/\0null 18",
    "a megabyte": b"x" * 1_000_000,
}


@pytest.mark.parametrize("line", HOSTILE_LINES.values(), ids=HOSTILE_LINES)
def test_a_hostile_line_does_not_keep_the_next_from_being_obeyed(place: Place, line: bytes) -> None:
    place.note(line + b"\nPINS 18\n")
    ran = place.run()
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 0
    assert place.low == [18]


@pytest.mark.parametrize("first", ["x", "-1", "28", "4096", "9" * 30, "9" * 10_000])
def test_a_hostile_number_does_not_keep_its_neighbours_from_going_low(
    place: Place, first: str
) -> None:
    place.note(f"PINS {first} 18 13\n")
    ran = place.run()
    assert "Traceback" not in ran.stderr
    assert place.low == [13, 18]


def test_it_imports_next_to_nothing(place: Place) -> None:
    """Each module is a millisecond in which the motor turns."""
    place.note("PINS 18\n")
    ran = place.run("-X", "importtime")
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert {"fcntl", "os", "struct"} <= imported
    roots = {name.partition(".")[0] for name in imported}
    heavy = {
        "site",
        "re",
        "enum",
        "typing",
        "pathlib",
        "functools",
        "device",
        "msgspec",
        "gpiozero",
    }
    assert not roots & heavy
    assert roots <= {*sys.stdlib_module_names, "imported package", "zipimport"}
    assert place.low == [18]


# ---------------------------------------------------------------- what the kernel is asked for


def test_a_chips_line_is_asked_for_as_an_output_that_begins_low(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the offsets in <linux/gpio.h>; /dev/null stands for a chip."""
    asked: list[tuple[int, bytes]] = []

    def ioctl(_fd: int, request: int, argument: Any) -> int:
        asked.append((request, bytes(argument)))
        return 0

    monkeypatch.setattr(low.fcntl, "ioctl", ioctl)
    for pin in (18, 13):
        low.drive_low("/dev/null", pin)
    assert [request for request, _ in asked] == [0xC250B407] * 2
    for (_, raw), pin in zip(asked, (18, 13), strict=True):
        assert len(raw) == 592
        assert struct.unpack_from("=I", raw, 0) == (pin,)
        assert raw[4:256] == bytes(252)  # the other 63 offsets
        assert raw[256:288].rstrip(b"\0") == b"rearguard-low"
        assert struct.unpack_from("=Q", raw, 288) == (1 << 3,)  # an output, and nothing else
        assert raw[296:560] == bytes(264)  # no attributes: low
        assert struct.unpack_from("=I", raw, 560) == (1,)  # one line
        assert raw[564:592] == bytes(28)


LAYOUT = r"""
#include <stddef.h>
#include <stdio.h>
#include <linux/gpio.h>
#include <sys/ioctl.h>
int main(void) {
    printf("%zu %zu %zu %zu %zu %zu %zu %zu %lu %llu\n",
        sizeof(struct gpio_v2_line_request),
        offsetof(struct gpio_v2_line_request, offsets),
        offsetof(struct gpio_v2_line_request, consumer),
        offsetof(struct gpio_v2_line_request, config)
            + offsetof(struct gpio_v2_line_config, flags),
        offsetof(struct gpio_v2_line_request, config)
            + offsetof(struct gpio_v2_line_config, num_attrs),
        offsetof(struct gpio_v2_line_request, num_lines),
        offsetof(struct gpio_v2_line_request, event_buffer_size),
        offsetof(struct gpio_v2_line_request, fd),
        (unsigned long)GPIO_V2_GET_LINE_IOCTL,
        (unsigned long long)GPIO_V2_LINE_FLAG_OUTPUT);
    return 0;
}
"""


@pytest.mark.skipif(
    shutil.which("gcc") is None or not HEADER.exists(), reason="needs gcc and <linux/gpio.h>"
)
def test_the_kernels_own_header_says_the_same(tmp_path: Path) -> None:
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text(LAYOUT, encoding="ascii")
    subprocess.run(["gcc", "-o", program, source], check=True, timeout=60.0)
    said = subprocess.run([program], check=True, capture_output=True, text=True, timeout=20.0)
    size, offset, consumer, flags, attributes, lines, buffer, fd, ioctl, output = map(
        int, said.stdout.split()
    )
    packed = low._LINE_REQUEST.pack(0x11, b"C" * 32, 0x22, 0x33, 0x44, 0x55)
    assert len(packed) == size == 592
    assert (ioctl, output) == (low._GET_LINE, low._OUTPUT)
    assert packed[offset] == 0x11
    assert packed[consumer : consumer + 32] == b"C" * 32
    assert packed[flags] == 0x22
    assert packed[attributes] == 0
    assert (packed[lines], packed[buffer], packed[fd]) == (0x33, 0x44, 0x55)


def test_a_line_that_is_refused_is_named_and_the_next_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def ioctl(_fd: int, _request: int, argument: Any) -> int:
        asked.append(struct.unpack_from("=I", argument)[0])
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(low.fcntl, "ioctl", ioctl)
    (tmp_path / low.NOTE).write_text("/dev/null 18 13\n", encoding="ascii")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    low.main()
    assert asked == [18, 13]
    assert capsys.readouterr().err.splitlines() == [
        "GPIO18 of /dev/null: [Errno 16] Device or resource busy",
        "GPIO13 of /dev/null: [Errno 16] Device or resource busy",
    ]
