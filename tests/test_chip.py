"""The kernel's GPIO chips: the header is found by its label, and a line's holder is named."""

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from device import procs
from device.errors import HardwareError
from device.pins import chip

HEADER_4 = "pinctrl-rp1"
"""A Pi 5's."""
USED, OUTPUT = 1 << 0, 1 << 3


class ChipInfo(ctypes.Structure):
    """struct gpiochip_info of <linux/gpio.h>."""

    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("label", ctypes.c_char * 32),
        ("lines", ctypes.c_uint32),
    )


class LineInfo(ctypes.Structure):
    """struct gpio_v2_line_info of <linux/gpio.h>."""

    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("consumer", ctypes.c_char * 32),
        ("offset", ctypes.c_uint32),
        ("num_attrs", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("attrs", ctypes.c_uint64 * 2 * 10),
        ("padding", ctypes.c_uint32 * 4),
    )


def request(direction: int, number: int, size: int) -> int:
    """_IOC(direction, 0xB4, number, size) of <asm-generic/ioctl.h>."""
    return direction << 30 | size << 16 | 0xB4 << 8 | number


CHIP_INFO = request(2, 1, ctypes.sizeof(ChipInfo))
LINE_INFO = request(3, 5, ctypes.sizeof(LineInfo))


class Kernel:
    """/dev and /proc in a folder, and the answers of the chips in there."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.dev, self.proc = folder / "dev", folder / "proc"
        self.dev.mkdir()
        self.proc.mkdir()
        self.chips: dict[str, tuple[str, dict[int, str]]] = {}
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        patch.setattr(chip, "DEV", self.dev)
        patch.setattr(procs, "PROC", self.proc)
        patch.setattr(chip, "fcntl", SimpleNamespace(ioctl=self.ioctl))

    def add(self, name: str, label: str, used: dict[int, str] | None = None) -> Path:
        """A chip; `used` says what who has a line calls itself."""
        self.chips[name] = label, used or {}
        path = self.dev / name
        path.touch()
        return path

    def runs(self, pid: int, name: str, opened: str, fdinfo: str) -> None:
        """A program with an open file."""
        folder = self.proc / str(pid)
        (folder / "fd").mkdir(parents=True)
        (folder / "fdinfo").mkdir()
        (folder / "fd" / "5").symlink_to(opened)
        (folder / "fdinfo" / "5").write_text(f"pos:\t0\nflags:\t02\n{fdinfo}", "ascii")
        (folder / "comm").write_text(f"{name}\n", "ascii")

    def ioctl(self, fd: int, number: int, answer: bytearray) -> int:
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        self.asked.append(name)
        if name in self.forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        if name not in self.chips:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        label, used = self.chips[name]
        if number == CHIP_INFO:
            chip_info = ChipInfo.from_buffer(answer)
            chip_info.name, chip_info.label, chip_info.lines = name.encode(), label.encode(), 54
        elif number == LINE_INFO:
            line = LineInfo.from_buffer(answer)
            if line.offset >= 54:
                raise OSError(errno.EINVAL, "Invalid argument")
            line.name, line.flags = f"GPIO{line.offset}".encode(), OUTPUT
            if line.offset in used:
                line.flags |= USED
                line.consumer = used[line.offset].encode()
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        return 0


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(tmp_path, monkeypatch)


# ---------------------------------------------------------------- the header


@pytest.mark.parametrize("label", ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"])
@pytest.mark.parametrize("name", ["gpiochip0", "gpiochip4", "gpiochip11"])
def test_the_header_is_found_by_its_label_whatever_its_number(
    kernel: Kernel, label: str, name: str
) -> None:
    for other in ("gpiochip0", "gpiochip1", "gpiochip4", "gpiochip11", "gpiochip512"):
        kernel.add(other, "raspberrypi-exp-gpio")
    kernel.add(name, label)
    found = chip.header_chip()
    assert found == kernel.dev / name
    assert chip.number(found) == int(name.removeprefix("gpiochip"))


@pytest.mark.parametrize(
    "label",
    ["raspberrypi-exp-gpio", "brcmvirt-gpio", "pinctrl-rp1-aux", "my-pinctrl-rp1", "pinctrl-bcm"],
)
def test_a_label_that_only_looks_like_the_headers_is_none(kernel: Kernel, label: str) -> None:
    kernel.add("gpiochip0", label)
    with pytest.raises(HardwareError, match=f"gpiochip0 is {label}"):
        chip.header_chip()


def test_of_two_names_of_the_header_the_lowest_number_is_taken(kernel: Kernel) -> None:
    """Since 6.6.45 Raspberry Pi OS links a Pi 5's old number to the new one."""
    for name in ("gpiochip10", "gpiochip4", "gpiochip2"):
        kernel.add(name, HEADER_4)
    assert chip.header_chip().name == "gpiochip2"


def test_a_machine_without_the_header_is_told_what_it_has(kernel: Kernel) -> None:
    kernel.add("gpiochip10", "gpio-brcmstb@107d508500")
    kernel.add("gpiochip2", "INT33FF:00")
    with pytest.raises(HardwareError) as raised:
        chip.header_chip()
    found = "(gpiochip2 is INT33FF:00, gpiochip10 is gpio-brcmstb@107d508500)"
    assert found in str(raised.value)


@pytest.mark.parametrize("dev", ["empty", "missing"])
def test_a_machine_without_any_chip_is_told_so(kernel: Kernel, dev: str) -> None:
    if dev == "missing":
        kernel.dev.rmdir()
    with pytest.raises(HardwareError, match="no GPIO chip"):
        chip.header_chip()


