"""Bytes to frames: cut a stream that may be torn anywhere into the newest whole frame.

A serial sensor talks whether or not anyone listens, so a stream begins in the middle of a
frame, loses bytes, and finds ones that nobody sent. A parser that throws a whole frame away
on a bad checksum can then stay out of step for ever: a constant distance repeats, and 32 of
the distances between 30 and 4500 mm (255, 511, 766 ...) hold a second header at the same
place in each frame. So a flaw costs one byte, never a frame. That alone is not enough: the
stream of 511 mm, `FF 01 FF FF`, also reads as a frame of 65281 mm with a right checksum, so
a value that the part cannot have meant costs one byte as well.

What a frame looks like is its `match`: a function of the buffer and a place in it.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Flaw(StrEnum):
    """Why there is no frame at a place in the stream."""

    FORM = "form"
    """No frame begins or ends like this."""
    CHECKSUM = "checksum"
    RANGE = "range"
    """It is whole, and says what the part cannot have meant."""


Match = Callable[[bytearray, int], tuple[int, T] | Flaw | None]
"""`match(buffer, at)`: the frame that begins `at`, as (length, value); what is wrong with it;
or None while it may still become one. It asks for more only inside one frame's length."""


class Framer(Generic[T]):
    """Keeps what may become a frame, and counts what could not."""

    def __init__(self, match: Match[T], header: bytes = b"", begins: bytes = b"") -> None:
        """`header`: what every frame begins with, to skip noise quickly.

        `begins`: what is before the first frame of an answer, though nobody sends it: a line's end.
        """
        self._begins = begins
        self._match = match
        self._header = header[:1]
        self._buffer = bytearray()
        self._begun = False
        self.frames = 0
        self.superseded = 0
        """Whole frames thrown away, because a newer one was there already."""
        self.flaws: Counter[Flaw] = Counter()

    def feed(self, data: bytes) -> T | None:
        """Take in what has arrived; the newest whole frame's value, or None."""
        buffer, match, header, flaws = self._buffer, self._match, self._header, self.flaws
        buffer += data
        newest: T | None = None
        at, end, found = 0, len(buffer), 0
        while at < end:
            if header and buffer[at] != header[0]:
                begins = buffer.find(header, at)
                begins = end if begins < 0 else begins
                flaws[Flaw.FORM] += begins - at
                at = begins
                continue
            here = match(buffer, at)
            if here is None:
                break
            if isinstance(here, Flaw):
                if not (self._begun and here is Flaw.FORM):  # nobody sent what begins it
                    flaws[here] += 1
                self._begun = False
                at += 1
            else:
                length, newest = here
                self._begun = False
                at += length
                found += 1
        del buffer[:at]
        self.frames += found
        self.superseded += max(0, found - 1)
        return newest

    def forget(self) -> None:
        """Drop the beginning of a frame: what comes next is from another time."""
        self._buffer.clear()
        self._begun = False

    def begin(self) -> None:
        """What comes next is an answer, from its beginning."""
        self._buffer[:] = self._begins
        self._begun = bool(self._begins)
