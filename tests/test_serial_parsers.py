"""Every serial parser against its data sheet, against harm, and against every way to come in late.

What can be counted is counted out, not drawn: each distance of each part, entered at each byte.
What cannot is drawn. The oracle is `fuzz.subjects.check`: no exception, no value that the part
cannot mean, and in step again within two good frames.
"""

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.ports.frames import Flaw, Framer
from device.sensors import a02yyuw, maxbotix, models, names, tf_luna, us100
from fuzz.subjects import SUBJECTS, TEXTS, check, harm, kept

TALKERS = [name for name, subject in SUBJECTS.items() if not subject.answers]
SUMS = ["jsn-sr04t", "aj-sr04m"]
"""Two names of one parser, each with one of the two sums."""
CODES_CM = (0, 65535, 65534, 65532)
STRENGTHS = (89, 100, 1000, 22784, 22873)
"""89, 22784 and 22873 hold 0x59, the header's byte, low, high and in both."""
EIGHTHS = (*range(-320, 1001, 180), *range(-167, 1001, 256))
"""-40 to 125 °C, and the five between whose low byte is 0x59."""


def lidar(distance_cm: int, strength: int) -> int:
    return strength << 16 | distance_cm


KNOWN = [
    ("a02yyuw", "FF 07 A1 A7", 1953),
    ("a02yyuw", "FF 00 FA F9", 250),
    ("a02yyuw", "FF 00 00 FF", 0),
    ("a02yyuw", "FF 15 7C 90", 5500),
    ("a02yyuw", "FF FF FD FB", 65533),
    ("a02yyuw", "FF FF FE FC", 65534),
    ("a01nyub", "FF 07 A1 A7", 1953),
    ("a01nyub", "FF 1D 4C 68", 7500),
    ("jsn-sr04t", "FF 07 A1 A7", 1953),
    ("jsn-sr04t", "FF 00 FA F9", 250),
    ("jsn-sr04t", "FF 00 E0 DF", 224),
    ("jsn-sr04t", "FF 00 FA FA", 250),
    ("jsn-sr04t", "FF 17 80 96", 6016),
    ("us100", "07 A1", 1953),
    ("us100", "00 00", 0),
    ("us100", "2B 52", 11090),
    ("us100", "2B 66", 11110),
    ("hrxl-wr", b"R1234\r".hex(), 1234),
    ("hrxl-wr", b"R0300\r".hex(), 300),
    ("hrxl-wr", b"R4999\r".hex(), 4999),
    ("hrxl-wr", b"R5000\r".hex(), 5000),
    ("hrxl-wr-10m", b"R9999\r".hex(), 9999),
    ("xl-wr", b"R020\r".hex(), 20),
    ("xl-wr", b"R765\r".hex(), 765),
    ("xl-wr-10m", b"R1068\r".hex(), 1068),
    ("tf-luna", "59 59 64 00 E8 03 40 09 4A", lidar(100, 1000)),
    ("tfmini-plus", "59 59 64 00 E8 03 40 09 4A", lidar(100, 1000)),
    ("tf-luna", "59 59 85 03 E8 03 40 09 6E", lidar(901, 1000)),
    ("tfmini-plus", "59 59 85 03 E8 03 40 09 6E", lidar(901, 1000)),
    ("tf-luna", "59 59 14 05 E8 03 40 09 FF", lidar(1300, 1000)),
    ("tfmini-plus", "59 59 14 05 E8 03 40 09 FF", lidar(1300, 1000)),
    ("tf-luna", "59 59 64 00 E8 03 C0 06 C7", lidar(100, 1000)),  # -40 °C
    ("tf-luna", "59 59 64 00 E8 03 E8 0B F4", lidar(100, 1000)),  # 125 °C
    ("tf-luna", "59 59 00 00 0A 00 40 09 05", lidar(0, 10)),
    ("tf-luna", "59 59 FF FF 0A 00 40 09 03", lidar(65535, 10)),
    ("tfmini-plus", "59 59 FE FF FF FF 40 09 F6", lidar(65534, 65535)),
    ("tfmini-plus", "59 59 FC FF E8 03 40 09 E1", lidar(65532, 1000)),
]
NO_READING = [
    ("a02yyuw", "FF 07 A1 A6", Flaw.CHECKSUM),
    ("a02yyuw", "FF 07 A1 A8", Flaw.CHECKSUM),  # the FF left out of the sum: a JSN's, not its
    ("a02yyuw", "FF 15 FA 0E", Flaw.RANGE),  # 5626 mm
    ("a01nyub", "FF 24 A0 C3", Flaw.RANGE),  # 9376 mm
    ("jsn-sr04t", "FF 07 A1 A9", Flaw.CHECKSUM),
    ("jsn-sr04t", "FF 1D 4D 69", Flaw.RANGE),  # 7501 mm
    ("us100", "", None),
    ("us100", "07", None),  # it may become two
    ("jsn-sr04t", "FF 00 00 00", Flaw.CHECKSUM),  # a line that fell low, or nothing: not shown yet
    ("us100", "07 A1 00", Flaw.FORM),
    ("us100", "07 A1 07 A1", Flaw.FORM),
    ("us100", "15 FA", Flaw.RANGE),  # 5626 mm
    ("us100", "FF FF", Flaw.RANGE),
    ("hrxl-wr", b"R0000\r".hex(), Flaw.RANGE),
    ("hrxl-wr", b"R5001\r".hex(), Flaw.RANGE),
    ("hrxl-wr", b"R123\r".hex(), Flaw.FORM),  # a centimetre part's
    ("hrxl-wr", b"R12345\r".hex(), Flaw.FORM),
    ("hrxl-wr", b"R1234\n".hex(), Flaw.FORM),
    ("hrxl-wr", b"r1234\r".hex(), Flaw.FORM),
    ("hrxl-wr", b"R12 4\r".hex(), Flaw.FORM),
    ("hrxl-wr", b"R12\xff34\r".hex(), Flaw.FORM),
    ("xl-wr", b"R1234\r".hex(), Flaw.FORM),  # a millimetre part's
    ("xl-wr", b"R766\r".hex(), Flaw.RANGE),
    ("xl-wr-10m", b"R1069\r".hex(), Flaw.RANGE),
    ("tf-luna", "59 59 64 00 E8 03 40 09 4B", Flaw.CHECKSUM),
    ("tf-luna", "59 59 15 05 E8 03 40 09 00", Flaw.RANGE),  # 1301 cm
    ("tfmini-plus", "59 59 15 05 E8 03 40 09 00", Flaw.RANGE),
    ("tf-luna", "59 59 FD FF E8 03 40 09 E2", Flaw.RANGE),  # no code
    ("tf-luna", "59 59 64 00 E8 03 BF 06 C6", Flaw.RANGE),  # -40 °C and an eighth
    ("tf-luna", "59 59 64 00 E8 03 E9 0B F5", Flaw.RANGE),  # 125 °C and an eighth
]


