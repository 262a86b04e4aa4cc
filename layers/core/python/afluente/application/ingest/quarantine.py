"""Quarantined records: the payload as it came, the reason, and enough to replay it."""

import base64
from enum import StrEnum

import msgspec

from afluente.application.ingest.rejection import Omitted
from afluente.domain.faults import Fault

SCHEMA = "afluente/quarantined-record/1"
"""Name and version of the form of a stored record."""


class QuarantineReason(StrEnum):
    """Reasons for quarantine: a closed set."""

    REJECTED_POINTS = "rejected_points"
    UNDECODABLE_PACK = "undecodable_pack"
    UNUSABLE_MESSAGE = "unusable_message"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_STREAMS = "too_many_streams"


class QuarantinedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was not accepted.

    Attributes:
        record_id: the same at each failure of the record.
        reason: of the quarantine.
        transport: `http`, `sqs`, …
        failed_at: when it failed, in Unix seconds; the date is part of its key.
        message: what is wrong, for a person.
        origin: its sender, as far as known.
        faults: of each rejected point that is listed, by its index in the request.
        omitted: the others, if there are any.
        payload: the record as it came: JSON text, or base64 of what is no JSON.
        payload_encoding: `json` or `base64`.
    """

    schema: str = SCHEMA
    record_id: str
    reason: QuarantineReason
    transport: str
    failed_at: float
    message: str
    origin: dict[str, str]
    faults: dict[int, tuple[Fault, ...]] = {}
    omitted: Omitted | msgspec.UnsetType = msgspec.UNSET
    payload: str
    payload_encoding: str = "json"


def undecodable_pack(body: str, *, message_id: str, sent_at: float, origin: dict[str, str]) -> QuarantinedRecord:
    """The quarantined record of a message of the queue that is no pack."""
    return QuarantinedRecord(
        record_id=message_id,
        reason=QuarantineReason.UNDECODABLE_PACK,
        transport="sqs",
        failed_at=sent_at,
        message="the message is not a pack of this version of afluente; replay it with the version that wrote it",
        origin=origin,
        payload=base64.b64encode(body.encode("utf-8", "surrogatepass")).decode(),
        payload_encoding="base64",
    )
