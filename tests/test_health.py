"""Health: dead, confused and proven are told apart, in time, and trust comes back slowly."""

import math
import random

import pytest

from device.core.health import (
    FASTEST_MPS,
    FROZEN_ANSWERS,
    FROZEN_S,
    GARBAGE_WINDOW,
    NEARLY_FOR_S,
    NEARLY_S,
    RECOVERY_ANSWERS,
    SAME_S,
    SERIAL_S,
    Health,
    SensorFault,
)
from device.core.reading import Echo, Fault, Nothing, PingFault, Reading

PERIOD_S = 0.05


def proven() -> Health:
    """A health that has heard eleven good answers, the last at 0.5 s."""
    health = Health()
    for i in range(11):
        assert health.step(i * PERIOD_S, Nothing(i * PERIOD_S)) is None
    return health


def failures(kind: PingFault, count: int, start_s: float = 0.55) -> list[Reading]:
    return [Fault(start_s + i * PERIOD_S, kind) for i in range(count)]


def feed(health: Health, readings: list[Reading]) -> SensorFault | None:
    fault = health.fault
    for reading in readings:
        fault = health.step(reading.t_s, reading)
    return fault


def test_two_answers_prove_a_sensor_even_if_they_say_nothing() -> None:
    health = Health()
    health.step(0.05, Nothing(0.05))
    assert not health.proven
    health.step(0.1, Echo(0.1, 1.0))
    assert health.proven


def test_nothing_from_a_part_that_says_so_when_covered_proves_nothing() -> None:
    health = Health()
    for i in range(20):
        health.step(i * PERIOD_S, Nothing(i * PERIOD_S, sure=False))
    assert not health.proven
    health.step(1.0, Nothing(1.0))
    assert not health.proven
    health.step(1.05, Echo(1.05, 1.0))
    assert health.proven


def test_it_is_an_answer_all_the_same_and_no_silence() -> None:
    health = Health()
    unsure: list[Reading] = [Nothing(i * PERIOD_S, sure=False) for i in range(20)]
    assert feed(health, unsure) is None
    assert health.step(1.449, None) is None
    assert health.step(1.45, None) is SensorFault.STALE  # something was heard, if of low trust
    broken = proven()
    feed(broken, failures(PingFault.NEVER_ROSE, 10))
    mended: list[Reading] = [
        Nothing(1.1 + i * PERIOD_S, sure=False) for i in range(RECOVERY_ANSWERS)
    ]
    assert feed(broken, mended[:-1]) is SensorFault.STOPPED_ANSWERING
    assert feed(broken, mended[-1:]) is None


@pytest.mark.parametrize("sure", [True, False])
def test_whoever_was_heard_once_be_it_of_low_trust_has_stopped_answering(sure: bool) -> None:
    health = Health()
    health.step(0.05, Nothing(0.05, sure=sure))
    assert feed(health, failures(PingFault.NO_ANSWER, 3, 0.1)) is SensorFault.STOPPED_ANSWERING
    assert not health.proven


def test_faults_alone_are_no_answer() -> None:
    health = Health()
    feed(health, failures(PingFault.BAD_FRAME, 2, 0.05))
    assert feed(health, failures(PingFault.NO_ANSWER, 1, 0.15)) is SensorFault.NEVER_ANSWERED


def test_silence_from_the_start_is_never_answered_after_half_a_second() -> None:
    health = Health()
    assert health.due_s == 0.5
    assert health.step(0.499, None) is None
    assert health.step(0.5, None) is SensorFault.NEVER_ANSWERED


def test_unanswered_pings_from_the_start_are_never_answered() -> None:
    assert feed(Health(), failures(PingFault.NEVER_ROSE, 3, 0.06)) is SensorFault.NEVER_ANSWERED


def test_a_proven_sensor_that_falls_silent_has_stopped_answering() -> None:
    health = proven()
    assert feed(health, failures(PingFault.NEVER_ROSE, 2)) is None
    assert feed(health, failures(PingFault.NEVER_ROSE, 1, 0.65)) is SensorFault.STOPPED_ANSWERING


