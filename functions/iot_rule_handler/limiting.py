"""Rate limits of messages."""

import time
from collections.abc import Mapping, Sequence

from afluente.adapters.mqtt.messages import MqttMessage, quarantined_message
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.runtime.iot_rule_handler import IotRuleHandler


def within_limits(
    requests: Sequence[PointsRequest], messages: Mapping[str, MqttMessage], function: IotRuleHandler
) -> tuple[list[PointsRequest], list[QuarantinedRecord]]:
    """Partition requests into allowed ones, and the quarantined records of throttled ones, which nobody sends again.

    Raises:
        UnavailableError: they cannot be counted, and the limits fail shut.
    """
    batches = [request.batches for request in requests]
    decisions = function.limits.admit_messages(batches, time.time(), run=function.executor.map)
    allowed, throttled = [], []
    for request, decision in zip(requests, decisions, strict=True):
        if isinstance(decision, Throttled):
            throttled.append(_throttled(request, messages[request.request_id], decision))
        else:
            allowed.append(request)
    return allowed, throttled


def _throttled(request: PointsRequest, message: MqttMessage, decision: Throttled) -> QuarantinedRecord:
    return quarantined_message(
        message,
        f"over a limit: {explain(decision)}",
        message_id=request.request_id,
        failed_at=request.received_at,
        reason=QuarantineReason.RATE_LIMITED,
    )
