"""CSV files: files that S3 notifies of become jobs, and parts of jobs are loaded until they end or time runs out."""

from typing import Any

from afluente.adapters.aws.sqs_records import batch_answer
from afluente.application.errors import UnavailableError
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.csv_trigger import CsvTrigger, compose
from afluente.runtime.entry_point import entry_point
from afluente.runtime.records import process_each
from csv_trigger.loading import IsTimeLeft, load_part
from csv_trigger.messages import Record, backoff, hold, is_part, retry_later
from csv_trigger.registration import register_files

# Share of an invocation's time that is reserved for its orderly end, and the most that is.
_RESERVED = 4
_MAX_RESERVED_MILLISECONDS = 30_000


def handle(event: dict[str, Any], context: Any, function: CsvTrigger) -> dict[str, Any]:
    """Register the files or load the parts of an event of either queue; answers which messages are retried."""
    is_time_left = _deadline(context)
    return batch_answer(process_each(event["Records"], lambda record: _is_done(record, function, is_time_left)))


def _is_done(record: Record, function: CsvTrigger, is_time_left: IsTimeLeft) -> bool:
    hold(record, function)
    try:
        return load_part(record, function, is_time_left) if is_part(record) else register_files(record, function)
    except UnavailableError as error:
        logger().error("unavailable", code=LogCode.CSV_RETURNED, cause=str(error))
        retry_later(record, backoff(record), function)
        return False


def _deadline(context: Any) -> IsTimeLeft:
    reserved = min(context.get_remaining_time_in_millis() // _RESERVED, _MAX_RESERVED_MILLISECONDS)
    return lambda: context.get_remaining_time_in_millis() > reserved


lambda_handler = entry_point(compose, handle)
