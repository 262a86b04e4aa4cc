"""Reports of CSV jobs."""

from typing import Any

import msgspec

from afluente.application.csv.faults import JobFailure
from afluente.application.csv.jobs import CsvJob, JobStatus
from afluente.application.csv.progress import FIRST_OF_EACH, PartProgress, ShownRow


class ErrorReport(msgspec.Struct, frozen=True):
    """An error of rows, its count, and the first of them."""

    code: str
    count: int
    first: tuple[ShownRow, ...]


class JobReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job for people; times are Unix seconds, and unknown fields are left out."""

    job_id: str
    status: JobStatus
    domain: str
    source_id: str
    file: str
    created_at: float
    updated_at: float
    rows_read: int
    points_queued: int
    rows_rejected: int
    bytes_done: int
    bytes_total: int | None = None
    streams: dict[str, int]
    first_timestamp: float | None = None
    last_timestamp: float | None = None
    errors: tuple[ErrorReport, ...]
    started_at: float | None = None
    finished_at: float | None = None
    reason: JobFailure | None = None
    duplicate_of: str | None = None
    options: dict[str, Any] = {}
    options_from: str | None = None
    rejects_url: str | None = None


def report(job: CsvJob, *, rejects_url: str | None = None) -> JobReport:
    """Report a job.

    Args:
        job: to report.
        rejects_url: URL of its rejected rows.
    """
    parts = job.parts or (PartProgress(),)
    # Each part reads all rows, and queues the points of its own streams.
    slowest = min(parts, key=lambda part: part.bytes_done)
    size = job.version_of_file.size if job.version_of_file else None
    return JobReport(
        job_id=job.job_id,
        status=job.status,
        domain=job.domain,
        source_id=job.source_id,
        file=job.file,
        created_at=job.created_at,
        updated_at=job.updated_at,
        rows_read=slowest.rows_read,
        points_queued=sum(part.points for part in parts),
        rows_rejected=sum(part.rows_rejected for part in parts),
        bytes_done=slowest.bytes_done,
        bytes_total=size,
        streams={name: points for part in parts for name, points in part.streams.items()},
        first_timestamp=min((part.first_timestamp for part in parts if part.first_timestamp is not None), default=None),
        last_timestamp=max((part.last_timestamp for part in parts if part.last_timestamp is not None), default=None),
        errors=_errors(parts),
        started_at=job.started_at,
        finished_at=job.finished_at,
        reason=job.reason,
        duplicate_of=job.duplicate_of,
        options=job.options if job.used is None else job.used,
        options_from=job.options_from,
        rejects_url=rejects_url,
    )


def _errors(parts: tuple[PartProgress, ...]) -> tuple[ErrorReport, ...]:
    counts: dict[str, int] = {}
    first: dict[str, list[ShownRow]] = {}
    for part in parts:
        for code, errors in part.errors.items():
            counts[code] = counts.get(code, 0) + errors.count
            first.setdefault(code, []).extend(errors.first)
    return tuple(
        ErrorReport(code, count, tuple(sorted(first[code], key=lambda row: row.line)[:FIRST_OF_EACH]))
        for code, count in sorted(counts.items(), key=lambda item: -item[1])
    )
