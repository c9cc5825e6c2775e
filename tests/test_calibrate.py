"""Calibration: someone who walks, is told to stop and stops, and the file that remembers it."""

import itertools
import math
import os
import random
import statistics
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device import calibrate, check, config, profiles
from device.clock import VirtualClock
from device.core.alert import AlertMachine
from device.errors import ConfigError, HardwareError, InputError
from device.failures import Failure
from device.pins.mock import MockBoard
from device.settings import AlertSettings, Profile, SensorSettings, Settings
from device.sim.rig import Rig
from device.sim.scenario import Air, Obstacle, Scenario, Walker

PROFILES: tuple[Profile, ...] = ("fit", "default", "rehab")
CONFIGS = Path(__file__).parents[1] / "config"
WALL_M = 5.0
PULSE_S = 0.1
HARD_MPS2 = 2.5
BOB_M, BOB_HZ = 0.02, 1.8


class Habit(NamedTuple):
    """How someone walks and stops. `reactions_s`: one a trial, the last for all that follow."""

    speed_mps: float = 0.8
    reactions_s: Sequence[float] = (0.7,)
    braking_mps2: float = HARD_MPS2
    stands_s: float = 2.0
    comes_back: bool = True
    deaf: bool = False


class Wearer:
    """Stands in for the simulator's walker: walks up to the wall, stops, walks away, again."""

    def __init__(self, clock: VirtualClock, habit: Habit) -> None:
        self._clock, self._habit = clock, habit
        self._x_m, self._t_s, self._speed_mps, self._accel = 0.0, 0.0, 0.0, 0.0
        self._felt_s = -math.inf
        self._trial = 0
        self._phase = "waiting"
        self.warned_s: float | None = None
        self.truth_s: list[float] = []
        """From the first pulse felt to standing, one a trial."""
        self._not_before_s = 2.5
        clock.at(2.5, self._set_off)

    def waits(self, until_s: float) -> None:
        """Set off then, and not at once."""
        self._not_before_s = until_s
        self._clock.at(until_s, self._set_off)

    def place(self, t_s: float) -> tuple[float, float]:
        dt = t_s - self._t_s
        speed = self._speed_mps + self._accel * dt
        return self._x_m + (self._speed_mps + speed) / 2 * dt, speed

    def sensor(self, t_s: float) -> tuple[float, float]:
        x_m, speed_mps = self.place(t_s)
        bob_m = BOB_M * math.sin(math.tau * BOB_HZ * t_s) if abs(speed_mps) > 1e-9 else 0.0
        return x_m + bob_m, 0.0

    def heading_deg(self, t_s: float) -> float:
        return 0.0

    def nod_deg(self, t_s: float) -> float:
        return 0.0

    def stop(self, t_s: float) -> None:
        self._move(0.0)

    def feel(self, t_s: float, level: float) -> None:
        """The motor: the second pulse within a third of a second is an urgent one."""
        if not level or self._phase != "walking" or self._habit.deaf:
            return
        if t_s - self._felt_s > 0.35:
            self._felt_s = t_s
            return
        self._phase = "told"
        told_s = self._felt_s
        reaction_s = self._habit.reactions_s[min(self._trial, len(self._habit.reactions_s) - 1)]
        self._clock.at(told_s + reaction_s, lambda: self._brake(told_s))

    def _move(self, speed_mps: float, accel: float = 0.0) -> None:
        t_s = self._clock.now()
        self._x_m = self.place(t_s)[0]
        self._t_s, self._speed_mps, self._accel = t_s, speed_mps, accel

    def _set_off(self) -> None:
        if self._clock.now() < self._not_before_s:
            return
        self._phase = "walking"
        self._move(self._habit.speed_mps)

    def _brake(self, told_s: float) -> None:
        self._move(self._habit.speed_mps, -self._habit.braking_mps2)
        stands_s = self._clock.now() + self._habit.speed_mps / self._habit.braking_mps2
        self.truth_s.append(stands_s - told_s)
        self._clock.at(stands_s, self._stand)

    def _stand(self) -> None:
        self._move(0.0)
        self._trial += 1
        if self._habit.comes_back:
            self._clock.at(self._clock.now() + self._habit.stands_s, self._go_away)

    def _go_away(self) -> None:
        self._phase = "leaving"
        self._move(-1.0)
        self._clock.at(self._clock.now() + self._x_m, self._arrive)

    def _arrive(self) -> None:
        self._move(0.0)
        self._clock.at(self._clock.now() + 2.5, self._set_off)


