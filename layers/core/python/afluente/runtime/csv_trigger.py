"""Composition of `csv_trigger`."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import msgspec
from pydantic import Field

from afluente.adapters.aws.dynamodb_api_keys import DynamoApiKeys
from afluente.adapters.aws.dynamodb_slots import DynamoSlots
from afluente.adapters.aws.s3_csv_options import BucketOptions
from afluente.adapters.aws.sqs_bulk_packs import SqsBulkQueue
from afluente.adapters.aws.sqs_csv_jobs import SqsJobQueue
from afluente.adapters.aws.sqs_packs import SqsRetryBackoff
from afluente.application.csv.load_file import LoadCsv
from afluente.application.csv.pacing import PacedPacks
from afluente.application.csv.ports import CsvJobStore, JobQueue, OptionsReader
from afluente.application.csv.registry import JobRegistry
from afluente.application.csv.upload_checks import UploadChecks
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.bulk_slots import bulk_slots
from afluente.runtime.core.clients import client
from afluente.runtime.core.jitter import sleep_with_jitter
from afluente.runtime.core.settings import AcceptingSettings, LimitedSettings
from afluente.runtime.csv_jobs import csv_job_store
from afluente.runtime.ingest import s3_quarantine
from afluente.runtime.limiting import rate_limits

# One reads ranges, one reads chunks of them, and a read that timed out may still be running.
_THREADS = 4


class CsvTriggerSettings(AcceptingSettings, LimitedSettings):
    """Settings of `csv_trigger`."""

    access_table: str
    csv_bucket: str
    csv_jobs_table: str
    csv_jobs_queue_url: str
    csv_slots_table: str
    csv_inbox_queue_url: str = ""
    csv_held_seconds: int = Field(default=0, ge=0)
    csv_split_bytes: int = Field(default=256 * 1024 * 1024, ge=1)
    csv_parts: int = Field(default=4, ge=1, le=16)
    csv_tenant_concurrency: int = Field(default=5, ge=1)
    csv_timeout_seconds: int = Field(default=240, ge=1)
    csv_job_retention_days: int = Field(default=90, ge=1)


class CsvTrigger(msgspec.Struct, frozen=True):
    """Ports and use cases of `csv_trigger`.

    Attributes:
        jobs: registers files as jobs.
        options: reads the option files beside a file.
        queue: holds the parts of jobs.
        uploads: checks files that clients have uploaded.
        quarantine: keeps messages of which nothing can be made.
        loader: gives the use case that loads files; the first call imports pandas.
        retry_later: has a message of a part retried after some seconds, by its receipt handle.
        retry_file_later: has a notification of files retried after some seconds, by its receipt handle.
        held_seconds: time for which an invocation hides a message that it begins; 0 for that of the queue.
    """

    jobs: JobRegistry
    options: OptionsReader
    queue: JobQueue
    uploads: UploadChecks
    quarantine: Quarantine
    loader: Callable[[], LoadCsv]
    retry_later: Callable[[str, int], None]
    retry_file_later: Callable[[str, int], None]
    held_seconds: int = 0


def compose(environment: Mapping[str, str]) -> CsvTrigger:
    """Build `csv_trigger`."""
    settings = CsvTriggerSettings.read(environment)
    store = csv_job_store(settings.csv_jobs_table, retention_days=settings.csv_job_retention_days)
    queue = SqsJobQueue(client("sqs"), settings.csv_jobs_queue_url)
    return CsvTrigger(
        jobs=JobRegistry(store=store, domains=settings.domains),
        options=BucketOptions(client("s3"), settings.csv_bucket),
        queue=queue,
        uploads=UploadChecks(DynamoApiKeys(client("dynamodb"), settings.access_table), rate_limits(settings)),
        quarantine=s3_quarantine(settings),
        loader=cache(lambda: _loader(settings, store, queue)),
        retry_later=SqsRetryBackoff(client("sqs"), settings.csv_jobs_queue_url).after,
        retry_file_later=SqsRetryBackoff(client("sqs"), settings.csv_inbox_queue_url).after,
        held_seconds=settings.csv_held_seconds,
    )


def _loader(settings: CsvTriggerSettings, store: CsvJobStore, queue: JobQueue) -> LoadCsv:
    # pandas takes a second or more to import, and registering a job does without it.
    from afluente.adapters.aws.s3_csv_files import BucketCsvFiles  # noqa: PLC0415

    files = BucketCsvFiles(
        client("s3"),
        settings.csv_bucket,
        executor=ThreadPoolExecutor(_THREADS),
        split_bytes=settings.csv_split_bytes,
        parts=settings.csv_parts,
        clock=time.time,
    )
    packs = PacedPacks(
        queue=SqsBulkQueue(client("sqs"), settings.datapoints_queue_url),
        slots=bulk_slots(settings.csv_slots_table),
        shards=settings.shards,
        max_points=settings.max_pack_points,
        sleep=sleep_with_jitter,
        clock=time.time,
    )
    shares = DynamoSlots(
        client("dynamodb"),
        settings.csv_slots_table,
        limit=settings.csv_tenant_concurrency,
        lease_seconds=settings.csv_timeout_seconds,
        clock=time.time,
    )
    return LoadCsv(store=store, files=files, queue=queue, packs=packs, shares=shares, clock=time.time)
