"""Client of the API of CSV jobs."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import msgspec

from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from cli.access.api_key import key_for
from cli.core.api import Api, Query
from cli.core.output import err
from cli.core.progress import show_wait
from cli.core.retry import Retry
from cli.core.target import Target

PATH = "/ingest/csv"

_PAGE = 100


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """Announcement of a file: it is uploaded next."""

    domain: str
    source_id: str
    file: str
    size: int
    options: dict[str, Any] = {}


class Renewal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Request for new addresses of an upload."""

    size: int
    upload_id: str | None = None


class WholeUpload(msgspec.Struct, frozen=True, tag_field="method", tag="PUT"):
    """An upload of a file as one."""

    url: str


class MultipartUpload(msgspec.Struct, frozen=True, tag_field="method", tag="multipart"):
    """An upload in parts, each of `part_bytes` but the last."""

    upload_id: str
    part_bytes: int
    part_urls: tuple[str, ...]
    complete_url: str
    abort_url: str


class Announced(msgspec.Struct, frozen=True):
    """The job of an announced file, and its upload."""

    job_id: str
    upload: WholeUpload | MultipartUpload


class _Next(msgspec.Struct, frozen=True):
    before: float | str


class _Page(msgspec.Struct, frozen=True):
    jobs: tuple[JobReport, ...]
    next: _Next | None = None


class CsvApi(Api):
    """Client of CSV jobs; open for a block."""

    timeout = httpx.Timeout(30.0, connect=10.0)
    hints: ClassVar[Mapping[int, str]] = {
        HTTPStatus.UNAUTHORIZED: "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
        HTTPStatus.FORBIDDEN: "the key is unknown, revoked, expired or not for this source; see 'afluente keys list'",
        HTTPStatus.NOT_FOUND: "'afluente csv jobs' shows which jobs there are",
    }
    max_shown_faults = None

    def announce(self, announcement: Announcement) -> Announced:
        """Create the job of a file that is uploaded next.

        Raises:
            CommandError: the service refuses it, or does not answer; so for all that follow.
        """
        return self.ask("POST", f"{PATH}/uploads", "take the file", Announced, Query(body=announcement))

    def go_on(self, announced: Announced, size: int) -> Announced:
        """New addresses for an upload in parts of a file of that size, once the old ones have expired."""
        upload_id = announced.upload.upload_id if isinstance(announced.upload, MultipartUpload) else None
        path = f"{_of_job(announced.job_id)}/upload"
        return self.ask("POST", path, "go on with the upload", Announced, Query(body=Renewal(size, upload_id)))

    def job(self, job_id: str) -> JobReport:
        """A job with its progress."""
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
        """Cancel a job."""
        return self.ask("DELETE", _of_job(job_id), "cancel the job", JobReport, retry=retry)


def csv_api(target: Target, key: str | None) -> CsvApi:
    """The API of CSV jobs of a deployment; waiting is shown on standard error.

    Args:
        target: the deployment.
        key: that the user gave.

    Raises:
        CommandError: the deployment takes no CSV files, or a key is needed.
    """
    if not target.is_api_alone:
        _ = target.csv_bucket
    return CsvApi.of(target, key_for(target, key), retry=Retry(partial(show_wait, err())))


def _of_job(job_id: str) -> str:
    return f"{PATH}/{quote(job_id, safe='')}"
