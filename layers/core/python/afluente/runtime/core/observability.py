"""Logs and metrics: each line has a code of one list, each metric a name of one list."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord
from aws_lambda_powertools.metrics import MetricUnit

from afluente.application.redaction import redacted

METRICS_NAMESPACE = "afluente"


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
    CSV_PART_PAUSED = "CSV_PART_PAUSED"
    CSV_RETURNED = "CSV_RETURNED"
    PACKS_CLASSIFIED = "PACKS_CLASSIFIED"
    PACKS_RETURNED = "PACKS_RETURNED"
    PACK_QUARANTINED = "PACK_QUARANTINED"
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
    POINTS_DUPLICATE = "PointsDuplicate"
    POINTS_REPEATED = "PointsRepeated"
    ALARMS_RAISED = "AlarmsRaised"
    ALARMS_CLEARED = "AlarmsCleared"
    PACKS_RETURNED = "PacksReturned"
    PACKS_QUARANTINED = "PacksQuarantined"
    CANARY_ROLLED_BACK = "CanaryRolledBack"
    CANARY_ERRORS = "CanaryErrors"
    SHADOW_DIFFERENCES = "ShadowDifferences"


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
    return Logger(logger_formatter=_MaskingFormatter(json_serializer=as_ascii))


@cache
def _metrics() -> Metrics:
    return Metrics(namespace=METRICS_NAMESPACE)


@contextmanager
def invocation(context: Any) -> Iterator[None]:
    """Add the invocation's id to each log line.

    Args:
        context: Lambda's context object.
    """
    logger().append_keys(function_request_id=context.aws_request_id)
    try:
        yield
    finally:
        logger().clear_state()


def count_of(client: str, metric: Metric) -> None:
    """Count one of a metric, with the dimension `client`: each of its values is a metric that costs money."""
    with single_metric(metric, MetricUnit.Count, 1, namespace=METRICS_NAMESPACE) as one:
        one.add_dimension("client", client)


def count(counts: Mapping[Metric, int]) -> None:
    """Report counts in CloudWatch's embedded metric format, a log line; zeros are left out."""
    metrics = _metrics()
    if not any(counts.values()):
        return
    for name, number in counts.items():
        if number:
            metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()
