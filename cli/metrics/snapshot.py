"""Metrics of a deployment at a moment."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

QUANTILES = (0.5, 0.95, 0.99)


class Count(msgspec.Struct, frozen=True):
    """A count.

    Attributes:
        metric: its name in CloudWatch.
        service: the function that counted.
        total: since the first moment of the snapshot.
    """

    metric: str
    service: str
    total: int


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of one kind.

    Attributes:
        metric: its name in CloudWatch.
        service: the function that measured.
        transport: of what was measured.
        count: how many there were since the first moment of the snapshot.
        sum_seconds: their sum.
        p50, p95, p99: percentiles in seconds, of those in the window of percentiles; None where there are none.
    """

    metric: str
    service: str
    transport: str
    count: int
    sum_seconds: float
    p50: float | None
    p95: float | None
    p99: float | None

    @property
    def quantiles(self) -> dict[float, float]:
        """The percentiles that there are, by quantile."""
        found = zip(QUANTILES, (self.p50, self.p95, self.p99), strict=True)
        return {quantile: value for quantile, value in found if value is not None}


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue.

    Attributes:
        name: as `afluente dlq` has it.
        waiting: messages that wait.
        in_flight: messages that are being worked on.
        dead_letters: messages in its dead-letter queue.
        oldest_seconds: age of the oldest message; None where it is unknown, as at the local stack.
    """

    name: str
    waiting: int
    in_flight: int
    dead_letters: int
    oldest_seconds: float | None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of a deployment.

    Attributes:
        stage: its name.
        since, until: first and last moment of what is counted, in Unix seconds.
        counts, durations, queues: the metrics.
    """

    stage: str
    since: float
    until: float
    counts: Sequence[Count]
    durations: Sequence[Duration]
    queues: Sequence[Queue]


class MetricsSource(Protocol):
    """Counts and durations of a deployment, which grow from one reading to the next."""

    def read(self, now: float) -> tuple[Sequence[Count], Sequence[Duration]]:
        """Read all that there is by now, in Unix seconds."""
        ...
