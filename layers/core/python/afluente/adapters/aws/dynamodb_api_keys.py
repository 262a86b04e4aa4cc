"""API keys in DynamoDB: one item a key, by its id."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.adapters.aws.dynamodb import (
    Attributes,
    ConditionFailedError,
    conditional_write,
    scan_beginning_with,
)
from afluente.application.access.api_keys import ApiKey
from afluente.application.access.ports import StaleKeyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PREFIX = "key#"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ApiKey)


class DynamoApiKeys:
    """The store of API keys.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, key_id: str) -> ApiKey | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(TableName=self._table, Key=_name(key_id))
        item = answer.get("Item")
        return _decode(item) if item else None

    def put(self, key: ApiKey, *, replacing: ApiKey | None = None) -> None:
        condition = "attribute_not_exists(#record)"
        values = {":record": {"S": _encode(key)}}
        if replacing is not None:
            condition = "#record = :before"
            values[":before"] = {"S": _encode(replacing)}
        try:
            with conditional_write(f"DynamoDB table {self._table}"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_name(key.key_id),
                    UpdateExpression="SET #record = :record",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#record": "record"},
                    ExpressionAttributeValues=values,
                )
        except ConditionFailedError as error:
            raise StaleKeyError(key.key_id) from error

    def list(self) -> Iterator[ApiKey]:
        for item in scan_beginning_with(self._client, self._table, _PREFIX, consistent=False):
            if "record" in item:
                yield _decode(item)


def _name(key_id: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"{_PREFIX}{key_id}"}}


def _encode(key: ApiKey) -> str:
    # Last uses are in a table of their own.
    return _encoder.encode(msgspec.structs.replace(key, last_used_at=None)).decode()


def _decode(item: Attributes) -> ApiKey:
    key = _decoder.decode(item["record"]["S"])
    # Written by releases before uses had a table of their own.
    last_used_at = item.get("last_used_at")
    return msgspec.structs.replace(key, last_used_at=float(last_used_at["N"])) if last_used_at else key
