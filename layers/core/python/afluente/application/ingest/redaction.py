"""Redaction: secrets are masked before anything is stored, logged or answered.

A key may be in the query of a URL, in a field of a body, in a topic or in a file, because somebody put it there by
mistake. Its readable part stays, so that a reader knows which key to revoke.
"""

import base64
import re

import msgspec

from afluente.application.ingest.quarantine import QuarantinedRecord

MASK = "[masked]"

# Secrets have only these characters, which JSON leaves as they are. A key may have been cut off after some of them.
_SECRETS = re.compile(
    r"(?P<key>afl_[a-z2-7]{8}_)[A-Za-z0-9_-]{4,}"
    # The signature of a presigned URL of S3.
    r"|(?P<signed>X-Amz-(?:Signature|Security-Token)=)[A-Za-z0-9%+/=_-]+"
    # `scheme://user:password@host`.
    r"|(?P<user>://[^/\s:@\"\\]{0,128}:)[^@/\s\"\\]{1,512}(?=@)"
)
# Every secret holds one of these, so that most texts are scanned once and quickly.
_SIGNS = ("afl_", "X-Amz-S", "://")


def redacted(text: str) -> str:
    """The text with every secret in it masked."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return _SECRETS.sub(lambda found: f"{found['key'] or found['signed'] or found['user']}{MASK}", text)


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
