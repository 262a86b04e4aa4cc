"""The queue between the transports and the classifier: an SQS FIFO queue."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from afluente.adapters.aws.calls import Unfinished, unavailable
from afluente.adapters.codecs.packs import EncodedPack, WireRow, encode_pack, encode_rows, rows_of
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import Pack, SeriesPack

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

MAX_MESSAGE_BYTES = 1_048_576
"""SQS quota «Message size»; a batch may not be larger either."""

# Incompressible points grow by a third as base64, and a little as zlib.
_MAX_UNCOMPRESSED_BYTES = MAX_MESSAGE_BYTES * 3 // 4 - 4096

MAX_BATCH_ENTRIES = 10
"""SQS quota «Entries per batch»."""

# Between two attempts at a message; with the queue's limit of 60 attempts, a dependency may be away for an hour.
_MAX_BACKOFF_SECONDS = 60

_RETRY_DELAYS = (0.05, 0.2, 0.6)

Point = TypeVar("Point")


class _Entry(NamedTuple):
    group: str
    message: EncodedPack


class SqsPackQueue:
    """Sends packs, one message a shard and at most the size limit."""

    def __init__(self, client: "SQSClient", queue_url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._queue_url = queue_url
        self._sleep = sleep

    def send(self, packs: Sequence[Pack | SeriesPack]) -> None:
        # A call holds at most one message of a group, and the next of that group waits for its success: so a retry of
        # failed messages cannot let a later one overtake.
        groups: dict[str, deque[_Entry]] = {}
        for pack in packs:
            entries = (_Entry(pack.group, message) for message in _messages_of(pack))
            groups.setdefault(pack.group, deque()).extend(entries)
        while groups:
            unfinished = Unfinished(_next_batch(groups), dependency="SQS", delays=_RETRY_DELAYS, sleep=self._sleep)
            for batch in unfinished:
                unfinished.items = self._send_batch(batch)

    def _send_batch(self, batch: Sequence[_Entry]) -> Sequence[_Entry]:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(place),
                "MessageBody": entry.message.body,
                "MessageGroupId": entry.group,
                "MessageDeduplicationId": entry.message.deduplication_id,
            }
            for place, entry in enumerate(batch)
        ]
        with unavailable("SQS"):
            answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
        failed = answer.get("Failed", [])
        for failure in failed:
            if failure["SenderFault"]:
                raise UnavailableError(f"SQS refuses a pack: {failure['Code']}")
        return [batch[int(failure["Id"])] for failure in failed]


class SqsRetryBackoff:
    """Retries failed messages before the queue's visibility timeout."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def __call__(self, receipts: Sequence[tuple[str, int]]) -> None:
        """Retry messages with backoff.

        Args:
            receipts: the receipt handle of each message, and how often it was received; at most ten.

        Raises:
            UnavailableError: SQS does not answer; the messages are retried after the visibility timeout.
        """
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {
                "Id": str(place),
                "ReceiptHandle": handle,
                "VisibilityTimeout": backoff_seconds(received),
            }
            for place, (handle, received) in enumerate(receipts)
        ]
        with unavailable("SQS"):
            self._client.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)

    def after(self, receipt: str, seconds: int) -> None:
        """Retry a message after so many seconds; 0 for at once.

        Raises:
            UnavailableError: SQS does not answer; the message is retried after the visibility timeout.
        """
        with unavailable("SQS"):
            self._client.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=seconds
            )


def backoff_seconds(received: int) -> int:
    """Seconds until a failed message is retried: 1, 2, 4, … 60, by how often it was received."""
    return min(1 << min(received - 1, 10), _MAX_BACKOFF_SECONDS)


def _messages_of(pack: Pack | SeriesPack) -> list[EncodedPack]:
    if isinstance(pack, Pack):
        return _within_size_limit(pack.points, lambda points: encode_pack(points, pack.transport))

    def encode(rows: Sequence[WireRow]) -> EncodedPack:
        return encode_rows(pack.domain, pack.source_id, rows, pack.ingested_at, pack.transport)

    return _within_size_limit(rows_of(pack.series), encode)


def _within_size_limit(points: Sequence[Point], encode: Callable[[Sequence[Point]], EncodedPack]) -> list[EncodedPack]:
    """As few messages as hold the points: halves, and halves of halves, until each is within the size limit."""
    message = encode(points)
    if message.uncompressed_bytes <= _MAX_UNCOMPRESSED_BYTES:
        return [message]
    middle = len(points) // 2
    return _within_size_limit(points[:middle], encode) + _within_size_limit(points[middle:], encode)


def _next_batch(groups: dict[str, deque[_Entry]]) -> list[_Entry]:
    """Remove the entries of the next call from the groups: one of each, as far as the quotas allow."""
    batch: list[_Entry] = []
    size = 0
    for group, waiting in list(groups.items()):
        if len(batch) == MAX_BATCH_ENTRIES or (batch and size + len(waiting[0].message.body) > MAX_MESSAGE_BYTES):
            break
        entry = waiting.popleft()
        size += len(entry.message.body)
        batch.append(entry)
        if not waiting:
            del groups[group]
    return batch
