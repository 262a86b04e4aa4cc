"""Sources in the canary and on trial, and the counts of a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.domain.stream_keys import shard_of
from afluente.migration.application.trial import (
    ADDED_MS_BOUNDS,
    Phase,
    TrialCounts,
    TrialSettings,
    added,
)
from tests.factories import NOW

SOURCES = [f"device-{number}" for number in range(10_000)]


def running(share: int, **fields: object) -> TrialSettings:
    return TrialSettings().in_next_step(NOW, phase=Phase.RUNNING, share=share, **fields)


def of_new_way(settings: TrialSettings) -> set[str]:
    return {source for source in SOURCES if settings.in_canary(source)}


# --- sources in the canary -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0, 1, 10, 50, 99, 100])
def test_the_share_of_the_sources_is_in_the_canary(share: int) -> None:
    assert len(of_new_way(running(share))) == pytest.approx(share * 100, abs=200)


def test_all_or_none_is_exact() -> None:
    assert of_new_way(running(100)) == set(SOURCES)
    assert of_new_way(running(0)) == set()


def test_no_source_goes_back_as_the_share_grows() -> None:
    assert of_new_way(running(1)) < of_new_way(running(10)) < of_new_way(running(50)) < of_new_way(running(100))


def test_the_share_is_spread_over_the_shards() -> None:
    shards = {shard_of(f"iot/{source}", 64) for source in of_new_way(running(10))}

    assert len(shards) == 64


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.ROLLED_BACK])
def test_no_source_is_in_a_canary_that_is_not_under_way(phase: Phase) -> None:
    settings = TrialSettings(phase=phase, share=100, include=frozenset({"a"}))

    assert not settings.in_canary("a")
    assert not settings.in_canary("b")


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.HELD, Phase.COMPLETE])
def test_a_canary_that_is_held_or_complete_keeps_its_share(phase: Phase) -> None:
    assert TrialSettings(phase=phase, share=100).in_canary("a")


def test_lists_win_over_the_share_and_leaving_out_over_including() -> None:
    none = running(0, include=frozenset({"a", "b"}), exclude=frozenset({"b"}))
    everybody = running(100, exclude=frozenset({"b"}))

    assert [none.in_canary(source) for source in "abc"] == [True, False, False]
    assert [everybody.in_canary(source) for source in "abc"] == [True, False, True]


def test_sources_in_the_canary_are_on_trial_and_with_shadow_all() -> None:
    settings = running(0, include=frozenset({"a"}))

    assert [settings.on_trial(source) for source in "ab"] == [True, False]
    assert [settings.changed(shadow=True).on_trial(source) for source in "ab"] == [True, True]


def test_a_change_is_a_version_and_a_new_step_counts_anew() -> None:
    settings = running(10)

    held = settings.changed(phase=Phase.HELD)
    assert (held.version, held.step, held.step_began_at) == (2, 1, NOW)
    following = held.in_next_step(NOW + 9, share=50)
    assert (following.version, following.step, following.step_began_at) == (3, 2, NOW + 9)


# --- what is counted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("milliseconds", "bucket"), [(-9.0, 0), (0.0, 0), (0.1, 1), (5.0, 6), (5.001, 7), (1000.0, 15), (1e12, 15)]
)
def test_added_latency_is_counted_up_to_the_next_bound(milliseconds: float, bucket: int) -> None:
    assert [place for place, number in enumerate(added(milliseconds)) if number] == [bucket]


@given(st.lists(st.floats(-10, 5000), min_size=1, max_size=60))
def test_the_p95_is_the_first_bound_that_95_of_100_stay_within(latencies: list[float]) -> None:
    counts = TrialCounts()
    for latency in latencies:
        counts = counts.plus(TrialCounts(invocations=1, added_ms=added(latency)))

    within = [bound for bound in ADDED_MS_BOUNDS if sum(its <= bound for its in latencies) * 100 >= 95 * len(latencies)]
    assert counts.p95() == (within[0] if within else ADDED_MS_BOUNDS[-1])


def test_what_took_no_time_yet_has_no_p95() -> None:
    assert TrialCounts().p95() is None


def test_counts_that_are_in_no_bucket_are_as_slow_as_can_be() -> None:
    assert TrialCounts(invocations=1).p95() == ADDED_MS_BOUNDS[-1]


@pytest.mark.parametrize(("limit", "number"), [(0.0, 3), (4.9, 2), (5.0, 1), (5.5, 1), (1000.0, 0)])
def test_those_slower_than_a_limit_are_counted_by_the_bound_below_it(limit: float, number: int) -> None:
    counts = TrialCounts()
    for latency in (-1, 0.2, 4.5, 7.0):
        counts = counts.plus(TrialCounts(added_ms=added(latency)))

    assert counts.slower_than(limit) == number


def test_errors_are_a_part_of_the_compared_points() -> None:
    assert TrialCounts(points=5, compared=200, errors=3).error_rate == 0.015
    assert TrialCounts().error_rate == 0
