"""The API of CSV jobs."""

from collections.abc import Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from afluente.application.csv_jobs import JobStatus
from afluente.application.csv_reports import JobReport
from cli.csv_jobs.patient import Patience
from cli.errors import CommandError

PATH = "/ingest/csv"

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_PAGE = 100
_WAYS_OUT: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "give a key with --key or AFLUENTE_API_KEY; 'afluente keys create' makes one",
    HTTPStatus.FORBIDDEN: "the key is unknown, revoked, expired or not for this source; see 'afluente keys list'",
    HTTPStatus.NOT_FOUND: "'afluente csv jobs' shows which jobs there are",
}


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


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    field: str = ""
    message: str = ""


class _Problem(msgspec.Struct, frozen=True):
    """A problem of RFC 9457; API Gateway's own errors have a `message` alone."""

    title: str = ""
    detail: str = ""
    message: str = ""
    errors: tuple[_Error, ...] = ()


Answered = TypeVar("Answered")


class CsvApi:
    """Begins, shows and ends CSV jobs; open for a block.

    Args:
        api_url: base of the HTTP API.
        key: an API key.
        use_proxies: whether the user's proxy settings count; not for the local stack.
        patience: how long to try.
    """

    def __init__(self, api_url: str, key: str, *, use_proxies: bool, patience: Patience | None = None) -> None:
        headers = {"X-API-Key": key, "User-Agent": "afluente-cli"}
        self._client = httpx.Client(base_url=api_url, headers=headers, timeout=_TIMEOUT, trust_env=use_proxies)
        self._patience = patience or Patience()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def announce(self, announcement: Announcement) -> Announced:
        """Begin a job of a file that is still to be uploaded.

        Raises:
            CommandError: it is refused, or the service does not answer; so for all that follow.
        """
        return self._ask("POST", "/uploads", "take the file", Announced, body=announcement)

    def go_on(self, announced: Announced, size: int) -> Announced:
        """New addresses for an upload in parts of a file of that size, once the old ones have expired."""
        upload_id = announced.upload.upload_id if isinstance(announced.upload, MultipartUpload) else None
        path = f"/{quote(announced.job_id, safe='')}/upload"
        return self._ask("POST", path, "go on with the upload", Announced, body=Renewal(size, upload_id))

    def job(self, job_id: str) -> JobReport:
        """How far a job is."""
        return self._ask("GET", f"/{quote(job_id, safe='')}", "show the job", JobReport)

    def jobs(
        self, *, domain: str | None, source_id: str | None, status: JobStatus | None, limit: int
    ) -> Sequence[JobReport]:
        """The newest jobs."""
        chosen = {"domain": domain, "source_id": source_id, "status": status}
        wanted = {name: str(value) for name, value in chosen.items() if value is not None}
        found: list[JobReport] = []
        before: dict[str, str] = {}
        while len(found) < limit:
            query = {**wanted, **before, "limit": str(min(_PAGE, limit - len(found)))}
            page = self._ask("GET", "", "list the jobs", _Page, query=query)
            found += page.jobs
            if page.next is None:
                break
            before = {"before": str(page.next.before)}
        return found[:limit]

    def cancel(self, job_id: str, *, patience: Patience | None = None) -> JobReport:
        """End a job before its time."""
        path = f"/{quote(job_id, safe='')}"
        return self._ask("DELETE", path, "cancel the job", JobReport, patience=patience)

    def _ask(
        self,
        method: str,
        path: str,
        what: str,
        kind: type[Answered],
        *,
        query: dict[str, str] | None = None,
        body: Announcement | Renewal | None = None,
        patience: Patience | None = None,
    ) -> Answered:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        response = (patience or self._patience).answer(
            lambda: self._client.request(method, PATH + path, params=query, content=content, headers=headers), what
        )
        if not response.is_success:
            raise _refusal(response, what)
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            message = f"the service answered {response.status_code} with something unreadable: {error}"
            raise CommandError(message) from None


def _refusal(response: httpx.Response, what: str) -> CommandError:
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem()
    said = problem.detail or problem.title or problem.message
    lines = [
        f"the service did not {what}: {response.status_code} {response.reason_phrase}{f': {said}' if said else ''}"
    ]
    for error in problem.errors:
        field = f"{error.field}: " if error.field else ""
        lines.append(f"  {field}{error.message}{f' ({error.code})' if error.code else ''}")
    return CommandError("\n".join(lines), way_out=_WAYS_OUT.get(response.status_code, ""))
