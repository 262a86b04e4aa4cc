"""MQTT: the messages that topic rules put into the inbox, a batch an invocation, on to the queue of the classifier."""

from collections.abc import Iterator
from typing import Any

from afluente.adapters.mqtt_messages import UnusableMessageError, decode_message, read_message, unusable
from afluente.application.accept_points import PointsRequest
from afluente.application.ports import UnavailableError
from afluente.runtime.composition import iot_rule_handler
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger

Record = dict[str, Any]


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the messages of an SQS event in; answers which of them are to come again.

    The points of all messages are queued together, so that each source's arrive in one pack, where they are sorted.
    """
    with invocation(context):
        unkept: set[str] = set()
        requests = list(_requests(event["Records"], unkept))
        try:
            unkept |= iot_rule_handler().accept.together(requests)
        except UnavailableError as error:
            logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
            unkept |= {request.request_id for request in requests}
        else:
            _report(requests)
        if unkept:
            logger().warning("messages returned", code=LogCode.MESSAGES_RETURNED, messages=len(unkept))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(unkept)]}


def _requests(records: list[Record], unkept: set[str]) -> Iterator[PointsRequest]:
    """What can be made of the messages; one of which nothing can goes into quarantine."""
    function = iot_rule_handler()
    for record in records:
        message_id = record["messageId"]
        sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
        try:
            message = read_message(record["body"], sent_at=sent_at)
            yield decode_message(message, domains=function.settings.domains, request_id=message_id)
        except UnusableMessageError as error:
            try:
                function.quarantine.put(unusable(record["body"], error, message_id=message_id, sent_at=sent_at))
            except UnavailableError as unavailable:
                logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, cause=str(unavailable))
                unkept.add(message_id)
            else:
                logger().warning(
                    "message quarantined", code=LogCode.MESSAGE_QUARANTINED, message_id=message_id, cause=str(error)
                )
                count({Metric.MESSAGES_QUARANTINED: 1})


def _report(requests: list[PointsRequest]) -> None:
    inserted = sum(len(request.points) for request in requests)
    rejected = sum(len(request.rejected) for request in requests)
    logger().info(
        "messages taken", code=LogCode.MESSAGES_TAKEN, messages=len(requests), inserted=inserted, rejected=rejected
    )
    count({Metric.POINTS_ACCEPTED: inserted, Metric.POINTS_REJECTED: rejected})
