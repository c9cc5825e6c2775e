"""Figures and gates: intervals against textbooks, and every gate at and beyond its limit."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.evaluate.figures import NOTHING, Figure, Z, largest, percentile, rate, seconds, share
from device.evaluate.gates import GATES, Verdict, judge
from device.evaluate.score import Tally

# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_a_share_has_the_interval_of_the_textbook(
    hits: int, of: int, low: float, high: float
) -> None:
    """Newcombe (1998), Statistics in Medicine 17: 857-872, method 3."""
    found = share(hits, of)
    assert found.value == pytest.approx(hits / of, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    assert found.n == of


@pytest.mark.parametrize("of", [1, 10, 100, 4000])
def test_nothing_of_many_may_still_be_a_few(of: int) -> None:
    none, all_of_them = share(0, of), share(of, of)
    bound = Z * Z / (of + Z * Z)
    assert (none.low, none.high) == (0.0, pytest.approx(bound, abs=5e-5))
    assert (all_of_them.low, all_of_them.high) == (pytest.approx(1 - bound, abs=5e-5), 1.0)


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_each_end_of_a_shares_interval_is_just_not_refuted(counts: tuple[int, int]) -> None:
    """The score test's own definition: off by 1.96 standard errors of the end itself."""
    hits, of = counts
    found = share(hits, of)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low <= found.value + 1e-4 <= found.high + 2e-4 <= 1.0002
    for end, at_stop in ((found.low, hits == 0), (found.high, hits == of)):
        if not at_stop:
            sigma = math.sqrt(end * (1 - end) / of)
            assert abs(hits / of - end) == pytest.approx(Z * sigma, abs=4e-4 + 4e-4 / sigma / of)


# ---------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [
        (1, 0.0253, 5.572),
        (5, 1.6235, 11.668),
        (10, 4.795, 18.39),
        (20, 12.217, 30.888),
        (100, 81.36, 121.63),
    ],
)
def test_a_rate_has_nearly_the_exact_interval(events: int, low: float, high: float) -> None:
    found = rate(events, 1.0)
    assert found.value == events
    assert found.high == pytest.approx(high, rel=0.01)
    assert found.low == pytest.approx(low, rel=0.02, abs=0.02)


def test_no_event_in_ten_hours_may_be_one_in_three() -> None:
    found = rate(0, 10.0)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.3689, rel=0.01)
    assert found.n == 10.0


def at_most(events: int, mean: float) -> float:
    """Poisson's chance of `events` or fewer."""
    return math.fsum(
        math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1)
    )


@given(st.integers(0, 300))
def test_a_rates_interval_leaves_out_one_chance_in_forty_on_either_side(events: int) -> None:
    found = rate(events, 1.0)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value + 1e-4 < found.high
    assert at_most(events, found.high) == pytest.approx(0.025, abs=0.0015)
    if events >= 3:
        assert 1 - at_most(events - 1, found.low) == pytest.approx(0.025, abs=0.0025)


@given(st.integers(0, 300), st.floats(0.1, 1000.0))
def test_a_rate_is_events_over_time(events: int, hours: float) -> None:
    once, over = rate(events, 1.0), rate(events, hours)
    for mine, theirs in zip(
        (over.value, over.low, over.high), (once.value, once.low, once.high), strict=True
    ):
        assert mine is not None
        assert theirs is not None
        assert mine == pytest.approx(theirs / hours, abs=2e-4 / min(hours, 1.0))


# ---------------------------------------------------------------- percentiles


@pytest.mark.parametrize(
    ("p", "value"), [(0.95, 95.0), (0.5, 50.0), (0.01, 1.0), (0.955, 96.0), (1.0, 100.0)]
)
def test_a_percentile_is_the_least_sample_that_so_many_do_not_exceed(
    p: float, value: float
) -> None:
    assert percentile([float(i) for i in range(100, 0, -1)], p).value == value


milliseconds = st.integers(0, 10_000).map(lambda n: n / 1000)
samples = st.lists(milliseconds | st.just(math.inf), min_size=1, max_size=80)