def test_no_readings_at_all_are_stale() -> None:
    health = proven()
    assert health.step(0.999, None) is None
    assert health.step(1.0, None) is SensorFault.STALE


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (PingFault.STUCK_HIGH, SensorFault.STUCK_HIGH),
        (PingFault.NOISE, SensorFault.NOISE),
        (PingFault.LOST_EDGE, SensorFault.LOST_EDGE),
        (PingFault.LATE_EDGE, SensorFault.LATE_EDGE),
        (PingFault.NO_ANSWER, SensorFault.STOPPED_ANSWERING),
        (PingFault.BAD_FRAME, SensorFault.BAD_FRAME),
        (PingFault.OUT_OF_RANGE, SensorFault.OUT_OF_RANGE),
        (PingFault.DAZZLED, SensorFault.DAZZLED),
        (PingFault.PORT_GONE, SensorFault.PORT_GONE),
    ],
)
def test_the_fault_is_called_after_what_was_seen(kind: PingFault, name: SensorFault) -> None:
    assert feed(proven(), failures(kind, 3)) is name


def test_a_slow_failure_is_silence_all_the_same() -> None:
    health = proven()
    assert feed(health, [Fault(0.75, PingFault.STUCK_HIGH)]) is None
    assert health.step(1.0, None) is SensorFault.STUCK_HIGH


def test_three_failures_among_eight_are_intermittent() -> None:
    mixed: list[Reading] = [
        Fault(0.55, PingFault.NEVER_ROSE),
        Nothing(0.6),
        Fault(0.65, PingFault.NEVER_ROSE),
        Nothing(0.7),
        Fault(0.75, PingFault.NEVER_ROSE),
    ]
    health = proven()
    assert feed(health, mixed[:4]) is None
    assert feed(health, mixed[4:]) is SensorFault.INTERMITTENT


def test_an_intermittent_sensor_that_dies_is_called_dead() -> None:
    health = proven()
    for i in range(3):
        feed(health, [Fault(0.55 + i * 0.1, PingFault.NEVER_ROSE), Nothing(0.6 + i * 0.1)])
    assert health.fault is SensorFault.INTERMITTENT
    assert feed(health, failures(PingFault.NEVER_ROSE, 7, 0.9)) is SensorFault.INTERMITTENT
    assert feed(health, failures(PingFault.NEVER_ROSE, 1, 1.25)) is SensorFault.STOPPED_ANSWERING


def test_too_few_answers_to_warn_in_time_are_slow() -> None:
    """As when the loop is starved: each answer is good, and there are three a second."""
    health = proven()
    said = [health.step(t_s, Nothing(t_s)) for t_s in (0.8, 1.1, 1.4, 1.7, 2.0)]
    assert said[0] is None
    assert said[-1] is SensorFault.SLOW
    even = Health()
    assert all(even.step(i * 0.125, Nothing(i * 0.125)) is None for i in range(50))


def test_nonsense_is_garbage_within_half_a_second() -> None:
    for seed in range(50):
        rng = random.Random(seed)
        health = proven()
        nonsense: list[Reading] = [Echo(0.54 + i * 0.04, rng.uniform(0.1, 4.0)) for i in range(15)]
        assert feed(health, nonsense) is SensorFault.GARBAGE


def test_two_real_surfaces_in_turn_are_not_garbage() -> None:
    health = proven()
    alternating: list[Reading] = [
        Echo(0.55 + i * PERIOD_S, 1.2 if i % 2 else 2.7) for i in range(100)
    ]
    assert feed(health, alternating) is None


def test_a_fuzzy_hedge_is_not_garbage() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        health = proven()
        hedge: list[Reading] = [
            Echo(0.55 + i * 0.04, 2.0 + rng.gauss(0, 0.08) - i * 0.04) for i in range(40)
        ]
        assert feed(health, hedge) is None


def passing(speed_mps: float, pings: int = 12) -> list[Reading]:
    """Echoes of something that comes at this speed from four metres away."""
    return [
        Echo(0.54 + i * PERIOD_S, 4.0 - speed_mps * i * PERIOD_S)
        for i in range(pings)
        if speed_mps * i * PERIOD_S < 3.9
    ]


@pytest.mark.parametrize("speed_mps", [2.0, 4.8, 6.5, 0.95 * FASTEST_MPS])
def test_a_bicycle_is_not_garbage(speed_mps: float) -> None:
    assert feed(proven(), passing(speed_mps)) is None
    leaving: list[Reading] = [
        Echo(0.54 + i * PERIOD_S, 0.2 + speed_mps * i * PERIOD_S)
        for i in range(len(passing(speed_mps)))
    ]
    assert feed(proven(), leaving) is None