class Hall(NamedTuple):
    clock: VirtualClock
    rig: Rig
    wearer: Wearer
    said: list[str]
    sounds: list[tuple[float, float]]


def hall(settings: Settings, habit: Habit, seed: int = 1, air: Air | None = None) -> Hall:
    clock = VirtualClock()
    scenario = Scenario(
        title="A wall",
        duration_s=900.0,
        expect="any",
        walker=Walker(legs=(), heeds=False),
        obstacles=(Obstacle(shape="wall", along_m=WALL_M),),
        air=air or Air(noise_m=0.01, loss=0.02),
    )
    rig = Rig(scenario, settings, seed, clock)
    wearer = Wearer(clock, habit)
    rig.world.walker = wearer  # type: ignore[assignment]
    sounds: list[tuple[float, float]] = []
    rig.board.line(settings.motor.pin).watch(wearer.feel)
    rig.board.line(settings.buzzer.pin).watch(lambda t_s, level: sounds.append((t_s, level)))
    return Hall(clock, rig, wearer, [], sounds)


def calibrated(place: Hall, settings: Settings) -> calibrate.Result:
    rig = place.rig
    return calibrate.run(
        settings, place.clock, rig.board, rig.device_rng, rig.open_port, place.said.append
    )


def silent(board: MockBoard, settings: Settings) -> bool:
    return not board.line(settings.buzzer.pin).level and not board.line(settings.motor.pin).level


# ------------------------------------------------------------------ the walk


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("speed_mps", "off_s"), [(0.4, 0.2), (0.8, 0.15), (1.2, 0.15)])
def test_three_stops_are_timed_and_the_slowest_counts(
    speed_mps: float, off_s: float, seed: int
) -> None:
    settings = Settings()
    place = hall(settings, Habit(speed_mps, (0.5, 0.9, 0.6)), seed)
    found = calibrated(place, settings)
    assert found.good
    assert len(found.times_s) == calibrate.TRIALS
    assert len(found.trials) == calibrate.TRIALS
    assert found.times_s == pytest.approx(place.wearer.truth_s[:3], abs=off_s)
    assert found.reaction_s is not None
    assert max(found.times_s) <= found.reaction_s < max(found.times_s) + calibrate.ROUND_S
    assert silent(place.rig.board, settings)


def test_the_signal_comes_where_nobody_can_expect_it() -> None:
    settings = Settings()
    cues = []
    for seed in range(1, 9):
        cues += [t.cue_m for t in calibrated(hall(settings, Habit(0.6), seed), settings).trials]
    inside = [cue_m for cue_m in cues if cue_m is not None]
    assert len(inside) == len(cues)
    assert all(calibrate.LATEST_M <= cue_m <= calibrate.CUE_FAR_M + 0.05 for cue_m in inside)
    assert statistics.stdev(inside) > 0.25  # evenly over 1.2 m would be 0.35


def test_caution_and_warning_do_not_give_it_away() -> None:
    """From the chirp on, the buzzer's first sound is the signal."""
    settings = Settings()
    place = hall(settings, Habit(0.5), seed=4)
    found = calibrated(place, settings)
    onsets = [t_s for t_s, level in place.sounds if level]
    gaps = [later - earlier for earlier, later in itertools.pairwise(onsets)]
    # Pulses of one signal follow each other in 0.15 s; nothing else may come in between.
    bursts = 1 + sum(gap > 0.2 for gap in gaps)
    assert bursts == 2 * len(found.trials)  # a chirp and a signal each


