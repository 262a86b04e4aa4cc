"""MQTT: the messages of the inbox become packs on the queue of the classifier, a batch an invocation."""

from collections.abc import Sequence
from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.entry_point import entry_point
from afluente.runtime.iot_rule_handler import IotRuleHandler, compose
from iot_rule_handler.accepting import accept
from iot_rule_handler.batch import decode_allowed, read_batch
from iot_rule_handler.legacy_messages import legacy_requests, report_legacy
from iot_rule_handler.limiting import within_limits
from iot_rule_handler.quarantining import quarantine


def handle(event: dict[str, Any], _context: Any, function: IotRuleHandler) -> dict[str, Any]:
    """Queue the points of the messages of an SQS event; answers which messages are retried.

    The points of all messages are queued together, so that each source's arrive in one pack, where they are sorted.
    """
    batch = read_batch(event["Records"], function.settings)
    legacy, retried = legacy_requests(batch.legacy, function.sensors)
    points = {one: [its] for one, its in batch.counted.items()} | {its.request_id: its.batches for its in legacy}
    pending, throttled = set(points), []
    try:
        admitted = within_limits(points, batch.messages, function)
        throttled, retried = admitted.throttled, retried | admitted.retried
        requests = decode_allowed(batch, admitted.allowed, function.settings)
        requests += [its for its in legacy if its.request_id in admitted.allowed]
        pending = {request.request_id for request in requests}
        retried |= accept(requests, function)
    except UnavailableError as error:
        logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
        retried |= pending
    else:
        _report(requests)
        report_legacy([batch.legacy[its.request_id] for its in requests if its.request_id in batch.legacy])
    # After the good points: a quarantine that hangs must hold up none of them.
    retried |= quarantine([*batch.unusable, *throttled], function) | batch.failed
    if retried:
        logger().warning("messages returned", code=LogCode.MESSAGES_RETURNED, messages=len(retried))
    return batch_answer(sorted(retried))


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
