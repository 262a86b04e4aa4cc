"""The queue between the transports and the classifier: an SQS FIFO queue."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from afluente.adapters.aws.calls import Unfinished, in_chunks, unavailable
from afluente.adapters.codecs.packs import EncodedPack, encode_pack
from afluente.application.errors import UnavailableError
from afluente.application.ingest.packs import MAX_PACK_POINTS, Pack, ReceivedPack
from afluente.domain.datapoints import DataPoint

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

_RETRY_DELAYS = (0.05, 0.2, 0.6)

Point = TypeVar("Point")


class _Entry(NamedTuple):
    group: str
    message: EncodedPack


class SqsPackQueue:
    """Sends packs, one message a shard as far as the limits of points and of size allow.

    Args:
        client: of SQS.
        queue_url: of the queue.
        max_points: of a message.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        client: "SQSClient",
        queue_url: str,
        *,
        max_points: int = MAX_PACK_POINTS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._queue_url = queue_url
        self._max_points = max_points
        self._sleep = sleep

    def send(self, packs: Sequence[Pack]) -> None:
        # A call holds at most one message of a group, and the next of that group waits for its success: so a retry of
        # failed messages cannot let a later one overtake.
        groups: dict[str, deque[_Entry]] = {}
        for pack in packs:
            entries = (_Entry(pack.group, message) for message in _messages_of(pack, self._max_points))
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


class SqsDeadLetters:
    """Moves packs to the dead-letter queue."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def move(self, pack: ReceivedPack) -> None:
        with unavailable("SQS"):
            self._client.send_message(
                QueueUrl=self._queue_url,
                MessageBody=pack.body,
                MessageGroupId=pack.group,
                # Of this message: if it is moved again, because its deletion failed, the queue drops the repetition.
                MessageDeduplicationId=pack.message_id,
            )


class SqsRetryBackoff:
    """Retries failed messages before the queue's visibility timeout."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def __call__(self, receipts: Sequence[tuple[str, int]]) -> None:
        """Retry messages after some seconds.

        Args:
            receipts: the receipt handle of each message, and the seconds, 0 for at once; at most ten.

        Raises:
            UnavailableError: SQS does not answer; the messages are retried after the visibility timeout.
        """
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {
                "Id": str(place),
                "ReceiptHandle": handle,
                "VisibilityTimeout": seconds,
            }
            for place, (handle, seconds) in enumerate(receipts)
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


def _messages_of(pack: Pack, max_points: int) -> Iterator[EncodedPack]:
    for points in in_chunks(_in_order(pack.points, max_points), max_points):
        yield from within_size_limit(points, lambda its: encode_pack(its, pack.transport))


def _in_order(points: Sequence[DataPoint], max_points: int) -> Sequence[DataPoint]:
    """Points of a pack; sorted if it has to be cut, since the order of a stream is restored within a message alone."""
    if len(points) <= max_points:
        return points
    # Few packs are that large, and a cold start of a transport does without the rules.
    from afluente.domain.stream_state import order_of  # noqa: PLC0415

    return sorted(points, key=lambda point: (point.domain, point.source_id, *order_of(point)))


def within_size_limit(points: Sequence[Point], encode: Callable[[Sequence[Point]], EncodedPack]) -> list[EncodedPack]:
    """As few messages as hold the points: halves, and halves of halves, until each is within the size limit."""
    message = encode(points)
    if message.uncompressed_bytes <= _MAX_UNCOMPRESSED_BYTES:
        return [message]
    middle = len(points) // 2
    return within_size_limit(points[:middle], encode) + within_size_limit(points[middle:], encode)


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