def test_the_devices_own_danger_is_the_signal_where_it_comes_first() -> None:
    """With these settings it says DANGER 3.3 s before the heel would touch: at 3.2 m and before."""
    settings = Settings(alert=AlertSettings(profile="rehab", reaction_s=2.5))
    place = hall(settings, Habit(0.9, (0.7,)), seed=3)
    found = calibrated(place, settings)
    assert found.good
    assert found.times_s == pytest.approx(place.wearer.truth_s[:3], abs=0.2)
    assert all((trial.cue_m or 0.0) > 3.0 for trial in found.trials)


def test_someone_who_does_not_stop_is_told_to_by_stop_and_the_trial_is_void() -> None:
    settings = Settings()
    place = hall(settings, Habit(0.8, deaf=True))
    found = calibrated(place, settings)
    assert not found.good
    assert found.reaction_s is None
    assert "STOP" in (found.trials[0].void or "")
    longest_s = max(end - begin for (begin, on), (end, _) in itertools.pairwise(place.sounds) if on)
    assert longest_s == pytest.approx(3.0, abs=0.01)  # nothing but STOP is on for so long
    assert silent(place.rig.board, settings)


def test_a_late_stop_inside_stops_range_is_void_and_another_counts() -> None:
    settings = Settings()
    place = hall(settings, Habit(1.0, (2.8, 0.6, 0.6, 0.6)), seed=2)
    found = calibrated(place, settings)
    assert found.trials[0].void is not None
    assert found.good
    assert len(found.trials) == 4
    assert "does not count" in " ".join(place.said)


def test_someone_too_slow_is_told_so_and_never_timed() -> None:
    settings = Settings()
    found = calibrated(hall(settings, Habit(0.2)), settings)
    assert not found.good
    assert "slower than 0.3 m/s" in (found.trials[0].void or "")
    assert found.times_s == []


def test_eight_tries_are_enough() -> None:
    settings = Settings()
    place = hall(settings, Habit(1.0, (2.8,)), seed=2)
    found = calibrated(place, settings)
    assert len(found.trials) == calibrate.TRIES
    assert not found.good
    assert list(calibrate.lines(found)) == ["NOT GOOD: 0 of 3 trials counted, 8 did not"]


def test_who_never_walks_away_again_is_not_waited_for() -> None:
    settings = Settings()
    place = hall(settings, Habit(0.8, comes_back=False))
    found = calibrated(place, settings)
    assert len(found.trials) == 1
    assert not found.good
    assert place.clock.now() < 2.5 * calibrate.WALK_WITHIN_S
    assert silent(place.rig.board, settings)


def test_ghosts_and_lost_echoes_cost_little() -> None:
    settings = Settings()
    air = Air(noise_m=0.015, loss=0.1, ghosts=0.01, multipath=0.02)
    place = hall(settings, Habit(0.8, (0.7, 0.8, 0.9)), 5, air)
    found = calibrated(place, settings)
    assert found.good
    counted = [
        truth
        for truth, trial in zip(place.wearer.truth_s, found.trials, strict=False)
        if trial.time_s is not None
    ]
    assert found.times_s == pytest.approx(counted, abs=0.2)


def test_a_dead_sensor_is_an_error_that_names_the_test_for_it() -> None:
    settings = Settings()
    place = hall(settings, Habit())
    place.rig.twin.failure = Failure.OFF
    with pytest.raises(HardwareError, match=r"never-answered; see rearguard selftest"):
        calibrated(place, settings)
    assert silent(place.rig.board, settings)


def test_a_sensor_that_dies_on_the_way_voids_the_trial_and_is_announced() -> None:
    settings = Settings()
    place = hall(settings, Habit(0.5))
    place.clock.at(6.0, lambda: setattr(place.rig.twin, "failure", Failure.OFF))
    place.clock.at(8.0, lambda: setattr(place.rig.twin, "failure", Failure.OK))
    found = calibrated(place, settings)
    assert found.trials[0].void == "sensor fault: stopped-answering"
    assert any(level and 6.0 < t_s < 7.0 for t_s, level in place.sounds)


