"""Logs and metrics: each line has a code of one list, each metric a name of one list."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord

from afluente.application.redaction import redacted
from afluente.runtime.core.emf import EmbeddedMetrics

METRICS_NAMESPACE = "afluente"

_UNDEFINED = "undefined"


class LogCode(StrEnum):
    """Codes of log lines, which people and filters look for."""

    REQUEST_ACCEPTED = "REQUEST_ACCEPTED"
    REQUEST_REFUSED = "REQUEST_REFUSED"
    QUEUE_UNAVAILABLE = "QUEUE_UNAVAILABLE"
    QUARANTINE_UNAVAILABLE = "QUARANTINE_UNAVAILABLE"
    LEGACY_MESSAGES_ACCEPTED = "LEGACY_MESSAGES_ACCEPTED"
    LEGACY_UNAVAILABLE = "LEGACY_UNAVAILABLE"
    KEY_ACCEPTED = "KEY_ACCEPTED"
    KEY_REFUSED = "KEY_REFUSED"
    KEY_USE_NOT_RECORDED = "KEY_USE_NOT_RECORDED"
    ADMIN_UNAVAILABLE = "ADMIN_UNAVAILABLE"
    CONSTRAINTS_CHANGED = "CONSTRAINTS_CHANGED"
    FRONT_UNAVAILABLE = "FRONT_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    LIMITS_UNAVAILABLE = "LIMITS_UNAVAILABLE"
    MESSAGES_ACCEPTED = "MESSAGES_ACCEPTED"
    MESSAGES_RETURNED = "MESSAGES_RETURNED"
    MESSAGE_QUARANTINED = "MESSAGE_QUARANTINED"
    RECORD_FAILED = "RECORD_FAILED"
    CONNECTION_OPENED = "CONNECTION_OPENED"
    CONNECTION_REFUSED = "CONNECTION_REFUSED"
    CONNECTION_CLOSED = "CONNECTION_CLOSED"
    SEQUENCE_NOT_RECORDED = "SEQUENCE_NOT_RECORDED"
    CSV_JOB_EXPECTED = "CSV_JOB_EXPECTED"
    CSV_JOB_CANCELLED = "CSV_JOB_CANCELLED"
    CSV_UNAVAILABLE = "CSV_UNAVAILABLE"
    CSV_JOB_REGISTERED = "CSV_JOB_REGISTERED"
    CSV_JOB_ENDED = "CSV_JOB_ENDED"
    CSV_PART_BLOCKED = "CSV_PART_BLOCKED"
    CSV_PART_PAUSED = "CSV_PART_PAUSED"
    CSV_RETURNED = "CSV_RETURNED"
    PACKS_CLASSIFIED = "PACKS_CLASSIFIED"
    PACKS_RETURNED = "PACKS_RETURNED"
    PACK_QUARANTINED = "PACK_QUARANTINED"
    PACK_MOVED = "PACK_MOVED"
    LEGACY_TABLES_UNAVAILABLE = "LEGACY_TABLES_UNAVAILABLE"
    THRESHOLDS_CONTRADICT = "THRESHOLDS_CONTRADICT"
    CANARY_ADVANCED = "CANARY_ADVANCED"
    CANARY_ROLLED_BACK = "CANARY_ROLLED_BACK"
    TRIAL_UNAVAILABLE = "TRIAL_UNAVAILABLE"
    SHADOW_CLASSIFIER_FAILED = "SHADOW_CLASSIFIER_FAILED"


class Metric(StrEnum):
    """Names of metrics; docs/reference/metrics.md describes each."""

    POINTS_ACCEPTED = "PointsAccepted"
    POINTS_REJECTED = "PointsRejected"
    LEGACY_REQUESTS = "LegacyRequests"
    MESSAGES_QUARANTINED = "MessagesQuarantined"
    CSV_ROWS_REJECTED = "CsvRowsRejected"
    CSV_JOBS_COMPLETE = "CsvJobsComplete"
    CSV_JOBS_FAILED = "CsvJobsFailed"
    REQUESTS_LIMITED_BY_IP = "RequestsLimitedByIp"
    REQUESTS_LIMITED_BY_KEY = "RequestsLimitedByKey"
    REQUESTS_LIMITED_BY_SOURCE = "RequestsLimitedBySource"
    POINTS_LIMITED = "PointsLimited"
    REQUESTS_UNCOUNTED = "RequestsUncounted"
    KEYS_TURNED_AWAY = "KeysTurnedAway"
    POINTS_ALERT = "PointsAlert"
    POINTS_WARNING = "PointsWarning"
    POINTS_ANOMALY = "PointsAnomaly"
    POINTS_NORMAL = "PointsNormal"
    POINTS_LATE = "PointsLate"
    POINTS_UNCONSTRAINED = "PointsUnconstrained"
    POINTS_DUPLICATE = "PointsDuplicate"
    POINTS_REPEATED = "PointsRepeated"
    POINTS_OF_TOO_MANY_STREAMS = "PointsOfTooManyStreams"
    ALARMS_RAISED = "AlarmsRaised"
    ALARMS_CLEARED = "AlarmsCleared"
    PACKS_RETURNED = "PacksReturned"
    PACKS_QUARANTINED = "PacksQuarantined"
    PACKS_MOVED = "PacksMoved"
    CANARY_ROLLED_BACK = "CanaryRolledBack"
    CANARY_ERRORS = "CanaryErrors"
    SHADOW_DIFFERENCES = "ShadowDifferences"
    INVOCATIONS_FAILED = "InvocationsFailed"
    SERVER_ERRORS = "ServerErrors"
    ACCEPTANCE_TO_KINESIS = "AcceptanceToKinesis"
    REQUEST_TO_ANSWER = "RequestToAnswer"


DURATIONS = frozenset({Metric.ACCEPTANCE_TO_KINESIS, Metric.REQUEST_TO_ANSWER})
"""Metrics in seconds, with the dimension `transport`; all others are counts."""


_LOG_LINES = "AFLUENTE_LOG_LINES"

# Fields of a line that a line of metrics has in another form, or does without.
_OF_PLAIN_LINES = frozenset({"level", "location", "timestamp", "service"})


class _Deferred(logging.Filter):
    """Keeps the first line of information of an invocation back, for the line of its metrics.

    CloudWatch Logs bills by the byte: where it is on, an invocation in which all is well writes one line.
    """

    def __init__(self, *, is_on: bool) -> None:
        super().__init__()
        self.is_on = is_on
        self._record: logging.LogRecord | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        if not self.is_on or record.levelno != logging.INFO or self._record is not None:
            return True
        self._record = record
        return False

    def pop(self) -> logging.LogRecord | None:
        """The line that is kept back, if there is one."""
        record, self._record = self._record, None
        return record


class _MaskingFormatter(LambdaPowertoolsFormatter):
    """Masks secrets anywhere in a line, such as in an exception that quotes a request."""

    def serialize(self, log: LogRecord) -> str:
        return redacted(super().serialize(log))


@cache
def logger() -> Logger:
    """The structured logger; service and level come from the environment.

    A line is one object in ASCII: names that senders choose may hold characters that end a line, control a terminal, or
    cannot be written at all.
    """
    as_ascii = partial(json.dumps, default=str, separators=(",", ":"))
    made = Logger(logger_formatter=_MaskingFormatter(json_serializer=as_ascii))
    made.addFilter(_deferred())
    return made


@cache
def _deferred() -> _Deferred:
    return _Deferred(is_on=os.environ.get(_LOG_LINES) == "one")


class _Current:
    """The metrics of the invocation that runs, if one does: a container has one at a time."""

    metrics: EmbeddedMetrics | None = None


@contextmanager
def invocation(context: Any) -> Iterator[None]:
    """Add the invocation's id to each log line, and write its metrics when it ends.

    Args:
        context: Lambda's context object.
    """
    logger().append_keys(function_request_id=context.aws_request_id)
    try:
        with _metrics():
            yield
    finally:
        logger().clear_state()


def count_of(client: str, metric: Metric) -> None:
    """Count one of a metric, with the dimension `client`: each of its values is a metric that costs money."""
    with _metrics() as metrics:
        metrics.count(metric, 1, client=client)


def count_in(domain: str, metric: Metric, number: int) -> None:
    """Count a metric with the dimension `domain`: a stage has few open ones."""
    with _metrics() as metrics:
        metrics.count(metric, number, domain=domain)


def count(counts: Mapping[Metric, int]) -> None:
    """Count metrics; zeros are left out."""
    with _metrics() as metrics:
        for name, number in counts.items():
            metrics.count(name, number)


def observe(metric: Metric, seconds: Iterable[float], *, transport: str) -> None:
    """Add durations to a metric.

    Args:
        metric: one of `DURATIONS`.
        seconds: the durations; negative ones, of clocks that differ, count as 0.
        transport: `http`, `mqtt`, `ws` or `csv`.
    """
    with _metrics() as metrics:
        metrics.observe(metric, seconds, transport=transport)


@contextmanager
def _metrics() -> Iterator[EmbeddedMetrics]:
    """The metrics of the invocation; outside of one, or as it begins, new ones that are written at the end."""
    if _Current.metrics is not None:
        yield _Current.metrics
        return
    # Of each stage apart: several may share an account.
    dimensions = {
        "service": os.environ.get("POWERTOOLS_SERVICE_NAME", _UNDEFINED),
        "stage": os.environ.get("AFLUENTE_STAGE", _UNDEFINED),
    }
    metrics = _Current.metrics = EmbeddedMetrics(METRICS_NAMESPACE, dimensions)
    try:
        yield metrics
    except Exception:
        metrics.count(Metric.INVOCATIONS_FAILED, 1)
        raise
    finally:
        _Current.metrics = None
        _write(metrics)


def _write(metrics: EmbeddedMetrics) -> None:
    """Write the metrics, and the line that is kept back: with them, or by itself where there are none."""
    record = _deferred().pop()
    line: dict[str, Any] = json.loads(logger().registered_formatter.format(record)) if record else {}
    fields = {name: value for name, value in line.items() if name not in _OF_PLAIN_LINES}
    lines = metrics.lines(int(time.time() * 1000), fields)
    for text in lines or ([json.dumps(line, separators=(",", ":"))] if line else []):
        sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
