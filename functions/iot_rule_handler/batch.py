"""Decoding of the messages of an event."""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from afluente.adapters.mqtt.messages import (
    MqttMessage,
    UnusableMessageError,
    decode_message,
    quarantined_body,
    quarantined_message,
    read_message,
)
from afluente.application.ingest.accept_points import PointsRequest
from afluente.application.ingest.quarantine import QuarantinedRecord, QuarantineReason
from afluente.runtime.records import process_each
from iot_rule_handler.legacy_messages import LegacyReadings, decode_legacy_message, is_legacy_topic

Record = dict[str, Any]


class Batch(msgspec.Struct, frozen=True):
    """The messages of an event.

    Attributes:
        messages: all that a topic rule wrote, by their ids.
        requests: those with points.
        legacy: the readings of legacy devices, by the ids of their messages.
        unusable: records of messages of which no point can be made.
        failed: ids of messages that met an unexpected error.
    """

    messages: dict[str, MqttMessage] = {}
    requests: list[PointsRequest] = []
    legacy: dict[str, LegacyReadings] = {}
    unusable: list[QuarantinedRecord] = []
    failed: set[str] = set()


def decode_batch(records: Sequence[Record], domains: Collection[str]) -> Batch:
    """Decode the records of an SQS event."""
    batch = Batch()
    batch.failed.update(process_each(records, lambda record: _decode(record, domains, batch)))
    return batch


def _decode(record: Record, domains: Collection[str], batch: Batch) -> bool:
    """Add a record to its batch."""
    message_id = record["messageId"]
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    try:
        message = batch.messages[message_id] = read_message(record["body"], sent_at=sent_at)
    except UnusableMessageError as error:
        unusable = quarantined_body(record["body"], str(error), message_id=message_id, failed_at=sent_at)
        batch.unusable.append(unusable)
        return True
    try:
        if is_legacy_topic(message.topic):
            batch.legacy[message_id] = decode_legacy_message(message, domains=domains)
        else:
            batch.requests.append(decode_message(message, domains=domains, request_id=message_id))
    except UnusableMessageError as error:
        reason = QuarantineReason.UNUSABLE_MESSAGE
        unusable = quarantined_message(message, str(error), message_id=message_id, failed_at=sent_at, reason=reason)
        batch.unusable.append(unusable)
    return True