def test_nobody_walks_before_the_sensor_has_heard_something() -> None:
    """A lidar says the same of an open hall and of a coat: a hand at 10 s tells them apart."""
    settings = config.load(CONFIGS / "tf-luna.toml")
    place = hall(settings, Habit(0.8, comes_back=False))
    world = place.rig.world
    wall, world._obstacles = world._obstacles, ()
    hand = (Obstacle(shape="person", along_m=0.6, radius_m=0.1, follows=True),)
    place.wearer.waits(16.0)
    place.clock.at(10.0, lambda: setattr(world, "_obstacles", hand))
    place.clock.at(12.0, lambda: setattr(world, "_obstacles", wall))
    found = calibrated(place, settings)
    told = " | ".join(place.said)
    assert told.index("hold a hand behind the sensor") < told.index("walk backward")
    assert found.trials[0].time_s == pytest.approx(place.wearer.truth_s[0], abs=0.2)


def test_a_sensor_that_sees_too_little_is_refused_before_anything_is_opened() -> None:
    settings = Settings(sensor=SensorSettings(max_range_m=3.0))
    place = hall(settings, Habit())
    with pytest.raises(InputError, match=r"sensor\.max_range_m = 3: calibrate needs to see 3\.5 m"):
        calibrated(place, settings)
    assert place.clock.now() == 0.0


def test_ctrl_c_in_mid_signal_leaves_nothing_on() -> None:
    settings = Settings()
    place = hall(settings, Habit(0.8))
    on_when_killed: list[bool] = []

    def interrupt(t_s: float, level: float) -> None:
        if level and t_s > 4.0:
            on_when_killed.append(True)
            os.kill(os.getpid(), 2)

    place.rig.board.line(settings.motor.pin).watch(interrupt)
    with pytest.raises(KeyboardInterrupt):
        calibrated(place, settings)
    assert on_when_killed
    assert silent(place.rig.board, settings)


# ------------------------------------------------------------------ when they stopped


def walked(
    rng: random.Random, speed_mps: float, reaction_s: float, braking_mps2: float
) -> tuple[list[calibrate.Sample], float]:
    """(echoes of a walk with its signal at 2 s, when they stood)."""
    cue_s, length_s = 2.0, speed_mps / braking_mps2
    stands_s = cue_s + reaction_s + length_s
    phase, bob_hz = rng.random() * math.tau, rng.uniform(1.4, 2.0)
    heard, t_s = [], 0.0
    while t_s < stands_s + calibrate.STOOD_S + 0.1:
        t_s += rng.uniform(0.036, 0.046)
        left_s = max(0.0, stands_s - t_s)
        to_go_m = (
            braking_mps2 * left_s**2 / 2
            if left_s < length_s
            else speed_mps * (left_s - length_s / 2)
        )
        bob_m = 0.02 * math.sin(math.tau * bob_hz * t_s + phase) if left_s else 0.0
        if rng.random() > 0.03:
            heard.append((t_s, 1.5 + to_go_m + bob_m + rng.gauss(0.0, 0.01)))
    return heard, stands_s


@pytest.mark.parametrize(
    ("speed_mps", "within_s", "bias_s"),
    [
        (0.4, 0.17, 0.06),
        (0.55, 0.17, 0.06),
        (0.7, 0.12, 0.03),
        (1.0, 0.12, 0.03),
        (1.4, 0.12, 0.03),
    ],
)
@pytest.mark.parametrize("braking_mps2", [1.0, 2.5, 4.0])
def test_the_moment_of_standing_is_found_as_well_as_is_said(
    speed_mps: float, within_s: float, bias_s: float, braking_mps2: float
) -> None:
    rng = random.Random(7)
    off = []
    for _ in range(60):
        heard, stands_s = walked(rng, speed_mps, rng.uniform(0.3, 1.5), braking_mps2)
        off.append(calibrate.stopping(heard, 2.0).t_s - stands_s)
    by_chance_s = 0.02  # of sixty trials the ninetieth percentile is not exact
    assert sorted(map(abs, off))[int(0.9 * len(off))] <= within_s + by_chance_s
    assert abs(statistics.mean(off)) <= bias_s + 2 * statistics.stdev(off) / math.sqrt(len(off))


