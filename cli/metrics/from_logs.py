"""Metrics out of the functions' logs, as at the local stack, whose emulator extracts none."""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from afluente.runtime.core.emf import Unit
from cli.metrics.snapshot import QUANTILES, Count, Duration
from cli.reading.log_events import LogReader

_MARK = '"CloudWatchMetrics"'


class _Key(NamedTuple):
    metric: str
    service: str
    transport: str


class _Durations:
    """Durations of one kind: all of them as count and sum, those of a while one by one."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.recent: deque[tuple[float, Sequence[float]]] = deque()

    def add(self, at: float, seconds: Sequence[float]) -> None:
        self.count += len(seconds)
        self.sum += sum(seconds)
        self.recent.append((at, seconds))

    def percentiles(self, since: float) -> list[float | None]:
        while self.recent and self.recent[0][0] < since:
            self.recent.popleft()
        values = sorted(value for _, seconds in self.recent for value in seconds)
        return [percentile(values, quantile) for quantile in QUANTILES]


class LogMetrics:
    """Metrics of a stage out of logs.

    Args:
        readers: of the functions' logs.
        stage: whose metrics are read.
        window_seconds: percentiles are those of so long a time; None for all that was read.
    """

    def __init__(self, readers: Sequence[LogReader], *, stage: str, window_seconds: float | None) -> None:
        self._readers = readers
        self._stage = stage
        self._window = window_seconds
        self._counts: Counter[tuple[str, str]] = Counter()
        self._durations: defaultdict[_Key, _Durations] = defaultdict(_Durations)

    def read(self, now: float) -> tuple[Sequence[Count], Sequence[Duration]]:
        for reader in self._readers:
            for event in reader.new_events():
                if _MARK in event.message:
                    self._add(event.timestamp / 1000, event.message)
        since = 0.0 if self._window is None else now - self._window
        counts = [Count(metric, service, total) for (metric, service), total in sorted(self._counts.items())]
        return counts, [self._duration(key, since) for key in sorted(self._durations)]

    def _add(self, at: float, line: str) -> None:
        for metric in _metrics_in(line, self._stage):
            if metric.unit == Unit.SECONDS:
                self._durations[metric.key].add(at, metric.values)
            else:
                self._counts[metric.key.metric, metric.key.service] += int(sum(metric.values))

    def _duration(self, key: _Key, since: float) -> Duration:
        its = self._durations[key]
        p50, p95, p99 = its.percentiles(since)
        return Duration(
            metric=key.metric,
            service=key.service,
            transport=key.transport,
            count=its.count,
            sum_seconds=round(its.sum, 3),
            p50=p50,
            p95=p95,
            p99=p99,
        )


def percentile(ordered: Sequence[float], quantile: float) -> float | None:
    """The value that a share of the values does not exceed (the nearest rank); None of none.

    Args:
        ordered: the values, the smallest first.
        quantile: the share, from 0 to 1.
    """
    if not ordered:
        return None
    rank = -int(-quantile * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]


class _Metric(NamedTuple):
    key: _Key
    unit: str
    values: Sequence[float]


def _metrics_in(line: str, stage: str) -> Iterator[_Metric]:
    """The metrics of a stage in a line; none where it is a line of something else."""
    try:
        document = msgspec.json.decode(line, type=dict[str, Any])
        if document.get("stage") != stage:
            return
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for definition in directive["Metrics"]:
                value = document[definition["Name"]]
                key = _Key(definition["Name"], document["service"], document.get("transport", ""))
                yield _Metric(key, definition["Unit"], value if isinstance(value, list) else [value])
    except (msgspec.MsgspecError, LookupError, TypeError):
        # Whatever else has these words in it.
        return
