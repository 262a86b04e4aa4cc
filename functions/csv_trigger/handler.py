"""CSV files: those that S3 tells of become jobs, and parts of jobs are read until they end or time runs out."""

import time
from collections.abc import Callable
from typing import Any

from afluente.adapters.aws.s3_events import NoNotificationError, dropped_files, unusable
from afluente.adapters.aws.sqs_csv_jobs import NoPartError, part_to_read
from afluente.adapters.aws.sqs_packs import backoff_seconds
from afluente.application.csv.files import is_option_file
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.load_file import PartOutcome, PartResult
from afluente.application.errors import UnavailableError
from afluente.runtime.csv_trigger import csv_reader, csv_registrar
from afluente.runtime.observability import LogCode, Metric, count, invocation, logger

Record = dict[str, Any]

# What an invocation keeps back to end in good order: a quarter of its time, half a minute at the most.
_KEPT_BACK = 4
_KEPT_BACK_MILLISECONDS = 30_000


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take the messages of an event of either queue; answers which of them are to come again."""
    left: Callable[[], int] = context.get_remaining_time_in_millis
    kept_back = min(left() // _KEPT_BACK, _KEPT_BACK_MILLISECONDS)
    returned = []
    with invocation(context):
        for record in event["Records"]:
            is_part = record["eventSourceARN"].endswith(".fifo")
            try:
                is_done = _read(record, lambda: left() > kept_back) if is_part else _register(record)
            except UnavailableError as error:
                logger().error("unavailable", code=LogCode.CSV_RETURNED, cause=str(error))
                if is_part:
                    _come_again(record, _backoff(record))
                is_done = False
            if not is_done:
                returned.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": returned}


def _register(record: Record) -> bool:
    try:
        files = dropped_files(record["body"])
    except NoNotificationError as error:
        _keep(record, error)
        return True
    function = csv_registrar()
    for file in files:
        if is_option_file(file.key):
            continue
        job = function.jobs.register(file, time.time(), options=function.options, queue=function.queue)
        logger().info("file taken", code=LogCode.CSV_JOB_REGISTERED, job_id=job.job_id, key=file.key, status=job.status)
        if job.status is JobStatus.FAILED:
            _tell_end(job)
    return True


def _keep(record: Record, error: Exception) -> None:
    """Put a message into quarantine that nothing can be done with."""
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    message = unusable(record["body"], error, message_id=record["messageId"], sent_at=sent_at)
    csv_registrar().quarantine.put(message)
    logger().error("message quarantined", code=LogCode.MESSAGE_QUARANTINED, cause=str(error))
    count({Metric.MESSAGES_QUARANTINED: 1})


def _read(record: Record, is_time_left: Callable[[], bool]) -> bool:
    try:
        message = part_to_read(record["body"])
    except NoPartError as error:
        _keep(record, error)
        return True
    reading = csv_reader().read(message.job_id, message.part, is_time_left=is_time_left)
    count({Metric.POINTS_ACCEPTED: reading.points, Metric.CSV_ROWS_REJECTED: reading.rejected})
    match reading.outcome:
        case PartOutcome.PAUSED:
            _tell_pause(reading, message.part)
            _come_again(record, 0)
            return False
        case PartOutcome.WAITING:
            _come_again(record, _backoff(record))
            return False
        case PartOutcome.ENDED:
            _tell_end(reading.job)
    return True


def _come_again(record: Record, seconds: int) -> None:
    try:
        csv_reader().give_back(record["receiptHandle"], seconds)
    except UnavailableError as error:
        # It comes again all the same, after the visibility timeout.
        logger().warning("visibility unchanged", code=LogCode.CSV_RETURNED, cause=str(error))


def _backoff(record: Record) -> int:
    received = int(record["attributes"]["ApproximateReceiveCount"])
    return backoff_seconds(received)


def _tell_pause(reading: PartResult, part: int) -> None:
    job_id = reading.job.job_id if reading.job else None
    logger().info("goes on", code=LogCode.CSV_PART_PAUSED, job_id=job_id, part=part, points=reading.points)


def _tell_end(job: CsvJob | None) -> None:
    if job is None or not job.status.is_final:
        return
    reason = job.reason.code if job.reason else None
    logger().info("job ended", code=LogCode.CSV_JOB_ENDED, job_id=job.job_id, status=job.status, reason=reason)
    count(
        {
            Metric.CSV_JOBS_COMPLETE: int(job.status is JobStatus.COMPLETE),
            Metric.CSV_JOBS_FAILED: int(job.status is JobStatus.FAILED),
        }
    )