@pytest.mark.parametrize(("name", "frame", "value"), KNOWN)
def test_a_known_frame(name, frame, value):
    framer = SUBJECTS[name].make()
    assert framer.feed(bytes.fromhex(frame)) == value
    assert framer.frames == 1


@pytest.mark.parametrize(
    ("name", "frame", "value"), [known for known in KNOWN if known[0] in TALKERS]
)
def test_a_known_frame_byte_by_byte(name, frame, value):
    framer = SUBJECTS[name].make()
    told = [framer.feed(bytes([byte])) for byte in bytes.fromhex(frame)]
    assert [one for one in told if one is not None] == [value]


@pytest.mark.parametrize(("name", "frame", "flaw"), NO_READING)
def test_what_is_no_reading_says_why(name, frame, flaw):
    framer = SUBJECTS[name].make()
    value = framer.feed(bytes.fromhex(frame))
    assert (value, framer.frames) == (None, 0)
    assert (flaw is None) == (framer.flaws.total() == 0)
    assert flaw is None or framer.flaws[flaw] >= 1


def test_every_serial_part_is_here():
    serial = {name for driver in names() for name, part in models(driver).items() if part.serial}
    assert serial | {"aj-sr04m-text", "aj-sr04m-answer"} == set(SUBJECTS)


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name in maxbotix.MODELS])
@pytest.mark.parametrize("number", [b"7360", b"7386", b"7389", b"7066"])
def test_the_start_up_text_is_no_reading(name, number):
    banner = maxbotix.BANNER.replace(b"7386", number)
    for at, step in itertools.product(range(len(banner)), (1, 7, len(banner))):
        framer = SUBJECTS[name].make()
        for begins in range(at, len(banner), step):
            framer.feed(banner[begins : begins + step])
        assert framer.frames == 0


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name in maxbotix.MODELS])
def test_stray_bytes_between_lines_take_no_line(name):
    line, value = SUBJECTS[name].sample(300)
    framer = SUBJECTS[name].make()
    told = [framer.feed(b"\xff" + line + b"\xff\n") for _ in range(5)]
    assert told == [value] * 5


