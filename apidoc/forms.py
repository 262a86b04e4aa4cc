"""Records of forms that the service reads or writes field by field; tests compare them with readers and answers."""

from typing import Any, Literal

import msgspec

from afluente.application.constraints.changes import Effect
from afluente.application.constraints.history import ChangeKind
from afluente.application.csv.jobs import JobStatus
from afluente.application.csv.reports import JobReport
from afluente.domain.constraints import RateConstraints, StreamConfig, ValueConstraints


class Announcement(msgspec.Struct):
    """A file that will be uploaded.

    Attributes:
        file: the name of the file; of a path the last part counts.
        domain: of its points; may be given by the header X-Domain.
        source_id: of its points; may be given by the header X-Source-ID. A file has to name its source.
        size: of the file, in bytes. If it is given, the URL accepts a file of just that size.
        options: for reading the file; options may also be fields of their own.
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
    """A URL that accepts the whole file.

    Attributes:
        method: of the request that uploads it.
        url: accepts the file without a key.
        expires_at: end of its validity, in Unix seconds; in an account it may end sooner, with the
            credentials that signed it.
    """

    method: Literal["PUT"]
    url: str
    expires_at: float


class UploadInParts(msgspec.Struct):
    """URLs that accept the parts of a file.

    Attributes:
        method: of an upload in parts.
        upload_id: of the upload, to renew URLs that have expired.
        part_bytes: the size of every part but the last.
        part_urls: a URL for each part, in their order: PUT the part, and keep the header ETag of the answer.
        complete_url: POST the list of the parts to it once all are uploaded.
        abort_url: DELETE it to abort the upload.
        expires_at: end of their validity, in Unix seconds.
    """

    method: Literal["multipart"]
    upload_id: str
    part_bytes: int
    part_urls: list[str]
    complete_url: str
    abort_url: str
    expires_at: float


class UploadBegun(msgspec.Struct):
    """A job that awaits its file, and the URLs of the upload.

    Attributes:
        job_id: of the job.
        status: of the job.
        upload: how the file is uploaded.
    """

    job_id: str
    status: JobStatus
    upload: dict[str, Any]


class Next(msgspec.Struct):
    """The beginning of the next page.

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
        status: of the service.
        service: its name.
        version: of the service.
    """

    status: Literal["ok"]
    service: Literal["afluente"]
    version: str


class GatewayMessage(msgspec.Struct):
    """An answer of API Gateway itself, before or instead of the service.

    Attributes:
        message: the error.
    """

    message: str


class ConstraintsBody(msgspec.Struct):
    """The constraints of a stream, or of a template.

    Attributes:
        stream_type: type of the stream; of a template it may only repeat that of the request.
        value_constraints: bounds of the value.
        rate_constraints: bounds of its change.
        consecutive_violations_required: violating points in a row that raise the alarm, and normal ones that clear it.
        cooldown_seconds: between two raises of the alarm, by the time of the data.
        metadata: anything else to keep with them.
        key: of the stream; may only repeat that of the request.
        domain: of the template; may only repeat that of the request.
        file, column, version: for people; ignored, so that an answer can be sent again.
    """

    value_constraints: ValueConstraints | msgspec.UnsetType = msgspec.UNSET
    rate_constraints: RateConstraints | msgspec.UnsetType = msgspec.UNSET
    consecutive_violations_required: int = StreamConfig().consecutive_violations_required
    cooldown_seconds: float = StreamConfig().cooldown_seconds
    metadata: dict[str, Any] = {}
    stream_type: str | None = None
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    file: Any = msgspec.UNSET
    column: Any = msgspec.UNSET
    version: Any = msgspec.UNSET


class ConstraintsEntry(ConstraintsBody):
    """The constraints of a stream, by its key, or of a template, by its domain, with or without a type of streams.

    Attributes:
        key: of the stream: `domain/source_id/stream_id`; a stream has no domain of its own here.
        domain: of the template.
        stream_type: type of the stream; of a template the type of its streams.
    """


class ConstraintsShown(msgspec.Struct):
    """Constraints that are in force.

    Attributes:
        version: of them; also in the ETag.
        key: of the stream: `domain/source_id/stream_id`.
        domain: of the template.
        stream_type: type of the stream; of a template the type of its streams.
        value_constraints: bounds of the value.
        rate_constraints: bounds of its change.
        consecutive_violations_required: left out if it is the default.
        cooldown_seconds: left out if it is the default.
        metadata: left out if there is none.
    """

    version: int
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET
    value_constraints: ValueConstraints | msgspec.UnsetType = msgspec.UNSET
    rate_constraints: RateConstraints | msgspec.UnsetType = msgspec.UNSET
    consecutive_violations_required: int | msgspec.UnsetType = msgspec.UNSET
    cooldown_seconds: float | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ConstraintsList(msgspec.Struct):
    """A page of constraints, by their scopes.

    Attributes:
        constraints: they may be fewer than `limit`, even none.
        next: the parameter `next` of the next page; null where there is none.
    """

    constraints: list[ConstraintsShown]
    next: str | None


class Version(msgspec.Struct):
    """A version of the history to roll back to.

    Attributes:
        version: its number.
    """

    version: int


class ConstraintsEffect(msgspec.Struct):
    """The result of an entry.

    Attributes:
        key: of its stream.
        domain: of its template.
        stream_type: of its template, where it is for a type.
        result: of the entry.
        version: of its constraints since then.
    """

    result: Effect
    version: int
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET


class ConstraintsApplied(msgspec.Struct):
    """Results of the entries of a request.

    Attributes:
        results: one for each entry, in their order.
    """

    results: list[ConstraintsEffect]


class ConstraintsChanged(msgspec.Struct):
    """A change of constraints.

    Attributes:
        version: of the constraints since the change.
        kind: of the change.
        at: time of the change, in Unix seconds.
        by: `key:` and the id of an API key, or the name of a command.
        restored: the version that was rolled back to.
        constraints: since the change, as they were written; null after a deletion.
    """

    version: int
    kind: ChangeKind
    at: float
    by: str
    constraints: dict[str, Any] | None
    restored: int | msgspec.UnsetType = msgspec.UNSET


class ConstraintsHistory(msgspec.Struct):
    """A page of the changes of constraints, the newest first.

    Attributes:
        key: of the stream.
        domain: of the template.
        stream_type: of the template, where it is for a type.
        changes: they may be fewer than `limit`.
        next: the parameter `before` of the next page; null where there is none.
    """

    changes: list[ConstraintsChanged]
    next: int | None
    key: str | msgspec.UnsetType = msgspec.UNSET
    domain: str | msgspec.UnsetType = msgspec.UNSET
    stream_type: str | msgspec.UnsetType = msgspec.UNSET
