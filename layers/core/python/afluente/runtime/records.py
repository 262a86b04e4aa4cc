"""Records of an event: one that fails holds up none of the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from afluente.runtime.core.observability import LogCode, logger

Record = Mapping[str, Any]


def process_each(records: Iterable[Record], process: Callable[[Any], bool]) -> list[str]:
    """Process records one after the other; an unexpected error is that of its record alone.

    Args:
        records: of an SQS event.
        process: processes a record, and tells whether nothing is left to do.

    Returns:
        The ids of the messages to retry. One that fails at each attempt ends in the dead-letter queue.
    """
    return [record["messageId"] for record in records if not _is_done(record, process)]


def report_failure(message_id: str, error: Exception) -> None:
    """Log the unexpected error of a record, in its `except` block."""
    logger().exception(
        "record failed", code=LogCode.RECORD_FAILED, message_id=message_id, cause=f"{type(error).__name__}: {error}"
    )


def _is_done(record: Record, process: Callable[[Any], bool]) -> bool:
    try:
        return process(record)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other records are not to blame
        report_failure(record["messageId"], error)
        return False
