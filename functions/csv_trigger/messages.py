"""Messages of either queue: retried with backoff, or quarantined."""

from typing import Any

from afluente.adapters.aws.s3_events import quarantined_csv_message
from afluente.adapters.aws.sqs_packs import backoff_seconds
from afluente.application.errors import UnavailableError
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.csv_trigger import CsvTrigger

Record = dict[str, Any]


def retry_later(record: Record, seconds: int, function: CsvTrigger) -> None:
    """Have a message retried after some seconds."""
    try:
        function.retry_later(record["receiptHandle"], seconds)
    except UnavailableError as error:
        # It is retried all the same, after the visibility timeout.
        logger().warning("visibility unchanged", code=LogCode.CSV_RETURNED, cause=str(error))


def backoff(record: Record) -> int:
    """Seconds until a message is retried, by how often it was received."""
    return backoff_seconds(int(record["attributes"]["ApproximateReceiveCount"]))


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
