"""Constraints in DynamoDB: one item a scope, the constraints as JSON."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from afluente.adapters.aws import unavailable
from afluente.adapters.dynamodb import Attributes, batch_get
from afluente.application.ports import StaleConstraintsError, UnavailableError
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
        consistent: whether what was written is found at once, for those who write by what they find. By default it is
            found a moment later: the classifier's cache makes a change wait anyway, and such a read is half as dear.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        consistent: bool = False,
    ) -> None:
        self._client = client
        self._table = table
        self._sleep = sleep
        self._clock = clock
        self._consistent = consistent

    def fetch(self, scopes: Iterable[str]) -> Mapping[str, VersionedConfig]:
        """See `ConstraintsStore.fetch`."""
        keys = [{"key": {"S": scope}} for scope in scopes]
        items = batch_get(self._client, self._table, keys, consistent=self._consistent, sleep=self._sleep)
        return dict(_decode(item) for item in items)

    def put(
        self,
        scope: str,
        config: StreamConfig,
        *,
        baseline: Baseline | None = None,
        expected_version: int | None = None,
    ) -> int:
        """See `ConstraintsCatalogue.put`."""
        fields = {"config": _text(config), "changed_at": {"N": f"{self._clock():.6f}"}}
        if baseline is not None:
            # As text: a number of DynamoDB does not reach as far as a double.
            fields["baseline"] = _text(baseline)
        assignments = ", ".join(f"#{name} = :{name}" for name in fields)
        condition, expected = _of_version(expected_version)
        values = {f":{name}": value for name, value in fields.items()}
        with self._expecting(scope):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"key": {"S": scope}},
                UpdateExpression=f"SET {assignments} ADD #version :one",
                ExpressionAttributeNames={"#version": "version", **{f"#{name}": name for name in fields}},
                ExpressionAttributeValues={":one": {"N": "1"}, **values, **expected},
                ReturnValues="UPDATED_NEW",
                **condition,
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

    def delete(self, scope: str, *, expected_version: int | None = None) -> bool:
        """See `ConstraintsCatalogue.delete`."""
        options: dict[str, Any] = {}
        if expected_version is not None:
            options = {
                "ConditionExpression": "attribute_not_exists(#version) OR #version = :expected",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":expected": {"N": str(expected_version)}},
            }
        with self._expecting(scope):
            answer = self._client.delete_item(
                TableName=self._table, Key={"key": {"S": scope}}, ReturnValues="ALL_OLD", **options
            )
        return bool(answer.get("Attributes"))

    def list(self) -> Iterator[tuple[str, VersionedConfig]]:
        """See `ConstraintsCatalogue.list`."""
        with unavailable(f"DynamoDB table {self._table}"):
            for page in self._client.get_paginator("scan").paginate(TableName=self._table):
                yield from map(_decode, page["Items"])

    @contextmanager
    def _expecting(self, scope: str) -> Iterator[None]:
        """Tell constraints that are not of the expected version from a table that does not answer."""
        try:
            with unavailable(f"DynamoDB table {self._table}"):
                yield
        except UnavailableError as error:
            if isinstance(error.__cause__, self._client.exceptions.ConditionalCheckFailedException):
                raise StaleConstraintsError(scope) from error
            raise


def _of_version(expected: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The condition of an update that takes a version alone, and the values in it."""
    if expected is None:
        return {}, {}
    if expected == 0:
        return {"ConditionExpression": "attribute_not_exists(#version)"}, {}
    return {"ConditionExpression": "#version = :expected"}, {":expected": {"N": str(expected)}}


def _text(value: StreamConfig | Baseline) -> dict[str, str]:
    return {"S": _encoder.encode(value).decode()}


def _decode(item: Attributes) -> tuple[str, VersionedConfig]:
    baseline = _baseline_decoder.decode(item["baseline"]["S"]) if "baseline" in item else None
    config = _decoder.decode(item["config"]["S"])
    return item["key"]["S"], VersionedConfig(config, int(item["version"]["N"]), baseline)
