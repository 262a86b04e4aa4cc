"""Loading of the parts of jobs."""

from collections.abc import Callable

from afluente.adapters.aws.sqs_csv_jobs import NoPartError, queued_part
from afluente.application.backoff import backoff_seconds
from afluente.application.csv.load_file import PartOutcome, PartResult
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.csv_trigger import CsvTrigger
from csv_trigger.messages import Record, backoff, quarantine, receives, retry_later
from csv_trigger.reporting import report_end

_RENEWED_AT_RECEIVES = 900
"""Receives after which a part is queued anew: after 1,000 (SQS, "maxReceiveCount") it would be a dead letter, though a
part that is continued in many invocations has no fault."""

# Time in which those that wait get the invocation.
_YIELD_SECONDS = 1

_LOGGED = {
    PartOutcome.PAUSED: ("part paused", LogCode.CSV_PART_PAUSED),
    PartOutcome.BLOCKED: ("part blocked", LogCode.CSV_PART_BLOCKED),
}

IsTimeLeft = Callable[[], bool]


def load_part(record: Record, function: CsvTrigger, is_time_left: IsTimeLeft) -> bool:
    """Load the part that a message names, for as long as there is time; a message that names none is quarantined.

    Returns:
        Whether nothing is left to do; else the message is retried.

    Raises:
        UnavailableError: a dependency is unavailable; loading the part again is safe.
    """
    try:
        message = queued_part(record["body"])
    except NoPartError as error:
        quarantine(record, error, function)
        return True
    result = function.loader()(message.job_id, message.part, is_time_left=is_time_left)
    count({Metric.POINTS_ACCEPTED: result.points, Metric.CSV_ROWS_REJECTED: result.rejected})
    if result.outcome in _LOGGED:
        text, code = _LOGGED[result.outcome]
        logger().info(text, code=code, job_id=message.job_id, part=message.part, points=result.points)
    seconds = _retry_after(result, record)
    if seconds is None:
        if result.outcome is PartOutcome.ENDED and result.job is not None:
            report_end(result.job)
        return True
    if receives(record) >= _RENEWED_AT_RECEIVES and result.job is not None:
        function.queue.send(result.job, message.part, renewal=record["messageId"])
        return True
    retry_later(record, seconds, function)
    return False


def _retry_after(result: PartResult, record: Record) -> int | None:
    """Seconds until a part is loaded on; None if nothing is left to do."""
    match result.outcome:
        case PartOutcome.PAUSED:
            return 0
        case PartOutcome.YIELDED:
            return _YIELD_SECONDS
        case PartOutcome.BLOCKED:
            return backoff_seconds(result.blocked)
        case PartOutcome.WAITING:
            return backoff(record)
        case _:
            return None
