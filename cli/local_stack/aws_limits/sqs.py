"""SQS: sizes with their attributes, messages in flight, and the throughput of a message group."""

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.buckets import KeyedBuckets
from cli.local_stack.aws_limits.settings import Values

Handler = Callable[[dict[str, Any], str], dict[str, Any]]
Collect = Callable[[dict[str, Any], int, float], list[dict[str, Any]]]

_THROTTLED = "RequestThrottled"
_RATE_EXCEEDED = "Rate exceeded"


def message_bytes(entry: Mapping[str, Any]) -> int:
    """Bytes of a message: its body, and the names, types and values of its attributes."""
    size = len((entry.get("MessageBody") or "").encode())
    for name, attribute in (entry.get("MessageAttributes") or {}).items():
        size += len(name.encode()) + len(attribute.get("DataType", "").encode())
        size += len(attribute.get("StringValue", "").encode())
        size += len(base64.b64decode(attribute.get("BinaryValue", "")))
    return size


def in_flight(messages: Iterable[Mapping[str, Any]], now: float) -> int:
    """The number of messages that are received and not deleted."""
    return sum(message["visible_at"] > now and message.get("receive_count", 0) > 0 for message in messages)


def throttled_groups(groups: Iterable[str], calls: KeyedBuckets, queue: str, now: float) -> set[str]:
    """Account for one call of each group, and return those that have made too many."""
    return {group for group in set(groups) if not calls.take(f"{queue}/{group}", 1, now)}


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of SQS."""
    from ministack.services import sqs  # noqa: PLC0415 - it reads its settings on import

    sqs._collect_msgs = _collect(sqs._collect_msgs, limits)  # noqa: SLF001
    calls = KeyedBuckets(limits.rate(quotas.FIFO_GROUP_CALLS))
    handlers = sqs._HANDLERS  # noqa: SLF001
    handlers["SendMessage"] = _send_message(sqs, handlers["SendMessage"], calls, limits)
    handlers["SendMessageBatch"] = _send_message_batch(sqs, handlers["SendMessageBatch"], calls, limits)


def _collect(collect: Collect, limits: Values) -> Collect:
    """Receive no more than may be in flight, from the messages that AWS searches."""
    fifo, standard = limits.count(quotas.FIFO_IN_FLIGHT), limits.count(quotas.STANDARD_IN_FLIGHT)
    searched = limits.count(quotas.FIFO_SEARCHED)

    def collect_within_limits(queue: dict[str, Any], wanted: int, visibility: float) -> list[dict[str, Any]]:
        messages, most = queue["messages"], fifo if queue["is_fifo"] else standard
        if len(messages) >= most:
            wanted = min(wanted, most - in_flight(messages, time.time()))
        if wanted <= 0:
            return []
        if queue["is_fifo"] and len(messages) > searched:
            queue = {**queue, "messages": messages[:searched]}
        return collect(queue, wanted, visibility)

    return collect_within_limits


def _send_message(sqs: Any, send: Handler, calls: KeyedBuckets, limits: Values) -> Handler:
    largest = limits.count(quotas.MESSAGE_BYTES)

    def send_message(data: dict[str, Any], url: str) -> dict[str, Any]:
        if message_bytes(data) > largest:
            message = f"One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes."
            raise sqs._Err("InvalidParameterValue", message)  # noqa: SLF001
        queue = sqs._get_q(data.get("QueueUrl", url))  # noqa: SLF001
        if queue["is_fifo"] and _throttled(queue, [data], calls):
            raise sqs._Err(_THROTTLED, _RATE_EXCEEDED)  # noqa: SLF001
        return send(data, url)

    return send_message


def _send_message_batch(sqs: Any, send: Handler, calls: KeyedBuckets, limits: Values) -> Handler:
    largest = limits.count(quotas.BATCH_BYTES)

    def send_message_batch(data: dict[str, Any], url: str) -> dict[str, Any]:
        entries = data.get("Entries", [])
        total = sum(map(message_bytes, entries))
        if total > largest:
            message = f"Batch requests cannot be longer than {largest} bytes. You have sent {total} bytes."
            raise sqs._Err("BatchRequestTooLong", message)  # noqa: SLF001
        queue = sqs._get_q(data.get("QueueUrl", url))  # noqa: SLF001
        throttled = _throttled(queue, entries, calls) if queue["is_fifo"] else set()
        refused = [entry for entry in entries if entry.get("MessageGroupId") in throttled]
        if not refused:
            return send(data, url)
        if len(refused) == len(entries):
            raise sqs._Err(_THROTTLED, _RATE_EXCEEDED)  # noqa: SLF001
        allowed = [entry for entry in entries if entry.get("MessageGroupId") not in throttled]
        answer = send({**data, "Entries": allowed}, url)
        failed = [
            {"Id": entry.get("Id", ""), "Code": _THROTTLED, "Message": _RATE_EXCEEDED, "SenderFault": True}
            for entry in refused
        ]
        return {**answer, "Failed": answer["Failed"] + failed}

    return send_message_batch


def _throttled(queue: dict[str, Any], entries: Iterable[Mapping[str, Any]], calls: KeyedBuckets) -> set[str]:
    """The groups among those of some messages that have made too many calls."""
    groups = {entry.get("MessageGroupId") or "" for entry in entries}
    if queue["attributes"].get("FifoThroughputLimit") != "perMessageGroupId":
        # All groups share the calls of the queue.
        return groups if throttled_groups([""], calls, queue["name"], time.monotonic()) else set()
    return throttled_groups(groups, calls, queue["name"], time.monotonic())
