"""Metrics out of logs."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afluente.runtime.core.emf import EmbeddedMetrics
from cli.metrics.from_logs import LogMetrics, percentile
from cli.metrics.snapshot import Count, Duration
from cli.reading.log_events import LogReader

NOW = 1_700_000_000.0


class Log:
    """A log group."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def filter_log_events(self, **arguments: Any) -> dict[str, Any]:
        return {"events": [event for event in self.events if event["timestamp"] >= arguments["startTime"]]}

    def write(self, *lines: str, at: float = NOW) -> None:
        for line in lines:
            number = str(len(self.events))
            self.events.append({"timestamp": int(at * 1000), "message": f"{line}\n", "eventId": number})

    def reader(self) -> LogReader:
        return LogReader(cast("Any", self), "group", since_ms=0)


def an_invocation(service: str = "classifier", stage: str = "local") -> EmbeddedMetrics:
    return EmbeddedMetrics("afluente", {"service": service, "stage": stage})


def lines_of(metrics: EmbeddedMetrics) -> list[str]:
    return metrics.lines(int(NOW * 1000))


def counted(number: int, **where: str) -> list[str]:
    its = an_invocation(**where)
    its.count("PointsNormal", number)
    return lines_of(its)


def lasted(*seconds: float, transport: str = "http") -> list[str]:
    its = an_invocation()
    its.observe("AcceptanceToKinesis", seconds, transport=transport)
    return lines_of(its)


@pytest.fixture
def log() -> Log:
    return Log()


def test_counts_of_all_functions_are_added_up_by_function(log: Log) -> None:
    other = Log()
    log.write(*counted(3), *counted(4))
    other.write(*counted(5, service="csv_trigger"))

    counts, _ = LogMetrics([log.reader(), other.reader()], stage="local", window_seconds=None).read(NOW)

    assert counts == [Count("PointsNormal", "classifier", 7), Count("PointsNormal", "csv_trigger", 5)]


def test_counts_grow_from_one_reading_to_the_next_and_no_line_counts_twice(log: Log) -> None:
    metrics = LogMetrics([log.reader()], stage="local", window_seconds=300)
    log.write(*counted(3))
    totals = [metrics.read(NOW)[0][0].total, metrics.read(NOW)[0][0].total]
    log.write(*counted(4), at=NOW + 100)

    assert [*totals, metrics.read(NOW + 100)[0][0].total] == [3, 3, 7]


def test_durations_have_percentiles_by_transport(log: Log) -> None:
    log.write(*lasted(*(number / 100 for number in range(1, 101))), *lasted(2.0, transport="mqtt"))

    _, (http, mqtt) = LogMetrics([log.reader()], stage="local", window_seconds=None).read(NOW)

    assert http == Duration(
        metric="AcceptanceToKinesis",
        service="classifier",
        transport="http",
        count=100,
        sum_seconds=50.5,
        p50=0.5,
        p95=0.95,
        p99=0.99,
    )
    assert (mqtt.transport, mqtt.count, mqtt.p50, mqtt.p99) == ("mqtt", 1, 2.0, 2.0)


def test_percentiles_are_those_of_the_window_and_sums_of_all(log: Log) -> None:
    metrics = LogMetrics([log.reader()], stage="local", window_seconds=300)
    log.write(*lasted(9.0))
    log.write(*lasted(1.0), at=NOW + 200)

    (its,) = metrics.read(NOW + 400)[1]
    (later,) = metrics.read(NOW + 900)[1]

    assert (its.count, its.sum_seconds, its.p99) == (2, 10.0, 1.0)
    assert (later.count, later.sum_seconds, later.p99) == (2, 10.0, None)


@pytest.mark.parametrize(
    "line",
    [
        "START RequestId: 1",
        '"CloudWatchMetrics"',
        '["CloudWatchMetrics"]',
        json.dumps({"stage": "local", "_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Gone"}]}]}}),
        json.dumps({"stage": "local", "_aws": {"CloudWatchMetrics": 7}}),
        *counted(3, stage="prod"),
    ],
)
def test_other_lines_and_other_stages_count_nothing(log: Log, line: str) -> None:
    log.write(line)

    assert LogMetrics([log.reader()], stage="local", window_seconds=None).read(NOW) == ([], [])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_the_smallest_value_that_a_share_does_not_exceed(values: list[float], quantile: float) -> None:
    found = percentile(sorted(values), quantile)

    assert found in values
    assert sum(value <= found for value in values) >= quantile * len(values) - 1e-9
    assert sum(value < found for value in values) < quantile * len(values) + 1e-9


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) is None
