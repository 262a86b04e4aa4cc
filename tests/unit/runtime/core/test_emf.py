"""Metrics as lines of CloudWatch's embedded metric format."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from afluente.runtime.core.emf import MAX_VALUES, EmbeddedMetrics, sampled

COMMON = {"service": "classifier", "stage": "prod"}


def metrics() -> EmbeddedMetrics:
    return EmbeddedMetrics("afluente", COMMON)


def lines(its: EmbeddedMetrics) -> list[dict[str, Any]]:
    return [json.loads(line) for line in its.lines(1_700_000_000_000)]


def test_counts_and_durations_of_one_transport_are_one_line() -> None:
    its = metrics()
    its.count("PointsNormal", 3)
    its.count("PointsNormal", 2)
    its.observe("AcceptanceToKinesis", [0.12345, 2.0], transport="http")

    assert lines(its) == [
        {
            "_aws": {
                "Timestamp": 1_700_000_000_000,
                "CloudWatchMetrics": [
                    {
                        "Namespace": "afluente",
                        "Dimensions": [["service", "stage"]],
                        "Metrics": [{"Name": "PointsNormal", "Unit": "Count"}],
                    },
                    {
                        "Namespace": "afluente",
                        "Dimensions": [["service", "stage", "transport"]],
                        "Metrics": [{"Name": "AcceptanceToKinesis", "Unit": "Seconds"}],
                    },
                ],
            },
            **COMMON,
            "transport": "http",
            "PointsNormal": 5,
            "AcceptanceToKinesis": [0.123, 2.0],
        }
    ]


def test_each_further_transport_is_a_line_of_its_own() -> None:
    its = metrics()
    for transport in ("ws", "http", "mqtt"):
        its.observe("AcceptanceToKinesis", [1.0], transport=transport)
    its.count("LegacyRequests", 1, client="key-1")

    assert [(line["transport"], line.get("client")) for line in lines(its)] == [
        ("http", "key-1"),
        ("mqtt", None),
        ("ws", None),
    ]


def test_a_metric_with_and_without_a_dimension_is_in_two_lines() -> None:
    its = metrics()
    its.count("LegacyRequests", 2)
    its.count("LegacyRequests", 1, client="key-1")

    assert [(line["LegacyRequests"], line.get("client")) for line in lines(its)] == [(2, None), (1, "key-1")]


def test_nothing_is_no_line() -> None:
    its = metrics()
    its.count("PointsNormal", 0)
    its.observe("RequestToAnswer", [], transport="http")

    assert lines(its) == []


def test_a_clock_that_is_behind_makes_no_negative_duration() -> None:
    its = metrics()
    its.observe("RequestToAnswer", [-0.5], transport="http")

    assert lines(its)[0]["RequestToAnswer"] == [0.0]


def test_counts_of_several_threads_are_all_there() -> None:
    its = metrics()
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda _: its.count("PointsNormal", 1), range(2_000)))

    assert lines(its)[0]["PointsNormal"] == 2_000


@given(st.lists(st.floats(0, 100), max_size=400))
def test_a_line_has_at_most_a_hundred_values_of_a_metric_with_the_same_quantiles(values: list[float]) -> None:
    kept = sampled(values)

    assert len(kept) == min(len(values), MAX_VALUES)
    assert not Counter(kept) - Counter(values)
    ordered = sorted(values)
    for rank, value in enumerate(sorted(kept)):
        # Exact to half a percent of the ranks.
        lowest, highest = rank * len(values) // len(kept), -(-(rank + 1) * len(values) // len(kept)) - 1
        assert ordered[lowest] <= value <= ordered[highest]