def test_what_is_no_chip_or_gone_is_passed_over(kernel: Kernel) -> None:
    (kernel.dev / "gpiochip0").touch()  # answers to nothing
    (kernel.dev / "gpiochip1").symlink_to(kernel.dev / "gone")
    kernel.add("gpiochip2", HEADER_4)
    assert chip.header_chip().name == "gpiochip2"


def test_a_chip_that_may_not_be_asked_names_the_group(kernel: Kernel) -> None:
    path = kernel.add("gpiochip0", HEADER_4)
    kernel.forbidden.add("gpiochip0")
    with pytest.raises(HardwareError) as raised:
        chip.header_chip()
    assert str(raised.value) == (
        f"{path}: no permission; add the user to group gpio and log in again"
    )


def test_asking_leaves_no_file_open(kernel: Kernel) -> None:
    (kernel.dev / "gpiochip0").touch()
    kernel.add("gpiochip1", HEADER_4, {18: "x"})
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts itself each time
    for _ in range(5):
        chip.line_holder(18)
    assert kernel.asked
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# ---------------------------------------------------------------- a line's holder


def test_a_free_line_has_no_holder(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4, {17: "button"})
    kernel.runs(77, "fred", "anon_inode:gpio-line", "gpio-chip:\tgpiochip0\ngpio-line:\t17\n")
    assert chip.line_holder(18) is None
    assert chip.line_holder(17) == 'fred (process 77), as "button"'


@pytest.mark.parametrize("break_it", [
    lambda kernel: kernel.chips.clear(),
    lambda kernel: kernel.forbidden.add("gpiochip0"),
])  # fmt: skip
def test_a_kernel_that_does_not_tell_knows_no_holder(
    kernel: Kernel, break_it: Callable[[Kernel], None]
) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: "button"})
    break_it(kernel)
    assert chip.line_holder(18) is None


def test_a_line_that_the_chip_does_not_have_has_no_holder(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4)
    assert chip.line_holder(54) is None


@pytest.mark.parametrize(
    ("consumer", "who"),
    [("lg", 'a program that calls itself "lg"'), ("", "another program")],
)
def test_a_holder_that_is_not_seen_goes_by_its_own_word(
    kernel: Kernel, consumer: str, who: str
) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: consumer})
    assert chip.line_holder(18) == who


def test_a_consumer_as_long_as_the_field_is_whole(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: "c" * 32})
    assert chip.line_holder(18) == f'a program that calls itself "{"c" * 32}"'


UNTOLD = "anon_inode:gpio-line", ""
"""Before 6.0 the kernel did not say which lines a handle has."""
SOMEBODY = 'a program that calls itself "buzz"'


@pytest.mark.parametrize(
    ("opened", "fdinfo", "who"),
    [
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t18\n", "SURE"),
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t4\ngpio-line:\t18\n", "SURE"),
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t1\n", "NOT"),
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t118\n", "NOT"),
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t180\n", "NOT"),
        ("anon_inode:gpio-line", "gpio-chip:\tgpiochip10\ngpio-line:\t18\n", "NOT"),
        (*UNTOLD, "PERHAPS"),
        ("anon_inode:[gpio-line]", "", "PERHAPS"),
        ("anon_inode:gpio-linehandle", "", "PERHAPS"),  # the first version's, lgpio's
        ("anon_inode:gpio-event", "", "PERHAPS"),
        ("anon_inode:[eventfd]", "", "NOT"),
        ("/dev/gpiochip1", "", "NOT"),  # gpioinfo and the like: it looks, and has no line
        ("/tmp/gpio-line", "gpio-chip:\tgpiochip1\ngpio-line:\t18\n", "NOT"),
    ],
)
def test_the_holder_is_who_has_that_very_line(
    kernel: Kernel, opened: str, fdinfo: str, who: str
) -> None:
    kernel.add("gpiochip0", "raspberrypi-exp-gpio")
    kernel.add("gpiochip1", HEADER_4, {18: "buzz"})
    kernel.runs(77, "fred", opened, fdinfo)
    said = {
        "SURE": 'fred (process 77), as "buzz"',
        "PERHAPS": f"{SOMEBODY}, perhaps fred (process 77)",
        "NOT": SOMEBODY,
    }
    assert chip.line_holder(18) == said[who]


def test_of_several_who_may_have_the_line_none_is_named(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: "buzz", 17: ""})
    kernel.runs(77, "fred", *UNTOLD)
    assert chip.line_holder(17) == "another program, perhaps fred (process 77)"
    kernel.runs(78, "gina", *UNTOLD)
    assert chip.line_holder(17) == "another program"
    assert chip.line_holder(18) == SOMEBODY


def test_who_has_that_very_line_is_named_among_others_who_may_have_it(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: "buzz"})
    for pid in (70, 71, 99):
        kernel.runs(pid, "untold", *UNTOLD)
    kernel.runs(80, "fred", "anon_inode:gpio-line", "gpio-chip:\tgpiochip0\ngpio-line:\t18\n")
    assert chip.line_holder(18) == 'fred (process 80), as "buzz"'


def test_who_is_known_to_have_another_line_is_no_perhaps(kernel: Kernel) -> None:
    kernel.add("gpiochip0", HEADER_4, {18: "buzz"})
    kernel.runs(77, "fred", *UNTOLD)
    kernel.runs(78, "gina", "anon_inode:gpio-line", "gpio-chip:\tgpiochip0\ngpio-line:\t4\n")
    assert chip.line_holder(18) == f"{SOMEBODY}, perhaps fred (process 77)"


def test_the_layouts_are_the_kernels() -> None:
    """What the fake answers in is laid out by the C compiler's rules, not by the code's."""
    assert (ctypes.sizeof(ChipInfo), ctypes.sizeof(LineInfo)) == (68, 256)
    assert LineInfo.flags.offset == struct.calcsize("32s32sII")
