"""Rate limits of messages."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from afluente.adapters.mqtt.messages import MqttMessage, quarantined_message
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.runtime.iot_rule_handler import IotRuleHandler


class Admitted(msgspec.Struct, frozen=True):
    """Requests, partitioned by their limits.

    Attributes:
        allowed: those within their limits.
        throttled: quarantined records of those beyond them, which nobody sends again.
        retried: ids of those that cannot be counted in time.
    """

    allowed: list[PointsRequest] = []
    throttled: list[QuarantinedRecord] = []
    retried: set[str] = set()


def within_limits(
    requests: Sequence[PointsRequest], messages: Mapping[str, MqttMessage], function: IotRuleHandler
) -> Admitted:
    """Partition requests by their limits.

    Raises:
        UnavailableError: they cannot be counted, and the limits fail shut.
    """
    batches = [request.batches for request in requests]
    decisions = function.limits.admit_messages(batches, time.time(), run=function.executor.map)
    admitted = Admitted()
    for request, decision in zip(requests, decisions, strict=True):
        if not isinstance(decision, Throttled):
            admitted.allowed.append(request)
        elif decision.is_contended:
            admitted.retried.add(request.request_id)
        else:
            admitted.throttled.append(_throttled(request, messages[request.request_id], decision))
    return admitted


def _throttled(request: PointsRequest, message: MqttMessage, decision: Throttled) -> QuarantinedRecord:
    return quarantined_message(
        message,
        f"over a limit: {explain(decision)}",
        message_id=request.request_id,
        failed_at=request.received_at,
        reason=QuarantineReason.RATE_LIMITED,
    )
