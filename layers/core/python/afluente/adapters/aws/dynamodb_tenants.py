"""Tenants in DynamoDB: one item a tenant, beside the keys."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import scan_beginning_with
from afluente.application.access.tenants import Tenant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = "tenant#"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Tenant)


class DynamoTenants:
    """The store of tenants.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, name: str) -> Tenant | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key=_name(name), ConsistentRead=True)
        item = answer.get("Item")
        return _decoder.decode(item["record"]["S"]) if item else None

    def put(self, tenant: Tenant) -> None:
        record = {"S": _encoder.encode(tenant).decode()}
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(TableName=self._table, Item={**_name(tenant.name), "record": record})

    def remove(self, name: str) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.delete_item(TableName=self._table, Key=_name(name))

    def list(self) -> Iterator[Tenant]:
        for item in scan_beginning_with(self._client, self._table, _PREFIX, consistent=True):
            yield _decoder.decode(item["record"]["S"])


def _name(name: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"{_PREFIX}{name}"}}
