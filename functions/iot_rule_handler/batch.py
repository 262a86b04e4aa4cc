"""Messages of an event: read and counted first, decoded once they are within their limits."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from afluente.adapters.mqtt.messages import (
    MqttMessage,
    UnusableMessageError,
    count_message,
    decode_message,
    quarantined_body,
    quarantined_message,
    read_message,
)
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.application.limits.decisions import Batch as Points
from afluente.runtime.iot_rule_handler import IotRuleHandlerSettings
from afluente.runtime.records import process_each
from iot_rule_handler.legacy_messages import LegacyReadings, decode_legacy_message, is_legacy_topic

Record = dict[str, Any]


class Incoming(msgspec.Struct, frozen=True):
    """A message that a topic rule wrote, and when the inbox got it, in Unix seconds."""

    message: MqttMessage
    sent_at: float


class Batch(msgspec.Struct, frozen=True):
    """The messages of an event.

    Attributes:
        messages: all that a topic rule wrote, by their ids.
        counted: number of points of each that is not a legacy device's; they are not decoded.
        legacy: the readings of legacy devices, by the ids of their messages.
        unusable: records of messages of which no point can be made.
        failed: ids of messages that met an unexpected error.
    """

    messages: dict[str, Incoming] = {}
    counted: dict[str, Points] = {}
    legacy: dict[str, LegacyReadings] = {}
    unusable: list[QuarantinedRecord] = []
    failed: set[str] = set()


def read_batch(records: Sequence[Record], settings: IotRuleHandlerSettings) -> Batch:
    """Read the records of an SQS event, and count their points."""
    batch = Batch()
    batch.failed.update(process_each(records, lambda record: _read(record, settings, batch)))
    return batch


def decode_allowed(batch: Batch, allowed: Collection[str], settings: IotRuleHandlerSettings) -> list[PointsRequest]:
    """Decode the points of those messages that are within their limits; adds unusable messages to the batch."""
    requests: list[PointsRequest] = []

    def decode(record: Record) -> bool:
        message_id = record["messageId"]
        incoming = batch.messages[message_id]
        try:
            requests.append(
                decode_message(
                    incoming.message,
                    domains=settings.domains,
                    request_id=message_id,
                    max_points=settings.mqtt_message_points,
                )
            )
        except UnusableMessageError as error:
            batch.unusable.append(_unusable(message_id, incoming, error))
        return True

    batch.failed.update(process_each([{"messageId": one} for one in batch.counted if one in allowed], decode))
    return requests


def _read(record: Record, settings: IotRuleHandlerSettings, batch: Batch) -> bool:
    """Add a record to its batch."""
    message_id = record["messageId"]
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    try:
        message = read_message(record["body"], sent_at=sent_at)
    except UnusableMessageError as error:
        unusable = quarantined_body(record["body"], str(error), message_id=message_id, failed_at=sent_at)
        batch.unusable.append(unusable)
        return True
    incoming = batch.messages[message_id] = Incoming(message, sent_at)
    domains, max_points = settings.domains, settings.mqtt_message_points
    try:
        if is_legacy_topic(message.topic):
            batch.legacy[message_id] = decode_legacy_message(message, domains=domains, max_points=max_points)
        else:
            batch.counted[message_id] = count_message(message, domains=domains, max_points=max_points)
    except UnusableMessageError as error:
        batch.unusable.append(_unusable(message_id, incoming, error))
    return True


def _unusable(message_id: str, incoming: Incoming, error: UnusableMessageError) -> QuarantinedRecord:
    return quarantined_message(
        incoming.message,
        str(error),
        message_id=message_id,
        failed_at=incoming.sent_at,
        reason=QuarantineReason.UNUSABLE_MESSAGE,
    )
