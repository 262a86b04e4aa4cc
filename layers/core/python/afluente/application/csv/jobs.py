"""CSV jobs: one for each version of a file, from its announcement until every row is accounted for."""

import re
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from afluente.application.access.grants import OPERATOR
from afluente.application.csv.faults import JobFailure
from afluente.application.csv.files import FileVersion
from afluente.application.csv.progress import PartProgress

_END_OF_BEGINNING = re.compile(r"[-_.:]")


class JobStatus(StrEnum):
    """Status of a job."""

    AWAITING_UPLOAD = "awaiting_upload"
    QUEUED = "queued"
    READING = "reading"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"

    @property
    def is_final(self) -> bool:
        """True once the job has ended."""
        return self in {JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.DUPLICATE}


class CsvJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job.

    Attributes:
        job_id: the same for the same version of a file.
        domain, source_id: of its points.
        file: its name.
        status: of the job.
        created_at, updated_at, started_at, finished_at: in Unix seconds.
        created_by: id of the API key that asked for it; None for a file that was dropped.
        tenant: owner of that key.
        upload_keys: ids of the API keys that got URLs to upload the file to.
        counted_bytes: bytes of the file that were admitted before it came.
        version_of_file: the file; None until it is there.
        options: as they were given.
        options_from: where they were given.
        layout: of the file, for the port that reads it.
        used: the options in force: given, and inferred.
        parts: progress of each part.
        reason: why it failed.
        duplicate_of: the job that has read the same content.
        rejects_key: key of the file of its rejected rows.
        looks: attempts at the first look at the file.
        version: counts the changes of all but the parts.
    """

    job_id: str
    domain: str
    source_id: str
    file: str
    status: JobStatus
    created_at: float
    updated_at: float
    created_by: str | None = None
    tenant: str | None = None
    upload_keys: tuple[str, ...] = ()
    counted_bytes: int = 0
    version_of_file: FileVersion | None = None
    options: dict[str, Any] = {}
    options_from: str | None = None
    layout: dict[str, Any] | None = None
    used: dict[str, Any] | None = None
    parts: tuple[PartProgress, ...] = ()
    reason: JobFailure | None = None
    duplicate_of: str | None = None
    rejects_key: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    looks: int = 0
    version: int = 0

    @property
    def owner(self) -> str:
        """The tenant of the job, or the sources of its domain whose ids begin alike.

        A file that was dropped names no tenant, and the operators' keys send for anybody. Tenants are told apart by
        the beginnings of their source ids, so files of two of them rarely have one owner.
        """
        if self.tenant is not None and self.tenant != OPERATOR:
            return self.tenant
        return f"{self.domain}/{_END_OF_BEGINNING.split(self.source_id, maxsplit=1)[0]}"

    @property
    def content_id(self) -> str | None:
        """The same for jobs that would queue the same points; None if duplicates are allowed, or no file is there."""
        file = self.version_of_file
        if file is None or self.options.get("allow_duplicate"):
            return None
        options = msgspec.json.encode(self.options, order="sorted").decode()
        identity = f"{file.etag}\n{file.size}\n{self.domain}/{self.source_id}\n{options}"
        return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()

    def ended(self, status: JobStatus, now: float, **changes: Any) -> "CsvJob":
        """The job with a final status, and other changes."""
        return msgspec.structs.replace(self, status=status, updated_at=now, finished_at=now, **changes)
