"""The framer with frames of its own: torn, hurt and drowned in noise, and never out of step.

A frame here is `A5 N ~N`, for N below 200; the match looks at nothing before its place, so how
a stream was cut into pieces can make no difference.
"""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.ports.frames import Flaw, Framer

HEADER, LENGTH, MOST = 0xA5, 3, 199


def match(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
    if buffer[at] != HEADER:
        return Flaw.FORM
    if len(buffer) - at < LENGTH:
        return None
    value = buffer[at + 1]
    if buffer[at + 2] != value ^ 0xFF:
        return Flaw.CHECKSUM
    return (LENGTH, value) if value <= MOST else Flaw.RANGE


def frame(value: int) -> bytes:
    return bytes([HEADER, value, value ^ 0xFF])


def make(header: bytes = bytes([HEADER])) -> Framer[int]:
    return Framer(match, header)


def kept(framer: Framer[int]) -> int:
    return len(framer._buffer)


PIECES = st.one_of(
    st.integers(0, 255).map(frame),
    st.binary(max_size=4),
    st.sampled_from([b"\xa5", b"\xa5\xa5", b"\xa5\x5a", b"\xa5\xa5\x5a", b"\xa5\xa5\xa5\x5a"]),
)
STREAMS = st.lists(PIECES, max_size=24).map(b"".join)


@st.composite
def cut(draw: st.DrawFn) -> list[bytes]:
    """A stream in pieces, empty ones among them."""
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]


def reference(stream: bytes) -> list[tuple[int, int]]:
    """(bytes read when it was whole, value) of each frame: the rule itself, with no buffer."""
    found, at = [], 0
    while at + LENGTH <= len(stream):
        head, value, check = stream[at : at + LENGTH]
        good = head == HEADER and check == value ^ 0xFF and value <= MOST
        at += LENGTH if good else 1
        if good:
            found.append((at, value))
    return found


def test_a_whole_frame_in_one_piece():
    framer = make()
    assert framer.feed(frame(7)) == 7
    assert (framer.frames, framer.superseded, framer.flaws.total()) == (1, 0, 0)


def test_a_frame_byte_by_byte_is_there_with_its_last_byte():
    framer = make()
    for byte in frame(7)[:-1]:
        assert framer.feed(bytes([byte])) is None
    assert framer.feed(frame(7)[-1:]) == 7


@pytest.mark.parametrize("at", range(LENGTH + 1))
def test_a_frame_torn_in_two(at):
    framer = make()
    values = framer.feed(frame(7)[:at]), framer.feed(frame(7)[at:])
    assert values == ((7, None) if at == LENGTH else (None, 7))


def test_zero_is_a_value():
    assert make().feed(frame(0)) == 0


def test_nothing_fed_is_nothing_found():
    framer = make()
    framer.feed(frame(7)[:2])
    assert framer.feed(b"") is None
    assert framer.feed(frame(7)[2:]) == 7


def test_noise_before_and_between_is_counted_and_passed_over():
    framer = make()
    assert framer.feed(b"noise" + frame(1) + b"more" + frame(2)) == 2
    assert framer.flaws == {Flaw.FORM: 9}


def test_the_newest_of_several_wins_and_the_rest_are_counted():
    framer = make()
    assert framer.feed(frame(1) + frame(2) + frame(3) + frame(4)[:2]) == 3
    assert (framer.frames, framer.superseded) == (3, 2)
    assert framer.feed(frame(4)[2:]) == 4
    assert (framer.frames, framer.superseded) == (4, 2)


def test_a_wrong_sum_costs_one_byte_and_not_the_frame_within():
    framer = make()
    assert framer.feed(b"\xa5" + frame(9)) == 9  # dropped whole, `A5 A5 09` would take half of it
    assert framer.flaws == {Flaw.CHECKSUM: 1}


