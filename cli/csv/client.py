"""The API of CSV jobs."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import msgspec

from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from cli.core.api import Api, Query
from cli.core.retry import Retry

PATH = "/ingest/csv"

_PAGE = 100


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that is to be uploaded."""

    domain: str
    source_id: str
    file: str
    size: int
    options: dict[str, Any] = {}


class Renewal(msgspec.Struct, frozen=True, omit_defaults=True):
    """An upload that is to go on by new addresses."""

    size: int
    upload_id: str | None = None


class WholeUpload(msgspec.Struct, frozen=True, tag_field="method", tag="PUT"):
    """A file goes up as one."""

    url: str


class MultipartUpload(msgspec.Struct, frozen=True, tag_field="method", tag="multipart"):
    """A file goes up in parts, each of `part_bytes` but the last."""

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]
    complete_url: str
    abort_url: str


class Announced(msgspec.Struct, frozen=True):
    """The job of a file that is to be uploaded, and how it is to be."""

    job_id: str
    upload: WholeUpload | MultipartUpload


class _Next(msgspec.Struct, frozen=True):
    before: float | str


class _Page(msgspec.Struct, frozen=True):
    jobs: tuple[JobReport, ...]
    next: _Next | None = None


class CsvApi(Api):
    """Begins, shows and ends CSV jobs; open for a block."""

    timeout = httpx.Timeout(30.0, connect=10.0)
    hints: ClassVar[Mapping[int, str]] = {
        HTTPStatus.UNAUTHORIZED: "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
        HTTPStatus.FORBIDDEN: "the key is unknown, revoked, expired or not for this source; see 'afluente keys list'",
        HTTPStatus.NOT_FOUND: "'afluente csv jobs' shows which jobs there are",
    }
    max_shown_faults = None

    def announce(self, announcement: Announcement) -> Announced:
        """Begin a job of a file that is still to be uploaded.

        Raises:
            CommandError: it is refused, or the service does not answer; so for all that follow.
        """
        return self.ask("POST", f"{PATH}/uploads", "take the file", Announced, Query(body=announcement))

    def go_on(self, announced: Announced, size: int) -> Announced:
        """New addresses for an upload in parts of a file of that size, once the old ones have expired."""
        upload_id = announced.upload.upload_id if isinstance(announced.upload, MultipartUpload) else None
        path = f"{_of_job(announced.job_id)}/upload"
        return self.ask("POST", path, "go on with the upload", Announced, Query(body=Renewal(size, upload_id)))

    def job(self, job_id: str) -> JobReport:
        """How far a job is."""
        return self.ask("GET", _of_job(job_id), "show the job", JobReport)

    def jobs(
        self, *, domain: str | None, source_id: str | None, status: JobStatus | None, limit: int
    ) -> Sequence[JobReport]:
        """The newest jobs."""
        wanted = {"domain": domain, "source_id": source_id, "status": status}
        found: list[JobReport] = []
        before: float | str | None = None
        while len(found) < limit:
            fields = {**wanted, "before": before, "limit": min(_PAGE, limit - len(found))}
            page = self.ask("GET", PATH, "list the jobs", _Page, Query(fields))
            found += page.jobs
            if page.next is None:
                break
            before = page.next.before
        return found[:limit]

    def cancel(self, job_id: str, *, retry: Retry | None = None) -> JobReport:
        """End a job before its time."""
        return self.ask("DELETE", _of_job(job_id), "cancel the job", JobReport, retry=retry)


def _of_job(job_id: str) -> str:
    return f"{PATH}/{quote(job_id, safe='')}"