def test_an_answer_is_two_bytes_whatever_they_are():
    """Every answer that a US-100 can give."""
    framer = SUBJECTS["us100"].make()
    for value in range(0x10000):
        good = value <= 5625 or value in (11_090, 11_110)
        assert framer.feed(value.to_bytes(2)) == (value if good else None)
    for length in (3, 4, 5, 64):
        assert framer.feed(bytes(length)) is None
        assert kept(framer) == 0


def test_an_answer_torn_in_two_is_one_and_half_of_one_is_no_part_of_the_next():
    framer = SUBJECTS["us100"].make()
    for value in (0, 5, 255, 256, 1953, 5625, 11_090, 11_110):
        first, second = (bytes([byte]) for byte in value.to_bytes(2))
        framer.begin()
        assert framer.feed(first) is None
        assert kept(framer) == 1
        assert framer.feed(second) == value
        framer.begin()
        assert framer.feed(first) is None
        framer.begin()
        assert kept(framer) == 0
        assert framer.feed(first + second) == value
    assert framer.flaws.total() == 0
    for torn in (b"\x07", b"\xa1\x00"):  # and three bytes are none, however they come
        value = framer.feed(torn)
        assert value is None
    assert framer.flaws[Flaw.FORM] == 3


# Coming in late.


def late(framer: Framer[int], frame: bytes, value: int) -> None:
    """Come in at each byte of a thing that stands still: the first whole frame is reported.

    And nothing else is. Nothing is held back after it, so each entry finds the parser as if it
    were new.
    """
    feed, before = framer.feed, framer.frames
    for at in range(1, len(frame)):
        assert feed(frame[at:] + frame) == value, (at, frame.hex())
    assert framer.frames - before == len(frame) - 1, frame.hex()
    assert kept(framer) == 0


@pytest.mark.parametrize(("name", "most"), [("a02yyuw", 5625), ("a01nyub", 9375)])
def test_every_distance_of_a_dyp_entered_anywhere(name, most):
    framer = SUBJECTS[name].make()
    for value in (*range(most + 1), 65533, 65534):
        late(framer, a02yyuw.frame(value / 1000), value)


@pytest.mark.parametrize("name", SUMS)
def test_every_distance_of_a_jsn_entered_anywhere(name):
    """With a new parser each time, which knows neither sum."""
    subject = SUBJECTS[name]
    for value in range(7501):
        frame, sent = subject.sample(value)
        for at in (1, 2, 3):
            framer = subject.make()
            if frame == subject.shy:
                assert framer.feed(frame[at:] + frame * 3) is None
                assert (framer.frames, framer.flaws[Flaw.CHECKSUM]) == (0, 3)
                assert framer.feed(subject.sample(1)[0]) == 1  # it has shown its sum
                assert framer.feed(frame[at:] + frame) == 0
                assert framer.frames == 2
                continue
            assert framer.feed(frame[at:] + frame) == sent == value, (at, frame.hex())
            assert (framer.frames, kept(framer)) == (1, 0), (at, frame.hex())