def test_a_value_that_cannot_be_costs_one_byte_and_not_the_frame_within():
    def below(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        """Frames `A5 N any`, which overlap as those with a checksum hardly can."""
        if len(buffer) - at < LENGTH:
            return None
        return (LENGTH, buffer[at + 1]) if buffer[at + 1] < HEADER else Flaw.RANGE

    framer = Framer[int](below, bytes([HEADER]))
    assert framer.feed(b"\xa5\xa5\x5a\xa5") == 0x5A
    assert framer.flaws == {Flaw.RANGE: 1}


def test_each_flaw_is_counted_as_what_it_is():
    framer = make()
    framer.feed(b"x" + b"\xa5\x01\x01" + frame(200) + frame(1))
    # After the first byte of a bad frame the other two are noise.
    assert framer.flaws == {Flaw.FORM: 5, Flaw.CHECKSUM: 1, Flaw.RANGE: 1}
    assert framer.frames == 1


def test_forget_drops_the_beginning_and_keeps_the_counts():
    framer = make()
    framer.feed(b"x" + frame(1) + frame(2)[:2])
    framer.forget()
    assert framer.feed(frame(2)[2:]) is None
    assert framer.feed(frame(3)) == 3
    assert (framer.frames, framer.flaws) == (2, {Flaw.FORM: 2})


def line(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
    """A frame that is not its own beginning: a line's end, and then a digit."""
    if buffer[at : at + 1] != b"\n":
        return Flaw.FORM
    rest = buffer[at + 1 : at + 2]
    if not rest:
        return None
    return (2, int(rest)) if rest.isdigit() else Flaw.FORM


def test_begin_puts_what_is_before_an_answer_in_place_of_what_was_left():
    framer = Framer[int](line, begins=b"\n")
    assert framer.feed(b"7") is None  # in a stream it may be the end of another
    framer.begin()
    assert framer.feed(b"7") == 7
    assert framer.feed(b"8") is None
    assert (framer.frames, framer.flaws) == (1, {Flaw.FORM: 2})
    framer.begin()
    assert framer.feed(b"x\n9") == 9  # the end that nobody sent is no flaw; the letter is
    assert (framer.frames, framer.flaws) == (2, {Flaw.FORM: 3})


def test_begin_does_not_count_what_it_drops_nor_what_it_puts():
    framer = Framer[int](line, begins=b"\n")
    for _ in range(3):
        framer.begin()
        assert kept(framer) == 1
    assert framer.feed(b"") is None
    assert (framer.frames, framer.superseded, framer.flaws.total()) == (0, 0, 0)
    assert framer.feed(b"x") is None
    assert framer.flaws == {Flaw.FORM: 1}  # what was sent, and not the end that nobody sent
    assert framer.feed(b"\nx") is None  # one that was is a flaw as any other
    assert framer.flaws == {Flaw.FORM: 3}


def test_after_begin_only_what_nobody_sent_goes_uncounted():
    """Nor after `forget`; and a flaw in a whole line is one however it began."""

    def tens(buffer: bytearray, at: int) -> tuple[int, int] | Flaw | None:
        found = line(buffer, at)
        return Flaw.RANGE if found == (2, 9) else found

    framer = Framer[int](tens, begins=b"\n")
    framer.begin()
    assert framer.feed(b"9") is None
    assert framer.flaws == {Flaw.RANGE: 1, Flaw.FORM: 1}
    framer.begin()
    framer.forget()
    assert framer.feed(b"x") is None
    assert framer.flaws == {Flaw.RANGE: 1, Flaw.FORM: 2}
    framer.begin()
    assert framer.feed(b"7x") == 7
    assert framer.flaws == {Flaw.RANGE: 1, Flaw.FORM: 3}


def test_begin_keeps_the_beginning_whole_for_the_next_answer():
    framer = Framer[int](line, begins=b"\n")
    for value in range(10):
        framer.begin()
        assert framer.feed(b"%d\n" % value) == value
        assert kept(framer) == 1
    assert (framer.frames, framer.flaws.total()) == (10, 0)


def test_forget_is_not_begin():
    framer = Framer[int](line, begins=b"\n")
    framer.begin()
    framer.forget()
    assert framer.feed(b"7") is None


def test_with_nothing_before_an_answer_begin_is_forget():
    framer = make()
    framer.feed(frame(1) + frame(2)[:2])
    framer.begin()
    assert kept(framer) == 0
    assert framer.feed(frame(2)[2:] + frame(3)) == 3
    assert (framer.frames, framer.flaws) == (2, {Flaw.FORM: 1})


def test_two_framers_share_nothing():
    one, other = make(), make()
    one.feed(frame(1)[:2])
    assert other.feed(frame(1)[2:]) is None
    assert one.flaws.total() == 0


@given(cut())
def test_how_a_stream_is_cut_makes_no_difference(pieces):
    framer, read = make(), 0
    due = reference(b"".join(pieces))
    for piece in pieces:
        came = [value for end, value in due if read < end <= read + len(piece)]
        read += len(piece)
        assert framer.feed(piece) == (came[-1] if came else None)
    assert framer.frames == len(due)


@given(cut())
def test_neither_are_the_counts_of_flaws_moved_by_it(pieces):
    whole, torn = make(), make()
    whole.feed(b"".join(pieces))
    told = sum(torn.feed(piece) is not None for piece in pieces)
    assert torn.flaws == whole.flaws
    assert torn.frames == whole.frames == torn.superseded + told


@given(cut())
def test_the_header_is_only_a_short_cut(pieces):
    quick, slow = make(), make(b"")
    assert [quick.feed(piece) for piece in pieces] == [slow.feed(piece) for piece in pieces]
    assert (quick.frames, quick.flaws) == (slow.frames, slow.flaws)


@given(cut())
def test_every_byte_is_in_a_frame_or_a_flaw_or_still_held(pieces):
    framer = make()
    for piece in pieces:
        framer.feed(piece)
    held = kept(framer)
    assert held < LENGTH
    fed = sum(len(piece) for piece in pieces)
    assert fed == framer.frames * LENGTH + framer.flaws.total() + held


@pytest.mark.parametrize("garbage", ["noise", "headers", "beginnings"])
@pytest.mark.parametrize("size", [1, 7, 4096, 1_000_000])
def test_a_megabyte_of_garbage_leaves_less_than_a_frame(garbage, size):
    total = 1_000_000 if size > 1 else 100_000
    kinds = {
        "noise": random.Random(1).randbytes(total),
        "headers": bytes([HEADER]) * total,
        "beginnings": b"\xa5\x5a" * (total // 2),
    }
    framer, most = make(), 0
    for at in range(0, total, size):
        framer.feed(kinds[garbage][at : at + size])
        most = max(most, kept(framer))
    assert most < LENGTH
    assert framer.feed(frame(7) + frame(8)) == 8
