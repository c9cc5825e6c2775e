"""Outputs low, as fast as a Python can start: what systemd runs when the daemon has died.

A Pi keeps an output as it was driven, whatever became of the process, so a killed daemon may
leave the motor turning. `run` notes its outputs in the runtime directory before it drives any;
this reads the note and asks the kernel for each of those lines as an output that begins low.
It imports nothing that is not part of the interpreter, and is run as a file with `python3 -IS`:
`rearguard quiet`, which takes every kind of board, needs a third of a second more.

The note has a line for each board: a GPIO chip's device, or a file with one byte a pin (a
simulated board's), then the numbers of the output pins.
"""

import fcntl
import os
import struct
import sys

NOTE = "outputs"
_GET_LINE = 0xC250B407
_LINE_REQUEST = struct.Struct("=I252x32sQ264xII20xi")
"""struct gpio_v2_line_request for one line: its offset, the consumer's name, flags, no
attributes (an output begins low), number of lines, size of the event buffer, the answer."""
_OUTPUT = 1 << 3


def drive_low(device: str, pin: int) -> None:
    """One pin of `device`."""
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    if os.path.isfile(device):  # noqa: PTH113 - pathlib takes longer to import than this to run
        if 0 <= pin < os.fstat(fd).st_size:
            os.pwrite(fd, b"0", pin)
    else:
        request = bytearray(_LINE_REQUEST.pack(pin, b"rearguard-low", _OUTPUT, 1, 0, 0))
        fcntl.ioctl(fd, _GET_LINE, request)


def main() -> None:
    """Do as the note says, whatever becomes of each pin; without one there is nothing to do."""
    try:
        place = os.environ.get("RUNTIME_DIRECTORY", ".") + "/" + NOTE
        with open(place, errors="replace") as note:  # noqa: PTH123 - as above
            lines = note.read().splitlines()
    except OSError:
        return
    for line in lines:
        device, *pins = line.split() or [""]
        for pin in pins:
            try:
                drive_low(device, int(pin))
            except (OSError, ValueError, OverflowError, struct.error) as error:
                print(f"GPIO{pin} of {device}: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