@pytest.mark.parametrize(("name", "other"), [SUMS, SUMS[::-1]])
def test_every_distance_of_a_jsn_after_one_with_the_other_sum(name, other):
    """Its first whole frame is doubted, and says so; the next is believed."""
    subject = SUBJECTS[name]
    begins, _ = SUBJECTS[other].sample(1000)
    for value in range(7501):
        frame, _ = subject.sample(value)
        for at in (1, 2, 3, 4):
            framer = subject.make()
            assert framer.feed(begins + begins) == 1000
            assert framer.feed(frame[at:] + frame) is None, (at, frame.hex())
            assert framer.flaws[Flaw.CHECKSUM] >= 1
            if frame == subject.shy:  # of a part that puts FF in, it is a line that fell low
                assert framer.feed(frame * 5) is None
                shown, _ = subject.sample(1000)
                assert [framer.feed(shown), framer.feed(shown)] == [None, 1000]
                assert framer.feed(frame) == 0
                assert framer.frames == 4
                continue
            assert framer.feed(frame) == value, (at, frame.hex())
            assert framer.frames == 3


@pytest.mark.parametrize("text", TEXTS)
def test_every_line_of_a_jsn_entered_anywhere(text):
    """What is left of a line without its beginning tells nothing."""
    framer = SUBJECTS["aj-sr04m-text"].make()
    for value in range(7501):
        line = text % value
        for at in range(1, len(line)):
            framer.forget()
            before = framer.frames
            assert framer.feed(line[at:]) is None, (at, line)
            assert framer.feed(line) == value, (at, line)
            assert framer.frames - before == 1
            assert kept(framer) <= 1  # the line's end, which is the next one's beginning


@pytest.mark.parametrize(
    ("name", "line", "most"),
    [
        ("hrxl-wr", b"R%04d\r", 5000),
        ("hrxl-wr-10m", b"R%04d\r", 9999),
        ("xl-wr", b"R%03d\r", 765),
        ("xl-wr-10m", b"R%04d\r", 1068),
    ],
)
def test_every_line_of_a_maxbotix_entered_anywhere(name, line, most):
    framer = SUBJECTS[name].make()
    for value in range(1, most + 1):
        late(framer, line % value, value)


@pytest.mark.parametrize(
    ("name", "eighths"), [("tf-luna", EIGHTHS), ("tfmini-plus", (-167, 89, 200, 345))]
)
def test_every_distance_of_a_lidar_entered_anywhere(name, eighths):
    framer = SUBJECTS[name].make()
    distances = (*range(1301), *CODES_CM[1:])
    for warm, strength, distance_cm in itertools.product(eighths, STRENGTHS, distances):
        frame = tf_luna.frame(distance_cm, strength, warm / 8)
        late(framer, frame, lidar(distance_cm, strength))


def dropping(frame: bytes, entered: int, frames: int = 40) -> set[int]:
    """Distances that a parser reports which drops a bad frame whole, entered at some byte."""
    stream = (frame * frames)[entered:]
    told, at = set(), 0
    while at + 4 <= len(stream):
        if stream[at] != 0xFF:
            at += 1
            continue
        high, low, total = stream[at + 1 : at + 4]
        if total == (0xFF + high + low) & 0xFF:
            told.add(high << 8 | low)
        at += 4
    return told


def test_distances_at_which_a_dropping_parser_is_out_of_step_for_ever():
    """Why a flaw costs one byte: these are what `late` would fail at, and they are passed."""
    locked = [
        value
        for value in range(30, 4501)
        if any(value not in dropping(a02yyuw.frame(value / 1000), at) for at in (1, 2, 3))
    ]
    assert len(locked) == 32
    assert {255, 511, 766} <= set(locked)
    assert any(dropping(a02yyuw.frame(0.511), at) == {65281} for at in (1, 2, 3))
    for value in locked:
        late(SUBJECTS["a02yyuw"].make(), a02yyuw.frame(value / 1000), value)


