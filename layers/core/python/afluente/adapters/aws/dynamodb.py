"""DynamoDB calls that every table shares: conditional writes, and reads and writes of many items."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from afluente.adapters.aws.calls import Unfinished, in_chunks, unavailable
from afluente.application.errors import BusyError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_BATCH_GET = 100
"""BatchGetItem quota."""

MAX_BATCH_WRITE = 25
"""BatchWriteItem quota."""

RETRY_DELAYS = (0.05, 0.2, 0.6, 1.5)
"""Waits before the attempts of a read that is throttled, as a whole or in part."""

Attributes = Mapping[str, Mapping[str, Any]]
"""An item, or its key, as the API has it: each attribute with its type."""


class ConditionFailedError(Exception):
    """Another writer was faster: the condition of a write does not hold, and nothing was written.

    Attributes:
        item: the stored item, where the call asks for it (`ReturnValuesOnConditionCheckFailure`) and there is one.
    """

    def __init__(self, message: str, item: Attributes | None) -> None:
        super().__init__(message)
        self.item = item


@contextmanager
def conditional_write(dependency: str) -> Iterator[None]:
    """Tell the failed condition of a write, or of a transaction of writes, from other failures.

    Args:
        dependency: the table, for the message.

    Raises:
        ConditionFailedError: a condition does not hold, or the transaction conflicts with another one.
        UnavailableError: any other failure.
    """
    with unavailable(dependency):
        try:
            yield
        except ClientError as error:
            if not _is_condition_failure(error):
                raise
            response: Any = error.response
            raise ConditionFailedError(dependency, response.get("Item")) from error


def batch_get(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[dict[str, Any]],
    *,
    consistent: bool,
    sleep: Callable[[float], None],
) -> Iterator[Attributes]:
    """The items of those of the keys that are in the table, in no order.

    Raises:
        UnavailableError: DynamoDB does not answer, or leaves keys unprocessed for too long.
    """
    found: list[Attributes] = []
    for chunk in in_chunks(keys, MAX_BATCH_GET):
        answer = batch_get_once(client, table, chunk, consistent=consistent, sleep=sleep)
        if answer.error:
            raise answer.error
        found.extend(answer.items)
    return iter(found)


class BatchGetAnswer(NamedTuple):
    """Items that were found, keys that could not be read, and why."""

    items: list[Attributes]
    unread: Sequence[dict[str, Any]]
    error: UnavailableError | None


def batch_get_once(
    client: "DynamoDBClient",
    table: str,
    keys: Sequence[dict[str, Any]],
    *,
    consistent: bool,
    sleep: Callable[[float], None],
) -> BatchGetAnswer:
    """Read at most 100 items; keys that DynamoDB leaves unprocessed are retried, and then returned."""
    found: list[Attributes] = []
    dependency = f"DynamoDB table {table}"
    unfinished = Unfinished(keys, dependency=dependency, delays=RETRY_DELAYS, sleep=sleep)
    try:
        for items in unfinished:
            wanted: Any = {"Keys": list(items), "ConsistentRead": consistent}
            try:
                with unavailable(dependency):
                    answer = client.batch_get_item(RequestItems={table: wanted})
            except BusyError:
                # Nothing of it was read.
                continue
            found.extend(answer["Responses"].get(table, []))
            unprocessed: Any = answer.get("UnprocessedKeys", {}).get(table, {})
            unfinished.items = list(unprocessed.get("Keys", []))
    except UnavailableError as error:
        return BatchGetAnswer(found, unfinished.items, error)
    return BatchGetAnswer(found, [], None)


def scan_beginning_with(client: "DynamoDBClient", table: str, prefix: str, *, consistent: bool) -> Iterator[Attributes]:
    """The items whose partition key `id` begins with a prefix, in no order; reads the whole table.

    Raises:
        UnavailableError: DynamoDB does not answer.
    """
    with unavailable(f"DynamoDB table {table}"):
        pages = client.get_paginator("scan").paginate(
            TableName=table,
            FilterExpression="begins_with(id, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": prefix}},
            ConsistentRead=consistent,
        )
        for page in pages:
            yield from page["Items"]


def batch_put(
    client: "DynamoDBClient", table: str, items: Sequence[dict[str, Any]], *, sleep: Callable[[float], None]
) -> None:
    """Put items of different keys, each replacing the one with its key.

    Raises:
        UnavailableError: DynamoDB does not answer, or leaves items unprocessed for too long; putting all of them again
            is safe.
    """
    dependency = f"DynamoDB table {table}"
    for chunk in in_chunks(items, MAX_BATCH_WRITE):
        unfinished = Unfinished(chunk, dependency=dependency, delays=RETRY_DELAYS, sleep=sleep)
        for batch in unfinished:
            with unavailable(dependency):
                requests: Any = [{"PutRequest": {"Item": item}} for item in batch]
                answer = client.batch_write_item(RequestItems={table: requests})
            unprocessed: Any = answer.get("UnprocessedItems", {}).get(table, [])
            unfinished.items = [request["PutRequest"]["Item"] for request in unprocessed]


def _is_condition_failure(error: ClientError) -> bool:
    response: Any = error.response
    code = response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return bool(code == "ConditionalCheckFailedException")
    # If the transaction failed for another reason too, such as throttling, a retry may well succeed.
    reasons = {reason.get("Code", "None") for reason in response.get("CancellationReasons", [])} - {"None"}
    return bool(reasons) and reasons <= {"ConditionalCheckFailed", "TransactionConflict"}
