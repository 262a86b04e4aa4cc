"""Forms that the service reads or writes field by field, as records; tests hold them to the readers and the answers."""

from typing import Any, Literal

import msgspec

from afluente.application.csv_jobs import JobStatus
from afluente.application.csv_reports import JobReport


class Announcement(msgspec.Struct):
    """A file that is still to be uploaded.

    Attributes:
        file: the name of the file; of a path the last part counts.
        domain: of its points; may be said by the header X-Domain.
        source_id: of its points; may be said by the header X-Source-ID. A file has to name its source.
        size: of the file, in bytes. If it is given, the URL takes a file of just that size.
        options: how the file is to be read; options may also be fields of their own.
    """

    file: str
    domain: str | None = None
    source_id: str | None = None
    size: int | None = None
    options: dict[str, Any] | None = None


class Renewal(msgspec.Struct):
    """An upload whose URLs have expired.

    Attributes:
        size: of the whole file, in bytes; required with an upload_id.
        upload_id: of the upload, where it goes in parts.
    """

    size: int | None = None
    upload_id: str | None = None


class UploadAtOnce(msgspec.Struct):
    """A URL that takes the whole file.

    Attributes:
        method: of the request that uploads it.
        url: takes the file without a key.
        expires_at: until when, in Unix seconds; in an account it may end sooner, with the credentials that signed it.
    """

    method: Literal["PUT"]
    url: str
    expires_at: float


class UploadInParts(msgspec.Struct):
    """URLs that take the parts of a file.

    Attributes:
        method: says that the file goes in parts.
        upload_id: names the upload once its URLs have expired.
        part_bytes: the size of every part but the last.
        part_urls: a URL for each part, in their order: PUT the part, and keep the header ETag of the answer.
        complete_url: POST the list of the parts to it once all are up.
        abort_url: DELETE it to give the upload up.
        expires_at: until when, in Unix seconds.
    """

    method: Literal["multipart"]
    upload_id: str
    part_bytes: int
    part_urls: list[str]
    complete_url: str
    abort_url: str
    expires_at: float


class UploadBegun(msgspec.Struct):
    """A job that awaits its file, and where the file is to be uploaded to.

    Attributes:
        job_id: of the job.
        status: of the job.
        upload: how the file is uploaded.
    """

    job_id: str
    status: JobStatus
    upload: dict[str, Any]


class Next(msgspec.Struct):
    """Where a list goes on.

    Attributes:
        before: the parameter `before` of the next page.
    """

    before: float


class JobList(msgspec.Struct):
    """A page of jobs, the newest first.

    Attributes:
        jobs: without their options; they may be fewer than `limit`, even none.
        next: the next page; null where there is none.
    """

    jobs: list[JobReport]
    next: Next | None


class Health(msgspec.Struct):
    """The service answers.

    Attributes:
        status: that it does.
        service: which it is.
        version: of the service.
    """

    status: Literal["ok"]
    service: Literal["afluente"]
    version: str


class GatewayMessage(msgspec.Struct):
    """What API Gateway answers itself, before or instead of the service.

    Attributes:
        message: what is wrong.
    """

    message: str