# Harm.


@pytest.mark.parametrize("name", ["a02yyuw", "a01nyub", "tf-luna", "tfmini-plus"])
def test_one_turned_bit_is_never_another_distance(name):
    subject = SUBJECTS[name]
    rng = random.Random(1)
    for _ in range(500):
        frame, _ = subject.sample(rng.getrandbits(48))
        for bit in range(len(frame) * 8):
            turned = int.from_bytes(frame) ^ 1 << bit
            assert subject.make().feed(turned.to_bytes(len(frame))) is None


@pytest.mark.parametrize("name", ["tf-luna", "tfmini-plus"])
def test_one_turned_bit_in_a_lidar_stream_costs_that_frame_only(name):
    """Strengths and temperatures of the header's byte among them."""
    framer = SUBJECTS[name].make()
    for distance_cm, strength, warm in itertools.product(range(0, 1301, 89), STRENGTHS, (89, 345)):
        frame = tf_luna.frame(distance_cm, strength, warm / 8)
        value = lidar(distance_cm, strength)
        for bit in range(len(frame) * 8):
            turned = (int.from_bytes(frame) ^ 1 << bit).to_bytes(len(frame))
            told = [framer.feed(one) for one in (frame, turned, frame)]
            assert told == [value, None, value], (frame.hex(), turned.hex())


@pytest.mark.parametrize("name", SUMS)
def test_what_two_sums_cost_a_jsn(name):
    """Nothing, once it has heard a good frame: then no turned bit passes, in any distance.

    Alone; how it may combine with the next frame is the next test's.
    """
    subject = SUBJECTS[name]
    framer = subject.make()
    shown, _ = subject.sample(1000)
    for value in range(7501):
        frame, _ = subject.sample(value)
        whole = int.from_bytes(frame)
        for bit in range(32):
            if frame == subject.shy:
                assert framer.feed(shown * 2) == 1000
            assert framer.feed(frame) == value
            turned = (whole ^ 1 << bit).to_bytes(4)
            assert framer.feed(turned) is None, (turned.hex(), frame.hex())
            framer.forget()


TURNED = {"a02yyuw": (5625, 9), "a01nyub": (9375, 16), "jsn-sr04t": (7500, 13)}
TURNED["aj-sr04m"] = (7500, 14)
"""The largest distance, millimetres; and of how many in all one turned bit can make another."""


@pytest.mark.parametrize("name", TURNED)
def test_one_turned_bit_in_a_stream_is_another_distance_in_few_cases_that_are_known(name):
    """A limit of four bytes with one of them a sum, whatever the parser.

    Where the low byte is FF too, the second half of a hurt frame and the first of the next can be
    a frame: one of a hundred thousand turned bits or so. It is one false value and never two, the
    next but one is right, and no other frame is lost than the one that was hurt and that one. One
    alone is believed by nobody (`new_object_pings`).
    """
    subject, (most, known) = SUBJECTS[name], TURNED[name]
    framer, amiss = subject.make(), []
    for value in range(1 if subject.shy else 0, most + 1):
        frame, _ = subject.sample(value)
        whole = int.from_bytes(frame)
        assert [framer.feed(frame), framer.feed(frame)][1] == value
        for bit in range(32):
            turned = (whole ^ 1 << bit).to_bytes(4)
            told = [framer.feed(one) for one in (turned, frame, frame, frame)]
            if told != [None, value, value, value]:
                amiss.append((value, turned.hex(" "), told))
    assert len(amiss) == known
    apart = 256 if subject.shy else 512
    for value, turned, told in amiss:
        assert value & 0xFF == 0xFF, turned
        assert told == [None, value + apart, value, value], turned


