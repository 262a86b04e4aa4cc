"""Metrics out of CloudWatch."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import pytest

from cli.metrics import from_cloudwatch
from cli.metrics.from_cloudwatch import CloudWatchMetrics
from cli.metrics.snapshot import Count

NOW = 1_700_000_040.0
"""A whole minute."""

Dimensions = frozenset[tuple[str, str]]


class CloudWatch:
    """CloudWatch, with the values of metrics by minute; a page of an answer has two metrics."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, Dimensions, str], dict[float, float]] = {}
        self.queries: list[dict[str, Any]] = []

    def put(self, name: str, stat: str, values: dict[float, float], **dimensions: str) -> None:
        self.values[name, frozenset(dimensions.items()), stat] = values

    def get_paginator(self, operation: str) -> "_Paginator":
        return _Paginator(self, operation)

    def list_metrics(self, Namespace: str, Dimensions: list[dict[str, str]]) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert Namespace == "afluente"
        (wanted,) = [(one["Name"], one["Value"]) for one in Dimensions]
        for name, dimensions, _ in self.values:
            if wanted in dimensions:
                named = [{"Name": key, "Value": value} for key, value in sorted(dimensions)]
                yield {"Metrics": [{"Namespace": Namespace, "MetricName": name, "Dimensions": named}]}

    def get_metric_data(
        self,
        MetricDataQueries: list[dict[str, Any]],  # noqa: N803
        StartTime: datetime,  # noqa: N803
        EndTime: datetime,  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        self.queries += MetricDataQueries
        assert len(MetricDataQueries) <= from_cloudwatch.MAX_QUERIES
        results = [self._result(query, StartTime, EndTime) for query in MetricDataQueries]
        for first in range(0, len(results), 2):
            yield {"MetricDataResults": results[first : first + 2]}

    def _result(self, query: dict[str, Any], start: datetime, end: datetime) -> dict[str, Any]:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = frozenset((one["Name"], one["Value"]) for one in metric["Dimensions"])
        its = self.values.get((metric["MetricName"], dimensions, stat["Stat"]), {})
        found = {time: its[time] for time in its if start.timestamp() <= time < end.timestamp()}
        times = [datetime.fromtimestamp(time, start.tzinfo) for time in found]
        return {"Id": query["Id"], "Timestamps": times, "Values": list(found.values())}


class _Paginator:
    def __init__(self, cloudwatch: CloudWatch, operation: str) -> None:
        self._operation = getattr(cloudwatch, operation)

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        return cast("Iterator[dict[str, Any]]", self._operation(**arguments))


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


def metrics(cloudwatch: CloudWatch, since: float = NOW - 600, window: float | None = None) -> CloudWatchMetrics:
    return CloudWatchMetrics(cast("Any", cloudwatch), stage="prod", since=since, window_seconds=window)


def test_counts_are_those_of_the_stage_and_its_functions(cloudwatch: CloudWatch) -> None:
    minutes = {NOW - 3_600: 100.0, NOW - 120: 3.0, NOW - 60: 4.0}
    cloudwatch.put("PointsNormal", "Sum", minutes, stage="prod", service="classifier")
    cloudwatch.put("PointsNormal", "Sum", minutes, stage="dev", service="classifier")
    for client in ("key-1", "key-2"):
        cloudwatch.put("LegacyRequests", "Sum", {NOW - 60: 1.0}, stage="prod", service="http_ingest", client=client)

    counts, durations = metrics(cloudwatch).read(NOW)

    assert counts == [Count("LegacyRequests", "http_ingest", 2), Count("PointsNormal", "classifier", 7)]
    assert durations == []


def test_a_minute_that_fills_is_read_again_and_counts_never_fall(cloudwatch: CloudWatch) -> None:
    its = metrics(cloudwatch)
    totals = []
    for late, value in [(0, 3.0), (30, 5.0), (60, 4.0), (7_200, 4.0)]:
        cloudwatch.put("PointsNormal", "Sum", {NOW - 60: value}, stage="prod", service="classifier")
        totals.append(its.read(NOW + late)[0][0].total)

    assert totals == [3, 5, 5, 5]


def test_durations_have_percentiles_numbers_and_sums_by_transport(cloudwatch: CloudWatch) -> None:
    its = {"stage": "prod", "service": "classifier", "transport": "mqtt"}
    for stat, values in {
        "Sum": {NOW - 120: 2.5, NOW - 60: 1.0},
        "SampleCount": {NOW - 120: 5.0, NOW - 60: 2.0},
        "p50": {NOW - 120: 0.4},
        "p95": {NOW - 120: 0.8, NOW - 60: 0.9},
        "p99": {},
    }.items():
        cloudwatch.put("AcceptanceToKinesis", stat, values, **its)

    counts, (found,) = metrics(cloudwatch, window=300).read(NOW)

    assert counts == []
    assert (found.metric, found.service, found.transport) == ("AcceptanceToKinesis", "classifier", "mqtt")
    assert (found.count, found.sum_seconds) == (7, 3.5)
    assert found.quantiles == {0.5: 0.4, 0.95: 0.9}
    stats = [query["MetricStat"] for query in cloudwatch.queries]
    assert {stat["Period"] for stat in stats if stat["Stat"] == "p95"} == {300}


def test_more_metrics_than_a_call_may_have_are_read_by_several(
    cloudwatch: CloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_cloudwatch, "MAX_QUERIES", 3)
    for number in range(8):
        cloudwatch.put(f"Metric{number}", "Sum", {NOW - 60: 1.0}, stage="prod", service="classifier")

    assert len(metrics(cloudwatch).read(NOW)[0]) == 8
