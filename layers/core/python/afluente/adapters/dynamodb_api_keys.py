"""API keys in DynamoDB: one item a key, found by its hash."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws import unavailable
from afluente.application.api_keys import ApiKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ApiKey)


class DynamoApiKeys:
    """Reads and writes what is kept of API keys.

    Args:
        client: of DynamoDB.
        table: its name; partition key `key_hash`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, key_hash: str) -> ApiKey | None:
        """See `ApiKeyStore.find`."""
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key={"key_hash": {"S": key_hash}})
        item = answer.get("Item")
        return _decoder.decode(item["record"]["S"]) if item else None

    def put(self, key: ApiKey) -> None:
        """See `ApiKeyStore.put`."""
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(
                TableName=self._table,
                Item={"key_hash": {"S": key.key_hash}, "record": {"S": _encoder.encode(key).decode()}},
            )

    def list(self) -> Iterator[ApiKey]:
        """See `ApiKeyStore.list`."""
        with unavailable(f"DynamoDB table {self._table}"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                yield from (_decoder.decode(item["record"]["S"]) for item in page["Items"])
