"""Redaction of quarantined records."""

import base64

import msgspec

from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.redaction import redacted


def redacted_record(record: QuarantinedRecord) -> QuarantinedRecord:
    """The record with every secret in it masked: in its payload, origin, message and faults."""
    return msgspec.structs.replace(
        record,
        message=redacted(record.message),
        origin={redacted(name): redacted(value) for name, value in record.origin.items()},
        faults={
            index: tuple(
                msgspec.structs.replace(fault, field=redacted(fault.field), message=redacted(fault.message))
                for fault in faults
            )
            for index, faults in record.faults.items()
        },
        payload=_redacted_payload(record),
    )


def _redacted_payload(record: QuarantinedRecord) -> str:
    if record.payload_encoding != "base64":
        return redacted(record.payload)
    # Byte for byte: most of these payloads are no text.
    text = base64.b64decode(record.payload).decode("latin-1")
    found = redacted(text)
    return record.payload if found == text else base64.b64encode(found.encode("latin-1")).decode()
