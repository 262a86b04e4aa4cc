"""Records of an SQS event: packs in, and the answer which messages are retried."""

from collections.abc import Iterable, Mapping
from typing import Any

from afluente.adapters.codecs.packs import decode_pack
from afluente.application.ingest.packs import ReceivedPack
from afluente.application.ingest.quarantine import QuarantinedRecord, undecodable_pack


def received_pack(record: Mapping[str, Any]) -> ReceivedPack:
    """The pack in a record of an event.

    Raises:
        UndecodablePackError: the body is no pack.
    """
    attributes = record["attributes"]
    pack = decode_pack(record["body"])
    return ReceivedPack(
        message_id=record["messageId"],
        group=attributes["MessageGroupId"],
        sequence_number=int(attributes["SequenceNumber"]),
        points=pack.points,
        transport=pack.transport,
        slot=pack.slot,
        body=record["body"],
    )


def quarantined_pack(record: Mapping[str, Any]) -> QuarantinedRecord:
    """The quarantined record of a message that is no pack."""
    attributes = record["attributes"]
    return undecodable_pack(
        record["body"],
        message_id=record["messageId"],
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        origin={
            "queue": record["eventSourceARN"],
            "group": attributes["MessageGroupId"],
            "sequence_number": attributes["SequenceNumber"],
        },
    )


def batch_answer(retried: Iterable[str]) -> dict[str, Any]:
    """The answer to an SQS event, by which SQS retries single messages of the batch.

    Args:
        retried: ids of the messages to retry; all others are deleted.
    """
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in retried]}
