"""Constraints in DynamoDB: one item a scope, the constraints as JSON."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws import unavailable
from afluente.adapters.dynamodb import Attributes, batch_get
from afluente.domain.classification import Baseline, VersionedConfig
from afluente.domain.constraints import StreamConfig

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(StreamConfig)
_baseline_decoder = msgspec.json.Decoder(Baseline)


class DynamoConstraints:
    """Reads and writes constraints.

    Args:
        client: of DynamoDB.
        table: its name; partition key `key`, the scope.
        sleep: waits between attempts.
        clock: gives the time in Unix seconds.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep
        self._clock = clock

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        keys = [{"key": {"S": scope}} for scope in scopes]
        # The cache above makes a change wait for up to its time to live anyway, so a read may be half as dear.
        items = batch_get(self._client, self._table, keys, consistent=False, sleep=self._sleep)
        return dict(_decode(item) for item in items)

    def put(self, scope: str, config: StreamConfig, *, baseline: Baseline | None = None) -> int:
        """See `ConstraintsCatalogue.put`."""
        fields = {"config": _text(config), "changed_at": {"N": f"{self._clock():.6f}"}}
        if baseline is not None:
            # As text: a number of DynamoDB does not reach as far as a double.
            fields["baseline"] = _text(baseline)
        assignments = ", ".join(f"#{name} = :{name}" for name in fields)
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"key": {"S": scope}},
                UpdateExpression=f"SET {assignments} ADD #version :one",
                ExpressionAttributeNames={"#version": "version", **{f"#{name}": name for name in fields}},
                ExpressionAttributeValues={":one": {"N": "1"}, **{f":{name}": value for name, value in fields.items()}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["version"]["N"])

    def changed_at(self, scope: str) -> float | None:
        """See `ConstraintsCatalogue.changed_at`."""
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(
                TableName=self._table,
                Key={"key": {"S": scope}},
                ProjectionExpression="changed_at",
                ConsistentRead=True,
            )
        changed_at = answer.get("Item", {}).get("changed_at")
        return float(changed_at["N"]) if changed_at else None

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


def _text(value: StreamConfig | Baseline) -> dict[str, str]:
    return {"S": _encoder.encode(value).decode()}


def _decode(item: Attributes) -> tuple[str, VersionedConfig]:
    baseline = _baseline_decoder.decode(item["baseline"]["S"]) if "baseline" in item else None
    config = _decoder.decode(item["config"]["S"])
    return item["key"]["S"], VersionedConfig(config, int(item["version"]["N"]), baseline)