def test_what_is_faster_than_any_bicycle_is_garbage() -> None:
    assert feed(proven(), passing(1.5 * FASTEST_MPS)) is SensorFault.GARBAGE


def test_a_bicycles_way_is_even() -> None:
    """Fast, but no two steps of one length: nonsense."""
    uneven = [4.0, 3.6, 3.0, 2.6, 1.9, 1.5, 0.8, 0.4]
    readings: list[Reading] = [Echo(0.55 + i * PERIOD_S, d) for i, d in enumerate(uneven)]
    assert feed(proven(), readings) is SensorFault.GARBAGE


def test_echoes_at_one_instant_are_in_no_line() -> None:
    """As in a recording whose times are too coarse to tell them apart."""
    readings: list[Reading] = [Echo(0.55, d) for d in (1.0, 3.9, 2.0, 3.0, 0.3, 2.5, 1.5, 3.5)]
    assert feed(proven(), readings) is SensorFault.GARBAGE


def test_garbage_is_looked_for_in_the_last_ten_pings_only() -> None:
    health = proven()
    rng = random.Random(5)
    for i in range(40):
        t_s = 0.55 + i * GARBAGE_WINDOW * PERIOD_S
        ghosts: list[Reading] = [
            Echo(t_s + k * PERIOD_S, rng.uniform(0.2, 1.0) + 1.5 * k) for k in range(2)
        ]
        rest: list[Reading] = [
            Nothing(t_s + k * PERIOD_S) for k in range(len(ghosts), GARBAGE_WINDOW)
        ]
        assert feed(health, ghosts + rest) is None


# ------------------------------------------------------------------ frozen


def pulses(widths_s: list[float], start_s: float = 0.55) -> list[Reading]:
    return [
        Echo(start_s + i * PERIOD_S, width_s * 165.0, width_s) for i, width_s in enumerate(widths_s)
    ]


ENOUGH = math.ceil(FROZEN_S / PERIOD_S) + 1
"""Pulses that span the time after which a part is frozen."""


def test_pulses_of_one_length_are_frozen_after_a_while_and_not_before() -> None:
    health = proven()
    same = pulses([0.006] * ENOUGH)
    assert feed(health, same[:-1]) is None
    assert feed(health, same[-1:]) is SensorFault.FROZEN


def test_a_wall_before_someone_who_stands_still_is_not_frozen() -> None:
    rng = random.Random(2)
    assert feed(proven(), pulses([rng.gauss(0.006, 6e-6) for _ in range(400)])) is None


FINE_PULSES = 100


def known_fine(rng: random.Random) -> Health:
    """A health that has heard a part whose pulses differ by microseconds, up to 5.5 s."""
    health = proven()
    fine = pulses([rng.gauss(0.006, 6e-6) for _ in range(FINE_PULSES)])
    assert all(feed(health, [pulse]) is None for pulse in fine)
    return health


HUNG_AT_S = 0.55 + FINE_PULSES * PERIOD_S


def hung(rng: random.Random, for_s: float, late: float) -> list[Reading]:
    """As pulses of one length came out of a real kernel; of them, `late` are much too long."""
    widths_s = [
        0.006 + rng.uniform(-1.5e-6, 1.5e-6) + (rng.random() < late) * rng.uniform(1e-5, 6e-5)
        for _ in range(math.ceil(for_s / PERIOD_S))
    ]
    return pulses(widths_s, HUNG_AT_S)


@pytest.mark.parametrize("late", [0.0, 0.1])
def test_a_hung_part_is_known_through_stamps_that_wander_and_are_late_at_times(late: float) -> None:
    rng = random.Random(2)
    health = known_fine(rng)
    soon = int(0.7 * NEARLY_FOR_S / PERIOD_S)
    stuck = hung(rng, 3.0 * NEARLY_FOR_S, late)
    assert feed(health, stuck[:soon]) is None
    assert feed(health, stuck[soon:]) is SensorFault.FROZEN


def test_a_part_that_is_not_known_to_be_finer_may_say_nearly_the_same_for_long() -> None:
    """As one that counts by the centimetre does before whoever stands still."""
    widths_s = [0.006, 0.006 + 0.9 * NEARLY_S, 0.006 - 0.9 * NEARLY_S] * 400
    health = proven()
    assert all(feed(health, [pulse]) is None for pulse in pulses(widths_s))
    assert feed(known_fine(random.Random(2)), pulses(widths_s, HUNG_AT_S)) is SensorFault.FROZEN


