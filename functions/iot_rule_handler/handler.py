"""MQTT: the messages that topic rules put into the inbox, a batch an invocation, on to the queue of the classifier."""

import time
from typing import Any

import msgspec

from afluente.adapters.http.rate_limits import explained
from afluente.adapters.mqtt.messages import UnusableMessageError, decode_message, read_message, unusable
from afluente.application.errors import UnavailableError
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Allowed
from afluente.migration.adapters.packets import LegacyReadings, decode_legacy_message, is_legacy_topic
from afluente.runtime.iot_rule_handler import iot_rule_handler
from afluente.runtime.limiting import report
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger

Record = dict[str, Any]

# Of at most 128 bytes each, so that the line stays within CloudWatch's 256 KB ("Event size").
_TOLD_CLIENTS = 500


class Batch(msgspec.Struct, frozen=True):
    """The messages of an event.

    Attributes:
        requests: what has points.
        old: what old devices sent, by the ids of their messages.
        unusable: what no point can be made of.
    """

    requests: list[PointsRequest] = []
    old: dict[str, LegacyReadings] = {}
    unusable: list[QuarantinedRecord] = []


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the messages of an SQS event in; answers which of them are to come again.

    The points of all messages are queued together, so that each source's arrive in one pack, where they are sorted.
    """
    with invocation(context):
        function = iot_rule_handler()
        batch = _read(event["Records"])
        completed, unkept = _complete(batch.old)
        requests = [*batch.requests, *completed]
        try:
            requests, over = _within_limits(requests, event["Records"])
            batch.unusable.extend(over)
            unkept |= function.accept.together(requests, run=function.executor.map)
        except UnavailableError as error:
            logger().error("queue unavailable", code=LogCode.QUEUE_UNAVAILABLE, cause=str(error))
            unkept |= {request.request_id for request in requests}
        else:
            _report(requests)
            _report_old([batch.old[request.request_id] for request in requests if request.request_id in batch.old])
        # After the good points: a quarantine that hangs must hold up none of them.
        unkept |= _keep(batch.unusable)
        if unkept:
            logger().warning("messages returned", code=LogCode.MESSAGES_RETURNED, messages=len(unkept))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(unkept)]}


def _read(records: list[Record]) -> Batch:
    domains = iot_rule_handler().settings.domains
    batch = Batch()
    for record in records:
        message_id = record["messageId"]
        sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
        try:
            message = read_message(record["body"], sent_at=sent_at)
            if is_legacy_topic(message.topic):
                batch.old[message_id] = decode_legacy_message(message, domains=domains)
            else:
                batch.requests.append(decode_message(message, domains=domains, request_id=message_id))
        except UnusableMessageError as error:
            batch.unusable.append(unusable(record["body"], str(error), message_id=message_id, sent_at=sent_at))
    return batch


def _within_limits(
    requests: list[PointsRequest], records: list[Record]
) -> tuple[list[PointsRequest], list[QuarantinedRecord]]:
    """The messages within the limits of their sources, and what is kept of the others, which nobody sends again.

    Raises:
        UnavailableError: they cannot be counted, and the limits fail shut.
    """
    function = iot_rule_handler()
    batches = [request.batches for request in requests]
    answers = function.limits.admit_messages(batches, time.time(), run=function.executor.map)
    report(answers)
    bodies = {record["messageId"]: record["body"] for record in records}
    within, over = [], []
    for request, answer in zip(requests, answers, strict=True):
        if isinstance(answer, Allowed):
            within.append(request)
            continue
        message_id = request.request_id
        kept = unusable(
            bodies[message_id],
            f"over a limit: {explained(answer)}",
            message_id=message_id,
            sent_at=request.received_at,
            reason=QuarantineReason.RATE_LIMITED,
        )
        over.append(kept)
    return within, over


def _complete(old: dict[str, LegacyReadings]) -> tuple[list[PointsRequest], set[str]]:
    """The points of old messages, and the ids of those that have to wait for the sensor directory."""
    waiting: set[str] = set()
    sensors = {}
    try:
        sensors = iot_rule_handler().sensors.find({name for its in old.values() for name in its.to_look_up})
    except UnavailableError as error:
        logger().error("sensor directory unavailable", code=LogCode.LEGACY_UNAVAILABLE, cause=str(error))
        waiting = {message_id for message_id, its in old.items() if its.to_look_up}
    ready = {message_id: its for message_id, its in old.items() if message_id not in waiting}
    return [its.request(message_id, sensors) for message_id, its in ready.items()], waiting


def _keep(unusable_ones: list[QuarantinedRecord]) -> set[str]:
    """Put messages into quarantine, side by side; gives back the ids of those that could not be."""
    failures = iot_rule_handler().executor.map(_failure_to_keep, unusable_ones)
    unkept = set()
    for record, failure in zip(unusable_ones, failures, strict=True):
        if failure is not None:
            logger().error("quarantine unavailable", code=LogCode.QUARANTINE_UNAVAILABLE, cause=str(failure))
            unkept.add(record.record_id)
            continue
        logger().warning(
            "message quarantined", code=LogCode.MESSAGE_QUARANTINED, message_id=record.record_id, cause=record.message
        )
    count({Metric.MESSAGES_QUARANTINED: len(unusable_ones) - len(unkept)})
    return unkept


def _failure_to_keep(record: QuarantinedRecord) -> UnavailableError | None:
    try:
        iot_rule_handler().quarantine.put(record)
    except UnavailableError as error:
        return error
    return None


def _report(requests: list[PointsRequest]) -> None:
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


def _report_old(taken: list[LegacyReadings]) -> None:
    """Who still publishes in the old way: names in one line, since each in a metric of its own would be dear."""
    if not taken:
        return
    clients = sorted({its.origin["client_id"] for its in taken})
    logger().info(
        "messages of legacy devices accepted",
        code=LogCode.LEGACY_MESSAGES_ACCEPTED,
        messages=len(taken),
        clients=clients[:_TOLD_CLIENTS],
        further_clients=max(0, len(clients) - _TOLD_CLIENTS),
    )
    count({Metric.LEGACY_REQUESTS: len(taken)})
