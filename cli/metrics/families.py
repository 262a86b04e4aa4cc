"""Families of metrics in Prometheus's terms: names, labels and help texts of the metrics in CloudWatch."""

import re
from collections.abc import Mapping

import msgspec

from afluente.runtime.core.observability import Metric

PREFIX = "afluente_"

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NONE: Mapping[str, str] = {}


class Family(msgspec.Struct, frozen=True):
    """A family of counts.

    Attributes:
        name: without the suffix `_total`.
        help: a sentence about it.
        labels: that a metric has of its own.
        service: the function that counts it, where it is one alone and its counts begin with 0.
    """

    name: str
    help: str
    labels: Mapping[str, str] = _NONE
    service: str | None = None


_CLASSIFIED = "Points written to the stream of their class."
_LIMITED = "Requests, messages and connections that a rate limit throttled."
_ALARMS = "Alarms of streams that were raised or cleared."

COUNTS = {
    Metric.POINTS_ALERT: Family("points_classified", _CLASSIFIED, {"class": "alert"}, "classifier"),
    Metric.POINTS_WARNING: Family("points_classified", _CLASSIFIED, {"class": "warning"}, "classifier"),
    Metric.POINTS_ANOMALY: Family("points_classified", _CLASSIFIED, {"class": "anomaly"}, "classifier"),
    Metric.POINTS_NORMAL: Family("points_classified", _CLASSIFIED, {"class": "normal"}, "classifier"),
    Metric.ALARMS_RAISED: Family("alarms", _ALARMS, {"state": "raised"}, "classifier"),
    Metric.ALARMS_CLEARED: Family("alarms", _ALARMS, {"state": "cleared"}, "classifier"),
    Metric.REQUESTS_LIMITED_BY_IP: Family("requests_limited", _LIMITED, {"by": "ip"}),
    Metric.REQUESTS_LIMITED_BY_KEY: Family("requests_limited", _LIMITED, {"by": "key"}),
    Metric.REQUESTS_LIMITED_BY_SOURCE: Family("requests_limited", _LIMITED, {"by": "source"}),
    Metric.POINTS_ACCEPTED: Family("points_accepted", "Points that were acknowledged."),
    Metric.POINTS_REJECTED: Family("points_rejected", "Points that were rejected with a fault."),
    Metric.POINTS_LATE: Family("points_late", "Written points that were late.", service="classifier"),
    Metric.POINTS_UNCONSTRAINED: Family("points_unconstrained", "Written points of streams without constraints."),
    Metric.POINTS_DUPLICATE: Family("points_duplicate", "Points that are duplicates.", service="classifier"),
    Metric.PACKS_RETURNED: Family("packs_returned", "Packs that are retried.", service="classifier"),
    Metric.PACKS_QUARANTINED: Family("packs_quarantined", "Messages that were no packs.", service="classifier"),
    Metric.MESSAGES_QUARANTINED: Family("messages_quarantined", "Messages of an inbox that were quarantined."),
    Metric.SERVER_ERRORS: Family("server_errors", "Answers of 500 and above.", service="http_ingest"),
    Metric.INVOCATIONS_FAILED: Family("invocations_failed", "Invocations that ended with an error."),
}
"""Families whose names do not follow from the metric's own, whose help says more, or whose counts begin with 0."""

DURATIONS = {
    Metric.ACCEPTANCE_TO_KINESIS: Family(
        "acceptance_to_kinesis_seconds", "From the acceptance of points until they were written to Kinesis."
    ),
    Metric.REQUEST_TO_ANSWER: Family(
        "request_to_answer_seconds", "From the receipt of a request or a message to its answer."
    ),
}

QUEUE_MESSAGES = Family("queue_messages", "Messages of a queue that wait, or are being worked on.")
QUEUE_AGE = Family("queue_oldest_message_age_seconds", "Age of the oldest message of a queue.")
DEAD_LETTERS = Family("dead_letters", "Messages in the dead-letter queue of a queue.")


def family_of(metric: str) -> Family:
    """The family of a count, by its name in CloudWatch; that of another release has a name that follows from it."""
    known = COUNTS.get(Metric(metric)) if metric in set(Metric) else None
    if known is not None:
        return known
    words = _WORD.sub(" ", metric).lower()
    return Family(words.replace(" ", "_"), f"{words.capitalize()}; docs/reference/metrics.md describes it.")
