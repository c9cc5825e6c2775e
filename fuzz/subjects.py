"""Every serial parser there is, and the oracle that holds for all of them.

A parser may lose what is torn. It must not raise, not keep more than one frame, not report what
its part cannot mean, and must be in step again within two good frames, whatever came before: of
three equal frames after any garbage the second and the third are reported, each once. Of whole
answers the first is, too. How a stream is cut into pieces must make no difference.

A JSN's parser learns which of two sums its unit uses, so it may doubt the first frame by the other
one that it gets to see. That is the second of the three when bytes of the first were taken for a
frame together with garbage, and in no other case. `FF 00 00 00`, nothing by the sum without FF, it
believes only of a unit that has shown this sum; so such a unit shows it first.

The bounds are written out here, not asked of the parsers.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from device.ports.frames import Flaw, Framer
from device.sensors import a02yyuw, jsn_sr04t, maxbotix, tf_luna, us100
from device.sensors._serial import most_mm

HEAD = 7
"""Bytes of an attempt that say which frames follow the garbage, and how it is cut."""
LONGEST_GARBAGE = 256
TEXTS = (
    b"Gap=%dmm\r\n",
    b"Gap=%d mm\r\n",
    b"%dmm\r\n",
    b"GAP\t: %d\tMM\n",
    b" %dmm\r",
    b" \tGap=%dmm\r\n",
)
BOTH_SUMS = (True, False)


class Subject(NamedTuple):
    """One parser."""

    name: str
    make: Callable[[], Framer[int]]
    sample: Callable[[int], tuple[bytes, int]]
    """For any whole number: a good frame, and the value in it."""
    allowed: Callable[[int], bool]
    """Whether its part can have meant a value."""
    longest: int
    """Of its frames, bytes."""
    marks: bytes
    """Bytes that mean something to it."""
    worst: tuple[bytes, ...]
    """What keeps it busy: repeated for ever, these begin a frame at each byte or nearly."""
    answers: bool = False
    """It is handed whole answers, each to a request of its own."""
    learns: bool = False
    """It doubts one frame by another sum than the last."""
    shy: bytes = b""
    """A frame that is believed only after another good one."""


def _dyp(name: str, most: int) -> Subject:
    def sample(pick: int) -> tuple[bytes, int]:
        value = pick % (most + 1)
        return a02yyuw.frame(value / 1000), value

    return Subject(
        name,
        lambda: a02yyuw.framer(most_mm(a02yyuw.MODELS[name])),
        sample,
        lambda value: 0 <= value <= most or value in (0xFFFD, 0xFFFE),
        longest=4,
        marks=b"\xff\xfe\xfd\x00\x01\x02",
        worst=(b"\xff",),
    )


def _jsn(name: str, *, with_header: bool) -> Subject:
    """A unit uses one sum, and never the other."""

    def sample(pick: int) -> tuple[bytes, int]:
        value = pick % 7501
        return jsn_sr04t.frame(value / 1000, with_header=with_header), value

    return Subject(
        name,
        lambda: jsn_sr04t.framer(most_mm(jsn_sr04t.MODELS[name])),
        sample,
        lambda value: 0 <= value <= 7500,
        longest=24,  # a line's length, for it listens to lines as well
        marks=b"\xff\xfe\xfd\x00\x01\x02\r1m",
        worst=(b"\xff", b"\r", b"\xff\x00\x01\x00\xff\x00\x01\x01"),
        learns=True,
        shy=b"" if with_header else bytes([0xFF, 0, 0, 0]),
    )


def _jsn_text(name: str, *, answers: bool) -> Subject:
    def sample(pick: int) -> tuple[bytes, int]:
        value = pick // len(TEXTS) % 7501
        return TEXTS[pick % len(TEXTS)] % value, value

    return Subject(
        name,
        lambda: jsn_sr04t.framer(most_mm(jsn_sr04t.MODELS["aj-sr04m"])),
        sample,
        lambda value: 0 <= value <= 7500,
        longest=24,
        marks=b"\xffGap=:0123456789 m\t\r\n",
        worst=(b"\r", b"\n0", b"\rG", b"\rGap=12345 m", b"\r12345mm", b"\r" + b" " * 22),
        answers=answers,
    )


def _us100() -> Subject:
    def sample(pick: int) -> tuple[bytes, int]:
        value = pick % 5628
        value = {5626: 11_090, 5627: 11_110}.get(value, value)
        return us100.frame(value / 1000), value

    return Subject(
        "us100",
        lambda: us100.framer(most_mm(us100.MODELS["us100"])),
        sample,
        lambda value: 0 <= value <= 5625 or value in (11_090, 11_110),
        longest=2,
        marks=b"\x00\x01\x15\x2b\x52\x66",
        worst=(b"\xff",),
        answers=True,
    )


def _maxbotix(name: str, digits: int, most: int) -> Subject:
    def sample(pick: int) -> tuple[bytes, int]:
        value = 1 + pick % most
        return b"R%0*d\r" % (digits, value), value

    return Subject(
        name,
        lambda: maxbotix.framer(name),
        sample,
        lambda value: 0 < value <= most,
        longest=digits + 2,
        marks=b"R0123456789\r\xff",
        worst=(b"R", b"R" + b"1" * digits),
    )


def _benewake(name: str) -> Subject:
    told = (*range(1301), 65535, 65534, 65532)
    known = frozenset(told)

    def sample(pick: int) -> tuple[bytes, int]:
        distance_cm, pick = told[pick % len(told)], pick // len(told)
        strength, eighths = pick & 0xFFFF, (pick >> 16) % 1321 - 320
        frame = tf_luna.frame(distance_cm, strength, eighths / 8)
        return frame, strength << 16 | distance_cm

    def allowed(value: int) -> bool:
        distance_cm, strength = value & 0xFFFF, value >> 16
        return 0 <= strength <= 0xFFFF and distance_cm in known

    return Subject(
        name,
        tf_luna.framer,
        sample,
        allowed,
        longest=9,
        marks=b"\x59\x59\x00\x01\x03\x08\x09",
        worst=(b"\x59",),
    )


SUBJECTS = {
    subject.name: subject
    for subject in (
        _dyp("a02yyuw", 5625),
        _dyp("a01nyub", 9375),
        _jsn("jsn-sr04t", with_header=True),
        _jsn("aj-sr04m", with_header=False),
        _jsn_text("aj-sr04m-text", answers=False),
        _jsn_text("aj-sr04m-answer", answers=True),
        _us100(),
        _maxbotix("hrxl-wr", 4, 5000),
        _maxbotix("hrxl-wr-10m", 4, 9999),
        _maxbotix("xl-wr", 3, 765),
        _maxbotix("xl-wr-10m", 4, 1068),
        _benewake("tf-luna"),
        _benewake("tfmini-plus"),
    )
}


def kept(framer: Framer[int]) -> int:
    """Bytes that it holds back."""
    return len(framer._buffer)  # noqa: SLF001  the promise is about this very buffer


def fed(subject: Subject, framer: Framer[int], data: bytes) -> tuple[int | None, str | None]:
    """The value, and what is wrong whatever was sent."""
    value = framer.feed(data)
    if value is not None and not subject.allowed(value):
        return value, f"reported {value}, which it cannot mean"
    if kept(framer) >= subject.longest:
        return value, f"kept {kept(framer)} bytes"
    return value, None


def check(subject: Subject, garbage: bytes, step: int, pick: int) -> tuple[int, str | None]:
    """Garbage in pieces of `step` bytes, then three frames: frames found, what is wrong."""
    framer = subject.make()
    newest: int | None = None
    for at in range(0, len(garbage), step):
        if subject.answers:
            framer.begin()
        value, wrong = fed(subject, framer, garbage[at : at + step])
        if wrong:
            return framer.frames, wrong
        newest = newest if value is None else value
    if not subject.answers:
        whole = subject.make()
        value = whole.feed(garbage)
        if (value, whole.frames) != (newest, framer.frames):
            text = f"{value} in {whole.frames} frames, in pieces {newest} in {framer.frames}"
            return framer.frames, text
    found, (frame, sent) = framer.frames, subject.sample(pick)
    wrong = None
    if frame == subject.shy:
        wrong = _good(subject, framer, *subject.sample(sent + 1))
    return found, wrong or _good(subject, framer, frame, sent)


def _good(subject: Subject, framer: Framer[int], frame: bytes, sent: int) -> str | None:
    """Three good frames: what is wrong."""
    taken = False
    for good in range(3):
        if subject.answers:
            framer.begin()
        before, doubts = framer.frames, framer.flaws[Flaw.CHECKSUM]
        rest = frame
        if subject.learns and not good:
            _, wrong = fed(subject, framer, frame[:-1])
            if wrong:
                return wrong
            taken, rest = framer.frames > before, frame[-1:]
        value, wrong = fed(subject, framer, rest)
        if wrong:
            return wrong
        found = framer.frames - before
        right = value == sent and found == 1
        if taken and good == 1 and not found:
            right = framer.flaws[Flaw.CHECKSUM] > doubts
        if not right and (good or subject.answers):
            return f"{value} in {found} frames for {sent} in good frame {good + 1}, {frame.hex()}"
    return None


def attempt(subject: Subject, data: bytes) -> tuple[int, str | None]:
    """One input of the fuzzers: `HEAD` bytes that choose frames and pieces, then garbage."""
    head, garbage = data[:HEAD], data[HEAD:]
    pick = int.from_bytes(head[:6])
    step = 1 + (head[6] if len(head) == HEAD else 0) % 16
    try:
        return check(subject, garbage, step, pick)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what is looked for
        return 0, f"raised {error!r}"


def random_input(subject: Subject, rng: random.Random) -> bytes:
    """An attempt: noise, noise of its own letters, or good frames that came to harm."""
    head = rng.randbytes(HEAD)
    size = rng.randint(0, LONGEST_GARBAGE)
    kind = rng.random()
    if kind < 0.2:
        return head + rng.randbytes(size)
    if kind < 0.4:
        return head + bytes(rng.choices(subject.marks, k=size))
    frames: list[bytes] = []
    if kind < 0.7:  # a thing that stands still
        frame, _ = subject.sample(int.from_bytes(head[:6]))
        frames = [frame] * (size // len(frame))
    else:
        while size > 0:
            frame, _ = subject.sample(rng.getrandbits(48))
            frames.append(frame)
            size -= len(frame)
    return head + harm(b"".join(frames), rng, subject.marks)


def harm(stream: bytes, rng: random.Random, marks: bytes) -> bytes:
    """Bytes lost, turned, inserted, repeated; the whole cut at both ends."""
    hurt = bytearray(stream)
    for _ in range(rng.randint(0, 1 + len(hurt) // 8)):
        if not hurt:
            break
        at, kind = rng.randrange(len(hurt)), rng.randrange(6)
        if kind == 0:
            del hurt[at]
        elif kind == 1:
            hurt[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            hurt.insert(at, rng.randrange(256))
        elif kind == 3:
            hurt[at] = rng.choice(marks)
        elif kind == 4:
            hurt[at:at] = hurt[at : at + rng.randint(1, 9)]
        else:
            del hurt[at : at + rng.randint(1, 9)]
    return bytes(hurt[rng.randint(0, 9) : len(hurt) - rng.randint(0, 9)])
