"""Metrics out of CloudWatch, of a stage in an account."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from afluente.runtime.core.observability import DURATIONS, METRICS_NAMESPACE
from cli.metrics.snapshot import Count, Duration

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import (
        DimensionTypeDef,
        MetricDataQueryTypeDef,
        MetricOutputTypeDef,
        MetricTypeDef,
    )

MAX_QUERIES = 500
"""GetMetricData: most metrics of a call."""

_MINUTE = 60
_LATENESS_SECONDS = 15 * _MINUTE
"""A minute that is longer ago is whole: functions write their metrics as they end, after 15 minutes at most."""

_SUM, _NUMBER = "Sum", "SampleCount"
_PERCENTILES = ("p50", "p95", "p99")


class _Key(NamedTuple):
    metric: str
    service: str
    transport: str
    client: str


class _Total:
    """A sum over minutes that never falls, though a minute is read several times while it fills."""

    def __init__(self) -> None:
        self._whole = 0.0
        self._minutes: dict[float, float] = {}

    def add(self, minute: float, value: float) -> None:
        self._minutes[minute] = max(value, self._minutes.get(minute, 0.0))

    def close(self, before: float) -> None:
        for minute in [minute for minute in self._minutes if minute < before]:
            self._whole += self._minutes.pop(minute)

    @property
    def value(self) -> float:
        return self._whole + sum(self._minutes.values())


class CloudWatchMetrics:
    """Metrics of a stage out of CloudWatch.

    Args:
        client: of CloudWatch.
        stage: whose metrics are read.
        since: the first moment, in Unix seconds; the minute that it is in counts as a whole.
        window_seconds: percentiles are those of so long a time; None for all since the first moment.
    """

    def __init__(self, client: "CloudWatchClient", *, stage: str, since: float, window_seconds: float | None) -> None:
        self._client = client
        self._stage = stage
        self._since = _minute_of(since)
        self._window = window_seconds
        self._next = self._since
        self._totals: defaultdict[tuple[_Key, str], _Total] = defaultdict(_Total)

    def read(self, now: float) -> tuple[Sequence[Count], Sequence[Duration]]:
        keys = self._keys()
        durations = [key for key in keys if key.metric in DURATIONS]
        wanted = [(key, stat) for key in keys for stat in ((_SUM, _NUMBER) if key in durations else (_SUM,))]
        for (key, stat), values in self._query(wanted, _MINUTE, self._next, now):
            for minute, value in values:
                self._totals[key, stat].add(minute, value)
        self._next = max(self._since, _minute_of(now - _LATENESS_SECONDS))
        for total in self._totals.values():
            total.close(self._next)
        return self._counts(), self._durations(durations, now)

    def _counts(self) -> list[Count]:
        # Those of each client of the legacy service are counted together.
        counts: dict[tuple[str, str], int] = {}
        for (key, _), total in sorted(self._totals.items()):
            if key.metric not in DURATIONS:
                name = (key.metric, key.service)
                counts[name] = counts.get(name, 0) + round(total.value)
        return [Count(metric, service, total) for (metric, service), total in counts.items()]

    def _durations(self, keys: Sequence[_Key], now: float) -> list[Duration]:
        since = self._since if self._window is None else max(self._since, _minute_of(now - self._window))
        period = max(_MINUTE, math.ceil((now - since) / _MINUTE) * _MINUTE)
        percentiles: dict[tuple[_Key, str], float] = {}
        for wanted, values in self._query([(key, stat) for key in keys for stat in _PERCENTILES], period, since, now):
            if values:
                # CloudWatch may cut the time in two: the longer one counts.
                percentiles[wanted] = max(value for _, value in values)
        return [
            Duration(
                metric=key.metric,
                service=key.service,
                transport=key.transport,
                count=round(self._totals[key, _NUMBER].value),
                sum_seconds=round(self._totals[key, _SUM].value, 3),
                p50=percentiles.get((key, "p50")),
                p95=percentiles.get((key, "p95")),
                p99=percentiles.get((key, "p99")),
            )
            for key in sorted(keys)
        ]

    def _keys(self) -> list[_Key]:
        """The metrics of the stage of the last two weeks; a new one is listed after up to 15 minutes."""
        pages = self._client.get_paginator("list_metrics").paginate(
            Namespace=METRICS_NAMESPACE, Dimensions=[{"Name": "stage", "Value": self._stage}]
        )
        return sorted({_key_of(metric) for page in pages for metric in page["Metrics"]})

    def _query(
        self, wanted: Sequence[tuple[_Key, str]], period: int, since: float, until: float
    ) -> Iterator[tuple[tuple[_Key, str], list[tuple[float, float]]]]:
        """Values of metrics by time, those of one after the other; the answer may have a metric on several pages."""
        for first in range(0, len(wanted), MAX_QUERIES):
            some = wanted[first : first + MAX_QUERIES]
            queries: list[MetricDataQueryTypeDef] = [
                {
                    "Id": f"m{place}",
                    "MetricStat": {"Metric": self._metric(key), "Period": period, "Stat": stat},
                }
                for place, (key, stat) in enumerate(some)
            ]
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(since, UTC),
                EndTime=datetime.fromtimestamp(until, UTC),
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    times = (time.timestamp() for time in result["Timestamps"])
                    yield some[int(result["Id"][1:])], list(zip(times, result["Values"], strict=True))

    def _metric(self, key: _Key) -> "MetricTypeDef":
        named = {"service": key.service, "stage": self._stage, "transport": key.transport, "client": key.client}
        dimensions: list[DimensionTypeDef] = [{"Name": name, "Value": value} for name, value in named.items() if value]
        return {"Namespace": METRICS_NAMESPACE, "MetricName": key.metric, "Dimensions": dimensions}


def _key_of(metric: "MetricOutputTypeDef") -> _Key:
    dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", ())}
    return _Key(
        metric.get("MetricName", ""),
        dimensions.get("service", ""),
        dimensions.get("transport", ""),
        dimensions.get("client", ""),
    )


def _minute_of(moment: float) -> float:
    return moment // _MINUTE * _MINUTE