def test_one_turned_bit_in_the_same_word_for_nothing_costs_that_frame_only():
    """Of a unit with FF in its sum; and of one without, where what is turned is not its sum."""
    jsn, aj = (SUBJECTS[name] for name in SUMS)
    for subject, more in ((jsn, ()), (aj, (aj.shy,))):
        framer, (frame, _) = subject.make(), subject.sample(0)
        for bit in range(32):
            turned = (int.from_bytes(frame) ^ 1 << bit).to_bytes(4)
            if more and turned in (b"\xff\x00\x01\x00", b"\xff\x01\x00\x00"):
                continue  # by the other sum it is a distance: the next test
            framer.feed(subject.sample(1000)[0] * 2)
            told = [framer.feed(one) for one in (frame, turned, frame, frame)]
            assert told == [0, None, 0, 0], turned.hex(" ")


@pytest.mark.parametrize("turned", [b"\xff\x00\x01\x00", b"\xff\x01\x00\x00"])
def test_one_turned_bit_does_not_silence_a_unit_in_the_open_that_says_0_without_ff(turned):
    aj = SUBJECTS["aj-sr04m"]
    framer = aj.make()
    framer.feed(aj.sample(1000)[0] * 2)
    told = [framer.feed(one) for one in (aj.shy, turned, *[aj.shy] * 20)]
    assert told[-1] == 0


@pytest.mark.parametrize("name", SUMS)
def test_what_two_sums_cost_the_very_first_frame_of_a_jsn(name):
    """A turned lowest bit can make the other sum right: 1 or 256 mm amiss, and one more lost."""
    subject, amiss = SUBJECTS[name], set()
    for value in range(0, 7501, 3):
        frame, _ = subject.sample(value)
        for bit in range(32):
            framer = subject.make()
            turned = int.from_bytes(frame) ^ 1 << bit
            told = framer.feed(turned.to_bytes(4))
            if told is not None:
                amiss.add(abs(told - value))
                after = [framer.feed(frame), framer.feed(frame)]
                assert after == [None, None if frame == subject.shy else value]
    assert amiss == {0, 1, 256}


def test_a_jsn_unit_may_be_exchanged_for_one_with_the_other_sum():
    jsn, aj = (SUBJECTS[name].sample(1000)[0] for name in SUMS)
    framer = SUBJECTS["jsn-sr04t"].make()
    assert [framer.feed(one) for one in (jsn, aj, aj, aj)] == [1000, None, 1000, 1000]
    assert framer.flaws[Flaw.CHECKSUM] == 1
    assert [framer.feed(one) for one in (jsn, jsn, jsn)] == [None, 1000, 1000]
    # By turns only half a checksum is left, and each second sum is doubted.
    assert [framer.feed(one) for one in (aj, jsn) * 2] == [None, 1000] * 2


@st.composite
def harmed(draw: st.DrawFn, name: str, most: int) -> bytes:
    """Good frames, some of them come to harm, noise of the parser's own letters between."""
    subject = SUBJECTS[name]
    frames = st.integers(0, 2**48).map(lambda pick: subject.sample(pick)[0])
    noise = st.one_of(
        st.binary(max_size=12),
        st.lists(st.sampled_from(list(subject.marks)), max_size=24).map(bytes),
    )
    stream = b"".join(draw(st.lists(st.one_of(frames, noise), max_size=12)))
    if draw(st.booleans()):
        stream = harm(stream, random.Random(draw(st.integers(0, 2**32))), subject.marks)
    return stream[:most]


@pytest.mark.parametrize("name", SUBJECTS)
@settings(deadline=None)
@given(data=st.data())
def test_after_any_garbage_it_is_in_step_within_two_good_frames(name, data):
    garbage = data.draw(harmed(name, 64))
    step = data.draw(st.sampled_from([1, 2, 3, 5, 9, 64]))
    assert check(SUBJECTS[name], garbage, step, data.draw(st.integers(0, 2**48)))[1] is None


