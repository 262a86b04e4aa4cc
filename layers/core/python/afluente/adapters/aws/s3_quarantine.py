"""Quarantine in a bucket."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.application.ingest.quarantine import QuarantinedRecord
from afluente.application.ingest.redaction import redacted_record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "quarantine"

_encoder = msgspec.json.Encoder()


class S3Quarantine:
    """Stores each record as a JSON object `quarantine/{transport}/{yyyy}/{mm}/{dd}/{record_id}.json`."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, record: QuarantinedRecord) -> None:
        with unavailable("S3"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=key_of(record),
                Body=_encoder.encode(redacted_record(record)),
                ContentType="application/json",
            )


def key_of(record: QuarantinedRecord) -> str:
    """The key of a record."""
    day = datetime.fromtimestamp(record.failed_at, tz=UTC)
    return f"{PREFIX}/{record.transport}/{day:%Y/%m/%d}/{record.record_id}.json"
