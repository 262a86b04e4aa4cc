"""MQTT: the messages of the inbox become packs on the queue of the classifier, a batch an invocation."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer
from afluente.adapters.mqtt.messages import MqttMessage, quarantined_message
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Throttled
from afluente.application.limits.explanation import explain
from afluente.runtime.entry_point import entry_point
from afluente.runtime.iot_rule_handler import IotRuleHandler, compose
from afluente.runtime.observability import LogCode, Metric, count, logger
from iot_rule_handler.batch import decode_batch
from iot_rule_handler.legacy_messages import legacy_requests, report_legacy
from iot_rule_handler.quarantining import quarantine


def handle(event: dict[str, Any], _context: Any, function: IotRuleHandler) -> dict[str, Any]:
    """Queue the points of the messages of an SQS event; answers which messages are retried.

    The points of all messages are queued together, so that each source's arrive in one pack, where they are sorted.
    """
    batch = decode_batch(event["Records"], function.settings.domains)
    legacy, retried = legacy_requests(batch.legacy, function.sensors)
    requests = [*batch.requests, *legacy]
    records = batch.unusable
    try:
        requests, throttled = _within_limits(requests, batch.messages, function)
        records = [*records, *throttled]
        retried |= function.accept.together(requests, run=function.executor.map)
    except UnavailableError as error:
        logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
        retried |= {request.request_id for request in requests}
    else:
        _report(requests)
        report_legacy([batch.legacy[its.request_id] for its in requests if its.request_id in batch.legacy])
    # After the good points: a quarantine that hangs must hold up none of them.
    retried |= quarantine(records, function)
    if retried:
        logger().warning("messages returned", code=LogCode.MESSAGES_RETURNED, messages=len(retried))
    return batch_answer(sorted(retried))


def _within_limits(
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


def _report(requests: Sequence[PointsRequest]) -> None:
    inserted = sum(len(request.points) for request in requests)
    rejected = sum(len(request.rejected) for request in requests)
    logger().info(
        "messages accepted",
        code=LogCode.MESSAGES_ACCEPTED,
        messages=len(requests),
        inserted=inserted,
        rejected=rejected,
    )
    count({Metric.POINTS_ACCEPTED: inserted, Metric.POINTS_REJECTED: rejected})


lambda_handler = entry_point(compose, handle)
