"""Composition of the store of CSV jobs, which two functions share."""

from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter

_DAY_SECONDS = 24 * 3600


def csv_job_store(table: str, *, retention_days: int) -> DynamoCsvJobs:
    """Build the store of CSV jobs, each of which is kept for some days."""
    retention_seconds = retention_days * _DAY_SECONDS
    return DynamoCsvJobs(client("dynamodb"), table, retention_seconds=retention_seconds, sleep=sleep_with_jitter)
