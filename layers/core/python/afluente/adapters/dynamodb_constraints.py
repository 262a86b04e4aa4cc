"""Constraints in DynamoDB: one item a scope, the constraints as JSON."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws import unavailable
from afluente.adapters.dynamodb import Attributes, batch_get
from afluente.domain.classification import VersionedConfig
from afluente.domain.constraints import StreamConfig

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(StreamConfig)


class DynamoConstraints:
    """Reads and writes constraints.

    Args:
        client: of DynamoDB.
        table: its name; partition key `key`, the scope.
        sleep: waits between attempts.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        keys = [{"key": {"S": scope}} for scope in scopes]
        # The cache above makes a change wait for up to its time to live anyway, so a read may be half as dear.
        items = batch_get(self._client, self._table, keys, consistent=False, sleep=self._sleep)
        return dict(_decode(item) for item in items)

    def put(self, scope: str, config: StreamConfig) -> int:
        """See `ConstraintsCatalogue.put`."""
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"key": {"S": scope}},
                UpdateExpression="SET #config = :config ADD #version :one",
                ExpressionAttributeNames={"#config": "config", "#version": "version"},
                ExpressionAttributeValues={":config": {"S": _encoder.encode(config).decode()}, ":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["version"]["N"])

    def delete(self, scope: str) -> bool:
        """See `ConstraintsCatalogue.delete`."""
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.delete_item(TableName=self._table, Key={"key": {"S": scope}}, ReturnValues="ALL_OLD")
        return bool(answer.get("Attributes"))

    def list(self) -> Iterator[tuple[str, VersionedConfig]]:
        """See `ConstraintsCatalogue.list`."""
        with unavailable(f"DynamoDB table {self._table}"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                yield from map(_decode, page["Items"])


def _decode(item: Attributes) -> tuple[str, VersionedConfig]:
    return item["key"]["S"], VersionedConfig(_decoder.decode(item["config"]["S"]), int(item["version"]["N"]))
