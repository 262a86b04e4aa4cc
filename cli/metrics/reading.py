"""Snapshots of a deployment."""

import time
from collections.abc import Callable

from cli.core.target import Target
from cli.metrics.from_cloudwatch import CloudWatchMetrics
from cli.metrics.from_logs import LogMetrics
from cli.metrics.queues import queues_of
from cli.metrics.snapshot import MetricsSource, Snapshot
from cli.operations.status import FUNCTIONS
from cli.reading.function_logs import log_group_of
from cli.reading.log_events import LogReader


def snapshots_of(target: Target, *, since: float, window_seconds: float | None) -> Callable[[], Snapshot]:
    """Make a function that takes snapshots, the counts of which never fall.

    Args:
        target: the deployment.
        since: the first moment of what is counted, in Unix seconds.
        window_seconds: percentiles are those of so long a time; None for all since the first moment.
    """
    source = _source(target, since, window_seconds)

    def take() -> Snapshot:
        now = time.time()
        counts, durations = source.read(now)
        return Snapshot(
            stage=target.name,
            since=since,
            until=now,
            counts=counts,
            durations=durations,
            queues=queues_of(target),
        )

    return take


def _source(target: Target, since: float, window_seconds: float | None) -> MetricsSource:
    if not target.is_local:
        return CloudWatchMetrics(
            target.client("cloudwatch"), stage=target.name, since=since, window_seconds=window_seconds
        )
    logs = target.client("logs")
    readers = [
        LogReader(logs, log_group_of(target, output), since_ms=int(since * 1000))
        for output in FUNCTIONS.values()
        if output in target.outputs
    ]
    return LogMetrics(readers, stage=target.name, window_seconds=window_seconds)
