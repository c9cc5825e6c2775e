"""The kernel's GPIO chips, asked directly: which one is the header, and who has a line.

A Pi has several. Their numbers depend on the board and on the kernel (the header of a Pi 5 was
gpiochip4 until 6.6.45 and is gpiochip0 since), so a number is never trusted: the header is the
chip whose driver says so in its label: pinctrl-bcm2835 (Zero to 3), pinctrl-bcm2711 (4) or
pinctrl-rp1 (5). Its lines are numbered as GPIO (BCM) numbers are.

Two requests of the character device are enough, as <linux/gpio.h> lays them out; they need
nothing installed.
"""

import fcntl
import os
import re
import struct
from pathlib import Path

from device import procs
from device.errors import HardwareError

DEV = Path("/dev")
_GET_CHIP_INFO = 0x8044B401
_CHIP_INFO = struct.Struct("=32s32sI")
"""struct gpiochip_info: name, label, number of lines."""
_GET_LINE_INFO = 0xC100B405
_LINE_INFO = struct.Struct("=32s32sIIQ176x")
"""struct gpio_v2_line_info: name, consumer, offset, attributes, flags, what is not needed here."""
_USED = 1
_HEADER = re.compile(r"pinctrl-(bcm2835|bcm2711|rp1)$")
_MEMBER = re.compile(r"anon_inode:\[?gpio-(line|event)")


def header_chip() -> Path:
    """The character device of the Pi's header. Raises HardwareError."""
    labels: dict[str, str] = {}
    chips = sorted(DEV.glob("gpiochip*"), key=lambda path: (len(path.name), path.name))
    for path in chips:
        try:
            labels[path.name] = label = _label(path)
        except PermissionError as error:
            raise HardwareError(
                f"{path}: no permission; add the user to group gpio and log in again"
            ) from error
        except OSError:
            continue  # gone since, or no chip by that name
        if _HEADER.match(label):
            return path
    if not labels:
        raise HardwareError(
            "no GPIO chip (/dev/gpiochip*) on this machine;"
            " is this a Raspberry Pi? Elsewhere try rearguard simulate"
        )
    found = ", ".join(f"{name} is {label}" for name, label in labels.items())
    raise HardwareError(
        f"none of the GPIO chips is a Raspberry Pi's header ({found});"
        " is this a Raspberry Pi? Elsewhere try rearguard simulate"
    )


def number(chip: Path) -> int:
    """N of /dev/gpiochipN."""
    return int(chip.name.removeprefix("gpiochip"))


def line_holder(line: int) -> str | None:
    """As "NAME (process N)", who has GPIO`line` of the header; None when it is free or unknown.

    Where the kernel does not say which program has that very line, one that is the only user of
    any lines is named with a "perhaps".
    """
    try:
        chip = header_chip()
        consumer = _consumer(chip, line)
    except (HardwareError, OSError):
        return None
    if consumer is None:
        return None
    if sure := procs.holders(lambda link: _holds(link, chip.name, line)):
        return f'{sure[0]}, as "{consumer}"' if consumer else sure[0]
    perhaps = procs.holders(_holds_some)
    somebody = f'a program that calls itself "{consumer}"' if consumer else "another program"
    return f"{somebody}, perhaps {perhaps[0]}" if len(perhaps) == 1 else somebody


def _label(chip: Path) -> str:
    info = bytearray(_CHIP_INFO.size)
    _ask(chip, _GET_CHIP_INFO, info)
    _, label, _ = _CHIP_INFO.unpack(info)
    return _text(label)


def _consumer(chip: Path, line: int) -> str | None:
    """What the line's user calls itself; None when nobody has it."""
    info = bytearray(_LINE_INFO.pack(b"", b"", line, 0, 0))
    _ask(chip, _GET_LINE_INFO, info)
    _, consumer, _, _, flags = _LINE_INFO.unpack(info)
    return _text(consumer) if flags & _USED else None


def _ask(chip: Path, request: int, answer: bytearray) -> None:
    fd = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, request, answer)
    finally:
        os.close(fd)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _fields(link: Path) -> str | None:
    """What the kernel says of an open file, if it is one of GPIO lines."""
    try:
        if not _MEMBER.match(str(link.readlink())):
            return None
        return (link.parent.parent / "fdinfo" / link.name).read_text("ascii", "replace")
    except OSError:  # closed since
        return None


def _holds(link: Path, chip: str, line: int) -> bool:
    fields = _fields(link)
    return fields is not None and all(
        re.search(rf"^{name}:\s*{value}$", fields, re.MULTILINE)
        for name, value in (("gpio-chip", chip), ("gpio-line", line))
    )


def _holds_some(link: Path) -> bool:
    """Kernels before 6.0, and handles of the first generation, do not say which line."""
    fields = _fields(link)
    return fields is not None and "gpio-line:" not in fields