@pytest.mark.parametrize("name", SUBJECTS)
@settings(deadline=None)
@given(data=st.data())
def test_a_harmed_stream_is_survived_and_never_says_what_cannot_be(name, data):
    stream = data.draw(harmed(name, 400))
    step = data.draw(st.sampled_from([1, 2, 7, 32]))
    assert check(SUBJECTS[name], stream, step, data.draw(st.integers(0, 2**48)))[1] is None


@pytest.mark.parametrize("name", TALKERS)
@settings(deadline=None)
@given(data=st.data())
def test_how_its_bytes_are_bundled_makes_no_difference(name, data):
    """Kernels hand them on as they please."""
    stream = data.draw(harmed(name, 100))
    whole, torn = SUBJECTS[name].make(), SUBJECTS[name].make()
    newest = whole.feed(stream)
    told = [torn.feed(bytes([byte])) for byte in stream]
    values = [value for value in told if value is not None]
    assert (values[-1] if values else None) == newest
    assert torn.frames == whole.frames


# Lines of a JSN.

LINES = [
    (b"Gap=1234mm", 1234),
    (b"Gap=1234 mm", 1234),
    (b"Gap= 250 mm", 250),
    (b"gap:0mm", 0),
    (b"GAP \t=\t 0250 \tMM", 250),
    (b" \tGap=1234mm", 1234),
    (b"1234mm", 1234),
    (b" \t1234\t mm", 1234),
    (b"06016mm", 6016),
    (b"Gap=7500mm", 7500),
    (b" " * 20 + b"1mm", 1),  # 24 bytes with the line's end
    (b"Gap=%s12345mm" % (b" " * 12), Flaw.RANGE),
    (b"Gap=7501mm", Flaw.RANGE),
    (b"12345mm", Flaw.RANGE),
    (b"99999mm", Flaw.RANGE),
    (b"Gap=mm", Flaw.FORM),
    (b"Gap=123456mm", Flaw.FORM),
    (b"Gap=12x4mm", Flaw.FORM),
    (b"Gap=12 34mm", Flaw.FORM),
    (b"Gap=12\xff34mm", Flaw.FORM),
    (b"Gap=123cm", Flaw.FORM),
    (b"Gap=123m m", Flaw.FORM),
    (b"Gap=-12mm", Flaw.FORM),
    (b"Gap=12.3mm", Flaw.FORM),
    (b"Gap==123mm", Flaw.FORM),
    (b"ap=1234mm", Flaw.FORM),
    (b"=1234mm", Flaw.FORM),
    (b"x234mm", Flaw.FORM),
    (b" " * 21 + b"1mm", Flaw.FORM),  # 25 bytes
    (b"Gap=%s1mm" % (b" " * 40), Flaw.FORM),
]