@given(samples, st.sampled_from([0.05, 0.5, 0.95]))
def test_so_many_samples_are_within_a_percentile(values: list[float], p: float) -> None:
    found = percentile(values, p)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high
    assert found.n == len(values)
    assert {found.low, found.value, found.high} <= {*values, math.inf}
    assert sum(value <= found.value for value in values) >= p * len(values) - 1e-9
    assert sum(value < found.value for value in values) < p * len(values) + 1e-9


@pytest.mark.parametrize("n", [30, 100, 200, 1000, 3000])
def test_a_percentiles_interval_holds_the_true_one_nineteen_times_of_twenty(n: int) -> None:
    """Samples that are their own ranks: the true one lies between two of them by Bernoulli."""
    found = percentile([float(i) for i in range(1, n + 1)], 0.95)
    assert found.low is not None
    assert found.high is not None
    chances = (
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(0.95)
            + (n - k) * math.log(0.05)
        )
        for k in range(round(found.low), n + 1 if found.high == math.inf else round(found.high))
    )
    assert 0.935 <= math.fsum(chances) <= 0.98


def test_a_few_samples_do_not_tell_how_bad_it_can_be() -> None:
    few, many = percentile([0.1] * 20, 0.95), percentile([0.1] * 200, 0.95)
    assert (few.value, few.high) == (0.1, math.inf)
    assert (many.value, many.high) == (0.1, 0.1)


def test_what_is_never_reached_too_often_makes_the_percentile_infinite() -> None:
    assert percentile([0.1] * 95 + [math.inf] * 5, 0.95).value == 0.1
    assert percentile([0.1] * 95 + [math.inf] * 5, 0.95).high == math.inf
    assert percentile([0.1] * 94 + [math.inf] * 6, 0.95).value == math.inf


# ---------------------------------------------------------------- the rest


def test_the_largest_is_the_largest() -> None:
    assert largest([0.2, 0.5, 0.3]) == Figure(0.5, n=3)
    assert largest([0.2, math.inf]).value == math.inf


def test_a_sum_of_seconds_is_itself_over_so_many_occasions() -> None:
    assert seconds(1.25, 3) == Figure(1.25, n=3)
    assert seconds(0.0, 3).value == 0.0


@pytest.mark.parametrize(
    "found",
    [share(0, 0), rate(0, 0.0), rate(3, 0.0), percentile([], 0.95), largest([]), seconds(0.0, 0)],
)
def test_nothing_measured_is_no_figure(found: Figure) -> None:
    assert found == NOTHING
    assert found.value is None


# ---------------------------------------------------------------- gates

HOURS = 100.0
"""So long a walk that a rate's limit is a whole number of events."""
LIMIT = {gate.key: gate.limit for gate in GATES}
WALL = ("onset_caution", "onset_warning", "onset_danger", "onset_stop")


def fine() -> Tally:
    """A suite at every limit, and beyond none."""
    return Tally(
        walked_s=HOURS * 3600.0,
        needs=100,
        met=round(100 * LIMIT["recall"]),
        contacts_without=100,
        contacts_with=round(100 * LIMIT["contacts"]),
        false_warning=round(HOURS * LIMIT["false_warning"]),
        false_caution=round(HOURS * LIMIT["false_caution"]),
        flips=round(60 * HOURS * LIMIT["flips"]),
        due_s=1000.0,
        held_s=1000.0 * LIMIT["hold"],
        releases_s=[LIMIT["release"]] * 100,
        wall_onsets_s={level: [LIMIT[key]] * 100 for level, key in enumerate(WALL, start=1)},
        faults_s=[0.3, LIMIT["fault"]],
        well_s=1000.0,
        unexcused_warning_s=1000.0 * LIMIT["time_false_warning"],
        unexcused_caution_s=1000.0 * LIMIT["time_false_caution"],
        unexcused_fault_s=1000.0 * LIMIT["time_false_fault"],
        recoveries_s=[0.3, LIMIT["recovery"]],
        false_faults=round(HOURS * LIMIT["false_faults"]),
        clear_while_dead_s=0.0,
        out_of_order=20,
    )