@pytest.mark.parametrize("seed", range(5))
def test_a_hung_part_stays_announced_while_late_stamps_come(seed: int) -> None:
    rng = random.Random(seed)
    health = known_fine(rng)
    stuck = hung(rng, 3.0 * NEARLY_FOR_S + 60.0, 0.05)
    until_known = round(3.0 * NEARLY_FOR_S / PERIOD_S)
    assert feed(health, stuck[:until_known]) is SensorFault.FROZEN
    assert all(feed(health, [pulse]) is SensorFault.FROZEN for pulse in stuck[until_known:])


def test_an_answer_of_nothing_begins_the_count_of_nearly_alike_pulses_anew() -> None:
    rng = random.Random(2)
    health = known_fine(rng)
    almost = round(0.9 * NEARLY_FOR_S / PERIOD_S)
    t_s = HUNG_AT_S
    for _ in range(6):
        assert feed(health, pulses([0.006, 0.006 + 0.9 * NEARLY_S] * (almost // 2), t_s)) is None
        t_s += almost * PERIOD_S
        assert feed(health, [Nothing(t_s)]) is None
        t_s += PERIOD_S
    stuck = pulses([0.006, 0.006 + 0.9 * NEARLY_S] * almost, t_s)
    assert feed(health, stuck) is SensorFault.FROZEN  # but for the answers in between


def swaying_m(rng: random.Random, count: int) -> list[float]:
    """Somebody who stands: 2 mm (standard deviation) to and fro, forgotten after a second."""
    kept = math.exp(-PERIOD_S / 1.0)
    at_m = [rng.gauss(0.0, 0.002)]
    while len(at_m) < count:
        at_m.append(kept * at_m[-1] + math.sqrt(1.0 - kept**2) * rng.gauss(0.0, 0.002))
    return at_m


TICK_S = 58e-6


@pytest.mark.parametrize("ticks", [100.0, 100.25, 100.5])
def test_a_part_that_counts_by_the_centimetre_is_not_frozen_before_somebody_who_stands(
    ticks: float,
) -> None:
    """The one tick again and again, but for the kernel's stamps, which wander by 1 us."""
    rng = random.Random(1)
    widths_s = [
        round(ticks + sway_m * 2.0 / 343.0 / TICK_S) * TICK_S + rng.gauss(0.0, 1e-6)
        for sway_m in swaying_m(rng, round(300.0 / PERIOD_S))
    ]
    health = proven()
    assert all(feed(health, [pulse]) is None for pulse in pulses(widths_s))


def test_other_answers_among_them_show_that_a_sensor_is_not_frozen() -> None:
    health = proven()
    for i in range(30):
        same = [0.006] * 2 + [0.006 + 5 * SAME_S]
        start_s = 0.55 + i * len(same) * PERIOD_S
        assert feed(health, pulses(same, start_s)) is None


def test_a_microsecond_to_and_fro_is_frozen_all_the_same() -> None:
    """Whoever counts the pulse may be off by one."""
    widths_s = [0.006, 0.006 + 0.9 * SAME_S, 0.006 - 0.9 * SAME_S] * FROZEN_ANSWERS
    assert feed(proven(), pulses(widths_s)) is SensorFault.FROZEN


def test_a_slow_drift_is_not_frozen() -> None:
    widths_s = [0.006 - i * 0.4 * SAME_S for i in range(200)]
    assert feed(proven(), pulses(widths_s)) is None


def test_lost_pings_between_them_do_not_hide_that_the_answers_are_frozen() -> None:
    health = proven()
    mixed: list[Reading] = []
    for i in range(3 * FROZEN_ANSWERS):
        t_s = 0.55 + i * PERIOD_S
        lost = i % 5 == 4
        mixed.append(Fault(t_s, PingFault.LOST_EDGE) if lost else Echo(t_s, 1.0, 0.006))
    assert feed(health, mixed) is SensorFault.FROZEN


def test_a_recording_without_raw_times_is_never_frozen() -> None:
    assert feed(proven(), [Echo(0.55 + i * PERIOD_S, 1.0) for i in range(100)]) is None


EXACT_S = 0.0625
"""A period without rounding, so that a span of them can be exact."""
LONG = round(SERIAL_S / EXACT_S) + 1
"""Frames that span the time after which a serial part is frozen."""


def frames(raws: list[int], *, too_close: bool = False) -> list[Reading]:
    return [
        Echo(0.5625 + i * EXACT_S, raw / 1000, raw=raw, too_close=too_close)
        for i, raw in enumerate(raws)
    ]


def test_a_serial_part_may_say_the_same_for_some_seconds_and_is_frozen_then() -> None:
    health = proven()
    same = frames([1500] * LONG)
    assert same[-1].t_s - same[0].t_s == SERIAL_S
    assert feed(health, same[:-1]) is None
    assert feed(health, same[-1:]) is SensorFault.FROZEN


def test_a_serial_part_that_ever_says_another_number_is_not_frozen() -> None:
    assert feed(proven(), frames([1500 + i % 2 for i in range(3 * LONG)])) is None
    health = proven()
    for reading in frames(([1500] * (LONG - 1) + [1501]) * 5):
        assert feed(health, [reading]) is None


def test_one_constant_number_from_inside_the_blind_zone_is_not_frozen() -> None:
    assert feed(proven(), frames([30] * 3 * LONG, too_close=True)) is None


def test_nothing_there_in_the_same_words_is_not_frozen() -> None:
    """Every part has one word for it."""
    assert feed(proven(), [Nothing(0.55 + i * PERIOD_S, 0.038) for i in range(100)]) is None


def test_a_frozen_sensor_is_believed_again_eight_answers_after_it_thaws() -> None:
    health = proven()
    feed(health, pulses([0.006] * 40))
    start_s = 0.55 + 40 * PERIOD_S
    thawed = pulses([0.0055 - i * 1e-5 for i in range(RECOVERY_ANSWERS)], start_s)
    assert feed(health, thawed[:-1]) is SensorFault.FROZEN
    assert feed(health, thawed[-1:]) is None


def test_a_fault_ends_after_eight_good_answers_and_not_before() -> None:
    health = proven()
    feed(health, failures(PingFault.NEVER_ROSE, 10))
    good: list[Reading] = [Nothing(1.1 + i * PERIOD_S) for i in range(RECOVERY_ANSWERS)]
    assert feed(health, good[:-1]) is SensorFault.STOPPED_ANSWERING
    assert feed(health, good[-1:]) is None


def test_an_answer_now_and_then_does_not_end_a_fault_or_rename_it() -> None:
    health = proven()
    feed(health, failures(PingFault.NEVER_ROSE, 10))
    for i in range(20):
        start_s = 1.1 + i * 0.2
        assert feed(health, [Nothing(start_s)]) is SensorFault.STOPPED_ANSWERING
        assert feed(health, failures(PingFault.NEVER_ROSE, 3, start_s + 0.05)) is not None


def test_a_slow_sensor_may_be_given_longer() -> None:
    health = Health(fault_after_s=1.5)
    assert health.step(1.4, None) is None
    assert health.step(1.5, None) is SensorFault.NEVER_ANSWERED


def test_a_part_that_thaws_where_nothing_is_heard_is_believed_again() -> None:
    health = proven()
    feed(health, pulses([0.006] * 40))
    start_s = 0.55 + 40 * PERIOD_S
    away = [Nothing(start_s + i * PERIOD_S, 0.038) for i in range(RECOVERY_ANSWERS)]
    assert feed(health, away[:-1]) is SensorFault.FROZEN
    assert feed(health, away[-1:]) is None


def test_one_constant_answer_from_inside_the_blind_zone_is_not_frozen() -> None:
    near = [Echo(0.55 + i * PERIOD_S, 0.2, 0.0011, too_close=True) for i in range(100)]
    assert feed(proven(), near) is None


def test_a_coarse_time_source_is_not_taken_for_a_frozen_part() -> None:
    """Stamps on pigpio's grid of 5 us, before someone who stands for minutes."""
    rng = random.Random(2)
    grid_s = 5e-6
    stamped = [round((0.006 + rng.gauss(0.0, 3e-6)) / grid_s) * grid_s for _ in range(4000)]
    health = proven()
    feed(health, pulses(stamped[:100]))
    alarms = 0
    for i in range(100, len(stamped)):
        alarms += feed(health, [Echo(0.55 + i * PERIOD_S, 1.0, stamped[i])]) is not None
    assert alarms == 0
    start_s = 0.55 + len(stamped) * PERIOD_S
    stuck = pulses([stamped[-1] + 1e-3] * math.ceil(NEARLY_FOR_S / PERIOD_S + 2), start_s)
    assert feed(health, stuck[:-3]) is None
    assert feed(health, stuck[-3:]) is SensorFault.FROZEN
