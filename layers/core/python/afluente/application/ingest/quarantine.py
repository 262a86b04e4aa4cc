"""Quarantined records: what could not be taken, why, and what it takes to replay it."""

import base64
from enum import StrEnum

import msgspec

from afluente.domain.faults import Fault

SCHEMA = "afluente/quarantined-record/1"
"""Name and version of the form in which a record is kept."""


class QuarantineReason(StrEnum):
    """Why a record is in quarantine: a closed set."""

    REJECTED_POINTS = "rejected_points"
    UNDECODABLE_PACK = "undecodable_pack"
    UNUSABLE_MESSAGE = "unusable_message"
    RATE_LIMITED = "rate_limited"


class QuarantinedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be taken.

    Attributes:
        record_id: the same for the same record however often it fails.
        reason: why it could not be taken.
        transport: how it came: `http`, `sqs`, …
        failed_at: when it failed, in Unix seconds; it gives the folder it is kept in.
        message: what is wrong, for a person.
        origin: what is known of where it came from.
        faults: of each rejected point, by its index in the request.
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
    payload: str
    payload_encoding: str = "json"


def undecodable(body: str, *, message_id: str, sent_at: float, origin: dict[str, str]) -> QuarantinedRecord:
    """A message of the queue that is no pack."""
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
