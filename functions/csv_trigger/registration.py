"""Registration of the files that S3 notifies of."""

import time

from afluente.adapters.aws.s3_events import NoNotificationError, dropped_files
from afluente.application.csv.files import is_option_file
from afluente.application.csv.jobs import JobStatus
from afluente.runtime.core.observability import LogCode, logger
from afluente.runtime.csv_trigger import CsvTrigger
from csv_trigger.messages import Record, quarantine
from csv_trigger.reporting import report_end


def register_files(record: Record, function: CsvTrigger) -> bool:
    """Make jobs of the files of a notification; one that is none is quarantined.

    Returns:
        True: nothing is left to do.

    Raises:
        UnavailableError: a file is not registered; registering it again is safe.
    """
    try:
        files = dropped_files(record["body"])
    except NoNotificationError as error:
        quarantine(record, error, function)
        return True
    for file in files:
        if is_option_file(file.key):
            continue
        job = function.jobs.register(
            file, time.time(), options=function.options, queue=function.queue, uploads=function.uploads
        )
        logger().info(
            "file registered", code=LogCode.CSV_JOB_REGISTERED, job_id=job.job_id, key=file.key, status=job.status
        )
        if job.status is JobStatus.FAILED:
            report_end(job)
    return True