def test_without_gait_and_noise_it_is_found_within_the_grid() -> None:
    heard = [(i * 0.04, 1.0 + max(0.0, 3.0 - i * 0.04)) for i in range(100)]
    stop = calibrate.stopping(heard, 2.0)
    assert stop.t_s == pytest.approx(3.0, abs=0.12)  # a stop without any braking does not exist
    assert stop.speed_mps == pytest.approx(1.0, abs=0.05)
    assert stop.left_m == pytest.approx(1.0, abs=0.02)


def test_echoes_that_are_too_few_or_go_nowhere_are_no_stop() -> None:
    with pytest.raises(calibrate.VoidError, match="only 3 echoes"):
        calibrate.stopping([(2.0, 2.0), (2.1, 1.9), (2.2, 1.8)], 2.0)
    receding = [(i * 0.04, 1.0 + i * 0.02) for i in range(100)]
    with pytest.raises(calibrate.VoidError, match="no walk that ends"):
        calibrate.stopping(receding, 2.0)


@given(
    st.lists(st.floats(0.2, 3.0).map(lambda x: round(x, 2)), min_size=3, max_size=3),
    st.sampled_from(PROFILES),
)
def test_the_slowest_counts_rounded_up_and_always_within_the_settings_bounds(
    times_s: list[float], profile: Profile
) -> None:
    trials = [calibrate.Trial(2.5, 0.8, time_s, 1.0) for time_s in times_s]
    found = calibrate.judged(AlertSettings(profile=profile), trials)
    assert found.reaction_s is not None
    assert max(times_s) - 1e-9 <= found.reaction_s < max(times_s) + calibrate.ROUND_S
    assert found.reaction_s / 0.05 == pytest.approx(round(found.reaction_s / 0.05))
    config.parse({"alert": {"profile": profile, "reaction_s": found.reaction_s}}, "test")


@pytest.mark.parametrize(
    ("time_s", "profile", "expected"),
    [
        (1.2, "default", "every level begins 0.38 s earlier"),
        (0.7, "default", "none comes later for it"),
        (0.5, "default", 'alert.profile = "fit", made for 0.575 s'),
        (0.5, "fit", "none comes later for it"),
    ],
)
def test_the_wearer_is_told_what_it_means(time_s: float, profile: Profile, expected: str) -> None:
    trials = [calibrate.Trial(2.5, 0.8, time_s, 1.0)] * 3
    told = list(calibrate.lines(calibrate.judged(AlertSettings(profile=profile), trials)))
    assert f"reaction_s = {time_s:g}" in told
    assert expected in told[-1]


# ------------------------------------------------------------------ what the key does


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("reaction_s", [0.2, 0.3, 0.5])
def test_a_quick_wearer_is_warned_as_early_as_ever(profile: Profile, reaction_s: float) -> None:
    quick = AlertSettings(profile=profile, reaction_s=reaction_s)
    assert profiles.thresholds(quick) == profiles.THRESHOLDS[profile]
    assert profiles.needed_m(profile, 1.0, 0.0, reaction_s) < profiles.needed_m(profile, 1.0)


