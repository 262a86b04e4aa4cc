"""Loading of the parts of jobs."""

from collections.abc import Callable

from afluente.adapters.aws.sqs_csv_jobs import NoPartError, queued_part
from afluente.application.backoff import backoff_seconds
from afluente.application.csv.load_file import PartOutcome
from afluente.runtime.core.observability import LogCode, Metric, count, logger
from afluente.runtime.csv_trigger import CsvTrigger
from csv_trigger.messages import Record, backoff, quarantine, retry_later
from csv_trigger.reporting import report_end

# Time in which those that wait get the invocation.
_YIELD_SECONDS = 1

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
    match result.outcome:
        case PartOutcome.PAUSED:
            logger().info(
                "part paused",
                code=LogCode.CSV_PART_PAUSED,
                job_id=message.job_id,
                part=message.part,
                points=result.points,
            )
            retry_later(record, 0, function)
            return False
        case PartOutcome.YIELDED:
            retry_later(record, _YIELD_SECONDS, function)
            return False
        case PartOutcome.BLOCKED:
            logger().info(
                "part blocked",
                code=LogCode.CSV_PART_BLOCKED,
                job_id=message.job_id,
                part=message.part,
                points=result.points,
            )
            retry_later(record, backoff_seconds(result.blocked), function)
            return False
        case PartOutcome.WAITING:
            retry_later(record, backoff(record), function)
            return False
        case PartOutcome.ENDED if result.job is not None:
            report_end(result.job)
    return True
