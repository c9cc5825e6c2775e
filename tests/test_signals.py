"""The cadence table and the player: one signal at a time, a function of elapsed time."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.core.alert import Alert, State
from device.core.health import SensorFault
from device.core.signals import FRESH_S, OFF, SILENT, Command, Cue, Player, Rhythm, choose
from device.outputs import LONGEST_ON_S
from device.settings import BuzzerSettings, MotorSettings

PLAIN_MOTOR = MotorSettings(overdrive_s=0.0, strength=1.0)


def edges(rhythm: Rhythm, until_s: float) -> list[tuple[float, bool]]:
    """(time in ms, on) of every change, found by asking only when one is due."""
    found: list[tuple[float, bool]] = []
    t_s, on = 0.0, None
    while t_s < until_s:
        since_s, due_s = rhythm.at(t_s)
        if (since_s is not None) != on:
            on = since_s is not None
            found.append((round(t_s * 1000, 3), on))
        if due_s == math.inf:
            break
        t_s = round(t_s + max(due_s, 1e-6), 6)
    return found


# What alerting science says each signal is, in milliseconds on and off.
@pytest.mark.parametrize(
    ("cue", "buzzer", "motor"),
    [
        (Cue.CAUTION, [100], [150, 850, 150]),
        (Cue.CAUTION_CLOSING, [100, 900, 150, 850, 150], [150, 850, 150]),
        (Cue.WARNING, [150, 150, 150, 150], [150, 250, 150, 250]),
        (Cue.DANGER, [75, 75, 75, 75], [120, 100, 120, 100]),
        (Cue.DANGER_HUSHED, [75, 1925, 75], [120, 1880, 120]),
        (Cue.STOP, [3000, 75, 75, 75, 75], [3000, 100, 400, 100, 400]),
        (
            Cue.FAULT,
            [500, 250, 500, 250, 500, 750, 200, 200, 200, 5400, 200],
            [600, 300, 600, 4500],
        ),
        (Cue.CHIRP, [250], [150]),
    ],
)
def test_the_cadence_table(cue: Cue, buzzer: list[int], motor: list[int]) -> None:
    for rhythm, expected in ((cue.value.buzzer, buzzer), (cue.value.motor, motor)):
        found = edges(rhythm, 20.0)
        assert found[0] == (0.0, True)
        lengths = [later[0] - earlier[0] for earlier, later in itertools.pairwise(found)]
        assert lengths[: len(expected)] == pytest.approx(expected, abs=0.002)


def test_cautions_vibration_ends_after_three_seconds() -> None:
    assert Cue.CAUTION.value.motor.at(2.9999)[1] < 0.001
    assert Cue.CAUTION.value.motor.at(3.0) == (None, math.inf)


def test_silence_is_silent_for_ever() -> None:
    assert SILENT.at(0.0) == (None, math.inf)
    assert SILENT.at(1e6) == (None, math.inf)


@given(st.sampled_from(list(Cue)), st.floats(0.0, 100_000.0))
def test_a_rhythm_never_drifts(cue: Cue, elapsed_s: float) -> None:
    """Far from its beginning a rhythm stands where its period puts it."""
    rhythm = cue.value.buzzer
    period_ms = sum(on + off for on, off in rhythm.again)
    if not period_ms:
        return
    once_ms = sum(on + off for on, off in rhythm.once)
    t_s = elapsed_s + once_ms / 1000
    folded_s = (once_ms + (elapsed_s * 1000) % period_ms) / 1000
    _, near_s = rhythm.at(folded_s)
    if min(near_s, abs(near_s - period_ms / 1000)) > 1e-4:
        assert (rhythm.at(t_s)[0] is None) == (rhythm.at(folded_s)[0] is None)


def test_no_signal_is_on_longer_than_the_outputs_allow() -> None:
    for cue in Cue:
        for rhythm in (cue.value.buzzer, cue.value.motor):
            assert all(on / 1000 < LONGEST_ON_S for on, _ in rhythm.once + rhythm.again)


def test_vibration_gaps_are_long_enough_to_be_felt() -> None:
    for cue in Cue:
        gaps = [off for _, off in cue.value.motor.once + cue.value.motor.again if off]
        assert all(gap >= 100 for gap in gaps)


FAULT = SensorFault.STOPPED_ANSWERING


@pytest.mark.parametrize(
    ("alert", "cue"),
    [
        (Alert(State.CLEAR), Cue.SILENCE),
        (Alert(State.CAUTION), Cue.CAUTION),
        (Alert(State.CAUTION, closing=True), Cue.CAUTION_CLOSING),
        (Alert(State.CAUTION, closing=True, hushed=True), Cue.SILENCE),
        (Alert(State.WARNING), Cue.WARNING),
        (Alert(State.WARNING, hushed=True), Cue.SILENCE),
        (Alert(State.DANGER), Cue.DANGER),
        (Alert(State.DANGER, hushed=True), Cue.DANGER_HUSHED),
        (Alert(State.STOP), Cue.STOP),
        (Alert(State.STOP, hushed=True), Cue.STOP),
        (Alert(State.AGAINST, hushed=True), Cue.STOP),
        (Alert(State.CLEAR, FAULT), Cue.FAULT),
        (Alert(State.DANGER, FAULT), Cue.FAULT),
        (Alert(State.CAUTION, FAULT, hushed=True), Cue.FAULT),
        (Alert(State.STOP, FAULT), Cue.STOP),
        (Alert(State.AGAINST, FAULT), Cue.FAULT),
    ],
)
def test_one_signal_by_priority(alert: Alert, cue: Cue) -> None:
    assert choose(alert) is cue


def player(buzzer: BuzzerSettings | None = None, motor: MotorSettings | None = None) -> Player:
    return Player(buzzer or BuzzerSettings(), motor or PLAIN_MOTOR)


def run(p: Player, alert: Alert, start_s: float, end_s: float) -> list[tuple[float, Command]]:
    """Step as the loop would: a fresh alert every 50 ms, and whenever the player is due."""
    changes: list[tuple[float, Command]] = []
    t_s, next_s = start_s, start_s
    while t_s < end_s:
        fresh = t_s >= next_s
        command = p.step(t_s, alert if fresh else None)
        if fresh:
            next_s = round(t_s + 0.05, 6)
        if not changes or changes[-1][1] != command:
            changes.append((t_s, command))
        t_s = max(min(p.due_s, next_s), round(t_s + 1e-6, 6))
    return changes


def test_the_player_keeps_the_rhythm_to_the_millisecond() -> None:
    changes = run(player(), Alert(State.WARNING), 0.0, 3.0)
    buzzer = [
        t
        for (t, c), (_, before) in zip(changes[1:], changes, strict=False)
        if c.buzzer != before.buzzer
    ]
    assert buzzer == pytest.approx([0.15 * i for i in range(1, len(buzzer) + 1)], abs=1e-5)


def test_the_motor_starts_at_full_power_and_settles() -> None:
    p = player(motor=MotorSettings(overdrive_s=0.06, strength=0.7))
    changes = [(t, c.motor) for t, c in run(p, Alert(State.WARNING), 0.0, 0.3)]
    motor = [pair for i, pair in enumerate(changes) if i == 0 or pair[1] != changes[i - 1][1]]
    assert [m for _, m in motor] == [1.0, 0.7, 0.0]
    assert [t for t, _ in motor] == pytest.approx([0.0, 0.06, 0.15], abs=1e-5)


def test_a_part_that_is_not_enabled_is_never_commanded() -> None:
    p = player(BuzzerSettings(enabled=False))
    assert not any(c.buzzer or c.tone_hz for _, c in run(p, Alert(State.STOP), 0.0, 5.0))
    p = player(motor=MotorSettings(enabled=False))
    assert not any(c.motor for _, c in run(p, Alert(State.STOP), 0.0, 5.0))


def test_tones_are_low_for_a_fault_and_high_for_the_chirp() -> None:
    tone_hz = BuzzerSettings().tone_hz
    fault = run(player(), Alert(State.CAUTION, FAULT), 0.0, 0.1)[0][1]
    stop = run(player(), Alert(State.STOP), 0.0, 0.1)[0][1]
    chirp = run(player(), Alert(proven=True), 0.0, 0.1)[0][1]
    assert fault.tone_hz < stop.tone_hz == tone_hz < chirp.tone_hz


def test_the_first_proof_is_greeted_once() -> None:
    p = player()
    assert run(p, Alert(), 0.0, 1.0) == [(0.0, OFF)]
    chirp = run(p, Alert(proven=True), 1.0, 3.0)
    assert chirp[0][1].buzzer == 1
    assert chirp[-1][1] == OFF
    assert run(p, Alert(proven=True), 3.0, 10.0) == [(3.0, OFF)]


def test_an_alert_cuts_the_greeting_short() -> None:
    p = player()
    p.step(0.0, Alert(proven=True))
    assert p.cue is Cue.CHIRP
    p.step(0.05, Alert(State.WARNING, proven=True))
    assert p.cue is Cue.WARNING


def test_a_worse_alert_starts_its_own_rhythm_at_once() -> None:
    p = player()
    p.step(0.0, Alert(State.WARNING))
    assert p.step(0.2, Alert(State.WARNING)).buzzer == 0
    assert p.step(0.21, Alert(State.STOP)).buzzer == 1
    assert p.due_s == pytest.approx(0.21 + FRESH_S)


def test_caution_goes_on_when_it_turns_into_closing() -> None:
    p = player()
    p.step(0.0, Alert(State.CAUTION))
    assert p.step(0.5, Alert(State.CAUTION, closing=True)).buzzer == 0
    assert p.step(1.0, Alert(State.CAUTION, closing=True)).buzzer == 1


def test_no_fresh_alert_for_half_a_second_is_a_fault() -> None:
    p = player()
    p.step(0.0, Alert(State.CLEAR))
    assert p.due_s == FRESH_S
    p.step(0.499, None)
    assert p.cue is Cue.SILENCE
    assert p.step(0.5, None).buzzer == 1
    assert p.cue is Cue.FAULT
    p.step(1.1, None)
    assert p.cue is Cue.FAULT
    p.step(1.2, Alert(State.CLEAR))
    assert p.cue is Cue.SILENCE


def test_stop_goes_on_without_a_fresh_alert() -> None:
    p = player()
    p.step(0.0, Alert(State.STOP))
    p.step(0.6, None)
    assert p.cue is Cue.STOP
