"""Counts of failed tries of packs, in the table of states."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from afluente.adapters.aws.calls import unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 15 * 86_400
"""Lifetime of a count: a day longer than the queue keeps a message."""


class DynamoPackTries:
    """Counts failed tries in an item a pack, written at failures alone.

    Args:
        client: of DynamoDB.
        table: its name; partition key `source`, sort key `bucket`. No source of a stream begins with `#`.
        clock: Unix time, for the expiry of the items.
    """

    def __init__(self, client: "DynamoDBClient", table: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def count(self, group: str, sequence_number: int) -> int:
        with unavailable(f"DynamoDB table {self._table}"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"source": {"S": f"#tries/{group}"}, "bucket": {"N": str(sequence_number)}},
                UpdateExpression="ADD #tries :one SET #expires_at = :expires_at",
                ExpressionAttributeNames={"#tries": "tries", "#expires_at": "expires_at"},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":expires_at": {"N": str(int(self._clock()) + KEPT_SECONDS)},
                },
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["tries"]["N"])