def test_a_slow_wearer_is_warned_earlier_by_the_difference() -> None:
    """By hand: 1.325 s is 0.5 s longer than the default profile's 0.825 s."""
    slow = AlertSettings(reaction_s=1.325)
    caution, warning, danger, stop = profiles.thresholds(slow)
    assert (caution.ttc_s, warning.ttc_s, danger.ttc_s, stop.ttc_s) == (3.5, 2.5, 2.0, 1.1)
    assert (caution.distance_m, stop.distance_m) == (2.5, 0.6)
    assert (warning.distance_m, danger.distance_m) == (1.75, 1.25)
    assert profiles.needed_m("default", 1.0, 0.0, 1.325) == pytest.approx(0.25 + 1.575)
    assert profiles.protected_mps("default", 4.0, 0.0, 1.325) == pytest.approx(3.75 / 1.575)


REACTIONS = st.floats(0.2, 3.0)


@given(st.sampled_from(PROFILES), REACTIONS)
def test_levels_stay_nested_within_reach_and_never_begin_later(
    profile: Profile, reaction_s: float
) -> None:
    limits = profiles.thresholds(AlertSettings(profile=profile, reaction_s=reaction_s))
    for outer, inner in itertools.pairwise(limits):
        assert inner.distance_m <= outer.distance_m
        assert inner.ttc_s <= outer.ttc_s
    for usual, found in zip(profiles.THRESHOLDS[profile], limits, strict=True):
        assert found.distance_m >= usual.distance_m
        assert found.ttc_s >= usual.ttc_s
    assert limits[0].distance_m == profiles.THRESHOLDS[profile][0].distance_m


LEVEL_KEYS = st.sampled_from([f"{n}_{u}" for n in profiles.LEVELS for u in ("m", "ttc_s")])


@given(
    st.sampled_from(PROFILES),
    REACTIONS,
    st.dictionaries(LEVEL_KEYS, st.floats(0.3, 4.0), max_size=4),
)
def test_a_file_that_was_accepted_is_accepted_with_the_key_too(
    profile: Profile, reaction_s: float, overrides: dict[str, float]
) -> None:
    alert = {"profile": profile, **overrides}
    try:
        without = config.parse({"alert": alert}, "test")
    except ConfigError:
        return
    settings = config.parse({"alert": {**alert, "reaction_s": reaction_s}}, "test")
    for key, value in overrides.items():
        level, unit = key.split("_", 1)
        limit = profiles.thresholds(settings.alert)[profiles.LEVELS.index(level)]
        assert (limit.distance_m if unit == "m" else limit.ttc_s) == value
    AlertMachine(settings.alert)
    slower = reaction_s > profiles.NEEDS[profile].human_s
    assert check.report(settings, "").good or not check.report(without, "").good or slower


def test_check_tells_of_the_wearers_own_time() -> None:
    found = check.report(config.parse({"alert": {"reaction_s": 1.325}}, "test"), "")
    assert "profile         default, and the wearer's own 1.325 s to stop" in check.lines(found)
    assert [row.needed_m for row in found.speeds] == [1.038, 1.825, 2.455]
    assert found.good
    assert found.protected_mps == round(3.75 / 1.575, 2)


def test_a_slow_wearer_is_still_in_time_at_every_speed_up_to_two_seconds() -> None:
    for profile in PROFILES:
        settings = config.parse({"alert": {"profile": profile, "reaction_s": 2.0}}, "test")
        assert check.report(settings, "").good


@pytest.mark.parametrize("reaction_s", [0.19, 3.01, -1])
def test_a_time_that_nobody_has_is_refused(reaction_s: float) -> None:
    with pytest.raises(ConfigError, match=r"alert\.reaction_s = .* 0\.2 to 3\.0 s"):
        config.parse({"alert": {"reaction_s": reaction_s}}, "test")


# ------------------------------------------------------------------ the file

FILES = {
    "empty": "",
    "no alert": '[gpio]\nfactory = "mock"\n',
    "no newline": '[gpio]\nfactory = "mock"',
    "alert last": "[alert]",
    "set": "[alert]\n  reaction_s = 0.9   # measured in May\nhush_s = 4.0\n",
    "shown": "[alert] # mine\n# how long\n#reaction_s = 0.825\nhush_s = 4.0\n[motor]\npin = 13\n",
    "other": '# reaction_s = 1\n[alert]\nprofile = "rehab"\n\n[buzzer]\npin = 18\n',
    "windows": '\ufeff[alert]\r\nprofile = "rehab"\r\n[gpio]\r\nfactory = "mock"\r\n',
}