def verdicts(tally: Tally) -> dict[str, bool | None]:
    return {verdict.key: verdict.passed for verdict in judge(tally)}


def one_more(field: str, by: float = 1) -> Callable[[Tally], None]:
    return lambda tally: setattr(tally, field, getattr(tally, field) + by)


def slower(key: str, by_s: float = 0.01) -> Callable[[Tally], None]:
    """One in ten takes longer than the limit."""
    level = WALL.index(key) + 1
    return lambda tally: tally.wall_onsets_s[level].extend([LIMIT[key] + by_s] * 10)


BEYOND: dict[str, Callable[[Tally], None]] = {
    "recall": one_more("met", -1),
    "contacts": one_more("contacts_with"),
    "false_warning": one_more("false_warning"),
    "false_caution": one_more("false_caution"),
    "flips": one_more("flips", 10),
    "hold": one_more("held_s", -1.0),
    "release": lambda tally: tally.releases_s.extend([LIMIT["release"] + 0.01] * 10),
    **{key: slower(key) for key in WALL},
    "fault": lambda tally: tally.faults_s.append(LIMIT["fault"] + 0.01),
    "false_faults": one_more("false_faults"),
    "time_false_warning": one_more("unexcused_warning_s", 0.1),
    "time_false_caution": one_more("unexcused_caution_s", 0.1),
    "time_false_fault": one_more("unexcused_fault_s", 0.1),
    "recovery": lambda tally: tally.recoveries_s.append(LIMIT["recovery"] + 0.01),
    "clear_while_dead": one_more("clear_while_dead_s", 0.01),
}


def test_every_gate_passes_at_its_limit() -> None:
    assert verdicts(fine()) == dict.fromkeys([gate.key for gate in GATES], True)
    for verdict in judge(fine()):
        assert verdict.figure.value == verdict.limit


@pytest.mark.parametrize("key", [gate.key for gate in GATES])
def test_every_gate_fails_beyond_its_limit_and_alone(key: str) -> None:
    tally = fine()
    BEYOND[key](tally)
    assert [k for k, passed in verdicts(tally).items() if not passed] == [key]
    assert verdicts(tally)[key] is False


@pytest.mark.parametrize(
    ("key", "worsen"),
    [
        ("release", lambda tally: tally.releases_s.extend([math.inf] * 10)),
        ("fault", lambda tally: tally.faults_s.append(math.inf)),
        *((key, slower(key, math.inf)) for key in WALL),
    ],
)
def test_what_was_never_reached_fails(key: str, worsen: Callable[[Tally], None]) -> None:
    tally = fine()
    worsen(tally)
    assert [k for k, passed in verdicts(tally).items() if not passed] == [key]


@pytest.mark.parametrize(
    ("key", "share_of_limit"), [("recall", 0.99996), ("false_warning", 1.00004)]
)
def test_a_limit_is_not_reached_by_rounding(key: str, share_of_limit: float) -> None:
    tally = fine()
    if key == "recall":
        tally.needs, tally.met = 1_000_000, round(990_000 * share_of_limit)
    else:
        tally.walked_s *= 1000
        tally.false_warning = round(100_000 * share_of_limit)
    assert verdicts(tally)[key] is False


def test_where_nothing_was_measured_there_is_no_verdict() -> None:
    assert set(verdicts(Tally()).values()) == {None}


def test_a_verdict_shows_its_gate_and_its_figure() -> None:
    (recall, *_), gate = judge(fine()), GATES[0]
    assert isinstance(recall, Verdict)
    assert (recall.key, recall.title, recall.limit) == (gate.key, gate.title, gate.limit)
    assert recall.least
    assert recall.figure == share(99, 100)
    assert sorted(BEYOND) == sorted(gate.key for gate in GATES)
