"""EventBridge: the size of the entries of a request."""

from collections.abc import Callable, Mapping
from typing import Any

from cli.local_stack.aws_limits import quotas
from cli.local_stack.aws_limits.answers import Answer, refusal
from cli.local_stack.aws_limits.settings import Values

_TIME_BYTES = 14


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry as AWS counts them: time, source, detail type, detail and resources."""
    texts = [entry.get("Source") or "", entry.get("DetailType") or "", entry.get("Detail") or ""]
    texts += entry.get("Resources") or []
    return sum(len(text.encode()) for text in texts) + (_TIME_BYTES if entry.get("Time") is not None else 0)


def install(limits: Values) -> None:
    """Let the emulator keep the quotas of EventBridge."""
    from ministack.services import eventbridge  # noqa: PLC0415 - it reads its settings on import

    put: Callable[..., Answer] = eventbridge._put_events  # noqa: SLF001
    largest = limits.count(quotas.EVENT_ENTRIES_BYTES)

    def put_events(data: dict[str, Any], **options: Any) -> Answer:
        entries = data.get("Entries", [])
        if sum(map(entry_bytes, entries)) > largest:
            return refusal("ValidationException", "Total size of the entries in the request is over the limit.")
        return put(data, **options)

    eventbridge._put_events = put_events  # noqa: SLF001
