"""Log and metrics of jobs."""

from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.runtime.core.observability import LogCode, Metric, count, logger


def report_end(job: CsvJob) -> None:
    """Log and count the end of a job, if it has ended."""
    if not job.status.is_final:
        return
    reason = job.reason.code if job.reason else None
    logger().info("job ended", code=LogCode.CSV_JOB_ENDED, job_id=job.job_id, status=job.status, reason=reason)
    count(
        {
            Metric.CSV_JOBS_COMPLETE: int(job.status is JobStatus.COMPLETE),
            Metric.CSV_JOBS_FAILED: int(job.status is JobStatus.FAILED),
        }
    )
