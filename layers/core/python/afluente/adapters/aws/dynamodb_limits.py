"""Shared buckets in DynamoDB: one item a subject, replaced on the condition that no other writer has replaced it."""

from typing import TYPE_CHECKING

import msgspec
from botocore.config import Config

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import Attributes, ConditionFailedError, conditional_write
from afluente.application.limits.leases import SharedBucket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIMITS_CLIENT_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=0.5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,
    tcp_keepalive=True,
)
"""Short timeouts: every request waits for its limits, and is allowed uncounted where they fail open."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SharedBucket)


class DynamoLimits:
    """The store of shared buckets.

    Args:
        client: of DynamoDB, made with `LIMITS_CLIENT_CONFIG`.
        table: its name; partition key `subject`, time to live `expires_at`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load(self, subject: str) -> SharedBucket:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key={"subject": {"S": subject}}, ConsistentRead=True)
        return _bucket_in(answer.get("Item"))

    def save(self, subject: str, bucket: SharedBucket, *, expires_at: float) -> SharedBucket | None:
        try:
            with conditional_write(f"DynamoDB table {self._table}"):
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "subject": {"S": subject},
                        "version": {"N": str(bucket.version)},
                        "bucket": {"S": _encoder.encode(bucket).decode()},
                        "expires_at": {"N": str(int(expires_at) + 1)},
                    },
                    # An item that does not exist has the version 0.
                    ConditionExpression="version = :before OR (:before = :none AND attribute_not_exists(subject))",
                    ExpressionAttributeValues={":before": {"N": str(bucket.version - 1)}, ":none": {"N": "0"}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ConditionFailedError as error:
            return _bucket_in(error.item) if error.item else self.load(subject)
        return None


def _bucket_in(item: Attributes | None) -> SharedBucket:
    return _decoder.decode(item["bucket"]["S"]) if item else SharedBucket()
