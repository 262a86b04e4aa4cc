"""Quarantined records of the queue."""

import base64

from afluente.application.ingest.quarantine import QuarantineReason, undecodable_pack
from tests.factories import NOW


def test_a_message_that_is_no_pack_is_quarantined_whole_under_its_own_id() -> None:
    record = undecodable_pack("no pack: é", message_id="message-1", sent_at=NOW, origin={"queue": "datapoints"})

    assert (record.record_id, record.reason) == ("message-1", QuarantineReason.UNDECODABLE_PACK)
    assert (record.transport, record.failed_at, record.origin) == ("sqs", NOW, {"queue": "datapoints"})
    assert record.payload_encoding == "base64"
    assert base64.b64decode(record.payload).decode() == "no pack: é"


def test_a_message_that_utf8_cannot_hold_is_quarantined_too() -> None:
    record = undecodable_pack("\ud800", message_id="message-1", sent_at=NOW, origin={})

    assert base64.b64decode(record.payload) == b"\xed\xa0\x80"
