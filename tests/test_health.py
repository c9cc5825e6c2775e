"""Health: dead, confused and proven are told apart, in time, and trust comes back slowly."""

import random

import pytest

from device.core.health import RECOVERY_ANSWERS, Health, SensorFault
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
