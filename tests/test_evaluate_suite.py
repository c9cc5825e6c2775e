"""The suite: walks recorded once, heard by all, and summed alike however many processes."""

import itertools
import math
from pathlib import Path

import pytest

from device import sensors
from device.core.pipeline import Pipeline, Step
from device.core.reading import Echo, Fault
from device.errors import InputError
from device.evaluate.peers import OURS, PEERS
from device.evaluate.record import Record, Say, record
from device.evaluate.score import Tally, score
from device.evaluate.suite import BATCH, Done, chosen, evaluate, heard_by, total
from device.settings import AlertSettings, Settings
from device.sim import scenario as scenarios

SETTINGS = Settings()
NAMES = ["unplugged", "wall@1.0", "crosstalk@wall"]
"""Not in the alphabet's order, nor in the suite's."""


def facts_of(rec: Record) -> tuple[object, ...]:
    """All of a record but the person, who is compared by what they would do."""
    person = rec.person.reaction_s, rec.person.touch(None, 60.0), rec.person.touch(2.0, 60.0)
    return rec.scenario, rec.readings, rec.says, rec.facts, rec.dead, rec.blind, rec.need, person


# ---------------------------------------------------------------- one walk


@pytest.mark.parametrize("name", ["wall@1.0", "child", "drop", "gap"])
def test_the_same_seed_is_the_same_walk_and_another_is_another(name: str) -> None:
    once, again, other = (record(name, SETTINGS, seed) for seed in (3, 3, 4))
    assert facts_of(once) == facts_of(again)
    assert once.readings != other.readings


def test_a_walk_is_recorded_as_if_nobody_listened() -> None:
    rec = record("wall@1.0", SETTINGS, 1)
    assert rec.scenario.walker.heeds is False
    assert scenarios.load("wall@1.0").walker.heeds is True
    assert scenarios.unheeded(rec.scenario) == rec.scenario
    nearest_m = min(r.distance_m for r in rec.readings if isinstance(r, Echo))
    assert nearest_m < 0.3
    assert rec.need is not None


def test_what_was_said_is_what_the_readings_alone_make_the_core_say() -> None:
    for name in ("wall@0.5", "brown-out", "crosstalk@wall"):
        steps: list[Step] = []
        rec = record(name, SETTINGS, 2, steps.append)
        assert rec.readings == [step.reading for step in steps if step.reading is not None]
        pipeline = Pipeline(SETTINGS, sensors.pace(SETTINGS.sensor))
        says = [Say(0.0, 0)]
        for step in steps:
            alert = pipeline.step(step.t_s, step.reading).alert
            say = Say(step.t_s, min(4, alert.state), alert.fault is not None, alert.hushed)
            if say[1:] != says[-1][1:]:
                says.append(say)
        assert says == rec.says
        assert len(says) > 3


@pytest.mark.parametrize(
    ("name", "dead"),
    [
        ("wall@1.0", []),
        ("gap", [(3.5, 5.0)]),
        ("brown-out", [(4.2, 4.9), (8.0, 8.7)]),
        ("unplugged", [(2.8, 10.0)]),
    ],
)
def test_when_the_sensor_was_broken_is_kept(name: str, dead: list[tuple[float, float]]) -> None:
    rec = record(name, SETTINGS, 1)
    assert rec.dead == dead
    silent = {round(r.t_s, 1) for r in rec.readings if isinstance(r, Fault)}
    assert all(any(a <= t_s <= b + 0.1 for a, b in dead) for t_s in silent)
    assert bool(silent) is bool(dead)


def test_a_failure_that_follows_on_another_is_one_time_of_being_broken(tmp_path: Path) -> None:
    file = tmp_path / "twice.toml"
    file.write_text(
        'title = "twice"\nduration_s = 4.0\nexpect = "fault"\n'
        '[[breakages]]\nat_s = 2.0\nfailure = "stuck"\n'
        '[[breakages]]\nat_s = 1.0\nfailure = "off"\n'
        '[[breakages]]\nat_s = 0.5\nfailure = "ok"\n'
        '[[breakages]]\nat_s = 3.0\nfailure = "ok"\n'
    )
    assert record(str(file), SETTINGS, 1).dead == [(1.0, 3.0)]


def test_a_drop_on_the_sensor_is_kept_as_blindness() -> None:
    assert record("drop", SETTINGS, 1).blind == [pytest.approx((5.0, 25.0), abs=0.1)]


def test_a_walk_that_is_not_shipped_is_refused() -> None:
    with pytest.raises(InputError, match="no-such-walk"):
        record("no-such-walk", SETTINGS, 1)


def test_a_profile_is_judged_by_its_own_need() -> None:
    rehab = Settings(alert=AlertSettings(profile="rehab"))
    needs = [record("wall@1.0", settings, 1).need for settings in (rehab, SETTINGS)]
    assert needs[0] is not None
    assert needs[1] is not None
    assert needs[0].gap_m > needs[1].gap_m + 0.2


@pytest.mark.parametrize("name", scenarios.suite())
def test_every_walk_of_the_suite_is_scored_within_reason(name: str) -> None:
    rec = record(name, SETTINGS, 5)
    found = score(name, 5, rec, rec.says)
    assert 0 < found.walked_s <= rec.scenario.duration_s
    assert found.needs + found.undetectable == (rec.need is not None)
    assert found.met <= found.needs
    assert found.contacts_with <= found.contacts_without <= found.needs
    assert found.held_s <= found.due_s + 1e-6
    broken_s = sum(to_s - from_s for from_s, to_s in rec.dead + rec.blind)
    assert found.clear_while_dead_s <= broken_s
    assert all(0 <= fact.due <= fact.excusable <= 4 for fact in rec.facts)
    assert bool(found.wall_onsets_s) is (rec.scenario.number == 1)
    assert all(case.scenario == name and case.seed == 5 for case in found.cases)


