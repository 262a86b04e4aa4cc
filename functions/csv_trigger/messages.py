"""Messages of either queue: retried with backoff, or quarantined."""

from typing import Any

from afluente.adapters.aws.s3_events import quarantined_csv_message
from afluente.application.backoff import backoff_seconds
from afluente.application.errors import UnavailableError
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.csv_trigger import CsvTrigger

Record = dict[str, Any]


def is_part(record: Record) -> bool:
    """Tell a part of a job from a notification of files, whose queue is no FIFO queue."""
    return str(record["eventSourceARN"]).endswith(".fifo")


def hold(record: Record, function: CsvTrigger) -> None:
    """Hide a message for as long as an invocation may take, in place of the visibility timeout of its queue.

    A message that waits for an invocation is hidden for six times that long, against throttled polls. If this one is
    killed, the message is retried while SQS still drops the packs that were sent for it.
    """
    if function.held_seconds:
        retry_later(record, function.held_seconds, function)


def retry_later(record: Record, seconds: int, function: CsvTrigger) -> None:
    """Have a message retried after some seconds."""
    retry = function.retry_later if is_part(record) else function.retry_file_later
    try:
        retry(record["receiptHandle"], seconds)
    except UnavailableError as error:
        # It is retried all the same, after the visibility timeout.
        logger().warning("visibility unchanged", code=LogCode.CSV_RETURNED, cause=str(error))


def backoff(record: Record) -> int:
    """Seconds until a message is retried, by how often it was received."""
    return backoff_seconds(receives(record))


def receives(record: Record) -> int:
    """Number of times that a message was received."""
    return int(record["attributes"]["ApproximateReceiveCount"])


def quarantine(record: Record, error: Exception, function: CsvTrigger) -> None:
    """Quarantine a message of which nothing can be made.

    Raises:
        UnavailableError: it is not quarantined.
    """
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    function.quarantine.put(
        quarantined_csv_message(record["body"], error, message_id=record["messageId"], sent_at=sent_at)
    )
    logger().error("message quarantined", code=LogCode.MESSAGE_QUARANTINED, cause=str(error))
    count({Metric.MESSAGES_QUARANTINED: 1})
