"""Last uses of API keys in DynamoDB: one item a key, in a table that says nothing of what a key may do."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import scan_beginning_with

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = "key#"


class DynamoKeyUses:
    """The store of last uses.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def last(self, key_id: str) -> float | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key={"id": {"S": f"{_PREFIX}{key_id}"}})
        item = answer.get("Item")
        return float(item["last_used_at"]["N"]) if item else None

    def record(self, key_id: str, now: float) -> None:
        item = {"id": {"S": f"{_PREFIX}{key_id}"}, "last_used_at": {"N": f"{now:.3f}"}}
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(TableName=self._table, Item=item)

    def list(self) -> Iterator[tuple[str, float]]:
        for item in scan_beginning_with(self._client, self._table, _PREFIX, consistent=False):
            yield item["id"]["S"].removeprefix(_PREFIX), float(item["last_used_at"]["N"])