@pytest.mark.parametrize("name", FILES)
def test_the_key_is_set_and_every_other_line_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(FILES[name].encode("utf-8"))
    before = config.load(path)
    calibrate.write(path, 1.15)
    alert = msgspec.structs.replace(before.alert, reaction_s=1.15)
    assert config.load(path) == msgspec.structs.replace(before, alert=alert)
    old, new = FILES[name].splitlines(), path.read_bytes().decode("utf-8").splitlines()
    assert [x for x in old if "reaction_s" not in x and x] == [
        x for x in new if "reaction_s" not in x and x and x not in {"[alert]"} - set(old)
    ]
    assert ("\r\n" in FILES[name]) == (b"\r\n" in path.read_bytes())
    if name == "set":
        assert "  reaction_s = 1.15   # measured in May" in new
    if name == "shown":
        assert new[new.index("#reaction_s = 0.825") + 1] == "reaction_s = 1.15"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_file_takes_the_key_twice(path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_bytes(path.read_bytes())
    calibrate.write(mine, 1.3)
    once = mine.read_bytes()
    calibrate.write(mine, 0.95)
    assert mine.read_bytes() == once.replace(b"reaction_s = 1.3\n", b"reaction_s = 0.95\n")
    assert config.load(mine).alert.reaction_s == 0.95


@pytest.mark.parametrize(
    "text",
    [
        'alert = { profile = "rehab" }\n',
        'alert.profile = "rehab"\n',
        '[alert]\nprofile = "rehab"\n"reaction_s" = 1.0\n',
    ],
)
def test_a_file_in_another_style_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        calibrate.write(path, 1.15)
    assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_the_files_mode_stays_and_a_link_stays_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "mine.toml", tmp_path / "link.toml"
    path.write_text("", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    calibrate.write(calibrate.may_write(link), 1.15)
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert tomllib.loads(link.read_text(encoding="utf-8")) == {"alert": {"reaction_s": 1.15}}


def measured(time_s: float = 1.12) -> calibrate.Result:
    return calibrate.judged(AlertSettings(), [calibrate.Trial(2.5, 0.8, time_s, 1.0)] * 3)


def test_nothing_is_written_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("", encoding="utf-8")
    assert calibrate.kept(measured(), path, False, None)[0].written is None
    assert calibrate.kept(measured(), path, False, lambda _: False)[0].written is None
    assert path.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize(("write_it", "ask"), [(True, None), (False, lambda _: True)])
def test_it_is_written_when_told_or_agreed(
    write_it: bool, ask: Callable[[str], bool] | None, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("", encoding="utf-8")
    found, line = calibrate.kept(measured(), path, write_it, ask)
    assert found.written == str(path)
    assert str(path) in line
    assert config.load(path).alert.reaction_s == 1.15


def test_without_a_file_it_says_where_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "PLACES", (tmp_path / "no" / "a.toml", tmp_path / "b.toml"))
    found, line = calibrate.kept(measured(), None, False, lambda _: True)
    assert found.written is None
    assert str(tmp_path / "b.toml") in line
    with pytest.raises(InputError, match=r"b\.toml"):
        calibrate.may_write(None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_written_is_one_line_with_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=r"mine\.toml: may not be written; sudo rearguard"):
        calibrate.may_write(path)
    found, line = calibrate.kept(measured(), path, False, lambda _: True)
    assert found.written is None
    assert "sudo" in line
    assert "reaction_s = 1.15" in line
    assert "\n" not in line


def test_a_full_card_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[alert]\n", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"No space left on device; nothing was changed"):
        calibrate.write(path, 1.15)
    assert path.read_text(encoding="utf-8") == "[alert]\n"
    assert list(tmp_path.iterdir()) == [path]
