"""Connections in DynamoDB: an item for each connection, and one for each source with its last acknowledged sequence."""

from typing import TYPE_CHECKING

import msgspec

from afluente.adapters.aws.calls import unavailable
from afluente.application.websocket.connections import Connection

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTION_SECONDS = 3 * 3600
"""Lifetime of an item, beyond the 2 hours of a connection (quota "Connection duration for WebSocket API")."""

SEQUENCE_SECONDS = 30 * 24 * 3600
"""Lifetime of the last acknowledged sequence of a silent source."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Connection)


class DynamoConnections:
    """The store of connections.

    Args:
        client: of DynamoDB.
        table: its name; partition key `id`, time to live `expires_at`.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, connection_id: str) -> Connection | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(
                TableName=self._table, Key={"id": {"S": f"connection#{connection_id}"}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return _decoder.decode(item["record"]["S"]) if item else None

    def open(self, connection: Connection) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": f"connection#{connection.connection_id}"},
                    "record": {"S": _encoder.encode(connection).decode()},
                    "expires_at": {"N": str(int(connection.opened_at) + CONNECTION_SECONDS)},
                },
            )

    def close(self, connection_id: str) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.delete_item(TableName=self._table, Key={"id": {"S": f"connection#{connection_id}"}})

    def last_sequence(self, source: str) -> int | None:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.get_item(
                TableName=self._table, Key={"id": {"S": f"source#{source}"}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return int(item["sequence"]["N"]) if item else None

    def save_sequence(self, source: str, sequence: int, now: float) -> None:
        with unavailable(f"DynamoDB table {self._table}"):
            self._client.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": f"source#{source}"},
                    "sequence": {"N": str(sequence)},
                    "expires_at": {"N": str(int(now) + SEQUENCE_SECONDS)},
                },
            )
