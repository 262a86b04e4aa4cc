"""Composition of `csv_trigger`: apart from the other functions, whose layers lack the libraries that it needs."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import msgspec

from afluente.adapters.aws.dynamodb_csv_jobs import DynamoCsvJobs
from afluente.adapters.aws.s3_csv_options import BucketOptions
from afluente.adapters.aws.sqs_csv_jobs import SqsJobQueue
from afluente.adapters.aws.sqs_packs import SqsRetryBackoff
from afluente.application.csv.load_file import LoadCsv
from afluente.application.csv.ports import CsvJobStore, JobQueue, OptionsReader
from afluente.application.csv.registry import JobRegistry
from afluente.application.ingest.ports import Quarantine
from afluente.runtime.clients import client
from afluente.runtime.ingest import accept_points, s3_quarantine
from afluente.runtime.jitter import sleep_with_jitter
from afluente.runtime.settings import CsvTriggerSettings

# One reads ranges, one reads chunks of them, and what was given up may still be at it.
_THREADS = 4
_DAY_SECONDS = 24 * 3600


class CsvRegistrar(msgspec.Struct, frozen=True):
    """What `csv_trigger` begins jobs with."""

    jobs: JobRegistry
    options: OptionsReader
    queue: JobQueue
    quarantine: Quarantine


class CsvReader(msgspec.Struct, frozen=True):
    """What `csv_trigger` reads files with, and gives messages back with: by receipt, to come again after seconds."""

    read: LoadCsv
    give_back: Callable[[str, int], None]


@cache
def csv_registrar() -> CsvRegistrar:
    """Build what begins jobs."""
    settings = _settings()
    return CsvRegistrar(
        jobs=JobRegistry(store=_store(settings), domains=settings.domains),
        options=BucketOptions(client("s3"), settings.csv_bucket),
        queue=SqsJobQueue(client("sqs"), settings.csv_jobs_queue_url),
        quarantine=s3_quarantine(settings),
    )


@cache
def csv_reader() -> CsvReader:
    """Build what reads files."""
    # pandas takes a second or more to import, and to begin a job does without it.
    from afluente.adapters.aws.s3_csv_files import BucketCsvFiles  # noqa: PLC0415

    settings = _settings()
    sqs = client("sqs")
    files = BucketCsvFiles(
        client("s3"),
        settings.csv_bucket,
        executor=ThreadPoolExecutor(_THREADS),
        split_bytes=settings.csv_split_bytes,
        parts=settings.csv_parts,
        clock=time.time,
    )
    read = LoadCsv(
        store=_store(settings),
        files=files,
        queue=SqsJobQueue(sqs, settings.csv_jobs_queue_url),
        accept=accept_points(settings, s3_quarantine(settings)),
        clock=time.time,
    )
    return CsvReader(read, SqsRetryBackoff(sqs, settings.csv_jobs_queue_url).after)


@cache
def _settings() -> CsvTriggerSettings:
    return CsvTriggerSettings.read(os.environ)


def _store(settings: CsvTriggerSettings) -> CsvJobStore:
    retention = settings.csv_job_retention_days * _DAY_SECONDS
    return DynamoCsvJobs(
        client("dynamodb"), settings.csv_jobs_table, retention_seconds=retention, sleep=sleep_with_jitter
    )
