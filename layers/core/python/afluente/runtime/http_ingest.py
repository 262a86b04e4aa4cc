"""Composition of `http_ingest`."""

import os
from functools import cache

import msgspec

from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.adapters.aws.s3_csv_uploads import PRESIGNING, S3CsvUploads
from afluente.application.csv.ports import CsvJobStore, CsvUploads
from afluente.application.csv.registry import JobRegistry
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.limits.rate_limits import RateLimits
from afluente.migration.application.sensors import SensorLookup
from afluente.runtime.clients import client
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.limiting import rate_limits
from afluente.runtime.migration.sensors import sensor_lookup
from afluente.runtime.settings import HttpIngestSettings

_DAY_SECONDS = 24 * 3600


class CsvIngest(msgspec.Struct, frozen=True):
    """What `http_ingest` works with for CSV files."""

    jobs: JobRegistry
    store: CsvJobStore
    uploads: CsvUploads


class HttpIngest(msgspec.Struct, frozen=True):
    """What `http_ingest` works with."""

    settings: HttpIngestSettings
    accept: AcceptPoints
    csv: CsvIngest
    sensors: SensorLookup
    limits: RateLimits


@cache
def http_ingest() -> HttpIngest:
    """Build `http_ingest`."""
    settings = HttpIngestSettings.read(os.environ)
    accept = accept_points(settings, s3_quarantine(settings))
    sensors = sensor_lookup(settings.migration_table, ttl_seconds=settings.sensors_ttl_seconds)
    return HttpIngest(settings, accept, _csv_ingest(settings), sensors, rate_limits(settings, sleep_with_jitter))


def _csv_ingest(settings: HttpIngestSettings) -> CsvIngest:
    store = DynamoCsvJobs(
        client("dynamodb"),
        settings.csv_jobs_table,
        retention_seconds=settings.csv_job_retention_days * _DAY_SECONDS,
        sleep=sleep_with_jitter,
    )
    uploads = S3CsvUploads(client("s3", config=PRESIGNING), settings.csv_bucket)
    return CsvIngest(JobRegistry(store=store, domains=settings.domains), store, uploads)