# ---------------------------------------------------------------- peers hear the same


def test_a_peer_says_what_its_readings_made_it_say() -> None:
    rec = record("wall@1.0", SETTINGS, 1)
    says = heard_by("single ping, 1.5 m", rec)
    first = next(r for r in rec.readings if isinstance(r, Echo) and r.distance_m <= 1.5)
    assert says[:2] == [(0.0, 0, False, False), (first.t_s, 3, False, False)]


@pytest.mark.parametrize("name", PEERS)
def test_a_peers_says_are_changes_in_order(name: str) -> None:
    says = heard_by(name, record("crosstalk@wall", SETTINGS, 1))
    times = [say.t_s for say in says]
    assert says[0] == (0.0, 0, False, False)
    assert times == sorted(times)
    assert all(a.level != b.level for a, b in itertools.pairwise(says))
    assert len(says) > 1


# ---------------------------------------------------------------- sums


def test_one_process_and_two_come_to_the_same() -> None:
    seeds = range(BATCH + 2)
    alone = evaluate(NAMES, seeds, SETTINGS, 1)
    assert evaluate(NAMES, seeds, SETTINGS, 2) == alone
    assert [done.name for done in alone] == NAMES
    for done in alone:
        assert list(done.tallies) == [OURS, *PEERS]
        assert all(tally.runs == len(seeds) for tally in done.tallies.values())


def test_the_sums_are_those_of_the_single_walks() -> None:
    seeds = range(4, 4 + BATCH + 2)
    (done,) = evaluate(["child"], seeds, SETTINGS, 1, peers=False)
    wanted = Tally()
    for seed in seeds:
        rec = record("child", SETTINGS, seed)
        wanted.add(score("child", seed, rec, rec.says))
    assert done == Done("child", {OURS: wanted})
    assert total([done]) == wanted


def test_without_peers_only_we_are_heard_and_say_the_same() -> None:
    with_peers = evaluate(NAMES, range(2), SETTINGS, 1)
    without = evaluate(NAMES, range(2), SETTINGS, 1, peers=False)
    assert all(list(done.tallies) == [OURS] for done in without)
    assert total(without) == total(with_peers)


def test_the_total_is_over_all_walks_for_each_contender() -> None:
    done = evaluate(NAMES, range(2), SETTINGS, 1)
    for contender in (OURS, "3 of 5"):
        whole = total(done, contender)
        assert whole.runs == 2 * len(NAMES)
        assert whole.needs == sum(part.tallies[contender].needs for part in done)
        assert whole.walked_s == pytest.approx(
            sum(part.tallies[contender].walked_s for part in done)
        )
    assert total(done) != total(done, "3 of 5")


def test_cases_worth_looking_at_are_kept_of_ours_alone() -> None:
    blunt = Settings(
        alert=AlertSettings(danger_m=0.3, danger_ttc_s=0.0, stop_m=0.2, stop_ttc_s=0.0)
    )
    (done,) = evaluate(["wall@1.0"], range(2), blunt, 1)
    ours = done.tallies.pop(OURS)
    assert {case.seed for case in ours.cases} == {0, 1}
    assert {case.scenario for case in ours.cases} == {"wall@1.0"}
    assert any(tally.met < tally.needs for tally in done.tallies.values())
    assert all(tally.cases == [] for tally in done.tallies.values())


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_walk_is_told_to_the_progress(jobs: int) -> None:
    told: list[int] = []
    seeds = range(BATCH + 1)
    evaluate(NAMES[1:2], seeds, SETTINGS, jobs, peers=False, progress=told.append)
    assert told == [BATCH, 1]


def test_a_walk_that_cannot_be_loaded_ends_the_suite() -> None:
    with pytest.raises(InputError, match="no-such-walk"):
        evaluate(["wall@1.0", "no-such-walk"], range(1), SETTINGS, 1, peers=False)


@pytest.mark.parametrize("jobs", [1, 2])
def test_without_seeds_nothing_is_walked(jobs: int) -> None:
    assert evaluate(["wall@1.0"], range(0), SETTINGS, jobs) == [Done("wall@1.0", {})]


# ---------------------------------------------------------------- which walks


def test_the_whole_suite_is_chosen_unless_some_are_named() -> None:
    assert chosen([]) == scenarios.suite()
    assert chosen(["unplugged", "wall@1.0"]) == ["wall@1.0", "unplugged"]
    assert chosen(["wall"]) == ["wall@0.37", "wall@0.5", "wall@1.0", "wall@1.4"]
    assert chosen(["wall", "wall@1.0"]) == chosen(["wall"])


@pytest.mark.parametrize("name", ["bell", "wall@9", "oblique", "@1.0", ""])
def test_what_is_not_in_the_suite_cannot_be_chosen(name: str) -> None:
    with pytest.raises(InputError, match="not in the suite; choose one of wall, oblique-wall"):
        chosen(["wall", name])


def test_what_is_beyond_any_device_is_shown_and_not_counted() -> None:
    names = ["frozen@wall", "frozen@field"]
    done = evaluate(names, range(1, 3), SETTINGS, jobs=1, peers=False)
    wall, field = (part.tallies[OURS] for part in done)
    assert field.clear_while_dead_s > 0
    assert field.faults_s == [math.inf, math.inf]
    assert total(done) == wall
