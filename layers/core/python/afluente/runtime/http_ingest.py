"""Composition of `http_ingest`."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from pydantic import Field

from afluente.adapters.aws.s3_csv_uploads import PRESIGNING, S3CsvUploads
from afluente.adapters.http.client_address import Front
from afluente.application.csv.ports import CsvJobStore, CsvUploads
from afluente.application.csv.registry import JobRegistry
from afluente.application.ingest.accept_points import AcceptPoints
from afluente.application.limits.rate_limits import RateLimits
from afluente.runtime.core.clients import client
from afluente.runtime.core.settings import AcceptingSettings, HttpSettings, OptionalDate
from afluente.runtime.csv_jobs import csv_job_store
from afluente.runtime.front import front
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.limiting import rate_limits

if TYPE_CHECKING:
    from afluente.migration.application.sensors import SensorLookup


class HttpIngestSettings(AcceptingSettings, HttpSettings):
    """Settings of `http_ingest`."""

    enable_agnostic_api: bool = True
    enable_csv_ingest: bool = True
    enable_legacy_api: bool = True
    old_clients_deprecated_on: OptionalDate = None
    old_clients_sunset_on: OptionalDate = None
    old_clients_guide_url: str = ""
    migration_table: str = ""
    sensors_ttl_seconds: float = Field(default=60, ge=0)
    csv_bucket: str = ""
    csv_jobs_table: str = ""
    csv_job_retention_days: int = Field(default=90, ge=1)


class CsvIngest(msgspec.Struct, frozen=True):
    """Ports and use cases of `http_ingest` for CSV files."""

    jobs: JobRegistry
    store: CsvJobStore
    uploads: CsvUploads


class HttpIngest(msgspec.Struct, frozen=True):
    """Ports and use cases of `http_ingest`.

    Attributes:
        settings: of the function.
        accept: queues points.
        csv: jobs of files.
        sensors: gives the sensors of the legacy service; the first call loads the migration wing.
        limits: of requests and points.
        front: of the stage, if it has one.
    """

    settings: HttpIngestSettings
    accept: AcceptPoints
    csv: CsvIngest
    sensors: "Callable[[], SensorLookup]"
    limits: RateLimits
    front: Front | None


def compose(environment: Mapping[str, str]) -> HttpIngest:
    """Build `http_ingest`."""
    settings = HttpIngestSettings.read(environment)
    return HttpIngest(
        settings=settings,
        accept=accept_points(settings, s3_quarantine(settings)),
        csv=_csv_ingest(settings),
        sensors=cache(lambda: _sensors(settings)),
        limits=rate_limits(settings),
        front=front(settings.front_secrets),
    )


def _csv_ingest(settings: HttpIngestSettings) -> CsvIngest:
    store = csv_job_store(settings.csv_jobs_table, retention_days=settings.csv_job_retention_days)
    uploads = S3CsvUploads(client("s3", config=PRESIGNING), settings.csv_bucket)
    return CsvIngest(JobRegistry(store=store, domains=settings.domains), store, uploads)


def _sensors(settings: HttpIngestSettings) -> "SensorLookup":
    from afluente.runtime.migration.sensors import sensor_lookup  # noqa: PLC0415

    return sensor_lookup(settings.migration_table, ttl_seconds=settings.sensors_ttl_seconds)