def told_in_pieces(framer: Framer[int], data: bytes, size: int) -> list[int]:
    told = (framer.feed(data[at : at + size]) for at in range(0, len(data), size))
    return [one for one in told if one is not None]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("ends", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize(("line", "value"), LINES)
def test_a_line_of_a_jsn(line, value, ends, size):
    """In a stream after the end of another; as an answer from its beginning; else never."""
    due = [] if isinstance(value, Flaw) else [value]
    inside, answered, torn = (SUBJECTS["aj-sr04m-text"].make() for _ in range(3))
    assert told_in_pieces(inside, ends + line + ends, size) == due
    answered.begin()
    assert told_in_pieces(answered, line + ends, size) == due
    assert told_in_pieces(torn, line + ends, size) == []
    assert (inside.frames, answered.frames, torn.frames) == (len(due), len(due), 0)
    if isinstance(value, Flaw):
        assert inside.flaws[value] >= 1
        assert answered.flaws[value] >= 1
        assert inside.flaws[Flaw.RANGE] == (value is Flaw.RANGE)


def test_a_line_is_told_with_its_last_letter_and_not_twice():
    framer = SUBJECTS["aj-sr04m-text"].make()
    told = [framer.feed(bytes([byte])) for byte in b"\r\nGap=1234mm\r\n"]
    assert told == [None] * 11 + [1234] + [None] * 2


def test_an_answer_in_bytes_is_read_after_begin_as_well():
    for name in SUMS:
        framer = SUBJECTS[name].make()
        for value in reversed(range(0, 7501, 7)):  # 0 last: by then it has shown its sum
            framer.begin()
            assert framer.feed(SUBJECTS[name].sample(value)[0]) == value
        assert framer.flaws.total() == 0  # the line's end before each is nobody's flaw


def test_an_answer_is_not_finished_by_the_next_one():
    framer = SUBJECTS["aj-sr04m-answer"].make()
    framer.begin()
    assert framer.feed(b"Gap=1") is None
    framer.begin()
    assert framer.feed(b"ap=1234mm\r\n") is None
    framer.begin()
    assert framer.feed(b"234mm\r\n") == 234  # which is a whole line, and the tracker's to doubt


JSN_LINE = re.compile(rb"[\r\n][ \t]*(?:[Gg][Aa][Pp][ \t]*[=:])?[ \t]*([0-9]{1,5})[ \t]*[Mm][Mm]")


def jsn_reference(stream: bytes) -> list[tuple[int, int]]:
    """(bytes read when it was whole, value) of each frame: the rule itself, with no buffer."""
    found, at, last, other_before = [], 0, None, False
    while at < len(stream):
        text = JSN_LINE.match(stream, at, at + 24)
        four = stream[at : at + 4]
        length, value = 0, -1
        if text:
            length, value = text.end() - at, int(text[1])
        elif len(four) == 4 and four[0] == 0xFF and int.from_bytes(four[1:3]) <= 7500:
            with_header = four[3] == sum(four[:3]) % 256
            shown = last is False
            if with_header or (four[3] == sum(four[1:3]) % 256 and (any(four[1:]) or shown)):
                other = last is not None and with_header != last
                if not other or other_before:
                    length, value, last = 4, int.from_bytes(four[1:3]), with_header
                other_before = other and not other_before
        if length and value <= 7500:
            at += length
            found.append((at, value))
        else:
            at += 1
    return found


JSN_STREAMS = st.lists(
    st.one_of(
        st.builds(
            lambda name, v: SUBJECTS[name].sample(v)[0], st.sampled_from(SUMS), st.integers(0, 7500)
        ),
        st.builds(lambda text, v: text % v, st.sampled_from(TEXTS), st.integers(0, 99_999)),
        st.builds(
            lambda line, end: line[0] + end, st.sampled_from(LINES), st.sampled_from([b"\r", b"\n"])
        ),
        st.lists(st.sampled_from(list(b"\xff\xfe\x00\x01\x02\x03\r\n10mGap= ")), max_size=8).map(
            bytes
        ),
        st.builds(lambda blank, n: blank * n, st.sampled_from([b" ", b"\t"]), st.integers(0, 30)),
        st.binary(max_size=4),
    ),
    max_size=16,
).map(b"".join)


@settings(deadline=None, max_examples=500)
@given(JSN_STREAMS, st.lists(st.integers(0, 300), max_size=12))
def test_a_jsn_stream_in_any_pieces_says_what_the_rule_says(stream, places):
    framer = SUBJECTS["jsn-sr04t"].make()
    due = jsn_reference(stream)
    cuts = sorted(min(place, len(stream)) for place in places)
    for begins, ends in itertools.pairwise([0, *cuts, len(stream)]):
        came = [value for end, value in due if begins < end <= ends]
        assert framer.feed(stream[begins:ends]) == (came[-1] if came else None)
        assert kept(framer) < 24
    assert framer.frames == len(due)


def test_a_silent_line_stays_silent():
    for subject in SUBJECTS.values():
        framer = subject.make()
        assert [framer.feed(b"") for _ in range(3)] == [None] * 3


def test_who_is_handed_whole_answers():
    answers = [name for name, subject in SUBJECTS.items() if subject.answers]
    assert answers == ["aj-sr04m-answer", *us100.MODELS]
