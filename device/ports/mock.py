"""A simulated serial cable: a part at its far end, a port at its near end, damage between.

`Cable` keeps the bytes in memory and ends the virtual clock's wait as they arrive; `PtyCable`
sends the same bytes through a real pseudo-terminal, so that pyserial, the kernel's line
discipline and the clock's select() take part. What a cable does to bytes is the scenario's
`[cable]`: it loses some, garbles some, tears frames and says them twice, or carries them at a
speed that the reader does not expect.
"""

import contextlib
import os
import random
import tempfile
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from device.clock import Clock, VirtualClock
from device.ports import Port, PortMissingError

SAMPLE = 1 / 16
"""A receiver looks for the falling edge sixteen times a bit."""
TORN = 0.125
"""Share of frames that arrive in two pieces: a reader may look at any moment."""


Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Damage(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the cable does, as shares of the bytes or of the frames."""

    lost: Share = 0.0
    """Of the bytes."""
    garbled: Share = 0.0
    """Of the bytes: one bit is turned."""
    cut: Share = 0.0
    """Of the frames: what is after a random place is missing."""
    repeated: Share = 0.0
    """Of the frames: said twice."""
    speed: Annotated[float, Meta(ge=0.1, le=10.0)] = 1.0
    """The part's baud rate, as a share of the reader's: another one than the driver expects."""


def as_heard(data: bytes, speed: float) -> bytes:
    """What a receiver makes of `data` sent at `speed` times its own baud rate.

    The line as levels over time, idle high; sampled in the middle of each of the receiver's
    bits, from each falling edge on. A stop bit that is not high loses the byte, as `tty` asks
    of the kernel.
    """
    levels: list[int] = []
    for byte in data:
        levels += [0, *((byte >> bit) & 1 for bit in range(8)), 1]

    def level(bit_times: float) -> int:
        at = int(bit_times * speed)
        return levels[at] if at < len(levels) else 1

    heard = bytearray()
    at = 0.0
    while at * speed < len(levels):
        if level(at) or level(at + 0.5):
            at += SAMPLE
            continue
        byte = sum(level(at + 1.5 + bit) << bit for bit in range(8))
        if level(at + 9.5):
            heard.append(byte)
        at += 9.5
    return bytes(heard)


class Cable:
    """The far end: `send`, `asked`, `pull`, `plug`. The near end: `open`."""

    def __init__(self, clock: VirtualClock, damage: Damage, rng: random.Random) -> None:
        """`rng` decides what is damaged."""
        self._clock = clock
        self._damage = damage
        self._rng = rng
        self._near: _MemoryPort | None = None
        self.connected = True
        self.asked: Callable[[bytes], None] = lambda _: None
        """Called with what the near end sends."""

    def send(self, frame: bytes) -> None:
        """Say `frame` now; it arrives now, or its last part a byte's time later."""
        damage, rng = self._damage, self._rng
        if damage.repeated and rng.random() < damage.repeated:
            frame += frame
        if damage.cut and rng.random() < damage.cut:
            frame = frame[: rng.randrange(len(frame))]
        if damage.lost:
            frame = bytes(byte for byte in frame if rng.random() >= damage.lost)
        if damage.garbled:
            frame = bytes(
                byte ^ (1 << rng.randrange(8)) if rng.random() < damage.garbled else byte
                for byte in frame
            )
        if damage.speed != 1.0:
            frame = as_heard(frame, damage.speed)
        if len(frame) > 1 and rng.random() < TORN:
            at = rng.randrange(1, len(frame))
            self._deliver(frame[:at])
            frame = frame[at:]
            self._clock.at(self._clock.now() + 0.001, lambda: self._deliver(frame))
        elif frame:
            self._deliver(frame)

    def pull(self) -> None:
        """Take the port away from the near end, adapter and all."""
        self.connected = False
        self._near = None

    def plug(self) -> None:
        """Put it back: a new port, to be opened anew."""
        self.connected = True

    def open(self, path: str, baud: int) -> Port:  # noqa: ARG002 - as the real one
        """The near end. Raises PortMissingError while it is pulled."""
        if not self.connected:
            raise PortMissingError(f'sensor.port = "{path}": no such port; plug it in')
        self._near = _MemoryPort(self)
        return self._near

    def close(self) -> None:
        """Give back what it holds of the machine: nothing."""

    def _deliver(self, data: bytes) -> None:
        if self._near is not None:
            self._near.arrive(data)


class _MemoryPort:
    """The near end in memory."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable
        self._waiting = bytearray()
        self._wakes: Clock | None = None
        self._closed = False

    def arrive(self, data: bytes) -> None:
        if self._closed:
            return
        self._waiting += data
        if self._wakes is not None:
            self._wakes.wake()

    def read(self) -> bytes:
        if not self._cable.connected or self._cable._near is not self:  # noqa: SLF001 - its other end
            raise OSError("the cable is pulled")
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def write(self, data: bytes) -> None:
        if not self._cable.connected:
            raise OSError("the cable is pulled")
        self._cable.asked(data)

    def wake(self, clock: Clock) -> None:
        self._wakes = clock

    def close(self) -> None:
        self._closed = True


class PtyCable(Cable):
    """The same through a pseudo-terminal, whose name stands still while terminals come and go."""

    def __init__(self, clock: VirtualClock, damage: Damage, rng: random.Random) -> None:
        """Makes the terminal at once."""
        super().__init__(clock, damage, rng)
        self._folder = tempfile.TemporaryDirectory(prefix="rearguard-")
        self.path = Path(self._folder.name) / "serial0"
        self._master_fd = self._slave_fd = -1
        self.plug()

    def open(self, path: str, baud: int) -> Port:  # noqa: ARG002 - whatever is asked for is this
        """The near end, as any program would open it."""
        from device.ports.tty import open_tty  # noqa: PLC0415 - pyserial only where there is a port

        return open_tty(str(self.path), baud)

    def plug(self) -> None:
        """Make a terminal and give it the name."""
        if self._master_fd >= 0:
            return
        self._master_fd, self._slave_fd = os.openpty()
        tty.setraw(self._slave_fd)
        os.set_blocking(self._master_fd, False)
        self._clock.watch(self._master_fd, self._listen)
        self.path.symlink_to(os.ttyname(self._slave_fd))
        self.connected = True

    def pull(self) -> None:
        """Unmake it: whoever has it open reads an error."""
        if self._master_fd < 0:
            return
        self.connected = False
        self._clock.unwatch(self._master_fd)
        self.path.unlink()
        os.close(self._slave_fd)
        os.close(self._master_fd)
        self._master_fd = self._slave_fd = -1

    def close(self) -> None:
        """Give terminal and name back."""
        self.pull()
        self._folder.cleanup()

    def _listen(self) -> None:
        try:
            data = os.read(self._master_fd, 64)
        except OSError:
            return
        self.asked(data)

    def _deliver(self, data: bytes) -> None:
        if self._master_fd >= 0:
            with contextlib.suppress(BlockingIOError):  # nobody reads: the kernel drops it too
                os.write(self._master_fd, data)
